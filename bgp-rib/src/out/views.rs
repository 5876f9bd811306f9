//! What can be asked of a group: what a peer has been sent, how far it is behind, what all of it takes.

use bgp_core::{Family, PathId};

use super::exporter::ExportCounters;
use super::group::{Group, Stage};
use super::records::{Slot, Slots};
use crate::attributes::Attrs;
use crate::peer::PeerId;
use crate::table::DestId;

/// How far a peer is behind its group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Journal entries not read yet.
    pub entries: u64,
    /// Bytes written for the group and not read yet.
    pub bytes: usize,
    /// Whether the peer is sent records, since it has joined, asked for a refresh, or fallen off the journal.
    pub walking: bool,
}

/// A path that a peer holds, or is about to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentPath<'a> {
    /// The identifier that it goes out with (RFC 7911); `None` in a family without ADD-PATH.
    pub path_id: Option<PathId>,
    /// Who announced it: the peer's session at the time, its slot is what counts.
    pub source: PeerId,
    /// The identifier that its source gave it; `None` in a family without ADD-PATH, where it is not kept.
    pub received: Option<PathId>,
    /// The attributes that go out, before they are written for the group.
    pub attrs: &'a Attrs,
}

impl Group {
    /// How many routes of a family the peer has been sent, or is about to be.
    #[must_use]
    pub fn advertised(&self, peer: PeerId, family: Family) -> usize {
        match family {
            _ if !self.members.contains_key(&peer) => 0,
            Family::IPV4_UNICAST => self.v4.records.sent() - self.v4.records.sent_from(peer.slot),
            _ => self.v6.records.sent() - self.v6.records.sent_from(peer.slot),
        }
    }

    /// Whether the peer holds, or is about to be sent, a route to the destination.
    #[must_use]
    pub fn has_sent(&self, peer: PeerId, family: Family, dest: DestId) -> bool {
        self.sent_paths(peer, family, dest).next().is_some()
    }

    /// The paths to the destination that the peer holds, or is about to be sent, by path id.
    pub fn sent_paths(
        &self,
        peer: PeerId,
        family: Family,
        dest: DestId,
    ) -> impl Iterator<Item = SentPath<'_>> {
        let slots = if self.members.contains_key(&peer) { self.slots(family, dest) } else { None };
        let add_path = self.key.add_path.contains(family);
        slots.into_iter().flatten().filter_map(move |(out, slot)| match slot {
            Slot::Sent(record) if record.source.slot != peer.slot => Some(SentPath {
                path_id: add_path.then_some(out.id),
                source: record.source,
                received: add_path.then_some(out.received),
                attrs: record.attrs,
            }),
            _ => None,
        })
    }

    pub(super) fn slots(&self, family: Family, dest: DestId) -> Option<Slots<'_>> {
        match family {
            Family::IPV4_UNICAST => Some(self.v4.records.slots(dest)),
            Family::IPV6_UNICAST => Some(self.v6.records.slots(dest)),
            _ => None,
        }
    }

    /// How far a peer is behind.
    #[must_use]
    pub fn lag(&self, peer: PeerId) -> Lag {
        let Some(member) = self.members.get(&peer) else { return Lag::default() };
        let behind = |from| (self.journal.end().since(from), self.journal.bytes_after(from));
        match member.stage {
            Stage::Attached(cursor) => {
                let (entries, bytes) = behind(cursor);
                Lag { entries, bytes, walking: false }
            }
            Stage::Walking(walk, cursor) => {
                let Some(walk) = self.walks.get(&walk) else { return Lag::default() };
                let (entries, bytes) = walk.upto.or(walk.place()).map_or((0, 0), behind);
                Lag { entries, bytes: bytes + walk.log.bytes_after(cursor), walking: true }
            }
            Stage::GivenUp => Lag::default(),
        }
    }

    /// Tombstones kept, in both families.
    #[must_use]
    pub fn tombstones(&self) -> usize {
        self.v4.records.tombstones() + self.v6.records.tombstones()
    }

    /// The bytes of messages that are kept for peers to read.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.journal.bytes() + self.walks.values().map(|walk| walk.log.bytes()).sum::<usize>()
    }

    /// The memory of what was sent last and of what is still to be read, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        let arrived: usize = self.arrived.iter().map(|snapshot| snapshot.memory()).sum();
        self.v4.records.memory() + self.v6.records.memory() + self.queued_bytes() + arrived
    }

    /// What was written so far.
    #[must_use]
    pub fn counters(&self) -> ExportCounters {
        self.exporter.counters
    }

    /// Whether the peer has something to send.
    #[must_use]
    pub fn has_pending(&self, peer: PeerId) -> bool {
        self.members.get(&peer).is_some_and(|member| match member.stage {
            Stage::Attached(cursor) => {
                cursor < self.journal.end()
                    || member.is_owed_an_end(self.holds_end_of_rib)
                    || !member.refresh.is_empty()
            }
            Stage::Walking(walk, _) => self.walks.get(&walk).is_some_and(|walk| walk.open),
            Stage::GivenUp => false,
        })
    }
}
