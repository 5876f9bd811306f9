//! What a run begins with: the daemon, who its peers are, and what is looked at in the end.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bgp_core::Family;

use crate::daemon::{Client, Daemon, Setup};
use crate::expected::quantile;
use crate::report::Outcome;
use crate::rig::Rig;
use crate::session::{Pace, Spec};

/// A daemon to be run, and how big everything is.
pub struct Stage<'a> {
    pub daemon: &'a Daemon,
    pub binary: PathBuf,
    pub scratch: &'a Path,
    /// Small sizes, for a look.
    pub quick: bool,
}

/// Who the peers are: each kind has a network of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Announces; nobody looks at what it holds.
    Sender = 1,
    /// Is looked at, and times are taken.
    Receiver = 2,
    /// Has no family with routes: whatever it is sent is a KEEPALIVE, and its gaps show how punctual these are.
    Witness = 3,
    /// Is looked at, but no times are taken.
    Client = 4,
    /// The bad one.
    Bad = 9,
}

/// Who takes part, and how.
pub struct Cast {
    pub peers: Vec<(Kind, Spec)>,
    pub hold_time: u16,
    /// Prefixes of good senders, and of bad ones.
    pub prefixes: (u32, u32),
    /// The limit of the bad ones.
    pub max_prefix: Option<u32>,
}

/// How long sessions may take.
const ALL_UP: Duration = Duration::from_secs(60);

impl Cast {
    pub fn new(hold_time: u16, watched: u32, others: u32) -> Cast {
        Cast { peers: Vec::new(), hold_time, prefixes: (watched, others), max_prefix: None }
    }

    /// Adds so many peers.
    pub fn with(self, kind: Kind, count: usize) -> Cast {
        self.with_like(kind, count, |spec| spec)
    }

    /// Adds so many peers, a bit different.
    pub fn with_like(mut self, kind: Kind, count: usize, change: impl Fn(Spec) -> Spec) -> Cast {
        let before = self.peers.iter().filter(|(other, _)| *other == kind).count();
        for index in before..before + count {
            let [high, low] = (index as u16 + 1).to_be_bytes();
            let spec = Spec {
                address: Ipv4Addr::new(10, kind as u8, high, low),
                family: if kind == Kind::Witness { Family::IPV6_UNICAST } else { Family::IPV4_UNICAST },
                pace: Pace::Full,
                receive_buffer: None,
                hold_time: self.hold_time,
                checked: !matches!(kind, Kind::Sender | Kind::Witness),
                timed: kind == Kind::Receiver,
                bad: kind == Kind::Bad,
                redials: kind == Kind::Client,
            };
            self.peers.push((kind, change(spec)));
        }
        self
    }

    /// The sessions of a kind.
    pub fn all(&self, kind: Kind) -> Vec<usize> {
        let is = |(index, (other, _)): (usize, &(Kind, Spec))| (*other == kind).then_some(index);
        self.peers.iter().enumerate().filter_map(is).collect()
    }
}

/// Seconds, as a figure.
pub fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}

impl Stage<'_> {
    /// One of two sizes.
    pub fn size<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Starts the daemon without sessions.
    pub fn start(&self, cast: &Cast) -> Result<Rig, String> {
        let clients = cast.peers.iter().map(|(_, spec)| Client {
            address: spec.address,
            max_prefix: cast.max_prefix.filter(|_| spec.bad),
        });
        let setup = Setup { clients: clients.collect(), hold_time: cast.hold_time };
        let daemon = self.daemon.start(&self.binary, &setup, self.scratch);
        let rig = daemon.and_then(|daemon| Rig::new(daemon, cast.prefixes.0, cast.prefixes.1));
        rig.map_err(|error| error.to_string())
    }

    /// Lets all connect.
    pub fn connect(&self, rig: &mut Rig, cast: &Cast) -> Result<(), String> {
        cast.peers.iter().for_each(|(_, spec)| rig.add(spec.clone()));
        match self.wait(rig, ALL_UP, |rig| rig.sessions.iter().all(|session| session.is_up()))? {
            Some(_) => Ok(()),
            None => {
                let up = rig.sessions.iter().filter(|session| session.is_up()).count();
                let (all, log) = (rig.sessions.len(), rig.daemon.log());
                Err(format!("{up} of {all} sessions are up after {} s; {log}", ALL_UP.as_secs()))
            }
        }
    }

    /// Starts the daemon and lets all connect.
    pub fn set_up(&self, cast: &Cast) -> Result<Rig, String> {
        let mut rig = self.start(cast)?;
        self.connect(&mut rig, cast)?;
        Ok(rig)
    }

    /// Runs until `done` and says how many seconds that took; `None` if it was not so in time.
    pub fn wait(
        &self,
        rig: &mut Rig,
        limit: Duration,
        done: impl Fn(&Rig) -> bool,
    ) -> Result<Option<f64>, String> {
        let begin = Instant::now();
        match rig.run_until(limit, done) {
            Ok(true) => Ok(Some(seconds(begin))),
            Ok(false) if !rig.daemon.is_alive() => Err(format!("the daemon ended: {}", rig.daemon.log())),
            Ok(false) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Runs for some time.
    pub fn run(&self, rig: &mut Rig, time: Duration) -> Result<(), String> {
        self.wait(rig, time, |_| false).map(drop)
    }

    /// Begins to take times and gaps.
    pub fn measure(&self, rig: &mut Rig) {
        rig.expected.measuring = true;
        rig.expected.samples.clear();
        rig.longest_turn = Duration::ZERO;
        rig.sessions.iter_mut().for_each(|session| session.gap = Duration::ZERO);
    }

    /// Ends it: p50, p99 and the longest, and the longest gap of the witness.
    pub fn measured(&self, rig: &mut Rig, cast: &Cast, outcome: &mut Outcome) {
        rig.expected.measuring = false;
        let now = Instant::now();
        for (name, share) in [("change p50, ms", 0.5), ("change p99, ms", 0.99), ("change max, ms", 1.0)] {
            outcome.figure(name, quantile(&mut rig.expected.samples, share).unwrap_or(f64::NAN));
        }
        let witnesses = cast.all(Kind::Witness);
        let gaps = witnesses.iter().map(|index| {
            let session = &rig.sessions[*index];
            session.gap.max(session.heard.map_or(Duration::ZERO, |heard| now.duration_since(heard)))
        });
        outcome.figure("KEEPALIVE gap, s", gaps.max().map_or(f64::NAN, |gap| gap.as_secs_f64()));
        outcome.figure("generator's longest turn, ms", rig.longest_turn.as_secs_f64() * 1000.0);
    }

    /// Peak memory and CPU, and whether every good peer is up and holds what it should.
    pub fn finish(&self, rig: &mut Rig, outcome: &mut Outcome) {
        outcome.figure("peak memory, MB", rig.daemon.peak());
        outcome.figure("CPU, s", rig.daemon.cpu());
        let good = || rig.sessions.iter().filter(|session| !session.spec.bad);
        for (redials, lines) in [(false, &mut outcome.faults), (true, &mut outcome.notes)] {
            let mut falls = good().filter(|s| s.spec.redials == redials).flat_map(|session| &session.falls);
            if let Some((_, why)) = falls.next() {
                lines.push(format!("{} good sessions fell, the first: {why}", falls.count() + 1));
            }
        }
        let wrong: Vec<usize> = good()
            .filter(|session| session.is_up())
            .map(|session| session.held.wrong(&rig.expected))
            .filter(|wrong| *wrong > 0)
            .collect();
        if let Some(most) = wrong.iter().max() {
            outcome.faults.push(format!("{} good peers hold wrong routes, up to {most}", wrong.len()));
        }
    }
}

/// Whether all of these hold what they should.
pub fn complete(rig: &Rig, indexes: &[usize]) -> bool {
    indexes.iter().all(|index| rig.sessions[*index].held.is_complete())
}
