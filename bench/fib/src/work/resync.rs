//! Everything is read again, and nothing is changed: the library after it lost the kernel's events, beside a raw dump.

use std::io;
use std::time::Instant;

use fib_sync::FibConfig;

use super::{FIB_SYNC, RAW, Stage, TIME};
use crate::fib::{Fib, Style, config, operations};
use crate::net::{NEIGHBOR, OTHER};
use crate::raw::Via;

const WORK: &str = "resync";
const SENT: &str = "messages sent";
/// Times a raw dump.
const MOST: f64 = 1.5;
/// The least that the kernel allows: a few events fill it.
const BUFFER: usize = 4096;
/// Changes of somebody else's route.
const CHANGES: usize = 2000;

pub fn run(stage: &mut Stage) {
    let count = if stage.quick { 20_000 } else { 1_000_000 };
    if let Err(error) = measure(stage, count) {
        stage.results.fault("resync", &error);
    }
    stage.clean();
    let [ours, raw] = [FIB_SYNC, RAW].map(|who| stage.results.median(WORK, count, who, TIME));
    let sent = stage.results.median(WORK, count, FIB_SYNC, SENT);
    stage.results.ratio(format!("resync of {count} routes, times a raw dump"), ours, raw, MOST);
    stage.results.at_most(format!("messages sent by a resync of {count} routes"), sent, 0.0);
}

fn measure(stage: &mut Stage, count: u32) -> io::Result<()> {
    let mut fib = Fib::open_with(FibConfig { receive_buffer: BUFFER, ..config(Style::Objects) })?;
    fib.set(count, &[NEIGHBOR]);
    fib.flush()?;
    stage.expect(count)?;
    for _ in 0..stage.repetitions {
        let begin = Instant::now();
        stage.raw.dump()?;
        stage.results.add(WORK, count, RAW, TIME, begin.elapsed().as_secs_f64());

        for _ in 0..CHANGES / 2 {
            for gateway in [NEIGHBOR, OTHER] {
                stage.raw.set_host([192, 0, 2, 9].into(), Via { gateway, ..stage.via })?;
            }
        }
        let (before, begin) = (fib.stats(), Instant::now());
        fib.flush()?;
        let took = begin.elapsed();
        let after = fib.stats();
        if after.resyncs != before.resyncs + 1 {
            return Err(io::Error::other("lost events did not lead to one resync"));
        }
        stage.results.add(WORK, count, FIB_SYNC, TIME, took.as_secs_f64());
        stage.results.add(WORK, count, FIB_SYNC, SENT, (operations(&after) - operations(&before)) as f64);
    }
    stage.raw.remove_host([192, 0, 2, 9].into())?;
    fib.remove(count);
    fib.flush()?;
    stage.expect(0)
}
