//! The whole RIB behind one face: who drives it passes in what sessions and the network say, and polls what comes out.

mod aggregates;
mod apply;
mod explain;
mod follow;
mod groups;
mod restart;
mod settle;
mod views;

use std::net::IpAddr;
use std::time::Duration;

use bgp_core::{Family, FamilySet, Instant, V4, V6};
use bytes::Bytes;

use crate::decision::{Decision, DecisionConfig};
use crate::family::{Families, RibFamily};
use crate::fault::{Fault, planted};
use crate::fib::FibChange;
use crate::next_hop::{NextHopId, NextHopSource, NextHopState, NextHops, Watch};
use crate::out::{ExportContext, GroupKey, GroupLimits, Tables, TablesMut, Transmit};
use crate::peer::{PeerId, PeerInfo, Peers, SourceKind};
use crate::table::Located;
use groups::Groups;

pub use aggregates::Aggregate;
pub(crate) use aggregates::Aggregates;
pub use apply::RouteChange;
pub use explain::ExportExplanation;
pub use follow::BestChange;
pub use views::{MemoryUse, PathView, PeerCounts, RouteView};

/// Destinations that nobody uses are freed this long after the first of them became so.
const TIDY: Duration = Duration::from_millis(5);

/// What a [`Rib`] is made from.
#[derive(Clone, Debug)]
pub struct RibConfig {
    /// How MULTI_EXIT_DISC is treated.
    pub decision: DecisionConfig,
    /// How many next hops may share the load to a destination; 1 for only the best.
    pub multipath: usize,
    /// Where the state of next hops comes from.
    pub next_hops: NextHopSource,
    /// What goes out says this of us.
    pub export: ExportContext,
    /// What each update group may keep for slow peers.
    pub limits: GroupLimits,
    /// Whether someone takes the changes for a FIB ([`Rib::take_fib_changes`]).
    pub fib: bool,
    /// Draws the hash functions: keep it secret, peers choose what is hashed.
    pub seed: u64,
}

impl RibConfig {
    /// One path to each destination, every next hop taken for reachable, nobody who asks for changes of a FIB.
    #[must_use]
    pub fn new(export: ExportContext, seed: u64) -> RibConfig {
        RibConfig {
            decision: DecisionConfig::default(),
            multipath: 1,
            next_hops: NextHopSource::Assume,
            export,
            limits: GroupLimits::default(),
            fib: false,
            seed,
        }
    }
}

/// A session that was established.
#[derive(Clone, Debug)]
pub struct PeerUp {
    /// The peer.
    pub info: PeerInfo,
    /// All that decides what it is sent.
    pub group: GroupKey,
}

/// The tables of both families, the update groups, and the next hops.
///
/// Input that names a session which is not, or no more, up is ignored: it was under way when the session ended.
pub struct Rib {
    config: RibConfig,
    peers: Peers,
    families: Families,
    next_hops: NextHops,
    groups: Groups,
    aggregates: Aggregates,
    /// Used again and again: see [`Rib::apply`].
    places: Vec<Located>,
    /// When what follows from changes is looked at, if there are some.
    settle_at: Option<Instant>,
    /// When destinations that nobody uses are freed, if there are some.
    tidy_at: Option<Instant>,
}

impl Rib {
    /// An empty RIB without peers.
    #[must_use]
    pub fn new(config: RibConfig) -> Rib {
        let ExportContext { local_as, router_id, .. } = config.export;
        let mut rib = Rib {
            peers: Peers::new(local_as, router_id),
            families: Families::new(config.seed, config.fib),
            next_hops: NextHops::new(config.next_hops, config.seed),
            groups: Groups::new(&config),
            aggregates: Aggregates::default(),
            places: Vec::new(),
            settle_at: None,
            tidy_at: None,
            config,
        };
        rib.watch_for_settling();
        rib
    }

    /// A session is established: the peer is sent what it may have, and may announce; not in a slot that there is not. If another session has the slot,
    /// that one is taken down first. What [`Rib::peer_lost`] kept for the peer stays, unless it has another router id, AS
    /// or kind than before, or does not speak the family any more.
    pub fn peer_up(&mut self, now: Instant, up: PeerUp) {
        let id = up.info.id;
        if id.slot == PeerId::LOCAL.slot || id.slot >= PeerId::SLOTS {
            return;
        }
        if let Some(old) = self.peers.slot(id.slot).map(|info| info.id) {
            self.peer_down(now, old);
        }
        self.admit_again(now, &up.info);
        self.families.v4.admit(id);
        self.families.v6.admit(id);
        self.peers.insert(up.info);
        self.groups.join(now, id, up.group);
    }

    /// A session ended for good: all that the peer announced goes, and what was kept of it.
    pub fn peer_down(&mut self, now: Instant, peer: PeerId) {
        self.peer_lost(now, peer, FamilySet::EMPTY, FamilySet::EMPTY);
    }

    /// A peer said that it has announced all it has in this family (RFC 4724 section 2).
    pub fn end_of_rib_received(&mut self, peer: PeerId, family: Family) {
        self.groups.end_of_rib_received(peer, family);
    }

    /// A peer wants to be sent a family again (RFC 2918). `marked`: the session has enhanced refresh, so that the answer
    /// stands between markers (RFC 7313 section 4), unless the family's End-of-RIB is held: no marker may go before that.
    pub fn refresh_requested(&mut self, peer: PeerId, family: Family, marked: bool) {
        self.groups.refresh(peer, family, marked);
    }

    /// Sends a peer all its routes again, as if it had asked for every family.
    pub fn resend(&mut self, peer: PeerId, marked: bool) {
        let families = self.peers.get(peer).map(|info| info.families).unwrap_or_default();
        families.iter().for_each(|family| self.groups.refresh(peer, family, marked));
    }

    /// Has the End-of-RIB that peers are owed after they came up wait (RFC 4724 section 4.1: until all that is to come
    /// after a restart is there), or lets it go.
    pub fn hold_end_of_rib(&mut self, hold: bool) {
        self.groups.hold_end_of_rib(hold);
    }

    /// On a live session, what the peer is sent and what it is to us becomes another: it is sent the difference.
    ///
    /// Returns `false` and does nothing if the session is not up, or if it would have to be negotiated anew for this
    /// ([`GroupKey::is_same_session`]; `kind`: an eBGP peer stays one).
    pub fn regroup(&mut self, now: Instant, peer: PeerId, group: GroupKey, kind: SourceKind) -> bool {
        let is_external = |kind| kind == SourceKind::External;
        let Some(info) = self.peers.get(peer).filter(|_| kind != SourceKind::Local) else { return false };
        let is_same_session = self.groups.of(peer).is_some_and(|old| old.key().is_same_session(&group));
        if !is_same_session || is_external(info.kind) != is_external(kind) {
            return false;
        }
        if info.kind != kind {
            self.peers.set_kind(peer, kind);
            self.mark_all_of::<V4>(now, peer.slot);
            self.mark_all_of::<V6>(now, peer.slot);
        }
        let Rib { families, peers, groups, .. } = self;
        groups.regroup(now, peer, group, &mut tables_mut(families, peers));
        self.tidy_later(now);
        true
    }

    /// Has all groups look again at what a peer announced: who may have it is another question now. The order of the
    /// paths is the same, it does not tell clients from other iBGP peers.
    fn mark_all_of<F: RibFamily>(&mut self, now: Instant, slot: u32) {
        for dest in F::rib(&self.families).dests_of(slot) {
            self.groups.mark_any(now, F::FAMILY, dest);
        }
    }

    /// The state of a next hop was reported: all paths through it are ranked again if it really changed.
    pub fn next_hop_changed(&mut self, now: Instant, address: IpAddr, state: NextHopState) {
        let is_answer = self.next_hops.state(address) == Some(NextHopState::Unknown);
        let changed = self.next_hops.set(address, state);
        let Some(id) = self.next_hops.id(address) else { return };
        if is_answer {
            self.families.next_hop_answered(id, &self.next_hops);
        }
        let rerouted = state == NextHopState::Unreachable && self.find_route_to(address, id);
        if changed || rerouted {
            self.rank_again(now, id);
        }
    }

    /// Ranks all paths through a next hop again.
    fn rank_again(&mut self, now: Instant, id: NextHopId) {
        if planted(Fault::NextHopChangeMissed) {
            return;
        }
        let Rib { config, peers, families, next_hops, groups, .. } = self;
        let decision = Decision::new(config.decision, peers);
        let metric = next_hops.metric(id);
        families.v4.set_metric(id, metric, decision, next_hops, |dest, change| {
            groups.mark(now, Family::IPV4_UNICAST, dest, change);
        });
        families.v6.set_metric(id, metric, decision, next_hops, |dest, change| {
            groups.mark(now, Family::IPV6_UNICAST, dest, change);
        });
        self.settle_later(now);
    }

    /// What the one who tracks next hops is to be told next.
    pub fn poll_watch(&mut self) -> Option<Watch> {
        self.next_hops.poll_watch()
    }

    /// Whether [`Rib::poll_watch`] may have something to tell.
    #[must_use]
    pub fn has_watches(&self) -> bool {
        self.next_hops.has_watches()
    }

    /// When the next group turns its changes into messages; `None`: no group has any.
    #[must_use]
    pub fn next_flush(&self) -> Option<Instant> {
        self.groups.next_flush()
    }

    /// When [`Rib::handle_timeout`] is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        [self.groups.next_flush(), self.settle_at, self.tidy_at].into_iter().flatten().min()
    }

    /// Does what is due: turns changes into messages.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.settle(now);
        let Rib { families, peers, groups, aggregates, .. } = self;
        let mut tables = TablesMut { aggregates: Some(aggregates), ..tables_mut(families, peers) };
        groups.flush_due(now, &mut tables);
        self.reclaim();
    }

    /// A peer that has something to send. Each is named once; it is named again when something new has come after
    /// [`Rib::poll_transmit`] gave less than was asked for.
    pub fn poll_ready(&mut self) -> Option<PeerId> {
        self.groups.poll_ready()
    }

    /// Appends whole messages for a peer to `out`, in shared slices of at most 64 KiB, until about `budget` bytes.
    /// Less than `budget`: there is nothing more.
    pub fn poll_transmit(&mut self, peer: PeerId, budget: usize, out: &mut Vec<Bytes>) -> Transmit {
        let Families { v4, v6 } = &self.families;
        let tables = Tables { v4: &v4.table, v6: &v6.table };
        self.groups.poll_transmit(tables, peer, budget, out)
    }

    /// A peer that takes so little that it can no longer be kept in step: its session must be reset.
    pub fn poll_reset(&mut self) -> Option<PeerId> {
        self.groups.poll_reset()
    }

    /// Appends changes for the FIB to `out` until it holds `max`; less: there are no more. A destination that changed
    /// often is told once.
    pub fn take_fib_changes(&mut self, max: usize, out: &mut Vec<FibChange>) {
        let Rib { config, peers, families: Families { v4, v6 }, next_hops, .. } = self;
        let decision = Decision::new(config.decision, peers);
        if let Some(fib) = &mut v4.fib {
            fib.take(&mut v4.table, decision, config.multipath, next_hops, max, out);
        }
        if let Some(fib) = &mut v6.fib {
            fib.take(&mut v6.table, decision, config.multipath, next_hops, max, out);
        }
        self.reclaim();
    }

    /// Whether [`Rib::take_fib_changes`] has something to give.
    #[must_use]
    pub fn has_fib_changes(&self) -> bool {
        let Families { v4, v6 } = &self.families;
        [&v4.fib, &v6.fib].into_iter().flatten().any(|fib| fib.has_changes())
    }

    fn tidy_later(&mut self, now: Instant) {
        if self.families.v4.table.has_vacant() || self.families.v6.table.has_vacant() {
            self.tidy_at.get_or_insert(now + TIDY);
        }
    }

    /// Frees the destinations that no consumer has still to look at. What is left over is freed when it has.
    fn reclaim(&mut self) {
        self.reclaim_in::<V4>();
        self.reclaim_in::<V6>();
        self.tidy_at = None;
    }

    fn reclaim_in<F: RibFamily>(&mut self) {
        let groups = &self.groups;
        let rib = F::rib_mut(&mut self.families);
        let (fib, followed, unsettled) = (&rib.fib, &rib.followed, &rib.unsettled);
        let is_in_fib = |dest| fib.as_ref().is_some_and(|fib| fib.is_dirty(dest));
        let is_followed = |dest| followed.as_ref().is_some_and(|followed| followed.contains(dest));
        let is_unsettled = |dest| unsettled.as_ref().is_some_and(|unsettled| unsettled.contains(dest));
        rib.table.reclaim(|dest| {
            is_in_fib(dest) || is_followed(dest) || is_unsettled(dest) || groups.is_dirty(F::FAMILY, dest)
        });
    }
}

fn tables_mut<'a>(families: &'a mut Families, peers: &'a Peers) -> TablesMut<'a> {
    TablesMut { v4: &mut families.v4.table, v6: &mut families.v6.table, peers, aggregates: None }
}

#[cfg(test)]
mod tests;
