//! Specs drawn from a seed: who peers with whom and how, and what happens to them.

mod borders;
mod events;
mod policy;
mod shape;

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;
use std::time::Duration;

use bgp_core::ClusterId;
use bgp_rib::{Advertise, DecisionConfig, NextHopRule, Policy};
use bgp_router::PrivateNumbers;

use crate::random::Random;
use crate::spec::{Border, LinkSpec, RouterSpec, SessionSpec, SideSpec, Spec};

/// The shape of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topology {
    /// Every speaker with every other, one AS.
    Mesh,
    /// Speakers are clients of one reflector.
    Reflector,
    /// Speakers are clients of two or three reflectors, in one cluster or in several, which peer with each other.
    Reflectors,
    /// Reflectors that are clients of others.
    Hierarchy,
    /// Racks, each an AS with a ToR that its speakers peer with; the ToRs peer with one or two spines.
    AsPerRack,
    /// Any connected graph of ASes, some of several routers.
    Graph,
    /// Member ASes of one confederation, and ASes outside it.
    Confederation,
}

impl Topology {
    /// All shapes.
    pub const ALL: [Topology; 7] = [
        Topology::Mesh,
        Topology::Reflector,
        Topology::Reflectors,
        Topology::Hierarchy,
        Topology::AsPerRack,
        Topology::Graph,
        Topology::Confederation,
    ];

    fn name(self) -> &'static str {
        match self {
            Topology::Mesh => "mesh",
            Topology::Reflector => "reflector",
            Topology::Reflectors => "reflectors",
            Topology::Hierarchy => "hierarchy",
            Topology::AsPerRack => "as-per-rack",
            Topology::Graph => "graph",
            Topology::Confederation => "confederation",
        }
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Topology {
    type Err = String;

    fn from_str(name: &str) -> Result<Topology, String> {
        let known = Topology::ALL.into_iter().find(|topology| topology.name() == name);
        known.ok_or_else(|| {
            format!("no topology {name}: there are {}", Topology::ALL.map(Topology::name).join(", "))
        })
    }
}

/// Which parts of a spec are drawn at all; the others stay plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Several paths to a destination (RFC 7911), and which.
    pub add_path: bool,
    /// Graceful and long-lived restart (RFC 4724, RFC 9494).
    pub restart: bool,
    /// Filters on the way in.
    pub import: bool,
    /// Filters on the way out.
    pub export: bool,
    /// Next hops other than the usual ones.
    pub next_hops: bool,
    /// Next hops that are tracked, lost and found.
    pub tracking: bool,
    /// Adj-RIB-In is kept.
    pub keep_received: bool,
    /// Sessions are configured anew while they are up.
    pub configure: bool,
    /// Routers say that they are about to go (RFC 8326).
    pub drain: bool,
    /// Best external routes are advertised.
    pub best_external: bool,
    /// AS numbers that are allowed, overridden, taken out, or former ones (RFC 7705).
    pub as_numbers: bool,
    /// What ASes are to each other (RFC 9234).
    pub roles: bool,
    /// Paths of several neighbouring ASes share the load.
    pub relax: bool,
    /// Routes say how fast links are.
    pub bandwidth: bool,
}

impl Features {
    /// What routers can do.
    pub const ALL: Features = Features {
        add_path: true,
        restart: true,
        import: true,
        export: true,
        next_hops: true,
        tracking: true,
        keep_received: true,
        configure: true,
        drain: true,
        best_external: true,
        as_numbers: true,
        roles: true,
        relax: true,
        bandwidth: true,
    };
}

/// The spec of a seed.
#[must_use]
pub fn generate(topology: Topology, seed: u64) -> Spec {
    generate_with(topology, seed, Features::ALL)
}

/// The same with these features only.
#[must_use]
pub fn generate_with(topology: Topology, seed: u64, features: Features) -> Spec {
    let mut random = Random::new(seed);
    // What is between ASes is drawn beside all else, which is the same with and without it.
    let mut of_borders = Random::new(!seed);
    let features = some_of(features, &mut random, &mut of_borders);
    let (mut routers, mut sessions) = shape::draw(topology, &mut random);
    for router in &mut routers {
        decide(router, features, &mut random);
        router.decision.multipath_relax = features.relax && of_borders.one_in(2);
    }
    for session in &mut sessions {
        treat(session, &routers, features, &mut random);
    }
    borders::draw(topology, &mut routers, &mut sessions, features, &mut of_borders);
    let link = LinkSpec {
        delay: random.time_up_to(Duration::from_secs(1)),
        piece: random.pick(3000, &[1, 20, 200, 1000, 10_000]),
        window: random.pick(65_536, &[100, 1000, 8192, 8192]),
    };
    let mut spec = Spec { seed: random.draw(), routers, sessions, link, events: Vec::new() };
    spec.events = events::draw(&spec, features, &mut random, &mut of_borders);
    spec
}

/// A run has some of the features, so that each is also seen without the others.
fn some_of(all: Features, random: &mut Random, of_borders: &mut Random) -> Features {
    let mut keep = |feature: bool| feature && random.one_in(2);
    let mut also = |feature: bool| feature && of_borders.one_in(2);
    Features {
        add_path: keep(all.add_path),
        restart: keep(all.restart),
        import: keep(all.import),
        export: keep(all.export),
        next_hops: keep(all.next_hops),
        tracking: keep(all.tracking),
        keep_received: keep(all.keep_received),
        configure: keep(all.configure),
        drain: keep(all.drain),
        best_external: keep(all.best_external),
        as_numbers: also(all.as_numbers),
        roles: also(all.roles),
        relax: also(all.relax),
        bandwidth: also(all.bandwidth),
    }
}

fn decide(router: &mut RouterSpec, features: Features, random: &mut Random) {
    router.decision = DecisionConfig { always_compare_med: random.one_in(3), ..DecisionConfig::default() };
    router.multipath = random.pick(1, &[1, 2, 4]);
    router.tracks_next_hops = features.tracking && random.one_in(2);
}

fn treat(session: &mut SessionSpec, routers: &[RouterSpec], features: Features, random: &mut Random) {
    let external = is_external(session, routers);
    // Both ends connect, or one only accepts; never both.
    let passive = random.below(4);
    for (end, side) in session.sides.iter_mut().enumerate() {
        *side = draw_side(side.client, external, features, random);
        side.passive = passive == end;
    }
}

/// Whether a session leaves the AS, and the confederation.
fn is_external(session: &SessionSpec, routers: &[RouterSpec]) -> bool {
    let [a, b] = session.ends.map(|end| routers.get(end));
    a.zip(b).is_some_and(|(a, b)| a.is_foreign_to(b))
}

/// How a router may treat a neighbour. `client` stays: a reflector that forgets its clients is another network.
fn draw_side(client: bool, external: bool, features: Features, random: &mut Random) -> SideSpec {
    let restart_time = (features.restart && !random.one_in(3)).then(|| random.pick(120, &[0, 1, 5, 30]));
    let long_lived = restart_time.filter(|_| !random.one_in(3)).map(|_| random.pick(100, &[10, 1000]));
    let add_path = [(); 2].map(|()| features.add_path && !random.one_in(4));
    SideSpec {
        client,
        extended_message: random.one_in(2),
        import: if features.import { policy::draw(external, random) } else { Policy::Accept },
        export: if features.export { policy::draw(false, random) } else { Policy::Accept },
        advertise: draw_advertise(features, add_path[1], random),
        add_path,
        next_hop: if features.next_hops { draw_next_hop(external, random) } else { NextHopRule::Auto },
        restart_time,
        long_lived,
        keep_received: features.keep_received && random.one_in(2),
        ..plain_side()
    }
}

fn draw_advertise(features: Features, add_path: bool, random: &mut Random) -> Advertise {
    let count = NonZeroU16::new(1 + random.below(3) as u16).map_or(Advertise::Best, Advertise::Count);
    let choice = match random.below(6) {
        0 => Advertise::Best,
        1 => Advertise::BestExternal,
        2 => Advertise::Ecmp,
        3 => count,
        _ => Advertise::All,
    };
    match choice {
        Advertise::BestExternal if !features.best_external => Advertise::Best,
        Advertise::Ecmp | Advertise::Count(_) | Advertise::All if !add_path => Advertise::Best,
        choice => choice,
    }
}

/// Next hops that the receivers take: not unchanged over eBGP into loops, which other tests look at.
fn draw_next_hop(external: bool, random: &mut Random) -> NextHopRule {
    match random.below(5) {
        0 => NextHopRule::Own,
        1 => NextHopRule::OwnForExternal,
        2 if external => NextHopRule::Unchanged,
        _ => NextHopRule::Auto,
    }
}

/// A side with nothing special.
#[must_use]
pub fn plain_side() -> SideSpec {
    SideSpec {
        client: false,
        passive: false,
        extended_message: false,
        import: Policy::Accept,
        export: Policy::Accept,
        advertise: Advertise::Best,
        add_path: [false; 2],
        next_hop: NextHopRule::Auto,
        restart_time: None,
        long_lived: None,
        keep_received: false,
        allow_own: 0,
        overrides: false,
        private: PrivateNumbers::Keep,
        enforce_first_as: false,
    }
}

/// A session with nothing special.
#[must_use]
pub fn plain_session(ends: [usize; 2], sides: [SideSpec; 2]) -> SessionSpec {
    SessionSpec { ends, sides, border: Border::default() }
}

/// A router with nothing special.
#[must_use]
pub fn plain_router(asn: u32, cluster: Option<u32>) -> RouterSpec {
    RouterSpec {
        asn: bgp_core::Asn(asn),
        confederation: None,
        cluster: cluster.map(ClusterId),
        decision: DecisionConfig::default(),
        multipath: 1,
        tracks_next_hops: false,
    }
}
