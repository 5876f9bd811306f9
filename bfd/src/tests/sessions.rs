use std::time::Duration;

use super::pair::{Pair, timers};
use crate::packet::Packet;
use crate::session::{Event, Failure, Session};
use crate::state::{Diagnostic, State};

const FAST: u64 = 100;

fn fast_pair(seed: u64) -> Pair {
    Pair::up([timers(FAST, 3), timers(FAST, 3)], seed)
}

fn reason(event: Event) -> Option<Diagnostic> {
    match event {
        Event::Down(failure) => Some(failure.reason),
        Event::Up | Event::PeerStopped => None,
    }
}

#[test]
fn both_come_up_within_two_seconds_and_say_so_once() {
    for seed in 0..200 {
        let mut pair = Pair::new([timers(FAST, 3), timers(300, 5)], seed);
        pair.run_ms(2000);
        let mut events: Vec<_> = pair.events.iter().map(|(_, side, event)| (*side, *event)).collect();
        events.sort_by_key(|(side, _)| *side);
        assert_eq!(events, [(0, Event::Up), (1, Event::Up)], "seed {seed}");
    }
}

#[test]
fn packets_are_a_second_apart_until_the_session_is_up() {
    let mut pair = Pair::new([timers(FAST, 3), timers(FAST, 3)], 1);
    pair.passes = [false; 2];
    pair.run_ms(20_000);
    let pauses = pair.pauses(0);
    assert!(pauses.iter().all(|ms| (750..=1000).contains(ms)), "{pauses:?}");
    assert!(pair.sent.iter().all(|sent| sent.packet.desired_min_tx == Duration::from_secs(1)));
    assert!(pair.sent.iter().all(|sent| sent.packet.required_min_rx == Duration::from_millis(FAST)));
}

#[test]
fn the_slower_side_decides_each_way() {
    let mut pair = Pair::up([timers(FAST, 3), timers(400, 5)], 2);
    pair.run_ms(10_000);
    for side in [0, 1] {
        let pauses = pair.pauses(side);
        assert!(pauses.iter().all(|ms| (300..=400).contains(ms)), "{pauses:?}");
        assert!(pauses.iter().any(|ms| *ms > 350) && pauses.iter().any(|ms| *ms < 350), "jitter: {pauses:?}");
    }
    assert_eq!(pair.sides[0].detection_time(), Duration::from_millis(5 * 400), "the peer's multiplier");
    assert_eq!(pair.sides[1].detection_time(), Duration::from_millis(3 * 400));
}

#[test]
fn a_multiplier_of_one_leaves_room_for_a_late_packet() {
    let mut pair = Pair::up([timers(FAST, 1), timers(FAST, 1)], 3);
    pair.run_ms(60_000);
    assert_eq!(pair.events, []);
    assert!(pair.pauses(0).iter().all(|ms| (75..=90).contains(ms)));
}

#[test]
fn silence_is_found_out_after_the_detection_time_and_not_before() {
    for seed in 0..100 {
        let mut pair = fast_pair(seed);
        let cut = pair.now;
        pair.passes = [true, false];
        pair.run_ms(2000);
        let (at, side, event) = pair.events[0];
        assert_eq!((side, reason(event)), (0, Some(Diagnostic::TIME_EXPIRED)));
        let after = (at - cut).as_millis();
        assert!((200..=301).contains(&after), "seed {seed}: {after} ms");
        // The other hears of it at once: its own path is good.
        let (at, side, event) = pair.events[1];
        assert_eq!((side, reason(event)), (1, Some(Diagnostic::NEIGHBOR_DOWN)));
        assert!((at - cut).as_millis() <= after + 1);
    }
}

#[test]
fn it_comes_back_with_the_path() {
    let mut pair = fast_pair(4);
    pair.passes = [false; 2];
    pair.run_ms(5000);
    assert!(pair.sides.iter().all(|side| side.state() == State::Down));
    assert!(pair.sides[0].remote().discriminator.is_none(), "what was known of it is forgotten");
    pair.passes = [true; 2];
    pair.run_ms(2500);
    assert!(pair.sides.iter().all(|side| side.state() == State::Up));
}

#[test]
fn a_lost_packet_or_two_do_not_matter() {
    for seed in 0..50 {
        let mut pair = fast_pair(seed);
        for _ in 0..20 {
            pair.passes = [false; 2];
            // The longest gap: a pause before, this, a pause behind.
            pair.run_ms(95);
            pair.passes = [true; 2];
            pair.run_ms(500);
        }
        assert_eq!(pair.events, [], "seed {seed}");
    }
}

#[test]
fn a_poll_is_answered_and_ends_with_the_answer() {
    let mut pair = Pair::new([timers(FAST, 3), timers(FAST, 3)], 5);
    pair.run_ms(10_000);
    let polls = |from| pair.sent.iter().filter(|s| s.from == from && s.packet.poll).count();
    let finals = |from| pair.sent.iter().filter(|s| s.from == from && s.packet.finish).count();
    assert!(polls(0) >= 1 && polls(1) >= 1);
    assert_eq!((finals(0), finals(1)), (polls(1), polls(0)));
    assert!(pair.sent.iter().all(|s| !(s.packet.poll && s.packet.finish)));
    let last_poll = pair.sent.iter().rfind(|s| s.packet.poll).unwrap().at;
    assert!(last_poll < Duration::from_secs(3), "{last_poll:?}");
}

#[test]
fn slower_timers_are_agreed_on_before_they_count() {
    let mut pair = fast_pair(6);
    pair.passes = [true, false];
    pair.sides[0].set_timers(timers(1000, 3));
    // No answer comes: the pace stays, and so does the time after which the peer is missed.
    pair.run_ms(180);
    assert!(pair.pauses(0).iter().all(|ms| *ms <= 100), "{:?}", pair.pauses(0));
    assert!(pair.sent.iter().any(|s| s.packet.poll && s.packet.desired_min_tx == Duration::from_secs(1)));
    pair.passes = [true; 2];
    pair.run_ms(1000);
    pair.sent.clear();
    pair.run_ms(10_000);
    assert!(pair.pauses(0).iter().all(|ms| (750..=1000).contains(ms)));
    assert!(pair.pauses(1).iter().all(|ms| (750..=1000).contains(ms)), "the peer has to slow down too");
    assert_eq!(pair.events, []);
}

#[test]
fn faster_timers_take_over_without_a_flap() {
    for seed in 0..50 {
        let mut pair = Pair::up([timers(1000, 3), timers(50, 3)], seed);
        pair.sides[0].set_timers(timers(50, 3));
        pair.run_ms(3000);
        pair.sent.clear();
        pair.run_ms(2000);
        assert!(pair.pauses(0).iter().chain(&pair.pauses(1)).all(|ms| (37..=50).contains(ms)), "seed {seed}");
        assert_eq!(pair.sides[1].detection_time(), Duration::from_millis(150));
        assert_eq!(pair.events, [], "seed {seed}");
    }
}

#[test]
fn an_operators_stop_is_no_failure() {
    let mut pair = fast_pair(7);
    let now = pair.now;
    pair.sides[1].stop(now);
    pair.run_ms(5000);
    assert_eq!(pair.events, [(now + Duration::from_millis(1), 0, Event::PeerStopped)]);
    assert!(pair.sides[1].is_over());
    assert_eq!(pair.sides[0].state(), State::Down);
    let (now, before) = (pair.now, pair.events.len());
    pair.sides[1].start(now);
    pair.run_ms(3000);
    let after: Vec<_> = pair.events[before..].iter().map(|(_, _, event)| *event).collect();
    assert_eq!(after, [Event::Up, Event::Up]);
}

#[test]
fn a_stop_is_repeated_at_the_pace_of_the_session_until_it_is_heard() {
    let mut pair = fast_pair(8);
    let now = pair.now;
    pair.passes = [true, false];
    pair.sides[1].stop(now);
    pair.run_ms(190);
    assert!(!pair.sides[1].is_over());
    pair.passes = [true; 2];
    pair.run_ms(101);
    assert!(matches!(pair.events[..], [(_, 0, Event::PeerStopped)]), "{:?}", pair.events);
    assert!(pair.sides[1].is_over());
}

#[test]
fn a_peer_that_starts_again_is_noticed_at_once() {
    let mut pair = fast_pair(9);
    let restarted = Session::new(pair.now, 77.try_into().unwrap(), timers(FAST, 3), 9);
    pair.sides[1] = restarted;
    pair.run_ms(50);
    let [(_, 0, first), (_, 0, Event::Up), (_, 1, Event::Up)] = pair.events[..] else {
        panic!("{:?}", pair.events);
    };
    assert_eq!(reason(first), Some(Diagnostic::NEIGHBOR_DOWN));
    pair.run_ms(3000);
    assert!(pair.sides.iter().all(|side| side.state() == State::Up));
}

/// Even if the next one is up before anybody looks.
#[test]
fn a_failure_tells_of_the_session_that_failed() {
    let mut pair = fast_pair(11);
    let (up_since, independent) = (pair.sides[0].since(), true);
    pair.run_ms(500);
    let said = pair.sent.iter().rfind(|sent| sent.from == 1).unwrap().packet;
    let (heard, failed) = (pair.now, pair.now + Duration::from_millis(40));
    let side = &mut pair.sides[0];
    side.receive(heard, &said);
    let begun = Packet { state: State::Down, control_plane_independent: independent, ..said };
    for state in [State::Down, State::Init, State::Up] {
        side.receive(failed, &Packet { state, ..begun });
    }
    let failure = Failure { reason: Diagnostic::NEIGHBOR_DOWN, up_since, heard_up: Some(heard), independent };
    assert_eq!(
        [side.event(), side.event(), side.event()],
        [Some(Event::Down(failure)), Some(Event::Up), None]
    );
}

#[test]
fn a_peer_that_wants_nothing_is_sent_nothing() {
    let mut pair = fast_pair(10);
    pair.run_ms(200);
    let said = pair.sent.iter().find(|sent| sent.from == 1).unwrap();
    let mut quiet = said.packet;
    quiet.required_min_rx = Duration::ZERO;
    let mut side = pair.sides[0].clone();
    side.receive(pair.now, &quiet);
    assert_eq!(side.transmit(pair.now + Duration::from_secs(5)), None);
    // An answer is no periodic packet.
    quiet.poll = true;
    side.receive(pair.now, &quiet);
    assert!(side.transmit(pair.now).unwrap().finish);
}

#[test]
fn nothing_is_planned_for_a_time_that_is_over() {
    for seed in 0..20 {
        let mut pair = fast_pair(seed);
        for _ in 0..1000 {
            pair.run_ms(7);
            assert!(pair.sides.iter().all(|side| side.next_timeout().is_none_or(|at| at > pair.now)));
        }
    }
}

#[test]
fn what_the_peer_said_while_it_was_up_is_known_after_it_fell_silent() {
    let mut pair = fast_pair(5);
    assert!(!pair.sides[0].is_independent(), "ours ends with the routing daemon, and says so");
    pair.run_ms(1000);
    let from_peer = pair.sent.iter().rfind(|sent| sent.from == 1).unwrap().packet;
    let now = pair.now;
    pair.sides[0].receive(now, &Packet { control_plane_independent: true, ..from_peer });
    pair.passes = [true, false];
    pair.run_ms(2000);
    assert_eq!((pair.sides[0].state(), pair.sides[0].is_independent()), (State::Down, true));
    let (_, 0, Event::Down(failure)) = pair.events[0] else { panic!("{:?}", pair.events) };
    assert!(failure.independent);
    assert!(
        failure.heard_up.is_some_and(|at| at >= now && at <= now + Duration::from_millis(1)),
        "not later"
    );
}
