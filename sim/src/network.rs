//! Routers, the connections between them, and the order in which things happen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::IoSlice;
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use bgp_core::fsm::{ConnectionId, Direction};
use bgp_core::{Instant, Prefix};
use bgp_rib::RibConfig;
use bgp_router::{Identity, LocalAddresses, PeerSettings, Router, RouterOutput};

use crate::pipe::{End, Pipe};
use crate::random::Random;

/// What links do to octets.
#[derive(Clone, Debug)]
pub struct LinkSettings {
    /// The delay of each piece; pieces stay in order.
    pub delay: Range<Duration>,
    /// The longest piece in octets; each is of a random length up to it.
    pub piece: usize,
}

struct Node {
    router: Router,
    address: IpAddr,
    /// The deadline for which a timer event is in the heap.
    timer: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A connection that was asked for is up or refused.
    Opened {
        node: usize,
        slot: u32,
    },
    /// Octets of this direction have arrived.
    Arrived {
        pipe: u64,
        lane: usize,
    },
    /// The receiver of this direction learns that the sender has closed.
    Closed {
        pipe: u64,
        lane: usize,
    },
    Timer {
        node: usize,
    },
}

/// A network of routers in one thread. The same seed and the same calls give the same run.
pub struct Network {
    now: Instant,
    random: Random,
    links: LinkSettings,
    nodes: Vec<Node>,
    pipes: BTreeMap<u64, Pipe>,
    next_pipe: u64,
    events: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    sequence: u64,
}

impl Network {
    /// An empty network.
    #[must_use]
    pub fn new(seed: u64, links: LinkSettings) -> Network {
        Network {
            now: Instant::ZERO,
            random: Random::new(seed),
            links,
            nodes: Vec::new(),
            pipes: BTreeMap::new(),
            next_pipe: 1,
            events: BinaryHeap::new(),
            sequence: 0,
        }
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Draws from the network's randomness.
    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// Adds a router; returns its index.
    pub fn add_router(&mut self, identity: Identity, address: IpAddr, rib: RibConfig) -> usize {
        let rib = RibConfig { seed: self.random.draw(), ..rib };
        self.nodes.push(Node { router: Router::new(identity, rib), address, timer: None });
        self.nodes.len() - 1
    }

    /// The router at an index.
    #[must_use]
    pub fn router(&self, node: usize) -> Option<&Router> {
        self.nodes.get(node).map(|n| &n.router)
    }

    /// Gives a router a peer and starts it.
    pub fn add_peer(&mut self, node: usize, settings: PeerSettings) {
        let now = self.now;
        if let Some(n) = self.nodes.get_mut(node) {
            n.router.add_peer(now, settings);
        }
        self.settle(node);
    }

    /// A router announces a prefix of its own.
    pub fn announce(&mut self, node: usize, prefix: Prefix) {
        let now = self.now;
        if let Some(n) = self.nodes.get_mut(node) {
            n.router.with_core(|core| core.announce_local(now, prefix));
        }
        self.settle(node);
    }

    /// A router withdraws a prefix of its own.
    pub fn withdraw(&mut self, node: usize, prefix: Prefix) {
        let now = self.now;
        if let Some(n) = self.nodes.get_mut(node) {
            n.router.with_core(|core| core.withdraw_local(now, prefix));
        }
        self.settle(node);
    }

    /// Cuts a random connection as a reset would: both ends see it at once, octets under way are lost.
    pub fn reset_one(&mut self) {
        let pick = self.random.below(self.pipes.len());
        let Some(id) = self.pipes.keys().nth(pick).copied() else { return };
        let Some(pipe) = self.pipes.remove(&id) else { return };
        for (end, gone) in pipe.ends.into_iter().zip(pipe.gone) {
            if !gone {
                self.with_router(end, |router, now| {
                    router.with_peer(end.slot, |peer| peer.disconnected(now, ConnectionId(id)));
                });
            }
        }
        pipe.ends.into_iter().for_each(|end| self.settle(end.node));
    }

    fn with_router(&mut self, end: End, act: impl FnOnce(&mut Router, Instant)) {
        let now = self.now;
        if let Some(node) = self.nodes.get_mut(end.node) {
            act(&mut node.router, now);
        }
    }

    fn schedule(&mut self, at: Instant, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((at, self.sequence, event)));
    }

    /// Lets time pass until `end`; all that is due by then happens.
    pub fn run_until(&mut self, end: Instant) {
        while let Some(Reverse((at, _, _))) = self.events.peek()
            && *at <= end
        {
            let Some(Reverse((at, _, event))) = self.events.pop() else { break };
            self.now = self.now.max(at);
            self.happen(event);
        }
        self.now = self.now.max(end);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Opened { node, slot } => self.opened(node, slot),
            Event::Arrived { pipe, lane } => self.arrived(pipe, lane),
            Event::Closed { pipe, lane } => self.closed(pipe, lane),
            Event::Timer { node } => {
                let now = self.now;
                if let Some(n) = self.nodes.get_mut(node) {
                    n.timer = None;
                    n.router.handle_timeout(now);
                }
                self.settle(node);
            }
        }
    }

    /// Two ends by address; the ports do not matter.
    fn opened(&mut self, node: usize, slot: u32) {
        let id = self.next_pipe;
        self.next_pipe += 1;
        let opener = End { node, slot };
        let accepted = self.accept(opener, ConnectionId(id));
        match accepted {
            Some(accepter) => {
                self.pipes.insert(id, Pipe::new(opener, accepter));
                let now = self.now;
                if let Some(n) = self.nodes.get_mut(node) {
                    let local = LocalAddresses::new(n.address, None);
                    n.router.with_peer(slot, |peer| {
                        peer.connected(now, ConnectionId(id), Direction::Outgoing, local);
                    });
                }
                self.settle(accepter.node);
            }
            None => self.with_router(opener, |router, now| {
                router.with_peer(slot, |peer| peer.connect_failed(now));
            }),
        }
        self.settle(node);
    }

    fn accept(&mut self, opener: End, id: ConnectionId) -> Option<End> {
        let from = self.nodes.get(opener.node)?;
        let remote = from.address;
        let wanted = from.router.peer(opener.slot)?.settings().address;
        let target = self.nodes.iter().position(|n| n.address == wanted)?;
        let now = self.now;
        let node = self.nodes.get_mut(target)?;
        let local = LocalAddresses::new(node.address, None);
        let slot = node.router.accept(now, id, remote, local).ok()?;
        Some(End { node: target, slot })
    }

    fn arrived(&mut self, id: u64, lane: usize) {
        let now = self.now;
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        let (Some(flow), Some(&to)) = (pipe.lanes.get_mut(lane), pipe.ends.get(1 - lane)) else { return };
        flow.arrive(now);
        let mut inbox = std::mem::take(&mut flow.inbox);
        let router = self.nodes.get_mut(to.node).map(|n| &mut n.router);
        let used = router.and_then(|r| r.with_peer(to.slot, |peer| peer.read(now, ConnectionId(id), &inbox)));
        inbox.drain(..used.unwrap_or(0));
        if let Some(flow) = self.pipes.get_mut(&id).and_then(|p| p.lanes.get_mut(lane)) {
            flow.inbox = inbox;
        }
        let from = self.pipes.get(&id).and_then(|p| p.ends.get(lane)).copied();
        self.settle(to.node);
        if let Some(from) = from {
            self.settle(from.node);
        }
    }

    fn closed(&mut self, id: u64, lane: usize) {
        self.tell_gone(id, 1 - lane);
    }

    /// Tells one end that the connection is gone; forgets it once both know.
    fn tell_gone(&mut self, id: u64, end: usize) {
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        let (Some(gone), Some(&at)) = (pipe.gone.get_mut(end), pipe.ends.get(end)) else { return };
        if !std::mem::replace(gone, true) {
            self.with_router(at, |router, now| {
                router.with_peer(at.slot, |peer| peer.disconnected(now, ConnectionId(id)));
            });
        }
        let delay = self.random.time(&self.links.delay.clone());
        let now = self.now;
        if let Some(pipe) = self.pipes.get_mut(&id) {
            if pipe.gone == [true; 2] {
                self.pipes.remove(&id);
            } else if let Some(flow) = pipe.lanes.get_mut(end).filter(|l| !l.closed) {
                let seen = flow.close(now + delay);
                self.schedule(seen, Event::Closed { pipe: id, lane: end });
            }
        }
        self.settle(at.node);
    }

    /// Carries a router's messages, its octets and its wishes until it has nothing more to do at this instant.
    fn settle(&mut self, node: usize) {
        let mut closing = Vec::new();
        loop {
            let now = self.now;
            let Some(n) = self.nodes.get_mut(node) else { return };
            n.router.run(now);
            while let Some(output) = self.nodes.get_mut(node).and_then(|n| n.router.poll()) {
                match output {
                    RouterOutput::Connect(slot) => {
                        let delay = self.random.time(&self.links.delay.clone());
                        self.schedule(now + delay, Event::Opened { node, slot });
                    }
                    RouterOutput::Close(_, id) => closing.push(id.0),
                    RouterOutput::Event(..)
                    | RouterOutput::Converged
                    | RouterOutput::DuplicateRouterId { .. } => {}
                }
            }
            if !self.write_all(node) {
                break;
            }
        }
        for id in closing {
            if let Some(end) = self.end_of(id, node) {
                self.tell_gone(id, end);
            }
        }
        self.arm(node);
    }

    fn end_of(&self, id: u64, node: usize) -> Option<usize> {
        self.pipes.get(&id)?.ends.iter().position(|end| end.node == node)
    }

    fn arm(&mut self, node: usize) {
        let now = self.now;
        let Some(n) = self.nodes.get_mut(node) else { return };
        let Some(deadline) = n.router.next_timeout() else { return };
        if n.timer.is_none_or(|at| deadline < at) {
            n.timer = Some(deadline);
            self.schedule(deadline.max(now), Event::Timer { node });
        }
    }

    /// Moves octets from the router's queues into its connections; `false` if none moved.
    fn write_all(&mut self, node: usize) -> bool {
        let mine: Vec<(u64, usize)> =
            self.pipes.keys().filter_map(|id| self.end_of(*id, node).map(|end| (*id, end))).collect();
        let mut moved = false;
        for (id, end) in mine {
            while self.write_piece(id, end) {
                moved = true;
            }
        }
        moved
    }

    fn write_piece(&mut self, id: u64, end: usize) -> bool {
        let now = self.now;
        let limit = 1 + self.random.below(self.links.piece);
        let delay = self.random.time(&self.links.delay.clone());
        let Some(pipe) = self.pipes.get_mut(&id) else { return false };
        let (Some(lane), Some(&at)) = (pipe.lanes.get_mut(end), pipe.ends.get(end)) else { return false };
        let limit = limit.min(lane.space());
        if lane.closed || limit == 0 {
            return false;
        }
        let Some(router) = self.nodes.get_mut(at.node).map(|n| &mut n.router) else { return false };
        let connection = ConnectionId(id);
        let piece = router.peer(at.slot).and_then(|peer| peer.queue(connection)).map(|queue| {
            let mut slices = [IoSlice::new(&[]); 8];
            let filled = queue.gather(&mut slices);
            slices.iter().take(filled).flat_map(|s| s.iter()).take(limit).copied().collect::<Vec<u8>>()
        });
        let Some(piece) = piece.filter(|p| !p.is_empty()) else { return false };
        router.with_peer(at.slot, |peer| peer.wrote(now, connection, piece.len()));
        let arrives = lane.send(now + delay, piece);
        self.schedule(arrives, Event::Arrived { pipe: id, lane: end });
        true
    }

    /// Whether no UPDATE or other octet is under way between any two routers.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.pipes.values().all(|p| p.lanes.iter().all(crate::pipe::Lane::is_drained))
    }
}
