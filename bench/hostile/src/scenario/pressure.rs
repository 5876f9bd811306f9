//! Peers that read slowly, or not at all, while a table and then changes have to be sent.

use std::time::{Duration, Instant};

use super::stage::{Cast, Kind, complete, seconds};
use super::{Stage, WITH};
use crate::report::Outcome;
use crate::rig::Rig;
use crate::routes::{Version, WITHDRAWN};
use crate::session::{Pace, Spec};

/// Octets of SO_RCVBUF of the bad ones.
const SMALL_BUFFER: usize = 4096;
/// Octets a second of a slow one.
const SLOW: u32 = 10_000;
/// How long the good ones may take for the table, and for the last of the changes.
const LIMIT: Duration = Duration::from_secs(60);
/// Changes: so many prefixes, so often.
const STEP: (u32, Duration) = (200, Duration::from_millis(100));
/// How many hold times a stuck peer is watched for.
const STUCK: u32 = 3;

pub(super) fn slow(stage: &Stage<'_>, column: usize) -> Result<Outcome, String> {
    let cast = cast(stage, 9);
    let slow = |spec| Spec { pace: Pace::Slow(SLOW), receive_buffer: Some(SMALL_BUFFER), ..spec };
    let cast = if column == WITH { cast.with_like(Kind::Bad, 4, slow) } else { cast };
    let mut rig = stage.set_up(&cast)?;
    let mut outcome = Outcome::default();
    let right = table_and_churn(stage, &mut rig, &cast, &mut outcome)?;
    if right && column == WITH {
        catch_up(stage, &mut rig, &cast.all(Kind::Bad), &mut outcome)?;
    }
    stage.finish(&mut rig, &mut outcome);
    Ok(outcome)
}

pub(super) fn stuck(stage: &Stage<'_>, column: usize) -> Result<Outcome, String> {
    // FRR's send hold time is twice the hold time.
    let mut cast = cast(stage, stage.size(9, 3));
    if column == WITH {
        let stuck =
            |after| move |spec| Spec { pace: Pace::Stuck(after), receive_buffer: Some(SMALL_BUFFER), ..spec };
        cast = cast.with_like(Kind::Bad, 3, stuck(0)).with_like(Kind::Bad, 1, stuck(100_000));
    }
    let mut rig = stage.set_up(&cast)?;
    let mut outcome = Outcome::default();
    let begin = Instant::now();
    let right = table_and_churn(stage, &mut rig, &cast, &mut outcome)?;
    if right && column == WITH {
        dropped(stage, &mut rig, &cast, begin, &mut outcome)?;
    }
    stage.finish(&mut rig, &mut outcome);
    Ok(outcome)
}

fn cast(stage: &Stage<'_>, hold_time: u16) -> Cast {
    let cast = Cast::new(hold_time, stage.size(200_000, 20_000), 0);
    cast.with(Kind::Sender, 1).with(Kind::Receiver, stage.size(20, 5)).with(Kind::Witness, 1)
}

/// The table, then changes; whether the good ones had all in time.
fn table_and_churn(
    stage: &Stage<'_>,
    rig: &mut Rig,
    cast: &Cast,
    outcome: &mut Outcome,
) -> Result<bool, String> {
    let (good, prefixes) = (cast.all(Kind::Receiver), cast.prefixes.0);
    rig.change(0, 0..prefixes, 1);
    let took = stage.wait(rig, LIMIT, |rig| complete(rig, &good))?;
    outcome.figure("table at all good, s", took.unwrap_or(f64::NAN));
    if took.is_none() {
        outcome.faults.push("the good ones had not all of the table in time".into());
        return Ok(false);
    }
    stage.run(rig, Duration::from_millis(500))?;
    stage.measure(rig);
    churn(stage, rig, prefixes)?;
    let all = stage.wait(rig, LIMIT, |rig| complete(rig, &good))?;
    stage.measured(rig, cast, outcome);
    if all.is_none() {
        outcome.faults.push("the good ones had not all changes in time".into());
    }
    Ok(all.is_some())
}

/// Changes one slice of the table after the other. Every fifth is withdrawn, and comes back with the next change.
fn churn(stage: &Stage<'_>, rig: &mut Rig, prefixes: u32) -> Result<(), String> {
    let (begin, time) = (Instant::now(), stage.size(Duration::from_secs(5), Duration::from_secs(1)));
    let slices = (prefixes / STEP.0).min(20);
    for step in 0.. {
        if begin.elapsed() >= time {
            break;
        }
        let first = step % slices * STEP.0;
        let version = if step % 7 == 6 { WITHDRAWN } else { (step + 2) as Version };
        rig.change(0, first..first + STEP.0, version);
        let next = begin + STEP.1 * (step + 1);
        stage.run(rig, next.saturating_duration_since(Instant::now()))?;
    }
    Ok(())
}

/// Slow peers begin to read as fast as they can: they have to get all.
fn catch_up(stage: &Stage<'_>, rig: &mut Rig, bad: &[usize], outcome: &mut Outcome) -> Result<(), String> {
    for index in bad {
        rig.sessions[*index].spec.pace = Pace::Full;
    }
    let took = stage.wait(rig, LIMIT, |rig| complete(rig, bad))?;
    outcome.figure("slow ones right once they read, s", took.unwrap_or(f64::NAN));
    let fallen = bad.iter().filter(|index| !rig.sessions[**index].falls.is_empty()).count();
    match (took, fallen) {
        (_, 1..) => outcome.faults.push(format!("{fallen} slow sessions fell")),
        (None, _) => outcome.faults.push("the slow ones never had all".into()),
        (Some(_), 0) => {}
    }
    Ok(())
}

/// Waits for the stuck peers to be dropped.
fn dropped(
    stage: &Stage<'_>,
    rig: &mut Rig,
    cast: &Cast,
    begin: Instant,
    outcome: &mut Outcome,
) -> Result<(), String> {
    let bad = cast.all(Kind::Bad);
    let time = STUCK * Duration::from_secs(cast.hold_time.into());
    let left = time.saturating_sub(begin.elapsed());
    let all = stage.wait(rig, left, |rig| bad.iter().all(|index| !rig.sessions[*index].falls.is_empty()))?;
    let falls = || bad.iter().filter_map(|index| rig.sessions[*index].falls.first());
    let last = falls().map(|(at, _)| at.duration_since(begin).as_secs_f64()).fold(f64::NAN, f64::max);
    outcome.figure("stuck ones dropped after, s", if all.is_some() { last } else { f64::NAN });
    if all.is_none() {
        let (still, all) = (bad.len() - falls().count(), bad.len());
        outcome
            .notes
            .push(format!("{still} of {all} stuck sessions are still there after {:.0} s", seconds(begin)));
    }
    outcome.figure("memory in the end, MB", rig.daemon.resident());
    Ok(())
}
