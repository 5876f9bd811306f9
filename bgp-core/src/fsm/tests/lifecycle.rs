//! Sessions that come up, live and go down.

use super::super::*;
use super::pair::{A, B, Pair, seconds, shutdown, speaker};
use crate::wire::MessageType;
use crate::wire::RouteRefresh;
use crate::wire::header::write_message;
use crate::{Family, PeerKind};

fn passive(router_id: u32) -> SessionConfig {
    SessionConfig { passive: true, ..speaker(router_id) }
}

fn update() -> Vec<u8> {
    let mut bytes = Vec::new();
    write_message(&mut bytes, MessageType::Update, |out| out.extend([0; 4]));
    bytes
}

#[test]
fn an_active_and_a_passive_session_come_up_and_agree() {
    let pair = Pair::established(speaker(1), passive(2));
    let (a, b) = (pair.sides[A].session.negotiated().unwrap(), pair.sides[B].session.negotiated().unwrap());
    assert_eq!((a.direction, b.direction), (Direction::Outgoing, Direction::Incoming));
    assert_eq!((a.families, a.hold_time, a.kind), (b.families, 90, PeerKind::Internal));
    assert!(a.extended_message && a.route_refresh && a.four_octet_as && a.peer_sends_end_of_rib());
}

#[test]
fn the_states_are_passed_through_in_order() {
    let pair = Pair::established(speaker(1), passive(2));
    let path = |side: usize| -> Vec<State> {
        let log = pair.sides[side].log.iter();
        log.filter_map(|(_, o)| if let Output::StateChanged { to, .. } = o { Some(*to) } else { None })
            .collect()
    };
    use State::{Active, Connect, Established, OpenConfirm, OpenSent};
    assert_eq!(path(A), [Connect, OpenSent, OpenConfirm, Established]);
    assert_eq!(path(B), [Active, OpenSent, OpenConfirm, Established]);
}

#[test]
fn two_passive_sessions_wait_for_ever_without_a_timer() {
    let pair = Pair::started(passive(1), passive(2));
    assert_eq!(pair.states(), [State::Active; 2]);
    assert!(pair.sides.iter().all(|side| side.session.next_timeout().is_none()));
}

#[test]
fn messages_in_single_octets_are_enough() {
    let mut pair = Pair::new(speaker(1), passive(2));
    pair.chunk = 1;
    pair.act(B, |session, now| session.start(now));
    pair.act(A, |session, now| session.start(now));
    pair.run(seconds(200));
    assert_eq!((pair.ups_and_downs(A), pair.ups_and_downs(B)), ((1, 0), (1, 0)));
}

#[test]
fn keepalives_go_out_every_third_of_the_hold_time_with_jitter() {
    let mut pair = Pair::established(SessionConfig { hold_time: 30, ..speaker(1) }, passive(2));
    let from = pair.now;
    pair.run(seconds(1000));
    let times: Vec<Instant> =
        pair.sides[A].sent.iter().filter(|(at, _)| *at > from).map(|(at, _)| *at).collect();
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (7500..=10_000).contains(&gap.as_millis())), "{gaps:?}");
    assert!(gaps.windows(2).any(|pair| pair[0] != pair[1]));
    assert_eq!(pair.ups_and_downs(A), (1, 0));
}

#[test]
fn an_update_of_ours_puts_the_keepalive_off() {
    let mut pair = Pair::established(SessionConfig { hold_time: 30, ..speaker(1) }, passive(2));
    let from = pair.now;
    for _ in 0..20 {
        pair.run(seconds(4));
        pair.inject(A, &update());
        pair.act(A, |session, now| session.update_written(now));
    }
    let later = pair.sides[A].sent.iter().filter(|(at, _)| *at > from);
    assert!(later.clone().all(|(_, kind)| *kind == MessageType::Update), "{:?}", later.collect::<Vec<_>>());
    assert_eq!(pair.ups_and_downs(B), (1, 0), "UPDATEs keep the session as well");
}

#[test]
fn a_silent_peer_is_dropped_after_the_hold_time() {
    let mut pair = Pair::established(speaker(1), passive(2));
    let last_heard = pair.now;
    pair.cut = true;
    pair.run(seconds(100));
    let (at, _) = pair.sides[A].log.iter().find(|(_, o)| matches!(o, Output::Down(_))).unwrap();
    assert!(*at - last_heard <= seconds(90));
    assert_eq!(pair.sides[A].session.last_error(), Some(&DownReason::ConnectFailed));
    assert_eq!(pair.last_down(A), Some(&DownReason::HoldTimerExpired));
    assert!(pair.sides[A].sent.iter().any(|(_, kind)| *kind == MessageType::Notification));
}

#[test]
fn a_hold_time_of_zero_needs_no_keepalives_and_never_expires() {
    let mut pair = Pair::established(speaker(1), SessionConfig { hold_time: 0, ..passive(2) });
    assert!(pair.sides.iter().all(|side| side.session.next_timeout().is_none()));
    pair.run(seconds(100_000));
    assert_eq!(pair.states(), [State::Established; 2]);
}

#[test]
fn unread_input_puts_the_hold_timer_off_until_it_is_read() {
    let mut pair = Pair::established(speaker(1), passive(2));
    pair.sides[A].stopped = true;
    pair.run(seconds(80));
    pair.sides[B].stopped = true;
    pair.run(seconds(20));
    assert!(pair.sides[A].session.next_timeout().unwrap() < pair.now, "the hold timer of A is due");
    pair.go_on(A, true);
    pair.run(seconds(1));
    pair.go_on(B, true);
    pair.run(seconds(300));
    assert_eq!((pair.ups_and_downs(A), pair.states()[A]), ((1, 0), State::Established));
}

#[test]
fn a_trickle_of_octets_without_a_message_does_not_keep_a_peer() {
    let mut pair = Pair::established(speaker(1), passive(2));
    pair.cut = true;
    let end = pair.now + seconds(91);
    while pair.now < end {
        pair.run(seconds(1));
        if let Some(id) = pair.sides[A].session.negotiated().map(|agreed| agreed.connection) {
            pair.act(A, |session, now| assert!(session.receive(now, id, &mut &[0xff][..]).is_none()));
        }
    }
    assert_eq!(pair.last_down(A), Some(&DownReason::HoldTimerExpired));
}

#[test]
fn a_peer_that_takes_nothing_is_dropped_after_the_send_hold_time() {
    let mut pair = Pair::established(SessionConfig { send_hold_time: Some(30), ..speaker(1) }, passive(2));
    pair.sides[A].stuck = true;
    pair.run(seconds(61));
    assert_eq!(pair.last_down(A), Some(&DownReason::SendHoldTimerExpired));
}

#[test]
fn progress_restarts_the_send_hold_timer_and_the_last_octet_stops_it() {
    let config = SessionConfig { send_hold_time: Some(6), ..speaker(1) };
    let mut pair = Pair::established(config, passive(2));
    for _ in 0..10 {
        pair.act(A, |session, now| session.sent(now, true));
        pair.run(seconds(5));
        assert_eq!(pair.states()[A], State::Established);
    }
    pair.act(A, |session, now| session.sent(now, false));
    pair.run(seconds(600));
    assert_eq!(pair.ups_and_downs(A), (1, 0));
}

#[test]
fn stop_sends_the_text_and_start_brings_the_session_back() {
    let mut pair = Pair::established(speaker(1), speaker(2));
    pair.act(A, |session, now| session.stop(now, shutdown()));
    assert_eq!(pair.states()[A], State::Idle);
    assert_eq!(pair.last_down(A), Some(&DownReason::AdminDown));
    pair.run(seconds(60));
    let Some(DownReason::NotificationReceived(cease)) = pair.sides[B].log.iter().find_map(|(_, o)| match o {
        Output::Down(reason) => Some(reason),
        _ => None,
    }) else {
        panic!("no Cease");
    };
    assert_eq!(cease.shutdown_text(), Some("for the test"));
    assert_eq!(pair.states()[A], State::Idle);
    assert_eq!(pair.sides[A].session.next_timeout(), None);
    pair.act(A, |session, now| session.start(now));
    pair.run(seconds(1));
    assert_eq!(pair.states(), [State::Established; 2]);
}

#[test]
fn a_stopped_session_refuses_connections_with_the_reason() {
    let mut pair = Pair::new(speaker(1), speaker(2));
    pair.act(A, |session, now| session.start(now));
    pair.run(seconds(1));
    assert_eq!(pair.states(), [State::Active, State::Idle]);
    assert_eq!(
        pair.sides[A].session.last_error(),
        Some(&DownReason::NotificationReceived(Notification::new(6, 5)))
    );
}

#[test]
fn a_lost_connection_is_replaced_after_the_retry_time() {
    let mut pair = Pair::established(speaker(1), passive(2));
    let id = pair.connection(A);
    pair.act(A, |session, now| session.disconnected(now, id));
    assert_eq!(pair.states()[A], State::Active);
    assert_eq!(pair.last_down(A), Some(&DownReason::TcpFailed));
    let from = pair.now;
    pair.run(seconds(6));
    let wait = *pair.sides[A].connects.last().unwrap() - from;
    assert!((3750..=5000).contains(&wait.as_millis()), "{wait:?}");
    assert_eq!(pair.ups_and_downs(A), (2, 1));
}

#[test]
fn retries_back_off_to_two_minutes_with_jitter() {
    let mut pair = Pair::new(speaker(1), passive(2));
    pair.cut = true;
    pair.act(A, |session, now| session.start(now));
    pair.run(seconds(1200));
    let connects = &pair.sides[A].connects;
    let gaps: Vec<u128> = connects.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
    for (gap, full) in gaps.iter().zip([5, 10, 20, 40, 80, 120, 120, 120, 120]) {
        assert!((full * 750..=full * 1000 + 20).contains(gap), "{gap} ms instead of {full} s");
    }
    assert!(gaps.len() >= 9);
}

#[test]
fn an_attempt_that_is_never_answered_is_made_again() {
    let mut session = Session::new(speaker(1), 7);
    session.start(Instant::ZERO);
    let mut gaps = Vec::new();
    let mut now = Instant::ZERO;
    for _ in 0..8 {
        assert_eq!(session.poll_output(), Some(Output::Connect));
        while session.poll_output().is_some() {}
        let next = session.next_timeout().unwrap();
        gaps.push(next - now);
        now = next;
        session.handle_timeout(now, false);
    }
    assert!(gaps.first().unwrap() <= &seconds(5) && gaps.last().unwrap() >= &seconds(90), "{gaps:?}");
}

#[test]
fn a_peer_that_keeps_refusing_is_asked_ever_less_often() {
    let mut pair = Pair::started(speaker(1), SessionConfig { peer_as: Some(crate::Asn(1)), ..passive(2) });
    pair.run(seconds(3600));
    assert!((30..=50).contains(&pair.sides[A].connects.len()), "{}", pair.sides[A].connects.len());
    assert_eq!(pair.ups_and_downs(A), (0, 0));
    assert_eq!(
        pair.last_down(A),
        Some(&DownReason::NotificationReceived(Notification::new(2, 2))),
        "what the operator needs to know stays"
    );
}

#[test]
fn a_session_that_lasted_starts_over_with_a_short_wait() {
    let mut pair = Pair::new(speaker(1), passive(2));
    pair.cut = true;
    pair.act(A, |session, now| session.start(now));
    pair.act(B, |session, now| session.start(now));
    pair.run(seconds(600));
    pair.cut = false;
    pair.run(seconds(600));
    let id = pair.connection(A);
    pair.act(A, |session, now| session.disconnected(now, id));
    let from = pair.now;
    pair.run(seconds(6));
    let wait = *pair.sides[A].connects.last().unwrap() - from;
    assert!((3750..=5000).contains(&wait.as_millis()), "{wait:?}");
    assert_eq!(pair.states(), [State::Established; 2]);
}

#[test]
fn a_session_that_is_stopped_and_started_starts_over_with_a_short_wait() {
    let mut pair = Pair::new(speaker(1), passive(2));
    pair.cut = true;
    pair.act(A, |session, now| session.start(now));
    pair.run(seconds(600));
    pair.act(A, |session, now| session.stop(now, shutdown()));
    pair.act(A, |session, now| session.start(now));
    pair.run(seconds(20));
    let [.., first, second, _] = pair.sides[A].connects[..] else { panic!("two attempts and more") };
    assert!(second - first <= seconds(6), "{:?}", second - first);
}

#[test]
fn a_reset_closes_with_the_notification_and_comes_back() {
    let mut pair = Pair::established(speaker(1), passive(2));
    let reset = Notification::cease(4, "new policy");
    pair.act(A, |session, now| session.reset(now, reset.clone()));
    assert_eq!(pair.last_down(A), Some(&DownReason::Reset(reset.clone())));
    pair.run(seconds(1));
    assert_eq!(pair.last_down(B), Some(&DownReason::NotificationReceived(reset)));
    pair.run(seconds(10));
    assert_eq!(pair.states(), [State::Established; 2]);
}

#[test]
fn with_delay_open_the_peers_open_comes_first_or_the_timer() {
    let delayed = SessionConfig { delay_open: Some(seconds(20)), ..passive(2) };
    let mut pair = Pair::started(speaker(1), delayed.clone());
    pair.run(seconds(1));
    assert_eq!(pair.states(), [State::Established; 2], "the peer's OPEN cuts the delay short");

    let mut pair = Pair::started(SessionConfig { delay_open: Some(seconds(30)), ..speaker(1) }, delayed);
    pair.run(seconds(19));
    assert_eq!(pair.states(), [State::Connect, State::Active]);
    pair.run(seconds(2));
    assert_eq!(pair.states(), [State::Established; 2]);
}

#[test]
fn updates_and_refreshes_for_our_families_reach_the_user() {
    let mut pair = Pair::established(speaker(1), passive(2));
    pair.inject(A, &update());
    for (afi, subtype) in [(1, 0), (2, 0), (25, 0), (1, 1), (1, 2), (1, 200)] {
        let mut bytes = Vec::new();
        RouteRefresh { family: Family { afi, safi: 1 }, subtype }.encode(&mut bytes);
        pair.inject(A, &bytes);
    }
    pair.run(seconds(1));
    assert_eq!((pair.sides[B].updates, pair.sides[B].refreshes), (1, 2));
    assert_eq!(pair.states(), [State::Established; 2]);
    assert_eq!(pair.sides[B].session.counters().received.get(MessageType::RouteRefresh), 6);
}
