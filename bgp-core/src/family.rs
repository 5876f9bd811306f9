//! Address families (RFC 4760) and the trait that code for both of ours is generic over.

use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::str::FromStr;

use crate::prefix::{Ipv4Prefix, Ipv6Prefix, Prefix};

/// An address family and its subsequent one: AFI and SAFI (RFC 4760 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Family {
    /// Address Family Identifier.
    pub afi: u16,
    /// Subsequent Address Family Identifier.
    pub safi: u8,
}

impl Family {
    /// IPv4 unicast, AFI 1 SAFI 1.
    pub const IPV4_UNICAST: Family = Family { afi: 1, safi: 1 };
    /// IPv6 unicast, AFI 2 SAFI 1.
    pub const IPV6_UNICAST: Family = Family { afi: 2, safi: 1 };
    /// IPv4 with MPLS labels, AFI 1 SAFI 4 (RFC 8277).
    pub const IPV4_LABELED: Family = Family { afi: 1, safi: 4 };
    /// IPv6 with MPLS labels, AFI 2 SAFI 4 (RFC 8277).
    pub const IPV6_LABELED: Family = Family { afi: 2, safi: 4 };
    /// IPv4 of a VPN, AFI 1 SAFI 128 (RFC 4364).
    pub const IPV4_VPN: Family = Family { afi: 1, safi: 128 };
    /// IPv6 of a VPN, AFI 2 SAFI 128 (RFC 4659).
    pub const IPV6_VPN: Family = Family { afi: 2, safi: 128 };
    /// Route targets that a speaker wants to see, AFI 1 SAFI 132 (RFC 4684).
    pub const ROUTE_TARGET: Family = Family { afi: 1, safi: 132 };
    /// IPv4 flow specifications, AFI 1 SAFI 133 (RFC 8955).
    pub const IPV4_FLOWSPEC: Family = Family { afi: 1, safi: 133 };
    /// IPv6 flow specifications, AFI 2 SAFI 133 (RFC 8956).
    pub const IPV6_FLOWSPEC: Family = Family { afi: 2, safi: 133 };
    /// IPv4 flow specifications of a VPN, AFI 1 SAFI 134 (RFC 8955 section 8).
    pub const IPV4_VPN_FLOWSPEC: Family = Family { afi: 1, safi: 134 };
    /// IPv6 flow specifications of a VPN, AFI 2 SAFI 134 (RFC 8956).
    pub const IPV6_VPN_FLOWSPEC: Family = Family { afi: 2, safi: 134 };
    /// Ethernet VPN, AFI 25 SAFI 70 (RFC 7432).
    pub const EVPN: Family = Family { afi: 25, safi: 70 };

    /// The families whose destinations can be read and written, with their names.
    pub const KNOWN: [(Family, &str); 12] = [
        (Family::IPV4_UNICAST, "ipv4"),
        (Family::IPV6_UNICAST, "ipv6"),
        (Family::IPV4_LABELED, "ipv4-labeled"),
        (Family::IPV6_LABELED, "ipv6-labeled"),
        (Family::IPV4_VPN, "ipv4-vpn"),
        (Family::IPV6_VPN, "ipv6-vpn"),
        (Family::ROUTE_TARGET, "route-target"),
        (Family::IPV4_FLOWSPEC, "ipv4-flowspec"),
        (Family::IPV6_FLOWSPEC, "ipv6-flowspec"),
        (Family::IPV4_VPN_FLOWSPEC, "ipv4-vpn-flowspec"),
        (Family::IPV6_VPN_FLOWSPEC, "ipv6-vpn-flowspec"),
        (Family::EVPN, "evpn"),
    ];

    /// The place in [`Family::KNOWN`]. A match, not a search, so that it costs nothing for a constant.
    const fn index(self) -> Option<u8> {
        Some(match (self.afi, self.safi) {
            (1, 1) => 0,
            (2, 1) => 1,
            (1, 4) => 2,
            (2, 4) => 3,
            (1, 128) => 4,
            (2, 128) => 5,
            (1, 132) => 6,
            (1, 133) => 7,
            (2, 133) => 8,
            (1, 134) => 9,
            (2, 134) => 10,
            (25, 70) => 11,
            _ => return None,
        })
    }
}

/// The name in [`Family::KNOWN`]; `afi16388-safi71` and the like for others.
impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Family::KNOWN.iter().find(|(family, _)| family == self) {
            Some((_, name)) => f.pad(name),
            None => write!(f, "afi{}-safi{}", self.afi, self.safi),
        }
    }
}

/// Why a text is no family.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address family; known are ipv4, ipv6, ipv4-labeled, ipv4-vpn, evpn and the like")]
pub struct ParseFamilyError(pub String);

impl FromStr for Family {
    type Err = ParseFamilyError;
    fn from_str(text: &str) -> Result<Family, ParseFamilyError> {
        let known = Family::KNOWN.iter().find(|(_, name)| *name == text);
        known.map(|(family, _)| *family).ok_or_else(|| ParseFamilyError(text.to_owned()))
    }
}

/// A set of families out of [`Family::KNOWN`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FamilySet(u16);

impl FamilySet {
    /// No family.
    pub const EMPTY: FamilySet = FamilySet(0);
    /// The two that are routed: IPv4 and IPv6 unicast.
    pub const UNICAST: FamilySet = FamilySet(3);
    /// All of [`Family::KNOWN`].
    pub const ALL: FamilySet = FamilySet((1 << Family::KNOWN.len()) - 1);

    const fn bit(family: Family) -> u16 {
        match family.index() {
            Some(index) => 1 << index,
            None => 0,
        }
    }

    /// With `family` added; one that is not known changes nothing.
    #[must_use]
    pub const fn with(self, family: Family) -> FamilySet {
        FamilySet(self.0 | Self::bit(family))
    }

    /// With `family` taken out.
    #[must_use]
    pub const fn without(self, family: Family) -> FamilySet {
        FamilySet(self.0 & !Self::bit(family))
    }

    /// Whether `family` is in the set.
    #[must_use]
    #[inline]
    pub const fn contains(self, family: Family) -> bool {
        self.0 & Self::bit(family) != 0
    }

    /// The families of both sets.
    #[must_use]
    pub const fn intersection(self, other: FamilySet) -> FamilySet {
        FamilySet(self.0 & other.0)
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The families in the order of [`Family::KNOWN`], IPv4 first.
    pub fn iter(self) -> impl Iterator<Item = Family> {
        Family::KNOWN.into_iter().map(|(family, _)| family).filter(move |family| self.contains(*family))
    }
}

impl FromIterator<Family> for FamilySet {
    fn from_iter<I: IntoIterator<Item = Family>>(families: I) -> FamilySet {
        families.into_iter().fold(FamilySet::EMPTY, FamilySet::with)
    }
}

/// What code that serves both unicast families needs to know of one; dispatched statically.
pub trait AddressFamily: Copy + Send + Sync + 'static {
    /// The family's number.
    const FAMILY: Family;
    /// The longest prefix length: 32 or 128.
    const MAX_LEN: u8;
    /// A destination of this family.
    type Prefix: Copy + Eq + Ord + Hash + fmt::Debug + fmt::Display + Into<Prefix> + Send + Sync + 'static;

    /// The prefix of `len` bits at the front of `octets`, host bits cleared; `None` if `len` is over
    /// [`Self::MAX_LEN`] or `octets` holds fewer than `len` bits (RFC 4271 section 4.3).
    fn from_wire(len: u8, octets: &[u8]) -> Option<Self::Prefix>;

    /// The length in bits and the address's octets; the wire form is the first `len / 8` of them, rounded up.
    fn to_wire(prefix: &Self::Prefix) -> (u8, [u8; 16]);

    /// The prefix if it is of this family.
    fn from_prefix(prefix: Prefix) -> Option<Self::Prefix>;

    /// The prefix that covers just this address, if it is of this family.
    fn host(address: IpAddr) -> Option<Self::Prefix>;
}

/// IPv4 unicast.
#[derive(Clone, Copy, Debug)]
pub enum V4 {}

/// IPv6 unicast.
#[derive(Clone, Copy, Debug)]
pub enum V6 {}

/// The `N` octets at the front, with zeros for those missing; `None` if there are fewer than `len` bits take.
#[inline]
fn leading<const N: usize>(len: u8, octets: &[u8]) -> Option<[u8; N]> {
    // So it is for all prefixes of a message but the last: one load, whatever the length.
    if let Some(whole) = octets.first_chunk() {
        return Some(*whole);
    }
    let mut address = [0; N];
    address.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
    (octets.len() >= usize::from(len.div_ceil(8))).then_some(address)
}

impl AddressFamily for V4 {
    const FAMILY: Family = Family::IPV4_UNICAST;
    const MAX_LEN: u8 = 32;
    type Prefix = Ipv4Prefix;

    fn from_wire(len: u8, octets: &[u8]) -> Option<Ipv4Prefix> {
        Ipv4Prefix::new(u32::from_be_bytes(leading(len, octets)?).into(), len)
    }

    fn to_wire(prefix: &Ipv4Prefix) -> (u8, [u8; 16]) {
        let [a, b, c, d] = prefix.address().octets();
        (prefix.len(), [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    fn from_prefix(prefix: Prefix) -> Option<Ipv4Prefix> {
        match prefix {
            Prefix::V4(p) => Some(p),
            Prefix::V6(_) => None,
        }
    }

    fn host(address: IpAddr) -> Option<Ipv4Prefix> {
        match address {
            IpAddr::V4(a) => Ipv4Prefix::new(a, 32),
            IpAddr::V6(_) => None,
        }
    }
}

impl AddressFamily for V6 {
    const FAMILY: Family = Family::IPV6_UNICAST;
    const MAX_LEN: u8 = 128;
    type Prefix = Ipv6Prefix;

    fn from_wire(len: u8, octets: &[u8]) -> Option<Ipv6Prefix> {
        Ipv6Prefix::new(u128::from_be_bytes(leading(len, octets)?).into(), len)
    }

    fn to_wire(prefix: &Ipv6Prefix) -> (u8, [u8; 16]) {
        (prefix.len(), prefix.address().octets())
    }

    fn from_prefix(prefix: Prefix) -> Option<Ipv6Prefix> {
        match prefix {
            Prefix::V6(p) => Some(p),
            Prefix::V4(_) => None,
        }
    }

    fn host(address: IpAddr) -> Option<Ipv6Prefix> {
        match address {
            IpAddr::V6(a) => Ipv6Prefix::new(a, 128),
            IpAddr::V4(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_family_has_its_own_place_and_name() {
        for (place, (family, name)) in Family::KNOWN.into_iter().enumerate() {
            assert_eq!(family.index().map(usize::from), Some(place));
            assert_eq!((family.to_string(), name.parse()), (name.to_owned(), Ok(family)));
        }
        assert_eq!(FamilySet::ALL.iter().count(), Family::KNOWN.len());
        assert_eq!(FamilySet::UNICAST.iter().map(|family| family.safi).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn a_family_that_is_not_known_is_in_no_set() {
        let link_state = Family { afi: 16388, safi: 71 };
        assert_eq!(link_state.to_string(), "afi16388-safi71");
        assert_eq!(FamilySet::EMPTY.with(link_state), FamilySet::EMPTY);
        assert!(!FamilySet::ALL.contains(link_state));
        assert!("ipv5".parse::<Family>().is_err());
    }
}
