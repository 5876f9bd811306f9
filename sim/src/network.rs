//! Routers, the connections between them, and the order in which things happen.
//!
//! ```text
//!  Spec ─► Network ─ heap of what is due ─► act    what the spec says befalls routers and links
//!                                        ├► carry  octets: written, delayed, held up, read, lost
//!                                        └► node   timers; routers that die, freeze and come back
//! ```

mod act;
mod carry;
mod node;
mod view;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::IpAddr;
use std::time::Duration;

use bgp_core::{Instant, Prefix};

pub(crate) use self::node::group_limits;
pub use self::node::{address_v4, address_v6, router_id};
pub use self::view::ConnectionView;

use self::node::Node;
use crate::hostile::Hostile;
use crate::link::Link;
use crate::observe::Read;
use crate::pipe::Pipe;
use crate::random::Random;
use crate::spec::{SideSpec, Spec};

/// What is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// The event of the spec with this number.
    Act(usize),
    /// A connection that an end of a session asked for is up or refused.
    Opened { session: usize, end: usize, attempt: u64 },
    /// Octets from this end have arrived, or may pass again.
    Arrived { pipe: u64, from: usize },
    /// This end learns that what it sent was read.
    Acknowledged { pipe: u64, from: usize },
    /// This end learns that the connection is lost.
    Broken { pipe: u64, end: usize },
    /// This end has waited long enough for the other to take its last words.
    Lingered { pipe: u64, end: usize },
    /// A deadline of a router's.
    Timer { node: usize },
    /// A router is told the state of a next hop.
    NextHop { node: usize, address: IpAddr },
    /// A router that was down starts.
    Start { node: usize },
    /// One end of a session that was shut down is started.
    StartPeer { session: usize, end: usize },
    /// Whoever speaks in a router's place does something.
    Hostile { session: usize, end: usize },
}

/// A session: its link, how each end treats the other now, and who speaks in an end's place.
struct Line {
    link: Link,
    ends: [usize; 2],
    sides: [SideSpec; 2],
    slots: [u32; 2],
    hostile: [Option<Box<Hostile>>; 2],
}

/// A network of routers in one thread. The same spec gives the same run.
pub struct Network {
    spec: Spec,
    now: Instant,
    random: Random,
    nodes: Vec<Node>,
    lines: Vec<Line>,
    pipes: BTreeMap<u64, Pipe>,
    next_pipe: u64,
    heap: BinaryHeap<Reverse<(Instant, u64, Due)>>,
    sequence: u64,
    /// Events of the spec that are still to happen.
    to_come: usize,
    /// When a part of a router last had something to tell another: KEEPALIVEs do not count.
    last_work: Instant,
    touched: Vec<usize>,
    /// What was read in the last step, if someone wants to know.
    reads: Option<Vec<Read>>,
    /// The prefixes that occur in the spec.
    prefixes: Vec<Prefix>,
}

impl Network {
    /// The routers of a spec, all started, and its events to come.
    #[must_use]
    pub fn new(spec: &Spec) -> Network {
        let mut network = Network {
            spec: spec.clone(),
            now: Instant::ZERO,
            random: Random::new(spec.seed),
            nodes: (0..spec.routers.len()).map(Node::new).collect(),
            lines: Vec::new(),
            pipes: BTreeMap::new(),
            next_pipe: 1,
            heap: BinaryHeap::new(),
            sequence: 0,
            to_come: spec.events.len(),
            last_work: Instant::ZERO,
            touched: Vec::new(),
            reads: None,
            prefixes: act::prefixes(&spec.events),
        };
        network.lay_lines();
        for (number, (at, _)) in spec.events.iter().enumerate() {
            network.schedule(Instant::ZERO + *at, Due::Act(number));
        }
        (0..spec.routers.len()).for_each(|node| network.start(node));
        network
    }

    fn lay_lines(&mut self) {
        for (session, spec) in self.spec.sessions.iter().enumerate() {
            let mut slots = [0; 2];
            for (end, node) in spec.ends.iter().enumerate() {
                let Some(node) = self.nodes.get_mut(*node) else { continue };
                let slot = node.add_line(session, end);
                if let Some(place) = slots.get_mut(end) {
                    *place = slot;
                }
            }
            self.lines.push(Line {
                link: Link::default(),
                ends: spec.ends,
                sides: spec.sides.clone(),
                slots,
                hostile: [None, None],
            });
        }
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    fn schedule(&mut self, at: Instant, due: Due) {
        self.sequence += 1;
        self.heap.push(Reverse((at.max(self.now), self.sequence, due)));
    }

    /// When the next thing happens.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Lets the next thing happen; `false` if nothing ever will.
    pub fn step(&mut self) -> bool {
        self.touched.clear();
        if let Some(reads) = &mut self.reads {
            reads.clear();
        }
        let Some(Reverse((at, _, due))) = self.heap.pop() else { return false };
        self.now = self.now.max(at);
        match self.held_up(due) {
            Some(until) => self.schedule(until, due),
            None => self.happen(due),
        }
        true
    }

    /// What concerns a router whose clock stands still has to wait.
    fn held_up(&self, due: Due) -> Option<Instant> {
        let at = |session: usize, end: usize| self.node_at(session, end);
        let of_pipe = |pipe: u64, end: usize| self.pipes.get(&pipe).and_then(|p| at(p.session, end));
        let nodes = match due {
            Due::Act(number) => [self.actor(number), None],
            Due::Opened { session, .. } => [at(session, 0), at(session, 1)],
            Due::Arrived { pipe, from } => [of_pipe(pipe, 1 - from.min(1)), None],
            Due::Acknowledged { pipe, from } => [of_pipe(pipe, from), None],
            Due::Broken { pipe, end } | Due::Lingered { pipe, end } => [of_pipe(pipe, end), None],
            Due::Timer { node } | Due::NextHop { node, .. } => [Some(node), None],
            Due::StartPeer { session, end } => [at(session, end), None],
            Due::Start { .. } | Due::Hostile { .. } => [None; 2],
        };
        let frozen = |node: usize| self.nodes.get(node)?.frozen_until.filter(|until| *until > self.now);
        nodes.into_iter().flatten().filter_map(frozen).max()
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Act(number) => self.act(number),
            Due::Opened { session, end, attempt } => self.opened(session, end, attempt),
            Due::Arrived { pipe, from } => self.arrived(pipe, from),
            Due::Acknowledged { pipe, from } => self.acknowledged(pipe, from),
            Due::Broken { pipe, end } => self.broken(pipe, end),
            Due::Lingered { pipe, end } => self.lingered(pipe, end),
            Due::Timer { node } => self.timer(node),
            Due::NextHop { node, address } => self.tell_next_hop(node, address),
            Due::Start { node } => self.start_again(node),
            Due::StartPeer { session, end } => self.start_peer(session, end),
            Due::Hostile { session, end } => self.hostile_acts(session, end),
        }
    }

    fn node_at(&self, session: usize, end: usize) -> Option<usize> {
        self.lines.get(session)?.ends.get(end).copied()
    }

    fn slot_at(&self, session: usize, end: usize) -> Option<(usize, u32)> {
        let line = self.lines.get(session)?;
        Some((*line.ends.get(end)?, *line.slots.get(end)?))
    }

    fn delay(&mut self) -> Duration {
        let longest = self.spec.link.delay;
        Duration::from_micros(50) + self.random.time(&(Duration::ZERO..longest))
    }

    /// Begins to note what routers read.
    pub fn record_reads(&mut self) {
        self.reads = Some(Vec::new());
    }

    /// What routers read in the last step, if that is recorded.
    #[must_use]
    pub fn reads(&self) -> &[Read] {
        self.reads.as_deref().unwrap_or_default()
    }
}
