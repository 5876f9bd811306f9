//! Keeps the model true by the kernel's events.

use crate::config::FibConfig;
use crate::desired::DesiredRoutes;
use crate::forwarding::{Forwarding, Way};
use crate::links::KernelLink;
use crate::message::{self, AF_INET6, KernelRoute, Message};
use crate::mirror::Told;
use crate::resolve::Resolver;
use crate::table::Table;
use crate::view::LinkChange;

/// Whose a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Ours,
    /// Another's, with our table and metric: nothing can be put beside it.
    InTheWay,
    Foreign,
}

pub(crate) fn classify(config: &FibConfig, route: &KernelRoute) -> Owner {
    let same_place = (route.table, route.metric, route.tos) == (config.table, config.metric, 0);
    match (same_place, route.protocol == config.protocol) {
        (true, true) => Owner::Ours,
        (true, false) => Owner::InTheWay,
        (false, _) => Owner::Foreign,
    }
}

/// How a route of ours is forwarded; one with attributes that we never set is not right.
pub(crate) fn own_forwarding(route: KernelRoute) -> Forwarding {
    let KernelRoute { way, options, object, .. } = route;
    match object {
        _ if route.embellished => Forwarding::other(),
        // The object tells the hops.
        Some(_) => Forwarding { way: Way::Via(Vec::new()), options, object },
        None => Forwarding { way, options, object },
    }
}

/// The route if it may resolve next hops: those of our protocol, of whatever metric, do not.
pub(crate) fn mirrored(config: &FibConfig, route: KernelRoute) -> Option<KernelRoute> {
    (route.protocol != config.protocol && route.tos == 0).then_some(route)
}

/// What must be read again, and why.
#[derive(Debug, Default)]
pub(crate) struct Doubts {
    pub(crate) all: Option<&'static str>,
    /// Nexthop objects.
    pub(crate) objects: bool,
}

impl Doubts {
    pub(crate) fn all(&mut self, cause: &'static str) {
        self.all.get_or_insert(cause);
    }
}

/// Brings the model up to date with one event.
pub(crate) struct Follower<'a, D> {
    pub(crate) config: &'a FibConfig,
    pub(crate) table: &'a mut Table<D>,
    pub(crate) resolver: &'a mut Resolver,
    pub(crate) doubts: &'a mut Doubts,
}

impl<D: DesiredRoutes> Follower<'_, D> {
    pub(crate) fn follow(&mut self, message: Message<'_>) {
        match message.kind {
            libc::RTM_NEWROUTE => self.route_added(message),
            libc::RTM_DELROUTE => self.route_removed(message),
            libc::RTM_NEWLINK | libc::RTM_DELLINK => self.link(message),
            message::RTM_NEWNEXTHOP | message::RTM_DELNEXTHOP => self.nexthop(message),
            libc::RTM_NEWADDR => self.table.retry_refused(),
            libc::RTM_DELADDR => self.address_removed(message),
            _ => {}
        }
    }

    fn route_added(&mut self, message: Message<'_>) {
        let Some(route) = message::parse_route(message.body) else { return };
        let replaces = message.flags & libc::NLM_F_REPLACE as u16 != 0;
        let prefix = route.prefix;
        match classify(self.config, &route) {
            Owner::Ours => {
                // An IPv6 event tells all hops of the route as they are now.
                let appended = prefix.is_ipv4() && !replaces;
                let told = self.table.ours_changed(prefix, own_forwarding(route), appended);
                return self.check(told);
            }
            Owner::InTheWay => {
                let told = self.table.foreign_added(prefix, route.protocol, replaces);
                self.check(told);
            }
            Owner::Foreign => {}
        }
        if let Some(route) = mirrored(self.config, route) {
            let told = self.resolver.route_added(route, replaces);
            self.check(told);
        }
        self.table.retry_refused();
    }

    fn route_removed(&mut self, message: Message<'_>) {
        let Some(route) = message::parse_route(message.body) else { return };
        match classify(self.config, &route) {
            Owner::Ours => {
                let told = self.table.ours_deleted(route.prefix);
                return self.check(told);
            }
            Owner::InTheWay => {
                let told = self.table.foreign_removed(route.prefix);
                self.check(told);
            }
            Owner::Foreign => {}
        }
        if let Some(route) = mirrored(self.config, route) {
            let told = self.resolver.route_removed(&route);
            self.check(told);
        }
    }

    fn check(&mut self, told: Told) {
        if told == Told::Doubtful {
            self.doubts.all("an event left open what the kernel holds");
        }
    }

    /// With an address of this host, IPv4 routes with it as their source are gone without a message; IPv6 ones
    /// have lost the source.
    fn address_removed(&mut self, message: Message<'_>) {
        let v6 = message.body.first() == Some(&AF_INET6);
        if !v6 || self.table.has_sources(true) {
            self.doubts.all("an address was removed");
        }
    }

    fn link(&mut self, message: Message<'_>) {
        let Some(link) = KernelLink::parse(message.body) else { return };
        let index = link.index;
        let change = match message.kind {
            libc::RTM_NEWLINK => self.resolver.link_changed(link),
            _ => self.resolver.link_removed(index),
        };
        match change {
            LinkChange::None => return,
            LinkChange::Down => {
                let told = self.table.link_down(index);
                self.check(told);
                self.objects_lost(index);
            }
            LinkChange::NoCarrier => self.objects_lost(index),
            LinkChange::Revived => self.doubts.all("a link came back"),
            LinkChange::Other => {}
        }
        self.table.retry_refused();
    }

    /// Nexthop objects over a link are gone, without a message; a group that has none left, and its routes, too.
    fn objects_lost(&mut self, interface: u32) {
        let objects = &self.table.targets.objects;
        let foreign = self.resolver.view.has_object_over(interface, |id| objects.is_ours(id));
        if objects.depends_on(interface) || foreign {
            self.doubts.all("a link with nexthop objects went down");
        }
        self.doubts.objects |= objects.uses(interface);
    }

    /// Someone else made, changed or deleted a nexthop object. What names a deleted one is gone, without a message.
    fn nexthop(&mut self, message: Message<'_>) {
        let Some(object) = message::parse_nexthop(message.body) else { return };
        let ours = self.table.targets.objects.is_ours(object.id);
        if message.kind == message::RTM_DELNEXTHOP && (ours || self.resolver.view.names(object.id)) {
            self.doubts.all("a nexthop object was deleted");
        }
        self.doubts.objects = true;
    }
}
