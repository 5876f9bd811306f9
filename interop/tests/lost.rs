//! Sessions that are lost, and what is kept meanwhile: the neighbour stands still, or it is a reflector that starts again.

#![cfg(test)]

use interop::{Monitor, Neighbor, Net, Node, Peer, Result, Setup, Software, ensure, holds_for};
use std::time::Duration;

const AS: u32 = 64512;
const PREFIX: &str = "10.42.1.0/26";

interop::feature_tests! {
    "hold-timer": is_kept_over_the_hold_timer_if_both_say_so [all];
    "gr-reflector": starts_again_as_a_reflector_and_a_kernel_loses_nothing [bird frr gobgp];
}

fn has(peer: &mut dyn Peer, next_hops: &[&Node]) -> Result<()> {
    let expected: Vec<String> = next_hops.iter().map(|node| node.v4().to_string()).collect();
    let seen = peer.next_hops(PREFIX)?;
    ensure(seen == expected, || format!("{} has {PREFIX} by {seen:?}, not by {expected:?}", peer.name()))
}

/// The others have no RFC 8538: with them, a hold timer that expires ends everything, as in RFC 4271.
fn keeps_over_notifications(router: Software) -> bool {
    [Software::Frr, Software::GoBgp].contains(&router)
}

fn is_kept_over_the_hold_timer_if_both_say_so(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (rr, a, b) = (net.node("rr")?, net.node("a")?, net.node("b")?);
    let quick = Neighbor::new(a.v4(), AS).client().restart(60).extra("hold-time = 3\n");
    let setup = Setup::new(AS).neighbor(quick).neighbor(Neighbor::new(b.v4(), AS).client());
    let mut middle = Software::RouteReflector.start(&rr, &setup)?;
    let up = Neighbor::new(rr.v4(), AS);
    let mut peer = router.start(&a, &Setup::new(AS).neighbor(up.clone().restart(60)).announce(PREFIX))?;
    let mut other = Software::Bird.start(&b, &Setup::new(AS).neighbor(up))?;
    net.eventually("the route arrives", || has(other.as_mut(), &[&a]))?;
    let monitor = Monitor::start(&b)?;
    peer.freeze()?;
    net.eventually("the hold timer ends the session", || {
        ensure(!middle.is_established(a.v4())?, || "still established")
    })?;
    if keeps_over_notifications(router) {
        holds_for(Duration::from_secs(2), || has(other.as_mut(), &[&a]))?;
    } else {
        net.eventually("the route goes", || has(other.as_mut(), &[]))?;
    }
    peer.thaw()?;
    net.eventually("the session is back", || {
        ensure(middle.is_established(a.v4())?, || "not established")?;
        let stale = interop::stale(middle.as_mut())?;
        ensure(stale == 0, || format!("{stale} stale routes"))?;
        has(other.as_mut(), &[&a])
    })?;
    let gone = monitor.deleted("bird");
    ensure(gone.is_empty() == keeps_over_notifications(router), || format!("{gone:?}"))
}

fn starts_again_as_a_reflector_and_a_kernel_loses_nothing(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (rr, a, b) = (net.node("rr")?, net.node("a")?, net.node("b")?);
    let client = |node: &Node| Neighbor::new(node.v4(), AS).client().restart(60);
    let setup = || Setup::new(AS).neighbor(client(&a)).neighbor(client(&b));
    let mut middle = router.start(&rr, &setup())?;
    let up = Neighbor::new(rr.v4(), AS).restart(60);
    let mut speaker = Software::Speaker.start(&a, &Setup::new(AS).neighbor(up.clone()))?;
    let _b = Software::Bird.start(&b, &Setup::new(AS).neighbor(up).announce(PREFIX))?;
    net.eventually("the route arrives", || has(speaker.as_mut(), &[&b]))?;
    net.eventually("it is in the kernel", || {
        ensure(a.routes()?.iter().any(|route| route.prefix == PREFIX), || "not yet")
    })?;
    // Whoever restarts waits for those only that do not.
    interop::has_told_all(&net, speaker.as_ref())?;
    let monitor = Monitor::start(&a)?;
    middle.kill();
    let _middle = router.start(&rr, &setup().after_restart())?;
    net.eventually("the reflector is back", || {
        ensure(speaker.is_established(rr.v4())?, || "not established")?;
        let stale = interop::stale(speaker.as_mut())?;
        ensure(stale == 0, || format!("{stale} stale routes"))?;
        has(speaker.as_mut(), &[&b])
    })?;
    holds_for(Duration::from_secs(2), || has(speaker.as_mut(), &[&b]))?;
    let gone = monitor.deleted("bgp");
    ensure(gone.is_empty(), || format!("{gone:?}"))
}
