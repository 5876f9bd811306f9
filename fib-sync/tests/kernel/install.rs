//! Routes come, change and go.

use std::net::IpAddr;
use std::num::{NonZeroU8, NonZeroU32};

use fib_sync::{Event, FibConfig, FibError, FibSync, NextHop, Route, Target};

use crate::namespace::{
    RouteCounts, RouteEvents, become_nobody, in_namespace, in_sync, ip, net, open, open_with, ours, routes,
    via,
};

#[test]
fn routes_of_both_families_are_installed_and_withdrawn() {
    in_namespace(|| async {
        let mut fib = open().await;
        fib.set(via("10.1.0.0/16", &["10.0.1.2"]));
        fib.set(via("fd01::/64", &["fd00:1::2"]));
        in_sync(&mut fib).await;
        assert_eq!(ours(), ["10.1.0.0/16 10.0.1.2@a", "fd01::/64 fd00:1::2@a"]);
        assert_eq!(routes("proto 186 metric 1024 table main").len(), 2);
        fib.remove(net("10.1.0.0/16"));
        fib.remove(net("fd01::/64"));
        in_sync(&mut fib).await;
        assert_eq!(ours(), [""; 0]);
        let stats = fib.stats();
        assert_eq!((stats.add.ok, stats.delete.ok, stats.routes, stats.repairs), (2, 2, 0, 0));
    });
}

#[test]
fn host_bits_of_a_prefix_do_not_matter() {
    in_namespace(|| async {
        let mut fib = open().await;
        fib.set(via("10.1.2.3/16", &["10.0.1.2"]));
        fib.flush().await.unwrap();
        fib.remove(net("10.1.0.0/16"));
        fib.flush().await.unwrap();
        assert_eq!((fib.stats().add.ok, fib.stats().delete.ok), (1, 1));
    });
}

#[test]
fn equal_paths_share_the_traffic_by_weight() {
    in_namespace(|| async {
        let mut fib = open().await;
        let weighted = |gateway: &str, weight| NextHop {
            weight: NonZeroU8::new(weight).unwrap(),
            ..NextHop::new(gateway.parse().unwrap())
        };
        let target = |hops: [NextHop; 3]| Target::Via(hops.to_vec());
        let v4 = target([weighted("10.0.1.2", 1), weighted("10.0.1.3", 2), weighted("10.0.2.2", 255)]);
        let v6 = target([weighted("fd00:1::2", 1), weighted("fd00:1::3", 2), weighted("fd00:2::2", 255)]);
        fib.set(Route::new(net("10.1.0.0/16"), v4));
        fib.set(Route::new(net("fd01::/64"), v6));
        fib.set(via("10.2.0.0/16", &["10.0.2.2", "10.0.1.2"]));
        in_sync(&mut fib).await;
        assert_eq!(
            ours(),
            [
                "10.1.0.0/16 10.0.1.2@a 10.0.1.3@a*2 10.0.2.2@b*255",
                "10.2.0.0/16 10.0.1.2@a 10.0.2.2@b",
                "fd01::/64 fd00:1::2@a fd00:1::3@a*2 fd00:2::2@b*255",
            ]
        );
        assert_eq!(fib.diff().unwrap(), []);
    });
}

#[test]
fn a_route_is_replaced_in_one_step() {
    in_namespace(|| async {
        let mut fib = open().await;
        let changes: [&[&str]; 5] = [
            &["10.0.1.2", "fd00:1::2"],
            &["10.0.2.2", "fd00:2::2"],
            &["10.0.1.2", "10.0.2.2", "fd00:1::2", "fd00:2::2"],
            &["10.0.1.3", "10.0.2.2", "fd00:1::3", "fd00:2::2"],
            &["10.0.1.3", "fd00:1::3"],
        ];
        let observer = RouteEvents::subscribe();
        for next_hops in changes {
            let (v6, v4): (Vec<&str>, Vec<&str>) = next_hops.iter().partition(|hop| hop.contains(':'));
            fib.set(via("10.1.0.0/16", &v4));
            fib.set(via("fd01::/64", &v6));
            in_sync(&mut fib).await;
            assert_eq!(fib.diff().unwrap(), []);
        }
        assert_eq!(ours(), ["10.1.0.0/16 10.0.1.3@a", "fd01::/64 fd00:1::3@a"]);
        let stats = fib.stats();
        assert_eq!((stats.add.ok, stats.replace.ok, stats.delete.ok), (2, 8, 0));
        // `ip monitor` would show each change as one new route, and no deletion.
        assert_eq!(observer.count(), RouteCounts { new: 10, deleted: 0 });
    });
}

#[test]
fn a_blackhole_becomes_a_route_and_back() {
    in_namespace(|| async {
        let mut fib = open().await;
        for _ in 0..2 {
            fib.set(Route::blackhole(net("10.1.0.0/26")));
            fib.set(Route::blackhole(net("fd01::/122")));
            in_sync(&mut fib).await;
            assert_eq!(ours(), ["10.1.0.0/26 blackhole", "fd01::/122 blackhole"]);
            assert_eq!(fib.diff().unwrap(), []);
            fib.set(via("10.1.0.0/26", &["10.0.1.2"]));
            fib.set(via("fd01::/122", &["fd00:1::2"]));
            in_sync(&mut fib).await;
            assert_eq!(ours(), ["10.1.0.0/26 10.0.1.2@a", "fd01::/122 fd00:1::2@a"]);
            assert_eq!(fib.diff().unwrap(), []);
        }
        assert_eq!((fib.stats().replace.ok, fib.stats().delete.ok), (6, 0));
    });
}

#[test]
fn ipv4_goes_through_ipv6_next_hops() {
    in_namespace(|| async {
        let mut fib = open().await;
        fib.set(via("10.1.0.0/16", &["fd00:1::2"]));
        fib.set(via("10.2.0.0/16", &["fd00:1::2", "10.0.2.2"]));
        in_sync(&mut fib).await;
        assert_eq!(ours(), ["10.1.0.0/16 fd00:1::2@a", "10.2.0.0/16 10.0.2.2@b fd00:1::2@a"]);
        assert_eq!(fib.diff().unwrap(), []);
    });
}

#[test]
fn both_families_go_through_a_neighbor_on_a_link_while_that_runs() {
    in_namespace(|| async {
        let mut fib = open().await;
        let address: IpAddr = "fe80::99".parse().unwrap();
        let on = |link: &str| {
            let shown = ip(&format!("-o link show dev {link}"));
            NonZeroU32::new(shown.split(':').next().unwrap().parse().unwrap())
        };
        let hop = |link: &str| NextHop { interface: on(link), ..NextHop::new(address) };
        for prefix in ["10.1.0.0/16", "fd01::/64"] {
            fib.set(Route::new(net(prefix), Target::Via(vec![hop("a"), hop("b")])));
        }
        in_sync(&mut fib).await;
        assert_eq!(ours(), ["10.1.0.0/16 fe80::99@a fe80::99@b", "fd01::/64 fe80::99@a fe80::99@b"]);
        assert_eq!(fib.diff().unwrap(), []);
        ip("link set b2 down");
        while ours() != ["10.1.0.0/16 fe80::99@a", "fd01::/64 fe80::99@a"] {
            in_sync(&mut fib).await;
        }
    });
}

#[test]
fn tables_beyond_a_byte_and_other_marks_are_used() {
    in_namespace(|| async {
        let config = FibConfig { table: 5000, protocol: 77, metric: 7, ..FibConfig::default() };
        let mut fib = open_with(config).await;
        fib.set(via("10.1.0.0/16", &["10.0.1.2"]));
        fib.set(via("fd01::/64", &["fd00:1::2"]));
        in_sync(&mut fib).await;
        assert_eq!(routes("table 5000 proto 77 metric 7").len(), 2);
        assert_eq!(ours(), [""; 0]);
        let mut next = open_with(config).await;
        assert_eq!(next.stats().routes, 2);
        next.finish_adoption();
        in_sync(&mut next).await;
        assert_eq!(next.stats().delete.ok, 2);
    });
}

#[test]
fn what_the_kernel_refuses_is_told_in_its_words_and_does_not_hold_up_others() {
    in_namespace(|| async {
        let mut fib = open().await;
        fib.set(via("fd02::/64", &["10.0.1.2"]));
        fib.set(via("10.1.0.0/16", &["10.0.1.2"]));
        let events = in_sync(&mut fib).await;
        let refused = events.iter().find_map(|event| match event {
            Event::Refused { prefix, error } => Some((*prefix, error.to_string())),
            _ => None,
        });
        let (prefix, error) = refused.unwrap();
        assert_eq!(prefix, net("fd02::/64"));
        assert!(error.contains("RTA_VIA"), "{error}");
        assert_eq!(ours(), ["10.1.0.0/16 10.0.1.2@a"]);
        assert_eq!(fib.stats().add.refused, 1);
    });
}

#[test]
fn without_permission_the_error_says_what_is_needed() {
    in_namespace(|| async {
        ip("link show");
        become_nobody();
        let Err(error) = FibSync::open(FibConfig::default()) else { panic!("permission was not checked") };
        assert!(matches!(error, FibError::Permission));
        assert!(error.to_string().contains("CAP_NET_ADMIN"));
    });
}

#[test]
fn marks_that_could_touch_foreign_routes_are_refused() {
    in_namespace(|| async {
        let config = FibConfig::default();
        assert!(matches!(FibSync::open(FibConfig { protocol: 4, ..config }), Err(FibError::Protocol(4))));
        assert!(matches!(FibSync::open(FibConfig { metric: 0, ..config }), Err(FibError::Metric)));
        assert!(matches!(FibSync::open(FibConfig { table: 0, ..config }), Err(FibError::Table)));
    });
}
