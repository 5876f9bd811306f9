//! The peer marks where the answer to a ROUTE-REFRESH begins and ends.

use super::*;
use crate::ToCore;

const KEPT: &str = "10.1.0.0/16";
const GONE: &str = "10.2.0.0/16";
const FAMILY: Family = Family::IPV4_UNICAST;

/// A session that has come to its End-of-RIB.
fn settled() -> Restart {
    let mut r = Restart::new();
    r.announce(&[KEPT, GONE]);
    r.end_of_rib();
    r
}

fn begin(r: &mut Restart) {
    let id = r.rig.id(0);
    r.rig.late(ToCore::RefreshBegins(id, FAMILY));
}

fn end(r: &mut Restart) {
    let id = r.rig.id(0);
    r.rig.late(ToCore::RefreshEnds(id, FAMILY));
}

#[test]
fn what_does_not_come_between_the_marks_goes() {
    let mut r = settled();
    begin(&mut r);
    r.announce(&[KEPT]);
    assert_eq!((r.seen().len(), r.stale()), (2, 1));
    end(&mut r);
    assert_eq!((r.seen(), r.stale()), (vec![KEPT.into()], 0));
}

#[test]
fn an_end_of_rib_between_the_marks_takes_nothing_away() {
    let mut r = settled();
    begin(&mut r);
    r.end_of_rib();
    assert_eq!(r.seen().len(), 2);
    r.announce(&[KEPT]);
    end(&mut r);
    assert_eq!(r.seen(), [KEPT]);
}

#[test]
fn a_mark_before_the_first_end_of_rib_is_not_heeded() {
    let mut r = Restart::new();
    r.announce(&[KEPT]);
    begin(&mut r);
    end(&mut r);
    assert_eq!(r.seen(), [KEPT]);
    let mut r = Restart::with(restarting(1), |side| side.restart = None);
    r.announce(&[KEPT, GONE]);
    begin(&mut r);
    end(&mut r);
    assert!(r.seen().is_empty(), "but a peer without graceful restart sends none");
}

#[test]
fn an_end_without_a_beginning_means_nothing() {
    let mut r = settled();
    end(&mut r);
    assert_eq!(r.seen().len(), 2);
}

#[test]
fn a_mark_within_a_refresh_asks_for_nothing_again() {
    let mut r = settled();
    begin(&mut r);
    r.announce(&[KEPT]);
    begin(&mut r);
    assert_eq!(r.stale(), 1);
    end(&mut r);
    assert_eq!(r.seen(), [KEPT]);
    begin(&mut r);
    assert_eq!(r.stale(), 1, "the next one begins after the end");
}

#[test]
fn a_session_that_ends_within_a_refresh_leaves_all_its_routes() {
    let mut r = settled();
    begin(&mut r);
    r.cut();
    assert_eq!(r.seen().len(), 2);
}
