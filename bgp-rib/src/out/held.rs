//! What a peer holds of its last group when it moves to another one.
//!
//! ```text
//!  group A: slots, at most a tombstone each ──► Snapshot ──┐
//!  a peer's cursor in A's journal ──────────► before ──────┴► Held ──► a walk of group B sends the difference
//! ```
//! A snapshot is taken once for all peers that leave between two flushes, wherever each of them was: what a cursor is
//! past is known, what it is not past may or may not be held.

use std::sync::Arc;

use bgp_core::{AddressFamily, Family, FamilySet, PathId};

use super::TablesMut;
use super::export::GroupKey;
use super::journal::{Audience, Sequence};
use super::pack::all_but;
use super::records::{Record, Records, Slot};
use crate::attributes::Attrs;
use crate::peer::{PeerId, SourceKind};
use crate::table::DestId;

/// One slot of a snapshot.
pub(crate) type HeldSlot = (DestId, PathId, Copied);

/// What was known of a path.
#[derive(Clone, Debug)]
pub(crate) struct Copied {
    /// The route and its source; `None`: a tombstone.
    route: Option<(Attrs, PeerId)>,
    changed: Sequence,
}

impl Copied {
    /// `None` if nothing is known.
    fn of(slot: Slot<'_>) -> Option<Copied> {
        match slot {
            Slot::Sent(Record { attrs, source, changed }) => {
                Some(Copied { route: Some((attrs.clone(), source)), changed })
            }
            Slot::Unsent(changed) => Some(Copied { route: None, changed: changed? }),
        }
    }

    /// The slot that it was copied from.
    pub(crate) fn slot(&self) -> Slot<'_> {
        match &self.route {
            Some((attrs, source)) => Slot::Sent(Record { attrs, source: *source, changed: self.changed }),
            None => Slot::Unsent(Some(self.changed)),
        }
    }
}

/// The slots of a group at some moment, empty ones left out, in the order of their destinations. Whoever keeps one over
/// a flush holds its destinations in the tables.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// How the routes were written.
    key: GroupKey,
    v4: Vec<HeldSlot>,
    v6: Vec<HeldSlot>,
}

impl Snapshot {
    pub(crate) fn new(key: GroupKey, v4: Vec<HeldSlot>, v6: Vec<HeldSlot>) -> Snapshot {
        Snapshot { key, v4, v6 }
    }

    /// The slots of a family from a destination on.
    fn from(&self, family: Family, dest: DestId) -> &[HeldSlot] {
        let slots = if family == Family::IPV4_UNICAST { &self.v4 } else { &self.v6 };
        slots.get(slots.partition_point(|(at, ..)| *at < dest)..).unwrap_or_default()
    }

    /// Holds all destinations, once.
    pub(crate) fn hold(&self, tables: &mut TablesMut<'_>) {
        dests(&self.v4).for_each(|dest| tables.v4.hold(dest));
        dests(&self.v6).for_each(|dest| tables.v6.hold(dest));
    }

    /// Undoes one [`Snapshot::hold`].
    pub(crate) fn release(&self, tables: &mut TablesMut<'_>) {
        dests(&self.v4).for_each(|dest| tables.v4.release(dest));
        dests(&self.v6).for_each(|dest| tables.v6.release(dest));
    }

    /// The memory it takes, in bytes.
    pub(crate) fn memory(&self) -> usize {
        (self.v4.capacity() + self.v6.capacity()) * size_of::<HeldSlot>()
    }
}

/// The destinations, once for each slot.
fn dests(slots: &[HeldSlot]) -> impl Iterator<Item = DestId> {
    slots.iter().map(|(dest, ..)| *dest)
}

/// All slots of one family that are not empty, with those of `older` whose place is empty.
pub(crate) fn slots_of<F: AddressFamily>(records: &Records<F>, older: Option<&Snapshot>) -> Vec<HeldSlot> {
    let mut older = older.map_or(&[][..], |snapshot| snapshot.from(F::FAMILY, DestId::FIRST));
    let mut slots = Vec::new();
    let end = records.len().max(older.last().map_or(0, |(dest, ..)| dest.index() + 1));
    for dest in (0..end).map(DestId::from_index) {
        let held = take_dest(&mut older, dest);
        let first = slots.len();
        slots.extend(records.slots(dest).filter_map(|(out, slot)| Some((dest, out.id, Copied::of(slot)?))));
        for (_, path_id, slot) in held {
            if !slots.iter().skip(first).any(|(_, other, _)| other == path_id) {
                slots.push((dest, *path_id, slot.clone()));
            }
        }
    }
    slots.shrink_to_fit();
    slots
}

/// Takes the slots of a destination from the front.
pub(crate) fn take_dest<'a>(slots: &mut &'a [HeldSlot], dest: DestId) -> &'a [HeldSlot] {
    let (here, rest) = slots.split_at(slots.iter().take_while(|(at, ..)| *at == dest).count());
    *slots = rest;
    here
}

/// What a peer holds from a group that it left.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) snapshot: Arc<Snapshot>,
    /// It has been told all changes before this one; `None`: which ones is not known.
    pub(crate) before: Option<Sequence>,
    /// The families that are sent again whether they differ or not: a refresh was under way.
    pub(crate) again: FamilySet,
}

impl PartialEq for Held {
    fn eq(&self, other: &Held) -> bool {
        Arc::ptr_eq(&self.snapshot, &other.snapshot)
            && (self.before, self.again) == (other.before, other.again)
    }
}

impl Eq for Held {}

impl Held {
    /// The slots of a family from a destination on.
    pub(crate) fn from(&self, family: Family, dest: DestId) -> &[HeldSlot] {
        self.snapshot.from(family, dest)
    }

    /// Whether the peer would be sent the same bytes by the group with this key that it has got for `record`.
    pub(crate) fn is_written_the_same(
        &self,
        key: &GroupKey,
        family: Family,
        record: Record<'_>,
        source: SourceKind,
    ) -> bool {
        !self.again.contains(family) && self.snapshot.key.writes_like(key, family, source, record.attrs)
    }
}

/// What a reader knows of a slot before a walk tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Known<'a> {
    /// It holds no route, or is to be told again of the one it holds.
    Nothing,
    /// It holds this route, unless it is the source.
    Route(Record<'a>),
    /// It may hold some route.
    Maybe,
}

impl<'a> Known<'a> {
    /// What one knows of a slot who has been told all changes before this one; `None`: which ones is not known.
    pub(crate) fn of(slot: Slot<'a>, before: Option<Sequence>) -> Known<'a> {
        match (slot, before) {
            (Slot::Unsent(None), _) => Known::Nothing,
            (Slot::Sent(record), Some(before)) if record.changed < before => Known::Route(record),
            (Slot::Unsent(Some(at)), Some(before)) if at < before => Known::Nothing,
            _ => Known::Maybe,
        }
    }

    /// Whether this peer may hold a route.
    pub(crate) fn is_at(self, peer: PeerId) -> bool {
        match self {
            Known::Nothing => false,
            Known::Route(record) => record.source.slot != peer.slot,
            Known::Maybe => true,
        }
    }

    /// Who may hold a route.
    pub(crate) fn holders(self, is_reader: impl Fn(PeerId) -> bool) -> Option<Audience> {
        match self {
            Known::Nothing => None,
            Known::Route(record) => Some(all_but(record.source, is_reader)),
            Known::Maybe => Some(Audience::All),
        }
    }

    /// Whether it is just the route of `record`.
    pub(crate) fn is(self, record: Record<'_>) -> bool {
        matches!(self, Known::Route(old) if old.attrs == record.attrs && old.source == record.source)
    }
}
