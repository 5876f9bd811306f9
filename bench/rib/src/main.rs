//! Time, memory and growth of the routing tables.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a program that measures what it makes up itself: if that goes wrong there is nothing to measure"
)]
#![allow(dead_code, unreachable_pub, missing_docs, reason = "modules are shared with other programs")]

mod allocator;
mod measure;
mod report;
mod times;

#[path = "../../../bgp-core/benches/codec/paths.rs"]
mod paths;
#[path = "../../../bgp-rib/benches/rib/routes.rs"]
mod routes;
#[path = "../../../bgp-core/benches/codec/workload.rs"]
mod workload;
#[path = "../../../bgp-rib/benches/rib/world.rs"]
mod world;

use std::path::PathBuf;

use serde_json::{Value, json};

use measure::Bench;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

const USAGE: &str = "\
usage: rib-bench [times|memory|growth] [--quick] [--rounds N] [--only GROUP] [--json FILE]

    times          time per operation; what is done if nothing is said
    memory         octets per route and path
    growth         time and octets per route as routes and peers become more
    --quick        a tenth of everything: for a look, not for figures
    --rounds N     how often each row is measured (9)
    --only GROUP   only the times of this group
    --json FILE    the result as JSON too
";

#[derive(Clone, Copy)]
enum What {
    Times,
}

struct Options {
    what: What,
    quick: bool,
    rounds: usize,
    only: String,
    json: Option<PathBuf>,
}

fn options() -> Option<Options> {
    let mut options = Options { what: What::Times, quick: false, rounds: 9, only: String::new(), json: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &*argument {
            "times" => options.what = What::Times,
            "--quick" => options.quick = true,
            "--rounds" => options.rounds = arguments.next()?.parse().ok().filter(|rounds| *rounds > 0)?,
            "--only" => options.only = arguments.next()?,
            "--json" => options.json = Some(arguments.next()?.into()),
            _ => return None,
        }
    }
    Some(options)
}

fn main() -> std::io::Result<()> {
    let Some(options) = options() else {
        eprint!("{USAGE}");
        std::process::exit(2);
    };
    let result = match options.what {
        What::Times => times(&options),
    };
    match &options.json {
        Some(path) => std::fs::write(path, format!("{result:#}\n")),
        None => Ok(()),
    }
}

fn times(options: &Options) -> Value {
    let mut bench = Bench::new(options.rounds, options.quick, options.only.clone());
    report::print_head();
    times::all(&mut bench);
    json!({ "times": report::rows(&bench.rows) })
}
