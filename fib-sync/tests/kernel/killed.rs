//! A synchroniser that ends between any two messages is followed by one that puts all right.

use fib_sync::{FibConfig, FibSync, Route};

use crate::namespace::{RouteCounts, RouteEvents, in_both_modes, ip, net, objects, open_with, ours, via};
use crate::objects::steps;

const CONFIG: FibConfig =
    FibConfig { table: 254, protocol: 186, metric: 1024, receive_buffer: 16 << 20, nexthop_objects: Some(2) };

/// What is desired first, and later.
fn desire(fib: &mut FibSync, later: bool) {
    let gateway = if later { "10.0.2.2" } else { "10.0.1.2" };
    for number in 0..4 {
        fib.set(via(&format!("10.1.{number}.0/24"), &[gateway]));
        if later {
            fib.remove(net(&format!("10.2.{number}.0/24")));
        } else {
            fib.set(via(&format!("10.2.{number}.0/24"), &["10.0.1.3", "10.0.2.3"]));
        }
    }
    if later {
        fib.set(Route::blackhole(net("10.3.0.0/26")));
        fib.set(via("fd01::/64", &["fd00:1::2", "fd00:2::2"]));
    } else {
        fib.set(via("10.3.0.0/26", &["10.0.1.2"]));
    }
}

#[test]
fn whenever_it_is_killed_the_next_one_converges() {
    in_both_modes(|| async {
        let mut whole = false;
        let mut count = 0;
        while !whole {
            count += 1;
            let mut fib = open_with(CONFIG).await;
            desire(&mut fib, false);
            fib.finish_adoption();
            fib.flush().await.unwrap();
            assert_eq!((ours().len(), fib.stats().groups), (9, 2));
            fib.limit_batch(1);
            desire(&mut fib, true);
            steps(&mut fib, count).await;
            whole = fib.stats().pending == 0;
            drop(fib);

            let mut next = open_with(CONFIG).await;
            desire(&mut next, true);
            next.finish_adoption();
            next.flush().await.unwrap();
            let expected = [
                "10.1.0.0/24 10.0.2.2@b",
                "10.1.1.0/24 10.0.2.2@b",
                "10.1.2.0/24 10.0.2.2@b",
                "10.1.3.0/24 10.0.2.2@b",
                "10.3.0.0/26 blackhole",
                "fd01::/64 fd00:1::2@a fd00:2::2@b",
            ];
            assert_eq!(ours(), expected, "after {count} steps");
            assert_eq!(objects(), ["group 1", "via 10.0.2.2 dev b"], "after {count} steps");
            assert_eq!(next.diff().unwrap(), [], "after {count} steps");
        }
        assert!(count > 10, "{count} steps");
    });
}

#[test]
fn a_flushed_table_is_filled_again_and_an_overrun_changes_nothing_that_is_right() {
    in_both_modes(|| async {
        let mut fib = open_with(FibConfig { receive_buffer: 4096, ..CONFIG }).await;
        fib.finish_adoption();
        (0..100).for_each(|number| fib.set(via(&format!("10.1.{number}.0/24"), &["10.0.1.2", "10.0.2.2"])));
        fib.flush().await.unwrap();
        assert_eq!((ours().len(), fib.stats().groups), (100, 1));
        // `ip route flush` cannot delete routes that name objects; with the objects they go.
        ip("nexthop flush");
        fib.flush().await.unwrap();
        assert_eq!((ours().len(), fib.stats().groups, fib.diff().unwrap()), (100, 1, vec![]));

        let resyncs = fib.stats().resyncs;
        let observer = RouteEvents::subscribe();
        (0..100).for_each(|number| drop(ip(&format!("route add 172.16.{number}.0/24 via 10.0.1.9"))));
        fib.flush().await.unwrap();
        assert!(fib.stats().resyncs > resyncs);
        assert_eq!((observer.count(), fib.stats().repairs), (RouteCounts::default(), 100));
    });
}
