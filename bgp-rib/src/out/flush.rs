//! From dirty destinations to journal entries.

use bgp_core::AddressFamily;

use super::choice::{self, Choice, Wanted};
use super::export::LoadSharing;
use super::exporter::Exporter;
use super::journal::{Audience, Journal, Sequence};
use super::pack::{Batch, Packed, Sink, all_but};
use super::records::{Record, Records, Slot};
use super::slots::Outbound;
use super::sources::Written;
use crate::attributes::Attrs;
use crate::dirty::DirtySet;
use crate::fault::{Fault, planted};
use crate::path::Path;
use crate::peer::{PeerId, Peers};
use crate::rib::Aggregates;
use crate::table::{DestId, Table};

/// The part of a group that is there once per family.
pub(crate) struct Side<F: AddressFamily> {
    pub(crate) records: Records<F>,
    pub(crate) dirty: DirtySet,
    /// Whether the records know of every destination of the table.
    filled: bool,
}

impl<F: AddressFamily> Side<F> {
    /// Nothing was sent. With `add_path` several paths to a destination may be.
    pub(crate) fn new(add_path: bool) -> Side<F> {
        Side { records: Records::new(add_path), dirty: DirtySet::new(), filled: false }
    }

    /// Before the first flush everything is dirty.
    pub(crate) fn fill(&mut self, table: &Table<F>) {
        if std::mem::replace(&mut self.filled, true) {
            return;
        }
        let mut next = DestId::FIRST;
        while let Some(dest) = table.next_dest(next) {
            self.dirty.mark(dest);
            next = dest.next();
        }
    }
}

/// A slice of a flush: what both families share.
pub(crate) struct Flush<'a, M> {
    pub(crate) peers: &'a Peers,
    pub(crate) aggregates: Option<&'a Aggregates>,
    /// Whether a peer is in the group.
    pub(crate) is_member: M,
    pub(crate) exporter: &'a mut Exporter,
    pub(crate) batch: &'a mut Batch,
    pub(crate) sharing: LoadSharing,
    pub(crate) choice: &'a mut Choice,
    pub(crate) journal: &'a mut Journal,
    /// The journal's bound in bytes.
    pub(crate) limit: usize,
    /// How far the fastest reader of the journal is; `None` if there is none.
    pub(crate) fastest: Option<Sequence>,
}

impl<M: Fn(PeerId) -> bool> Flush<'_, M> {
    /// Writes what changed at up to `slice` destinations of one family.
    pub(crate) fn run<F: AddressFamily>(&mut self, side: &mut Side<F>, table: &mut Table<F>, slice: usize) {
        if side.dirty.is_empty() {
            return;
        }
        self.exporter.forget_last();
        let is_add_path = self.exporter.is_add_path::<F>();
        for _ in 0..slice.max(1) {
            let Some(dest) = side.dirty.pop() else { break };
            if is_add_path {
                self.compare_paths(dest, &side.records, table);
            } else {
                self.compare(dest, &side.records, table);
            }
        }
        self.exporter.forget_last();
        let (journal, limit, fastest) = (&mut *self.journal, self.limit, self.fastest);
        let mut sink = FlushSink { records: &mut side.records, peers: self.peers, journal, limit, fastest };
        let written = |source| Written::of(self.peers, source);
        self.batch.write(self.exporter, table, written, &self.is_member, &mut sink);
    }

    /// Puts the difference between what was sent and what is to be sent now into the batch, for the one path of a
    /// destination that goes out.
    fn compare<F: AddressFamily>(&mut self, dest: DestId, records: &Records<F>, table: &mut Table<F>) {
        let Some(prefix) = table.prefix(dest) else { return };
        let out = Outbound::only(dest);
        let paths = self.paths(table, dest, prefix);
        let going = choice::one(self.exporter, self.peers, paths).and_then(|path| {
            let attrs = self.exporter.outgoing::<F>(self.peers, prefix, path)?;
            Some((attrs, path.source()))
        });
        match going {
            None => self.take_back(out, records.get(dest, out.id).1),
            Some((attrs, source)) => {
                if self.settle(out, records, &attrs, source) {
                    table.hold(dest);
                }
            }
        }
    }

    /// The same for all paths of a destination that go out, with ADD-PATH.
    fn compare_paths<F: AddressFamily>(&mut self, dest: DestId, records: &Records<F>, table: &mut Table<F>) {
        let Some(prefix) = table.prefix(dest) else { return };
        let paths = self.paths(table, dest, prefix);
        self.choice.choose::<F>(self.exporter, self.peers, self.sharing, prefix, paths);
        self.choice.assign(records.slots(dest));
        for (out, slot) in records.slots(dest) {
            if !self.choice.uses(out.id) {
                self.take_back(out, slot);
            }
        }
        while let Some(Wanted { attrs, source, id, received }) = self.choice.next() {
            let out = Outbound { dest, id, received };
            if self.settle(out, records, &attrs, source) {
                table.hold(dest);
            }
        }
    }

    /// The paths to a destination that may be announced: none if an aggregate stands for them.
    fn paths<'t, F: AddressFamily>(
        &self,
        table: &'t Table<F>,
        dest: DestId,
        prefix: F::Prefix,
    ) -> &'t [Path] {
        let suppressed = self.aggregates.is_some_and(|aggregates| aggregates.suppresses(prefix.into()));
        if suppressed { &[] } else { table.paths(dest) }
    }

    /// Withdraws what was sent.
    fn take_back(&mut self, out: Outbound, slot: Slot<'_>) {
        if let Slot::Sent(old) = slot {
            self.batch.withdraw(out, all_but(old.source, &self.is_member));
        }
    }

    /// Announces a route, if it is not what was sent with that path id. Returns whether nothing was known there: then
    /// the table has to hold the destination.
    fn settle<F: AddressFamily>(
        &mut self,
        out: Outbound,
        records: &Records<F>,
        attrs: &Attrs,
        source: PeerId,
    ) -> bool {
        let (known, old) = records.get(out.dest, out.id);
        if let Slot::Sent(old) = old {
            let is_same = old.attrs == attrs && known == out;
            if is_same && records.is_same_source(self.peers, old.source, source) {
                return false;
            }
            if old.source.slot != source.slot
                && (self.is_member)(source)
                && !planted(Fault::WithdrawalToNewSourceLost)
            {
                self.batch.withdraw(out, Audience::Only(source));
            }
        }
        let is_new = old.is_empty();
        self.batch.announce(out, attrs, source);
        is_new
    }
}

/// Takes what a flush writes: into the journal, if somebody reads it, and into the records.
struct FlushSink<'a, F> {
    records: &'a mut Records<F>,
    peers: &'a Peers,
    journal: &'a mut Journal,
    limit: usize,
    fastest: Option<Sequence>,
}

impl<F: AddressFamily> Sink for FlushSink<'_, F> {
    /// Once the journal has outrun all readers, they will be sent the records instead.
    fn reads(&self) -> bool {
        self.fastest.is_some_and(|fastest| self.journal.holds(fastest))
    }

    fn put(&mut self, packed: &Packed<'_>) {
        let number = if self.reads() {
            let number = self.journal.append(packed.audience, packed.messages.bytes, packed.messages.count);
            self.journal.trim(Sequence::default(), self.limit);
            number
        } else {
            self.journal.skip()
        };
        let written = packed.route.and_then(|(_, source)| Written::of(self.peers, source));
        for out in packed.paths {
            match (packed.route, packed.audience) {
                (Some((attrs, source)), _) => {
                    let record = Record { attrs, source, changed: number };
                    self.records.announced(*out, record, written);
                }
                // Only the new source loses the old route: what all others hold is the new one.
                (None, Audience::Only(_)) => {}
                (None, Audience::All | Audience::AllBut(_)) => self.records.withdrew(*out, number),
            }
        }
    }
}
