//! One TCP connection: octets in order, delayed, in odd pieces, as many under way as the window allows.

use std::collections::VecDeque;

use bgp_core::Instant;

/// One direction.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// What was sent and not yet read by the receiver, each piece with the time at which it arrives. A piece without
    /// octets is the end: the sender has closed.
    under_way: VecDeque<(Instant, Vec<u8>)>,
    /// The octets in it.
    in_flight: usize,
    /// Read by the receiver, but the sender has not heard of it.
    unacknowledged: usize,
    last: Instant,
    /// Read, and not yet used: the start of a message.
    pub(crate) inbox: Vec<u8>,
    /// The sender has closed; nothing more will come.
    pub(crate) closed: bool,
    /// Octets that the receiver has read.
    pub(crate) delivered: u64,
    /// When the network looks at it next.
    pub(crate) wake: Option<Instant>,
}

impl Lane {
    /// How many octets the sender may still write.
    pub(crate) fn space(&self, window: usize) -> usize {
        if self.closed { 0 } else { window.saturating_sub(self.in_flight + self.unacknowledged) }
    }

    /// Sends `octets`, which arrive at `at` or right behind what was sent before.
    pub(crate) fn send(&mut self, at: Instant, octets: Vec<u8>) {
        self.last = self.last.max(at);
        self.in_flight += octets.len();
        self.under_way.push_back((self.last, octets));
    }

    /// The sender closes: the receiver learns of it behind all octets.
    pub(crate) fn close(&mut self, at: Instant) {
        if !std::mem::replace(&mut self.closed, true) {
            self.send(at, Vec::new());
        }
    }

    /// When the next piece arrives.
    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.under_way.front().map(|(at, _)| *at)
    }

    /// The next piece that has arrived by `now`.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Vec<u8>> {
        let (_, octets) = self.under_way.pop_front_if(|(at, _)| *at <= now)?;
        self.in_flight = self.in_flight.saturating_sub(octets.len());
        Some(octets)
    }

    /// The sender does not hear that these were read.
    pub(crate) fn keep_unacknowledged(&mut self, octets: usize) {
        self.unacknowledged += octets;
    }

    /// The sender hears of all that was read.
    pub(crate) fn acknowledge(&mut self) -> bool {
        std::mem::take(&mut self.unacknowledged) > 0
    }

    /// What is under way is lost.
    pub(crate) fn lose(&mut self) {
        self.under_way.clear();
        self.in_flight = 0;
        self.closed = true;
    }

    /// Whether nothing is under way, nor half a message with the receiver.
    pub(crate) fn is_drained(&self) -> bool {
        self.under_way.is_empty() && self.inbox.is_empty()
    }
}

/// Who holds an end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// The router.
    Router,
    /// Somebody who speaks in the router's place.
    Impostor,
    /// Nobody any more: it was closed, or the router has died.
    Nobody,
}

/// A connection of a session. Its ends are the session's.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) session: usize,
    pub(crate) holders: [Holder; 2],
    /// `lanes[i]` carries from end `i` to the other.
    pub(crate) lanes: [Lane; 2],
    /// The router at this end wants it closed once its queue is written, and was asked for it then.
    pub(crate) closing: [bool; 2],
    /// What comes for an end that nobody holds is lost without an answer, as if a firewall took the reset.
    pub(crate) silent: bool,
}

impl Pipe {
    pub(crate) fn new(session: usize, holders: [Holder; 2], silent: bool) -> Pipe {
        Pipe { session, holders, lanes: [Lane::default(), Lane::default()], closing: [false; 2], silent }
    }

    pub(crate) fn holder(&self, end: usize) -> Holder {
        self.holders.get(end).copied().unwrap_or(Holder::Nobody)
    }

    pub(crate) fn set_holder(&mut self, end: usize, holder: Holder) {
        if let Some(place) = self.holders.get_mut(end) {
            *place = holder;
        }
    }
}
