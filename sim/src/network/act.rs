//! What befalls routers and links, as the spec says.

use std::net::IpAddr;
use std::time::Duration;

use bgp_core::wire::Notification;
use bgp_core::wire::notification::cease;
use bgp_core::{FamilySet, Instant, Prefix};
use bgp_router::Peer;

use super::{Due, Network, address_v4, address_v6};
use crate::hostile::Hostile;
use crate::pipe::Holder;
use crate::spec::{Event, SideSpec};

/// The prefixes that events name.
pub(super) fn prefixes(events: &[(Duration, Event)]) -> Vec<Prefix> {
    let named = events.iter().filter_map(|(_, event)| match event {
        Event::Announce(_, prefix) | Event::Withdraw(_, prefix) => Some(*prefix),
        _ => None,
    });
    let mut prefixes: Vec<Prefix> = named.collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    prefixes
}

impl Network {
    /// The router that does what an event says, if it is a router's doing.
    pub(super) fn actor(&self, number: usize) -> Option<usize> {
        match &self.spec.events.get(number)?.1 {
            Event::Announce(node, _)
            | Event::Withdraw(node, _)
            | Event::Restart(node, _)
            | Event::Drain(node, _) => Some(*node),
            Event::Shutdown(session, end, _)
            | Event::Refresh(session, end)
            | Event::RefreshOut(session, end)
            | Event::Configure(session, end, _) => self.node_at(*session, *end),
            Event::Reset(_)
            | Event::Cut(..)
            | Event::HalfOpen(..)
            | Event::Stall(..)
            | Event::Crash(..)
            | Event::NextHop(..)
            | Event::Freeze(..)
            | Event::Garbage(..) => None,
        }
    }

    pub(super) fn act(&mut self, number: usize) {
        let now = self.now;
        self.to_come = self.to_come.saturating_sub(1);
        let Some((_, event)) = self.spec.events.get(number).cloned() else { return };
        match event {
            Event::Announce(node, prefix) => self.originate(node, prefix, true),
            Event::Withdraw(node, prefix) => self.originate(node, prefix, false),
            Event::Reset(session) => {
                self.pipes_of(session).into_iter().for_each(|pipe| self.reset(pipe));
            }
            Event::Cut(session, time) => {
                (0..2).for_each(|end| self.cut(session, end, now + time));
            }
            Event::HalfOpen(session, end, time) => self.cut(session, end, now + time),
            Event::Stall(session, end, time) => {
                if let Some(line) = self.lines.get_mut(session) {
                    line.link.stall(end, now + time);
                }
            }
            Event::Crash(node, back) => self.die(node, back),
            Event::Restart(node, back) => self.restart(node, back),
            Event::Shutdown(session, end, back) => self.shut_down(session, end, back),
            Event::Refresh(session, end) => self.operate(session, end, |peer, now| {
                peer.request_refresh(now, FamilySet::UNICAST);
            }),
            Event::RefreshOut(session, end) => self.refresh_out(session, end),
            Event::Configure(session, end, side) => self.configure(session, end, *side),
            Event::Drain(node, draining) => self.drain(node, draining),
            Event::NextHop(node, other, metric) => self.change_next_hop(node, other, metric),
            Event::Freeze(node, time) => {
                if let Some(node) = self.nodes.get_mut(node).filter(|node| node.router.is_some()) {
                    node.frozen_until = Some(now + time).max(node.frozen_until);
                }
            }
            Event::Garbage(session, end, seed) => self.usurp(session, end, seed),
        }
    }

    fn operate(&mut self, session: usize, end: usize, act: impl FnOnce(&mut Peer, Instant)) {
        let now = self.now;
        let Some((number, slot)) = self.slot_at(session, end) else { return };
        if let Some(router) = self.nodes.get_mut(number).and_then(|node| node.router.as_mut()) {
            router.with_peer(slot, |peer| act(peer, now));
            self.settle(number);
        }
    }

    fn originate(&mut self, number: usize, prefix: Prefix, announce: bool) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(number) else { return };
        let changed = if announce { node.originates.insert(prefix) } else { node.originates.remove(&prefix) };
        if let Some(router) = node.router.as_mut().filter(|_| changed) {
            router.with_core(|core| match announce {
                true => core.announce_local(now, prefix),
                false => core.withdraw_local(now, prefix),
            });
            self.settle(number);
        }
    }

    fn cut(&mut self, session: usize, from: usize, until: Instant) {
        if let Some(line) = self.lines.get_mut(session) {
            line.link.cut(from, until);
        }
    }

    /// The router stops as for an upgrade. What its connections cannot take now is lost.
    fn restart(&mut self, number: usize, back: Duration) {
        let now = self.now;
        let Some(router) = self.nodes.get_mut(number).and_then(|node| node.router.as_mut()) else { return };
        router.stop_for_restart(now);
        self.settle(number);
        let left = self.nodes.get(number).map(|node| node.pipes.clone()).unwrap_or_default();
        left.into_iter().for_each(|(pipe, end)| self.gone(pipe, end));
        self.die(number, back);
        if let Some(node) = self.nodes.get_mut(number) {
            node.refuses = true;
        }
    }

    fn shut_down(&mut self, session: usize, end: usize, back: Duration) {
        let at = self.now + back;
        self.schedule(at, Due::StartPeer { session, end });
        self.operate(session, end, |peer, now| {
            peer.stop(now, Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN, "shut down"));
        });
    }

    pub(super) fn start_peer(&mut self, session: usize, end: usize) {
        self.operate(session, end, Peer::start);
    }

    fn refresh_out(&mut self, session: usize, end: usize) {
        let Some((number, slot)) = self.slot_at(session, end) else { return };
        if let Some(router) = self.nodes.get_mut(number).and_then(|node| node.router.as_mut()) {
            if let Some(peer) = router.peer(slot).map(Peer::id) {
                router.with_core(|core| core.refresh_out(peer));
            }
            self.settle(number);
        }
    }

    /// What the two agreed on when the session came up changes with the next one: it is reset then, and only then.
    fn configure(&mut self, session: usize, end: usize, side: SideSpec) {
        let Some(place) = self.lines.get_mut(session).and_then(|line| line.sides.get_mut(end)) else {
            return;
        };
        *place = side;
        let Some(settings) = self.settings(session, end) else { return };
        self.operate(session, end, |peer, now| {
            if !peer.reconfigure(now, settings).needs_reset.is_empty() {
                peer.reset(now, Notification::cease(cease::CONFIGURATION_CHANGE, "configured anew"));
            }
        });
    }

    fn drain(&mut self, number: usize, draining: bool) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(number) else { return };
        node.draining = draining;
        let slots = 1..=node.lines.len() as u32;
        if let Some(router) = &mut node.router {
            for slot in slots {
                router.with_peer(slot, |peer| peer.set_draining(now, draining));
            }
            self.settle(number);
        }
    }

    fn change_next_hop(&mut self, number: usize, other: usize, metric: Option<u32>) {
        let now = self.now;
        // The router has still to hear of it.
        self.last_work = now;
        for address in [address_v4(other), address_v6(other)] {
            if let Some(node) = self.nodes.get_mut(number) {
                node.steer(address, metric);
                self.schedule(now, Due::NextHop { node: number, address });
            }
        }
    }

    /// The cost of a next hop for a router; `None`: it cannot be reached.
    #[must_use]
    pub fn next_hop(&self, number: usize, address: IpAddr) -> Option<u32> {
        if !self.spec.routers.get(number)?.tracks_next_hops {
            return Some(0);
        }
        self.nodes.get(number)?.kernel.resolve(address).map(|to| to.metric)
    }

    /// Somebody takes an end's address and speaks in its place: its connections are reset, it can make no others.
    fn usurp(&mut self, session: usize, end: usize, seed: u64) {
        let Some(line) = self.lines.get(session) else { return };
        let Some(number) = line.ends.get(end).copied().filter(|_| line.hostile.iter().all(Option::is_none))
        else {
            return;
        };
        let Some(asn) = self.known_as(session, end) else { return };
        let hostile = Hostile::new(seed, asn, number, self.prefixes.clone());
        let (now, until) = (self.now, self.now + hostile.lasts);
        self.pipes_of(session).into_iter().for_each(|pipe| self.reset(pipe));
        if let Some(line) = self.lines.get_mut(session) {
            if let Some(place) = line.hostile.get_mut(end) {
                *place = Some(Box::new(hostile));
            }
            if let Some(place) = line.link.impostor.get_mut(end) {
                *place = Some(until);
            }
        }
        self.schedule(now, Due::Hostile { session, end });
    }

    pub(super) fn hostile_acts(&mut self, session: usize, end: usize) {
        let now = self.now;
        let Some(line) = self.lines.get_mut(session) else { return };
        let until = line.link.impostor.get(end).copied().flatten();
        let Some(hostile) = line.hostile.get_mut(end).and_then(Option::as_mut) else { return };
        if until.is_none_or(|until| until <= now) {
            return self.unmask(session, end);
        }
        let next = now + hostile.pause();
        match hostile.connection {
            Some(pipe) => {
                let octets = hostile.speak();
                self.hostile_sends(pipe, end, octets);
            }
            None => self.hostile_connects(session, end),
        }
        self.schedule(next.min(until.unwrap_or(next)), Due::Hostile { session, end });
    }

    /// Whoever spoke in the end's place goes.
    fn unmask(&mut self, session: usize, end: usize) {
        if let Some(line) = self.lines.get_mut(session) {
            line.hostile.iter_mut().for_each(|hostile| *hostile = None);
            line.link.impostor = [None; 2];
        }
        for pipe in self.pipes_of(session) {
            if self.pipes.get(&pipe).is_some_and(|pipe| pipe.holder(end) == Holder::Impostor) {
                self.gone(pipe, end);
            }
        }
    }

    fn hostile_connects(&mut self, session: usize, end: usize) {
        let other = 1 - end.min(1);
        let whole = self.lines.get(session).is_some_and(|line| line.link.whole_from() <= self.now);
        let frozen = |node: &super::Node| node.frozen_until.is_some_and(|until| until > self.now);
        let target = self.node_at(session, other).and_then(|number| self.nodes.get(number));
        if !whole || target.is_none_or(|node| node.router.is_none() || frozen(node)) {
            return;
        }
        let mut holders = [Holder::Router; 2];
        if let Some(place) = holders.get_mut(end) {
            *place = Holder::Impostor;
        }
        let pipe = self.open_pipe(session, holders);
        if self.accept(session, other, pipe) {
            self.hostile_connected(session, end, pipe);
        } else {
            self.gone(pipe, other);
        }
        if let Some(number) = self.node_at(session, other) {
            self.settle(number);
        }
    }

    fn hostile(&mut self, session: usize, end: usize) -> Option<&mut Hostile> {
        self.lines.get_mut(session)?.hostile.get_mut(end)?.as_deref_mut()
    }

    pub(super) fn hostile_connected(&mut self, session: usize, end: usize, pipe: u64) {
        let Some(hostile) = self.hostile(session, end) else { return };
        hostile.connection = Some(pipe);
        let octets = hostile.greet();
        self.hostile_sends(pipe, end, octets);
    }

    pub(super) fn hostile_reads(&mut self, pipe: u64, session: usize, from: usize) {
        let end = 1 - from.min(1);
        let (octets, closed) = self.take_arrived(pipe, from);
        let answer = self.hostile(session, end).map(|hostile| hostile.hear(&octets)).unwrap_or_default();
        self.hostile_sends(pipe, end, answer);
        if closed {
            if let Some(hostile) = self.hostile(session, end) {
                hostile.connection.take_if(|connection| *connection == pipe);
            }
            self.gone(pipe, end);
        }
        self.write_on(pipe, from);
    }

    fn hostile_sends(&mut self, pipe: u64, end: usize, octets: Vec<u8>) {
        let window = self.spec.link.window;
        let space = self.pipes.get(&pipe).and_then(|p| p.lanes.get(end)).map_or(0, |lane| lane.space(window));
        let at = self.now + self.delay();
        // What it cannot say at once it does not say: half a message is the more hostile.
        let said: Vec<u8> = octets.into_iter().take(space).collect();
        if !said.is_empty() {
            self.send(pipe, end, at, said);
        }
    }
}
