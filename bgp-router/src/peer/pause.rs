//! A peer that has announced too many routes may have to stay down for a while: it would only do so again.

use std::time::Duration;

use bgp_core::Instant;
use bgp_core::wire::Notification;
use bgp_core::wire::notification::cease;

use super::Peer;

impl Peer {
    /// Whether it stays down for having announced too many routes. It ends by time, with [`Peer::handle_timeout`], with
    /// other limits, or with [`Peer::start`].
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused_until.is_some()
    }

    /// For how long it still stays down.
    #[must_use]
    pub fn pause_left(&self, now: Instant) -> Option<Duration> {
        self.paused_until.map(|until| until.saturating_since(now))
    }

    /// Ends the session. If that is for too many routes it stays down for as long as the limits say.
    pub(super) fn reset_or_pause(&mut self, now: Instant, notification: Notification) {
        let too_many =
            (notification.code, notification.subcode) == (Notification::CEASE, cease::MAX_PREFIXES);
        self.session.reset(now, notification);
        if let Some(pause) = self.settings.limits.pause.filter(|_| too_many) {
            // It has been told why.
            self.session.stop_silently(now);
            self.paused_until = Some(now + pause);
        }
    }

    pub(super) fn end_pause_due(&mut self, now: Instant) {
        if self.paused_until.take_if(|until| *until <= now).is_some() {
            self.session.start(now);
        }
    }

    /// Other limits: what it has may be fine now.
    pub(super) fn end_pause(&mut self, now: Instant) {
        if self.paused_until.take().is_some() {
            self.session.start(now);
        }
    }
}
