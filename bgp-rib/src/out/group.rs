//! An update group: peers that are sent the same bytes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bgp_core::{Family, FamilySet, Instant, V4, V6};

use super::TablesMut;
use super::choice::Choice;
use super::export::{ExportContext, GroupKey, LoadSharing};
use super::exporter::Exporter;
use super::flush::{Flush, Side};
use super::held::Snapshot;
use super::journal::{Journal, Sequence};
use super::pack::Batch;
use super::resync::{Holds, Walk};
use super::sources::Written;
use crate::fault::{Fault, planted};
use crate::peer::PeerId;
use crate::table::DestId;

/// A group flushes at least this long after the first change that waits, so that bursts coalesce,
const SOON: Duration = Duration::from_millis(2);
/// so long for each peer, which takes a few microseconds to be written to: what waits must be worth it,
const FOR_EACH: Duration = Duration::from_micros(10);
/// but not longer than this, and this long after the last flush, so that changes coalesce that never pause.
const TICK: Duration = Duration::from_millis(5);
/// While tombstones are kept, or a flush has paused, the group looks this often whether that is still needed.
const TIDY: Duration = Duration::from_secs(1);
/// Tombstones that one flush buries, and about as many: with those of a whole table at once all else would wait.
const BURIED: usize = 1 << 15;
/// A peer that is off the journal and so many entries behind is given up: the records count entries in 32 bits.
const FARTHEST: u64 = if cfg!(test) { 1 << 10 } else { 1 << 31 };

/// Bounds on what a group keeps for peers that are behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupLimits {
    /// The journal in bytes. A peer that is further behind is sent the records instead. Each walk over the records
    /// that several peers share is bound by this too.
    pub journal: usize,
    /// Tombstones in both families. Over this the peer that fell off the journal first is given up, unless the group
    /// has sent more routes at a time since it had no tombstone: then they are the bound, so that a whole table can be
    /// withdrawn, of whatever size.
    pub tombstones: usize,
    /// How many changes one step of a walk over the records takes at most.
    pub window: usize,
    /// How many destinations of a family are looked at before what changed is written.
    pub slice: usize,
    /// A flush pauses when about so many bytes, and what one slice takes, are there for the peer that reads fastest; it
    /// goes on when that has read half of them. What has to wait coalesces. It does not pause for a peer that waits
    /// for its first routes, nor while more destinations wait than the table has routes, or than tombstones may be.
    /// Should be well below `journal`.
    pub ahead: usize,
}

impl Default for GroupLimits {
    fn default() -> GroupLimits {
        GroupLimits { journal: 8 << 20, tombstones: 1 << 20, window: 4096, slice: 1 << 15, ahead: 1 << 20 }
    }
}

pub(super) type WalkId = u64;

/// Where a peer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The journal, from this entry on.
    Attached(Sequence),
    /// The log of a walk.
    Walking(WalkId, Sequence),
    /// Nothing more: its session has to be reset.
    GivenUp,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) stage: Stage,
    /// What was asked for again and has not begun to be sent,
    pub(super) refresh: FamilySet,
    /// and of that, what is to stand between markers (RFC 7313).
    pub(super) marked: FamilySet,
    /// Whose End-of-RIB is due,
    pub(super) end_of_rib: FamilySet,
    /// and whose end of a refresh,
    pub(super) end_of_refresh: FamilySet,
    /// once the peer has read all that was there at the end of the walk.
    pub(super) ends_at: Sequence,
}

/// The member with this slot, whatever its session.
pub(super) fn member_in(members: &BTreeMap<PeerId, Member>, slot: u32) -> Option<&Member> {
    let sessions = PeerId { slot, generation: 0 }..=PeerId { slot, generation: u32::MAX };
    members.range(sessions).next_back().map(|(_, member)| member)
}

/// The group. Its caller feeds it dirty destinations ([`Group::mark`]), flushes it when [`Group::next_flush`] says so,
/// and asks for bytes when a peer can take some.
pub struct Group {
    pub(super) key: GroupKey,
    pub(super) limits: GroupLimits,
    pub(super) members: BTreeMap<PeerId, Member>,
    pub(super) v4: Side<V4>,
    pub(super) v6: Side<V6>,
    pub(super) journal: Journal,
    pub(super) walks: BTreeMap<WalkId, Walk>,
    pub(super) next_walk: WalkId,
    pub(super) exporter: Exporter,
    pub(super) batch: Batch,
    /// Whether End-of-RIB has to wait.
    pub(super) holds_end_of_rib: bool,
    /// What walks compare with: their destinations are held until no walk does.
    pub(super) arrived: Vec<Arc<Snapshot>>,
    /// What peers have left with since the last flush; by the older snapshot that went into it.
    pub(super) departed: Vec<(Option<Arc<Snapshot>>, Weak<Snapshot>)>,
    sharing: LoadSharing,
    choice: Choice,
    due: Option<Instant>,
    /// When it was flushed last.
    flushed: Option<Instant>,
    /// When the last flush paused, if it did.
    paused: Option<Instant>,
    /// Whether the last flush did.
    in_burst: bool,
    /// When nothing was left to bury for the last time.
    buried: Option<Instant>,
    resets: VecDeque<PeerId>,
}

impl Group {
    /// A group without peers. `seed` draws the hash functions.
    #[must_use]
    pub fn new(key: GroupKey, context: ExportContext, limits: GroupLimits, seed: u64) -> Group {
        Group {
            exporter: Exporter::new(key.clone(), context),
            v4: Side::new(key.add_path.contains(Family::IPV4_UNICAST)),
            v6: Side::new(key.add_path.contains(Family::IPV6_UNICAST)),
            key,
            limits,
            members: BTreeMap::new(),
            journal: Journal::default(),
            walks: BTreeMap::new(),
            next_walk: 0,
            batch: Batch::new(seed),
            holds_end_of_rib: false,
            arrived: Vec::new(),
            departed: Vec::new(),
            sharing: LoadSharing::default(),
            choice: Choice::default(),
            due: None,
            flushed: None,
            paused: None,
            in_burst: false,
            buried: None,
            resets: VecDeque::new(),
        }
    }

    /// The same group, for [`Advertise::Ecmp`](super::Advertise::Ecmp) with this way to tell which paths share the
    /// load.
    #[must_use]
    pub fn with_load_sharing(self, sharing: LoadSharing) -> Group {
        Group { sharing, ..self }
    }

    /// What its peers have in common.
    #[must_use]
    pub fn key(&self) -> &GroupKey {
        &self.key
    }

    /// The peers, by id.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.members.keys().copied()
    }

    /// Whether it has no peer: then it can be closed and dropped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Adds a peer that holds nothing. From the next flush on it is sent all routes, then End-of-RIB for each family
    /// (RFC 4724 section 2), then the changes. Peers that join before that flush share what is written for them.
    pub fn join(&mut self, now: Instant, peer: PeerId) {
        self.leave(peer);
        self.admit(now, peer, Member::new(self.key.families), Holds::Nothing);
    }

    /// Adds a peer at the start of a walk, which waits for the next flush.
    pub(super) fn admit(&mut self, now: Instant, peer: PeerId, member: Member, holds: Holds) {
        let stage = self.start_walk(holds, None, self.key.families, false);
        self.members.insert(peer, Member { stage, ..member });
        self.flush_at(now + TICK);
    }

    /// Drops all that is kept for a peer.
    pub fn leave(&mut self, peer: PeerId) {
        if let Some(member) = self.members.remove(&peer) {
            self.leave_stage(member.stage);
            self.resets.retain(|reset| *reset != peer);
            self.tidy_journal();
            self.resume();
        }
    }

    /// Sends a family again (RFC 2918), between markers if `marked` (RFC 7313 section 4); the peer then has something
    /// to send. What it was still to be sent it is sent too, first. A family that is asked for while it is sent is sent
    /// once more.
    pub fn refresh(&mut self, peer: PeerId, family: Family, marked: bool) {
        if !self.key.families.contains(family) {
            return;
        }
        if let Some(member) = self.members.get_mut(&peer) {
            member.refresh = member.refresh.with(family);
            if marked {
                member.marked = member.marked.with(family);
            }
        }
    }

    /// Has End-of-RIB wait, or not any longer: then peers that have read all else have something to send. What ends
    /// a refresh never waits.
    pub fn hold_end_of_rib(&mut self, hold: bool) {
        self.holds_end_of_rib = hold;
    }

    /// Notes that the paths to a destination changed, or may have: the best one, or any if the group's key
    /// [looks beyond it](GroupKey::looks_beyond_best). Families that the group does not serve are
    /// left aside.
    pub fn mark(&mut self, now: Instant, family: Family, dest: DestId) {
        let is_new = match family {
            _ if planted(Fault::DirtyBitClearedEarly) && self.due.is_some() => false,
            _ if !self.key.families.contains(family) => false,
            Family::IPV4_UNICAST => self.v4.dirty.mark(dest),
            _ => self.v6.dirty.mark(dest),
        };
        let is_soon = self.due.is_some_and(|due| due <= now + TICK);
        if is_new && !is_soon && self.paused.is_none() {
            let rested = self.flushed.map_or(now, |flushed| flushed + TICK);
            self.flush_at(rested.max(now + self.soon()));
        }
    }

    fn soon(&self) -> Duration {
        let peers = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        FOR_EACH.saturating_mul(peers).clamp(SOON, TICK)
    }

    /// Whether a destination waits for the next flush: then its number must not be used again.
    #[must_use]
    pub fn is_dirty(&self, family: Family, dest: DestId) -> bool {
        match family {
            Family::IPV4_UNICAST => self.v4.dirty.contains(dest),
            _ => self.v6.dirty.contains(dest),
        }
    }

    /// When [`Group::flush`] is due.
    #[must_use]
    pub fn next_flush(&self) -> Option<Instant> {
        self.due
    }

    fn flush_at(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Turns what is dirty into messages, until the peers have much to read: then the rest follows when they have read
    /// on. After it every peer that [`Group::has_pending`] has something to send.
    pub fn flush(&mut self, now: Instant, tables: &mut TablesMut<'_>) {
        self.due = None;
        self.flushed = Some(now);
        self.departed.clear();
        self.tidy_journal();
        let in_burst = self.in_burst;
        self.paused = if self.write_changes(tables) { None } else { Some(now) };
        self.in_burst = self.paused.is_some();
        self.journal.seal();
        self.tidy_journal();
        self.detach_slow();
        if self.paused.is_none() {
            self.walks.values_mut().for_each(|walk| walk.open = true);
        }
        // In a burst, and with what ends it, the peers come first. A burst may have no end: then not for ever.
        let is_recent = self.buried.is_some_and(|buried| now < buried + TIDY);
        let may_wait = (in_burst || self.in_burst) && is_recent;
        if !may_wait || self.tombstones() > self.most_tombstones() {
            if self.bury(tables) {
                self.buried = Some(now);
            } else {
                self.flush_at(now + TICK);
            }
        }
        self.release_unused(tables);
        if self.tombstones() > 0 || !self.arrived.is_empty() || self.paused.is_some() {
            self.flush_at(now + TIDY);
        }
        self.resume();
    }

    /// Writes slices of what is dirty; whether that was all.
    fn write_changes(&mut self, tables: &mut TablesMut<'_>) -> bool {
        if self.key.families.contains(Family::IPV4_UNICAST) {
            self.v4.fill(tables.v4);
        }
        if self.key.families.contains(Family::IPV6_UNICAST) {
            self.v6.fill(tables.v6);
        }
        // The walks of those who join begin when the records are complete.
        let is_awaited = self.walks.values().any(|walk| !walk.open);
        let routes = tables.v4.destinations() + tables.v6.destinations();
        // In rising order, as the members are.
        let slots: Vec<u32> = self.members.keys().map(|peer| peer.slot).collect();
        while self.unwritten() > 0 {
            let may_wait = !is_awaited && self.unwritten() <= self.most_tombstones().max(routes);
            if may_wait && self.is_ahead(self.limits.ahead) {
                return false;
            }
            self.write_slice(tables, &slots);
        }
        true
    }

    /// The destinations that wait to be written.
    pub(super) fn unwritten(&self) -> usize {
        self.v4.dirty.len() + self.v6.dirty.len()
    }

    /// Whether more than so many bytes are there for the peer that reads fastest.
    fn is_ahead(&self, bytes: usize) -> bool {
        self.readers().is_some_and(|(_, fastest)| {
            self.journal.holds(fastest) && self.journal.written_after(fastest) > bytes
        })
    }

    /// Has a flush that paused go on, if those it waited for have read enough, or are gone.
    pub(super) fn resume(&mut self) {
        if let Some(at) = self.paused
            && !self.is_ahead(self.limits.ahead / 2)
        {
            self.paused = None;
            self.flush_at(at);
        }
    }

    fn write_slice(&mut self, tables: &mut TablesMut<'_>, slots: &[u32]) {
        let fastest = self.readers().map(|(_, fastest)| fastest);
        let mut flush = Flush {
            peers: tables.peers,
            aggregates: tables.aggregates,
            is_member: |peer: PeerId| slots.binary_search(&peer.slot).is_ok(),
            exporter: &mut self.exporter,
            batch: &mut self.batch,
            sharing: self.sharing,
            choice: &mut self.choice,
            journal: &mut self.journal,
            limit: self.limits.journal,
            fastest,
        };
        flush.run(&mut self.v4, tables.v4, self.limits.slice);
        flush.run(&mut self.v6, tables.v6, self.limits.slice);
    }

    /// Where the readers of the journal are: the slowest and the fastest. A walk that has begun is one of them.
    fn readers(&self) -> Option<(Sequence, Sequence)> {
        let attached = self.members.values().filter_map(|member| match member.stage {
            Stage::Attached(cursor) => Some(cursor),
            _ => None,
        });
        let all = attached.chain(self.walks.values().filter_map(|walk| walk.upto));
        all.fold(None, |range, at| match range {
            None => Some((at, at)),
            Some((slowest, fastest)) => Some((at.min(slowest), at.max(fastest))),
        })
    }

    /// Drops the entries that nobody will read, and those over the limit.
    pub(super) fn tidy_journal(&mut self) {
        match self.readers() {
            None => self.journal.forget(),
            Some((slowest, _)) => self.journal.trim(slowest, self.limits.journal),
        }
    }

    /// Peers whose next entry is gone are sent the records from there on.
    fn detach_slow(&mut self) {
        let base = self.journal.base();
        let slow: Vec<(PeerId, Sequence)> = self
            .members
            .iter()
            .filter_map(|(peer, member)| match member.stage {
                Stage::Attached(cursor) if cursor < base => Some((*peer, cursor)),
                _ => None,
            })
            .collect();
        for (peer, cursor) in slow {
            let cursor = if planted(Fault::CursorSkipsEntry) { self.journal.end() } else { cursor };
            let stage = self.start_walk(Holds::Before(cursor), None, self.key.families, true);
            self.set_stage(peer, stage);
        }
    }

    /// The oldest tombstone, by the change that made it, that the peer still needs.
    fn oldest_need(&self, member: &Member) -> Option<Sequence> {
        match member.stage {
            Stage::Attached(cursor) => Some(cursor),
            Stage::Walking(walk, _) => self.walks.get(&walk).and_then(Walk::place),
            Stage::GivenUp => None,
        }
    }

    /// How many tombstones there may be.
    fn most_tombstones(&self) -> usize {
        self.limits.tombstones.max(self.v4.records.peak() + self.v6.records.peak())
    }

    /// Frees tombstones that all peers are past; whether those are all. If too many are left then, gives up the peer that is
    /// behind most.
    fn bury(&mut self, tables: &mut TablesMut<'_>) -> bool {
        let mut steps = BURIED;
        loop {
            let needs = self.members.iter().filter_map(|(peer, m)| Some((self.oldest_need(m)?, *peer)));
            let oldest = needs.min();
            let oldest = oldest.filter(|_| !planted(Fault::TombstoneDroppedEarly));
            let before = oldest.map_or(self.journal.end(), |(need, _)| need);
            let is_all = self.v4.records.bury(tables.v4, before, &mut steps);
            if !(self.v6.records.bury(tables.v6, before, &mut steps) && is_all) {
                return false;
            }
            match oldest {
                Some((need, peer))
                    if (self.tombstones() > self.most_tombstones()
                        || self.journal.end().since(need) > FARTHEST)
                        && !self.journal.holds(need) =>
                {
                    self.set_stage(peer, Stage::GivenUp);
                    self.resets.push_back(peer);
                }
                _ => {
                    self.v4.records.renumber(before);
                    self.v6.records.renumber(before);
                    return true;
                }
            }
        }
    }

    /// A peer whose session must be reset, since it has fallen behind too far to be kept in step. It is sent nothing
    /// more.
    pub fn poll_reset(&mut self) -> Option<PeerId> {
        self.resets.pop_front()
    }

    /// Lets the tables have all destinations' numbers back, before the group is dropped.
    pub fn close(&mut self, tables: &mut TablesMut<'_>) {
        self.departed.clear();
        self.arrived.drain(..).for_each(|snapshot| snapshot.release(tables));
        self.v4.records.clear(tables.v4);
        self.v6.records.clear(tables.v6);
    }

    /// What was written of the source of a record.
    pub(super) fn written(&self, family: Family, source: PeerId) -> Option<Written> {
        match family {
            Family::IPV4_UNICAST => self.v4.records.written(source),
            _ => self.v6.records.written(source),
        }
    }
}
