//! Route filters, term by term.

use std::net::IpAddr;

use bgp_core::wire::Community;
use bgp_core::{Asn, Prefix};
use bgp_rib::SourceKind;
use bgp_rib::filter::{Action, Change, Edit, Filter, Match, NextHopEdit, Policy, PrefixRange};

use super::route::Route;
use super::weights::{bandwidth, link_bandwidth};

/// What became of a route.
pub(super) struct Filtered {
    /// It passed, changed like this.
    pub(super) route: Route,
    /// The filter gave it a MULTI_EXIT_DISC.
    pub(super) sets_med: bool,
    /// The filter said what its next hop is to be.
    pub(super) next_hop: Option<NextHopEdit>,
}

/// Asks a policy of a router of the AS `own`; `None`: the route does not pass.
pub(super) fn ask(
    policy: &Policy,
    own: Asn,
    prefix: &Prefix,
    source: SourceKind,
    route: &Route,
) -> Option<Filtered> {
    let mut passed = Filtered { route: route.clone(), sets_med: false, next_hop: None };
    match policy {
        Policy::Accept => Some(passed),
        Policy::Reject => None,
        Policy::Filter(filter) => {
            let action = run(filter, own, prefix, source, &mut passed);
            (action == Action::Accept).then_some(passed)
        }
    }
}

fn run(filter: &Filter, own: Asn, prefix: &Prefix, source: SourceKind, passed: &mut Filtered) -> Action {
    let received = passed.route.clone();
    for term in filter.terms() {
        if term.matches.iter().all(|condition| matches(condition, prefix, source, &received)) {
            for edit in &term.edits {
                change(edit, own, passed);
            }
            if let Some(action) = term.action {
                return action;
            }
        }
    }
    filter.otherwise()
}

/// Conditions look at the route as it came, not as earlier terms changed it.
fn matches(condition: &Match, prefix: &Prefix, source: SourceKind, route: &Route) -> bool {
    match condition {
        Match::Prefix(ranges) => ranges.ranges().iter().any(|range| in_range(range, prefix)),
        Match::Family(families) => families.contains(prefix.family()),
        Match::Community(wanted) => {
            route.communities.iter().any(|c| wanted.iter().any(|pattern| pattern.matches(Community(*c))))
        }
        // The routes simulated have none of these; patterns of AS paths are not drawn.
        Match::ExtendedCommunity(_) | Match::LargeCommunity(_) | Match::AsPath(_) => false,
        Match::AsPathLength(range) => range.contains(&(route.as_path.hops() as u16)),
        Match::LocalPref(range) => route.local_pref.is_some_and(|value| range.contains(&value)),
        Match::Med(range) => route.med.is_some_and(|value| range.contains(&value)),
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

fn change(edit: &Edit, own: Asn, passed: &mut Filtered) {
    let route = &mut passed.route;
    match edit {
        Edit::LocalPref(value) => route.local_pref = Some(*value),
        Edit::Med(value) => {
            route.med = *value;
            passed.sets_med = value.is_some();
        }
        Edit::AddToMed(more) => {
            route.med = Some(route.med.unwrap_or(0).saturating_add_signed(*more));
            passed.sets_med = true;
        }
        Edit::NextHop(NextHopEdit::Address(address)) if address.is_ipv4() != route.next_hop.is_ipv4() => {}
        Edit::NextHop(next_hop) => {
            if let NextHopEdit::Address(address) = next_hop {
                route.next_hop = *address;
            }
            passed.next_hop = Some(*next_hop);
        }
        Edit::Prepend { asn, times } => {
            (0..*times).for_each(|_| route.as_path.prepend(asn.unwrap_or(own)));
        }
        Edit::Communities(Change::Add(added)) => route.communities.extend(added.iter().map(|c| c.0)),
        Edit::Communities(Change::Remove(patterns)) => {
            route.communities.retain(|c| !patterns.iter().any(|pattern| pattern.matches(Community(*c))));
        }
        Edit::Communities(Change::Replace(others)) => {
            route.communities = others.iter().map(|c| c.0).collect();
        }
        Edit::LinkBandwidth(bits) => {
            route.extended.retain(|community| bandwidth(community).is_none());
            route.extended.extend(bits.map(|bits| link_bandwidth(own, bits)));
        }
        // Not drawn.
        Edit::ExtendedCommunities(_) | Edit::LargeCommunities(_) | Edit::OnlyToCustomer(_) => {}
    }
}
