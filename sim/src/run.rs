//! A run: all that a spec says happens, then time passes until nothing changes any more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use bgp_core::Instant;

use crate::network::Network;
use crate::observe::{Failure, Observer};
use crate::spec::Spec;

/// For so long nobody must have had anything to tell: longer than octets are under way.
const QUIET: Duration = Duration::from_secs(5);

/// By so long after the last event all is quiet: longer than any back-off, hold time, and time for which routes are kept
/// after a restart, one after the other.
const PATIENCE: Duration = Duration::from_secs(2 * 3600);

/// The most that happens in a run: one that keeps itself busy is told from one that is only long.
const STEPS: u64 = 150_000;

/// What a run was like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many things happened.
    pub steps: u64,
    /// How long it took, in the network's time.
    pub took: Duration,
    /// Whether it came to rest; if not, its configuration has no stable routes, or several.
    pub rested: bool,
    /// Follows from all that was done: two runs that differ hardly ever agree in it.
    pub digest: u64,
}

/// Runs a spec.
///
/// # Errors
/// The first thing that an observer finds wrong, or that the network does not come to rest.
pub fn run(spec: &Spec, observers: &mut [&mut dyn Observer]) -> Result<Report, Failure> {
    let mut network = Network::new(spec);
    network.record_reads();
    let last = spec.events.iter().map(|(at, _)| *at).max().unwrap_or_default();
    let end = Instant::ZERO + last + PATIENCE;
    let mut report = Report { steps: 0, took: Duration::ZERO, rested: true, digest: 0 };
    while !network.is_quiet(QUIET) {
        let over = report.steps >= STEPS || network.next().is_none_or(|next| next > end);
        if over && observers.iter_mut().any(|observer| observer.excuses(&network)) {
            report.took = network.now().since_origin();
            return Ok(Report { rested: false, ..report });
        }
        if over || !network.step() {
            return Err(Failure { check: "rest", what: network.unrest() });
        }
        report.steps += 1;
        report.digest = digest(report.digest, &network);
        let now = network.now();
        for observer in observers.iter_mut() {
            network.reads().iter().for_each(|read| observer.read(read));
            observer.step(&network, now)?;
        }
    }
    for observer in observers {
        observer.end(&network, spec)?;
    }
    report.took = network.now().since_origin();
    Ok(report)
}

/// FNV-1a over when something happened, who was concerned, and what was read.
fn digest(before: u64, network: &Network) -> u64 {
    let mix = |hash: u64, value: u64| (hash ^ value).wrapping_mul(0x0100_0000_01b3);
    let when = mix(before, network.now().since_origin().as_nanos() as u64);
    let who = network.touched().iter().fold(when, |hash, number| mix(hash, *number as u64));
    network.reads().iter().fold(who, |hash, read| mix(hash, read.octets.len() as u64))
}

/// The same with a panic as a failure of its own.
///
/// # Errors
/// As [`run`]; the check `panic` if a router, or the simulation, panicked.
pub fn run_caught(spec: &Spec, observers: &mut [&mut dyn Observer]) -> Result<Report, Failure> {
    match catch_unwind(AssertUnwindSafe(|| run(spec, observers))) {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(Failure { check: "panic", what: text.unwrap_or_default() })
        }
    }
}
