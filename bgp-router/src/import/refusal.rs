//! Why a route is not taken.

/// Why a route is not taken; a refused route withdraws the one it replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The import policy, or a prefix outside the allowed ones.
    Policy,
    /// Our AS is in the AS_PATH (RFC 4271 section 9.1.2).
    AsLoop,
    /// The AS_PATH of a peer in another member AS does not begin with a sequence of those (RFC 5065 section 4).
    Confederation,
    /// We are the ORIGINATOR_ID (RFC 4456 section 8).
    Originator,
    /// Our cluster is in the CLUSTER_LIST (RFC 4456 section 8).
    Cluster,
    /// The next hop is our own address (RFC 4271 section 5.1.3), or a loopback address and the peer is on another host.
    NextHop,
    /// The AS_PATH does not begin with the AS of the eBGP peer (RFC 4271 section 6.3).
    FirstAs,
    /// It was only for somebody's customers, and we are none of them (RFC 9234 section 5).
    RouteLeak,
    /// The peer announces more paths to the destination than are taken of it, and others have lower identifiers.
    MaxPaths,
}

impl Refusal {
    /// All of them, in the order of their counters.
    pub const ALL: [Refusal; 9] = [
        Refusal::Policy,
        Refusal::AsLoop,
        Refusal::Confederation,
        Refusal::Originator,
        Refusal::Cluster,
        Refusal::NextHop,
        Refusal::FirstAs,
        Refusal::RouteLeak,
        Refusal::MaxPaths,
    ];

    /// The name in metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Refusal::Policy => "policy",
            Refusal::AsLoop => "as_loop",
            Refusal::Confederation => "confederation",
            Refusal::Originator => "originator",
            Refusal::Cluster => "cluster",
            Refusal::NextHop => "next_hop",
            Refusal::FirstAs => "first_as",
            Refusal::RouteLeak => "route_leak",
            Refusal::MaxPaths => "max_paths",
        }
    }
}
