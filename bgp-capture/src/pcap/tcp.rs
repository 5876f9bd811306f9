//! TCP connections put together from their segments, each direction by itself.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::time::Duration;

use super::link::Segment;
use crate::cut::{Cutter, Piece};

/// The most connections that are followed; the one that was silent longest gives way.
pub const MAX_CONNECTIONS: usize = 16_384;
/// The most octets of one direction that wait for those before them, some for the bookkeeping of each segment counted in.
pub const MAX_HELD: usize = 256 << 10;
/// The most octets that wait in all connections; the one that was silent longest gives way.
pub const MAX_HELD_IN_ALL: usize = 64 << 20;

/// What a waiting segment costs besides its octets.
const SEGMENT_COST: usize = 96;

/// Where and when something was captured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) number: u64,
    pub(super) offset: u64,
    pub(super) time: Option<Duration>,
}

/// A piece of one direction.
pub(super) struct Given {
    pub(super) seen: Seen,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) piece: Piece,
}

/// One direction of a connection.
struct Half {
    cutter: Cutter,
    /// The sequence number of the SYN, if it was captured.
    first: Option<u32>,
    /// The sequence number that comes next.
    next: u32,
    /// How many octets came before it: what is held is kept by this count, which does not wrap around.
    position: u64,
    held: BTreeMap<u64, (Seen, Vec<u8>)>,
    held_len: usize,
    seen: Seen,
}

impl Half {
    fn new(first: Option<u32>, next: u32) -> Half {
        Half {
            cutter: Cutter::new(first.is_some()),
            first,
            next,
            position: 0,
            held: BTreeMap::new(),
            held_len: 0,
            seen: Seen::default(),
        }
    }

    /// How much it keeps.
    fn size(&self) -> usize {
        self.held_len + self.cutter.held()
    }

    /// Takes octets that begin at `sequence`; what can be read then goes to `give`.
    fn octets(&mut self, seen: Seen, sequence: u32, octets: &[u8], give: &mut impl FnMut(Seen, Piece)) {
        // Less than half of all numbers away, either side (RFC 9293 section 3.4).
        let ahead = sequence.wrapping_sub(self.next).cast_signed();
        match u64::try_from(ahead) {
            Ok(0) | Err(_) => {
                let again = usize::try_from(ahead.unsigned_abs()).unwrap_or(usize::MAX);
                self.take(seen, octets.get(again..).unwrap_or_default(), give);
                self.take_held(give);
            }
            Ok(ahead) => self.hold(seen, self.position + ahead, octets),
        }
        while self.held_len > MAX_HELD {
            self.skip_gap(give);
        }
    }

    fn take(&mut self, seen: Seen, octets: &[u8], give: &mut impl FnMut(Seen, Piece)) {
        self.advance(octets.len() as u64);
        self.seen = seen;
        self.cutter.push(octets);
        while let Some((_, piece)) = self.cutter.next() {
            give(seen, piece);
        }
    }

    fn advance(&mut self, octets: u64) {
        self.position += octets;
        // Sequence numbers wrap around.
        self.next = self.next.wrapping_add((octets & 0xffff_ffff) as u32);
    }

    fn hold(&mut self, seen: Seen, position: u64, octets: &[u8]) {
        let slot = match self.held.entry(position) {
            Entry::Occupied(slot) if slot.get().1.len() >= octets.len() => return,
            Entry::Occupied(slot) => {
                self.held_len -= slot.get().1.len() + SEGMENT_COST;
                slot.into_mut()
            }
            Entry::Vacant(slot) => slot.insert((seen, Vec::new())),
        };
        *slot = (seen, octets.to_vec());
        self.held_len += octets.len() + SEGMENT_COST;
    }

    /// Takes what waited for octets that are here now.
    fn take_held(&mut self, give: &mut impl FnMut(Seen, Piece)) {
        while let Some(entry) = self.held.first_entry().filter(|entry| *entry.key() <= self.position) {
            let (position, (seen, octets)) = entry.remove_entry();
            self.held_len -= octets.len() + SEGMENT_COST;
            let again = usize::try_from(self.position - position).unwrap_or(usize::MAX);
            if let Some(octets) = octets.get(again..).filter(|octets| !octets.is_empty()) {
                self.take(seen, octets, give);
            }
        }
    }

    /// Goes on behind what is missing.
    fn skip_gap(&mut self, give: &mut impl FnMut(Seen, Piece)) {
        if let Some(position) = self.held.first_key_value().map(|(position, _)| *position) {
            let missing = position.saturating_sub(self.position);
            self.cutter.gap(missing);
            self.advance(missing);
            self.take_held(give);
        }
    }

    fn finish(mut self, give: &mut impl FnMut(Seen, Piece)) {
        while !self.held.is_empty() {
            self.skip_gap(give);
        }
        if let Some((_, piece)) = self.cutter.finish() {
            give(self.seen, piece);
        }
    }
}

/// Its two ends, the lower first.
type Ends = (SocketAddr, SocketAddr);

/// A connection: what each end sends.
#[derive(Default)]
struct Connection {
    lower: Option<Half>,
    upper: Option<Half>,
    /// When its last segment came, in a count of all segments.
    last: u64,
}

impl Connection {
    fn size(&self) -> usize {
        [&self.lower, &self.upper].into_iter().flatten().map(Half::size).sum()
    }

    fn finish(self, (lower, upper): Ends, given: &mut Vec<Given>) {
        for (half, from, to) in [(self.lower, lower, upper), (self.upper, upper, lower)] {
            if let Some(half) = half {
                half.finish(&mut |seen, piece| given.push(Given { seen, from, to, piece }));
            }
        }
    }
}

/// All connections with a port at one end.
pub(super) struct Connections {
    port: u16,
    open: BTreeMap<Ends, Connection>,
    /// Which connection was silent longest.
    by_last: BTreeMap<u64, Ends>,
    count: u64,
    held: usize,
    given: Vec<Given>,
}

impl Connections {
    pub(super) fn new(port: u16) -> Connections {
        let (open, by_last) = (BTreeMap::new(), BTreeMap::new());
        Connections { port, open, by_last, count: 0, held: 0, given: Vec::new() }
    }

    pub(super) fn segment(&mut self, seen: Seen, segment: &Segment<'_>) {
        let Segment { from, to, sequence, syn, ack, octets } = *segment;
        let concerns_us = [from.port(), to.port()].contains(&self.port);
        if !concerns_us || (octets.is_empty() && !syn) {
            return;
        }
        let ends = (from.min(to), from.max(to));
        let mut connection = self.remove(&ends).unwrap_or_default();
        let half = if from < to { &connection.lower } else { &connection.upper };
        let is_known = half.as_ref().is_some_and(|half| half.first == Some(sequence));
        let begins = syn && !is_known;
        if begins && !ack {
            // The same ends again: another connection.
            std::mem::take(&mut connection).finish(ends, &mut self.given);
        }
        let half = if from < to { &mut connection.lower } else { &mut connection.upper };
        let first_octet = if syn { sequence.wrapping_add(1) } else { sequence };
        let given = &mut self.given;
        let mut give = |seen, piece| given.push(Given { seen, from, to, piece });
        if let Some(before) = half.take_if(|_| begins) {
            before.finish(&mut give);
        }
        half.get_or_insert_with(|| Half::new(syn.then_some(sequence), first_octet)).octets(
            seen,
            first_octet,
            octets,
            &mut give,
        );
        self.insert(ends, connection);
        while self.open.len() > MAX_CONNECTIONS || self.held > MAX_HELD_IN_ALL {
            let Some(ends) = self.by_last.first_key_value().map(|(_, ends)| *ends) else { break };
            self.end(&ends);
        }
    }

    /// What can be read by now.
    pub(super) fn given(&mut self) -> impl Iterator<Item = Given> + '_ {
        self.given.drain(..)
    }

    /// No more segments follow.
    pub(super) fn finish(&mut self) {
        while let Some(ends) = self.by_last.first_key_value().map(|(_, ends)| *ends) {
            self.end(&ends);
        }
    }

    fn end(&mut self, ends: &Ends) {
        if let Some(connection) = self.remove(ends) {
            connection.finish(*ends, &mut self.given);
        }
    }

    fn remove(&mut self, ends: &Ends) -> Option<Connection> {
        let connection = self.open.remove(ends)?;
        self.by_last.remove(&connection.last);
        self.held -= connection.size();
        Some(connection)
    }

    fn insert(&mut self, ends: Ends, mut connection: Connection) {
        self.count += 1;
        connection.last = self.count;
        self.held += connection.size();
        self.by_last.insert(self.count, ends);
        self.open.insert(ends, connection);
    }
}
