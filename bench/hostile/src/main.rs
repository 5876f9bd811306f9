//! What one bad peer costs the others: this project's route reflector, BIRD and FRR, each beside the same run without the
//! bad peer.

mod daemon;
mod expected;
mod flood;
mod namespace;
mod report;
mod rig;
mod routes;
mod scenario;
mod session;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use daemon::DAEMONS;
use report::{Entry, Outcome, Section};
use scenario::{SCENARIOS, Scenario, Stage};

const USAGE: &str = "\
usage: hostile-bench [--quick] [--only NAME]... [--daemons NAME,...] [--route-reflector FILE] [--json FILE]

    --quick                 small sizes: for a look, not for figures
    --only NAME             this scenario: slow, stuck, flood, flood-3s, flood-new, reconnect, idle, memory, memory-other
    --daemons NAME,...      of route-reflector, bird, frr (all that are installed)
    --route-reflector FILE  this project's program (target/release/route-reflector)
    --json FILE             the result as JSON too
";

struct Options {
    quick: bool,
    only: Vec<String>,
    daemons: Option<Vec<String>>,
    ours: PathBuf,
    json: Option<PathBuf>,
}

fn options() -> Option<Options> {
    let ours = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/release/route-reflector"));
    let mut options = Options { quick: false, only: Vec::new(), daemons: None, ours, json: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--quick" => options.quick = true,
            "--only" => options.only.push(arguments.next()?),
            "--daemons" => options.daemons = Some(arguments.next()?.split(',').map(str::to_owned).collect()),
            "--route-reflector" => options.ours = arguments.next()?.into(),
            "--json" => options.json = Some(arguments.next()?.into()),
            _ => return None,
        }
    }
    let known = |name: &String| SCENARIOS.iter().any(|scenario| scenario.name == name);
    options.only.iter().all(known).then_some(options)
}

/// Those that are asked for and installed.
fn stages<'a>(options: &Options, scratch: &'a std::path::Path) -> Vec<Stage<'a>> {
    let mut stages = Vec::new();
    for daemon in &DAEMONS {
        let named = |names: &Vec<String>| names.iter().any(|name| name == daemon.name);
        if !options.daemons.as_ref().is_none_or(named) {
            continue;
        }
        match daemon.binary(&options.ours) {
            Some(binary) => stages.push(Stage { daemon, binary, scratch, quick: options.quick }),
            None => eprintln!("{} is not installed", daemon.name),
        }
    }
    stages
}

/// All runs of a scenario: each column with each daemon in turn.
fn run(scenario: &'static Scenario, stages: &[Stage<'_>]) -> Section {
    let mut entries: Vec<Entry> =
        stages.iter().map(|stage| Entry { daemon: stage.daemon.name, outcomes: Vec::new() }).collect();
    for (column, name) in scenario.columns.iter().enumerate() {
        for (stage, entry) in stages.iter().zip(&mut entries) {
            let begin = Instant::now();
            let outcome = (scenario.run)(stage, column)
                .unwrap_or_else(|fault| Outcome { faults: vec![fault], ..Outcome::default() });
            let took = begin.elapsed().as_secs_f64();
            eprintln!("{} {name} {}: {took:.1} s", scenario.name, stage.daemon.name);
            entry.outcomes.push(outcome);
        }
    }
    Section { scenario: scenario.name, what: scenario.what, columns: scenario.columns, entries }
}

fn main() -> std::io::Result<ExitCode> {
    let Some(options) = options() else {
        print!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    namespace::enter()?;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;

    let scratch = std::env::temp_dir().join(format!("hostile-bench-{}", std::process::id()));
    let stages = stages(&options, &scratch);
    let mut sections = Vec::new();
    for scenario in &SCENARIOS {
        if options.only.is_empty() || options.only.iter().any(|name| name == scenario.name) {
            let section = run(scenario, &stages);
            println!("{}", section.text());
            sections.push(section);
        }
    }
    if let Some(path) = options.json {
        std::fs::write(path, report::json(&sections))?;
    }
    let faults: usize = sections.iter().map(Section::faults).sum();
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
