//! The routes of one family with what each peer and next hop has to do with them.

use bgp_core::{AddressFamily, PathId, V4, V6};

use crate::chunks::ChunkSet;
use crate::decision::Decision;
use crate::dirty::DirtySet;
use crate::fib::Fib;
use crate::next_hop::{NextHopId, NextHops};
use crate::path::Path;
use crate::peer::PeerId;
use crate::table::{Change, DestId, Outcome, Table};

/// What one peer has in a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Its paths.
    pub(crate) paths: usize,
    /// The bytes of the attributes of all of them, shared or not: what the peer could make us keep.
    pub(crate) attribute_bytes: usize,
}

/// A table, and where in it the paths of each peer are.
pub struct FamilyRib<F: AddressFamily> {
    pub(crate) table: Table<F>,
    pub(crate) fib: Option<Fib>,
    /// Where the best path changed since the follower last looked, while somebody follows.
    pub(crate) followed: Option<DirtySet>,
    /// Where paths changed from which other state of the RIB may follow, while there is such: aggregates, next hops
    /// reached by routes.
    pub(crate) unsettled: Option<DirtySet>,
    /// By the peer's slot.
    sources: Vec<Source>,
}

#[derive(Debug, Default)]
struct Source {
    held: Held,
    chunks: ChunkSet,
}

impl<F: AddressFamily> FamilyRib<F> {
    fn new(seed: u64, fib: bool) -> FamilyRib<F> {
        let mut rib = FamilyRib {
            table: Table::new(seed),
            fib: fib.then(Fib::default),
            followed: None,
            unsettled: None,
            sources: Vec::new(),
        };
        rib.admit(PeerId::LOCAL);
        rib
    }

    /// Makes room for what a peer will announce; until then its announcements go nowhere.
    pub(crate) fn admit(&mut self, peer: PeerId) {
        let slots = peer.slot as usize + 1;
        if self.sources.len() < slots {
            self.sources.resize_with(slots, Source::default);
        }
    }

    /// What the session holds; the caller knows that it is the one that has the slot.
    pub(crate) fn held(&self, peer: PeerId) -> Held {
        self.sources.get(peer.slot as usize).map(|source| source.held).unwrap_or_default()
    }

    /// Adds a path, or replaces the one of the same source and path identifier.
    pub(crate) fn announce(
        &mut self,
        prefix: F::Prefix,
        path: Path,
        decision: Decision<'_>,
        hops: &mut NextHops,
    ) -> Option<(DestId, Change)> {
        let source = self.sources.get_mut(path.source.slot as usize)?;
        source.held.paths += 1;
        source.held.attribute_bytes += path.attrs.block().len();
        let next_hop = path.next_hop_id();
        let outcome = self.table.upsert(prefix, path, decision);
        source.chunks.insert(outcome.dest);
        hops.note_use(next_hop, F::FAMILY, outcome.dest);
        source.let_go(&outcome, hops);
        Some(self.tell(outcome.dest, outcome.change))
    }

    /// Removes a path.
    pub(crate) fn withdraw(
        &mut self,
        prefix: &F::Prefix,
        peer: PeerId,
        path_id: PathId,
        decision: Decision<'_>,
        hops: &mut NextHops,
    ) -> Option<(DestId, Change)> {
        let source = self.sources.get_mut(peer.slot as usize)?;
        let outcome = self.table.remove(prefix, peer, path_id, decision)?;
        source.let_go(&outcome, hops);
        Some(self.tell(outcome.dest, outcome.change))
    }

    /// Removes all that a peer announced.
    pub(crate) fn remove_source(
        &mut self,
        peer: PeerId,
        decision: Decision<'_>,
        hops: &mut NextHops,
        mut on: impl FnMut(DestId, Change),
    ) {
        let Some(source) = self.sources.get_mut(peer.slot as usize) else { return };
        let chunks = std::mem::take(&mut source.chunks);
        if source.held.paths == 0 {
            return;
        }
        self.table.remove_source(chunks.iter(), peer, decision, |outcome| {
            source.let_go(&outcome, hops);
            tell(&mut self.fib, &mut self.followed, &mut self.unsettled, outcome.dest, outcome.change);
            on(outcome.dest, outcome.change);
        });
        debug_assert_eq!(source.held, Held::default(), "every path is counted in and out");
    }

    /// Ranks all destinations that use a next hop anew.
    pub(crate) fn set_metric(
        &mut self,
        next_hop: NextHopId,
        metric: Option<u32>,
        decision: Decision<'_>,
        hops: &NextHops,
        mut on: impl FnMut(DestId, Change),
    ) {
        let chunks = hops.chunks(next_hop, F::FAMILY);
        self.table.set_metric(chunks, next_hop, metric, decision, |dest, change| {
            tell(&mut self.fib, &mut self.followed, &mut self.unsettled, dest, change);
            on(dest, change);
        });
    }

    fn tell(&mut self, dest: DestId, change: Change) -> (DestId, Change) {
        tell(&mut self.fib, &mut self.followed, &mut self.unsettled, dest, change);
        (dest, change)
    }
}

/// The FIB follows every change: paths that share the load matter to it as well as the best one.
fn tell(
    fib: &mut Option<Fib>,
    followed: &mut Option<DirtySet>,
    unsettled: &mut Option<DirtySet>,
    dest: DestId,
    change: Change,
) {
    if change == Change::Unchanged {
        return;
    }
    if let Some(fib) = fib {
        fib.mark(dest);
    }
    if let Some(unsettled) = unsettled {
        unsettled.mark(dest);
    }
    if let Some(followed) = followed.as_mut().filter(|_| change == Change::Best) {
        followed.mark(dest);
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

/// Both families.
pub struct Families {
    pub(crate) v4: FamilyRib<V4>,
    pub(crate) v6: FamilyRib<V6>,
}

impl Families {
    pub(crate) fn new(seed: u64, fib: bool) -> Families {
        Families { v4: FamilyRib::new(seed, fib), v6: FamilyRib::new(seed, fib) }
    }
}

/// A family that the [`Rib`](crate::Rib) has a table for.
pub trait RibFamily: AddressFamily {
    #[doc(hidden)]
    fn rib(families: &Families) -> &FamilyRib<Self>;
    #[doc(hidden)]
    fn rib_mut(families: &mut Families) -> &mut FamilyRib<Self>;
}

impl RibFamily for V4 {
    fn rib(families: &Families) -> &FamilyRib<V4> {
        &families.v4
    }
    fn rib_mut(families: &mut Families) -> &mut FamilyRib<V4> {
        &mut families.v4
    }
}

impl RibFamily for V6 {
    fn rib(families: &Families) -> &FamilyRib<V6> {
        &families.v6
    }
    fn rib_mut(families: &mut Families) -> &mut FamilyRib<V6> {
        &mut families.v6
    }
}
