//! Routes of an Ethernet VPN as octets and as text.

use std::fmt;
use std::net::IpAddr;

use super::{EthernetSegment, EvpnRoute, MAC_BITS};
use crate::wire::hex::Hex;

impl EvpnRoute<'_> {
    /// Appends the route as on the wire: type, length, and the rest by type. Of an unknown type at most 255 octets fit.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend([self.kind(), 0]);
        let start = out.len();
        self.encode_fields(out);
        out.truncate(start + usize::from(u8::MAX));
        let len = out.len() - start;
        if let Some(octet) = out.get_mut(start - 1) {
            *octet = u8::try_from(len).unwrap_or(u8::MAX);
        }
    }

    fn encode_fields(&self, out: &mut Vec<u8>) {
        match *self {
            EvpnRoute::AutoDiscovery { distinguisher, segment, tag, label } => {
                out.extend(distinguisher.0);
                out.extend(segment.0);
                out.extend(tag.to_be_bytes());
                out.extend(label.0);
            }
            EvpnRoute::MacIp { distinguisher, segment, tag, mac, address, label, second_label } => {
                out.extend(distinguisher.0);
                out.extend(segment.0);
                out.extend(tag.to_be_bytes());
                out.push(MAC_BITS);
                out.extend(mac.0);
                push_sized(out, address);
                out.extend(label.0);
                out.extend(second_label.iter().flat_map(|label| label.0));
            }
            EvpnRoute::Multicast { distinguisher, tag, originator } => {
                out.extend(distinguisher.0);
                out.extend(tag.to_be_bytes());
                push_sized(out, Some(originator));
            }
            EvpnRoute::Segment { distinguisher, segment, originator } => {
                out.extend(distinguisher.0);
                out.extend(segment.0);
                push_sized(out, Some(originator));
            }
            EvpnRoute::IpPrefix { distinguisher, segment, tag, prefix, label } => {
                out.extend(distinguisher.0);
                out.extend(segment.0);
                out.extend(tag.to_be_bytes());
                out.push(prefix.prefix().len());
                push(out, prefix.prefix().address());
                push(out, prefix.gateway());
                out.extend(label.0);
            }
            EvpnRoute::Other { octets, .. } => out.extend_from_slice(octets),
        }
    }
}

/// The length in bits, then the address; just 0 for none.
fn push_sized(out: &mut Vec<u8>, address: Option<IpAddr>) {
    out.push(address.map_or(0, bits));
    address.into_iter().for_each(|address| push(out, address));
}

fn push(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => out.extend(address.octets()),
        IpAddr::V6(address) => out.extend(address.octets()),
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The route's key in brackets, its type first, then what else it says: `[2]:[0]:[48]:[00:00:5e:00:53:01] rd 64512:7
/// vni 100`. The label is shown with all its 24 bits: see [`EvpnLabel`](super::EvpnLabel).
impl fmt::Display for EvpnRoute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.kind())?;
        match *self {
            EvpnRoute::AutoDiscovery { distinguisher, segment, tag, label } => {
                write!(f, ":[{tag}]:[{segment}] rd {distinguisher} vni {}", label.vni())
            }
            EvpnRoute::MacIp { distinguisher, segment, tag, mac, address, label, second_label } => {
                write!(f, ":[{tag}]:[{MAC_BITS}]:[{mac}]")?;
                if let Some(address) = address {
                    write!(f, ":[{}]:[{address}]", bits(address))?;
                }
                write!(f, " rd {distinguisher} vni {}", label.vni())?;
                if let Some(second) = second_label {
                    write!(f, "/{}", second.vni())?;
                }
                write_segment(f, segment)
            }
            EvpnRoute::Multicast { distinguisher, tag, originator } => {
                write!(f, ":[{tag}]:[{}]:[{originator}] rd {distinguisher}", bits(originator))
            }
            EvpnRoute::Segment { distinguisher, segment, originator } => {
                write!(f, ":[{segment}]:[{}]:[{originator}] rd {distinguisher}", bits(originator))
            }
            EvpnRoute::IpPrefix { distinguisher, segment, tag, prefix, label } => {
                let (address, len) = (prefix.prefix().address(), prefix.prefix().len());
                write!(f, ":[{tag}]:[{len}]:[{address}] rd {distinguisher} vni {}", label.vni())?;
                if !prefix.gateway().is_unspecified() {
                    write!(f, " gateway {}", prefix.gateway())?;
                }
                write_segment(f, segment)
            }
            EvpnRoute::Other { octets, .. } => {
                write!(f, ":[{}]", Hex(octets))
            }
        }
    }
}

/// The segment, if the site has more than one link.
fn write_segment(f: &mut fmt::Formatter<'_>, segment: EthernetSegment) -> fmt::Result {
    if segment == EthernetSegment::default() { Ok(()) } else { write!(f, " segment {segment}") }
}
