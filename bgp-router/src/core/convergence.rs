//! When the tables are complete: for the FIB, and for the End-of-RIB that ends our own restart.

use std::time::Duration;

use bgp_core::Instant;

use super::{Core, Established};
use crate::message::CoreOutput;
use bgp_rib::fault::{Fault, planted};

/// After a restart of ours no session is younger than this when our End-of-RIB goes out: the next one may be about to come
/// up.
const QUIET: Duration = Duration::from_secs(10);

/// Whose End-of-RIB is waited for before routes of an earlier run leave the kernel, and until when.
#[derive(Debug)]
pub(super) struct Awaited {
    slots: Vec<u32>,
    deadline: Instant,
}

/// Our restart, as long as our End-of-RIB is held back.
#[derive(Debug)]
pub(super) struct Restarting {
    /// The Selection_Deferral_Timer of RFC 4724 section 4.1.
    deadline: Instant,
    /// When the youngest session will have been up for long enough; `None` once that has come.
    quiet_at: Option<Instant>,
}

impl Core {
    /// Waits for the first End-of-RIB of all families from the peers in these slots, and for the state of the next hops
    /// that their routes use, but not longer than until `deadline`; then says [`CoreOutput::Converged`]. Until then routes
    /// that an earlier run left in the kernel are worth keeping (RFC 4724 section 4.1).
    pub fn await_end_of_rib(&mut self, now: Instant, slots: Vec<u32>, deadline: Instant) {
        self.awaited = Some(Awaited { slots, deadline });
        self.check_awaited(now);
    }

    /// We have restarted (RFC 4724 section 4.1). Routes go out at once, but no End-of-RIB, by which our peers let go
    /// of what they kept for us, until every peer that is up has sent its own and no session is younger than ten
    /// seconds, or until `deadline`; then says [`CoreOutput::Restarted`]. Not waited for are peers that are not up, do
    /// not send End-of-RIB, or have restarted themselves.
    pub fn begin_restart(&mut self, now: Instant, deadline: Instant) {
        self.restarting = Some(Restarting { deadline, quiet_at: Some(now + QUIET) });
        self.rib.hold_end_of_rib(!planted(Fault::EndOfRibTooEarly));
        self.check_awaited(now);
    }

    /// Whether our End-of-RIB is held back.
    #[must_use]
    pub fn is_restarting(&self) -> bool {
        self.restarting.is_some()
    }

    /// A session came up.
    pub(super) fn note_up(&mut self, now: Instant) {
        if let Some(restarting) = &mut self.restarting {
            restarting.quiet_at = Some(now + QUIET);
        }
    }

    /// The peer in this slot is gone for good.
    pub(super) fn await_no_more(&mut self, slot: u32) {
        if let Some(awaited) = &mut self.awaited {
            awaited.slots.retain(|other| *other != slot);
        }
    }

    /// Looks whether what is waited for has come.
    pub(super) fn check_awaited(&mut self, now: Instant) {
        if self.has_converged(now) {
            self.awaited = None;
            self.outputs.push_back(CoreOutput::Converged);
        }
        if self.has_restarted(now) {
            self.restarting = None;
            self.rib.hold_end_of_rib(false);
            self.outputs.push_back(CoreOutput::Restarted);
        }
    }

    fn has_converged(&self, now: Instant) -> bool {
        let Some(awaited) = &self.awaited else { return false };
        let is_complete = |slot| self.sessions.get(slot).is_some_and(|session| self.has_all(session));
        awaited.deadline <= now || awaited.slots.iter().all(is_complete) && self.rib.next_hops().is_settled()
    }

    fn has_restarted(&mut self, now: Instant) -> bool {
        let Some(restarting) = &mut self.restarting else { return false };
        restarting.quiet_at.take_if(|at| *at <= now);
        let is_quiet = restarting.quiet_at.is_none();
        let is_over = restarting.deadline <= now;
        let mut awaited = self.sessions.values().filter(|session| session.is_awaited);
        // Nobody is up yet: who comes first should not be told that this is all.
        is_over || is_quiet && !self.sessions.is_empty() && awaited.all(|session| self.has_all(session))
    }

    /// Whether the peer has sent its End-of-RIB for every family.
    fn has_all(&self, session: &Established) -> bool {
        let complete = |family| self.rib.peer_counts(session.id, family).is_some_and(|c| c.end_of_rib);
        session.families.iter().all(complete)
    }

    pub(super) fn next_convergence(&self) -> Option<Instant> {
        let awaited = self.awaited.as_ref().map(|awaited| awaited.deadline);
        let restarting = self.restarting.as_ref();
        let restarted = restarting.map(|r| r.quiet_at.map_or(r.deadline, |quiet| quiet.min(r.deadline)));
        awaited.into_iter().chain(restarted).min()
    }
}
