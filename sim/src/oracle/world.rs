//! The inputs: who there is, who speaks to whom, and how each is configured now.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_core::{Asn, ClusterId, Prefix, RouterId};
use bgp_rib::{DecisionConfig, SourceKind, TargetKind};

use crate::spec::{Event, RouterSpec, SideSpec, Spec};

/// Everything that decides what the tables must hold.
#[derive(Clone, Debug)]
pub struct World {
    /// The routers, by their place.
    pub routers: Vec<RouterInputs>,
    /// The sessions, by their place.
    pub sessions: Vec<SessionInputs>,
}

/// How a router decides.
#[derive(Clone, Debug)]
pub struct Decider {
    /// How MULTI_EXIT_DISC is treated.
    pub decision: DecisionConfig,
    /// How many next hops share the load.
    pub multipath: usize,
}

/// What is known of a router.
#[derive(Clone, Debug)]
pub struct RouterInputs {
    /// Its AS.
    pub asn: Asn,
    /// Its identifier.
    pub id: RouterId,
    /// Its cluster, if it reflects.
    pub cluster: Option<ClusterId>,
    /// How it decides.
    pub decider: Decider,
    /// Its address in sessions, and as next hop of IPv4 routes.
    pub v4: IpAddr,
    /// Its address as next hop of IPv6 routes.
    pub v6: IpAddr,
    /// The prefixes that it originates.
    pub local: BTreeSet<Prefix>,
    /// If it tracks next hops: the cost of those that it has been told of.
    pub metrics: Option<BTreeMap<IpAddr, Option<u32>>>,
    /// It says with its routes that it is about to go.
    pub draining: bool,
}

/// What is known of a session.
#[derive(Clone, Debug)]
pub struct SessionInputs {
    /// The two routers.
    pub ends: [usize; 2],
    /// How each treats the other.
    pub sides: [SideSpec; 2],
    /// Whether it is established at both ends, and for each end what was agreed for what it sends.
    pub up: Option<[Agreed; 2]>,
}

/// What was agreed for one direction of a session, from the OPEN messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// Several paths to a destination go this way, IPv4 and IPv6 (RFC 7911).
    pub add_path: [bool; 2],
    /// Both ends know of long-lived stale routes, IPv4 and IPv6 (RFC 9494).
    pub long_lived: [bool; 2],
}

/// The IPv4 address of a router in the simulation.
#[must_use]
pub fn v4_address(router: usize) -> IpAddr {
    Ipv4Addr::from(0x0a00_0001_u32.saturating_add(router as u32)).into()
}

/// The IPv6 address of a router in the simulation.
#[must_use]
pub fn v6_address(router: usize) -> IpAddr {
    Ipv6Addr::from((0xfd00_u128 << 112) + router as u128 + 1).into()
}

impl RouterInputs {
    fn new(place: usize, spec: &RouterSpec) -> RouterInputs {
        let metrics = spec.tracks_next_hops.then(BTreeMap::new);
        RouterInputs {
            asn: spec.asn,
            id: RouterId(0x0a00_0001 + place as u32),
            cluster: spec.cluster,
            decider: Decider { decision: spec.decision, multipath: spec.multipath },
            v4: v4_address(place),
            v6: v6_address(place),
            local: BTreeSet::new(),
            metrics,
            draining: false,
        }
    }

    /// Its own address as next hop of a route to `prefix`.
    #[must_use]
    pub fn own_address(&self, prefix: &Prefix) -> IpAddr {
        match prefix {
            Prefix::V4(_) => self.v4,
            Prefix::V6(_) => self.v6,
        }
    }

    /// The cost of a next hop; `None` if it cannot be reached.
    #[must_use]
    pub fn metric(&self, next_hop: IpAddr) -> Option<u32> {
        match &self.metrics {
            None => Some(0),
            Some(known) => known.get(&next_hop).copied().flatten(),
        }
    }
}

impl World {
    /// What there is after all events of a run. `initial_metric` is the cost of a next hop that no event spoke of, for
    /// routers that track them. No session is up.
    #[must_use]
    pub fn after(spec: &Spec, initial_metric: u32) -> World {
        let routers = spec.routers.iter().enumerate().map(|(place, r)| RouterInputs::new(place, r)).collect();
        let sessions = spec
            .sessions
            .iter()
            .map(|s| SessionInputs { ends: s.ends, sides: s.sides.clone(), up: None })
            .collect();
        let mut world = World { routers, sessions };
        let count = world.routers.len();
        for router in &mut world.routers {
            if let Some(metrics) = &mut router.metrics {
                for other in 0..count {
                    metrics.insert(v4_address(other), Some(initial_metric));
                    metrics.insert(v6_address(other), Some(initial_metric));
                }
            }
        }
        for (_, event) in &spec.events {
            world.apply(event);
        }
        world
    }

    /// Takes in what an event changes of the inputs.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Announce(router, prefix) => {
                if let Some(router) = self.routers.get_mut(*router) {
                    router.local.insert(*prefix);
                }
            }
            Event::Withdraw(router, prefix) => {
                if let Some(router) = self.routers.get_mut(*router) {
                    router.local.remove(prefix);
                }
            }
            Event::Configure(session, end, side) => {
                let session = self.sessions.get_mut(*session);
                if let Some(old) = session.and_then(|s| s.sides.get_mut(*end)) {
                    *old = SideSpec::clone(side);
                }
            }
            Event::Drain(router, draining) => {
                if let Some(router) = self.routers.get_mut(*router) {
                    router.draining = *draining;
                }
            }
            Event::NextHop(router, other, metric) => {
                if let Some(metrics) = self.routers.get_mut(*router).and_then(|r| r.metrics.as_mut()) {
                    metrics.insert(v4_address(*other), *metric);
                    metrics.insert(v6_address(*other), *metric);
                }
            }
            Event::Reset(..)
            | Event::Cut(..)
            | Event::HalfOpen(..)
            | Event::Stall(..)
            | Event::Crash(..)
            | Event::Restart(..)
            | Event::Shutdown(..)
            | Event::Refresh(..)
            | Event::RefreshOut(..)
            | Event::Freeze(..)
            | Event::Garbage(..) => {}
        }
    }

    /// The sessions of a router, each with the router's end of it.
    pub fn sessions_of(&self, router: usize) -> impl Iterator<Item = (usize, usize)> {
        self.sessions.iter().enumerate().flat_map(move |(place, session)| {
            (0..2).filter(move |end| session.end(*end) == Some(router)).map(move |end| (place, end))
        })
    }

    /// The router at one end of a session.
    #[must_use]
    pub fn router_at(&self, session: usize, end: usize) -> Option<&RouterInputs> {
        self.routers.get(self.sessions.get(session)?.end(end)?)
    }

    /// Whether the session is between two AS.
    #[must_use]
    pub fn is_external(&self, session: usize) -> bool {
        let asn = |end| self.router_at(session, end).map(|router| router.asn);
        asn(0) != asn(1)
    }

    /// What the neighbour on a session is to the router at `end`, as a source of routes.
    #[must_use]
    pub fn source_kind(&self, session: usize, end: usize) -> SourceKind {
        match (self.is_external(session), self.is_client(session, end)) {
            (true, _) => SourceKind::External,
            (false, true) => SourceKind::Client,
            (false, false) => SourceKind::Internal,
        }
    }

    /// What the neighbour on a session is to the router at `end`, as a receiver of routes.
    #[must_use]
    pub fn target_kind(&self, session: usize, end: usize) -> TargetKind {
        match (self.is_external(session), self.is_client(session, end)) {
            (true, _) => TargetKind::External,
            (false, true) => TargetKind::Client,
            (false, false) => TargetKind::Internal,
        }
    }

    fn is_client(&self, session: usize, end: usize) -> bool {
        self.sessions.get(session).and_then(|s| s.sides.get(end)).is_some_and(|side| side.client)
    }
}

impl SessionInputs {
    /// The router at one end.
    #[must_use]
    pub fn end(&self, end: usize) -> Option<usize> {
        self.ends.get(end).copied()
    }

    /// What was agreed for what this end sends; `None` if the session is down.
    #[must_use]
    pub fn agreed(&self, end: usize) -> Option<Agreed> {
        self.up.as_ref()?.get(end).copied()
    }
}
