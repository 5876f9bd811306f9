//! What observers may see of a network.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bgp_core::fsm::ConnectionId;
use bgp_core::{Instant, Prefix};
use bgp_rib::{FibNextHop, GroupLimits};
use bgp_router::{Peer, Router};

use super::{Network, group_limits};
use crate::kernel::Kernel;
use crate::spec::{SideSpec, Spec};

/// The connection on which a session is established at both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionView {
    /// Its number.
    pub id: u64,
    /// How many octets of what each end sent the other has read.
    pub delivered: [u64; 2],
    /// Whether nothing that an end sent is under way, or unwritten.
    pub drained: [bool; 2],
}

impl Network {
    /// What the run is made of.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// How many routers there are, down or not.
    #[must_use]
    pub fn routers(&self) -> usize {
        self.nodes.len()
    }

    /// The router with this number; `None` while it is down.
    #[must_use]
    pub fn router(&self, number: usize) -> Option<&Router> {
        self.nodes.get(number)?.router.as_ref()
    }

    /// How often the router was started: one that died remembers nothing.
    #[must_use]
    pub fn lives(&self, number: usize) -> u32 {
        self.nodes.get(number).map_or(0, |node| node.lives)
    }

    /// Until when the router, since it was started, may hold back its End-of-RIB.
    #[must_use]
    pub fn deferred_until(&self, number: usize) -> Instant {
        self.nodes.get(number).map(|node| node.deferred_until).unwrap_or_default()
    }

    /// Whether the router's clock stands still.
    #[must_use]
    pub fn is_frozen(&self, number: usize) -> bool {
        let until = self.nodes.get(number).and_then(|node| node.frozen_until);
        until.is_some_and(|until| until > self.now)
    }

    /// The prefixes that a router is configured to announce.
    #[must_use]
    pub fn originates(&self, number: usize) -> Option<&BTreeSet<Prefix>> {
        self.nodes.get(number).map(|node| &node.originates)
    }

    /// Whether a router was told to say that it is about to go.
    #[must_use]
    pub fn is_draining(&self, number: usize) -> bool {
        self.nodes.get(number).is_some_and(|node| node.draining)
    }

    /// What the router's FIB holds.
    #[must_use]
    pub fn fib(&self, number: usize) -> Option<&BTreeMap<Prefix, Vec<FibNextHop>>> {
        self.nodes.get(number).map(|node| &node.fib)
    }

    /// The kernel of a router's host.
    #[must_use]
    pub fn kernel(&self, number: usize) -> Option<&Kernel> {
        self.nodes.get(number).map(|node| &node.kernel)
    }

    /// How one end of a session is configured to treat the other.
    #[must_use]
    pub fn side(&self, session: usize, end: usize) -> Option<&SideSpec> {
        self.lines.get(session)?.sides.get(end)
    }

    /// The slot that an end's router has for the session.
    #[must_use]
    pub fn slot(&self, session: usize, end: usize) -> Option<u32> {
        self.slot_at(session, end).map(|(_, slot)| slot)
    }

    /// An end's part of a session; `None` while its router is down.
    #[must_use]
    pub fn peer(&self, session: usize, end: usize) -> Option<&Peer> {
        let (number, slot) = self.slot_at(session, end)?;
        self.router(number)?.peer(slot)
    }

    /// The connection on which a session is established at both ends; `None` if it is not, or with somebody else.
    #[must_use]
    pub fn connection(&self, session: usize) -> Option<ConnectionView> {
        let on = |end| self.peer(session, end)?.session().negotiated().map(|agreed| agreed.connection);
        let id = on(0).filter(|id| on(1) == Some(*id))?;
        let pipe = self.pipes.get(&id.0)?;
        let [a, b] = &pipe.lanes;
        let written = |end| self.is_written(session, end, id);
        Some(ConnectionView {
            id: id.0,
            delivered: [a.delivered, b.delivered],
            drained: [a.is_drained() && written(0), b.is_drained() && written(1)],
        })
    }

    fn is_written(&self, session: usize, end: usize, id: ConnectionId) -> bool {
        let queue = self.peer(session, end).and_then(|peer| peer.queue(id));
        queue.is_none_or(bgp_router::WriteQueue::is_empty)
    }

    /// What the router's groups may keep for slow peers.
    #[must_use]
    pub fn limits(&self, number: usize) -> GroupLimits {
        group_limits(self.spec.seed, number)
    }

    /// The routers that did something in the last step.
    #[must_use]
    pub fn touched(&self) -> &[usize] {
        &self.touched
    }

    /// Whether all that was to happen has, all sessions are up, and for `time` no part of any router has had anything
    /// to tell another.
    #[must_use]
    pub fn is_quiet(&self, time: Duration) -> bool {
        let since = |at: Instant| at + time <= self.now;
        self.to_come == 0
            && since(self.last_work)
            && self.nodes.iter().all(|node| {
                let router = node.router.as_ref().filter(|_| node.frozen_until.is_none_or(since));
                router.is_some_and(|router| router.core().next_timeout().is_none())
            })
            && self.lines.iter().all(|line| {
                let takes = line.link.takes_from(0).max(line.link.takes_from(1));
                line.hostile.iter().all(Option::is_none) && (takes == Instant::ZERO || since(takes))
            })
            && (0..self.lines.len()).all(|session| {
                self.connection(session).is_some_and(|connection| connection.drained == [true; 2])
            })
    }

    /// Why the network is not quiet, for a message.
    #[must_use]
    pub fn unrest(&self) -> String {
        let down = |session: &usize| self.connection(*session).is_none();
        let state = |session, end| self.peer(session, end).map(|peer| peer.session().state().to_string());
        let sessions = (0..self.lines.len()).filter(down).map(|session| {
            let [a, b] = [0, 1].map(|end| state(session, end).unwrap_or_else(|| "down".to_owned()));
            format!("session {session} is {a} and {b}")
        });
        let waits = |number: &usize| self.router(*number).and_then(|router| router.core().next_timeout());
        let routers = (0..self.nodes.len())
            .filter_map(|number| Some(format!("router {number} waits until {}", waits(&number)?)));
        let last = format!("the last routes moved at {}", self.last_work);
        sessions.chain(routers).chain([last]).collect::<Vec<String>>().join(", ")
    }
}
