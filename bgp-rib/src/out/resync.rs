//! Walks over a group's records: what a peer that cannot read the journal is sent instead.
//!
//! ```text
//!             since                 upto          journal
//!  ─ holds ────┤ records and tombstones ├─ entries ──────►
//! ```
//! One mechanism for all cases. A peer that *joins* holds nothing: records up to `upto`. One that fell off the journal
//! holds all changes before `since`: records and tombstones from there. A *refresh* asks for everything again: as
//! for a join, but up to the peer's own place in the journal. One that comes from another group holds what that sent:
//! records that differ from it, and withdrawals of the rest. What changes during a walk is announced by the journal,
//! which the peer reads from `upto` on, so that nothing is lost and nothing is sent twice.

use std::collections::VecDeque;
use std::sync::Arc;

use bgp_core::{AddressFamily, Family, FamilySet, PathId};

use super::export::GroupKey;
use super::exporter::Exporter;
use super::held::{Held, HeldSlot, Known, Snapshot, take_dest};
use super::journal::{Audience, Journal, Sequence};
use super::pack::{Batch, Packed, Sink};
use super::records::{Record, Records, Slot};
use super::slots::Outbound;
use crate::fault::{Fault, planted};
use crate::peer::PeerId;
use crate::table::{DestId, Table};

/// A window of a walk is about this many bytes at most.
const WINDOW_BYTES: usize = 128 * 1024;

/// Where the next window starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) family: Family,
    pub(crate) dest: DestId,
}

/// What the readers of a walk hold when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Nothing: they have joined.
    Nothing,
    /// All that was sent before the walk's end, and want it again.
    All,
    /// What was sent before this.
    Before(Sequence),
    /// What their last group has sent them.
    Other(Held),
}

/// One walk, by one peer or by several that started together.
#[derive(Debug)]
pub(crate) struct Walk {
    pub(crate) holds: Holds,
    /// Where they go on in the journal; `None` before the first window: as late as possible.
    pub(crate) upto: Option<Sequence>,
    pub(crate) families: FamilySet,
    /// Whether windows may be made: those who join wait for the flush that completes the records.
    pub(crate) open: bool,
    pub(crate) readers: usize,
    /// `None` after the last window.
    pub(crate) next: Option<Place>,
    /// Which entries of the log each window starts with, back to the slowest reader's.
    windows: VecDeque<(Sequence, Place)>,
    pub(crate) log: Journal,
}

impl Walk {
    /// A walk from the first record of the first family.
    pub(crate) fn new(holds: Holds, upto: Option<Sequence>, families: FamilySet, open: bool) -> Walk {
        let next = families.iter().next().map(|family| Place { family, dest: DestId::FIRST });
        Walk {
            holds,
            upto,
            families,
            open,
            readers: 0,
            next,
            windows: VecDeque::new(),
            log: Journal::default(),
        }
    }

    /// Where the window starts that `cursor` is in.
    pub(crate) fn place_of(&self, cursor: Sequence) -> Option<Place> {
        let window = self.windows.partition_point(|(first, _)| *first <= cursor).checked_sub(1)?;
        self.windows.get(window).map(|(_, place)| *place)
    }

    /// The same walk from `place` on: for readers that are left behind.
    pub(crate) fn rest_from(&self, place: Place) -> Walk {
        Walk { next: Some(place), ..Walk::new(self.holds.clone(), self.upto, self.families, true) }
    }

    /// Whether a reader that holds this, for these families, can still start with this walk.
    pub(crate) fn can_start(&self, holds: &Holds, families: FamilySet) -> bool {
        self.upto.is_none() && self.holds == *holds && self.families == families
    }

    /// What its readers held, how far it goes, and for which families.
    pub(crate) fn state(&self) -> (Holds, Option<Sequence>, FamilySet) {
        (self.holds.clone(), self.upto, self.families)
    }

    /// Whether it tells the difference to this snapshot.
    pub(crate) fn compares_with(&self, snapshot: &Arc<Snapshot>) -> bool {
        matches!(&self.holds, Holds::Other(held) if Arc::ptr_eq(&held.snapshot, snapshot))
    }

    /// The readers have all changes before this, but for what the walk is still to tell them; `None` if it has not
    /// begun.
    pub(crate) fn place(&self) -> Option<Sequence> {
        match self.holds {
            Holds::Before(since) => Some(since),
            _ => self.upto,
        }
    }

    /// Forgets the windows whose entries are all dropped.
    pub(crate) fn forget_windows(&mut self) {
        let base = self.log.base();
        while self.windows.get(1).is_some_and(|(first, _)| *first <= base) {
            self.windows.pop_front();
        }
    }

    /// Notes that a window starts at `place`.
    pub(crate) fn start_window(&mut self, place: Place) {
        self.windows.push_back((self.log.end(), place));
    }

    /// Makes the window readable; the next one starts at `dest` of the same family or else at the next family.
    pub(crate) fn finish_window(&mut self, family: Family, dest: Option<DestId>) {
        self.log.seal();
        self.next = match dest {
            Some(dest) => Some(Place { family, dest }),
            None => self
                .families
                .iter()
                .skip_while(|f| *f != family)
                .nth(1)
                .map(|family| Place { family, dest: DestId::FIRST }),
        };
    }
}

impl Sink for Journal {
    fn reads(&self) -> bool {
        true
    }

    fn put(&mut self, packed: &Packed<'_>) {
        if packed.messages.count > 0 {
            self.append(packed.audience, packed.messages.bytes, packed.messages.count);
        }
    }
}

/// What a window is made from.
pub(crate) struct Window<'a> {
    pub(crate) key: &'a GroupKey,
    pub(crate) holds: &'a Holds,
    pub(crate) upto: Sequence,
    pub(crate) from: DestId,
    /// How many at most; those of one destination are not parted.
    pub(crate) changes: usize,
    pub(crate) exporter: &'a mut Exporter,
    pub(crate) batch: &'a mut Batch,
    pub(crate) log: &'a mut Journal,
}

impl Window<'_> {
    /// Writes the window into the log; returns where the next one of this family starts, `None` if it was the last.
    pub(crate) fn write<F: AddressFamily>(
        &mut self,
        records: &Records<F>,
        table: &Table<F>,
        is_reader: impl Fn(PeerId) -> bool,
    ) -> Option<DestId> {
        let (mut changes, mut bytes, mut at) = (0, 0, self.from);
        let mut held = match self.holds {
            Holds::Other(held) => held.from(F::FAMILY, at),
            _ => &[],
        };
        let held_end = held.last().map_or(0, |(dest, ..)| dest.index() + 1);
        let end = DestId::from_index(records.len().max(held_end));
        while at < end && changes < self.changes && bytes < WINDOW_BYTES {
            let dest = at;
            at = at.next();
            let held = take_dest(&mut held, dest);
            for (out, slot, known) in slots_and_known(records, dest, self.holds, held) {
                if let Some(added) = self.add(records, out, slot, known, &is_reader) {
                    changes += 1;
                    bytes += 1 + usize::from(F::MAX_LEN / 8) + added;
                }
            }
        }
        self.batch.write(self.exporter, table, |source| records.written(source), is_reader, self.log);
        (at < end).then_some(at)
    }

    /// Puts one path into the batch, if its readers need it; returns the bytes of its attributes, if
    /// they are new to the window.
    ///
    /// What changed after `upto` is announced by the journal. It is taken back here all the same: the journal only
    /// takes back what its own entries tell of, not what a reader holds from before.
    fn add<F: AddressFamily>(
        &mut self,
        records: &Records<F>,
        out: Outbound,
        slot: Slot<'_>,
        known: Known<'_>,
        is_reader: impl Fn(PeerId) -> bool,
    ) -> Option<usize> {
        match slot {
            Slot::Sent(record) => {
                let is_back_at_its_source = is_reader(record.source) && known.is_at(record.source);
                if is_back_at_its_source {
                    self.batch.withdraw(out, Audience::Only(record.source));
                }
                if record.changed < self.upto && !(known.is(record) && self.writes_the_same(records, record))
                {
                    let is_new = self.batch.announce(out, record.attrs, record.source);
                    return Some(if is_new { record.attrs.block().len() } else { 0 });
                }
                is_back_at_its_source.then_some(0)
            }
            Slot::Unsent(_) if planted(Fault::RegroupWithoutWithdrawals) => None,
            // Else nothing would be left to sweep.
            Slot::Unsent(_) if planted(Fault::RefreshEndsWithoutSweep) => None,
            Slot::Unsent(_) => {
                self.batch.withdraw(out, known.holders(is_reader)?);
                Some(0)
            }
        }
    }

    /// Whether a route that the readers hold was written for them just as this group would.
    fn writes_the_same<F: AddressFamily>(&self, records: &Records<F>, record: Record<'_>) -> bool {
        match self.holds {
            Holds::Other(held) => records
                .written(record.source)
                .is_some_and(|source| held.is_written_the_same(self.key, F::FAMILY, record, source.kind)),
            _ => true,
        }
    }
}

/// The slots of a destination, those that only the readers still know of last, with what they know of each.
fn slots_and_known<'a, F: AddressFamily>(
    records: &'a Records<F>,
    dest: DestId,
    holds: &'a Holds,
    held: &'a [HeldSlot],
) -> impl Iterator<Item = (Outbound, Slot<'a>, Known<'a>)> {
    let known = move |slot: Slot<'a>, id: PathId| match holds {
        Holds::Nothing | Holds::All => Known::Nothing,
        Holds::Before(since) => Known::of(slot, Some(*since)),
        Holds::Other(other) => {
            let old = held.iter().find(|(_, old, _)| *old == id);
            old.map_or(Known::Nothing, |(.., old)| Known::of(old.slot(), other.before))
        }
    };
    let own = records.slots(dest).map(move |(out, slot)| (out, slot, known(slot, out.id)));
    let is_gone = move |id: PathId| records.slots(dest).all(|(out, _)| out.id != id);
    let gone = held.iter().filter(move |(_, id, _)| is_gone(*id)).map(move |(_, id, old)| {
        let (out, slot) = records.get(dest, *id);
        (out, slot, known(old.slot(), *id))
    });
    own.chain(gone)
}
