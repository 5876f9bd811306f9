//! All that is checked of a run.

use crate::invariants::Invariants;
use crate::observe::Failure;
use crate::oracle::Judge;
use crate::run::{Report, run_caught};
use crate::spec::Spec;

/// Runs a spec under all observers.
///
/// # Errors
/// The first thing that is wrong; the check `panic` for a panic.
pub fn check(spec: &Spec) -> Result<Report, Failure> {
    run_caught(spec, &mut [&mut Invariants::default(), &mut Judge::default()])
}
