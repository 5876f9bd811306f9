//! Who is sent what when routes move between sources.

use super::*;
use crate::filter::Policy;

/// Clients 5, 6 and 7, past their End-of-RIB.
fn three_clients() -> World {
    let mut world = World::clients(GroupLimits::default());
    for slot in 5..=7 {
        world.up(slot);
    }
    settle(&mut world);
    world
}

fn settle(world: &mut World) {
    world.flush();
    world.drain();
}

/// Per slot 5 to 7 the announcements and withdrawals received so far.
fn counts(world: &World) -> [(usize, usize); 3] {
    [5, 6, 7].map(|slot| (world.receiver(slot).announced, world.receiver(slot).withdrawn))
}

#[test]
fn a_route_is_not_sent_to_the_peer_it_came_from() {
    let mut world = three_clients();
    world.announce(5, v4(1), 1);
    world.announce(5, v6(1), 1);
    settle(&mut world);
    assert_eq!(counts(&world), [(0, 0), (2, 0), (2, 0)]);
    assert_eq!(world.groups[0].advertised(world.id(5).unwrap(), V4::FAMILY), 0);
    assert_eq!(world.groups[0].advertised(world.id(6).unwrap(), V4::FAMILY), 1);
}

#[test]
fn a_withdrawal_reaches_every_peer_that_had_the_route() {
    let mut world = three_clients();
    world.announce(5, v4(1), 1);
    settle(&mut world);
    world.withdraw(5, v4(1));
    settle(&mut world);
    assert_eq!(counts(&world), [(0, 0), (1, 1), (1, 1)]);
}

#[test]
fn a_peer_whose_route_becomes_best_loses_what_it_was_sent() {
    let mut world = three_clients();
    world.announce(5, v4(1), 1);
    settle(&mut world);
    world.announce(6, v4(1), 2);
    settle(&mut world);
    assert_eq!(counts(&world), [(1, 0), (1, 1), (2, 0)]);
    world.check();
}

#[test]
fn a_source_that_is_no_member_leaves_the_messages_to_all() {
    let mut world = three_clients();
    world.up(1);
    for (number, slot) in [(1, 1), (2, 0)] {
        world.announce(slot, v4(number), 1);
    }
    world.flush();
    let slices = world.take(5, usize::MAX);
    assert_eq!(slices.len(), 1, "one entry for all");
    assert_eq!(world.receiver(5).announced, 2);
}

#[test]
fn a_change_that_is_undone_before_the_flush_sends_nothing() {
    let mut world = three_clients();
    world.announce(5, v4(1), 1);
    settle(&mut world);
    let before = world.groups[0].counters();
    world.announce(6, v4(1), 2);
    world.withdraw(6, v4(1));
    world.announce(7, v4(2), 1);
    world.withdraw(7, v4(2));
    settle(&mut world);
    assert_eq!(world.groups[0].counters(), before);
}

#[test]
fn withdrawals_of_a_flush_come_before_its_announcements() {
    let mut world = three_clients();
    world.announce(5, v4(1), 1);
    settle(&mut world);
    world.announce(5, v4(2), 1);
    world.withdraw(5, v4(1));
    world.flush();
    let bytes = world.take(6, usize::MAX).concat();
    let first = frame(&bytes, MAX_LEN as usize).unwrap().unwrap();
    assert_eq!(first.body, [0, 4, 24, 10, 0, 1, 0, 0], "withdraw 10.0.1.0/24");
}

#[test]
fn a_new_session_of_a_peer_is_not_the_old_one() {
    let mut world = three_clients();
    world.announce(5, v4(1), 1);
    settle(&mut world);
    let old = world.id(5).unwrap();
    world.down(5);
    world.up(5);
    world.announce(6, v4(2), 1);
    world.check();
    assert_eq!(world.groups[0].advertised(old, V4::FAMILY), 0);
    assert_eq!(world.receiver(5).routes.len(), 1);
}

#[test]
fn without_an_export_policy_nothing_is_sent_but_end_of_rib() {
    let mut world = World::clients(GroupLimits::default());
    let silent = GroupKey { export: Policy::Reject, ..key(TargetKind::External) };
    world.groups = vec![Group::new(silent, CONTEXT, GroupLimits::default(), 1)];
    world.up(1);
    world.announce(0, v4(1), 1);
    settle(&mut world);
    assert_eq!((world.receiver(1).announced, world.receiver(1).ends.len()), (0, 2));
}

#[test]
fn a_route_that_needs_an_unknown_own_next_hop_is_held_back_and_counted() {
    let mut world = World::clients(GroupLimits::default());
    let no_v6 = GroupKey { local_v6: None, ..key(TargetKind::External) };
    world.groups = vec![Group::new(no_v6, CONTEXT, GroupLimits::default(), 1)];
    world.up(1);
    world.announce(0, v4(1), 1);
    world.announce(0, v6(1), 1);
    settle(&mut world);
    assert_eq!(world.receiver(1).routes.keys().collect::<Vec<_>>(), [&v4(1)]);
    assert_eq!(world.groups[0].counters().no_next_hop, 1);
}

#[test]
fn a_route_whose_attributes_outgrow_the_message_is_withdrawn_and_counted() {
    let mut world = three_clients();
    world.announce(5, v4(1), 1);
    settle(&mut world);
    let mut huge = vec![0xd0, 200, 0x0f, 0xe0];
    huge.extend([0; 0x0fe0]);
    world.announce_with(5, v4(1), 1, &huge);
    settle(&mut world);
    assert_eq!(counts(&world), [(0, 0), (1, 1), (1, 1)]);
    assert_eq!(world.groups[0].counters().too_long, 1);
}

#[test]
fn five_hundred_peers_that_each_announce_a_prefix_are_handed_two_slices_each() {
    let mut world = World::clients(GroupLimits::default());
    for slot in 5..505 {
        world.up(slot);
    }
    settle(&mut world);
    for slot in 5..505 {
        world.announce(slot, v4(slot), slot);
    }
    world.flush();
    for slot in 5..505 {
        assert!(world.take(slot, usize::MAX).len() <= 2, "before and after its own entry");
        assert_eq!(world.receiver(slot).announced, 499);
    }
    assert_eq!(world.groups[0].counters().messages, 500);
}
