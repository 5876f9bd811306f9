//! Packets pass, in the form that is desired, and only those that should.

use tunnel::{Desired, Device};

use crate::lab::{Lab, is_silent, pings, pools};
use crate::namespace::{Namespace, await_here, converged, desired, mac, run, vxlan, vxlan6};

const HOSTS: [&str; 4] = ["192.0.2.1", "192.0.2.2", "fd00:1::1", "fd00:1::2"];

fn both() -> Desired {
    Desired { filter_sources: true, pools: pools(), ..desired(&[vxlan(), vxlan6()], &HOSTS) }
}

#[test]
fn vxlan_carries_ipv4_and_ipv6_and_nothing_is_plain() {
    let lab = Lab::new();
    lab.build(&both(), "vxlan.bgp", Some("vxlan6.bgp"));
    let packets = lab.captured("icmp or icmp6 or udp", || {
        assert!(pings(&lab.pods[0], "10.244.2.2"), "IPv4");
        assert!(pings(&lab.pods[1], "fd00:244:0:1::2"), "IPv6");
    });
    let wrapped = |from: &str, to: &str| {
        let ours = packets.iter().filter(|packet| packet.contains(&format!(" > {to}.4789: VXLAN")));
        ours.filter(|packet| packet.contains(&format!("{from}."))).count()
    };
    assert!(wrapped("192.0.2.1", "192.0.2.2") >= 2 && wrapped("192.0.2.2", "192.0.2.1") >= 2, "{packets:#?}");
    assert!(wrapped("fd00:1::1", "fd00:1::2") >= 2 && wrapped("fd00:1::2", "fd00:1::1") >= 2, "{packets:#?}");
    assert!(packets.iter().all(|packet| !packet.contains("echo")), "{packets:#?}");
}

#[test]
fn packets_as_large_as_the_mtu_pass_whole() {
    let lab = Lab::new();
    lab.build(&both(), "vxlan.bgp", Some("vxlan6.bgp"));
    // 1450 and 1430 less the headers of IP and ICMP.
    for (to, size) in [("10.244.2.2", 1422), ("fd00:244:0:2::2", 1382)] {
        let ping = move |size| format!("-n -c 1 -w 10 -M do -s {size} {to}");
        lab.pods[0].run(move || run("ping", &ping(size)));
        let over = lab.pods[0].run(move || crate::namespace::try_run("ping", &ping(size + 1)));
        assert!(!over.status.success(), "{to}");
    }
}

#[test]
fn without_checksum_offload_packets_pass_too() {
    let lab = Lab::new();
    let device = Device { checksum_offload: false, ..vxlan() };
    lab.build(&desired(&[device], &HOSTS), "vxlan.bgp", None);
    assert!(pings(&lab.pods[0], "10.244.2.2"));
    assert!(lab.nodes[0].run(|| run("ethtool", "-k vxlan.bgp")).contains("tx-checksumming: off"));
}

#[test]
fn packets_from_unknown_nodes_are_dropped() {
    let lab = Lab::new();
    lab.build(&both(), "vxlan.bgp", Some("vxlan6.bgp"));
    // Someone in the same network who knows all there is to know.
    let (outside, node) = (&lab.outside, &lab.nodes[1]);
    for (family, network, own, name) in
        [("-4", "192.0.2.", "10.244.9.1/24", "spoof"), ("-6", "fd00:1::", "fd00:244:0:9::1/64", "spoof6")]
    {
        outside.ip(format!("link add {name} type vxlan id 4096 dstport 4789 local {network}9 nolearning"));
        let node = format!("{network}2");
        let gateway = tunnel::vxlan_gateway(node.parse().unwrap());
        outside.ip(format!("link set {name} address {} up", mac(&format!("{network}9"))));
        outside.ip(format!("addr add {own} dev {name}"));
        outside.ip(format!("neigh add {gateway} lladdr {} dev {name} nud permanent", mac(&node)));
        let entry = format!("fdb add {} dev {name} dst {node}", mac(&node));
        outside.run(move || run("bridge", &entry));
        let to = if family == "-4" { "10.244.2.0/24" } else { "fd00:244:0:2::/64" };
        outside.ip(format!("{family} route add {to} via {gateway} dev {name} onlink"));
    }
    node.ip("route add 10.244.9.0/24 via 192.0.2.9 dev vxlan.bgp onlink");
    let gateway = tunnel::vxlan_gateway("fd00:1::9".parse().unwrap());
    node.ip(format!("-6 route add fd00:244:0:9::/64 via {gateway} dev vxlan6.bgp onlink"));
    assert!(is_silent(outside, "10.244.2.2") && is_silent(outside, "fd00:244:0:2::2"));
    let dropped = node.run(|| run("nft", "list chain inet bgp-tunnel input"));
    assert_eq!(dropped.matches("packets 0 ").count(), 0, "{dropped}");
    // Once it is known, it is heard.
    let mut known = both();
    known.hosts.extend(["192.0.2.9".parse::<std::net::IpAddr>().unwrap(), "fd00:1::9".parse().unwrap()]);
    node.run(move || await_here(async { drop(converged(known).await) }));
    assert!(pings(outside, "10.244.2.2") && pings(outside, "fd00:244:0:2::2"));
}

#[test]
fn other_vxlan_networks_on_the_same_port_are_not_filtered() {
    let lab = Lab::new();
    lab.build(&both(), "vxlan.bgp", Some("vxlan6.bgp"));
    let other = |place: &Namespace, own: u8, peer: u8| {
        place.ip(format!(
            "link add other up type vxlan id 77 dstport 4789 local 192.0.2.{own} remote 192.0.2.{peer}"
        ));
        place.ip(format!("addr add 172.16.0.{own}/24 dev other"));
    };
    other(&lab.outside, 9, 2);
    other(&lab.nodes[1], 2, 9);
    assert!(pings(&lab.outside, "172.16.0.2"));
}

#[test]
fn what_leaves_the_pools_carries_the_nodes_address_and_what_stays_does_not() {
    let lab = Lab::new();
    lab.build(&both(), "vxlan.bgp", Some("vxlan6.bgp"));
    // Outside knows no way back to pods.
    let packets =
        lab.captured("icmp or icmp6[icmp6type]=icmp6-echo or icmp6[icmp6type]=icmp6-echoreply", || {
            assert!(pings(&lab.pods[0], "192.0.2.9") && pings(&lab.pods[0], "fd00:1::9"));
        });
    assert!(packets.iter().all(|packet| !packet.contains("244")), "{packets:#?}");
    assert!(packets.iter().any(|packet| packet.contains("192.0.2.1 > 192.0.2.9: ICMP echo request")));
    assert!(packets.iter().any(|packet| packet.contains("fd00:1::1 > fd00:1::9: ICMP6, echo request")));
    let masqueraded = || {
        lab.nodes[0].run(|| {
            let chain = run("nft", "list chain inet bgp-tunnel postrouting");
            let rules = chain.lines().filter(|line| line.contains("masquerade")).map(str::to_owned);
            rules.collect::<Vec<_>>()
        })
    };
    let before = masqueraded();
    assert!(pings(&lab.pods[0], "10.244.2.2") && pings(&lab.pods[0], "fd00:244:0:2::2"));
    assert_eq!(masqueraded(), before);
}

/// `all`, `own`: the reverse path filter of all devices, and of new ones.
fn answered_another_way(all: u8, own: u8, address: Option<&'static str>) {
    let lab = Lab::new();
    for node in &lab.nodes {
        node.run(move || {
            let default = format!("net.ipv4.conf.default.rp_filter={own}");
            run("sysctl", &format!("-qw net.ipv4.conf.all.rp_filter={all} {default}"));
        });
    }
    let device = Device { address: address.map(|address| address.parse().unwrap()), ..vxlan() };
    lab.build(&desired(&[device], &HOSTS), "vxlan.bgp", None);
    // The second node answers plainly, as with a mode that is being changed. Its uplink is another's matter.
    lab.nodes[1].ip("route replace 10.244.1.0/24 via 192.0.2.1 dev eth0");
    lab.nodes[0].run(|| run("sysctl", "-qw net.ipv4.conf.eth0.rp_filter=2"));
    let packets = lab.captured("icmp or udp", || assert!(pings(&lab.pods[0], "10.244.2.2")));
    assert!(packets.iter().any(|packet| packet.contains("VXLAN")), "{packets:#?}");
    assert!(packets.iter().any(|packet| packet.contains("10.244.2.2 > 10.244.1.2: ICMP echo reply")));
}

#[test]
fn answers_may_come_another_way_in_spite_of_the_reverse_path_filter() {
    answered_another_way(1, 1, Some("10.244.0.1/32"));
    // On a device without an address loose is as strict as strict.
    answered_another_way(0, 2, None);
}
