//! The model as an observer of runs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bgp_core::{Family, Instant};
use bgp_rib::filter::Edit;
use bgp_rib::table::DestId;
use bgp_rib::{FibNextHop, Path, RouteView};
use bgp_router::{PrivateNumbers, Router};

use super::look::{in_use, look};
use super::rounds::{Solution, rounds};
use super::state::{Finding, RouterState, State};
use super::step::check_rank;
use super::tap::Tap;
use super::world::World;
use super::{check, ghosts, multipath};
use crate::network::Network;
use crate::observe::{Failure, Observer, Read, Verdict};
use crate::spec::{SideSpec, Spec};

/// Listens to a run and judges its end.
#[derive(Debug, Default)]
pub struct Judge {
    tap: Tap,
}

impl Observer for Judge {
    fn read(&mut self, read: &Read) {
        self.tap.read(read.connection, read.from, &read.octets);
    }

    /// Long-lived stale routes are gone at the end: their rank is looked at while they are there.
    fn step(&mut self, network: &Network, _now: Instant) -> Verdict {
        for place in network.touched() {
            let Some(router) = network.router(*place).filter(|router| has_long_lived(router)) else {
                continue;
            };
            let world = World::of(network, &self.tap);
            let held = RouterState { tables: look(&world, *place, router), fib: None };
            if let Some(finding) = check_rank(&world, *place, &held).first() {
                return Err(Failure { check: finding.check, what: finding.to_string() });
            }
        }
        Ok(())
    }

    fn excuses(&mut self, network: &Network) -> bool {
        let mut world = World::of(network, &self.tap);
        // A network whose routes never rest may not have come to its last sessions when it is given up.
        world.assume_up();
        may_be_restless(&world)
    }

    fn end(&mut self, network: &Network, _spec: &Spec) -> Verdict {
        let world = World::of(network, &self.tap);
        let state = state_of(network, &world, &self.tap);
        let mut findings = check(&world, &state);
        findings.extend(ghosts(&world, &state));
        findings.extend(check_use(network, &world, &state));
        if let Some(first) = findings.first() {
            return Err(Failure { check: first.check, what: text(&findings) });
        }
        Ok(())
    }
}

fn has_long_lived(router: &Router) -> bool {
    let rib = router.core().rib();
    [Family::IPV4_UNICAST, Family::IPV6_UNICAST].into_iter().any(|family| {
        let first = rib.next_route(family, DestId::FIRST);
        let next = |route: &RouteView<'_>| rib.next_route(family, route.cursor());
        std::iter::successors(first, next).any(|route| route.paths.iter().any(Path::is_long_lived))
    })
}

/// The first few findings, a line each.
fn text(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().take(5).map(ToString::to_string).collect();
    match findings.len() {
        0..=5 => lines.join("\n"),
        more => format!("{}\nand {} more", lines.join("\n"), more - lines.len()),
    }
}

/// Everything that the network holds, as far as the model speaks of it.
#[must_use]
pub fn state_of(network: &Network, world: &World, tap: &Tap) -> State {
    let mut state = State::default();
    for place in 0..world.routers.len() {
        let tables = network.router(place).map(|router| look(world, place, router)).unwrap_or_default();
        let fib =
            network.fib(place).map(|fib| fib.iter().map(|(prefix, hops)| (*prefix, shares(hops))).collect());
        state.routers.push(RouterState { tables, fib });
    }
    for session in 0..world.sessions.len() {
        let Some(connection) = network.connection(session) else { continue };
        for from in 0..2 {
            if let Some(received) = tap.received(connection.id, from) {
                state.sent.insert((session, from), received.routes.clone());
            }
        }
    }
    state
}

fn shares(hops: &[FibNextHop]) -> BTreeMap<IpAddr, u8> {
    hops.iter().map(|hop| (hop.gateway, hop.weight.get())).collect()
}

/// Whether routers say of the right paths that they are in use.
fn check_use(network: &Network, world: &World, state: &State) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (place, held) in state.routers.iter().enumerate() {
        let Some(router) = network.router(place) else { continue };
        for (prefix, found) in in_use(world, place, router) {
            let paths = held.tables.get(&prefix).map(Vec::as_slice).unwrap_or_default();
            let expected = multipath(world, place, paths).iter().map(|path| path.origin).collect();
            if found != expected {
                let what = format!("expected {expected:?}, found {found:?}");
                let (session, prefix) = (None, Some(prefix));
                findings.push(Finding { check: "in use", router: place, session, prefix, what });
            }
        }
    }
    findings
}

/// Whether the routes of such a network may change for ever: in some order of turns, or the order decides, and reflection,
/// MULTI_EXIT_DISC (RFC 3345) or LOCAL_PREF (RFC 4264) is why. Two routers that each prefer the other's route, and change at
/// the same time on links that are equally long, never agree which of them gives way. So it is between member ASes, which do
/// not count as hops, and where private ones are taken off.
fn may_be_restless(world: &World) -> bool {
    match rounds(world) {
        Solution::Solved(_) => false,
        Solution::Oscillates => true,
        Solution::Ambiguous => {
            world.routers.iter().any(|router| router.cluster.is_some() || router.confederation.is_some())
                || world.sessions.iter().flat_map(|session| &session.sides).any(sets_preference)
        }
    }
}

fn sets_preference(side: &SideSpec) -> bool {
    if side.private == PrivateNumbers::Remove {
        return true;
    }
    let filters = [&side.import, &side.export].into_iter().filter_map(|policy| policy.filter());
    filters
        .flat_map(|filter| filter.terms())
        .flat_map(|term| &term.edits)
        .any(|edit| matches!(edit, Edit::Med(_) | Edit::LocalPref(_)))
}
