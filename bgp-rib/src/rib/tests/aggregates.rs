//! Aggregates follow the routes inside them.

use super::*;
use crate::Aggregate;

fn aggregate(w: &World, text: &str, summary_only: bool) -> Aggregate {
    let next_hop = if text.contains(':') { "::" } else { "0.0.0.0" };
    Aggregate { prefix: prefix(text), summary_only, attrs: w.attrs(address(next_hop), 100) }
}

fn set(w: &mut World, aggregates: &[(&str, bool)]) {
    let aggregates =
        aggregates.iter().map(|(text, summary_only)| aggregate(w, text, *summary_only)).collect();
    w.rib.set_aggregates(w.now, aggregates);
    w.settle();
}

#[test]
fn an_aggregate_is_there_while_a_route_inside_it_is() {
    let mut w = World::reflector();
    let (a, b) = (w.up(5), w.up(6));
    set(&mut w, &[("10.0.0.0/8", false)]);
    assert_eq!(w.believed(b), []);
    w.announce(a, "10.1.0.0/24", "10.0.0.5", 100);
    w.announce(a, "10.2.0.0/24", "10.0.0.5", 100);
    w.settle();
    let own = ("10.0.0.0/8", "10.0.0.99");
    assert_eq!(w.believed(b), pairs(&[own, ("10.1.0.0/24", "10.0.0.5"), ("10.2.0.0/24", "10.0.0.5")]));
    w.withdraw(a, "10.1.0.0/24");
    w.settle();
    assert_eq!(w.believed(b), pairs(&[own, ("10.2.0.0/24", "10.0.0.5")]));
    w.down(a);
    w.settle();
    assert_eq!(w.believed(b), []);
    assert_eq!(w.rib.path_count(V4::FAMILY), 0);
}

#[test]
fn a_summary_stands_for_the_routes_inside_it_and_for_no_others() {
    let mut w = World::reflector();
    let (a, b) = (w.up(5), w.up(6));
    for text in ["10.1.0.0/24", "10.0.0.0/8", "11.0.0.0/24"] {
        w.announce(a, text, "10.0.0.5", 100);
    }
    w.settle();
    assert_eq!(w.believed(b).len(), 3);
    set(&mut w, &[("10.0.0.0/8", true)]);
    // Routes of our own are preferred: ours stands for the learned route to the very prefix, too.
    let summary = pairs(&[("10.0.0.0/8", "10.0.0.99"), ("11.0.0.0/24", "10.0.0.5")]);
    assert_eq!(w.believed(b), summary);
    assert_eq!(w.fib().iter().filter(|(_, hops)| !hops.is_empty()).count(), 2, "packets follow all routes");
    set(&mut w, &[]);
    assert_eq!(w.believed(b).len(), 3);
}

#[test]
fn an_aggregate_does_not_keep_itself_or_a_wider_one_alive() {
    let mut w = World::reflector();
    let (a, b) = (w.up(5), w.up(6));
    set(&mut w, &[("10.0.0.0/8", false), ("10.1.0.0/16", false)]);
    w.announce(a, "10.1.0.0/24", "10.0.0.5", 100);
    w.settle();
    assert_eq!(w.believed(b).len(), 3);
    w.withdraw(a, "10.1.0.0/24");
    w.settle();
    assert_eq!(w.believed(b), []);
    w.announce(a, "10.2.0.0/24", "10.0.0.5", 100);
    w.settle();
    assert_eq!(w.believed(b), pairs(&[("10.0.0.0/8", "10.0.0.99"), ("10.2.0.0/24", "10.0.0.5")]));
}

#[test]
fn one_that_joins_later_is_told_the_summary_only() {
    let mut w = World::reflector();
    let a = w.up(5);
    set(&mut w, &[("10.0.0.0/8", true), ("fd01::/32", true)]);
    w.announce(a, "10.1.0.0/24", "10.0.0.5", 100);
    w.announce(a, "fd01::/64", "fd00::5", 100);
    w.settle();
    let b = w.up(6);
    w.settle();
    assert_eq!(w.believed(b), pairs(&[("10.0.0.0/8", "10.0.0.99"), ("fd01::/32", "fd00::99")]));
}

#[test]
fn an_aggregate_whose_last_route_goes_as_others_are_configured_goes_too() {
    for before in [true, false] {
        let mut w = World::reflector();
        let (a, b) = (w.up(5), w.up(6));
        set(&mut w, &[("10.0.0.0/8", false)]);
        w.announce(a, "10.1.0.0/24", "10.0.0.5", 100);
        w.settle();
        let both = ["10.0.0.0/8", "11.0.0.0/8"].map(|text| aggregate(&w, text, false));
        if before {
            w.withdraw(a, "10.1.0.0/24");
            w.rib.set_aggregates(w.now, both.to_vec());
        } else {
            w.rib.set_aggregates(w.now, both.to_vec());
            w.withdraw(a, "10.1.0.0/24");
        }
        w.settle();
        assert_eq!(w.believed(b), [], "withdrawn before: {before}");
    }
}
