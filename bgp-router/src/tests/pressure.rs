//! Peers that take nothing, and what that costs.

use std::time::Duration;

use bgp_core::fsm::DownReason;

use super::rig::*;
use crate::core::{SENDS, WINDOW};
use crate::{PeerEvent, ToPeer};

/// One chunk more than the window may be under way: the last one that still began inside it.
const CHUNK: usize = 64 * 1024;

#[test]
fn a_peer_that_takes_nothing_holds_a_window_and_its_group_goes_on() {
    let mut rig = Rig::new();
    let (source, stuck, quick) = (rig.up(client(1)), rig.up(client(2)), rig.up(client(3)));
    rig.sides[stuck].stuck = true;
    rig.hear(source, &many(1, 80_000));
    assert_eq!(rig.sides[quick].routes().len(), 80_000);
    let held = rig.sides[stuck].peer.queue(rig.sides[stuck].connection).unwrap().octets();
    assert!((WINDOW..=WINDOW + CHUNK).contains(&held), "{held}");
    rig.sides[stuck].stuck = false;
    rig.settle();
    assert_eq!(rig.sides[stuck].routes().len(), 80_000, "what it did not take is not lost");
}

#[test]
fn small_sends_are_bounded_by_number_and_none_is_lost() {
    let mut rig = Rig::new();
    let (source, slow) = (rig.up(client(1)), rig.up(client(2)));
    rig.sides[slow].held = true;
    for i in 0..4 * SENDS as u8 {
        rig.hear(source, &from_client(1, &format!("10.1.{i}.0/24")));
    }
    assert_eq!(rig.sides[slow].inbox.len(), SENDS);
    rig.sides[slow].held = false;
    rig.settle();
    assert_eq!(rig.sides[slow].routes().len(), 4 * SENDS);
}

#[test]
fn what_waits_for_a_peer_that_restarts_stays_within_its_channel() {
    let mut rig = Rig::new();
    let (source, slow) = (rig.up(client(1)), rig.up(client(2)));
    rig.sides[slow].held = true;
    for i in 0..2 * SENDS as u8 {
        rig.hear(source, &from_client(1, &format!("10.1.{i}.0/24")));
    }
    // The peer comes back before it looked at what was sent to its last session.
    rig.establish(slow);
    for i in 0..2 * SENDS as u8 {
        rig.hear(source, &from_client(1, &format!("10.2.{i}.0/24")));
    }
    let waiting = rig.sides[slow].inbox.len();
    assert!(waiting > SENDS && waiting <= crate::core::CHANNEL, "{waiting}");
    rig.sides[slow].held = false;
    rig.settle();
    assert_eq!(rig.sides[slow].routes().len(), 4 * SENDS);
}

#[test]
fn a_session_cut_short_gives_its_whole_window_back() {
    let mut rig = Rig::new();
    let (source, stuck) = (rig.up(client(1)), rig.up(client(2)));
    rig.hear(source, &many(1, 60_000));
    for _ in 0..3 {
        rig.sides[stuck].stuck = true;
        rig.cut(stuck);
        rig.establish(stuck);
        rig.sides[stuck].stuck = false;
        rig.settle();
        assert_eq!(rig.sides[stuck].routes().len(), 60_000);
    }
}

#[test]
fn news_for_a_stuck_peer_do_not_put_off_its_end() {
    let mut rig = Rig::new();
    let (source, stuck) = (rig.up(client(1)), rig.up(client(2)));
    rig.sides[stuck].stuck = true;
    for i in 0..9u8 {
        for index in [source, stuck] {
            let mut keepalive = Vec::new();
            bgp_core::wire::header::write_keepalive(&mut keepalive);
            rig.hear(index, &keepalive);
        }
        rig.hear(source, &from_client(1, &format!("10.1.{i}.0/24")));
        rig.later(Duration::from_secs(60));
    }
    let dropped = |e: &PeerEvent| matches!(e, PeerEvent::Down(DownReason::SendHoldTimerExpired));
    assert!(rig.sides[stuck].events.iter().any(dropped));
    assert!(!rig.sides[source].closed);
}

#[test]
fn nothing_for_the_core_is_said_of_a_send_to_a_session_that_ended() {
    let mut rig = Rig::new();
    let (source, slow) = (rig.up(client(1)), rig.up(client(2)));
    rig.sides[slow].held = true;
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    rig.cut(slow);
    let said = rig.sides[slow].said.len();
    assert!(matches!(rig.sides[slow].inbox[..], [ToPeer::Send { .. }]));
    rig.sides[slow].held = false;
    rig.settle();
    assert_eq!(rig.sides[slow].said.len(), said);
}
