//! Many routes through one set of next hops name a nexthop group.

use std::num::NonZeroU8;

use fib_sync::{DifferenceKind, FibConfig, FibSync, NextHop, Route, Target};

use crate::namespace::{
    RouteCounts, RouteEvents, in_both_modes, in_sync, ip, net, objects, open_with, ours, via,
};

/// A group for each target with more than three routes.
const CONFIG: FibConfig =
    FibConfig { table: 254, protocol: 186, metric: 1024, receive_buffer: 16 << 20, nexthop_objects: Some(3) };

const BOTH: [&str; 2] = ["10.0.1.2", "10.0.2.2"];

fn prefix(number: u32) -> String {
    format!("10.1.{number}.0/24")
}

fn prefix6(number: u32) -> String {
    format!("fd01:{number:x}::/64")
}

fn set_many(fib: &mut FibSync, numbers: std::ops::Range<u32>, next_hops: &[&str]) {
    numbers.for_each(|number| fib.set(via(&prefix(number), next_hops)));
}

/// The routes that `ip` shows with a nexthop object.
fn through_objects() -> usize {
    ["-4", "-6"].map(|f| ip(&format!("{f} route show proto 186")).matches("nhid").count()).iter().sum()
}

async fn with_twenty_routes() -> FibSync {
    let mut fib = open_with(CONFIG).await;
    fib.finish_adoption();
    set_many(&mut fib, 0..10, &BOTH);
    (0..10).for_each(|number| fib.set(via(&prefix6(number), &["fd00:1::2", "fd00:2::2"])));
    in_sync(&mut fib).await;
    assert_eq!((ours().len(), through_objects(), fib.stats().groups), (20, 20, 2));
    fib
}

#[test]
fn few_routes_name_their_hops_and_many_a_group() {
    in_both_modes(|| async {
        let mut fib = open_with(CONFIG).await;
        fib.finish_adoption();
        set_many(&mut fib, 0..3, &BOTH);
        in_sync(&mut fib).await;
        assert_eq!((through_objects(), objects().len()), (0, 0));
        set_many(&mut fib, 3..4, &BOTH);
        in_sync(&mut fib).await;
        assert_eq!((ours().len(), through_objects()), (4, 4));
        assert_eq!(objects(), ["group 2", "via 10.0.1.2 dev a", "via 10.0.2.2 dev b"]);
        assert_eq!(fib.diff().unwrap(), []);
        // Not at once when they become few again.
        fib.remove(net(&prefix(0)));
        fib.remove(net(&prefix(1)));
        in_sync(&mut fib).await;
        assert_eq!((ours().len(), through_objects()), (2, 2));
        fib.remove(net(&prefix(2)));
        in_sync(&mut fib).await;
        assert_eq!((ours(), through_objects()), (vec!["10.1.3.0/24 10.0.1.2@a 10.0.2.2@b".to_owned()], 0));
        assert_eq!((fib.diff().unwrap(), objects().len()), (vec![], 0));
    });
}

#[test]
fn weights_and_onlink_hops_are_those_of_the_group() {
    in_both_modes(|| async {
        let mut fib = open_with(CONFIG).await;
        fib.finish_adoption();
        let over = |gateway: &str, link: &str, weight| NextHop {
            weight: NonZeroU8::new(weight).unwrap(),
            ..NextHop::new(gateway.parse().unwrap()).over(link.parse().unwrap())
        };
        let target = Target::Via(vec![over("192.0.2.1", "a", 7), over("192.0.2.2", "b", 255)]);
        (0..10).for_each(|number| fib.set(Route::new(net(&prefix(number)), target.clone())));
        in_sync(&mut fib).await;
        assert_eq!(through_objects(), 10);
        assert_eq!(objects(), ["group 2", "via 192.0.2.1 dev a onlink", "via 192.0.2.2 dev b onlink"]);
        assert!(
            ip("nexthop show").contains(",7/") && ip("nexthop show").contains(",255 "),
            "{}",
            ip("nexthop show")
        );
        assert_eq!(fib.diff().unwrap(), []);
    });
}

#[test]
fn a_change_of_a_next_hop_is_one_message_however_many_routes_there_are() {
    in_both_modes(|| async {
        let mut fib = open_with(CONFIG).await;
        fib.finish_adoption();
        ip("route add 192.0.2.0/24 via 10.0.1.254");
        set_many(&mut fib, 0..200, &["192.0.2.1"]);
        in_sync(&mut fib).await;
        let before = fib.stats();
        ip("route add 192.0.2.1/32 via 10.0.2.254");
        in_sync(&mut fib).await;
        assert_eq!(objects(), ["group 1", "via 10.0.2.254 dev b"]);
        assert_eq!((fib.stats().replace, fib.stats().add), (before.replace, before.add));
        assert_eq!(fib.diff().unwrap(), []);
        // And the next hop is lost: none of the routes stays.
        ip("route del 192.0.2.1/32 via 10.0.2.254");
        ip("route del 192.0.2.0/24 via 10.0.1.254");
        in_sync(&mut fib).await;
        assert_eq!(ours(), [""; 0]);
        ip("route add 192.0.2.0/24 via 10.0.1.254");
        in_sync(&mut fib).await;
        assert_eq!((ours().len(), through_objects()), (200, 200));
        assert_eq!((fib.diff().unwrap(), fib.stats().repairs), (vec![], 0));
    });
}

#[test]
fn a_group_without_hops_drops_packets_until_its_routes_are_gone() {
    in_both_modes(|| async {
        let mut fib = open_with(CONFIG).await;
        fib.finish_adoption();
        ip("route add 192.0.2.0/24 via 10.0.1.254");
        ip("-6 route add 2001:db8::/64 via fd00:1::fe");
        set_many(&mut fib, 0..20, &["192.0.2.1"]);
        (0..20).for_each(|number| fib.set(via(&prefix6(number), &["2001:db8::1"])));
        in_sync(&mut fib).await;
        assert_eq!(through_objects(), 40);
        fib.limit_batch(1);
        ip("route del 192.0.2.0/24 via 10.0.1.254");
        ip("-6 route del 2001:db8::/64 via fd00:1::fe");
        steps(&mut fib, 3).await;
        assert!(ip("nexthop show").contains("blackhole"), "{}", ip("nexthop show"));
        assert!(!ours().is_empty());
        // It comes back before all of them are gone.
        ip("route add 192.0.2.0/24 via 10.0.2.254");
        ip("-6 route add 2001:db8::/64 via fd00:2::fe");
        fib.flush().await.unwrap();
        assert_eq!((ours().len(), through_objects()), (40, 40));
        assert_eq!(fib.diff().unwrap(), []);
        assert!(!ip("nexthop show").contains("blackhole"), "{}", ip("nexthop show"));
    });
}

/// Lets a synchroniser work until it has yielded this often.
pub(crate) async fn steps(fib: &mut FibSync, count: usize) {
    let mut left = count;
    let flush = fib.flush();
    tokio::pin!(flush);
    std::future::poll_fn(|context| {
        left = left.saturating_sub(1);
        match flush.as_mut().poll(context) {
            std::task::Poll::Pending if left > 0 => std::task::Poll::Pending,
            _ => std::task::Poll::Ready(()),
        }
    })
    .await;
}

#[test]
fn a_restart_adopts_groups_without_a_message_and_removes_what_is_unused() {
    in_both_modes(|| async {
        drop(with_twenty_routes().await);
        let before = objects();
        let observer = RouteEvents::subscribe();
        let mut fib = open_with(CONFIG).await;
        set_many(&mut fib, 0..10, &BOTH);
        in_sync(&mut fib).await;
        assert_eq!((objects(), ours().len()), (before, 20));
        assert_eq!(observer.count(), RouteCounts::default());
        fib.finish_adoption();
        in_sync(&mut fib).await;
        assert_eq!(objects(), ["group 2", "via 10.0.1.2 dev a", "via 10.0.2.2 dev b"]);
        assert_eq!((ours().len(), through_objects()), (10, 10));
        assert_eq!(observer.count(), RouteCounts { new: 0, deleted: 10 });
        assert_eq!(fib.diff().unwrap(), []);
    });
}

#[test]
fn objects_that_someone_deletes_or_changes_are_put_right() {
    in_both_modes(|| async {
        let mut fib = with_twenty_routes().await;
        let right = (objects(), ours());
        let id_of = |what: &str| {
            let all = ip("nexthop show");
            let line = all.lines().find(|line| line.contains(what)).unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        for round in 0..5 {
            match round {
                0 => ip(&format!("nexthop del id {}", id_of("group"))),
                1 => ip(&format!("nexthop del id {}", id_of("10.0.1.2"))),
                2 => ip("nexthop flush"),
                3 => ip(&format!("nexthop replace id {} group {}", id_of("group"), id_of("10.0.1.2"))),
                _ => ip(&format!("nexthop replace id {} via 10.0.1.9 dev a", id_of("10.0.1.2"))),
            };
            in_sync(&mut fib).await;
            assert_eq!((objects(), ours()), right, "round {round}");
            assert_eq!(fib.diff().unwrap(), [], "round {round}");
        }
    });
}

#[test]
fn objects_go_with_their_link_and_come_back_with_it() {
    in_both_modes(|| async {
        let mut fib = with_twenty_routes().await;
        let right = ours();
        set_many(&mut fib, 20..30, &["10.0.1.2"]);
        in_sync(&mut fib).await;
        for (down, up) in
            [("link set dev a2 down", "link set dev a2 up"), ("link set dev a down", "link set dev a up")]
        {
            ip(down);
            while fib.diff().unwrap().iter().any(|d| d.kind != DifferenceKind::Unresolved)
                || ours().len() != 20
            {
                in_sync(&mut fib).await;
            }
            assert_eq!(ours()[0], "10.1.0.0/24 10.0.2.2@b");
            ip(up);
            ip("-6 addr replace fd00:1::1/64 dev a nodad");
            while !fib.diff().unwrap().is_empty() || ours().len() != 30 {
                in_sync(&mut fib).await;
            }
            assert_eq!((through_objects(), ours().iter().filter(|r| right.contains(r)).count()), (30, 20));
        }
    });
}

#[test]
fn two_synchronisers_of_different_protocols_share_a_table_and_no_objects() {
    in_both_modes(|| async {
        let mut other = open_with(FibConfig { protocol: 77, metric: 1025, ..CONFIG }).await;
        other.finish_adoption();
        set_many(&mut other, 0..10, &BOTH);
        in_sync(&mut other).await;
        let theirs = || ip("route show proto 77");
        let before = (theirs(), ip("nexthop show"));
        let mut fib = with_twenty_routes().await;
        (0..10).for_each(|number| fib.remove(net(&prefix(number))));
        (0..10).for_each(|number| fib.remove(net(&prefix6(number))));
        in_sync(&mut fib).await;
        drop(fib);
        let mut next = open_with(CONFIG).await;
        next.finish_adoption();
        next.flush().await.unwrap();
        assert_eq!((theirs(), ip("nexthop show")), before);
        other.flush().await.unwrap();
        assert_eq!((other.stats().repairs, other.diff().unwrap()), (0, vec![]));
    });
}

#[test]
fn a_next_hop_behind_a_foreign_route_with_an_object_is_followed() {
    in_both_modes(|| async {
        let mut fib = open_with(CONFIG).await;
        ip("nexthop add id 10 via 10.0.1.254 dev a");
        ip("nexthop add id 11 via 10.0.2.254 dev b");
        ip("nexthop add id 12 group 10");
        ip("route add 192.0.2.0/24 nhid 12");
        fib.set(via("10.1.0.0/24", &["192.0.2.1"]));
        in_sync(&mut fib).await;
        assert_eq!(ours(), ["10.1.0.0/24 10.0.1.254@a"]);
        ip("nexthop replace id 12 group 11");
        in_sync(&mut fib).await;
        assert_eq!(ours(), ["10.1.0.0/24 10.0.2.254@b"]);
        ip("nexthop del id 12");
        in_sync(&mut fib).await;
        assert_eq!(ours(), [""; 0]);
    });
}
