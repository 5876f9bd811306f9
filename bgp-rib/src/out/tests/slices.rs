//! Flushes that go on in slices, as fast as the fastest reader.

use super::*;

const SLICES: GroupLimits = GroupLimits { journal: 8000, tombstones: 100, window: 50, slice: 50, ahead: 300 };

/// Clients that hold so many routes of ours.
fn holding(limits: GroupLimits, routes: u32, slots: &[u32]) -> World {
    let mut world = World::clients(limits);
    for number in 0..routes {
        world.announce(0, v4(number), number % 5);
    }
    slots.iter().for_each(|slot| _ = world.up(*slot));
    world.settle();
    world
}

fn group(world: &mut World) -> &mut Group {
    &mut world.groups[0]
}

fn is_walking(world: &World, slot: u32) -> bool {
    world.groups[0].lag(world.id(slot).unwrap()).walking
}

fn is_due(world: &World) -> bool {
    world.groups[0].next_flush().is_some_and(|at| at <= world.now)
}

#[test]
fn a_whole_table_is_withdrawn_at_the_pace_of_the_fastest_and_nobody_is_given_up() {
    let [fast, slow, stuck] = [5, 6, 7];
    let mut world = holding(SLICES, 6000, &[fast, slow, stuck]);
    for number in 0..6000 {
        world.withdraw(0, v4(number));
    }
    world.flush();
    let mut flushes = 1;
    while group(&mut world).unwritten() > 0 {
        assert!(!is_due(&world), "{fast} has read nothing yet");
        world.take(fast, usize::MAX);
        world.take(slow, 300);
        assert!(is_due(&world), "{fast} has read on");
        world.flush();
        flushes += 1;
        assert!(!is_walking(&world, fast) && !is_walking(&world, slow));
        assert!(world.groups[0].queued_bytes() <= SLICES.journal);
    }
    assert!(flushes > 10, "{flushes}");
    assert!(is_walking(&world, stuck), "more was written than the journal holds");
    assert_eq!(group(&mut world).poll_reset(), None);
    world.check();
    assert!([fast, slow, stuck].iter().all(|slot| world.receiver(*slot).withdrawn == 6000));
}

#[test]
fn what_peers_do_not_read_waits_and_coalesces() {
    let mut world = holding(SLICES, 1000, &[5]);
    let before = world.receiver(5).announced;
    for round in 1..50 {
        for number in 0..1000 {
            world.announce(0, v4(number), (number + round) % 5);
        }
        world.flush();
        assert!(world.groups[0].queued_bytes() < 2000, "{}", world.groups[0].queued_bytes());
    }
    assert!(!is_due(&world));
    world.check();
    let again = world.receiver(5).announced - before;
    assert!(again < 1200, "{again}: the last state, and what was written before");
}

#[test]
fn a_peer_that_joins_while_a_flush_waits_gets_every_route_once_and_then_end_of_rib() {
    let mut world = holding(SLICES, 0, &[5]);
    for number in 0..1000 {
        world.announce(0, v4(number), number % 5);
    }
    world.flush();
    assert!(world.groups[0].unwritten() > 500);
    // One that has read nothing is no reason to wait for it.
    world.up(6);
    world.flush();
    assert_eq!(world.groups[0].unwritten(), 0);
    while world.receiver(6).ends.is_empty() {
        assert!(!world.take(6, 1).is_empty());
        let receiver = world.receiver(6);
        assert!(receiver.ends.is_empty() || receiver.announced == 1000);
    }
    world.check();
    assert_eq!((world.receiver(6).announced, world.receiver(6).withdrawn), (1000, 0));
    assert_eq!(world.receiver(5).announced, 1000);
}

#[test]
fn destinations_that_change_all_the_time_do_not_keep_others_waiting() {
    let mut world = holding(SLICES, 500, &[5]);
    world.announce(0, v6(1), 1);
    world.announce(0, v4(499), 30);
    for round in 1..20 {
        for number in 0..450 {
            world.announce(0, v4(number), (number + round) % 5);
        }
        world.flush();
        world.take(5, usize::MAX);
    }
    let receiver = world.receiver(5);
    assert!(receiver.routes.contains_key(&v6(1)));
    assert_eq!(receiver.routes[&v4(499)], world.expected(world.id(5).unwrap())[&v4(499)]);
    world.check();
}

#[test]
fn without_readers_nothing_waits() {
    let mut world = holding(SLICES, 1000, &[]);
    for number in 0..1000 {
        world.announce(0, v4(number), 7);
    }
    world.flush();
    assert_eq!((world.groups[0].unwritten(), world.groups[0].next_flush()), (0, None));
}

#[test]
fn when_the_reader_that_was_waited_for_goes_the_flush_goes_on() {
    let mut world = holding(SLICES, 1000, &[5]);
    for number in 0..1000 {
        world.announce(0, v4(number), 7);
    }
    world.flush();
    assert!(world.groups[0].unwritten() > 0 && !is_due(&world));
    world.down(5);
    assert!(is_due(&world));
    world.flush();
    assert_eq!(world.groups[0].unwritten(), 0);
}

#[test]
fn no_more_waits_than_the_table_and_the_tombstones_may_be() {
    let mut world = holding(SLICES, 50, &[5]);
    for number in 100..2000 {
        world.announce(0, v4(number), 1);
        world.withdraw(0, v4(number));
        world.announce(0, v4(number % 50), number % 40);
        if number % 10 == 0 {
            world.flush();
            assert!(world.groups[0].unwritten() <= SLICES.tombstones, "{}", world.groups[0].unwritten());
        }
    }
    world.check_after_resets();
}

/// How long changes wait, in microseconds, the first after a pause and one right after a flush.
fn waits(peers: u32) -> [u128; 2] {
    let slots: Vec<u32> = (10..10 + peers).collect();
    let mut world = holding(GroupLimits::default(), 1, &slots);
    world.now += Duration::from_secs(10);
    world.flush();
    [(1, Duration::from_secs(1)), (2, Duration::ZERO)].map(|(number, pause)| {
        world.now += pause;
        world.announce(0, v4(number), number);
        let wait = world.groups[0].next_flush().unwrap() - world.now;
        world.settle();
        wait.as_micros()
    })
}

#[test]
fn the_first_change_after_a_pause_waits_the_longer_the_more_peers_there_are() {
    assert_eq!(waits(1), [2000, 5000]);
    assert_eq!(waits(100), [2000, 5000]);
    assert_eq!(waits(300), [3000, 5000]);
    assert_eq!(waits(600), [5000, 5000]);
}
