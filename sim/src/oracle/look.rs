//! A router's tables in the model's terms.

use std::collections::{BTreeMap, BTreeSet};

use bgp_core::{Family, Prefix};
use bgp_rib::table::DestId;
use bgp_rib::{Path, PeerId, RouteView};
use bgp_router::Router;

use super::route::Route;
use super::state::{Held, Origin, Staleness, Tables};
use super::world::World;

/// All paths of a router, best first. A path from who is no neighbour has a session that there is not.
#[must_use]
pub fn look(world: &World, place: usize, router: &Router) -> Tables {
    let sessions = sessions_by_slot(world, place, router);
    let mut tables = Tables::new();
    for_each_route(router, |route| {
        let paths = route.paths.iter().map(|path| held(&sessions, path));
        tables.insert(route.prefix, paths.collect());
    });
    tables
}

/// The paths of each destination that are in use: the best and those that share the load with it.
#[must_use]
pub fn in_use(world: &World, place: usize, router: &Router) -> BTreeMap<Prefix, BTreeSet<Origin>> {
    let sessions = sessions_by_slot(world, place, router);
    let mut in_use = BTreeMap::new();
    for_each_route(router, |route| {
        let used = route.candidates().filter(|c| c.in_use).map(|c| origin(&sessions, c.path)).collect();
        in_use.insert(route.prefix, used);
    });
    in_use
}

fn for_each_route(router: &Router, mut on: impl FnMut(&RouteView<'_>)) {
    for family in [Family::IPV4_UNICAST, Family::IPV6_UNICAST] {
        let mut from = DestId::FIRST;
        while let Some(route) = router.core().rib().next_route(family, from) {
            from = route.cursor();
            on(&route);
        }
    }
}

/// The session of each slot, by the neighbour's address.
fn sessions_by_slot(world: &World, place: usize, router: &Router) -> BTreeMap<u32, usize> {
    let mut sessions = BTreeMap::new();
    for slot in router.slots() {
        let Some(address) = router.peer(slot).map(|peer| peer.settings().address) else { continue };
        for (session, end) in world.sessions_of(place) {
            if world.router_at(session, 1 - end).is_some_and(|other| other.v4 == address) {
                sessions.insert(slot, session);
            }
        }
    }
    sessions
}

fn origin(sessions: &BTreeMap<u32, usize>, path: &Path) -> Origin {
    if path.slot() == PeerId::LOCAL.slot {
        return Origin::Local;
    }
    let session = sessions.get(&path.slot()).copied().unwrap_or(usize::MAX);
    Origin::Session(session, path.path_id.0)
}

fn held(sessions: &BTreeMap<u32, usize>, path: &Path) -> Held {
    let origin = origin(sessions, path);
    let next_hop = path.attrs.next_hop();
    let route = Route::read(path.attrs.block(), Some(next_hop)).unwrap_or(Route::originated(next_hop));
    let staleness = match (path.is_stale(), path.is_long_lived()) {
        (_, true) => Staleness::LongLived,
        (true, false) => Staleness::Stale,
        (false, false) => Staleness::Fresh,
    };
    Held { origin, route, staleness, metric: path.igp_metric() }
}
