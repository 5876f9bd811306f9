//! What was found in a network, in the model's terms.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use bgp_core::Prefix;

use super::route::Route;

/// Where a path came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The router originates it.
    Local,
    /// The neighbour on this session announced it with this path identifier.
    Session(usize, u32),
}

/// Whether a path outlives the session that it came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Staleness {
    /// It does not.
    Fresh,
    /// It is kept for the peer to come back (RFC 4724).
    Stale,
    /// It is kept beyond that, as the last choice (RFC 9494).
    LongLived,
}

/// A path in a router's table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// Where it came from.
    pub origin: Origin,
    /// As it came, and as the import filter changed it.
    pub route: Route,
    /// Whether it outlives its session.
    pub staleness: Staleness,
    /// The cost of its next hop; `None`: it cannot be reached.
    pub metric: Option<u32>,
}

/// Paths by destination, best first.
pub type Tables = BTreeMap<Prefix, Vec<Held>>;

/// What a router holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterState {
    /// Its paths, best first.
    pub tables: Tables,
    /// What the FIB was told: the next hops of each destination and their shares; `None` if there is no FIB.
    pub fib: Option<BTreeMap<Prefix, BTreeMap<IpAddr, u8>>>,
}

/// What a whole network holds.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Each router, by its place.
    pub routers: Vec<RouterState>,
    /// What each session's end has sent that the other holds: by session and sending end, then by destination and path
    /// identifier.
    pub sent: BTreeMap<(usize, usize), BTreeMap<(Prefix, u32), Route>>,
}

/// Something is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// The router.
    pub router: usize,
    /// The session, if it is about one.
    pub session: Option<usize>,
    /// The destination, if it is about one.
    pub prefix: Option<Prefix>,
    /// What was expected and what was found.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: router {}", self.check, self.router)?;
        if let Some(session) = self.session {
            write!(f, ", session {session}")?;
        }
        if let Some(prefix) = self.prefix {
            write!(f, ", {prefix}")?;
        }
        write!(f, ": {}", self.what)
    }
}
