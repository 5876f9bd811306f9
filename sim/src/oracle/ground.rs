//! Whether every route goes back, session by session, to a router that originates it.

use std::collections::BTreeSet;

use bgp_core::Prefix;

use super::export::outgoing;
use super::state::{Finding, Held, Origin, Staleness, State};
use super::step::sender;
use super::world::World;

/// A path of a router.
type Key = (usize, Prefix, Origin);

/// The paths that no router originates: those that only keep each other alive. Paths kept for a session that is down
/// have their ground in the past.
#[must_use]
pub fn ghosts(world: &World, state: &State) -> Vec<Finding> {
    let mut ground: BTreeSet<Key> = BTreeSet::new();
    loop {
        let mut more = Vec::new();
        for (router, held) in state.routers.iter().enumerate() {
            for (prefix, paths) in &held.tables {
                for path in paths {
                    let key = (router, *prefix, path.origin);
                    if !ground.contains(&key) && has_ground(world, state, router, *prefix, path, &ground) {
                        more.push(key);
                    }
                }
            }
        }
        if more.is_empty() {
            break;
        }
        ground.extend(more);
    }
    let mut findings = Vec::new();
    for (router, held) in state.routers.iter().enumerate() {
        for (prefix, paths) in &held.tables {
            for path in paths.iter().filter(|path| !ground.contains(&(router, *prefix, path.origin))) {
                findings.push(Finding {
                    check: "ghost",
                    router,
                    session: None,
                    prefix: Some(*prefix),
                    what: format!("nobody originates {path:?}"),
                });
            }
        }
    }
    findings
}

fn has_ground(
    world: &World,
    state: &State,
    router: usize,
    prefix: Prefix,
    path: &Held,
    ground: &BTreeSet<Key>,
) -> bool {
    let Origin::Session(session, path_id) = path.origin else {
        return world.routers.get(router).is_some_and(|r| r.local.contains(&prefix));
    };
    if path.staleness != Staleness::Fresh {
        return world.sessions.get(session).is_some_and(|s| s.up.is_none());
    }
    let Some((from, end)) = sender(world, router, session) else { return false };
    let Some(sent) = state.sent.get(&(session, end)).and_then(|s| s.get(&(prefix, path_id))) else {
        return false;
    };
    let sources = state.routers.get(from).and_then(|r| r.tables.get(&prefix)).into_iter().flatten();
    let mut grounded = sources.filter(|source| ground.contains(&(from, prefix, source.origin)));
    grounded.any(|source| outgoing(world, session, end, &prefix, source).as_ref() == Some(sent))
}
