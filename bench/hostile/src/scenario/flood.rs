//! A peer that sends without end, while good ones have small changes to pass.

use std::time::{Duration, Instant};

use super::stage::{Cast, Kind, complete};
use super::{Stage, WITH, changes};
use crate::flood::{self, Flood};
use crate::report::Outcome;
use crate::rig::Rig;
use crate::session::Spec;

/// Prefixes of each of the good senders.
const OWN: u32 = 250;
const SENDERS: usize = 4;
/// How long the good ones may take for what they send before and after the flood, and for it to be gone.
const LIMIT: Duration = Duration::from_secs(60);

/// The bad peer.
struct Bad {
    kind: flood::Kind,
    prefixes: u32,
    max_prefix: Option<u32>,
}

const CHANGES: Bad = Bad { kind: flood::Kind::Changes, prefixes: 10_000, max_prefix: None };

pub(super) fn changes(stage: &Stage<'_>, column: usize) -> Result<Outcome, String> {
    run(stage, column, &CHANGES, 9)
}

pub(super) fn changes_at_3s(stage: &Stage<'_>, column: usize) -> Result<Outcome, String> {
    run(stage, column, &CHANGES, 3)
}

pub(super) fn new_prefixes(stage: &Stage<'_>, column: usize) -> Result<Outcome, String> {
    let limit = stage.size(500_000, 50_000);
    let bad = Bad { kind: flood::Kind::NewPrefixes, prefixes: limit + 10_000, max_prefix: Some(limit) };
    run(stage, column, &bad, 9)
}

fn run(stage: &Stage<'_>, column: usize, bad: &Bad, hold_time: u16) -> Result<Outcome, String> {
    let own = OWN * SENDERS as u32;
    let cast = Cast { max_prefix: bad.max_prefix, ..Cast::new(hold_time, own, bad.prefixes) };
    let cast = cast.with(Kind::Sender, SENDERS).with(Kind::Receiver, stage.size(8, 4)).with(Kind::Witness, 1);
    let redials = |spec| Spec { redials: true, ..spec };
    let cast = if column == WITH { cast.with_like(Kind::Bad, 1, redials) } else { cast };
    let mut rig = stage.set_up(&cast)?;
    let mut outcome = Outcome::default();
    let (senders, good) = (cast.all(Kind::Sender), cast.all(Kind::Receiver));

    changes::announce(&mut rig, &senders, OWN);
    stage
        .wait(&mut rig, LIMIT, |rig| complete(rig, &good))?
        .ok_or("the first routes did not come through")?;
    for index in cast.all(Kind::Bad) {
        let session = &mut rig.sessions[index];
        session.held = Default::default();
        session.flood = Some(Flood::new(bad.kind, own..own + bad.prefixes, session.spec.address));
        session.flush(Instant::now()).map_err(|error| error.to_string())?;
    }
    // The flood has time to fill all queues.
    stage.run(&mut rig, Duration::from_millis(500))?;
    stage.measure(&mut rig);
    let time = stage.size(Duration::from_secs(6), Duration::from_secs(2));
    changes::run(stage, &mut rig, &senders, OWN, time)?;
    let all = stage.wait(&mut rig, LIMIT, |rig| complete(rig, &good))?;
    stage.measured(&mut rig, &cast, &mut outcome);
    if all.is_none() {
        outcome.faults.push("the good ones had not all changes in time".into());
    }
    end(stage, &mut rig, &cast, time, &mut outcome)?;
    stage.finish(&mut rig, &mut outcome);
    Ok(outcome)
}

/// The flood ends and its session too: its routes have to go.
fn end(
    stage: &Stage<'_>,
    rig: &mut Rig,
    cast: &Cast,
    time: Duration,
    outcome: &mut Outcome,
) -> Result<(), String> {
    let (bad, good) = (cast.all(Kind::Bad), cast.all(Kind::Receiver));
    if bad.is_empty() {
        return Ok(());
    }
    for index in &bad {
        let session = &rig.sessions[*index];
        let sent = session.flood.as_ref().map_or(0, |flood| flood.sent);
        outcome.figure("flood, 1000 prefixes/s", sent as f64 / 1000.0 / time.as_secs_f64());
        outcome.figure("flood's sessions that were ended", session.falls.len() as f64);
        rig.close(*index, None);
    }
    let clean = |rig: &Rig| good.iter().all(|index| rig.sessions[*index].held.wrong(&rig.expected) == 0);
    let gone = stage.wait(rig, LIMIT, clean)?;
    outcome.figure("flood's routes gone, s", gone.unwrap_or(f64::NAN));
    Ok(())
}
