//! How a peer goes from one group to another on a live session.
//!
//! ```text
//!  depart: where was it? ──► what it holds ──► arrive: a walk that tells the difference
//!    in the journal            all before its place, the rest perhaps
//!    in a walk                 as its last group knows; if it was told a part: perhaps all
//!    before its first walk     what it came with
//! ```

use std::sync::{Arc, Weak};

use bgp_core::{FamilySet, Instant};

use super::TablesMut;
use super::group::{Group, Member, Stage};
use super::held::{Held, Snapshot, slots_of};
use super::journal::Sequence;
use super::resync::Holds;
use crate::peer::PeerId;

/// A peer on its way from one group to another: what it holds, and what it is still owed.
#[derive(Debug)]
pub(crate) struct Moving {
    member: Member,
    holds: Holds,
}

impl Group {
    /// Takes a peer out that goes on in another group; `None` if it is not here, or given up.
    pub(crate) fn depart(&mut self, peer: PeerId) -> Option<Moving> {
        let stage = self.members.get(&peer)?.stage;
        let holds = match stage {
            Stage::Attached(cursor) => self.left_with(None, Some(cursor), FamilySet::EMPTY),
            Stage::Walking(id, _) => self.left_in_walk(self.walks.get(&id)?.state()),
            Stage::GivenUp => return None,
        };
        let member = self.members.remove(&peer)?;
        self.leave_stage(stage);
        self.tidy_journal();
        self.resume();
        Some(Moving { member, holds })
    }

    /// What a peer holds that leaves during a walk.
    fn left_in_walk(&mut self, (holds, upto, families): (Holds, Option<Sequence>, FamilySet)) -> Holds {
        match (holds, upto) {
            (Holds::Before(since), _) => self.left_with(None, Some(since), FamilySet::EMPTY),
            (Holds::All, upto) => self.left_with(None, upto, families),
            (holds, None) => holds,
            // What the walk has told so far is not known.
            (Holds::Nothing, Some(_)) => self.left_with(None, None, FamilySet::EMPTY),
            (Holds::Other(held), Some(_)) => self.left_with(Some(held.snapshot), None, held.again),
        }
    }

    fn left_with(
        &mut self,
        older: Option<Arc<Snapshot>>,
        before: Option<Sequence>,
        again: FamilySet,
    ) -> Holds {
        Holds::Other(Held { snapshot: self.snapshot(older), before, again })
    }

    /// The slots as they are now, and those of an older snapshot.
    fn snapshot(&mut self, older: Option<Arc<Snapshot>>) -> Arc<Snapshot> {
        let same = |other: &Option<Arc<Snapshot>>| match (other, &older) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        let known = self.departed.iter().find(|(other, _)| same(other)).map(|(_, snapshot)| snapshot);
        if let Some(snapshot) = known.and_then(Weak::upgrade) {
            return snapshot;
        }
        self.departed.retain(|(other, _)| !same(other));
        let v4 = slots_of(&self.v4.records, older.as_deref());
        let v6 = slots_of(&self.v6.records, older.as_deref());
        let snapshot = Arc::new(Snapshot::new(self.key.clone(), v4, v6));
        self.departed.push((older, Arc::downgrade(&snapshot)));
        snapshot
    }

    /// Adds a peer from another group of the same session ([`GroupKey::is_same_session`]), before that one is flushed
    /// or closed. From the next flush on it is sent the difference, then what it was owed there, then the changes.
    pub(crate) fn arrive(&mut self, now: Instant, peer: PeerId, moving: Moving, tables: &mut TablesMut<'_>) {
        let Moving { member, holds } = moving;
        if let Holds::Other(held) = &holds
            && !self.arrived.iter().any(|known| Arc::ptr_eq(known, &held.snapshot))
        {
            held.snapshot.hold(tables);
            self.arrived.push(Arc::clone(&held.snapshot));
        }
        self.admit(now, peer, member, holds);
    }

    /// Lets the tables have the destinations back that no walk compares with any more.
    pub(super) fn release_unused(&mut self, tables: &mut TablesMut<'_>) {
        let walks = &self.walks;
        self.arrived.retain(|snapshot| {
            let is_used = walks.values().any(|walk| walk.compares_with(snapshot));
            if !is_used {
                snapshot.release(tables);
            }
            is_used
        });
    }
}
