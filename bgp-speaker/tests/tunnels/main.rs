//! What the kernel shows and does with speakers' routes and tunnels: real ones, in network namespaces. Needs root.
//!
//! IPIP tests need a kernel with ipip, which `interop/vm` boots.

#![cfg(test)]

mod lab;

use lab::{Lab, NODES, Node, run, until};
use serde_json::Value;

const POOL: &str = "[announce]\nprefixes = [ANNOUNCED]\n[[pools]]\ncidr = \"10.244.0.0/16\"\n";
const POOL6: &str = "[[pools]]\ncidr = \"fd00:244::/32\"\n";

/// A configuration with these lines of the IPv4 pool, and without a wait before routes move.
fn pools(v4: &str, v6: &str) -> String {
    format!("{POOL}{v4}\n{POOL6}{v6}\n[tunnels]\nswitch-delay = 0\n")
}

fn started(config: &str) -> Lab {
    let mut lab = Lab::new();
    lab.configure(config);
    lab.start();
    lab
}

/// What node a has in each mode, through this device.
fn picture(mode: &str, device: &str) -> [String; 3] {
    let b = match mode {
        "always" => format!("10.244.2.0/26 via 192.0.2.2 dev {device} onlink"),
        _ => "10.244.2.0/26 via 192.0.2.2 dev eth0".to_owned(),
    };
    let c = match mode {
        "never" => "10.244.3.0/26 via 192.0.2.254 dev eth0".to_owned(),
        _ => format!("10.244.3.0/26 via 198.51.100.3 dev {device} onlink"),
    };
    ["blackhole 10.244.1.0/26".to_owned(), b, c]
}

fn shows(lab: &Lab, picture: [String; 3]) {
    lab.routes("a", "-4", &picture.each_ref().map(String::as_str));
}

/// How a node's devices are: name, state, whether routes go through it.
fn devices(lab: &Lab, name: &str) -> Vec<(String, String, bool)> {
    let tunnels = lab.ask(name, "GET /v1/tunnels").1["tunnels"].clone();
    let row = |row: &Value| {
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        (text("device"), text("state"), row["in_use"].as_bool().unwrap())
    };
    tunnels.as_array().unwrap().iter().map(row).collect()
}

#[test]
fn without_tunnels_the_picture_is_calicos() {
    let lab = started(&pools("", ""));
    // The router knows the nodes: what is behind it is sent to it.
    shows(&lab, picture("never", ""));
    lab.routes(
        "a",
        "-6",
        &[
            "blackhole fd00:244:1::/122",
            "fd00:244:2::/122 via 2001:db8:1::2 dev eth0",
            "fd00:244:3::/122 via 2001:db8:1::fe dev eth0",
        ],
    );
    assert_eq!(lab.ip("a", "route show 10.244.1.2").trim(), "10.244.1.2 dev cali0 scope link");
    lab.reaches("pa", &NODES[1].pod());
    lab.reaches("pa", &NODES[1].pod6());
    assert_eq!(devices(&lab, "a"), []);
    until(|| match lab.ask("a", "GET /readyz") {
        (200, _) => Ok(()),
        (_, answer) => Err(answer),
    });
}

/// Never, always, cross-subnet and back, while pods ping each other. Within `delay` seconds all nodes have their devices.
fn a_change_under_ping(key: &str, device: &str, delay: u32) {
    let delay = format!("delay = {delay}");
    let with = |mode: &str| pools(&format!("{key} = \"{mode}\""), "").replace("delay = 0", &delay);
    // The router carries pods' packets as they are only where it knows them.
    let lab = started(&with("never"));
    for (node, via) in [(1, "192.0.2.1"), (2, "192.0.2.2"), (3, "198.51.100.3")] {
        lab.ip("r", &format!("route add 10.244.{node}.0/26 via {via}"));
    }
    shows(&lab, picture("never", device));
    lab.reaches("pa", &NODES[1].pod());
    lab.reaches("pa", &NODES[2].pod());
    let pings = [lab.ping("pa", &NODES[1].pod()), lab.ping("pa", &NODES[2].pod())];
    for mode in ["always", "cross-subnet", "never"] {
        lab.configure(&with(mode));
        lab.reload();
        shows(&lab, picture(mode, device));
        let name = device.to_owned();
        until(|| {
            let found = devices(&lab, "a");
            let right = found == [(name.clone(), "up".to_owned(), mode != "never")];
            if right { Ok(()) } else { Err(format!("{found:?}")) }
        });
        assert_eq!(lab.ip("a", "route show 10.244.1.2").trim(), "10.244.1.2 dev cali0 scope link");
    }
    for ping in pings {
        let (sent, received) = ping.end();
        assert!(sent > 100, "{sent} packets are no test");
        assert!(received + 1 >= sent, "{} of {sent} packets were lost\n{}", sent - received, lab.log("a"));
    }
}

#[test]
fn a_live_change_to_vxlan_and_back_loses_nothing() {
    a_change_under_ping("vxlan-mode", "vxlan.bgp", 1);
}

#[test]
#[ignore = "needs a kernel with ipip: interop/vm runs it"]
fn a_live_change_to_ipip_and_back_loses_nothing() {
    // The second kernel's machine is emulated, and slow.
    a_change_under_ping("ipip-mode", "tunl0", 15);
}

#[test]
fn ipv6_pods_reach_each_other_through_vxlan_between_ipv6_nodes() {
    let lab = started(&pools("", "vxlan-mode = \"always\""));
    // The kernel takes no gateway on a tunnel that it reaches otherwise, as it does node b.
    let to = |node: Node| {
        let gateway = tunnel::vxlan_gateway(node.address6().parse().unwrap());
        format!("{} via {gateway} dev vxlan6.bgp onlink", node.block6())
    };
    lab.routes("a", "-6", &["blackhole fd00:244:1::/122", &to(NODES[1]), &to(NODES[2])]);
    lab.reaches("pa", &NODES[2].pod6());
    lab.reaches("pc", &NODES[1].pod6());
    shows(&lab, picture("never", ""));
    lab.configure(&pools("", "vxlan-mode = \"cross-subnet\""));
    lab.reload();
    let plain = "fd00:244:2::/122 via 2001:db8:1::2 dev eth0";
    lab.routes("a", "-6", &["blackhole fd00:244:1::/122", plain, &to(NODES[2])]);
}

/// One prefix of two nodes, of which one is in the subnet.
fn each_next_hop_has_its_own_way(key: &str, device: &str) {
    let mut lab = Lab::new();
    let text = |mode: &str| pools(&format!("{key} = \"{mode}\""), "");
    let shared = |mode: &str| text(mode).replace("ANNOUNCED", "ANNOUNCED, \"10.244.9.0/26\"");
    lab.configure(&shared("cross-subnet"));
    lab.configure_one(NODES[0], &text("cross-subnet"));
    lab.start();
    let with = |b: &str, c: &str, mode: &str| {
        let mut routes = picture(mode, device).to_vec();
        routes.push(format!("10.244.9.0/26 via 192.0.2.2 dev {b} + via 198.51.100.3 dev {c}"));
        lab.routes("a", "-4", &routes.iter().map(String::as_str).collect::<Vec<_>>());
    };
    with("eth0", &format!("{device} onlink"), "cross-subnet");
    lab.configure_one(NODES[0], &text("always"));
    assert_eq!(lab.ask("a", "POST /v1/reload").0, 200);
    with(&format!("{device} onlink"), &format!("{device} onlink"), "always");
}

#[test]
fn each_next_hop_of_a_route_goes_through_vxlan_or_not() {
    each_next_hop_has_its_own_way("vxlan-mode", "vxlan.bgp");
}

#[test]
#[ignore = "needs a kernel with ipip: interop/vm runs it"]
fn each_next_hop_of_a_route_goes_through_ipip_or_not() {
    each_next_hop_has_its_own_way("ipip-mode", "tunl0");
}

#[test]
fn another_mask_of_the_node_moves_routes_across_subnets() {
    let lab = started(&pools("vxlan-mode = \"cross-subnet\"", ""));
    shows(&lab, picture("cross-subnet", "vxlan.bgp"));
    // Now node b is in another subnet than node a.
    run("sh", &["-ec", &lab.in_namespace("a", "ip addr add 192.0.2.1/32 dev eth0; ip route replace 192.0.2.0/24 dev eth0; \
        ip addr del 192.0.2.1/24 dev eth0; ip route replace 192.0.2.0/24 dev eth0; ip route replace default via 192.0.2.254")]);
    shows(&lab, picture("always", "vxlan.bgp"));
}

#[test]
fn what_leaves_the_pools_has_the_nodes_address_where_the_pool_says_so() {
    let lab = started(&pools("vxlan-mode = \"always\"\nnat-outgoing = true", ""));
    // The router has no way back to pods, and between pods nothing is changed.
    lab.reaches("pa", "192.0.2.254");
    lab.reaches("pa", &NODES[2].pod());
    let mut tcpdump = lab.command("pc", "tcpdump -nn -c 1 -i eth0 icmp and dst host 10.244.3.2");
    let tcpdump =
        tcpdump.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let ping = lab.ping("pa", &NODES[2].pod());
    let seen = String::from_utf8(tcpdump.wait_with_output().unwrap().stdout).unwrap();
    ping.end();
    assert!(seen.contains("10.244.1.2 > 10.244.3.2"), "{seen}");
}

#[test]
fn a_device_that_cannot_be_is_told_and_never_passed_by() {
    let mut lab = Lab::new();
    lab.ip("a", "link add vxlan.bgp type bridge");
    lab.ip("a", "link set vxlan.bgp up");
    lab.configure(&pools("vxlan-mode = \"always\"", ""));
    lab.start();
    let missing = until(|| {
        let (_, answer) = lab.ask("a", "GET /readyz");
        let missing = answer["missing"].to_string();
        if missing.contains("vxlan.bgp") { Ok(missing) } else { Err(missing) }
    });
    assert!(missing.contains("vxlan.bgp is not ours"), "{missing}");
    assert_eq!(devices(&lab, "a"), [("vxlan.bgp".to_owned(), "failed".to_owned(), true)]);
    assert!(lab.log("a").contains("vxlan.bgp is not ours"), "{}", lab.log("a"));
    // The others have all routes; those of node a wait.
    lab.routes(
        "b",
        "-4",
        &[
            "10.244.1.0/26 via 192.0.2.1 dev vxlan.bgp onlink",
            "blackhole 10.244.2.0/26",
            "10.244.3.0/26 via 198.51.100.3 dev vxlan.bgp onlink",
        ],
    );
    lab.routes("a", "-4", &["blackhole 10.244.1.0/26"]);
    lab.ip("a", "link delete vxlan.bgp");
    shows(&lab, picture("always", "vxlan.bgp"));
}

#[test]
fn a_speaker_that_is_killed_and_starts_again_leaves_routes_and_tunnels_as_they_are() {
    let mut lab = started(&pools("vxlan-mode = \"cross-subnet\"", ""));
    shows(&lab, picture("cross-subnet", "vxlan.bgp"));
    lab.reaches("pa", &NODES[2].pod());
    let index = |lab: &Lab| {
        let links: Value = serde_json::from_str(&lab.ip("a", "-j link show vxlan.bgp")).unwrap();
        links[0]["ifindex"].clone()
    };
    let before = index(&lab);
    let ping = lab.ping("pa", &NODES[2].pod());
    lab.restart("a");
    until(|| match lab.ask("a", "GET /readyz") {
        (200, _) => Ok(()),
        (_, answer) => Err(format!("{answer}\n{}", lab.log("a"))),
    });
    shows(&lab, picture("cross-subnet", "vxlan.bgp"));
    let (sent, received) = ping.end();
    assert!(received + 1 >= sent, "{received} of {sent} came back\n{}", lab.log("a"));
    assert_eq!(index(&lab), before, "the device is the same");
}

#[test]
fn routes_prefer_the_configured_source() {
    let source = "[fib]\nsource = [\"192.0.2.1\", \"2001:db8:1::1\"]\n";
    let mut lab = Lab::new();
    lab.configure(&pools("", ""));
    lab.configure_one(NODES[0], &(pools("", "") + source));
    lab.start();
    let routes = picture("never", "").map(|route| match route.starts_with("blackhole") {
        true => route,
        false => route + " src 192.0.2.1",
    });
    shows(&lab, routes);
}
