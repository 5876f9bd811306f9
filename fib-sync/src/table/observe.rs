//! What the kernel says, in a dump or by events.

use std::collections::BTreeSet;

use ipnetwork::IpNetwork;

use super::{Blocked, Flag, InKernel, SLICE, Table};
use crate::desired::DesiredRoutes;
use crate::error::KernelError;
use crate::forwarding::Forwarding;
use crate::intern::Id;
use crate::mirror::Told;

impl<D: DesiredRoutes> Table<D> {
    /// Before a dump of all routes of the table.
    pub(crate) fn begin_resync(&mut self) {
        self.occupied.clear();
        self.slots.for_each(|slot| slot.with(Flag::Seen, false));
    }

    /// One route of ours in the dump. Its number if it was found already; the forwarding has a user as long as the
    /// dump lasts.
    pub(crate) fn resync_ours(&mut self, prefix: IpNetwork, number: Option<u32>, forwarding: Id) {
        let number = number.unwrap_or_else(|| self.number_of_kernel(prefix));
        if self.slots.get(number).has(Flag::Seen) {
            self.observe(number, InKernel::Tangled);
        } else {
            self.observe(number, InKernel::Is(forwarding));
            self.slots.set(number, Flag::Seen, true);
        }
    }

    /// After the dump, in slices: what was not in it is not there. Returns where the next slice begins.
    pub(crate) fn settle_resync(&mut self, from: u32) -> Option<u32> {
        let end = self.slots.end();
        let until = from.saturating_add(SLICE).min(end);
        for number in from..until {
            let slot = self.slots.get(number);
            if !slot.has(Flag::Seen) && slot.kernel() != InKernel::Absent {
                self.observe(number, InKernel::Absent);
            }
            if slot.has(Flag::Conflict) && self.occupant(number).is_none() {
                self.unblock(number, Some(Blocked::Conflict));
                self.slots.queue(number);
            }
        }
        (until < end).then_some(until)
    }

    /// At the end of a resync. Returns what the kernel refused as existing though nothing is there.
    pub(crate) fn end_resync(&mut self) -> Vec<(IpNetwork, KernelError)> {
        let contested = std::mem::take(&mut self.contested);
        let mut refused = Vec::new();
        for (number, error) in contested {
            if !self.explained(number) {
                self.block(number, Blocked::Refused);
                refused.extend(self.routes.prefix(number).map(|prefix| (prefix, error)));
            }
        }
        refused
    }

    /// Whether the dump shows why the kernel said that a route exists.
    fn explained(&mut self, number: u32) -> bool {
        let there = self.slots.get(number).kernel() != InKernel::Absent;
        let explained = there || self.routes.target(number).is_none() || self.occupant(number).is_some();
        if explained {
            self.slots.queue(number);
        }
        explained
    }

    /// All events up to now were told.
    pub(crate) fn events_read(&mut self) {
        for number in self.acted.drain(..) {
            self.slots.set(number, Flag::Acted, false);
        }
    }

    fn told(&self, number: u32) -> Told {
        if self.slots.get(number).has(Flag::Acted) { Told::Doubtful } else { Told::Exact }
    }

    /// Someone else added, changed or replaced a route of ours. `appended`: beside the one that was there.
    pub(crate) fn ours_changed(&mut self, prefix: IpNetwork, forwarding: Forwarding, appended: bool) -> Told {
        // Ours where a foreign one was: perhaps in its place, perhaps beside it.
        let freed = self.occupied.remove(&prefix).is_some();
        let number = self.number_of_kernel(prefix);
        let told = if freed { Told::Doubtful } else { self.told(number) };
        if appended && self.slots.get(number).kernel() != InKernel::Absent {
            self.observe(number, InKernel::Tangled);
        } else {
            self.observe_forwarding(number, forwarding);
        }
        told
    }

    /// Someone else deleted a route of ours.
    pub(crate) fn ours_deleted(&mut self, prefix: IpNetwork) -> Told {
        let Some(number) = self.routes.number(prefix) else { return Told::Exact };
        self.observe(number, InKernel::Absent);
        self.told(number)
    }

    /// A foreign route with our metric is there; `replaced`: where ours was.
    pub(crate) fn foreign_added(&mut self, prefix: IpNetwork, protocol: u8, replaced: bool) -> Told {
        self.occupied.insert(prefix, protocol);
        let Some(number) = self.routes.number(prefix) else { return Told::Exact };
        if replaced {
            self.observe(number, InKernel::Absent);
        }
        self.told(number)
    }

    /// A foreign route with our metric is gone.
    pub(crate) fn foreign_removed(&mut self, prefix: IpNetwork) -> Told {
        self.occupied.remove(&prefix);
        let Some(number) = self.routes.number(prefix) else { return Told::Exact };
        self.unblock(number, Some(Blocked::Conflict));
        self.slots.queue(number);
        self.told(number)
    }

    /// One foreign route with our metric in the dump.
    pub(crate) fn resync_foreign(&mut self, prefix: IpNetwork, protocol: u8) {
        self.occupied.insert(prefix, protocol);
    }

    /// A link went down: the kernel has dropped routes whose only hop was over it, IPv4 ones without a word. Doubtful
    /// if there are routes with other hops besides.
    pub(crate) fn link_down(&mut self, interface: u32) -> Told {
        let forwardings = self.targets.forwardings.iter();
        let over = forwardings.filter(|(_, forwarding)| forwarding.way.uses(interface));
        let (single, shared): (Vec<_>, Vec<_>) = over.partition(|(_, f)| f.way.hops().len() == 1);
        if !shared.is_empty() {
            return Told::Doubtful;
        }
        let gone: BTreeSet<Id> = single.into_iter().map(|(id, _)| id).collect();
        if !gone.is_empty() {
            for number in 0..self.slots.end() {
                if matches!(self.slots.get(number).kernel(), InKernel::Is(id) if gone.contains(&id)) {
                    self.observe(number, InKernel::Absent);
                }
            }
        }
        Told::Exact
    }

    /// The number of a prefix where the kernel has a route of ours.
    fn number_of_kernel(&mut self, prefix: IpNetwork) -> u32 {
        self.routes.number(prefix).unwrap_or_else(|| {
            let number = self.routes.hold(prefix);
            let stale = self.targets.adopting;
            self.slots.change(number, |slot| slot.with(Flag::Stale, stale));
            number
        })
    }

    fn observe_forwarding(&mut self, number: u32, forwarding: Forwarding) {
        let id = self.targets.forwardings.acquire(forwarding).map(|(id, _)| id);
        // With 16 million others it cannot be what is wanted.
        self.observe(number, id.map_or(InKernel::Tangled, InKernel::Is));
        if let Some(id) = id {
            self.targets.forwardings.release(id);
        }
    }

    /// Takes the kernel's word; what was right and no longer is will be repaired.
    fn observe(&mut self, number: u32, kernel: InKernel) {
        let before = self.slots.get(number);
        if before.kernel() == kernel && !before.has(Flag::Queued) && self.difference(number, before).is_none()
        {
            return;
        }
        let was_right = self.difference(number, before).is_none();
        self.set_kernel(number, kernel);
        if self.difference(number, self.slots.get(number)).is_some() {
            if was_right {
                self.slots.set(number, Flag::Disturbed, true);
            }
            self.slots.queue(number);
        } else if kernel == InKernel::Absent {
            self.slots.queue(number);
        }
    }

    pub(super) fn set_kernel(&mut self, number: u32, kernel: InKernel) {
        let before = self.slots.get(number).kernel();
        if before == kernel {
            return;
        }
        if let InKernel::Is(id) = kernel {
            self.targets.forwardings.retain(id);
        }
        self.slots.change(number, |slot| slot.with_kernel(kernel));
        if let InKernel::Is(id) = before {
            self.targets.forwardings.release(id);
        }
        self.present += usize::from(kernel != InKernel::Absent);
        self.present -= usize::from(before != InKernel::Absent);
    }
}
