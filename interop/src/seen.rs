use std::fmt;

/// A best route as a router reports it, brought to one spelling so that any two routers can be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeenRoute {
    /// Destination with its length.
    pub prefix: String,
    /// NEXT_HOP, or the global next hop of MP_REACH_NLRI.
    pub next_hop: String,
    /// `igp`, `egp` or `incomplete`.
    pub origin: String,
    /// AS numbers with spaces, sets in braces: `65001 65002 {1 2}`.
    pub as_path: String,
    /// LOCAL_PREF; `None` where the router shows none, as for a route from eBGP.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// `64512:7`, sorted.
    pub communities: Vec<String>,
    /// `64512:1:2`, sorted.
    pub large: Vec<String>,
    /// ORIGINATOR_ID.
    pub originator: Option<String>,
    /// CLUSTER_LIST, the last reflector first.
    pub cluster_list: Vec<String>,
}

impl SeenRoute {
    /// A route over iBGP with nothing but what every route has: origin IGP, LOCAL_PREF 100, an empty AS path.
    pub fn internal(prefix: &str, next_hop: impl fmt::Display) -> SeenRoute {
        SeenRoute { local_pref: Some(100), ..SeenRoute::external(prefix, next_hop, "") }
    }

    /// A route over eBGP: origin IGP, no LOCAL_PREF.
    pub fn external(prefix: &str, next_hop: impl fmt::Display, as_path: &str) -> SeenRoute {
        SeenRoute {
            prefix: prefix.to_owned(),
            next_hop: next_hop.to_string(),
            origin: "igp".to_owned(),
            as_path: as_path.to_owned(),
            ..SeenRoute::default()
        }
    }

    /// The same route after a reflector: RFC 4456 section 8.
    pub fn reflected(mut self, originator: impl fmt::Display, cluster: impl fmt::Display) -> SeenRoute {
        self.originator.get_or_insert(originator.to_string());
        self.cluster_list.insert(0, cluster.to_string());
        self
    }

    pub(crate) fn sorted(mut self) -> SeenRoute {
        self.communities.sort();
        self.large.sort();
        self
    }
}

impl fmt::Display for SeenRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} via {} origin {} path [{}]", self.prefix, self.next_hop, self.origin, self.as_path)?;
        write!(
            f,
            " lp {:?} med {:?} com {:?} large {:?}",
            self.local_pref, self.med, self.communities, self.large
        )?;
        write!(f, " originator {:?} clusters {:?}", self.originator, self.cluster_list)
    }
}
