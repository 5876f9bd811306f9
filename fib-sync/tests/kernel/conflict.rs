//! Foreign routes are left alone.

use fib_sync::{Event, Route};

use crate::namespace::{in_namespace, in_sync, ip, net, open, ours, routes, until, via};

#[test]
fn routes_of_other_protocols_metrics_and_tables_stay() {
    in_namespace(|| async {
        let foreign = [
            "10.1.0.0/16 via 10.0.2.9 proto static metric 100",
            "10.1.0.0/16 via 10.0.2.9 proto 186 metric 101",
            "10.1.0.0/16 via 10.0.2.9 proto static metric 2000",
            "10.1.0.0/16 via 10.0.2.9 proto 186 metric 1024 table 100",
            "10.1.0.0/16 via 10.0.2.9 proto 186 metric 1024 tos 0x10",
        ];
        for route in foreign {
            ip(&format!("route add {route}"));
        }
        for (metric, protocol) in [(101, "static"), (2000, "186")] {
            ip(&format!("-6 route add fd01::/64 via fd00:2::9 proto {protocol} metric {metric}"));
        }
        let all = || ["route show table all", "-6 route show fd01::/64"].map(ip);
        let before = all();
        let mut fib = open().await;
        fib.finish_adoption();
        for (v4, v6) in [("10.0.1.2", "fd00:1::2"), ("10.0.1.3", "fd00:1::3")] {
            fib.set(via("10.1.0.0/16", &[v4]));
            fib.set(via("fd01::/64", &[v6]));
            in_sync(&mut fib).await;
            assert_eq!(routes("proto 186 metric 1024 tos 0").len(), 2);
        }
        fib.remove(net("10.1.0.0/16"));
        fib.remove(net("fd01::/64"));
        in_sync(&mut fib).await;
        assert_eq!(all(), before);
        assert_eq!(ours().len(), 3);
    });
}

#[test]
fn a_foreign_route_of_our_metric_is_reported_and_outlived() {
    in_namespace(|| async {
        for (family, prefix, gateway, ours_via) in
            [("-4", "10.1.0.0/16", "10.0.2.9", "10.0.1.2"), ("-6", "fd01::/64", "fd00:2::9", "fd00:1::2")]
        {
            ip(&format!("{family} route add {prefix} via {gateway} proto static metric 1024"));
            let mut fib = open().await;
            fib.finish_adoption();
            fib.set(via(prefix, &[ours_via]));
            let events = in_sync(&mut fib).await;
            let conflict = Event::Conflict { prefix: net(prefix), metric: 1024, protocol: 4 };
            assert!(events.contains(&conflict), "{events:?}");
            assert_eq!(
                fib.diff().unwrap()[0].to_string().split(": ").next(),
                Some(&*format!("{prefix} conflict"))
            );
            assert_eq!(ours(), [""; 0]);
            ip(&format!("{family} route del {prefix} via {gateway} proto static metric 1024"));
            in_sync(&mut fib).await;
            assert_eq!(ours(), [format!("{prefix} {ours_via}@a")]);
            assert_eq!(fib.diff().unwrap(), []);
            fib.remove(net(prefix));
            in_sync(&mut fib).await;
        }
    });
}

#[test]
fn a_conflict_that_arises_while_we_run_is_seen_before_anything_is_overwritten() {
    in_namespace(|| async {
        let mut fib = open().await;
        for (family, prefix, gateway, ours_via) in
            [("-4", "10.1.0.0/16", "10.0.2.9", "10.0.1.2"), ("-6", "fd01::/64", "fd00:2::9", "fd00:1::2")]
        {
            fib.set(via(prefix, &[ours_via]));
            in_sync(&mut fib).await;
            ip(&format!("{family} route replace {prefix} via {gateway} proto static metric 1024"));
            // Not yet told of it, we want something else ourselves.
            fib.set(Route::blackhole(net(prefix)));
            let events = until(&mut fib, |event| matches!(event, Event::Conflict { .. })).await;
            assert!(matches!(events.last(), Some(Event::Conflict { protocol: 4, .. })));
            in_sync(&mut fib).await;
            assert_eq!(routes("metric 1024 proto static").len(), 1);
            assert_eq!(ours(), [""; 0]);
            fib.remove(net(prefix));
            ip(&format!("{family} route del {prefix} proto static metric 1024"));
            fib.flush().await.unwrap();
        }
    });
}
