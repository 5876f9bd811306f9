//! Networks in which a mistake shows that others hardly ever lead to: a small spec each, of which the seed draws the rest.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bgp_core::Prefix;
use bgp_rib::filter::{Action, Edit, Term};
use bgp_rib::{Advertise, DecisionConfig, Filter, NextHopRule, Policy};

use crate::generate::{plain_router, plain_session, plain_side};
use crate::network::{address_v4, group_limits};
use crate::random::Random;
use crate::spec::{Event, LinkSpec, RouterSpec, SideSpec, Spec};

const SECOND: Duration = Duration::from_secs(1);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn prefix(number: usize) -> Option<Prefix> {
    Prefix::new(Ipv4Addr::from(0x0af4_0000 + ((number as u32) << 8)).into(), 24)
}

fn prefixes(count: usize) -> Vec<Prefix> {
    (0..count).filter_map(prefix).collect()
}

/// A spec under construction.
struct Scene {
    random: Random,
    spec: Spec,
}

impl Scene {
    fn new(seed: u64, routers: Vec<RouterSpec>) -> Scene {
        let mut random = Random::new(seed);
        let delay = random.time(&(Duration::from_millis(1)..Duration::from_millis(100)));
        let link = LinkSpec { delay, piece: 10_000, window: 65_536 };
        let spec = Spec { seed: random.draw(), routers, sessions: Vec::new(), link, events: Vec::new() };
        Scene { random, spec }
    }

    /// Router 0 reflects to all others.
    fn star(seed: u64, clients: usize, theirs: SideSpec, ours: SideSpec) -> Scene {
        let speakers = (0..clients).map(|_| plain_router(64512, None));
        let routers = std::iter::once(plain_router(64512, Some(1))).chain(speakers).collect();
        let mut scene = Scene::new(seed, routers);
        for client in 1..=clients {
            scene.session([0, client], [SideSpec { client: true, ..ours.clone() }, theirs.clone()]);
        }
        scene
    }

    fn session(&mut self, ends: [usize; 2], sides: [SideSpec; 2]) {
        self.spec.sessions.push(plain_session(ends, sides));
    }

    fn at(&mut self, at: Duration, event: Event) {
        self.spec.events.push((at, event));
    }

    fn announce(&mut self, at: Duration, router: usize, prefixes: &[Prefix]) {
        prefixes.iter().for_each(|prefix| self.at(at, Event::Announce(router, *prefix)));
    }

    /// Draws the run's seed so that router 0 keeps hardly anything for slow peers.
    fn with_little_room(&mut self) {
        for _ in 0..1000 {
            let limits = group_limits(self.spec.seed, 0);
            if limits.journal <= 1000 && limits.tombstones >= 20 && limits.window <= 3 {
                return;
            }
            self.spec.seed = self.random.draw();
        }
    }

    /// From the time on that this returns client 1 reads nothing for a minute, and little is enough to fill the link.
    fn stall_a_client(&mut self) -> Duration {
        let at = seconds(20 + self.random.below(10) as u64);
        self.spec.link.window = 100;
        self.at(at, Event::Stall(0, 1, seconds(60)));
        at
    }

    fn finish(mut self) -> Spec {
        self.spec.events.sort_by_key(|(at, _)| *at);
        self.spec
    }
}

fn filter(edits: Vec<Edit>, otherwise: Action) -> Policy {
    let term = Term { name: "0".to_owned(), matches: Vec::new(), edits, action: None };
    Filter::new("scene", vec![term], otherwise)
        .map_or(Policy::Accept, |filter| Policy::Filter(Arc::new(filter)))
}

/// A client reads nothing for a while. Meanwhile its reflector, which keeps hardly anything for it, has many small changes
/// for it, withdrawals and new prefixes among them.
pub(super) fn slow_reader(seed: u64) -> Spec {
    let mut scene = Scene::star(seed, 3, plain_side(), plain_side());
    scene.with_little_room();
    let all = prefixes(40);
    let (old, new) = all.split_at(20);
    scene.announce(Duration::ZERO, 2, old);
    let mut at = scene.stall_a_client();
    // More changes than may be on their way to it.
    for (old, new) in old.iter().zip(new) {
        at += Duration::from_millis(300);
        scene.at(at, Event::Withdraw(2, *old));
        if scene.random.one_in(2) {
            scene.at(at + Duration::from_millis(100), Event::Announce(3, *new));
        }
    }
    scene.finish()
}

/// The same with room enough, and nothing but new prefixes.
pub(super) fn slow_reader_of_news(seed: u64) -> Spec {
    let mut scene = Scene::star(seed, 2, plain_side(), plain_side());
    let mut at = scene.stall_a_client();
    for prefix in prefixes(40) {
        at += Duration::from_millis(300);
        scene.at(at, Event::Announce(2, prefix));
    }
    scene.finish()
}

/// A speaker whose route comes back to it: of its two reflectors, in clusters of their own, one has it from the other.
pub(super) fn back_to_the_originator(seed: u64) -> Spec {
    let routers = vec![plain_router(64512, Some(1)), plain_router(64512, Some(2)), plain_router(64512, None)];
    let mut scene = Scene::new(seed, routers);
    let client = || SideSpec { client: true, ..plain_side() };
    // The own address as next hop would be noticed first.
    scene.session([0, 1], [SideSpec { next_hop: NextHopRule::Own, ..plain_side() }, plain_side()]);
    scene.session([0, 2], [client(), plain_side()]);
    scene.session([1, 2], [client(), SideSpec { export: Policy::Reject, ..plain_side() }]);
    let count = 1 + scene.random.below(5);
    scene.announce(SECOND, 2, &prefixes(count));
    scene.finish()
}

/// Two neighbouring ASes give a router routes to the same prefix, the better one with the higher MULTI_EXIT_DISC.
pub(super) fn two_neighbours_with_med(seed: u64) -> Spec {
    let routers = (0..3).map(|number| RouterSpec {
        decision: DecisionConfig::default(),
        ..plain_router(64500 + number, None)
    });
    let mut scene = Scene::new(seed, routers.collect());
    for (neighbour, med) in [(1, 10), (2, 5)] {
        let export = filter(vec![Edit::Med(Some(med))], Action::Accept);
        scene.session([0, neighbour], [plain_side(), SideSpec { export, ..plain_side() }]);
        scene.announce(SECOND, neighbour, &prefixes(2));
    }
    scene.finish()
}

/// Filters change on a live session whose routes are kept, on the way in and on the way out.
pub(super) fn new_filters(seed: u64) -> Spec {
    let ours = SideSpec { keep_received: true, ..plain_side() };
    let mut scene = Scene::star(seed, 2, plain_side(), ours.clone());
    for client in 1..=2 {
        scene.announce(Duration::ZERO, client, &prefixes(3));
    }
    let drawn = filter(vec![Edit::LocalPref(50)], Action::Accept);
    let import = if scene.random.one_in(2) { Policy::Reject } else { drawn };
    for (at, export) in [(20, Policy::Accept), (60, Policy::Reject)] {
        let side = SideSpec { client: true, import: import.clone(), export, ..ours.clone() };
        scene.at(seconds(at), Event::Configure(0, 0, Box::new(side)));
    }
    scene.finish()
}

/// A reflector has less for one of its clients than before, and then sends all again between marks.
pub(super) fn less_and_again(seed: u64) -> Spec {
    let mut scene = Scene::star(seed, 2, plain_side(), plain_side());
    let count = 1 + scene.random.below(4);
    scene.announce(Duration::ZERO, 2, &prefixes(count));
    let side = SideSpec { client: true, export: Policy::Reject, ..plain_side() };
    scene.at(seconds(30), Event::Configure(0, 0, Box::new(side)));
    scene.at(seconds(60), Event::RefreshOut(0, 0));
    scene.finish()
}

/// What a session with graceful restart is configured to do; `long_lived` too.
fn restarting(restart_time: u16, long_lived: Option<u32>) -> SideSpec {
    SideSpec { restart_time: Some(restart_time), long_lived, ..plain_side() }
}

/// A client restarts, and comes back without one of its routes, or not before its restart time is over.
pub(super) fn restart_without_a_route(seed: u64) -> Spec {
    let side = restarting(30, None);
    let mut scene = Scene::star(seed, 2, side.clone(), side);
    let all = prefixes(3);
    scene.announce(Duration::ZERO, 1, &all);
    let down = if scene.random.one_in(2) { seconds(5) } else { seconds(50) };
    scene.at(seconds(30), Event::Restart(1, down));
    let gone = all.first().map(|prefix| Event::Withdraw(1, *prefix));
    gone.into_iter().for_each(|event| scene.at(seconds(31), event));
    scene.finish()
}

/// Two clients have the same routes. The one whose are better is lost for longer than its restart time, so that they are
/// the last choice; a third client does not know of such routes.
pub(super) fn long_lived_routes(seed: u64) -> Spec {
    let side = restarting(1, Some(1000));
    let mut scene = Scene::star(seed, 4, side.clone(), side);
    let theirs = scene.spec.sessions.last_mut().and_then(|session| session.sides.last_mut());
    theirs.into_iter().for_each(|side| (side.restart_time, side.long_lived) = (None, None));
    scene.announce(Duration::ZERO, 1, &prefixes(4));
    scene.announce(Duration::ZERO, 2, &prefixes(2));
    scene.at(seconds(30), Event::Cut(0, seconds(60)));
    scene.at(seconds(30), Event::Reset(0));
    scene.finish()
}

/// Clients that set one next hop, so that the attributes of their routes are the same but for who they come from.
pub(super) fn one_next_hop(seed: u64) -> Spec {
    let v4 = Some(Ipv4Addr::new(10, 0, 0, 200));
    let theirs = SideSpec { next_hop: NextHopRule::Set { v4, v6: None }, ..plain_side() };
    let mut scene = Scene::star(seed, 3, theirs, plain_side());
    let all = prefixes(6);
    for (client, part) in (1..).zip(all.chunks(2)) {
        scene.announce(Duration::ZERO, client, part);
    }
    // All of them are sent at once to one that joins later.
    let at = seconds(30 + scene.random.below(10) as u64);
    scene.at(at, Event::Reset(2));
    scene.finish()
}

/// A client says that its reflector is the next hop of its routes.
pub(super) fn next_hop_of_the_reader(seed: u64) -> Spec {
    let v4 = match address_v4(0) {
        std::net::IpAddr::V4(address) => Some(address),
        std::net::IpAddr::V6(_) => None,
    };
    let mut scene = Scene::star(seed, 2, plain_side(), plain_side());
    let theirs = scene.spec.sessions.first_mut().and_then(|session| session.sides.last_mut());
    theirs.into_iter().for_each(|side| side.next_hop = NextHopRule::Set { v4, v6: None });
    let count = 1 + scene.random.below(4);
    scene.announce(SECOND, 1, &prefixes(count));
    scene.finish()
}

/// A router is about to go while its sessions are up, and one comes up later.
pub(super) fn drained(seed: u64) -> Spec {
    let mut scene = Scene::star(seed, 3, plain_side(), plain_side());
    for client in 1..=2 {
        scene.announce(Duration::ZERO, client, &prefixes(3));
    }
    let at = seconds(20 + scene.random.below(20) as u64);
    let router = scene.random.below(3);
    scene.at(at, Event::Drain(router, true));
    scene.finish()
}

/// Two clients give several paths to the same prefixes, and take some back.
pub(super) fn several_paths(seed: u64) -> Spec {
    let side = SideSpec { add_path: [true; 2], advertise: Advertise::All, ..plain_side() };
    let mut scene = Scene::star(seed, 4, side.clone(), side);
    let all = prefixes(3);
    for client in 1..=3 {
        scene.announce(Duration::ZERO, client, &all);
    }
    for round in 0..20 {
        let (client, at) = (1 + scene.random.below(3), seconds(20 + round));
        let Some(prefix) = all.get(scene.random.below(all.len())).copied() else { continue };
        let back = scene.random.one_in(2);
        scene.at(at, if back { Event::Announce(client, prefix) } else { Event::Withdraw(client, prefix) });
    }
    scene.finish()
}
