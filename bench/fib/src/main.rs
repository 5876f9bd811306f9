//! The kernel's table at the kernel's speed: fib-sync and bgp-speaker beside raw netlink, BIRD and FRR.

mod bgp;
mod daemon;
mod fib;
mod net;
mod raw;
mod result;
mod watch;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use daemon::{KINDS, Kind};
use raw::{Raw, Via};
use result::{Bar, Results, said};
use watch::Watcher;
use work::Stage;

const USAGE: &str = "\
usage: fib-bench [--quick] [--only WORK]... [--daemons NAME,...] [--reps N] [--bgp-speaker FILE] [--json FILE]

    --quick             small sizes, once: for a look, not for figures
    --only WORK         this: memory, session, resync, nexthop
    --daemons NAME,...  of bgp-speaker, bird, frr (all that are installed)
    --reps N            repetitions (5; the figures are medians)
    --bgp-speaker FILE  this project's program (target/release/bgp-speaker)
    --json FILE         the result as JSON too

Ends with 1 if a bar is missed, with 2 if something could not be measured.
";

type Work = fn(&mut Stage);

/// The works, by name.
const WORKS: [(&str, Work); 4] = [
    ("memory", work::memory::run),
    ("session", work::session::run),
    ("resync", work::resync::run),
    ("nexthop", work::nexthop::run),
];

struct Options {
    quick: bool,
    only: Vec<String>,
    daemons: Option<Vec<String>>,
    repetitions: Option<usize>,
    ours: PathBuf,
    json: Option<PathBuf>,
}

fn options() -> Option<Options> {
    let ours = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/release/bgp-speaker"));
    let mut options =
        Options { quick: false, only: Vec::new(), daemons: None, repetitions: None, ours, json: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--quick" => options.quick = true,
            "--only" => options.only.push(arguments.next()?),
            "--daemons" => options.daemons = Some(arguments.next()?.split(',').map(str::to_owned).collect()),
            "--reps" => options.repetitions = Some(arguments.next()?.parse().ok().filter(|reps| *reps > 0)?),
            "--bgp-speaker" => options.ours = arguments.next()?.into(),
            "--json" => options.json = Some(arguments.next()?.into()),
            _ => return None,
        }
    }
    let known = |name: &String| WORKS.iter().any(|(work, _)| work == name);
    options.only.iter().all(known).then_some(options)
}

/// Those that are asked for and installed.
fn daemons(options: &Options) -> Vec<(Kind, Vec<PathBuf>)> {
    let wanted = |kind: &Kind| {
        options.daemons.as_ref().is_none_or(|names| names.iter().any(|name| name == kind.name()))
    };
    let found = |kind: Kind| {
        let programs = kind.programs(&options.ours);
        if programs.is_none() {
            eprintln!("{} is not installed, or not built", kind.name());
        }
        Some((kind, programs?))
    };
    KINDS.into_iter().filter(wanted).filter_map(found).collect()
}

fn main() -> std::io::Result<ExitCode> {
    let Some(options) = options() else {
        print!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    let neighbor = net::enter()?;
    let mut stage = Stage {
        neighbor,
        watcher: Watcher::start()?,
        raw: Raw::open()?,
        via: Via { gateway: net::NEIGHBOR, interface: net::interface(net::LINKS[0])? },
        daemons: daemons(&options),
        others: net::routes()?,
        quick: options.quick,
        repetitions: options.repetitions.unwrap_or(if options.quick { 1 } else { 5 }),
        results: Results::default(),
    };
    let started = said("date", &["-u", "+%Y-%m-%dT%H:%M:%S"]);
    for (name, run) in WORKS {
        if options.only.is_empty() || options.only.iter().any(|only| only == name) {
            run(&mut stage);
        }
    }
    let results = stage.results;
    println!("\n{}", results.text());
    if let Some(path) = options.json {
        let json = serde_json::to_string_pretty(&results.json(options.quick, &started))?;
        std::fs::write(path, json + "\n")?;
    }
    Ok(match (results.faults.is_empty(), results.bars.iter().all(Bar::is_met)) {
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::from(1),
        (false, _) => ExitCode::from(2),
    })
}
