//! The tables of the whole network, from nothing, in rounds: as a check of the checks, and to know what oscillates.

use bgp_core::Prefix;

use super::decide::ranked;
use super::export::advertised;
use super::import::accepted;
use super::route::{Route, no_address};
use super::state::{Held, Origin, Staleness, Tables};
use super::world::World;

/// What the rounds came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Solution {
    /// However the routers took turns, these are the tables in the end. Path identifiers are numbers of the model.
    Solved(Vec<Tables>),
    /// The order of turns makes a difference.
    Ambiguous,
    /// Nothing stays as it is, in some order of turns (RFC 3345).
    Oscillates,
}

/// Lets the routers take turns in several orders: all at once, upwards, downwards; and with each of them late, so that the
/// others have come to their tables when it begins, as after a restart.
#[must_use]
pub fn rounds(world: &World) -> Solution {
    let count = world.routers.len();
    let none = || vec![Tables::new(); count];
    let together = |before: &[Tables], now: &mut Vec<Tables>| {
        (0..count).for_each(|router| step(world, before, now, router));
    };
    let without = |late: usize| {
        move |before: &[Tables], now: &mut Vec<Tables>| {
            (0..count).filter(|router| *router != late).for_each(|router| step(world, before, now, router));
        }
    };
    let mut ends = vec![
        settle(none(), together),
        settle(none(), |_, now| (0..count).for_each(|router| step_alone(world, now, router))),
        settle(none(), |_, now| (0..count).rev().for_each(|router| step_alone(world, now, router))),
    ];
    ends.extend((0..count).map(|late| settle(settle(none(), without(late))?, together)));
    let Some(mut ends) = ends.into_iter().collect::<Option<Vec<_>>>() else { return Solution::Oscillates };
    ends.dedup();
    match (ends.pop(), ends.is_empty()) {
        (Some(tables), true) => Solution::Solved(tables),
        _ => Solution::Ambiguous,
    }
}

fn settle(
    mut tables: Vec<Tables>,
    mut round: impl FnMut(&[Tables], &mut Vec<Tables>),
) -> Option<Vec<Tables>> {
    for _ in 0..50 + 4 * tables.len() {
        let before = tables.clone();
        round(&before, &mut tables);
        if tables == before {
            return Some(tables);
        }
    }
    None
}

fn step_alone(world: &World, tables: &mut [Tables], router: usize) {
    let before = tables.to_vec();
    step(world, &before, tables, router);
}

/// One router takes what all others send and ranks it.
fn step(world: &World, before: &[Tables], after: &mut [Tables], router: usize) {
    let Some(inputs) = world.routers.get(router) else { return };
    let mut tables = Tables::new();
    for prefix in &inputs.local {
        let route = Route::originated(no_address(prefix));
        put(&mut tables, *prefix, Origin::Local, route, Some(0));
    }
    for (session, end) in world.sessions_of(router) {
        let sender = world.sessions.get(session).and_then(|s| s.end(1 - end));
        for (prefix, paths) in sender.and_then(|sender| before.get(sender)).into_iter().flatten() {
            for (id, sent) in advertised(world, session, 1 - end, prefix, paths).into_iter().enumerate() {
                if let Some(route) = accepted(world, session, end, prefix, &sent.route) {
                    let metric = inputs.metric(route.next_hop);
                    put(&mut tables, *prefix, Origin::Session(session, id as u32), route, metric);
                }
            }
        }
    }
    for paths in tables.values_mut() {
        *paths = ranked(world, router, paths);
    }
    if let Some(place) = after.get_mut(router) {
        *place = tables;
    }
}

fn put(tables: &mut Tables, prefix: Prefix, origin: Origin, route: Route, metric: Option<u32>) {
    let held = Held { origin, route, staleness: Staleness::Fresh, metric };
    tables.entry(prefix).or_default().push(held);
}
