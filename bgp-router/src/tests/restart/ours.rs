//! We restart.

use bgp_core::Instant;
use bgp_core::fsm::{Session, State};
use bgp_core::wire::notification::cease;
use bgp_core::wire::{Capability, Open};

use super::*;
use crate::CoreOutput;

const DEADLINE: Duration = Duration::from_secs(300);
const QUIET: Duration = Duration::from_secs(10);

fn begin() -> Rig {
    let mut rig = Rig::new();
    let now = rig.now;
    rig.core.begin_restart(now, Instant::ZERO + DEADLINE);
    rig.settle();
    rig
}

fn is_over(rig: &Rig) -> bool {
    let told = rig.outputs.iter().filter(|o| matches!(o, CoreOutput::Restarted)).count();
    assert!(told <= 1 && (told == 1) != rig.core.is_restarting());
    told == 1
}

fn up(rig: &mut Rig, number: u8) -> usize {
    let index = rig.add(restarting(number));
    rig.sides[index].restart = Some(capability(false, both()));
    rig.establish(index);
    index
}

#[test]
fn it_is_over_when_every_peer_that_is_up_has_sent_its_end_of_rib() {
    let mut rig = begin();
    let [a, b] = [1, 2].map(|number| up(&mut rig, number));
    rig.later(QUIET);
    rig.hear(a, &ends_of_rib());
    assert!(!is_over(&rig));
    rig.hear(b, &ends_of_rib());
    assert!(is_over(&rig));
}

#[test]
fn routes_go_out_at_once_and_end_of_rib_when_it_is_over() {
    let mut rig = begin();
    let [a, b] = [1, 2].map(|number| up(&mut rig, number));
    rig.hear(a, &from_client(1, "10.1.0.0/16"));
    rig.hear(a, &ends_of_rib());
    assert_eq!(rig.sides[b].routes().len(), 1);
    rig.later(QUIET);
    assert!([a, b].iter().all(|side| rig.sides[*side].ends_of_rib().is_empty()));
    rig.hear(b, &from_client(2, "10.2.0.0/16"));
    rig.hear(b, &ends_of_rib());
    for side in [a, b] {
        let markers = rig.sides[side].ends_of_rib();
        assert_eq!((rig.sides[side].routes().len(), markers.len()), (1, 2));
    }
    let late = up(&mut rig, 3);
    assert_eq!(rig.sides[late].ends_of_rib().len(), 2, "who comes later need not wait");
}

#[test]
fn a_peer_that_is_dead_or_dies_holds_nobody_up() {
    let mut rig = begin();
    rig.add(restarting(9));
    let [a, b] = [1, 2].map(|number| up(&mut rig, number));
    rig.later(QUIET);
    rig.hear(a, &ends_of_rib());
    assert!(!is_over(&rig));
    rig.cut(b);
    assert!(is_over(&rig));
}

#[test]
fn a_session_that_has_just_come_up_may_not_be_the_last() {
    let mut rig = begin();
    let a = up(&mut rig, 1);
    rig.hear(a, &ends_of_rib());
    rig.later(QUIET - SECOND);
    let b = up(&mut rig, 2);
    rig.hear(b, &ends_of_rib());
    rig.later(QUIET - SECOND);
    assert!(!is_over(&rig));
    rig.later(SECOND);
    assert!(is_over(&rig));
}

#[test]
fn who_comes_up_late_but_first_is_waited_for() {
    let mut rig = begin();
    rig.later(QUIET * 3);
    assert!(!is_over(&rig));
    let a = up(&mut rig, 1);
    rig.hear(a, &ends_of_rib());
    rig.later(QUIET);
    assert!(is_over(&rig));
}

#[test]
fn it_is_over_at_the_deadline_in_any_case() {
    let mut rig = begin();
    up(&mut rig, 1);
    rig.later(DEADLINE - SECOND);
    assert!(!is_over(&rig));
    rig.later(SECOND);
    assert!(is_over(&rig));
}

#[test]
fn peers_without_end_of_rib_and_restarted_ones_are_not_waited_for() {
    let mut rig = begin();
    let a = rig.add(restarting(1));
    rig.sides[a].restart = None;
    rig.establish(a);
    let b = rig.add(restarting(2));
    rig.sides[b].restart = Some(GracefulRestart { restarted: true, ..capability(false, both()) });
    rig.establish(b);
    rig.later(QUIET);
    assert!(is_over(&rig));
}

fn r_bit(open: &Open) -> Option<bool> {
    open.capabilities.iter().find_map(|capability| match capability {
        Capability::GracefulRestart(restart) => Some(restart.restarted),
        _ => None,
    })
}

#[test]
fn our_opens_say_what_is_configured_and_that_we_have_restarted() {
    let mut rig = Rig::new();
    let a = rig.add(lasting(1));
    let now = rig.now;
    let side = &mut rig.sides[a];
    side.peer.set_restarting(now, true);
    let said = |session: &Session| session.our_open().capabilities.clone();
    let family = |family| RestartFamily { family, forwarding: true };
    let expected = GracefulRestart {
        restarted: true,
        notification: true,
        restart_time: 120,
        families: both().iter().map(family).collect(),
    };
    assert!(said(side.peer.session()).contains(&Capability::GracefulRestart(expected)));
    let stale_time = 86_400;
    let family = |family| LongLived { family, forwarding: true, stale_time };
    let expected = Capability::LongLivedGracefulRestart(both().iter().map(family).collect());
    assert!(said(side.peer.session()).contains(&expected));
    side.peer.reconfigure(now, restarting(1));
    assert_eq!(r_bit(&side.peer.session().our_open()), Some(true), "another setting does not change that");
    side.peer.set_restarting(now, false);
    assert_eq!(r_bit(&side.peer.session().our_open()), Some(false));
}

#[test]
fn without_settings_we_promise_end_of_rib_and_nothing_else() {
    let rig_peer = client(1).session(&identity());
    assert_eq!(rig_peer.graceful_restart, Some(GracefulRestart::default()));
    assert_eq!(rig_peer.long_lived, None);
}

#[test]
fn a_peer_that_keeps_our_routes_is_left_without_a_word_when_we_stop_to_come_back() {
    let mut rig = Rig::new();
    let a = up(&mut rig, 1);
    let b = rig.add(restarting(2));
    rig.sides[b].restart = None;
    rig.establish(b);
    let now = rig.now;
    for side in &mut rig.sides {
        side.peer.stop_for_restart(now);
    }
    rig.settle();
    for side in &rig.sides {
        assert!(side.closed && side.peer.session().state() == State::Idle);
    }
    assert_eq!(rig.sides[a].notification(), None);
    let said = rig.sides[b].notification().unwrap();
    assert_eq!((said.code, said.subcode), (Notification::CEASE, cease::ADMINISTRATIVE_RESET));
}
