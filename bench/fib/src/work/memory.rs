//! Routes from memory into the kernel and out again.

use std::io;
use std::time::Instant;

use super::{FIB_SYNC, LIMITS, Stage, TIME};
use crate::fib::{Fib, Style};
use crate::net::NEIGHBOR;
use crate::raw::Order;

/// Times raw netlink.
const MOST: f64 = 1.15;

pub fn run(stage: &mut Stage) {
    let sizes: &[u32] = if stage.quick { &[20_000] } else { &[100_000, 500_000, 1_000_000] };
    for &count in sizes {
        for _ in 0..stage.repetitions {
            for (who, order) in LIMITS {
                let done = raw(stage, count, who, order);
                note(stage, count, who, done);
            }
            let done = fib_sync(stage, count);
            note(stage, count, FIB_SYNC, done);
        }
        for work in ["install", "withdraw"] {
            let ours = stage.results.median(work, count, FIB_SYNC, TIME);
            for (limit, _) in LIMITS {
                let raw = stage.results.median(work, count, limit, TIME);
                let what = format!("{work} {count} routes from memory, times {limit}");
                stage.results.ratio(what, ours, raw, MOST);
            }
        }
    }
}

fn note(stage: &mut Stage, count: u32, who: &str, done: io::Result<()>) {
    if let Err(error) = done {
        stage.results.fault(&format!("{count} routes from memory, {who}"), &error);
        stage.clean();
    }
}

fn raw(stage: &mut Stage, count: u32, who: &'static str, order: Order) -> io::Result<()> {
    let begin = Instant::now();
    stage.raw.add(count, stage.via, order)?;
    stage.results.add("install", count, who, TIME, begin.elapsed().as_secs_f64());
    stage.expect(count)?;
    let begin = Instant::now();
    stage.raw.delete(count, stage.via, order)?;
    stage.results.add("withdraw", count, who, TIME, begin.elapsed().as_secs_f64());
    stage.expect(0)
}

fn fib_sync(stage: &mut Stage, count: u32) -> io::Result<()> {
    let mut fib = Fib::open(Style::Objects)?;
    let begin = Instant::now();
    fib.set(count, &[NEIGHBOR]);
    fib.flush()?;
    stage.results.add("install", count, FIB_SYNC, TIME, begin.elapsed().as_secs_f64());
    stage.expect(count)?;
    let begin = Instant::now();
    fib.remove(count);
    fib.flush()?;
    stage.results.add("withdraw", count, FIB_SYNC, TIME, begin.elapsed().as_secs_f64());
    stage.expect(0)
}
