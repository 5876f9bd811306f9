//! What others do to our routes is undone.

use fib_sync::{Event, FibConfig, FibSync};

use crate::namespace::{
    RouteCounts, RouteEvents, in_namespace, in_sync, ip, ip_script, net, open, open_with, ours, until, via,
};

const MINE: [&str; 2] = ["10.1.0.0/16 10.0.1.2@a 10.0.2.2@b", "fd01::/64 fd00:1::2@a fd00:2::2@b"];

async fn with_two_routes() -> FibSync {
    let mut fib = open().await;
    fib.set(via("10.1.0.0/16", &["10.0.1.2", "10.0.2.2"]));
    fib.set(via("fd01::/64", &["fd00:1::2", "fd00:2::2"]));
    in_sync(&mut fib).await;
    fib
}

#[test]
fn deleted_and_changed_routes_are_put_right() {
    in_namespace(|| async {
        let mut fib = with_two_routes().await;
        let interference: [&[&str]; 7] = [
            &["route del 10.1.0.0/16 proto 186", "-6 route del fd01::/64 proto 186"],
            &["route flush proto 186", "-6 route flush proto 186"],
            &[
                "route replace 10.1.0.0/16 via 10.0.1.9 proto 186 metric 1024",
                "-6 route replace fd01::/64 via fd00:1::9 proto 186 metric 1024",
            ],
            &[
                "route change blackhole 10.1.0.0/16 proto 186 metric 1024",
                "-6 route replace blackhole fd01::/64 proto 186 metric 1024",
            ],
            &[
                "-6 route del fd01::/64 via fd00:1::2 proto 186 metric 1024",
                "route del 10.1.0.0/16 metric 1024",
            ],
            &[
                "route append 10.1.0.0/16 via 10.0.1.9 proto 186 metric 1024",
                "-6 route append fd01::/64 via fd00:1::9 proto 186 metric 1024",
            ],
            &[
                "route replace 10.1.0.0/16 via 10.0.1.2 src 10.0.1.1 proto 186 metric 1024",
                "-6 route replace fd01::/64 via fd00:1::2 mtu 1300 proto 186 metric 1024",
            ],
        ];
        for (round, commands) in interference.into_iter().enumerate() {
            for command in commands {
                ip(command);
            }
            in_sync(&mut fib).await;
            assert_eq!(ours(), MINE, "{commands:?}");
            assert_eq!(fib.diff().unwrap(), [], "{commands:?}");
            assert_eq!(fib.stats().repairs, 2 * (round as u64 + 1), "{commands:?}");
        }
    });
}

#[test]
fn our_own_changes_are_no_interference() {
    in_namespace(|| async {
        let mut fib = with_two_routes().await;
        for gateway in ["10.0.1.3", "10.0.1.4"] {
            fib.set(via("10.1.0.0/16", &[gateway]));
            in_sync(&mut fib).await;
        }
        fib.remove(net("10.1.0.0/16"));
        let events = in_sync(&mut fib).await;
        fib.flush().await.unwrap();
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!((fib.stats().repairs, fib.stats().resyncs), (0, 1));
    });
}

#[test]
fn routes_under_our_marks_that_nobody_asked_for_are_removed() {
    in_namespace(|| async {
        let mut fib = with_two_routes().await;
        fib.finish_adoption();
        ip("route add 10.9.0.0/16 via 10.0.1.9 proto 186 metric 1024");
        ip("-6 route add fd09::/64 via fd00:1::9 proto 186 metric 1024");
        in_sync(&mut fib).await;
        assert_eq!(ours(), MINE);
        assert_eq!(fib.stats().repairs, 0);
    });
}

#[test]
fn events_that_the_kernel_dropped_are_made_up_for() {
    in_namespace(|| async {
        let mut fib = open_with(FibConfig { receive_buffer: 4096, ..FibConfig::default() }).await;
        fib.finish_adoption();
        let prefixes: Vec<String> = (0..200).map(|i| format!("10.1.{i}.0/24")).collect();
        for prefix in &prefixes {
            fib.set(via(prefix, &["10.0.1.2"]));
        }
        // Our own messages overflow it as well.
        in_sync(&mut fib).await;
        assert_eq!(ours().len(), 200);
        let before = fib.stats();
        ip("route flush proto 186");
        ip("route add 10.9.0.0/16 via 10.0.1.9 proto 186 metric 1024");
        until(&mut fib, |event| matches!(event, Event::InSync { .. })).await;
        assert!(fib.stats().resyncs > before.resyncs);
        assert_eq!(fib.stats().repairs, before.repairs + 200);
        assert_eq!(ours().len(), 200);
        let observer = RouteEvents::subscribe();
        fib.flush().await.unwrap();
        assert_eq!(fib.diff().unwrap(), []);
        assert_eq!(observer.count(), RouteCounts::default());
    });
}

#[test]
fn a_link_that_goes_down_and_comes_back_has_its_routes_again() {
    in_namespace(|| async {
        let mut fib = with_two_routes().await;
        fib.set(via("10.2.0.0/16", &["10.0.1.2"]));
        in_sync(&mut fib).await;
        ip("link set dev a down");
        in_sync(&mut fib).await;
        // The kernel has removed IPv4 routes without a word; shared ones go on over the other link.
        assert_eq!(ours(), ["10.1.0.0/16 10.0.2.2@b", "fd01::/64 fd00:2::2@b"]);
        assert_eq!(fib.diff().unwrap()[0].to_string(), "10.2.0.0/16 unresolved: no next hop is reachable");
        ip("link set dev a up");
        ip("-6 addr replace fd00:1::1/64 dev a nodad");
        while ours().len() < 3 || ours()[0] != MINE[0] || ours()[2] != MINE[1] {
            in_sync(&mut fib).await;
        }
        assert_eq!(ours(), [MINE[0], "10.2.0.0/16 10.0.1.2@a", MINE[1]]);
        assert_eq!(fib.diff().unwrap(), []);
    });
}

#[test]
fn a_flap_between_two_looks_leaves_nothing_missing() {
    in_namespace(|| async {
        let mut fib = with_two_routes().await;
        ip("link set dev a down");
        ip("link set dev a up");
        ip("-6 addr replace fd00:1::1/64 dev a nodad");
        while ours() != MINE {
            in_sync(&mut fib).await;
        }
        assert_eq!(fib.diff().unwrap(), []);
    });
}

#[test]
fn both_sides_changing_at_once_ends_in_what_is_desired() {
    in_namespace(|| async {
        let mut fib = open().await;
        fib.finish_adoption();
        // Protocols by number: `ip -batch` takes one name for another after a few commands.
        let mut script = String::new();
        for round in 0..400 {
            let prefix = format!("10.1.{}.0/24", round % 20);
            script += &match round % 5 {
                0 => format!("route del {prefix} metric 1024\n"),
                1 => format!("route replace {prefix} via 10.0.1.{} proto 186 metric 1024\n", 10 + round % 7),
                // (`route flush` gives up when a route it lists is gone already.)
                2 => format!("route append {prefix} via 10.0.2.{} proto 186 metric 1024\n", 10 + round % 7),
                3 => format!("route add {prefix} via 10.0.2.9 proto 4 metric 1024\n"),
                _ => format!("route del {prefix} via 10.0.2.9 proto 4 metric 1024\n"),
            };
        }
        let mut rival = ip_script(&script);
        let mut round = 0;
        // Twice at least, however quick the rival is.
        while round < 2 || rival.try_wait().unwrap().is_none() {
            round += 1;
            for i in 0..20 {
                let prefix = format!("10.1.{i}.0/24");
                match (round + i) % 3 {
                    0 => fib.remove(net(&prefix)),
                    next_hop => fib.set(via(&prefix, &[&format!("10.0.1.{}", 2 + next_hop)])),
                }
            }
            fib.flush().await.unwrap();
        }
        fib.flush().await.unwrap();
        assert_eq!(ours().len(), fib.stats().routes);
        ip("route flush proto static");
        fib.flush().await.unwrap();
        assert_eq!(fib.diff().unwrap(), []);
        assert_eq!(ours().len(), fib.stats().routes);
    });
}
