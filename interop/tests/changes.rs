//! Which paths go out, and which come in, changed on live sessions; what the neighbours see of it, here BIRD.

#![cfg(test)]

use interop::{
    Announcement, Neighbor, Net, Node, Peer, Result, SeenRoute, Setup, Software, ensure, expect_routes,
    flaps, holds_for, messages, reload,
};
use std::time::Duration;

interop::feature_tests! {
    "aggregates": sees_one_prefix_instead_of_those_inside_it [all];
}

const AS: u32 = 64512;
const PREFIX: &str = "10.42.1.0/26";

/// Long enough for a message to come that should not.
const WHILE: Duration = Duration::from_secs(2);

fn client(node: &Node) -> Neighbor {
    Neighbor::new(node.v4(), AS).client()
}

/// BIRD with a session to the reflector, which announces the prefix with this MED.
fn announcing(node: &Node, rr: &Node, med: u32) -> Result<Box<dyn Peer>> {
    let announcement = Announcement::new(PREFIX).med(med);
    Software::Bird.start(node, &Setup::new(AS).neighbor(Neighbor::new(rr.v4(), AS)).announce(announcement))
}

fn has(peer: &mut dyn Peer, next_hops: &[&Node]) -> Result<()> {
    let expected: Vec<String> = next_hops.iter().map(|node| node.v4().to_string()).collect();
    let seen = peer.next_hops(PREFIX)?;
    ensure(seen == expected, || format!("{} has {PREFIX} by {seen:?}, not by {expected:?}", peer.name()))
}

fn no_flaps(daemon: &mut dyn Peer) -> Result<()> {
    let flaps = flaps(daemon)?;
    ensure(flaps == 0, || format!("{flaps} flaps"))
}

/// Puts one value in the place of another, which is there once.
fn replace(old: &str, new: &str) -> impl FnOnce(&str) -> String {
    move |config| config.replacen(old, new, 1)
}

#[test]
fn as_many_paths_go_out_as_are_asked_for() -> Result<()> {
    let net = Net::new()?;
    let (rr, a) = (net.node("rr")?, net.node("a")?);
    let (b, c, d) = (net.node("b")?, net.node("c")?, net.node("d")?);
    let setup = [&b, &c, &d].into_iter().fold(Setup::new(AS), |setup, node| setup.neighbor(client(node)));
    let several = client(&a).extra("add-path = \"send\"\nadvertise = 2\n");
    let mut middle = Software::RouteReflector.start(&rr, &setup.neighbor(several))?;
    let up = Neighbor::new(rr.v4(), AS).add_path();
    let mut peer = Software::Bird.start(&a, &Setup::new(AS).neighbor(up))?;
    let _c = announcing(&c, &rr, 2)?;
    let _d = announcing(&d, &rr, 3)?;
    net.eventually("both paths arrive", || has(peer.as_mut(), &[&c, &d]))?;
    let mut bird_b = announcing(&b, &rr, 1)?;
    net.eventually("a better path is one of the two", || has(peer.as_mut(), &[&b, &c]))?;
    reload(&rr, middle.as_mut(), replace("advertise = 2", "advertise = \"all\""))?;
    net.eventually("all paths arrive", || has(peer.as_mut(), &[&b, &c, &d]))?;
    reload(&rr, middle.as_mut(), replace("advertise = \"all\"", "advertise = \"best\""))?;
    net.eventually("only the best stays", || has(peer.as_mut(), &[&b]))?;
    reload(&rr, middle.as_mut(), replace("advertise = \"best\"", "advertise = 2"))?;
    net.eventually("the second comes back", || has(peer.as_mut(), &[&b, &c]))?;
    no_flaps(middle.as_mut())?;
    bird_b.kill();
    net.eventually("the third takes its place", || has(peer.as_mut(), &[&c, &d]))
}

const SECOND_BEST: &str = r#"
[[filters]]
name = "second-best"
otherwise = "accept"
[[filters.terms]]
set-local-pref = 50
"#;

#[test]
fn a_peer_with_the_best_path_is_told_the_best_external_one() -> Result<()> {
    const OTHER: u32 = 65001;
    let net = Net::new()?;
    let (rr, a, x) = (net.node("rr")?, net.node("a")?, net.node("x")?);
    let outside = Neighbor::new(x.v4(), OTHER).policy(interop::Policy::Unset);
    let setup = Setup::new(AS)
        .neighbor(Neighbor::new(a.v4(), AS).extra("advertise = \"best\"\n"))
        .neighbor(outside.extra("import = \"second-best\"\n"))
        .extra(SECOND_BEST);
    let mut middle = Software::RouteReflector.start(&rr, &setup)?;
    let mut inside = announcing(&a, &rr, 1)?;
    let setup = Setup::new(OTHER).neighbor(Neighbor::new(rr.v4(), AS)).announce(PREFIX);
    let mut outside = Software::Bird.start(&x, &setup)?;
    net.eventually("the reflector has both", || has(middle.as_mut(), &[&a, &x]))?;
    holds_for(WHILE, || has(inside.as_mut(), &[]))?;
    reload(&rr, middle.as_mut(), replace("advertise = \"best\"", "advertise = \"best-external\""))?;
    net.eventually("the external path arrives", || has(inside.as_mut(), &[&x]))?;
    reload(&rr, middle.as_mut(), replace("advertise = \"best-external\"", "advertise = \"best\""))?;
    net.eventually("it goes", || has(inside.as_mut(), &[]))?;
    reload(&rr, middle.as_mut(), replace("advertise = \"best\"", "advertise = \"best-external\""))?;
    net.eventually("the external path is back", || has(inside.as_mut(), &[&x]))?;
    no_flaps(middle.as_mut())?;
    outside.kill();
    net.eventually("the neighbour outside is dead", || has(inside.as_mut(), &[]))
}

const ONE_OF_TWO: &str = r#"
[[filters]]
name = "some"
[[filters.terms]]
prefixes = ["10.42.1.0/26"]
action = "accept"
"#;

/// A client of which one of two prefixes is taken, then both, then one; `keep` is what is set for that beforehand.
/// Returns how often it was asked for its routes, by its own word.
fn asked_when_an_import_filter_changes(keep: &str) -> Result<usize> {
    let net = Net::new()?;
    let (rr, a, b) = (net.node("rr")?, net.node("a")?, net.node("b")?);
    let setup = Setup::new(AS)
        .neighbor(client(&a).extra(&format!("import = \"some\"\n{keep}")))
        .neighbor(client(&b))
        .extra(ONE_OF_TWO);
    let mut middle = Software::RouteReflector.start(&rr, &setup)?;
    let up = Neighbor::new(rr.v4(), AS);
    let two = Setup::new(AS).neighbor(up.clone()).announce(PREFIX).announce("10.42.2.0/26");
    let mut announces = Software::Bird.start(&a, &two)?;
    announces.command(&["debug", "all", "{ packets }"])?;
    let mut sees = Software::Bird.start(&b, &Setup::new(AS).neighbor(up))?;
    let mut arrive = |count: usize| {
        net.eventually(&format!("{count} routes arrive"), || {
            let routes = sees.routes()?;
            ensure(routes.len() == count, || format!("{routes:?}"))
        })
    };
    arrive(1)?;
    for (old, new, count) in
        [("26\"]", "26\", \"10.42.2.0/26\"]", 2), ("26\", \"10.42.2.0/26\"]", "26\"]", 1)]
    {
        reload(&rr, middle.as_mut(), replace(old, new))?;
        arrive(count)?;
    }
    no_flaps(middle.as_mut())?;
    let told = messages(middle.as_mut(), a.v4(), "sent", "route_refresh")?;
    let asked = announces.log().matches("Got ROUTE-REFRESH").count();
    ensure(asked as u64 == told, || format!("asked {asked} times, and told of {told}: {}", announces.log()))?;
    Ok(asked)
}

#[test]
fn a_changed_import_filter_asks_for_nothing_that_was_kept() -> Result<()> {
    let asked = asked_when_an_import_filter_changes("keep-received = true\n")?;
    ensure(asked == 0, || format!("{asked} requests"))
}

#[test]
fn a_changed_import_filter_asks_for_what_was_not_kept() -> Result<()> {
    // Twice, for two families.
    let asked = asked_when_an_import_filter_changes("")?;
    ensure(asked == 4, || format!("{asked} requests"))
}

const AGGREGATE: &str = r#"
[[aggregates]]
prefix = "10.42.0.0/16"
summary-only = true
[[aggregates]]
prefix = "fd00:42::/32"
"#;

fn sees_one_prefix_instead_of_those_inside_it(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (rr, a, b) = (net.node("rr")?, net.node("a")?, net.node("b")?);
    let setup = Setup::new(AS).neighbor(client(&a)).neighbor(client(&b));
    let mut middle = Software::RouteReflector.start(&rr, &setup.extra(AGGREGATE))?;
    let up = Neighbor::new(rr.v4(), AS);
    let mut peer = router.start(&a, &Setup::new(AS).neighbor(up.clone()))?;
    let (v4, v6) = (Announcement::new(PREFIX).med(1), Announcement::new("fd00:42:1::/64").med(1));
    let setup = Setup::new(AS).neighbor(up).announce(v4.clone()).announce(v6.clone());
    let mut bird = Software::Bird.start(&b, &setup)?;
    let inside = |announcement: &Announcement, next_hop| {
        announcement.seen_internally(next_hop).reflected(b.v4(), rr.v4())
    };
    let aggregates = [
        SeenRoute::internal("10.42.0.0/16", rr.v4()),
        SeenRoute::internal("fd00:42::/32", rr.v6()),
        inside(&v6, b.v6()),
    ];
    expect_routes(&net, peer.as_mut(), &aggregates)?;
    reload(&rr, middle.as_mut(), replace("summary-only = true", "summary-only = false"))?;
    let all = [&aggregates[..], &[inside(&v4, b.v4())]].concat();
    expect_routes(&net, peer.as_mut(), &all)?;
    no_flaps(middle.as_mut())?;
    bird.kill();
    expect_routes(&net, peer.as_mut(), &[])
}
