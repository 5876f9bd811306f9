//! Next-hop resolution: a mirror of the kernel's routes that are not ours, and of its links.
//!
//! No I/O: [`crate::FibSync`] feeds it from dumps and events. Memory is bounded by the kernel's own
//! foreign routes in the tables main and local, and by the addresses that are watched.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::forwarding::Hop;
use crate::interface::InterfaceName;
use crate::links::KernelLink;
use crate::message::{KernelRoute, Nexthops};
use crate::mirror::Told;
use crate::route::Gateway;
use crate::view::{LinkChange, View};

/// Whether, and how, the kernel reaches an address by routes that are not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// No route, a route that delivers to this host or refuses, or only links that are down. An IPv6
    /// link-local address without its interface is always unreachable.
    Unreachable,
    /// Through this gateway.
    Reachable {
        /// Metric of the kernel's route (`RTA_PRIORITY`); 0 for connected IPv4 networks.
        metric: u32,
        /// Interface index.
        interface: u32,
        /// The neighbour to send to: the address itself when it is directly connected.
        gateway: IpAddr,
        /// The kernel's route says not to check the gateway (`RTNH_F_ONLINK`).
        onlink: bool,
    },
}

impl Resolution {
    /// The hop to install for a next hop that resolves like this.
    pub(crate) fn hop(self, weight: u16) -> Option<Hop> {
        match self {
            Resolution::Unreachable => None,
            Resolution::Reachable { interface, gateway, onlink, .. } => {
                Some(Hop { gateway: Some(gateway), interface, weight, onlink })
            }
        }
    }
}

#[derive(Default)]
pub(crate) struct Resolver {
    pub(crate) view: View,
    /// What is being read.
    incoming: Option<View>,
    watched: HashMap<Gateway, Watched>,
    followed: HashMap<InterfaceName, Followed>,
    changed: bool,
}

/// A link that routes name.
struct Followed {
    users: usize,
    last: Option<LinkState>,
}

/// A link that is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkState {
    pub(crate) index: u32,
    /// It can carry packets: without, the kernel has no nexthop objects over it.
    pub(crate) running: bool,
}

struct Watched {
    users: usize,
    /// Asked for by the caller, who is told of changes.
    reported: bool,
    last: Resolution,
}

impl Resolver {
    /// All is going to be read again. Until the end nothing resolves differently.
    pub(crate) fn begin_reading(&mut self) {
        self.incoming = Some(View::after(&self.view));
    }

    /// What was read since the beginning is all there is.
    pub(crate) fn end_reading(&mut self) {
        if let Some(view) = self.incoming.take() {
            self.view = view;
            self.changed = true;
        }
    }

    /// What the kernel's word goes into.
    fn told(&mut self) -> &mut View {
        self.changed = true;
        self.incoming.as_mut().unwrap_or(&mut self.view)
    }

    pub(crate) fn route_added(&mut self, route: KernelRoute, replaces: bool) -> Told {
        self.told().route_added(route, replaces)
    }

    pub(crate) fn route_removed(&mut self, route: &KernelRoute) -> Told {
        self.told().route_removed(route)
    }

    /// Takes a link's new state. The kernel removes routes over a link that goes down without saying so.
    pub(crate) fn link_changed(&mut self, link: KernelLink) -> LinkChange {
        self.told().link_changed(link)
    }

    pub(crate) fn link_removed(&mut self, index: u32) -> LinkChange {
        self.told().link_removed(index)
    }

    /// All nexthop objects.
    pub(crate) fn objects_read(&mut self, objects: Nexthops) {
        self.told().objects = objects;
    }

    pub(crate) fn interface_name(&self, index: u32) -> Option<&str> {
        self.view.links.get(&index).map(|link| link.name.as_str()).filter(|name| !name.is_empty())
    }

    /// Whether a link can carry packets.
    pub(crate) fn is_running(&self, interface: u32) -> bool {
        self.view.is_running(interface)
    }

    /// How the kernel reaches an address now.
    pub(crate) fn resolve(&self, gateway: Gateway) -> Resolution {
        self.view.resolve(gateway)
    }

    /// Counts one user more of a next hop, and returns how it resolves.
    pub(crate) fn acquire(&mut self, gateway: Gateway) -> Resolution {
        let last = self.resolve(gateway);
        let watched = self.watched.entry(gateway).or_insert(Watched { users: 0, reported: false, last });
        watched.users += 1;
        watched.last
    }

    /// Counts one user less.
    pub(crate) fn release(&mut self, gateway: Gateway) {
        if let Some(watched) = self.watched.get_mut(&gateway) {
            watched.users = watched.users.saturating_sub(1);
            if watched.users == 0 && !watched.reported {
                self.watched.remove(&gateway);
            }
        }
    }

    /// The caller wants to be told of this address.
    pub(crate) fn watch(&mut self, gateway: Gateway) -> Resolution {
        let last = self.resolve(gateway);
        let watched = self.watched.entry(gateway).or_insert(Watched { users: 0, reported: true, last });
        watched.reported = true;
        watched.last
    }

    /// The caller does not want to be told any more.
    pub(crate) fn unwatch(&mut self, gateway: Gateway) {
        if let Some(watched) = self.watched.get_mut(&gateway) {
            watched.reported = false;
            if watched.users == 0 {
                self.watched.remove(&gateway);
            }
        }
    }

    /// What the users of a next hop were last told.
    pub(crate) fn known(&self, gateway: Gateway) -> Resolution {
        self.watched.get(&gateway).map_or(Resolution::Unreachable, |watched| watched.last)
    }

    /// Counts one user more of a link.
    pub(crate) fn acquire_link(&mut self, name: InterfaceName) {
        let last = self.view.link_state(&name);
        self.followed.entry(name).or_insert(Followed { users: 0, last }).users += 1;
    }

    /// Counts one user less.
    pub(crate) fn release_link(&mut self, name: InterfaceName) {
        if let Some(followed) = self.followed.get_mut(&name) {
            followed.users = followed.users.saturating_sub(1);
            if followed.users == 0 {
                self.followed.remove(&name);
            }
        }
    }

    /// The state of a link that its users were last told; `None`: it is not there, or down.
    pub(crate) fn known_link(&self, name: InterfaceName) -> Option<LinkState> {
        self.followed.get(&name).and_then(|followed| followed.last)
    }

    /// Resolves all again that is watched if anything changed since the last call, and returns what
    /// resolves differently, in the order of addresses.
    pub(crate) fn take_changes(&mut self) -> Changes {
        if !std::mem::take(&mut self.changed) {
            return Changes::default();
        }
        Changes { addresses: self.take_address_changes(), links: self.take_link_changes() }
    }

    fn take_link_changes(&mut self) -> HashSet<InterfaceName> {
        let states =
            self.followed.iter().map(|(name, followed)| (*name, followed.last, self.view.link_state(name)));
        let changed: Vec<_> = states.filter(|(_, before, after)| before != after).collect();
        for (name, _, after) in &changed {
            if let Some(followed) = self.followed.get_mut(name) {
                followed.last = *after;
            }
        }
        changed.into_iter().map(|(name, ..)| name).collect()
    }

    fn take_address_changes(&mut self) -> Vec<NextHopChange> {
        let mut changes: Vec<NextHopChange> = self
            .watched
            .iter()
            .map(|(&gateway, watched)| {
                let resolution = self.resolve(gateway);
                (
                    watched.last != resolution,
                    NextHopChange { gateway, resolution, reported: watched.reported },
                )
            })
            .filter_map(|(differs, change)| differs.then_some(change))
            .collect();
        changes.sort_unstable_by_key(|change| change.gateway);
        for change in &changes {
            if let Some(watched) = self.watched.get_mut(&change.gateway) {
                watched.last = change.resolution;
            }
        }
        changes
    }
}

/// What resolves differently than before.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) addresses: Vec<NextHopChange>,
    pub(crate) links: HashSet<InterfaceName>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.links.is_empty()
    }
}

/// A watched address that resolves differently than before.
pub(crate) struct NextHopChange {
    pub(crate) gateway: Gateway,
    pub(crate) resolution: Resolution,
    pub(crate) reported: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forwarding::Way;

    const MAIN: u32 = libc::RT_TABLE_MAIN as u32;
    const LOCAL: u32 = libc::RT_TABLE_LOCAL as u32;

    fn link(index: u32, up: bool, running: bool) -> KernelLink {
        KernelLink { index, name: format!("eth{index}"), up, running }
    }

    fn route(prefix: &str, gateway: Option<&str>, interface: u32, metric: u32) -> KernelRoute {
        let gateway = gateway.map(|gateway| gateway.parse().unwrap());
        let hop = Hop { gateway, interface, weight: 1, onlink: false };
        KernelRoute {
            prefix: prefix.parse().unwrap(),
            table: MAIN,
            protocol: 2,
            metric,
            tos: 0,
            way: Way::via(vec![hop]),
            options: crate::RouteOptions::default(),
            object: None,
            embellished: false,
        }
    }

    fn resolver() -> Resolver {
        let mut resolver = Resolver::default();
        for index in [1, 2] {
            resolver.link_changed(link(index, true, true));
        }
        resolver
    }

    fn gateway(resolver: &Resolver, address: &str) -> Option<(String, u32, u32)> {
        match resolver.resolve(address.parse::<IpAddr>().unwrap().into()) {
            Resolution::Unreachable => None,
            Resolution::Reachable { metric, interface, gateway, .. } => {
                Some((gateway.to_string(), interface, metric))
            }
        }
    }

    #[test]
    fn a_connected_address_is_its_own_gateway_and_others_go_through_theirs() {
        let mut resolver = resolver();
        let _ = resolver.route_added(route("10.0.0.0/24", None, 1, 0), false);
        let _ = resolver.route_added(route("0.0.0.0/0", Some("10.0.0.254"), 1, 100), false);
        assert_eq!(gateway(&resolver, "10.0.0.7"), Some(("10.0.0.7".into(), 1, 0)));
        assert_eq!(gateway(&resolver, "192.0.2.1"), Some(("10.0.0.254".into(), 1, 100)));
        assert_eq!(gateway(&resolver, "fd00::1"), None);
    }

    #[test]
    fn own_addresses_and_refused_destinations_are_unreachable() {
        let mut resolver = resolver();
        let _ = resolver.route_added(route("10.0.0.0/24", None, 1, 0), false);
        let local = KernelRoute { table: LOCAL, ..route("10.0.0.1/32", None, 1, 0) };
        let _ = resolver.route_added(local, false);
        let refused = KernelRoute { way: Way::Other, ..route("10.0.0.64/26", None, 1, 0) };
        let _ = resolver.route_added(refused, false);
        assert_eq!(gateway(&resolver, "10.0.0.1"), None);
        assert_eq!(gateway(&resolver, "10.0.0.65"), None);
        assert!(gateway(&resolver, "10.0.0.2").is_some());
    }

    #[test]
    fn the_lowest_metric_over_a_running_link_wins() {
        let mut resolver = resolver();
        let _ = resolver.route_added(route("0.0.0.0/0", Some("10.0.1.1"), 1, 10), false);
        let _ = resolver.route_added(route("0.0.0.0/0", Some("10.0.2.1"), 2, 20), false);
        assert_eq!(gateway(&resolver, "192.0.2.1"), Some(("10.0.1.1".into(), 1, 10)));
        assert_eq!(resolver.link_changed(link(1, true, false)), LinkChange::NoCarrier);
        assert_eq!(gateway(&resolver, "192.0.2.1"), Some(("10.0.2.1".into(), 2, 20)));
    }

    #[test]
    fn a_route_that_refuses_packets_hides_one_of_a_higher_metric() {
        let mut resolver = resolver();
        let _ = resolver.route_added(route("192.0.2.0/24", Some("10.0.1.1"), 1, 60), false);
        let refusing = KernelRoute { way: Way::Other, ..route("192.0.2.0/24", None, 1, 10) };
        let _ = resolver.route_added(refusing.clone(), false);
        assert_eq!(gateway(&resolver, "192.0.2.1"), None);
        let _ = resolver.route_removed(&refusing);
        assert_eq!(gateway(&resolver, "192.0.2.1"), Some(("10.0.1.1".into(), 1, 60)));
    }

    #[test]
    fn a_link_local_address_is_reached_while_its_link_runs() {
        let mut resolver = resolver();
        let address: IpAddr = "fe80::1".parse().unwrap();
        let on = |index: u32| Gateway::on(address, index.try_into().unwrap());
        let over =
            |interface| Resolution::Reachable { metric: 0, interface, gateway: address, onlink: false };
        assert_eq!(resolver.resolve(address.into()), Resolution::Unreachable);
        assert_eq!(
            [1, 2, 3].map(|index| resolver.resolve(on(index))),
            [over(1), over(2), Resolution::Unreachable]
        );
        resolver.link_changed(link(1, true, false));
        assert_eq!([1, 2].map(|index| resolver.resolve(on(index))), [Resolution::Unreachable, over(2)]);
        let elsewhere = Gateway { address: "fd00::1".parse().unwrap(), ..on(2) };
        assert_eq!(
            resolver.resolve(elsewhere),
            Resolution::Unreachable,
            "other addresses are found by routes"
        );
    }

    #[test]
    fn a_link_that_goes_down_takes_its_routes_along() {
        let mut resolver = resolver();
        let _ = resolver.route_added(route("10.0.0.0/24", None, 1, 0), false);
        assert_eq!(resolver.link_changed(link(1, false, false)), LinkChange::Down);
        assert_eq!(resolver.link_changed(link(1, true, true)), LinkChange::Other);
        assert_eq!(gateway(&resolver, "10.0.0.7"), None);
    }

    #[test]
    fn a_link_that_could_not_be_decoded_hides_no_route_but_takes_its_routes_along() {
        let mut resolver = resolver();
        let _ = resolver.route_added(route("10.0.3.0/24", None, 3, 0), false);
        assert_eq!(gateway(&resolver, "10.0.3.7"), Some(("10.0.3.7".into(), 3, 0)));
        assert_eq!(resolver.interface_name(3), None);
        assert_eq!(resolver.link_changed(link(3, true, false)), LinkChange::NoCarrier);
        assert_eq!(gateway(&resolver, "10.0.3.7"), None);
        resolver.begin_reading();
        let _ = resolver.route_added(route("10.0.3.0/24", None, 3, 0), false);
        resolver.end_reading();
        assert_eq!(gateway(&resolver, "10.0.3.7"), None);
        let _ = resolver.route_added(route("10.0.4.0/24", None, 4, 0), false);
        assert_eq!(resolver.link_removed(4), LinkChange::Down);
        assert_eq!(gateway(&resolver, "10.0.4.7"), None);
        // A nexthop object's route may name no link at all.
        let _ = resolver.route_added(route("10.0.5.0/24", None, 0, 0), false);
        assert_eq!(gateway(&resolver, "10.0.5.7"), None);
    }

    #[test]
    fn changes_are_told_once_and_only_of_watched_addresses() {
        let mut resolver = resolver();
        let address = Gateway::from("10.0.0.7".parse::<IpAddr>().unwrap());
        assert_eq!(resolver.watch(address), Resolution::Unreachable);
        let other = Gateway::from("10.0.0.8".parse::<IpAddr>().unwrap());
        resolver.acquire(other);
        let _ = resolver.route_added(route("10.0.0.0/24", None, 1, 0), false);
        let told: Vec<_> =
            resolver.take_changes().addresses.iter().map(|c| (c.gateway, c.reported)).collect();
        assert_eq!(told, [(address, true), (other, false)]);
        assert!(resolver.take_changes().is_empty());
        resolver.unwatch(address);
        assert_eq!(resolver.route_removed(&route("10.0.0.0/24", None, 1, 0)), Told::Exact);
        assert_eq!(resolver.take_changes().addresses.len(), 1);
    }
}
