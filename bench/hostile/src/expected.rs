//! What every good receiver has to hold, what one does hold, and how long changes take to come through.

use std::ops::Range;
use std::time::Instant;

use crate::routes::{Version, WITHDRAWN};

/// The right version of every prefix, and when it became so.
pub struct Expected {
    versions: Vec<Version>,
    changed: Vec<Instant>,
    /// Prefixes from this number on are a bad peer's: held or not, nobody is incomplete.
    watched: usize,
    /// Whether times are taken.
    pub measuring: bool,
    /// Microseconds from a change to a receiver that has it.
    pub samples: Vec<u32>,
}

impl Expected {
    /// `watched` prefixes of good senders, and `others`.
    pub fn new(watched: u32, others: u32, now: Instant) -> Expected {
        let all = (watched + others) as usize;
        Expected {
            versions: vec![WITHDRAWN; all],
            changed: vec![now; all],
            watched: watched as usize,
            measuring: false,
            samples: Vec::new(),
        }
    }

    /// The prefixes that good senders announce now.
    pub fn announced(&self) -> usize {
        self.versions.iter().filter(|version| **version != WITHDRAWN).count()
    }
}

/// What one receiver holds. Empty where nobody looks.
#[derive(Default)]
pub struct Held {
    versions: Vec<Version>,
    /// Watched prefixes that are not as expected.
    differing: usize,
    /// Whether its times are taken.
    timed: bool,
}

impl Held {
    /// Of a receiver to which nothing was sent yet.
    pub fn new(expected: &Expected, timed: bool) -> Held {
        let differing = expected.announced();
        Held { versions: vec![WITHDRAWN; expected.versions.len()], differing, timed }
    }

    /// Forgets all, as on a new session.
    pub fn clear(&mut self, expected: &Expected) {
        if !self.versions.is_empty() {
            *self = Held::new(expected, self.timed);
        }
    }

    pub fn is_complete(&self) -> bool {
        self.differing == 0
    }

    /// Prefixes that are not as expected, bad peers' among them.
    pub fn wrong(&self, expected: &Expected) -> usize {
        self.versions.iter().zip(&expected.versions).filter(|(held, right)| held != right).count()
    }

    /// Takes an announcement, or a withdrawal. Prefixes of nobody are counted as wrong for good.
    pub fn take(&mut self, number: Option<u32>, version: Version, expected: &mut Expected, now: Instant) {
        if self.versions.is_empty() {
            return;
        }
        let Some((number, held)) =
            number.and_then(|n| Some((n as usize, self.versions.get_mut(n as usize)?)))
        else {
            self.differing += 1;
            return;
        };
        let before = std::mem::replace(held, version);
        if number >= expected.watched {
            return;
        }
        let right = expected.versions[number];
        match (before == right, version == right) {
            (true, false) => self.differing += 1,
            (false, true) => {
                self.differing -= 1;
                if expected.measuring && self.timed {
                    let took = now.saturating_duration_since(expected.changed[number]);
                    expected.samples.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
                }
            }
            _ => {}
        }
    }
}

/// Makes `version` the right one of `numbers`.
pub fn change<'a>(
    expected: &mut Expected,
    numbers: Range<u32>,
    version: Version,
    now: Instant,
    receivers: impl Iterator<Item = &'a mut Held>,
) {
    let numbers = numbers.start as usize..numbers.end as usize;
    for held in receivers.filter(|held| !held.versions.is_empty()) {
        for number in numbers.clone() {
            let (have, before) = (held.versions[number], expected.versions[number]);
            held.differing += usize::from(have != version);
            held.differing -= usize::from(have != before);
        }
    }
    expected.versions[numbers.clone()].fill(version);
    expected.changed[numbers].fill(now);
}

/// The value below which a share of the samples lies, in milliseconds; `None` of no samples.
pub fn quantile(samples: &mut [u32], share: f64) -> Option<f64> {
    let last = samples.len().checked_sub(1)?;
    let (_, value, _) = samples.select_nth_unstable((last as f64 * share).round() as usize);
    Some(f64::from(*value) / 1000.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_receiver_is_complete_once_it_holds_the_right_version_of_every_watched_prefix() {
        let now = Instant::now();
        let mut expected = Expected::new(3, 1, now);
        let mut held = [Held::new(&expected, true), Held::default()];
        change(&mut expected, 0..2, 5, now, held.iter_mut());
        assert!(!held[0].is_complete());
        held[0].take(Some(0), 5, &mut expected, now);
        held[0].take(Some(1), 4, &mut expected, now);
        assert!(!held[0].is_complete());
        held[0].take(Some(1), 5, &mut expected, now);
        assert!(held[0].is_complete());
        held[0].take(Some(2), 1, &mut expected, now);
        assert!(!held[0].is_complete(), "one too many");
        held[0].take(Some(2), WITHDRAWN, &mut expected, now);
        assert!(held[0].is_complete());
        assert!(held[1].is_complete(), "nobody looks");
    }

    #[test]
    fn a_bad_peers_prefixes_are_wrong_but_keep_nobody_from_being_complete() {
        let now = Instant::now();
        let mut expected = Expected::new(1, 1, now);
        let mut held = Held::new(&expected, true);
        held.take(Some(1), 9, &mut expected, now);
        assert!(held.is_complete());
        assert_eq!(held.wrong(&expected), 1);
        held.take(None, 9, &mut expected, now);
        assert!(!held.is_complete(), "a prefix that nobody sent");
    }

    #[test]
    fn a_time_is_that_from_the_last_change_to_the_right_version() {
        let now = Instant::now();
        let mut expected = Expected { measuring: true, ..Expected::new(1, 0, now) };
        let mut held = [Held::new(&expected, true)];
        change(&mut expected, 0..1, 1, now, held.iter_mut());
        change(&mut expected, 0..1, 2, now + Duration::from_millis(10), held.iter_mut());
        held[0].take(Some(0), 1, &mut expected, now + Duration::from_millis(12));
        held[0].take(Some(0), 2, &mut expected, now + Duration::from_millis(15));
        held[0].take(Some(0), 2, &mut expected, now + Duration::from_millis(20));
        assert_eq!(expected.samples, [5000]);
    }

    #[test]
    fn quantiles_are_in_milliseconds() {
        let mut samples: Vec<u32> = (0..=100).rev().map(|ms| ms * 1000).collect();
        assert_eq!(quantile(&mut samples, 0.5), Some(50.0));
        assert_eq!(quantile(&mut samples, 0.99), Some(99.0));
        assert_eq!(quantile(&mut [], 0.5), None);
    }
}
