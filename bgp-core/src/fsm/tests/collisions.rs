//! Two connections to one peer (RFC 4271 section 6.8), and peers that restart.

use std::time::Duration;

use super::super::*;
use super::pair::{A, B, Pair, seconds, speaker};
use super::solo::{Said, Solo, keepalive, open_of, said};
use crate::Asn;

const COLLISION: Said = Said::Notification(6, 7, Vec::new());

/// Who opened the connection that was kept, as each side sees it.
fn kept(pair: &Pair) -> [Direction; 2] {
    [A, B].map(|side| pair.sides[side].session.negotiated().unwrap().direction)
}

#[test]
fn two_active_sessions_keep_the_connection_of_the_higher_identifier() {
    for (a, b) in [(1, 2), (2, 1), (1, 0xffff_ffff), (0xffff_ffff, 0xffff_fffe)] {
        let pair = Pair::established(speaker(a), speaker(b));
        let expected = match a > b {
            true => [Direction::Outgoing, Direction::Incoming],
            false => [Direction::Incoming, Direction::Outgoing],
        };
        assert_eq!(kept(&pair), expected, "{a} and {b}");
        assert_eq!((pair.ups_and_downs(A), pair.ups_and_downs(B)), ((1, 0), (1, 0)), "{a} and {b}");
    }
}

#[test]
fn equal_identifiers_of_different_ases_are_told_apart_by_the_as() {
    let side = |asn, peer| SessionConfig { local_as: Asn(asn), peer_as: Some(Asn(peer)), ..speaker(7) };
    let pair = Pair::established(side(64512, 64513), side(64513, 64512));
    assert_eq!(kept(&pair), [Direction::Incoming, Direction::Outgoing]);
}

#[test]
fn active_sessions_come_up_at_the_first_try_whatever_their_head_start() {
    for (a, b) in [(1, 2), (2, 1)] {
        for head_start in 0..200 {
            let mut pair = Pair::new(speaker(a), speaker(b));
            pair.hesitation[B] = Duration::from_millis(head_start);
            pair.act(A, |session, now| session.start(now));
            pair.act(B, |session, now| session.start(now));
            pair.run(seconds(3));
            let ups = (pair.ups_and_downs(A), pair.ups_and_downs(B));
            assert_eq!(ups, ((1, 0), (1, 0)), "{a} {b} after {head_start} ms");
        }
    }
}

#[test]
fn an_open_on_the_worse_connection_waits_for_the_better_one() {
    let mut solo = Solo::new(speaker(9));
    let better = solo.up(Direction::Outgoing);
    let worse = solo.up(Direction::Incoming);
    solo.outputs();
    solo.hear(worse, &[open_of(&speaker(2)), keepalive()].concat());
    assert_eq!(solo.outputs(), [], "our KEEPALIVE is held back");
    solo.hear(better, &open_of(&speaker(2)));
    let outputs = solo.outputs();
    assert_eq!(said(&outputs, worse), [COLLISION, Said::Closed]);
    assert_eq!(said(&outputs, better), [Said::Keepalive]);
}

#[test]
fn the_worse_connection_goes_on_when_the_better_one_is_lost() {
    let mut solo = Solo::new(speaker(9));
    let better = solo.up(Direction::Outgoing);
    let worse = solo.up(Direction::Incoming);
    solo.hear(worse, &[open_of(&speaker(2)), keepalive()].concat());
    solo.outputs();
    solo.session.disconnected(solo.now, better);
    assert_eq!(said(&solo.outputs(), worse), [Said::Keepalive]);
    assert_eq!(solo.session.negotiated().map(|agreed| agreed.connection), Some(worse));
}

#[test]
fn the_worse_connection_does_not_wait_for_ever() {
    let mut solo = Solo::new(speaker(9));
    let better = solo.up(Direction::Outgoing);
    let worse = solo.up(Direction::Incoming);
    solo.hear(worse, &[open_of(&speaker(2)), keepalive()].concat());
    solo.outputs();
    solo.later(seconds(2));
    let outputs = solo.outputs();
    assert_eq!(said(&outputs, worse), [Said::Keepalive]);
    assert_eq!(said(&outputs, better), [COLLISION, Said::Closed]);
    assert_eq!(solo.session.state(), State::Established);
}

#[test]
fn in_open_confirm_the_worse_connection_is_refused_and_the_better_one_replaces() {
    let mut solo = Solo::new(speaker(9));
    let better = solo.up(Direction::Outgoing);
    solo.hear(better, &open_of(&speaker(2)));
    let worse = solo.up(Direction::Incoming);
    solo.outputs();
    solo.hear(worse, &open_of(&speaker(2)));
    assert_eq!(said(&solo.outputs(), worse), [COLLISION, Said::Closed]);

    let mut solo = Solo::new(speaker(1));
    let worse = solo.up(Direction::Outgoing);
    solo.hear(worse, &open_of(&speaker(2)));
    let better = solo.up(Direction::Incoming);
    solo.outputs();
    solo.hear(better, &open_of(&speaker(2)));
    let outputs = solo.outputs();
    assert_eq!(said(&outputs, worse), [COLLISION, Said::Closed]);
    assert_eq!(said(&outputs, better), [Said::Keepalive]);
}

#[test]
fn without_graceful_restart_the_established_connection_stays_and_is_probed() {
    let plain = |id| SessionConfig { graceful_restart: None, ..speaker(id) };
    for (ours, theirs) in [(1, 2), (2, 1)] {
        let (mut solo, old) = Solo::established(plain(ours), &plain(theirs));
        let new = solo.up(Direction::Incoming);
        solo.hear(new, &open_of(&plain(theirs)));
        let outputs = solo.outputs();
        assert_eq!(said(&outputs, new), [Said::Open, COLLISION, Said::Closed]);
        assert_eq!(said(&outputs, old), [Said::Keepalive]);
        assert_eq!(solo.session.negotiated().map(|agreed| agreed.connection), Some(old));
    }
}

#[test]
fn with_graceful_restart_a_restarted_peer_replaces_its_old_connection_silently() {
    for (ours, theirs) in [(1, 2), (2, 1)] {
        let (mut solo, old) = Solo::established(speaker(ours), &speaker(theirs));
        let new = solo.up(Direction::Incoming);
        solo.hear(new, &open_of(&speaker(theirs)));
        assert_eq!(solo.session.negotiated().map(|agreed| agreed.connection), Some(old), "until it is sure");
        solo.hear(new, &keepalive());
        let outputs = solo.outputs();
        assert_eq!(said(&outputs, old), [Said::Closed], "no NOTIFICATION");
        let told: Vec<&Output> =
            outputs.iter().filter(|o| matches!(o, Output::Down(_) | Output::Established(_))).collect();
        assert!(matches!(told[..], [Output::Down(DownReason::PeerRestarted), Output::Established(_)]));
        assert_eq!(solo.session.negotiated().map(|agreed| agreed.connection), Some(new));
    }
}

#[test]
fn a_connection_that_comes_to_nothing_does_no_harm_to_the_established_one() {
    let endings: [fn(&mut Solo, ConnectionId); 4] = [
        |solo, id| solo.session.disconnected(solo.now, id),
        |solo, id| solo.hear(id, b"GET / HTTP/1.1\r\n"),
        |solo, id| {
            solo.hear(id, &open_of(&speaker(2)));
            solo.session.disconnected(solo.now, id);
        },
        |solo, id| solo.hear(id, &open_of(&SessionConfig { local_as: Asn(1), ..speaker(2) })),
    ];
    for end in endings {
        let (mut solo, old) = Solo::established(speaker(1), &speaker(2));
        let new = solo.up(Direction::Incoming);
        end(&mut solo, new);
        let outputs = solo.outputs();
        assert!(!outputs.iter().any(|o| matches!(o, Output::Down(_) | Output::Failed(_) | Output::Connect)));
        assert_eq!(solo.session.negotiated().map(|agreed| agreed.connection), Some(old));
        assert_eq!(solo.session.last_error(), None);
    }
}

#[test]
fn a_peer_that_crashed_and_came_back_is_up_again_within_seconds() {
    let mut pair = Pair::established(SessionConfig { passive: true, ..speaker(1) }, speaker(2));
    pair.crash(B);
    pair.run(seconds(5));
    pair.act(B, |session, now| session.start(now));
    pair.run(seconds(1));
    assert_eq!(pair.states(), [State::Established; 2]);
    assert_eq!(pair.ups_and_downs(A), (2, 1));
}

#[test]
fn a_new_connection_of_the_peer_replaces_one_that_got_stuck() {
    let mut solo = Solo::new(SessionConfig { passive: true, ..speaker(1) });
    let stuck = solo.up(Direction::Incoming);
    let fresh = solo.up(Direction::Incoming);
    assert_eq!(said(&solo.outputs(), stuck), [Said::Open, COLLISION, Said::Closed]);
    solo.hear(fresh, &[open_of(&speaker(2)), keepalive()].concat());
    assert_eq!(solo.session.state(), State::Established);
}

#[test]
fn a_silent_connection_of_the_peer_does_not_keep_us_from_connecting() {
    let mut solo = Solo::new(speaker(1));
    solo.up(Direction::Incoming);
    solo.session.connect_failed(solo.now);
    solo.outputs();
    solo.later(seconds(5));
    assert!(solo.outputs().contains(&Output::Connect));
}

#[test]
fn a_connection_of_ours_that_is_lost_is_tried_again_beside_a_silent_one_of_the_peer() {
    let mut solo = Solo::new(speaker(1));
    let ours = solo.up(Direction::Outgoing);
    solo.up(Direction::Incoming);
    solo.session.disconnected(solo.now, ours);
    solo.outputs();
    solo.later(seconds(5));
    assert!(solo.outputs().contains(&Output::Connect));
}

#[test]
fn a_late_connection_of_ours_is_closed_once_the_session_is_established() {
    let (mut solo, old) = Solo::established(speaker(1), &speaker(2));
    let late = solo.up(Direction::Outgoing);
    assert_eq!(said(&solo.outputs(), late), [Said::Closed]);
    assert_eq!(solo.session.negotiated().map(|agreed| agreed.connection), Some(old));
}

#[test]
fn sessions_of_one_pair_of_nodes_over_two_addresses_never_collide() {
    // IPv4 and IPv6 between the same two nodes: the same identifiers, a Session for each pair of addresses.
    let mut pairs = [(); 2].map(|()| Pair::started(speaker(1), speaker(2)));
    for pair in &mut pairs {
        pair.run(seconds(300));
        assert_eq!(pair.states(), [State::Established; 2]);
        assert_eq!((pair.ups_and_downs(A), pair.ups_and_downs(B)), ((1, 0), (1, 0)));
    }
}
