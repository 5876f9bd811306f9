//! Destinations: an address and a length, host bits always clear.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::family::Family;

/// An IPv4 prefix in five octets: tables keep millions of them beside other small fields.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(Rust, packed)]
pub struct Ipv4Prefix {
    bits: u32,
    len: u8,
}

impl Ipv4Prefix {
    /// `address/len` with the host bits cleared; `None` if `len` is over 32.
    #[must_use]
    pub fn new(address: Ipv4Addr, len: u8) -> Option<Ipv4Prefix> {
        let mask = match len {
            0 => 0,
            1..=32 => u32::MAX << (32 - u32::from(len)),
            _ => return None,
        };
        Some(Ipv4Prefix { bits: u32::from(address) & mask, len })
    }

    /// The network address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.bits.into()
    }

    /// The length in bits, 0 to 32.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a length in bits, not of a container")]
    pub fn len(&self) -> u8 {
        self.len
    }

    /// Whether `other` is this prefix or a more specific one.
    #[must_use]
    pub fn covers(&self, other: &Ipv4Prefix) -> bool {
        self.len <= other.len && Ipv4Prefix::new(other.address(), self.len) == Some(*self)
    }
}

/// An IPv6 prefix in 17 octets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(Rust, packed)]
pub struct Ipv6Prefix {
    high: u64,
    low: u64,
    len: u8,
}

impl Ipv6Prefix {
    /// `address/len` with the host bits cleared; `None` if `len` is over 128.
    #[must_use]
    pub fn new(address: Ipv6Addr, len: u8) -> Option<Ipv6Prefix> {
        let mask = match len {
            0 => 0,
            1..=128 => u128::MAX << (128 - u32::from(len)),
            _ => return None,
        };
        let bits = u128::from(address) & mask;
        Some(Ipv6Prefix { high: (bits >> 64) as u64, low: bits as u64, len })
    }

    /// The network address.
    #[must_use]
    pub fn address(&self) -> Ipv6Addr {
        (u128::from(self.high) << 64 | u128::from(self.low)).into()
    }

    /// The length in bits, 0 to 128.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a length in bits, not of a container")]
    pub fn len(&self) -> u8 {
        self.len
    }

    /// Whether `other` is this prefix or a more specific one.
    #[must_use]
    pub fn covers(&self, other: &Ipv6Prefix) -> bool {
        self.len <= other.len && Ipv6Prefix::new(other.address(), self.len) == Some(*self)
    }
}

/// A prefix of either family.
///
/// ```
/// use bgp_core::Prefix;
///
/// let prefix: Prefix = "10.244.0.0/16".parse()?;
/// assert_eq!((prefix.address(), prefix.len()), ([10, 244, 0, 0].into(), 16));
/// assert!(prefix.covers(&"10.244.7.64/26".parse()?));
///
/// let wrong = "10.244.7.65/26".parse::<Prefix>().unwrap_err();
/// assert_eq!(wrong.to_string(), "host bits are set: did you mean 10.244.7.64/26?");
/// // From the wire, where host bits mean nothing (RFC 4271 section 4.3), they are cleared.
/// assert_eq!(Prefix::new([10, 244, 7, 65].into(), 26), "10.244.7.64/26".parse().ok());
/// # Ok::<(), bgp_core::prefix::ParsePrefixError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Prefix {
    /// IPv4.
    V4(Ipv4Prefix),
    /// IPv6.
    V6(Ipv6Prefix),
}

impl Prefix {
    /// `address/len` with the host bits cleared; `None` if `len` is over the family's limit.
    #[must_use]
    pub fn new(address: IpAddr, len: u8) -> Option<Prefix> {
        match address {
            IpAddr::V4(a) => Ipv4Prefix::new(a, len).map(Prefix::V4),
            IpAddr::V6(a) => Ipv6Prefix::new(a, len).map(Prefix::V6),
        }
    }

    /// The network address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        match self {
            Prefix::V4(p) => p.address().into(),
            Prefix::V6(p) => p.address().into(),
        }
    }

    /// The length in bits, 0 to 32 or 128.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a length in bits, not of a container")]
    pub fn len(&self) -> u8 {
        match self {
            Prefix::V4(p) => p.len(),
            Prefix::V6(p) => p.len(),
        }
    }

    /// The unicast family.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Prefix::V4(_) => Family::IPV4_UNICAST,
            Prefix::V6(_) => Family::IPV6_UNICAST,
        }
    }

    /// Whether `other` is this prefix or a more specific one; never across families.
    #[must_use]
    pub fn covers(&self, other: &Prefix) -> bool {
        match (self, other) {
            (Prefix::V4(a), Prefix::V4(b)) => a.covers(b),
            (Prefix::V6(a), Prefix::V6(b)) => a.covers(b),
            _ => false,
        }
    }
}

impl From<Ipv4Prefix> for Prefix {
    fn from(p: Ipv4Prefix) -> Prefix {
        Prefix::V4(p)
    }
}

impl From<Ipv6Prefix> for Prefix {
    fn from(p: Ipv6Prefix) -> Prefix {
        Prefix::V6(p)
    }
}

macro_rules! display_as_cidr {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format!("{}/{}", self.address(), self.len()))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}
display_as_cidr!(Ipv4Prefix, Ipv6Prefix, Prefix);

/// Why a text is not a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParsePrefixError {
    /// No `/`, or what follows it is not a number.
    #[error("expected ADDRESS/LENGTH, as in 10.244.0.0/26")]
    Form,
    /// What stands before the `/` is not an address.
    #[error("`{0}` is not an IP address")]
    Address(String),
    /// The length is over 32 or 128.
    #[error("length {0} is over {1}")]
    Length(u8, u8),
    /// Host bits are set.
    #[error("host bits are set: did you mean {0}?")]
    HostBits(Prefix),
    /// It is a prefix, but of the other version of IP.
    #[error("{0} is a prefix of the other version of IP")]
    Version(Prefix),
}

impl FromStr for Prefix {
    type Err = ParsePrefixError;
    fn from_str(s: &str) -> Result<Prefix, ParsePrefixError> {
        let (address, len) = s.split_once('/').ok_or(ParsePrefixError::Form)?;
        let address: IpAddr = address.parse().map_err(|_| ParsePrefixError::Address(address.to_owned()))?;
        let len: u8 = len.parse().map_err(|_| ParsePrefixError::Form)?;
        let max = if address.is_ipv4() { 32 } else { 128 };
        let prefix = Prefix::new(address, len).ok_or(ParsePrefixError::Length(len, max))?;
        if prefix.address() == address { Ok(prefix) } else { Err(ParsePrefixError::HostBits(prefix)) }
    }
}

macro_rules! parse_one_version {
    ($($name:ty, $version:ident);*) => {$(
        impl FromStr for $name {
            type Err = ParsePrefixError;
            fn from_str(s: &str) -> Result<$name, ParsePrefixError> {
                match s.parse()? {
                    Prefix::$version(prefix) => Ok(prefix),
                    other => Err(ParsePrefixError::Version(other)),
                }
            }
        }
    )*};
}
parse_one_version!(Ipv4Prefix, V4; Ipv6Prefix, V6);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_reads_back_what_it_shows() {
        for text in ["0.0.0.0/0", "10.244.1.64/26", "255.255.255.255/32", "::/0", "fd00:10::/122"] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn host_bits_are_refused_with_the_prefix_that_was_meant() {
        let meant = "10.244.1.64/26".parse().unwrap();
        assert_eq!("10.244.1.65/26".parse::<Prefix>(), Err(ParsePrefixError::HostBits(meant)));
    }

    #[test]
    fn a_prefix_of_one_version_is_not_read_from_the_other() {
        let v4: Ipv4Prefix = "10.0.0.0/8".parse().unwrap();
        assert_eq!("10.0.0.0/8".parse::<Ipv6Prefix>(), Err(ParsePrefixError::Version(v4.into())));
        assert_eq!("fd00::/8".parse::<Ipv6Prefix>().unwrap().to_string(), "fd00::/8");
        assert_eq!("10.0.0.1/8".parse::<Ipv4Prefix>(), Err(ParsePrefixError::HostBits(v4.into())));
    }

    #[test]
    fn a_prefix_covers_itself_and_its_more_specifics_only() {
        let p = |s: &str| s.parse::<Prefix>().unwrap();
        assert!(p("10.0.0.0/8").covers(&p("10.0.0.0/8")));
        assert!(p("10.0.0.0/8").covers(&p("10.1.0.0/16")));
        assert!(!p("10.1.0.0/16").covers(&p("10.0.0.0/8")));
        assert!(!p("0.0.0.0/0").covers(&p("::/0")));
        assert!(p("fd00::/16").covers(&p("fd00:1::/64")));
    }

    #[test]
    fn sizes_stay_small() {
        assert_eq!(size_of::<Ipv4Prefix>(), 5);
        assert_eq!(size_of::<Ipv6Prefix>(), 17);
        assert_eq!(size_of::<Prefix>(), 18);
    }
}
