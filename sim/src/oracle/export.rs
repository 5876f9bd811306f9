//! What a router sends.

use std::net::IpAddr;

use bgp_core::Prefix;
use bgp_rib::filter::NextHopEdit;
use bgp_rib::{Advertise, NextHopRule, SourceKind, TargetKind};

use super::decide::{multipath, source_kind};
use super::filter;
use super::route::{GRACEFUL_SHUTDOWN, LLGR_STALE, NO_ADVERTISE, NO_EXPORT, NO_EXPORT_SUBCONFED, Route};
use super::state::{Held, Origin, Staleness};
use super::world::{RouterInputs, World};
use crate::spec::SideSpec;

/// LOCAL_PREF of a route that leaves for an iBGP peer without one.
const DEFAULT_LOCAL_PREF: u32 = 100;

/// A path that goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Where the router has it from.
    pub origin: Origin,
    /// As it goes out.
    pub route: Route,
}

/// What the router at `end` of a session sends of its paths to one destination, ranked best first. Without ADD-PATH one
/// at most.
#[must_use]
pub fn advertised(world: &World, session: usize, end: usize, prefix: &Prefix, ranked: &[Held]) -> Vec<Sent> {
    let Some(inputs) = world.sessions.get(session) else { return Vec::new() };
    let (Some(me), Some(side), Some(agreed)) = (inputs.end(end), inputs.sides.get(end), inputs.agreed(end))
    else {
        return Vec::new();
    };
    let family = usize::from(matches!(prefix, Prefix::V6(_)));
    let several = agreed.add_path.get(family) == Some(&true);
    let eligible: Vec<Held> = ranked.iter().filter(|path| path.metric.is_some()).cloned().collect();
    let goes = |path: &Held| outgoing(world, session, end, prefix, path).map(|route| (path.origin, route));
    let passing = || eligible.iter().filter_map(goes);
    let chosen: Vec<(Origin, Route)> = match (side.advertise, several) {
        (Advertise::BestExternal, _) => {
            let mut allowed = eligible.iter().filter(|path| may_pass(world, session, end, path));
            allowed.next().and_then(goes).into_iter().collect()
        }
        (Advertise::All, true) => passing().collect(),
        (Advertise::Count(count), true) => passing().take(count.get().into()).collect(),
        (Advertise::Ecmp, true) => multipath(world, me, &eligible).iter().filter_map(goes).collect(),
        _ => eligible.iter().take(1).filter_map(goes).collect(),
    };
    // Nobody is sent what it sent.
    let is_own = |origin: &Origin| matches!(origin, Origin::Session(from, _) if *from == session);
    let others = chosen.into_iter().filter(|(origin, _)| !is_own(origin));
    others.map(|(origin, route)| Sent { origin, route }).collect()
}

/// A path as it goes out over a session, if it may go there, whoever it came from.
#[must_use]
pub fn outgoing(world: &World, session: usize, end: usize, prefix: &Prefix, path: &Held) -> Option<Route> {
    let inputs = world.sessions.get(session)?;
    let me = world.routers.get(inputs.end(end)?)?;
    let side = inputs.sides.get(end)?;
    let source = source_kind(world, inputs.end(end)?, path);
    let target = world.target_kind(session, end);
    if !may_pass(world, session, end, path) || !communities_allow(&path.route, target) {
        return None;
    }
    let family = usize::from(matches!(prefix, Prefix::V6(_)));
    let knows_long_lived = inputs.agreed(end)?.long_lived.get(family) == Some(&true);
    let long_lived = path.staleness == Staleness::LongLived;
    if (long_lived || path.route.has(LLGR_STALE)) && !knows_long_lived {
        return None;
    }
    let filter::Filtered { mut route, sets_med, next_hop: wanted } =
        filter::ask(&side.export, me.asn, prefix, source, &path.route)?;
    if long_lived {
        route.communities.insert(LLGR_STALE);
    }
    route.next_hop = match wanted {
        None => next_hop(me, side, prefix, source, target, route.next_hop),
        Some(NextHopEdit::Address(address)) => address,
        Some(NextHopEdit::Unchanged) if source != SourceKind::Local => route.next_hop,
        Some(NextHopEdit::Own | NextHopEdit::Unchanged) => me.own_address(prefix),
    };
    if target == TargetKind::External {
        leave_as(&mut route, me, source, sets_med);
    } else {
        stay_in_as(world, me, path, source, &mut route);
    }
    if me.draining {
        route.communities.insert(GRACEFUL_SHUTDOWN);
        route.local_pref = route.local_pref.map(|_| 0);
    }
    Some(route)
}

/// Whether a path from who it came from may go over a session at all.
fn may_pass(world: &World, session: usize, end: usize, path: &Held) -> bool {
    let Some(number) = world.sessions.get(session).and_then(|s| s.end(end)) else { return false };
    let reflector = world.routers.get(number).is_some_and(|me| me.cluster.is_some());
    may_go(source_kind(world, number, path), world.target_kind(session, end), reflector)
}

/// RFC 4271 section 9.2, RFC 4456 section 6.
fn may_go(source: SourceKind, target: TargetKind, reflector: bool) -> bool {
    let from_inside = matches!(source, SourceKind::Internal | SourceKind::Client);
    let to_inside = target != TargetKind::External;
    if from_inside && to_inside {
        let between_non_clients = source == SourceKind::Internal && target == TargetKind::Internal;
        reflector && !between_non_clients
    } else {
        true
    }
}

/// RFC 1997.
fn communities_allow(route: &Route, target: TargetKind) -> bool {
    let leaves = target == TargetKind::External;
    let kept_inside = route.has(NO_EXPORT) || route.has(NO_EXPORT_SUBCONFED);
    let stays = route.has(NO_ADVERTISE) || (leaves && kept_inside);
    !stays
}

fn next_hop(
    me: &RouterInputs,
    side: &SideSpec,
    prefix: &Prefix,
    source: SourceKind,
    target: TargetKind,
    received: IpAddr,
) -> IpAddr {
    let own = me.own_address(prefix);
    let is_local = source == SourceKind::Local;
    let leaves = target == TargetKind::External;
    let by_default = if is_local || leaves { own } else { received };
    match (side.next_hop, prefix) {
        (NextHopRule::Auto, _) => by_default,
        (NextHopRule::OwnForExternal, _) if source == SourceKind::External => own,
        (NextHopRule::OwnForExternal, _) => by_default,
        (NextHopRule::Own, _) => own,
        (NextHopRule::Unchanged, _) if is_local => own,
        (NextHopRule::Unchanged, _) => received,
        (NextHopRule::Set { v4, .. }, Prefix::V4(_)) => v4.map_or(by_default, IpAddr::V4),
        (NextHopRule::Set { v6, .. }, Prefix::V6(_)) => v6.map_or(by_default, IpAddr::V6),
    }
}

fn leave_as(route: &mut Route, me: &RouterInputs, source: SourceKind, sets_med: bool) {
    route.as_path.prepend(me.asn);
    route.local_pref = None;
    route.originator = None;
    route.clusters.clear();
    if source != SourceKind::Local && !sets_med {
        route.med = None;
    }
}

fn stay_in_as(world: &World, me: &RouterInputs, path: &Held, source: SourceKind, route: &mut Route) {
    route.local_pref = Some(route.local_pref.unwrap_or(DEFAULT_LOCAL_PREF));
    if matches!(source, SourceKind::Internal | SourceKind::Client) {
        if route.originator.is_none()
            && let Origin::Session(session, _) = path.origin
        {
            let ends = world.sessions.get(session).map(|s| s.ends).into_iter().flatten();
            let mut others = ends.filter_map(|end| world.routers.get(end)).filter(|r| r.id != me.id);
            route.originator = others.next().map(|other| other.id);
        }
        if let Some(cluster) = me.cluster {
            route.clusters.insert(0, cluster);
        }
    } else {
        route.originator = None;
        route.clusters.clear();
    }
}
