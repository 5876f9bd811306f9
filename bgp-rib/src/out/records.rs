//! What a group has sent last, per destination: the group's Adj-RIB-Out.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ops::RangeBounds;

use bgp_core::{AddressFamily, PathId};

use super::journal::Sequence;
use super::slots::{Age, BLOCK, Cell, Cells, Outbound, SlotStore};
use super::sources::{Sources, Written};
use crate::attributes::Attrs;
use crate::peer::{PeerId, Peers};
use crate::table::{DestId, Table};

/// Numbers of entries are counted anew once everyone is past so many. Small in tests, where entries are few.
const RENUMBER: u64 = if cfg!(test) { 50 } else { 1 << 30 };

/// The route that the peers of the group hold, its source excepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) attrs: &'a Attrs,
    pub(crate) source: PeerId,
    /// The journal entry that announced it. Of one that every peer is past only that is known.
    pub(crate) changed: Sequence,
}

/// What is known of one path on its way out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slot<'a> {
    /// The route that was announced last.
    Sent(Record<'a>),
    /// Nobody is to hold a route. With a number it is a tombstone: the route was withdrawn by that entry, which some
    /// peer has not read.
    Unsent(Option<Sequence>),
}

impl Slot<'_> {
    /// Whether nothing is known.
    pub(crate) fn is_empty(self) -> bool {
        matches!(self, Slot::Unsent(None))
    }
}

/// What the numbers in the cells stand for.
#[derive(Debug, Default)]
struct Numbers {
    sources: Sources,
    epoch: Sequence,
}

impl Numbers {
    #[inline]
    fn slot<'a>(&self, cell: &'a Cell) -> Slot<'a> {
        match cell {
            Cell::Sent { attrs, source, changed } => Slot::Sent(Record {
                attrs,
                source: self.sources.peer(*source),
                changed: changed.after(self.epoch),
            }),
            Cell::Unsent(changed) => Slot::Unsent(changed.map(|changed| changed.after(self.epoch))),
        }
    }
}

/// What is known of one destination, by path id.
pub(crate) struct Slots<'a> {
    cells: Cells<'a>,
    numbers: &'a Numbers,
}

impl<'a> Iterator for Slots<'a> {
    type Item = (Outbound, Slot<'a>);

    fn next(&mut self) -> Option<(Outbound, Slot<'a>)> {
        self.cells.next().map(|(out, cell)| (out, self.numbers.slot(cell)))
    }
}

/// The slots of one family. One that is not empty holds its destination's number in the table.
#[derive(Debug)]
pub(crate) struct Records<F> {
    cells: SlotStore,
    numbers: Numbers,
    sent: usize,
    /// The most routes at a time since there were no tombstones.
    peak: usize,
    /// The destinations of tombstones, oldest first; some have become routes again since.
    withdrawn: VecDeque<DestId>,
    /// How many of them, in order, each entry withdrew.
    runs: VecDeque<(Sequence, usize)>,
    tombstones: usize,
    /// The most routes that were sent since empty blocks were looked for.
    most: usize,
    family: PhantomData<F>,
}

impl<F: AddressFamily> Records<F> {
    /// Nothing was sent. With `add_path` there are several paths to a destination.
    pub(crate) fn new(add_path: bool) -> Records<F> {
        Records {
            cells: SlotStore::new(add_path),
            numbers: Numbers::default(),
            sent: 0,
            peak: 0,
            withdrawn: VecDeque::new(),
            runs: VecDeque::new(),
            tombstones: 0,
            most: 0,
            family: PhantomData,
        }
    }

    /// What is known under a path id, and of which path; without ADD-PATH the id makes no difference.
    pub(crate) fn get(&self, dest: DestId, id: PathId) -> (Outbound, Slot<'_>) {
        let (out, cell) = self.cells.get(dest, id);
        (out, self.numbers.slot(cell))
    }

    /// All that is known of a destination, by path id.
    pub(crate) fn slots(&self, dest: DestId) -> Slots<'_> {
        Slots { cells: self.cells.of(dest), numbers: &self.numbers }
    }

    /// One more than the highest destination that may have a slot.
    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The routes sent.
    pub(crate) fn sent(&self) -> usize {
        self.sent
    }

    /// The most routes that were sent at a time, since there were no tombstones.
    pub(crate) fn peak(&self) -> usize {
        self.peak
    }

    /// The routes sent that came from this slot.
    pub(crate) fn sent_from(&self, slot: u32) -> usize {
        self.numbers.sources.sent_from(slot)
    }

    pub(crate) fn tombstones(&self) -> usize {
        self.tombstones
    }

    /// The memory it takes, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let runs = self.runs.capacity() * size_of::<(Sequence, usize)>();
        self.cells.memory() + self.withdrawn.capacity() * size_of::<DestId>() + runs
    }

    /// What was written of the source of a record. It may be gone since, or be another router: those who are sent the
    /// records are sent what all others hold.
    pub(crate) fn written(&self, source: PeerId) -> Option<Written> {
        self.numbers.sources.written(source)
    }

    /// Whether a route of `new` would be written as it was written for `old`, the source of a record.
    pub(crate) fn is_same_source(&self, peers: &Peers, old: PeerId, new: PeerId) -> bool {
        old == new || (old.slot == new.slot && self.written(old) == Written::of(peers, new))
    }

    /// Notes a route that was announced by an entry, and what was written of its source. The table must hold the
    /// destination.
    pub(crate) fn announced(&mut self, out: Outbound, record: Record<'_>, written: Option<Written>) {
        let source = self.numbers.sources.count_in(record.source, written);
        let changed = Age::of(record.changed, self.numbers.epoch);
        self.replace(out, Cell::Sent { attrs: record.attrs.clone(), source, changed });
        self.sent += 1;
        self.peak = self.peak.max(self.sent);
    }

    /// Notes that the route was withdrawn by entry `changed`. The table must hold the destination.
    pub(crate) fn withdrew(&mut self, out: Outbound, changed: Sequence) {
        self.replace(out, Cell::Unsent(Some(Age::of(changed, self.numbers.epoch))));
        self.tombstones += 1;
        self.note_withdrawn(out.dest, changed);
    }

    fn note_withdrawn(&mut self, dest: DestId, changed: Sequence) {
        match self.runs.back_mut() {
            Some((number, count)) if *number == changed => *count += 1,
            _ => self.runs.push_back((changed, 1)),
        }
        self.withdrawn.push_back(dest);
    }

    /// Forgets the tombstones that every peer is past: those older than `oldest_unread`, the oldest first, until `steps`
    /// are used up. Whether those are all.
    pub(crate) fn bury(&mut self, table: &mut Table<F>, oldest_unread: Sequence, steps: &mut usize) -> bool {
        let is_past = |(changed, _): &(Sequence, usize)| *changed < oldest_unread;
        while let Some((_, count)) = self.runs.pop_front_if(|run| *steps > 0 && is_past(run)) {
            *steps = steps.saturating_sub(count);
            for _ in 0..count {
                if let Some(dest) = self.withdrawn.pop_front() {
                    self.bury_at(table, dest, oldest_unread);
                }
            }
        }
        if self.withdrawn.len() > 2 * self.tombstones + BLOCK {
            self.forget_those_that_came_back();
        }
        if self.tombstones == 0 {
            self.most = self.most.max(self.peak);
            self.peak = self.sent;
            self.sweep_if_sparse();
        }
        shrink(&mut self.withdrawn);
        shrink(&mut self.runs);
        !self.runs.front().is_some_and(is_past)
    }

    /// What was there for a whole table goes back, also if some of it stays: when half of it is gone, and no more is about
    /// to go. Where little is, only if a block is empty for certain: one of two routes that flaps is no reason to look at
    /// them.
    fn sweep_if_sparse(&mut self) {
        let is_worth_it = self.sent >= BLOCK || self.cells.blocks() > self.sent;
        if self.sent <= self.most / 2 && is_worth_it {
            self.cells.sweep();
            self.most = self.sent;
        }
    }

    fn bury_at(&mut self, table: &mut Table<F>, dest: DestId, oldest_unread: Sequence) {
        while let Some((out, _)) = self.slots(dest).find(|(_, slot)| is_tombstone(*slot, ..oldest_unread)) {
            self.replace(out, Cell::default());
            table.release(dest);
        }
    }

    /// Takes those out of the queue that are no tombstones of the entry that it names any more.
    fn forget_those_that_came_back(&mut self) {
        let mut withdrawn = std::mem::take(&mut self.withdrawn).into_iter();
        for (changed, count) in std::mem::take(&mut self.runs) {
            for dest in withdrawn.by_ref().take(count) {
                if self.slots(dest).any(|(_, slot)| is_tombstone(slot, changed..=changed)) {
                    self.note_withdrawn(dest, changed);
                }
            }
        }
    }

    /// A number is kept in 32 bits, counted from an epoch. Once in a while that follows `oldest_unread`, before which
    /// no peer needs to know when a route changed: so it is never over 4 billion entries behind, as long as no peer is
    /// 2 billion behind. Tombstones that old must be buried.
    pub(crate) fn renumber(&mut self, oldest_unread: Sequence) {
        let passed = oldest_unread.since(self.numbers.epoch);
        if passed > RENUMBER {
            // What is older than the oldest unread one stays so.
            let later = passed - 1;
            self.cells.renumber(u32::try_from(later).unwrap_or(u32::MAX));
            self.numbers.epoch = self.numbers.epoch.plus(later);
        }
    }

    /// Forgets everything and lets the table have the destinations' numbers back.
    pub(crate) fn clear(&mut self, table: &mut Table<F>) {
        for dest in (0..self.len()).map(DestId::from_index) {
            self.slots(dest).for_each(|_| table.release(dest));
        }
        *self = Records::new(self.cells.is_add_path());
    }

    fn replace(&mut self, out: Outbound, new: Cell) {
        match self.cells.replace(out, new) {
            Cell::Unsent(None) => {}
            Cell::Unsent(Some(_)) => self.tombstones -= 1,
            Cell::Sent { source, .. } => {
                self.sent -= 1;
                self.numbers.sources.count_out(source);
            }
        }
    }
}

/// Gives memory back after a burst, seldom enough that copying does not matter.
fn shrink<T>(queue: &mut VecDeque<T>) {
    let most = 2 * queue.len().max(BLOCK);
    if queue.capacity() > 2 * most {
        queue.shrink_to(most);
    }
}

/// Whether it tells of a withdrawal by one of these entries.
fn is_tombstone(slot: Slot<'_>, entries: impl RangeBounds<Sequence>) -> bool {
    matches!(slot, Slot::Unsent(Some(at)) if entries.contains(&at))
}

#[cfg(test)]
mod tests {
    use bgp_core::{Asn, PeerKind, RouterId, V4};

    use super::super::journal::Journal;
    use super::*;
    use crate::testing::{info, prefix};
    use crate::{AttributeStore, Decision, DecisionConfig, Path, Summary};

    fn attrs(store: &AttributeStore) -> Attrs {
        store.insert(PeerKind::Internal, [10, 0, 0, 1].into(), &[], Summary::default())
    }

    fn record(attrs: &Attrs, source: PeerId) -> Record<'_> {
        Record { attrs, source, changed: Sequence::default() }
    }

    fn table_with_one_route(attrs: &Attrs) -> (Table<V4>, DestId) {
        let peers = Peers::new(Asn(64512), RouterId(1));
        let mut table = Table::new(1);
        let path = Path::new(PeerId::LOCAL, PathId(0), attrs.clone(), bgp_core::Instant::ZERO);
        let dest = table.upsert(prefix(1), path, Decision::new(DecisionConfig::default(), &peers)).dest;
        (table, dest)
    }

    fn out(dest: DestId, id: u32) -> Outbound {
        Outbound { dest, id: PathId(id), received: PathId(0) }
    }

    #[test]
    fn routes_are_counted_by_the_slot_of_their_source() {
        let attrs = attrs(&AttributeStore::new(1));
        let (_, dest) = table_with_one_route(&attrs);
        let [earlier, later] = [1, 2].map(|generation| PeerId { slot: 1, generation });
        let mut records: Records<V4> = Records::new(true);
        records.announced(out(dest, 1), record(&attrs, PeerId::LOCAL), None);
        records.announced(out(dest, 1), record(&attrs, earlier), None);
        records.announced(out(dest, 2), record(&attrs, later), None);
        assert_eq!((records.sent(), records.sent_from(0), records.sent_from(1)), (2, 0, 2));
        records.withdrew(out(dest, 1), Sequence::default());
        assert_eq!((records.sent(), records.sent_from(1), records.tombstones()), (1, 1, 1));
    }

    #[test]
    fn a_route_that_flaps_does_not_pile_up_tombstones() {
        for add_path in [false, true] {
            let attrs = attrs(&AttributeStore::new(1));
            let (mut table, dest) = table_with_one_route(&attrs);
            let mut records: Records<V4> = Records::new(add_path);
            for number in 0..10 * BLOCK as u64 {
                records.announced(out(dest, 1), record(&attrs, PeerId::LOCAL), None);
                records.withdrew(out(dest, 1), Sequence::default().plus(number));
                records.bury(&mut table, Sequence::default(), &mut { usize::MAX });
            }
            assert_eq!(records.tombstones(), 1);
            assert!(records.withdrawn.len() <= BLOCK + 2 && records.runs.len() <= BLOCK + 2);
        }
    }

    #[test]
    fn many_tombstones_of_one_entry_take_little_and_leave_nothing() {
        let attrs = attrs(&AttributeStore::new(1));
        let (mut table, _) = table_with_one_route(&attrs);
        let mut records: Records<V4> = Records::new(false);
        let before = records.memory();
        let count = 100 * BLOCK;
        for dest in (0..count).map(DestId::from_index) {
            records.announced(Outbound::only(dest), record(&attrs, PeerId::LOCAL), None);
        }
        for dest in (0..count).map(DestId::from_index) {
            records.withdrew(Outbound::only(dest), Sequence::default());
        }
        assert!(records.memory() - before <= count * (16 + 8), "{}", records.memory());
        records.bury(&mut table, Sequence::default().plus(1), &mut { usize::MAX });
        assert_eq!((records.tombstones(), records.withdrawn.len(), records.runs.len()), (0, 0, 0));
        assert!(records.memory() - before <= count * 16 + 64 * BLOCK);
    }

    #[test]
    fn what_a_table_took_goes_back_although_a_route_stays() {
        for add_path in [false, true] {
            let attrs = attrs(&AttributeStore::new(1));
            let (mut table, stays) = table_with_one_route(&attrs);
            let mut records: Records<V4> = Records::new(add_path);
            records.announced(out(stays, 1), record(&attrs, PeerId::LOCAL), None);
            let before = records.memory();
            let dests = (1..50 * BLOCK).map(DestId::from_index);
            dests.clone().for_each(|dest| {
                records.announced(out(dest, 1), record(&attrs, PeerId::LOCAL), None);
            });
            records.bury(&mut table, Sequence::default(), &mut { usize::MAX });
            // The last block goes first, and then all at once.
            let (rest, last): (Vec<_>, Vec<_>) = dests.partition(|dest| dest.index() < 20 * BLOCK);
            let mut memory = Vec::new();
            for (number, part) in [last, rest].iter().enumerate() {
                let withdrawn = Sequence::default().plus(number as u64);
                part.iter().for_each(|dest| records.withdrew(out(*dest, 1), withdrawn));
                records.bury(&mut table, withdrawn.plus(1), &mut { usize::MAX });
                memory.push(records.memory());
            }
            assert!(memory[0] <= before * 20 + 20 * BLOCK * 24 + 64 * BLOCK, "{memory:?}, {before}");
            assert!(memory[1] <= before + 64 * BLOCK, "{memory:?}, {before}");
            assert!(matches!(records.get(stays, PathId(1)).1, Slot::Sent(_)));
        }
    }

    #[test]
    fn routes_keep_their_order_in_time_over_many_entries() {
        let attrs = attrs(&AttributeStore::new(1));
        let (mut table, dest) = table_with_one_route(&attrs);
        let mut records: Records<V4> = Records::new(true);
        let mut journal = Journal::default();
        for round in 0..10 * RENUMBER {
            let read = journal.end();
            records.announced(
                out(dest, 1),
                Record { changed: journal.skip(), ..record(&attrs, PeerId::LOCAL) },
                None,
            );
            records.withdrew(out(dest, 2), journal.skip());
            let changes: Vec<Sequence> = records.slots(dest).filter_map(|(_, slot)| changed(slot)).collect();
            assert_eq!(changes, [read, read.plus(1)], "round {round}");
            records.bury(&mut table, read, &mut { usize::MAX });
            records.renumber(read);
        }
        assert!(journal.end().since(records.numbers.epoch) <= RENUMBER + 4);
    }

    fn changed(slot: Slot<'_>) -> Option<Sequence> {
        match slot {
            Slot::Sent(record) => Some(record.changed),
            Slot::Unsent(changed) => changed,
        }
    }

    #[test]
    fn a_later_session_is_the_same_source_if_the_same_is_written_of_it() {
        let attrs = attrs(&AttributeStore::new(1));
        let (_, dest) = table_with_one_route(&attrs);
        let mut peers = Peers::new(Asn(64512), RouterId(1));
        let [earlier, later] = [1, 2].map(|generation| PeerId { slot: 5, generation });
        peers.insert(info(5, 1));
        let mut records: Records<V4> = Records::new(false);
        let written = Written::of(&peers, earlier);
        records.announced(Outbound::only(dest), record(&attrs, earlier), written);
        assert!(records.is_same_source(&peers, earlier, earlier));
        peers.insert(info(5, 2));
        assert!(records.is_same_source(&peers, earlier, later));
        peers.insert(crate::PeerInfo { router_id: RouterId(7), ..info(5, 2) });
        assert!(!records.is_same_source(&peers, earlier, later));
        assert!(!records.is_same_source(&peers, earlier, PeerId { slot: 6, generation: 1 }));
    }
}
