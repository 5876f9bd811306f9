//! A peer restarts.

use bgp_core::RouterId;
use bgp_core::fsm::DownReason;
use bgp_core::wire::notification::cease;

use super::*;
use crate::{Limits, PeerEvent};

const V4: &str = "10.1.0.0/16";
const OTHER: &str = "10.2.0.0/16";
const V6: &str = "fd01::/64";

fn hard_reset() -> Notification {
    Notification::with_data(Notification::CEASE, cease::HARD_RESET, vec![6, 4])
}

fn administrative_reset() -> Notification {
    Notification::new(Notification::CEASE, cease::ADMINISTRATIVE_RESET)
}

#[test]
fn routes_outlive_a_tcp_failure_until_the_end_of_rib_of_the_next_session() {
    let mut r = Restart::new();
    r.announce(&[V4, OTHER, V6]);
    r.cut();
    assert_eq!((r.seen(), r.stale()), (vec![V4.into(), OTHER.into(), V6.into()], 3));
    r.back();
    r.announce(&[V4, V6]);
    assert_eq!(r.seen().len(), 3);
    r.end_of_rib();
    assert_eq!((r.seen(), r.stale()), (vec![V4.into(), V6.into()], 0));
}

#[test]
fn a_peer_that_does_not_come_back_in_its_restart_time_loses_its_routes() {
    let mut r = Restart::new();
    r.announce(&[V4]);
    r.cut();
    r.later(RESTART_TIME - SECOND);
    assert_eq!(r.seen(), [V4]);
    r.later(SECOND);
    assert!(r.seen().is_empty());
    assert_eq!(r.rig.core.rib().peers().lost(1), None);
}

#[test]
fn a_peer_that_cannot_be_reached_either_has_nothing_kept_for_it() {
    for mut r in [Restart::new(), Restart::long_lived()] {
        r.announce(&[V4, V6]);
        r.rig.sides[0].peer.drop_kept();
        r.rig.settle();
        assert_eq!(r.seen().len(), 2, "a session that is up has nothing to lose by it");
        r.cut();
        assert_eq!(r.seen().len(), 2);
        r.rig.sides[0].peer.drop_kept();
        r.rig.settle();
        assert!(r.seen().is_empty() && !r.rig.sides[0].peer.may_have_left_routes());
        r.back();
        r.announce(&[V4]);
        assert_eq!(r.seen(), [V4]);
    }
}

#[test]
fn a_peer_that_is_back_but_sends_no_end_of_rib_loses_its_routes_after_the_stale_time() {
    let mut r = Restart::new();
    r.announce(&[V4, OTHER]);
    r.cut();
    r.back();
    r.announce(&[V4]);
    r.later(STALE_TIME - SECOND);
    assert_eq!(r.seen().len(), 2);
    r.later(SECOND);
    assert_eq!(r.seen(), [V4]);
}

#[test]
fn nothing_is_kept_of_a_peer_that_does_not_restart_gracefully_or_that_we_do_not_wait_for() {
    let mut r = Restart::with(restarting(1), |side| side.restart = None);
    r.announce(&[V4]);
    r.cut();
    assert!(r.seen().is_empty());
    let mut r = Restart::of(PeerSettings { restart: None, ..restarting(1) });
    r.announce(&[V4]);
    r.cut();
    assert!(r.seen().is_empty());
}

#[test]
fn what_is_kept_is_what_the_session_agreed_on_whatever_is_configured_since() {
    let off = PeerSettings { restart: None, ..restarting(1) };
    for (first, then, kept) in [(restarting(1), off.clone(), true), (off, restarting(1), false)] {
        let mut r = Restart::of(first);
        r.announce(&[V4]);
        let now = r.rig.now;
        r.rig.sides[0].peer.reconfigure(now, then);
        r.rig.settle();
        r.cut();
        assert_eq!(!r.seen().is_empty(), kept);
    }
}

/// Whether the routes are kept when the session ends so, with the N bit of both sides or of one only.
fn outlive(notification: bool, end: impl Fn(&mut Restart)) -> bool {
    let settings = PeerSettings { hold_time: 90, ..restarting(1) };
    let mut r = Restart::with(settings, |side| side.restart = Some(capability(notification, both())));
    r.announce(&[V4]);
    end(&mut r);
    let id = r.rig.id(0);
    assert!(r.rig.core.rib().peers().get(id).is_none(), "the session has ended");
    !r.seen().is_empty()
}

#[test]
fn a_notification_and_the_hold_timer_end_the_routes_unless_both_sides_set_the_n_bit() {
    type End = fn(&mut Restart);
    let ends: [(&str, End); 4] = [
        ("received", |r| r.notify(&administrative_reset())),
        ("sent for a fault", |r| r.rig.hear(0, &[0xff; 19])),
        ("sent as a reset", |r| {
            let now = r.rig.now;
            r.rig.sides[0].peer.reset(now, administrative_reset());
            r.rig.settle();
        }),
        ("hold timer", |r| r.later(Duration::from_secs(90))),
    ];
    for (what, end) in ends {
        assert_eq!([false, true].map(|n| outlive(n, end)), [false, true], "{what}");
    }
}

#[test]
fn a_hard_reset_and_our_own_stop_end_the_routes_in_any_case() {
    type End = fn(&mut Restart);
    let ends: [(&str, End); 3] = [
        ("received", |r| r.notify(&hard_reset())),
        ("sent", |r| {
            let now = r.rig.now;
            r.rig.sides[0].peer.reset(now, hard_reset());
            r.rig.settle();
        }),
        ("stop", |r| {
            let now = r.rig.now;
            r.rig.sides[0].peer.stop(now, administrative_reset());
            r.rig.settle();
        }),
    ];
    for (what, end) in ends {
        assert!(!outlive(true, end), "{what}");
    }
}

#[test]
fn a_new_connection_of_a_restarted_peer_keeps_its_routes() {
    let mut r = Restart::new();
    r.announce(&[V4]);
    let old = r.rig.id(0);
    // Nobody has noticed that the old connection is dead.
    r.back();
    let restarted = |e: &PeerEvent| matches!(e, PeerEvent::Down(DownReason::PeerRestarted));
    assert!(r.rig.sides[0].events.iter().any(restarted) && r.rig.id(0) != old);
    assert_eq!((r.seen(), r.stale()), (vec![V4.into()], 1));
    r.end_of_rib();
    assert!(r.seen().is_empty());
}

#[test]
fn a_family_without_the_f_bit_goes_as_soon_as_the_peer_is_back() {
    let mut r = Restart::new();
    r.announce(&[V4, V6]);
    r.cut();
    r.rig.sides[0].restart = Some(capability(false, FamilySet::EMPTY.with(Family::IPV6_UNICAST)));
    assert_eq!(r.seen().len(), 2);
    r.back();
    assert_eq!(r.seen(), [V6]);
}

#[test]
fn a_family_that_the_peer_lists_no_more_goes_as_soon_as_it_is_back() {
    let mut r = Restart::new();
    r.announce(&[V4, V6]);
    r.cut();
    let mut capability = capability(false, both());
    capability.families.retain(|entry| entry.family == Family::IPV4_UNICAST);
    r.rig.sides[0].restart = Some(capability);
    r.back();
    assert_eq!(r.seen(), [V4]);
}

#[test]
fn a_peer_that_is_back_without_graceful_restart_has_lost_its_routes() {
    let mut r = Restart::new();
    r.announce(&[V4]);
    r.cut();
    r.rig.sides[0].restart = None;
    r.back();
    assert!(r.seen().is_empty());
}

#[test]
fn another_router_at_the_address_has_none_of_the_old_routes() {
    let mut r = Restart::new();
    r.announce(&[V4]);
    r.cut();
    r.rig.sides[0].router_id = RouterId(77);
    r.back();
    assert!(r.seen().is_empty());
    r.announce(&[OTHER]);
    r.cut();
    r.back();
    assert_eq!(r.seen(), [OTHER], "it is a peer like others");
}

#[test]
fn of_two_restarts_in_a_row_only_the_routes_of_the_last_session_stay() {
    let mut r = Restart::new();
    r.announce(&[V4, OTHER]);
    r.cut();
    r.back();
    r.announce(&[OTHER]);
    r.cut();
    assert_eq!(r.seen(), [OTHER]);
    r.later(RESTART_TIME - SECOND);
    assert_eq!(r.seen(), [OTHER], "its time began when the second session ended");
    r.later(SECOND);
    assert!(r.seen().is_empty());
}

#[test]
fn a_peer_that_is_removed_takes_what_was_kept_for_it_along() {
    let mut r = Restart::new();
    r.announce(&[V4]);
    r.cut();
    let now = r.rig.now;
    r.rig.core.forget(now, 1);
    r.rig.settle();
    assert!(r.seen().is_empty());
    r.later(RESTART_TIME);
    assert_eq!(r.rig.core.next_timeout(), None);
}

#[test]
fn a_member_of_a_range_stays_for_as_long_as_its_routes_do() {
    let mut r = Restart::long_lived();
    r.announce(&[V4]);
    r.cut();
    assert!(!r.rig.sides[0].peer.is_alone() && r.rig.sides[0].peer.may_have_left_routes());
    r.later(RESTART_TIME);
    r.later(LONG - SECOND);
    assert!(!r.rig.sides[0].peer.is_alone());
    r.later(SECOND);
    assert!(r.seen().is_empty() && r.rig.sides[0].peer.is_alone());
    let mut r = Restart::new();
    r.announce(&[V4]);
    r.notify(&administrative_reset());
    r.cut();
    assert!(r.rig.sides[0].peer.is_alone(), "it left nothing");
}

#[test]
fn what_is_kept_counts_for_the_limits_and_goes_before_the_session_does() {
    let limits = Limits { prefixes: Some(2), ..Limits::default() };
    let mut r = Restart::of(PeerSettings { limits, ..restarting(1) });
    r.announce(&[V4, OTHER]);
    r.cut();
    r.back();
    r.announce(&["10.3.0.0/16"]);
    assert_eq!((r.rig.sides[0].closed, r.seen(), r.stale()), (false, vec!["10.3.0.0/16".into()], 0));
    r.announce(&["10.4.0.0/16", "10.5.0.0/16"]);
    assert!(r.rig.sides[0].closed && r.seen().is_empty());
}

#[test]
fn routes_become_the_last_choice_after_the_restart_time_and_go_after_the_long_lived_time() {
    let mut r = Restart::long_lived();
    let backup = r.rig.up(PeerSettings { hold_time: 0, ..client(3) });
    r.announce(&[V4]);
    let worse = attributes(&[65001], &[PathAttribute::LocalPref(50)]);
    r.rig.hear(backup, &announce(V4, [10, 0, 0, 3].into(), &worse));
    r.cut();
    let best = |r: &Restart| r.rig.core.rib().route(prefix(V4)).unwrap().best().unwrap().slot();
    r.later(RESTART_TIME - SECOND);
    assert_eq!((best(&r), r.is_long_lived(V4)), (1, false), "preferred as before in the restart time");
    r.later(SECOND);
    assert_eq!((best(&r), r.is_long_lived(V4)), (3, true));
    r.later(LONG - SECOND);
    assert_eq!(r.rig.core.rib().path_count(Family::IPV4_UNICAST), 2);
    r.later(SECOND);
    assert_eq!(r.rig.core.rib().path_count(Family::IPV4_UNICAST), 1);
}

#[test]
fn routes_with_no_llgr_go_after_the_restart_time() {
    let mut r = Restart::long_lived();
    let no_llgr = vec![bgp_core::wire::Community::NO_LLGR];
    let block = attributes(&[], &[PathAttribute::LocalPref(100), PathAttribute::Communities(no_llgr)]);
    r.rig.hear(0, &announce(OTHER, [10, 0, 0, 1].into(), &block));
    r.announce(&[V4]);
    r.cut();
    assert_eq!(r.rig.core.rib().path_count(Family::IPV4_UNICAST), 2);
    r.later(RESTART_TIME);
    assert_eq!(r.rig.core.rib().path_count(Family::IPV4_UNICAST), 1);
    assert!(r.is_long_lived(V4));
}

#[test]
fn a_route_with_llgr_stale_is_the_last_choice_whoever_sends_it() {
    let mut r = Restart::new();
    let stale = PathAttribute::Communities(vec![bgp_core::wire::Community::LLGR_STALE]);
    let block = attributes(&[], &[PathAttribute::LocalPref(500), stale]);
    r.rig.hear(0, &announce(V4, [10, 0, 0, 1].into(), &block));
    let other = r.rig.up(client(3));
    r.rig.hear(other, &from_client(3, V4));
    assert_eq!(r.rig.core.rib().route(prefix(V4)).unwrap().best().unwrap().slot(), 3);
}

#[test]
fn a_family_that_is_only_long_lived_is_the_last_choice_at_once() {
    let mut far = capability(false, both());
    far.families.clear();
    let mut r = Restart::with(lasting(1), |side| {
        side.restart = Some(far);
        side.long_lived = Some(long_lived());
    });
    r.announce(&[V4]);
    r.cut();
    assert!(r.is_long_lived(V4));
    r.back();
    assert_eq!(r.stale(), 1, "the F bit of the long-lived capability counts");
    r.announce(&[V4]);
    assert!(!r.is_long_lived(V4));
}

#[test]
fn our_own_bound_cuts_the_long_lived_time_short() {
    let restart = RestartSettings { long_lived: Some(60), ..RestartSettings::default() };
    let mut r = Restart::with(PeerSettings { restart: Some(restart), ..restarting(1) }, |side| {
        side.restart = Some(capability(false, both()));
        side.long_lived = Some(long_lived());
    });
    r.announce(&[V4]);
    r.cut();
    r.later(RESTART_TIME);
    assert!(r.is_long_lived(V4));
    r.later(60 * SECOND);
    assert_eq!(r.rig.core.rib().path_count(Family::IPV4_UNICAST), 0);
}

#[test]
fn a_session_that_ends_before_its_end_of_rib_does_not_move_the_long_lived_time() {
    let mut r = Restart::long_lived();
    r.announce(&[V4]);
    r.cut();
    r.later(RESTART_TIME);
    r.later(LONG - 10 * SECOND);
    r.back();
    r.announce(&[OTHER]);
    r.cut();
    assert!(r.is_long_lived(V4) && r.is_long_lived(OTHER), "what was stale stays, what was new joins it");
    r.later(10 * SECOND);
    assert_eq!(r.rig.core.rib().path_count(Family::IPV4_UNICAST), 0);
}

#[test]
fn a_session_that_agrees_on_nothing_long_lived_leaves_nothing_long_lived() {
    let mut r = Restart::long_lived();
    r.announce(&[V4]);
    r.cut();
    r.later(RESTART_TIME);
    assert!(r.is_long_lived(V4));
    let now = r.rig.now;
    r.rig.sides[0].peer.reconfigure(now, restarting(1));
    r.back();
    r.announce(&[OTHER]);
    r.cut();
    assert_eq!(r.seen(), [OTHER], "what was stale before goes");
    assert!(!r.is_long_lived(OTHER));
    r.later(RESTART_TIME);
    assert!(r.seen().is_empty());
}

#[test]
fn the_long_lived_time_runs_on_while_the_peer_is_back() {
    let mut r = Restart::long_lived();
    r.announce(&[V4]);
    r.cut();
    r.later(RESTART_TIME);
    r.later(LONG - 10 * SECOND);
    r.back();
    r.announce(&[OTHER]);
    r.later(10 * SECOND);
    assert_eq!(r.rig.core.rib().path_count(Family::IPV4_UNICAST), 1);
    r.cut();
    assert_eq!(r.rig.core.rib().path_count(Family::IPV4_UNICAST), 0, "it never got to its End-of-RIB");
}

#[test]
fn end_of_rib_ends_the_long_lived_time() {
    let mut r = Restart::long_lived();
    r.announce(&[V4, OTHER]);
    r.cut();
    r.later(RESTART_TIME);
    r.back();
    r.announce(&[V4]);
    r.end_of_rib();
    assert_eq!((r.rig.core.rib().path_count(Family::IPV4_UNICAST), r.is_long_lived(V4)), (1, false));
    r.cut();
    assert_eq!((r.is_long_lived(V4), r.seen()), (false, vec![V4.into()]), "all begins again");
}
