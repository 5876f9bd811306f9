//! What the speaker does with the kernel beyond a single route: shared load, restarts, a watched file, interference.

#![cfg(test)]

use std::time::Duration;

use interop::{
    KernelRoute, Neighbor, Net, Node, Peer, Result, SeenRoute, Setup, Software, ensure, expect_routes,
};

const AS: u32 = 64512;

/// Expects these routes of protocol `bgp`, as `kind prefix gateways`, and no others.
fn expect_kernel(net: &Net, node: &Node, expected: &[&str]) -> Result<()> {
    net.eventually("the kernel has the routes", || {
        let ours = |route: &KernelRoute| route.protocol == "bgp";
        let text =
            |route: KernelRoute| format!("{} {} {}", route.kind, route.prefix, route.gateways.join(","));
        let mut seen: Vec<String> = node.routes()?.into_iter().filter(ours).map(text).collect();
        seen.iter_mut().for_each(|line| line.truncate(line.trim_end().len()));
        seen.sort();
        ensure(seen == expected, || format!("expected {expected:#?}\nthe kernel has {seen:#?}"))
    })
}

fn bird(node: &Node, to: &Node, prefixes: &[&str]) -> Result<Box<dyn Peer>> {
    let setup = Setup::new(AS).neighbor(Neighbor::new(to.v4(), AS).restart(1));
    Software::Bird.start(node, &prefixes.iter().fold(setup, |setup, prefix| setup.announce(*prefix)))
}

#[test]
fn equal_routes_of_two_peers_share_the_load_until_one_peer_dies() -> Result<()> {
    let net = Net::new()?;
    let (a, b, c) = (net.node("a")?, net.node("b")?, net.node("c")?);
    let setup = Setup::new(AS).neighbor(Neighbor::new(b.v4(), AS)).neighbor(Neighbor::new(c.v4(), AS));
    let _speaker = Software::Speaker.start(&a, &setup)?;
    let _bird_b = bird(&b, &a, &["10.42.9.0/26", "fd00:42:9::/64"])?;
    let mut bird_c = bird(&c, &a, &["10.42.9.0/26", "fd00:42:9::/64"])?;
    expect_kernel(
        &net,
        &a,
        &["unicast 10.42.9.0/26 10.9.0.2,10.9.0.3", "unicast fd00:42:9::/64 fd00:9::2,fd00:9::3"],
    )?;
    bird_c.kill();
    expect_kernel(&net, &a, &["unicast 10.42.9.0/26 10.9.0.2", "unicast fd00:42:9::/64 fd00:9::2"])
}

#[test]
fn a_speaker_that_starts_again_adopts_its_routes_and_removes_only_stale_ones() -> Result<()> {
    let net = Net::new()?;
    let (a, b) = (net.node("a")?, net.node("b")?);
    // With graceful restart the neighbour says when it has announced everything.
    let setup = Setup::new(AS).neighbor(Neighbor::new(b.v4(), AS).restart(60)).announce("10.42.1.0/26");
    let mut speaker = Software::Speaker.start(&a, &setup)?;
    let mut before = bird(&b, &a, &["10.42.2.0/26", "10.42.3.0/26"])?;
    let own = "blackhole 10.42.1.0/26";
    expect_kernel(&net, &a, &[own, "unicast 10.42.2.0/26 10.9.0.2", "unicast 10.42.3.0/26 10.9.0.2"])?;

    speaker.kill();
    before.kill();
    a.run(&["ip", "route", "add", "10.42.8.0/26", "via", "10.9.0.2", "proto", "static"])?;
    let mut speaker = Software::Speaker.start(&a, &setup)?;
    // Nobody has said anything yet: what was left is kept.
    expect_kernel(&net, &a, &[own, "unicast 10.42.2.0/26 10.9.0.2", "unicast 10.42.3.0/26 10.9.0.2"])?;
    let _after = bird(&b, &a, &["10.42.2.0/26", "10.42.4.0/26"])?;
    expect_kernel(&net, &a, &[own, "unicast 10.42.2.0/26 10.9.0.2", "unicast 10.42.4.0/26 10.9.0.2"])?;
    let foreign = |route: &KernelRoute| route.prefix == "10.42.8.0/26" && route.protocol == "static";
    ensure(a.routes()?.iter().any(foreign), || "the foreign route is gone".to_owned())?;

    // A stop leaves the routes in place, too.
    speaker.stop(Duration::from_secs(10))?;
    expect_kernel(&net, &a, &[own, "unicast 10.42.2.0/26 10.9.0.2", "unicast 10.42.4.0/26 10.9.0.2"])
}

#[test]
fn routes_that_somebody_deletes_or_changes_come_back() -> Result<()> {
    let net = Net::new()?;
    let (a, b) = (net.node("a")?, net.node("b")?);
    let mut speaker = Software::Speaker.start(&a, &Setup::new(AS).neighbor(Neighbor::new(b.v4(), AS)))?;
    let _bird = bird(&b, &a, &["10.42.2.0/26", "10.42.3.0/26"])?;
    let both = ["unicast 10.42.2.0/26 10.9.0.2", "unicast 10.42.3.0/26 10.9.0.2"];
    expect_kernel(&net, &a, &both)?;
    a.run(&["ip", "route", "del", "10.42.2.0/26"])?;
    expect_kernel(&net, &a, &both)?;
    a.run(&["ip", "route", "flush", "proto", "bgp"])?;
    expect_kernel(&net, &a, &both)?;
    net.eventually("bgp fib diff finds no difference", || speaker.command(&["fib", "diff"]).map(drop))
}

#[test]
fn prefixes_come_and_go_with_the_announce_file_and_a_reload() -> Result<()> {
    let net = Net::new()?;
    let (a, b) = (net.node("a")?, net.node("b")?);
    let file = a.write("prefixes", "10.42.5.0/26 # the first\n")?;
    let mut bird = bird(&b, &a, &[])?;
    let setup = Setup::new(AS).neighbor(Neighbor::new(b.v4(), AS)).announce_file(&file);
    let mut speaker = Software::Speaker.start(&a, &setup)?;
    let seen = |prefix: &str| SeenRoute::internal(prefix, a.v4());
    expect_routes(&net, bird.as_mut(), &[seen("10.42.5.0/26")])?;
    a.write("prefixes", "10.42.5.0/26\n10.42.6.0/26\n")?;
    expect_routes(&net, bird.as_mut(), &[seen("10.42.5.0/26"), seen("10.42.6.0/26")])?;
    // A mistake in the file changes nothing.
    a.write("prefixes", "10.42.6.1/26\n")?;
    a.write("prefixes", "10.42.6.0/26\n")?;
    expect_routes(&net, bird.as_mut(), &[seen("10.42.6.0/26")])?;
    expect_kernel(&net, &a, &["blackhole 10.42.6.0/26"])?;

    let config = std::fs::read_to_string(a.dir().join("config.toml")).expect("the harness wrote it");
    a.write("config.toml", &config.replace("prefixes = []", "prefixes = [\"10.42.7.0/26\"]"))?;
    speaker.command(&["reload"])?;
    expect_routes(&net, bird.as_mut(), &[seen("10.42.6.0/26"), seen("10.42.7.0/26")])?;
    let flaps = speaker.command(&["--json", "peers"])?;
    ensure(flaps.contains("\"flaps\": 0") || flaps.contains("\"flaps\":0"), || {
        format!("the session flapped: {flaps}")
    })
}
