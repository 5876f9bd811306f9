//! Brings a network of `examples/` up and keeps it until Ctrl-C.

use clap::Parser;
use interop::{Error, Result, Topology};
use nix::sys::signal::{SigSet, Signal};

/// Brings an example's network up in namespaces, and keeps it until Ctrl-C (as root)
#[derive(Parser)]
struct Arguments {
    /// A directory of examples/
    name: String,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    // From now on they wait for `wait`, so that nothing is left behind half made.
    let mut signals = SigSet::empty();
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].iter().for_each(|signal| signals.add(*signal));
    let failed = |error: nix::Error| Error::NotSo(format!("cannot wait for signals: {error}"));
    signals.thread_block().map_err(failed)?;
    let topology = Topology::start(&arguments.name)?;
    println!("{} is up; Ctrl-C takes it down.\n\n{}", arguments.name, topology.guide());
    signals.wait().map_err(failed)?;
    Ok(())
}
