//! Numbers by chance that are the same again for the same seed.

/// A generator (xorshift).
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        // Small seeds look alike, and nought stays nought.
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x6a09_e667_f3bc_c909 | 1)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The lower bits are the poorer ones.
        ((self.0 >> 16) % bound.max(1) as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64) -> Vec<usize> {
        let mut dice = Dice::new(seed);
        (0..60).map(|_| dice.below(3)).collect()
    }

    #[test]
    fn a_seed_draws_the_same_again_and_another_one_does_not() {
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        for seed in 0..20 {
            let counts = [0, 1, 2].map(|which| drawn(seed).iter().filter(|it| **it == which).count());
            assert!(counts.iter().all(|count| *count > 5), "{seed}: {counts:?}");
        }
    }
}
