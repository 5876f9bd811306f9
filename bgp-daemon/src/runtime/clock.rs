//! The one place where the daemon reads the clock.

use std::time::SystemTime;

use bgp_core::Instant;

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
