//! Whether memory is given back when senders go away.

use std::time::Duration;

use super::Stage;
use super::stage::{Cast, Kind, complete};
use crate::report::Outcome;
use crate::routes::{Version, WITHDRAWN};

const SENDERS: usize = 10;
/// Prefixes of each where all send the same, and where each sends its own.
const FULL: [u32; 2] = [200_000, 100_000];
/// How long the receiver may take.
const LIMIT: Duration = Duration::from_secs(90);
/// How long after the end memory is looked at.
const LATER: Duration = Duration::from_secs(5);

/// All send the same prefixes, the last sender the best routes.
pub(super) fn run(stage: &Stage<'_>, _: usize) -> Result<Outcome, String> {
    senders(stage, true)
}

/// Each sends its own.
pub(super) fn run_other(stage: &Stage<'_>, _: usize) -> Result<Outcome, String> {
    senders(stage, false)
}

fn senders(stage: &Stage<'_>, same: bool) -> Result<Outcome, String> {
    let each: u32 = stage.size(FULL[usize::from(!same)], 10_000);
    let all = if same { each } else { each * SENDERS as u32 };
    let cast = Cast::new(90, all, 0).with(Kind::Sender, SENDERS).with(Kind::Receiver, 1);
    let mut rig = stage.set_up(&cast)?;
    let mut outcome = Outcome::default();
    let (senders, receiver) = (cast.all(Kind::Sender), cast.all(Kind::Receiver));
    outcome.figure("memory before, MB", rig.daemon.resident());

    for (turn, sender) in (0u32..).zip(&senders) {
        let first = if same { 0 } else { turn * each };
        let version = if same { turn as Version + 1 } else { 1 };
        rig.send(*sender, first..first + each, version, 100 + turn);
        rig.expect(first..first + each, version);
    }
    let sent = |rig: &crate::rig::Rig| senders.iter().all(|index| !rig.sessions[*index].has_to_send());
    let took = stage.wait(&mut rig, LIMIT, |rig| sent(rig) && complete(rig, &receiver))?;
    outcome.figure("table at the receiver, s", took.ok_or("the receiver had not all in time")?);
    stage.run(&mut rig, Duration::from_secs(1))?;
    outcome.figure("memory with all, MB", rig.daemon.resident());

    senders.iter().for_each(|sender| rig.close(*sender, None));
    rig.expect(0..all, WITHDRAWN);
    let took = stage.wait(&mut rig, LIMIT, |rig| complete(rig, &receiver))?;
    outcome.figure("all withdrawn, s", took.ok_or("not all was withdrawn in time")?);
    stage.run(&mut rig, LATER)?;
    outcome.figure("memory 5 s later, MB", rig.daemon.resident());
    stage.finish(&mut rig, &mut outcome);
    Ok(outcome)
}
