//! The routes of one family: every path of every destination, ranked.
//!
//! ```text
//!  index: hash of prefix ─► id      chunks: id / 1024 ─► [ prefix │ paths, best first │ holds │ state ] × 1024
//! ```
//! Destinations never move, so an id is good for as long as there is a path, a hold, or a consumer that has the
//! destination marked dirty: records, cursors and bit sets can be keyed by it.

mod paths;

use bgp_core::{AddressFamily, PathId};
use hashbrown::HashTable;

use crate::chunks::ChunkSet;
use crate::decision::Decision;
use crate::fault::{Fault, planted};
use crate::hash::Seed;
use crate::next_hop::NextHopId;
use crate::path::Path;
use crate::peer::PeerId;
use paths::Paths;

/// Destinations of a chunk. The table grows by chunks and never copies what is there.
pub(crate) const CHUNK: usize = 1024;

/// The number of a destination in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestId(u32);

impl DestId {
    /// Where a walk over all destinations begins.
    pub const FIRST: DestId = DestId(0);

    /// The number: small, fit to index with.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// Where a walk goes on after this destination.
    #[must_use]
    pub fn next(self) -> DestId {
        DestId(self.0.saturating_add(1))
    }

    /// The destination with this number.
    #[must_use]
    pub fn from_index(index: usize) -> DestId {
        DestId(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

/// What an update did to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nothing.
    Unchanged,
    /// Paths changed, but not the best one.
    Others,
    /// The best path is another one, or there is none any more.
    Best,
}

/// What came of an update.
#[derive(Debug)]
pub struct Outcome {
    /// The destination.
    pub dest: DestId,
    /// What changed.
    pub change: Change,
    /// The path that was replaced or removed.
    pub old: Option<Path>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody knows the id.
    Free,
    /// There is a path or a hold.
    Used,
    /// Its last path or hold went; it waits in `vacant` for a look whether it can be freed.
    Vacant,
}

#[derive(Debug)]
struct Destination<F: AddressFamily> {
    prefix: F::Prefix,
    paths: Paths,
    holds: u32,
    state: State,
}

/// All destinations of a family.
pub struct Table<F: AddressFamily> {
    seed: Seed,
    index: HashTable<u32>,
    chunks: Vec<Vec<Destination<F>>>,
    free: Vec<DestId>,
    vacant: Vec<DestId>,
    destinations: usize,
    paths: usize,
}

impl<F: AddressFamily> Table<F> {
    /// An empty table. Peers choose the prefixes: keep `seed` secret.
    #[must_use]
    pub fn new(seed: u64) -> Table<F> {
        Table {
            seed: Seed::new(seed),
            index: HashTable::new(),
            chunks: Vec::new(),
            free: Vec::new(),
            vacant: Vec::new(),
            destinations: 0,
            paths: 0,
        }
    }

    fn get(&self, id: DestId) -> Option<&Destination<F>> {
        self.chunks.get(id.index() / CHUNK)?.get(id.index() % CHUNK)
    }

    fn get_mut(&mut self, id: DestId) -> Option<&mut Destination<F>> {
        self.chunks.get_mut(id.index() / CHUNK)?.get_mut(id.index() % CHUNK)
    }

    /// The id of a prefix that has paths, holds, or not been freed yet.
    #[must_use]
    pub fn lookup(&self, prefix: &F::Prefix) -> Option<DestId> {
        let same = |id: &u32| self.get(DestId(*id)).is_some_and(|dest| dest.prefix == *prefix);
        self.index.find(self.seed.hash(prefix), same).copied().map(DestId)
    }

    /// The prefix of a destination; `None` if there is no such id now.
    #[must_use]
    pub fn prefix(&self, id: DestId) -> Option<F::Prefix> {
        self.get(id).filter(|dest| dest.state != State::Free).map(|dest| dest.prefix)
    }

    /// The paths, best first, ineligible ones last.
    #[must_use]
    pub fn paths(&self, id: DestId) -> &[Path] {
        self.get(id).map_or(&[], |dest| dest.paths.as_slice())
    }

    /// The path that was chosen, if any is eligible.
    #[must_use]
    pub fn best(&self, id: DestId) -> Option<&Path> {
        self.paths(id).first().filter(|path| path.is_eligible())
    }

    /// The first destination from `from` on that is in use: held ones and those not freed yet too. A walk that goes
    /// on with [`DestId::next`] sees every destination that stays in use while it lasts, once.
    #[must_use]
    pub fn next_dest(&self, from: DestId) -> Option<DestId> {
        let first = from.index() / CHUNK;
        for (number, chunk) in self.chunks.iter().enumerate().skip(first) {
            let skip = if number == first { from.index() % CHUNK } else { 0 };
            let used = chunk.iter().enumerate().skip(skip).find(|(_, dest)| dest.state != State::Free);
            if let Some((place, _)) = used {
                return Some(DestId::from_index(number * CHUNK + place));
            }
        }
        None
    }

    /// Keeps the id for its prefix until as many calls of [`Table::release`].
    pub fn hold(&mut self, id: DestId) {
        if let Some(dest) = self.get_mut(id) {
            dest.holds += 1;
        }
    }

    /// Undoes one [`Table::hold`].
    pub fn release(&mut self, id: DestId) {
        if let Some(dest) = self.get_mut(id) {
            dest.holds = dest.holds.saturating_sub(1);
            self.note_if_vacant(id);
        }
    }

    fn note_if_vacant(&mut self, id: DestId) {
        let Some(dest) = self.get_mut(id) else { return };
        let is_held = dest.holds > 0 && !planted(Fault::DestinationReusedEarly);
        if dest.state == State::Used && !is_held && dest.paths.as_slice().is_empty() {
            dest.state = State::Vacant;
            self.vacant.push(id);
        }
    }

    /// Frees the ids that have no path and no hold, and that no consumer has marked dirty.
    pub fn reclaim(&mut self, is_dirty: impl Fn(DestId) -> bool) {
        for id in std::mem::take(&mut self.vacant) {
            let Some(dest) = self.get_mut(id) else { continue };
            let is_held = dest.holds > 0 && !planted(Fault::DestinationReusedEarly);
            if is_held || !dest.paths.as_slice().is_empty() {
                dest.state = State::Used;
            } else if is_dirty(id) {
                self.vacant.push(id);
            } else {
                dest.state = State::Free;
                let prefix = dest.prefix;
                let hash = self.seed.hash(&prefix);
                if let Ok(entry) = self.index.find_entry(hash, |other| *other == id.0) {
                    entry.remove();
                }
                self.free.push(id);
            }
        }
    }

    /// Whether some id waits to be freed.
    #[must_use]
    pub fn has_vacant(&self) -> bool {
        !self.vacant.is_empty()
    }

    /// Adds a path, or replaces the one of the same source and path identifier.
    pub fn upsert(&mut self, prefix: F::Prefix, path: Path, decision: Decision<'_>) -> Outcome {
        let dest = self.lookup(&prefix).unwrap_or_else(|| self.add(prefix));
        let (source, path_id) = (path.source, path.path_id);
        self.edit(dest, source, path_id, Some(path), decision)
    }

    /// Removes a path; `None` if it is not there.
    pub fn remove(
        &mut self,
        prefix: &F::Prefix,
        source: PeerId,
        path_id: PathId,
        decision: Decision<'_>,
    ) -> Option<Outcome> {
        let dest = self.lookup(prefix)?;
        let outcome = self.edit(dest, source, path_id, None, decision);
        outcome.old.is_some().then_some(outcome)
    }

    fn add(&mut self, prefix: F::Prefix) -> DestId {
        let dest = Destination { prefix, paths: Paths::NONE, holds: 0, state: State::Used };
        let id = match self.free.pop() {
            Some(id) => {
                if let Some(place) = self.get_mut(id) {
                    *place = dest;
                }
                id
            }
            None => self.append(dest),
        };
        let Table { index, chunks, seed, .. } = self;
        let rehash = |other: &u32| {
            let (chunk, place) = (*other as usize / CHUNK, *other as usize % CHUNK);
            chunks.get(chunk).and_then(|chunk| chunk.get(place)).map_or(0, |dest| seed.hash(&dest.prefix))
        };
        index.insert_unique(seed.hash(&prefix), id.0, rehash);
        id
    }

    fn append(&mut self, dest: Destination<F>) -> DestId {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            // The first chunk grows as needed: most speakers hold few routes of one of the families.
            let room = if self.chunks.is_empty() { 0 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        let full = (self.chunks.len().saturating_sub(1)) * CHUNK;
        let Some(chunk) = self.chunks.last_mut() else { return DestId::FIRST };
        chunk.push(dest);
        DestId::from_index(full + chunk.len() - 1)
    }

    /// Puts `new` in the place of the path that this source gave this identifier.
    fn edit(
        &mut self,
        id: DestId,
        source: PeerId,
        path_id: PathId,
        new: Option<Path>,
        decision: Decision<'_>,
    ) -> Outcome {
        let mut outcome = Outcome { dest: id, change: Change::Unchanged, old: None };
        let Some(dest) = self.get_mut(id) else { return outcome };
        let before = dest.paths.as_slice();
        let any = planted(Fault::WithdrawRemovesOtherPath) && new.is_none();
        let is_it = |path: &Path| path.is_from(source, if any { path.path_id } else { path_id });
        let place = before.iter().position(is_it);
        let is_same = |old: &Path| new.as_ref().is_some_and(|new| old.is_same(new));
        let same = place.filter(|place| before.get(*place).is_some_and(is_same));
        if let Some(old) = same.and_then(|place| dest.paths.as_mut_slice().get_mut(place)) {
            // The rank is the same, but a mark or the session may not be.
            let is_new = (old.is_stale() && !planted(Fault::StaleMarkNotCleared))
                || new.as_ref().is_some_and(|new| new.source != old.source);
            outcome.old = if is_new { new.map(|new| std::mem::replace(old, new)) } else { new };
            return outcome;
        }
        let before = dest.paths.as_slice();
        if place.is_none() && new.is_none() {
            return outcome;
        }
        let best_before = best_of(before);
        let (count_before, is_new) = (before.len(), place.is_none());
        outcome.old = dest.paths.replace(place, new, decision);
        let after = dest.paths.as_slice();
        outcome.change = if best_of(after) == best_before { Change::Others } else { Change::Best };
        let count_after = after.len();
        self.recount(count_before, count_after);
        if !is_new {
            self.note_if_vacant(id);
        }
        outcome
    }

    fn recount(&mut self, before: usize, after: usize) {
        self.paths = self.paths + after - before;
        self.destinations = self.destinations + usize::from(after > 0) - usize::from(before > 0);
    }

    /// Removes those paths of the source in this slot that are `unwanted` from the destinations of these chunks; `on`
    /// sees each removal. Returns the chunks in which paths of it are left.
    pub(crate) fn remove_source(
        &mut self,
        chunks: impl Iterator<Item = usize>,
        slot: u32,
        unwanted: impl Fn(&Path) -> bool,
        decision: Decision<'_>,
        mut on: impl FnMut(Outcome),
    ) -> ChunkSet {
        let mut left = ChunkSet::default();
        for id in chunks.flat_map(ids_of_chunk) {
            let Some(dest) = self.get_mut(id) else { break };
            let before = dest.paths.as_slice();
            if !before.iter().any(|path| path.source.slot == slot) {
                continue;
            }
            let (best_before, count_before) = (best_of(before), before.len());
            // All at once: they are ranked once, however many they are.
            let gone = dest.paths.remove(|path| path.source.slot == slot && unwanted(path), decision);
            let after = dest.paths.as_slice();
            let change = if best_of(after) == best_before { Change::Others } else { Change::Best };
            if after.iter().any(|path| path.source.slot == slot) {
                left.insert(id);
            }
            let count_after = after.len();
            self.recount(count_before, count_after);
            self.note_if_vacant(id);
            gone.for_each(|old| on(Outcome { dest: id, change, old: Some(old) }));
        }
        left
    }

    /// Marks all paths of the source in this slot as stale; returns how many were not so before. Nobody but their source
    /// is concerned.
    pub(crate) fn mark_stale(&mut self, chunks: impl Iterator<Item = usize>, slot: u32) -> usize {
        let mut marked = 0;
        for id in chunks.flat_map(ids_of_chunk) {
            let Some(dest) = self.get_mut(id) else { break };
            let fresh = |path: &&mut Path| path.source.slot == slot && !path.is_stale();
            for path in dest.paths.as_mut_slice().iter_mut().filter(fresh) {
                path.mark_stale();
                marked += 1;
            }
        }
        marked
    }

    /// Marks the stale paths of the source in this slot as long-lived and ranks them anew; `on` sees each destination
    /// concerned.
    pub(crate) fn mark_long_lived(
        &mut self,
        chunks: impl Iterator<Item = usize>,
        slot: u32,
        decision: Decision<'_>,
        on: impl FnMut(DestId, Change),
    ) {
        let concerned = |path: &Path| path.source.slot == slot && path.is_stale() && !path.is_long_lived();
        self.alter(chunks, concerned, Path::mark_long_lived, decision, on);
    }

    /// Gives all paths through a next hop its new cost and ranks them anew; `on` sees each destination concerned.
    pub(crate) fn set_metric(
        &mut self,
        chunks: impl Iterator<Item = usize>,
        next_hop: NextHopId,
        metric: Option<u32>,
        decision: Decision<'_>,
        on: impl FnMut(DestId, Change),
    ) {
        let concerned = |path: &Path| path.next_hop_id() == next_hop;
        self.alter(chunks, concerned, |path| path.set_metric(metric), decision, on);
    }

    /// Changes the paths that are `concerned`, which they are no more or as much afterwards, and ranks them anew.
    fn alter(
        &mut self,
        chunks: impl Iterator<Item = usize>,
        concerned: impl Fn(&Path) -> bool,
        change: impl Fn(&mut Path),
        decision: Decision<'_>,
        mut on: impl FnMut(DestId, Change),
    ) {
        for id in chunks.flat_map(ids_of_chunk) {
            let Some(dest) = self.get_mut(id) else { break };
            if !dest.paths.as_slice().iter().any(&concerned) {
                continue;
            }
            let best_before = best_of(dest.paths.as_slice());
            match &mut dest.paths {
                Paths::One(path) => change(path),
                Paths::Many(paths) => decision.alter(paths, &concerned, &change),
            }
            let same = best_of(dest.paths.as_slice()) == best_before;
            on(id, if same { Change::Others } else { Change::Best });
        }
    }

    /// How many destinations have a path.
    #[must_use]
    pub fn destinations(&self) -> usize {
        self.destinations
    }

    /// How many paths there are.
    #[must_use]
    pub fn path_count(&self) -> usize {
        self.paths
    }

    /// The memory that the table takes, in bytes, attribute sets not counted.
    #[must_use]
    pub fn memory(&self) -> usize {
        let slabs: usize =
            self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<Destination<F>>()).sum();
        let lists = (self.free.capacity() + self.vacant.capacity()) * size_of::<DestId>();
        let shared = self.paths.saturating_sub(self.destinations);
        slabs + lists + self.index.allocation_size() + shared * size_of::<Path>()
    }
}

pub(crate) fn ids_of_chunk(chunk: usize) -> impl Iterator<Item = DestId> {
    (chunk * CHUNK..(chunk + 1) * CHUNK).map(DestId::from_index)
}

/// What tells whether the best path is still the same; `None` if no path is eligible.
fn best_of(paths: &[Path]) -> Option<(u32, PathId, usize, bool)> {
    let best = paths.first().filter(|path| path.is_eligible())?;
    Some((best.source.slot, best.path_id, best.attrs.id(), best.is_long_lived()))
}

#[cfg(test)]
mod tests;
