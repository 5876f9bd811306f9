//! Memory that routes have left goes back to the system.

use std::time::Duration;

use bgp_core::Instant;

use crate::net::trim_memory;

/// So long after half of it went: the groups have forgotten them by then.
const PAUSE: Duration = Duration::from_secs(3);

/// Fewer than this are not worth it. What goes comes out of blocks for a thousand in no order, so that most memory is freed
/// with the last tenth: this must be little.
const FEW: usize = 250;

/// When to give memory back: half of what was held is gone since the last time, or since there was most.
///
/// The allocator keeps what is freed between other things; only when asked does it look for whole pages there. That takes
/// milliseconds for a full table, so it is asked seldom: while a table goes, once for each half of what was left, and not
/// before the pause is over.
#[derive(Debug, Default)]
pub struct GiveBack {
    most: usize,
    due: Option<Instant>,
}

impl GiveBack {
    /// So much is held now, in things of a kind (routes, paths). Gives memory back if it is time, and before that lets go
    /// of what is kept for more.
    pub fn look(&mut self, now: Instant, held: usize, let_go: impl FnOnce()) {
        self.note(now, held);
        if self.is_due(now, held) {
            let_go();
            trim_memory();
        }
    }

    /// When [`GiveBack::look`] has something to do, whatever is held then.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.due
    }

    fn note(&mut self, now: Instant, held: usize) {
        self.most = self.most.max(held);
        if self.due.is_none() && self.most - held >= FEW.max(self.most / 2) {
            self.due = Some(now + PAUSE);
        }
    }

    /// Whether it is time, once each time.
    fn is_due(&mut self, now: Instant, held: usize) -> bool {
        let is_due = self.due.take_if(|due| *due <= now).is_some();
        if is_due {
            self.most = held;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_once_after_half_of_many_paths_went() {
        let mut give_back = GiveBack::default();
        let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
        give_back.note(at(0), 200);
        give_back.note(at(1), 0);
        assert_eq!(give_back.next_timeout(), None, "they were few");
        give_back.note(at(2), 200_000);
        give_back.note(at(3), 110_000);
        assert_eq!(give_back.next_timeout(), None, "more than half are left");
        give_back.note(at(4), 90_000);
        give_back.note(at(5), 80_000);
        assert_eq!(give_back.next_timeout(), Some(at(7)));
        assert!(!give_back.is_due(at(6), 70_000) && give_back.is_due(at(7), 70_000));
        give_back.note(at(8), 70_000);
        assert_eq!(give_back.next_timeout(), None);
        give_back.note(at(9), 10_000);
        assert_eq!(give_back.next_timeout(), Some(at(12)));
    }

    #[test]
    fn it_is_due_again_for_the_last_tenth_of_a_table() {
        let mut give_back = GiveBack::default();
        let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
        give_back.note(at(0), 1_000_000);
        let left = (1..60_u64).map(|second| 1_000_000_usize.saturating_sub(25_000 * second as usize));
        let times = left.zip(1..).filter(|(held, second)| {
            give_back.note(at(*second), *held);
            give_back.is_due(at(*second), *held)
        });
        assert_eq!(times.collect::<Vec<_>>(), [(425_000, 23), (125_000, 35), (0, 41)]);
    }
}
