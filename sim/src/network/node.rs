//! Routers: how they start, what they do when it is time, and how they die.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bgp_core::{Asn, FamilySet, Instant, Prefix, RouterId};
use bgp_rib::{FibNextHop, GroupLimits, NextHopSource, NextHopState, RibConfig, Watch};
use bgp_router::{AddPath, AsNumbers, Identity, PeerSettings, RestartSettings, Router, RouterOutput};

use super::{Due, Network};
use crate::kernel::{Kernel, Target};
use crate::random::Random;
use crate::spec::SideSpec;

/// The router id of router `number`.
#[must_use]
pub fn router_id(number: usize) -> RouterId {
    RouterId(0x0a00_0001_u32.saturating_add(number as u32))
}

/// The address of router `number` in sessions, and as the next hop of IPv4 routes.
#[must_use]
pub fn address_v4(number: usize) -> IpAddr {
    Ipv4Addr::from(router_id(number).0).into()
}

/// The address of router `number` as the next hop of IPv6 routes.
#[must_use]
pub fn address_v6(number: usize) -> IpAddr {
    Ipv6Addr::from((0xfd00_u128 << 112) + number as u128 + 1).into()
}

/// How long a router that has started waits for the tables of its peers before it says that it has sent all.
pub(crate) const DEFERRAL: Duration = Duration::from_secs(60);

/// A place for a router; there may be none running in it.
#[derive(Default)]
pub(super) struct Node {
    pub(super) router: Option<Router>,
    /// How often it was started.
    pub(super) lives: u32,
    /// If it is down, when it starts.
    pub(super) up_at: Option<Instant>,
    /// While it is down: whether somebody says so to who wants to connect.
    pub(super) refuses: bool,
    pub(super) frozen_until: Option<Instant>,
    /// When what it started with is over at the latest: from then on it says that it has sent all.
    pub(super) deferred_until: Instant,
    /// The deadline for which a timer is in the heap.
    pub(super) timer: Option<Instant>,
    /// Its sessions, and which end of them it has. Slots are numbered in this order, from 1 on.
    pub(super) lines: Vec<(usize, usize)>,
    /// Its connections, and which end of them it has.
    pub(super) pipes: Vec<(u64, usize)>,
    pub(super) originates: BTreeSet<Prefix>,
    pub(super) draining: bool,
    /// Outlives the router: the next one finds what this one left.
    pub(super) kernel: Kernel,
    /// What the router wants of the kernel.
    pub(super) fib: BTreeMap<Prefix, Vec<FibNextHop>>,
}

impl Node {
    /// A host in the one network that all are in, without a router.
    pub(super) fn new(number: usize) -> Node {
        let mut kernel = Kernel::new();
        let commands = [
            "link add name eth0".to_owned(),
            format!("addr add {}/24 dev eth0", address_v4(number)),
            format!("-6 addr add {}/64 dev eth0", address_v6(number)),
        ];
        // The commands are those that the simulated kernel is made for.
        let _ = commands.iter().try_for_each(|command| kernel.ip(command));
        Node { kernel, ..Node::default() }
    }

    /// The kernel reaches another host at this cost from now on, or not at all.
    pub(super) fn steer(&mut self, to: IpAddr, metric: Option<u32>) {
        let (family, len) = if to.is_ipv4() { ("-4", 32) } else { ("-6", 128) };
        let _ = self.kernel.ip(&format!("{family} route del {to}/{len}"));
        let _ = self.kernel.ip(&match metric {
            Some(metric) => format!("{family} route add {to}/{len} via {to} metric {metric}"),
            None => format!("{family} route add unreachable {to}/{len} metric 1"),
        });
    }

    /// It has one more session; returns its slot.
    pub(super) fn add_line(&mut self, session: usize, end: usize) -> u32 {
        self.lines.push((session, end));
        self.lines.len() as u32
    }
}

impl Network {
    /// Starts the router in a place, with what it is configured to do.
    pub(super) fn start(&mut self, number: usize) {
        let now = self.now;
        let Some(rib) = self.rib_config(number) else { return };
        let Some(identity) = self.identity(number) else { return };
        let Some(node) = self.nodes.get(number) else { return };
        let peers: Vec<PeerSettings> =
            node.lines.iter().filter_map(|(session, end)| self.settings(*session, *end)).collect();
        let mut router = Router::new(identity, rib);
        let restarts = peers.iter().any(|settings| settings.restart.is_some());
        for settings in peers {
            let slot = router.add_peer(now, settings).unwrap_or_default();
            router.with_peer(slot, |peer| peer.set_draining(now, node.draining));
        }
        if restarts {
            router.begin_restart(now, now + DEFERRAL);
        }
        for prefix in &node.originates {
            router.with_core(|core| core.announce_local(now, *prefix));
        }
        let slots = router.slots().collect();
        router.with_core(|core| core.await_end_of_rib(now, slots, now + DEFERRAL));
        if let Some(node) = self.nodes.get_mut(number) {
            node.kernel.restart();
            node.router = Some(router);
            node.lives += 1;
            node.up_at = None;
            node.deferred_until = now + DEFERRAL;
        }
        self.settle(number);
    }

    fn identity(&self, number: usize) -> Option<Identity> {
        let spec = self.spec.routers.get(number)?;
        Some(Identity {
            local_as: spec.asn,
            router_id: router_id(number),
            cluster_id: spec.cluster,
            confederation: spec.confederation,
        })
    }

    fn rib_config(&mut self, number: usize) -> Option<RibConfig> {
        let identity = self.identity(number)?;
        let spec = self.spec.routers.get(number)?;
        let source = if spec.tracks_next_hops { NextHopSource::Tracked } else { NextHopSource::Assume };
        Some(RibConfig {
            decision: spec.decision,
            multipath: spec.multipath,
            next_hops: source,
            export: identity.export_context(),
            limits: group_limits(self.spec.seed, number),
            fib: true,
            seed: self.random.draw(),
        })
    }

    /// How one end of a session treats the other, as its router is told.
    pub(super) fn settings(&self, session: usize, end: usize) -> Option<PeerSettings> {
        let line = self.lines.get(session)?;
        let other_end = 1_usize.checked_sub(end)?;
        let [me, other] = [end, other_end].map(|end| line.ends.get(end).copied());
        let router = |number: usize| self.spec.routers.get(number);
        let side = line.sides.get(end)?;
        let settings = peer_settings(address_v4(other?), side);
        let border = &self.spec.sessions.get(session)?.border;
        let (own, theirs) = (router(me?)?, router(other?)?);
        Some(PeerSettings {
            peer_as: Some(self.known_as(session, other_end)?),
            confederation: own.asn != theirs.asn && !own.is_foreign_to(theirs),
            as_numbers: AsNumbers {
                local: border.local_as.get(end).copied().flatten(),
                ..settings.as_numbers
            },
            role: border.roles.get(end).copied().flatten(),
            ..settings
        })
    }

    /// The AS that the other end of a session knows this one by.
    pub(super) fn known_as(&self, session: usize, end: usize) -> Option<Asn> {
        let spec = self.spec.sessions.get(session)?;
        let router = |end: usize| self.spec.routers.get(*spec.ends.get(end)?);
        let (own, other) = (router(end)?, router(1_usize.checked_sub(end)?)?);
        let former = spec.border.local_as.get(end).copied().flatten().map(|local| local.asn);
        let public = own.confederation.filter(|_| own.is_foreign_to(other)).unwrap_or(own.asn);
        Some(former.unwrap_or(public))
    }

    /// Carries a router's messages, its octets and its wishes until it has nothing more to do at this instant.
    pub(super) fn settle(&mut self, number: usize) {
        if !self.touched.contains(&number) {
            self.touched.push(number);
        }
        loop {
            let now = self.now;
            let Some(node) = self.nodes.get_mut(number) else { return };
            let Some(router) = &mut node.router else { return };
            while router.step(now) {
                self.last_work = now;
            }
            node.take_fib_changes();
            self.take_outputs(number);
            self.take_watches(number);
            let moved = self.write_all(number);
            let closed = self.close_written(number);
            if !moved && !closed {
                break;
            }
        }
        self.arm(number);
    }

    fn take_outputs(&mut self, number: usize) {
        loop {
            let Some(node) = self.nodes.get_mut(number) else { return };
            let Some(output) = node.router.as_mut().and_then(Router::poll) else { return };
            match output {
                RouterOutput::Connect(slot) => {
                    let line = node.lines.get((slot as usize).wrapping_sub(1)).copied();
                    if let Some((session, end)) = line {
                        self.connect(session, end);
                    }
                }
                RouterOutput::Close(_, id) => {
                    if let Some((pipe, end)) = node.pipes.iter().copied().find(|(pipe, _)| *pipe == id.0) {
                        self.close(pipe, end);
                    }
                }
                RouterOutput::Converged => {
                    node.take_fib_changes();
                    node.kernel.finish_adoption();
                }
                RouterOutput::Event(..)
                | RouterOutput::Restarted
                | RouterOutput::DuplicateRouterId { .. } => {}
            }
        }
    }

    /// Next hops are reported a little later.
    fn take_watches(&mut self, number: usize) {
        loop {
            let router = self.nodes.get_mut(number).and_then(|node| node.router.as_mut());
            let Some(router) = router.filter(|router| router.core().has_watches()) else { return };
            match router.with_core(|core| core.poll_watch()) {
                Some(Watch::Start(address)) => {
                    let at = self.now + self.delay();
                    self.schedule(at, Due::NextHop { node: number, address });
                }
                Some(Watch::Stop(_)) => {}
                None => return,
            }
        }
    }

    pub(super) fn tell_next_hop(&mut self, number: usize, address: IpAddr) {
        let state = match self.next_hop(number, address) {
            Some(metric) => NextHopState::Reachable { metric },
            None => NextHopState::Unreachable,
        };
        let now = self.now;
        if let Some(router) = self.nodes.get_mut(number).and_then(|node| node.router.as_mut()) {
            router.with_core(|core| core.next_hop_changed(now, address, state));
            self.settle(number);
        }
    }

    fn arm(&mut self, number: usize) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(number) else { return };
        let Some(deadline) = node.router.as_ref().and_then(Router::next_timeout) else { return };
        if node.timer.is_none_or(|at| deadline < at) {
            node.timer = Some(deadline);
            self.schedule(deadline.max(now), Due::Timer { node: number });
        }
    }

    /// Does what is due; a peer whose socket holds input is told so.
    pub(super) fn timer(&mut self, number: usize) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(number) else { return };
        node.timer = None;
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let Some(router) = &node.router else { return };
        let lines: Vec<(u32, usize, usize)> =
            (1..).zip(&node.lines).map(|(slot, (session, end))| (slot, *session, *end)).collect();
        let is_due = |slot: u32| due(router.peer(slot).and_then(bgp_router::Peer::next_timeout));
        let lines: Vec<_> = lines.into_iter().filter(|(slot, ..)| is_due(*slot)).collect();
        for (slot, session, end) in lines {
            let unread = self.has_unread(number, session, end);
            if let Some(router) = self.nodes.get_mut(number).and_then(|node| node.router.as_mut()) {
                router.with_peer(slot, |peer| peer.handle_timeout(now, unread));
            }
        }
        if let Some(router) = self.nodes.get_mut(number).and_then(|node| node.router.as_mut())
            && due(router.core().next_timeout())
        {
            self.last_work = now;
            router.with_core(|core| core.handle_timeout(now));
        }
        self.settle(number);
    }

    /// The router dies without a word: its connections stay, but nobody holds them.
    pub(super) fn die(&mut self, number: usize, back: Duration) {
        let up_at = self.now + back;
        let refuses = self.random.one_in(2);
        let Some(node) = self.nodes.get_mut(number) else { return };
        if node.router.take().is_none() {
            return;
        }
        node.up_at = Some(up_at);
        node.refuses = refuses;
        node.frozen_until = None;
        node.timer = None;
        node.fib.clear();
        let (pipes, lines) = (std::mem::take(&mut node.pipes), node.lines.clone());
        for (session, end) in lines {
            if let Some(line) = self.lines.get_mut(session) {
                line.link.attempt(end);
            }
        }
        pipes.into_iter().for_each(|(pipe, end)| self.let_go(pipe, end));
        self.touched.push(number);
        self.schedule(up_at, Due::Start { node: number });
    }

    pub(super) fn start_again(&mut self, number: usize) {
        if self.nodes.get(number).is_some_and(|node| node.router.is_none()) {
            self.start(number);
        }
    }
}

impl Node {
    fn take_fib_changes(&mut self) {
        let Some(router) = self.router.as_mut().filter(|router| router.core().has_fib_changes()) else {
            return;
        };
        let mut changes = Vec::new();
        router.with_core(|core| core.take_fib_changes(usize::MAX, &mut changes));
        for change in changes {
            if change.next_hops.is_empty() {
                self.kernel.remove(change.prefix);
                self.fib.remove(&change.prefix);
            } else {
                let gateways: Vec<IpAddr> = change.next_hops.iter().map(|hop| hop.gateway).collect();
                self.kernel.set(change.prefix, Target::Via(gateways));
                self.fib.insert(change.prefix, change.next_hops);
            }
        }
    }
}

fn peer_settings(address: IpAddr, side: &SideSpec) -> PeerSettings {
    let families = |wanted: bool| if wanted { FamilySet::UNICAST } else { FamilySet::EMPTY };
    let [receive, send] = side.add_path.map(families);
    let restart = |restart_time| RestartSettings {
        restart_time,
        long_lived: side.long_lived,
        ..RestartSettings::default()
    };
    PeerSettings {
        client: side.client,
        connect_retry: Duration::from_secs(1),
        passive: side.passive,
        extended_message: side.extended_message,
        import: side.import.clone(),
        export: side.export.clone(),
        next_hop: side.next_hop,
        restart: side.restart_time.map(restart),
        add_path: AddPath { receive, send, max_paths: None },
        advertise: side.advertise,
        keep_received: side.keep_received,
        as_numbers: AsNumbers {
            allow_own: side.allow_own,
            overrides: side.overrides,
            private: side.private,
            local: None,
        },
        enforce_first_as: side.enforce_first_as,
        ..PeerSettings::new(address)
    }
}

/// Some routers have hardly any memory for peers that are behind, and write hardly anything in advance.
pub(crate) fn group_limits(seed: u64, number: usize) -> GroupLimits {
    let mut random = Random::new(seed ^ (number as u64 + 1));
    if random.one_in(2) {
        return GroupLimits::default();
    }
    GroupLimits {
        journal: random.pick(100, &[1000, 4000]),
        tombstones: random.pick(4, &[20, 1 << 20]),
        window: random.pick(1, &[3, 4096]),
        slice: random.pick(1 << 15, &[1, 4]),
        ahead: random.pick(1 << 20, &[0, 200]),
    }
}
