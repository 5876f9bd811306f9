//! Routes from a BGP session into the kernel: the daemons beside raw netlink, what they take, and what they do then.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{LIMITS, RAW, ROUNDS, Stage, TIME};
use crate::bgp::{Session, announcements};
use crate::daemon::{Daemon, Kind};
use crate::raw::Order;

const WORK: &str = "from BGP";
const GONE: &str = "session closed";
const CPU: &str = "CPU, s";
const PEAK: &str = "peak memory, MB";
const MEMORY: &str = "memory, MB";
const IDLE: &str = "CPU in 10 s idle, ticks";
/// What the slowest may take for its routes.
const LIMIT: Duration = Duration::from_secs(120);
/// A daemon may tidy up before it is idle: its start is over ten seconds after the last new session.
const SETTLE: Duration = Duration::from_secs(15);
const IDLE_TIME: Duration = Duration::from_secs(10);
/// Times raw netlink, times each of the others, times BIRD's memory.
const MOST_OF_RAW: f64 = 1.3;
const MOST_OF_OTHERS: f64 = 0.6;
const MOST_OF_MEMORY: f64 = 1.0;

pub fn run(stage: &mut Stage) {
    let sizes: &[u32] = if stage.quick { &[20_000] } else { &[100_000, 500_000] };
    for &count in sizes {
        let octets = announcements(count);
        for repetition in 0..stage.repetitions {
            for (who, order) in LIMITS {
                if let Err(error) = raw(stage, count, who, order) {
                    stage.results.fault(who, &error);
                    stage.clean();
                }
            }
            // Idle is looked at once, with most routes.
            let idle = repetition == 0 && Some(&count) == sizes.last();
            for (kind, programs) in stage.daemons.clone() {
                if let Err(error) = daemon(stage, kind, &programs, count, &octets, idle) {
                    stage.results.fault(&format!("{count} routes from a session, {}", kind.name()), &error);
                }
                stage.clean();
            }
        }
        judge(stage, count);
    }
    let most = sizes.last().copied().unwrap_or_default();
    let ours = |what| stage.results.median(WORK, most, Kind::Speaker.name(), what);
    let (peak, idle) = (ours(PEAK), ours(IDLE));
    let bird = stage.results.median(WORK, most, Kind::Bird.name(), PEAK);
    stage.results.ratio(format!("peak memory with {most} routes, times BIRD's"), peak, bird, MOST_OF_MEMORY);
    stage.results.at_most(format!("idle for 10 s with {most} routes, ticks"), idle, 0.0);
}

fn judge(stage: &mut Stage, count: u32) {
    let of = |who| stage.results.median(WORK, count, who, TIME);
    let ours = of(Kind::Speaker.name());
    let others =
        [(RAW, MOST_OF_RAW), (ROUNDS, MOST_OF_RAW), ("bird", MOST_OF_OTHERS), ("frr", MOST_OF_OTHERS)];
    let medians = others.map(|(who, most)| (who, of(who), most));
    for (who, median, most) in medians {
        stage.results.ratio(format!("{count} routes from a session, times {who}"), ours, median, most);
    }
}

fn raw(stage: &mut Stage, count: u32, who: &'static str, order: Order) -> io::Result<()> {
    let begin = Instant::now();
    stage.raw.add(count, stage.via, order)?;
    stage.results.add(WORK, count, who, TIME, begin.elapsed().as_secs_f64());
    let begin = Instant::now();
    stage.raw.delete(count, stage.via, order)?;
    stage.results.add(GONE, count, who, TIME, begin.elapsed().as_secs_f64());
    Ok(())
}

fn daemon(
    stage: &mut Stage,
    kind: Kind,
    programs: &[PathBuf],
    count: u32,
    octets: &[u8],
    idle: bool,
) -> io::Result<()> {
    let daemon = kind.start(programs)?;
    let told = |error: io::Error| io::Error::other(format!("{error}; it says: {}", daemon.log()));
    measure(stage, kind.name(), &daemon, count, octets, idle).map_err(told)
}

fn measure(
    stage: &mut Stage,
    who: &'static str,
    daemon: &Daemon,
    count: u32,
    octets: &[u8],
    idle: bool,
) -> io::Result<()> {
    let session = Session::open(&stage.neighbor)?;
    let cpu = daemon.cpu();
    stage.watcher.forget();
    session.send(octets.to_vec())?;
    let last = stage.watcher.until(stage.with(count), LIMIT)?;
    stage.results.add(WORK, count, who, TIME, (last - session.since).as_secs_f64());
    stage.results.add(WORK, count, who, CPU, daemon.cpu() - cpu);
    stage.results.add(WORK, count, who, PEAK, daemon.peak());
    if idle {
        std::thread::sleep(SETTLE);
        let ticks = daemon.ticks();
        std::thread::sleep(IDLE_TIME);
        stage.results.add(WORK, count, who, IDLE, (daemon.ticks() - ticks) as f64);
        stage.results.add(WORK, count, who, MEMORY, daemon.resident());
    }

    stage.watcher.forget();
    let (begin, cpu) = (Instant::now(), daemon.cpu());
    drop(session);
    let last = stage.watcher.until(stage.with(0), LIMIT)?;
    stage.results.add(GONE, count, who, TIME, (last - begin).as_secs_f64());
    stage.results.add(GONE, count, who, CPU, daemon.cpu() - cpu);
    Ok(())
}
