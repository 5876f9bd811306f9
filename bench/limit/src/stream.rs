//! What one receiver is sent, made from what the sender sends by the project's own router.

use std::io::IoSlice;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bgp_core::fsm::{ConnectionId, Direction};
use bgp_core::{Family, FamilySet, Instant, RouterId};
use bgp_rib::RibConfig;
use bgp_router::{Identity, LocalAddresses, PeerSettings, Router};

use crate::handshake::hello;

/// An UPDATE without anything in it: the end of an IPv4 table (RFC 4724 section 2).
const END_OF_RIB: [u8; 23] = {
    let mut message = [0xff; 23];
    let tail = [0, 23, 2, 0, 0, 0, 0];
    let mut at = 0;
    while at < tail.len() {
        message[16 + at] = tail[at];
        at += 1;
    }
    message
};

/// What the daemon reads at once, and about how long it takes for it: the router packs what comes within its flush
/// interval.
const READ: usize = 64 * 1024;
const READ_TAKES: Duration = Duration::from_millis(1);

const RECEIVER: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 1);

/// Whether the sender has sent all of its table.
pub(crate) fn is_complete(sent: &[u8]) -> bool {
    sent.ends_with(&END_OF_RIB)
}

/// The router with its two clients.
struct Bench {
    router: Router,
    now: Instant,
    sender: Client,
    receiver: Client,
    received: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Client {
    slot: u32,
    connection: ConnectionId,
}

/// What a receiver is sent when the client at `sender` sends the UPDATEs `sent`. `None` if the router refuses them.
pub(crate) fn make(identity: &Identity, sender: IpAddr, sent: &[u8]) -> Option<Vec<u8>> {
    let mut bench = Bench::new(identity, sender)?;
    bench.received.clear();
    for piece in Pieces(sent) {
        bench.feed(bench.sender, piece)?;
        bench.now += READ_TAKES;
        bench.settle();
    }
    bench.finish();
    Some(bench.received)
}

/// Whole messages, about as many as one read gives.
struct Pieces<'a>(&'a [u8]);

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut octets = 0;
        while let Some(length) = self.0.get(octets + 16..octets + 18) {
            octets += usize::from(u16::from_be_bytes([length[0], length[1]]));
            if octets >= READ {
                break;
            }
        }
        let (piece, rest) = self.0.split_at_checked(octets)?;
        self.0 = rest;
        (!piece.is_empty()).then_some(piece)
    }
}

impl Bench {
    fn new(identity: &Identity, sender: IpAddr) -> Option<Bench> {
        let config = RibConfig::new(identity.export_context(), 1);
        let mut router = Router::new(*identity, config);
        let sender = add_client(&mut router, identity, sender, 1)?;
        let receiver = add_client(&mut router, identity, RECEIVER.into(), 2)?;
        let mut bench = Bench { router, now: Instant::ZERO, sender, receiver, received: Vec::new() };
        for (client, id) in [(sender, 1), (receiver, 2)] {
            bench.feed(client, &hello(identity, RouterId::from(Ipv4Addr::new(10, id, 0, 1))))?;
        }
        bench.finish();
        Some(bench)
    }

    /// A client sends whole messages.
    fn feed(&mut self, client: Client, octets: &[u8]) -> Option<()> {
        let now = self.now;
        let used = self.router.with_peer(client.slot, |peer| peer.read(now, client.connection, octets))?;
        self.settle();
        (used == octets.len()).then_some(())
    }

    /// All happens that is due, and the clients take what they are sent.
    fn settle(&mut self) {
        loop {
            self.router.run(self.now);
            if !self.take(self.sender).is_empty() {
                continue;
            }
            let octets = self.take(self.receiver);
            if !octets.is_empty() {
                self.received.extend(octets);
            } else if self.router.next_timeout().is_some_and(|due| due <= self.now) {
                self.router.handle_timeout(self.now);
            } else {
                return;
            }
        }
    }

    /// Time passes until nothing more is to be expected.
    fn finish(&mut self) {
        let end = self.now + Duration::from_secs(1);
        while self.now < end {
            self.now += READ_TAKES;
            self.settle();
        }
    }

    fn take(&mut self, client: Client) -> Vec<u8> {
        let Some(queue) = self.router.peer(client.slot).and_then(|peer| peer.queue(client.connection)) else {
            return Vec::new();
        };
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = queue.gather(&mut slices);
        let octets: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter()).copied().collect();
        let now = self.now;
        self.router.with_peer(client.slot, |peer| peer.wrote(now, client.connection, octets.len()));
        octets
    }
}

fn add_client(router: &mut Router, identity: &Identity, address: IpAddr, connection: u64) -> Option<Client> {
    let settings = PeerSettings {
        peer_as: Some(identity.local_as),
        client: true,
        families: FamilySet::EMPTY.with(Family::IPV4_UNICAST),
        hold_time: 0,
        passive: true,
        extended_message: false,
        ..PeerSettings::new(address)
    };
    let slot = router.add_peer(Instant::ZERO, settings)?;
    let connection = ConnectionId(connection);
    let local = LocalAddresses::new(Ipv4Addr::from(identity.router_id.0).into(), None);
    router.with_peer(slot, |peer| peer.connected(Instant::ZERO, connection, Direction::Incoming, local))?;
    Some(Client { slot, connection })
}

#[cfg(test)]
mod tests {
    use bgp_core::wire::{MessageType, frame};
    use bgp_core::{Asn, ClusterId};

    use super::*;

    const US: Identity = Identity {
        local_as: Asn(64512),
        router_id: RouterId(0x0aff_0001),
        cluster_id: Some(ClusterId(0x0aff_0001)),
        confederation: None,
    };

    /// 10.`second`.0.0/16 of the sender's, next hop 10.3.1.1.
    fn announcement(second: u8) -> Vec<u8> {
        let attributes = [0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 3, 4, 10, 3, 1, 1, 0x40, 5, 4, 0, 0, 0, 100];
        let nlri = [16, 10, second];
        let mut message = vec![0xff; 16];
        message.extend([0, (23 + attributes.len() + nlri.len()) as u8, 2, 0, 0, 0, attributes.len() as u8]);
        message.extend(attributes);
        message.extend(nlri);
        message
    }

    #[test]
    fn a_receiver_is_sent_every_route_with_the_mark_of_the_reflector() {
        let mut sent: Vec<u8> = (0..200).flat_map(announcement).collect();
        sent.extend(END_OF_RIB);
        assert!(is_complete(&sent));
        let stream = make(&US, [10, 1, 0, 1].into(), &sent).unwrap();
        let (mut rest, mut prefixes) = (&stream[..], 0);
        while let Some(message) = frame(rest, 4096).unwrap() {
            assert_eq!(message.kind, MessageType::Update);
            // CLUSTER_LIST and ORIGINATOR_ID, as they stand on the wire.
            for mark in [[0x80, 10, 4, 10, 255, 0, 1], [0x80, 9, 4, 10, 1, 0, 1]] {
                assert!(message.body.windows(7).any(|octets| octets == mark), "{:?}", message.body);
            }
            prefixes += message.body.windows(2).filter(|octets| *octets == [16, 10]).count();
            rest = &rest[message.len..];
        }
        assert!(rest.is_empty());
        assert_eq!(prefixes, 200);
    }
}
