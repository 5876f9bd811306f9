//! Routes and the FIB's difference.

use std::net::IpAddr;

use bgp_core::Prefix;
use serde::{Deserialize, Serialize};

use super::{Body, Timestamp, text};

/// One path to one prefix. Attributes as text where JSON has no better form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteRow {
    /// The destination.
    #[serde(with = "text")]
    pub prefix: Prefix,
    /// NEXT_HOP, or that of MP_REACH_NLRI.
    pub next_hop: IpAddr,
    /// The interface that a link-local next hop is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The peer it came from; `null`: announced by this daemon.
    pub from: Option<IpAddr>,
    /// The path identifier (RFC 7911), 0 without ADD-PATH.
    pub path_id: u32,
    /// `igp`, `egp` or `incomplete`.
    pub origin: String,
    /// AS_PATH, as in `64513 {1 2}`; empty for a route of our own AS.
    pub as_path: String,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// COMMUNITIES, as in `64512:100`.
    pub communities: Vec<String>,
    /// EXTENDED COMMUNITIES, as in `rt:64512:100`.
    pub ext_communities: Vec<String>,
    /// LARGE_COMMUNITY, as in `64512:1:2`.
    pub large_communities: Vec<String>,
    /// ORIGINATOR_ID.
    pub originator_id: Option<String>,
    /// CLUSTER_LIST, the latest first.
    pub cluster_list: Vec<String>,
    /// Other attributes, as in `AGGREGATOR 64512 10.0.0.1`.
    pub other: Vec<String>,
    /// Since when we have it.
    pub since: Option<Timestamp>,
    /// For how long, in seconds.
    pub age_seconds: u64,
    /// Whether it may be used at all: next hop reachable, no loop.
    pub valid: bool,
    /// Whether it is the best one.
    pub best: bool,
    /// More about it: `multipath`, `reflected`, `fib`, `stale`, `unreachable`.
    pub flags: Vec<String>,
    /// The rule by which it lost against the best one.
    pub lost_by: Option<String>,
    /// Why it was not taken, by the label of `bgp_peer_routes_rejected_total`; `null`: it was.
    pub rejected: Option<String>,
}

/// `bgp.routes/v1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// The routes that matched, up to the limit.
    pub routes: Vec<RouteRow>,
    /// How many matched in all.
    pub total: u64,
}

impl Body for Routes {
    const SCHEMA: &'static str = "bgp.routes/v1";
}

/// How the kernel differs from what should be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FibFault {
    /// Wanted, and the kernel has none.
    Missing,
    /// In the kernel, ours, and not wanted.
    Extra,
    /// There, with other next hops.
    Different,
}

impl FibFault {
    /// The name, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FibFault::Missing => "missing",
            FibFault::Extra => "extra",
            FibFault::Different => "different",
        }
    }
}

/// One prefix on which RIB and kernel do not agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FibDiffRow {
    /// The destination.
    #[serde(with = "text")]
    pub prefix: Prefix,
    /// How they differ.
    pub fault: FibFault,
    /// The next hops that should be there; empty: no route, or a blackhole.
    pub wanted: Vec<IpAddr>,
    /// The next hops that are there.
    pub found: Vec<IpAddr>,
    /// The route that should be there, devices and options included, as `ip route` shows it; `null`: none.
    pub wanted_route: Option<String>,
    /// The route that is there.
    pub found_route: Option<String>,
}

/// `bgp.fib_diff/v1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FibDiff {
    /// What differs; empty: nothing.
    pub routes: Vec<FibDiffRow>,
    /// How many routes agree.
    pub in_sync: u64,
}

impl Body for FibDiff {
    const SCHEMA: &'static str = "bgp.fib_diff/v1";
}

/// How operations of one kind on the kernel's routes ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FibOperation {
    /// `add`, `replace` or `delete`.
    pub op: String,
    /// `ok`, `refused` (by the kernel) or `conflict` (a foreign route is in the way).
    pub result: String,
    /// How many.
    pub count: u64,
}

/// `bgp.fib/v1`: the kernel's routes that are ours, and what was done to them since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fib {
    /// Our routes in the kernel, those of an earlier run included.
    pub routes: u64,
    /// Prefixes whose change is not carried out yet.
    pub pending: u64,
    /// What was done to single routes.
    pub operations: Vec<FibOperation>,
    /// Routes that somebody else had changed and that were put right.
    pub repairs: u64,
    /// How often all of the kernel's routes were read.
    pub resyncs: u64,
    /// How long the newest burst of changes took, in microseconds.
    pub last_sync_us: u64,
}

impl Body for Fib {
    const SCHEMA: &'static str = "bgp.fib/v1";
}

/// The body of `POST /v1/announce` and `/v1/withdraw`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrefixesRequest {
    /// The prefixes.
    #[serde(with = "text::list")]
    pub prefixes: Vec<Prefix>,
}

/// `bgp.announced/v1`: what announcing or withdrawing did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// How many prefixes changed; the others were so already.
    pub changed: u64,
}

impl Body for Announced {
    const SCHEMA: &'static str = "bgp.announced/v1";
}
