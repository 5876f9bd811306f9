//! What the kernel says about others' routes, links and nexthop objects, and where it sends packets by them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;

use crate::forwarding::{Hop, Way};
use crate::interface::InterfaceName;
use crate::links::KernelLink;
use crate::message::{KernelNexthop, KernelRoute, Nexthop, Nexthops};
use crate::mirror::{MirrorRoute, Told, Tries};
use crate::objects::way_of;
use crate::resolve::{LinkState, Resolution};
use crate::route::Gateway;

/// The kernel's state at one time, kept true by events.
#[derive(Default)]
pub(crate) struct View {
    main: Tries,
    local: Tries,
    pub(crate) links: HashMap<u32, KernelLink>,
    indices: HashMap<InterfaceName, u32>,
    /// The links as they were known before all was read again.
    former: HashMap<u32, KernelLink>,
    /// Everybody's nexthop objects: a route may name one instead of its hops.
    pub(crate) objects: Nexthops,
    /// A multipath route lost a hop with its link: the kernel revives it when the link comes back.
    dormant_hops: bool,
}

/// What a link event means for routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkChange {
    /// Nothing.
    None,
    /// Routes over it are gone, and nexthop objects.
    Down,
    /// Nexthop objects over it are gone.
    NoCarrier,
    /// It is up again, and so may be hops of multipath routes.
    Revived,
    /// Something else: its carrier is back, it came up, or it has another name.
    Other,
}

impl View {
    /// An empty one, that knows how links were before.
    pub(crate) fn after(before: &View) -> Self {
        Self { former: before.links.clone(), ..Self::default() }
    }

    pub(crate) fn route_added(&mut self, route: KernelRoute, replaces: bool) -> Told {
        self.presume_links(&route.way);
        self.tries(route.table).map_or(Told::Exact, |tries| tries.add(route, replaces))
    }

    /// The kernel has routes only over links that are up, so one that could not be decoded hides none:
    /// it is as events told last, or else running.
    fn presume_links(&mut self, way: &Way) {
        let Way::Via(hops) = way else { return };
        for index in hops.iter().map(|hop| hop.interface).filter(|index| *index != 0) {
            self.links.entry(index).or_insert_with(|| {
                let former = self.former.remove(&index).filter(|link| link.up);
                former.unwrap_or(KernelLink { index, name: String::new(), up: true, running: true })
            });
        }
    }

    pub(crate) fn route_removed(&mut self, route: &KernelRoute) -> Told {
        self.tries(route.table).map_or(Told::Exact, |tries| tries.remove(route))
    }

    /// Takes a link's new state. The kernel removes routes over a link that goes down without saying so.
    pub(crate) fn link_changed(&mut self, link: KernelLink) -> LinkChange {
        let former = self.links.get(&link.index);
        let before = former.map_or((false, false), |link| (link.up, link.running));
        let renamed = former.is_none_or(|former| former.name != link.name);
        let (index, after) = (link.index, (link.up, link.running));
        if renamed {
            self.forget_name(index);
            self.indices.extend(link.name.parse().ok().map(|name| (name, index)));
        }
        self.links.insert(index, link);
        match self.link_transition(index, before, after) {
            LinkChange::None if renamed => LinkChange::Other,
            change => change,
        }
    }

    pub(crate) fn link_removed(&mut self, index: u32) -> LinkChange {
        self.forget_name(index);
        let before = self.links.remove(&index).map_or((false, false), |link| (link.up, link.running));
        self.link_transition(index, before, (false, false))
    }

    /// Before a link gets another name, or goes.
    fn forget_name(&mut self, index: u32) {
        let name = self.links.get(&index).and_then(|link| link.name.parse().ok());
        if let Some(name) = name.filter(|name| self.indices.get(name) == Some(&index)) {
            self.indices.remove(&name);
        }
    }

    fn link_transition(&mut self, index: u32, before: (bool, bool), after: (bool, bool)) -> LinkChange {
        if before == after {
            return LinkChange::None;
        }
        match (before.0, after.0) {
            (true, false) => {
                self.dormant_hops |= self.main.forget(index);
                LinkChange::Down
            }
            (false, true) if std::mem::take(&mut self.dormant_hops) => LinkChange::Revived,
            _ if before.1 && !after.1 => LinkChange::NoCarrier,
            _ => LinkChange::Other,
        }
    }

    /// The link of this name, if it is up.
    pub(crate) fn link_state(&self, name: &InterfaceName) -> Option<LinkState> {
        let link = self.links.get(self.indices.get(name)?).filter(|link| link.up)?;
        Some(LinkState { index: link.index, running: link.running })
    }

    pub(crate) fn is_running(&self, interface: u32) -> bool {
        self.links.get(&interface).is_some_and(|link| link.up && link.running)
    }

    /// Whether a nexthop object goes over a link.
    pub(crate) fn has_object_over(&self, interface: u32, is_ours: impl Fn(u32) -> bool) -> bool {
        let over = |object: &KernelNexthop| {
            matches!(&object.nexthop, Nexthop::Hop(hop) if hop.interface == interface) && !is_ours(object.id)
        };
        self.objects.values().any(over)
    }

    /// Whether a route names an object.
    pub(crate) fn names(&self, object: u32) -> bool {
        self.main.names(object) || self.local.names(object)
    }

    fn tries(&mut self, table: u32) -> Option<&mut Tries> {
        match table {
            MAIN => Some(&mut self.main),
            LOCAL => Some(&mut self.local),
            _ => None,
        }
    }

    /// How the kernel reaches an address now.
    pub(crate) fn resolve(&self, gateway: Gateway) -> Resolution {
        let address = gateway.address;
        if matches!(address, IpAddr::V6(address) if address.is_unicast_link_local()) {
            return self.resolve_on_link(gateway);
        }
        if self.local.longest_match(address).is_some() {
            return Resolution::Unreachable;
        }
        let best =
            self.main.longest_match(address).and_then(|routes| routes.iter().min_by_key(|r| self.rank(r)));
        let Some(route) = best else { return Resolution::Unreachable };
        match self.usable_hop(route) {
            None => Resolution::Unreachable,
            Some(hop) => Resolution::Reachable {
                metric: route.metric,
                interface: hop.interface,
                gateway: hop.gateway.unwrap_or(address),
                onlink: hop.onlink,
            },
        }
    }

    /// A link-local address is on its link, whatever the routes say.
    fn resolve_on_link(&self, gateway: Gateway) -> Resolution {
        match gateway.interface.map(NonZeroU32::get).filter(|interface| self.is_running(*interface)) {
            None => Resolution::Unreachable,
            Some(interface) => {
                Resolution::Reachable { metric: 0, interface, gateway: gateway.address, onlink: false }
            }
        }
    }

    /// Routes over links that run come first, then the lower metric. One that refuses packets needs no link.
    fn rank(&self, route: &MirrorRoute) -> (bool, u32) {
        let is_dead = matches!(route.way, Way::Via(_)) && self.usable_hop(route).is_none();
        (is_dead, route.metric)
    }

    /// Without `net.ipv4.nexthop_compat_mode` the hops of an object are told with the object only.
    fn usable_hop(&self, route: &MirrorRoute) -> Option<Hop> {
        let get = |id: u32| self.objects.get(&id).map(|object| &object.nexthop);
        let told = route.object.and_then(|id| way_of(id.get(), get));
        let way = told.as_ref().unwrap_or(&route.way);
        way.hops().iter().find(|hop| self.is_running(hop.interface)).copied()
    }
}

const MAIN: u32 = libc::RT_TABLE_MAIN as u32;
const LOCAL: u32 = libc::RT_TABLE_LOCAL as u32;
