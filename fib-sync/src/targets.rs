//! Targets and forwardings, each stored once, and which follows from which.

use std::collections::HashMap;
use std::collections::HashSet;
use std::net::IpAddr;

use crate::forwarding::{Forwarding, Hop, Way};
use crate::intern::{Id, Interner};
use crate::resolve::Changes;
use crate::resolve::Resolver;
use crate::route::{NextHop, RouteOptions, Target};

/// The targets of desired routes, and how each is forwarded now.
pub(crate) struct Targets {
    targets: Interner<(Target, RouteOptions)>,
    /// A target none of whose next hops is reachable is not there.
    resolved: HashMap<Id, Id>,
    /// Those of targets and those found in the kernel: equal ones have the same name.
    pub(crate) forwardings: Interner<Forwarding>,
}

impl Targets {
    pub(crate) fn new() -> Self {
        Self { targets: Interner::new(), resolved: HashMap::new(), forwardings: Interner::new() }
    }

    /// Counts one user more of a target; the first one has its next hops followed.
    pub(crate) fn acquire(&mut self, target: &Target, options: RouteOptions, resolver: &mut Resolver) -> Id {
        let (id, first) = self.targets.acquire(&(target.clone(), options.canonical()));
        if first {
            match target {
                Target::Link(name) => resolver.acquire_link(*name),
                Target::Via(_) | Target::Blackhole | Target::Unreachable => {}
            }
            for next_hop in target.next_hops() {
                match next_hop.link {
                    Some(name) => resolver.acquire_link(name),
                    None => drop(resolver.acquire(next_hop.gateway)),
                }
            }
            self.resolve(id, resolver);
        }
        id
    }

    /// Counts one user less.
    pub(crate) fn release(&mut self, id: Id, resolver: &mut Resolver) {
        let Some((target, _)) = self.targets.release(id) else { return };
        if let Target::Link(name) = target {
            resolver.release_link(name);
        }
        for next_hop in target.next_hops() {
            match next_hop.link {
                Some(name) => resolver.release_link(name),
                None => resolver.release(next_hop.gateway),
            }
        }
        if let Some(forwarding) = self.resolved.remove(&id) {
            self.forwardings.release(forwarding);
        }
    }

    /// A target and its options.
    pub(crate) fn get(&self, target: Id) -> Option<&(Target, RouteOptions)> {
        self.targets.get(target)
    }

    /// How a target is forwarded; `None`: no next hop is reachable.
    pub(crate) fn forwarding(&self, target: Id) -> Option<Id> {
        self.resolved.get(&target).copied()
    }

    /// Follows next hops that resolve differently now, and returns the targets that are forwarded
    /// differently for it.
    pub(crate) fn next_hops_changed(&mut self, changes: &Changes, resolver: &Resolver) -> Vec<Id> {
        let addresses: HashSet<IpAddr> = changes.addresses.iter().map(|change| change.address).collect();
        let is_affected = |target: &Target| match target {
            Target::Link(name) => changes.links.contains(name),
            target => target.next_hops().iter().any(|hop| match &hop.link {
                Some(name) => changes.links.contains(name),
                None => addresses.contains(&hop.gateway),
            }),
        };
        let affected = self.targets.iter().filter(|(_, (target, _))| is_affected(target));
        let mut changed: Vec<Id> = affected.map(|(id, _)| id).collect();
        changed.retain(|id| self.resolve(*id, resolver));
        changed
    }

    /// Returns whether the target is forwarded differently than before.
    fn resolve(&mut self, id: Id, resolver: &Resolver) -> bool {
        let forwarding = self.targets.get(id).and_then(|(target, options)| {
            Some(Forwarding { way: way(target, resolver)?, options: *options, object: None })
        });
        let after = forwarding.map(|forwarding| self.forwardings.acquire(&forwarding).0);
        let before = match after {
            Some(after) => self.resolved.insert(id, after),
            None => self.resolved.remove(&id),
        };
        if let Some(before) = before {
            self.forwardings.release(before);
        }
        before != after
    }
}

/// How a target is forwarded as next hops and links are known to be.
fn way(target: &Target, resolver: &Resolver) -> Option<Way> {
    match target {
        Target::Blackhole => Some(Way::Blackhole),
        Target::Unreachable => Some(Way::Unreachable),
        Target::Link(name) => {
            let interface = resolver.known_link(*name)?.index;
            Some(Way::via(vec![Hop { gateway: None, interface, weight: 1, onlink: false }]))
        }
        Target::Via(next_hops) => {
            let hops: Vec<_> = next_hops.iter().filter_map(|next_hop| hop(next_hop, resolver)).collect();
            (!hops.is_empty()).then(|| Way::via(hops))
        }
    }
}

fn hop(next_hop: &NextHop, resolver: &Resolver) -> Option<Hop> {
    let weight = u16::from(next_hop.weight.get());
    match next_hop.link {
        None => resolver.known(next_hop.gateway).hop(weight),
        Some(name) => {
            let interface = resolver.known_link(name)?.index;
            Some(Hop { gateway: Some(next_hop.gateway), interface, weight, onlink: true })
        }
    }
}
