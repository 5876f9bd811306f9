//! Counters and gauges for the caller's metrics.

use std::time::Duration;

/// A snapshot of what was done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Our routes in the kernel, stale ones included.
    pub routes: usize,
    /// Prefixes whose change is not carried out yet.
    pub pending: usize,
    /// Nexthop groups that routes name instead of their hops.
    pub groups: usize,
    /// Routes put in place where none of ours was.
    pub add: Results,
    /// Routes whose forwarding was changed in one step.
    pub replace: Results,
    /// Routes removed.
    pub delete: Results,
    /// Desired routes that someone else had changed or deleted and that were put right.
    pub repairs: u64,
    /// Times the whole kernel state was read: at start, after lost events, after a link of ours went down …
    pub resyncs: u64,
    /// From the first pending change to the last of the newest burst.
    pub last_sync: Duration,
}

/// How operations of one kind ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Results {
    /// The kernel holds what was wanted.
    pub ok: u64,
    /// The kernel refused.
    pub refused: u64,
    /// The kernel's state was not as expected, or a foreign route was in the way.
    pub conflict: u64,
}

impl Stats {
    /// The operations as label values and counts: operation, result, count.
    pub fn operations(&self) -> [(&'static str, &'static str, u64); 9] {
        let [add, replace, delete] = [self.add, self.replace, self.delete];
        [
            ("add", "ok", add.ok),
            ("add", "refused", add.refused),
            ("add", "conflict", add.conflict),
            ("replace", "ok", replace.ok),
            ("replace", "refused", replace.refused),
            ("replace", "conflict", replace.conflict),
            ("delete", "ok", delete.ok),
            ("delete", "refused", delete.refused),
            ("delete", "conflict", delete.conflict),
        ]
    }
}
