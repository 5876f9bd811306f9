//! Address families (RFC 4760) and the trait that code for both of ours is generic over.

use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;

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
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Family::IPV4_UNICAST => f.write_str("ipv4"),
            Family::IPV6_UNICAST => f.write_str("ipv6"),
            Family { afi, safi } => write!(f, "afi{afi}-safi{safi}"),
        }
    }
}

/// The unicast families that are routed, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FamilySet(u8);

impl FamilySet {
    /// No family.
    pub const EMPTY: FamilySet = FamilySet(0);

    fn bit(family: Family) -> u8 {
        match family {
            Family::IPV4_UNICAST => 1,
            Family::IPV6_UNICAST => 2,
            _ => 0,
        }
    }

    /// With `family` added; a family that is not routed changes nothing.
    #[must_use]
    pub fn with(self, family: Family) -> FamilySet {
        FamilySet(self.0 | Self::bit(family))
    }

    /// With `family` taken out.
    #[must_use]
    pub fn without(self, family: Family) -> FamilySet {
        FamilySet(self.0 & !Self::bit(family))
    }

    /// Whether `family` is in the set.
    #[must_use]
    pub fn contains(self, family: Family) -> bool {
        self.0 & Self::bit(family) != 0
    }

    /// The families of both sets.
    #[must_use]
    pub fn intersection(self, other: FamilySet) -> FamilySet {
        FamilySet(self.0 & other.0)
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The families, IPv4 first.
    pub fn iter(self) -> impl Iterator<Item = Family> {
        [Family::IPV4_UNICAST, Family::IPV6_UNICAST].into_iter().filter(move |f| self.contains(*f))
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

impl AddressFamily for V4 {
    const FAMILY: Family = Family::IPV4_UNICAST;
    const MAX_LEN: u8 = 32;
    type Prefix = Ipv4Prefix;

    fn from_wire(len: u8, octets: &[u8]) -> Option<Ipv4Prefix> {
        let bytes = usize::from(len.div_ceil(8));
        let mut address = [0; 4];
        address.get_mut(..bytes)?.copy_from_slice(octets.get(..bytes)?);
        Ipv4Prefix::new(u32::from_be_bytes(address).into(), len)
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
        let bytes = usize::from(len.div_ceil(8));
        let mut address = [0; 16];
        address.get_mut(..bytes)?.copy_from_slice(octets.get(..bytes)?);
        Ipv6Prefix::new(u128::from_be_bytes(address).into(), len)
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
