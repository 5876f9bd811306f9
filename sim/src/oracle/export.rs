//! What a router sends.

use std::net::IpAddr;

use bgp_core::{Asn, Prefix};
use bgp_rib::filter::NextHopEdit;
use bgp_rib::{Advertise, NextHopRule, SourceKind, TargetKind};
use bgp_router::PrivateNumbers;

use super::as_path::AsPath;
use super::decide::{multipath, source_kind};
use super::route::{GRACEFUL_SHUTDOWN, LLGR_STALE, NO_ADVERTISE, NO_EXPORT, NO_EXPORT_SUBCONFED, Route};
use super::state::{Held, Origin, Staleness};
use super::world::{RouterInputs, World};
use super::{filter, roles};
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
    let role = inputs.role(end).filter(|_| target == TargetKind::External);
    let allowed = communities_allow(&path.route, target) && roles::may_leave(role, &path.route);
    if !may_pass(world, session, end, path) || !allowed {
        return None;
    }
    let family = usize::from(matches!(prefix, Prefix::V6(_)));
    let knows_long_lived = inputs.agreed(end)?.long_lived.get(family) == Some(&true);
    let long_lived = path.staleness == Staleness::LongLived;
    if (long_lived || path.route.has(LLGR_STALE)) && !knows_long_lived {
        return None;
    }
    let filter::Filtered { mut route, sets_med, next_hop: wanted } =
        filter::ask(&side.export, world.known_as(session, end)?, prefix, source, &path.route)?;
    if long_lived {
        route.communities.insert(LLGR_STALE);
    }
    route.next_hop = match wanted {
        None => next_hop(me, side, prefix, source, target, route.next_hop),
        Some(NextHopEdit::Address(address)) => address,
        Some(NextHopEdit::Unchanged) if source != SourceKind::Local => route.next_hop,
        Some(NextHopEdit::Own | NextHopEdit::Unchanged) => me.own_address(prefix),
    };
    match target {
        TargetKind::External => {
            route.as_path = path_outside(world, session, end, &route.as_path)?;
            leave_as(&mut route, source, sets_med);
            roles::leave(role, world.known_as(session, end)?, &mut route);
        }
        TargetKind::Confederation => {
            route.as_path.prepend_member(me.asn);
            stay_inside(&mut route);
        }
        TargetKind::Internal | TargetKind::Client => stay_in_as(world, me, path, source, &mut route),
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
    let to_inside = matches!(target, TargetKind::Internal | TargetKind::Client);
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
    let leaves_member = leaves || target == TargetKind::Confederation;
    let stays = route.has(NO_ADVERTISE)
        || (leaves && route.has(NO_EXPORT))
        || (leaves_member && route.has(NO_EXPORT_SUBCONFED));
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

/// The path that another AS is told: its own AS and private ones changed as configured, in front of it ours, or a former
/// one with or without ours behind it (RFC 7705 section 3.2).
fn path_outside(world: &World, session: usize, end: usize, inside: &AsPath) -> Option<AsPath> {
    let inputs = world.sessions.get(session)?;
    let (me, side) = (world.router_at(session, end)?, inputs.sides.get(end)?);
    let (us, peer) = (world.known_as(session, end)?, world.known_as(session, 1_usize.checked_sub(end)?)?);
    let mut path = inside.clone();
    path.drop_members();
    path.replace(|asn| match side.private {
        _ if asn == peer && side.overrides => Some(us),
        PrivateNumbers::Remove if is_private(asn) && asn != peer => None,
        PrivateNumbers::Replace if is_private(asn) && asn != peer => Some(us),
        _ => Some(asn),
    });
    if let Some(former) = inputs.border.local_as.get(end).copied().flatten().filter(|former| !former.replaces)
    {
        let own = me.confederation.unwrap_or(me.asn);
        if own != former.asn {
            path.prepend(own);
        }
    }
    path.prepend(us);
    Some(path)
}

/// RFC 6996 section 5.
fn is_private(Asn(number): Asn) -> bool {
    (64512..=65534).contains(&number) || (4_200_000_000..=4_294_967_294).contains(&number)
}

fn leave_as(route: &mut Route, source: SourceKind, sets_med: bool) {
    route.local_pref = None;
    route.originator = None;
    route.clusters.clear();
    if source != SourceKind::Local && !sets_med {
        route.med = None;
    }
    if source != SourceKind::Local {
        // RFC 4360 section 6: those that are not transitive.
        route.extended.retain(|community| community.first().is_some_and(|kind| kind & 0x40 == 0));
    }
}

/// To another member AS of the confederation.
fn stay_inside(route: &mut Route) {
    route.local_pref = Some(route.local_pref.unwrap_or(DEFAULT_LOCAL_PREF));
    route.originator = None;
    route.clusters.clear();
}

fn stay_in_as(world: &World, me: &RouterInputs, path: &Held, source: SourceKind, route: &mut Route) {
    if matches!(source, SourceKind::Internal | SourceKind::Client) {
        route.local_pref = Some(route.local_pref.unwrap_or(DEFAULT_LOCAL_PREF));
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
        stay_inside(route);
    }
}
