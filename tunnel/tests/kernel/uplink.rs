//! Tunnels follow how the node is connected.

use std::net::IpAddr;

use tunnel::{Desired, DeviceError, DeviceState, Event, Family, Node, Tunnels, Uplink};

use crate::namespace::{
    converged, desired, entries, forwardings, in_sync, ip, link, mac, on_a_node, part, until, vxlan, vxlan6,
};

const HOSTS: [&str; 2] = ["192.0.2.2", "192.0.2.9"];

fn uplink(interface: &str, address: &str, mtu: u32) -> Uplink {
    Uplink { interface: interface.into(), address: address.parse().unwrap(), mtu }
}

async fn told(tunnels: &mut Tunnels, uplink: Uplink) {
    until(tunnels, |event| *event == Event::Uplink(uplink.clone())).await;
    in_sync(tunnels).await;
}

#[test]
fn the_default_routes_interface_is_the_uplink() {
    on_a_node(|| async {
        // Neither a second address nor one that passes is the node's.
        ip("addr add 192.0.2.77/24 dev eth0");
        let mut tunnels = Tunnels::open().unwrap();
        tunnels.set(Desired::default());
        let events = in_sync(&mut tunnels).await;
        let uplinks = [uplink("eth0", "192.0.2.1/24", 1500), uplink("eth0", "fd00:1::1/64", 1500)];
        assert_eq!(events[..2], uplinks.clone().map(Event::Uplink));
        assert_eq!(tunnels.uplinks(), uplinks);
    });
}

#[test]
fn a_given_address_decides_whatever_the_default_route_says() {
    on_a_node(|| async {
        ip("link add name eth1 mtu 9000 type veth peer name eth1-far");
        ip("addr add 198.51.100.1/28 dev eth1");
        ip("link set eth1 up");
        let node = Node { v4: Some("198.51.100.1".parse().unwrap()), v6: None };
        let mut tunnels = converged(Desired { node, ..desired(&[vxlan()], &HOSTS) }).await;
        assert_eq!(tunnels.uplinks()[0], uplink("eth1", "198.51.100.1/28", 9000));
        assert_eq!(link("vxlan.bgp")["mtu"], 8950);
        // An address that is nowhere: said, and tunnels stay as they are.
        let node = Node { v4: Some("203.0.113.1".parse().unwrap()), v6: None };
        tunnels.set(Desired { node, ..desired(&[vxlan()], &HOSTS) });
        in_sync(&mut tunnels).await;
        let failed = DeviceState::Failed(DeviceError::NoUplink(Family::V4));
        assert_eq!((&tunnels.devices()[0].state, &link("vxlan.bgp")["mtu"]), (&failed, &8950.into()));
        ip("addr add 203.0.113.1/32 dev eth0");
        told(&mut tunnels, uplink("eth0", "203.0.113.1/32", 1500)).await;
        assert_eq!(link("vxlan.bgp")["linkinfo"]["info_data"]["local"], "203.0.113.1");
    });
}

#[test]
fn an_address_on_the_loopback_device_leaves_by_the_default_route() {
    on_a_node(|| async {
        ip("addr add 198.51.100.1/32 dev lo");
        let node = Node { v4: Some("198.51.100.1".parse().unwrap()), v6: None };
        let tunnels = converged(Desired { node, ..desired(&[vxlan()], &HOSTS) }).await;
        assert_eq!(tunnels.uplinks()[0], uplink("eth0", "198.51.100.1/32", 1500));
        assert_eq!(link("vxlan.bgp")["mtu"], 1450);
    });
}

#[test]
fn the_default_route_is_found_among_others() {
    on_a_node(|| async {
        // In the way of the address that is asked for, and a worse default route.
        ip("route add 203.0.113.0/24 via 192.0.2.99");
        ip("-6 route add 100::/64 via fd00:1::99");
        ip("link add name eth1 type veth peer name eth1-far");
        ip("link set eth1-far up");
        ip("link set eth1 up");
        ip("addr add 198.51.100.1/28 dev eth1");
        ip("route add default via 198.51.100.2 metric 900");
        let tunnels = converged(Desired::default()).await;
        assert_eq!(
            tunnels.uplinks(),
            [uplink("eth0", "192.0.2.1/24", 1500), uplink("eth0", "fd00:1::1/64", 1500)]
        );
    });
}

#[test]
fn the_mtu_follows_the_uplink() {
    on_a_node(|| async {
        let mut tunnels = converged(desired(&[vxlan(), vxlan6()], &HOSTS)).await;
        ip("link set eth0 mtu 1400");
        told(&mut tunnels, uplink("eth0", "192.0.2.1/24", 1400)).await;
        assert_eq!([link("vxlan.bgp")["mtu"].clone(), link("vxlan6.bgp")["mtu"].clone()], [1350, 1330]);
    });
}

#[test]
fn another_address_of_the_node_makes_the_device_anew() {
    on_a_node(|| async {
        let mut tunnels = converged(desired(&[vxlan()], &HOSTS)).await;
        ip("addr del 192.0.2.1/24 dev eth0");
        ip("addr add 192.0.2.9/24 dev eth0");
        ip("route add default via 192.0.2.254");
        told(&mut tunnels, uplink("eth0", "192.0.2.9/24", 1500)).await;
        let link = link("vxlan.bgp");
        assert_eq!(link["linkinfo"]["info_data"]["local"], "192.0.2.9");
        assert_eq!(link["address"], mac("192.0.2.9"));
        assert_eq!(forwardings("vxlan.bgp"), entries(&HOSTS[..1]));
    });
}

#[test]
fn tunnels_stay_while_the_uplink_flaps() {
    on_a_node(|| async {
        let mut tunnels = converged(desired(&[vxlan()], &HOSTS)).await;
        let before = link("vxlan.bgp");
        ip("link set eth0 down");
        until(&mut tunnels, |event| *event == Event::NoUplink(Family::V4)).await;
        in_sync(&mut tunnels).await;
        assert_eq!(link("vxlan.bgp"), before);
        ip("link set eth0 up");
        ip("route add default via 192.0.2.254");
        told(&mut tunnels, uplink("eth0", "192.0.2.1/24", 1500)).await;
        assert_eq!(link("vxlan.bgp"), before);
        assert_eq!(forwardings("vxlan.bgp"), entries(&HOSTS));
    });
}

#[test]
fn without_an_uplink_a_device_waits_for_one() {
    on_a_node(|| async {
        ip("route del default");
        let mut tunnels = Tunnels::open().unwrap();
        tunnels.set(desired(&[vxlan()], &HOSTS));
        let events = in_sync(&mut tunnels).await;
        let error = DeviceError::NoUplink(Family::V4);
        assert!(events.contains(&Event::Failed { part: part("vxlan.bgp"), error }), "{events:?}");
        ip("route add default via 192.0.2.254");
        until(&mut tunnels, |event| *event == Event::Ready { part: part("vxlan.bgp") }).await;
    });
}

#[test]
fn an_uplink_too_small_for_headers_is_said() {
    on_a_node(|| async {
        ip("link set eth0 mtu 100");
        let mut tunnels = converged(desired(&[vxlan()], &HOSTS)).await;
        let said = match &tunnels.devices()[0].state {
            DeviceState::Failed(error) => error.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(said, "the uplink's MTU of 100 leaves no room for tunnel headers of 50 octets");
        ip("link set eth0 mtu 1500");
        until(&mut tunnels, |event| *event == Event::Ready { part: part("vxlan.bgp") }).await;
        let local: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(tunnels.uplinks()[0].address.ip(), local);
    });
}
