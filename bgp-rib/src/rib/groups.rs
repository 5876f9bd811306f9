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

/// A group, and what it is told.
struct Entry {
    id: GroupId,
    /// The families in which it looks at changes of the best path,
    best: FamilySet,
    /// and at those of the others.
    others: FamilySet,
    group: Group,
}

/// The groups are few: one for each way in which peers differ. Each is there as long as it has a peer.
pub(super) struct Groups {
    context: ExportContext,
    limits: GroupLimits,
    sharing: LoadSharing,
    seed: u64,
    /// By id.
    groups: Vec<Entry>,
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
            groups: Vec::new(),
            next_id: 0,
            members: BTreeMap::new(),
            ready: VecDeque::new(),
            holds_end_of_rib: false,
        }
    }

    pub(super) fn join(&mut self, now: Instant, peer: PeerId, key: GroupKey) {
        let id = self.with_key(key);
        if let Some(group) = self.group_mut(id) {
            group.join(now, peer);
        }
        self.members.insert(peer, Member { group: id, end_of_rib: FamilySet::EMPTY, named: false });
    }

    fn place(&self, id: GroupId) -> Option<usize> {
        self.groups.binary_search_by_key(&id, |entry| entry.id).ok()
    }

    fn group_mut(&mut self, id: GroupId) -> Option<&mut Group> {
        let place = self.place(id)?;
        self.groups.get_mut(place).map(|entry| &mut entry.group)
    }

    /// The group with this key; made if it is not there yet.
    fn with_key(&mut self, key: GroupKey) -> GroupId {
        let export = |group: &Group| {
            let forgotten = planted(Fault::GroupKeyForgetsExport);
            if forgotten { group.key().export.clone() } else { key.export.clone() }
        };
        let same = |group: &Group| *group.key() == GroupKey { export: export(group), ..key.clone() };
        if let Some(entry) = self.groups.iter().find(|entry| same(&entry.group)) {
            return entry.id;
        }
        self.next_id += 1;
        let best = key.families;
        let others = best.iter().filter(|family| key.looks_beyond_best(*family)).collect();
        let group = Group::new(key, self.context, self.limits, self.seed);
        let mut group = group.with_load_sharing(self.sharing);
        group.hold_end_of_rib(self.holds_end_of_rib);
        self.groups.push(Entry { id: self.next_id, best, others, group });
        self.next_id
    }

    /// Moves a peer to the group with this key, which is one of the same session. A peer that is given up stays where
    /// it is: its session is about to end.
    pub(super) fn regroup(&mut self, now: Instant, peer: PeerId, key: GroupKey, tables: &mut TablesMut<'_>) {
        let Some(old) = self.members.get(&peer).map(|member| member.group) else { return };
        let Some(group) = self.group_mut(old).filter(|group| *group.key() != key) else { return };
        let Some(moving) = group.depart(peer) else { return };
        let id = self.with_key(key);
        if let Some(group) = self.group_mut(id) {
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
        if let Some(group) = self.group_mut(member.group) {
            group.leave(peer);
        }
        self.close_if_empty(member.group, tables);
    }

    fn close_if_empty(&mut self, id: GroupId, tables: &mut TablesMut<'_>) {
        if let Some(group) = self.group_mut(id).filter(|group| group.is_empty()) {
            group.close(tables);
            self.groups.retain(|entry| entry.id != id);
        }
    }

    /// Tells the groups that look at what changed, if something did.
    pub(super) fn mark(&mut self, now: Instant, family: Family, dest: DestId, change: Change) {
        for entry in &mut self.groups {
            let looks_at = match change {
                Change::Unchanged => return,
                Change::Best => entry.best,
                Change::Others => entry.others,
            };
            if looks_at.contains(family) {
                entry.group.mark(now, family, dest);
            }
        }
    }

    /// Has every group of the family look at a destination again.
    pub(super) fn mark_any(&mut self, now: Instant, family: Family, dest: DestId) {
        self.groups.iter_mut().for_each(|entry| entry.group.mark(now, family, dest));
    }

    pub(super) fn is_dirty(&self, family: Family, dest: DestId) -> bool {
        self.iter().any(|group| group.is_dirty(family, dest))
    }

    pub(super) fn next_flush(&self) -> Option<Instant> {
        self.iter().filter_map(Group::next_flush).min()
    }

    pub(super) fn flush_due(&mut self, now: Instant, tables: &mut TablesMut<'_>) {
        for Entry { group, .. } in &mut self.groups {
            if group.next_flush().is_some_and(|at| at <= now) {
                group.flush(now, tables);
                name_pending(group, &mut self.members, &mut self.ready);
            }
        }
    }

    /// Has End-of-RIB wait in all groups, or lets it go.
    pub(super) fn hold_end_of_rib(&mut self, hold: bool) {
        self.holds_end_of_rib = hold;
        for Entry { group, .. } in &mut self.groups {
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
        let Some(id) = self.members.get(&peer).map(|member| member.group) else { return };
        let Some(group) = self.group_mut(id) else { return };
        group.refresh(peer, family, marked);
        if group.has_pending(peer)
            && let Some(member) = self.members.get_mut(&peer)
        {
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
        let Some(id) = self.members.get(&peer).map(|member| member.group) else { return Transmit::default() };
        let Some(group) = self.group_mut(id) else { return Transmit::default() };
        let sent = group.poll_transmit(tables, peer, budget, out);
        if sent.octets < budget
            && let Some(member) = self.members.get_mut(&peer)
        {
            member.named = false;
        }
        sent
    }

    pub(super) fn poll_reset(&mut self) -> Option<PeerId> {
        self.groups.iter_mut().find_map(|entry| entry.group.poll_reset())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().map(|entry| &entry.group)
    }

    /// The group that the peer is in.
    pub(super) fn of(&self, peer: PeerId) -> Option<&Group> {
        let place = self.place(self.members.get(&peer)?.group)?;
        self.groups.get(place).map(|entry| &entry.group)
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
    use crate::{Advertise, AttributeStore, Summary, TargetKind};

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
            let mut rib = Rib::new(RibConfig { multipath: 2, ..RibConfig::new(export, 1) });
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
