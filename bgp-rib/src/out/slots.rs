//! Where the records of a group are kept: one cell per destination, or with ADD-PATH one per path that goes out.

use std::num::NonZeroU32;

use bgp_core::PathId;

use super::journal::Sequence;
use super::sources::SourceId;
use crate::attributes::Attrs;
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

/// The number of an entry, counted from the records' epoch on: half as wide as a [`Sequence`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Age(NonZeroU32);

impl Age {
    /// Entries before the epoch count as the epoch's own. No entry is over 4 billion later: see
    /// [`Records::renumber`](super::records::Records::renumber).
    pub(super) fn of(number: Sequence, epoch: Sequence) -> Age {
        let since = u32::try_from(number.since(epoch)).unwrap_or(u32::MAX);
        Age(NonZeroU32::MIN.saturating_add(since))
    }

    pub(super) fn after(self, epoch: Sequence) -> Sequence {
        epoch.plus(u64::from(self.0.get() - 1))
    }
}

/// What is kept of one path.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    /// The route that was announced last.
    Sent { attrs: Attrs, source: SourceId, changed: Age },
    /// Nobody is to hold a route. With a number it is a tombstone: the route was withdrawn by that entry, which some
    /// peer has not read.
    Unsent(Option<Age>),
}

const EMPTY: Cell = Cell::Unsent(None);

impl Cell {
    fn is_empty(&self) -> bool {
        matches!(self, Cell::Unsent(None))
    }

    /// Counts from an epoch that is `later`. What was before is as old as it.
    fn renumber(&mut self, later: u32) {
        if let Cell::Sent { changed, .. } | Cell::Unsent(Some(changed)) = self {
            let age = changed.0.get().saturating_sub(later);
            changed.0 = NonZeroU32::new(age).unwrap_or(NonZeroU32::MIN);
        }
    }
}

impl Default for Cell {
    fn default() -> Cell {
        EMPTY
    }
}

/// Kept in blocks of this many, so that growing copies nothing.
pub(super) const BLOCK: usize = 1024;

/// Something for each destination.
#[derive(Debug)]
struct Blocks<T> {
    /// A block is there once something was written to it.
    blocks: Vec<Option<Box<Block<T>>>>,
    /// How many are there.
    present: usize,
}

type Block<T> = [T; BLOCK];

impl<T: Default> Blocks<T> {
    const EMPTY: Blocks<T> = Blocks { blocks: Vec::new(), present: 0 };

    fn len(&self) -> usize {
        self.blocks.len() * BLOCK
    }

    fn get(&self, dest: DestId) -> Option<&T> {
        self.blocks.get(dest.index() / BLOCK)?.as_ref()?.get(dest.index() % BLOCK)
    }

    fn get_mut(&mut self, dest: DestId) -> Option<&mut T> {
        let block = dest.index() / BLOCK;
        if !matches!(self.blocks.get(block), Some(Some(_))) {
            self.add(block);
        }
        self.blocks.get_mut(block)?.as_mut()?.get_mut(dest.index() % BLOCK)
    }

    #[cold]
    fn add(&mut self, block: usize) {
        if self.blocks.len() <= block {
            self.blocks.resize_with(block + 1, || None);
        }
        let new: Vec<T> = std::iter::repeat_with(T::default).take(BLOCK).collect();
        if let (Some(place), Ok(new)) = (self.blocks.get_mut(block), new.into_boxed_slice().try_into()) {
            *place = Some(new);
            self.present += 1;
        }
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.blocks.iter_mut().flatten().flat_map(|block| block.iter_mut())
    }

    fn memory(&self) -> usize {
        self.present * size_of::<Block<T>>()
    }

    /// Gives back the blocks of which all `is_empty`.
    fn sweep(&mut self, is_empty: impl Fn(&T) -> bool) {
        for place in &mut self.blocks {
            place.take_if(|block| block.iter().all(&is_empty));
        }
        let used = self.blocks.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.blocks.truncate(used);
        self.blocks.shrink_to_fit();
        self.present = self.blocks.iter().flatten().count();
    }
}

/// One of several cells of a destination.
#[derive(Debug)]
struct Entry {
    id: PathId,
    received: PathId,
    cell: Cell,
}

#[derive(Debug)]
enum Store {
    One(Blocks<Cell>),
    /// Ordered by path id, without empty ones.
    Several {
        blocks: Blocks<Vec<Entry>>,
        /// The entries that there is room for.
        capacity: usize,
    },
}

/// All cells of one family.
#[derive(Debug)]
pub(super) struct SlotStore(Store);

impl SlotStore {
    /// With one cell per destination, or with one per path id.
    pub(super) fn new(add_path: bool) -> SlotStore {
        SlotStore(if add_path {
            Store::Several { blocks: Blocks::EMPTY, capacity: 0 }
        } else {
            Store::One(Blocks::EMPTY)
        })
    }

    pub(super) fn is_add_path(&self) -> bool {
        matches!(self.0, Store::Several { .. })
    }

    /// One more than the highest destination that may have a cell.
    pub(super) fn len(&self) -> usize {
        match &self.0 {
            Store::One(blocks) => blocks.len(),
            Store::Several { blocks, .. } => blocks.len(),
        }
    }

    /// The memory it takes, in bytes.
    pub(super) fn memory(&self) -> usize {
        match &self.0 {
            Store::One(blocks) => blocks.memory(),
            Store::Several { blocks, capacity } => blocks.memory() + capacity * size_of::<Entry>(),
        }
    }

    /// How many blocks there are.
    pub(super) fn blocks(&self) -> usize {
        match &self.0 {
            Store::One(blocks) => blocks.present,
            Store::Several { blocks, .. } => blocks.present,
        }
    }

    /// Gives back the blocks without a cell that is not empty: it looks at all.
    pub(super) fn sweep(&mut self) {
        match &mut self.0 {
            Store::One(blocks) => blocks.sweep(Cell::is_empty),
            Store::Several { blocks, .. } => blocks.sweep(Vec::is_empty),
        }
    }

    /// The cell of a path id, and which path is in it.
    pub(super) fn get(&self, dest: DestId, id: PathId) -> (Outbound, &Cell) {
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

    /// The cells of a destination that are not empty, by path id.
    pub(super) fn of(&self, dest: DestId) -> Cells<'_> {
        match &self.0 {
            Store::One(blocks) => {
                let one = blocks.get(dest).filter(|cell| !cell.is_empty());
                Cells { dest, one, several: [].iter() }
            }
            Store::Several { blocks, .. } => Cells {
                dest,
                one: None,
                several: blocks.get(dest).map_or([].iter(), |entries| entries.iter()),
            },
        }
    }

    /// Fills the cell of a path id anew and gives back what was in it.
    #[inline]
    pub(super) fn replace(&mut self, out: Outbound, new: Cell) -> Cell {
        match &mut self.0 {
            Store::One(blocks) => blocks.get_mut(out.dest).map_or(EMPTY, |cell| std::mem::replace(cell, new)),
            Store::Several { blocks, capacity } => replace_among(blocks, capacity, out, new),
        }
    }

    /// Has all numbers count from an epoch that is so much `later`.
    pub(super) fn renumber(&mut self, later: u32) {
        match &mut self.0 {
            Store::One(blocks) => blocks.iter_mut().for_each(|cell| cell.renumber(later)),
            Store::Several { blocks, .. } => {
                blocks.iter_mut().flatten().for_each(|entry| entry.cell.renumber(later));
            }
        }
    }
}

fn replace_among(blocks: &mut Blocks<Vec<Entry>>, capacity: &mut usize, out: Outbound, new: Cell) -> Cell {
    let Some(entries) = blocks.get_mut(out.dest) else { return EMPTY };
    *capacity -= entries.capacity();
    let old = replace_entry(entries, out, new);
    *capacity += entries.capacity();
    old
}

fn replace_entry(entries: &mut Vec<Entry>, out: Outbound, new: Cell) -> Cell {
    match entries.binary_search_by_key(&out.id, |entry| entry.id) {
        Ok(place) if new.is_empty() => {
            let old = entries.remove(place).cell;
            if entries.len() <= entries.capacity() / 2 {
                entries.shrink_to_fit();
            }
            old
        }
        Ok(place) => entries.get_mut(place).map_or(EMPTY, |entry| {
            entry.received = out.received;
            std::mem::replace(&mut entry.cell, new)
        }),
        Err(_) if new.is_empty() => EMPTY,
        Err(place) => {
            if entries.len() == entries.capacity() {
                // Most destinations have few paths.
                entries.reserve_exact(1 + entries.len() / 2);
            }
            entries.insert(place, Entry { id: out.id, received: out.received, cell: new });
            EMPTY
        }
    }
}

impl Entry {
    fn of(&self, dest: DestId) -> (Outbound, &Cell) {
        (Outbound { dest, id: self.id, received: self.received }, &self.cell)
    }
}

/// The cells of one destination that are not empty, by path id.
pub(super) struct Cells<'a> {
    dest: DestId,
    one: Option<&'a Cell>,
    several: std::slice::Iter<'a, Entry>,
}

impl<'a> Iterator for Cells<'a> {
    type Item = (Outbound, &'a Cell);

    fn next(&mut self) -> Option<(Outbound, &'a Cell)> {
        match self.one.take() {
            Some(cell) => Some((Outbound::only(self.dest), cell)),
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

    fn tombstone() -> Cell {
        Cell::Unsent(Some(Age(NonZeroU32::MIN)))
    }

    #[test]
    fn a_cell_is_two_words() {
        assert_eq!((size_of::<Cell>(), size_of::<Entry>()), (16, 24));
    }

    #[test]
    fn numbers_keep_their_order_when_the_epoch_is_later() {
        let epoch = Sequence::default();
        let mut cell = Cell::Unsent(Some(Age::of(epoch.plus(70), epoch)));
        let number = |cell: &Cell, epoch: Sequence| match cell {
            Cell::Unsent(Some(age)) => age.after(epoch),
            _ => panic!("a tombstone"),
        };
        cell.renumber(50);
        assert_eq!(number(&cell, epoch.plus(50)), epoch.plus(70));
        cell.renumber(50);
        assert_eq!(number(&cell, epoch.plus(100)), epoch.plus(100), "as old as the epoch");
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
        assert!(store.get(DestId::FIRST, PathId(2)).1.is_empty());
    }

    #[test]
    fn the_memory_of_several_slots_shrinks_when_paths_go() {
        let mut store = SlotStore::new(true);
        store.replace(out(1, 0), tombstone());
        let one = store.memory();
        assert_eq!(one, BLOCK * 24 + 24);
        for id in 2..100 {
            store.replace(out(id, 0), tombstone());
        }
        assert!(store.memory() >= one + 98 * 24);
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
        assert_eq!(store.memory(), BLOCK * 16);
    }
}
