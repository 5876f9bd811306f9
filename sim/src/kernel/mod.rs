//! A kernel's routing table, and a synchroniser that keeps our routes in it: what `fib-sync` does with a real one.
//!
//! ```text
//!   set, remove, finish_adoption ─► desired ─┐            ip: links, addresses, others' routes
//!                                            ▼                      │
//!                       converge ◄── resolve: routes that are not ours ◄── table
//!                          └──────────────────── ours ────────────────► table
//! ```
//! That it behaves as the real one does is shown by [`scripts`]: the same steps with the same outcome, run here on this
//! one and by `fib-sync`'s tests in network namespaces.

mod command;
pub mod scripts;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bgp_core::Prefix;

pub use command::CommandError;
use table::{Forwarding, Hop, KernelRoute, KernelTable};

/// The protocol of our routes (`rtm_protocol`).
const PROTOCOL: u8 = 186;
/// Their metric.
const METRIC: u32 = 1024;

/// Where packets of a prefix are to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Through these next hops.
    Via(Vec<IpAddr>),
    /// Nowhere.
    Blackhole,
}

/// How an address is reached by routes that are not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The route's metric.
    pub metric: u32,
    /// The link.
    pub link: String,
    /// Who to send to.
    pub gateway: IpAddr,
}

/// The kernel of one host, with our synchroniser at work in it.
#[derive(Clone, Debug, Default)]
pub struct Kernel {
    table: KernelTable,
    desired: BTreeMap<Prefix, Target>,
    /// Routes of an earlier run that nobody has asked for in this one; `None` once adoption is finished.
    left: Option<BTreeSet<Prefix>>,
}

impl Kernel {
    /// A host with only its loopback. The synchroniser has just started.
    #[must_use]
    pub fn new() -> Kernel {
        Kernel { left: Some(BTreeSet::new()), ..Kernel::default() }
    }

    /// Wants a route.
    pub fn set(&mut self, prefix: Prefix, target: Target) {
        if let Some(left) = &mut self.left {
            left.remove(&prefix);
        }
        self.desired.insert(prefix, target);
        self.converge();
    }

    /// Wants no route. One that an earlier run left stays until adoption is finished.
    pub fn remove(&mut self, prefix: Prefix) {
        self.desired.remove(&prefix);
        self.converge();
    }

    /// Everything wanted has been said: what an earlier run left beside that goes.
    pub fn finish_adoption(&mut self) {
        self.left = None;
        self.converge();
    }

    /// The synchroniser ends and starts again; the kernel keeps its routes.
    pub fn restart(&mut self) {
        self.desired.clear();
        self.left = Some(self.ours().map(|route| route.prefix).collect());
    }

    /// Changes the host as `ip` with these arguments does; the synchroniser puts right what concerns it.
    ///
    /// # Errors
    /// If the arguments are none of those that are known here, or the kernel refuses.
    pub fn ip(&mut self, arguments: &str) -> Result<(), CommandError> {
        command::run(&mut self.table, arguments)?;
        self.converge();
        Ok(())
    }

    /// How an address is reached without our routes; `None` if it is not.
    #[must_use]
    pub fn resolve(&self, address: IpAddr) -> Option<Resolution> {
        let (route, hop) = self.table.lookup(address, |route| route.protocol != PROTOCOL)?;
        let gateway = hop.gateway.unwrap_or(address);
        Some(Resolution { metric: route.metric, link: hop.link.clone(), gateway })
    }

    /// Our routes as `prefix gateway@link …` or `prefix blackhole`, sorted.
    #[must_use]
    pub fn our_routes(&self) -> Vec<String> {
        let mut all: Vec<String> = self.ours().map(ToString::to_string).collect();
        all.sort_unstable();
        all
    }

    /// The gateways of our routes, none where packets are dropped.
    #[must_use]
    pub fn our_gateways(&self) -> BTreeMap<Prefix, BTreeSet<IpAddr>> {
        let gateways = |route: &KernelRoute| match &route.forwarding {
            Forwarding::Via(hops) => hops.iter().filter_map(|hop| hop.gateway).collect(),
            Forwarding::Blackhole | Forwarding::Unreachable => BTreeSet::new(),
        };
        self.ours().map(|route| (route.prefix, gateways(route))).collect()
    }

    fn ours(&self) -> impl Iterator<Item = &KernelRoute> {
        self.table.routes().iter().filter(|route| (route.protocol, route.metric) == (PROTOCOL, METRIC))
    }

    /// Makes our routes those that are wanted, as far as they can be.
    fn converge(&mut self) {
        let stays = |route: &KernelRoute| {
            let is_ours = (route.protocol, route.metric) == (PROTOCOL, METRIC);
            !is_ours || self.left.as_ref().is_some_and(|left| left.contains(&route.prefix))
        };
        let mut table = self.table.clone();
        table.retain(stays);
        for (prefix, target) in &self.desired {
            // A foreign route of our metric is left alone.
            let in_the_way = |route: &&KernelRoute| route.prefix == *prefix && route.metric == METRIC;
            let conflict =
                table.routes().iter().find(in_the_way).is_some_and(|route| route.protocol != PROTOCOL);
            if let (Some(forwarding), false) = (self.forwarding(target), conflict) {
                table.replace(KernelRoute {
                    prefix: *prefix,
                    metric: METRIC,
                    protocol: PROTOCOL,
                    forwarding,
                });
            }
        }
        self.table = table;
    }

    fn forwarding(&self, target: &Target) -> Option<Forwarding> {
        let next_hops = match target {
            Target::Blackhole => return Some(Forwarding::Blackhole),
            Target::Via(next_hops) => next_hops,
        };
        let hops = next_hops.iter().filter_map(|next_hop| {
            let Resolution { link, gateway, .. } = self.resolve(*next_hop)?;
            Some(Hop { gateway: Some(gateway), link })
        });
        Forwarding::via(hops.collect())
    }
}
