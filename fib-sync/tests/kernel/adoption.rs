//! A restart finds what the last run left.

use fib_sync::{DifferenceKind, Route};

use crate::namespace::{RouteCounts, RouteEvents, in_namespace, in_sync, ip, net, open, ours, via};

#[test]
fn routes_outlive_their_synchroniser_and_only_stale_ones_go() {
    in_namespace(|| async {
        let mut first = open().await;
        first.set(via("10.1.0.0/16", &["10.0.1.2", "10.0.2.2"]));
        first.set(via("10.2.0.0/16", &["10.0.1.2"]));
        first.set(via("10.3.0.0/16", &["10.0.1.2"]));
        first.set(via("fd01::/64", &["fd00:1::2", "fd00:2::2"]));
        first.set(via("fd03::/64", &["fd00:1::2"]));
        first.set(Route::blackhole(net("10.4.0.0/26")));
        in_sync(&mut first).await;
        drop(first);
        assert_eq!(ours().len(), 6);

        let observer = RouteEvents::subscribe();
        let mut second = open().await;
        // The same again, but in another order, and one with another next hop.
        second.set(via("fd01::/64", &["fd00:2::2", "fd00:1::2"]));
        second.set(via("10.1.0.0/16", &["10.0.2.2", "10.0.1.2"]));
        second.set(Route::blackhole(net("10.4.0.0/26")));
        second.set(via("10.2.0.0/16", &["10.0.2.2"]));
        in_sync(&mut second).await;
        assert_eq!(ours().len(), 6);
        assert_eq!(observer.count(), RouteCounts { new: 1, deleted: 0 });
        let extra: Vec<String> = second
            .diff()
            .unwrap()
            .iter()
            .filter(|difference| matches!(difference.kind, DifferenceKind::Extra { .. }))
            .map(|difference| difference.prefix.to_string())
            .collect();
        assert_eq!(extra, ["10.3.0.0/16", "fd03::/64"]);

        second.finish_adoption();
        in_sync(&mut second).await;
        assert_eq!(observer.count(), RouteCounts { new: 0, deleted: 2 });
        assert_eq!(
            ours(),
            [
                "10.1.0.0/16 10.0.1.2@a 10.0.2.2@b",
                "10.2.0.0/16 10.0.2.2@b",
                "10.4.0.0/26 blackhole",
                "fd01::/64 fd00:1::2@a fd00:2::2@b",
            ]
        );
        assert_eq!(second.diff().unwrap(), []);
        assert_eq!(second.stats().repairs, 0);
    });
}

#[test]
fn a_route_withdrawn_during_adoption_goes_at_once_and_stale_ones_stay() {
    in_namespace(|| async {
        ip("route add 10.1.0.0/16 via 10.0.1.2 proto 186 metric 1024");
        ip("route add 10.2.0.0/16 via 10.0.1.2 proto 186 metric 1024");
        let mut fib = open().await;
        fib.set(via("10.1.0.0/16", &["10.0.1.2"]));
        fib.remove(net("10.1.0.0/16"));
        // Never announced in this run: the old route is kept until the end of adoption.
        fib.remove(net("10.2.0.0/16"));
        in_sync(&mut fib).await;
        assert_eq!(ours(), ["10.2.0.0/16 10.0.1.2@a"]);
        fib.finish_adoption();
        in_sync(&mut fib).await;
        assert_eq!(ours(), [""; 0]);
    });
}

#[test]
fn a_difference_of_every_kind_is_shown() {
    in_namespace(|| async {
        ip("route add 10.2.0.0/16 via 10.0.1.9 proto 186 metric 1024");
        ip("route add 10.3.0.0/16 via 10.0.1.9 proto 186 metric 1024");
        ip("route add 10.5.0.0/16 via 10.0.1.9 proto static metric 1024");
        let mut fib = open().await;
        let observer = RouteEvents::subscribe();
        for (prefix, next_hop) in [
            ("10.1.0.0/16", "10.0.1.2"),
            ("10.2.0.0/16", "10.0.1.2"),
            ("10.4.0.0/16", "192.0.2.1"),
            ("10.5.0.0/16", "10.0.1.2"),
        ] {
            fib.set(via(prefix, &[next_hop]));
        }
        let shown: Vec<String> =
            fib.diff().unwrap().iter().map(|d| d.to_string().split(':').next().unwrap().to_owned()).collect();
        assert_eq!(
            shown,
            [
                "10.1.0.0/16 missing",
                "10.2.0.0/16 wrong",
                "10.3.0.0/16 extra",
                "10.4.0.0/16 unresolved",
                "10.5.0.0/16 conflict"
            ]
        );
        // A dry run: nothing was sent.
        assert_eq!(observer.count(), RouteCounts::default());
    });
}
