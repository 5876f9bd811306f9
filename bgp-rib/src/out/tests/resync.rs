//! Joining, falling behind, and asking again.

use super::*;

const SHORT: GroupLimits =
    GroupLimits { journal: 2000, tombstones: 1 << 20, window: 10, slice: 1 << 15, ahead: 1 << 20 };

fn filled(limits: GroupLimits, routes: u32) -> World {
    let mut world = World::clients(limits);
    for number in 0..routes {
        world.announce(0, v4(number), number % 50);
    }
    world
}

#[test]
fn a_joiner_gets_every_route_once_and_then_end_of_rib() {
    let mut world = filled(GroupLimits::default(), 100);
    world.announce(0, v6(1), 1);
    world.up(5);
    assert!(world.take(5, usize::MAX).is_empty(), "nothing before the flush");
    world.flush();
    world.take(5, usize::MAX);
    let receiver = world.receiver(5);
    assert_eq!((receiver.announced, receiver.withdrawn), (101, 0));
    assert_eq!(receiver.ends, [V4::FAMILY, V6::FAMILY]);
}

#[test]
fn end_of_rib_is_sent_for_every_family_even_if_there_is_no_route() {
    let mut world = World::clients(GroupLimits::default());
    world.up(5);
    world.flush();
    world.take(5, usize::MAX);
    assert_eq!((world.receiver(5).messages, &world.receiver(5).ends[..]), (2, &[V4::FAMILY, V6::FAMILY][..]));
}

#[test]
fn peers_that_join_in_one_tick_share_what_is_written() {
    let mut world = filled(GroupLimits::default(), 1000);
    for slot in 5..105 {
        world.up(slot);
    }
    world.flush();
    world.drain();
    let once = world.groups[0].counters();
    assert_eq!((once.messages, once.rewrites), (50, 50));
    assert!((5..105).all(|slot| world.receiver(slot).announced == 1000));
    world.check();
}

#[test]
fn a_shared_walk_leaves_out_the_source_of_each_route() {
    let mut world = World::clients(GroupLimits::default());
    for slot in 5..=6 {
        world.up(slot);
        world.announce(slot, v4(slot), 1);
    }
    world.flush();
    world.drain();
    assert_eq!(world.receiver(5).routes.keys().collect::<Vec<_>>(), [&v4(6)]);
    assert_eq!(world.receiver(6).routes.keys().collect::<Vec<_>>(), [&v4(5)]);
    assert_eq!((world.receiver(5).withdrawn, world.receiver(6).withdrawn), (0, 0));
}

#[test]
fn a_route_that_changes_during_a_walk_is_sent_once_and_before_end_of_rib() {
    let mut world = filled(GroupLimits { window: 10, ..GroupLimits::default() }, 100);
    world.up(5);
    world.flush();
    world.take(5, 1);
    let walked = world.receiver(5).announced;
    assert!(walked > 0 && walked < 100);
    // One that was sent already, one that was not, and one that goes.
    world.announce(0, v4(0), 3);
    world.announce(0, v4(90), 3);
    world.withdraw(0, v4(91));
    world.flush();
    world.take(5, usize::MAX);
    let receiver = world.receiver(5);
    assert_eq!((receiver.announced, receiver.withdrawn), (98 + 1 + 1, 1));
    world.check();
}

#[test]
fn end_of_rib_waits_for_what_changed_during_the_walk() {
    let mut world = filled(GroupLimits { window: 10, ..GroupLimits::default() }, 100);
    world.up(5);
    world.flush();
    world.take(5, 1);
    for number in 0..100 {
        world.announce(0, v4(number), 60 + number % 30);
    }
    world.flush();
    while world.receiver(5).ends.is_empty() {
        assert!(!world.take(5, 1).is_empty());
    }
    assert_eq!(world.receiver(5).routes.len(), 100);
}

#[test]
fn a_laggard_of_a_shared_walk_goes_on_alone_and_loses_nothing() {
    let mut world = filled(SHORT, 1000);
    world.up(5);
    world.up(6);
    world.flush();
    world.take(6, 500);
    world.take(5, usize::MAX);
    assert_eq!(world.receiver(5).announced, 1000);
    assert!(world.groups[0].queued_bytes() <= SHORT.journal + 1000);
    world.take(6, usize::MAX);
    let again = world.receiver(6).announced - 1000;
    assert!(again <= SHORT.window, "{again} sent twice, at most a window");
    world.check();
}

#[test]
fn a_peer_that_takes_nothing_costs_the_table_and_not_the_events() {
    let mut world = filled(SHORT, 100);
    world.up(5);
    world.up(6);
    world.flush();
    world.drain();
    for round in 1..200 {
        for number in 0..100 {
            world.announce(0, v4(number), (number + round) % 50);
        }
        world.flush();
        world.take(6, usize::MAX);
        assert!(world.groups[0].queued_bytes() <= SHORT.journal);
    }
    assert!(world.groups[0].lag(world.id(5).unwrap()).walking);
    let before = world.receiver(5).announced;
    world.take(5, usize::MAX);
    assert_eq!(world.receiver(5).announced - before, 100);
    world.check();
}

#[test]
fn a_detached_peer_is_sent_the_withdrawals_it_missed() {
    let mut world = filled(SHORT, 600);
    world.up(5);
    world.up(6);
    world.flush();
    world.drain();
    for number in 0..600 {
        world.withdraw(0, v4(number));
    }
    world.flush();
    world.announce(0, v4(1), 1);
    world.flush();
    world.take(6, usize::MAX);
    assert_eq!(world.groups[0].tombstones(), 599);
    world.take(5, usize::MAX);
    assert_eq!(world.receiver(5).routes.len(), 1);
    world.flush();
    assert_eq!(world.groups[0].tombstones(), 0);
    assert_eq!(world.groups[0].next_flush(), None);
}

#[test]
fn tombstones_last_while_a_peer_has_not_read_the_withdrawal() {
    let mut world = filled(GroupLimits::default(), 3);
    world.up(5);
    world.flush();
    world.drain();
    world.withdraw(0, v4(1));
    world.flush();
    assert_eq!(world.groups[0].tombstones(), 1);
    assert!(world.groups[0].next_flush().is_some(), "the group looks again");
    world.take(5, usize::MAX);
    world.flush();
    assert_eq!(world.groups[0].tombstones(), 0);
}

#[test]
fn too_many_tombstones_give_up_the_peer_that_fell_behind_first() {
    let mut world = filled(GroupLimits { tombstones: 100, ..SHORT }, 80);
    for slot in 5..=7 {
        world.up(slot);
    }
    world.flush();
    world.drain();
    for lot in 0..6 {
        for number in 0..80 {
            world.announce(0, v4(number), 70 + (lot + number) % 20);
        }
        world.flush();
        world.take(7, usize::MAX);
        if lot == 0 {
            world.take(6, usize::MAX);
        }
    }
    for first in [0, 100] {
        assert_eq!(world.groups[0].poll_reset(), None);
        for number in first..first + 80 {
            world.announce(0, v4(number), 1);
        }
        world.flush();
        world.take(7, usize::MAX);
        for number in first..first + 80 {
            world.withdraw(0, v4(number));
        }
        world.flush();
        world.take(7, usize::MAX);
    }
    let reset: Vec<u32> = std::iter::from_fn(|| world.groups[0].poll_reset()).map(|id| id.slot).collect();
    assert_eq!(reset.first(), Some(&5));
    assert!(!reset.contains(&7));
    assert!(world.take(5, usize::MAX).is_empty());
    world.down(5);
    world.up(5);
    world.down(6);
    world.check();
}

#[test]
fn a_peer_that_is_too_many_entries_behind_is_given_up() {
    let mut world = filled(SHORT, 100);
    world.up(5);
    world.up(6);
    world.flush();
    world.drain();
    let is_given_up = (0..2000).any(|round| {
        world.announce(0, v4(1), round % 50);
        world.flush();
        world.take(6, usize::MAX);
        world.groups[0].poll_reset().is_some_and(|peer| peer.slot == 5)
    });
    assert!(is_given_up);
    world.down(5);
    world.check();
}

#[test]
fn a_refresh_sends_a_family_again_and_nothing_else() {
    let mut world = filled(GroupLimits::default(), 20);
    world.announce(0, v6(1), 1);
    world.up(5);
    world.flush();
    world.drain();
    world.refresh(5, V4::FAMILY);
    assert!(world.groups[0].has_pending(world.id(5).unwrap()));
    world.take(5, usize::MAX);
    let receiver = world.receiver(5);
    assert_eq!((receiver.announced, receiver.withdrawn), (21 + 20, 0));
    assert_eq!(receiver.ends, [V4::FAMILY, V6::FAMILY], "which is for what comes first (RFC 4724)");
}

#[test]
fn a_refresh_keeps_the_place_in_the_journal() {
    let mut world = filled(GroupLimits::default(), 20);
    world.up(5);
    world.flush();
    world.drain();
    world.withdraw(0, v4(3));
    world.announce(0, v6(1), 1);
    world.flush();
    world.refresh(5, V4::FAMILY);
    world.take(5, usize::MAX);
    assert_eq!((world.receiver(5).withdrawn, world.receiver(5).announced), (1, 20 + 19 + 1));
    world.check();
}

#[test]
fn a_refresh_asked_for_during_a_walk_follows_it() {
    let mut world = filled(GroupLimits { window: 5, ..GroupLimits::default() }, 20);
    world.up(5);
    world.flush();
    world.take(5, 1);
    world.refresh(5, V4::FAMILY);
    world.take(5, usize::MAX);
    assert_eq!(world.receiver(5).announced, 40);
    world.check();
}

#[test]
fn a_closed_group_lets_the_tables_have_their_destinations_back() {
    let mut world = filled(GroupLimits::default(), 20);
    world.up(5);
    world.flush();
    for number in 0..20 {
        world.withdraw(0, v4(number));
    }
    let mut group = world.groups.remove(0);
    group.close(&mut TablesMut {
        v4: &mut world.v4,
        v6: &mut world.v6,
        peers: &world.peers,
        aggregates: None,
    });
    world.v4.reclaim(|_| false);
    assert_eq!(world.v4.next_dest(crate::DestId::FIRST), None);
}

#[test]
fn a_reader_that_announces_a_route_itself_loses_the_one_it_still_holds() {
    let mut world = World::clients(SHORT);
    world.up(6);
    world.up(8);
    world.announce(6, v6(1), 1);
    world.flush();
    world.drain();
    // So much for 8 that it falls off the journal, and the route is gone when its walk begins.
    for number in 0..600 {
        world.announce(0, v4(number), number % 50);
    }
    world.withdraw(6, v6(1));
    world.flush();
    world.take(8, 1);
    assert!(world.groups[0].lag(world.id(8).unwrap()).walking);
    world.announce(8, v6(1), 1);
    world.flush();
    world.take(8, usize::MAX);
    assert!(!world.receiver(8).routes.contains_key(&v6(1)));
    world.check();
}

#[test]
fn a_peer_without_families_is_sent_nothing() {
    let mut world = filled(GroupLimits::default(), 3);
    let no_families = GroupKey { families: FamilySet::EMPTY, ..key(TargetKind::Client) };
    world.groups = vec![Group::new(no_families, CONTEXT, GroupLimits::default(), 1)];
    world.up(5);
    world.announce(0, v4(1), 2);
    world.flush();
    assert!(world.take(5, usize::MAX).is_empty());
    assert!(!world.groups[0].is_dirty(V4::FAMILY, crate::DestId::FIRST));
}

#[test]
fn what_only_a_peer_that_left_had_to_read_is_freed() {
    let mut world = filled(GroupLimits::default(), 3);
    world.up(5);
    world.up(6);
    world.flush();
    world.drain();
    world.announce(0, v4(1), 7);
    world.flush();
    world.take(6, usize::MAX);
    assert!(world.groups[0].queued_bytes() > 0);
    world.down(5);
    assert_eq!(world.groups[0].queued_bytes(), 0);
}

#[test]
fn a_joiner_gets_the_routes_of_a_source_that_is_away_for_a_moment() {
    let mut world = World::clients(GroupLimits::default());
    world.up(5);
    world.announce(5, v4(1), 1);
    world.up(6);
    world.flush();
    world.down(5);
    // Its walk falls between the two sessions of the source. The next flush finds what it knows.
    world.take(6, usize::MAX);
    world.up(5);
    world.announce(5, v4(1), 1);
    world.check();
}

#[test]
fn a_joiner_does_not_get_routes_with_the_identifier_of_the_next_router_in_the_slot() {
    let mut world = World::clients(GroupLimits::default());
    world.up(5);
    world.announce(5, v4(1), 1);
    world.up(6);
    world.flush();
    for router_id in [Some(900), None] {
        world.down(5);
        world.up_as(5, router_id);
        world.announce(5, v4(1), 1);
        world.take(6, usize::MAX);
    }
    world.check();
}
