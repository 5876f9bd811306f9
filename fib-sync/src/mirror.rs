//! The mirror of one routing table's foreign routes, for longest matches.

use std::net::IpAddr;
use std::num::NonZeroU32;

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use prefix_trie::{Prefix, PrefixMap};

use crate::forwarding::Way;
use crate::message::KernelRoute;

/// Whether an event told all about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Told {
    /// The model shows the kernel's state.
    Exact,
    /// It may not: the kernel must be read again.
    Doubtful,
}

/// The routes of one table.
#[derive(Default)]
pub(crate) struct Tries {
    v4: PrefixMap<Ipv4Network, Vec<MirrorRoute>>,
    v6: PrefixMap<Ipv6Network, Vec<MirrorRoute>>,
}

/// Learned from a router advertisement.
const RTPROT_RA: u8 = 9;

/// One of the routes to a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MirrorRoute {
    pub(crate) metric: u32,
    protocol: u8,
    pub(crate) way: Way,
    pub(crate) object: Option<NonZeroU32>,
}

impl MirrorRoute {
    fn new(route: &KernelRoute) -> Self {
        Self { metric: route.metric, protocol: route.protocol, way: route.way.clone(), object: route.object }
    }

    /// IPv6 routes of one metric through gateways are one multipath route, and every event tells all of
    /// it; those of router advertisements are apart.
    fn is_group(&self) -> bool {
        let through_gateway =
            matches!(&self.way, Way::Via(hops) if hops.iter().all(|hop| hop.gateway.is_some()));
        through_gateway && self.protocol != RTPROT_RA && self.object.is_none()
    }
}

impl Tries {
    /// The routes to the longest prefix that covers an address.
    pub(crate) fn longest_match(&self, address: IpAddr) -> Option<&[MirrorRoute]> {
        match address {
            IpAddr::V4(address) => self.v4.get_lpm(&address.into()).map(|(_, routes)| routes.as_slice()),
            IpAddr::V6(address) => self.v6.get_lpm(&address.into()).map(|(_, routes)| routes.as_slice()),
        }
    }

    /// Adds a route, in place of another if `replaces` (NLM_F_REPLACE).
    pub(crate) fn add(&mut self, route: KernelRoute, replaces: bool) -> Told {
        let routes = match route.prefix {
            IpNetwork::V4(prefix) => self.v4.entry(prefix).or_default(),
            IpNetwork::V6(prefix) => self.v6.entry(prefix).or_default(),
        };
        let new = MirrorRoute::new(&route);
        let group = route.prefix.is_ipv6() && new.is_group();
        let before = routes.len();
        if group {
            routes.retain(|route| route.metric != new.metric || !route.is_group());
        } else if replaces {
            routes.retain(|route| route.metric != new.metric);
        }
        let gone = before - routes.len();
        if !routes.contains(&new) {
            routes.push(new);
        }
        // The kernel replaces one route; which of several, the event does not say.
        if replaces && gone != 1 { Told::Doubtful } else { Told::Exact }
    }

    pub(crate) fn remove(&mut self, route: &KernelRoute) -> Told {
        match route.prefix {
            IpNetwork::V4(prefix) => remove(&mut self.v4, &prefix, &MirrorRoute::new(route), false),
            IpNetwork::V6(prefix) => remove(&mut self.v6, &prefix, &MirrorRoute::new(route), true),
        }
    }

    /// Whether a route names a nexthop object.
    pub(crate) fn names(&self, object: u32) -> bool {
        let names = |route: &MirrorRoute| route.object.is_some_and(|id| id.get() == object);
        self.v4.values().chain(self.v6.values()).flatten().any(names)
    }

    /// Removes what goes over a link; tells whether a route keeps other hops.
    pub(crate) fn forget(&mut self, interface: u32) -> bool {
        let partly = forget(&mut self.v4, interface);
        forget(&mut self.v6, interface) || partly
    }
}

/// `by_hop`: hops of a multipath route may go one by one.
fn remove<P: Prefix>(
    trie: &mut PrefixMap<P, Vec<MirrorRoute>>,
    prefix: &P,
    gone: &MirrorRoute,
    by_hop: bool,
) -> Told {
    let Some(routes) = trie.get_mut(prefix) else { return Told::Doubtful };
    let exact = match routes.iter().position(|route| route == gone) {
        Some(position) => {
            routes.remove(position);
            true
        }
        None => by_hop && routes.iter_mut().any(|route| subtract(route, gone)),
    };
    if routes.is_empty() {
        trie.remove(prefix);
    }
    if exact { Told::Exact } else { Told::Doubtful }
}

/// Takes one hop out of a multipath route; false if it is none of its hops.
fn subtract(route: &mut MirrorRoute, gone: &MirrorRoute) -> bool {
    let (Way::Via(hops), Way::Via(lost)) = (&route.way, &gone.way) else {
        return false;
    };
    let [lost] = lost.as_slice() else { return false };
    let is_lost = |hop: &&crate::Hop| (hop.gateway, hop.interface) == (lost.gateway, lost.interface);
    let rest: Vec<_> = hops.iter().filter(|hop| !is_lost(hop)).copied().collect();
    let found = route.metric == gone.metric && !rest.is_empty() && rest.len() < hops.len();
    if found {
        route.way = Way::via(rest);
    }
    found
}

fn forget<P: Prefix>(trie: &mut PrefixMap<P, Vec<MirrorRoute>>, interface: u32) -> bool {
    let over_link = |routes: &Vec<MirrorRoute>| routes.iter().any(|route| route.way.uses(interface));
    let affected: Vec<P> =
        trie.iter().filter(|(_, routes)| over_link(routes)).map(|(prefix, _)| prefix).collect();
    let mut partly = false;
    for prefix in affected {
        let Some(routes) = trie.get_mut(&prefix) else { continue };
        routes.retain_mut(|route| {
            let Way::Via(hops) = &mut route.way else { return true };
            let before = hops.len();
            hops.retain(|hop| hop.interface != interface);
            partly |= !hops.is_empty() && hops.len() < before;
            !hops.is_empty()
        });
        if routes.is_empty() {
            trie.remove(&prefix);
        }
    }
    partly
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forwarding::Hop;

    fn route(prefix: &str, gateways: &[&str], metric: u32, protocol: u8) -> KernelRoute {
        let hop =
            |gateway: &&str| Hop { gateway: gateway.parse().ok(), interface: 1, weight: 1, onlink: false };
        KernelRoute {
            prefix: prefix.parse().unwrap(),
            table: 254,
            protocol,
            metric,
            tos: 0,
            way: Way::via(gateways.iter().map(hop).collect()),
            options: crate::RouteOptions::default(),
            object: None,
            embellished: false,
        }
    }

    fn shown(tries: &Tries, address: &str) -> Vec<String> {
        let routes = tries.longest_match(address.parse().unwrap()).unwrap_or_default();
        routes.iter().map(|route| format!("{} {}", route.metric, route.way)).collect()
    }

    #[test]
    fn a_replacement_takes_the_place_of_the_one_route_of_its_metric() {
        let mut tries = Tries::default();
        assert_eq!(tries.add(route("10.0.0.0/8", &["10.0.0.1"], 5, 4), false), Told::Exact);
        assert_eq!(tries.add(route("10.0.0.0/8", &["10.0.0.1"], 6, 4), false), Told::Exact);
        assert_eq!(tries.add(route("10.0.0.0/8", &["10.0.0.2"], 5, 3), true), Told::Exact);
        assert_eq!(shown(&tries, "10.1.1.1"), ["6 via 10.0.0.1 interface 1", "5 via 10.0.0.2 interface 1"]);
        // Of two, the event does not say which.
        assert_eq!(tries.add(route("10.0.0.0/8", &["10.0.0.3"], 5, 4), false), Told::Exact);
        assert_eq!(tries.add(route("10.0.0.0/8", &["10.0.0.4"], 5, 4), true), Told::Doubtful);
    }

    #[test]
    fn ipv6_hops_come_as_a_group_and_go_one_by_one() {
        let mut tries = Tries::default();
        assert_eq!(tries.add(route("fd01::/64", &["fd00::1"], 5, 4), false), Told::Exact);
        assert_eq!(tries.add(route("fd01::/64", &["fd00::1", "fd00::2"], 5, 4), false), Told::Exact);
        assert_eq!(shown(&tries, "fd01::9"), ["5 via fd00::1 interface 1, via fd00::2 interface 1"]);
        assert_eq!(tries.remove(&route("fd01::/64", &["fd00::1"], 5, 4)), Told::Exact);
        assert_eq!(shown(&tries, "fd01::9"), ["5 via fd00::2 interface 1"]);
        assert_eq!(tries.remove(&route("fd01::/64", &["fd00::9"], 5, 4)), Told::Doubtful);
        assert_eq!(tries.remove(&route("fd01::/64", &["fd00::2"], 5, 4)), Told::Exact);
        assert_eq!(shown(&tries, "fd01::9"), [""; 0]);
    }

    #[test]
    fn routes_of_several_advertising_routers_stand_side_by_side() {
        let mut tries = Tries::default();
        for gateway in ["fe80::1", "fe80::2"] {
            assert_eq!(tries.add(route("::/0", &[gateway], 1024, RTPROT_RA), false), Told::Exact);
        }
        assert_eq!(shown(&tries, "2001:db8::1").len(), 2);
    }
}
