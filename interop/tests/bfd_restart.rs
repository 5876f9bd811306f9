//! BFD and graceful restart (RFC 5882 section 4.3): what a peer's end is taken for.

#![cfg(test)]

use bfd::{Packet, Session, Timers};
use interop::{Neighbor, Net, Node, Peer, Result, Setup, Software, ensure, flaps, holds_for};
use std::net::{SocketAddr, UdpSocket};
use std::num::{NonZeroU8, NonZeroU32};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const AS: u32 = 64512;
const THEIRS: &str = "10.42.2.0/26";
const SINGLE_HOP: u16 = 3784;

fn has(node: &Node, prefix: &str) -> Result<()> {
    let routes = node.routes()?;
    let found = routes.iter().any(|route| route.prefix == prefix && route.protocol == "bgp");
    ensure(found, || format!("{} has no {prefix}: {routes:?}", node.name()))
}

fn lacks(node: &Node, prefix: &str) -> Result<()> {
    ensure(has(node, prefix).is_err(), || format!("{} still has {prefix}", node.name()))
}

/// A speaker that keeps the routes of a peer for a minute, watched by BFD.
fn speaker(node: &Node, other: &Node, prefix: Option<&str>, interval: u32) -> Result<Box<dyn Peer>> {
    let neighbor = Neighbor::new(other.v4(), AS).restart(60).bfd(interval, 3);
    let setup = Setup::new(AS).neighbor(neighbor);
    Software::Speaker.start(node, &prefix.into_iter().fold(setup, Setup::announce))
}

fn is_up(speaker: &mut dyn Peer, node: &Node, other: &Node) -> Result<()> {
    has(node, THEIRS)?;
    interop::bfd(speaker, other.v4()).map(drop)
}

/// One each, which have found each other.
fn two_speakers(net: &Net, [here, there]: [&Node; 2], interval: u32) -> Result<[Box<dyn Peer>; 2]> {
    let mut ours = speaker(here, there, None, interval)?;
    let theirs = speaker(there, here, Some(THEIRS), interval)?;
    net.eventually("the path is watched and the route there", || is_up(ours.as_mut(), here, there))?;
    Ok([ours, theirs])
}

/// With sockets that close before its BFD falls silent, it is seen as what it is: a restart.
#[test]
fn a_speaker_that_is_killed_keeps_its_routes_with_the_peer() -> Result<()> {
    let net = Net::new()?;
    let (here, there) = (net.node("here")?, net.node("there")?);
    let [mut ours, mut theirs] = two_speakers(&net, [&here, &there], 100)?;
    theirs.kill();
    net.eventually("BFD is down", || {
        has(&here, THEIRS)?;
        ensure(ours.command(&["bfd"]).is_err(), || "it is up")
    })?;
    holds_for(Duration::from_secs(1), || has(&here, THEIRS))?;
    let _theirs = speaker(&there, &here, Some(THEIRS), 100)?;
    net.eventually("all is as before", || is_up(ours.as_mut(), &here, &there))?;
    ensure(flaps(ours.as_mut())? == 1, || ours.log())
}

/// The old BFD ends, and takes neither the session nor the route along.
fn keeps_its_new_session(net: &Net, ours: &mut dyn Peer, [here, there]: [&Node; 2]) -> Result<()> {
    net.eventually("BFD has noticed", || {
        has(here, THEIRS)?;
        ensure(ours.log().contains("BFD ended with the session before"), || ours.log())
    })?;
    net.eventually("all is as before", || is_up(ours, here, there))?;
    ensure(flaps(ours)? == 1, || ours.log())
}

/// The new one is there before the old one's silence was noticed: its BFD says that it has just begun.
#[test]
fn a_speaker_that_is_back_within_the_detection_time_keeps_its_new_session() -> Result<()> {
    let net = Net::new()?;
    let (here, there) = (net.node("here")?, net.node("there")?);
    let [mut ours, mut theirs] = two_speakers(&net, [&here, &there], 1000)?;
    theirs.kill();
    let _theirs = speaker(&there, &here, Some(THEIRS), 1000)?;
    keeps_its_new_session(&net, ours.as_mut(), [&here, &there])
}

/// That the old one has ended, and that the new one has begun, is all there at once when somebody looks.
#[test]
fn a_speaker_that_is_back_while_we_stand_still_keeps_its_new_session() -> Result<()> {
    let net = Net::new()?;
    let (here, there) = (net.node("here")?, net.node("there")?);
    let [mut ours, mut theirs] = two_speakers(&net, [&here, &there], 1000)?;
    ours.freeze()?;
    theirs.kill();
    let theirs = speaker(&there, &here, Some(THEIRS), 1000)?;
    net.eventually("it has begun", || ensure(theirs.log().contains("to=opensent"), || theirs.log()))?;
    holds_for(Duration::from_millis(200), || has(&here, THEIRS))?;
    ours.thaw()?;
    keeps_its_new_session(&net, ours.as_mut(), [&here, &there])
}

/// BFD without BGP: a process, or a part of the forwarding plane, that does not care what becomes of BGP.
struct Played {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Played {
    /// `independent`: it says so (the C bit).
    fn start(node: &Node, peer: &Node, independent: bool) -> Result<Played> {
        let (own, to) = (node.v4(), SocketAddr::new(peer.v4(), SINGLE_HOP));
        let [ear, mouth] = node.inside(|| {
            let (ear, mouth) = (UdpSocket::bind((own, SINGLE_HOP))?, UdpSocket::bind((own, 49152))?);
            ear.set_read_timeout(Some(Duration::from_millis(10)))?;
            mouth.set_ttl(255)?;
            Ok([ear, mouth])
        })?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (begun, mut buffer) = (Instant::now(), [0; 64]);
            let multiplier = NonZeroU8::MIN.saturating_add(2);
            let timers = Timers { interval: Duration::from_millis(100), multiplier };
            let mut session = Session::new(begun.elapsed(), NonZeroU32::MIN, timers, 1);
            while !stopped.load(Ordering::Relaxed) {
                let heard = ear.recv(&mut buffer).ok().and_then(|len| Packet::parse(buffer.get(..len)?).ok());
                if let Some(packet) = heard {
                    session.receive(begun.elapsed(), &packet);
                }
                session.handle_timeout(begun.elapsed());
                while let Some(packet) = session.transmit(begun.elapsed()) {
                    let packet = Packet { control_plane_independent: independent, ..packet };
                    let _ = mouth.send_to(&packet.encode(), to);
                }
            }
        });
        Ok(Played { stop, thread: Some(thread) })
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// BIRD is killed, and is waited for; then the path dies, too.
fn ends_twice(independent: bool, then: impl Fn(&Net, &Node) -> Result<()>) -> Result<()> {
    let net = Net::new()?;
    let (here, there) = (net.node("here")?, net.node("there")?);
    let mut ours = speaker(&here, &there, None, 100)?;
    let setup = Setup::new(AS).neighbor(Neighbor::new(here.v4(), AS).restart(60)).announce(THEIRS);
    let mut bird = Software::Bird.start(&there, &setup)?;
    let path = Played::start(&there, &here, independent)?;
    net.eventually("the path is watched and the route there", || is_up(ours.as_mut(), &here, &there))?;
    bird.kill();
    net.eventually("the session has ended", || {
        let state = ours.command(&["peer", &there.v4().to_string()])?;
        ensure(!state.contains("established for"), || state.clone())
    })?;
    // Longer than what the end of one process looks like.
    holds_for(Duration::from_secs(2), || is_up(ours.as_mut(), &here, &there))?;
    drop(path);
    net.eventually("BFD is down", || ensure(ours.command(&["bfd"]).is_err(), || "it is up"))?;
    then(&net, &here)
}

#[test]
fn a_path_that_dies_while_a_peer_restarts_takes_its_routes_along_if_bfd_does_not_depend_on_bgp() -> Result<()>
{
    ends_twice(true, |net, here| {
        net.eventually_within(Duration::from_secs(5), "the route has gone", || lacks(here, THEIRS))
    })
}

#[test]
fn the_end_of_a_bfd_that_shares_the_fate_of_bgp_is_part_of_the_restart() -> Result<()> {
    ends_twice(false, |_, here| holds_for(Duration::from_secs(2), || has(here, THEIRS)))
}

/// Why we close the connection before BFD says AdminDown when we are about to start again, though RFC 5882 section 4.2 would
/// have it the other way round: to these two AdminDown is a failure of a session that is up.
fn takes_admin_down_for_a_failure(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (here, there) = (net.node("here")?, net.node("there")?);
    let mut ours = speaker(&here, &there, None, 100)?;
    let neighbor = Neighbor::new(here.v4(), AS).restart(60).bfd(100, 3);
    let _theirs = router.start(&there, &Setup::new(AS).neighbor(neighbor).announce(THEIRS))?;
    net.eventually("the path is watched and the route there", || is_up(ours.as_mut(), &here, &there))?;
    // BFD ends, and nothing else.
    interop::reload(&here, ours.as_mut(), |config| config.replace("bfd = \"3x100\"\n", ""))?;
    net.eventually_within(Duration::from_secs(5), "its session has ended", || {
        ensure(flaps(ours.as_mut())? == 1, || "it goes on")
    })
}

#[test]
fn bird_takes_admin_down_for_a_failure() -> Result<()> {
    takes_admin_down_for_a_failure(Software::Bird)
}

#[test]
fn frr_takes_admin_down_for_a_failure() -> Result<()> {
    takes_admin_down_for_a_failure(Software::Frr)
}
