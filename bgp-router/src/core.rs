//! The RIB with the sessions that feed it and are fed by it.

mod convergence;
mod limits;
mod local;
mod retention;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use bgp_core::wire::Notification;
use bgp_core::wire::notification::cease;
use bgp_core::{Asn, FamilySet, Instant, RouterId, V4, V6};
use bgp_rib::fault::{Fault, planted};
use bgp_rib::{
    AttributeStore, BestChange, FibChange, GroupKey, Lag, NextHopState, PeerId, Rib, RibConfig, SourceKind,
    Watch,
};
use hashbrown::HashMap;

use crate::config::Limits;
use crate::message::{Batch, CoreOutput, SessionUp, ToCore, ToPeer};
use crate::propagation::Propagation;
use crate::restart::Restarts;
use convergence::{Awaited, Restarting};

pub use local::AggregateSettings;

/// Octets of UPDATEs that may be on their way to one peer, between the group's journal and its socket.
pub const WINDOW: usize = 256 * 1024;

/// Sends that may be on their way to one peer.
pub const SENDS: usize = 8;

/// Messages that may wait for one peer: those of a session, with a reset for the limit, one for falling behind and a
/// warning for each family, and as many of the session before it, if the peer has not looked since that ended.
pub const CHANNEL: usize = 2 * (SENDS + 4);

#[derive(Debug)]
struct Established {
    id: PeerId,
    address: IpAddr,
    router_id: RouterId,
    asn: Asn,
    families: FamilySet,
    limits: Limits,
    /// The families of which it has been said that their routes are many.
    many: FamilySet,
    /// Whether the peer marks the end of its routes.
    sends_end_of_rib: bool,
    /// Whether our restart is not over without its End-of-RIB.
    is_awaited: bool,
    enhanced_refresh: bool,
    octets: usize,
    sends: usize,
    /// The group has something, but the window is full.
    waiting: bool,
}

impl Established {
    fn is_twin_of(&self, other: &Established) -> bool {
        (self.router_id, self.asn) == (other.router_id, other.asn)
            && self.address != other.address
            && !self.families.intersection(other.families).is_empty()
    }
}

/// The RIB and its sessions.
pub struct Core {
    rib: Rib,
    store: AttributeStore,
    /// By slot. No output follows its order.
    sessions: HashMap<u32, Established, foldhash::fast::FixedState>,
    outputs: VecDeque<CoreOutput>,
    propagation: Propagation,
    restarts: Restarts,
    /// Ourselves as an aggregate names us (RFC 4271 section 5.1.7).
    us: (Asn, RouterId),
    /// `None` once the first convergence is told.
    awaited: Option<Awaited>,
    /// `None` unless we have just restarted.
    restarting: Option<Restarting>,
}

impl Core {
    /// An empty RIB.
    #[must_use]
    pub fn new(config: RibConfig, store: AttributeStore) -> Core {
        let hasher = foldhash::fast::FixedState::with_seed(config.seed);
        let sessions = HashMap::with_hasher(hasher);
        Core {
            us: (config.export.local_as, config.export.router_id),
            rib: Rib::new(config),
            store,
            sessions,
            outputs: VecDeque::new(),
            propagation: Propagation::new(),
            restarts: Restarts::default(),
            awaited: None,
            restarting: None,
        }
    }

    /// The tables, to look at.
    #[must_use]
    pub fn rib(&self) -> &Rib {
        &self.rib
    }

    /// Gives back the room for routes that are gone, which is kept for others until then.
    pub fn shrink(&self) {
        self.store.shrink();
    }

    /// A message from a peer.
    pub fn handle(&mut self, now: Instant, message: ToCore) {
        match message {
            ToCore::Up(up) => self.up(now, *up),
            ToCore::Routes(peer, batch) => self.routes(now, peer, &batch),
            ToCore::EndOfRib(peer, family) => self.end_of_rib(now, peer, family),
            ToCore::Refresh(peer, family) => {
                if let Some(marked) = self.session(peer).map(|s| s.enhanced_refresh) {
                    self.rib.refresh_requested(peer, family, marked);
                }
            }
            ToCore::Written { peer, octets, sends, at } => {
                let took = self.propagation.written(peer, sends, at);
                self.outputs.extend(took.map(CoreOutput::Propagated));
                self.written(peer, octets, sends);
            }
            ToCore::Limit(peer, limits) => {
                if let Some(session) = self.session(peer) {
                    session.limits = limits;
                    self.enforce_limits(now, peer);
                }
            }
            ToCore::RefreshBegins(peer, family) => self.refresh_begins(peer, family),
            ToCore::RefreshEnds(peer, family) => {
                if self.session(peer).is_some()
                    && self.restarts.refresh_ends(peer.slot, family)
                    && !planted(Fault::RefreshEndsWithoutSweep)
                {
                    self.rib.sweep_stale(now, peer.slot, family);
                }
            }
            ToCore::Down(peer, retention) => self.down(now, peer, retention.as_ref()),
            ToCore::Regroup(peer, change) => self.regroup(now, peer, *change),
        }
    }

    /// Whether `peer` is the live session of its slot.
    fn session(&mut self, peer: PeerId) -> Option<&mut Established> {
        self.sessions.get_mut(&peer.slot).filter(|s| s.id == peer)
    }

    fn up(&mut self, now: Instant, up: SessionUp) {
        let info = &up.peer.info;
        let id = info.id;
        let session = Established {
            id,
            address: info.address,
            router_id: info.router_id,
            asn: info.asn,
            families: info.families,
            limits: up.limits,
            many: FamilySet::EMPTY,
            sends_end_of_rib: up.sends_end_of_rib,
            is_awaited: up.sends_end_of_rib && !up.restarted,
            enhanced_refresh: up.enhanced_refresh,
            octets: 0,
            sends: 0,
            waiting: false,
        };
        self.warn_of_twins(&session);
        if let Some(old) = self.sessions.insert(id.slot, session) {
            self.propagation.forget(old.id);
            self.rib.peer_down(now, old.id);
        }
        self.rib.peer_up(now, up.peer);
        let stale = self.rib.stale_families(id.slot);
        for family in self.restarts.back(now, id.slot, stale, up.restart).iter() {
            self.rib.sweep_stale(now, id.slot, family);
        }
        self.note_up(now);
    }

    /// Two speakers with one router id hide each other's routes from clients of a reflector (RFC 4456 section 8).
    /// One that runs a session for each family is no such pair, nor are two in different AS (RFC 6286).
    fn warn_of_twins(&mut self, new: &Established) {
        // The lowest, so that no output follows the order of the map.
        if let Some(other) = self.sessions.values().filter(|s| s.is_twin_of(new)).map(|s| s.address).min() {
            let peers = [new.address, other];
            self.outputs.push_back(CoreOutput::DuplicateRouterId { router_id: new.router_id, peers });
        }
    }

    /// The router ids that peers share which are up now, each with two of them for every peer too many: what
    /// [`CoreOutput::DuplicateRouterId`] told, as long as it is so. By router id and address.
    #[must_use]
    pub fn duplicate_router_ids(&self) -> Vec<(RouterId, [IpAddr; 2])> {
        let mut sessions: Vec<&Established> = self.sessions.values().collect();
        sessions.sort_unstable_by_key(|s| (s.router_id, s.address));
        let mut duplicates = Vec::new();
        for same in sessions.chunk_by(|a, b| a.router_id == b.router_id) {
            for (place, session) in same.iter().enumerate() {
                if let Some(other) = same.iter().take(place).find(|s| s.is_twin_of(session)) {
                    duplicates.push((session.router_id, [other.address, session.address]));
                }
            }
        }
        duplicates
    }

    /// A session that would have to be negotiated anew for a change is.
    fn regroup(&mut self, now: Instant, peer: PeerId, (group, kind): (GroupKey, SourceKind)) {
        if self.session(peer).is_some() && !self.rib.regroup(now, peer, group, kind) {
            let notification = Notification::cease(cease::CONFIGURATION_CHANGE, "");
            self.down(now, peer, None);
            self.outputs.push_back(CoreOutput::Peer(ToPeer::Reset(peer, notification)));
        }
    }

    fn routes(&mut self, now: Instant, peer: PeerId, batch: &Batch) {
        if self.session(peer).is_none() {
            return;
        }
        let quiet = self.rib.next_flush().is_none();
        self.rib.apply::<V4>(now, peer, &batch.v4, &batch.attributes);
        self.rib.apply::<V6>(now, peer, &batch.v6, &batch.attributes);
        if let Some(received) = batch.received.filter(|_| quiet && self.rib.next_flush().is_some()) {
            self.propagation.begin(now, received);
        }
        self.enforce_limits(now, peer);
    }

    fn written(&mut self, peer: PeerId, octets: usize, sends: usize) {
        let Some(session) = self.session(peer) else { return };
        session.octets = session.octets.saturating_sub(octets);
        session.sends = session.sends.saturating_sub(sends);
        if std::mem::take(&mut session.waiting) && !planted(Fault::WakeupLost) {
            self.transmit(peer);
        }
    }

    /// How far a peer is behind: how long ago the oldest routes were read that it has still to be sent or to take. Zero if
    /// there are none, or for less than a tenth of a second.
    #[must_use]
    pub fn send_lag(&self, now: Instant, peer: PeerId) -> Duration {
        self.propagation.lag(peer, now)
    }

    /// Sends a peer all its routes again.
    pub fn refresh_out(&mut self, peer: PeerId) {
        if let Some(marked) = self.session(peer).map(|s| s.enhanced_refresh) {
            self.rib.resend(peer, marked);
        }
    }

    /// The world says whether a next hop can be reached.
    pub fn next_hop_changed(&mut self, now: Instant, next_hop: IpAddr, state: NextHopState) {
        self.rib.next_hop_changed(now, next_hop, state);
        self.check_awaited(now);
    }

    /// The next hop to watch, or to watch no longer. Report states with [`Core::next_hop_changed`]. What is not polled
    /// coalesces.
    pub fn poll_watch(&mut self) -> Option<Watch> {
        self.rib.poll_watch()
    }

    /// Whether [`Core::poll_watch`] may have something to tell.
    #[must_use]
    pub fn has_watches(&self) -> bool {
        self.rib.has_watches()
    }

    /// When [`Core::handle_timeout`] is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let parts = [self.rib.next_timeout(), self.restarts.next_timeout(), self.next_convergence()];
        parts.into_iter().flatten().min()
    }

    /// Time has come: the groups turn what changed into messages.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.act_on_restarts(now);
        let flushes = self.rib.next_flush().is_some_and(|at| at <= now);
        self.rib.handle_timeout(now);
        if flushes && let Some(received) = self.propagation.take_sample() {
            for peer in self.sessions.values().map(|session| session.id) {
                if self.rib.lag(peer).is_some_and(|lag| lag != Lag::default()) {
                    self.propagation.probe(peer, received);
                }
            }
        }
        self.check_awaited(now);
    }

    /// The next thing to carry to a peer or the world.
    pub fn poll(&mut self) -> Option<CoreOutput> {
        while self.outputs.is_empty() {
            let Some(peer) = self.rib.poll_ready() else { break };
            self.transmit(peer);
        }
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        let peer = self.rib.poll_reset()?;
        let text = "so far behind that resending would cost more than a new session";
        Some(CoreOutput::Peer(ToPeer::Reset(peer, Notification::cease(cease::OUT_OF_RESOURCES, text))))
    }

    /// Moves chunks from the group to the peer, as far as its window allows.
    fn transmit(&mut self, peer: PeerId) {
        loop {
            let Some(session) = self.sessions.get_mut(&peer.slot).filter(|s| s.id == peer) else { return };
            if session.octets >= WINDOW || session.sends >= SENDS {
                session.waiting = true;
                return;
            }
            let (room, mut chunks) = (WINDOW - session.octets, Vec::new());
            let counts = self.rib.poll_transmit(peer, room, &mut chunks);
            if counts.octets > 0 {
                session.octets += counts.octets;
                session.sends += 1;
                self.outputs.push_back(CoreOutput::Peer(ToPeer::Send { peer, chunks, counts }));
            }
            if counts.octets < room {
                self.propagation.sent(peer, session.sends);
                return;
            }
        }
    }

    /// Whether [`Core::take_fib_changes`] has something to give.
    #[must_use]
    pub fn has_fib_changes(&self) -> bool {
        self.rib.has_fib_changes()
    }

    /// Takes up to `max` changes of what the FIB should hold; what is not taken coalesces.
    pub fn take_fib_changes(&mut self, max: usize, out: &mut Vec<FibChange>) {
        self.rib.take_fib_changes(max, out);
    }

    /// Begins or ends to note changes of best paths: see [`Rib::follow_best`].
    pub fn follow_best(&mut self, follow: bool) {
        self.rib.follow_best(follow);
    }

    /// Gives up to `max` changes of best paths to `on`: see [`Rib::take_best_changes`].
    pub fn take_best_changes(&mut self, max: usize, on: impl FnMut(BestChange<'_>)) {
        self.rib.take_best_changes(max, on);
    }
}

#[cfg(test)]
mod tests {
    use bgp_core::{Asn, ClusterId, Family};
    use bgp_rib::{ExportContext, PeerInfo, PeerUp, TargetKind};

    use super::*;

    fn core() -> Core {
        let export =
            ExportContext { local_as: Asn(64512), router_id: RouterId(9), cluster_id: Some(ClusterId(9)) };
        let config = RibConfig::new(export, 1);
        Core::new(config, AttributeStore::new(1))
    }

    fn up(slot: u32, router_id: u32, family: Family) -> ToCore {
        let families = FamilySet::EMPTY.with(family);
        let info = PeerInfo {
            id: PeerId { slot, generation: 1 },
            kind: SourceKind::Client,
            address: std::net::Ipv4Addr::from(0x0a00_0000 + slot).into(),
            router_id: RouterId(router_id),
            asn: Asn(64512),
            families,
        };
        let group = GroupKey::new(TargetKind::Client, families);
        ToCore::Up(Box::new(SessionUp::new(PeerUp { info, group })))
    }

    #[test]
    fn a_shared_router_id_is_known_as_long_as_both_sessions_are_up() {
        let mut core = core();
        for message in [up(1, 7, Family::IPV4_UNICAST), up(2, 8, Family::IPV4_UNICAST)] {
            core.handle(Instant::ZERO, message);
        }
        assert_eq!(core.duplicate_router_ids(), []);
        core.handle(Instant::ZERO, up(3, 7, Family::IPV4_UNICAST));
        core.handle(Instant::ZERO, up(4, 8, Family::IPV6_UNICAST));
        let peers = ["10.0.0.1".parse().unwrap(), "10.0.0.3".parse().unwrap()];
        assert_eq!(core.duplicate_router_ids(), [(RouterId(7), peers)]);
        core.handle(Instant::ZERO, ToCore::Down(PeerId { slot: 1, generation: 1 }, None));
        assert_eq!(core.duplicate_router_ids(), []);
    }

    #[test]
    fn a_change_of_group_keeps_the_session_unless_it_has_to_be_negotiated() {
        let mut core = core();
        core.handle(Instant::ZERO, up(1, 7, Family::IPV4_UNICAST));
        let id = PeerId { slot: 1, generation: 1 };
        let regroup = |group| ToCore::Regroup(id, Box::new((group, SourceKind::Client)));
        let group = GroupKey::new(TargetKind::Client, FamilySet::EMPTY.with(Family::IPV4_UNICAST));
        core.handle(Instant::ZERO, regroup(GroupKey { draining: true, ..group.clone() }));
        assert!(core.poll().is_none() && core.rib().groups().all(|group| group.key().draining));
        core.handle(Instant::ZERO, regroup(GroupKey { families: FamilySet::EMPTY, ..group }));
        assert!(matches!(core.poll(), Some(CoreOutput::Peer(ToPeer::Reset(peer, _))) if peer == id));
        assert_eq!(core.rib().groups().count(), 0);
    }
}
