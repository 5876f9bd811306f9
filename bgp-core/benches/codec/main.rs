//! Nanoseconds per UPDATE for each way through the codec: `cargo bench -p bgp-core`.
//!
//! Wall clock, the best of some rounds. Beside other crates: `make bench-codec`; counted in instructions, which a busy
//! machine does not change: `make instructions`.
#![allow(
    clippy::expect_used,
    reason = "the UPDATEs are made here: if one can't be read there is nothing to measure"
)]
#![allow(clippy::indexing_slicing, clippy::disallowed_methods, reason = "a program that measures time")]
#![allow(dead_code, unreachable_pub, reason = "the modules are shared with other programs")]

mod paths;
mod workload;

use std::hint::black_box;
use std::time::Instant;

use paths::{Stored, Tally, Typed};
use workload::Shape;

const ROUNDS: usize = 15;

fn main() {
    println!("{:<8} {:<24} {:>9}", "UPDATEs", "", "ns/UPDATE");
    for (name, shape) in [("table", Shape::table(2000, 10_000)), ("single", Shape::single(2000, 10_000))] {
        measure(name, &shape.messages());
    }
}

fn measure(name: &str, messages: &[Vec<u8>]) {
    let context = workload::context();
    let (mut scratch, mut block, mut out) = (Vec::new(), Vec::new(), Vec::new());
    let typed: Vec<Typed> = messages.iter().map(|m| paths::typed(m, &context, &mut scratch)).collect();
    let stored: Vec<Stored> = messages.iter().map(|m| paths::stored(m, &context)).collect();

    let row = |path: &str, mut each: Box<dyn FnMut(usize) + '_>| {
        let best = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                (0..messages.len()).for_each(&mut each);
                start.elapsed().as_nanos()
            })
            .min()
            .unwrap_or_default();
        println!("{name:<8} {path:<24} {:>9.1}", best as f64 / messages.len() as f64);
    };
    let mut tally = Tally::default();
    row("validated view", Box::new(|n| paths::view(&messages[n], &context, &mut scratch, &mut tally)));
    black_box(tally);
    row("owned values", Box::new(|n| drop(black_box(paths::typed(&messages[n], &context, &mut scratch)))));
    row(
        "encode a stored block",
        Box::new(|n| {
            paths::encode(&stored[n].block, &stored[n].announced, &mut out);
            black_box(&out);
        }),
    );
    row(
        "encode owned values",
        Box::new(|n| {
            paths::encode_typed(&typed[n], &mut block, &mut out);
            black_box(&out);
        }),
    );
}
