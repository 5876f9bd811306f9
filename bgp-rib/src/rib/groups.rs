//! All update groups, and which peer is in which.

use std::collections::{BTreeMap, VecDeque};

use bgp_core::{Family, FamilySet, Instant};
use bytes::Bytes;

use super::RibConfig;
use crate::fault::{Fault, planted};
use crate::out::{ExportContext, Group, GroupKey, GroupLimits, LoadSharing, Tables, TablesMut, Transmit};
use crate::peer::PeerId;
use crate::table::{Change, DestId};

type GroupId = u64;

struct Member {
    group: GroupId,
    /// The families that it has announced all of.
    end_of_rib: FamilySet,
    /// Whether it was named as ready and has not run dry since.
    named: bool,
}

/// The groups are few: one for each way in which peers differ. Each is there as long as it has a peer.
pub(super) struct Groups {
    context: ExportContext,
    limits: GroupLimits,
    sharing: LoadSharing,
    seed: u64,
    groups: BTreeMap<GroupId, Group>,
    next_id: GroupId,
    members: BTreeMap<PeerId, Member>,
    /// Peers to name as ready, each at most once.
    ready: VecDeque<PeerId>,
    holds_end_of_rib: bool,
}

impl Groups {
    pub(super) fn new(config: &RibConfig) -> Groups {
        Groups {
            context: config.export,
            limits: config.limits,
            sharing: LoadSharing { decision: config.decision, max: config.multipath },
            seed: config.seed,
            groups: BTreeMap::new(),
            next_id: 0,
            members: BTreeMap::new(),
            ready: VecDeque::new(),
            holds_end_of_rib: false,
        }
    }

    pub(super) fn join(&mut self, now: Instant, peer: PeerId, key: GroupKey) {
        let id = self.with_key(key);
        if let Some(group) = self.groups.get_mut(&id) {
            group.join(now, peer);
        }
        self.members.insert(peer, Member { group: id, end_of_rib: FamilySet::EMPTY, named: false });
    }

    /// The group with this key; made if it is not there yet.
    fn with_key(&mut self, key: GroupKey) -> GroupId {
        let export = |group: &Group| {
            let forgotten = planted(Fault::GroupKeyForgetsExport);
            if forgotten { group.key().export.clone() } else { key.export.clone() }
        };
        let same = |group: &Group| *group.key() == GroupKey { export: export(group), ..key.clone() };
        if let Some((id, _)) = self.groups.iter().find(|(_, group)| same(group)) {
            return *id;
        }
        self.next_id += 1;
        let group = Group::new(key, self.context, self.limits, self.seed);
        let mut group = group.with_load_sharing(self.sharing);
        group.hold_end_of_rib(self.holds_end_of_rib);
        self.groups.insert(self.next_id, group);
        self.next_id
    }

    /// Moves a peer to the group with this key, which is one of the same session. A peer that is given up stays where
    /// it is: its session is about to end.
    pub(super) fn regroup(&mut self, now: Instant, peer: PeerId, key: GroupKey, tables: &mut TablesMut<'_>) {
        let Some(old) = self.members.get(&peer).map(|member| member.group) else { return };
        let Some(group) = self.groups.get_mut(&old).filter(|group| *group.key() != key) else { return };
        let Some(moving) = group.depart(peer) else { return };
        let id = self.with_key(key);
        if let Some(group) = self.groups.get_mut(&id) {
            group.arrive(now, peer, moving, tables);
        }
        if let Some(member) = self.members.get_mut(&peer) {
            member.group = id;
        }
        self.close_if_empty(old, tables);
    }

    pub(super) fn leave(&mut self, peer: PeerId, tables: &mut TablesMut<'_>) {
        let Some(member) = self.members.remove(&peer) else { return };
        self.ready.retain(|other| *other != peer);
        if let Some(group) = self.groups.get_mut(&member.group) {
            group.leave(peer);
        }
        self.close_if_empty(member.group, tables);
    }

    fn close_if_empty(&mut self, id: GroupId, tables: &mut TablesMut<'_>) {
        if let Some(group) = self.groups.get_mut(&id).filter(|group| group.is_empty()) {
            group.close(tables);
            self.groups.remove(&id);
        }
    }

    /// Tells the groups that look at what changed, if something did.
    pub(super) fn mark(&mut self, now: Instant, family: Family, dest: DestId, change: Change) {
        if change == Change::Unchanged {
            return;
        }
        let looks = |key: &GroupKey| change == Change::Best || key.looks_beyond_best(family);
        let concerned = self.groups.values_mut().filter(|group| {
            let key = group.key();
            key.families.contains(family) && looks(key)
        });
        concerned.for_each(|group| group.mark(now, family, dest));
    }

    /// Has every group of the family look at a destination again.
    pub(super) fn mark_any(&mut self, now: Instant, family: Family, dest: DestId) {
        self.groups.values_mut().for_each(|group| group.mark(now, family, dest));
    }

    pub(super) fn is_dirty(&self, family: Family, dest: DestId) -> bool {
        self.groups.values().any(|group| group.is_dirty(family, dest))
    }

    pub(super) fn next_flush(&self) -> Option<Instant> {
        self.groups.values().filter_map(Group::next_flush).min()
    }

    pub(super) fn flush_due(&mut self, now: Instant, tables: &mut TablesMut<'_>) {
        for group in self.groups.values_mut().filter(|group| group.next_flush().is_some_and(|at| at <= now)) {
            group.flush(now, tables);
            name_pending(group, &mut self.members, &mut self.ready);
        }
    }

    /// Has End-of-RIB wait in all groups, or lets it go.
    pub(super) fn hold_end_of_rib(&mut self, hold: bool) {
        self.holds_end_of_rib = hold;
        for group in self.groups.values_mut() {
            group.hold_end_of_rib(hold);
            name_pending(group, &mut self.members, &mut self.ready);
        }
    }

    pub(super) fn end_of_rib_received(&mut self, peer: PeerId, family: Family) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.end_of_rib = member.end_of_rib.with(family);
        }
    }

    pub(super) fn end_of_rib(&self, peer: PeerId) -> FamilySet {
        self.members.get(&peer).map(|member| member.end_of_rib).unwrap_or_default()
    }

    pub(super) fn refresh(&mut self, peer: PeerId, family: Family, marked: bool) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        let Some(group) = self.groups.get_mut(&member.group) else { return };
        group.refresh(peer, family, marked);
        if group.has_pending(peer) {
            member.name(peer, &mut self.ready);
        }
    }

    pub(super) fn poll_ready(&mut self) -> Option<PeerId> {
        self.ready.pop_front()
    }

    pub(super) fn poll_transmit(
        &mut self,
        tables: Tables<'_>,
        peer: PeerId,
        budget: usize,
        out: &mut Vec<Bytes>,
    ) -> Transmit {
        let Some(member) = self.members.get_mut(&peer) else { return Transmit::default() };
        let Some(group) = self.groups.get_mut(&member.group) else { return Transmit::default() };
        let sent = group.poll_transmit(tables, peer, budget, out);
        if sent.octets < budget {
            member.named = false;
        }
        sent
    }

    pub(super) fn poll_reset(&mut self) -> Option<PeerId> {
        self.groups.values_mut().find_map(Group::poll_reset)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// The group that the peer is in.
    pub(super) fn of(&self, peer: PeerId) -> Option<&Group> {
        self.groups.get(&self.members.get(&peer)?.group)
    }
}

/// Names the peers of a group that have something to send.
fn name_pending(group: &Group, members: &mut BTreeMap<PeerId, Member>, ready: &mut VecDeque<PeerId>) {
    for peer in group.peers().filter(|peer| group.has_pending(*peer)) {
        if let Some(member) = members.get_mut(&peer) {
            member.name(peer, ready);
        }
    }
}

impl Member {
    fn name(&mut self, peer: PeerId, ready: &mut VecDeque<PeerId>) {
        if !std::mem::replace(&mut self.named, true) {
            ready.push_back(peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use bgp_core::{AddressFamily, Asn, ClusterId, PathId, PeerKind, Prefix, RouterId, V4};

    use super::*;
    use crate::rib::{PeerUp, Rib};
    use crate::testing::{info, prefix};
    use crate::{Advertise, AttributeStore, DecisionConfig, NextHopSource, Summary, TargetKind};

    const NOW: Instant = Instant::ZERO;

    /// A RIB in which client 5 is sent what its key says, and client 6 announces several paths to one destination.
    struct World {
        rib: Rib,
        store: AttributeStore,
    }

    impl World {
        fn new(advertise: Advertise, add_path: FamilySet) -> World {
            let export = ExportContext {
                local_as: Asn(64512),
                router_id: RouterId(1),
                cluster_id: Some(ClusterId(1)),
            };
            let mut rib = Rib::new(RibConfig {
                decision: DecisionConfig::default(),
                multipath: 2,
                next_hops: NextHopSource::Assume,
                export,
                limits: GroupLimits::default(),
                fib: false,
                seed: 1,
            });
            let plain = GroupKey::new(TargetKind::Client, FamilySet::EMPTY.with(V4::FAMILY));
            let group = GroupKey { advertise, add_path, ..plain.clone() };
            rib.peer_up(NOW, PeerUp { info: info(5, 1), group });
            rib.peer_up(NOW, PeerUp { info: info(6, 1), group: plain });
            World { rib, store: AttributeStore::new(1) }
        }

        /// The lower its id, the better a path is.
        fn announce(&mut self, path_id: u32, next_hop: &str) {
            let next_hop = next_hop.parse().unwrap();
            let attrs = self.store.insert(PeerKind::Internal, next_hop, &[], Summary::default());
            self.rib.announce::<V4>(NOW, info(6, 1).id, prefix(1), PathId(path_id), attrs);
        }

        fn flush(&mut self) {
            if let Some(at) = self.rib.next_flush() {
                self.rib.handle_timeout(at);
            }
        }

        fn route(&self) -> crate::RouteView<'_> {
            self.rib.route(Prefix::from(prefix(1))).unwrap()
        }

        /// The next hops of the paths that client 5 is sent.
        fn sent(&self) -> Vec<String> {
            let (peer, route) = (info(5, 1).id, self.route());
            assert!(self.rib.advertises(peer, &route));
            self.rib.sent_paths(peer, &route).map(|path| path.attrs.next_hop().to_string()).collect()
        }
    }

    fn v4() -> FamilySet {
        FamilySet::EMPTY.with(V4::FAMILY)
    }

    #[test]
    fn groups_that_look_beyond_the_best_path_are_told_when_others_change() {
        for advertise in [Advertise::All, Advertise::Ecmp] {
            let mut world = World::new(advertise, v4());
            world.announce(1, "192.0.2.1");
            world.announce(2, "192.0.2.2");
            world.flush();
            assert_eq!(world.sent(), ["192.0.2.1", "192.0.2.2"]);
            world.announce(2, "192.0.2.9");
            world.flush();
            assert_eq!(world.sent(), ["192.0.2.1", "192.0.2.9"], "{advertise:?}");
        }
    }

    #[test]
    fn groups_that_take_the_best_path_are_not_told_when_others_change() {
        for (advertise, add_path) in
            [(Advertise::Best, FamilySet::EMPTY), (Advertise::Best, v4()), (Advertise::All, FamilySet::EMPTY)]
        {
            let mut world = World::new(advertise, add_path);
            world.announce(1, "192.0.2.1");
            world.flush();
            world.announce(2, "192.0.2.2");
            let dest = world.route().dest;
            assert!(!world.rib.groups.is_dirty(V4::FAMILY, dest));
            assert_eq!(world.sent(), ["192.0.2.1"]);
        }
    }
}
