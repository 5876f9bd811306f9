//! The way to a next hop of many routes changes, or one of two next hops fails.

use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::Stage;
use crate::fib::{Fib, Style, operations};
use crate::net::{self, LINKS, NEIGHBOR, OTHER, SECOND, interface};
use crate::raw::Via;
use crate::watch::SAMPLE;

/// Next hops that are on no link: an administrator's routes lead to them.
const FAR: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];
const TIME: &str = "time, ms";
const GROUPS: &str = "messages, nexthop groups";
const OBJECTS: &str = "messages, nexthop objects";
const ROUTES: &str = "messages, routes";
/// What the kernel tells those who listen.
const TOLD: &str = "told by the kernel, about";
const MOST_TIME: f64 = 10.0;
const MOST_MESSAGES: f64 = 1.0;
/// Prefixes of which the kernel is asked in the end.
const ASKED: u32 = 1000;

/// How routes are in the kernel: the library's way, and whether the kernel shows nexthop objects as plain routes too.
const WAYS: [(&str, Style, bool); 3] = [
    ("nexthop objects, compat mode 0", Style::Objects, false),
    ("nexthop objects, default mode", Style::Objects, true),
    ("plain routes", Style::Plain, true),
];

/// What happens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The way to the only next hop is another.
    Changes,
    /// There is no way to the second next hop any more.
    Fails,
    /// The link to the second next hop goes down.
    LinkDown,
}

const CAUSES: [(&str, Cause); 3] = [
    ("next hop changes", Cause::Changes),
    ("one of two fails", Cause::Fails),
    ("link goes down", Cause::LinkDown),
];

pub fn run(stage: &mut Stage) {
    let count = if stage.quick { 20_000 } else { 500_000 };
    for (work, cause) in CAUSES {
        for _ in 0..stage.repetitions {
            for (who, style, compatible) in WAYS {
                let measured = net::set_compatible(compatible)
                    .and_then(|()| measure(stage, count, work, cause, who, style));
                if let Err(error) = measured {
                    stage.results.fault(&format!("{work}, {who}"), &error);
                    stage.clean();
                }
                tidy(stage);
            }
        }
        if cause == Cause::LinkDown {
            continue;
        }
        let (best, ..) = WAYS[0];
        let of = |what| stage.results.median(work, count, best, what);
        let (time, groups, routes) = (of(TIME), of(GROUPS), of(ROUTES));
        stage.results.at_most(format!("{work}, {count} routes, ms"), time, MOST_TIME);
        stage.results.at_most(
            format!("{work}, {count} routes, messages about groups"),
            groups,
            MOST_MESSAGES,
        );
        stage.results.at_most(format!("{work}, {count} routes, messages about routes"), routes, 0.0);
    }
    if let Err(error) = net::set_compatible(true) {
        stage.results.fault("the kernel's default", &error);
    }
}

fn measure(
    stage: &mut Stage,
    count: u32,
    work: &'static str,
    cause: Cause,
    who: &'static str,
    style: Style,
) -> io::Result<()> {
    let second = Via { gateway: SECOND, interface: interface(LINKS[1])? };
    stage.raw.set_host(FAR[0], stage.via)?;
    stage.raw.set_host(FAR[1], second)?;
    let mut fib = Fib::open(style)?;
    fib.set(count, if cause == Cause::Changes { &FAR[..1] } else { &FAR });
    fib.follow()?;
    stage.expect(count + FAR.len() as u32)?;
    let before = operations(&fib.stats());
    stage.watcher.forget();

    let begin = Instant::now();
    match cause {
        Cause::Changes => stage.raw.set_host(FAR[0], Via { gateway: OTHER, ..stage.via })?,
        Cause::Fails => stage.raw.remove_host(FAR[1])?,
        Cause::LinkDown => net::ip(&format!("link set {} down", LINKS[1]))?,
    }
    fib.follow()?;
    let seen = stage.watcher.seen();
    let routes = operations(&fib.stats()) - before;
    let right = if cause == Cause::Changes { OTHER } else { NEIGHBOR };
    for number in (0..count).step_by((count / ASKED) as usize) {
        let gateway = stage.raw.gateway(number)?;
        if gateway != Some(right) {
            return Err(io::Error::other(format!("route {number} goes to {gateway:?} in place of {right}")));
        }
    }
    // Where the kernel does it all by itself, it need not say so.
    let took = seen.last.map_or(Duration::ZERO, |last| last - begin);
    stage.results.add(work, count, who, TIME, took.as_secs_f64() * 1e3);
    stage.results.add(work, count, who, GROUPS, seen.groups as f64);
    stage.results.add(work, count, who, OBJECTS, (seen.nexthops - seen.groups) as f64);
    stage.results.add(work, count, who, ROUTES, routes as f64);
    stage.results.add(work, count, who, TOLD, (seen.routes * SAMPLE as usize) as f64);
    fib.remove(count);
    fib.flush()
}

/// As it was before.
fn tidy(stage: &mut Stage) {
    if let Err(error) = net::up(LINKS[1]) {
        stage.results.fault("the second link", &error);
    }
    for far in FAR {
        // It is gone where that was what was measured.
        let _ = stage.raw.remove_host(far);
    }
}
