//! IPIP, which needs a kernel that has it: `interop/vm/run "modprobe ipip; TEST --ignored --test-threads 1"`.

use tunnel::{Desired, Device, DeviceError, Event, Tunnels};

use crate::faults::stopped_after;
use crate::lab::{Lab, is_silent, pings, pools};
use crate::namespace::{
    addresses, await_here, converged, desired, in_sync, ip, ipip, link, on_a_node, part, repaired, run,
};

const HOSTS: [&str; 3] = ["192.0.2.1", "192.0.2.2", "fd00:1::2"];

fn tunl0() -> Device {
    Device { address: Some("10.244.0.1/32".parse().unwrap()), ..ipip("tunl0") }
}

fn is_up(name: &str) -> bool {
    link(name)["flags"].as_array().unwrap().contains(&"UP".into())
}

#[test]
#[ignore = "needs a kernel with ipip: interop/vm runs it"]
fn the_kernels_own_device_is_adopted_put_right_and_never_deleted() {
    on_a_node(|| async {
        let before = link("tunl0")["ifindex"].clone();
        assert!(!before.is_null(), "modprobe ipip");
        let mut tunnels = converged(desired(&[tunl0()], &HOSTS)).await;
        let link_now = link("tunl0");
        assert_eq!((&link_now["mtu"], &link_now["ifalias"]), (&1480.into(), &"bgp-tunnel".into()));
        assert!(is_up("tunl0"));
        assert_eq!(addresses("tunl0"), ["10.244.0.1/32"]);
        for (program, arguments) in [
            ("ip", "link set tunl0 mtu 1300"),
            ("ip", "link set tunl0 down"),
            ("ip", "addr del 10.244.0.1/32 dev tunl0"),
            ("sysctl", "-w net.ipv4.conf.tunl0.rp_filter=1"),
        ] {
            run(program, arguments);
            repaired(&mut tunnels, &part("tunl0")).await;
            assert_eq!(link("tunl0")["mtu"], 1480, "{arguments}");
            assert!(is_up("tunl0"), "{arguments}");
            assert_eq!(addresses("tunl0"), ["10.244.0.1/32"], "{arguments}");
        }
        tunnels.set(Desired::default());
        let events = in_sync(&mut tunnels).await;
        assert!(events.contains(&Event::Removed { part: part("tunl0") }), "{events:?}");
        let after = link("tunl0");
        assert_eq!((&after["ifindex"], after.get("ifalias")), (&before, None));
        assert!(!is_up("tunl0"));
        assert_eq!(addresses("tunl0"), Vec::<String>::new());
    });
}

#[test]
#[ignore = "needs a kernel with ipip: interop/vm runs it"]
fn a_device_of_another_name_is_made_and_deleted() {
    on_a_node(|| async {
        let mut tunnels = converged(desired(&[ipip("ipip.bgp")], &HOSTS)).await;
        let made = link("ipip.bgp");
        let data = &made["linkinfo"]["info_data"];
        assert_eq!((&data["local"], &data["remote"]), (&"192.0.2.1".into(), &"any".into()));
        assert_eq!((&made["mtu"], &made["ifalias"]), (&1480.into(), &"bgp-tunnel".into()));
        ip("link del ipip.bgp");
        repaired(&mut tunnels, &part("ipip.bgp")).await;
        assert!(is_up("ipip.bgp"));
        tunnels.set(Desired::default());
        in_sync(&mut tunnels).await;
        assert!(link("ipip.bgp").is_null());
    });
}

#[test]
#[ignore = "needs a kernel with ipip: interop/vm runs it"]
fn ipip_carries_packets_as_protocol_4() {
    let lab = Lab::new();
    let wanted = Desired { filter_sources: true, pools: pools(), ..desired(&[ipip("tunl0")], &HOSTS) };
    lab.build(&wanted, "tunl0", None);
    let packets = lab.captured("icmp or ip proto 4", || assert!(pings(&lab.pods[0], "10.244.2.2")));
    let there = "IP 192.0.2.1 > 192.0.2.2: IP 10.244.1.2 > 10.244.2.2: ICMP echo request";
    let back = "IP 192.0.2.2 > 192.0.2.1: IP 10.244.2.2 > 10.244.1.2: ICMP echo reply";
    assert!(
        packets.iter().all(|packet| packet.starts_with(there) || packet.starts_with(back)),
        "{packets:#?}"
    );
    assert!(packets.len() >= 4, "{packets:#?}");
    // 1480 less the headers of IP and ICMP.
    let ping = |size| format!("-n -c 1 -w 10 -M do -s {size} 10.244.2.2");
    lab.pods[0].run(move || run("ping", &ping(1452)));
    assert!(!lab.pods[0].run(move || crate::namespace::try_run("ping", &ping(1453))).status.success());
}

#[test]
#[ignore = "needs a kernel with ipip: interop/vm runs it"]
fn ipip_from_unknown_nodes_is_dropped() {
    let lab = Lab::new();
    let wanted = Desired { filter_sources: true, ..desired(&[ipip("tunl0")], &HOSTS) };
    lab.build(&wanted, "tunl0", None);
    let (outside, node) = (&lab.outside, &lab.nodes[1]);
    outside.ip("link set tunl0 up");
    outside.ip("addr add 10.244.9.1/24 dev tunl0");
    outside.ip("route add 10.244.2.0/24 via 192.0.2.2 dev tunl0 onlink");
    node.ip("route add 10.244.9.0/24 via 192.0.2.9 dev tunl0 onlink");
    assert!(is_silent(outside, "10.244.2.2"));
    let dropped = node.run(|| run("nft", "list chain inet bgp-tunnel input"));
    assert!(!dropped.contains("packets 0 "), "{dropped}");
    let mut known = wanted;
    known.hosts.insert("192.0.2.9".parse().unwrap());
    node.run(move || await_here(async { drop(converged(known).await) }));
    assert!(pings(outside, "10.244.2.2"));
}

#[test]
#[ignore = "needs a kernel with ipip: interop/vm runs it"]
fn ipip_and_vxlan_live_beside_each_other() {
    let lab = Lab::new();
    let both = desired(&[ipip("tunl0"), crate::namespace::vxlan()], &HOSTS);
    lab.build(&both, "tunl0", None);
    assert!(pings(&lab.pods[0], "10.244.2.2"));
    // One side changes first: its packets are wrapped otherwise than the answers.
    lab.nodes[0].ip("route replace 10.244.2.0/24 via 192.0.2.2 dev vxlan.bgp onlink");
    assert!(pings(&lab.pods[0], "10.244.2.2"));
    lab.nodes[1].ip("route replace 10.244.1.0/24 via 192.0.2.1 dev vxlan.bgp onlink");
    assert!(pings(&lab.pods[0], "10.244.2.2"));
}

#[test]
fn without_ipip_the_error_names_the_module() {
    on_a_node(|| async {
        let mut tunnels = Tunnels::open().unwrap();
        tunnels.set(desired(&[ipip("tunl0")], &HOSTS));
        let events = in_sync(&mut tunnels).await;
        if !link("tunl0").is_null() {
            // This kernel has it, and has loaded it when asked for the device.
            assert!(is_up("tunl0"));
            return;
        }
        let error = DeviceError::NoModule { module: "ipip", config: "NET_IPIP" };
        let said = error.to_string();
        assert!(said.contains("modprobe ipip") && said.contains("CONFIG_NET_IPIP"), "{said}");
        assert!(events.contains(&Event::Failed { part: part("tunl0"), error }), "{events:?}");
    });
}

#[test]
#[ignore = "needs a kernel with ipip: interop/vm runs it"]
fn stopped_after_any_step_the_kernels_own_device_ends_as_desired() {
    on_a_node(|| async {
        for (from, to) in [
            (Desired::default(), desired(&[tunl0()], &HOSTS)),
            (desired(&[tunl0()], &HOSTS), Desired::default()),
        ] {
            // A device takes six; what is counted beyond is waiting for `nft`.
            for steps in 1..=7 {
                drop(converged(from.clone()).await);
                stopped_after(steps, to.clone()).await;
                drop(converged(to.clone()).await);
                let wanted = !to.devices.is_empty();
                assert_eq!(is_up("tunl0"), wanted, "{steps}");
                assert_eq!(addresses("tunl0").len(), usize::from(wanted), "{steps}");
                assert_eq!(link("tunl0").get("ifalias").is_some(), wanted, "{steps}");
            }
        }
    });
}
