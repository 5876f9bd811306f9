//! The routes of one family: every path of every destination, ranked.
//!
//! ```text
//!  index: hash of prefix ─► id      chunks: id / 1024 ─► [ paths, best first │ prefix │ holds, mark ] × 1024
//! ```
//! Destinations never move, so an id is good for as long as there is a path, a hold, or a consumer that has the
//! destination marked dirty: records, cursors and bit sets can be keyed by it. With one path an IPv4 destination takes
//! 32 octets, an IPv6 destination 48; with more, each path takes 24 in a list. Chunks without a destination take nothing.

mod index;
mod numbers;
mod paths;
mod sweeps;
mod usage;

use std::collections::VecDeque;

use bgp_core::{AddressFamily, PathId};

use crate::decision::Decision;
use crate::fault::{Fault, planted};
use crate::hash::Seed;
use crate::path::Path;
use crate::peer::PeerId;
use index::Index;
use numbers::Numbers;
use paths::Paths;
use usage::Usage;

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

#[derive(Debug)]
struct Destination<F: AddressFamily> {
    paths: Paths,
    prefix: F::Prefix,
    usage: Usage,
}

impl<F: AddressFamily> Destination<F> {
    /// Whether nobody needs it, unless a consumer has it marked dirty.
    fn is_unneeded(&self) -> bool {
        let is_held = self.usage.is_held() && !planted(Fault::DestinationReusedEarly);
        !is_held && self.paths.as_slice().is_empty()
    }
}

/// Where a prefix is: what [`Table::locate`] found, good until the next [`Table::reclaim`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Located {
    hash: u64,
    /// `None`: it was not there.
    dest: Option<DestId>,
}

/// All destinations of a family.
pub struct Table<F: AddressFamily> {
    seed: Seed,
    index: Index,
    /// Empty if none of its numbers is in use.
    chunks: Vec<Vec<Destination<F>>>,
    numbers: Numbers,
    /// Each at most once.
    vacant: VecDeque<DestId>,
    destinations: usize,
    paths: usize,
    /// The paths that are in lists.
    listed: usize,
}

impl<F: AddressFamily> Table<F> {
    /// An empty table. Peers choose the prefixes: keep `seed` secret.
    #[must_use]
    pub fn new(seed: u64) -> Table<F> {
        Table {
            seed: Seed::new(seed),
            index: Index::default(),
            chunks: Vec::new(),
            numbers: Numbers::default(),
            vacant: VecDeque::new(),
            destinations: 0,
            paths: 0,
            listed: 0,
        }
    }

    fn get(&self, id: DestId) -> Option<&Destination<F>> {
        self.chunks.get(id.index() / CHUNK)?.get(id.index() % CHUNK)
    }

    fn get_mut(&mut self, id: DestId) -> Option<&mut Destination<F>> {
        self.chunks.get_mut(id.index() / CHUNK)?.get_mut(id.index() % CHUNK)
    }

    fn find(&self, hash: u64, prefix: &F::Prefix) -> Option<DestId> {
        self.index.find(hash, |id| self.get(id).is_some_and(|dest| dest.prefix == *prefix))
    }

    /// The id of a prefix that has paths, holds, or not been freed yet.
    #[must_use]
    pub fn lookup(&self, prefix: &F::Prefix) -> Option<DestId> {
        self.find(self.seed.hash(prefix), prefix)
    }

    /// Looks a prefix up that is to be changed. Who changes many looks all of them up first: memory is waited for less
    /// if nothing else is done in between.
    pub(crate) fn locate(&self, prefix: &F::Prefix) -> Located {
        let hash = self.seed.hash(prefix);
        Located { hash, dest: self.find(hash, prefix) }
    }

    /// What is there now: it may have been added since.
    fn located(&self, at: Located, prefix: &F::Prefix) -> Option<DestId> {
        at.dest.or_else(|| self.find(at.hash, prefix))
    }

    /// The prefix of a destination; `None` if there is no such id now.
    #[must_use]
    pub fn prefix(&self, id: DestId) -> Option<F::Prefix> {
        self.get(id).filter(|_| self.numbers.contains(id)).map(|dest| dest.prefix)
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
        self.numbers.next(from)
    }

    /// Keeps the id for its prefix until as many calls of [`Table::release`].
    pub fn hold(&mut self, id: DestId) {
        if let Some(dest) = self.get_mut(id) {
            dest.usage.hold();
        }
    }

    /// Undoes one [`Table::hold`].
    pub fn release(&mut self, id: DestId) {
        if let Some(dest) = self.get_mut(id) {
            dest.usage.release();
            self.note_if_vacant(id);
        }
    }

    fn note_if_vacant(&mut self, id: DestId) {
        let is_in_use = self.numbers.contains(id);
        let Some(dest) = self.get_mut(id).filter(|_| is_in_use) else { return };
        if !dest.usage.is_vacant() && dest.is_unneeded() {
            dest.usage.set_vacant(true);
            self.vacant.push_back(id);
        }
    }

    /// Frees the ids that have no path and no hold, and that no consumer has marked dirty; and the memory, where all of a
    /// chunk is free. While many are marked it may leave some for the next time.
    pub fn reclaim(&mut self, is_dirty: impl Fn(DestId) -> bool) {
        // Those that are kept are looked at again: a consumer that takes many in small steps must not pay for all of them
        // at each.
        let mut patience = CHUNK;
        for _ in 0..self.vacant.len() {
            let Some(id) = self.vacant.pop_front_if(|_| patience > 0) else { break };
            let Some(dest) = self.get_mut(id) else { continue };
            if !dest.is_unneeded() {
                dest.usage.set_vacant(false);
            } else if is_dirty(id) {
                self.vacant.push_back(id);
                patience -= 1;
            } else {
                self.free(id);
                patience += 1;
            }
        }
        if self.vacant.capacity() > CHUNK && self.vacant.len() < self.vacant.capacity() / 4 {
            self.vacant.shrink_to_fit();
        }
        if self.index.is_sparse() {
            self.rebuild_index();
        }
    }

    fn free(&mut self, id: DestId) {
        let Some(prefix) = self.prefix(id) else { return };
        self.index.remove(self.seed.hash(&prefix), id);
        self.numbers.give_back(id);
        let number = id.index() / CHUNK;
        if self.numbers.is_unused(number)
            && let Some(chunk) = self.chunks.get_mut(number)
        {
            *chunk = Vec::new();
        }
    }

    fn rebuild_index(&mut self) {
        let Table { seed, index, chunks, numbers, .. } = self;
        let numbered = chunks.iter().enumerate().flat_map(|(number, chunk)| ids_of_chunk(number).zip(chunk));
        let in_use = numbered.filter(|(id, _)| numbers.contains(*id));
        index.rebuild(in_use.map(|(id, dest)| (seed.hash(&dest.prefix), id)));
    }

    /// Whether some id waits to be freed.
    #[must_use]
    pub fn has_vacant(&self) -> bool {
        !self.vacant.is_empty()
    }

    /// Adds a path, or replaces the one of the same source and path identifier.
    pub fn upsert(&mut self, prefix: F::Prefix, path: Path, decision: Decision<'_>) -> Outcome {
        self.upsert_at(self.locate(&prefix), prefix, path, decision)
    }

    /// As [`Table::upsert`], for a prefix that was looked up.
    pub(crate) fn upsert_at(
        &mut self,
        at: Located,
        prefix: F::Prefix,
        path: Path,
        decision: Decision<'_>,
    ) -> Outcome {
        let dest = self.located(at, &prefix).unwrap_or_else(|| self.add(at.hash, prefix));
        let (source, path_id) = (path.source(), path.path_id);
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
        self.remove_at(self.locate(prefix), prefix, source, path_id, decision)
    }

    /// As [`Table::remove`], for a prefix that was looked up.
    pub(crate) fn remove_at(
        &mut self,
        at: Located,
        prefix: &F::Prefix,
        source: PeerId,
        path_id: PathId,
        decision: Decision<'_>,
    ) -> Option<Outcome> {
        let dest = self.located(at, prefix)?;
        let outcome = self.edit(dest, source, path_id, None, decision);
        outcome.old.is_some().then_some(outcome)
    }

    fn add(&mut self, hash: u64, prefix: F::Prefix) -> DestId {
        if self.index.is_full() {
            self.rebuild_index();
        }
        let id = self.numbers.take();
        self.index.insert(hash, id);
        let (number, place) = (id.index() / CHUNK, id.index() % CHUNK);
        if self.chunks.len() == number {
            self.chunks.push(Vec::new());
        }
        let dest = Destination { paths: Paths::default(), prefix, usage: Usage::default() };
        let Some(chunk) = self.chunks.get_mut(number) else { return id };
        match chunk.get_mut(place) {
            Some(free) => *free = dest,
            None => {
                // The first chunk grows as needed: most speakers hold few routes of one of the families.
                if number > 0 {
                    chunk.reserve_exact(CHUNK - chunk.len());
                }
                chunk.push(dest);
            }
        }
        id
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
                || new.as_ref().is_some_and(|new| new.source() != old.source());
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
        let listed = |paths: usize| if paths > 1 { paths } else { 0 };
        self.paths = self.paths + after - before;
        self.listed = self.listed + listed(after) - listed(before);
        self.destinations = self.destinations + usize::from(after > 0) - usize::from(before > 0);
    }

    /// How many destinations have a path.
    #[must_use]
    pub fn destinations(&self) -> usize {
        self.destinations
    }

    /// How many destinations have a path, a hold, or have not been freed yet.
    #[must_use]
    pub(crate) fn numbers_in_use(&self) -> usize {
        self.index.len()
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
        let lists = self.listed * size_of::<Path>() + self.vacant.capacity() * size_of::<DestId>();
        slabs + lists + self.index.memory() + self.numbers.memory()
    }
}

pub(crate) fn ids_of_chunk(chunk: usize) -> impl Iterator<Item = DestId> {
    (chunk * CHUNK..(chunk + 1) * CHUNK).map(DestId::from_index)
}

/// What tells whether the best path is still the same; `None` if no path is eligible.
fn best_of(paths: &[Path]) -> Option<(u32, PathId, usize, bool)> {
    let best = paths.first().filter(|path| path.is_eligible())?;
    Some((best.slot(), best.path_id, best.attrs.id(), best.is_long_lived()))
}

#[cfg(test)]
mod tests;
