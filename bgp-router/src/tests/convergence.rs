//! When the tables are complete for the first time.

use std::time::Duration;

use bgp_core::wire::encode;
use bgp_core::{Family, Instant};
use bgp_rib::{NextHopSource, NextHopState, RibConfig, Watch};

use super::rig::*;
use crate::CoreOutput;

const DEADLINE: Duration = Duration::from_secs(120);

fn converged(rig: &Rig) -> usize {
    rig.outputs.iter().filter(|o| matches!(o, CoreOutput::Converged)).count()
}

fn waiting_for(rig: &mut Rig, slots: Vec<u32>) {
    let now = rig.now;
    rig.core.await_end_of_rib(now, slots, Instant::ZERO + DEADLINE);
    rig.settle();
}

#[test]
fn the_last_family_of_the_last_peer_completes_the_tables() {
    let mut rig = Rig::new();
    waiting_for(&mut rig, vec![1, 2]);
    let (a, b) = (rig.up(client(1)), rig.up(client(2)));
    rig.hear(a, &ends_of_rib());
    let mut first = Vec::new();
    encode::end_of_rib(&mut first, Family::IPV6_UNICAST);
    rig.hear(b, &first);
    assert_eq!(converged(&rig), 0);
    rig.hear(b, &ends_of_rib());
    assert_eq!(converged(&rig), 1);
    rig.hear(a, &ends_of_rib());
    rig.later(DEADLINE * 2);
    assert_eq!(converged(&rig), 1, "told once");
}

#[test]
fn a_dead_peer_is_waited_for_until_the_deadline_and_no_longer() {
    let mut rig = Rig::new();
    waiting_for(&mut rig, vec![1, 2]);
    let a = rig.up(client(1));
    rig.hear(a, &ends_of_rib());
    rig.later(DEADLINE - Duration::from_secs(1));
    assert_eq!(converged(&rig), 0);
    rig.later(Duration::from_secs(1));
    assert_eq!(converged(&rig), 1);
}

#[test]
fn without_peers_to_wait_for_the_tables_are_complete_at_once() {
    let mut rig = Rig::new();
    waiting_for(&mut rig, Vec::new());
    assert_eq!(converged(&rig), 1);
}

#[test]
fn a_peer_that_is_removed_is_not_waited_for() {
    let mut rig = Rig::new();
    waiting_for(&mut rig, vec![1, 2]);
    let a = rig.up(client(1));
    rig.hear(a, &ends_of_rib());
    let now = rig.now;
    rig.core.forget(now, 2);
    rig.settle();
    assert_eq!(converged(&rig), 1);
}

#[test]
fn a_peer_that_vanished_without_a_word_leaves_no_routes() {
    let mut rig = Rig::new();
    let (a, b) = (rig.up(client(1)), rig.up(client(2)));
    rig.hear(a, &from_client(1, "10.1.0.0/16"));
    let now = rig.now;
    rig.core.forget(now, 1);
    rig.settle();
    assert!(rig.sides[b].routes().is_empty());
}

#[test]
fn routes_whose_next_hop_is_still_asked_about_are_waited_for() {
    let mut rig = Rig::with(RibConfig { next_hops: NextHopSource::Tracked, ..rib_config() });
    waiting_for(&mut rig, vec![1]);
    let a = rig.up(client(1));
    rig.hear(a, &from_client(1, "10.1.0.0/16"));
    rig.hear(a, &ends_of_rib());
    let hop = [10, 0, 0, 1].into();
    assert_eq!(rig.core.poll_watch(), Some(Watch::Start(hop)));
    assert_eq!(converged(&rig), 0, "the route may still be one for the FIB");
    let now = rig.now;
    rig.core.next_hop_changed(now, hop, NextHopState::Unreachable);
    rig.settle();
    assert_eq!(converged(&rig), 1);
}
