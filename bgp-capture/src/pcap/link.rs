//! From a packet to the TCP segment in it.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};

/// Where a link's header ends and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    header_len: usize,
    /// Where the header has an EtherType; without it IP follows.
    ether_type_at: Option<usize>,
}

/// A TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) sequence: u32,
    pub(super) syn: bool,
    pub(super) ack: bool,
    pub(super) octets: &'a [u8],
}

impl Link {
    /// By the registry of link types (draft-ietf-opsawg-pcaplinktype).
    pub(super) fn from_type(link_type: i32) -> Option<Link> {
        let (header_len, ether_type_at) = match link_type {
            // NULL, LOOP: an address family, which systems number differently.
            0 | 108 => (4, None),
            // ETHERNET.
            1 => (14, Some(12)),
            // RAW, in two older numberings too; IPV4, IPV6.
            12 | 14 | 101 | 228 | 229 => (0, None),
            // LINUX_SLL, LINUX_SLL2.
            113 => (16, Some(14)),
            276 => (20, Some(0)),
            _ => return None,
        };
        Some(Link { header_len, ether_type_at })
    }

    /// The TCP segment in a packet, if there is a whole header of one. Its octets may be cut off by the capture.
    pub(super) fn segment(self, packet: &[u8]) -> Option<Segment<'_>> {
        let (header, rest) = packet.split_at_checked(self.header_len)?;
        let ether_type = match (self.ether_type_at, rest.first()? >> 4) {
            (Some(at), _) => u16::from_be_bytes(*header.get(at..)?.first_chunk()?),
            (None, 4) => EtherType::IPV4.0,
            (None, 6) => EtherType::IPV6.0,
            _ => return None,
        };
        let packet = LaxSlicedPacket::from_ether_type(EtherType(ether_type), rest);
        let (from, to): (IpAddr, IpAddr) = match packet.net? {
            LaxNetSlice::Ipv4(ip) => {
                (ip.header().source_addr().into(), ip.header().destination_addr().into())
            }
            LaxNetSlice::Ipv6(ip) => {
                (ip.header().source_addr().into(), ip.header().destination_addr().into())
            }
            LaxNetSlice::Arp(_) => return None,
        };
        let TransportSlice::Tcp(tcp) = packet.transport? else { return None };
        Some(Segment {
            from: SocketAddr::new(from, tcp.source_port()),
            to: SocketAddr::new(to, tcp.destination_port()),
            sequence: tcp.sequence_number(),
            syn: tcp.syn(),
            ack: tcp.ack(),
            octets: tcp.payload(),
        })
    }
}
