//! CPU time of this thread, round after round.

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of CPU time of this thread.
pub fn thread_time() -> u64 {
    let time =
        clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("the kernel has a clock for each thread");
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

/// Runs while what is measured does, and rests while it is set up.
#[derive(Default)]
pub struct Stopwatch {
    spent: u64,
}

impl Stopwatch {
    /// Counts the time of `f`.
    pub fn time<T>(&mut self, f: impl FnOnce() -> T) -> T {
        let start = thread_time();
        let result = f();
        self.spent += thread_time() - start;
        result
    }
}

/// One row of the result.
pub struct Row {
    /// What is measured,
    pub group: &'static str,
    /// and which case of it.
    pub work: String,
    /// How many operations a round has,
    pub operations: usize,
    /// and what each is done to.
    pub unit: &'static str,
    /// Nanoseconds per operation: the least and the median of the rounds.
    pub least: f64,
    pub median: f64,
}

/// Rows as they are measured.
pub struct Bench {
    rounds: usize,
    /// A tenth of everything.
    quick: bool,
    /// Only rows of groups that have this in their name.
    only: String,
    pub rows: Vec<Row>,
}

impl Bench {
    pub fn new(rounds: usize, quick: bool, only: String) -> Bench {
        Bench { rounds, quick, only, rows: Vec::new() }
    }

    /// So many, or a tenth of that for a look.
    pub fn size(&self, count: usize) -> usize {
        if self.quick { count / 10 } else { count }
    }

    /// Whether rows of this group are wanted.
    pub fn wants(&self, group: &str) -> bool {
        group.contains(&self.only)
    }

    /// Measures one row: `round` does so many operations each time, and counts their time.
    pub fn row(
        &mut self,
        group: &'static str,
        work: impl Into<String>,
        (operations, unit): (usize, &'static str),
        mut round: impl FnMut(&mut Stopwatch),
    ) {
        let mut times: Vec<u64> = Vec::with_capacity(self.rounds);
        // The first fills caches and tables.
        for _ in 0..=self.rounds {
            let mut stopwatch = Stopwatch::default();
            round(&mut stopwatch);
            times.push(stopwatch.spent);
        }
        times.remove(0);
        times.sort_unstable();
        let per_operation = |total: u64| total as f64 / operations as f64;
        let (least, median) = (per_operation(times[0]), per_operation(times[times.len() / 2]));
        let row = Row { group, work: work.into(), operations, unit, least, median };
        crate::report::print_row(&row);
        self.rows.push(row);
    }
}
