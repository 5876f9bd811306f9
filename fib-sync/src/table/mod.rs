//! The model: what is desired, what the kernel is known to hold, and what must be done about it.
//!
//! No I/O. [`crate::FibSync`] feeds it desired routes, dumps and events, takes [`Action`]s from it and
//! reports how they ended. Prefixes go by the numbers of the store of desired routes. A number is in use for
//! each prefix that is desired or that the kernel holds as ours: four octets each, and what is rare in maps.

use std::collections::{BTreeSet, HashMap};

use ipnetwork::IpNetwork;

use crate::config::FibConfig;
use crate::desired::{DesiredRoutes, TargetId};
use crate::error::KernelError;
use crate::forwarding::Forwarding;
use crate::intern::Id;
use crate::resolve::{Changes, Resolver};
use crate::targets::Targets;

mod observe;
mod slots;

use slots::{Flag, InKernel, Slot, Slots};

/// Why a desired route is not tried again until something changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blocked {
    Refused,
    Conflict,
}

/// One message for the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) number: u32,
    pub(crate) change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    Add(Id),
    Replace(Id),
    Delete,
}

/// What a look at a number, or the end of an action, brings to light.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// An action must be carried out.
    Act(Action),
    /// A foreign route of our metric is in the way, of this protocol.
    Conflict(IpNetwork, u8),
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The kernel holds what was wanted; `repair` if someone else had changed it.
    Well { repair: bool },
    /// The kernel's state is not what the model says: read it again.
    Contested,
    /// The kernel does not take the route.
    Refused,
}

/// A walk over all numbers, in slices: what it looks for is queued.
#[derive(Default)]
struct Sweep {
    next: u32,
    /// Routes of these targets.
    targets: BTreeSet<Id>,
    refused: bool,
    stale: bool,
}

/// Numbers of one slice: a fraction of a millisecond.
const SLICE: u32 = 1 << 16;

pub(crate) struct Table<D> {
    pub(crate) routes: D,
    slots: Slots,
    pub(crate) targets: Targets,
    /// Foreign routes with our table and metric, by prefix: their protocol.
    occupied: HashMap<IpNetwork, u8>,
    contested: Vec<(u32, KernelError)>,
    /// Numbers whose route through a nexthop object was refused once: perhaps for the object's sake.
    doubted: BTreeSet<u32>,
    acted: Vec<u32>,
    sweep: Option<Sweep>,
    present: usize,
    refused: usize,
}

impl<D: DesiredRoutes> Table<D> {
    pub(crate) fn new(config: &FibConfig, routes: D) -> Self {
        Self {
            routes,
            slots: Slots::default(),
            targets: Targets::new(config),
            occupied: HashMap::new(),
            contested: Vec::new(),
            doubted: BTreeSet::new(),
            acted: Vec::new(),
            sweep: None,
            present: 0,
            refused: 0,
        }
    }

    /// Routes of ours that the kernel holds.
    pub(crate) fn present(&self) -> usize {
        self.present
    }

    /// Numbers to look at; one more while a walk may find others.
    pub(crate) fn pending(&self) -> usize {
        self.slots.queued() + usize::from(self.sweep.is_some())
    }

    /// What is desired at a number, resolved; `None`: no next hop is reachable, or nothing is desired.
    pub(crate) fn shown(&self, number: u32) -> Option<Forwarding> {
        let TargetId(target) = self.routes.target(number)?;
        self.targets.wanted(target).and_then(|id| self.targets.shown(id))
    }

    /// Whether the kernel refused the route of a number.
    pub(crate) fn is_refused(&self, number: u32) -> bool {
        self.slots.get(number).has(Flag::Refused)
    }

    // ---- what the caller wants ----

    /// Another target is desired at a number, or none.
    pub(crate) fn changed(&mut self, number: u32) {
        if self.routes.target(number).is_some() {
            self.slots.set(number, Flag::Stale, false);
        }
        self.unblock(number, None);
        self.slots.queue(number);
    }

    /// What was left by an earlier run and is not desired by now is removed.
    pub(crate) fn finish_adoption(&mut self, resolver: &Resolver) {
        self.targets.adopting = false;
        self.walk().stale = true;
        let changed = self.targets.look_again(resolver);
        self.targets_changed(changed);
    }

    // ---- next hops ----

    /// These next hops resolve differently now.
    pub(crate) fn next_hops_changed(&mut self, changes: &Changes, resolver: &Resolver) {
        let changed = self.targets.next_hops_changed(changes, resolver);
        self.targets_changed(changed);
    }

    /// Targets with many or few routes now have or lose a nexthop group.
    pub(crate) fn counts_changed(&mut self, resolver: &Resolver) {
        let changed = self.targets.counts_changed(resolver);
        self.targets_changed(changed);
    }

    /// All targets are looked at.
    pub(crate) fn look_again(&mut self, resolver: &Resolver) {
        let changed = self.targets.look_again(resolver);
        self.targets_changed(changed);
    }

    fn targets_changed(&mut self, changed: Vec<Id>) {
        if !changed.is_empty() {
            self.walk().targets.extend(changed);
        }
    }

    /// Links or addresses changed: what was refused may be accepted now.
    pub(crate) fn retry_refused(&mut self) {
        if self.refused > 0 {
            self.walk().refused = true;
        }
    }

    /// The walk, which starts anew.
    fn walk(&mut self) -> &mut Sweep {
        let walk = self.sweep.get_or_insert_default();
        walk.next = 0;
        walk
    }

    /// Walks on. Returns whether there was anything to walk.
    pub(crate) fn walk_on(&mut self) -> bool {
        let Some(mut walk) = self.sweep.take() else { return false };
        let end = self.slots.end();
        let until = walk.next.saturating_add(SLICE).min(end);
        for number in walk.next..until {
            let slot = self.slots.get(number);
            let stale = walk.stale && slot.has(Flag::Stale);
            let of_target = || self.routes.target(number).is_some_and(|id| walk.targets.contains(&id.0));
            let changed = !walk.targets.is_empty() && of_target();
            let refused = slot.has(Flag::Refused) && (walk.refused || changed);
            if stale {
                self.slots.set(number, Flag::Stale, false);
            }
            if refused {
                self.unblock(number, Some(Blocked::Refused));
            }
            if stale || refused || changed {
                self.slots.queue(number);
            }
        }
        walk.next = until;
        self.sweep = (until < end).then_some(walk);
        true
    }

    /// Whether one of our routes names a source address of this family.
    pub(crate) fn has_sources(&self, v6: bool) -> bool {
        let source = |forwarding: &Forwarding| forwarding.options.source;
        self.targets.forwardings.iter().any(|(_, f)| source(f).is_some_and(|source| source.is_ipv6() == v6))
    }

    // ---- what must be done ----

    fn block(&mut self, number: u32, why: Blocked) {
        self.unblock(number, None);
        let flag = match why {
            Blocked::Refused => Flag::Refused,
            Blocked::Conflict => Flag::Conflict,
        };
        self.slots.set(number, flag, true);
        self.refused += usize::from(why == Blocked::Refused);
    }

    /// Lifts a block, of one kind or of any.
    fn unblock(&mut self, number: u32, why: Option<Blocked>) {
        let slot = self.slots.get(number);
        if slot.has(Flag::Refused) && why != Some(Blocked::Conflict) {
            self.slots.set(number, Flag::Refused, false);
            self.refused -= 1;
        }
        if slot.has(Flag::Conflict) && why != Some(Blocked::Refused) {
            self.slots.set(number, Flag::Conflict, false);
        }
    }

    fn occupant(&self, number: u32) -> Option<u8> {
        if self.occupied.is_empty() {
            return None;
        }
        self.occupied.get(&self.routes.prefix(number)?).copied()
    }

    /// The forwarding that a number shall have in the kernel.
    fn wanted(&self, number: u32, slot: Slot) -> Option<Id> {
        let TargetId(target) = self.routes.target(number).filter(|_| !slot.is_blocked())?;
        self.targets.wanted(target)
    }

    /// The one rule of this crate: what separates a number from what is wanted. `None`: nothing.
    fn difference(&self, number: u32, slot: Slot) -> Option<Change> {
        match (self.wanted(number, slot), slot.kernel()) {
            (Some(wanted), InKernel::Is(there)) if wanted == there => None,
            (Some(wanted), InKernel::Is(_)) if self.occupant(number).is_none() => {
                Some(Change::Replace(wanted))
            }
            (Some(wanted), InKernel::Absent) => Some(Change::Add(wanted)),
            (None, InKernel::Absent) => None,
            (None, _) if slot.has(Flag::Stale) => None,
            (_, InKernel::Is(_) | InKernel::Tangled) => Some(Change::Delete),
        }
    }

    /// Takes the next queued number that needs anything.
    pub(crate) fn next_finding(&mut self) -> Option<Finding> {
        while let Some(number) = self.slots.pop() {
            if let Some(finding) = self.examine(number) {
                return Some(finding);
            }
        }
        None
    }

    fn examine(&mut self, number: u32) -> Option<Finding> {
        match self.difference(number, self.slots.get(number)) {
            Some(change @ Change::Add(_)) => match self.occupant(number) {
                Some(protocol) => {
                    self.block(number, Blocked::Conflict);
                    Some(Finding::Conflict(self.routes.prefix(number)?, protocol))
                }
                None => Some(Finding::Act(Action { number, change })),
            },
            Some(change) => Some(Finding::Act(Action { number, change })),
            None => {
                self.settle(number);
                None
            }
        }
    }

    /// Nothing is left to do at a number: one that says nothing any more goes.
    fn settle(&mut self, number: u32) {
        self.slots.set(number, Flag::Disturbed, false);
        let unneeded = self.slots.get(number).kernel() == InKernel::Absent;
        if unneeded && self.routes.target(number).is_none() {
            self.unblock(number, None);
            self.doubted.remove(&number);
            self.slots.change(number, |_| Slot::default());
            self.routes.release(number);
            self.slots.truncate(self.routes.end());
        }
    }

    /// It is not known whether an action was carried out: the dump that follows tells.
    pub(crate) fn unknown(&mut self, number: u32) {
        self.slots.queue(number);
    }

    /// The kernel carried out an action.
    pub(crate) fn ended_well(&mut self, action: Action) -> Ended {
        let number = action.number;
        self.mark_acted(number);
        match action.change {
            Change::Add(id) | Change::Replace(id) => {
                self.set_kernel(number, InKernel::Is(id));
                let repair = self.slots.get(number).has(Flag::Disturbed);
                if repair {
                    self.slots.set(number, Flag::Disturbed, false);
                }
                if !self.doubted.is_empty() {
                    self.doubted.remove(&number);
                }
                Ended::Well { repair }
            }
            Change::Delete => {
                let tangled = self.slots.get(number).kernel() == InKernel::Tangled;
                self.set_kernel(number, InKernel::Absent);
                self.slots.queue(number);
                // There may be more of them.
                if tangled { Ended::Contested } else { Ended::Well { repair: false } }
            }
        }
    }

    /// The kernel answered with an error.
    pub(crate) fn ended_badly(&mut self, action: Action, error: KernelError) -> Ended {
        let number = action.number;
        match (action.change, error.errno) {
            (Change::Delete, libc::ESRCH) => return self.ended_well(action),
            (Change::Replace(_), libc::ENOENT) => {
                self.set_kernel(number, InKernel::Absent);
                self.slots.queue(number);
                self.mark_acted(number);
                return Ended::Contested;
            }
            _ => self.mark_acted(number),
        }
        match action.change {
            Change::Delete => Ended::Refused,
            Change::Add(_) | Change::Replace(_) if error.errno == libc::EEXIST => {
                self.contested.push((number, error));
                Ended::Contested
            }
            Change::Add(id) | Change::Replace(id)
                if self.is_through_object(id) && self.doubted.insert(number) =>
            {
                self.slots.queue(number);
                Ended::Contested
            }
            Change::Add(_) | Change::Replace(_) => {
                self.block(number, Blocked::Refused);
                // If an older route is there, it must not stay.
                self.slots.queue(number);
                Ended::Refused
            }
        }
    }

    fn is_through_object(&self, id: Id) -> bool {
        self.targets.forwardings.get(id).is_some_and(|forwarding| forwarding.object.is_some())
    }

    fn mark_acted(&mut self, number: u32) {
        self.slots.set(number, Flag::Acted, true);
        self.acted.push(number);
    }
}

#[cfg(test)]
mod tests;
