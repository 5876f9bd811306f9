//! What a router takes of what it is sent.

use bgp_core::{Asn, Prefix};

use super::route::{GRACEFUL_SHUTDOWN, Route};
use super::world::{Between, World};
use super::{filter, roles};

/// The route that the router at `end` of a session keeps of one that the other end sent, if it keeps one.
#[must_use]
pub fn accepted(world: &World, session: usize, end: usize, prefix: &Prefix, sent: &Route) -> Option<Route> {
    let me = world.router_at(session, end)?;
    let inputs = world.sessions.get(session)?;
    let side = inputs.sides.get(end)?;
    let neighbour = world.known_as(session, 1_usize.checked_sub(end)?)?;
    let between = world.between(session);
    let mut route = sent.clone();
    if between == Between::Ases {
        // What an eBGP peer says of these is nothing (RFC 7606 sections 7.5, 7.9, 7.10).
        route.local_pref = None;
        route.originator = None;
        route.clusters.clear();
    }
    let ours: Vec<Asn> =
        [Some(me.asn), me.confederation, inputs.former_as(end)].into_iter().flatten().collect();
    let looped = route.as_path.count(&ours) > usize::from(side.allow_own)
        || route.originator == Some(me.id)
        || me.cluster.is_some_and(|own| route.clusters.contains(&own));
    let is_own = [me.v4, me.v6].contains(&route.next_hop);
    let is_anothers = match between {
        Between::Ases => side.enforce_first_as && route.as_path.neighbour() != Some(neighbour),
        Between::Members => !route.as_path.begins_with_members(),
        Between::Nothing => false,
    };
    if looped || is_own || is_anothers {
        return None;
    }
    let source = world.source_kind(session, end);
    if between != Between::Ases {
        return Some(filter::ask(&side.import, me.asn, prefix, source, &route)?.route);
    }
    let former = inputs.border.local_as.get(end).copied().flatten();
    if let Some(former) = former.filter(|former| former.prepends_received) {
        // RFC 7705 section 3.3.
        route.as_path.prepend(former.asn);
    }
    let mut taken = filter::ask(&side.import, world.known_as(session, end)?, prefix, source, &route)?.route;
    if taken.has(GRACEFUL_SHUTDOWN) {
        // RFC 8326 section 4.1.
        taken.local_pref = Some(0);
    }
    roles::come(inputs.role(end), neighbour, taken)
}
