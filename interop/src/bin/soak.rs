//! A table that never rests, for half an hour: the figures of `docs/reliability.md`.

use clap::Parser;
use interop::soak::{Plan, soak};
use interop::{Error, Recording, Result};
use std::path::PathBuf;
use std::time::Duration;

/// Plays recorded UPDATEs through a reflector to BIRD and two kernels, again and again, and looks at everything each second (as root)
#[derive(Parser)]
struct Arguments {
    /// MRT file with BGP4MP records, gzipped or not
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/route-reflector-2015.excerpt.mrt.gz"))]
    file: PathBuf,
    /// For so long
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// UPDATEs in a second
    #[arg(long, default_value_t = 2000)]
    rate: u32,
    /// Where to keep what was seen, a line for ten seconds
    #[arg(long)]
    csv: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let recording = Recording::read(&arguments.file)?;
    let time = Duration::try_from_secs_f64(arguments.minutes * 60.0);
    let time = time.map_err(|error| Error::NotSo(format!("--minutes: {error}")))?;
    let report = soak(&recording, Plan { time, rate: arguments.rate })?;
    if let Some(path) = arguments.csv {
        let written = std::fs::write(&path, report.csv());
        written.map_err(|error| Error::NotSo(format!("cannot write {}: {error}", path.display())))?;
    }
    println!("\n{}", report.table());
    match report.faults().as_slice() {
        [] => Ok(()),
        faults => Err(Error::NotSo(faults.join("; "))),
    }
}
