//! All that is checked of a run.

use crate::observe::Failure;
use crate::run::{Report, run_caught};
use crate::spec::Spec;
use crate::tables::Tables;

/// Runs a spec under all observers.
///
/// # Errors
/// The first thing that is wrong; the check `panic` for a panic.
pub fn check(spec: &Spec) -> Result<Report, Failure> {
    run_caught(spec, &mut [&mut Tables])
}
