//! The one place where the daemon reads the clock.

use std::time::{Duration, SystemTime};

use bgp_core::Instant;

/// The part of the time until a deadline that [`Clock::shared_deadline`] may be late by.
const PUNCTUALITY: u64 = 64;

/// Turns the monotonic clock into the instants that the parts without I/O take.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: tokio::time::Instant,
    started: SystemTime,
}

impl Clock {
    /// A clock whose origin is now.
    #[must_use]
    pub fn start() -> Clock {
        Clock { origin: tokio::time::Instant::now(), started: SystemTime::now() }
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }

    /// The runtime's form of an instant, to sleep until it.
    #[must_use]
    pub fn deadline(&self, instant: Instant) -> tokio::time::Instant {
        self.origin + instant.since_origin()
    }

    /// When to wake up for a deadline that is not urgent: late by at most a 64th of the time until then, at a moment that
    /// other deadlines share. A thousand sessions have a KEEPALIVE due at a thousand moments, and to wake up for each
    /// costs more than to send it.
    #[must_use]
    pub fn shared_deadline(&self, now: Instant, deadline: Instant) -> tokio::time::Instant {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let at = deadline.since_origin();
        let left = millis(at.saturating_sub(now.since_origin()));
        match (left / PUNCTUALITY).checked_ilog2() {
            Some(bits) => {
                let late = Duration::from_millis(1 << bits);
                self.origin + Duration::from_millis((millis(at) >> bits) << bits) + late
            }
            None => self.origin + at,
        }
    }

    /// The wall-clock time of the origin.
    #[must_use]
    pub fn started(&self) -> SystemTime {
        self.started
    }

    /// The wall-clock time of an instant, for people.
    #[must_use]
    pub fn wall(&self, instant: Instant) -> SystemTime {
        self.started + instant.since_origin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn woken(clock: Clock, now: u64, due: u64) -> Duration {
        let at = |millis| Instant::from_origin(Duration::from_millis(millis));
        clock.shared_deadline(at(now), at(due)) - clock.deadline(at(due))
    }

    #[test]
    fn a_wakeup_is_never_early_and_late_by_a_64th_of_the_time_at_most() {
        let clock = Clock::start();
        for now in [0, 1, 999, 86_400_000] {
            for left in [0, 1, 63, 64, 65, 1000, 26_123, 90_000, 3_600_000, 1 << 40] {
                let late = woken(clock, now, now + left);
                assert!(late <= Duration::from_millis(left / 64), "{left} ms left: {late:?} late");
            }
        }
    }

    #[test]
    fn the_keepalives_of_many_sessions_share_few_moments() {
        let clock = Clock::start();
        let at = |millis| Instant::from_origin(Duration::from_millis(millis));
        let wakeups: std::collections::BTreeSet<_> =
            (0..1000).map(|session| clock.shared_deadline(at(0), at(22_500 + session * 7))).collect();
        assert!(wakeups.len() <= 30, "{}", wakeups.len());
    }
}
