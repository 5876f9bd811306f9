//! The RIB with the sessions that feed it and are fed by it.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bgp_core::wire::notification::cease;
use bgp_core::wire::{AsSegment, Attributes, Notification, Origin, PathAttribute, Summary};
use bgp_core::{Asn, Family, FamilySet, Instant, PeerKind, Prefix, RouterId, V4, V6};
use bgp_rib::{
    AttributeStore, Attrs, BestChange, FibChange, GroupKey, Lag, NextHopState, PeerId, Rib, RibConfig,
    RibFamily, SourceKind, Watch,
};
use hashbrown::HashMap;

use crate::config::Limits;
use crate::message::{Batch, CoreOutput, RouteChange, SessionUp, ToCore, ToPeer};
use crate::propagation::Propagation;

/// Octets of UPDATEs that may be on their way to one peer, between the group's journal and its socket.
pub const WINDOW: usize = 256 * 1024;

/// Sends that may be on their way to one peer.
pub const SENDS: usize = 8;

/// Messages that may wait for one peer: those of a session, with a reset for the limit and one for falling behind,
/// and as many of the session before it, if the peer has not looked since that ended.
pub const CHANNEL: usize = 2 * (SENDS + 2);

#[derive(Debug)]
struct Established {
    id: PeerId,
    address: IpAddr,
    router_id: RouterId,
    asn: Asn,
    families: FamilySet,
    limits: Limits,
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
    /// By slot. Never iterated, so its order is nobody's business.
    sessions: HashMap<u32, Established, foldhash::fast::FixedState>,
    outputs: VecDeque<CoreOutput>,
    propagation: Propagation,
    /// Whose End-of-RIB the first convergence waits for, and until when; `None` once it is told.
    awaited: Option<Awaited>,
}

#[derive(Debug)]
struct Awaited {
    slots: Vec<u32>,
    deadline: Instant,
}

impl Core {
    /// An empty RIB.
    #[must_use]
    pub fn new(config: RibConfig, store: AttributeStore) -> Core {
        let hasher = foldhash::fast::FixedState::with_seed(config.seed);
        let sessions = HashMap::with_hasher(hasher);
        Core {
            rib: Rib::new(config),
            store,
            sessions,
            outputs: VecDeque::new(),
            propagation: Propagation::new(),
            awaited: None,
        }
    }

    /// The tables, to look at.
    #[must_use]
    pub fn rib(&self) -> &Rib {
        &self.rib
    }

    /// A message from a peer.
    pub fn handle(&mut self, now: Instant, message: ToCore) {
        match message {
            ToCore::Up(up) => self.up(now, *up),
            ToCore::Routes(peer, batch) => self.routes(now, peer, &batch),
            ToCore::EndOfRib(peer, family) => {
                self.rib.end_of_rib_received(peer, family);
                self.check_awaited(now);
            }
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
                }
            }
            ToCore::Down(peer, _) => self.down(now, peer),
            ToCore::Regroup(peer, change) => self.regroup(now, peer, *change),
            ToCore::RefreshBegins(..) | ToCore::RefreshEnds(..) => {}
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

    fn down(&mut self, now: Instant, peer: PeerId) {
        if self.session(peer).is_some() {
            self.sessions.remove(&peer.slot);
            self.propagation.forget(peer);
            self.rib.peer_down(now, peer);
        }
    }

    /// A session that would have to be negotiated anew for a change is.
    fn regroup(&mut self, now: Instant, peer: PeerId, (group, kind): (GroupKey, SourceKind)) {
        if self.session(peer).is_some() && !self.rib.regroup(now, peer, group, kind) {
            let notification = Notification::cease(cease::CONFIGURATION_CHANGE, "");
            self.down(now, peer);
            self.outputs.push_back(CoreOutput::Peer(ToPeer::Reset(peer, notification)));
        }
    }

    fn routes(&mut self, now: Instant, peer: PeerId, batch: &Batch) {
        let Some(session) = self.session(peer) else { return };
        let max_prefix = session.limits.prefixes;
        let quiet = self.rib.next_flush().is_none();
        self.apply::<V4>(now, peer, batch, &batch.v4);
        self.apply::<V6>(now, peer, batch, &batch.v6);
        if let Some(received) = batch.received.filter(|_| quiet && self.rib.next_flush().is_some()) {
            self.propagation.begin(now, received);
        }
        if let Some(max) = max_prefix
            && let Some(family) = self.family_over(peer, max)
        {
            // RFC 4486 section 4: the family and the limit.
            let mut data = family.afi.to_be_bytes().to_vec();
            data.push(family.safi);
            data.extend(max.to_be_bytes());
            let notification = Notification::with_data(Notification::CEASE, cease::MAX_PREFIXES, data);
            self.down(now, peer);
            self.outputs.push_back(CoreOutput::Peer(ToPeer::Reset(peer, notification)));
        }
    }

    fn apply<F: RibFamily>(
        &mut self,
        now: Instant,
        peer: PeerId,
        batch: &Batch,
        changes: &[RouteChange<F::Prefix>],
    ) {
        for change in changes {
            let attrs = change.attributes.and_then(|index| batch.attributes.get(index as usize));
            match attrs {
                Some(attrs) => {
                    self.rib.announce::<F>(now, peer, change.prefix, change.path_id, attrs.clone());
                }
                None => self.rib.withdraw::<F>(now, peer, change.prefix, change.path_id),
            }
        }
    }

    fn written(&mut self, peer: PeerId, octets: usize, sends: usize) {
        let Some(session) = self.session(peer) else { return };
        session.octets = session.octets.saturating_sub(octets);
        session.sends = session.sends.saturating_sub(sends);
        if std::mem::take(&mut session.waiting) {
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

    /// Announces a prefix of our own.
    pub fn announce_local(&mut self, now: Instant, prefix: Prefix) {
        let attrs = self.local_attributes(prefix);
        self.rib.announce_local(now, prefix, attrs);
    }

    /// ORIGIN IGP and an empty AS_PATH. The next hop is ours: each group fills in its own (RFC 4271 section 5.1.3).
    fn local_attributes(&self, prefix: Prefix) -> Attrs {
        let mut block = Vec::new();
        PathAttribute::Origin(Origin::Igp).encode(&mut block);
        PathAttribute::AsPath(Vec::<AsSegment>::new()).encode(&mut block);
        let next_hop = match prefix {
            Prefix::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Prefix::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let summary = Summary::of(Attributes::new(&block));
        self.store.insert(PeerKind::Internal, next_hop, &[&block], summary)
    }

    /// Withdraws a prefix of our own.
    pub fn withdraw_local(&mut self, now: Instant, prefix: Prefix) {
        self.rib.withdraw_local(now, prefix);
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

    /// Waits for the first End-of-RIB of all families from the peers in these slots, and for the state of the next hops
    /// that their routes use, but not longer than until `deadline`; then says [`CoreOutput::Converged`]. Until then routes that an earlier run left in the kernel
    /// are worth keeping (RFC 4724 section 4.1).
    pub fn await_end_of_rib(&mut self, now: Instant, slots: Vec<u32>, deadline: Instant) {
        self.awaited = Some(Awaited { slots, deadline });
        self.check_awaited(now);
    }

    /// The peer in this slot is gone for good: it is not waited for. A session that it left behind ends.
    pub fn forget(&mut self, now: Instant, slot: u32) {
        if let Some(id) = self.sessions.get(&slot).map(|session| session.id) {
            self.down(now, id);
        }
        if let Some(awaited) = &mut self.awaited {
            awaited.slots.retain(|other| *other != slot);
        }
        self.check_awaited(now);
    }

    fn check_awaited(&mut self, now: Instant) {
        let Some(awaited) = &self.awaited else { return };
        let all = awaited.slots.iter().all(|slot| self.has_all(*slot)) && self.rib.next_hops().is_settled();
        if all || awaited.deadline <= now {
            self.awaited = None;
            self.outputs.push_back(CoreOutput::Converged);
        }
    }

    /// Whether the peer in `slot` is up and has sent its End-of-RIB for every family.
    fn has_all(&self, slot: u32) -> bool {
        let Some(session) = self.sessions.get(&slot) else { return false };
        let complete = |family| self.rib.peer_counts(session.id, family).is_some_and(|c| c.end_of_rib);
        session.families.iter().all(complete)
    }

    /// The family of which the peer holds more than `max` paths.
    fn family_over(&self, peer: PeerId, max: u32) -> Option<Family> {
        let held = |family| self.rib.peer_counts(peer, family).map_or(0, |counts| counts.accepted);
        [Family::IPV4_UNICAST, Family::IPV6_UNICAST].into_iter().find(|family| held(*family) > max as usize)
    }

    /// When [`Core::handle_timeout`] is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let awaited = self.awaited.as_ref().map(|a| a.deadline);
        self.rib.next_timeout().into_iter().chain(awaited).min()
    }

    /// Time has come: the groups turn what changed into messages.
    pub fn handle_timeout(&mut self, now: Instant) {
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
            let mut chunks = Vec::new();
            let octets = self.rib.poll_transmit(peer, WINDOW - session.octets, &mut chunks);
            if octets == 0 {
                self.propagation.sent(peer, session.sends);
                return;
            }
            session.octets += octets;
            session.sends += 1;
            self.outputs.push_back(CoreOutput::Peer(ToPeer::Send(peer, chunks)));
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
    use bgp_core::{Asn, ClusterId};
    use bgp_rib::{DecisionConfig, ExportContext, GroupLimits, NextHopSource, PeerInfo, PeerUp, TargetKind};

    use super::*;

    fn core() -> Core {
        let export =
            ExportContext { local_as: Asn(64512), router_id: RouterId(9), cluster_id: Some(ClusterId(9)) };
        let config = RibConfig {
            decision: DecisionConfig::default(),
            multipath: 1,
            next_hops: NextHopSource::Assume,
            export,
            limits: GroupLimits::default(),
            fib: false,
            seed: 1,
        };
        Core::new(config, AttributeStore::new(1))
    }

    fn up(slot: u32, router_id: u32, family: Family) -> ToCore {
        let families = FamilySet::EMPTY.with(family);
        let info = PeerInfo {
            id: PeerId { slot, generation: 1 },
            kind: SourceKind::Client,
            address: Ipv4Addr::from(0x0a00_0000 + slot).into(),
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
