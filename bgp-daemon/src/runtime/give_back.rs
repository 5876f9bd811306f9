//! Memory that routes have left goes back to the system.

use std::time::Duration;

use bgp_core::Instant;

/// So long after many routes went: the groups have forgotten them by then.
const PAUSE: Duration = Duration::from_secs(3);

/// Fewer paths than this are not worth it.
const MANY: usize = 50_000;

/// When to give memory back: half of the paths and many are gone since the last time, or since there were most.
///
/// The allocator keeps what is freed between other things; only when asked does it look for whole pages there. That takes
/// milliseconds for a full table, so it is asked seldom.
#[derive(Debug, Default)]
pub(super) struct GiveBack {
    most: usize,
    due: Option<Instant>,
}

impl GiveBack {
    /// There are so many paths now.
    pub(super) fn note(&mut self, now: Instant, paths: usize) {
        self.most = self.most.max(paths);
        if self.due.is_none() && self.most - paths >= MANY.max(self.most / 2) {
            self.due = Some(now + PAUSE);
        }
    }

    /// When [`GiveBack::is_due`] is to be asked.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Whether it is time, once each time; there are so many paths now.
    pub(super) fn is_due(&mut self, now: Instant, paths: usize) -> bool {
        let is_due = self.due.take_if(|due| *due <= now).is_some();
        if is_due {
            self.most = paths;
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
        give_back.note(at(0), 10_000);
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
}
