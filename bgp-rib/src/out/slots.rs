//! Where the records of a group are kept: one slot per destination, or with ADD-PATH one per path that goes out.

use bgp_core::PathId;

use super::journal::Sequence;
use crate::attributes::Attrs;
use crate::peer::PeerId;
use crate::table::DestId;

/// One path to a destination on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outbound {
    pub(crate) dest: DestId,
    /// What receivers tell it apart by (RFC 7911 section 3), from 1 on; 0 without ADD-PATH.
    pub(crate) id: PathId,
    /// What its source tells it apart by; not kept without ADD-PATH: then it is 0.
    pub(crate) received: PathId,
}

impl Outbound {
    /// The one path to a destination that goes out without ADD-PATH.
    pub(crate) fn only(dest: DestId) -> Outbound {
        Outbound { dest, id: PathId(0), received: PathId(0) }
    }
}

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

const EMPTY: Slot = Slot::Unsent(None);

impl Slot {
    /// The last change; `None` if nothing is known.
    pub(crate) fn changed(&self) -> Option<Sequence> {
        match self {
            Slot::Sent(record) => Some(record.changed),
            Slot::Unsent(changed) => *changed,
        }
    }
}

impl Default for Slot {
    fn default() -> Slot {
        EMPTY
    }
}

/// Kept in blocks of this many, so that growing copies nothing.
pub(super) const BLOCK: usize = 1024;

/// Something for each destination.
#[derive(Debug)]
struct Blocks<T>(Vec<Box<[T]>>);

impl<T: Default> Blocks<T> {
    fn len(&self) -> usize {
        self.0.len() * BLOCK
    }

    fn get(&self, dest: DestId) -> Option<&T> {
        self.0.get(dest.index() / BLOCK)?.get(dest.index() % BLOCK)
    }

    fn get_mut(&mut self, dest: DestId) -> Option<&mut T> {
        while self.len() <= dest.index() {
            self.0.push(std::iter::repeat_with(T::default).take(BLOCK).collect());
        }
        self.0.get_mut(dest.index() / BLOCK)?.get_mut(dest.index() % BLOCK)
    }
}

/// One of several slots of a destination.
#[derive(Debug)]
struct Entry {
    id: PathId,
    received: PathId,
    slot: Slot,
}

#[derive(Debug)]
enum Store {
    One(Blocks<Slot>),
    /// Ordered by path id, without empty slots.
    Several {
        blocks: Blocks<Vec<Entry>>,
        /// The entries that there is room for.
        capacity: usize,
    },
}

/// All slots of one family.
#[derive(Debug)]
pub(super) struct SlotStore(Store);

impl SlotStore {
    /// With one slot per destination, or with one per path id.
    pub(super) fn new(add_path: bool) -> SlotStore {
        SlotStore(if add_path {
            Store::Several { blocks: Blocks(Vec::new()), capacity: 0 }
        } else {
            Store::One(Blocks(Vec::new()))
        })
    }

    pub(super) fn is_add_path(&self) -> bool {
        matches!(self.0, Store::Several { .. })
    }

    /// One more than the highest destination that may have a slot.
    pub(super) fn len(&self) -> usize {
        match &self.0 {
            Store::One(blocks) => blocks.len(),
            Store::Several { blocks, .. } => blocks.len(),
        }
    }

    /// The memory it takes, in bytes.
    pub(super) fn memory(&self) -> usize {
        match &self.0 {
            Store::One(blocks) => blocks.len() * size_of::<Slot>(),
            Store::Several { blocks, capacity } => {
                blocks.len() * size_of::<Vec<Entry>>() + capacity * size_of::<Entry>()
            }
        }
    }

    /// The slot of a path id, and which path is in it.
    pub(super) fn get(&self, dest: DestId, id: PathId) -> (Outbound, &Slot) {
        let nothing = (Outbound { dest, id, received: PathId(0) }, &EMPTY);
        match &self.0 {
            Store::One(blocks) => (Outbound::only(dest), blocks.get(dest).unwrap_or(&EMPTY)),
            Store::Several { blocks, .. } => {
                let Some(entries) = blocks.get(dest) else { return nothing };
                let place = entries.binary_search_by_key(&id, |entry| entry.id);
                place.ok().and_then(|place| entries.get(place)).map_or(nothing, |entry| entry.of(dest))
            }
        }
    }

    /// The slots of a destination that are not empty, by path id.
    pub(super) fn of(&self, dest: DestId) -> Slots<'_> {
        match &self.0 {
            Store::One(blocks) => {
                let one = blocks.get(dest).filter(|slot| slot.changed().is_some());
                Slots { dest, one, several: [].iter() }
            }
            Store::Several { blocks, .. } => Slots {
                dest,
                one: None,
                several: blocks.get(dest).map_or([].iter(), |entries| entries.iter()),
            },
        }
    }

    /// Fills the slot of a path id anew and gives back what was in it.
    #[inline]
    pub(super) fn replace(&mut self, out: Outbound, new: Slot) -> Slot {
        match &mut self.0 {
            Store::One(blocks) => blocks.get_mut(out.dest).map_or(EMPTY, |slot| std::mem::replace(slot, new)),
            Store::Several { blocks, capacity } => replace_among(blocks, capacity, out, new),
        }
    }
}

fn replace_among(blocks: &mut Blocks<Vec<Entry>>, capacity: &mut usize, out: Outbound, new: Slot) -> Slot {
    let Some(entries) = blocks.get_mut(out.dest) else { return EMPTY };
    *capacity -= entries.capacity();
    let old = replace_entry(entries, out, new);
    *capacity += entries.capacity();
    old
}

fn replace_entry(entries: &mut Vec<Entry>, out: Outbound, new: Slot) -> Slot {
    match entries.binary_search_by_key(&out.id, |entry| entry.id) {
        Ok(place) if new.changed().is_none() => {
            let old = entries.remove(place).slot;
            if entries.len() <= entries.capacity() / 2 {
                entries.shrink_to_fit();
            }
            old
        }
        Ok(place) => entries.get_mut(place).map_or(EMPTY, |entry| {
            entry.received = out.received;
            std::mem::replace(&mut entry.slot, new)
        }),
        Err(_) if new.changed().is_none() => EMPTY,
        Err(place) => {
            if entries.len() == entries.capacity() {
                // Most destinations have few paths.
                entries.reserve_exact(1 + entries.len() / 2);
            }
            entries.insert(place, Entry { id: out.id, received: out.received, slot: new });
            EMPTY
        }
    }
}

impl Entry {
    fn of(&self, dest: DestId) -> (Outbound, &Slot) {
        (Outbound { dest, id: self.id, received: self.received }, &self.slot)
    }
}

/// The slots of one destination that are not empty, by path id.
pub(crate) struct Slots<'a> {
    dest: DestId,
    one: Option<&'a Slot>,
    several: std::slice::Iter<'a, Entry>,
}

impl<'a> Iterator for Slots<'a> {
    type Item = (Outbound, &'a Slot);

    fn next(&mut self) -> Option<(Outbound, &'a Slot)> {
        match self.one.take() {
            Some(slot) => Some((Outbound::only(self.dest), slot)),
            None => self.several.next().map(|entry| entry.of(self.dest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(id: u32, received: u32) -> Outbound {
        Outbound { dest: DestId::FIRST, id: PathId(id), received: PathId(received) }
    }

    fn tombstone() -> Slot {
        Slot::Unsent(Some(Sequence::default()))
    }

    #[test]
    fn a_slot_is_three_words() {
        assert_eq!((size_of::<Slot>(), size_of::<Entry>()), (24, 32));
    }

    #[test]
    fn several_slots_are_ordered_by_path_id_and_gone_when_empty() {
        let mut store = SlotStore::new(true);
        for id in [3, 1, 2] {
            store.replace(out(id, 10 + id), tombstone());
        }
        let ids = |store: &SlotStore| store.of(DestId::FIRST).map(|(out, _)| out).collect::<Vec<_>>();
        assert_eq!(ids(&store), [out(1, 11), out(2, 12), out(3, 13)]);
        store.replace(out(2, 0), EMPTY);
        store.replace(out(9, 0), EMPTY);
        assert_eq!(ids(&store), [out(1, 11), out(3, 13)]);
        assert_eq!(store.get(DestId::FIRST, PathId(3)).0, out(3, 13));
        assert_eq!(store.get(DestId::FIRST, PathId(2)).1.changed(), None);
    }

    #[test]
    fn the_memory_of_several_slots_shrinks_when_paths_go() {
        let mut store = SlotStore::new(true);
        store.replace(out(1, 0), tombstone());
        let one = store.memory();
        assert_eq!(one, BLOCK * 24 + 32);
        for id in 2..100 {
            store.replace(out(id, 0), tombstone());
        }
        assert!(store.memory() >= one + 98 * 32);
        for id in 2..100 {
            store.replace(out(id, 0), EMPTY);
        }
        assert_eq!(store.memory(), one);
    }

    #[test]
    fn without_add_path_there_is_one_slot_whatever_the_path_id() {
        let mut store = SlotStore::new(false);
        assert_eq!(store.of(DestId::FIRST).count(), 0);
        store.replace(out(0, 0), tombstone());
        assert_eq!(store.of(DestId::FIRST).map(|(out, _)| out).collect::<Vec<_>>(), [out(0, 0)]);
        assert_eq!(store.memory(), BLOCK * 24);
    }
}
