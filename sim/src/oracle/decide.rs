//! The choice, by striking out: RFC 4271 section 9.1.2.2 with RFC 4456 section 9 and RFC 9494 section 4.3.

use std::cmp::Reverse;
use std::net::IpAddr;

use bgp_core::{Asn, RouterId};
use bgp_rib::{DecisionConfig, SourceKind};

use super::route::{LLGR_STALE, Route};
use super::state::{Held, Origin, Staleness};
use super::world::{RouterInputs, World};

/// LOCAL_PREF of a route that has none.
const DEFAULT_LOCAL_PREF: u32 = 100;

/// All paths to one destination, the chosen one first: each is the best of those from it on. Those whose next hop
/// cannot be reached come last, ranked likewise.
#[must_use]
pub fn ranked(world: &World, me: usize, paths: &[Held]) -> Vec<Held> {
    let (mut rest, mut lost): (Vec<Held>, Vec<Held>) =
        paths.iter().cloned().partition(|path| path.metric.is_some());
    let mut order = Vec::new();
    for group in [&mut rest, &mut lost] {
        while let Some(place) = best(world, me, group) {
            order.push(group.remove(place));
        }
    }
    order
}

/// The place of the best of these paths, all of which count as reachable.
#[must_use]
pub fn best(world: &World, me: usize, paths: &[Held]) -> Option<usize> {
    let config = world.routers.get(me)?.decider.decision;
    let mut left: Vec<usize> = (0..paths.len()).collect();
    keep_least(&mut left, paths, is_long_lived);
    keep_least(&mut left, paths, |path| Reverse(local_pref(&path.route)));
    keep_least(&mut left, paths, |path| path.origin != Origin::Local);
    keep_least(&mut left, paths, |path| path.route.as_path.hops());
    keep_least(&mut left, paths, |path| path.route.origin);
    strike_by_med(&mut left, paths, config.always_compare_med);
    keep_least(&mut left, paths, |path| is_internal(world, me, path));
    keep_least(&mut left, paths, |path| path.metric);
    keep_least(&mut left, paths, |path| router_id(world, me, path));
    keep_least(&mut left, paths, |path| path.route.clusters.len());
    keep_least(&mut left, paths, |path| address(world, me, path));
    keep_least(&mut left, paths, |path| path.origin);
    left.first().copied()
}

/// Strikes out all whose key is not the least.
fn keep_least<K: Ord>(left: &mut Vec<usize>, paths: &[Held], key: impl Fn(&Held) -> K) {
    let key_of = |place: &usize| paths.get(*place).map(&key);
    let least = left.iter().map(key_of).min().flatten();
    left.retain(|place| key_of(place) == least);
}

/// Strikes out what has a higher MULTI_EXIT_DISC than another route from the same neighbouring AS.
fn strike_by_med(left: &mut Vec<usize>, paths: &[Held], always: bool) {
    let routes: Vec<&Route> = left.iter().filter_map(|place| paths.get(*place)).map(|p| &p.route).collect();
    left.retain(|place| {
        let Some(path) = paths.get(*place) else { return false };
        let loses_to = |other: &&Route| {
            let comparable = always || neighbour_as(other) == neighbour_as(&path.route);
            comparable && med(other) < med(&path.route)
        };
        !routes.iter().any(loses_to)
    });
}

fn med(route: &Route) -> u32 {
    route.med.unwrap_or(0)
}

fn neighbour_as(route: &Route) -> Option<Asn> {
    route.as_path.neighbour()
}

fn local_pref(route: &Route) -> u32 {
    route.local_pref.unwrap_or(DEFAULT_LOCAL_PREF)
}

/// A long-lived stale route is the last choice, whoever says that it is one.
fn is_long_lived(path: &Held) -> bool {
    path.staleness == Staleness::LongLived || path.route.has(LLGR_STALE)
}

fn is_internal(world: &World, me: usize, path: &Held) -> bool {
    !matches!(source_kind(world, me, path), SourceKind::Local | SourceKind::External)
}

/// What a path's source is to the router.
pub(super) fn source_kind(world: &World, me: usize, path: &Held) -> SourceKind {
    match path.origin {
        Origin::Local => SourceKind::Local,
        Origin::Session(session, _) => world.source_kind(session, own_end(world, me, session)),
    }
}

/// Which end of a session the router is.
pub(super) fn own_end(world: &World, me: usize, session: usize) -> usize {
    usize::from(world.sessions.get(session).is_some_and(|s| s.end(1) == Some(me)))
}

/// The neighbour that a path came from.
pub(super) fn neighbour<'a>(world: &'a World, me: usize, path: &Held) -> Option<&'a RouterInputs> {
    match path.origin {
        Origin::Local => None,
        Origin::Session(session, _) => world.router_at(session, 1 - own_end(world, me, session)),
    }
}

fn router_id(world: &World, me: usize, path: &Held) -> Option<RouterId> {
    let speaker = neighbour(world, me, path).or(world.routers.get(me)).map(|router| router.id);
    path.route.originator.or(speaker)
}

fn address(world: &World, me: usize, path: &Held) -> Option<IpAddr> {
    neighbour(world, me, path).map(|router| router.v4)
}

/// The paths that share the load: the best, and those that tie with it up to the cost of the next hop; one for each next
/// hop. They are from the same neighbouring AS, unless that does not matter: then each is the best by MULTI_EXIT_DISC of
/// those from its own.
#[must_use]
pub fn multipath(world: &World, me: usize, ranked: &[Held]) -> Vec<Held> {
    let Some(best) = ranked.first().filter(|path| path.metric.is_some()) else { return Vec::new() };
    let Some(router) = world.routers.get(me) else { return Vec::new() };
    let DecisionConfig { always_compare_med, multipath_relax, .. } = router.decider.decision;
    let first = |path: &Held| {
        let route = &path.route;
        let is_local = path.origin == Origin::Local;
        let preference = (path.metric.is_none(), is_long_lived(path), local_pref(route), is_local);
        (preference, route.as_path.hops(), route.origin)
    };
    let mut left: Vec<usize> = (0..ranked.len()).collect();
    left.retain(|place| ranked.get(*place).is_some_and(|path| first(path) == first(best)));
    strike_by_med(&mut left, ranked, always_compare_med);
    let then = |path: &Held| {
        let neighbour = Some(neighbour_as(&path.route)).filter(|_| !multipath_relax);
        (neighbour, is_internal(world, me, path), path.metric)
    };
    let mut chosen: Vec<Held> = Vec::new();
    let tied = left.iter().filter_map(|place| ranked.get(*place)).filter(|path| then(path) == then(best));
    for path in tied {
        if chosen.len() < router.decider.multipath.max(1)
            && !chosen.iter().any(|other| other.route.next_hop == path.route.next_hop)
        {
            chosen.push(path.clone());
        }
    }
    chosen
}
