//! What a group has sent last, per destination: the group's Adj-RIB-Out.

use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;

use bgp_core::{AddressFamily, PathId, RouterId};

use super::journal::Sequence;
use super::slots::{BLOCK, Outbound, Record, Slot, SlotStore, Slots};
use crate::peer::{PeerId, Peers, SourceKind};
use crate::table::{DestId, Table};

/// What is written of a source into its routes. A slot may go to another router between two flushes: then routes that
/// are the same otherwise go out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    kind: SourceKind,
    router_id: RouterId,
}

impl Written {
    /// Of what has the slot of `source` now.
    pub(crate) fn of(peers: &Peers, source: PeerId) -> Option<Written> {
        peers.source(source).map(|info| Written { kind: info.kind, router_id: info.router_id })
    }
}

#[derive(Clone, Copy, Debug)]
struct Source {
    sent: usize,
    written: Option<Written>,
}

/// The slots of one family. One that is not empty holds its destination's number in the table.
#[derive(Debug)]
pub(crate) struct Records<F> {
    slots: SlotStore,
    sent: usize,
    sources: BTreeMap<PeerId, Source>,
    /// Tombstones, oldest first; some have become routes again since.
    withdrawn: VecDeque<(Sequence, DestId, PathId)>,
    tombstones: usize,
    family: PhantomData<F>,
}

impl<F: AddressFamily> Records<F> {
    /// Nothing was sent. With `add_path` there are several paths to a destination.
    pub(crate) fn new(add_path: bool) -> Records<F> {
        Records {
            slots: SlotStore::new(add_path),
            sent: 0,
            sources: BTreeMap::new(),
            withdrawn: VecDeque::new(),
            tombstones: 0,
            family: PhantomData,
        }
    }

    /// What is known under a path id, and of which path; without ADD-PATH the id makes no difference.
    pub(crate) fn get(&self, dest: DestId, id: PathId) -> (Outbound, &Slot) {
        self.slots.get(dest, id)
    }

    /// All that is known of a destination, by path id.
    pub(crate) fn slots(&self, dest: DestId) -> Slots<'_> {
        self.slots.of(dest)
    }

    /// One more than the highest destination that may have a slot.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The routes sent.
    pub(crate) fn sent(&self) -> usize {
        self.sent
    }

    /// The routes sent that came from this slot.
    pub(crate) fn sent_from(&self, slot: u32) -> usize {
        let sessions = PeerId { slot, generation: 0 }..=PeerId { slot, generation: u32::MAX };
        self.sources.range(sessions).map(|(_, source)| source.sent).sum()
    }

    pub(crate) fn tombstones(&self) -> usize {
        self.tombstones
    }

    /// The memory it takes, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.slots.memory() + self.withdrawn.capacity() * size_of::<(Sequence, DestId, PathId)>()
    }

    /// Whether a route of `new` would be written as it was written for `old`, the source of a record.
    pub(crate) fn is_same_source(&self, peers: &Peers, old: PeerId, new: PeerId) -> bool {
        let written = || self.sources.get(&old).and_then(|source| source.written);
        old == new || (old.slot == new.slot && written() == Written::of(peers, new))
    }

    /// Notes a route that was announced by entry `changed`, and what was written of its source. The table must hold
    /// the destination.
    pub(crate) fn announced(&mut self, out: Outbound, record: Record, written: Option<Written>) {
        let source = record.source;
        self.replace(out, Slot::Sent(record));
        self.sent += 1;
        match self.sources.get_mut(&source) {
            Some(source) => source.sent += 1,
            None => _ = self.sources.insert(source, Source { sent: 1, written }),
        }
    }

    /// Notes that the route was withdrawn by entry `changed`. The table must hold the destination.
    pub(crate) fn withdrew(&mut self, out: Outbound, changed: Sequence) {
        self.replace(out, Slot::Unsent(Some(changed)));
        self.tombstones += 1;
        self.withdrawn.push_back((changed, out.dest, out.id));
    }

    /// Forgets the tombstones that every peer is past: those older than `oldest_unread`.
    pub(crate) fn bury(&mut self, table: &mut Table<F>, oldest_unread: Sequence) {
        while let Some((changed, dest, id)) =
            self.withdrawn.pop_front_if(|(changed, ..)| *changed < oldest_unread)
        {
            if self.is_tombstone(dest, id, changed) {
                self.replace(Outbound { dest, id, received: PathId(0) }, Slot::default());
                table.release(dest);
            }
        }
        if self.withdrawn.len() > 2 * self.tombstones + BLOCK {
            let mut queue = std::mem::take(&mut self.withdrawn);
            queue.retain(|(changed, dest, id)| self.is_tombstone(*dest, *id, *changed));
            self.withdrawn = queue;
        }
    }

    /// Forgets everything and lets the table have the destinations' numbers back.
    pub(crate) fn clear(&mut self, table: &mut Table<F>) {
        for dest in (0..self.len()).map(DestId::from_index) {
            self.slots(dest).for_each(|_| table.release(dest));
        }
        *self = Records::new(self.slots.is_add_path());
    }

    fn is_tombstone(&self, dest: DestId, id: PathId, changed: Sequence) -> bool {
        matches!(self.get(dest, id), (_, Slot::Unsent(Some(at))) if *at == changed)
    }

    fn replace(&mut self, out: Outbound, new: Slot) {
        match self.slots.replace(out, new) {
            Slot::Unsent(None) => {}
            Slot::Unsent(Some(_)) => self.tombstones -= 1,
            Slot::Sent(old) => {
                self.sent -= 1;
                if let Some(source) = self.sources.get_mut(&old.source) {
                    source.sent -= 1;
                    if source.sent == 0 {
                        self.sources.remove(&old.source);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bgp_core::{Asn, PeerKind, V4};

    use super::super::journal::Journal;
    use super::*;
    use crate::testing::{info, prefix};
    use crate::{AttributeStore, Decision, DecisionConfig, Path, Summary};

    fn record(store: &AttributeStore, source: PeerId) -> Record {
        let next_hop = [10, 0, 0, 1].into();
        let attrs = store.insert(PeerKind::Internal, next_hop, &[], Summary::default());
        Record { attrs, source, changed: Sequence::default() }
    }

    fn table_with_one_route(store: &AttributeStore) -> (Table<V4>, DestId) {
        let peers = Peers::new(Asn(64512), RouterId(1));
        let mut table = Table::new(1);
        let attrs = record(store, PeerId::LOCAL).attrs;
        let path = Path::new(PeerId::LOCAL, PathId(0), attrs, bgp_core::Instant::ZERO);
        let dest = table.upsert(prefix(1), path, Decision::new(DecisionConfig::default(), &peers)).dest;
        (table, dest)
    }

    fn out(dest: DestId, id: u32) -> Outbound {
        Outbound { dest, id: PathId(id), received: PathId(0) }
    }

    #[test]
    fn routes_are_counted_by_the_slot_of_their_source() {
        let store = AttributeStore::new(1);
        let (_, dest) = table_with_one_route(&store);
        let [earlier, later] = [1, 2].map(|generation| PeerId { slot: 1, generation });
        let mut records: Records<V4> = Records::new(true);
        records.announced(out(dest, 1), record(&store, PeerId::LOCAL), None);
        records.announced(out(dest, 1), record(&store, earlier), None);
        records.announced(out(dest, 2), record(&store, later), None);
        assert_eq!((records.sent(), records.sent_from(0), records.sent_from(1)), (2, 0, 2));
        records.withdrew(out(dest, 1), Sequence::default());
        assert_eq!((records.sent(), records.sent_from(1), records.tombstones()), (1, 1, 1));
    }

    #[test]
    fn a_route_that_flaps_does_not_pile_up_tombstones() {
        for add_path in [false, true] {
            let store = AttributeStore::new(1);
            let (mut table, dest) = table_with_one_route(&store);
            let mut records: Records<V4> = Records::new(add_path);
            let mut journal = Journal::default();
            for _ in 0..10 * BLOCK {
                records.announced(out(dest, 1), record(&store, PeerId::LOCAL), None);
                records.withdrew(out(dest, 1), journal.skip());
                records.bury(&mut table, Sequence::default());
            }
            assert_eq!(records.tombstones(), 1);
            assert!(records.withdrawn.len() <= BLOCK + 2);
        }
    }

    #[test]
    fn a_later_session_is_the_same_source_if_the_same_is_written_of_it() {
        let store = AttributeStore::new(1);
        let (_, dest) = table_with_one_route(&store);
        let mut peers = Peers::new(Asn(64512), RouterId(1));
        let [earlier, later] = [1, 2].map(|generation| PeerId { slot: 5, generation });
        peers.insert(info(5, 1));
        let mut records: Records<V4> = Records::new(false);
        let written = Written::of(&peers, earlier);
        records.announced(Outbound::only(dest), record(&store, earlier), written);
        assert!(records.is_same_source(&peers, earlier, earlier));
        peers.insert(info(5, 2));
        assert!(records.is_same_source(&peers, earlier, later));
        peers.insert(crate::PeerInfo { router_id: RouterId(7), ..info(5, 2) });
        assert!(!records.is_same_source(&peers, earlier, later));
        assert!(!records.is_same_source(&peers, earlier, PeerId { slot: 6, generation: 1 }));
    }
}
