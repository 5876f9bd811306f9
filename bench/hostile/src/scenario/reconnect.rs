//! Many clients drop and come back at once, while others stay.

use std::time::{Duration, Instant};

use super::stage::{Cast, Kind, complete, seconds};
use super::{Stage, WITH, changes};
use crate::report::Outcome;
use crate::rig::Rig;

/// Prefixes that the staying sender changes; they come after those of the table.
const OWN: u32 = 500;
/// How long clients may take for the table.
const LIMIT: Duration = Duration::from_secs(30);

pub(super) fn run(stage: &Stage<'_>, column: usize) -> Result<Outcome, String> {
    let (clients, table) = (stage.size(1000, 100), stage.size(10_000, 2000));
    let cast = Cast::new(9, OWN + table, 0).with(Kind::Sender, 2);
    let cast = cast.with(Kind::Receiver, 5).with(Kind::Witness, 1).with(Kind::Client, clients);
    let mut rig = stage.set_up(&cast)?;
    let mut outcome = Outcome::default();
    let (clients, senders) = (cast.all(Kind::Client), cast.all(Kind::Sender));
    let all: Vec<usize> = clients.iter().copied().chain(cast.all(Kind::Receiver)).collect();

    changes::announce(&mut rig, &senders[..1], OWN);
    rig.change(senders[1], OWN..OWN + table, 1);
    let took = stage.wait(&mut rig, LIMIT, |rig| complete(rig, &all))?;
    outcome.figure("table at all at first, s", took.ok_or("not all had the table at first")?);
    stage.run(&mut rig, Duration::from_millis(500))?;

    stage.measure(&mut rig);
    let begin = Instant::now();
    if column == WITH {
        rig.opening_limit = usize::MAX;
        clients.iter().for_each(|index| rig.close(*index, Some(begin)));
    }
    let time = stage.size(Duration::from_secs(6), Duration::from_secs(1));
    changes::run(stage, &mut rig, &senders[..1], OWN, time)?;
    let back = |rig: &Rig| clients.iter().all(|index| rig.sessions[*index].complete.is_some());
    while !back(&rig) && begin.elapsed() < LIMIT {
        changes::run(stage, &mut rig, &senders[..1], OWN, Duration::from_secs(1))?;
    }
    let left = LIMIT.saturating_sub(begin.elapsed()).max(Duration::from_secs(2));
    let settled = stage.wait(&mut rig, left, |rig| back(rig) && complete(rig, &all))?;
    stage.measured(&mut rig, &cast, &mut outcome);
    if column == WITH {
        let latest = clients.iter().filter_map(|index| rig.sessions[*index].complete).max();
        let took =
            latest.filter(|_| back(&rig)).map_or(f64::NAN, |at| at.duration_since(begin).as_secs_f64());
        outcome.figure("table at all again, s", took);
    }
    if settled.is_none() {
        let have = clients.iter().filter(|index| rig.sessions[**index].held.is_complete()).count();
        let (all, after) = (clients.len(), seconds(begin));
        outcome.faults.push(format!("{have} of {all} clients have all after {after:.0} s"));
    }
    stage.finish(&mut rig, &mut outcome);
    Ok(outcome)
}
