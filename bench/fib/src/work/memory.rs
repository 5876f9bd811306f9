//! Routes from memory into the kernel and out again.

use std::io;
use std::time::Instant;

use super::{FIB_SYNC, RAW, Stage, TIME};
use crate::fib::{Fib, Style};
use crate::net::NEIGHBOR;

/// Times raw netlink.
const MOST: f64 = 1.15;

pub fn run(stage: &mut Stage) {
    let sizes: &[u32] = if stage.quick { &[20_000] } else { &[100_000, 500_000, 1_000_000] };
    for &count in sizes {
        for _ in 0..stage.repetitions {
            for (who, round) in [(RAW, raw as Round), (FIB_SYNC, fib_sync)] {
                if let Err(error) = round(stage, count) {
                    stage.results.fault(&format!("{count} routes from memory, {who}"), &error);
                    stage.clean();
                }
            }
        }
        for work in ["install", "withdraw"] {
            let [ours, raw] = [FIB_SYNC, RAW].map(|who| stage.results.median(work, count, who, TIME));
            stage.results.ratio(
                format!("{work} {count} routes from memory, times raw netlink"),
                ours,
                raw,
                MOST,
            );
        }
    }
}

type Round = fn(&mut Stage, u32) -> io::Result<()>;

fn raw(stage: &mut Stage, count: u32) -> io::Result<()> {
    let begin = Instant::now();
    stage.raw.add(count, stage.via)?;
    stage.results.add("install", count, RAW, TIME, begin.elapsed().as_secs_f64());
    stage.expect(count)?;
    let begin = Instant::now();
    stage.raw.delete(count, stage.via)?;
    stage.results.add("withdraw", count, RAW, TIME, begin.elapsed().as_secs_f64());
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
