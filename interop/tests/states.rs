//! The states a route can be in, with each router: several paths, kept over restarts, asked for again, filtered anew.

use interop::{
    Announcement, Monitor, Neighbor, Net, Node, Peer, Result, SeenRoute, Setup, Software, ensure,
    expect_routes, flaps, has_told_all, holds_for, messages, reload,
};
use std::time::Duration;

const AS: u32 = 64512;

interop::feature_tests! {
    "add-path-to": takes_all_paths [all];
    "add-path-from": gives_all_paths [bird frr gobgp openbgpd];
    "gr-helper": keeps_its_routes_while_the_reflector_starts_again [bird frr gobgp openbgpd];
    "gr-paths": keeps_those_of_several_paths_that_the_reflector_still_has [bird frr gobgp openbgpd];
    "gr-wait": is_waited_for_and_then_given_up [bird frr gobgp exabgp];
    "gr-restarter": comes_back_without_what_it_no_longer_announces [bird frr gobgp exabgp];
    "llgr-from": leaves_long_lived_stale_routes_behind [bird frr gobgp];
    "llgr-to": keeps_long_lived_stale_routes_of_a_reflector_that_stays_away [bird frr gobgp];
    "refresh": is_asked_for_its_routes_again_and_asks [bird frr gobgp];
    "refresh-by-it": asks_for_our_routes_again [bird frr openbgpd exabgp];
    "filter-change": sees_a_changed_filter_without_a_flap [all];
    "drain": sees_that_the_reflector_is_about_to_go [all];
}

/// One prefix, one next hop: what the restart tests look at.
const PREFIX: &str = "10.42.1.0/26";

/// Long enough for a route to be withdrawn that should not be.
const WHILE: Duration = Duration::from_secs(3);

/// The reflector in the middle and two nodes.
fn nodes(net: &Net) -> Result<[Node; 3]> {
    Ok([net.node("rr")?, net.node("a")?, net.node("b")?])
}

fn announcing(neighbor: Neighbor, prefixes: &[&str]) -> Setup {
    let setup = Setup::new(AS).neighbor(neighbor);
    prefixes.iter().fold(setup, |setup, prefix| setup.announce(Announcement::new(prefix).med(1)))
}

fn reflector(rr: &Node, clients: impl IntoIterator<Item = Neighbor>) -> Result<Box<dyn Peer>> {
    let setup = clients.into_iter().fold(Setup::new(AS), |setup, client| setup.neighbor(client.client()));
    Software::RouteReflector.start(rr, &setup)
}

fn has(peer: &mut dyn Peer, prefix: &str, next_hops: &[&Node]) -> Result<()> {
    let mut expected: Vec<String> = next_hops.iter().map(|node| node.v4().to_string()).collect();
    expected.sort();
    let seen = peer.next_hops(prefix)?;
    ensure(seen == expected, || format!("{} has {prefix} by {seen:?}, not by {expected:?}", peer.name()))
}

fn established(net: &Net, peer: &mut dyn Peer, neighbor: &Node) -> Result<()> {
    let what = format!("{} has a session with {}", peer.name(), neighbor.v4());
    net.eventually(&what, || ensure(peer.is_established(neighbor.v4())?, || "not established"))
}

/// No session of a daemon has ended.
fn no_flaps(daemon: &mut dyn Peer) -> Result<()> {
    let flaps = flaps(daemon)?;
    ensure(flaps == 0, || format!("{flaps} flaps"))
}

fn takes_all_paths(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, b] = nodes(&net)?;
    let c = net.node("c")?;
    let clients =
        [Neighbor::new(a.v4(), AS).add_path(), Neighbor::new(b.v4(), AS), Neighbor::new(c.v4(), AS)];
    let mut middle = reflector(&rr, clients)?;
    let mut peer = router.start(&a, &announcing(Neighbor::new(rr.v4(), AS).add_path(), &[]))?;
    let _b = Software::Bird.start(&b, &announcing(Neighbor::new(rr.v4(), AS), &[PREFIX]))?;
    let mut bird_c = Software::Bird.start(&c, &announcing(Neighbor::new(rr.v4(), AS), &[PREFIX]))?;
    net.eventually("both paths arrive", || has(peer.as_mut(), PREFIX, &[&b, &c]))?;
    bird_c.kill();
    net.eventually("one path goes", || has(peer.as_mut(), PREFIX, &[&b]))?;
    has(middle.as_mut(), PREFIX, &[&b])
}

fn gives_all_paths(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, b] = nodes(&net)?;
    let c = net.node("c")?;
    let setup = Setup::new(AS)
        .neighbor(Neighbor::new(a.v4(), AS).client().add_path())
        .neighbor(Neighbor::new(b.v4(), AS).client())
        .neighbor(Neighbor::new(c.v4(), AS).client());
    let _middle = router.start(&rr, &setup)?;
    let up = Neighbor::new(rr.v4(), AS);
    let mut ours = Software::Speaker.start(&a, &Setup::new(AS).neighbor(up.clone().add_path()))?;
    let _b = Software::Bird.start(&b, &announcing(up.clone(), &[PREFIX]))?;
    let mut bird_c = Software::Bird.start(&c, &announcing(up, &[PREFIX]))?;
    net.eventually("both paths arrive", || has(ours.as_mut(), PREFIX, &[&b, &c]))?;
    bird_c.kill();
    net.eventually("one path goes", || has(ours.as_mut(), PREFIX, &[&b]))
}

fn keeps_its_routes_while_the_reflector_starts_again(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, b] = nodes(&net)?;
    let clients = || [&a, &b].map(|node| Neighbor::new(node.v4(), AS).restart(60));
    let mut middle = reflector(&rr, clients())?;
    let up = |seconds| Neighbor::new(rr.v4(), AS).restart(seconds);
    let mut peer = router.start(&a, &announcing(up(60), &[]))?;
    let mut other = Software::Bird.start(&b, &announcing(up(5), &[PREFIX]))?;
    net.eventually("the route arrives", || has(peer.as_mut(), PREFIX, &[&b]))?;
    established(&net, other.as_mut(), &rr)?;
    middle.stop(Duration::from_secs(10))?;
    holds_for(WHILE, || has(peer.as_mut(), PREFIX, &[&b]))?;
    let mut middle = reflector(&rr, clients())?;
    net.eventually("both are back", || {
        has(peer.as_mut(), PREFIX, &[&b])?;
        has(middle.as_mut(), PREFIX, &[&b])?;
        ensure(peer.is_established(rr.v4())?, || "not established")
    })?;
    holds_for(WHILE, || has(peer.as_mut(), PREFIX, &[&b]))?;
    // What went meanwhile goes, once the reflector has said what there is.
    other.kill();
    net.eventually("a dead client's route goes", || has(peer.as_mut(), PREFIX, &[]))
}

fn keeps_those_of_several_paths_that_the_reflector_still_has(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, b] = nodes(&net)?;
    let c = net.node("c")?;
    let client = |node: &Node| Neighbor::new(node.v4(), AS).restart(60);
    let clients = || [client(&a).add_path(), client(&b), client(&c)];
    let mut middle = reflector(&rr, clients())?;
    let up = client(&rr);
    let mut peer = router.start(&a, &announcing(up.clone().add_path(), &[]))?;
    let mut bird_b = Software::Bird.start(&b, &announcing(up.clone(), &[PREFIX]))?;
    let _c = Software::Bird.start(&c, &announcing(up, &[PREFIX]))?;
    net.eventually("both paths arrive", || has(peer.as_mut(), PREFIX, &[&b, &c]))?;
    middle.stop(Duration::from_secs(10))?;
    bird_b.kill();
    holds_for(Duration::from_secs(1), || has(peer.as_mut(), PREFIX, &[&b, &c]))?;
    let _middle = reflector(&rr, clients())?;
    net.eventually("one path goes", || has(peer.as_mut(), PREFIX, &[&c]))?;
    holds_for(Duration::from_secs(1), || has(peer.as_mut(), PREFIX, &[&c]))
}

fn is_waited_for_and_then_given_up(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, b] = nodes(&net)?;
    let _middle = reflector(&rr, [Neighbor::new(a.v4(), AS).restart(60), Neighbor::new(b.v4(), AS)])?;
    let mut peer = router.start(&a, &announcing(Neighbor::new(rr.v4(), AS).restart(5), &[PREFIX]))?;
    let mut other = Software::Bird.start(&b, &announcing(Neighbor::new(rr.v4(), AS), &[]))?;
    net.eventually("the route arrives", || has(other.as_mut(), PREFIX, &[&a]))?;
    peer.kill();
    holds_for(WHILE, || has(other.as_mut(), PREFIX, &[&a]))?;
    net.eventually("the restart time ends", || has(other.as_mut(), PREFIX, &[]))
}

fn comes_back_without_what_it_no_longer_announces(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, b] = nodes(&net)?;
    let _middle = reflector(&rr, [Neighbor::new(a.v4(), AS).restart(60), Neighbor::new(b.v4(), AS)])?;
    let up = Neighbor::new(rr.v4(), AS).restart(60);
    let mut peer = router.start(&a, &announcing(up.clone(), &[PREFIX, "10.42.2.0/26"]))?;
    let mut other = Software::Bird.start(&b, &announcing(Neighbor::new(rr.v4(), AS), &[]))?;
    net.eventually("the routes arrive", || has(other.as_mut(), "10.42.2.0/26", &[&a]))?;
    let monitor = Monitor::start(&b)?;
    peer.kill();
    let _peer = router.start(&a, &announcing(up, &[PREFIX]).after_restart())?;
    net.eventually("what is not announced again goes", || has(other.as_mut(), "10.42.2.0/26", &[]))?;
    net.eventually("what is announced again stays", || has(other.as_mut(), PREFIX, &[&a]))?;
    let gone = monitor.deleted("bird");
    ensure(!gone.iter().any(|line| line.contains(PREFIX)), || format!("it has not stayed: {gone:?}"))
}

fn leaves_long_lived_stale_routes_behind(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, b] = nodes(&net)?;
    let clients = [&a, &b].map(|node| Neighbor::new(node.v4(), AS).restart(60).long_lived(600));
    let _middle = reflector(&rr, clients)?;
    let up = Neighbor::new(rr.v4(), AS).restart(2).long_lived(300);
    let mut peer = router.start(&a, &announcing(up.clone(), &[PREFIX]))?;
    let mut other = Software::Bird.start(&b, &announcing(up, &[]))?;
    net.eventually("the route arrives", || has(other.as_mut(), PREFIX, &[&a]))?;
    peer.kill();
    net.eventually("the route is long-lived stale", || {
        let routes = other.routes()?;
        let stale = routes.iter().any(|route| route.prefix == PREFIX && route.communities == ["65535:6"]);
        ensure(stale, || format!("{routes:?}"))
    })
}

fn keeps_long_lived_stale_routes_of_a_reflector_that_stays_away(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, b] = nodes(&net)?;
    let clients = || [&a, &b].map(|node| Neighbor::new(node.v4(), AS).restart(2).long_lived(300));
    let mut middle = reflector(&rr, clients())?;
    let up = Neighbor::new(rr.v4(), AS).restart(60).long_lived(600);
    let mut peer = router.start(&a, &announcing(up.clone(), &[]))?;
    let of_b = Announcement::new(PREFIX).med(1);
    let _b = Software::Bird.start(&b, &Setup::new(AS).neighbor(up).announce(of_b.clone()))?;
    let fresh = of_b.seen_internally(b.v4()).reflected(b.v4(), rr.v4());
    expect_routes(&net, peer.as_mut(), std::slice::from_ref(&fresh))?;
    middle.stop(Duration::from_secs(10))?;
    let stale = SeenRoute { communities: vec!["65535:6".to_owned()], ..fresh.clone() };
    expect_routes(&net, peer.as_mut(), &[stale])?;
    let _middle = reflector(&rr, clients())?;
    expect_routes(&net, peer.as_mut(), &[fresh])
}

fn is_asked_for_its_routes_again_and_asks(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, b] = nodes(&net)?;
    let mut middle = reflector(&rr, [&a, &b].map(|node| Neighbor::new(node.v4(), AS)))?;
    let up = Neighbor::new(rr.v4(), AS);
    let mut peer = router.start(&a, &announcing(up.clone(), &[PREFIX]))?;
    let _b = Software::Bird.start(&b, &announcing(up, &["10.42.2.0/26"]))?;
    net.eventually("the routes arrive", || {
        has(peer.as_mut(), "10.42.2.0/26", &[&b])?;
        has(middle.as_mut(), PREFIX, &[&a])
    })?;
    // Two families, a mark at either end; GoBGP has no enhanced refresh (RFC 7313).
    let marks = if router == Software::GoBgp { 0 } else { 4 };
    let refreshes = |middle: &mut dyn Peer, direction, count| {
        net.eventually(&format!("{count} ROUTE-REFRESHes are {direction}"), || {
            let counted = messages(middle, a.v4(), direction, "route_refresh")?;
            ensure(counted == count, || format!("{counted}"))
        })
    };
    middle.refresh(a.v4())?;
    refreshes(middle.as_mut(), "sent", 2)?;
    refreshes(middle.as_mut(), "received", marks)?;
    // We mark nothing before the End-of-RIB, which waits for ten quiet seconds.
    has_told_all(&net, middle.as_ref())?;
    middle.command(&["peer", &a.v4().to_string(), "refresh", "out"])?;
    refreshes(middle.as_mut(), "sent", 2 + marks)?;
    for _ in 0..3 {
        middle.refresh(a.v4())?;
        peer.refresh(rr.v4())?;
        middle.command(&["peer", &a.v4().to_string(), "refresh", "out"])?;
    }
    holds_for(WHILE, || {
        has(middle.as_mut(), PREFIX, &[&a])?;
        has(peer.as_mut(), "10.42.2.0/26", &[&b])
    })?;
    no_flaps(middle.as_mut())
}

/// GoBGP never asks: it keeps what it was sent, and looks at that again.
fn asks_for_our_routes_again(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, _] = nodes(&net)?;
    let mut middle = reflector(&rr, [Neighbor::new(a.v4(), AS)])?;
    let mut peer = router.start(&a, &announcing(Neighbor::new(rr.v4(), AS), &[PREFIX]))?;
    net.eventually("its route arrives", || has(middle.as_mut(), PREFIX, &[&a]))?;
    // OpenBGPD has marked its first routes as if it had been asked for them.
    let before = messages(middle.as_mut(), a.v4(), "received", "route_refresh")?;
    peer.refresh(rr.v4())?;
    net.eventually("it asks for both families", || {
        let counted = messages(middle.as_mut(), a.v4(), "received", "route_refresh")?;
        ensure(counted >= before + 2, || format!("{counted}, {before} before"))
    })?;
    no_flaps(middle.as_mut())
}

/// OpenBGPD 7.7 refuses every ROUTE-REFRESH, and ExaBGP 4.2 ends the session: the reflector has to have what they sent.
fn answers_no_refresh(router: Software) -> bool {
    [Software::OpenBgpd, Software::ExaBgp].contains(&router)
}

const FILTERS: &str = r#"
[[filters]]
name = "mark"
otherwise = "accept"
[[filters.terms]]
prefixes = ["10.42.0.0/16 ge 26 le 26"]
add-communities = ["64512:7"]
[[filters]]
name = "prefer"
otherwise = "accept"
[[filters.terms]]
set-local-pref = 300
"#;

fn sees_a_changed_filter_without_a_flap(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, b] = nodes(&net)?;
    let client = |node: &Node| Neighbor::new(node.v4(), AS).client();
    let keep = if answers_no_refresh(router) { "keep-received = true\n" } else { "" };
    let setup = Setup::new(AS)
        .neighbor(client(&a).extra(&format!("export = \"accept\"\nimport = \"accept\"\n{keep}")))
        .neighbor(client(&b))
        .extra(FILTERS);
    let mut middle = Software::RouteReflector.start(&rr, &setup)?;
    let up = Neighbor::new(rr.v4(), AS);
    let of_a = Announcement::new(PREFIX).med(1);
    let mut peer = router.start(&a, &Setup::new(AS).neighbor(up.clone()).announce(of_a.clone()))?;
    let of_b = Announcement::new("10.42.2.0/26").med(1);
    let mut other = Software::Bird.start(&b, &Setup::new(AS).neighbor(up).announce(of_b.clone()))?;
    let plain = of_b.seen_internally(b.v4()).reflected(b.v4(), rr.v4());
    expect_routes(&net, peer.as_mut(), std::slice::from_ref(&plain))?;

    reload(&rr, middle.as_mut(), |config| {
        config.replacen("export = \"accept\"", "export = \"mark\"", 1).replacen(
            "import = \"accept\"",
            "import = \"prefer\"",
            1,
        )
    })?;
    let marked = SeenRoute { communities: vec!["64512:7".to_owned()], ..plain };
    expect_routes(&net, peer.as_mut(), &[marked])?;
    let preferred = of_a.seen_internally(a.v4()).reflected(a.v4(), rr.v4());
    expect_routes(&net, other.as_mut(), &[SeenRoute { local_pref: Some(300), ..preferred }])?;
    reload(&rr, middle.as_mut(), |config| config.replacen("export = \"mark\"", "export = \"reject\"", 1))?;
    expect_routes(&net, peer.as_mut(), &[])?;
    no_flaps(middle.as_mut())
}

fn sees_that_the_reflector_is_about_to_go(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, b] = nodes(&net)?;
    let mut middle = reflector(&rr, [&a, &b].map(|node| Neighbor::new(node.v4(), AS)))?;
    let up = Neighbor::new(rr.v4(), AS);
    let mut peer = router.start(&a, &announcing(up.clone(), &[]))?;
    let of_b = Announcement::new(PREFIX).med(1);
    let _b = Software::Bird.start(&b, &Setup::new(AS).neighbor(up).announce(of_b.clone()))?;
    let plain = of_b.seen_internally(b.v4()).reflected(b.v4(), rr.v4());
    expect_routes(&net, peer.as_mut(), std::slice::from_ref(&plain))?;
    middle.command(&["drain"])?;
    let going = SeenRoute { communities: vec!["65535:0".to_owned()], local_pref: Some(0), ..plain.clone() };
    expect_routes(&net, peer.as_mut(), &[going])?;
    middle.command(&["drain", "--undo"])?;
    expect_routes(&net, peer.as_mut(), &[plain])
}
