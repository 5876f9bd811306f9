//! The small numbers of BGP, each a type of its own so that none is taken for another.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An autonomous system number, always four octets wide here (RFC 6793).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asn(pub u32);

impl Asn {
    /// AS_TRANS, which stands for a number that does not fit into two octets (RFC 6793 section 3).
    pub const TRANS: Asn = Asn(23456);

    /// The two-octet form: the number itself if it fits, else [`Asn::TRANS`].
    #[must_use]
    pub fn to_two_octets(self) -> u16 {
        u16::try_from(self.0).unwrap_or(23456)
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Asn {
    type Err = std::num::ParseIntError;
    fn from_str(s: &str) -> Result<Asn, Self::Err> {
        s.parse().map(Asn)
    }
}

macro_rules! dotted_quad {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Ipv4Addr::from(self.0).fmt(f)
            }
        }

        impl From<Ipv4Addr> for $name {
            fn from(address: Ipv4Addr) -> $name {
                $name(u32::from(address))
            }
        }

        impl FromStr for $name {
            type Err = std::net::AddrParseError;
            fn from_str(s: &str) -> Result<$name, Self::Err> {
                s.parse::<Ipv4Addr>().map($name::from)
            }
        }
    };
}

dotted_quad! {
    /// The BGP Identifier of a speaker: any number but zero, unique within its AS, written like an IPv4 address
    /// (RFC 6286 section 2.1).
    RouterId
}
dotted_quad! {
    /// The identifier of a reflection cluster (RFC 4456 section 7).
    ClusterId
}

/// The path identifier of ADD-PATH, any number (RFC 7911 section 3); 0 where the session does not use it. It tells
/// paths of one peer to one prefix apart and means nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u32);

/// Whether a peer is in our AS or in another (RFC 4271 section 1.1): the attribute rules differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerKind {
    /// iBGP.
    Internal,
    /// eBGP.
    External,
}
