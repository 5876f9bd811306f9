//! What a peer is handed when it can take some bytes, and how it gets from walks to the journal.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use bgp_core::wire::{RouteRefresh, encode};
use bgp_core::{Family, FamilySet};
use bytes::Bytes;

use super::Tables;
use super::group::{Group, Member, Stage, WalkId, member_in};
use super::journal::Sequence;
use super::resync::{Holds, Place, Walk, Window};
use crate::fault::{Fault, planted};
use crate::peer::PeerId;

/// What a peer was handed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transmit {
    /// The octets of all messages.
    pub octets: usize,
    /// The UPDATEs among them, End-of-RIB too.
    pub updates: u64,
    /// The ROUTE-REFRESHes among them: the markers around the answer to one (RFC 7313 section 4).
    pub refreshes: u64,
}

impl Transmit {
    pub(super) fn of_updates(octets: usize, updates: u32) -> Transmit {
        Transmit { octets, updates: updates.into(), refreshes: 0 }
    }
}

impl AddAssign for Transmit {
    fn add_assign(&mut self, more: Transmit) {
        self.octets += more.octets;
        self.updates += more.updates;
        self.refreshes += more.refreshes;
    }
}

impl Group {
    /// Appends whole messages for `peer` to `out`, in shared slices of at most 64 KiB, until about `budget` bytes are
    /// reached (one entry more at most) or there is nothing more.
    pub fn poll_transmit(
        &mut self,
        tables: Tables<'_>,
        peer: PeerId,
        budget: usize,
        out: &mut Vec<Bytes>,
    ) -> Transmit {
        let mut total = Transmit::default();
        while total.octets < budget {
            let Some(member) = self.members.get(&peer) else { break };
            let room = budget - total.octets;
            match member.stage {
                Stage::Attached(cursor) if member.may_refresh(cursor, self.holds_end_of_rib) => {
                    total += self.begin_refresh(peer, cursor, out);
                }
                Stage::Attached(_) => {
                    total += self.read_journal(peer, room, out);
                    // A refresh may have waited for what came before it.
                    if self.members.get(&peer).is_none_or(|member| member.refresh.is_empty()) {
                        break;
                    }
                }
                Stage::Walking(walk, cursor) => match self.read_walk(tables, peer, walk, cursor, room, out) {
                    Some(read) => total += read,
                    None => break,
                },
                Stage::GivenUp => break,
            }
        }
        self.resume();
        total
    }

    /// Starts to send again what was asked for, up to the peer's place in the journal. RFC 7313 section 4: the marker
    /// comes first, but not before the family's End-of-RIB. While that is held the answer is sent without markers.
    fn begin_refresh(&mut self, peer: PeerId, cursor: Sequence, out: &mut Vec<Bytes>) -> Transmit {
        let Some(member) = self.members.get_mut(&peer) else { return Transmit::default() };
        let families = take(&mut member.refresh);
        let marked = take(&mut member.marked).iter().filter(|family| !member.end_of_rib.contains(*family));
        let marked: FamilySet = marked.collect();
        member.end_of_refresh = marked;
        let stage = self.start_walk(Holds::All, Some(cursor), families, true);
        self.set_stage(peer, stage);
        hand_out(out, |message| Transmit {
            refreshes: refresh_markers(message, RouteRefresh::BEGIN, marked),
            ..Transmit::default()
        })
    }

    fn read_journal(&mut self, peer: PeerId, budget: usize, out: &mut Vec<Bytes>) -> Transmit {
        let Some(member) = self.members.get_mut(&peer) else { return Transmit::default() };
        let Stage::Attached(mut cursor) = member.stage else { return Transmit::default() };
        let mut total = self.journal.read(&mut cursor, peer, budget, out);
        member.stage = Stage::Attached(cursor);
        if cursor >= member.ends_at && member.is_owed_an_end(self.holds_end_of_rib) {
            let refreshed = take(&mut member.end_of_refresh);
            let complete =
                if self.holds_end_of_rib { FamilySet::EMPTY } else { take(&mut member.end_of_rib) };
            total += hand_out(out, |message| {
                let mut written = Transmit::default();
                if !planted(Fault::EndOfRibLost) {
                    written.updates = end_of_rib_markers(message, complete);
                }
                written.refreshes = refresh_markers(message, RouteRefresh::END, refreshed);
                written
            });
        }
        if cursor == self.journal.end() && self.journal.bytes() > 0 && !self.is_anyone_behind() {
            self.tidy_journal();
        }
        total
    }

    /// Whether some peer still has to read journal entries.
    fn is_anyone_behind(&self) -> bool {
        let end = self.journal.end();
        self.members.values().any(|member| match member.stage {
            Stage::Attached(cursor) => cursor < end,
            Stage::Walking(walk, _) => self.walks.get(&walk).is_some_and(|walk| walk.upto.is_some()),
            Stage::GivenUp => false,
        })
    }

    /// Reads on in a walk, makes its next window, or leaves it at its end; `None` if it must wait for a flush.
    fn read_walk(
        &mut self,
        tables: Tables<'_>,
        peer: PeerId,
        id: WalkId,
        mut cursor: Sequence,
        budget: usize,
        out: &mut Vec<Bytes>,
    ) -> Option<Transmit> {
        let walk = self.walks.get(&id).filter(|walk| walk.open)?;
        let total = walk.log.read(&mut cursor, peer, budget, out);
        let (at_end, has_more) = (cursor == walk.log.end(), walk.next.is_some());
        if let Some(member) = self.members.get_mut(&peer) {
            member.stage = Stage::Walking(id, cursor);
        }
        match (at_end, has_more) {
            (true, true) => self.make_window(tables, id),
            (true, false) => self.finish_walk(peer, id),
            (false, _) => {}
        }
        Some(total)
    }

    /// Writes the next window of a walk for all its readers.
    fn make_window(&mut self, tables: Tables<'_>, id: WalkId) {
        self.trim_walk(id);
        let journal_end = self.journal.end();
        let Some(walk) = self.walks.get_mut(&id) else { return };
        let Some(place) = walk.next else { return };
        let upto = *walk.upto.get_or_insert(journal_end);
        walk.start_window(place);
        let mut window = Window {
            key: &self.key,
            holds: &walk.holds,
            upto,
            from: place.dest,
            changes: self.limits.window.max(1),
            exporter: &mut self.exporter,
            batch: &mut self.batch,
            log: &mut walk.log,
        };
        let members = &self.members;
        let is_reader =
            |peer: PeerId| member_in(members, peer.slot).is_some_and(|member| member.cursor_in(id).is_some());
        let next = match place.family {
            Family::IPV4_UNICAST => window.write(&self.v4.records, tables.v4, is_reader),
            _ => window.write(&self.v6.records, tables.v6, is_reader),
        };
        walk.finish_window(place.family, next.filter(|_| !planted(Fault::WalkEndsEarly)));
    }

    /// Drops what all readers of a walk have read. If the log is over its limit even so, the slower readers go on by
    /// themselves, from the start of the windows that they are in.
    fn trim_walk(&mut self, id: WalkId) {
        let Some(walk) = self.walks.get_mut(&id) else { return };
        let cursors = || self.members.values().filter_map(|member| member.cursor_in(id));
        walk.log.trim(cursors().min().unwrap_or_default(), usize::MAX);
        let mut left_behind: BTreeMap<Place, Vec<PeerId>> = BTreeMap::new();
        if walk.log.bytes() > self.limits.journal {
            walk.log.trim(Sequence::default(), self.limits.journal / 2);
            for (peer, member) in &self.members {
                let behind = member.cursor_in(id).filter(|cursor| !walk.log.holds(*cursor));
                if let Some(place) = behind.and_then(|cursor| walk.place_of(cursor)) {
                    left_behind.entry(place).or_default().push(*peer);
                }
            }
        }
        walk.forget_windows();
        let rests: Vec<(Walk, Vec<PeerId>)> =
            left_behind.into_iter().map(|(place, peers)| (walk.rest_from(place), peers)).collect();
        for (rest, peers) in rests {
            let id = self.add_walk(rest);
            for peer in peers {
                let stage = self.enter_walk(id);
                self.set_stage(peer, stage);
            }
        }
    }

    /// Where a peer goes at the end of its walk: on to the next one, or to the journal.
    fn finish_walk(&mut self, peer: PeerId, id: WalkId) {
        let end = self.journal.end();
        // Without families there was no window.
        let reached = self.walks.get(&id).and_then(|walk| walk.upto).unwrap_or(end);
        if let Some(member) = self.members.get_mut(&peer) {
            member.ends_at = end;
        }
        let stage = if self.journal.holds(reached) {
            Stage::Attached(reached)
        } else {
            self.start_walk(Holds::Before(reached), None, self.key.families, true)
        };
        self.set_stage(peer, stage);
    }

    /// Starts a walk, or finds one that is about to start with the same content.
    pub(super) fn start_walk(
        &mut self,
        holds: Holds,
        upto: Option<Sequence>,
        families: FamilySet,
        open: bool,
    ) -> Stage {
        let shared = self.walks.iter().find(|(_, walk)| upto.is_none() && walk.can_start(&holds, families));
        let id = match shared {
            Some((id, _)) => *id,
            None => self.add_walk(Walk::new(holds, upto, families, open)),
        };
        self.enter_walk(id)
    }

    fn add_walk(&mut self, walk: Walk) -> WalkId {
        let id = self.next_walk;
        self.next_walk += 1;
        self.walks.insert(id, walk);
        id
    }

    /// The stage of one more reader at the start of a walk.
    fn enter_walk(&mut self, id: WalkId) -> Stage {
        if let Some(walk) = self.walks.get_mut(&id) {
            walk.readers += 1;
        }
        Stage::Walking(id, Sequence::default())
    }

    pub(super) fn set_stage(&mut self, peer: PeerId, stage: Stage) {
        if let Some(member) = self.members.get_mut(&peer) {
            let old = std::mem::replace(&mut member.stage, stage);
            self.leave_stage(old);
        }
    }

    /// A walk ends with its last reader.
    pub(super) fn leave_stage(&mut self, stage: Stage) {
        if let Stage::Walking(id, _) = stage
            && let Some(walk) = self.walks.get_mut(&id)
        {
            walk.readers -= 1;
            if walk.readers == 0 {
                self.walks.remove(&id);
            }
        }
    }
}

impl Member {
    /// One that holds nothing and is owed End-of-RIB for these families.
    pub(super) fn new(end_of_rib: FamilySet) -> Member {
        Member {
            stage: Stage::Attached(Sequence::default()),
            refresh: FamilySet::EMPTY,
            marked: FamilySet::EMPTY,
            end_of_rib,
            end_of_refresh: FamilySet::EMPTY,
            ends_at: Sequence::default(),
        }
    }

    /// Where the peer is in a walk, if it reads that one.
    fn cursor_in(&self, id: WalkId) -> Option<Sequence> {
        match self.stage {
            Stage::Walking(at, cursor) if at == id => Some(cursor),
            _ => None,
        }
    }

    /// Whether a marker is to be sent at the end of what the peer has still to read.
    pub(super) fn is_owed_an_end(&self, end_of_rib_is_held: bool) -> bool {
        !self.end_of_refresh.is_empty() || (!self.end_of_rib.is_empty() && !end_of_rib_is_held)
    }

    /// Whether a refresh may begin here: it was asked for, and what came before it has ended.
    fn may_refresh(&self, cursor: Sequence, end_of_rib_is_held: bool) -> bool {
        !self.refresh.is_empty() && cursor >= self.ends_at && !self.is_owed_an_end(end_of_rib_is_held)
    }
}

fn take(families: &mut FamilySet) -> FamilySet {
    std::mem::replace(families, FamilySet::EMPTY)
}

/// Hands out what `write` writes and counts, but for the octets.
fn hand_out(out: &mut Vec<Bytes>, write: impl FnOnce(&mut Vec<u8>) -> Transmit) -> Transmit {
    let mut messages = Vec::new();
    let written = write(&mut messages);
    let octets = messages.len();
    if octets > 0 {
        out.push(messages.into());
    }
    Transmit { octets, ..written }
}

/// Writes End-of-RIB for each family; returns how many.
fn end_of_rib_markers(out: &mut Vec<u8>, families: FamilySet) -> u64 {
    families.iter().inspect(|family| encode::end_of_rib(out, *family)).count() as u64
}

/// Writes a marker for each family; returns how many.
fn refresh_markers(out: &mut Vec<u8>, subtype: u8, families: FamilySet) -> u64 {
    families.iter().inspect(|family| RouteRefresh { family: *family, subtype }.encode(out)).count() as u64
}
