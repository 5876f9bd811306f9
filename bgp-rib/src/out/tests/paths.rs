//! Several paths to a destination.

use std::num::NonZeroU16;

use super::*;

const PREFIX: u32 = 1;

/// One group of clients that take several IPv4 paths; 5 and 6 are past their End-of-RIB.
fn clients(advertise: Advertise) -> World {
    let add_path = FamilySet::EMPTY.with(V4::FAMILY);
    of_kind(GroupKey { advertise, add_path, ..key(TargetKind::Client) }, &[5, 6])
}

fn of_kind(key: GroupKey, slots: &[u32]) -> World {
    let mut world = World::with_keys([key], GroupLimits::default());
    slots.iter().for_each(|slot| _ = world.up(*slot));
    settle(&mut world);
    world
}

fn settle(world: &mut World) {
    world.flush();
    world.drain();
}

/// The source and the id of each path to the destination that a peer is sent.
fn sent(world: &World, slot: u32) -> Vec<(u32, u32)> {
    let Some(dest) = world.dest(v4(PREFIX)) else { return Vec::new() };
    let id = world.id(slot).unwrap();
    let paths = world.groups[0].sent_paths(id, V4::FAMILY, dest);
    paths.map(|path| (path.source.slot, path.path_id.unwrap().0)).collect()
}

#[test]
fn every_path_goes_out_but_to_its_source() {
    let mut world = clients(Advertise::All);
    world.up(7);
    for (slot, number) in [(7, 3), (6, 2), (0, 1)] {
        world.announce(slot, v4(PREFIX), number);
    }
    settle(&mut world);
    assert_eq!(sent(&world, 5), [(7, 1), (6, 2), (0, 3)], "the better, the smaller");
    assert_eq!(sent(&world, 6), [(7, 1), (0, 3)]);
    let ids = [5, 6, 7].map(|slot| world.receiver(slot).ids(v4(PREFIX)));
    assert_eq!(ids, [vec![1, 2, 3], vec![1, 3], vec![2, 3]]);
    world.check();
}

#[test]
fn several_paths_of_one_source_each_have_an_id() {
    let mut world = clients(Advertise::All);
    for id in 0..3 {
        world.announce_path(6, v4(PREFIX), id, 1, &[], true);
    }
    settle(&mut world);
    assert_eq!(world.receiver(5).ids(v4(PREFIX)), [1, 2, 3]);
    assert!(world.receiver(6).paths.is_empty());
    assert_eq!(world.groups[0].advertised(world.id(6).unwrap(), V4::FAMILY), 0);
    world.check();
}

#[test]
fn paths_keep_their_ids_while_others_come_and_go() {
    let mut world = clients(Advertise::All);
    world.announce(0, v4(PREFIX), 1);
    world.announce(6, v4(PREFIX), 2);
    settle(&mut world);
    assert_eq!(sent(&world, 5), [(6, 1), (0, 2)]);
    world.announce(0, v4(PREFIX), 5);
    settle(&mut world);
    assert_eq!(sent(&world, 5), [(6, 1), (0, 2)], "better now, the same id");
    world.withdraw(6, v4(PREFIX));
    settle(&mut world);
    assert_eq!(sent(&world, 5), [(0, 2)]);
    world.announce_path(6, v4(PREFIX), 9, 7, &[], true);
    settle(&mut world);
    assert_eq!(sent(&world, 5), [(6, 1), (0, 2)], "an id that was given back is used again");
    world.check();
}

#[test]
fn an_id_is_used_again_before_all_have_read_that_it_was_given_back() {
    let mut world = clients(Advertise::All);
    world.announce(6, v4(PREFIX), 1);
    settle(&mut world);
    world.withdraw(6, v4(PREFIX));
    world.flush();
    assert_eq!(world.groups[0].tombstones(), 1);
    world.announce(0, v4(PREFIX), 1);
    world.flush();
    assert_eq!((sent(&world, 5), world.groups[0].tombstones()), (vec![(0, 1)], 0));
    world.check();
}

#[test]
fn a_path_that_replaces_another_takes_its_id_without_a_withdrawal() {
    let mut world = clients(Advertise::All);
    world.announce(6, v4(PREFIX), 1);
    settle(&mut world);
    world.withdraw(6, v4(PREFIX));
    world.announce(5, v4(PREFIX), 2);
    settle(&mut world);
    assert_eq!(sent(&world, 6), [(5, 1)]);
    assert_eq!((world.receiver(6).announced, world.receiver(6).withdrawn), (1, 0));
    assert_eq!(
        (world.receiver(5).announced, world.receiver(5).withdrawn),
        (1, 1),
        "its own path took the id"
    );
    world.check();
}

#[test]
fn only_what_changed_is_sent() {
    let mut world = clients(Advertise::All);
    for slot in [0, 6] {
        world.announce(slot, v4(PREFIX), 1);
    }
    settle(&mut world);
    let before = world.receiver(5).announced;
    world.announce(0, v4(PREFIX), 2);
    settle(&mut world);
    assert_eq!((world.receiver(5).announced - before, world.receiver(5).withdrawn), (1, 0));
}

#[test]
fn a_family_without_add_path_has_one_path_without_an_id() {
    let mut world = clients(Advertise::All);
    for slot in [0, 6] {
        world.announce(slot, v6(1), slot);
    }
    settle(&mut world);
    assert_eq!(world.receiver(5).routes.keys().collect::<Vec<_>>(), [&v6(1)]);
    let (id, dest) = (world.id(5).unwrap(), world.dest(v6(1)).unwrap());
    let paths: Vec<_> = world.groups[0].sent_paths(id, V6::FAMILY, dest).collect();
    assert_eq!(paths.iter().map(|p| (p.path_id, p.received)).collect::<Vec<_>>(), [(None, None)]);
    world.check();
}

#[test]
fn the_best_few_go_out_and_those_that_may_not_take_no_place() {
    let mut world = clients(Advertise::Count(NonZeroU16::new(2).unwrap()));
    let no_advertise = [0xc0, code::COMMUNITIES, 4, 0xff, 0xff, 0xff, 0x02];
    world.announce_path(0, v4(PREFIX), 0, 9, &no_advertise, true);
    world.announce_path(6, v4(PREFIX), 1, 8, &[], false);
    world.up(1);
    world.up(2);
    for (slot, number) in [(0, 3), (1, 2), (2, 1)] {
        world.announce_path(slot, v4(PREFIX), 7, number, &[], true);
    }
    settle(&mut world);
    assert_eq!(sent(&world, 5), [(0, 1), (1, 2)]);
    world.announce_path(2, v4(PREFIX), 7, 5, &[], true);
    settle(&mut world);
    assert_eq!(sent(&world, 5), [(0, 1), (2, 2)], "the one that fell out made room");
    world.check();
}

#[test]
fn paths_that_share_the_load_go_out() {
    let mut world = clients(Advertise::Ecmp);
    for (id, number) in [(0, 5), (1, 5), (2, 4)] {
        world.announce_path(6, v4(PREFIX), id, number, &[], true);
    }
    settle(&mut world);
    assert_eq!(world.receiver(5).paths.len(), 2);
    world.announce_path(6, v4(PREFIX), 2, 6, &[], true);
    settle(&mut world);
    assert_eq!(world.receiver(5).paths.len(), 1);
    for id in 3..9 {
        world.announce_path(6, v4(PREFIX), id, 6, &[], true);
    }
    settle(&mut world);
    assert_eq!(world.receiver(5).paths.len(), SHARING.max);
    world.check();
}

#[test]
fn the_best_that_may_go_out_goes_although_another_is_better() {
    for (advertise, sent) in [(Advertise::Best, false), (Advertise::BestExternal, true)] {
        let mut world = of_kind(GroupKey { advertise, ..key(TargetKind::Internal) }, &[3, 4]);
        world.up(1);
        world.announce(4, v4(PREFIX), 9);
        world.announce(1, v4(PREFIX), 1);
        settle(&mut world);
        assert_eq!(world.receiver(3).routes.contains_key(&v4(PREFIX)), sent, "{advertise:?}");
        world.withdraw(1, v4(PREFIX));
        settle(&mut world);
        assert!(world.receiver(3).routes.is_empty());
        world.check();
    }
}

#[test]
fn a_joiner_and_a_refresh_get_all_paths() {
    let mut world = clients(Advertise::All);
    for slot in [0, 6] {
        for number in 0..20 {
            world.announce(slot, v4(number), 1);
        }
    }
    settle(&mut world);
    world.up(7);
    settle(&mut world);
    assert_eq!(world.receiver(7).announced, 40);
    world.refresh(7, V4::FAMILY);
    settle(&mut world);
    assert_eq!((world.receiver(7).announced, world.receiver(7).withdrawn), (80, 0));
    world.check();
}

#[test]
fn path_ids_leave_whole_messages_within_their_chunks() {
    let mut world = clients(Advertise::All);
    for number in 0..20_000 {
        world.announce(0, v4(number), 1);
    }
    world.flush();
    world.take(5, usize::MAX);
    assert_eq!(world.receiver(5).paths.len(), 20_000);
    for number in 0..20_000 {
        world.withdraw(0, v4(number));
    }
    world.flush();
    world.take(5, usize::MAX);
    assert!(world.receiver(5).paths.is_empty());
}

#[test]
fn with_a_path_id_there_is_less_room_for_attributes() {
    for (over, is_sent) in [(0, true), (1, false)] {
        let mut world = clients(Advertise::All);
        world.announce(0, v4(PREFIX), 1);
        let expected = world.expected_paths(world.id(5).unwrap(), v4(PREFIX));
        let filler = 4096 - 23 - 9 + over - expected[0].0.len() - 4;
        let mut extra = vec![0xd0, 200];
        extra.extend(u16::try_from(filler).unwrap().to_be_bytes());
        extra.resize(4 + filler, 0);
        world.announce_with(0, v4(PREFIX), 1, &extra);
        world.flush();
        world.take(5, usize::MAX);
        assert_eq!(world.receiver(5).paths.len(), usize::from(is_sent), "{over} over");
        assert_eq!(world.groups[0].counters().too_long, u64::from(!is_sent));
    }
}

#[test]
fn routes_of_another_router_in_the_same_slot_go_out_again() {
    for (router_id, again) in [(None, 0), (Some(900), 1)] {
        for advertise in [Advertise::Best, Advertise::All] {
            let mut world = clients(advertise);
            world.announce(6, v4(PREFIX), 1);
            settle(&mut world);
            let before = world.receiver(5).announced;
            world.down(6);
            world.up_as(6, router_id);
            world.announce(6, v4(PREFIX), 1);
            settle(&mut world);
            assert_eq!(world.receiver(5).announced - before, again, "ORIGINATOR_ID {router_id:?}");
            assert_eq!(world.receiver(5).withdrawn, 0);
            world.check();
        }
    }
}

#[test]
fn a_peer_is_not_sent_what_it_announced_in_its_last_session() {
    for advertise in [Advertise::Best, Advertise::All] {
        let mut world = clients(advertise);
        world.announce(6, v4(PREFIX), 1);
        world.announce(6, v6(1), 1);
        settle(&mut world);
        world.restart(6);
        settle(&mut world);
        assert_eq!(world.receiver(6).announced, 0);
        world.announce_path(0, v4(PREFIX), 0, 0, &[], true);
        world.announce(5, v6(1), 3);
        settle(&mut world);
        assert_eq!(world.receiver(5).withdrawn, 1, "only its own IPv6 route");
        world.announce(6, v6(1), 4);
        settle(&mut world);
        assert!(world.receiver(6).routes.is_empty());
        world.check();
    }
}

#[test]
fn memory_counts_every_path() {
    let mut world = clients(Advertise::All);
    world.announce(0, v4(PREFIX), 1);
    settle(&mut world);
    let one = world.groups[0].memory();
    for id in 0..10 {
        world.announce_path(6, v4(PREFIX), id, 1, &[], true);
    }
    settle(&mut world);
    world.take(6, usize::MAX);
    assert!(world.groups[0].memory() >= one + 10 * 24);
}
