//! What must hold of a router's tables at every moment.

use std::collections::{BTreeMap, BTreeSet};

use bgp_core::{Family, Instant, Prefix};
use bgp_rib::table::DestId;
use bgp_rib::{Path, PeerId};

use super::book::End;
use super::{SLACK, failure, sessions_of};
use crate::network::{Network, router_id};
use crate::observe::Verdict;
use crate::oracle::{Route, Tap};
use crate::spec::Event;

pub(super) const FAMILIES: [Family; 2] = [Family::IPV4_UNICAST, Family::IPV6_UNICAST];

/// All paths that a router has from others.
fn for_each_path(network: &Network, number: usize, mut on: impl FnMut(Prefix, &Path) -> Verdict) -> Verdict {
    let Some(router) = network.router(number) else { return Ok(()) };
    for family in FAMILIES {
        let mut from = DestId::FIRST;
        while let Some(route) = router.core().rib().next_route(family, from) {
            from = route.cursor();
            let others = route.paths.iter().filter(|path| path.slot() != PeerId::LOCAL.slot);
            others.into_iter().try_for_each(|path| on(route.prefix, path))?;
        }
    }
    Ok(())
}

/// The destinations and path identifiers of what a session has brought.
pub(super) fn keys(network: &Network, number: usize, session: usize, end: usize) -> BTreeSet<(Prefix, u32)> {
    let mut keys = BTreeSet::new();
    let slot = network.slot(session, end);
    let all = for_each_path(network, number, |prefix, path| {
        if Some(path.slot()) == slot {
            keys.insert((prefix, path.path_id.0));
        }
        Ok(())
    });
    debug_assert!(all.is_ok());
    keys
}

/// Checks every path of a router. `froze`: its clock has not run all the time, so that it may be late.
pub(super) fn check(
    network: &Network,
    tap: &Tap,
    ends: &BTreeMap<(usize, usize), End>,
    now: Instant,
    number: usize,
    froze: bool,
) -> Verdict {
    let mut by_slot = BTreeMap::new();
    for (session, end) in sessions_of(network, number) {
        if let Some(slot) = network.slot(session, end) {
            by_slot.insert(slot, (session, end));
        }
    }
    for_each_path(network, number, |prefix, path| {
        check_loop(network, number, prefix, path)?;
        let Some((session, end)) = by_slot.get(&path.slot()).copied() else {
            return Err(failure("dead", format!("router {number}, {prefix}: from nobody it knows")));
        };
        let Some(book) = ends.get(&(session, end)) else { return Ok(()) };
        let wrong = match book.connection {
            Some(connection) => check_live(tap, book, connection, end, prefix, path),
            None if froze => None,
            None => check_dead(book, now, prefix, path),
        };
        match wrong {
            None => Ok(()),
            Some((check, what)) => {
                let what = format!("router {number}, session {session}, {prefix}: {what}");
                Err(failure(check, what))
            }
        }
    })
}

fn check_loop(network: &Network, number: usize, prefix: Prefix, path: &Path) -> Verdict {
    let Some(me) = network.spec().routers.get(number) else { return Ok(()) };
    let Some(route) = Route::read(path.attrs.block(), Some(path.attrs.next_hop())) else { return Ok(()) };
    let times =
        route.as_path.count(&[Some(me.asn), me.confederation].into_iter().flatten().collect::<Vec<_>>());
    let looped = (times > 0 && times > most_allowed(network, number))
        || route.originator == Some(router_id(number))
        || me.cluster.is_some_and(|own| route.clusters.contains(&own));
    if looped {
        return Err(failure("loop", format!("router {number}, {prefix}: {route:?}")));
    }
    Ok(())
}

/// How often the router's own AS may be on a path, as it is configured at some time for some session.
fn most_allowed(network: &Network, number: usize) -> usize {
    let spec = network.spec();
    let mine = |session: usize, end: usize| {
        spec.sessions.get(session).and_then(|s| s.ends.get(end)).is_some_and(|at| *at == number)
    };
    let first = spec.sessions.iter().enumerate().flat_map(|(session, line)| {
        let sides = line.sides.iter().enumerate();
        sides.filter(move |(end, _)| mine(session, *end)).map(|(_, side)| side.allow_own)
    });
    let later = spec.events.iter().filter_map(|(_, event)| match event {
        Event::Configure(session, end, side) if mine(*session, *end) => Some(side.allow_own),
        _ => None,
    });
    first.chain(later).max().unwrap_or(0).into()
}

type Wrong = Option<(&'static str, String)>;

/// A path whose session is up.
fn check_live(tap: &Tap, book: &End, connection: u64, end: usize, prefix: Prefix, path: &Path) -> Wrong {
    let received = tap.received(connection, 1 - end.min(1)).filter(|received| !received.garbled)?;
    // Whoever spoke in a router's place was not listened to, and so it is not known what was agreed.
    tap.agreed(connection)?;
    let family = usize::from(prefix.address().is_ipv6());
    let is_announced = received.routes.contains_key(&(prefix, path.path_id.0));
    if is_announced {
        return None;
    }
    if !path.is_stale() {
        return Some(("unannounced", format!("path {} is held as if it were", path.path_id.0)));
    }
    let refreshed = received.end_of_rib.contains(&family) && !book.refreshing.contains(&family);
    refreshed.then(|| ("stale", format!("path {} is kept after End-of-RIB", path.path_id.0)))
}

/// A path whose session is down.
fn check_dead(book: &End, now: Instant, prefix: Prefix, path: &Path) -> Wrong {
    let family = usize::from(prefix.address().is_ipv6());
    let Some(lost) = &book.lost else { return Some(("dead", "its session never was".to_owned())) };
    let until = if path.is_long_lived() { lost.long_until } else { lost.until };
    match until.get(family).copied().flatten() {
        None => Some(("dead", "nothing was agreed on keeping it".to_owned())),
        Some(until) if until + SLACK < now => {
            Some(("dead", format!("to be kept until {until}, but it is {now}")))
        }
        Some(_) if !path.is_stale() => Some(("dead", "it is not marked stale".to_owned())),
        Some(_) => None,
    }
}
