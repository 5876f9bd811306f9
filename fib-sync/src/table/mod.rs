//! The model: what is desired, what the kernel is known to hold, and what must be done about it.
//!
//! No I/O. [`crate::FibSync`] feeds it desired routes, dumps and events, takes [`Action`]s from it and
//! reports how they ended. One entry exists for each prefix that is desired or that the kernel holds as
//! ours: this bounds the memory, and the queue of pending prefixes with it.

use std::collections::{HashMap, VecDeque};

use ipnetwork::IpNetwork;

use crate::error::KernelError;
use crate::forwarding::Forwarding;
use crate::intern::Id;
use crate::resolve::{Changes, Resolver};
use crate::route::{RouteOptions, Target};
use crate::targets::Targets;

mod observe;

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
    /// Acted upon since the events were last read: those that come now may be older than the action.
    acted: bool,
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
    targets: Targets,
    /// Foreign routes with our table and metric, by prefix: their protocol.
    occupied: HashMap<IpNetwork, u8>,
    contested: Vec<(IpNetwork, KernelError)>,
    acted: Vec<IpNetwork>,
    adopting: bool,
    present: usize,
    refused: usize,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            entries: HashMap::new(),
            pending: VecDeque::new(),
            targets: Targets::new(),
            occupied: HashMap::new(),
            contested: Vec::new(),
            acted: Vec::new(),
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
        self.targets.forwardings.get(id)
    }

    /// What is desired at each prefix, resolved: `None` inside if no next hop is reachable.
    pub(crate) fn desired(&self) -> impl Iterator<Item = (IpNetwork, Option<&Forwarding>)> {
        self.entries.iter().filter_map(|(prefix, entry)| {
            let target = entry.desired?;
            let forwarding = self.targets.forwarding(target).and_then(|id| self.targets.forwardings.get(id));
            Some((*prefix, forwarding))
        })
    }

    // ---- what the caller wants ----

    pub(crate) fn set(
        &mut self,
        prefix: IpNetwork,
        target: &Target,
        options: RouteOptions,
        resolver: &mut Resolver,
    ) {
        let id = self.targets.acquire(target, options, resolver);
        let entry = self.entries.entry(prefix).or_default();
        entry.stale = false;
        let before = entry.desired.replace(id);
        if before != Some(id) {
            self.unblock(prefix, None);
            self.queue(prefix);
        }
        if let Some(before) = before {
            self.targets.release(before, resolver);
        }
    }

    pub(crate) fn remove(&mut self, prefix: IpNetwork, resolver: &mut Resolver) {
        let Some(entry) = self.entries.get_mut(&prefix) else { return };
        let before = entry.desired.take();
        if before.is_some() {
            self.unblock(prefix, None);
            self.queue(prefix);
        }
        if let Some(before) = before {
            self.targets.release(before, resolver);
        }
    }

    /// Asks `choose` for another target of every desired route.
    pub(crate) fn retarget(
        &mut self,
        mut choose: impl FnMut(IpNetwork, &Target) -> Option<Target>,
        resolver: &mut Resolver,
    ) {
        let chosen = |(prefix, entry): (&IpNetwork, &Entry)| {
            let (target, options) = self.targets.get(entry.desired?)?;
            Some((*prefix, choose(*prefix, target)?, *options))
        };
        let changes: Vec<_> = self.entries.iter().filter_map(chosen).collect();
        for (prefix, target, options) in changes {
            self.set(prefix, &target, options, resolver);
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

    /// These addresses resolve differently now.
    pub(crate) fn next_hops_changed(&mut self, changes: &Changes, resolver: &Resolver) {
        let changed = self.targets.next_hops_changed(changes, resolver);
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
        self.targets.forwardings.iter().any(|(_, forwarding)| forwarding.way.uses(interface))
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
        self.targets.forwarding(target)
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
        if let Some(entry) = self.entries.get_mut(&prefix) {
            entry.acted = true;
            self.acted.push(prefix);
        }
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

#[cfg(test)]
mod tests;
