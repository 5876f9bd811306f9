//! A part of a real table through a reflector, every attribute compared in BIRD and every route in a kernel.

use interop::{Cast, Result, Software, ensure, replay};
use std::path::Path;

fn replayed_through(cast: Cast) -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/route-reflector-2015.excerpt.mrt.gz");
    let report = replay(&file, cast)?;
    ensure(report.is_equal(), || report.to_string())
}

#[test]
fn recorded_routes_arrive_unchanged() -> Result<()> {
    replayed_through(Cast { reflector: Software::RouteReflector, speaker: Software::Speaker })
}

/// The comparison itself holds for another implementation.
#[test]
fn recorded_routes_arrive_unchanged_through_bird() -> Result<()> {
    replayed_through(Cast { reflector: Software::Bird, speaker: Software::Bird })
}
