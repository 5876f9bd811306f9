//! What a group says, encoded once: a bounded queue of messages that many readers walk through.
//!
//! ```text
//!   base                                              end
//!    │ chunk: one allocation ≤ 64 KiB │ chunk          │
//!    ├─────┬───────┬─────┬────────────┼──────┬─────────┤
//!    │ All │But(A) │ All │  But(B)    │Only(C)│  All   │   entries, numbered one after the other
//!    └─────┴───────┴─────┴────────────┴──────┴─────────┘
//!             ▲ cursor of one reader        ▲ cursor of another
//! ```
//!
//! Neighbouring entries that reach a reader are handed out as one slice of the chunk: no copy, and the number of
//! slices depends on how often the reader is left out, not on how many entries there are.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::ops::Range;

use bytes::Bytes;

use super::transmit::Transmit;
use crate::fault::{Fault, planted};
use crate::peer::PeerId;

/// A chunk is sealed before it outgrows this, in bytes.
pub(crate) const CHUNK: usize = 64 * 1024;

/// The number of an entry of a journal, or of the state of a group just before that entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(NonZeroU64);

impl Default for Sequence {
    /// The first.
    fn default() -> Sequence {
        Sequence(NonZeroU64::MIN)
    }
}

impl Sequence {
    pub(super) fn plus(self, entries: u64) -> Sequence {
        Sequence(self.0.saturating_add(entries))
    }

    /// How many entries lie between `earlier` and this.
    #[must_use]
    pub fn since(self, earlier: Sequence) -> u64 {
        self.0.get().saturating_sub(earlier.0.get())
    }
}

/// Which peers of the group an entry is for. Whatever session of a peer a route came from, it is the peer's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// Every peer.
    All,
    /// Every peer but the one that the route came from.
    AllBut(PeerId),
    /// One peer, which must lose what its own route has replaced.
    Only(PeerId),
}

impl Audience {
    /// Whether `peer` is one of them.
    #[must_use]
    pub fn reaches(self, peer: PeerId) -> bool {
        match self {
            Audience::All => true,
            Audience::AllBut(_) if planted(Fault::SentBackToSource) => true,
            Audience::AllBut(source) if planted(Fault::AudienceLeavesOneOut) => {
                source.slot.abs_diff(peer.slot) > 1
            }
            Audience::AllBut(source) => source.slot != peer.slot,
            Audience::Only(one) => one.slot == peer.slot,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    audience: Audience,
    /// Where its messages end in the chunk.
    end: u32,
    /// How many they are.
    updates: u32,
}

#[derive(Debug)]
struct Chunk {
    first: Sequence,
    bytes: Bytes,
    entries: Box<[Entry]>,
}

impl Chunk {
    fn end(&self) -> Sequence {
        self.first.plus(self.entries.len() as u64)
    }

    /// Where entry number `index` starts in the chunk.
    fn offset(&self, index: usize) -> usize {
        index.checked_sub(1).and_then(|i| self.entries.get(i)).map_or(0, |e| e.end as usize)
    }

    /// Hands out what reaches `peer` from `cursor` on, until `budget` bytes are reached.
    fn read(&self, cursor: &mut Sequence, peer: PeerId, budget: usize, out: &mut Vec<Bytes>) -> Transmit {
        let skip = cursor.since(self.first) as usize;
        let (mut total, mut at) = (Transmit::default(), self.offset(skip));
        let mut run = at..at;
        for entry in self.entries.iter().skip(skip) {
            if total.octets >= budget {
                break;
            }
            let end = entry.end as usize;
            if entry.audience.reaches(peer) {
                if run.end != at {
                    self.hand_out(run, out);
                    run = at..end;
                }
                run.end = end;
                total += Transmit::of_updates(end - at, entry.updates);
            }
            at = end;
            *cursor = cursor.plus(1);
        }
        self.hand_out(run, out);
        total
    }

    fn hand_out(&self, run: Range<usize>, out: &mut Vec<Bytes>) {
        if !run.is_empty() {
            out.push(self.bytes.slice(run));
        }
    }
}

/// The queue. Entries become readable when their chunk is sealed; [`Journal::seal`] ends a flush.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    chunks: VecDeque<Chunk>,
    end: Sequence,
    bytes: usize,
    open: Vec<u8>,
    open_entries: Vec<Entry>,
}

impl Journal {
    /// The oldest entry that can still be read.
    pub(crate) fn base(&self) -> Sequence {
        self.chunks.front().map_or(self.end, |c| c.first)
    }

    /// The number that the next entry will have, those not yet sealed left aside.
    pub(crate) fn end(&self) -> Sequence {
        self.end
    }

    /// What is held for the readers, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a reader that has seen everything before `cursor` can go on from here.
    pub(crate) fn holds(&self, cursor: Sequence) -> bool {
        self.base() <= cursor
    }

    /// Adds so many whole UPDATEs for one audience and returns the number of the entry they are part of.
    pub(crate) fn append(&mut self, audience: Audience, messages: &[u8], updates: u32) -> Sequence {
        if !self.open.is_empty() && self.open.len() + messages.len() > CHUNK {
            self.seal();
            self.open.reserve_exact(CHUNK);
        }
        self.open.extend_from_slice(messages);
        let end = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        match self.open_entries.last_mut() {
            Some(last) if last.audience == audience => {
                last.end = end;
                last.updates += updates;
            }
            _ => self.open_entries.push(Entry { audience, end, updates }),
        }
        self.end.plus(self.open_entries.len().saturating_sub(1) as u64)
    }

    /// Takes a number without an entry, for a change that no reader waits for; forgets all entries.
    pub(crate) fn skip(&mut self) -> Sequence {
        self.forget();
        let number = self.end;
        self.end = self.end.plus(1);
        number
    }

    /// Makes what was appended readable.
    pub(crate) fn seal(&mut self) {
        if self.open_entries.is_empty() {
            return;
        }
        // A buffer that is nearly full is handed over.
        let is_full = self.open.len() >= self.open.capacity() / 8 * 7;
        let bytes =
            if is_full { std::mem::take(&mut self.open).into() } else { Bytes::copy_from_slice(&self.open) };
        let chunk = Chunk { first: self.end, bytes, entries: self.open_entries.as_slice().into() };
        self.bytes += chunk.bytes.len();
        self.end = chunk.end();
        self.chunks.push_back(chunk);
        self.open.clear();
        self.open_entries.clear();
    }

    /// The bytes that are there for a reader at `cursor`, those not sealed too, whomever they are for.
    pub(crate) fn written_after(&self, cursor: Sequence) -> usize {
        self.bytes_after(cursor) + self.open.len()
    }

    /// Drops the chunks that every reader is past, and then the oldest ones until `limit` bytes are left.
    pub(crate) fn trim(&mut self, slowest: Sequence, limit: usize) {
        while self.chunks.front().is_some_and(|c| c.end() <= slowest || self.bytes > limit) {
            if let Some(chunk) = self.chunks.pop_front() {
                self.bytes -= chunk.bytes.len();
            }
        }
    }

    /// Seals, then drops every entry: nobody reads.
    pub(crate) fn forget(&mut self) {
        self.seal();
        self.chunks.clear();
        self.bytes = 0;
    }

    /// Hands out whole messages for `peer` from `cursor` on, until `budget` bytes are reached or nothing is left. The
    /// cursor must be one that [`Journal::holds`].
    pub(crate) fn read(
        &self,
        cursor: &mut Sequence,
        peer: PeerId,
        budget: usize,
        out: &mut Vec<Bytes>,
    ) -> Transmit {
        let mut total = Transmit::default();
        let from = self.chunk_at(*cursor);
        for chunk in self.chunks.range(from..) {
            if total.octets >= budget {
                break;
            }
            total += chunk.read(cursor, peer, budget - total.octets, out);
        }
        total
    }

    /// The bytes of all entries from `cursor` on, whomever they are for.
    pub(crate) fn bytes_after(&self, cursor: Sequence) -> usize {
        let from = self.chunk_at(cursor);
        let read = self.chunks.get(from).map_or(0, |c| c.offset(cursor.since(c.first) as usize));
        self.chunks.range(from..).map(|c| c.bytes.len()).sum::<usize>() - read
    }

    fn chunk_at(&self, cursor: Sequence) -> usize {
        self.chunks.partition_point(|c| c.end() <= cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: PeerId = PeerId { slot: 1, generation: 1 };
    const B: PeerId = PeerId { slot: 2, generation: 1 };

    fn at(entry: u64) -> Sequence {
        Sequence::default().plus(entry)
    }

    fn read(journal: &Journal, cursor: &mut Sequence, peer: PeerId, budget: usize) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        journal.read(cursor, peer, budget, &mut out);
        out.iter().map(|b| b.to_vec()).collect()
    }

    #[test]
    fn an_audience_says_who_reads_an_entry() {
        assert!(Audience::All.reaches(A));
        assert!(!Audience::AllBut(A).reaches(A));
        assert!(Audience::AllBut(A).reaches(B));
        assert!(Audience::Only(A).reaches(A));
        assert!(!Audience::Only(A).reaches(B));
        assert!(!Audience::AllBut(A).reaches(PeerId { slot: 1, generation: 2 }), "a later session");
    }

    #[test]
    fn neighbouring_entries_that_reach_a_reader_are_one_slice() {
        let mut journal = Journal::default();
        journal.append(Audience::All, b"aa", 1);
        journal.append(Audience::AllBut(A), b"bb", 1);
        journal.append(Audience::Only(A), b"cc", 1);
        journal.append(Audience::All, b"dd", 1);
        journal.seal();
        assert_eq!(read(&journal, &mut at(0), A, 100), [&b"aa"[..], b"ccdd"]);
        assert_eq!(read(&journal, &mut at(0), B, 100), [&b"aabb"[..], b"dd"]);
    }

    #[test]
    fn a_reader_stops_at_its_budget_and_goes_on_from_there() {
        let mut journal = Journal::default();
        for (audience, text) in [(Audience::All, b"aa"), (Audience::AllBut(B), b"bb"), (Audience::All, b"cc")]
        {
            journal.append(audience, text, 1);
        }
        journal.seal();
        let mut cursor = at(0);
        assert_eq!(read(&journal, &mut cursor, A, 3), [b"aabb"]);
        assert_eq!(cursor, at(2));
        assert_eq!(journal.bytes_after(cursor), 2);
        assert_eq!(read(&journal, &mut cursor, A, 3), [b"cc"]);
        assert_eq!(cursor, journal.end());
        assert_eq!(journal.bytes_after(cursor), 0);
    }

    #[test]
    fn entries_of_one_audience_share_an_entry_until_the_chunk_is_full() {
        let mut journal = Journal::default();
        let message = [7; 4096];
        let numbers: Vec<Sequence> = (0..17).map(|_| journal.append(Audience::All, &message, 2)).collect();
        journal.seal();
        assert_eq!(numbers[15], at(0));
        assert_eq!(numbers[16], at(1));
        let mut out = Vec::new();
        let total = journal.read(&mut at(0), A, usize::MAX, &mut out);
        assert_eq!((total.octets, total.updates), (17 * 4096, 17 * 2));
        assert_eq!(out.iter().map(Bytes::len).collect::<Vec<_>>(), [CHUNK, 4096]);
    }

    #[test]
    fn the_journal_drops_what_all_have_read_and_what_is_over_the_limit() {
        let mut journal = Journal::default();
        for _ in 0..4 {
            journal.append(Audience::All, &[0; 10], 1);
            journal.seal();
        }
        journal.trim(at(1), 1000);
        assert_eq!((journal.base(), journal.bytes()), (at(1), 30));
        journal.trim(at(1), 15);
        assert_eq!((journal.base(), journal.bytes()), (at(3), 10));
        assert!(!journal.holds(at(2)));
        assert!(journal.holds(at(3)));
    }

    #[test]
    fn a_skipped_number_leaves_nothing_to_read() {
        let mut journal = Journal::default();
        journal.append(Audience::All, b"aa", 1);
        let skipped = journal.skip();
        assert_eq!((skipped, journal.base(), journal.end()), (at(1), at(2), at(2)));
    }
}
