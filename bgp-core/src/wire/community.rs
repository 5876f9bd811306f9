//! The three kinds of communities (RFC 1997, RFC 4360, RFC 8092) and how they are written.

use std::fmt;

/// A community of RFC 1997.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Community(pub u32);

impl Community {
    /// GRACEFUL_SHUTDOWN (RFC 8326).
    pub const GRACEFUL_SHUTDOWN: Community = Community(0xffff_0000);
    /// LLGR_STALE (RFC 9494).
    pub const LLGR_STALE: Community = Community(0xffff_0006);
    /// NO_LLGR (RFC 9494).
    pub const NO_LLGR: Community = Community(0xffff_0007);
    /// BLACKHOLE (RFC 7999).
    pub const BLACKHOLE: Community = Community(0xffff_029a);
    /// NO_EXPORT: not beyond the AS (or confederation).
    pub const NO_EXPORT: Community = Community(0xffff_ff01);
    /// NO_ADVERTISE: to no peer at all.
    pub const NO_ADVERTISE: Community = Community(0xffff_ff02);
    /// NO_EXPORT_SUBCONFED: not to external peers, those of the same confederation included.
    pub const NO_EXPORT_SUBCONFED: Community = Community(0xffff_ff03);

    /// Its registered name.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Community::GRACEFUL_SHUTDOWN => "graceful-shutdown",
            Community::LLGR_STALE => "llgr-stale",
            Community::NO_LLGR => "no-llgr",
            Community::BLACKHOLE => "blackhole",
            Community::NO_EXPORT => "no-export",
            Community::NO_ADVERTISE => "no-advertise",
            Community::NO_EXPORT_SUBCONFED => "no-export-subconfed",
            _ => return None,
        })
    }
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}:{}", self.0 >> 16, self.0 & 0xffff),
        }
    }
}

/// An extended community of RFC 4360, as its eight octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedCommunity(pub [u8; 8]);

impl ExtendedCommunity {
    /// The name of the subtypes that all three numbered types share (RFC 4360 sections 4 and 5, RFC 5668).
    fn subtype_name(subtype: u8) -> Option<&'static str> {
        match subtype {
            0x02 => Some("rt"),
            0x03 => Some("ro"),
            _ => None,
        }
    }
}

/// `rt:64512:100` and `ro:…` for route target and origin, hexadecimal for the others.
impl fmt::Display for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const TRANSITIVE_TWO_OCTET_AS: u8 = 0x00;
        const TRANSITIVE_IPV4: u8 = 0x01;
        const TRANSITIVE_FOUR_OCTET_AS: u8 = 0x02;
        let [kind, subtype, value @ ..] = self.0;
        let [a, b, c, d, e, g] = value.map(u32::from);
        let last = e << 8 | g;
        match (kind, Self::subtype_name(subtype)) {
            (TRANSITIVE_TWO_OCTET_AS, Some(name)) => {
                write!(f, "{name}:{}:{}", a << 8 | b, c << 24 | d << 16 | last)
            }
            (TRANSITIVE_IPV4, Some(name)) => write!(f, "{name}:{a}.{b}.{c}.{d}:{last}"),
            (TRANSITIVE_FOUR_OCTET_AS, Some(name)) => {
                write!(f, "{name}:{}:{last}", a << 24 | b << 16 | c << 8 | d)
            }
            _ => write!(f, "{:#018x}", u64::from_be_bytes(self.0)),
        }
    }
}

/// A large community of RFC 8092.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LargeCommunity {
    /// The AS that says what the rest means.
    pub global: u32,
    /// Local Data Part 1.
    pub local1: u32,
    /// Local Data Part 2.
    pub local2: u32,
}

impl LargeCommunity {
    /// From its twelve octets.
    #[must_use]
    pub fn from_octets(octets: [u8; 12]) -> LargeCommunity {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = octets;
        LargeCommunity {
            global: u32::from_be_bytes([a, b, c, d]),
            local1: u32::from_be_bytes([e, f, g, h]),
            local2: u32::from_be_bytes([i, j, k, l]),
        }
    }
}

impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.global, self.local1, self.local2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn communities_are_written_as_operators_write_them() {
        assert_eq!(Community(0xfc00_0064).to_string(), "64512:100");
        assert_eq!(Community::NO_EXPORT.to_string(), "no-export");
        let extended = |octets| ExtendedCommunity(octets).to_string();
        assert_eq!(extended([0, 2, 0xfc, 0, 0, 1, 0, 0]), "rt:64512:65536");
        assert_eq!(extended([1, 3, 10, 0, 0, 1, 0, 9]), "ro:10.0.0.1:9");
        assert_eq!(extended([2, 2, 0, 1, 0x11, 0x70, 0, 1]), "rt:70000:1");
        assert_eq!(extended([3, 0x0c, 0, 0, 0, 0, 0, 8]), "0x030c000000000008");
        let large = LargeCommunity::from_octets([0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]);
        assert_eq!(large.to_string(), "1:2:3");
    }
}
