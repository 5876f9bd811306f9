//! Next hops are resolved by the kernel's own routes, and followed.

use std::net::IpAddr;

use fib_sync::{Event, FibSync, Resolution};

use crate::namespace::{in_namespace, in_sync, ip, open, ours, until, via};

/// The next resolution of an address: metric, interface, gateway; `None` when unreachable.
async fn resolution(fib: &mut FibSync, address: IpAddr) -> Option<(u32, String, String)> {
    let events =
        until(fib, |event| matches!(event, Event::NextHop { gateway, .. } if gateway.address == address))
            .await;
    match events.last() {
        Some(Event::NextHop {
            resolution: Resolution::Reachable { metric, interface, gateway, .. }, ..
        }) => Some((*metric, fib.interface_name(*interface).unwrap().to_owned(), gateway.to_string())),
        _ => None,
    }
}

fn found(metric: u32, interface: &str, gateway: &str) -> Option<(u32, String, String)> {
    Some((metric, interface.to_owned(), gateway.to_owned()))
}

#[test]
fn a_watched_address_is_followed_through_connected_specific_and_default_routes() {
    in_namespace(|| async {
        let mut fib = open().await;
        let connected = "10.0.1.7".parse().unwrap();
        fib.watch(connected);
        assert_eq!(resolution(&mut fib, connected).await, found(0, "a", "10.0.1.7"));
        let own = "10.0.1.1".parse().unwrap();
        fib.watch(own);
        assert_eq!(resolution(&mut fib, own).await, None);
        for (family, address, default, specific, default_via, specific_via) in [
            ("-4", "192.0.2.1", "default", "192.0.2.0/24", "10.0.1.254", "10.0.2.254"),
            ("-6", "2001:db8::1", "default", "2001:db8::/64", "fd00:1::fe", "fd00:2::fe"),
        ] {
            let far = address.parse().unwrap();
            fib.watch(far);
            assert_eq!(resolution(&mut fib, far).await, None);
            ip(&format!("{family} route add {default} via {default_via} metric 50"));
            assert_eq!(resolution(&mut fib, far).await, found(50, "a", default_via));
            ip(&format!("{family} route add {specific} via {specific_via} metric 60"));
            assert_eq!(resolution(&mut fib, far).await, found(60, "b", specific_via));
            ip(&format!("{family} route replace {specific} via {default_via} metric 60"));
            assert_eq!(resolution(&mut fib, far).await, found(60, "a", default_via));
            ip(&format!("{family} route replace unreachable {specific} metric 10"));
            ip(&format!("{family} route del {specific} via {default_via} metric 60"));
            assert_eq!(resolution(&mut fib, far).await, None);
            ip(&format!("{family} route del unreachable {specific} metric 10"));
            assert_eq!(resolution(&mut fib, far).await, found(50, "a", default_via));
            ip(&format!("{family} route del {default} metric 50"));
            assert_eq!(resolution(&mut fib, far).await, None);
        }
    });
}

#[test]
fn our_own_routes_resolve_nothing() {
    in_namespace(|| async {
        let mut fib = open().await;
        fib.set(via("192.0.2.0/24", &["10.0.1.2"]));
        fib.set(via("10.1.0.0/16", &["192.0.2.1"]));
        in_sync(&mut fib).await;
        assert_eq!(ours(), ["192.0.2.0/24 10.0.1.2@a"]);
        let address = "192.0.2.1".parse().unwrap();
        fib.watch(address);
        assert_eq!(resolution(&mut fib, address).await, None);
    });
}

#[test]
fn a_route_follows_its_next_hop() {
    in_namespace(|| async {
        let mut fib = open().await;
        fib.set(via("10.1.0.0/16", &["192.0.2.1"]));
        fib.set(via("10.2.0.0/16", &["192.0.2.1", "10.0.2.2"]));
        in_sync(&mut fib).await;
        assert_eq!(ours(), ["10.2.0.0/16 10.0.2.2@b"]);
        ip("route add 192.0.2.0/24 via 10.0.1.254");
        in_sync(&mut fib).await;
        assert_eq!(ours(), ["10.1.0.0/16 10.0.1.254@a", "10.2.0.0/16 10.0.1.254@a 10.0.2.2@b"]);
        ip("route add 192.0.2.1/32 via 10.0.2.254");
        in_sync(&mut fib).await;
        assert_eq!(ours(), ["10.1.0.0/16 10.0.2.254@b", "10.2.0.0/16 10.0.2.254@b 10.0.2.2@b"]);
        ip("route del 192.0.2.1/32 via 10.0.2.254");
        ip("route del 192.0.2.0/24 via 10.0.1.254");
        in_sync(&mut fib).await;
        assert_eq!(ours(), ["10.2.0.0/16 10.0.2.2@b"]);
        assert_eq!(fib.stats().repairs, 0);
    });
}

#[test]
fn next_hops_behind_one_gateway_are_one_hop() {
    in_namespace(|| async {
        let mut fib = open().await;
        ip("route add 192.0.2.0/24 via 10.0.1.254");
        ip("-6 route add 2001:db8::/64 via fd00:1::fe");
        fib.set(via("10.1.0.0/16", &["192.0.2.1", "192.0.2.2"]));
        fib.set(via("fd01::/64", &["2001:db8::1", "2001:db8::2"]));
        in_sync(&mut fib).await;
        assert_eq!(ours(), ["10.1.0.0/16 10.0.1.254@a", "fd01::/64 fd00:1::fe@a"]);
        assert_eq!(fib.diff().unwrap(), []);
    });
}

#[test]
fn a_lost_carrier_moves_traffic_to_the_other_next_hop() {
    in_namespace(|| async {
        let mut fib = open().await;
        fib.set(via("10.1.0.0/16", &["10.0.1.2", "10.0.2.2"]));
        in_sync(&mut fib).await;
        ip("link set dev a2 down");
        in_sync(&mut fib).await;
        assert_eq!(ours(), ["10.1.0.0/16 10.0.2.2@b"]);
        ip("link set dev a2 up");
        in_sync(&mut fib).await;
        assert_eq!(ours(), ["10.1.0.0/16 10.0.1.2@a 10.0.2.2@b"]);
    });
}

#[test]
fn an_onlink_gateway_is_installed_onlink() {
    in_namespace(|| async {
        let mut fib = open().await;
        ip("route add 192.0.2.0/24 via 198.51.100.1 dev b onlink");
        fib.set(via("10.1.0.0/16", &["192.0.2.1"]));
        in_sync(&mut fib).await;
        assert_eq!(ours(), ["10.1.0.0/16 198.51.100.1@b"]);
        assert!(ip("route show proto 186").contains("onlink"));
        assert_eq!(fib.diff().unwrap(), []);
    });
}

#[test]
fn a_link_that_rtnetlink_cannot_decode_is_used_all_the_same() {
    in_namespace(|| async {
        ip("link add name c type veth peer name c2");
        ip("addr add 10.0.3.1/24 dev c");
        ip("link set dev c2 up");
        // Names are bytes to the kernel, text to rtnetlink.
        ip(b"link set dev c up name c\xff");
        let mut fib = open().await;
        let neighbour = "10.0.3.2".parse().unwrap();
        fib.watch(neighbour);
        let mut interface = 0;
        until(&mut fib, |event| match event {
            Event::NextHop { resolution: Resolution::Reachable { interface: over, .. }, .. } => {
                interface = *over;
                true
            }
            _ => false,
        })
        .await;
        // Its events tell its state, which outlives that all is read again.
        ip("link set dev c2 down");
        assert_eq!(resolution(&mut fib, neighbour).await, None);
        assert_eq!(fib.interface_name(interface), Some("c\u{fffd}"));
        ip("addr add 10.0.1.9/24 dev a");
        ip("addr del 10.0.1.9/24 dev a");
        let resyncs = fib.stats().resyncs;
        while fib.stats().resyncs == resyncs {
            assert_eq!(fib.flush().await.unwrap(), []);
        }
        assert_eq!(fib.interface_name(interface), Some("c\u{fffd}"));
    });
}
