//! One session alone, fed by hand.

use std::time::Duration;

use super::super::*;
use super::pair::{seconds, shutdown, speaker};
use crate::wire::MessageType;
use crate::wire::header::{MAX_LEN, write_keepalive};
use crate::wire::{Open, frame};

pub(super) struct Solo {
    pub(super) session: Session,
    pub(super) now: Instant,
    pub(super) connections: u64,
}

/// What a session said on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Open,
    Keepalive,
    Notification(u8, u8, Vec<u8>),
    Closed,
}

impl Solo {
    /// A session that was started.
    pub(super) fn new(config: SessionConfig) -> Solo {
        let mut session = Session::new(config, 3);
        session.start(Instant::ZERO);
        let mut solo = Solo { session, now: Instant::ZERO, connections: 0 };
        solo.outputs();
        solo
    }

    /// A session with one connection that is established.
    pub(super) fn established(config: SessionConfig, peer: &SessionConfig) -> (Solo, ConnectionId) {
        let mut solo = Solo::new(config);
        let id = solo.up(Direction::Incoming);
        solo.hear(id, &open_of(peer));
        solo.hear(id, &keepalive());
        solo.outputs();
        assert_eq!(solo.session.state(), State::Established);
        (solo, id)
    }

    pub(super) fn up(&mut self, direction: Direction) -> ConnectionId {
        self.connections += 1;
        let id = ConnectionId(self.connections);
        self.session.connected(self.now, id, direction);
        id
    }

    pub(super) fn hear(&mut self, id: ConnectionId, bytes: &[u8]) {
        let mut input = bytes;
        while self.session.receive(self.now, id, &mut input).is_some() {}
    }

    pub(super) fn later(&mut self, time: Duration) {
        self.now += time;
        self.session.handle_timeout(self.now, false);
    }

    pub(super) fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.session.poll_output()).collect()
    }
}

/// What the outputs say on one connection.
pub(super) fn said(outputs: &[Output], id: ConnectionId) -> Vec<Said> {
    let said = |output: &Output| match output {
        Output::Close(closed) if *closed == id => Some(Said::Closed),
        Output::Send(to, bytes) if *to == id => {
            let message = frame(bytes, MAX_LEN).unwrap().unwrap();
            Some(match message.kind {
                MessageType::Open => Said::Open,
                MessageType::Keepalive => Said::Keepalive,
                MessageType::Notification => {
                    let n = Notification::parse(message.body).unwrap();
                    Said::Notification(n.code, n.subcode, n.data)
                }
                other => panic!("a session writes no {other}"),
            })
        }
        _ => None,
    };
    outputs.iter().filter_map(said).collect()
}

pub(super) fn open_message(open: &Open) -> Vec<u8> {
    let mut bytes = Vec::new();
    open.encode(&mut bytes);
    bytes
}

/// The OPEN that a session with this configuration sends.
pub(super) fn open_of(config: &SessionConfig) -> Vec<u8> {
    open_message(&negotiate::our_open(config))
}

pub(super) fn keepalive() -> Vec<u8> {
    let mut bytes = Vec::new();
    write_keepalive(&mut bytes);
    bytes
}

#[test]
fn timers_are_set_only_while_they_mean_something() {
    let mut solo = Solo::new(speaker(1));
    assert!(solo.session.next_timeout().unwrap() <= solo.now + seconds(5));
    solo.up(Direction::Outgoing);
    assert_eq!(solo.session.next_timeout(), Some(solo.now + seconds(240)), "time for the peer's OPEN");
    solo.session.stop(solo.now, shutdown());
    assert_eq!(solo.session.next_timeout(), None);
}

#[test]
fn a_session_stopped_while_it_connects_or_pauses_does_nothing_more() {
    let mut connects = Solo::new(speaker(1));
    let mut pauses = Solo::new(speaker(1));
    let id = pauses.up(Direction::Incoming);
    pauses.hear(id, b"x");
    assert_eq!((connects.session.state(), pauses.session.state()), (State::Connect, State::Idle));
    for solo in [&mut connects, &mut pauses] {
        solo.session.stop(solo.now, shutdown());
        solo.outputs();
        assert_eq!(solo.session.next_timeout(), None);
        solo.later(seconds(300));
        assert_eq!((solo.outputs(), solo.session.state()), (vec![], State::Idle));
    }
}

#[test]
fn an_attempt_of_ours_is_forgotten_once_the_peers_connection_is_established() {
    let without_hold = SessionConfig { hold_time: 0, ..speaker(1) };
    let (mut solo, id) = Solo::established(without_hold, &speaker(2));
    assert_eq!(solo.session.next_timeout(), None, "no retry is due");
    solo.session.disconnected(solo.now, id);
    assert_eq!(solo.session.state(), State::Active, "not Connect");
}

#[test]
fn a_fault_on_the_peers_connection_gives_up_our_own_attempt() {
    let mut solo = Solo::new(speaker(1));
    let id = solo.up(Direction::Incoming);
    solo.hear(id, b"x");
    solo.later(seconds(5));
    assert!(solo.outputs().contains(&Output::Connect), "a new attempt, after the pause");
    assert_eq!(solo.session.state(), State::Connect);

    let mut solo = Solo::new(speaker(1));
    let id = solo.up(Direction::Incoming);
    solo.hear(id, b"x");
    let error = solo.session.last_error().cloned();
    solo.session.connect_failed(solo.now);
    assert_eq!(solo.session.last_error(), error.as_ref(), "the answer to the old one says nothing any more");
}

#[test]
fn in_open_confirm_the_negotiated_hold_time_runs() {
    let mut solo = Solo::new(SessionConfig { passive: true, ..speaker(1) });
    let id = solo.up(Direction::Incoming);
    solo.hear(id, &open_of(&SessionConfig { hold_time: 9, ..speaker(2) }));
    assert_eq!(solo.session.state(), State::OpenConfirm);
    solo.outputs();
    solo.later(seconds(9));
    assert_eq!(said(&solo.outputs(), id), [Said::Notification(4, 0, vec![]), Said::Closed]);
    assert_eq!(solo.session.last_error(), Some(&DownReason::HoldTimerExpired));
}

#[test]
fn a_passive_session_that_becomes_active_connects() {
    let passive = SessionConfig { passive: true, ..speaker(1) };
    let mut solo = Solo::new(passive);
    assert_eq!((solo.session.state(), solo.session.next_timeout()), (State::Active, None));
    solo.session.set_config(solo.now, speaker(1));
    assert!(solo.outputs().iter().any(|o| matches!(o, Output::Connect)));
    assert_eq!(solo.session.state(), State::Connect);
}

#[test]
fn an_attempt_that_a_passive_session_gave_up_is_made_again_when_it_becomes_active() {
    let mut solo = Solo::new(speaker(1));
    solo.session.set_config(solo.now, SessionConfig { passive: true, ..speaker(1) });
    assert_eq!(solo.session.state(), State::Active);
    solo.later(seconds(5));
    assert_eq!(solo.session.next_timeout(), None);
    solo.outputs();
    solo.session.set_config(solo.now, speaker(1));
    assert!(solo.outputs().contains(&Output::Connect));
    assert!(solo.session.next_timeout().is_some());
}

#[test]
fn a_session_that_becomes_active_while_it_is_idle_or_up_connects_when_it_may() {
    let passive = || SessionConfig { passive: true, ..speaker(1) };
    let mut stopped = Solo::new(passive());
    stopped.session.stop(stopped.now, shutdown());
    stopped.session.set_config(stopped.now, speaker(1));
    assert_eq!((stopped.session.state(), stopped.session.next_timeout()), (State::Idle, None));

    let (mut up, id) = Solo::established(passive(), &speaker(2));
    up.session.set_config(up.now, speaker(1));
    assert!(!up.outputs().iter().any(|o| matches!(o, Output::Connect)));
    up.session.disconnected(up.now, id);
    up.later(seconds(6));
    assert!(up.outputs().iter().any(|o| matches!(o, Output::Connect)));

    let mut damped = Solo::new(passive());
    let id = damped.up(Direction::Incoming);
    damped.hear(id, &[0; 19]);
    assert_eq!(damped.session.state(), State::Idle);
    damped.session.set_config(damped.now, speaker(1));
    damped.later(seconds(10));
    assert!(damped.outputs().iter().any(|o| matches!(o, Output::Connect)));
}

#[test]
fn a_shorter_connect_retry_cuts_the_wait_short() {
    let slow = SessionConfig { connect_retry: seconds(100), ..speaker(1) };
    let mut solo = Solo::new(slow.clone());
    solo.session.connect_failed(solo.now);
    assert!(solo.session.next_timeout().unwrap() >= solo.now + seconds(75));
    solo.session.set_config(solo.now, SessionConfig { connect_retry: seconds(2), ..slow });
    assert!(solo.session.next_timeout().unwrap() <= solo.now + seconds(4), "twice, after one failure");
}

#[test]
fn what_waits_longer_does_not_put_the_send_hold_timer_off() {
    let config = SessionConfig { send_hold_time: Some(20), hold_time: 0, ..speaker(1) };
    let (mut solo, _) = Solo::established(config, &speaker(2));
    solo.session.queued(solo.now);
    solo.later(seconds(15));
    solo.session.queued(solo.now);
    solo.later(seconds(6));
    assert_eq!(solo.session.last_error(), Some(&DownReason::SendHoldTimerExpired));
}

#[test]
fn no_attempt_begins_before_the_pause_after_a_fault_is_over() {
    let slow = SessionConfig { connect_retry: seconds(120), ..speaker(1) };
    let fast = SessionConfig { connect_retry: seconds(1), ..speaker(1) };
    let passive = SessionConfig { passive: true, ..slow.clone() };
    for (before, after) in [(slow.clone(), fast), (passive, slow)] {
        let mut solo = Solo::new(before);
        let id = solo.up(Direction::Incoming);
        solo.hear(id, b"x");
        solo.session.set_config(solo.now, after);
        solo.outputs();
        while !solo.outputs().contains(&Output::Connect) {
            let next = solo.session.next_timeout().unwrap();
            solo.later(next - solo.now);
        }
        assert_eq!(solo.session.state(), State::Connect);
    }
}

#[test]
fn what_counts_is_what_our_open_said() {
    let offering = SessionConfig { enhanced_refresh: true, ..speaker(1) };
    for delay_open in [None, Some(seconds(9))] {
        let mut solo = Solo::new(SessionConfig { passive: true, delay_open, ..offering.clone() });
        let id = solo.up(Direction::Incoming);
        let other = SessionConfig { extended_message: false, hold_time: 0, ..speaker(1) };
        solo.session.set_config(solo.now, other);
        solo.hear(id, &open_of(&SessionConfig { router_id: crate::RouterId(2), ..offering.clone() }));
        solo.hear(id, &keepalive());
        let agreed = solo.session.negotiated().unwrap();
        assert!(agreed.extended_message && agreed.enhanced_refresh);
        assert_eq!(agreed.hold_time, 90);
    }
}

#[test]
fn a_session_that_lasted_is_not_damped_for_failures_before_it() {
    let mut solo = Solo::new(SessionConfig { passive: true, ..speaker(1) });
    for _ in 0..4 {
        let id = solo.up(Direction::Incoming);
        solo.session.disconnected(solo.now, id);
        solo.later(seconds(120));
    }
    let id = solo.up(Direction::Incoming);
    solo.hear(id, &open_of(&SessionConfig { hold_time: 0, ..speaker(2) }));
    solo.hear(id, &keepalive());
    assert_eq!(solo.session.state(), State::Established);
    solo.session.sent(solo.now, false);
    solo.later(seconds(120));
    solo.session.disconnected(solo.now, id);
    assert_eq!(solo.session.state(), State::Active, "the peer may come back at once");
}

#[test]
fn a_session_keeps_the_send_hold_time_that_it_began_with() {
    let config = SessionConfig { send_hold_time: Some(20), hold_time: 0, ..speaker(1) };
    let (mut solo, _) = Solo::established(config.clone(), &speaker(2));
    solo.session.set_config(solo.now, SessionConfig { send_hold_time: Some(0), ..config });
    solo.session.queued(solo.now);
    solo.later(seconds(20));
    assert_eq!(solo.session.last_error(), Some(&DownReason::SendHoldTimerExpired));
}
