//! Two sessions joined by pipes in memory, with a clock that jumps from event to event.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::*;
use crate::wire::MessageType;
use crate::wire::notification::cease;
use crate::{Asn, Family, FamilySet, RouterId};

/// One of the two sides.
pub(super) const A: usize = 0;
pub(super) const B: usize = 1;

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An iBGP speaker of AS 64512 for both families.
pub(super) fn speaker(router_id: u32) -> SessionConfig {
    let families = FamilySet::EMPTY.with(Family::IPV4_UNICAST).with(Family::IPV6_UNICAST);
    SessionConfig { families, ..SessionConfig::new(Asn(64512), RouterId(router_id), Some(Asn(64512))) }
}

pub(super) fn shutdown() -> Notification {
    Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN, "for the test")
}

#[derive(Debug)]
enum Event {
    Up(usize, ConnectionId, Direction),
    Refused(usize),
    Data(usize, ConnectionId, Vec<u8>),
    Gone(usize, ConnectionId),
}

/// One side: its session, what it was told, and what it has not yet read.
pub(super) struct Side {
    pub(super) session: Session,
    /// Everything but `Connect`, `Send` and `Close`.
    pub(super) log: Vec<(Instant, Output)>,
    /// When `Connect` was asked for.
    pub(super) connects: Vec<Instant>,
    /// Types of the messages that were sent, and when.
    pub(super) sent: Vec<(Instant, MessageType)>,
    pub(super) updates: usize,
    pub(super) refreshes: usize,
    open: BTreeMap<ConnectionId, Vec<u8>>,
    /// The process is stopped: nothing is read, no timer handled.
    pub(super) stopped: bool,
    /// The peer's window is closed: nothing of ours is taken.
    pub(super) stuck: bool,
}

/// The two sides and what is under way between them.
pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) sides: [Side; 2],
    events: BTreeMap<(Instant, u64), Event>,
    sequence: u64,
    pub(super) latency: Duration,
    /// How much longer than that a side takes to ask for a connection.
    pub(super) hesitation: [Duration; 2],
    /// Octets in a read.
    pub(super) chunk: usize,
    /// Nothing passes, and nobody is told.
    pub(super) cut: bool,
}

impl Pair {
    pub(super) fn new(a: SessionConfig, b: SessionConfig) -> Pair {
        let side = |config, seed| Side {
            session: Session::new(config, seed),
            log: Vec::new(),
            connects: Vec::new(),
            sent: Vec::new(),
            updates: 0,
            refreshes: 0,
            open: BTreeMap::new(),
            stopped: false,
            stuck: false,
        };
        Pair {
            now: Instant::ZERO,
            sides: [side(a, 1), side(b, 2)],
            events: BTreeMap::new(),
            sequence: 0,
            latency: Duration::from_millis(10),
            hesitation: [Duration::ZERO; 2],
            chunk: 4096,
            cut: false,
        }
    }

    /// Both sides started.
    pub(super) fn started(a: SessionConfig, b: SessionConfig) -> Pair {
        let mut pair = Pair::new(a, b);
        pair.act(A, |session, now| session.start(now));
        pair.act(B, |session, now| session.start(now));
        pair
    }

    /// Both sides started and established.
    pub(super) fn established(a: SessionConfig, b: SessionConfig) -> Pair {
        let mut pair = Pair::started(a, b);
        pair.run(seconds(3));
        assert_eq!(pair.states(), [State::Established; 2]);
        pair
    }

    pub(super) fn states(&self) -> [State; 2] {
        [self.sides[A].session.state(), self.sides[B].session.state()]
    }

    /// How often a side became Established, and how often it went Down.
    pub(super) fn ups_and_downs(&self, side: usize) -> (usize, usize) {
        let count =
            |wanted: fn(&Output) -> bool| self.sides[side].log.iter().filter(|(_, o)| wanted(o)).count();
        (count(|o| matches!(o, Output::Established(_))), count(|o| matches!(o, Output::Down(_))))
    }

    pub(super) fn last_down(&self, side: usize) -> Option<&DownReason> {
        self.sides[side].log.iter().rev().find_map(|(_, output)| match output {
            Output::Down(reason) | Output::Failed(reason) => Some(reason),
            _ => None,
        })
    }

    fn post(&mut self, delay: Duration, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now + delay, self.sequence), event);
    }

    /// Calls a session and does what it asks for.
    pub(super) fn act(&mut self, side: usize, call: impl FnOnce(&mut Session, Instant)) {
        call(&mut self.sides[side].session, self.now);
        while let Some(output) = self.sides[side].session.poll_output() {
            self.obey(side, output);
        }
        let established = self.sides.iter().map(|s| s.session.negotiated().is_some());
        for (side, established) in established.enumerate() {
            let (ups, downs) = self.ups_and_downs(side);
            assert_eq!(ups - downs, usize::from(established), "Established and Down alternate");
        }
    }

    fn obey(&mut self, side: usize, output: Output) {
        match output {
            Output::Connect => self.connect(side),
            Output::Send(id, bytes) => self.send(side, id, &bytes),
            Output::Close(id) => {
                self.sides[side].open.remove(&id).expect("a connection is closed once");
                if !self.cut {
                    self.post(self.latency, Event::Gone(1 - side, id));
                }
            }
            told => {
                let now = self.now;
                self.sides[side].log.push((now, told));
            }
        }
    }

    fn connect(&mut self, side: usize) {
        let now = self.now;
        self.sides[side].connects.push(now);
        self.sequence += 1;
        let id = ConnectionId(self.sequence);
        if self.cut {
            self.post(self.latency * 2, Event::Refused(side));
        } else {
            let asked = self.hesitation[side];
            self.post(asked + self.latency, Event::Up(1 - side, id, Direction::Incoming));
            self.post(asked + self.latency * 2, Event::Up(side, id, Direction::Outgoing));
        }
    }

    /// Puts octets of a side on the wire, as its daemon would.
    pub(super) fn send(&mut self, side: usize, id: ConnectionId, bytes: &[u8]) {
        assert!(self.sides[side].open.contains_key(&id), "nothing is sent on a closed connection");
        let now = self.now;
        self.sides[side].sent.push((now, MessageType::from_code(bytes[18]).unwrap()));
        if self.sides[side].stuck {
            return;
        }
        self.sides[side].session.sent(now, false);
        if !self.cut {
            for chunk in bytes.chunks(self.chunk) {
                self.post(self.latency, Event::Data(1 - side, id, chunk.to_vec()));
            }
        }
    }

    /// The established connection of a side.
    pub(super) fn connection(&self, side: usize) -> ConnectionId {
        self.sides[side].session.negotiated().unwrap().connection
    }

    /// Writes octets on a side's established connection, past its session.
    pub(super) fn inject(&mut self, side: usize, bytes: &[u8]) {
        let id = self.connection(side);
        self.send(side, id, bytes);
    }

    /// Lets time pass, event by event.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        let mut steps = 0;
        while let Some(next) = self.next_event().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
            steps += 1;
            assert!(steps < 100_000, "the sessions keep each other busy");
        }
        self.now = end;
    }

    fn next_event(&self) -> Option<Instant> {
        let timers =
            self.sides.iter().filter(|side| !side.stopped).filter_map(|side| side.session.next_timeout());
        timers.chain(self.events.keys().map(|(at, _)| *at)).min()
    }

    fn step(&mut self) {
        if self.events.first_key_value().is_some_and(|((at, _), _)| *at <= self.now) {
            let (_, event) = self.events.pop_first().unwrap();
            return self.deliver(event);
        }
        for side in [A, B] {
            let due = self.sides[side].session.next_timeout().is_some_and(|due| due <= self.now);
            if due && !self.sides[side].stopped {
                self.wake(side, false);
            }
        }
    }

    /// Handles the timers of a side.
    pub(super) fn wake(&mut self, side: usize, unread: bool) {
        self.act(side, |session, now| session.handle_timeout(now, unread));
        let next = self.sides[side].session.next_timeout();
        assert!(next.is_none_or(|next| next > self.now), "a handled timer is due again at once");
    }

    fn deliver(&mut self, event: Event) {
        match event {
            Event::Up(side, id, direction) => {
                self.sides[side].open.insert(id, Vec::new());
                self.act(side, |session, now| session.connected(now, id, direction));
            }
            Event::Refused(side) => self.act(side, |session, now| session.connect_failed(now)),
            Event::Gone(side, id) => {
                if self.sides[side].open.remove(&id).is_some() {
                    self.act(side, |session, now| session.disconnected(now, id));
                }
            }
            Event::Data(side, id, bytes) => self.data(side, id, &bytes),
        }
    }

    fn data(&mut self, side: usize, id: ConnectionId, bytes: &[u8]) {
        let Some(buffer) = self.sides[side].open.get_mut(&id) else { return };
        buffer.extend_from_slice(bytes);
        if !self.sides[side].stopped {
            self.read(side, id);
        }
    }

    fn read(&mut self, side: usize, id: ConnectionId) {
        let Some(buffer) = self.sides[side].open.get_mut(&id) else { return };
        let octets = std::mem::take(buffer);
        let mut input = &octets[..];
        let (mut updates, mut refreshes) = (0, 0);
        self.act(side, |session, now| {
            while let Some(received) = session.receive(now, id, &mut input) {
                match received {
                    Received::Update(_) => updates += 1,
                    Received::RouteRefresh(_) => refreshes += 1,
                }
            }
        });
        self.sides[side].updates += updates;
        self.sides[side].refreshes += refreshes;
        if let Some(buffer) = self.sides[side].open.get_mut(&id) {
            *buffer = input.to_vec();
        }
    }

    /// A stopped side goes on: it reads what is there, or, with `timers_first`, handles its timers before.
    pub(super) fn go_on(&mut self, side: usize, timers_first: bool) {
        self.sides[side].stopped = false;
        let unread = self.sides[side].open.values().any(|buffer| !buffer.is_empty());
        if timers_first {
            self.wake(side, unread);
        }
        let ids: Vec<ConnectionId> = self.sides[side].open.keys().copied().collect();
        ids.into_iter().for_each(|id| self.read(side, id));
    }

    /// The side's machine goes down: its connections are forgotten without a word, and its session is new.
    pub(super) fn crash(&mut self, side: usize) {
        let config = self.sides[side].session.config().clone();
        self.sides[side].session = Session::new(config, 99);
        self.sides[side].open.clear();
        self.sides[side].log.clear();
    }
}
