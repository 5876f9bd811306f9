//! Changes of many destinations at once: all of a source, or all through a next hop.

use std::net::IpAddr;

use bgp_core::AddressFamily;

use super::{Change, DestId, Table, best_of, ids_of_chunk};
use crate::chunks::ChunkSet;
use crate::decision::Decision;
use crate::path::Path;

impl<F: AddressFamily> Table<F> {
    /// Removes those paths of the source in this slot that are `unwanted` from the destinations of these chunks: `gone`
    /// is given each, `on` sees each destination that lost some. Returns the chunks in which paths of it are left.
    pub(crate) fn remove_source(
        &mut self,
        chunks: impl Iterator<Item = usize>,
        slot: u32,
        unwanted: impl Fn(&Path) -> bool,
        decision: Decision<'_>,
        mut gone: impl FnMut(Path),
        mut on: impl FnMut(DestId, Change),
    ) -> ChunkSet {
        let mut left = ChunkSet::default();
        for id in chunks.flat_map(ids_of_chunk) {
            let Some(dest) = self.get_mut(id) else { continue };
            let before = dest.paths.as_slice();
            if !before.iter().any(|path| path.slot() == slot) {
                continue;
            }
            let (best_before, count_before) = (best_of(before), before.len());
            dest.paths.remove(|path| path.slot() == slot && unwanted(path), decision, &mut gone);
            let after = dest.paths.as_slice();
            if after.iter().any(|path| path.slot() == slot) {
                left.insert(id);
            }
            let count_after = after.len();
            if count_after == count_before {
                continue;
            }
            let change = if best_of(after) == best_before { Change::Others } else { Change::Best };
            self.recount(count_before, count_after);
            self.note_if_vacant(id);
            on(id, change);
        }
        left
    }

    /// Marks all paths of the source in this slot as stale; returns how many were not so before. Nobody but their source
    /// is concerned.
    pub(crate) fn mark_stale(&mut self, chunks: impl Iterator<Item = usize>, slot: u32) -> usize {
        let mut marked = 0;
        for id in chunks.flat_map(ids_of_chunk) {
            let Some(dest) = self.get_mut(id) else { continue };
            let fresh = |path: &&mut Path| path.slot() == slot && !path.is_stale();
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
        let concerned = |path: &Path| path.slot() == slot && path.is_stale() && !path.is_long_lived();
        self.alter(chunks, concerned, Path::mark_long_lived, decision, on);
    }

    /// Gives all paths through a next hop that is tracked its new cost and ranks them anew; `on` sees each destination concerned.
    pub(crate) fn set_metric(
        &mut self,
        chunks: impl Iterator<Item = usize>,
        next_hop: IpAddr,
        metric: Option<u32>,
        decision: Decision<'_>,
        on: impl FnMut(DestId, Change),
    ) {
        let concerned = |path: &Path| path.tracked_next_hop() == Some(next_hop);
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
            let Some(dest) = self.get_mut(id) else { continue };
            if !dest.paths.as_slice().iter().any(&concerned) {
                continue;
            }
            let best_before = best_of(dest.paths.as_slice());
            dest.paths.alter(&concerned, &change, decision);
            let same = best_of(dest.paths.as_slice()) == best_before;
            on(id, if same { Change::Others } else { Change::Best });
        }
    }
}
