//! From dirty destinations to journal entries.

use bgp_core::AddressFamily;

use super::exporter::Exporter;
use super::journal::{Audience, Journal, Sequence};
use super::pack::{Batch, Packed, Sink, all_but};
use super::records::{Record, Records, Slot};
use crate::dirty::DirtySet;
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

impl<F: AddressFamily> Default for Side<F> {
    fn default() -> Side<F> {
        Side { records: Records::default(), dirty: DirtySet::new(), filled: false }
    }
}

impl<F: AddressFamily> Side<F> {
    /// Before the first flush everything is dirty.
    fn fill(&mut self, table: &Table<F>) {
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

/// One flush: what both families share.
pub(crate) struct Flush<'a, M> {
    pub(crate) peers: &'a Peers,
    pub(crate) aggregates: Option<&'a Aggregates>,
    /// Whether a peer is in the group.
    pub(crate) is_member: M,
    pub(crate) exporter: &'a mut Exporter,
    pub(crate) batch: &'a mut Batch,
    pub(crate) journal: &'a mut Journal,
    /// The journal's bound in bytes.
    pub(crate) limit: usize,
    /// How far the fastest reader of the journal is; `None` if there is none.
    pub(crate) fastest: Option<Sequence>,
}

impl<M: Fn(PeerId) -> bool> Flush<'_, M> {
    /// Writes what changed in one family since the last flush.
    pub(crate) fn run<F: AddressFamily>(&mut self, side: &mut Side<F>, table: &mut Table<F>) {
        side.fill(table);
        self.exporter.forget_last();
        while let Some(dest) = side.dirty.pop() {
            self.compare(dest, &side.records, table);
        }
        self.exporter.forget_last();
        let (journal, limit, fastest) = (&mut *self.journal, self.limit, self.fastest);
        let mut sink = FlushSink { records: &mut side.records, journal, limit, fastest };
        self.batch.write(self.exporter, table, self.peers, &self.is_member, &mut sink);
    }

    /// Puts the difference between what was sent and what is to be sent now into the batch.
    fn compare<F: AddressFamily>(&mut self, dest: DestId, records: &Records<F>, table: &mut Table<F>) {
        let Some(prefix) = table.prefix(dest) else { return };
        let suppressed = self.aggregates.is_some_and(|aggregates| aggregates.suppresses(prefix.into()));
        let best = table.best(dest).filter(|_| !suppressed).and_then(|path| {
            let attrs = self.exporter.outgoing::<F>(self.peers, prefix, path)?;
            Some((attrs, path.source))
        });
        let (old, (attrs, source)) = match (records.get(dest), best) {
            (Slot::Sent(old), None) => {
                return self.batch.withdraw(dest, all_but(old.source, &self.is_member));
            }
            (_, None) => return,
            (old, Some(new)) => (old, new),
        };
        match old {
            Slot::Sent(old) if old.attrs == *attrs && old.source == source => return,
            Slot::Sent(old) if old.source != source && (self.is_member)(source) => {
                self.batch.withdraw(dest, Audience::Only(source));
            }
            Slot::Sent(_) | Slot::Unsent(_) => {}
        }
        self.batch.announce(dest, &attrs, source);
        if old.changed().is_none() {
            table.hold(dest);
        }
    }
}

/// Takes what a flush writes: into the journal, if somebody reads it, and into the records.
struct FlushSink<'a, F> {
    records: &'a mut Records<F>,
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
            let number = self.journal.append(packed.audience, packed.messages);
            self.journal.trim(Sequence::default(), self.limit);
            number
        } else {
            self.journal.skip()
        };
        for dest in packed.dests {
            match (packed.route, packed.audience) {
                (Some((attrs, source)), _) => {
                    let record = Record { attrs: attrs.clone(), source, changed: number };
                    self.records.announced(*dest, record);
                }
                // Only the new source loses the old route: what all others hold is the new one.
                (None, Audience::Only(_)) => {}
                (None, Audience::All | Audience::AllBut(_)) => self.records.withdrew(*dest, number),
            }
        }
    }
}
