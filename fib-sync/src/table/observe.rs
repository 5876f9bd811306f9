//! What the kernel says, in a dump or by events.

use ipnetwork::IpNetwork;

use super::{Blocked, Entry, InKernel, Table};
use crate::error::KernelError;
use crate::forwarding::Forwarding;
use crate::mirror::Told;

impl Table {
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

    /// All events up to now were told.
    pub(crate) fn events_read(&mut self) {
        for prefix in self.acted.drain(..) {
            if let Some(entry) = self.entries.get_mut(&prefix) {
                entry.acted = false;
            }
        }
    }

    fn told(&self, prefix: IpNetwork) -> Told {
        let acted = self.entries.get(&prefix).is_some_and(|entry| entry.acted);
        if acted { Told::Doubtful } else { Told::Exact }
    }

    /// Someone else added, changed or replaced a route of ours. `appended`: beside the one that was there.
    pub(crate) fn ours_changed(
        &mut self,
        prefix: IpNetwork,
        forwarding: &Forwarding,
        appended: bool,
    ) -> Told {
        // Ours where a foreign one was: perhaps in its place, perhaps beside it.
        let told = if self.occupied.remove(&prefix).is_some() { Told::Doubtful } else { self.told(prefix) };
        let entry = self.entry_of_kernel(prefix);
        if appended && entry.kernel != InKernel::Absent {
            self.observe(prefix, InKernel::Tangled);
        } else {
            self.observe_route(prefix, forwarding);
        }
        told
    }

    /// Someone else deleted a route of ours.
    pub(crate) fn ours_deleted(&mut self, prefix: IpNetwork) -> Told {
        if self.entries.contains_key(&prefix) {
            self.observe(prefix, InKernel::Absent);
        }
        self.told(prefix)
    }

    /// A foreign route with our metric is there; `replaced`: where ours was.
    pub(crate) fn foreign_added(&mut self, prefix: IpNetwork, protocol: u8, replaced: bool) -> Told {
        self.occupied.insert(prefix, protocol);
        if replaced && self.entries.contains_key(&prefix) {
            self.observe(prefix, InKernel::Absent);
        }
        self.told(prefix)
    }

    /// A foreign route with our metric is gone.
    pub(crate) fn foreign_removed(&mut self, prefix: IpNetwork) -> Told {
        self.occupied.remove(&prefix);
        if self.entries.contains_key(&prefix) {
            self.unblock(prefix, Some(Blocked::Conflict));
            self.queue(prefix);
        }
        self.told(prefix)
    }

    /// One foreign route with our metric in the dump.
    pub(crate) fn resync_foreign(&mut self, prefix: IpNetwork, protocol: u8) {
        self.occupied.insert(prefix, protocol);
    }

    fn entry_of_kernel(&mut self, prefix: IpNetwork) -> &mut Entry {
        let stale = self.adopting;
        self.entries.entry(prefix).or_insert_with(|| Entry { stale, ..Entry::default() })
    }

    fn observe_route(&mut self, prefix: IpNetwork, forwarding: &Forwarding) {
        let (id, _) = self.targets.forwardings.acquire(forwarding);
        self.observe(prefix, InKernel::Is(id));
        self.targets.forwardings.release(id);
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

    pub(super) fn set_kernel(&mut self, prefix: IpNetwork, kernel: InKernel) {
        let Some(entry) = self.entries.get_mut(&prefix) else { return };
        if let InKernel::Is(id) = kernel {
            self.targets.forwardings.retain(id);
        }
        let before = std::mem::replace(&mut entry.kernel, kernel);
        if let InKernel::Is(id) = before {
            self.targets.forwardings.release(id);
        }
        self.present += usize::from(kernel != InKernel::Absent);
        self.present -= usize::from(before != InKernel::Absent);
    }
}
