//! Time of this thread, allocations of this thread, and rounds in which all take their turn.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bgp_rib::Attrs;

use crate::paths::Tally;

/// What is measured: goes once over a workload. What it puts into the vector is freed outside of the measured time.
pub type Run<'a> = Box<dyn FnMut(&mut Vec<Attrs>) -> Tally + 'a>;

/// One row of the result, before it is measured.
pub struct Contestant<'a> {
    pub name: &'static str,
    pub work: &'static str,
    /// Whether its tally is of all that the workload holds.
    pub reads_all: bool,
    pub run: Run<'a>,
}

impl<'a> Contestant<'a> {
    pub fn new(
        name: &'static str,
        work: &'static str,
        run: impl FnMut(&mut Vec<Attrs>) -> Tally + 'a,
    ) -> Contestant<'a> {
        Contestant { name, work, reads_all: true, run: Box::new(run) }
    }
}

/// One row of the result.
pub struct Measured {
    pub name: &'static str,
    pub work: &'static str,
    /// Nanoseconds of CPU time for the whole workload: the least and the median of all rounds.
    pub least: u64,
    pub median: u64,
    /// Allocations for the whole workload.
    pub allocations: u64,
    /// What it read; `None` if that is not all that the workload holds.
    pub tally: Option<Tally>,
}

/// Lets each contestant go over the workload once per round, in turn, so that what else the machine does hits all.
pub fn rounds(mut contestants: Vec<Contestant<'_>>, rounds: usize) -> Vec<Measured> {
    let mut times = vec![Vec::with_capacity(rounds); contestants.len()];
    let mut measured: Vec<Measured> = contestants.iter_mut().map(warm_up).collect();
    for _ in 0..rounds {
        for (contestant, times) in contestants.iter_mut().zip(&mut times) {
            let mut freed_later = Vec::with_capacity(1 << 17);
            let start = thread_time();
            std::hint::black_box((contestant.run)(&mut freed_later));
            times.push(thread_time() - start);
        }
    }
    for (row, mut times) in measured.iter_mut().zip(times) {
        times.sort_unstable();
        row.least = times[0];
        row.median = times[times.len() / 2];
    }
    measured
}

/// Fills caches and tables, and counts what is allocated.
fn warm_up(contestant: &mut Contestant<'_>) -> Measured {
    let mut freed_later = Vec::with_capacity(1 << 17);
    (contestant.run)(&mut freed_later);
    freed_later.clear();
    COUNTED.set(Some(0));
    let tally = (contestant.run)(&mut freed_later);
    let allocations = COUNTED.take().unwrap_or_default();
    let (name, work) = (contestant.name, contestant.work);
    let tally = contestant.reads_all.then_some(tally);
    Measured { name, work, least: 0, median: 0, allocations, tally }
}

/// CPU time of this thread, in nanoseconds.
fn thread_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec that outlives the call.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(done, 0, "the kernel has a clock for each thread");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

thread_local! {
    /// Allocations since it was set, while it is.
    static COUNTED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The system's allocator, counting.
pub struct Counting;

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNTED.set(COUNTED.get().map(|count| count + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNTED.set(COUNTED.get().map(|count| count + 1));
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}
