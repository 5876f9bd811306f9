//! Small changes of good senders, whose way to the others is timed.

use std::time::{Duration, Instant};

use super::Stage;
use crate::rig::Rig;
use crate::routes::Version;

/// So many prefixes, so often.
const STEP: (u32, Duration) = (5, Duration::from_millis(50));

/// Each of the senders changes some of its `own` prefixes in turn, for some time. The first sender's are the first.
pub(super) fn run(
    stage: &Stage<'_>,
    rig: &mut Rig,
    senders: &[usize],
    own: u32,
    time: Duration,
) -> Result<(), String> {
    let begin = Instant::now();
    for step in 0u32.. {
        if begin.elapsed() >= time {
            break;
        }
        let turn = step as usize % senders.len();
        let round = step / senders.len() as u32;
        let first = turn as u32 * own + round * STEP.0 % own;
        rig.change(senders[turn], first..first + STEP.0, (round + 2) as Version);
        let next = begin + STEP.1 * (step + 1);
        stage.run(rig, next.saturating_duration_since(Instant::now()))?;
    }
    Ok(())
}

/// All senders announce their own.
pub(super) fn announce(rig: &mut Rig, senders: &[usize], own: u32) {
    for (turn, sender) in (0..).zip(senders) {
        rig.change(*sender, turn * own..(turn + 1) * own, 1);
    }
}
