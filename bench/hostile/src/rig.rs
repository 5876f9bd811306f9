//! A daemon with all the sessions to it, driven by one thread.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::daemon::{ADDRESS, PORT, Running};
use crate::expected::{self, Expected};
use crate::routes::{self, Mark, Version, WITHDRAWN};
use crate::session::{Phase, Session, Spec};

pub struct Rig {
    /// Closed before the daemon ends, which would wait for them else.
    pub sessions: Vec<Session>,
    pub daemon: Running,
    pub expected: Expected,
    /// So many connections are set up at a time.
    pub opening_limit: usize,
    /// The longest that this thread was busy without looking at its sockets.
    pub longest_turn: Duration,
    poller: Epoll,
    ticked: Instant,
}

/// How often clocks are looked at.
const TICK: Duration = Duration::from_millis(10);
const OPENING: usize = 32;

impl Rig {
    /// Without sessions. `watched` prefixes are those of good senders, `others` those of bad ones.
    pub fn new(daemon: Running, watched: u32, others: u32) -> io::Result<Rig> {
        let now = Instant::now();
        Ok(Rig {
            daemon,
            sessions: Vec::new(),
            expected: Expected::new(watched, others, now),
            opening_limit: OPENING,
            longest_turn: Duration::ZERO,
            poller: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            ticked: now,
        })
    }

    /// Adds a session, which begins to connect.
    pub fn add(&mut self, spec: Spec) {
        self.sessions.push(Session::new(spec, &self.expected, Instant::now()));
    }

    /// Lets `sender` announce or withdraw these prefixes, which is what all are expected to hold from now on.
    pub fn change(&mut self, sender: usize, numbers: Range<u32>, version: Version) {
        self.send(sender, numbers.clone(), version, 100);
        self.expect(numbers, version);
    }

    /// Lets `sender` announce or withdraw these prefixes.
    pub fn send(&mut self, sender: usize, numbers: Range<u32>, version: Version, local_pref: u32) {
        let session = &mut self.sessions[sender];
        let mark = Mark { next_hop: session.spec.address, version, local_pref, salt: 0 };
        match version {
            WITHDRAWN => routes::withdraw(session.outbox(), numbers),
            _ => routes::announce(session.outbox(), numbers, mark),
        }
        let flushed = session.flush(Instant::now());
        self.settle(sender, flushed, Instant::now());
    }

    /// From now on this is what all are expected to hold.
    pub fn expect(&mut self, numbers: Range<u32>, version: Version) {
        let receivers = self.sessions.iter_mut().map(|session| &mut session.held);
        expected::change(&mut self.expected, numbers, version, Instant::now(), receivers);
    }

    /// Closes a session; it connects again at this time, if ever.
    pub fn close(&mut self, index: usize, redial: Option<Instant>) {
        self.sessions[index].down(redial);
    }

    /// Runs until `done`; false if that is not so after `limit`, or the daemon is gone.
    pub fn run_until(&mut self, limit: Duration, done: impl Fn(&Rig) -> bool) -> io::Result<bool> {
        let end = Instant::now() + limit;
        loop {
            if done(self) {
                return Ok(true);
            }
            if Instant::now() >= end || !self.daemon.is_alive() {
                return Ok(false);
            }
            self.turn()?;
        }
    }

    fn turn(&mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); 256];
        let count = match self.poller.wait(&mut events, EpollTimeout::from(TICK.as_millis() as u8)) {
            Err(nix::errno::Errno::EINTR) => 0,
            other => other?,
        };
        let begin = Instant::now();
        for event in &events[..count] {
            let (index, now) = (event.data() as usize, Instant::now());
            if self.sessions[index].socket.is_some() {
                let result = self.sessions[index].ready(event.events(), &mut self.expected, now);
                self.settle(index, result, now);
            }
        }
        if begin.duration_since(self.ticked) >= TICK {
            self.ticked = begin;
            self.tick(begin);
        }
        self.longest_turn = self.longest_turn.max(begin.elapsed());
        Ok(())
    }

    fn tick(&mut self, now: Instant) {
        let mut opening = self.sessions.iter().filter(|session| session.is_opening()).count();
        for index in 0..self.sessions.len() {
            let session = &mut self.sessions[index];
            let result = match session.phase {
                Phase::Down(Some(at)) if at <= now && opening < self.opening_limit => {
                    opening += 1;
                    session.dial(SocketAddr::from((ADDRESS, PORT)), &self.expected, now)
                }
                Phase::Down(_) => continue,
                _ => session.tick(&mut self.expected, now),
            };
            self.settle(index, result, now);
        }
    }

    /// After a session did something: it fell, or the poller is told what it waits for now.
    fn settle(&mut self, index: usize, result: io::Result<()>, now: Instant) {
        let session = &mut self.sessions[index];
        if let Err(error) = result {
            return session.fall(now, error.to_string());
        }
        let wanted = session.wanted();
        let Some(socket) = session.socket.as_ref().filter(|_| wanted != session.interest) else { return };
        let mut event = EpollEvent::new(wanted, index as u64);
        let told = match session.interest == EpollFlags::empty() {
            true => self.poller.add(socket, event),
            false => self.poller.modify(socket, &mut event),
        };
        match told {
            Ok(()) => session.interest = wanted,
            Err(error) => session.fall(now, error.to_string()),
        }
    }
}
