//! Randomness that is the same on every machine.

use std::ops::Range;
use std::time::Duration;

/// splitmix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// All that is drawn depends on `seed` alone.
    #[must_use]
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Any number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.draw() % bound as u64) as usize }
    }

    /// True once in `n` draws.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of `choices`, which are not none.
    pub fn pick<T: Copy>(&mut self, first: T, others: &[T]) -> T {
        let at = self.below(1 + others.len());
        at.checked_sub(1).and_then(|at| others.get(at)).copied().unwrap_or(first)
    }

    /// A time in the range, to the microsecond.
    pub fn time(&mut self, range: &Range<Duration>) -> Duration {
        let span = range.end.saturating_sub(range.start).as_micros() as usize;
        range.start + Duration::from_micros(self.below(span.max(1)) as u64)
    }

    /// A time up to `longest`, short ones as often as long ones: each factor of two is as likely as any other, down to
    /// a millisecond.
    pub fn time_up_to(&mut self, longest: Duration) -> Duration {
        let halvings = self.below(1 + (longest.as_millis().max(1)).ilog2() as usize) as u32;
        let bound = longest / 2_u32.pow(halvings.min(31));
        self.time(&(bound / 2..bound.max(Duration::from_millis(1))))
    }
}
