//! Targets and forwardings, each stored once, and which follows from which.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::intern::{Id, Interner};
use crate::resolve::Resolver;
use crate::route::{Forwarding, NextHop, Target};

/// The targets of desired routes, and how each is forwarded now.
pub(crate) struct Targets {
    targets: Interner<Target>,
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
    pub(crate) fn acquire(&mut self, target: &Target, resolver: &mut Resolver) -> Id {
        let (id, first) = self.targets.acquire(target);
        if first {
            for next_hop in target.next_hops() {
                resolver.acquire(next_hop.gateway);
            }
            self.resolve(id, resolver);
        }
        id
    }

    /// Counts one user less.
    pub(crate) fn release(&mut self, id: Id, resolver: &mut Resolver) {
        if let Some(target) = self.targets.release(id) {
            for next_hop in target.next_hops() {
                resolver.release(next_hop.gateway);
            }
            if let Some(forwarding) = self.resolved.remove(&id) {
                self.forwardings.release(forwarding);
            }
        }
    }

    /// How a target is forwarded; `None`: no next hop is reachable.
    pub(crate) fn forwarding(&self, target: Id) -> Option<Id> {
        self.resolved.get(&target).copied()
    }

    /// Follows next hops that resolve differently now, and returns the targets that are forwarded
    /// differently for it.
    pub(crate) fn next_hops_changed(&mut self, addresses: &[IpAddr], resolver: &Resolver) -> Vec<Id> {
        let is_affected =
            |target: &Target| target.next_hops().iter().any(|hop| addresses.contains(&hop.gateway));
        let affected = self.targets.iter().filter(|(_, target)| is_affected(target));
        let mut changed: Vec<Id> = affected.map(|(id, _)| id).collect();
        changed.retain(|id| self.resolve(*id, resolver));
        changed
    }

    /// Returns whether the target is forwarded differently than before.
    fn resolve(&mut self, id: Id, resolver: &Resolver) -> bool {
        let forwarding = match self.targets.get(id) {
            None => None,
            Some(Target::Blackhole) => Some(Forwarding::Blackhole),
            Some(Target::Via(next_hops)) => {
                let hop = |next_hop: &NextHop| {
                    resolver.known(next_hop.gateway).hop(u16::from(next_hop.weight.get()))
                };
                let hops: Vec<_> = next_hops.iter().filter_map(hop).collect();
                (!hops.is_empty()).then(|| Forwarding::via(hops))
            }
        };
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
