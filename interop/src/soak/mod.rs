//! Half an hour of a table that never rests, and somebody who looks each second.
//!
//! ```text
//!   feed (recorded UPDATEs, again and again) ──► route reflector ──┬──► BIRD
//!                                                                  ├──► speaker n1 ──► kernel   (a pod)
//!                                                                  └──► speaker n2 ──► kernel      ▲
//!                                                                         (a pod) ────── pings ────┘
//! ```
//! After the recording everybody must hold what it ends with; then it is all withdrawn, and everybody must hold nothing, and
//! so on. All the time sessions stay up, the daemons answer,
//! pings pass; and in the last third no daemon takes more memory or descriptors than in the first.

mod feed;
mod lag;
mod report;

use crate::rig::Rig;
use crate::{Error, Recording, Result, ensure};
pub(crate) use feed::Feed;
use std::time::{Duration, Instant};

pub use lag::Lags;
pub use report::{Report, Round, Sample};

/// Between two words to who waits.
const PAUSE: Duration = Duration::from_secs(30);
/// How long everybody has to agree after a round.
const SETTLE: Duration = Duration::from_secs(60);

/// How a soak is to be.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// For so long, and to the end of the round.
    pub time: Duration,
    /// UPDATEs in a second.
    pub rate: u32,
}

/// Plays `recording` and withdraws it, again and again.
///
/// # Errors
/// If something does not start, or the tables differ. Whatever else is wrong is in the report.
pub fn soak(recording: &Recording, plan: Plan) -> Result<Report> {
    let mut rig = Rig::start(recording.asn)?;
    let routes = crate::replay::passed_on(recording, &rig.reflector.node)?;
    let mut report = Report::new(recording, plan);
    let feed = Feed::new(plan.rate);
    let (node, to) = (rig.feed.clone(), rig.reflector.node.v4());
    std::thread::scope(|scope| {
        let feeding = scope.spawn(|| node.inside(|| feed.run(recording, to).map_err(std::io::Error::other)));
        let watched = watch(&mut rig, &feed, plan, routes, &mut report);
        feed.stop();
        let fed = feeding.join().map_err(|_| Error::NotSo("the feed panicked".to_owned()))?;
        watched.and(fed)
    })?;
    // The feed's session ended: its routes go.
    agree(&mut rig, 0)?;
    // The daemons give memory back when it is quiet.
    crate::holds_for(PAUSE, || Ok(()))?;
    report.traffic(rig.pings.traffic()?);
    report.samples.push(sample(&mut rig, report.rounds.len(), report.begun.elapsed())?);
    Ok(report)
}

/// Round after round, with a look each second.
fn watch(rig: &mut Rig, feed: &Feed, plan: Plan, routes: usize, report: &mut Report) -> Result<()> {
    let mut said = Instant::now();
    for part in 1.. {
        if report.begun.elapsed() >= plan.time && part % 2 == 1 {
            break;
        }
        feed.ask_for(part);
        while feed.done() < part {
            let due = Instant::now() + Duration::from_secs(1);
            ensure(!feed.is_over(), || "the feed's session is gone")?;
            report.samples.push(sample(rig, report.rounds.len(), report.begun.elapsed())?);
            while Instant::now() < due && feed.done() < part {
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
        let sent = Instant::now();
        let routes = if part % 2 == 1 { routes } else { 0 };
        report.rounds.push(Round { lags: lag::wait(rig, routes, sent, SETTLE)? });
        agree(rig, routes)?;
        if said.elapsed() >= PAUSE {
            println!("{}", report.line());
            said = Instant::now();
        }
    }
    Ok(())
}

fn agree(rig: &mut Rig, routes: usize) -> Result<()> {
    let net = rig.net.clone();
    net.eventually_within(SETTLE, "everybody holds the table", || rig.agrees(routes))
}

fn sample(rig: &mut Rig, round: usize, at: Duration) -> Result<Sample> {
    let asked = Instant::now();
    let flaps = rig.flaps()?;
    let answer_ms = asked.elapsed().as_millis() as u64;
    let [first, second] = &rig.speakers;
    let programs = [
        rig.reflector.node.usage("route-reflector")?,
        rig.bird.node.usage("bird")?,
        first.node.usage("bgp-speaker")?,
        second.node.usage("bgp-speaker")?,
    ];
    Ok(Sample { second: at.as_secs_f64(), round, flaps, sessions: rig.sessions()?, answer_ms, programs })
}
