//! The clock jumps while the speaker runs. Only on the second kernel: the clock is the whole machine's.

#![cfg(test)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use interop::{KernelRoute, Neighbor, Net, Node, Result, Setup, Software, ensure, flaps, holds_for};

const AS: u32 = 64512;
/// Longer than the session's hold time.
const WATCHED: Duration = Duration::from_secs(10);
const HOUR: i64 = 3600;

/// Sets the clock forward, or back.
fn jump(node: &Node, seconds: i64) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    node.run(&["date", "-s", &format!("@{}", now + seconds)]).map(drop)
}

fn ensure_kernel(node: &Node, expected: &[&str]) -> Result<()> {
    let ours = node.routes()?.into_iter().filter(|route: &KernelRoute| route.protocol == "bgp");
    let mut seen: Vec<String> = ours.map(|route| route.prefix).collect();
    seen.sort();
    ensure(seen == expected, || format!("the kernel has {seen:?} in place of {expected:?}"))
}

#[test]
#[ignore = "sets the machine's clock: interop/vm runs it"]
fn no_session_and_no_route_is_lost_when_the_clock_jumps_by_an_hour() -> Result<()> {
    ensure(std::env::var_os("SECOND_KERNEL").is_some(), || "not here: it sets this machine's clock")?;
    let net = Net::new()?;
    let (a, b) = (net.node("a")?, net.node("b")?);
    let to_bird = Neighbor::new(b.v4(), AS).extra("hold-time = 9\n");
    let mut speaker = Software::Speaker.start(&a, &Setup::new(AS).neighbor(to_bird))?;
    let announcing = |setup: Setup| setup.announce("10.42.2.0/26").announce("10.42.3.0/26");
    let mut bird =
        Software::Bird.start(&b, &announcing(Setup::new(AS).neighbor(Neighbor::new(a.v4(), AS))))?;
    let both = ["10.42.2.0/26", "10.42.3.0/26"];
    net.eventually("the routes are there", || ensure_kernel(&a, &both))?;

    for seconds in [HOUR, -2 * HOUR] {
        jump(&a, seconds)?;
        holds_for(WATCHED, || {
            ensure_kernel(&a, &both)?;
            ensure(flaps(&mut *speaker)? == 0, || "the session fell")
        })?;
        // What somebody deletes still comes back: the follower of the kernel's events lives, too.
        a.run(&["ip", "route", "del", "10.42.3.0/26", "proto", "bgp"])?;
        net.eventually("a deleted route is back", || ensure_kernel(&a, &both))?;
    }

    bird.kill();
    net.eventually("a dead neighbour's routes go", || ensure_kernel(&a, &[]))
}
