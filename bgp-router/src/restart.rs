//! For how long routes outlive the session of their peer (RFC 4724 section 4.2, RFC 9494 section 4.2), and which
//! marked refreshes (RFC 7313 section 4) are under way: how long those may take is the peer's business. This keeps the
//! time; the RIB keeps the routes.
//!
//! For each family of a peer:
//! ```text
//!           lost            restart time               its own time
//!  (none) ───────► Waiting ──────────────► LongLived ────────────────► gone
//!    ▲                │ back                   │ back: its time runs on
//!    │ End-of-RIB,    ▼                        ▼          its time
//!    └─────────── Resyncing                LongLived ────────────► Spent
//!     stale time
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use bgp_core::{Family, FamilySet, Instant};

use crate::message::{Retention, SessionRestart};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The session is gone. The routes are as good as before, and may stay for `then` once `until` has passed.
    Waiting { until: Instant, then: Duration },
    /// The routes are the last choice. Neither the next session nor its end moves `until`: only End-of-RIB ends it.
    LongLived { until: Instant },
    /// The session is back.
    Resyncing,
    /// The session is back, but the time for long-lived routes is over: if it ends again before End-of-RIB, nothing stays.
    Spent,
}

/// What is to be done with the stale routes of a peer in one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// They go.
    Sweep,
    /// They become the last choice.
    LongLived,
}

/// What becomes of the routes of a session that ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The families whose routes stay.
    pub(crate) families: FamilySet,
    /// Those of them whose routes are the last choice from now on.
    pub(crate) long_lived: FamilySet,
}

#[derive(Debug, Default)]
struct Slot {
    stages: BTreeMap<Family, Stage>,
    /// Since the session is back: how long the End-of-RIB of all families is waited for.
    synchronized_by: Option<Instant>,
    /// Marked refreshes under way.
    refreshes: FamilySet,
}

/// The peers, by slot, that left routes or send all again. Bounded by the peers that there are.
#[derive(Debug, Default)]
pub(crate) struct Restarts {
    slots: BTreeMap<u32, Slot>,
}

impl Restarts {
    /// A session ended; what may be kept of it is said by `retention`.
    pub(crate) fn lost(&mut self, now: Instant, slot: u32, retention: Option<&Retention>) -> Kept {
        let before = self.slots.remove(&slot).unwrap_or_default();
        let Some(retention) = retention else { return Kept::default() };
        let long_lived = |family| {
            let of_it = retention.long_lived.iter().find(|(other, _)| *other == family);
            of_it.map_or(Duration::ZERO, |(_, time)| *time)
        };
        let only_later = retention.long_lived.iter().map(|(family, _)| *family);
        let families: FamilySet = retention.families.iter().chain(only_later).collect();
        let stages = families.iter().filter_map(|family| {
            let listed = retention.families.contains(family);
            let time = if listed { retention.restart_time } else { Duration::ZERO };
            let stage = Stage::after(before.stages.get(&family), now, time, long_lived(family))?;
            Some((family, stage))
        });
        let lost = Slot { stages: stages.collect(), ..Slot::default() };
        let is_long_lived = |stage: &Stage| matches!(stage, Stage::LongLived { .. });
        let kept = Kept {
            families: lost.stages.keys().copied().collect(),
            long_lived: lost.stages.iter().filter(|(_, s)| is_long_lived(s)).map(|(f, _)| *f).collect(),
        };
        self.slots.insert(slot, lost);
        kept
    }

    /// No stale routes are held of a peer but in these families.
    pub(crate) fn retain(&mut self, slot: u32, stale: FamilySet) {
        self.edit(slot, |state| state.stages.retain(|family, _| stale.contains(*family)));
    }

    /// The session is back; `stale` are the families in which routes wait for it. Returns those whose routes go at once.
    pub(crate) fn back(
        &mut self,
        now: Instant,
        slot: u32,
        stale: FamilySet,
        restart: Option<SessionRestart>,
    ) -> FamilySet {
        let kept = restart.map(|restart| restart.forwarding.intersection(stale)).unwrap_or_default();
        self.retain(slot, kept);
        self.edit(slot, |state| {
            for stage in state.stages.values_mut().filter(|stage| matches!(stage, Stage::Waiting { .. })) {
                *stage = Stage::Resyncing;
            }
            state.synchronized_by = restart.map(|restart| now + restart.stale_time);
        });
        stale.iter().filter(|family| !kept.contains(*family)).collect()
    }

    /// The peer has announced all that it has; returns whether what is stale goes. Within a marked refresh it does not:
    /// the rest of it is still to come.
    pub(crate) fn end_of_rib(&mut self, slot: u32, family: Family) -> bool {
        self.edit(slot, |state| {
            let was_awaited = state.stages.remove(&family).is_some();
            was_awaited && !state.refreshes.contains(family)
        })
    }

    /// The answer to a ROUTE-REFRESH begins; returns whether that is new.
    pub(crate) fn refresh_begins(&mut self, slot: u32, family: Family) -> bool {
        let state = self.slots.entry(slot).or_default();
        let before = state.refreshes;
        state.refreshes = before.with(family);
        !before.contains(family)
    }

    /// It has ended; returns whether it had begun, and what is stale goes.
    pub(crate) fn refresh_ends(&mut self, slot: u32, family: Family) -> bool {
        self.edit(slot, |state| {
            let before = state.refreshes;
            state.refreshes = before.without(family);
            before.contains(family)
        })
    }

    /// The peer is gone for good.
    pub(crate) fn forget(&mut self, slot: u32) {
        self.slots.remove(&slot);
    }

    /// When [`Restarts::take_due`] has something to give.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.slots.values().filter_map(Slot::next_timeout).min()
    }

    /// What is due, in the order in which it is to be done.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<(u32, Family, Due)> {
        let mut due = Vec::new();
        for (slot, state) in &mut self.slots {
            state.take_due(now, |family, what| due.push((*slot, family, what)));
        }
        self.slots.retain(|_, state| !state.is_empty());
        due
    }

    fn edit<R: Default>(&mut self, slot: u32, edit: impl FnOnce(&mut Slot) -> R) -> R {
        let Some(state) = self.slots.get_mut(&slot) else { return R::default() };
        let result = edit(state);
        if state.is_empty() {
            self.slots.remove(&slot);
        }
        result
    }
}

impl Stage {
    /// The stage of a family whose session ended, and which stage the session before it left.
    fn after(before: Option<&Stage>, now: Instant, restart: Duration, long: Duration) -> Option<Stage> {
        match before {
            // A session that did not agree on it has no long-lived routes, whatever the one before left.
            Some(Stage::LongLived { until }) if !long.is_zero() => Some(Stage::LongLived { until: *until }),
            Some(Stage::Spent) if !long.is_zero() => None,
            _ if !restart.is_zero() => Some(Stage::Waiting { until: now + restart, then: long }),
            _ if !long.is_zero() => Some(Stage::LongLived { until: now + long }),
            _ => None,
        }
    }

    fn until(&self) -> Option<Instant> {
        match self {
            Stage::Waiting { until, .. } | Stage::LongLived { until } => Some(*until),
            Stage::Resyncing | Stage::Spent => None,
        }
    }

    /// What is due at the end of the stage, and the next one, if the routes or the memory of them stay.
    fn end(self, is_back: bool) -> (Due, Option<Stage>) {
        match self {
            Stage::Waiting { until, then } if !then.is_zero() => {
                (Due::LongLived, Some(Stage::LongLived { until: until + then }))
            }
            Stage::LongLived { .. } if is_back => (Due::Sweep, Some(Stage::Spent)),
            _ => (Due::Sweep, None),
        }
    }
}

impl Slot {
    fn is_empty(&self) -> bool {
        self.stages.is_empty() && self.refreshes.is_empty()
    }

    fn next_timeout(&self) -> Option<Instant> {
        let stages = self.stages.values().filter_map(Stage::until);
        let synchronized = self.synchronized_by.filter(|_| !self.stages.is_empty());
        stages.chain(synchronized).min()
    }

    fn take_due(&mut self, now: Instant, mut on: impl FnMut(Family, Due)) {
        let is_back = self.synchronized_by.is_some();
        let waited_enough = self.synchronized_by.is_some_and(|at| at <= now);
        self.stages.retain(|family, stage| {
            while stage.until().is_some_and(|until| until <= now) {
                let (due, next) = stage.end(is_back);
                on(*family, due);
                match next {
                    Some(next) => *stage = next,
                    None => return false,
                }
            }
            if waited_enough {
                on(*family, Due::Sweep);
            }
            !waited_enough
        });
    }
}

#[cfg(test)]
mod tests;
