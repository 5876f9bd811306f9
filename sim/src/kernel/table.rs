//! Links, addresses and routes.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use bgp_core::Prefix;

/// The metric of a connected IPv6 network; one of IPv4 has 0.
const CONNECTED_V6: u32 = 256;

/// One way of a route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hop {
    /// The neighbour; none on a connected network.
    pub(super) gateway: Option<IpAddr>,
    pub(super) link: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Forwarding {
    /// Through these, at least one, sorted.
    Via(Vec<Hop>),
    Blackhole,
    Unreachable,
}

impl Forwarding {
    /// `None` without a hop. Equal ones are one.
    pub(super) fn via(mut hops: Vec<Hop>) -> Option<Forwarding> {
        hops.sort();
        hops.dedup();
        (!hops.is_empty()).then_some(Forwarding::Via(hops))
    }
}

/// A route of the main table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KernelRoute {
    pub(super) prefix: Prefix,
    pub(super) metric: u32,
    pub(super) protocol: u8,
    pub(super) forwarding: Forwarding,
}

impl fmt::Display for KernelRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.prefix)?;
        match &self.forwarding {
            Forwarding::Blackhole => f.write_str(" blackhole"),
            Forwarding::Unreachable => f.write_str(" unreachable"),
            Forwarding::Via(hops) => {
                let gateway = |hop: &Hop| hop.gateway.map_or("-".to_owned(), |gateway| gateway.to_string());
                let mut hops: Vec<String> =
                    hops.iter().map(|hop| format!(" {}@{}", gateway(hop), hop.link)).collect();
                hops.sort_unstable();
                f.write_str(&hops.concat())
            }
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Link {
    /// Whether it is up itself, and whether its far end is.
    up: bool,
    carrier: bool,
    addresses: Vec<(IpAddr, Prefix)>,
}

/// What the kernel knows.
#[derive(Clone, Debug, Default)]
pub(super) struct KernelTable {
    links: BTreeMap<String, Link>,
    routes: Vec<KernelRoute>,
}

impl KernelTable {
    pub(super) fn routes(&self) -> &[KernelRoute] {
        &self.routes
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&KernelRoute) -> bool) {
        self.routes.retain(keep);
    }

    /// Whatever has the same prefix and metric, of any protocol.
    pub(super) fn at(&self, prefix: Prefix, metric: u32) -> Option<usize> {
        self.routes.iter().position(|route| (route.prefix, route.metric) == (prefix, metric))
    }

    /// Adds a route in the place of the first that has its prefix and metric.
    pub(super) fn replace(&mut self, route: KernelRoute) {
        match self.at(route.prefix, route.metric).and_then(|place| self.routes.get_mut(place)) {
            Some(place) => *place = route,
            None => self.routes.push(route),
        }
    }

    /// Adds a route behind others of its prefix and metric.
    pub(super) fn append(&mut self, route: KernelRoute) {
        self.routes.push(route);
    }

    /// A link that is up, and whose far end is.
    pub(super) fn add_link(&mut self, name: &str) {
        self.links.insert(name.to_owned(), Link { up: true, carrier: true, addresses: Vec::new() });
    }

    pub(super) fn add_address(&mut self, link: &str, address: IpAddr, network: Prefix) -> bool {
        let Some(link) = self.links.get_mut(link) else { return false };
        if !link.addresses.contains(&(address, network)) {
            link.addresses.push((address, network));
        }
        true
    }

    /// Sets a link itself up or down. One that goes down loses its routes without a word, and of its addresses those of
    /// IPv6; shared routes lose a way.
    pub(super) fn set_up(&mut self, name: &str, up: bool) -> bool {
        let Some(link) = self.links.get_mut(name) else { return false };
        link.up = up;
        if !up {
            link.addresses.retain(|(address, _)| address.is_ipv4());
            self.routes.retain_mut(|route| match &mut route.forwarding {
                Forwarding::Via(hops) => {
                    hops.retain(|hop| hop.link != name);
                    !hops.is_empty()
                }
                Forwarding::Blackhole | Forwarding::Unreachable => true,
            });
        }
        true
    }

    /// The far end of a link goes up or down: its routes stay, but lead nowhere.
    pub(super) fn set_carrier(&mut self, name: &str, carrier: bool) -> bool {
        self.links.get_mut(name).map(|link| link.carrier = carrier).is_some()
    }

    fn runs(&self, link: &str) -> bool {
        self.links.get(link).is_some_and(|link| link.up && link.carrier)
    }

    fn connected(&self) -> impl Iterator<Item = KernelRoute> {
        self.links.iter().filter(|(_, link)| link.up).flat_map(|(name, link)| {
            link.addresses.iter().map(|(address, network)| KernelRoute {
                prefix: *network,
                metric: if address.is_ipv4() { 0 } else { CONNECTED_V6 },
                protocol: 2,
                forwarding: Forwarding::Via(vec![Hop { gateway: None, link: name.clone() }]),
            })
        })
    }

    /// The route that packets to `address` take among those that `counts`, and the way that runs; `None` if there is
    /// none, or if the address is the host's own.
    pub(super) fn lookup(
        &self,
        address: IpAddr,
        counts: impl Fn(&KernelRoute) -> bool,
    ) -> Option<(KernelRoute, Hop)> {
        let own = self.links.values().flat_map(|link| &link.addresses).any(|(own, _)| *own == address);
        let host = Prefix::new(address, if address.is_ipv4() { 32 } else { 128 })?;
        let candidates = self.connected().chain(self.routes.iter().filter(|route| counts(route)).cloned());
        let covering: Vec<KernelRoute> = candidates.filter(|route| route.prefix.covers(&host)).collect();
        let longest = covering.iter().map(|route| route.prefix.len()).max()?;
        let ranked = covering.into_iter().filter(|route| route.prefix.len() == longest).map(|route| {
            let hop = match &route.forwarding {
                Forwarding::Via(hops) => hops.iter().find(|hop| self.runs(&hop.link)).cloned(),
                Forwarding::Blackhole | Forwarding::Unreachable => None,
            };
            let is_dead = matches!(route.forwarding, Forwarding::Via(_)) && hop.is_none();
            (is_dead, route, hop)
        });
        // One that runs or refuses, then the lowest metric.
        let best = ranked.min_by_key(|(is_dead, route, _)| (*is_dead, route.metric));
        let best = best.map(|(_, route, hop)| (route, hop));
        best.filter(|_| !own).and_then(|(route, hop)| Some((route, hop?)))
    }
}
