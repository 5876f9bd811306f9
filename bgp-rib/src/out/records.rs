//! What a group has sent last, per destination: the group's Adj-RIB-Out.

use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;

use bgp_core::AddressFamily;

use super::journal::Sequence;
use crate::attributes::Attrs;
use crate::peer::PeerId;
use crate::table::{DestId, Table};

/// The route that the peers of the group hold, its source excepted.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) attrs: Attrs,
    pub(crate) source: PeerId,
    /// The journal entry that announced it.
    pub(crate) changed: Sequence,
}

#[derive(Clone, Debug)]
pub(crate) enum Slot {
    /// The route that was announced last.
    Sent(Record),
    /// Nobody is to hold a route. With a number it is a tombstone: the route was withdrawn by that entry, which some
    /// peer has not read.
    Unsent(Option<Sequence>),
}

impl Slot {
    /// The last change; `None` if nothing is known of the destination.
    pub(crate) fn changed(&self) -> Option<Sequence> {
        match self {
            Slot::Sent(record) => Some(record.changed),
            Slot::Unsent(changed) => *changed,
        }
    }
}

/// Slots are kept in blocks of this many, so that growing copies no slot.
const BLOCK: usize = 1024;

const EMPTY: Slot = Slot::Unsent(None);

/// The slots of one family by destination. A slot that is not empty holds its destination's number in the table.
#[derive(Debug)]
pub(crate) struct Records<F> {
    blocks: Vec<Box<[Slot]>>,
    sent: usize,
    by_source: BTreeMap<PeerId, usize>,
    /// Tombstones, oldest first; some have become routes again since.
    withdrawn: VecDeque<(Sequence, DestId)>,
    tombstones: usize,
    family: PhantomData<F>,
}

impl<F> Default for Records<F> {
    fn default() -> Records<F> {
        Records {
            blocks: Vec::new(),
            sent: 0,
            by_source: BTreeMap::new(),
            withdrawn: VecDeque::new(),
            tombstones: 0,
            family: PhantomData,
        }
    }
}

impl<F: AddressFamily> Records<F> {
    pub(crate) fn get(&self, dest: DestId) -> &Slot {
        let block = self.blocks.get(dest.index() / BLOCK);
        block.and_then(|slots| slots.get(dest.index() % BLOCK)).unwrap_or(&EMPTY)
    }

    /// One more than the highest destination that may have a slot.
    pub(crate) fn len(&self) -> usize {
        self.blocks.len() * BLOCK
    }

    /// The routes sent.
    pub(crate) fn sent(&self) -> usize {
        self.sent
    }

    /// The routes sent that came from `source`.
    pub(crate) fn sent_from(&self, source: PeerId) -> usize {
        self.by_source.get(&source).copied().unwrap_or(0)
    }

    pub(crate) fn tombstones(&self) -> usize {
        self.tombstones
    }

    /// The memory it takes, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.len() * size_of::<Slot>() + self.withdrawn.capacity() * size_of::<(Sequence, DestId)>()
    }

    /// Notes a route that was announced by entry `changed`. The table must hold the destination.
    pub(crate) fn announced(&mut self, dest: DestId, record: Record) {
        let source = record.source;
        self.replace(dest, Slot::Sent(record));
        self.sent += 1;
        *self.by_source.entry(source).or_default() += 1;
    }

    /// Notes that the route was withdrawn by entry `changed`. The table must hold the destination.
    pub(crate) fn withdrew(&mut self, dest: DestId, changed: Sequence) {
        self.replace(dest, Slot::Unsent(Some(changed)));
        self.tombstones += 1;
        self.withdrawn.push_back((changed, dest));
    }

    /// Forgets the tombstones that every peer is past: those older than `oldest_unread`.
    pub(crate) fn bury(&mut self, table: &mut Table<F>, oldest_unread: Sequence) {
        while let Some((changed, dest)) = self.withdrawn.pop_front_if(|(changed, _)| *changed < oldest_unread)
        {
            if self.is_tombstone(dest, changed) {
                self.replace(dest, EMPTY);
                table.release(dest);
            }
        }
        if self.withdrawn.len() > 2 * self.tombstones + BLOCK {
            let mut queue = std::mem::take(&mut self.withdrawn);
            queue.retain(|(changed, dest)| self.is_tombstone(*dest, *changed));
            self.withdrawn = queue;
        }
    }

    /// Forgets everything and lets the table have the destinations' numbers back.
    pub(crate) fn clear(&mut self, table: &mut Table<F>) {
        for index in 0..self.len() {
            let dest = DestId::from_index(index);
            if self.get(dest).changed().is_some() {
                table.release(dest);
            }
        }
        *self = Records::default();
    }

    fn is_tombstone(&self, dest: DestId, changed: Sequence) -> bool {
        matches!(self.get(dest), Slot::Unsent(Some(at)) if *at == changed)
    }

    fn replace(&mut self, dest: DestId, new: Slot) {
        while self.len() <= dest.index() {
            self.blocks.push(vec![EMPTY; BLOCK].into());
        }
        let block = self.blocks.get_mut(dest.index() / BLOCK);
        let Some(slot) = block.and_then(|slots| slots.get_mut(dest.index() % BLOCK)) else { return };
        match std::mem::replace(slot, new) {
            Slot::Unsent(None) => {}
            Slot::Unsent(Some(_)) => self.tombstones -= 1,
            Slot::Sent(old) => {
                self.sent -= 1;
                if let Some(count) = self.by_source.get_mut(&old.source) {
                    *count -= 1;
                    if *count == 0 {
                        self.by_source.remove(&old.source);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bgp_core::{Asn, PathId, PeerKind, RouterId, V4};

    use super::super::journal::Journal;
    use super::*;
    use crate::testing::prefix;
    use crate::{AttributeStore, Decision, DecisionConfig, Path, Peers, Summary};

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

    #[test]
    fn a_slot_is_three_words() {
        assert_eq!(size_of::<Slot>(), 24);
    }

    #[test]
    fn routes_are_counted_by_their_source() {
        let store = AttributeStore::new(1);
        let (_, dest) = table_with_one_route(&store);
        let other = PeerId { slot: 1, generation: 1 };
        let mut records: Records<V4> = Records::default();
        records.announced(dest, record(&store, PeerId::LOCAL));
        records.announced(dest, record(&store, other));
        assert_eq!((records.sent(), records.sent_from(PeerId::LOCAL), records.sent_from(other)), (1, 0, 1));
        records.withdrew(dest, Sequence::default());
        assert_eq!((records.sent(), records.sent_from(other), records.tombstones()), (0, 0, 1));
    }

    #[test]
    fn a_route_that_flaps_does_not_pile_up_tombstones() {
        let store = AttributeStore::new(1);
        let (mut table, dest) = table_with_one_route(&store);
        let mut records: Records<V4> = Records::default();
        let mut journal = Journal::default();
        for _ in 0..10 * BLOCK {
            records.announced(dest, record(&store, PeerId::LOCAL));
            records.withdrew(dest, journal.skip());
            records.bury(&mut table, Sequence::default());
        }
        assert_eq!(records.tombstones(), 1);
        assert!(records.withdrawn.len() <= BLOCK + 2);
    }
}
