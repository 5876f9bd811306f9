//! AS numbers with each router, and networks of `examples/` in which nodes speak eBGP with the fabric, are one of several
//! ASes, or join others' mesh.

#![cfg(test)]

use interop::{Announcement, Error, Neighbor, Net, Peer, Result, Setup, Software, Topology, ensure};
use std::io::Read;
use std::process::{Child, Command, Stdio};

interop::feature_tests! {
    "local-as": knows_us_by_another_as [all];
    "dual-as": is_told_the_as_that_it_knows_us_by [all];
    "as-override": sees_our_as_in_the_place_of_its_own [all];
    "remove-private-as": sees_no_private_as_but_ours_and_its_own [all];
}

const OWN: u32 = 64512;
const FORMER: u32 = 64999;
const OTHER: u32 = 4_200_000_001;
const OURS: &str = "10.42.1.0/26";
const THEIRS: &str = "10.50.1.0/24";

/// Waits until a router has chosen a route with this AS path.
fn expect_as_path(net: &Net, router: &mut dyn Peer, prefix: &str, expected: &str) -> Result<()> {
    net.eventually(&format!("{} has {prefix} by way of {expected:?}", router.name()), || {
        let found = router.routes()?.into_iter().find(|route| route.prefix == prefix);
        let seen = found.map(|route| route.as_path);
        ensure(seen.as_deref() == Some(expected), || format!("it has {seen:?}"))
    })
}

fn expect_path(topology: &mut Topology, node: &str, prefix: &str, expected: &str) -> Result<()> {
    let net = topology.net().clone();
    expect_as_path(&net, topology.router(node)?, prefix, expected)
}

fn knows_us_by_another_as(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (inside, outside) = (net.node("inside")?, net.node("outside")?);
    let neighbor = Neighbor::new(outside.v4(), OTHER).extra(&format!("local-as = {FORMER}\n"));
    let mut ours =
        Software::RouteReflector.start(&inside, &Setup::new(OWN).neighbor(neighbor).announce(OURS))?;
    let theirs = Setup::new(OTHER).neighbor(Neighbor::new(inside.v4(), FORMER));
    let mut peer = router.start(&outside, &theirs.announce(Announcement::new(THEIRS)))?;
    expect_as_path(&net, peer.as_mut(), OURS, &format!("{FORMER} {OWN}"))?;
    expect_as_path(&net, ours.as_mut(), THEIRS, &format!("{FORMER} {OTHER}"))
}

fn is_told_the_as_that_it_knows_us_by(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (inside, outside) = (net.node("inside")?, net.node("outside")?);
    let dual = format!("local-as = {FORMER}\nlocal-as-options = [\"dual-as\"]\n");
    let neighbor = Neighbor::new(outside.v4(), OTHER).extra(&dual);
    let _ours = Software::RouteReflector.start(&inside, &Setup::new(OWN).neighbor(neighbor))?;
    let mut peer = router.start(&outside, &Setup::new(OTHER).neighbor(Neighbor::new(inside.v4(), OWN)))?;
    net.eventually("the session is up", || ensure(peer.is_established(inside.v4())?, || "not established"))
}

/// One router announces, another of the second AS is sent the route by ours, which has `key` for it.
fn passes_on(router: Software, second: u32, key: &str, path: &str) -> Result<()> {
    let net = Net::new()?;
    let [inside, a, b] = ["inside", "a", "b"].map(|name| net.node(name));
    let (inside, a, b) = (inside?, a?, b?);
    let setup = Setup::new(OWN)
        .neighbor(Neighbor::new(a.v4(), OTHER))
        .neighbor(Neighbor::new(b.v4(), second).extra(key));
    let _ours = Software::RouteReflector.start(&inside, &setup)?;
    let to_us = || Neighbor::new(inside.v4(), OWN);
    let announces = Setup::new(OTHER).neighbor(to_us()).announce(Announcement::new(THEIRS));
    let _a = router.start(&a, &announces)?;
    let mut b = router.start(&b, &Setup::new(second).neighbor(to_us()))?;
    expect_as_path(&net, b.as_mut(), THEIRS, path)
}

fn sees_our_as_in_the_place_of_its_own(router: Software) -> Result<()> {
    passes_on(router, OTHER, "as-override = true\n", &format!("{OWN} {OWN}"))
}

fn sees_no_private_as_but_ours_and_its_own(router: Software) -> Result<()> {
    passes_on(router, 64513, "remove-private-as = \"all\"\n", &OWN.to_string())
}

fn all_pods_ping(topology: &Topology) -> Result<()> {
    topology.net().eventually("all pods reach each other", || topology.all_pods_ping())
}

#[test]
fn as_per_rack() -> Result<()> {
    let mut racks = Topology::start("as-per-rack")?;
    all_pods_ping(&racks)?;
    expect_path(&mut racks, "n1", "10.42.2.0/26", "")?;
    expect_path(&mut racks, "n1", "10.42.3.0/26", "65101 65102 64512")?;
    expect_path(&mut racks, "n3", "10.42.1.0/26", "65102 65101 65102")
}

#[test]
fn as_per_server() -> Result<()> {
    let mut servers = Topology::start("as-per-server")?;
    all_pods_ping(&servers)?;
    expect_path(&mut servers, "s1", "10.42.3.0/26", "4200001000 4200000003")
}

#[test]
fn a_confederation_is_one_as_to_the_world() -> Result<()> {
    let mut network = Topology::start("confederation")?;
    all_pods_ping(&network)?;
    for prefix in ["10.42.1.0/26", "10.42.2.0/26", "10.42.3.0/26"] {
        expect_path(&mut network, "world", prefix, "65000")?;
    }
    expect_path(&mut network, "b1", "10.42.9.0/26", "(65001) 64999")?;
    expect_path(&mut network, "a1", "10.42.3.0/26", "(65002)")
}

#[test]
fn only_a_default_route_comes_down() -> Result<()> {
    let network = Topology::start("default-down")?;
    all_pods_ping(&network)?;
    let routes = network.node("n1")?.routes()?;
    let learned: Vec<&str> = routes
        .iter()
        .filter(|route| route.protocol == "bgp" && route.kind == "unicast")
        .map(|route| route.prefix.as_str())
        .collect();
    ensure(learned == ["0.0.0.0/0"], || format!("n1 has {learned:?}"))
}

/// What `ip route` says of the route to `prefix`, in one line.
fn kernel_route(topology: &Topology, node: &str, prefix: &str) -> Result<String> {
    Ok(topology
        .node(node)?
        .run(&["ip", "route", "show", prefix])?
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" "))
}

#[test]
fn two_tors_share_the_load_by_their_bandwidth() -> Result<()> {
    let mut network = Topology::start("ecmp")?;
    all_pods_ping(&network)?;
    network.net().eventually("n has both ToRs, 10 to 1", || {
        let route = kernel_route(&network, "n", "10.42.9.0/26")?;
        let has = |gateway: &str, weight: &str| {
            route.split("nexthop").any(|hop| hop.contains(gateway) && hop.trim_end().ends_with(weight))
        };
        ensure(has("10.1.1.1", "weight 10") && has("10.1.2.1", "weight 1"), || route.clone())
    })?;
    network.net().eventually("s has both, evenly", || {
        let route = kernel_route(&network, "s", "10.42.1.0/26")?;
        ensure(route.matches("weight 1").count() == 2 && !route.contains("weight 10"), || route.clone())
    })?;
    network.router("t1")?.kill();
    network.net().eventually("t2 has it all", || {
        let route = kernel_route(&network, "n", "10.42.9.0/26")?;
        ensure(route.contains("10.1.2.1") && !route.contains("10.1.1.1"), || route.clone())
    })?;
    all_pods_ping(&network)
}

/// Replaces a node's BIRD by a bgp-speaker, as after a crash, and waits until its routes and ours are all there.
fn move_over(mesh: &mut Topology, node: &str) -> Result<()> {
    mesh.router(node)?.kill();
    mesh.run_instead(node, Software::Speaker, &format!("{node}.toml"))?;
    all_pods_ping(mesh)?;
    mesh.net().eventually(&format!("{node} has both others' routes"), || {
        let routes = mesh.node(node)?.routes()?;
        let learned =
            routes.iter().filter(|route| route.protocol == "bgp" && route.kind == "unicast").count();
        ensure(learned == 2, || format!("{node} has {learned}"))
    })
}

#[test]
fn calico_mesh_is_moved_over_node_by_node() -> Result<()> {
    let mut mesh = Topology::start("calico-mesh")?;
    all_pods_ping(&mesh)?;
    let routes = mesh.router("n3")?.routes()?;
    let preferences: Vec<_> = routes.iter().map(|route| route.local_pref).collect();
    ensure(preferences == [Some(2_147_482_623); 2], || format!("{preferences:?}"))?;
    let mut flood = flood(&mesh)?;
    move_over(&mut mesh, "n2")?;
    let lost = stop(&mut flood)?;
    ensure(lost == 0, || format!("{lost} packets between n1 and n3 are lost"))?;
    move_over(&mut mesh, "n1")
}

/// A packet every 10 ms from n1's pod to n3's.
fn flood(mesh: &Topology) -> Result<Child> {
    let command = ["netns", "exec", mesh.pod("10.42.1.2")?, "ping", "-q", "-i", "0.01", "10.42.3.2"];
    told(Command::new("ip").args(command).stdout(Stdio::piped()).spawn())
}

/// How many of its packets were lost, but for the one that may be on its way.
fn stop(flood: &mut Child) -> Result<u64> {
    told(Command::new("kill").args(["-INT", &flood.id().to_string()]).status())?;
    told(flood.wait())?;
    let mut text = String::new();
    if let Some(out) = &mut flood.stdout {
        told(out.read_to_string(&mut text))?;
    }
    let number = |word: &str| {
        let part = text.split(',').find(|part| part.contains(word))?;
        part.split_whitespace().find_map(|word| word.parse::<u64>().ok())
    };
    let counted = number("transmitted").zip(number("received"));
    let (sent, received) = counted.ok_or_else(|| Error::NotSo(text.clone()))?;
    ensure(sent > 0, || text.clone())?;
    Ok(sent.saturating_sub(received + 1))
}

fn told<T>(result: std::io::Result<T>) -> Result<T> {
    result.map_err(|error| Error::NotSo(format!("ping: {error}")))
}
