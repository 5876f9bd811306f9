//! Route filters, term by term.

use std::net::IpAddr;

use bgp_core::Prefix;
use bgp_rib::SourceKind;
use bgp_rib::filter::{Action, Edit, Filter, Match, Policy, PrefixRange};

use super::route::Route;

/// What became of a route.
pub(super) struct Filtered {
    /// It passed, changed like this.
    pub(super) route: Route,
    /// The filter said what its MULTI_EXIT_DISC is.
    pub(super) sets_med: bool,
}

/// Asks a policy; `None`: the route does not pass.
pub(super) fn ask(policy: &Policy, prefix: &Prefix, source: SourceKind, route: &Route) -> Option<Filtered> {
    let mut passed = Filtered { route: route.clone(), sets_med: false };
    match policy {
        Policy::Accept => Some(passed),
        Policy::Reject => None,
        Policy::Filter(filter) => {
            let action = run(filter, prefix, source, &mut passed);
            (action == Action::Accept).then_some(passed)
        }
    }
}

fn run(filter: &Filter, prefix: &Prefix, source: SourceKind, passed: &mut Filtered) -> Action {
    let received = passed.route.clone();
    for term in &filter.terms {
        if term.matches.iter().all(|condition| matches(condition, prefix, source, &received)) {
            for edit in &term.edits {
                change(edit, passed);
            }
            if let Some(action) = term.action {
                return action;
            }
        }
    }
    filter.otherwise
}

/// Conditions look at the route as it came, not as earlier terms changed it.
fn matches(condition: &Match, prefix: &Prefix, source: SourceKind, route: &Route) -> bool {
    match condition {
        Match::Prefix(ranges) => ranges.iter().any(|range| in_range(range, prefix)),
        Match::Family(families) => families.contains(prefix.family()),
        Match::Community(wanted) => wanted.iter().any(|community| route.has(community.0)),
        Match::ExtendedCommunity(_) | Match::LargeCommunity(_) => false,
        Match::NextHop(within) => within.iter().any(|range| holds(range, route.next_hop)),
        Match::Origin(origins) => origins.iter().any(|origin| *origin as u8 == route.origin),
        Match::Source(kinds) => kinds.contains(&source),
    }
}

fn in_range(range: &PrefixRange, prefix: &Prefix) -> bool {
    let inside = prefix.len() >= range.prefix.len() && holds(&range.prefix, prefix.address());
    inside && (range.ge..=range.le).contains(&prefix.len())
}

/// Whether an address is inside a prefix.
fn holds(prefix: &Prefix, address: IpAddr) -> bool {
    let (width, bits, other) = match (prefix.address(), address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (32, u128::from(u32::from(a)), u128::from(u32::from(b))),
        (IpAddr::V6(a), IpAddr::V6(b)) => (128, u128::from(a), u128::from(b)),
        _ => return false,
    };
    let host_bits = width - u32::from(prefix.len());
    bits.checked_shr(host_bits).unwrap_or(0) == other.checked_shr(host_bits).unwrap_or(0)
}

fn change(edit: &Edit, passed: &mut Filtered) {
    let route = &mut passed.route;
    match edit {
        Edit::LocalPref(value) => route.local_pref = Some(*value),
        Edit::Med(value) => {
            route.med = *value;
            passed.sets_med = true;
        }
        Edit::AddCommunities(added) => route.communities.extend(added.iter().map(|c| c.0)),
        Edit::RemoveCommunities(removed) => removed.iter().for_each(|c| {
            route.communities.remove(&c.0);
        }),
    }
}
