//! Connections: how they come up, what becomes of octets, how they end.

use std::io::IoSlice;
use std::time::Duration;

use bgp_core::Instant;
use bgp_core::fsm::{ConnectionId, Direction};
use bgp_router::{LocalAddresses, Peer};

use super::{Due, Network, address_v4, address_v6};
use crate::observe::Read;
use crate::pipe::{Holder, Pipe};

/// A peer that does not take the last words of a connection within this time forfeits them.
const LINGER: Duration = Duration::from_secs(3);

impl Network {
    fn peer_mut<R>(
        &mut self,
        session: usize,
        end: usize,
        act: impl FnOnce(&mut Peer, Instant) -> R,
    ) -> Option<R> {
        let (number, slot) = self.slot_at(session, end)?;
        let now = self.now;
        let router = self.nodes.get_mut(number)?.router.as_mut()?;
        router.with_peer(slot, |peer| act(peer, now))
    }

    fn settle_at(&mut self, session: usize, end: usize) {
        if let Some(number) = self.node_at(session, end) {
            self.settle(number);
        }
    }

    /// One end asks for a connection; an attempt under way is given up.
    pub(super) fn connect(&mut self, session: usize, end: usize) {
        let at = self.now + self.delay();
        if let Some(line) = self.lines.get_mut(session) {
            let attempt = line.link.attempt(end);
            self.schedule(at, Due::Opened { session, end, attempt });
        }
    }

    pub(super) fn opened(&mut self, session: usize, end: usize, attempt: u64) {
        let Some(line) = self.lines.get(session).filter(|line| line.link.is_attempt(end, attempt)) else {
            return;
        };
        let whole = line.link.whole_from();
        if whole > self.now {
            return self.schedule(whole, Due::Opened { session, end, attempt });
        }
        let other = 1 - end.min(1);
        let (mine, theirs) = (line.link.impostor_at(end), line.link.impostor_at(other));
        let target = line.ends.get(other).and_then(|number| self.nodes.get(*number));
        let Some(target) = target.map(|node| (node.router.is_some(), node.refuses)) else { return };
        match (mine, theirs, target) {
            // Somebody else has the address.
            (true, ..) | (false, false, (false, true)) => self.refused(session, end),
            // Nobody answers: the router gives up by itself.
            (false, false, (false, false)) => {}
            (false, true, _) => {
                self.join(session, end, Holder::Impostor);
            }
            (false, false, (true, _)) => {
                self.join(session, end, Holder::Router);
            }
        }
    }

    fn refused(&mut self, session: usize, end: usize) {
        self.peer_mut(session, end, |peer, now| peer.connect_failed(now));
        self.settle_at(session, end);
    }

    /// The connection of `end`, which is a router's, to whoever holds the other end is up.
    fn join(&mut self, session: usize, end: usize, other: Holder) {
        let mut holders = [Holder::Router; 2];
        if let Some(place) = holders.get_mut(1 - end.min(1)) {
            *place = other;
        }
        let id = self.open_pipe(session, holders);
        let accepted = match other {
            Holder::Router => self.accept(session, 1 - end.min(1), id),
            Holder::Impostor | Holder::Nobody => true,
        };
        if !accepted {
            self.drop_pipe(id);
            return self.refused(session, end);
        }
        if let Some(local) = self.local_addresses(session, end) {
            let id = ConnectionId(id);
            self.peer_mut(session, end, |peer, now| peer.connected(now, id, Direction::Outgoing, local));
        }
        match other {
            Holder::Router => self.settle_at(session, 1 - end.min(1)),
            Holder::Impostor | Holder::Nobody => self.hostile_connected(session, 1 - end.min(1), id),
        }
        self.settle_at(session, end);
    }

    pub(super) fn open_pipe(&mut self, session: usize, holders: [Holder; 2]) -> u64 {
        let id = self.next_pipe;
        self.next_pipe += 1;
        let silent = self.random.one_in(3);
        self.pipes.insert(id, Pipe::new(session, holders, silent));
        for (end, holder) in holders.into_iter().enumerate() {
            if let (Holder::Router, Some(number)) = (holder, self.node_at(session, end))
                && let Some(node) = self.nodes.get_mut(number)
            {
                node.pipes.push((id, end));
            }
        }
        id
    }

    /// The router at `end` is offered a connection; whether it takes it.
    pub(super) fn accept(&mut self, session: usize, end: usize, id: u64) -> bool {
        let now = self.now;
        let Some(local) = self.local_addresses(session, end) else { return false };
        let (Some(number), Some(from)) = (self.node_at(session, end), self.node_at(session, 1 - end.min(1)))
        else {
            return false;
        };
        let router = self.nodes.get_mut(number).and_then(|node| node.router.as_mut());
        router.is_some_and(|router| router.accept(now, ConnectionId(id), address_v4(from), local).is_ok())
    }

    fn local_addresses(&self, session: usize, end: usize) -> Option<LocalAddresses> {
        let number = self.node_at(session, end)?;
        Some(LocalAddresses::new(address_v4(number), Some(address_v6(number))))
    }

    /// Octets from `from` are there, if the link lets them pass and the other end reads.
    pub(super) fn arrived(&mut self, id: u64, from: usize) {
        let now = self.now;
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        let (session, to) = (pipe.session, 1 - from.min(1));
        let holder = pipe.holder(to);
        let Some(lane) = pipe.lanes.get_mut(from) else { return };
        lane.wake = None;
        let takes = self.lines.get(session).map_or(now, |line| line.link.takes_from(from));
        if takes > now {
            let at = takes + self.delay();
            return self.wake(id, from, at);
        }
        match holder {
            Holder::Router => self.read(id, session, from),
            Holder::Impostor => self.hostile_reads(id, session, from),
            Holder::Nobody => match self.down_until(session, to) {
                // The sender tries again and again.
                Some(up_at) => return self.wake(id, from, up_at + Duration::from_secs(1)),
                None => self.lost(id, from),
            },
        }
        self.wake_next(id, from);
    }

    fn wake_next(&mut self, id: u64, from: usize) {
        let lane = self.pipes.get(&id).and_then(|pipe| pipe.lanes.get(from));
        if let Some(at) = lane.and_then(crate::pipe::Lane::next_arrival) {
            self.wake(id, from, at);
        }
    }

    fn wake(&mut self, id: u64, from: usize, at: Instant) {
        let at = at.max(self.now);
        let Some(lane) = self.pipes.get_mut(&id).and_then(|pipe| pipe.lanes.get_mut(from)) else { return };
        if lane.wake.is_none_or(|wake| at < wake) {
            lane.wake = Some(at);
            self.schedule(at, Due::Arrived { pipe: id, from });
        }
    }

    /// All that has arrived from `from`, and whether it has closed.
    pub(super) fn take_arrived(&mut self, id: u64, from: usize) -> (Vec<u8>, bool) {
        let now = self.now;
        let mut octets = Vec::new();
        let lane = self.pipes.get_mut(&id).and_then(|pipe| pipe.lanes.get_mut(from));
        let Some(lane) = lane else { return (octets, false) };
        while let Some(piece) = lane.take(now) {
            if piece.is_empty() {
                return (octets, true);
            }
            octets.extend(piece);
        }
        lane.delivered += octets.len() as u64;
        (octets, false)
    }

    fn read(&mut self, id: u64, session: usize, from: usize) {
        let to = 1 - from.min(1);
        let (octets, closed) = self.take_arrived(id, from);
        self.hold_acknowledgement(id, session, from, octets.len());
        if let Some(reads) = self.reads.as_mut().filter(|_| !octets.is_empty()) {
            reads.push(Read { session, from, connection: id, octets: octets.clone() });
        }
        let lane = self.pipes.get_mut(&id).and_then(|pipe| pipe.lanes.get_mut(from));
        let mut inbox = lane.map(|lane| std::mem::take(&mut lane.inbox)).unwrap_or_default();
        inbox.extend(octets);
        let used = self.peer_mut(session, to, |peer, now| peer.read(now, ConnectionId(id), &inbox));
        inbox.drain(..used.unwrap_or(0).min(inbox.len()));
        if let Some(lane) = self.pipes.get_mut(&id).and_then(|pipe| pipe.lanes.get_mut(from)) {
            lane.inbox = inbox;
        }
        if closed {
            self.gone(id, to);
        }
        self.settle_at(session, to);
        self.write_on(id, from);
    }

    /// What is read frees the sender's window once it hears of it.
    fn hold_acknowledgement(&mut self, id: u64, session: usize, from: usize, octets: usize) {
        let back = self.lines.get(session).map_or(self.now, |line| line.link.passes_from(1 - from.min(1)));
        if back > self.now && octets > 0 {
            if let Some(lane) = self.pipes.get_mut(&id).and_then(|pipe| pipe.lanes.get_mut(from)) {
                lane.keep_unacknowledged(octets);
            }
            self.schedule(back, Due::Acknowledged { pipe: id, from });
        }
    }

    pub(super) fn acknowledged(&mut self, id: u64, from: usize) {
        let lane = self.pipes.get_mut(&id).and_then(|pipe| pipe.lanes.get_mut(from));
        if lane.is_some_and(crate::pipe::Lane::acknowledge) {
            self.write_on(id, from);
        }
    }

    /// There may be room again for what a router has to write.
    pub(super) fn write_on(&mut self, id: u64, end: usize) {
        let Some(pipe) = self.pipes.get(&id).filter(|pipe| pipe.holder(end) == Holder::Router) else {
            return;
        };
        let session = pipe.session;
        if self.node_at(session, end).is_some_and(|number| self.is_frozen(number)) {
            return;
        }
        let waits = self.peer(session, end).and_then(|peer| peer.queue(ConnectionId(id)));
        if waits.is_some_and(|queue| !queue.is_empty()) {
            self.settle_at(session, end);
        }
    }

    fn down_until(&self, session: usize, end: usize) -> Option<Instant> {
        let number = self.node_at(session, end)?;
        self.nodes.get(number)?.up_at.filter(|at| *at > self.now)
    }

    /// Octets come to an end that nobody holds: a reset comes back, unless something on the way takes it.
    fn lost(&mut self, id: u64, from: usize) {
        let (octets, _) = self.take_arrived(id, from);
        let at = self.now + self.delay();
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        if !pipe.silent {
            self.schedule(at, Due::Broken { pipe: id, end: from });
        } else if let Some(lane) = pipe.lanes.get_mut(from) {
            lane.keep_unacknowledged(octets.len());
        }
    }

    /// This end learns that the connection is no more.
    pub(super) fn broken(&mut self, id: u64, end: usize) {
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        pipe.lanes.iter_mut().for_each(crate::pipe::Lane::lose);
        let session = pipe.session;
        self.gone(id, end);
        self.settle_at(session, end);
    }

    /// Both ends learn at once that the connection is no more; what is under way is lost.
    pub(super) fn reset(&mut self, id: u64) {
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        pipe.lanes.iter_mut().for_each(crate::pipe::Lane::lose);
        let now = self.now;
        (0..2).for_each(|end| self.schedule(now, Due::Broken { pipe: id, end }));
    }

    /// The connections of a session, oldest first.
    pub(super) fn pipes_of(&self, session: usize) -> Vec<u64> {
        self.pipes.iter().filter(|(_, pipe)| pipe.session == session).map(|(id, _)| *id).collect()
    }

    /// An end's holder has closed the connection, or was told that it is gone: the other one learns of it behind all
    /// octets.
    pub(super) fn gone(&mut self, id: u64, end: usize) {
        let at = self.now + self.delay();
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        let (holder, session) = (pipe.holder(end), pipe.session);
        if holder == Holder::Nobody {
            return;
        }
        if let Some(lane) = pipe.lanes.get_mut(end) {
            lane.close(at);
        }
        if holder == Holder::Router {
            self.peer_mut(session, end, |peer, now| peer.disconnected(now, ConnectionId(id)));
            if let Some(node) = self.node_at(session, end).and_then(|number| self.nodes.get_mut(number)) {
                node.pipes.retain(|(pipe, _)| *pipe != id);
            }
        }
        self.wake_next(id, end);
        self.let_go(id, end);
    }

    /// Nobody holds this end any more; nobody is told.
    pub(super) fn let_go(&mut self, id: u64, end: usize) {
        let Some(pipe) = self.pipes.get_mut(&id) else { return };
        pipe.set_holder(end, Holder::Nobody);
        if pipe.holders == [Holder::Nobody; 2] {
            self.pipes.remove(&id);
        }
    }

    fn drop_pipe(&mut self, id: u64) {
        self.pipes.remove(&id);
        self.nodes.iter_mut().for_each(|node| node.pipes.retain(|(pipe, _)| *pipe != id));
    }

    /// Moves octets from the router's queues into its connections; `false` if none moved.
    pub(super) fn write_all(&mut self, number: usize) -> bool {
        let mut moved = false;
        let mut place = 0;
        while let Some((id, end)) = self.nodes.get(number).and_then(|node| node.pipes.get(place)).copied() {
            place += 1;
            while self.write_piece(id, end) {
                moved = true;
            }
        }
        moved
    }

    fn write_piece(&mut self, id: u64, end: usize) -> bool {
        let window = self.spec.link.window;
        let limit = 1 + self.random.below(self.spec.link.piece);
        let Some(pipe) = self.pipes.get(&id) else { return false };
        let (session, space) = (pipe.session, pipe.lanes.get(end).map_or(0, |lane| lane.space(window)));
        let waiting = self.peer(session, end).and_then(|peer| peer.queue(ConnectionId(id)));
        let Some(queue) = waiting.filter(|queue| space > 0 && !queue.is_empty()) else { return false };
        let mut slices = [IoSlice::new(&[]); 4];
        let filled = queue.gather(&mut slices);
        let octets = slices.iter().take(filled).flat_map(|slice| slice.iter());
        let piece: Vec<u8> = octets.take(space.min(limit)).copied().collect();
        if piece.is_empty() {
            return false;
        }
        self.peer_mut(session, end, |peer, now| peer.wrote(now, ConnectionId(id), piece.len()));
        let at = self.now + self.delay();
        self.send(id, end, at, piece);
        true
    }

    /// Octets set out from an end.
    pub(super) fn send(&mut self, id: u64, end: usize, at: Instant, octets: Vec<u8>) {
        if let Some(lane) = self.pipes.get_mut(&id).and_then(|pipe| pipe.lanes.get_mut(end)) {
            lane.send(at, octets);
            self.wake_next(id, end);
        }
    }

    /// A router wants a connection closed once its queue is written, which may never be.
    pub(super) fn close(&mut self, id: u64, end: usize) {
        let at = self.now + LINGER;
        if let Some(closing) = self.pipes.get_mut(&id).and_then(|pipe| pipe.closing.get_mut(end)) {
            *closing = true;
            self.schedule(at, Due::Lingered { pipe: id, end });
        }
    }

    /// Closes the connections that the router wants closed, and whose queue is written; `false` if there were none.
    pub(super) fn close_written(&mut self, number: usize) -> bool {
        let Some(node) = self.nodes.get(number) else { return false };
        let asked = |(id, end): &(u64, usize)| {
            self.pipes.get(id).and_then(|pipe| pipe.closing.get(*end)).is_some_and(|closing| *closing)
        };
        let closing: Vec<(u64, usize)> = node.pipes.iter().copied().filter(asked).collect();
        let mut closed = false;
        for (id, end) in closing {
            let Some(session) = self.pipes.get(&id).map(|pipe| pipe.session) else { continue };
            let queue = self.peer(session, end).and_then(|peer| peer.queue(ConnectionId(id)));
            if queue.is_none_or(bgp_router::WriteQueue::is_empty) {
                self.gone(id, end);
                closed = true;
            }
        }
        closed
    }

    pub(super) fn lingered(&mut self, id: u64, end: usize) {
        let Some(pipe) = self.pipes.get(&id).filter(|pipe| pipe.holder(end) == Holder::Router) else {
            return;
        };
        let session = pipe.session;
        self.gone(id, end);
        self.settle_at(session, end);
    }

    /// Whether a socket of this router's end of a session holds input.
    pub(super) fn has_unread(&self, number: usize, session: usize, end: usize) -> bool {
        let now = self.now;
        let passes = self.lines.get(session).is_some_and(|line| line.link.passes_from(1 - end.min(1)) <= now);
        let Some(node) = self.nodes.get(number).filter(|_| passes) else { return false };
        node.pipes.iter().filter_map(|(id, _)| self.pipes.get(id)).any(|pipe| {
            let lane = pipe.lanes.get(1 - end.min(1)).filter(|_| pipe.session == session);
            lane.and_then(crate::pipe::Lane::next_arrival).is_some_and(|at| at <= now)
        })
    }
}
