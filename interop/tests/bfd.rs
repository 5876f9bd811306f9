//! BFD between our speaker and another router: a dead path is found out long before the hold timer, and nothing else is
//! taken for one.

#![cfg(test)]

use interop::{BfdSeen, Neighbor, Net, Node, Peer, Result, Setup, Software, ensure, holds_for};
use std::net::IpAddr;
use std::time::{Duration, Instant};

const AS: u32 = 64512;
const OURS: &str = "10.42.1.0/26";
const THEIRS: [&str; 2] = ["10.42.2.0/26", "fd00:42:2::/64"];
/// The hold time is 30 s.
const LONG_BEFORE_THE_HOLD_TIMER: Duration = Duration::from_secs(5);

interop::feature_tests! {
    "bfd": finds_a_cut_link [bird frr];
    "bfd": finds_a_cut_link_over_ipv6 [bird frr];
    "bfd": ends_and_begins_again [bird frr];
    "bfd-multihop": finds_a_path_of_several_hops_dead [bird frr];
    "bfd-us": misses_us_when_we_stand_still [bird frr];
    "bfd-us": keeps_our_routes_when_we_start_again [bird frr];
    "bfd-us": has_a_session_without_it [bird frr];
}

/// Our speaker on one node, the other router on another.
struct Pair {
    net: Net,
    here: Node,
    there: Node,
    ours: IpAddr,
    theirs: IpAddr,
    speaker: Box<dyn Peer>,
    router: Box<dyn Peer>,
}

impl Pair {
    /// `neighbor` makes each side's of the other's address and its own.
    fn start(
        router: Software,
        addresses: fn(&Node) -> IpAddr,
        neighbor: impl Fn(IpAddr, Side) -> Neighbor,
    ) -> Result<Pair> {
        let net = Net::new()?;
        let (here, there) = (net.node("here")?, net.node("there")?);
        Pair::on(net, here, there, router, addresses, neighbor)
    }

    fn on(
        net: Net,
        here: Node,
        there: Node,
        router: Software,
        addresses: fn(&Node) -> IpAddr,
        neighbor: impl Fn(IpAddr, Side) -> Neighbor,
    ) -> Result<Pair> {
        let (ours, theirs) = (addresses(&here), addresses(&there));
        let setup = Setup::new(AS).neighbor(neighbor(theirs, Side::Ours)).announce(OURS);
        let speaker = Software::Speaker.start(&here, &setup)?;
        let setup = Setup::new(AS).neighbor(neighbor(ours, Side::Theirs));
        let router = router.start(&there, &THEIRS.into_iter().fold(setup, Setup::announce))?;
        Ok(Pair { net, here, there, ours, theirs, speaker, router })
    }

    /// Both are up, and the route is in our kernel.
    fn is_up(&mut self, prefix: &str) -> Result<BfdSeen> {
        let Pair { net, here, theirs, speaker, .. } = self;
        net.eventually("the path is watched and the route there", || {
            ensure(has(here, prefix)?, || "no route")?;
            let seen = interop::bfd(speaker.as_mut(), *theirs)?;
            // The agreement on timers takes a packet more than the session.
            ensure(seen.transmit < 1000, || format!("{seen:?}"))?;
            Ok(seen)
        })
    }

    fn loses(&mut self, prefix: &str) -> Result<Duration> {
        let since = Instant::now();
        let Pair { net, here, .. } = self;
        net.eventually_within(LONG_BEFORE_THE_HOLD_TIMER, "the route has gone", || {
            ensure(!has(here, prefix)?, || "it is still there")
        })?;
        Ok(since.elapsed())
    }

    fn history(&mut self) -> Result<String> {
        self.speaker.command(&["peer", &self.theirs.to_string(), "--history"])
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Ours,
    Theirs,
}

fn has(node: &Node, prefix: &str) -> Result<bool> {
    Ok(node.routes()?.iter().any(|route| route.prefix == prefix && route.protocol == "bgp"))
}

/// Routes would be kept for a minute, if a dead path were no reason.
fn watched(address: IpAddr, side: Side) -> Neighbor {
    let (interval, multiplier) = if side == Side::Ours { (100, 3) } else { (200, 4) };
    Neighbor::new(address, AS).restart(60).bfd(interval, multiplier)
}

fn link(node: &Node, state: &str) -> Result<()> {
    node.ip_batch(&format!("link set eth0 {state}\n"))
}

fn finds_a_cut(router: Software, addresses: fn(&Node) -> IpAddr, prefix: &str) -> Result<()> {
    let mut pair = Pair::start(router, addresses, watched)?;
    let seen = pair.is_up(prefix)?;
    let agreed = BfdSeen { hops: "single".to_owned(), transmit: 200, detect: 800, failures: 0 };
    ensure(seen == agreed, || format!("{seen:?}, not {agreed:?}"))?;
    pair.there.run(&["sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/eth0/keep_addr_on_down"])?;

    link(&pair.there, "down")?;
    let after = pair.loses(prefix)?;
    println!("{}: the route went {} ms after the cut", pair.router.name(), after.as_millis());
    let history = pair.history()?;
    ensure(history.contains("BFD: the path is dead"), || history)?;

    link(&pair.there, "up")?;
    let seen = pair.is_up(prefix)?;
    ensure(seen.failures == 1, || format!("{seen:?}"))
}

fn finds_a_cut_link(router: Software) -> Result<()> {
    finds_a_cut(router, Node::v4, THEIRS[0])
}

fn finds_a_cut_link_over_ipv6(router: Software) -> Result<()> {
    finds_a_cut(router, Node::v6, THEIRS[1])
}

fn finds_a_path_of_several_hops_dead(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (here, there) = (net.node("here")?, net.node("there")?);
    let loopback = |node: &Node| match node.v4() {
        IpAddr::V4(v4) => IpAddr::from([10, 8, 0, v4.octets()[3]]),
        v6 => v6,
    };
    for (node, other) in [(&here, &there), (&there, &here)] {
        let (own, to, via) = (loopback(node), loopback(other), other.v4());
        node.ip_batch(&format!("address add {own}/32 dev lo\nroute add {to}/32 via {via}\n"))?;
    }
    let (of_here, of_there) = (loopback(&here), loopback(&there));
    let neighbor = |address: IpAddr, side: Side| {
        let own = if side == Side::Ours { of_here } else { of_there };
        let igp = Neighbor::new(address, AS).restart(60).source(own);
        if side == Side::Ours { igp.bfd(100, 3) } else { igp.bfd(200, 4) }
    };
    let mut pair = Pair::on(net, here, there, router, loopback, neighbor)?;
    let seen = pair.is_up(THEIRS[0])?;
    let agreed = BfdSeen { hops: "multi".to_owned(), transmit: 200, detect: 800, failures: 0 };
    ensure(seen == agreed, || format!("{seen:?}, not {agreed:?}"))?;
    link(&pair.there, "down")?;
    let after = pair.loses(THEIRS[0])?;
    println!("{}: the route went {} ms after the cut", pair.router.name(), after.as_millis());
    let history = pair.history()?;
    ensure(history.contains("BFD: the path is dead"), || history)
}

/// Killed and started again.
fn ends_and_begins_again(router: Software) -> Result<()> {
    let plain = |address, _| Neighbor::new(address, AS).bfd(100, 3);
    let mut pair = Pair::start(router, Node::v4, plain)?;
    pair.is_up(THEIRS[0])?;
    pair.router.kill();
    pair.loses(THEIRS[0])?;
    let Pair { net, theirs, speaker, .. } = &mut pair;
    // No failure if FRR's BFD saw its BGP die before it was killed itself: then it has said goodbye.
    net.eventually("the path is not up", || {
        let failed = speaker.command(&["bfd"]).is_err_and(|error| error.to_string().contains("down"));
        ensure(failed, || format!("it is up: {:?}", interop::bfd(speaker.as_mut(), *theirs)))
    })?;
    let setup = Setup::new(AS).neighbor(plain(pair.ours, Side::Theirs)).announce(THEIRS[0]);
    pair.router = router.start(&pair.there, &setup)?;
    pair.is_up(THEIRS[0]).map(drop)
}

fn misses_us_when_we_stand_still(router: Software) -> Result<()> {
    let plain = |address, _| Neighbor::new(address, AS).bfd(100, 3);
    let mut pair = Pair::start(router, Node::v4, plain)?;
    pair.is_up(THEIRS[0])?;
    let Pair { net, router, speaker, .. } = &mut pair;
    let routes = |router: &mut dyn Peer, count: usize| {
        let seen = router.routes()?;
        ensure(seen.len() == count, || format!("{seen:?}"))
    };
    net.eventually("it has our route", || routes(router.as_mut(), 1))?;
    speaker.freeze()?;
    let limit = LONG_BEFORE_THE_HOLD_TIMER;
    net.eventually_within(limit, "it has given our route up", || routes(router.as_mut(), 0))?;
    speaker.thaw()?;
    net.eventually("it has our route again", || routes(router.as_mut(), 1))
}

/// AdminDown goes before us, so that the end of BFD is no failure to it.
fn keeps_our_routes_when_we_start_again(router: Software) -> Result<()> {
    let mut pair = Pair::start(router, Node::v4, watched)?;
    pair.is_up(THEIRS[0])?;
    let Pair { net, router, speaker, .. } = &mut pair;
    let has_ours = |router: &mut dyn Peer| {
        let seen = router.routes()?;
        ensure(seen.iter().any(|route| route.prefix == OURS), || format!("{seen:?}"))
    };
    net.eventually("it has our route", || has_ours(router.as_mut()))?;
    speaker.stop(Duration::from_secs(10))?;
    holds_for(Duration::from_secs(2), || has_ours(router.as_mut()))?;
    let setup = Setup::new(AS).neighbor(watched(pair.theirs, Side::Ours)).announce(OURS);
    pair.speaker = Software::Speaker.start(&pair.here, &setup)?;
    let seen = pair.is_up(THEIRS[0])?;
    ensure(seen.failures == 0, || format!("{seen:?}"))?;
    has_ours(pair.router.as_mut())
}

fn has_a_session_without_it(router: Software) -> Result<()> {
    let one_side = |address, side| match side {
        Side::Ours => Neighbor::new(address, AS).bfd(100, 3),
        Side::Theirs => Neighbor::new(address, AS),
    };
    let mut pair = Pair::start(router, Node::v4, one_side)?;
    let Pair { net, here, speaker, .. } = &mut pair;
    net.eventually("the route is there", || ensure(has(here, THEIRS[0])?, || "no route"))?;
    // Exit code 1: something is down.
    let said = speaker.command(&["bfd"]).err().map(|error| error.to_string()).unwrap_or_default();
    ensure(said.contains("nothing comes from the peer"), || format!("{said:?}"))?;
    let logged = speaker.log();
    ensure(logged.contains("the session does not wait for it"), || logged)
}
