//! Hold times, those of our peers and those of ours (RFC 4271 sections 4.2 and 6.2), and the send hold time (RFC 9687).

use super::super::*;
use super::pair::{seconds, speaker};
use super::solo::{Said, Solo, keepalive, open_of, said};

/// What a session with a hold time of 90 s says to a peer that proposes this one.
fn proposed(hold_time: u16) -> (Solo, ConnectionId, Vec<Said>) {
    let mut solo = Solo::new(SessionConfig { passive: true, ..speaker(1) });
    let id = solo.up(Direction::Incoming);
    solo.outputs();
    solo.hear(id, &open_of(&SessionConfig { hold_time, ..speaker(2) }));
    let answer = said(&solo.outputs(), id);
    (solo, id, answer)
}

#[test]
fn a_hold_time_of_zero_runs_no_timer_once_the_session_is_up() {
    let (mut solo, id, answer) = proposed(0);
    assert_eq!(answer, [Said::Keepalive]);
    let opening = solo.now + seconds(240);
    assert_eq!(solo.session.next_timeout(), Some(opening), "in OpenConfirm the time for the OPENs runs on");
    solo.hear(id, &keepalive());
    assert_eq!(
        solo.session.negotiated().map(|agreed| (agreed.hold_time, agreed.keepalive)),
        Some((0, seconds(0)))
    );
    assert_eq!(solo.session.next_timeout(), None, "in Established");
    solo.outputs();
    solo.later(seconds(1_000_000));
    assert_eq!((solo.outputs(), solo.session.state()), (vec![], State::Established));
}

#[test]
fn without_a_hold_time_a_peer_that_never_confirms_is_still_given_up() {
    let (mut solo, id, _) = proposed(0);
    solo.later(seconds(240));
    assert_eq!(said(&solo.outputs(), id), [Said::Notification(4, 0, vec![]), Said::Closed]);
}

#[test]
fn a_peer_has_the_configured_time_for_its_open() {
    let mut solo = Solo::new(SessionConfig { open_time: seconds(30), passive: true, ..speaker(1) });
    let id = solo.up(Direction::Incoming);
    solo.outputs();
    solo.later(seconds(29));
    assert!(solo.outputs().is_empty());
    solo.later(seconds(1));
    assert_eq!(said(&solo.outputs(), id), [Said::Notification(4, 0, vec![]), Said::Closed]);
}

#[test]
fn a_hold_time_of_one_second_is_refused() {
    assert_eq!(proposed(1).2, [Said::Notification(2, 6, vec![]), Said::Closed]);
}

#[test]
fn a_hold_time_of_two_seconds_is_refused() {
    assert_eq!(proposed(2).2, [Said::Notification(2, 6, vec![]), Said::Closed]);
}

#[test]
fn a_hold_time_of_three_seconds_is_accepted_with_a_keepalive_each_second() {
    let (mut solo, id, answer) = proposed(3);
    assert_eq!(answer, [Said::Keepalive]);
    solo.hear(id, &keepalive());
    solo.outputs();
    let end = solo.now + seconds(3);
    let mut keepalives = 0;
    while let Some(next) = solo.session.next_timeout().filter(|next| *next < end) {
        let gap = next - solo.now;
        assert!((750..=1000).contains(&gap.as_millis()), "{gap:?}");
        solo.later(gap);
        keepalives += said(&solo.outputs(), id).len();
    }
    assert!((2..=4).contains(&keepalives), "{keepalives}");
    solo.later(end - solo.now);
    assert_eq!(
        said(&solo.outputs(), id).last_chunk(),
        Some(&[Said::Notification(4, 0, vec![]), Said::Closed])
    );
    assert_eq!(solo.session.last_error(), Some(&DownReason::HoldTimerExpired));
}

#[test]
fn our_shorter_hold_time_is_the_one_that_counts() {
    let ours = SessionConfig { hold_time: 3, ..speaker(1) };
    let (solo, _) = Solo::established(ours, &speaker(2));
    assert_eq!(solo.session.negotiated().map(|agreed| agreed.hold_time), Some(3));
}

/// A session whose peer takes nothing from now on, and how long it lasts.
fn stuck(config: SessionConfig) -> Option<(u64, Vec<Said>, Solo)> {
    let (mut solo, id) = Solo::established(SessionConfig { hold_time: 0, ..config }, &speaker(2));
    solo.session.queued(solo.now);
    let due = solo.session.next_timeout()?;
    let wait = due - solo.now;
    solo.later(wait);
    let said = said(&solo.outputs(), id);
    Some((wait.as_secs(), said, solo))
}

#[test]
fn a_peer_that_takes_nothing_for_eight_minutes_is_told_and_closed() {
    let (wait, said, solo) = stuck(speaker(1)).unwrap();
    assert_eq!((wait, said), (480, vec![Said::Notification(8, 0, vec![]), Said::Closed]));
    assert_eq!(solo.session.state(), State::Idle);
    assert_eq!(solo.session.counters().notifications_sent.iter().find(|(code, _)| *code == 8), Some((8, 1)));
}

#[test]
fn the_send_hold_time_can_be_set_and_switched_off() {
    let with = |seconds| SessionConfig { send_hold_time: Some(seconds), ..speaker(1) };
    assert_eq!(stuck(with(20)).map(|(wait, ..)| wait), Some(20));
    assert!(stuck(with(0)).is_none());
}

// RFC 9687: the local system logs the error by its name. Whoever logs has it from here.
#[test]
fn the_end_of_the_send_hold_time_is_told_by_the_name_of_its_error() {
    let (_, _, solo) = stuck(speaker(1)).unwrap();
    let name = Notification::new(Notification::SEND_HOLD_TIMER_EXPIRED, 0).to_string();
    assert_eq!(solo.session.last_error().unwrap().to_string(), name.to_lowercase());
}

#[test]
fn before_the_session_is_up_nothing_of_ours_has_to_be_taken() {
    let mut solo = Solo::new(SessionConfig { passive: true, send_hold_time: Some(1), ..speaker(1) });
    let id = solo.up(Direction::Incoming);
    solo.session.queued(solo.now);
    solo.later(seconds(2));
    solo.hear(id, &open_of(&speaker(2)));
    solo.session.queued(solo.now);
    solo.later(seconds(2));
    assert_eq!(solo.session.state(), State::OpenConfirm);
}
