//! Peers that keep rejecting us, each in its way: how often they are asked in an hour.
//!
//! With the shortest wait there is, one second, the waits after failures in a row are 1, 2, 4 … 64 and then 120 seconds,
//! less a jitter of up to a quarter. So an hour holds at most the first attempt, seven within the first 95 s, and one each
//! 90 s after: 47. A session that lasts two minutes earns the short wait back, and is asked for at most each 120.75 s. So
//! [`BOUND`] holds for every way to reject. It is checked at the daemon's default of five seconds too.

use super::super::*;
use super::pair::{seconds, shutdown, speaker};
use super::solo::{Solo, keepalive, open_of};
use crate::wire::notification::cease;

/// No more attempts than this in an hour.
const BOUND: usize = 48;
/// The most timeouts, beside attempts: KEEPALIVEs and pauses.
const WAKE_UPS: usize = 1000;

/// What the peer does with an attempt of ours.
type Rejection = fn(&mut Solo);

fn connected(solo: &mut Solo) -> ConnectionId {
    solo.up(Direction::Outgoing)
}

fn established(solo: &mut Solo) -> ConnectionId {
    let id = connected(solo);
    solo.hear(id, &[open_of(&speaker(2)), keepalive()].concat());
    id
}

fn notify(solo: &mut Solo, id: ConnectionId, code: u8, subcode: u8) {
    let mut bytes = Vec::new();
    Notification::new(code, subcode).encode(&mut bytes);
    solo.hear(id, &bytes);
}

/// Attempts in an hour, and how many times the timers were handled.
fn hour(connect_retry: u64, mut reject: impl FnMut(&mut Solo)) -> (usize, usize) {
    let config = SessionConfig { connect_retry: seconds(connect_retry), ..speaker(1) };
    let mut solo = Solo { session: Session::new(config, 5), ..Solo::new(speaker(1)) };
    let end = solo.now + seconds(3600);
    solo.session.start(solo.now);
    let (mut attempts, mut wake_ups) = (0, 0);
    loop {
        // A rejection at once may lead to the next attempt at once; that would never end.
        while solo.outputs().contains(&Output::Connect) {
            attempts += 1;
            reject(&mut solo);
            assert!(attempts < 10_000, "the session is hot");
        }
        let Some(next) = solo.session.next_timeout().filter(|next| *next < end) else { break };
        assert!(next > solo.now, "a timer is due again at once");
        solo.later(next - solo.now);
        wake_ups += 1;
    }
    (attempts, wake_ups)
}

fn check(name: &str, at_least: usize, reject: impl Fn(&mut Solo)) {
    for connect_retry in [0, 1, 5, 120] {
        let (attempts, wake_ups) = hour(connect_retry, &reject);
        assert!((at_least..=BOUND).contains(&attempts), "{name} at {connect_retry} s: {attempts} attempts");
        assert!(wake_ups <= WAKE_UPS, "{name} at {connect_retry} s: {wake_ups} wake-ups");
    }
}

#[test]
fn a_peer_that_refuses_the_connection() {
    check("refused", 25, |solo| solo.session.connect_failed(solo.now));
}

#[test]
fn a_peer_that_never_answers() {
    check("unanswered", 25, |_| ());
}

#[test]
fn a_peer_that_accepts_and_closes() {
    check("closed", 25, |solo| {
        let id = connected(solo);
        solo.session.disconnected(solo.now, id);
    });
}

#[test]
fn a_peer_that_accepts_and_stays_silent() {
    check("silent", 9, |solo| {
        connected(solo);
    });
}

#[test]
fn a_peer_that_answers_our_open_with_a_notification() {
    for (code, subcode) in
        [(1, 1), (2, 0), (2, 1), (2, 2), (2, 3), (2, 5), (2, 6), (2, 7), (2, 11), (5, 1), (99, 9)]
    {
        check(&format!("{code}/{subcode}"), 25, |solo| {
            let id = connected(solo);
            notify(solo, id, code, subcode);
        });
    }
}

#[test]
fn a_peer_that_answers_our_open_with_a_cease() {
    for subcode in 0..=cease::BFD_DOWN + 1 {
        check(&format!("6/{subcode}"), 25, |solo| {
            let id = connected(solo);
            notify(solo, id, 6, subcode);
        });
    }
}

#[test]
fn a_peer_that_sends_its_open_and_closes() {
    check("OPEN, closed", 25, |solo| {
        let id = connected(solo);
        solo.hear(id, &open_of(&speaker(2)));
        solo.session.disconnected(solo.now, id);
    });
}

#[test]
fn a_peer_that_refuses_in_open_confirm() {
    for (code, subcode) in [(2, 2), (6, 5), (6, 7)] {
        check("OPEN, refused", 25, |solo| {
            let id = connected(solo);
            solo.hear(id, &open_of(&speaker(2)));
            notify(solo, id, code, subcode);
        });
    }
}

#[test]
fn a_peer_that_sends_its_open_and_no_keepalive() {
    check("OPEN, silent", 15, |solo| {
        let id = connected(solo);
        solo.hear(id, &open_of(&speaker(2)));
    });
}

#[test]
fn a_peer_whose_open_we_refuse() {
    check("bad OPEN", 25, |solo| {
        let id = connected(solo);
        solo.hear(id, &open_of(&SessionConfig { local_as: crate::Asn(1), ..speaker(2) }));
    });
}

#[test]
fn a_peer_that_talks_another_protocol() {
    check("HTTP", 25, |solo| {
        let id = connected(solo);
        solo.hear(id, b"HTTP/1.1 400 Bad Request\r\n");
    });
}

#[test]
fn a_peer_that_establishes_and_resets() {
    check("up, closed", 25, |solo| {
        let id = established(solo);
        solo.session.disconnected(solo.now, id);
    });
    for subcode in 0..=cease::BFD_DOWN {
        check("up, Cease", 25, |solo| {
            let id = established(solo);
            notify(solo, id, 6, subcode);
        });
    }
    check("up, 3/1", 25, |solo| {
        let id = established(solo);
        notify(solo, id, 3, 1);
    });
}

#[test]
fn a_peer_whose_routes_we_refuse() {
    let endings: [Rejection; 3] = [
        |solo| solo.session.reset(solo.now, Notification::new(3, 1)),
        |solo| solo.session.reset(solo.now, Notification::new(6, cease::MAX_PREFIXES)),
        |solo| solo.session.reset(solo.now, Notification::new(6, cease::CONFIGURATION_CHANGE)),
    ];
    for end in endings {
        check("up, reset by us", 25, |solo| {
            established(solo);
            end(solo);
        });
    }
}

#[test]
fn a_peer_that_lasts_two_minutes_and_resets() {
    check("two minutes", 15, |solo| {
        let id = established(solo);
        for _ in 0..6 {
            solo.later(seconds(20));
            solo.hear(id, &keepalive());
        }
        solo.session.disconnected(solo.now, id);
    });
}

#[test]
fn a_peer_that_rejects_us_and_connects_itself_all_the_time() {
    check("both ways", 15, |solo| {
        let id = solo.up(Direction::Incoming);
        solo.hear(id, b"x");
        solo.session.connect_failed(solo.now);
        let id = solo.up(Direction::Incoming);
        solo.session.disconnected(solo.now, id);
    });
}

#[test]
fn an_operator_who_stops_and_starts_is_obeyed_at_once() {
    let mut solo = Solo::new(speaker(1));
    for _ in 0..5 {
        solo.session.connect_failed(solo.now);
        solo.session.stop(solo.now, shutdown());
        solo.session.start(solo.now);
        assert!(solo.outputs().contains(&Output::Connect));
    }
}
