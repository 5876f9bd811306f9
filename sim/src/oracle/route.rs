//! A route as the model sees it: what a message says, without the order in which it says so.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_core::{Asn, ClusterId, Prefix, RouterId};

use super::as_path::AsPath;
use super::octets::Octets;

/// GRACEFUL_SHUTDOWN (RFC 8326).
pub(super) const GRACEFUL_SHUTDOWN: u32 = 0xFFFF_0000;
/// LLGR_STALE (RFC 9494).
pub const LLGR_STALE: u32 = 0xFFFF_0006;
/// NO_EXPORT (RFC 1997).
pub(super) const NO_EXPORT: u32 = 0xFFFF_FF01;
/// NO_ADVERTISE (RFC 1997).
pub(super) const NO_ADVERTISE: u32 = 0xFFFF_FF02;
/// NO_EXPORT_SUBCONFED (RFC 1997).
pub(super) const NO_EXPORT_SUBCONFED: u32 = 0xFFFF_FF03;

/// The attributes of a route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// ORIGIN: 0 is the best.
    pub origin: u8,
    /// AS_PATH, nearest first.
    pub as_path: AsPath,
    /// The next hop, wherever the message has it.
    pub next_hop: IpAddr,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// COMMUNITIES.
    pub communities: BTreeSet<u32>,
    /// EXTENDED COMMUNITIES.
    pub extended: BTreeSet<[u8; 8]>,
    /// ONLY_TO_CUSTOMER (RFC 9234).
    pub only_to_customer: Option<Asn>,
    /// ORIGINATOR_ID.
    pub originator: Option<RouterId>,
    /// CLUSTER_LIST, nearest first.
    pub clusters: Vec<ClusterId>,
    /// All other attributes: code and value.
    pub others: Vec<(u8, Vec<u8>)>,
}

impl Route {
    /// A route that a router originates: ORIGIN IGP, an empty AS_PATH. Who sends it puts its own address into the next
    /// hop.
    #[must_use]
    pub fn originated(next_hop: IpAddr) -> Route {
        Route {
            origin: 0,
            as_path: AsPath::default(),
            next_hop,
            med: None,
            local_pref: None,
            communities: BTreeSet::new(),
            extended: BTreeSet::new(),
            only_to_customer: None,
            originator: None,
            clusters: Vec::new(),
            others: Vec::new(),
        }
    }

    /// Reads attributes. `next_hop` is what MP_REACH_NLRI said; NEXT_HOP, if it is there, if that said nothing.
    /// `None` if they are not to be read.
    #[must_use]
    pub fn read(attributes: &[u8], next_hop: Option<IpAddr>) -> Option<Route> {
        let mut route = Route::originated(next_hop.unwrap_or(Ipv4Addr::UNSPECIFIED.into()));
        let mut octets = Octets(attributes);
        while !octets.is_empty() {
            let flags = octets.u8()?;
            let code = octets.u8()?;
            let len = if flags & 0x10 != 0 { usize::from(octets.u16()?) } else { usize::from(octets.u8()?) };
            let mut value = octets.take(len)?;
            match code {
                1 => route.origin = value.u8()?,
                2 => route.as_path = AsPath::read(value)?,
                3 if next_hop.is_none() => route.next_hop = Ipv4Addr::from(value.u32()?).into(),
                3 | 14 | 15 => {}
                4 => route.med = Some(value.u32()?),
                5 => route.local_pref = Some(value.u32()?),
                8 => route.communities = value.all_u32()?.into_iter().collect(),
                9 => route.originator = Some(RouterId(value.u32()?)),
                10 => route.clusters = value.all_u32()?.into_iter().map(ClusterId).collect(),
                16 => route.extended = value.extended_communities()?,
                35 => route.only_to_customer = Some(Asn(value.u32()?)),
                _ => route.others.push((code, value.0.to_vec())),
            }
        }
        Some(route)
    }

    /// Whether it carries this community.
    #[must_use]
    pub fn has(&self, community: u32) -> bool {
        self.communities.contains(&community)
    }
}

/// The next hop of routes of a router's own, before it sends them.
pub(super) fn no_address(prefix: &Prefix) -> IpAddr {
    match prefix {
        Prefix::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        Prefix::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}
