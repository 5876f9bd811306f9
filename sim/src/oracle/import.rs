//! What a router takes of what it is sent.

use bgp_core::Prefix;

use super::filter;
use super::route::{GRACEFUL_SHUTDOWN, Route};
use super::world::World;

/// The route that the router at `end` of a session keeps of one that the other end sent, if it keeps one.
#[must_use]
pub fn accepted(world: &World, session: usize, end: usize, prefix: &Prefix, sent: &Route) -> Option<Route> {
    let me = world.router_at(session, end)?;
    let side = world.sessions.get(session)?.sides.get(end)?;
    let mut route = sent.clone();
    let external = world.is_external(session);
    if external {
        // What an eBGP peer says of these is nothing (RFC 7606 sections 7.5, 7.9, 7.10).
        route.local_pref = None;
        route.originator = None;
        route.clusters.clear();
    }
    let looped = route.as_path.contains(me.asn)
        || route.originator == Some(me.id)
        || me.cluster.is_some_and(|own| route.clusters.contains(&own));
    let is_own = [me.v4, me.v6].contains(&route.next_hop);
    if looped || is_own {
        return None;
    }
    let source = world.source_kind(session, end);
    let mut taken = filter::ask(&side.import, me.asn, prefix, source, &route)?.route;
    if external && taken.has(GRACEFUL_SHUTDOWN) {
        // RFC 8326 section 4.1.
        taken.local_pref = Some(0);
    }
    Some(taken)
}
