//! A writer of packet captures for the tests.

use std::net::SocketAddr;

use etherparse::PacketBuilder;

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// pcap, little-endian, microseconds.
    Pcap,
    /// pcap, big-endian, nanoseconds.
    PcapBigEndian,
    /// pcapng, little-endian, with nanoseconds as an option.
    PcapNg,
}

/// A TCP segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) sequence: u32,
    pub(crate) syn: bool,
    pub(crate) ack: bool,
    pub(crate) octets: &'a [u8],
}

impl Segment<'_> {
    /// From the network layer on.
    pub(crate) fn ip(&self) -> Vec<u8> {
        let (from, to) = (self.from, self.to);
        let builder = match (from, to) {
            (SocketAddr::V4(from), SocketAddr::V4(to)) => {
                PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 1)
            }
            (SocketAddr::V6(from), SocketAddr::V6(to)) => {
                PacketBuilder::ipv6(from.ip().octets(), to.ip().octets(), 1)
            }
            _ => panic!("two families"),
        };
        let mut tcp = builder.tcp(from.port(), to.port(), self.sequence, 65_535);
        if self.syn {
            tcp = tcp.syn();
        }
        if self.ack {
            tcp = tcp.ack(1);
        }
        let mut out = Vec::new();
        tcp.write(&mut out, self.octets).unwrap();
        out
    }

    /// From the link on.
    pub(crate) fn on(&self, link_type: u32) -> Vec<u8> {
        let (v4, ip) = (self.from.is_ipv4(), self.ip());
        let ether_type: [u8; 2] = if v4 { [0x08, 0x00] } else { [0x86, 0xdd] };
        let header = match link_type {
            0 => vec![2, 0, 0, 0],
            1 => [&[0; 12], &ether_type[..]].concat(),
            101 => Vec::new(),
            113 => [&[0; 14], &ether_type[..]].concat(),
            276 => [&ether_type[..], &[0; 18]].concat(),
            other => panic!("link type {other}"),
        };
        [header, ip].concat()
    }
}

/// A capture of `packets`, a second after each other from second 1000 on.
pub(crate) fn capture(form: Form, link_type: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let number = |number: u32| match form {
        Form::PcapBigEndian => number.to_be_bytes(),
        _ => number.to_le_bytes(),
    };
    let numbers = |numbers: &[u32]| numbers.iter().flat_map(|n| number(*n)).collect::<Vec<u8>>();
    let block = |kind: u32, body: Vec<u8>| {
        let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
        let len = numbers(&[(12 + body.len() + padding.len()) as u32]);
        [numbers(&[kind]), len.clone(), body, padding, len].concat()
    };
    let version = |major: u16, minor: u16| match form {
        Form::PcapBigEndian => [major.to_be_bytes(), minor.to_be_bytes()].concat(),
        _ => [major.to_le_bytes(), minor.to_le_bytes()].concat(),
    };
    let header = |magic| [numbers(&[magic]), version(2, 4), numbers(&[0, 0, 65_535, link_type])].concat();
    let mut out = match form {
        Form::Pcap => header(0xa1b2_c3d4),
        Form::PcapBigEndian => header(0xa1b2_3c4d),
        Form::PcapNg => {
            let section = [numbers(&[0x1a2b_3c4d]), version(1, 0), vec![0xff; 8]].concat();
            let interface =
                [&(link_type as u16).to_le_bytes()[..], &[0; 6], &[9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]];
            [block(0x0a0d_0d0a, section), block(1, interface.concat())].concat()
        }
    };
    for (at, packet) in packets.iter().enumerate() {
        let (seconds, len) = (1000 + at as u32, packet.len() as u32);
        let head = match form {
            Form::Pcap => numbers(&[seconds, 250_000, len, len]),
            Form::PcapBigEndian => numbers(&[seconds, 250_000_000, len, len]),
            Form::PcapNg => {
                let time = u64::from(seconds) * 1_000_000_000 + 250_000_000;
                numbers(&[0, (time >> 32) as u32, time as u32, len, len])
            }
        };
        match form {
            Form::PcapNg => out.extend(block(6, [head, packet.clone()].concat())),
            _ => out.extend([head, packet.clone()].concat()),
        }
    }
    out
}
