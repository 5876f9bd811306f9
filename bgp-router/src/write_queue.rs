//! What is still to be written to one connection, with control messages let in at message boundaries.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// The unwritten octets of one connection.
///
/// Chunks hold whole messages. KEEPALIVE and NOTIFICATION overtake UPDATEs that wait, but never cut into a
/// chunk that is partly written. Bounded by the core's window (see [`crate::core::WINDOW`]) plus the session's
/// control messages.
#[derive(Debug, Default)]
pub struct WriteQueue {
    /// Partly written; the rest of it goes first.
    started: Option<(Bytes, Kind)>,
    control: VecDeque<Bytes>,
    updates: VecDeque<(Bytes, bool)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Control,
    /// `last`: the chunk ends a send of the core's.
    Update {
        last: bool,
    },
}

/// What a write finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Octets of UPDATEs.
    pub octets: usize,
    /// Sends of the core that are now written whole.
    pub sends: usize,
}

impl WriteQueue {
    /// Adds a control message.
    pub fn push_control(&mut self, message: Bytes) {
        self.control.push_back(message);
    }

    /// Adds one send of UPDATEs.
    pub fn push_updates(&mut self, chunks: Vec<Bytes>) {
        let last = chunks.len().saturating_sub(1);
        self.updates.extend(chunks.into_iter().enumerate().map(|(i, chunk)| (chunk, i == last)));
    }

    /// Whether nothing is left to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.started.is_none() && self.control.is_empty() && self.updates.is_empty()
    }

    /// Octets that wait.
    #[must_use]
    pub fn octets(&self) -> usize {
        let started = self.started.iter().map(|(chunk, _)| chunk.len());
        let control = self.control.iter().map(Bytes::len);
        started.chain(control).chain(self.updates.iter().map(|(chunk, _)| chunk.len())).sum()
    }

    /// Forgets the UPDATEs that have not been started: after a NOTIFICATION nothing else follows.
    pub fn drop_updates(&mut self) {
        self.updates.clear();
    }

    /// Fills `slices` with what comes next, in order; returns how many were filled.
    pub fn gather<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let started = self.started.iter().map(|(chunk, _)| chunk);
        let waiting = self.control.iter().chain(self.updates.iter().map(|(chunk, _)| chunk));
        let mut filled = 0;
        for (slot, chunk) in slices.iter_mut().zip(started.chain(waiting)) {
            *slot = IoSlice::new(chunk);
            filled += 1;
        }
        filled
    }

    /// Takes `octets` off the front, in the order of [`WriteQueue::gather`].
    pub fn advance(&mut self, mut octets: usize) -> Written {
        let mut written = Written::default();
        while octets > 0 {
            let Some((mut chunk, kind)) = self.next_chunk() else { break };
            let taken = octets.min(chunk.len());
            octets -= taken;
            chunk.advance(taken);
            if let Kind::Update { last } = kind {
                written.octets += taken;
                written.sends += usize::from(last && chunk.is_empty());
            }
            if !chunk.is_empty() {
                self.started = Some((chunk, kind));
            }
        }
        written
    }

    fn next_chunk(&mut self) -> Option<(Bytes, Kind)> {
        self.started
            .take()
            .or_else(|| self.control.pop_front().map(|chunk| (chunk, Kind::Control)))
            .or_else(|| self.updates.pop_front().map(|(chunk, last)| (chunk, Kind::Update { last })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(queue: &WriteQueue) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = queue.gather(&mut slices);
        slices[..filled].iter().flat_map(|s| s.to_vec()).collect()
    }

    #[test]
    fn control_overtakes_waiting_updates_but_not_a_started_one() {
        let mut queue = WriteQueue::default();
        queue.push_updates(vec![Bytes::from_static(b"aaaa"), Bytes::from_static(b"bb")]);
        assert_eq!(queue.advance(1), Written { octets: 1, sends: 0 });
        queue.push_control(Bytes::from_static(b"K"));
        assert_eq!(flat(&queue), b"aaaKbb");
        assert_eq!(queue.advance(5), Written { octets: 4, sends: 0 });
        assert_eq!(queue.advance(1), Written { octets: 1, sends: 1 });
        assert!(queue.is_empty());
    }

    #[test]
    fn dropping_updates_keeps_the_started_one_whole() {
        let mut queue = WriteQueue::default();
        queue.push_updates(vec![Bytes::from_static(b"aaaa"), Bytes::from_static(b"bb")]);
        queue.advance(2);
        queue.drop_updates();
        queue.push_control(Bytes::from_static(b"N"));
        assert_eq!(flat(&queue), b"aaN");
    }

    #[test]
    fn a_send_counts_once_its_last_octet_is_written_and_never_if_it_was_dropped() {
        let mut queue = WriteQueue::default();
        queue.push_updates(vec![Bytes::from_static(b"aa"), Bytes::from_static(b"bb")]);
        queue.push_updates(vec![Bytes::from_static(b"c")]);
        queue.push_updates(vec![Bytes::from_static(b"dd"), Bytes::from_static(b"e")]);
        assert_eq!(queue.advance(3), Written { octets: 3, sends: 0 });
        assert_eq!(queue.advance(3), Written { octets: 3, sends: 2 });
        queue.drop_updates();
        assert_eq!((queue.octets(), queue.advance(9)), (1, Written { octets: 1, sends: 0 }));
    }

    #[test]
    fn control_messages_keep_their_order() {
        let mut queue = WriteQueue::default();
        queue.push_updates(vec![Bytes::from_static(b"u")]);
        ["1", "2", "3"].into_iter().for_each(|m| queue.push_control(Bytes::from_static(m.as_bytes())));
        assert_eq!(flat(&queue), b"123u");
        assert_eq!(queue.advance(4), Written { octets: 1, sends: 1 });
    }
}
