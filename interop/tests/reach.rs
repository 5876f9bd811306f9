//! How each router reaches us and we reach it: another port, several hops, an address that comes late, strangers at the door.

#![cfg(test)]

use interop::{Neighbor, Net, Node, Peer, Result, Setup, Software, ensure, flaps, holds_for};
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

interop::feature_tests! {
    "port": finds_us_on_another_port [all];
    "port": is_found_on_another_port [all];
    "multihop": is_a_neighbor_behind_a_router [all];
    "source-address": has_a_session_once_our_address_is_there [all];
    "max-connects": keeps_its_session_while_strangers_knock [all];
}

const OWN: u32 = 64512;
const OTHER: u32 = 65001;
const OURS: &str = "10.42.1.0/26";
const THEIRS: &str = "10.50.1.0/24";
const PORT: u16 = 1790;

fn established(net: &Net, peer: &mut dyn Peer, neighbor: IpAddr) -> Result<()> {
    let what = format!("{} has a session with {neighbor}", peer.name());
    net.eventually(&what, || ensure(peer.is_established(neighbor)?, || "not established"))
}

fn has(net: &Net, peer: &mut dyn Peer, prefix: &str) -> Result<()> {
    net.eventually(&format!("{} has {prefix}", peer.name()), || {
        let routes = peer.routes()?;
        ensure(routes.iter().any(|route| route.prefix == prefix), || format!("{routes:?}"))
    })
}

fn finds_us_on_another_port(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (ours, theirs) = (net.node("ours")?, net.node("theirs")?);
    let waits = Neighbor::new(theirs.v4(), OTHER).extra("passive = true\n");
    let mut daemon = Software::RouteReflector.start(&ours, &Setup::new(OWN).port(PORT).neighbor(waits))?;
    let up = Setup::new(OTHER).neighbor(Neighbor::new(ours.v4(), OWN).port(PORT)).announce(THEIRS);
    let _peer = router.start(&theirs, &up)?;
    has(&net, daemon.as_mut(), THEIRS)
}

fn is_found_on_another_port(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (ours, theirs) = (net.node("ours")?, net.node("theirs")?);
    let there = Neighbor::new(theirs.v4(), OTHER).port(PORT);
    let setup = Setup::new(OWN).keys("listen = []\n").neighbor(there).announce(OURS);
    let mut daemon = Software::RouteReflector.start(&ours, &setup)?;
    let up = Setup::new(OTHER).port(PORT).neighbor(Neighbor::new(ours.v4(), OWN)).announce(THEIRS);
    let mut peer = router.start(&theirs, &up)?;
    has(&net, daemon.as_mut(), THEIRS)?;
    has(&net, peer.as_mut(), OURS)
}

/// What a router has to be told of an eBGP neighbour that is not on the link.
fn far(router: Software) -> &'static str {
    match router {
        Software::Bird => "multihop 3;",
        Software::Frr => "ebgp-multihop 3",
        Software::GoBgp => "  [neighbors.ebgp-multihop.config]\n    enabled = true\n    multihop-ttl = 3",
        Software::OpenBgpd => "multihop 3",
        _ => "outgoing-ttl 3;",
    }
}

/// Two nodes that know each other's loopback only by the one between them.
fn behind_a_router(net: &Net) -> Result<([Node; 3], [IpAddr; 2])> {
    let (here, between, there) = (net.node("here")?, net.node("between")?, net.node("there")?);
    let loopbacks = [IpAddr::from([10, 8, 0, 1]), IpAddr::from([10, 8, 0, 3])];
    for key in ["ip_forward=1", "conf.all.send_redirects=0", "conf.eth0.send_redirects=0"] {
        between.run(&["sysctl", "-qw", &format!("net.ipv4.{key}")])?;
    }
    for (node, own, other) in [(&here, loopbacks[0], loopbacks[1]), (&there, loopbacks[1], loopbacks[0])] {
        node.ip_batch(&format!("address add {own}/32 dev lo\nroute add {other}/32 via {}\n", between.v4()))?;
        between.ip_batch(&format!("route add {own}/32 via {}\n", node.v4()))?;
    }
    Ok(([here, between, there], loopbacks))
}

fn is_a_neighbor_behind_a_router(router: Software) -> Result<()> {
    let net = Net::new()?;
    let ([here, between, there], [ours, theirs]) = behind_a_router(&net)?;
    let neighbor = Neighbor::new(theirs, OTHER).source(ours);
    let mut speaker = Software::Speaker.start(&here, &Setup::new(OWN).neighbor(neighbor).announce(OURS))?;
    let up = Neighbor::new(ours, OWN).source(theirs).native(far(router));
    let mut peer = router.start(&there, &Setup::new(OTHER).neighbor(up).announce(THEIRS))?;
    has(&net, peer.as_mut(), OURS)?;
    has(&net, speaker.as_mut(), THEIRS)?;
    // GoBGP and ExaBGP are told a next hop, the others send their end of the session.
    let [hop] = &speaker.next_hops(THEIRS)?[..] else { return Err(not("several next hops")) };
    let gateway = if *hop == theirs.to_string() { between.v4() } else { there.v4() };
    net.eventually("the route is in our kernel", || {
        let found = here.routes()?.into_iter().find(|route| route.prefix == THEIRS);
        let seen = found.map(|route| route.gateways).unwrap_or_default();
        ensure(seen == [gateway.to_string()], || format!("by {seen:?}"))
    })
}

fn not(what: &str) -> interop::Error {
    interop::Error::NotSo(what.to_owned())
}

fn has_a_session_once_our_address_is_there(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (ours, theirs) = (net.node("ours")?, net.node("theirs")?);
    let source = IpAddr::from([10, 9, 7, 1]);
    theirs.ip_batch(&format!("route add {source}/32 via {}\n", ours.v4()))?;
    let from = Neighbor::new(theirs.v4(), OWN).extra(&format!("source-address = \"{source}\"\n"));
    let mut speaker = Software::Speaker.start(&ours, &Setup::new(OWN).neighbor(from))?;
    let up = Setup::new(OWN).neighbor(Neighbor::new(source, OWN)).announce(THEIRS);
    let _peer = router.start(&theirs, &up)?;
    net.eventually("it is said what is missing", || {
        let shown = speaker.command(&["peer", &theirs.v4().to_string()])?;
        ensure(shown.contains("is source-address one of this host's?"), || shown)
    })?;
    ours.ip_batch(&format!("address add {source}/32 dev lo\n"))?;
    has(&net, speaker.as_mut(), THEIRS)
}

/// So many a second of a range.
const MAX_CONNECTS: usize = 5;

/// Connections at once, by how it went: those that are left open, and those that were closed.
fn knock(node: &Node, to: IpAddr, times: usize) -> Result<(Vec<TcpStream>, usize)> {
    node.inside(|| {
        let connect = |_| TcpStream::connect_timeout(&SocketAddr::new(to, 179), Duration::from_secs(2));
        let streams = (0..times).map(connect).collect::<std::io::Result<Vec<_>>>()?;
        let (mut open, mut closed) = (Vec::new(), 0);
        for mut stream in streams {
            stream.set_read_timeout(Some(Duration::from_millis(20)))?;
            match stream.read(&mut [0; 1]) {
                Ok(1..) => open.push(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => open.push(stream),
                _ => closed += 1,
            }
        }
        Ok((open, closed))
    })
}

/// Two hundred from a range, two hundred from nowhere: the neighbour's session stays, and it gets one while they stand there.
fn keeps_its_session_while_strangers_knock(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (rr, theirs, stranger) = (net.node("rr")?, net.node("theirs")?, net.node("stranger")?);
    let nowhere = net.node("nowhere")?;
    let range = Neighbor::range(&format!("{}/32", stranger.v4()), OWN).client();
    let setup = Setup::new(OWN)
        .neighbor(Neighbor::new(theirs.v4(), OWN).client())
        .neighbor(range.extra(&format!("max-connects = {MAX_CONNECTS}\n")));
    let mut daemon = Software::RouteReflector.start(&rr, &setup)?;
    let up = Setup::new(OWN).neighbor(Neighbor::new(rr.v4(), OWN)).announce(THEIRS);
    let mut peer = router.start(&theirs, &up)?;
    has(&net, daemon.as_mut(), THEIRS)?;
    established(&net, peer.as_mut(), rr.v4())?;

    let (_open, closed) = knock(&stranger, rr.v4(), 200)?;
    ensure(closed >= 150, || format!("only {closed} of 200 of the range were closed"))?;
    let (left, closed) = knock(&nowhere, rr.v4(), 200)?;
    ensure(closed == 200, || format!("{} from nowhere were left open", left.len()))?;
    net.eventually("the log says why", || ensure(daemon.log().contains("of `max-connects`"), || "not yet"))?;
    holds_for(Duration::from_secs(1), || {
        ensure(peer.is_established(rr.v4())?, || "the neighbour's session fell")?;
        ensure(flaps(daemon.as_mut())? == 0, || "a session fell")
    })?;
    peer.kill();
    // Asked for routes, a daemon without any fails.
    net.eventually("its route has gone", || {
        let routes = daemon.routes().unwrap_or_default();
        ensure(routes.is_empty(), || format!("{routes:?}"))
    })?;
    let (_open, _) = knock(&stranger, rr.v4(), 200)?;
    let _peer = router.start(&theirs, &up)?;
    has(&net, daemon.as_mut(), THEIRS)
}
