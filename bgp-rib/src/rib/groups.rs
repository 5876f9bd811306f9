//! All update groups, and which peer is in which.

use std::collections::{BTreeMap, VecDeque};

use bgp_core::{Family, FamilySet, Instant};
use bytes::Bytes;

use super::RibConfig;
use crate::out::{ExportContext, Group, GroupKey, GroupLimits, LoadSharing, Tables, TablesMut};
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
        }
    }

    pub(super) fn join(&mut self, now: Instant, peer: PeerId, key: GroupKey) {
        let id = match self.groups.iter().find(|(_, group)| *group.key() == key) {
            Some((id, _)) => *id,
            None => {
                self.next_id += 1;
                self.next_id
            }
        };
        let (context, limits, seed, sharing) = (self.context, self.limits, self.seed, self.sharing);
        let new = || Group::new(key, context, limits, seed).with_load_sharing(sharing);
        let group = self.groups.entry(id).or_insert_with(new);
        group.join(now, peer);
        self.members.insert(peer, Member { group: id, end_of_rib: FamilySet::EMPTY, named: false });
    }

    pub(super) fn leave(&mut self, peer: PeerId, tables: &mut TablesMut<'_>) {
        let Some(member) = self.members.remove(&peer) else { return };
        self.ready.retain(|other| *other != peer);
        let Some(group) = self.groups.get_mut(&member.group) else { return };
        group.leave(peer);
        if group.is_empty() {
            group.close(tables);
            self.groups.remove(&member.group);
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
            for peer in group.peers().filter(|peer| group.has_pending(*peer)) {
                if let Some(member) = self.members.get_mut(&peer) {
                    member.name(peer, &mut self.ready);
                }
            }
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

    pub(super) fn refresh(&mut self, peer: PeerId, family: Family) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        let Some(group) = self.groups.get_mut(&member.group) else { return };
        group.refresh(peer, family);
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

impl Member {
    fn name(&mut self, peer: PeerId, ready: &mut VecDeque<PeerId>) {
        if !std::mem::replace(&mut self.named, true) {
            ready.push_back(peer);
        }
    }
}
