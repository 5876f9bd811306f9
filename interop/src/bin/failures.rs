//! Planned restarts and single failures under traffic: the figures of `docs/reliability.md`.

use clap::Parser;
use interop::Result;
use interop::failures::{ALL, Failure};

/// Has planned restarts and single failures happen under traffic, and prints what was lost (as root)
#[derive(Parser)]
struct Arguments {
    /// Only these; all without any
    names: Vec<String>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let named = arguments.names.iter().map(|name| Failure::named(name)).collect::<Result<Vec<_>>>()?;
    println!(
        "| what | pings sent | lost | longest gap | routes withdrawn | back after |\n|---|---|---|---|---|---|"
    );
    for failure in if named.is_empty() { ALL.iter().collect() } else { named } {
        let seen = failure.run()?;
        println!(
            "| `{}`: {} | {} | {} | {} ms | {} | {:.1} s |",
            failure.name,
            failure.what,
            seen.traffic.sent,
            seen.traffic.lost,
            seen.traffic.longest.as_millis(),
            seen.withdrawn.len(),
            seen.took.as_secs_f64()
        );
    }
    Ok(())
}
