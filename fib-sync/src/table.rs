//! The model: what is desired, what the kernel is known to hold, and what must be done about it.
//!
//! No I/O. [`crate::FibSync`] feeds it desired routes, dumps and events, takes [`Action`]s from it and
//! reports how they ended. One entry exists for each prefix that is desired or that the kernel holds as
//! ours: this bounds the memory, and the queue of pending prefixes with it.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::error::KernelError;
use crate::intern::{Id, Interner};
use crate::resolve::Resolver;
use crate::route::{Forwarding, Target};

#[derive(Default)]
struct Entry {
    desired: Option<Id>,
    kernel: InKernel,
    blocked: Option<Blocked>,
    /// In the pending queue.
    queued: bool,
    /// Left by an earlier run and not yet desired: kept until the adoption is finished.
    stale: bool,
    /// Found by the running resync.
    seen: bool,
    /// Was right until someone else changed it.
    disturbed: bool,
}

/// What the kernel holds as ours at a prefix.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum InKernel {
    #[default]
    Absent,
    Is(Id),
    /// Several routes: someone added to ours. They are removed one by one.
    Tangled,
}

/// Why a desired route is not tried again until something changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blocked {
    Refused,
    Conflict,
}

/// One message for the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) prefix: IpNetwork,
    pub(crate) change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Add(Id),
    Replace(Id),
    Delete,
}

/// What a look at an entry, or the end of an action, brings to light.
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

pub(crate) struct Table {
    entries: HashMap<IpNetwork, Entry>,
    pending: VecDeque<IpNetwork>,
    targets: Interner<Target>,
    /// How each target is forwarded now; a target that is unreachable is not there.
    resolved: HashMap<Id, Id>,
    forwardings: Interner<Forwarding>,
    /// Foreign routes with our table and metric, by prefix: their protocol.
    occupied: HashMap<IpNetwork, u8>,
    contested: Vec<(IpNetwork, KernelError)>,
    adopting: bool,
    present: usize,
    refused: usize,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            entries: HashMap::new(),
            pending: VecDeque::new(),
            targets: Interner::new(),
            resolved: HashMap::new(),
            forwardings: Interner::new(),
            occupied: HashMap::new(),
            contested: Vec::new(),
            adopting: true,
            present: 0,
            refused: 0,
        }
    }

    /// Routes of ours that the kernel holds.
    pub(crate) fn present(&self) -> usize {
        self.present
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn forwarding(&self, id: Id) -> Option<&Forwarding> {
        self.forwardings.get(id)
    }

    /// What is desired at each prefix, resolved: `None` inside if no next hop is reachable.
    pub(crate) fn desired(&self) -> impl Iterator<Item = (IpNetwork, Option<&Forwarding>)> {
        self.entries.iter().filter_map(|(prefix, entry)| {
            let target = entry.desired?;
            let forwarding = self.resolved.get(&target).and_then(|id| self.forwardings.get(*id));
            Some((*prefix, forwarding))
        })
    }

    // ---- what the caller wants ----

    pub(crate) fn set(&mut self, prefix: IpNetwork, target: &Target, resolver: &mut Resolver) {
        let (id, first) = self.targets.acquire(target);
        if first {
            for next_hop in target.next_hops() {
                resolver.acquire(next_hop.gateway);
            }
            self.resolve_target(id, resolver);
        }
        let entry = self.entries.entry(prefix).or_default();
        entry.stale = false;
        let before = entry.desired.replace(id);
        if before != Some(id) {
            self.unblock(prefix, None);
            self.queue(prefix);
        }
        self.release_target(before, resolver);
    }

    pub(crate) fn remove(&mut self, prefix: IpNetwork, resolver: &mut Resolver) {
        let Some(entry) = self.entries.get_mut(&prefix) else { return };
        let before = entry.desired.take();
        if before.is_some() {
            self.unblock(prefix, None);
            self.queue(prefix);
        }
        self.release_target(before, resolver);
    }

    fn release_target(&mut self, id: Option<Id>, resolver: &mut Resolver) {
        let Some(id) = id else { return };
        if let Some(target) = self.targets.release(id) {
            for next_hop in target.next_hops() {
                resolver.release(next_hop.gateway);
            }
            if let Some(forwarding) = self.resolved.remove(&id) {
                self.forwardings.release(forwarding);
            }
        }
    }

    /// What was left by an earlier run and is not desired by now is removed.
    pub(crate) fn finish_adoption(&mut self) {
        self.adopting = false;
        for (prefix, entry) in &mut self.entries {
            if std::mem::take(&mut entry.stale) && !std::mem::replace(&mut entry.queued, true) {
                self.pending.push_back(*prefix);
            }
        }
    }

    // ---- next hops ----

    /// Returns whether the target is forwarded differently than before.
    fn resolve_target(&mut self, id: Id, resolver: &Resolver) -> bool {
        let forwarding = match self.targets.get(id) {
            None => None,
            Some(Target::Blackhole) => Some(Forwarding::Blackhole),
            Some(Target::Via(next_hops)) => {
                let hop = |next_hop: &crate::NextHop| {
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

    /// These addresses resolve differently now.
    pub(crate) fn next_hops_changed(&mut self, addresses: &[IpAddr], resolver: &Resolver) {
        let affected: Vec<Id> = self
            .targets
            .iter()
            .filter(|(_, target)| target.next_hops().iter().any(|hop| addresses.contains(&hop.gateway)))
            .map(|(id, _)| id)
            .collect();
        let changed: Vec<Id> = affected.into_iter().filter(|id| self.resolve_target(*id, resolver)).collect();
        if !changed.is_empty() {
            self.requeue(|entry| entry.desired.is_some_and(|id| changed.contains(&id)));
        }
    }

    /// Links or addresses changed: what was refused may be accepted now.
    pub(crate) fn retry_refused(&mut self) {
        if self.refused > 0 {
            self.requeue(|entry| entry.blocked == Some(Blocked::Refused));
        }
    }

    fn requeue(&mut self, which: impl Fn(&Entry) -> bool) {
        for (prefix, entry) in &mut self.entries {
            if which(entry) {
                if entry.blocked == Some(Blocked::Refused) {
                    entry.blocked = None;
                    self.refused -= 1;
                }
                if !std::mem::replace(&mut entry.queued, true) {
                    self.pending.push_back(*prefix);
                }
            }
        }
    }

    /// Whether one of our routes goes over an interface.
    pub(crate) fn uses(&self, interface: u32) -> bool {
        self.forwardings.iter().any(|(_, forwarding)| forwarding.uses(interface))
    }

    // ---- what the kernel says ----

    /// Before a dump of all routes of the table.
    pub(crate) fn begin_resync(&mut self) {
        self.occupied.clear();
        self.entries.values_mut().for_each(|entry| entry.seen = false);
    }

    /// One route of ours in the dump.
    pub(crate) fn resync_ours(&mut self, prefix: IpNetwork, forwarding: &Forwarding) {
        let entry = self.entry_of_kernel(prefix);
        if std::mem::replace(&mut entry.seen, true) {
            self.observe(prefix, InKernel::Tangled);
        } else {
            self.observe_route(prefix, forwarding);
        }
    }

    /// After the dump: what was not in it is not there. Returns what the kernel refused as existing
    /// though nothing is there.
    pub(crate) fn end_resync(&mut self) -> Vec<(IpNetwork, KernelError)> {
        let unseen = |(prefix, entry): (&IpNetwork, &Entry)| {
            (!entry.seen && entry.kernel != InKernel::Absent).then_some(*prefix)
        };
        let gone: Vec<IpNetwork> = self.entries.iter().filter_map(unseen).collect();
        for prefix in gone {
            self.observe(prefix, InKernel::Absent);
        }
        let conflict = |(prefix, entry): (&IpNetwork, &Entry)| {
            (entry.blocked == Some(Blocked::Conflict) && !self.occupied.contains_key(prefix))
                .then_some(*prefix)
        };
        let freed: Vec<IpNetwork> = self.entries.iter().filter_map(conflict).collect();
        for prefix in freed {
            self.unblock(prefix, Some(Blocked::Conflict));
            self.queue(prefix);
        }
        let mut contested = std::mem::take(&mut self.contested);
        contested.retain(|(prefix, _)| !self.explained(*prefix));
        for (prefix, _) in &contested {
            self.block(*prefix, Blocked::Refused);
        }
        contested
    }

    /// Whether the dump shows why the kernel said that a route exists.
    fn explained(&mut self, prefix: IpNetwork) -> bool {
        let there = self.entries.get(&prefix).is_none_or(|entry| entry.kernel != InKernel::Absent);
        let explained = there || self.occupied.contains_key(&prefix);
        if explained {
            self.queue(prefix);
        }
        explained
    }

    /// Someone else added, changed or replaced a route of ours. `appended`: beside the one that was there.
    pub(crate) fn ours_changed(&mut self, prefix: IpNetwork, forwarding: &Forwarding, appended: bool) {
        let entry = self.entry_of_kernel(prefix);
        if appended && entry.kernel != InKernel::Absent {
            self.observe(prefix, InKernel::Tangled);
        } else {
            self.observe_route(prefix, forwarding);
        }
    }

    /// Someone else deleted a route of ours.
    pub(crate) fn ours_deleted(&mut self, prefix: IpNetwork) {
        if self.entries.contains_key(&prefix) {
            self.observe(prefix, InKernel::Absent);
        }
    }

    /// A foreign route with our metric is there; `replaced`: where ours was.
    pub(crate) fn foreign_added(&mut self, prefix: IpNetwork, protocol: u8, replaced: bool) {
        self.occupied.insert(prefix, protocol);
        if replaced && self.entries.contains_key(&prefix) {
            self.observe(prefix, InKernel::Absent);
        }
    }

    /// A foreign route with our metric is gone.
    pub(crate) fn foreign_removed(&mut self, prefix: IpNetwork) {
        self.occupied.remove(&prefix);
        if self.entries.contains_key(&prefix) {
            self.unblock(prefix, Some(Blocked::Conflict));
            self.queue(prefix);
        }
    }

    fn entry_of_kernel(&mut self, prefix: IpNetwork) -> &mut Entry {
        let stale = self.adopting;
        self.entries.entry(prefix).or_insert_with(|| Entry { stale, ..Entry::default() })
    }

    fn observe_route(&mut self, prefix: IpNetwork, forwarding: &Forwarding) {
        let (id, _) = self.forwardings.acquire(forwarding);
        self.observe(prefix, InKernel::Is(id));
        self.forwardings.release(id);
    }

    /// Takes the kernel's word; what was right and no longer is will be repaired.
    fn observe(&mut self, prefix: IpNetwork, kernel: InKernel) {
        let was_right = self.is_right(prefix);
        self.set_kernel(prefix, kernel);
        if !self.is_right(prefix) {
            if let Some(entry) = self.entries.get_mut(&prefix) {
                entry.disturbed |= was_right;
            }
            self.queue(prefix);
        }
    }

    fn is_right(&self, prefix: IpNetwork) -> bool {
        self.entries.get(&prefix).is_some_and(|entry| self.change(prefix, entry).is_none())
    }

    fn set_kernel(&mut self, prefix: IpNetwork, kernel: InKernel) {
        let Some(entry) = self.entries.get_mut(&prefix) else { return };
        if let InKernel::Is(id) = kernel {
            self.forwardings.retain(id);
        }
        let before = std::mem::replace(&mut entry.kernel, kernel);
        if let InKernel::Is(id) = before {
            self.forwardings.release(id);
        }
        self.present += usize::from(kernel != InKernel::Absent);
        self.present -= usize::from(before != InKernel::Absent);
    }

    // ---- what must be done ----

    fn queue(&mut self, prefix: IpNetwork) {
        if let Some(entry) = self.entries.get_mut(&prefix)
            && !std::mem::replace(&mut entry.queued, true)
        {
            self.pending.push_back(prefix);
        }
    }

    fn block(&mut self, prefix: IpNetwork, why: Blocked) {
        if let Some(entry) = self.entries.get_mut(&prefix) {
            let before = entry.blocked.replace(why);
            self.refused += usize::from(why == Blocked::Refused);
            self.refused -= usize::from(before == Some(Blocked::Refused));
        }
    }

    /// Lifts a block, of one kind or of any.
    fn unblock(&mut self, prefix: IpNetwork, why: Option<Blocked>) {
        if let Some(entry) = self.entries.get_mut(&prefix)
            && entry.blocked.is_some()
            && (why.is_none() || entry.blocked == why)
        {
            self.refused -= usize::from(entry.blocked == Some(Blocked::Refused));
            entry.blocked = None;
        }
    }

    /// The forwarding that an entry shall have in the kernel.
    fn wanted(&self, entry: &Entry) -> Option<Id> {
        let target = entry.desired.filter(|_| entry.blocked.is_none())?;
        self.resolved.get(&target).copied()
    }

    /// The one rule of this crate: what separates an entry from what is wanted. `None`: nothing.
    fn change(&self, prefix: IpNetwork, entry: &Entry) -> Option<Change> {
        let free = !self.occupied.contains_key(&prefix);
        match (self.wanted(entry), entry.kernel) {
            (Some(wanted), InKernel::Is(there)) if wanted == there => None,
            (Some(wanted), InKernel::Is(_)) if free => Some(Change::Replace(wanted)),
            (Some(wanted), InKernel::Absent) => Some(Change::Add(wanted)),
            (None, InKernel::Absent) => None,
            (None, _) if entry.stale => None,
            (_, InKernel::Is(_) | InKernel::Tangled) => Some(Change::Delete),
        }
    }

    /// Takes the next pending prefix that needs anything.
    pub(crate) fn next_finding(&mut self) -> Option<Finding> {
        while let Some(prefix) = self.pending.pop_front() {
            if let Some(finding) = self.examine(prefix) {
                return Some(finding);
            }
        }
        None
    }

    fn examine(&mut self, prefix: IpNetwork) -> Option<Finding> {
        let entry = self.entries.get_mut(&prefix)?;
        entry.queued = false;
        let entry = self.entries.get(&prefix)?;
        let protocol = self.occupied.get(&prefix).copied();
        match (self.change(prefix, entry), protocol) {
            (Some(Change::Add(_)), Some(protocol)) => {
                self.block(prefix, Blocked::Conflict);
                Some(Finding::Conflict(prefix, protocol))
            }
            (Some(change), _) => Some(Finding::Act(Action { prefix, change })),
            (None, _) => {
                self.settle(prefix);
                None
            }
        }
    }

    /// Nothing is left to do at a prefix: an entry that says nothing any more goes.
    fn settle(&mut self, prefix: IpNetwork) {
        if let Some(entry) = self.entries.get_mut(&prefix) {
            entry.disturbed = false;
            if entry.desired.is_none() && entry.kernel == InKernel::Absent && !entry.queued {
                self.unblock(prefix, None);
                self.entries.remove(&prefix);
            }
        }
    }

    /// It is not known whether an action at this prefix was carried out: the dump that follows tells.
    pub(crate) fn unknown(&mut self, prefix: IpNetwork) {
        self.queue(prefix);
    }

    /// The kernel carried out an action, or answered with an error.
    pub(crate) fn ended(&mut self, action: &Action, error: Option<KernelError>) -> Ended {
        let prefix = action.prefix;
        match (action.change, error.as_ref().map(|error| error.errno)) {
            (Change::Add(id) | Change::Replace(id), None) => {
                self.set_kernel(prefix, InKernel::Is(id));
                let disturbed =
                    self.entries.get_mut(&prefix).map(|entry| std::mem::take(&mut entry.disturbed));
                Ended::Well { repair: disturbed == Some(true) }
            }
            (Change::Delete, None | Some(libc::ESRCH)) => {
                let tangled =
                    self.entries.get(&prefix).is_some_and(|entry| entry.kernel == InKernel::Tangled);
                self.set_kernel(prefix, InKernel::Absent);
                self.queue(prefix);
                // There may be more of them.
                if tangled { Ended::Contested } else { Ended::Well { repair: false } }
            }
            (Change::Replace(_), Some(libc::ENOENT)) => {
                self.set_kernel(prefix, InKernel::Absent);
                self.queue(prefix);
                Ended::Contested
            }
            (_, Some(libc::EEXIST)) => {
                self.contested.extend(error.map(|error| (prefix, error)));
                Ended::Contested
            }
            (Change::Delete, Some(_)) => Ended::Refused,
            (_, Some(_)) => {
                self.block(prefix, Blocked::Refused);
                // If an older route is there, it must not stay.
                self.queue(prefix);
                Ended::Refused
            }
        }
    }
}
