//! A speaker that nobody would write: it opens a session as it should, then says what comes to its mind.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bgp_core::wire::capability::{GracefulRestart, LongLived, RestartFamily, SendReceive};
use bgp_core::wire::header::{MAX_EXTENDED_LEN, write_keepalive, write_message};
use bgp_core::wire::{
    AsSegment, Capability, Community, MessageType, Notification, Open, Origin, PathAttribute, RouteRefresh,
    SegmentKind, encode, frame,
};
use bgp_core::{Asn, ClusterId, Family, PathId, Prefix, RouterId, V4, V6};

use crate::network::{address_v4, address_v6, router_id};
use crate::random::Random;

const FAMILIES: [Family; 2] = [Family::IPV4_UNICAST, Family::IPV6_UNICAST];

/// Communities that mean something to a router (RFC 1997, RFC 8326, RFC 9494).
const COMMUNITIES: [u32; 6] = [0xffff_ff01, 0xffff_ff02, 0xffff_ff03, 0xffff_0000, 0xffff_0006, 0xffff_0007];

/// Speaks in a router's place, with its AS and mostly with its router id.
pub(crate) struct Hostile {
    random: Random,
    asn: Asn,
    number: usize,
    prefixes: Vec<Prefix>,
    add_path: bool,
    inbox: Vec<u8>,
    /// The connection that it has.
    pub(crate) connection: Option<u64>,
    /// How long it goes on.
    pub(crate) lasts: Duration,
}

impl Hostile {
    pub(crate) fn new(seed: u64, asn: Asn, number: usize, prefixes: Vec<Prefix>) -> Hostile {
        let mut random = Random::new(seed);
        let lasts = Duration::from_millis(500) + random.time_up_to(Duration::from_secs(60));
        let add_path = random.one_in(2);
        Hostile { random, asn, number, prefixes, add_path, inbox: Vec::new(), connection: None, lasts }
    }

    /// How long it thinks.
    pub(crate) fn pause(&mut self) -> Duration {
        self.random.time_up_to(Duration::from_secs(2))
    }

    /// What it says first on a connection.
    pub(crate) fn greet(&mut self) -> Vec<u8> {
        self.inbox.clear();
        let mut octets = Vec::new();
        self.open().encode(&mut octets);
        if self.random.one_in(10) { self.mutate(octets) } else { octets }
    }

    fn open(&mut self) -> Open {
        let mut capabilities: Vec<Capability> = FAMILIES.map(Capability::Multiprotocol).to_vec();
        capabilities.push(Capability::FourOctetAs(self.asn));
        let forwarding = self.random.one_in(2);
        let restart = GracefulRestart {
            restarted: self.random.one_in(3),
            notification: self.random.one_in(2),
            restart_time: self.random.below(120) as u16,
            families: FAMILIES.map(|family| RestartFamily { family, forwarding }).to_vec(),
        };
        let long_lived = FAMILIES.map(|family| LongLived { family, forwarding, stale_time: 60 }).to_vec();
        let others = [
            Capability::RouteRefresh,
            Capability::EnhancedRouteRefresh,
            Capability::ExtendedMessage,
            Capability::GracefulRestart(restart),
            Capability::LongLivedGracefulRestart(long_lived),
        ];
        for capability in others {
            if self.random.one_in(2) {
                capabilities.push(capability);
            }
        }
        if self.add_path {
            let both = FAMILIES.map(|family| (family, SendReceive::Both)).to_vec();
            capabilities.push(Capability::AddPath(both));
        }
        let own = router_id(self.number);
        let router_id = if self.random.one_in(6) { RouterId(self.random.draw() as u32) } else { own };
        Open { asn: self.asn, hold_time: self.random.pick(90, &[3, 30]), router_id, capabilities }
    }

    /// Takes what the router says; answers an OPEN, so that the session comes up.
    pub(crate) fn hear(&mut self, octets: &[u8]) -> Vec<u8> {
        self.inbox.extend_from_slice(octets);
        let mut answer = Vec::new();
        while let Ok(Some(message)) = frame(&self.inbox, MAX_EXTENDED_LEN) {
            if message.kind == MessageType::Open {
                write_keepalive(&mut answer);
            }
            let len = message.len;
            self.inbox.drain(..len);
        }
        answer
    }

    /// The next thing that it says.
    pub(crate) fn speak(&mut self) -> Vec<u8> {
        let mut octets = Vec::new();
        match self.random.below(16) {
            0..=1 => write_keepalive(&mut octets),
            2..=8 => self.announce(&mut octets),
            9..=10 => self.withdraw(&mut octets),
            11 => encode::end_of_rib(&mut octets, self.random.pick(FAMILIES[0], &FAMILIES)),
            12 => {
                let (family, subtype) =
                    (self.random.pick(FAMILIES[0], &FAMILIES), self.random.below(4) as u8);
                RouteRefresh { family, subtype }.encode(&mut octets);
            }
            13 => {
                let kind = self.random.pick(MessageType::Update, &MessageType::ALL);
                let body: Vec<u8> = (0..self.random.below(40)).map(|_| self.random.draw() as u8).collect();
                write_message(&mut octets, kind, |out| out.extend(body));
            }
            14 => self.open().encode(&mut octets),
            _ if self.random.one_in(4) => {
                let notification = Notification::new(self.random.below(8) as u8, self.random.below(12) as u8);
                notification.encode(&mut octets);
            }
            _ => octets.extend((0..self.random.below(60)).map(|_| self.random.draw() as u8)),
        }
        if self.random.one_in(4) { self.mutate(octets) } else { octets }
    }

    fn some_prefixes(&mut self) -> Vec<(Option<PathId>, Prefix)> {
        let count = 1 + self.random.below(4);
        (0..count)
            .filter_map(|_| {
                let at = self.random.below(self.prefixes.len());
                let prefix = self.prefixes.get(at).copied().filter(|_| !self.random.one_in(4));
                let other = Ipv4Addr::from(0x0af5_0000 + (self.random.below(64) as u32) * 64);
                let prefix = prefix.or_else(|| Prefix::new(other.into(), 26))?;
                let id = self.add_path.then(|| PathId(self.random.below(4) as u32));
                Some((id, prefix))
            })
            .collect()
    }

    fn announce(&mut self, octets: &mut Vec<u8>) {
        let (v4, v6) = split(self.some_prefixes());
        let next_hop = self.next_hop();
        let block = self.attributes(next_hop);
        let v6_next_hop = match self.random.below(8) {
            0 => Ipv6Addr::UNSPECIFIED.into(),
            1 => address_v6(self.random.below(9)),
            _ => address_v6(self.number),
        };
        // What does not fit into a message is not said.
        if !v4.is_empty() {
            let _ = encode::announce::<V4>(octets, 4096, &block, next_hop.into(), v4);
        }
        if !v6.is_empty() {
            let _ = encode::announce::<V6>(octets, 4096, &block, v6_next_hop, v6);
        }
    }

    fn withdraw(&mut self, octets: &mut Vec<u8>) {
        let (v4, v6) = split(self.some_prefixes());
        encode::withdraw::<V4>(octets, 4096, v4);
        encode::withdraw::<V6>(octets, 4096, v6);
    }

    fn next_hop(&mut self) -> Ipv4Addr {
        let number = if self.random.one_in(6) { self.random.below(9) } else { self.number };
        match address_v4(number) {
            IpAddr::V4(address) if !self.random.one_in(10) => address,
            _ => Ipv4Addr::from(self.random.draw() as u32),
        }
    }

    fn attributes(&mut self, next_hop: Ipv4Addr) -> Vec<u8> {
        let random = &mut self.random;
        let asn = self.asn;
        let hops = (0..random.below(4)).map(|_| Asn(64500 + random.below(20) as u32));
        let asns: Vec<Asn> = hops.collect();
        let first = random.pick(true, &[true, false]);
        let asns: Vec<Asn> = first.then_some(asn).into_iter().chain(asns).collect();
        let kind = if random.one_in(8) { SegmentKind::Set } else { SegmentKind::Sequence };
        let segments = if asns.is_empty() { Vec::new() } else { vec![AsSegment { kind, asns }] };
        let mut attributes = vec![
            PathAttribute::Origin(random.pick(Origin::Igp, &[Origin::Egp, Origin::Incomplete])),
            PathAttribute::AsPath(segments),
            PathAttribute::NextHop(next_hop),
        ];
        let community = Community(random.pick(COMMUNITIES[0], &COMMUNITIES));
        let optional = [
            PathAttribute::LocalPref(random.below(300) as u32),
            PathAttribute::MultiExitDisc(random.below(3) as u32),
            PathAttribute::Communities(vec![community]),
            PathAttribute::OriginatorId(RouterId(0x0a00_0001 + random.below(9) as u32)),
            PathAttribute::ClusterList(vec![ClusterId(1 + random.below(3) as u32)]),
            PathAttribute::AtomicAggregate,
        ];
        attributes.extend(optional.into_iter().filter(|_| random.one_in(3)));
        let mut block = Vec::new();
        attributes.iter().for_each(|attribute| attribute.encode(&mut block));
        block
    }

    /// A few octets are changed, gone, or too many; the header's length is made right, or left as it was.
    fn mutate(&mut self, mut octets: Vec<u8>) -> Vec<u8> {
        for _ in 0..1 + self.random.below(3) {
            let at = self.random.below(octets.len());
            match self.random.below(5) {
                0..=1 => {
                    let by = self.random.pick(1, &[0x80, 0x40, 0xff, 2]);
                    octets.iter_mut().skip(at).take(1).for_each(|octet| *octet ^= by);
                }
                2 => octets.insert(at, self.random.draw() as u8),
                3 if at < octets.len() => drop(octets.remove(at)),
                _ => octets.truncate(at),
            }
        }
        if let (Ok(len), Some(field)) = (u16::try_from(octets.len()), octets.get_mut(16..18))
            && !self.random.one_in(3)
        {
            field.copy_from_slice(&len.to_be_bytes());
        }
        octets
    }
}

type Of<F> = Vec<(Option<PathId>, <F as bgp_core::AddressFamily>::Prefix)>;

fn split(prefixes: Vec<(Option<PathId>, Prefix)>) -> (Of<V4>, Of<V6>) {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for (id, prefix) in prefixes {
        match prefix {
            Prefix::V4(prefix) => v4.push((id, prefix)),
            Prefix::V6(prefix) => v6.push((id, prefix)),
        }
    }
    (v4, v6)
}
