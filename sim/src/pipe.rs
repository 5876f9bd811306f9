//! One TCP connection between two routers: octets in order, delayed, cut into odd pieces.

use std::collections::VecDeque;

use bgp_core::Instant;

/// Octets that may be under way in one direction before the sender is held up, as by a socket's buffer.
const CAPACITY: usize = 8 * 1024;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) node: usize,
    pub(crate) slot: u32,
}

/// One direction.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    under_way: VecDeque<(Instant, Vec<u8>)>,
    octets: usize,
    last: Instant,
    /// Arrived, and not yet used by the receiver: the start of a message.
    pub(crate) inbox: Vec<u8>,
    /// The sender has closed; nothing more will come.
    pub(crate) closed: bool,
}

impl Lane {
    /// How many octets the sender may still write.
    pub(crate) fn space(&self) -> usize {
        CAPACITY.saturating_sub(self.octets)
    }

    /// Sends `octets`, which arrive at `at` or right behind what was sent before; returns when.
    pub(crate) fn send(&mut self, at: Instant, octets: Vec<u8>) -> Instant {
        self.last = self.last.max(at);
        self.octets += octets.len();
        self.under_way.push_back((self.last, octets));
        self.last
    }

    /// When an end that closes now is seen by the other: behind all octets.
    pub(crate) fn close(&mut self, at: Instant) -> Instant {
        self.closed = true;
        self.last.max(at)
    }

    /// Moves what has arrived by `now` into the inbox.
    pub(crate) fn arrive(&mut self, now: Instant) {
        while let Some((_, octets)) = self.under_way.pop_front_if(|(at, _)| *at <= now) {
            self.octets -= octets.len();
            self.inbox.extend_from_slice(&octets);
        }
    }

    /// Whether nothing is under way.
    pub(crate) fn is_drained(&self) -> bool {
        self.under_way.is_empty()
    }
}

/// A connection: the end that opened it first.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) ends: [End; 2],
    /// `lanes[i]` carries from `ends[i]` to the other.
    pub(crate) lanes: [Lane; 2],
    /// Which ends have been told that it is gone.
    pub(crate) gone: [bool; 2],
}

impl Pipe {
    pub(crate) fn new(opener: End, accepter: End) -> Pipe {
        Pipe { ends: [opener, accepter], lanes: [Lane::default(), Lane::default()], gone: [false; 2] }
    }
}
