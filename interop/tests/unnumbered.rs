//! Sessions over link-local addresses, and IPv4 routes with IPv6 next hops (RFC 8950): with routers that find their
//! neighbours by router advertisements, and with those that are told.

#![cfg(test)]

use interop::{Result, Software, Topology, ensure};

/// Waits until `ip route show PREFIX` on a node has all of these words and none of those.
fn expect_route(
    topology: &Topology,
    node: &str,
    prefix: &str,
    with: &[&str],
    without: &[&str],
) -> Result<()> {
    topology.net().eventually(&format!("{prefix} on {node} as expected"), || {
        let family = if prefix.contains(':') { "-6" } else { "-4" };
        let shown = topology.node(node)?.run(&["ip", family, "route", "show", prefix])?;
        let right =
            with.iter().all(|word| shown.contains(word)) && !without.iter().any(|word| shown.contains(word));
        ensure(right, || format!("{node} has `{}`", shown.trim()))
    })
}

/// Waits until a command on a node says this.
fn expect_said(topology: &Topology, node: &str, command: &[&str], word: &str) -> Result<()> {
    topology.net().eventually(&format!("{node} says {word}"), || {
        let said = topology.node(node)?.run(command)?;
        ensure(said.contains(word), || format!("{node} says: {said}"))
    })
}

fn link(topology: &Topology, node: &str, state: &str) -> Result<()> {
    topology.node(node)?.run(&["ip", "link", "set", "eth0", state]).map(drop)
}

fn both_ways_without_an_address_on_any_cable(_: Software) -> Result<()> {
    let mut fabric = Topology::start("unnumbered")?;
    fabric.net().eventually("all pods reach each other", || fabric.all_pods_ping())?;
    let (eth0, eth1) = ("via inet6 fe80::", "dev eth1");
    expect_route(&fabric, "n1", "10.42.2.0/26", &[eth0, "dev eth0", eth1], &[])?;
    expect_route(&fabric, "n1", "fd00:42:2::/64", &["via fe80::", "dev eth0", eth1], &[])?;
    expect_route(&fabric, "tor1", "10.42.1.0/26", &[eth0], &[])?;
    // The kernel of n1 loses its carrier: packets take the other way, and the neighbour is gone.
    link(&fabric, "tor1", "down")?;
    expect_route(&fabric, "n1", "10.42.2.0/26", &[eth1], &["dev eth0"])?;
    // The way back is tor1's to withdraw.
    fabric.net().eventually("the other switch has the traffic", || fabric.ping("10.42.1.2", "10.42.2.2"))?;
    link(&fabric, "tor1", "up")?;
    expect_route(&fabric, "n1", "10.42.2.0/26", &["dev eth0", eth1], &[])?;
    let peers = fabric.router("n1")?.command(&["peers"])?;
    ensure(["%eth0", "%eth1"].iter().all(|link| peers.contains(link)), || peers)?;
    // A restart: the routes stay until the neighbours are found again.
    fabric.run("n1")?;
    fabric.ping("10.42.1.2", "10.42.3.2")?;
    fabric.net().eventually("all pods reach each other again", || fabric.all_pods_ping())
}

/// A router of `examples/link-local`: its node, n1's interface to it, and the third number of its prefixes.
fn of_the_example(software: Software) -> (&'static str, &'static str, u8) {
    match software {
        Software::Bird => ("bird", "dev eth0", 2),
        Software::GoBgp => ("gobgp", "dev eth1", 3),
        _ => ("openbgpd", "dev eth2", 4),
    }
}

fn a_neighbor_without_advertisements_has_a_session_over_its_link(software: Software) -> Result<()> {
    let mut pair = Topology::build("link-local")?;
    let (name, link, number) = of_the_example(software);
    pair.run("n1")?;
    pair.run(name)?;
    expect_route(&pair, "n1", &format!("fd00:42:{number}::/64"), &["via fe80::2", link], &[])?;
    match software {
        Software::Bird => expect_route(&pair, name, "fd00:42:1::/64", &["via fe80::1 dev eth0"], &[]),
        Software::GoBgp => {
            expect_said(&pair, name, &["gobgp", "global", "rib", "-a", "ipv6", "fd00:42:1::/64"], "fe80::1")
        }
        _ => {
            let net = pair.net().clone();
            net.eventually("OpenBGPD has our route", || {
                let said = pair.router(name)?.command(&["show", "rib", "detail", "fd00:42:1::/64"])?;
                ensure(said.contains("Nexthop fe80::1"), || said)
            })
        }
    }
}

fn gives_and_takes_ipv4_routes_with_its_link_local_address(software: Software) -> Result<()> {
    let mut pair = Topology::build("link-local")?;
    let (name, link, number) = of_the_example(software);
    pair.run("n1")?;
    pair.run(name)?;
    expect_route(&pair, "n1", &format!("10.42.{number}.0/26"), &["via inet6 fe80::2", link], &[])?;
    match software {
        Software::Bird => {
            expect_route(&pair, name, "10.42.1.0/26", &["via inet6 fe80::1 dev eth0"], &[])?;
            pair.net().eventually("the pods reach each other", || {
                pair.ping("10.42.1.2", "10.42.2.2")?;
                pair.ping("10.42.2.2", "10.42.1.2")
            })
        }
        _ => expect_said(&pair, name, &["gobgp", "global", "rib", "10.42.1.0/26"], "fe80::1"),
    }
}

interop::feature_tests! {
    "unnumbered": both_ways_without_an_address_on_any_cable [frr];
    "link-local": a_neighbor_without_advertisements_has_a_session_over_its_link [bird gobgp openbgpd];
    "link-local-ipv4": gives_and_takes_ipv4_routes_with_its_link_local_address [bird gobgp];
}
