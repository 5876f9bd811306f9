//! How long to wait after a failure, and the chance in it.

use std::time::Duration;

/// The longest wait between two attempts, before jitter.
pub(super) const LONGEST: Duration = Duration::from_secs(120);
/// The shortest, whatever is configured: a peer that refuses at once must not keep us busy.
const SHORTEST: Duration = Duration::from_secs(1);

/// From how many failures in a row on even a harmless one is damped.
const OSCILLATION: u32 = 3;

/// splitmix64: enough for jitter, and a seed replays it.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `time` times a factor between 0.75 and 1 (RFC 4271 section 10).
    pub(super) fn jitter(&mut self, time: Duration) -> Duration {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let cut = (u128::from(nanos / 4) * u128::from(self.next())) >> 64;
        Duration::from_nanos(nanos - cut as u64)
    }
}

/// Doubles the wait with every failure in a row.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    base: Duration,
    failures: u32,
}

impl Backoff {
    pub(super) fn new(base: Duration) -> Backoff {
        Backoff { base: base.clamp(SHORTEST, LONGEST), failures: 0 }
    }

    /// Another first wait; the failures so far still count.
    pub(super) fn set_base(&mut self, base: Duration) {
        self.base = Backoff::new(base).base;
    }

    pub(super) fn base(&self) -> Duration {
        self.base
    }

    /// The wait as things stand.
    pub(super) fn delay(&self) -> Duration {
        let factor = 1u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(LONGEST)
    }

    /// The wait after one more failure.
    pub(super) fn fail(&mut self) -> Duration {
        let delay = self.delay();
        self.failures = (self.failures + 1).min(31);
        delay
    }

    /// Whether the session fails again and again.
    pub(super) fn oscillates(&self) -> bool {
        self.failures >= OSCILLATION
    }

    /// How many failures in a row there were.
    #[cfg(test)]
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_two_minutes() {
        let mut backoff = Backoff::new(Duration::from_secs(5));
        let waits: Vec<u64> = (0..8).map(|_| backoff.fail().as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 120, 120, 120]);
        (0..100).for_each(|_| assert!(backoff.fail() <= LONGEST));
        backoff.reset();
        assert_eq!(backoff.fail().as_secs(), 5);
    }

    #[test]
    fn a_wait_is_never_shorter_than_a_second() {
        assert_eq!(Backoff::new(Duration::ZERO).fail(), SHORTEST);
        assert_eq!(Backoff::new(Duration::MAX).fail(), LONGEST);
    }

    #[test]
    fn jitter_takes_off_up_to_a_quarter_and_uses_the_whole_range() {
        let mut random = Random::new(7);
        let times: Vec<u128> = (0..1000).map(|_| random.jitter(Duration::from_secs(1)).as_millis()).collect();
        assert!(times.iter().all(|time| (750..=1000).contains(time)));
        assert!(times.iter().any(|time| *time < 760) && times.iter().any(|time| *time > 990));
        assert!(random.jitter(Duration::MAX) >= Duration::from_nanos(u64::MAX / 4 * 3));
    }
}
