//! Runs many seeds and says what it found.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sim::check::check;
use sim::generate::{Topology, generate};
use sim::observe::Failure;
use sim::print::print;
use sim::run::Report;
use sim::shrink::shrink;
use sim::spec::{Event, Spec};

const USAGE: &str =
    "usage: sim [--seeds N] [--first S] [--topology T] [--jobs J] [--shrink]\n       sim --faults [NAME]";

/// How many runs a failing spec may take until it is small.
const RUNS: usize = 20_000;

struct Options {
    seeds: u64,
    first: u64,
    topology: Option<Topology>,
    jobs: usize,
    shrink: bool,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let mut options = Options { seeds: 1000, first: 0, topology: None, jobs, shrink: false };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
            let number =
                |text: String| text.parse::<u64>().map_err(|_| format!("{text} is no number\n{USAGE}"));
            match word.as_str() {
                "--seeds" => options.seeds = number(value()?)?,
                "--first" => options.first = number(value()?)?,
                "--topology" => options.topology = Some(value()?.parse()?),
                "--jobs" => options.jobs = number(value()?)?.clamp(1, 1024) as usize,
                "--shrink" => options.shrink = true,
                _ => return Err(format!("{word} is not known\n{USAGE}")),
            }
        }
        Ok(options)
    }

    /// What the seed stands for: seeds go round through the topologies.
    fn topology(&self, seed: u64) -> Topology {
        let place = (seed % Topology::ALL.len() as u64) as usize;
        self.topology.or(Topology::ALL.get(place).copied()).unwrap_or(Topology::Mesh)
    }
}

#[derive(Default)]
struct Totals {
    topologies: BTreeMap<String, u64>,
    events: BTreeMap<&'static str, u64>,
    steps: u64,
    took: Duration,
    restless: u64,
}

impl Totals {
    fn add(&mut self, topology: Topology, spec: &Spec, report: &Report) {
        *self.topologies.entry(topology.to_string()).or_default() += 1;
        for (_, event) in &spec.events {
            *self.events.entry(name(event)).or_default() += 1;
        }
        self.steps += report.steps;
        self.restless += u64::from(!report.rested);
        self.took += report.took;
    }

    fn merge(&mut self, other: Totals) {
        other.topologies.into_iter().for_each(|(name, n)| *self.topologies.entry(name).or_default() += n);
        other.events.into_iter().for_each(|(name, n)| *self.events.entry(name).or_default() += n);
        self.steps += other.steps;
        self.restless += other.restless;
        self.took += other.took;
    }
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Announce(..) => "announce",
        Event::Withdraw(..) => "withdraw",
        Event::Reset(..) => "reset",
        Event::Cut(..) => "cut",
        Event::HalfOpen(..) => "half-open",
        Event::Stall(..) => "stall",
        Event::Crash(..) => "crash",
        Event::Restart(..) => "restart",
        Event::Shutdown(..) => "shutdown",
        Event::Refresh(..) => "refresh",
        Event::RefreshOut(..) => "refresh-out",
        Event::Configure(..) => "configure",
        Event::Drain(..) => "drain",
        Event::NextHop(..) => "next-hop",
        Event::Freeze(..) => "freeze",
        Event::Garbage(..) => "garbage",
    }
}

/// The lowest seed that failed, and how.
type Found = Mutex<Option<(u64, Failure)>>;

fn work(options: &Options, next: &AtomicU64, found: &Found) -> Totals {
    let mut totals = Totals::default();
    let end = options.first.saturating_add(options.seeds);
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        let failed = found.lock().map_or(true, |found| found.is_some());
        if seed >= end || failed {
            return totals;
        }
        let topology = options.topology(seed);
        let spec = generate(topology, seed);
        match check(&spec) {
            Ok(report) => totals.add(topology, &spec, &report),
            Err(failure) => {
                if let Ok(mut found) = found.lock()
                    && found.as_ref().is_none_or(|(other, _)| seed < *other)
                {
                    *found = Some((seed, failure));
                }
            }
        }
    }
}

fn run_all(options: &Options) -> (Totals, Option<(u64, Failure)>) {
    let (next, found) = (AtomicU64::new(options.first), Mutex::new(None));
    let mut totals = Totals::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..options.jobs).map(|_| scope.spawn(|| work(options, &next, &found))).collect();
        for thread in threads {
            if let Ok(done) = thread.join() {
                totals.merge(done);
            }
        }
    });
    (totals, found.into_inner().unwrap_or_default())
}

#[expect(clippy::disallowed_methods, reason = "only to say how fast it was")]
fn clock() -> Instant {
    Instant::now()
}

fn tell(totals: &Totals, took: Duration) {
    let seeds: u64 = totals.topologies.values().sum();
    println!(
        "{seeds} seeds in {:.1} s, {:.0} a second; {} steps, {:.1} days of network time",
        took.as_secs_f64(),
        seeds as f64 / took.as_secs_f64(),
        totals.steps,
        totals.took.as_secs_f64() / 86_400.0,
    );
    let list = |pairs: Vec<String>| pairs.join(", ");
    println!("topologies: {}", list(totals.topologies.iter().map(|(k, v)| format!("{k} {v}")).collect()));
    println!("without stable routes: {}", totals.restless);
    println!("events: {}", list(totals.events.iter().map(|(k, v)| format!("{k} {v}")).collect()));
}

/// Plants one mistake after another, on all cores, and tells which were found.
#[cfg(planted_faults)]
fn hunt_all(only: Option<String>) -> ExitCode {
    use bgp_rib::fault::Fault;
    use sim::faults::{Hunted, page};

    std::panic::set_hook(Box::new(|_| ()));
    let wanted = |fault: &&Fault| only.as_ref().is_none_or(|name| format!("{fault:?}") == *name);
    let faults: Vec<Fault> = Fault::ALL.iter().filter(wanted).copied().collect();
    let next = AtomicU64::new(0);
    let found = Mutex::new(Vec::new());
    let work = || {
        while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            let hunted = sim::faults::hunt(*fault, HUNTS);
            if let Ok(mut found) = found.lock() {
                found.push((*fault, hunted));
            }
        }
    };
    std::thread::scope(|scope| {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        (0..jobs).for_each(|_| drop(scope.spawn(work)));
    });
    let mut rows = found.into_inner().unwrap_or_default();
    rows.sort_by_key(|(fault, _)| *fault);
    let table = page::table(&rows);
    print!("{table}");
    if only.is_none() && std::env::var_os(REWRITE).is_some() {
        rewrite(&table);
    }
    let is_found = |hunted: &Hunted| matches!(hunted, Hunted::Found(..));
    let missed: Vec<String> =
        rows.iter().filter(|(_, hunted)| !is_found(hunted)).map(|(fault, _)| format!("{fault:?}")).collect();
    if missed.is_empty() && !rows.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("not found in {HUNTS} runs: {}", missed.join(", "));
    ExitCode::FAILURE
}

/// How many runs a mistake has to stay unseen in to be called so.
#[cfg(planted_faults)]
const HUNTS: u64 = 100;

/// Set to have the table in the manual written anew.
#[cfg(planted_faults)]
const REWRITE: &str = "REWRITE_DOCS";

#[cfg(planted_faults)]
fn rewrite(table: &str) {
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reliability.md");
    let page =
        std::fs::read_to_string(PAGE).ok().and_then(|page| sim::faults::page::with_table(&page, table));
    let written = page.map(|page| std::fs::write(PAGE, page));
    if !matches!(written, Some(Ok(()))) {
        eprintln!("{PAGE} cannot be written, or has no table");
    }
}

#[cfg(not(planted_faults))]
fn hunt_all(_only: Option<String>) -> ExitCode {
    eprintln!("build with RUSTFLAGS=\"--cfg planted_faults\" to plant mistakes: make faults");
    ExitCode::from(2)
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if(|word| word == "--faults").is_some() {
        return hunt_all(words.next());
    }
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    let start = clock();
    let (totals, found) = run_all(&options);
    tell(&totals, start.elapsed());
    let Some((seed, failure)) = found else { return ExitCode::SUCCESS };
    let topology = options.topology(seed);
    println!("\nseed {seed}, {topology}: {failure}");
    println!("again: sim --first {seed} --seeds 1 --topology {topology}");
    if options.shrink {
        // Every run that panics says so on the way.
        std::panic::set_hook(Box::new(|_| ()));
        let mut fails = |spec: &Spec| check(spec).is_err_and(|other| other.check == failure.check);
        let small = shrink(&generate(topology, seed), RUNS, &mut fails);
        if let Err(failure) = check(&small) {
            println!("\nThe same, smaller: {failure}");
        }
        println!("\n{}", print(&format!("seed_{seed}"), &small));
    }
    ExitCode::FAILURE
}
