//! Only to Customer, as RFC 9234 section 5 is written: by what the neighbour is.

use bgp_core::Asn;
use bgp_core::wire::capability::Role;

use super::route::Route;

/// What the neighbour is to whom this is `ours`.
fn neighbour(ours: Role) -> Role {
    match ours {
        Role::Provider => Role::Customer,
        Role::Customer => Role::Provider,
        Role::Peer => Role::Peer,
        Role::RouteServer => Role::RouteServerClient,
        Role::RouteServerClient => Role::RouteServer,
        // Not drawn.
        Role::Other(number) => Role::Other(number),
    }
}

/// What becomes of a route that comes from a neighbour in `remote`; `None`: it was leaked.
pub(super) fn come(ours: Option<Role>, remote: Asn, mut route: Route) -> Option<Route> {
    match (ours.map(neighbour), route.only_to_customer) {
        (Some(Role::Customer | Role::RouteServerClient), Some(_)) => None,
        (Some(Role::Peer), Some(marked)) if marked != remote => None,
        (Some(Role::Provider | Role::Peer | Role::RouteServer), None) => {
            route.only_to_customer = Some(remote);
            Some(route)
        }
        _ => Some(route),
    }
}

/// Whether a route may go to the neighbour.
pub(super) fn may_leave(ours: Option<Role>, route: &Route) -> bool {
    let to_customers = !matches!(ours.map(neighbour), Some(Role::Provider | Role::Peer | Role::RouteServer));
    to_customers || route.only_to_customer.is_none()
}

/// Marks a route that goes to the neighbour from the AS `local`.
pub(super) fn leave(ours: Option<Role>, local: Asn, route: &mut Route) {
    if let Some(Role::Customer | Role::Peer | Role::RouteServerClient) = ours.map(neighbour) {
        route.only_to_customer.get_or_insert(local);
    }
}
