//! Walks over a group's records: what a peer that cannot read the journal is sent instead.
//!
//! ```text
//!             since                 upto          journal
//!  ─ holds ────┤ records and tombstones ├─ entries ──────►
//! ```
//! One mechanism for all cases. A peer that *joins* holds nothing: records up to `upto`. One that fell off the journal
//! holds all changes before `since`: records and tombstones from there. A *refresh* asks for everything again: as
//! for a join, but up to the peer's own place in the journal. What changes during a walk is announced by the journal,
//! which the peer reads from `upto` on, so that nothing is lost and nothing is sent twice.

use std::collections::VecDeque;

use bgp_core::{AddressFamily, Family, FamilySet};

use super::exporter::Exporter;
use super::journal::{Audience, Journal, Sequence};
use super::pack::{Batch, Packed, Sink};
use super::records::Records;
use super::slots::{Outbound, Slot};
use crate::peer::{PeerId, Peers};
use crate::table::{DestId, Table};

/// A window of a walk is about this many bytes at most.
const WINDOW_BYTES: usize = 128 * 1024;

/// Where the next window starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) family: Family,
    pub(crate) dest: DestId,
}

/// One walk, by one peer or by several that started together.
#[derive(Debug)]
pub(crate) struct Walk {
    /// The readers hold what was sent before this; `None` if nothing has to be taken back from them.
    pub(crate) since: Option<Sequence>,
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
    pub(crate) fn new(
        since: Option<Sequence>,
        upto: Option<Sequence>,
        families: FamilySet,
        open: bool,
    ) -> Walk {
        let next = families.iter().next().map(|family| Place { family, dest: DestId::FIRST });
        Walk {
            since,
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
        Walk { next: Some(place), ..Walk::new(self.since, self.upto, self.families, true) }
    }

    /// Whether a reader in the state that `since` says, for these families, can still start with this walk.
    pub(crate) fn can_start(&self, since: Option<Sequence>, families: FamilySet) -> bool {
        self.upto.is_none() && self.since == since && self.families == families
    }

    /// The oldest tombstone, by the change that made it, that a reader of this walk still needs.
    pub(crate) fn oldest_need(&self) -> Option<Sequence> {
        self.since.or(self.upto)
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
        if !packed.messages.is_empty() {
            self.append(packed.audience, packed.messages);
        }
    }
}

/// What a window is made from.
pub(crate) struct Window<'a> {
    pub(crate) since: Option<Sequence>,
    pub(crate) upto: Sequence,
    pub(crate) from: DestId,
    /// How many at most; those of one destination are not parted.
    pub(crate) changes: usize,
    pub(crate) peers: &'a Peers,
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
        let end = DestId::from_index(records.len());
        while at < end && changes < self.changes && bytes < WINDOW_BYTES {
            let dest = at;
            at = at.next();
            for (out, slot) in records.slots(dest) {
                if let Some(added) = self.add(out, slot, &is_reader) {
                    changes += 1;
                    bytes += 1 + usize::from(F::MAX_LEN / 8) + added;
                }
            }
        }
        self.batch.write(self.exporter, table, self.peers, is_reader, self.log);
        (at < end).then_some(at)
    }

    /// Puts a path into the batch, if its readers need it; returns the bytes of its attributes, if they are
    /// new to the window.
    ///
    /// What changed after `upto` is announced by the journal. It is taken back here all the same: the journal only
    /// takes back what its own entries tell of, not what a reader holds from before `since`.
    fn add(&mut self, out: Outbound, slot: &Slot, is_reader: impl Fn(PeerId) -> bool) -> Option<usize> {
        let changed = slot.changed()?;
        if self.since.is_some_and(|since| changed < since) {
            return None;
        }
        match slot {
            Slot::Sent(record) => {
                let is_back_at_its_source = self.since.is_some() && is_reader(record.source);
                if is_back_at_its_source {
                    self.batch.withdraw(out, Audience::Only(record.source));
                }
                if changed < self.upto {
                    let is_new = self.batch.announce(out, &record.attrs, record.source);
                    return Some(if is_new { record.attrs.block().len() } else { 0 });
                }
                is_back_at_its_source.then_some(0)
            }
            Slot::Unsent(_) => {
                self.since?;
                self.batch.withdraw(out, Audience::All);
                Some(0)
            }
        }
    }
}
