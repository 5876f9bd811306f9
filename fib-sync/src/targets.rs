//! Targets and forwardings, each stored once, and which follows from which.

use std::collections::{BTreeSet, HashSet};
use std::num::NonZeroU32;

use crate::config::FibConfig;
use crate::forwarding::{Forwarding, Hop, Way};
use crate::intern::{Id, Interner};
use crate::objects::{Content, Objects, Request};
use crate::resolve::{Changes, Resolver};
use crate::route::{Gateway, NextHop, RouteOptions, Target};

/// The targets of desired routes, and how each is forwarded now.
pub(crate) struct Targets {
    targets: Interner<(Target, RouteOptions)>,
    states: Vec<State>,
    /// Those of targets and those found in the kernel: equal ones have the same name. One through a nexthop
    /// object has no hops here.
    pub(crate) forwardings: Interner<Forwarding>,
    pub(crate) objects: Objects,
    /// Routes of a target beyond which it has a group.
    limit: Option<u32>,
    /// Targets whose routes became many, or few.
    counted: BTreeSet<Id>,
    /// Routes of an earlier run may come to be desired again.
    pub(crate) adopting: bool,
}

#[derive(Default, Clone)]
struct State {
    /// A target none of whose next hops is reachable has none.
    wanted: Option<Id>,
    group: Option<Group>,
}

/// The nexthop group of a target.
#[derive(Clone, Copy)]
struct Group {
    id: u32,
    forwarding: Id,
}

impl Targets {
    pub(crate) fn new(config: &FibConfig) -> Self {
        Self {
            targets: Interner::new(),
            states: Vec::new(),
            forwardings: Interner::new(),
            objects: Objects::new(config),
            limit: config.nexthop_objects,
            counted: BTreeSet::new(),
            adopting: true,
        }
    }

    /// Counts one route more to a target; the first one has its next hops followed. `None`: there are too many.
    pub(crate) fn acquire(
        &mut self,
        target: Target,
        options: RouteOptions,
        resolver: &mut Resolver,
    ) -> Option<Id> {
        let (id, first) = self.targets.acquire((target, options.canonical()))?;
        if first {
            if self.states.len() <= id.index() {
                self.states.resize(id.index() + 1, State::default());
            }
            if let Some((target, _)) = self.targets.get(id) {
                follow(target, resolver);
            }
            self.resolve(id, resolver);
        }
        if self.limit.is_some_and(|limit| self.targets.users(id) == limit.saturating_add(1)) {
            self.counted.insert(id);
        }
        Some(id)
    }

    /// Counts one route less.
    pub(crate) fn release(&mut self, id: Id, resolver: &mut Resolver) {
        let Some((target, _)) = self.targets.release(id) else {
            if self.limit.is_some_and(|limit| self.targets.users(id) == limit / 2) {
                self.counted.insert(id);
            }
            return;
        };
        unfollow(&target, resolver);
        self.drop_group(id);
        if let Some(wanted) = self.states.get_mut(id.index()).and_then(|state| state.wanted.take()) {
            self.forwardings.release(wanted);
        }
    }

    /// A target and its options.
    pub(crate) fn get(&self, target: Id) -> Option<&(Target, RouteOptions)> {
        self.targets.get(target)
    }

    /// How a target is forwarded; `None`: no next hop is reachable.
    pub(crate) fn wanted(&self, target: Id) -> Option<Id> {
        self.states.get(target.index())?.wanted
    }

    /// A forwarding with its hops, those that a group shall have.
    pub(crate) fn shown(&self, id: Id) -> Option<Forwarding> {
        let mut forwarding = self.forwardings.get(id)?.clone();
        let content = forwarding.object.and_then(|object| self.objects.content(object.get()));
        match content {
            Some(Content::Hops(hops)) => forwarding.way = Way::Via(hops.clone()),
            Some(Content::Blackhole { .. }) => forwarding.way = Way::Blackhole,
            None => {}
        }
        Some(forwarding)
    }

    /// Follows next hops that resolve differently now, and returns the targets whose routes differ for it.
    pub(crate) fn next_hops_changed(&mut self, changes: &Changes, resolver: &Resolver) -> Vec<Id> {
        let gateways: HashSet<Gateway> = changes.addresses.iter().map(|change| change.gateway).collect();
        let is_affected = |target: &Target| match target {
            Target::Link(name) => changes.links.contains(name),
            target => target.next_hops().iter().any(|hop| match &hop.link {
                Some(name) => changes.links.contains(name),
                None => gateways.contains(&hop.destination()),
            }),
        };
        let affected = self.targets.iter().filter(|(_, (target, _))| is_affected(target));
        let affected: Vec<Id> = affected.map(|(id, _)| id).collect();
        self.resolve_all(affected, resolver)
    }

    /// Looks at targets whose routes became many or few, and returns those whose routes differ for it.
    pub(crate) fn counts_changed(&mut self, resolver: &Resolver) -> Vec<Id> {
        let counted = std::mem::take(&mut self.counted);
        self.resolve_all(counted.into_iter().filter(|id| self.targets.users(*id) > 0).collect(), resolver)
    }

    /// Looks at all targets, and returns those whose routes differ for it.
    pub(crate) fn look_again(&mut self, resolver: &Resolver) -> Vec<Id> {
        let all = self.targets.iter().map(|(id, _)| id).collect();
        self.resolve_all(all, resolver)
    }

    fn resolve_all(&mut self, mut ids: Vec<Id>, resolver: &Resolver) -> Vec<Id> {
        ids.retain(|id| self.resolve(*id, resolver));
        ids
    }

    /// Returns whether the target's routes are forwarded differently than before. Not so if they name a group:
    /// then that is told.
    fn resolve(&mut self, id: Id, resolver: &Resolver) -> bool {
        let Some((target, options)) = self.targets.get(id) else { return false };
        let (way, options) = (way(target, resolver), *options);
        self.choose_group(id, way.as_ref(), options, resolver);
        let group = self.states.get(id.index()).and_then(|state| state.group);
        let after = match (way, group) {
            (None, None) => None,
            (None, Some(group)) => {
                if let Some(content) = self.objects.content(group.id).map(Content::dropping) {
                    self.objects.set(group.id, content);
                }
                None
            }
            (Some(way), Some(group)) => {
                self.objects.set(group.id, Content::Hops(way.hops().to_vec()));
                self.forwardings.retain(group.forwarding);
                Some(group.forwarding)
            }
            (Some(way), None) => {
                self.forwardings.acquire(Forwarding { way, options, object: None }).map(|(id, _)| id)
            }
        };
        let Some(state) = self.states.get_mut(id.index()) else { return false };
        let before = std::mem::replace(&mut state.wanted, after);
        if let Some(before) = before {
            self.forwardings.release(before);
        }
        before != after
    }

    /// Gives a target a group, or takes it away.
    fn choose_group(&mut self, id: Id, way: Option<&Way>, options: RouteOptions, resolver: &Resolver) {
        let (Some(limit), users) = (self.limit, self.targets.users(id)) else { return };
        let group = self.states.get(id.index()).and_then(|state| state.group);
        let possible = !self.objects.given_up() && way.is_none_or(|way| fits_group(way, resolver));
        match (group, way) {
            // Half as many, so that it does not go to and fro.
            (Some(_), _) if !possible || (users < limit.div_ceil(2) && !self.adopting) => self.drop_group(id),
            (None, Some(way)) if possible => {
                let hops = way.hops();
                let named = if self.adopting { named(&self.forwardings) } else { HashSet::new() };
                let adopted = self.objects.adoptable(hops).find(|id| named.contains(id));
                let content = Content::Hops(hops.to_vec());
                let group = match adopted {
                    Some(group) => {
                        self.objects.set(group, content);
                        Some(group)
                    }
                    None if users > limit => self.objects.assign(content),
                    None => None,
                };
                if let Some(group) = group {
                    self.put_group(id, group, options);
                }
            }
            _ => {}
        }
    }

    fn put_group(&mut self, id: Id, group: u32, options: RouteOptions) {
        let object = NonZeroU32::new(group);
        let forwarding = Forwarding { way: Way::Via(Vec::new()), options, object };
        let forwarding = self.forwardings.acquire(forwarding);
        if let (Some(state), Some((forwarding, _))) = (self.states.get_mut(id.index()), forwarding) {
            state.group = Some(Group { id: group, forwarding });
        }
    }

    fn drop_group(&mut self, id: Id) {
        if let Some(group) = self.states.get_mut(id.index()).and_then(|state| state.group.take()) {
            self.objects.free(group.id);
            self.forwardings.release(group.forwarding);
        }
    }

    /// What removes nexthop objects that nothing needs any more.
    pub(crate) fn garbage(&mut self) -> Vec<Request> {
        let Self { objects, forwardings, .. } = self;
        objects.garbage(|| named(forwardings))
    }
}

/// The objects that routes name, in the kernel or as they are wanted.
fn named(forwardings: &Interner<Forwarding>) -> HashSet<u32> {
    forwardings.iter().filter_map(|(_, forwarding)| forwarding.object.map(NonZeroU32::get)).collect()
}

fn follow(target: &Target, resolver: &mut Resolver) {
    if let Target::Link(name) = target {
        resolver.acquire_link(*name);
    }
    for next_hop in target.next_hops() {
        match next_hop.link {
            Some(name) => resolver.acquire_link(name),
            None => drop(resolver.acquire(next_hop.destination())),
        }
    }
}

fn unfollow(target: &Target, resolver: &mut Resolver) {
    if let Target::Link(name) = target {
        resolver.release_link(*name);
    }
    for next_hop in target.next_hops() {
        match next_hop.link {
            Some(name) => resolver.release_link(name),
            None => resolver.release(next_hop.destination()),
        }
    }
}

/// Whether a group can do it: the kernel has no hops in one without a gateway, or over links without carrier.
fn fits_group(way: &Way, resolver: &Resolver) -> bool {
    matches!(way, Way::Via(_))
        && way.hops().iter().all(|hop| hop.gateway.is_some() && resolver.is_running(hop.interface))
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
        None => resolver.known(next_hop.destination()).hop(weight),
        Some(name) => {
            let interface = resolver.known_link(name)?.index;
            Some(Hop { gateway: Some(next_hop.gateway), interface, weight, onlink: true })
        }
    }
}
