//! Stand-in for the codec's summary of an attribute block.
use bgp_core::{Asn, RouterId};
use std::net::Ipv4Addr;

/// ORIGIN (RFC 4271 section 5.1.1), best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// 0
    #[default]
    Igp,
    /// 1
    Egp,
    /// 2
    Incomplete,
}

/// What the decision process reads of an attribute block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// ORIGIN.
    pub origin: Origin,
    /// Hops.
    pub as_path_len: u16,
    /// First AS of an initial AS_SEQUENCE.
    pub neighbor_as: Option<Asn>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// ORIGINATOR_ID.
    pub originator_id: Option<RouterId>,
    /// Entries of CLUSTER_LIST.
    pub cluster_list_len: u16,
    /// NEXT_HOP.
    pub next_hop: Option<Ipv4Addr>,
}
