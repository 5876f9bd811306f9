//! Next hops that only a route of our own leads to.

use super::*;

fn tracked() -> (World, PeerId, PeerId) {
    let mut w = World::new(NextHopSource::Tracked, 2);
    let (a, b) = (w.up(5), w.up(6));
    (w, a, b)
}

fn report(w: &mut World, next_hop: &str, metric: Option<u32>) {
    let state = metric.map_or(NextHopState::Unreachable, |metric| NextHopState::Reachable { metric });
    w.rib.next_hop_changed(w.now, address(next_hop), state);
}

#[test]
fn a_next_hop_is_reached_by_the_route_to_it_as_long_as_there_is_one() {
    let (mut w, a, b) = tracked();
    w.announce(a, "10.1.0.0/24", "192.0.2.7", 100);
    w.announce(a, "192.0.2.0/24", "10.0.0.5", 100);
    report(&mut w, "192.0.2.7", None);
    w.settle();
    assert_eq!(w.fib(), []);
    report(&mut w, "10.0.0.5", Some(7));
    w.settle();
    assert_eq!(w.fib(), routes(&[("10.1.0.0/24", &["10.0.0.5"]), ("192.0.2.0/24", &["10.0.0.5"])]));
    let metric = w.rib.route(prefix("10.1.0.0/24")).unwrap().paths[0].igp_metric();
    assert_eq!(metric, Some(7), "the cost is that of the route's next hop");
    assert_eq!(w.believed(b).len(), 2);

    w.withdraw(a, "192.0.2.0/24");
    w.settle();
    assert_eq!(w.fib(), routes(&[("10.1.0.0/24", &[]), ("192.0.2.0/24", &[])]));
    assert_eq!(w.believed(b), []);
}

#[test]
fn the_route_to_a_next_hop_may_move() {
    let (mut w, a, b) = tracked();
    w.announce(a, "10.1.0.0/24", "192.0.2.7", 100);
    w.announce(a, "192.0.2.0/24", "10.0.0.5", 100);
    report(&mut w, "192.0.2.7", None);
    report(&mut w, "10.0.0.5", Some(7));
    report(&mut w, "10.0.0.6", Some(7));
    w.settle();
    w.fib();
    // A longer match with the same cost: nothing but the gateway changes.
    w.announce(b, "192.0.2.0/25", "10.0.0.6", 100);
    report(&mut w, "10.0.0.6", Some(7));
    w.settle();
    assert_eq!(w.fib(), routes(&[("10.1.0.0/24", &["10.0.0.6"]), ("192.0.2.0/25", &["10.0.0.6"])]));
    report(&mut w, "10.0.0.6", None);
    w.settle();
    let back: &[(&str, &[&str])] = &[("10.1.0.0/24", &["10.0.0.5"]), ("192.0.2.0/25", &[])];
    assert_eq!(w.fib(), routes(back));
}

#[test]
fn what_the_tracker_reaches_needs_no_route() {
    let (mut w, a, _) = tracked();
    w.announce(a, "10.1.0.0/24", "192.0.2.7", 100);
    w.announce(a, "192.0.2.0/24", "10.0.0.5", 100);
    report(&mut w, "10.0.0.5", Some(7));
    report(&mut w, "192.0.2.7", Some(3));
    w.settle();
    let own: &[(&str, &[&str])] = &[("192.0.2.0/24", &["10.0.0.5"]), ("10.1.0.0/24", &["192.0.2.7"])];
    let mut found = w.fib();
    found.sort_by(|a, b| b.cmp(a));
    assert_eq!(found, routes(own));
    report(&mut w, "192.0.2.7", None);
    w.settle();
    assert_eq!(w.fib(), routes(&[("10.1.0.0/24", &["10.0.0.5"])]));
}

#[test]
fn packets_go_straight_to_a_next_hop_again_that_is_reached_at_the_same_cost() {
    let (mut w, a, _) = tracked();
    w.announce(a, "10.1.0.0/24", "192.0.2.7", 100);
    w.announce(a, "192.0.2.0/24", "10.0.0.5", 100);
    report(&mut w, "192.0.2.7", None);
    report(&mut w, "10.0.0.5", Some(7));
    w.settle();
    w.fib();
    report(&mut w, "192.0.2.7", Some(7));
    w.settle();
    assert_eq!(w.fib(), routes(&[("10.1.0.0/24", &["192.0.2.7"])]));
}

#[test]
fn no_next_hop_is_reached_by_itself_or_by_another_that_needs_a_route() {
    let (mut w, a, b) = tracked();
    // The route to the next hop leads through that next hop.
    w.announce(a, "192.0.2.0/24", "192.0.2.7", 100);
    // A circle of two.
    w.announce(b, "198.51.100.0/24", "203.0.113.1", 100);
    w.announce(b, "203.0.113.0/24", "198.51.100.1", 100);
    for hop in ["192.0.2.7", "203.0.113.1", "198.51.100.1"] {
        report(&mut w, hop, None);
    }
    w.settle();
    assert_eq!(w.fib(), []);
    assert_eq!((w.believed(a), w.believed(b)), (Vec::new(), Vec::new()));
}

#[test]
fn a_better_path_through_what_it_covers_does_not_swing() {
    let (mut w, a, b) = tracked();
    w.announce(a, "192.0.2.0/24", "10.0.0.5", 100);
    // Preferred, but its next hop is inside the very prefix: it can be reached since the other path is there.
    w.announce(b, "192.0.2.0/24", "192.0.2.7", 200);
    report(&mut w, "10.0.0.5", Some(1));
    report(&mut w, "192.0.2.7", None);
    w.settle();
    assert_eq!(w.fib(), routes(&[("192.0.2.0/24", &["10.0.0.5"])]));
    assert!(w.rib.next_timeout().is_none(), "nothing is left to do");
}

#[test]
fn an_ipv6_next_hop_is_reached_by_a_route_too() {
    let (mut w, a, _) = tracked();
    w.announce(a, "fd01::/64", "2001:db8::7", 100);
    w.announce(a, "2001:db8::/32", "fd00::5", 100);
    report(&mut w, "2001:db8::7", None);
    report(&mut w, "fd00::5", Some(2));
    w.settle();
    assert_eq!(w.fib(), routes(&[("fd01::/64", &["fd00::5"]), ("2001:db8::/32", &["fd00::5"])]));
}
