//! What a run is made of: routers, links, what happens to them. Drawn from a seed, or written by hand.
//!
//! Plain data, so that a run can be shrunk, printed as a test, and read by the model as well as by the network.

use std::time::Duration;

use bgp_core::wire::capability::Role;
use bgp_core::{Asn, ClusterId, Prefix};
use bgp_rib::{Advertise, DecisionConfig, NextHopRule, Policy};
use bgp_router::{LocalAs, PrivateNumbers};

/// A whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Seeds what the run draws while it goes on: delays, sizes of pieces, the order of tasks.
    pub seed: u64,
    /// The routers; others name them by their place.
    pub routers: Vec<RouterSpec>,
    /// Which of them have sessions.
    pub sessions: Vec<SessionSpec>,
    /// How links behave.
    pub link: LinkSpec,
    /// What happens, each so long after the start, in order of time.
    pub events: Vec<(Duration, Event)>,
}

/// A router: number `n` has router id and IPv4 address 10.0.0.`n`+1, and IPv6 address fd00::`n`+1.
#[derive(Clone, Debug, PartialEq)]
pub struct RouterSpec {
    /// Its AS.
    pub asn: Asn,
    /// The AS that the world knows its confederation by (RFC 5065); `asn` is its member AS then.
    pub confederation: Option<Asn>,
    /// Its cluster, if it reflects.
    pub cluster: Option<ClusterId>,
    /// How it decides.
    pub decision: DecisionConfig,
    /// How many next hops share the load.
    pub multipath: usize,
    /// Whether next hops are tracked: they are lost and come back by [`Event::NextHop`]. Else all are reachable.
    pub tracks_next_hops: bool,
}

/// A session between two routers.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionSpec {
    /// The two ends.
    pub ends: [usize; 2],
    /// How each end treats the other.
    pub sides: [SideSpec; 2],
    /// What both know beforehand.
    pub border: Border,
}

/// What the ends of a session have to agree on if it lies between two ASes. It stays as it is for the whole run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Border {
    /// The AS that the other end knows each by, where it is not its own (RFC 7705).
    pub local_as: [Option<LocalAs>; 2],
    /// What each is to the other (RFC 9234).
    pub roles: [Option<Role>; 2],
}

impl RouterSpec {
    /// Whether a session with `other` leaves the AS, and the confederation.
    #[must_use]
    pub fn is_foreign_to(&self, other: &RouterSpec) -> bool {
        let in_one = self.confederation.is_some() && self.confederation == other.confederation;
        self.asn != other.asn && !in_one
    }
}

/// How one router treats one neighbour.
#[derive(Clone, Debug, PartialEq)]
pub struct SideSpec {
    /// The neighbour is its client.
    pub client: bool,
    /// Only accepts.
    pub passive: bool,
    /// Offers messages of 65,535 octets.
    pub extended_message: bool,
    /// What it takes.
    pub import: Policy,
    /// What it gives.
    pub export: Policy,
    /// Which paths it gives.
    pub advertise: Advertise,
    /// Offers to take and to give several paths.
    pub add_path: [bool; 2],
    /// The next hop it gives.
    pub next_hop: NextHopRule,
    /// Graceful restart: for how many seconds its routes are to be kept; `None` offers nothing.
    pub restart_time: Option<u16>,
    /// For how many seconds after that, as long-lived stale ones.
    pub long_lived: Option<u32>,
    /// Keeps what it was sent.
    pub keep_received: bool,
    /// How often its own AS may be on the path of what it takes.
    pub allow_own: u8,
    /// On paths that it gives to another AS, its own stands for that one.
    pub overrides: bool,
    /// What becomes of private AS numbers on paths that it gives to another AS.
    pub private: PrivateNumbers,
    /// Takes from another AS only what begins with that.
    pub enforce_first_as: bool,
}

/// How a link behaves when nothing is done to it.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkSpec {
    /// The longest delay of a piece; each has its own, in order.
    pub delay: Duration,
    /// The longest piece in octets.
    pub piece: usize,
    /// How many octets may be under way in one direction.
    pub window: usize,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A router announces a prefix of its own.
    Announce(usize, Prefix),
    /// It withdraws it.
    Withdraw(usize, Prefix),
    /// The session's connection is reset: both ends see it at once, octets under way are lost.
    Reset(usize),
    /// The link of the session carries nothing for so long; nobody is told.
    Cut(usize, Duration),
    /// One direction of it, from the end with this place, carries nothing for so long.
    HalfOpen(usize, usize, Duration),
    /// The end with this place reads nothing for so long: the other's window closes.
    Stall(usize, usize, Duration),
    /// A router dies without a word and starts again after so long, with its configuration.
    Crash(usize, Duration),
    /// A router stops as for an upgrade, sessions with graceful restart without a NOTIFICATION, and starts again after
    /// so long.
    Restart(usize, Duration),
    /// One end of a session is told to end it for good, with a NOTIFICATION, and started again after so long.
    Shutdown(usize, usize, Duration),
    /// One end of a session asks for all routes again.
    Refresh(usize, usize),
    /// One end of a session sends all routes again.
    RefreshOut(usize, usize),
    /// One end of a session is configured anew, without a reset where that can be.
    Configure(usize, usize, Box<SideSpec>),
    /// A router announces that it is about to go (`true`), or that it stays after all.
    Drain(usize, bool),
    /// A router that tracks next hops loses the address of another, or has it at this cost again.
    NextHop(usize, usize, Option<u32>),
    /// A router's clock stands still for so long, as if the machine slept, and then jumps.
    Freeze(usize, Duration),
    /// One end of the session sends octets that no speaker sends, drawn from this seed.
    Garbage(usize, usize, u64),
}
