//! How few messages say it.

use super::*;

fn one_client() -> World {
    let mut world = World::clients(GroupLimits::default());
    world.up(5);
    world.flush();
    world.drain();
    world
}

fn written(world: &World) -> (u64, u64) {
    let counters = world.groups[0].counters();
    (counters.messages, counters.rewrites)
}

#[test]
fn routes_with_the_same_attributes_share_a_message_in_first_seen_order() {
    let mut world = one_client();
    for (prefix, number) in [(9, 1), (3, 2), (1, 1), (2, 2)] {
        world.announce(0, v4(prefix), number);
    }
    world.flush();
    let bytes = world.take(5, usize::MAX).concat();
    assert_eq!(written(&world), (2, 2));
    let first = frame(&bytes, MAX_LEN as usize).unwrap().unwrap();
    assert!(first.body.ends_with(&[24, 10, 0, 9, 24, 10, 0, 1]));
    assert!(bytes.ends_with(&[24, 10, 0, 3, 24, 10, 0, 2]));
}

#[test]
fn a_thousand_routes_of_one_set_fill_two_messages() {
    let mut world = one_client();
    for number in 0..1200 {
        world.announce(0, v4(number), 1);
    }
    world.flush();
    world.take(5, usize::MAX);
    assert_eq!(written(&world), (2, 1));
    assert_eq!(world.receiver(5).routes.len(), 1200);
}

#[test]
fn withdrawals_share_messages_whatever_the_attributes_were() {
    let mut world = one_client();
    for number in 0..900 {
        world.announce(0, v4(number), number % 7);
    }
    world.flush();
    world.take(5, usize::MAX);
    let before = written(&world).0;
    for number in 0..900 {
        world.withdraw(0, v4(number));
    }
    world.flush();
    world.take(5, usize::MAX);
    assert_eq!(written(&world).0 - before, 1);
    assert!(world.receiver(5).routes.is_empty());
}

#[test]
fn a_large_set_is_cut_into_chunks_of_whole_messages() {
    let mut world = one_client();
    for number in 0..40_000 {
        world.announce(0, v4(number), 1);
    }
    world.flush();
    let slices = world.take(5, usize::MAX);
    assert!(slices.len() > 2 && slices.len() < 6, "{} slices", slices.len());
    assert_eq!(world.receiver(5).routes.len(), 40_000);
}

#[test]
fn ipv6_routes_go_into_mp_reach_with_their_next_hop() {
    let mut world = one_client();
    world.up(6);
    world.announce(6, v6(1), 1);
    world.announce(6, v6(2), 1);
    world.flush();
    world.take(5, usize::MAX);
    let next_hop: IpAddr = "2001:db8::1".parse().unwrap();
    let receiver = world.receiver(5);
    assert_eq!(receiver.routes.values().map(|(_, hop)| *hop).collect::<Vec<_>>(), [next_hop; 2]);
    assert_eq!(written(&world), (1, 1));
    world.check();
}

#[test]
fn without_peers_nothing_is_written() {
    let mut world = World::clients(GroupLimits::default());
    for number in 0..100 {
        world.announce(0, v4(number), number);
    }
    world.flush();
    assert_eq!(written(&world), (0, 0));
    assert_eq!(world.groups[0].queued_bytes(), 0);
}

#[test]
fn attributes_that_just_fit_are_sent_and_one_octet_more_is_not() {
    for (prefix, room) in [(v4(1), 4096 - 23 - 5), (v6(1), 4096 - 23 - 25 - 17)] {
        for (over, sent) in [(0, true), (1, false)] {
            let mut world = one_client();
            world.announce(0, prefix, 1);
            let expected = world.expected(world.id(5).unwrap());
            let filler = room + over - expected[&prefix].0.len() - 4;
            let mut extra = vec![0xd0, 200];
            extra.extend(u16::try_from(filler).unwrap().to_be_bytes());
            extra.resize(4 + filler, 0);
            world.announce_with(0, prefix, 1, &extra);
            world.flush();
            world.take(5, usize::MAX);
            assert_eq!(world.receiver(5).routes.contains_key(&prefix), sent, "{prefix}, {over} over");
            assert_eq!(world.groups[0].counters().too_long, u64::from(!sent));
        }
    }
}
