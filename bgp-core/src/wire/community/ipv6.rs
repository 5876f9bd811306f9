//! Extended communities that hold an IPv6 address (RFC 5701).

use std::fmt;
use std::net::Ipv6Addr;

use crate::wire::attribute::Attributes;
use crate::wire::code;
use crate::wire::hex::Hex;

/// An IPv6 address specific extended community, as its twenty octets: type, subtype, address 16, number 2 (RFC 5701
/// section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ipv6ExtendedCommunity(pub [u8; 20]);

/// What an [`Ipv6ExtendedCommunity`] means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ipv6Extended {
    /// Route target: `rt:[2001:db8::1]:100` (RFC 5701 section 3).
    RouteTarget(Ipv6Addr, u16),
    /// Route origin: `ro:[2001:db8::1]:100` (RFC 5701 section 3).
    RouteOrigin(Ipv6Addr, u16),
    /// rt-redirect-ipv6: into the VRF that imports this route target (RFC 8956 section 6.1).
    Redirect(Ipv6Addr, u16),
    /// Another one.
    Other([u8; 20]),
}

const TRANSITIVE_IPV6: u8 = 0x00;
const NON_TRANSITIVE: u8 = 0x40;
const ROUTE_TARGET: u8 = 0x02;
const ROUTE_ORIGIN: u8 = 0x03;
const REDIRECT: u8 = 0x0d;

impl Ipv6ExtendedCommunity {
    /// Whether it is passed on to other ASes (RFC 5701 section 2).
    #[must_use]
    pub fn is_transitive(self) -> bool {
        let [kind, ..] = self.0;
        kind & NON_TRANSITIVE == 0
    }

    /// What it means.
    #[must_use]
    pub fn meaning(self) -> Ipv6Extended {
        let [kind, subtype, address @ .., high, low] = self.0;
        let (address, number) = (Ipv6Addr::from(address), u16::from_be_bytes([high, low]));
        match (kind, subtype) {
            (TRANSITIVE_IPV6, ROUTE_TARGET) => Ipv6Extended::RouteTarget(address, number),
            (TRANSITIVE_IPV6, ROUTE_ORIGIN) => Ipv6Extended::RouteOrigin(address, number),
            (TRANSITIVE_IPV6, REDIRECT) => Ipv6Extended::Redirect(address, number),
            _ => Ipv6Extended::Other(self.0),
        }
    }
}

impl From<Ipv6Extended> for Ipv6ExtendedCommunity {
    fn from(meaning: Ipv6Extended) -> Ipv6ExtendedCommunity {
        let (subtype, address, number) = match meaning {
            Ipv6Extended::RouteTarget(address, number) => (ROUTE_TARGET, address, number),
            Ipv6Extended::RouteOrigin(address, number) => (ROUTE_ORIGIN, address, number),
            Ipv6Extended::Redirect(address, number) => (REDIRECT, address, number),
            Ipv6Extended::Other(octets) => return Ipv6ExtendedCommunity(octets),
        };
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = address.octets();
        let [high, low] = number.to_be_bytes();
        let kind = TRANSITIVE_IPV6;
        Ipv6ExtendedCommunity([kind, subtype, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, high, low])
    }
}

/// The address in brackets, and hexadecimal for those without a meaning here.
impl fmt::Display for Ipv6ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meaning() {
            Ipv6Extended::RouteTarget(address, number) => write!(f, "rt:[{address}]:{number}"),
            Ipv6Extended::RouteOrigin(address, number) => write!(f, "ro:[{address}]:{number}"),
            Ipv6Extended::Redirect(address, number) => write!(f, "redirect:[{address}]:{number}"),
            Ipv6Extended::Other(octets) => write!(f, "0x{}", Hex(&octets)),
        }
    }
}

impl<'a> Attributes<'a> {
    /// IPv6 Address Specific Extended Communities (RFC 5701 section 2).
    pub fn ipv6_extended_communities(&self) -> impl Iterator<Item = Ipv6ExtendedCommunity> + use<'a> {
        let value = self.get(code::IPV6_EXTENDED_COMMUNITIES).map_or(&[][..], |attribute| attribute.value);
        value.as_chunks().0.iter().copied().map(Ipv6ExtendedCommunity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_written_in_brackets() {
        let address = "2001:db8::1".parse().unwrap();
        for (meaning, text) in [
            (Ipv6Extended::RouteTarget(address, 100), "rt:[2001:db8::1]:100"),
            (Ipv6Extended::RouteOrigin(address, 1), "ro:[2001:db8::1]:1"),
            (Ipv6Extended::Redirect(address, 2), "redirect:[2001:db8::1]:2"),
            (Ipv6Extended::Other([0x40; 20]), "0x4040404040404040404040404040404040404040"),
        ] {
            let community = Ipv6ExtendedCommunity::from(meaning);
            assert_eq!((community.to_string(), community.meaning()), (text.to_owned(), meaning));
        }
        assert!(!Ipv6ExtendedCommunity([0x40; 20]).is_transitive());
    }
}
