//! Two sessions and the connections between them, which lose and garble what passes.

use std::collections::BTreeMap;
use std::time::Duration;

use bgp_core::fsm::{ConnectionId, Direction, Output, State};
use bgp_core::wire::header::MAX_EXTENDED_LEN;
use bgp_core::wire::{MessageType, Open, frame};
use bgp_core::{Instant, Session, SessionConfig};

use crate::Watched;

/// Longer than any session needs to notice what is lost, to pause, and to come up again.
const PATIENCE: Duration = Duration::from_secs(3600);

/// One direction of a connection.
#[derive(Debug, Default)]
pub struct Pipe {
    /// Sent and not yet arrived.
    pub on_the_way: Vec<u8>,
    /// Arrived, but no whole message yet.
    unread: Vec<u8>,
    /// Nothing follows: the sender closed it, or is gone.
    ended: bool,
}

/// A connection: the pipe to each of the two sides.
#[derive(Debug, Default)]
pub struct Line {
    /// By the side that reads.
    pub to: [Pipe; 2],
    /// Nothing passes any more, and nobody is told.
    pub cut: bool,
}

/// The two sides and what is between them.
pub struct Network {
    /// The time of both.
    pub now: Instant,
    sides: [Watched; 2],
    /// Asked for a connection that is not up yet.
    connecting: [bool; 2],
    /// Connections that one side at least holds.
    lines: BTreeMap<ConnectionId, Line>,
    connections: u64,
}

impl Network {
    /// Two sides, both started.
    #[must_use]
    pub fn new(a: SessionConfig, b: SessionConfig) -> Network {
        let mut network = Network {
            now: Instant::ZERO,
            sides: [Watched::new(a, 1), Watched::new(b, 2)],
            connecting: [false; 2],
            lines: BTreeMap::new(),
            connections: 0,
        };
        network.start();
        network
    }

    fn start(&mut self) {
        for side in 0..2 {
            self.call(side, |session, now| session.start(now));
        }
    }

    /// Calls a session and does what it asks for.
    pub fn call(&mut self, side: usize, call: impl FnOnce(&mut Session, Instant)) {
        let now = self.now;
        let outputs = self.sides[side].call(|session| call(session, now));
        self.obey(side, outputs);
    }

    /// The `at`-th of the connections that are there, counted around.
    #[must_use]
    pub fn pick(&self, at: u8) -> Option<ConnectionId> {
        self.lines.keys().nth(usize::from(at) % self.lines.len().max(1)).copied()
    }

    /// That connection.
    pub fn line(&mut self, id: ConnectionId) -> Option<&mut Line> {
        self.lines.get_mut(&id)
    }

    fn obey(&mut self, side: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Connect => self.connecting[side] = true,
                Output::Send(id, octets) => self.send(side, id, &octets),
                Output::Close(id) => self.closed(side, id),
                Output::Established(_)
                | Output::Down(_)
                | Output::Failed(_)
                | Output::StateChanged { .. } => {}
            }
        }
    }

    /// TCP takes what is written at once; what is written to a peer that is gone comes back as a reset.
    fn send(&mut self, side: usize, id: ConnectionId, octets: &[u8]) {
        let peer_holds = self.sides[1 - side].holds(id);
        let Some(line) = self.lines.get_mut(&id) else { return };
        match (line.cut, peer_holds) {
            (true, _) => {}
            (false, true) => line.to[1 - side].on_the_way.extend_from_slice(octets),
            (false, false) => line.to[side].ended = true,
        }
        self.call(side, |session, now| session.sent(now, false));
    }

    fn closed(&mut self, side: usize, id: ConnectionId) {
        let held = self.sides.iter().any(|side| side.holds(id));
        match self.lines.get_mut(&id) {
            Some(line) if held => line.to[1 - side].ended |= !line.cut,
            _ => drop(self.lines.remove(&id)),
        }
    }

    /// What became of an attempt to connect.
    pub fn answer(&mut self, side: usize, up: bool) {
        if !std::mem::take(&mut self.connecting[side]) {
            return;
        }
        if !up {
            return self.call(side, |session, now| session.connect_failed(now));
        }
        let id = ConnectionId(self.connections);
        self.connections += 1;
        self.lines.insert(id, Line::default());
        // Only then may they act: what the first one sends is to find the other.
        let opener = self.sides[side].connected(self.now, id, Direction::Outgoing);
        let other = self.sides[1 - side].connected(self.now, id, Direction::Incoming);
        self.obey(side, opener);
        self.obey(1 - side, other);
    }

    /// TCP fails, and `side` is told.
    pub fn fail(&mut self, side: usize, id: ConnectionId) {
        if self.sides[side].holds(id) {
            let outputs = self.sides[side].disconnected(self.now, id);
            self.closed(side, id);
            self.obey(side, outputs);
        }
    }

    /// Up to `count` octets arrive.
    pub fn deliver(&mut self, side: usize, id: ConnectionId, count: usize) {
        let Some(line) = self.lines.get_mut(&id).filter(|line| !line.cut) else { return };
        let pipe = &mut line.to[side];
        pipe.unread.extend(pipe.on_the_way.drain(..count.min(pipe.on_the_way.len())));
        let ended = pipe.ended && pipe.on_the_way.is_empty();
        let mut unread = std::mem::take(&mut pipe.unread);
        if asks_for_no_timers(&unread) {
            return [side, 1 - side].into_iter().for_each(|side| self.fail(side, id));
        }
        if self.sides[side].holds(id) {
            let outputs = self.sides[side].receive(self.now, id, &mut unread);
            self.obey(side, outputs);
        }
        if let Some(line) = self.lines.get_mut(&id) {
            line.to[side].unread = unread;
        }
        if ended {
            self.fail(side, id);
        }
    }

    /// Lets time pass; nothing arrives meanwhile.
    pub fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while self.wake(end) {}
        self.now = end;
    }

    /// Goes on to the next timer and handles it, unless it is due after `end`.
    fn wake(&mut self, end: Instant) -> bool {
        let next = self.sides.iter().filter_map(|side| side.session().next_timeout()).min();
        let Some(next) = next.filter(|next| *next <= end) else { return false };
        self.now = self.now.max(next);
        for side in 0..2 {
            let outputs = self.sides[side].timeout(self.now, false);
            self.obey(side, outputs);
        }
        true
    }

    /// All that is on the way arrives, and all attempts to connect succeed.
    pub fn flow(&mut self) {
        for round in 0.. {
            assert!(round < 100, "the sessions keep each other busy");
            (0..2).for_each(|side| self.answer(side, true));
            let ids: Vec<ConnectionId> = self.lines.keys().copied().collect();
            for (id, side) in ids.into_iter().flat_map(|id| [(id, 0), (id, 1)]) {
                self.deliver(side, id, usize::MAX);
            }
            let moving = |pipe: &Pipe| !pipe.on_the_way.is_empty() || pipe.ended;
            let idle = !self.lines.values().any(|line| !line.cut && line.to.iter().any(moving));
            if idle && self.connecting == [false; 2] {
                return;
            }
        }
    }

    /// From now on everything arrives: does the session come up on one connection, with nothing left over?
    #[must_use]
    pub fn recovers(&mut self) -> bool {
        self.start();
        let end = self.now + PATIENCE;
        loop {
            self.flow();
            if self.agrees() {
                return true;
            }
            if !self.wake(end) {
                return false;
            }
        }
    }

    fn agrees(&self) -> bool {
        let on = |side: usize| self.sides[side].session().negotiated().map(|agreed| agreed.connection);
        let clean = |line: &Line| !line.cut && line.to.iter().all(|pipe| pipe.unread.is_empty());
        on(0) == on(1) && on(0).and_then(|id| self.lines.get(&id)).is_some_and(clean) && self.lines.len() == 1
    }

    /// The states of both, for a message.
    #[must_use]
    pub fn states(&self) -> [State; 2] {
        [self.sides[0].session().state(), self.sides[1].session().state()]
    }
}

/// Whether there is an OPEN with a hold time of zero. The two sides never send one, but garbling can make one: without
/// timers nobody would notice what is lost, so here TCP's checksum finds it out.
fn asks_for_no_timers(mut octets: &[u8]) -> bool {
    while let Ok(Some(message)) = frame(octets, MAX_EXTENDED_LEN) {
        let open = Some(message.body).filter(|_| message.kind == MessageType::Open);
        if open.and_then(|body| Open::parse(body).ok()).is_some_and(|open| open.hold_time == 0) {
            return true;
        }
        octets = &octets[message.len..];
    }
    false
}
