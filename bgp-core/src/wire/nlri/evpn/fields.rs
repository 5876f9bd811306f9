//! What the routes of an Ethernet VPN are made of.

use std::fmt;
use std::net::Ipv4Addr;

use crate::wire::hex::{Colons, MacAddress};

/// An Ethernet segment identifier: a type, then nine octets (RFC 7432 section 5). All zero for a site with one link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EthernetSegment(pub [u8; 10]);

/// By its type, as in `0`, `lacp/00:00:5e:00:53:01/7` (1), `bridge/00:00:5e:00:53:01/7` (2), `mac/00:00:5e:00:53:01/7`
/// (3), `router/10.0.0.1/7` (4) and `as/64512/7` (5); others, and what a type leaves undefined, as ten octets.
impl fmt::Display for EthernetSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0] => f.write_str("0"),
            [kind @ 1..=3, a, b, c, d, e, g, rest @ ..] => {
                let mac = MacAddress([a, b, c, d, e, g]);
                let [high, middle, low] = rest.map(u32::from);
                match (kind, low) {
                    (1, 0) => write!(f, "lacp/{mac}/{}", high << 8 | middle),
                    (2, 0) => write!(f, "bridge/{mac}/{}", high << 8 | middle),
                    (3, _) => write!(f, "mac/{mac}/{}", high << 16 | middle << 8 | low),
                    _ => Colons(&self.0).fmt(f),
                }
            }
            [4, a, b, c, d, rest @ .., 0] => {
                write!(f, "router/{}/{}", Ipv4Addr::new(a, b, c, d), u32::from_be_bytes(rest))
            }
            [5, a, b, c, d, rest @ .., 0] => {
                write!(f, "as/{}/{}", u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes(rest))
            }
            _ => Colons(&self.0).fmt(f),
        }
    }
}

/// The 24 bits that tell where a packet belongs. Which of the two readings counts is said by the route's encapsulation
/// extended community (RFC 8365 section 5.1.3): without one it is an MPLS label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EvpnLabel(pub [u8; 3]);

impl EvpnLabel {
    /// All 24 bits: the VXLAN network identifier (RFC 8365 section 5.1.3).
    #[must_use]
    pub fn vni(self) -> u32 {
        let [high, middle, low] = self.0;
        u32::from_be_bytes([0, high, middle, low])
    }

    /// The upper 20 bits: the MPLS label (RFC 7432 section 9.2.1).
    #[must_use]
    pub fn label(self) -> u32 {
        self.vni() >> 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_shown_by_its_type() {
        let mac = [0, 0, 0x5e, 0, 0x53, 1];
        let with_mac = |kind: u8, rest: [u8; 3]| {
            let octets = [&[kind][..], &mac, &rest].concat();
            EthernetSegment(octets.try_into().unwrap()).to_string()
        };
        assert_eq!(EthernetSegment([0; 10]).to_string(), "0");
        assert_eq!(
            EthernetSegment([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]).to_string(),
            "00:01:02:03:04:05:06:07:08:09"
        );
        assert_eq!(with_mac(1, [1, 2, 0]), "lacp/00:00:5e:00:53:01/258");
        assert_eq!(with_mac(1, [1, 2, 3]), "01:00:00:5e:00:53:01:01:02:03");
        assert_eq!(with_mac(2, [0x80, 0, 0]), "bridge/00:00:5e:00:53:01/32768");
        assert_eq!(with_mac(3, [1, 0, 1]), "mac/00:00:5e:00:53:01/65537");
        assert_eq!(EthernetSegment([4, 10, 0, 0, 1, 0, 0, 0, 7, 0]).to_string(), "router/10.0.0.1/7");
        assert_eq!(EthernetSegment([5, 0, 0, 0xfc, 0, 0, 0, 0, 7, 0]).to_string(), "as/64512/7");
        assert_eq!(
            EthernetSegment([5, 0, 0, 0xfc, 0, 0, 0, 0, 7, 1]).to_string(),
            "05:00:00:fc:00:00:00:00:07:01"
        );
        assert_eq!(EthernetSegment([9; 10]).to_string(), "09:09:09:09:09:09:09:09:09:09");
    }

    #[test]
    fn a_label_has_two_readings() {
        let label = EvpnLabel([0, 0x06, 0x41]);
        assert_eq!((label.vni(), label.label()), (1601, 100));
    }
}
