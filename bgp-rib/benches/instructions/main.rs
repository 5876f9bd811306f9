//! The hot paths, to be counted in instructions by callgrind: see `bench/instructions`.
//!
//! It goes the path that is named as its argument once for each UPDATE; callgrind counts only within one function. The
//! last line that it prints is how many UPDATEs these were.
#![allow(
    clippy::expect_used,
    reason = "the UPDATEs are made here: if one can't be read there is nothing to count"
)]
#![allow(clippy::indexing_slicing, reason = "in a program that takes no input")]
#![allow(dead_code, unreachable_pub, reason = "the modules are shared with other programs")]

#[path = "../../../bgp-core/benches/codec/paths.rs"]
mod paths;
#[path = "../../../bgp-core/benches/codec/workload.rs"]
mod workload;

mod intern;

use std::hint::black_box;

use intern::Decoder;
use paths::{Stored, Tally, Typed};
use workload::Shape;

const SETS: usize = 500;
const UPDATES: usize = 2000;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (Some(path), Some(shape)) = (arguments.next(), arguments.next()) else {
        println!("usage: instructions view|hit|miss|encode|compose table|single");
        return;
    };
    let shape = match &*shape {
        "single" => Shape::single(SETS, UPDATES),
        _ => Shape::table(SETS, UPDATES),
    };
    let messages = shape.messages();
    match &*path {
        "view" => view(&messages, &mut Vec::with_capacity(4096)),
        "hit" => {
            let mut decoder = Decoder::new(workload::context());
            let mut held = Vec::new();
            for message in &messages {
                held.extend(decoder.decode(message, &mut Tally::default()));
            }
            decode(&messages, &mut decoder);
        }
        "miss" => decode(&messages, &mut Decoder::new(workload::context())),
        "encode" => {
            let stored: Vec<Stored> =
                messages.iter().map(|m| paths::stored(m, &workload::context())).collect();
            encode(&stored, &mut Vec::with_capacity(4096));
        }
        "compose" => {
            let (context, mut scratch) = (workload::context(), Vec::new());
            let typed: Vec<Typed> =
                messages.iter().map(|m| paths::typed(m, &context, &mut scratch)).collect();
            compose(&typed, &mut Vec::with_capacity(4096), &mut Vec::with_capacity(4096));
        }
        other => println!("unknown path {other}"),
    }
    println!("{}", messages.len());
}

/// Both steps of decoding, all destinations, nothing kept.
#[inline(never)]
fn view(messages: &[Vec<u8>], scratch: &mut Vec<u8>) {
    let context = workload::context();
    let mut tally = Tally::default();
    for message in messages {
        paths::view(message, &context, scratch, &mut tally);
    }
    black_box(tally);
}

/// Decoding with interning. What comes out is not held on to: a set that nobody else holds is made and freed again.
#[inline(never)]
fn decode(messages: &[Vec<u8>], decoder: &mut Decoder) {
    let mut tally = Tally::default();
    for message in messages {
        black_box(decoder.decode(message, &mut tally));
    }
    black_box(tally);
}

/// Messages from what a RIB holds.
#[inline(never)]
fn encode(stored: &[Stored], out: &mut Vec<u8>) {
    for update in stored {
        paths::encode(&update.block, &update.announced, out);
        black_box(&out);
    }
}

/// Messages from owned values.
#[inline(never)]
fn compose(typed: &[Typed], block: &mut Vec<u8>, out: &mut Vec<u8>) {
    for update in typed {
        paths::encode_typed(update, block, out);
        black_box(&out);
    }
}
