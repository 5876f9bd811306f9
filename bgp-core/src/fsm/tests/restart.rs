//! Graceful restart in the negotiation, and what outlives a session (RFC 4724, RFC 8538, RFC 9494).

use std::time::Duration;

use super::super::restart::PeerRestart;
use super::super::*;
use super::pair::{A, B, Pair, seconds, speaker};
use super::solo::{Said, Solo, keepalive, open_of, said};
use crate::wire::capability::{GracefulRestart, LongLived, RestartFamily};
use crate::wire::notification::cease;
use crate::wire::{Capability, Notification};
use crate::{Family, FamilySet};

const V4: Family = Family::IPV4_UNICAST;
const V6: Family = Family::IPV6_UNICAST;
const VPN: Family = Family { afi: 25, safi: 70 };

/// A speaker that keeps forwarding IPv4 over its restart, but not IPv6.
fn restarting(router_id: u32, notification: bool) -> SessionConfig {
    let family = |family, forwarding| RestartFamily { family, forwarding };
    let restart = GracefulRestart {
        restarted: false,
        notification,
        restart_time: 120,
        families: vec![family(V4, true), family(V6, false), family(VPN, true)],
    };
    SessionConfig { graceful_restart: Some(restart), ..speaker(router_id) }
}

fn agreed(ours: SessionConfig, theirs: &SessionConfig) -> Negotiated {
    Solo::established(ours, theirs).0.session.negotiated().unwrap().clone()
}

#[test]
fn what_the_peer_says_of_its_restart_is_there_for_the_families_of_the_session() {
    let agreed = agreed(speaker(1), &restarting(2, true));
    let expected = PeerRestart {
        restarted: false,
        notification: false,
        restart_time: Duration::from_secs(120),
        families: FamilySet::from_iter([V4, V6]),
        forwarding: FamilySet::EMPTY.with(V4),
        long_lived: vec![],
    };
    assert_eq!(agreed.restart, Some(expected));
}

#[test]
fn a_peer_that_has_restarted_says_so() {
    let mut peer = restarting(2, false);
    peer.graceful_restart.as_mut().unwrap().restarted = true;
    assert!(agreed(speaker(1), &peer).restart.unwrap().restarted);
}

#[test]
fn notifications_keep_routes_only_if_both_want_it() {
    for (ours, theirs) in [(true, true), (true, false), (false, true), (false, false)] {
        let agreed = agreed(restarting(1, ours), &restarting(2, theirs));
        assert_eq!(agreed.restart.unwrap().notification, ours && theirs);
    }
}

#[test]
fn without_graceful_restart_on_both_sides_nothing_is_said_of_restarts() {
    let plain = |id| SessionConfig { graceful_restart: None, ..speaker(id) };
    assert_eq!(agreed(plain(1), &restarting(2, true)).restart, None);
    assert_eq!(agreed(restarting(1, true), &plain(2)).restart, None);
}

fn long_lived(family: Family, stale_time: u32) -> LongLived {
    LongLived { family, forwarding: true, stale_time }
}

#[test]
fn long_lived_restart_takes_both_sides_and_graceful_restart() {
    let entries = vec![long_lived(V4, 86_400), long_lived(VPN, 1)];
    let peer = SessionConfig { long_lived: Some(entries), ..restarting(2, true) };
    let helper = SessionConfig { long_lived: Some(vec![]), ..speaker(1) };
    let kept = |ours: SessionConfig, theirs: &SessionConfig| {
        agreed(ours, theirs).restart.map(|restart| restart.long_lived).unwrap_or_default()
    };
    assert_eq!(kept(helper.clone(), &peer), [long_lived(V4, 86_400)]);
    assert_eq!(kept(speaker(1), &peer), []);
    let alone = SessionConfig { graceful_restart: None, ..peer };
    let offered = Session::new(alone.clone(), 0).our_open().capabilities;
    assert!(!offered.iter().any(|c| matches!(c, Capability::LongLivedGracefulRestart(_))), "{offered:?}");
    assert_eq!(kept(helper, &alone), []);
}

fn notification(code: u8, subcode: u8) -> Notification {
    Notification::new(code, subcode)
}

fn hard_reset() -> Notification {
    Notification::with_data(6, cease::HARD_RESET, vec![6, cease::ADMINISTRATIVE_SHUTDOWN])
}

/// The rows of the table: why a session ended, and whether that keeps routes without the N bit and with it.
fn reasons() -> Vec<(DownReason, bool, bool)> {
    use DownReason as R;
    vec![
        (R::TcpFailed, true, true),
        (R::PeerRestarted, true, true),
        (R::HoldTimerExpired, false, true),
        (R::SendHoldTimerExpired, false, true),
        (R::NotificationReceived(notification(4, 0)), false, true),
        (R::NotificationReceived(notification(6, 2)), false, true),
        (R::NotificationReceived(hard_reset()), false, false),
        (R::NotificationSent(notification(3, 1)), false, true),
        (R::Reset(notification(6, 6)), false, true),
        (R::Reset(hard_reset()), false, false),
        (R::AdminDown, false, false),
        (R::ConnectFailed, false, false),
    ]
}

#[test]
fn each_reason_keeps_the_routes_that_the_rfcs_keep() {
    let plain = agreed(restarting(1, false), &restarting(2, true));
    let with_n_bit = agreed(restarting(1, true), &restarting(2, true));
    for (reason, without, with) in reasons() {
        assert_eq!(plain.retains(&reason), without, "{reason} without the N bit");
        assert_eq!(with_n_bit.retains(&reason), with, "{reason} with the N bit");
    }
}

#[test]
fn a_peer_that_restarts_no_family_gracefully_loses_its_routes() {
    let nothing = agreed(restarting(1, true), &speaker(2));
    assert!(nothing.peer_sends_end_of_rib());
    let absent = agreed(restarting(1, true), &SessionConfig { graceful_restart: None, ..speaker(2) });
    for (reason, ..) in reasons() {
        assert!(!nothing.retains(&reason) && !absent.retains(&reason), "{reason}");
    }
}

#[test]
fn routes_that_are_kept_for_long_only_are_kept_too() {
    let helper = SessionConfig { long_lived: Some(vec![]), ..speaker(1) };
    let peer = SessionConfig { long_lived: Some(vec![long_lived(V4, 60)]), ..speaker(2) };
    assert!(agreed(helper, &peer).retains(&DownReason::TcpFailed));
}

/// What a session says when it is ended, to a peer that set the N bit, if `ours` is set too.
fn farewell(ours: bool, end: impl Fn(&mut Session, Instant)) -> (Vec<Said>, DownReason) {
    let (mut solo, id) = Solo::established(restarting(1, ours), &restarting(2, true));
    end(&mut solo.session, solo.now);
    (said(&solo.outputs(), id), solo.session.last_error().unwrap().clone())
}

fn refusal(code: u8, subcode: u8, data: &[u8]) -> Vec<Said> {
    vec![Said::Notification(code, subcode, data.to_vec()), Said::Closed]
}

#[test]
fn a_silent_stop_closes_without_a_word_and_stays_down() {
    for ours in [true, false] {
        let (said, reason) = farewell(ours, Session::stop_silently);
        assert_eq!((said, reason), (vec![Said::Closed], DownReason::AdminDown));
    }
    let mut pair = Pair::established(restarting(1, false), restarting(2, false));
    let before = pair.sides[B].session.negotiated().unwrap().clone();
    pair.act(A, Session::stop_silently);
    pair.run(seconds(1));
    assert_eq!((pair.states()[A], pair.sides[A].session.next_timeout()), (State::Idle, None));
    let told = pair.sides[B].log.iter().find_map(|(_, output)| match output {
        Output::Down(reason) => Some(reason),
        _ => None,
    });
    assert_eq!(told, Some(&DownReason::TcpFailed));
    assert!(before.retains(told.unwrap()), "the peer waits for us with our routes");
    pair.act(A, |session, now| session.start(now));
    pair.run(seconds(10));
    assert_eq!(pair.states(), [State::Established; 2]);
}

#[test]
fn a_stop_for_good_is_a_hard_reset_where_the_routes_would_be_kept() {
    let text = Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN, "moved");
    let stop = |session: &mut Session, now| session.stop(now, text.clone());
    assert_eq!(farewell(false, stop).0, refusal(6, 2, &text.data));
    let wrapped = [&[6, 2][..], &text.data].concat();
    assert_eq!(farewell(true, stop).0, refusal(6, 9, &wrapped));
    for subcode in [cease::PEER_DECONFIGURED, cease::OUT_OF_RESOURCES] {
        let said = farewell(true, |session, now| session.stop(now, notification(6, subcode))).0;
        assert_eq!(said, refusal(6, 9, &[6, subcode]));
    }
    let said = farewell(true, |session, now| session.stop(now, hard_reset())).0;
    assert_eq!(said, refusal(6, 9, &[6, 2]), "wrapped once");
}

// RFC 8538 section 5.1 says which Ceases stand for long enough.
#[test]
fn a_reset_is_a_hard_one_where_the_cease_stands_for_long() {
    for subcode in 0..=cease::BFD_DOWN {
        let given = notification(6, subcode);
        let (said, reason) = farewell(true, |session, now| session.reset(now, given.clone()));
        let hard =
            [cease::MAX_PREFIXES, cease::ADMINISTRATIVE_SHUTDOWN, cease::PEER_DECONFIGURED, cease::BFD_DOWN];
        let expected = match hard.contains(&subcode) {
            true => Notification::with_data(6, 9, vec![6, subcode]),
            false => given.clone(),
        };
        assert_eq!(said, refusal(6, expected.subcode, &expected.data));
        assert_eq!(reason, DownReason::Reset(expected));
        let (said, reason) = farewell(false, |session, now| session.reset(now, given.clone()));
        assert_eq!((said, reason), (refusal(6, subcode, &[]), DownReason::Reset(given)));
    }
    let (said, reason) = farewell(true, |session, now| session.reset(now, notification(3, 1)));
    assert_eq!((said, reason), (refusal(3, 1, &[]), DownReason::NotificationSent(notification(3, 1))));
}

#[test]
fn a_dead_path_is_a_reason_of_its_own_and_keeps_no_routes() {
    for notifications in [false, true] {
        let (_, reason) = farewell(notifications, |session, now| session.reset(now, notification(6, 10)));
        assert_eq!((reason.label(), reason.to_string().as_str()), ("bfd_down", "BFD: the path is dead"));
        let (solo, _) = Solo::established(restarting(1, notifications), &restarting(2, notifications));
        let restart = solo.session.negotiated().unwrap().restart.clone().unwrap();
        assert!(!restart.retains(&reason));
    }
}

#[test]
fn a_hard_reset_pauses_for_what_it_wraps() {
    let (mut solo, _) = Solo::established(restarting(1, true), &restarting(2, true));
    solo.session.reset(solo.now, notification(6, cease::MAX_PREFIXES));
    assert_eq!(solo.session.state(), State::Idle);
    let (mut solo, id) = Solo::established(restarting(1, true), &restarting(2, true));
    let mut bytes = Vec::new();
    hard_reset().encode(&mut bytes);
    solo.hear(id, &bytes);
    assert_eq!(solo.session.state(), State::Active);
}

#[test]
fn a_connection_that_comes_to_nothing_gets_no_hard_reset() {
    let mut solo = Solo::new(restarting(1, true));
    let id = solo.up(Direction::Incoming);
    solo.outputs();
    solo.session.stop(solo.now, notification(6, 2));
    assert_eq!(said(&solo.outputs(), id), refusal(6, 2, &[]));
}

#[test]
fn the_open_of_a_restarted_peer_ends_its_old_session_without_a_notification() {
    let (mut solo, old) = Solo::established(restarting(1, true), &restarting(2, true));
    let before = solo.session.negotiated().unwrap().clone();
    let mut peer = restarting(2, true);
    peer.graceful_restart.as_mut().unwrap().restarted = true;
    let new = solo.up(Direction::Incoming);
    solo.hear(new, &[open_of(&peer), keepalive()].concat());
    let outputs = solo.outputs();
    assert_eq!(said(&outputs, old), [Said::Closed]);
    assert_eq!(said(&outputs, new), [Said::Open, Said::Keepalive]);
    let told = outputs.iter().filter(|o| matches!(o, Output::Down(_) | Output::Established(_)));
    let told: Vec<&Output> = told.collect();
    let [Output::Down(DownReason::PeerRestarted), Output::Established(agreed)] = told[..] else {
        panic!("{told:?}");
    };
    assert!(before.retains(&DownReason::PeerRestarted));
    assert!(agreed.restart.as_ref().unwrap().restarted && agreed.connection == new);
}

#[test]
fn a_peer_that_crashed_takes_its_old_session_over_and_nobody_is_notified() {
    let passive = SessionConfig { passive: true, ..restarting(1, true) };
    let mut pair = Pair::established(passive, restarting(2, true));
    pair.crash(B);
    pair.act(B, |session, now| session.start(now));
    pair.run(seconds(2));
    assert_eq!(pair.states(), [State::Established; 2]);
    let session = &pair.sides[A].session;
    assert_eq!(session.counters().notifications_sent.iter().map(|(_, count)| count).sum::<u64>(), 0);
    assert_eq!(session.last_error(), Some(&DownReason::PeerRestarted));
    assert_eq!(pair.ups_and_downs(A), (2, 1));
}
