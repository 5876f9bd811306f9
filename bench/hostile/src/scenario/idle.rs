//! Sessions without routes: what it costs to keep them.

use std::time::Duration;

use super::Stage;
use super::stage::{Cast, Kind};
use crate::report::Outcome;

/// The hold time of each column.
const HOLD: [u16; 2] = [90, 240];

pub(super) fn run(stage: &Stage<'_>, column: usize) -> Result<Outcome, String> {
    let sessions = stage.size(1000, 200);
    let cast = Cast::new(HOLD[column], 0, 0).with(Kind::Client, sessions);
    let mut rig = stage.start(&cast)?;
    let mut outcome = Outcome::default();
    stage.run(&mut rig, Duration::from_secs(1))?;
    let before = rig.daemon.resident();
    stage.connect(&mut rig, &cast)?;
    stage.run(&mut rig, Duration::from_secs(3))?;

    let time = stage.size(Duration::from_secs(20), Duration::from_secs(3));
    let cpu = rig.daemon.cpu();
    stage.run(&mut rig, time)?;
    let share = (rig.daemon.cpu() - cpu) / time.as_secs_f64() * 100.0;
    outcome.figure("idle CPU, % of a core", share);
    let each = (rig.daemon.resident() - before) * 1024.0 / sessions as f64;
    outcome.figure("memory for a session, KB", each);
    outcome.figure("memory, MB", rig.daemon.resident());
    stage.finish(&mut rig, &mut outcome);
    Ok(outcome)
}
