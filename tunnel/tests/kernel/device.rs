//! Devices are made, taken over, put right and removed.

use tunnel::{Device, DeviceState, Event, Kind, Tunnels};

use crate::namespace::{
    addresses, become_nobody, converged, desired, entries, forwardings, in_sync, ip, link, mac, neighbours,
    on_a_node, part, repaired, resolved, run, until, vxlan, vxlan6,
};

const HOSTS: [&str; 3] = ["192.0.2.1", "192.0.2.2", "198.51.100.3"];

#[test]
fn a_vxlan_device_is_made_with_its_hosts() {
    on_a_node(|| async {
        let address = "10.244.0.1/32";
        let device = Device { address: Some(address.parse().unwrap()), ..vxlan() };
        let tunnels = converged(desired(&[device], &HOSTS)).await;
        let link = link("vxlan.bgp");
        let data = &link["linkinfo"]["info_data"];
        assert_eq!(link["linkinfo"]["info_kind"], "vxlan");
        assert_eq!(
            (&data["id"], &data["port"], &data["local"]),
            (&4096.into(), &4789.into(), &"192.0.2.1".into())
        );
        assert_eq!((&data["learning"], data.get("group")), (&false.into(), None));
        assert_eq!((&link["mtu"], &link["address"]), (&1450.into(), &mac("192.0.2.1").into()));
        assert_eq!((&link["ifalias"], &link["flags"][2]), (&"bgp-tunnel".into(), &"UP".into()));
        assert_eq!(addresses("vxlan.bgp"), [address]);
        // The node itself is not behind its tunnel.
        assert_eq!(neighbours("vxlan.bgp"), resolved(&HOSTS[1..]));
        assert_eq!(forwardings("vxlan.bgp"), entries(&HOSTS[1..]));
        let index = link["ifindex"].as_u64().unwrap() as u32;
        assert_eq!(tunnels.devices()[0].state, DeviceState::Ready { index, mtu: 1450 });
    });
}

#[test]
fn vxlan_over_ipv6_lies_beside_that_over_ipv4() {
    on_a_node(|| async {
        let hosts = ["192.0.2.2", "fd00:1::2"];
        let _tunnels = converged(desired(&[vxlan(), vxlan6()], &hosts)).await;
        let link = link("vxlan6.bgp");
        assert_eq!(link["linkinfo"]["info_data"]["local6"], "fd00:1::1");
        assert_eq!((&link["mtu"], &link["address"]), (&1430.into(), &mac("fd00:1::1").into()));
        assert_eq!(neighbours("vxlan6.bgp"), resolved(&hosts[1..]));
        assert_eq!(forwardings("vxlan6.bgp"), entries(&hosts[1..]));
        assert_eq!(neighbours("vxlan.bgp"), resolved(&hosts[..1]));
    });
}

#[test]
fn what_is_right_already_is_not_touched() {
    on_a_node(|| async {
        drop(converged(desired(&[vxlan()], &HOSTS)).await);
        let before = link("vxlan.bgp")["ifindex"].clone();
        let mut tunnels = Tunnels::open().unwrap();
        let observer = crate::namespace::Observer::subscribe();
        tunnels.set(desired(&[vxlan()], &HOSTS));
        in_sync(&mut tunnels).await;
        tunnels.set(desired(&[vxlan()], &HOSTS));
        in_sync(&mut tunnels).await;
        assert_eq!((observer.count(), &link("vxlan.bgp")["ifindex"]), (0, &before));
    });
}

#[test]
fn changes_of_a_device_are_undone() {
    on_a_node(|| async {
        let address = Some("10.244.0.1/32".parse().unwrap());
        let mut tunnels = converged(desired(&[Device { address, ..vxlan() }], &HOSTS)).await;
        let changes = [
            ("ip", "link set vxlan.bgp mtu 1300", "mtu"),
            ("ip", "link set vxlan.bgp address 02:00:00:00:00:01", "mac"),
            ("ip", "link set vxlan.bgp down", "state"),
            ("ip", "link del vxlan.bgp", "device"),
            ("ip", "addr del 10.244.0.1/32 dev vxlan.bgp", "address"),
            ("ip", "addr add 10.9.9.9/32 dev vxlan.bgp", "address"),
            ("ethtool", "-K vxlan.bgp tx off", "checksum offload"),
            ("sysctl", "-w net.ipv4.conf.vxlan/bgp.rp_filter=1", "rp_filter"),
        ];
        let index = |tunnels: &Tunnels| match tunnels.devices()[0].state {
            DeviceState::Ready { index, .. } => index,
            ref other => panic!("{other:?}"),
        };
        for (program, arguments, what) in changes {
            let before = index(&tunnels);
            run(program, arguments);
            let mut repairs = repaired(&mut tunnels, &part("vxlan.bgp")).await;
            while !repairs.contains(what) {
                repairs = repaired(&mut tunnels, &part("vxlan.bgp")).await;
            }
            in_sync(&mut tunnels).await;
            let link = link("vxlan.bgp");
            assert_eq!(
                (&link["mtu"], &link["address"]),
                (&1450.into(), &mac("192.0.2.1").into()),
                "{arguments}"
            );
            assert_eq!(link["flags"][2], "UP", "{arguments}");
            assert_eq!(addresses("vxlan.bgp"), ["10.244.0.1/32"], "{arguments}");
            assert_eq!(neighbours("vxlan.bgp"), resolved(&HOSTS[1..]), "{arguments}");
            assert_eq!(forwardings("vxlan.bgp"), entries(&HOSTS[1..]), "{arguments}");
            assert_eq!(before == index(&tunnels), what != "device", "{arguments}");
        }
    });
}

#[test]
fn what_cannot_be_changed_on_a_live_device_makes_it_anew() {
    on_a_node(|| async {
        let mut tunnels = converged(desired(&[vxlan()], &HOSTS)).await;
        for (vni, port) in [(4097, 4789), (4097, 8472)] {
            tunnels.set(desired(&[Device { kind: Kind::Vxlan { vni, port }, ..vxlan() }], &HOSTS));
            in_sync(&mut tunnels).await;
            let link = link("vxlan.bgp");
            let data = &link["linkinfo"]["info_data"];
            assert_eq!((&data["id"], &data["port"]), (&vni.into(), &port.into()));
            assert_eq!(forwardings("vxlan.bgp"), entries(&HOSTS[1..]));
        }
    });
}

#[test]
fn what_can_be_changed_is_changed_in_place() {
    on_a_node(|| async {
        let mut tunnels = converged(desired(&[vxlan()], &HOSTS)).await;
        let before = link("vxlan.bgp")["ifindex"].clone();
        let address = Some("10.244.0.2/32".parse().unwrap());
        tunnels.set(desired(
            &[Device { mtu: Some(1400), address, checksum_offload: false, ..vxlan() }],
            &HOSTS[..2],
        ));
        let events = in_sync(&mut tunnels).await;
        assert_eq!(events, [Event::Ready { part: part("vxlan.bgp") }, Event::InSync]);
        let link = link("vxlan.bgp");
        assert_eq!((&link["mtu"], &link["ifindex"]), (&1400.into(), &before));
        assert_eq!(addresses("vxlan.bgp"), ["10.244.0.2/32"]);
        assert_eq!(neighbours("vxlan.bgp"), resolved(&HOSTS[1..2]));
        assert!(run("ethtool", "-k vxlan.bgp").contains("tx-checksumming: off"));
    });
}

#[test]
fn a_device_that_is_no_longer_desired_goes() {
    on_a_node(|| async {
        let mut tunnels = converged(desired(&[vxlan(), vxlan6()], &HOSTS)).await;
        tunnels.set(desired(&[vxlan6()], &HOSTS));
        let events = in_sync(&mut tunnels).await;
        assert!(events.contains(&Event::Removed { part: part("vxlan.bgp") }), "{events:?}");
        assert!(link("vxlan.bgp").is_null());
        assert!(!link("vxlan6.bgp").is_null());
        // Of an earlier run, too.
        drop(tunnels);
        let _tunnels = converged(desired(&[vxlan()], &HOSTS)).await;
        assert!(link("vxlan6.bgp").is_null());
    });
}

#[test]
fn a_foreign_device_of_the_same_name_is_left_alone() {
    on_a_node(|| async {
        for made in [
            "link add vxlan.bgp type bridge",
            "link add vxlan.bgp up type vxlan id 4096 dstport 4789 local 192.0.2.1 nolearning",
            "link add vxlan.bgp type vxlan id 4096 dstport 4789 local 192.0.2.1",
        ] {
            ip(made);
            let before = link("vxlan.bgp");
            let mut tunnels = Tunnels::open().unwrap();
            tunnels.set(desired(&[vxlan()], &HOSTS));
            let events = in_sync(&mut tunnels).await;
            let said = format!("{events:?}");
            assert!(said.contains("Foreign"), "{said}");
            assert_eq!(link("vxlan.bgp"), before);
            // It goes, and ours is made.
            ip("link del vxlan.bgp");
            until(&mut tunnels, |event| *event == Event::Ready { part: part("vxlan.bgp") }).await;
            assert_eq!(link("vxlan.bgp")["ifalias"], "bgp-tunnel");
            ip("link del vxlan.bgp");
        }
    });
}

#[test]
fn another_device_of_the_same_network_is_named() {
    on_a_node(|| async {
        ip("link add other type vxlan id 4096 dstport 4789 local 192.0.2.1 nolearning");
        let mut tunnels = Tunnels::open().unwrap();
        tunnels.set(desired(&[vxlan()], &HOSTS));
        let events = in_sync(&mut tunnels).await;
        let Some(Event::Failed { error, .. }) = events.iter().find(|e| matches!(e, Event::Failed { .. }))
        else {
            panic!("{events:?}")
        };
        assert_eq!(
            error.to_string(),
            "other has VXLAN network 4096 on port 4789 already: delete it (ip link delete other), or choose \
             another vni or port"
        );
        ip("link del other");
        until(&mut tunnels, |event| *event == Event::Ready { part: part("vxlan.bgp") }).await;
    });
}

#[test]
fn without_permission_the_error_says_what_to_do() {
    on_a_node(|| async {
        become_nobody();
        let error = Tunnels::open().err().expect("a failure").to_string();
        assert!(error.contains("CAP_NET_ADMIN"), "{error}");
    });
}

#[test]
fn a_port_that_another_program_has_is_said_and_tried_again_when_asked() {
    on_a_node(|| async {
        let taken = std::net::UdpSocket::bind("0.0.0.0:4789").unwrap();
        let mut tunnels = Tunnels::open().unwrap();
        tunnels.set(desired(&[vxlan()], &HOSTS));
        let events = in_sync(&mut tunnels).await;
        let Some(Event::Failed { error, .. }) = events.iter().find(|e| matches!(e, Event::Failed { .. }))
        else {
            panic!("{events:?}")
        };
        assert_eq!(
            error.to_string(),
            "cannot set vxlan.bgp up, since another program has its UDP port: Address already in use (os error 98)"
        );
        drop(taken);
        tunnels.set(desired(&[vxlan()], &HOSTS));
        let events = in_sync(&mut tunnels).await;
        assert_eq!(events, [Event::Ready { part: part("vxlan.bgp") }, Event::InSync]);
    });
}
