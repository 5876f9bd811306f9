//! The worst day of a reflector and its nodes: the figures of `docs/reliability.md`.

use clap::Parser;
use interop::strain::{ALL, Strain};
use interop::{Recording, Result};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Kills, stops, starves and attacks a reflector and its nodes, and prints what that cost the innocent (as root)
#[derive(Parser)]
struct Arguments {
    /// Only these; all without any
    names: Vec<String>,
    /// How long what lasts shall last
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What is drawn is drawn with this seed; one of its own each time without
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/route-reflector-2015.excerpt.mrt.gz");
    let recording = Recording::read(&PathBuf::from(table))?;
    let named = arguments.names.iter().map(|name| Strain::named(name)).collect::<Result<Vec<_>>>()?;
    let seed = arguments.seed.unwrap_or_else(now);
    eprintln!("strain: --seed {seed}");
    println!(
        "| what | pings sent | lost | longest gap | routes withdrawn | sessions fallen | memory | |\n\
         |---|---|---|---|---|---|---|---|"
    );
    for strain in if named.is_empty() { ALL.iter().collect() } else { named } {
        if let (Some(obstacle), true) = (strain.obstacle(), arguments.names.is_empty()) {
            eprintln!("strain: no {}: {obstacle}", strain.name);
            continue;
        }
        let seen = strain.run(&recording, Duration::from_secs(arguments.seconds), seed)?;
        println!(
            "| `{}`: {} | {} | {} | {} ms | {} | {} | {:.1} → {:.1} MB | {} |",
            strain.name,
            strain.what,
            seen.traffic.sent,
            seen.traffic.lost,
            seen.traffic.longest.as_millis(),
            seen.withdrawn,
            seen.fallen,
            seen.memory.0 as f64 / 1000.0,
            seen.memory.1 as f64 / 1000.0,
            seen.note
        );
    }
    Ok(())
}

/// Another number each time.
fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as u64)
}
