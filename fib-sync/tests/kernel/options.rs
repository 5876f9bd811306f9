//! What a route tells the kernel besides its next hops; links by name.

use std::num::NonZeroU32;

use fib_sync::{Event, NextHop, Route, RouteOptions, Target};

use crate::namespace::{in_namespace, in_sync, ip, net, open, ours, until, via};

fn options(source: Option<&str>, mtu: Option<u32>) -> RouteOptions {
    RouteOptions { source: source.map(|source| source.parse().unwrap()), mtu: mtu.and_then(NonZeroU32::new) }
}

/// A next hop out of a link, whatever other routes say.
fn over(gateway: &str, link: &str) -> NextHop {
    NextHop::new(gateway.parse().unwrap()).over(link.parse().unwrap())
}

#[test]
fn source_address_and_mtu_are_set_and_put_right_when_lost() {
    in_namespace(|| async {
        let mut fib = open().await;
        fib.finish_adoption();
        fib.set(via("10.1.0.0/16", &["10.0.1.2"]).with(options(Some("10.0.2.1"), Some(1400))));
        fib.set(via("fd01::/64", &["fd00:1::2"]).with(options(Some("fd00:2::1"), Some(1300))));
        fib.set(via("10.2.0.0/16", &["10.0.1.2"]).with(options(None, Some(100_000))));
        in_sync(&mut fib).await;
        let shown = || ["-4", "-6"].map(|family| ip(&format!("{family} route show proto 186"))).concat();
        let right = shown();
        for part in ["src 10.0.2.1", "mtu 1400", "src fd00:2::1", "mtu 1300", "mtu 65520"] {
            assert!(right.contains(part), "{right}");
        }
        assert_eq!(fib.diff().unwrap(), []);
        ip("route replace 10.1.0.0/16 via 10.0.1.2 src 10.0.2.1 proto 186 metric 1024");
        ip("-6 route replace fd01::/64 via fd00:1::2 mtu 1300 proto 186 metric 1024");
        let differences = fib.diff().unwrap();
        let first = differences[0].to_string();
        assert!(
            first.ends_with("src 10.0.2.1 instead of via 10.0.1.2 interface 3 src 10.0.2.1 mtu 1400"),
            "{first}"
        );
        in_sync(&mut fib).await;
        assert_eq!((shown(), fib.stats().repairs), (right.clone(), 2));
        // The kernel takes the IPv4 route away with the address, and the source from the IPv6 route, without a word.
        ip("addr del 10.0.2.1/24 dev b");
        ip("-6 addr del fd00:2::1/64 dev b");
        let events = until(&mut fib, |event| matches!(event, Event::InSync { .. })).await;
        let refused = events.iter().filter(|event| matches!(event, Event::Refused { .. })).count();
        assert_eq!((refused, ours().len()), (2, 1));
        ip("addr add 10.0.2.1/24 dev b");
        ip("-6 addr add fd00:2::1/64 dev b nodad");
        fib.flush().await.unwrap();
        assert_eq!((shown(), fib.diff().unwrap()), (right, vec![]));
    });
}

#[test]
fn pods_are_on_their_links_and_unreachable_prefixes_are_refused() {
    in_namespace(|| async {
        let mut fib = open().await;
        fib.finish_adoption();
        fib.set(Route::link(net("10.244.1.7/32"), "cali7".parse().unwrap()));
        fib.set(Route::link(net("fd44::7/128"), "cali7".parse().unwrap()));
        fib.set(Route::unreachable(net("10.244.1.0/26")));
        fib.set(Route::unreachable(net("fd44::/122")));
        in_sync(&mut fib).await;
        let rest = ["10.244.1.0/26 unreachable", "fd44::/122 unreachable"];
        assert_eq!(ours(), rest);
        // The same name with another index each time; without carrier at first.
        for round in 0..3 {
            ip(&format!("link add name x{round} type veth peer name y{round}"));
            ip("link add name cali7 type veth peer name eth0");
            ip("link set dev cali7 up");
            in_sync(&mut fib).await;
            assert_eq!(ours(), [rest[0], "10.244.1.7 -@cali7", rest[1], "fd44::7 -@cali7"]);
            assert!(ip("route show 10.244.1.7").contains("scope link"));
            assert_eq!(fib.diff().unwrap(), []);
            ip("link del dev cali7");
            in_sync(&mut fib).await;
            assert_eq!(ours(), rest);
        }
    });
}

#[test]
fn tunnel_next_hops_follow_their_device_by_name() {
    in_namespace(|| async {
        let mut fib = open().await;
        fib.finish_adoption();
        let target = |link| Target::Via(vec![over("192.0.2.1", link), over("192.0.2.2", "b")]);
        fib.set(Route::new(net("10.244.2.0/26"), target("tun")));
        fib.set(Route::new(net("fd44::/122"), Target::Via(vec![over("2001:db8::1", "tun")])));
        in_sync(&mut fib).await;
        assert_eq!(ours(), ["10.244.2.0/26 192.0.2.2@b"]);
        let both = ["10.244.2.0/26 192.0.2.1@tun 192.0.2.2@b", "fd44::/122 2001:db8::1@tun"];
        for round in 0..2 {
            ip(&format!("link add name x{round} type veth peer name y{round}"));
            ip("link add name tun type vxlan id 7 dstport 4789 local 10.0.1.1 nolearning");
            ip("link set dev tun up");
            in_sync(&mut fib).await;
            assert_eq!((ours(), fib.diff().unwrap()), (both.map(str::to_owned).to_vec(), vec![]));
            assert!(ip("route show 10.244.2.0/26").contains("onlink"));
            ip("link del dev tun");
            in_sync(&mut fib).await;
            assert_eq!(ours(), ["10.244.2.0/26 192.0.2.2@b"]);
        }
        // Another device gets the name.
        ip("link set dev a down");
        ip("link set dev a name tun");
        ip("link set dev tun up");
        while ours() != both {
            in_sync(&mut fib).await;
        }
    });
}

#[test]
fn one_walk_gives_many_routes_another_target_in_place() {
    in_namespace(|| async {
        let mut fib = open().await;
        fib.finish_adoption();
        ip("link add name tun type vxlan id 7 dstport 4789 local 10.0.1.1 nolearning");
        ip("link set dev tun up");
        for number in 0..20 {
            fib.set(via(&format!("10.244.{number}.0/24"), &["10.0.1.2"]).with(options(None, Some(1400))));
        }
        fib.set(via("10.9.0.0/16", &["10.0.1.2"]));
        fib.set(Route::blackhole(net("10.244.99.0/24")));
        in_sync(&mut fib).await;
        let pool = net("10.244.0.0/16");
        fib.retarget(|prefix, target| match target {
            Target::Via(hops) if pool.contains(prefix.ip()) => {
                Some(Target::Via(hops.iter().map(|hop| hop.over("tun".parse().unwrap())).collect()))
            }
            _ => None,
        });
        assert_eq!(fib.stats().pending, 20);
        in_sync(&mut fib).await;
        let stats = fib.stats();
        assert_eq!((stats.replace.ok, stats.delete.ok, ours().len()), (20, 0, 22));
        assert_eq!(ours().iter().filter(|route| route.ends_with("10.0.1.2@tun")).count(), 20);
        assert_eq!(ip("route show proto 186").matches("mtu 1400").count(), 20);
        assert_eq!(fib.diff().unwrap(), []);
    });
}
