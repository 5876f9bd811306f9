//! Random histories: whatever happened, in the end every peer believes what the tables say.

use std::num::NonZeroU16;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
pub(super) enum Event {
    Up(u32),
    Down(u32),
    /// Its session comes back at once, and its routes stay meanwhile.
    Restart(u32),
    /// Another router gets its slot.
    Replace(u32, u32),
    Announce(u32, Prefix, u8, u32, Extra),
    Withdraw(u32, Prefix, u8),
    /// Many prefixes at once, so that the journal overflows.
    Burst(u32, u32),
    Refresh(u32, Family),
    Flush,
    Take(u32, usize),
    Drain,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Extra {
    None,
    NoExport,
    NoAdvertise,
    Huge,
    Unreachable,
}

impl Extra {
    fn bytes(self) -> Vec<u8> {
        let community = |value: u32| {
            let mut attribute = vec![0xc0, code::COMMUNITIES, 4];
            attribute.extend(value.to_be_bytes());
            attribute
        };
        match self {
            Extra::None | Extra::Unreachable => Vec::new(),
            Extra::NoExport => community(0xffff_ff01),
            Extra::NoAdvertise => community(0xffff_ff02),
            Extra::Huge => {
                let mut attribute = vec![0xd0, 200, 0x0f, 0xe0];
                attribute.extend([0; 0x0fe0]);
                attribute
            }
        }
    }
}

pub(super) const SLOTS: u32 = 9;

fn any_prefix() -> impl Strategy<Value = Prefix> {
    prop_oneof![(0..12_u32).prop_map(v4), (0..6_u16).prop_map(v6)]
}

pub(super) fn any_event() -> impl Strategy<Value = Event> {
    let id = || prop_oneof![3 => Just(0_u8), 2 => 0..4_u8];
    let slot = || 1..=SLOTS;
    let source = || 0..=SLOTS;
    let extra = prop_oneof![
        12 => Just(Extra::None), 1 => Just(Extra::NoExport), 1 => Just(Extra::NoAdvertise),
        1 => Just(Extra::Huge), 1 => Just(Extra::Unreachable)
    ];
    prop_oneof![
        2 => slot().prop_map(Event::Up),
        1 => slot().prop_map(Event::Down),
        1 => slot().prop_map(Event::Restart),
        1 => (slot(), 900..903_u32).prop_map(|(s, r)| Event::Replace(s, r)),
        10 => (source(), any_prefix(), id(), 0..4_u32, extra)
            .prop_map(|(s, p, i, n, e)| Event::Announce(s, p, i, n, e)),
        5 => (source(), any_prefix(), id()).prop_map(|(s, p, i)| Event::Withdraw(s, p, i)),
        2 => (source(), 0..4_u32).prop_map(|(s, n)| Event::Burst(s, n)),
        1 => (slot(), prop_oneof![Just(V4::FAMILY), Just(V6::FAMILY)]).prop_map(|(s, f)| Event::Refresh(s, f)),
        5 => Just(Event::Flush),
        6 => (slot(), 1..300_usize).prop_map(|(s, b)| Event::Take(s, b)),
        1 => Just(Event::Drain),
    ]
}

impl World {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Up(slot) => {
                if self.id(slot).is_none() {
                    self.up(slot);
                }
            }
            Event::Down(slot) => self.down(slot),
            Event::Restart(slot) => self.restart(slot),
            Event::Replace(slot, router_id) => {
                self.down(slot);
                self.up_as(slot, Some(router_id));
            }
            Event::Announce(slot, prefix, id, number, extra) => {
                let reachable = !matches!(extra, Extra::Unreachable);
                self.announce_path(slot, prefix, id, number, &extra.bytes(), reachable);
            }
            Event::Withdraw(slot, prefix, id) => self.withdraw_path(slot, prefix, id),
            Event::Burst(slot, number) => {
                for n in 0..12 {
                    self.announce(slot, v4(n), (number + n) % 4);
                }
            }
            Event::Refresh(slot, family) => self.refresh(slot, family),
            Event::Flush => self.flush(),
            Event::Take(slot, budget) => {
                self.take(slot, budget);
            }
            Event::Drain => self.drain(),
        }
        self.reset_given_up();
    }

    /// What a daemon does with peers that are too far behind: the session comes up anew.
    pub(super) fn reset_given_up(&mut self) -> bool {
        let mut any = false;
        while let Some(peer) = self.groups.iter_mut().find_map(Group::poll_reset) {
            self.down(peer.slot);
            self.up(peer.slot);
            any = true;
        }
        any
    }

    pub(super) fn check_after_resets(&mut self) {
        self.settle();
        while self.reset_given_up() {
            self.settle();
        }
        self.check();
    }
}

/// Groups of peers that take one path beside groups that take several.
pub(super) fn keys() -> Vec<GroupKey> {
    use TargetKind::{Client, External, Internal};
    let (none, v4, both) = (FamilySet::EMPTY, FamilySet::EMPTY.with(V4::FAMILY), families());
    let two = NonZeroU16::new(2).unwrap();
    let groups = [
        (External, Advertise::Best, none),
        (External, Advertise::Ecmp, both),
        (Internal, Advertise::BestExternal, none),
        (Internal, Advertise::BestExternal, both),
        (Client, Advertise::Best, none),
        (Client, Advertise::All, both),
        (Client, Advertise::Count(two), v4),
        (Client, Advertise::All, both),
    ];
    groups.map(|(kind, advertise, add_path)| GroupKey { advertise, add_path, ..key(kind) }).into()
}

fn run(limits: GroupLimits, events: Vec<Event>) {
    let mut world = World::with_keys(keys(), limits);
    for event in events {
        world.happen(event);
    }
    world.check_after_resets();
    for slot in 0..=SLOTS {
        world.down(slot);
        for prefix in world.prefixes() {
            world.withdraw_all(slot, prefix);
        }
    }
    world.check_after_resets();
    assert_eq!((world.prefixes().len(), world.store.len()), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_peer_believes_what_the_tables_say(events in prop::collection::vec(any_event(), 1..150)) {
        run(GroupLimits::default(), events);
    }

    #[test]
    fn peers_that_stall_and_fall_off_a_short_journal_lose_nothing(
        events in prop::collection::vec(any_event(), 1..150)
    ) {
        run(GroupLimits { journal: 300, window: 3, ..GroupLimits::default() }, events);
    }

    #[test]
    fn a_journal_that_holds_nothing_and_few_tombstones_still_serve_everyone(
        events in prop::collection::vec(any_event(), 1..150)
    ) {
        run(GroupLimits { journal: 0, tombstones: 4, window: 2, slice: 2, ahead: 0 }, events);
    }

    #[test]
    fn small_slices_that_wait_for_readers_tell_everything(
        events in prop::collection::vec(any_event(), 1..150)
    ) {
        run(GroupLimits { slice: 3, ahead: 100, ..GroupLimits::default() }, events);
    }

    #[test]
    fn readers_that_fall_off_a_short_journal_while_a_flush_waits_lose_nothing(
        events in prop::collection::vec(any_event(), 1..150)
    ) {
        run(GroupLimits { journal: 400, tombstones: 4, window: 3, slice: 2, ahead: 150 }, events);
    }
}
