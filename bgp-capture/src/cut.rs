//! A stream of octets, cut into messages at their markers.

use bgp_core::wire::frame;
use bgp_core::wire::header::{HEADER_LEN, MAX_EXTENDED_LEN};

const MARKER: [u8; 16] = [0xff; 16];

/// A piece of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Message(Vec<u8>),
    Lost { octets: u64, head: Vec<u8> },
}

/// Cuts what is pushed into pieces; keeps less than one message between two pushes.
#[derive(Debug)]
pub(crate) struct Cutter {
    buffer: Vec<u8>,
    /// What of `buffer` was cut off already.
    read: usize,
    /// The stream's offset of what comes next.
    offset: u64,
    in_step: bool,
    lost: u64,
    head: Vec<u8>,
}

impl Cutter {
    /// At the start of a message if `in_step`, else somewhere in a stream.
    pub(crate) fn new(in_step: bool) -> Cutter {
        Cutter { buffer: Vec::new(), read: 0, offset: 0, in_step, lost: 0, head: Vec::new() }
    }

    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.buffer.drain(..self.read.min(self.buffer.len()));
        self.read = 0;
        self.buffer.extend_from_slice(octets);
    }

    /// How many octets are kept.
    pub(crate) fn held(&self) -> usize {
        self.rest().len()
    }

    /// The stream's offset behind all that was pushed.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.rest().len() as u64
    }

    /// The octets that would follow are not there.
    pub(crate) fn gap(&mut self, octets: u64) {
        self.lose(self.rest().len());
        self.lost += octets;
        self.offset += octets;
        self.in_step = false;
    }

    /// The next whole piece and its offset in the stream.
    pub(crate) fn next(&mut self) -> Option<(u64, Piece)> {
        loop {
            if !self.in_step && !self.find_step() {
                return None;
            }
            if self.lost != 0 {
                return self.take_lost();
            }
            match self.message_len()? {
                Some(len) => {
                    let (at, octets) = (self.offset, self.rest().get(..len)?.to_vec());
                    self.advance(len);
                    return Some((at, Piece::Message(octets)));
                }
                None => {
                    self.lose(1);
                    self.in_step = false;
                }
            }
        }
    }

    /// What is left when the stream has ended, lost all of it.
    pub(crate) fn finish(&mut self) -> Option<(u64, Piece)> {
        self.lose(self.rest().len());
        self.in_step = false;
        self.take_lost()
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.read..).unwrap_or_default()
    }

    fn advance(&mut self, octets: usize) {
        self.read += octets;
        self.offset += octets as u64;
    }

    /// The length of the message at the front: `None` until it is whole, `Some(None)` if there is none.
    fn message_len(&self) -> Option<Option<usize>> {
        let rest = self.rest();
        if rest.iter().zip(MARKER).any(|(have, want)| *have != want) {
            return Some(None);
        }
        let &[high, low] = rest.get(16..18)?.as_array()?;
        let len = usize::from(u16::from_be_bytes([high, low]));
        match len {
            ..HEADER_LEN => Some(None),
            _ => (len <= rest.len()).then_some(Some(len)),
        }
    }

    /// Skips to the next header that a message can have; false if it has not come yet.
    fn find_step(&mut self) -> bool {
        let is_header = |window: &[u8]| {
            // In a longer run of ones the marker is its end: a length over 65280 is not looked for.
            window.get(16) != Some(&0xff) && frame(window, MAX_EXTENDED_LEN).is_ok()
        };
        let found = self.rest().windows(HEADER_LEN).position(is_header);
        self.in_step = found.is_some();
        self.lose(found.unwrap_or(self.rest().len().saturating_sub(HEADER_LEN - 1)));
        self.in_step
    }

    fn lose(&mut self, octets: usize) {
        let is_front = self.lost == self.head.len() as u64;
        let room = if is_front { HEADER_LEN.saturating_sub(self.head.len()) } else { 0 };
        let head: Vec<u8> = self.rest().iter().take(octets.min(room)).copied().collect();
        self.head.extend(head);
        self.lost += octets as u64;
        self.advance(octets);
    }

    fn take_lost(&mut self) -> Option<(u64, Piece)> {
        let octets = std::mem::take(&mut self.lost);
        let lost = Piece::Lost { octets, head: std::mem::take(&mut self.head) };
        (octets != 0).then_some((self.offset - octets, lost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEEPALIVE: [u8; 19] =
        *b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x13\x04";

    fn cut(in_step: bool, chunks: &[&[u8]]) -> Vec<(u64, Piece)> {
        let mut cutter = Cutter::new(in_step);
        let mut pieces = Vec::new();
        for chunk in chunks {
            cutter.push(chunk);
            pieces.extend(std::iter::from_fn(|| cutter.next()));
        }
        pieces.extend(cutter.finish());
        pieces
    }

    fn keepalive(at: u64) -> (u64, Piece) {
        (at, Piece::Message(KEEPALIVE.to_vec()))
    }

    #[test]
    fn a_message_may_come_in_pieces_or_with_others() {
        let (a, b) = KEEPALIVE.split_at(7);
        assert_eq!(cut(true, &[a, b, &KEEPALIVE.repeat(2)]), [keepalive(0), keepalive(19), keepalive(38)]);
    }

    #[test]
    fn what_is_no_message_is_skipped_up_to_the_next_marker() {
        let stream = [&KEEPALIVE[..], b"GET / HTTP/1.1", &KEEPALIVE].concat();
        let lost = Piece::Lost { octets: 14, head: b"GET / HTTP/1.1".to_vec() };
        assert_eq!(cut(true, &[&stream]), [keepalive(0), (19, lost), keepalive(33)]);
    }

    #[test]
    fn in_a_run_of_ones_the_marker_is_its_end() {
        let stream = [&[0xff; 5], &KEEPALIVE[..]].concat();
        let lost = Piece::Lost { octets: 5, head: vec![0xff; 5] };
        assert_eq!(cut(false, &[&stream]), [(0, lost), keepalive(5)]);
    }

    #[test]
    fn a_message_cut_off_is_lost() {
        let lost = Piece::Lost { octets: 18, head: KEEPALIVE[..18].to_vec() };
        assert_eq!(cut(true, &[&KEEPALIVE[..18]]), [(0, lost)]);
    }

    #[test]
    fn a_gap_loses_the_message_it_is_in() {
        let mut cutter = Cutter::new(true);
        cutter.push(&KEEPALIVE[..10]);
        assert_eq!(cutter.next(), None);
        cutter.gap(20);
        cutter.push(&KEEPALIVE[11..]);
        cutter.push(&KEEPALIVE);
        let lost = Piece::Lost { octets: 38, head: vec![0xff; 10] };
        assert_eq!((cutter.next(), cutter.next()), (Some((0, lost)), Some(keepalive(38))));
    }

    proptest! {
        #[test]
        fn every_octet_is_in_just_one_piece(
            chunks in proptest::collection::vec(proptest::collection::vec(prop_oneof![Just(0xff), Just(0), 0..40u8], 0..60), 0..20),
            in_step: bool
        ) {
            let slices: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            let mut at = 0;
            for (offset, piece) in cut(in_step, &slices) {
                prop_assert_eq!(offset, at);
                at += match piece {
                    Piece::Message(octets) => octets.len() as u64,
                    Piece::Lost { octets, .. } => octets,
                };
            }
            prop_assert_eq!(at, chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>());
        }
    }
}
