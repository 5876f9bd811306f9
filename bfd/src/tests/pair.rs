//! Two sessions and a path between them, on a virtual clock.

use std::num::NonZeroU8;
use std::time::Duration;

use crate::packet::Packet;
use crate::session::{Event, Session, Timers};
use crate::state::State;

/// The path takes this long.
const DELAY: Duration = Duration::from_millis(1);

pub(super) fn timers(millis: u64, multiplier: u8) -> Timers {
    let multiplier = NonZeroU8::new(multiplier).unwrap();
    Timers { interval: Duration::from_millis(millis), multiplier }
}

/// What side 0 or 1 did, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sent {
    pub(super) at: Duration,
    pub(super) from: usize,
    pub(super) packet: Packet,
}

pub(super) struct Pair {
    pub(super) sides: [Session; 2],
    pub(super) now: Duration,
    /// Whether packets of side 0 and of side 1 get through.
    pub(super) passes: [bool; 2],
    /// On their way: when they arrive and where.
    flying: Vec<(Duration, usize, Packet)>,
    pub(super) sent: Vec<Sent>,
    pub(super) events: Vec<(Duration, usize, Event)>,
}

impl Pair {
    pub(super) fn new(timers: [Timers; 2], seed: u64) -> Pair {
        let start = Duration::ZERO;
        let side = |n: u32| {
            Session::new(start, n.try_into().unwrap(), timers[n as usize - 1], seed.wrapping_add(n.into()))
        };
        Pair {
            sides: [side(1), side(2)],
            now: start,
            passes: [true; 2],
            flying: Vec::new(),
            sent: Vec::new(),
            events: Vec::new(),
        }
    }

    /// One that is up and has agreed on its timers.
    pub(super) fn up(timers: [Timers; 2], seed: u64) -> Pair {
        let mut pair = Pair::new(timers, seed);
        pair.run(Duration::from_secs(10));
        assert!(pair.sides.iter().all(|side| side.state() == State::Up), "{:?}", pair.events);
        pair.sent.clear();
        pair.events.clear();
        pair
    }

    fn flush(&mut self) {
        for from in [0, 1] {
            while let Some(packet) = self.sides[from].transmit(self.now) {
                self.sent.push(Sent { at: self.now, from, packet });
                if self.passes[from] {
                    self.flying.push((self.now + DELAY, 1 - from, packet));
                }
            }
            while let Some(event) = self.sides[from].event() {
                self.events.push((self.now, from, event));
            }
        }
    }

    /// Goes on for `time`, from one thing that happens to the next.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.flush();
            let arrivals = self.flying.iter().map(|(at, ..)| *at);
            let next = self.sides.iter().filter_map(Session::next_timeout).chain(arrivals).min();
            let Some(next) = next.filter(|at| *at <= end) else { break };
            assert!(next >= self.now || next == Duration::ZERO, "time runs backwards");
            self.now = self.now.max(next);
            let now = self.now;
            let (landed, flying) = self.flying.drain(..).partition(|(at, ..)| *at <= now);
            self.flying = flying;
            let landed: Vec<_> = landed;
            landed.iter().for_each(|(_, to, packet)| self.sides[*to].receive(now, packet));
            self.sides.iter_mut().for_each(|side| side.handle_timeout(now));
        }
        self.now = end;
    }

    pub(super) fn run_ms(&mut self, millis: u64) {
        self.run(Duration::from_millis(millis));
    }

    /// The pauses between the packets of a side, in ms.
    pub(super) fn pauses(&self, from: usize) -> Vec<u128> {
        let times: Vec<Duration> = self.sent.iter().filter(|s| s.from == from).map(|s| s.at).collect();
        times.windows(2).map(|two| (two[1] - two[0]).as_millis()).collect()
    }
}
