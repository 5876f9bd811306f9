//! The routes of one family with what each peer and next hop has to do with them.

use bgp_core::{AddressFamily, Family, FamilySet, PathId, V4, V6};

use crate::chunks::ChunkSet;
use crate::decision::Decision;
use crate::dirty::DirtySet;
use crate::fault::{Fault, planted};
use crate::fib::Fib;
use crate::next_hop::{NextHopId, NextHops};
use crate::path::Path;
use crate::peer::PeerId;
use crate::table::{Change, DestId, Located, Table, ids_of_chunk};

/// What one peer has in a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Its paths, stale ones too.
    pub(crate) paths: usize,
    /// The stale ones of them.
    pub(crate) stale: usize,
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

    /// What is held of the peer in this slot.
    pub(crate) fn held(&self, slot: u32) -> Held {
        self.sources.get(slot as usize).map(|source| source.held).unwrap_or_default()
    }

    /// Adds a path, or replaces the one of the same source and path identifier.
    pub(crate) fn announce(
        &mut self,
        at: Located,
        prefix: F::Prefix,
        (path, next_hop): (Path, NextHopId),
        decision: Decision<'_>,
        hops: &mut NextHops,
    ) -> Option<(DestId, Change)> {
        let source = self.sources.get_mut(path.slot() as usize)?;
        source.held.paths += 1;
        source.held.attribute_bytes += path.attrs.block().len();
        let outcome = self.table.upsert_at(at, prefix, path, decision);
        source.chunks.insert(outcome.dest);
        hops.note_use(next_hop, F::FAMILY, outcome.dest);
        outcome.old.iter().for_each(|old| source.let_go(old, hops));
        Some(self.tell(outcome.dest, outcome.change))
    }

    /// Removes a path.
    pub(crate) fn withdraw(
        &mut self,
        at: Located,
        prefix: &F::Prefix,
        peer: PeerId,
        path_id: PathId,
        decision: Decision<'_>,
        hops: &mut NextHops,
    ) -> Option<(DestId, Change)> {
        let source = self.sources.get_mut(peer.slot as usize)?;
        let outcome = self.table.remove_at(at, prefix, peer, path_id, decision)?;
        outcome.old.iter().for_each(|old| source.let_go(old, hops));
        Some(self.tell(outcome.dest, outcome.change))
    }

    /// Removes those paths of a peer that are `unwanted`.
    pub(crate) fn remove_source(
        &mut self,
        slot: u32,
        unwanted: impl Fn(&Path) -> bool,
        decision: Decision<'_>,
        hops: &mut NextHops,
        mut on: impl FnMut(DestId, Change),
    ) {
        let Some(source) = self.sources.get_mut(slot as usize) else { return };
        let chunks = std::mem::take(&mut source.chunks);
        if source.held.paths == 0 {
            return;
        }
        // What the peer has withdrawn since is no longer looked for.
        let gone = |old: Path| source.let_go(&old, hops);
        source.chunks =
            self.table.remove_source(chunks.iter(), slot, unwanted, decision, gone, |dest, change| {
                tell(&mut self.fib, &mut self.followed, &mut self.unsettled, dest, change);
                on(dest, change);
            });
    }

    /// Marks all paths of a peer as stale.
    pub(crate) fn mark_stale(&mut self, slot: u32) {
        if let Some(source) = self.sources.get_mut(slot as usize).filter(|source| source.held.paths > 0) {
            source.held.stale += self.table.mark_stale(source.chunks.iter(), slot);
        }
    }

    /// Makes the stale paths of a peer the last choice, but for those that are not to be kept so: they go (RFC 9494
    /// section 4.2).
    pub(crate) fn begin_long_lived(
        &mut self,
        slot: u32,
        decision: Decision<'_>,
        hops: &mut NextHops,
        mut on: impl FnMut(DestId, Change),
    ) {
        let refused = |path: &Path| path.is_stale() && path.attrs.summary().no_llgr;
        self.remove_source(slot, refused, decision, hops, &mut on);
        let Some(source) = self.sources.get(slot as usize).filter(|source| source.held.stale > 0) else {
            return;
        };
        self.table.mark_long_lived(source.chunks.iter(), slot, decision, |dest, change| {
            tell(&mut self.fib, &mut self.followed, &mut self.unsettled, dest, change);
            on(dest, change);
        });
    }

    /// The destinations that the peer in this slot has announced.
    pub(crate) fn dests_of(&self, slot: u32) -> impl Iterator<Item = DestId> {
        let chunks = self.sources.get(slot as usize).into_iter().flat_map(|source| source.chunks.iter());
        let is_from_it = move |path: &Path| path.slot() == slot;
        chunks.flat_map(ids_of_chunk).filter(move |dest| self.table.paths(*dest).iter().any(is_from_it))
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
        let Some(address) = hops.address(next_hop) else { return };
        let chunks = hops.chunks(next_hop, F::FAMILY);
        self.table.set_metric(chunks, address, metric, decision, |dest, change| {
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
    if let Some(fib) =
        fib.as_mut().filter(|_| change == Change::Best || !planted(Fault::FibNotToldOfMultipath))
    {
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
    /// Counts out a path that was put out of the table.
    fn let_go(&mut self, old: &Path, hops: &mut NextHops) {
        self.held.paths = self.held.paths.saturating_sub(1);
        self.held.stale = self.held.stale.saturating_sub(usize::from(old.is_stale()));
        self.held.attribute_bytes = self.held.attribute_bytes.saturating_sub(old.attrs.block().len());
        if let Some(id) = old.tracked_next_hop().and_then(|address| hops.id(address)) {
            hops.release(id);
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

    /// The state of a next hop has been reported for the first time: the FIB may have waited for it.
    pub(crate) fn next_hop_answered(&mut self, id: NextHopId, hops: &NextHops) {
        if let Some(fib) = &mut self.v4.fib {
            fib.answered(hops.chunks(id, Family::IPV4_UNICAST));
        }
        if let Some(fib) = &mut self.v6.fib {
            fib.answered(hops.chunks(id, Family::IPV6_UNICAST));
        }
    }

    /// What is held of the peer in this slot; `None`: there is no table of this family.
    pub(crate) fn held(&self, slot: u32, family: Family) -> Option<Held> {
        match family {
            Family::IPV4_UNICAST => Some(self.v4.held(slot)),
            Family::IPV6_UNICAST => Some(self.v6.held(slot)),
            _ => None,
        }
    }

    /// The families in which stale paths are held of the peer in this slot.
    pub(crate) fn stale(&self, slot: u32) -> FamilySet {
        let is_stale = |family: &Family| self.held(slot, *family).is_some_and(|held| held.stale > 0);
        [Family::IPV4_UNICAST, Family::IPV6_UNICAST].into_iter().filter(is_stale).collect()
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
