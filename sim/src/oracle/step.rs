//! Whether every router's tables are what follows from what its neighbours sent, and what it sent what follows from its
//! tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::IpAddr;

use bgp_core::Prefix;

use super::decide::{multipath, own_end, ranked};
use super::export::advertised;
use super::import::accepted;
use super::route::{Route, no_address};
use super::state::{Finding, Held, Origin, RouterState, Staleness, State, Tables};
use super::weights::shares;
use super::world::World;

/// Looks at every router and every session that is up; gives all that is wrong. The network must be at rest.
#[must_use]
pub fn check(world: &World, state: &State) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (router, held) in state.routers.iter().enumerate() {
        check_paths(world, state, router, held, &mut findings);
        check_order(world, router, held, &mut findings);
        check_fib(world, router, held, &mut findings);
    }
    for session in 0..world.sessions.len() {
        for end in 0..2 {
            check_sent(world, state, session, end, &mut findings);
        }
    }
    findings
}

/// The paths that the router must hold, in no order. Those of sessions that are down are taken as they are found: how
/// long they may stay is an invariant of the run.
fn expected_paths(world: &World, state: &State, router: usize) -> BTreeMap<Prefix, Vec<Held>> {
    let mut tables: Tables = BTreeMap::new();
    let Some(inputs) = world.routers.get(router) else { return tables };
    for prefix in &inputs.local {
        let route = Route::originated(no_address(prefix));
        let origin = Origin::Local;
        tables.entry(*prefix).or_default().push(Held {
            origin,
            route,
            staleness: Staleness::Fresh,
            metric: Some(0),
        });
    }
    for (session, end) in world.sessions_of(router) {
        let is_up = world.sessions.get(session).is_some_and(|s| s.up.is_some());
        let Some(sent) = state.sent.get(&(session, 1 - end)).filter(|_| is_up) else { continue };
        for ((prefix, path_id), route) in sent {
            let Some(route) = accepted(world, session, end, prefix, route) else { continue };
            let metric = inputs.metric(route.next_hop);
            let origin = Origin::Session(session, *path_id);
            tables.entry(*prefix).or_default().push(Held {
                origin,
                route,
                staleness: Staleness::Fresh,
                metric,
            });
        }
    }
    for (prefix, paths) in state.routers.get(router).map(|r| &r.tables).into_iter().flatten() {
        let is_kept = |path: &&Held| match path.origin {
            Origin::Local => false,
            Origin::Session(session, _) => {
                path.staleness != Staleness::Fresh
                    && world.sessions.get(session).is_some_and(|s| s.up.is_none())
            }
        };
        for path in paths.iter().filter(is_kept) {
            let metric = inputs.metric(path.route.next_hop);
            tables.entry(*prefix).or_default().push(Held { metric, ..path.clone() });
        }
    }
    tables
}

fn check_paths(world: &World, state: &State, router: usize, held: &RouterState, findings: &mut Vec<Finding>) {
    let mut expected = expected_paths(world, state, router);
    let mut found = held.tables.clone();
    let prefixes: BTreeSet<Prefix> = expected.keys().chain(found.keys()).copied().collect();
    for prefix in prefixes {
        let mut expected = expected.remove(&prefix).unwrap_or_default();
        let mut found = found.remove(&prefix).unwrap_or_default();
        expected.sort();
        found.sort();
        if expected != found {
            findings.push(Finding {
                check: "paths",
                router,
                session: None,
                prefix: Some(prefix),
                what: difference(&expected, &found),
            });
        }
    }
}

/// The members of each that the other has not.
fn difference<T: Debug + PartialEq>(expected: &[T], found: &[T]) -> String {
    let missing: Vec<&T> = expected.iter().filter(|one| !found.contains(one)).collect();
    let excess: Vec<&T> = found.iter().filter(|one| !expected.contains(one)).collect();
    format!("missing {missing:?}, too much {excess:?}")
}

/// Whether a router ranks its paths as it must.
pub(super) fn check_rank(world: &World, router: usize, held: &RouterState) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_order(world, router, held, &mut findings);
    findings
}

fn check_order(world: &World, router: usize, held: &RouterState, findings: &mut Vec<Finding>) {
    let config = world.routers.get(router).map(|r| r.decider.decision);
    if config.is_some_and(|c| !c.deterministic_med && !c.always_compare_med) {
        // Then the order of arrival counts.
        return;
    }
    for (prefix, found) in &held.tables {
        let expected = ranked(world, router, found);
        if expected != *found {
            findings.push(Finding {
                check: "rank",
                router,
                session: None,
                prefix: Some(*prefix),
                what: format!("expected {expected:?}, found {found:?}"),
            });
        }
    }
}

fn check_fib(world: &World, router: usize, held: &RouterState, findings: &mut Vec<Finding>) {
    let Some(fib) = &held.fib else { return };
    let prefixes: BTreeSet<&Prefix> = held.tables.keys().chain(fib.keys()).collect();
    for prefix in prefixes {
        let paths = held.tables.get(prefix).map(Vec::as_slice).unwrap_or_default();
        let is_local = paths.first().is_some_and(|best| best.origin == Origin::Local);
        let shared = if is_local { Vec::new() } else { multipath(world, router, paths) };
        let hops = shared.iter().map(|path| path.route.next_hop);
        let expected: BTreeMap<IpAddr, u8> = hops.zip(shares(&shared)).collect();
        let found = fib.get(prefix).cloned().unwrap_or_default();
        if expected != found {
            findings.push(Finding {
                check: "fib",
                router,
                session: None,
                prefix: Some(*prefix),
                what: format!("expected {expected:?}, found {found:?}"),
            });
        }
    }
}

fn check_sent(world: &World, state: &State, session: usize, end: usize, findings: &mut Vec<Finding>) {
    let Some(inputs) = world.sessions.get(session).filter(|s| s.up.is_some()) else { return };
    let Some(router) = inputs.end(end) else { return };
    let Some(held) = state.routers.get(router) else { return };
    let mut found: BTreeMap<Prefix, Vec<Route>> = BTreeMap::new();
    for ((prefix, _), route) in state.sent.get(&(session, end)).into_iter().flatten() {
        found.entry(*prefix).or_default().push(route.clone());
    }
    let prefixes: BTreeSet<Prefix> = held.tables.keys().chain(found.keys()).copied().collect();
    for prefix in prefixes {
        let paths = held.tables.get(&prefix).map(Vec::as_slice).unwrap_or_default();
        let sent = advertised(world, session, end, &prefix, paths);
        let mut expected: Vec<Route> = sent.into_iter().map(|sent| sent.route).collect();
        let mut found = found.remove(&prefix).unwrap_or_default();
        expected.sort();
        found.sort();
        if expected != found {
            findings.push(Finding {
                check: "sent",
                router,
                session: Some(session),
                prefix: Some(prefix),
                what: difference_of_sorted(&expected, &found),
            });
        }
    }
}

/// As [`difference`], where one may be there twice.
fn difference_of_sorted(expected: &[Route], found: &[Route]) -> String {
    let text = difference(expected, found);
    format!("{} expected, {} found: {text}", expected.len(), found.len())
}

/// The router that a path came from, and the destination of its route there.
pub(super) fn sender(world: &World, router: usize, session: usize) -> Option<(usize, usize)> {
    let end = 1 - own_end(world, router, session);
    Some((world.sessions.get(session)?.end(end)?, end))
}
