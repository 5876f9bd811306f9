//! The routes of one family with what each peer and next hop has to do with them.

use bgp_core::{AddressFamily, PathId};

use crate::chunks::ChunkSet;
use crate::decision::Decision;
use crate::next_hop::{NextHopId, NextHops};
use crate::path::Path;
use crate::peer::PeerId;
use crate::table::{Change, DestId, Outcome, Table};

/// What one peer has in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Its paths.
    pub paths: usize,
    /// The bytes of the attributes of all of them, shared or not: what it could make us keep.
    pub attribute_bytes: usize,
}

/// A table, and where in it the paths of each peer and through each next hop are.
pub(crate) struct FamilyRib<F: AddressFamily> {
    pub(crate) table: Table<F>,
    /// By the peer's slot.
    sources: Vec<Source>,
    /// By the next hop's number.
    next_hops: Vec<ChunkSet>,
}

#[derive(Debug, Default)]
struct Source {
    held: Held,
    chunks: ChunkSet,
}

impl<F: AddressFamily> FamilyRib<F> {
    pub(crate) fn new(seed: u64) -> FamilyRib<F> {
        FamilyRib { table: Table::new(seed), sources: Vec::new(), next_hops: Vec::new() }
    }

    /// What the session holds; the caller knows that it is the one that has the slot.
    pub(crate) fn held(&self, peer: PeerId) -> Held {
        self.sources.get(peer.slot as usize).map(|source| source.held).unwrap_or_default()
    }

    pub(crate) fn announce(
        &mut self,
        prefix: F::Prefix,
        path: Path,
        decision: Decision<'_>,
        hops: &mut NextHops,
    ) -> (DestId, Change) {
        let (peer, bytes, next_hop) = (path.source, path.attrs.block().len(), path.next_hop_id());
        let outcome = self.table.upsert(prefix, path, decision);
        let source = entry(&mut self.sources, peer.slot as usize);
        source.held.paths += 1;
        source.held.attribute_bytes += bytes;
        source.chunks.insert(outcome.dest);
        if next_hop != NextHopId::ASSUMED {
            entry(&mut self.next_hops, next_hop.index()).insert(outcome.dest);
        }
        source.let_go(&outcome, hops);
        (outcome.dest, outcome.change)
    }

    pub(crate) fn withdraw(
        &mut self,
        prefix: &F::Prefix,
        peer: PeerId,
        path_id: PathId,
        decision: Decision<'_>,
        hops: &mut NextHops,
    ) -> Option<(DestId, Change)> {
        let outcome = self.table.remove(prefix, peer, path_id, decision)?;
        entry(&mut self.sources, peer.slot as usize).let_go(&outcome, hops);
        Some((outcome.dest, outcome.change))
    }

    /// Removes all that a peer announced.
    pub(crate) fn remove_source(
        &mut self,
        peer: PeerId,
        decision: Decision<'_>,
        hops: &mut NextHops,
        mut on: impl FnMut(DestId, Change),
    ) {
        let mut source = std::mem::take(entry(&mut self.sources, peer.slot as usize));
        if source.held.paths == 0 {
            return;
        }
        let chunks = std::mem::take(&mut source.chunks);
        self.table.remove_source(chunks.iter(), peer, decision, |outcome| {
            source.let_go(&outcome, hops);
            on(outcome.dest, outcome.change);
        });
        debug_assert_eq!(source.held, Held::default(), "every path was counted in and out");
    }

    /// Ranks all destinations that use a next hop anew.
    pub(crate) fn set_metric(
        &mut self,
        next_hop: NextHopId,
        metric: Option<u32>,
        decision: Decision<'_>,
        on: impl FnMut(DestId, Change),
    ) {
        if let Some(chunks) = self.next_hops.get(next_hop.index()) {
            self.table.set_metric(chunks.iter(), next_hop, metric, decision, on);
        }
    }

    /// The next hop's number will stand for another one.
    pub(crate) fn forget_next_hop(&mut self, next_hop: NextHopId) {
        if let Some(chunks) = self.next_hops.get_mut(next_hop.index()) {
            *chunks = ChunkSet::default();
        }
    }
}

impl Source {
    /// Counts out the path that an update put out of the table.
    fn let_go(&mut self, outcome: &Outcome, hops: &mut NextHops) {
        if let Some(old) = &outcome.old {
            self.held.paths = self.held.paths.saturating_sub(1);
            self.held.attribute_bytes = self.held.attribute_bytes.saturating_sub(old.attrs.block().len());
            hops.release(old.next_hop_id());
        }
    }
}

/// The element at `index`; the list is made longer if need be.
fn entry<T: Default>(list: &mut Vec<T>, index: usize) -> &mut T {
    if list.len() <= index {
        list.resize_with(index + 1, T::default);
    }
    &mut list[index]
}
