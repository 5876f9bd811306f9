//! The inputs: who there is, who speaks to whom, and how each is configured now.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_core::wire::capability::Role;
use bgp_core::{Asn, ClusterId, Prefix, RouterId};
use bgp_rib::{DecisionConfig, SourceKind, TargetKind};

use super::tap::Tap;
use crate::network::Network;
use crate::spec::{Border, RouterSpec, SessionSpec, SideSpec};

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
    /// The AS that its confederation is known by outside, if it is in one.
    pub confederation: Option<Asn>,
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
    /// What they agreed on beforehand.
    pub border: Border,
    /// Whether it is established at both ends, and for each end what was agreed for what it sends.
    pub up: Option<[Agreed; 2]>,
}

/// What lies between the ends of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// They are in one AS.
    Nothing,
    /// They are in two member ASes of one confederation (RFC 5065).
    Members,
    /// They are in two ASes.
    Ases,
}

/// What was agreed for one direction of a session, from the OPEN messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// Several paths to a destination go this way, IPv4 and IPv6 (RFC 7911).
    pub add_path: [bool; 2],
    /// The other end knows of long-lived stale routes, IPv4 and IPv6 (RFC 9494 section 4.3).
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
    fn of(network: &Network, place: usize, spec: &RouterSpec) -> RouterInputs {
        let routers = 0..network.routers();
        let addresses = routers.flat_map(|other| [v4_address(other), v6_address(other)]);
        let known = addresses.map(|address| (address, network.next_hop(place, address)));
        let metrics = spec.tracks_next_hops.then(|| known.collect());
        RouterInputs {
            asn: spec.asn,
            confederation: spec.confederation,
            id: RouterId(0x0a00_0001 + place as u32),
            cluster: spec.cluster,
            decider: Decider { decision: spec.decision, multipath: spec.multipath },
            v4: v4_address(place),
            v6: v6_address(place),
            local: network.originates(place).cloned().unwrap_or_default(),
            metrics,
            draining: network.is_draining(place),
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
    /// What the routers of a network are configured to do now, and which sessions are up at both ends.
    #[must_use]
    pub fn of(network: &Network, tap: &Tap) -> World {
        let spec = network.spec();
        let routers = spec.routers.iter().enumerate();
        let routers = routers.map(|(place, router)| RouterInputs::of(network, place, router)).collect();
        let session = |(place, session): (usize, &SessionSpec)| {
            let side = |end: usize| network.side(place, end).cloned();
            let [a, b] = session.sides.clone();
            SessionInputs {
                ends: session.ends,
                sides: [side(0).unwrap_or(a), side(1).unwrap_or(b)],
                border: session.border.clone(),
                up: network.connection(place).and_then(|connection| tap.agreed(connection.id)),
            }
        };
        World { routers, sessions: spec.sessions.iter().enumerate().map(session).collect() }
    }

    /// Takes all sessions for established, with what both ends would agree on.
    pub fn assume_up(&mut self) {
        for session in &mut self.sessions {
            let [a, b] = &session.sides;
            let agree = |from: &SideSpec, to: &SideSpec| {
                let ([_, send], [take, _]) = (from.add_path, to.add_path);
                let long_lived = to.long_lived.is_some() && to.restart_time.is_some();
                Agreed { add_path: [send && take; 2], long_lived: [long_lived; 2] }
            };
            session.up = Some([agree(a, b), agree(b, a)]);
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

    /// What lies between the two ends of a session.
    #[must_use]
    pub fn between(&self, session: usize) -> Between {
        let (Some(a), Some(b)) = (self.router_at(session, 0), self.router_at(session, 1)) else {
            return Between::Nothing;
        };
        match (a.confederation, b.confederation) {
            _ if a.asn == b.asn => Between::Nothing,
            (Some(one), Some(other)) if one == other => Between::Members,
            _ => Between::Ases,
        }
    }

    /// Whether the session is between two AS, of which a confederation is one.
    #[must_use]
    pub fn is_external(&self, session: usize) -> bool {
        self.between(session) == Between::Ases
    }

    /// The AS that the other end of a session knows the router at `end` by: a former one, or that of its confederation,
    /// or its own.
    #[must_use]
    pub fn known_as(&self, session: usize, end: usize) -> Option<Asn> {
        let router = self.router_at(session, end)?;
        let former = self.sessions.get(session)?.former_as(end);
        let public = router.confederation.filter(|_| self.is_external(session));
        Some(former.or(public).unwrap_or(router.asn))
    }

    /// What the neighbour on a session is to the router at `end`, as a source of routes.
    #[must_use]
    pub fn source_kind(&self, session: usize, end: usize) -> SourceKind {
        match (self.between(session), self.is_client(session, end)) {
            (Between::Ases, _) => SourceKind::External,
            (Between::Members, _) => SourceKind::Confederation,
            (Between::Nothing, true) => SourceKind::Client,
            (Between::Nothing, false) => SourceKind::Internal,
        }
    }

    /// What the neighbour on a session is to the router at `end`, as a receiver of routes.
    #[must_use]
    pub fn target_kind(&self, session: usize, end: usize) -> TargetKind {
        match (self.between(session), self.is_client(session, end)) {
            (Between::Ases, _) => TargetKind::External,
            (Between::Members, _) => TargetKind::Confederation,
            (Between::Nothing, true) => TargetKind::Client,
            (Between::Nothing, false) => TargetKind::Internal,
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

    /// What this end is to the other (RFC 9234).
    #[must_use]
    pub fn role(&self, end: usize) -> Option<Role> {
        self.border.roles.get(end).copied().flatten()
    }

    /// The AS that this end had once, if the other still knows it by that (RFC 7705).
    #[must_use]
    pub fn former_as(&self, end: usize) -> Option<Asn> {
        self.border.local_as.get(end)?.map(|local| local.asn)
    }

    /// What was agreed for what this end sends; `None` if the session is down.
    #[must_use]
    pub fn agreed(&self, end: usize) -> Option<Agreed> {
        self.up.as_ref()?.get(end).copied()
    }
}
