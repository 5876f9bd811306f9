//! The limit: a netlink socket, messages that are ready to be sent, and nothing else.

use std::io;
use std::net::Ipv4Addr;

use netlink_sys::{Socket, protocols::NETLINK_ROUTE};
use nix::sys::socket::{setsockopt, sockopt};

/// Messages of one call. Only the last is acknowledged; errors of the others come all the same.
const BATCH: usize = 4096;
const BUFFER: usize = 64 << 20;
/// What the kernel calls its own number for BGP, as fib-sync does, and its metric.
const PROTOCOL: u8 = 186;
const METRIC: u32 = 1024;

/// Rounds of [`Order::Rounds`].
const ROUNDS: u32 = 16;

/// In which order routes are sent. The kernel's trie minds.
#[derive(Clone, Copy)]
pub enum Order {
    /// Neighbouring prefixes one after another.
    Numbers,
    /// Every sixteenth, then those behind them, and so on.
    Rounds,
}

impl Order {
    fn numbers(self, count: u32) -> Vec<u32> {
        match self {
            Order::Numbers => (0..count).collect(),
            Order::Rounds => (0..ROUNDS).flat_map(|round| (round..count).step_by(ROUNDS as usize)).collect(),
        }
    }
}

/// The first prefix, a /24 as are all.
const FIRST: u32 = 0x1400_0000;
pub const LEN: u8 = 24;

/// The network with this number.
pub fn network(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(FIRST + (number << (32 - LEN)))
}

/// A route's next hop: its address and the interface.
#[derive(Clone, Copy)]
pub struct Via {
    pub gateway: Ipv4Addr,
    pub interface: u32,
}

/// Octets of a `struct nhmsg`, and the attribute with a group's members.
const NHMSG: usize = 8;
const NHA_GROUP: u16 = 2;

/// A netlink socket.
pub struct Raw {
    socket: Socket,
    sequence: u32,
    space: Vec<u8>,
}

impl Raw {
    pub fn open() -> io::Result<Raw> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.set_cap_ack(true)?;
        socket.set_netlink_get_strict_chk(true)?;
        setsockopt(&socket, sockopt::RcvBufForce, &BUFFER)?;
        setsockopt(&socket, sockopt::SndBufForce, &BUFFER)?;
        Ok(Raw { socket, sequence: 0, space: Vec::with_capacity(1 << 20) })
    }

    /// Adds the routes 0 to `count`.
    pub fn add(&mut self, count: u32, via: Via, order: Order) -> io::Result<()> {
        let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        self.change(libc::RTM_NEWROUTE, flags, &order.numbers(count), via)
    }

    /// Deletes them.
    pub fn delete(&mut self, count: u32, via: Via, order: Order) -> io::Result<()> {
        self.change(libc::RTM_DELROUTE, 0, &order.numbers(count), via)
    }

    fn change(&mut self, kind: u16, flags: i32, numbers: &[u32], via: Via) -> io::Result<()> {
        let mut octets = Vec::new();
        for batch in numbers.chunks(BATCH) {
            octets.clear();
            for (place, number) in batch.iter().enumerate() {
                self.sequence += 1;
                let acknowledged = if place + 1 == batch.len() { libc::NLM_F_ACK } else { 0 };
                let route =
                    Route { destination: network(*number), length: LEN, protocol: PROTOCOL, metric: METRIC };
                route.write(&mut octets, kind, flags | acknowledged, self.sequence, Some(via));
            }
            self.send(&octets)?;
        }
        Ok(())
    }

    /// One route of an administrator, to one address: puts it in the place of another.
    pub fn set_host(&mut self, destination: Ipv4Addr, via: Via) -> io::Result<()> {
        self.host(libc::RTM_NEWROUTE, libc::NLM_F_CREATE | libc::NLM_F_REPLACE, destination, Some(via))
    }

    /// Removes it.
    pub fn remove_host(&mut self, destination: Ipv4Addr) -> io::Result<()> {
        self.host(libc::RTM_DELROUTE, 0, destination, None)
    }

    fn host(&mut self, kind: u16, flags: i32, destination: Ipv4Addr, via: Option<Via>) -> io::Result<()> {
        let mut octets = Vec::new();
        self.sequence += 1;
        let route = Route { destination, length: 32, protocol: libc::RTPROT_STATIC, metric: 1 };
        route.write(&mut octets, kind, flags | libc::NLM_F_ACK, self.sequence, via);
        self.send(&octets)
    }

    /// Sends messages of which the last asks for an acknowledgement, and waits for that.
    fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.socket.send(octets, 0)?;
        loop {
            self.receive()?;
            for message in messages(&self.space) {
                let error = message.body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                if error != 0 {
                    return Err(io::Error::from_raw_os_error(-error));
                }
                if message.sequence == self.sequence {
                    return Ok(());
                }
            }
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        self.space.clear();
        self.socket.recv(&mut self.space, 0).map(drop)
    }

    /// Reads all IPv4 routes; how many there are.
    pub fn dump(&mut self) -> io::Result<usize> {
        self.sequence += 1;
        let mut octets = Vec::new();
        let header = [libc::AF_INET as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        write(&mut octets, libc::RTM_GETROUTE, libc::NLM_F_DUMP, self.sequence, &header, &[]);
        self.socket.send(&octets, 0)?;
        let mut routes = 0;
        loop {
            self.receive()?;
            for message in messages(&self.space) {
                match i32::from(message.kind) {
                    libc::NLMSG_DONE => return Ok(routes),
                    libc::NLMSG_ERROR => return Err(io::Error::other("the kernel refuses a dump")),
                    _ => routes += 1,
                }
            }
        }
    }

    /// By which gateway the kernel would send a packet to the network with this number; none if it has no route.
    pub fn gateway(&mut self, number: u32) -> io::Result<Option<Ipv4Addr>> {
        self.sequence += 1;
        let mut octets = Vec::new();
        let header = [libc::AF_INET as u8, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let destination = u32::from(network(number)) + 1;
        let attributes = [(libc::RTA_DST, destination.to_be_bytes())];
        write(&mut octets, libc::RTM_GETROUTE, 0, self.sequence, &header, &attributes);
        self.socket.send(&octets, 0)?;
        self.receive()?;
        let answer = messages(&self.space).next().filter(|answer| answer.kind == libc::RTM_NEWROUTE);
        let gateway = answer.and_then(|answer| attribute(answer.body.get(12..)?, libc::RTA_GATEWAY));
        Ok(gateway.and_then(|value| <[u8; 4]>::try_from(value).ok()).map(Ipv4Addr::from))
    }
}

struct Route {
    destination: Ipv4Addr,
    length: u8,
    protocol: u8,
    metric: u32,
}

impl Route {
    fn write(&self, out: &mut Vec<u8>, kind: u16, flags: i32, sequence: u32, via: Option<Via>) {
        let Route { destination, length, protocol, metric } = *self;
        let (table, scope) = (libc::RT_TABLE_MAIN, libc::RT_SCOPE_UNIVERSE);
        let scope = if via.is_some() { scope } else { libc::RT_SCOPE_NOWHERE };
        let header =
            [libc::AF_INET as u8, length, 0, 0, table, protocol, scope, libc::RTN_UNICAST, 0, 0, 0, 0];
        let destination = (libc::RTA_DST, destination.octets());
        let metric = (libc::RTA_PRIORITY, metric.to_ne_bytes());
        match via {
            Some(Via { gateway, interface }) => {
                let hop = [(libc::RTA_GATEWAY, gateway.octets()), (libc::RTA_OIF, interface.to_ne_bytes())];
                write(out, kind, flags, sequence, &header, &[destination, hop[0], hop[1], metric]);
            }
            None => write(out, kind, flags, sequence, &header, &[destination, metric]),
        }
    }
}

/// Appends a message whose attributes have four octets each.
fn write(
    out: &mut Vec<u8>,
    kind: u16,
    flags: i32,
    sequence: u32,
    header: &[u8],
    attributes: &[(u16, [u8; 4])],
) {
    let octets = (16 + header.len() + 8 * attributes.len()) as u32;
    out.extend_from_slice(&octets.to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(&((flags | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
    out.extend_from_slice(&sequence.to_ne_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(header);
    for (kind, value) in attributes {
        out.extend_from_slice(&8u16.to_ne_bytes());
        out.extend_from_slice(&kind.to_ne_bytes());
        out.extend_from_slice(value);
    }
}

/// A message that was received.
pub struct Message<'a> {
    kind: u16,
    sequence: u32,
    body: &'a [u8],
}

impl Message<'_> {
    /// Whether a message about a nexthop object is about a group of them.
    pub fn is_group(&self) -> bool {
        self.body.get(NHMSG..).is_some_and(|attributes| attribute(attributes, NHA_GROUP).is_some())
    }
}

/// The messages of a datagram.
pub fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let octets = u32::from_ne_bytes(*datagram.first_chunk()?) as usize;
        let message = datagram.get(..octets).filter(|message| message.len() >= 16)?;
        datagram = datagram.get(octets.next_multiple_of(4)..).unwrap_or_default();
        let kind = u16::from_ne_bytes([message[4], message[5]]);
        let sequence = u32::from_ne_bytes([message[8], message[9], message[10], message[11]]);
        Some(Message { kind, sequence, body: &message[16..] })
    })
}

/// The value of the first attribute of a kind.
fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let [l0, l1, k0, k1] = *attributes.first_chunk()?;
        let octets = usize::from(u16::from_ne_bytes([l0, l1])).max(4);
        if u16::from_ne_bytes([k0, k1]) == wanted {
            return attributes.get(4..octets);
        }
        attributes = attributes.get(octets.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let mut octets = Vec::new();
        let via = Via { gateway: Ipv4Addr::new(10, 0, 0, 2), interface: 7 };
        for number in [1, 2] {
            let route =
                Route { destination: network(number), length: LEN, protocol: PROTOCOL, metric: METRIC };
            route.write(&mut octets, libc::RTM_NEWROUTE, libc::NLM_F_ACK, number, Some(via));
        }
        let read: Vec<_> = messages(&octets).collect();
        assert_eq!(octets.len(), 2 * 60);
        assert_eq!(read.iter().map(|message| message.sequence).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(attribute(&read[1].body[12..], libc::RTA_DST), Some(&[20, 0, 2, 0][..]));
        assert_eq!(attribute(&read[1].body[12..], libc::RTA_GATEWAY), Some(&[10, 0, 0, 2][..]));
        assert_eq!(attribute(&read[1].body[12..], libc::RTA_SRC), None);
    }
}
