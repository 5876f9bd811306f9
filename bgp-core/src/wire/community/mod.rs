//! The kinds of communities: marks on a route that tell others what to do with it, or what it is.
//!
//! ```text
//!  octets   4   COMMUNITIES             AS 2, number 2                              RFC 1997
//!           8   EXTENDED COMMUNITIES    type 1, subtype 1, value 6 by these         RFC 4360
//!          12   LARGE_COMMUNITY         AS 4, number 4, number 4                    RFC 8092
//!          20   IPv6 extended           type 1, subtype 1, address 16, number 2     RFC 5701
//! ```
//!
//! An attribute holds any number of them. The octets are kept as they are; what an extended one means is asked with
//! [`meaning`](ExtendedCommunity::meaning). All but the last kind can be read from text too:
//!
//! ```
//! use bgp_core::wire::community::{Administrator, Extended};
//! use bgp_core::wire::{Community, ExtendedCommunity, LargeCommunity};
//!
//! let community: Community = "64512:100".parse()?;
//! assert_eq!(community, Community(0xfc00_0064));
//! assert_eq!("blackhole".parse(), Ok(Community::BLACKHOLE));
//! assert_eq!("70000:1:2".parse::<LargeCommunity>()?.global, 70000);
//!
//! let target: ExtendedCommunity = "rt:64512:100".parse()?;
//! assert_eq!(target.meaning(), Extended::RouteTarget(Administrator::TwoOctetAs(64512, 100)));
//! assert_eq!(ExtendedCommunity::from(target.meaning()), target);
//!
//! let wrong = "70000:1".parse::<Community>().unwrap_err();
//! assert!(wrong.to_string().ends_with("each number is at most 65535; larger ones need a large community, a:b:c"));
//! # Ok::<(), bgp_core::wire::community::CommunityError>(())
//! ```

mod extended;
mod ipv6;
mod large;
mod parse;

use std::fmt;

pub use extended::{Administrator, Color, Extended, ExtendedCommunity, Rate};
pub use ipv6::{Ipv6Extended, Ipv6ExtendedCommunity};
pub use large::LargeCommunity;
pub use parse::CommunityError;

/// A community of RFC 1997: an AS number in the upper 16 bits, a number that the AS assigns in the lower.
///
/// The names are those of IANA's registry "BGP Well-known Communities"; `Display` shows them in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Community(pub u32);

impl Community {
    /// GRACEFUL_SHUTDOWN: soon to be withdrawn, so prefer others (RFC 8326).
    pub const GRACEFUL_SHUTDOWN: Community = Community(0xffff_0000);
    /// ACCEPT_OWN: to be taken even by the router that it came from (RFC 7611).
    pub const ACCEPT_OWN: Community = Community(0xffff_0001);
    /// LLGR_STALE: kept long after its session ended, so prefer others (RFC 9494 section 3.2).
    pub const LLGR_STALE: Community = Community(0xffff_0006);
    /// NO_LLGR: not to be kept so (RFC 9494 section 3.3).
    pub const NO_LLGR: Community = Community(0xffff_0007);
    /// BLACKHOLE: packets for it are to be dropped (RFC 7999).
    pub const BLACKHOLE: Community = Community(0xffff_029a);
    /// NO_EXPORT (RFC 1997): not beyond the AS (or confederation).
    pub const NO_EXPORT: Community = Community(0xffff_ff01);
    /// NO_ADVERTISE (RFC 1997): to no peer at all.
    pub const NO_ADVERTISE: Community = Community(0xffff_ff02);
    /// NO_EXPORT_SUBCONFED (RFC 1997): not to external peers, those of the same confederation included.
    pub const NO_EXPORT_SUBCONFED: Community = Community(0xffff_ff03);

    /// Those with a name.
    const NAMED: [(Community, &'static str); 8] = [
        (Community::GRACEFUL_SHUTDOWN, "graceful-shutdown"),
        (Community::ACCEPT_OWN, "accept-own"),
        (Community::LLGR_STALE, "llgr-stale"),
        (Community::NO_LLGR, "no-llgr"),
        (Community::BLACKHOLE, "blackhole"),
        (Community::NO_EXPORT, "no-export"),
        (Community::NO_ADVERTISE, "no-advertise"),
        (Community::NO_EXPORT_SUBCONFED, "no-export-subconfed"),
    ];

    /// Its registered name.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Self::NAMED.iter().find(|(community, _)| *community == self).map(|(_, name)| *name)
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
