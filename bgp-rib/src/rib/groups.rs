//! All update groups, and which peer is in which.

use std::collections::{BTreeMap, VecDeque};

use bgp_core::{Family, FamilySet, Instant};
use bytes::Bytes;

use crate::out::{ExportContext, Group, GroupKey, GroupLimits, Tables, TablesMut};
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
    seed: u64,
    groups: BTreeMap<GroupId, Group>,
    next_id: GroupId,
    members: BTreeMap<PeerId, Member>,
    /// Peers to name as ready, each at most once.
    ready: VecDeque<PeerId>,
    holds_end_of_rib: bool,
}

impl Groups {
    pub(super) fn new(context: ExportContext, limits: GroupLimits, seed: u64) -> Groups {
        Groups {
            context,
            limits,
            seed,
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
        if let Some((id, _)) = self.groups.iter().find(|(_, group)| *group.key() == key) {
            return *id;
        }
        self.next_id += 1;
        let mut group = Group::new(key, self.context, self.limits, self.seed);
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

    /// Tells the groups that the best path changed, if it did.
    pub(super) fn mark(&mut self, now: Instant, family: Family, dest: DestId, change: Change) {
        if change == Change::Best {
            let concerned = self.groups.values_mut().filter(|group| group.key().families.contains(family));
            concerned.for_each(|group| group.mark(now, family, dest));
        }
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
    ) -> usize {
        let Some(member) = self.members.get_mut(&peer) else { return 0 };
        let Some(group) = self.groups.get_mut(&member.group) else { return 0 };
        let bytes = group.poll_transmit(tables, peer, budget, out);
        if bytes < budget {
            member.named = false;
        }
        bytes
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
