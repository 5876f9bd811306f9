//! What lies between the two routers of a session: it may be cut, in one direction or both, and an end may stop to read.

use bgp_core::Instant;

/// The link of one session. All times are in the past while nothing is wrong.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// From when on what each end sends passes.
    passes_from: [Instant; 2],
    /// From when on each end reads.
    reads_from: [Instant; 2],
    /// Counts each end's attempts to connect: an earlier one was given up.
    attempts: [u64; 2],
    /// From when on each end speaks for itself again: until then somebody does so in its place.
    pub(crate) impostor: [Option<Instant>; 2],
}

impl Link {
    pub(crate) fn cut(&mut self, from: usize, until: Instant) {
        if let Some(at) = self.passes_from.get_mut(from) {
            *at = until.max(*at);
        }
    }

    pub(crate) fn stall(&mut self, end: usize, until: Instant) {
        if let Some(at) = self.reads_from.get_mut(end) {
            *at = until.max(*at);
        }
    }

    /// From when on what this end sends passes.
    pub(crate) fn passes_from(&self, end: usize) -> Instant {
        self.passes_from.get(end).copied().unwrap_or_default()
    }

    /// From when on what this end sends passes and is read.
    pub(crate) fn takes_from(&self, end: usize) -> Instant {
        let reads = self.reads_from.get(1 - end.min(1)).copied().unwrap_or_default();
        self.passes_from(end).max(reads)
    }

    /// From when on both directions pass.
    pub(crate) fn whole_from(&self) -> Instant {
        self.passes_from(0).max(self.passes_from(1))
    }

    /// A new attempt of this end to connect; the one before is given up.
    pub(crate) fn attempt(&mut self, end: usize) -> u64 {
        let Some(attempts) = self.attempts.get_mut(end) else { return 0 };
        *attempts += 1;
        *attempts
    }

    pub(crate) fn is_attempt(&self, end: usize, attempt: u64) -> bool {
        self.attempts.get(end) == Some(&attempt)
    }

    pub(crate) fn impostor_at(&self, end: usize) -> bool {
        self.impostor.get(end).is_some_and(Option::is_some)
    }
}
