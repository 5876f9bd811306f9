//! The timers of a session and of its connections (RFC 4271 section 8.1.3) as a table.

use crate::Instant;

/// What can fall due. The first two belong to the session, the others to one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The next attempt to connect.
    ConnectRetry,
    /// The end of the pause in which connections are refused.
    IdleHold,
    /// Our OPEN is sent if the peer's has not come first.
    DelayOpen,
    /// The end of the wait for a colliding connection that would be the one to keep.
    Contention,
    /// The peer has been silent for too long.
    Hold,
    /// Our next KEEPALIVE.
    Keepalive,
    /// The peer has taken nothing for too long (RFC 9687).
    SendHold,
}

const COUNT: usize = Timer::SendHold as usize + 1;

/// When each timer is due; `None` while it does not run.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers([Option<Instant>; COUNT]);

impl Timers {
    /// Starts the timer, or starts it anew.
    pub(super) fn set(&mut self, timer: Timer, due: Instant) {
        self.replace(timer, Some(due));
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.replace(timer, None);
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.due(timer).is_some()
    }

    /// Whether the timer is due; if so, it no longer runs.
    pub(super) fn take_expired(&mut self, timer: Timer, now: Instant) -> bool {
        let expired = self.due(timer).is_some_and(|due| due <= now);
        if expired {
            self.stop(timer);
        }
        expired
    }

    /// The earliest of all.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }

    pub(super) fn due(&self, timer: Timer) -> Option<Instant> {
        self.0.get(timer as usize).copied().flatten()
    }

    fn replace(&mut self, timer: Timer, due: Option<Instant>) {
        if let Some(slot) = self.0.get_mut(timer as usize) {
            *slot = due;
        }
    }
}
