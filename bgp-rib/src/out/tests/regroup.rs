//! Peers that move between groups, refreshes between markers, and End-of-RIB that waits.

use std::sync::Arc;

use proptest::prelude::*;

use super::random::{Event, SLOTS, any_event, keys};
use super::*;
use crate::NextHopRule;
use crate::filter::{Action, Filter, Match, Policy, PrefixRange, Term};

const SHORT: GroupLimits =
    GroupLimits { journal: 2000, tombstones: 1 << 20, window: 10, slice: 1 << 15, ahead: 1 << 20 };

impl World {
    /// Moves a peer to the group with this key, and makes it what the key says it is.
    fn regroup(&mut self, slot: u32, key: GroupKey) {
        let Some(id) = self.id(slot) else { return };
        self.set_kind(id, key.kind);
        let is_in = |group: &Group| group.peers().any(|peer| peer == id);
        let Some(from) = self.groups.iter().position(is_in) else { return };
        if *self.groups[from].key() == key {
            return;
        }
        let Some(moving) = self.groups[from].depart(id) else { return };
        let known = self.groups.iter().position(|group| *group.key() == key);
        let to = known.unwrap_or_else(|| self.found(key));
        let mut tables =
            TablesMut { v4: &mut self.v4, v6: &mut self.v6, peers: &self.peers, aggregates: None };
        self.groups[to].arrive(self.now, id, moving, &mut tables);
        if from >= self.kept && self.groups[from].is_empty() {
            self.groups.remove(from).close(&mut tables);
            self.named.remove(from);
        }
    }

    fn found(&mut self, key: GroupKey) -> usize {
        let mut group = Group::new(key, CONTEXT, self.groups[0].limits, 1).with_load_sharing(SHARING);
        group.hold_end_of_rib(self.groups[0].holds_end_of_rib);
        self.groups.push(group);
        self.named.push(BTreeMap::new());
        self.groups.len() - 1
    }

    fn set_kind(&mut self, id: PeerId, target: TargetKind) {
        let kind = match target {
            TargetKind::External => SourceKind::External,
            TargetKind::Confederation => SourceKind::Confederation,
            TargetKind::Internal => SourceKind::Internal,
            TargetKind::Client => SourceKind::Client,
        };
        if self.peers.get(id).unwrap().kind == kind {
            return;
        }
        self.peers.set_kind(id, kind);
        for prefix in self.prefixes() {
            let dest = self.dest(prefix).unwrap();
            self.mark(prefix, dest, Change::Best);
        }
    }

    fn hold_end_of_rib(&mut self, hold: bool) {
        self.groups.iter_mut().for_each(|group| group.hold_end_of_rib(hold));
    }

    fn refresh_marked(&mut self, slot: u32, family: Family) {
        let id = self.id(slot).unwrap();
        self.groups.iter_mut().for_each(|group| group.refresh(id, family, true));
    }

    /// Announced, withdrawn, messages.
    fn counts(&self, slot: u32) -> (usize, usize, usize) {
        let receiver = self.receiver(slot);
        (receiver.announced, receiver.withdrawn, receiver.messages)
    }
}

/// A client with so many routes of ours, and one of an eBGP peer and of an iBGP peer each.
fn filled(limits: GroupLimits, routes: u32) -> World {
    let mut world = World::new(&[TargetKind::Client, TargetKind::Internal, TargetKind::External], limits);
    for slot in [1, 3, 5] {
        world.up(slot);
    }
    for number in 0..routes {
        world.announce(0, v4(number), number % 50);
    }
    world.announce(1, v4(1001), 60);
    world.announce(3, v4(1003), 61);
    world.settle();
    world
}

fn client(next_hop: NextHopRule) -> GroupKey {
    GroupKey { next_hop, ..key(TargetKind::Client) }
}

/// All but these destinations.
fn without(prefixes: impl IntoIterator<Item = Prefix>) -> Policy {
    let prefixes = Match::Prefix(prefixes.into_iter().map(PrefixRange::exactly).collect());
    let (name, action) = ("term".to_owned(), Some(Action::Reject));
    let term = Term { name, matches: vec![prefixes], edits: vec![], action };
    Policy::Filter(Arc::new(Filter::new("without", vec![term], Action::Accept).unwrap()))
}

fn silent() -> GroupKey {
    GroupKey { export: Policy::Reject, ..key(TargetKind::Client) }
}

#[test]
fn a_change_that_concerns_no_route_sends_nothing() {
    let mut world = filled(GroupLimits::default(), 100);
    world.withdraw(1, v4(1001));
    world.settle();
    let before = world.counts(5);
    world.regroup(5, client(NextHopRule::OwnForExternal));
    world.settle();
    world.regroup(5, GroupKey { local_v6: None, ..key(TargetKind::Client) });
    world.settle();
    assert_eq!(world.counts(5), before);
    world.check();
}

#[test]
fn a_change_that_concerns_one_route_of_many_sends_one_message() {
    let mut world = filled(GroupLimits::default(), 100);
    let (announced, withdrawn, messages) = world.counts(5);
    world.regroup(5, client(NextHopRule::OwnForExternal));
    world.settle();
    assert_eq!(world.counts(5), (announced + 1, withdrawn, messages + 1));
    world.check();
}

#[test]
fn a_filter_that_takes_out_one_route_of_many_sends_one_message() {
    let mut world = filled(GroupLimits::default(), 100);
    let (announced, withdrawn, messages) = world.counts(5);
    world.regroup(5, GroupKey { export: without([v4(7)]), ..key(TargetKind::Client) });
    world.settle();
    assert_eq!(world.counts(5), (announced, withdrawn + 1, messages + 1));
    assert!(!world.receiver(5).routes.contains_key(&v4(7)));
    world.regroup(5, GroupKey { export: without([v4(7), v4(500)]), ..key(TargetKind::Client) });
    world.settle();
    assert_eq!(world.counts(5), (announced, withdrawn + 1, messages + 1));
}

#[test]
fn before_we_go_every_route_is_sent_again_and_once() {
    let mut world = filled(GroupLimits::default(), 100);
    let (announced, withdrawn, _) = world.counts(5);
    for _ in 0..2 {
        world.regroup(5, GroupKey { draining: true, ..key(TargetKind::Client) });
        world.settle();
        assert_eq!((world.receiver(5).announced, world.receiver(5).withdrawn), (announced + 102, withdrawn));
    }
}

#[test]
fn what_may_not_go_out_any_more_is_withdrawn_and_comes_back_when_it_may() {
    let mut world = filled(GroupLimits::default(), 100);
    let (announced, withdrawn, messages) = world.counts(5);
    world.regroup(5, silent());
    world.settle();
    assert_eq!(world.counts(5), (announced, withdrawn + 102, messages + 1));
    assert!(world.receiver(5).routes.is_empty());
    world.regroup(5, key(TargetKind::Client));
    world.settle();
    assert_eq!(world.receiver(5).routes.len(), 102);
    world.check();
}

#[test]
fn a_client_that_becomes_an_ordinary_peer_loses_the_routes_of_others_and_they_its_own() {
    let mut world = filled(GroupLimits::default(), 10);
    world.announce(5, v4(1005), 1);
    world.settle();
    assert!(world.receiver(3).routes.contains_key(&v4(1005)));
    let (announced, withdrawn, messages) = world.counts(5);
    world.regroup(5, key(TargetKind::Internal));
    world.settle();
    assert_eq!(world.counts(5), (announced, withdrawn + 1, messages + 1));
    assert!(!world.receiver(5).routes.contains_key(&v4(1003)));
    assert!(!world.receiver(3).routes.contains_key(&v4(1005)));
    world.check();
}

#[test]
fn a_move_that_is_undone_before_the_flush_sends_nothing() {
    let mut world = filled(GroupLimits::default(), 100);
    let before = world.counts(5);
    for key in [silent(), client(NextHopRule::Own), key(TargetKind::Client)] {
        world.regroup(5, key);
    }
    world.settle();
    assert_eq!(world.counts(5), before);
    world.check();
}

#[test]
fn peers_that_move_together_share_what_is_compared_and_written() {
    let mut world = filled(GroupLimits::default(), 100);
    for slot in 6..50 {
        world.up(slot);
    }
    world.settle();
    for slot in 5..50 {
        world.regroup(slot, client(NextHopRule::Own));
    }
    let group = world.groups.last().unwrap();
    assert_eq!((group.walks.len(), group.arrived.len()), (1, 1));
    world.settle();
    // One for each set of attributes: those of our own routes are as they were.
    assert_eq!(world.groups.last().unwrap().counters().messages, 2);
    world.check();
}

#[test]
fn who_has_not_read_all_is_sent_what_it_may_not_know() {
    let mut world = filled(GroupLimits::default(), 100);
    world.up(6);
    world.settle();
    world.announce(0, v4(3), 7);
    world.announce(0, v4(200), 7);
    world.withdraw(0, v4(4));
    world.flush();
    world.take(6, usize::MAX);
    let before = [5, 6].map(|slot| world.counts(slot));
    for slot in [5, 6] {
        world.regroup(slot, client(NextHopRule::OwnForExternal));
    }
    assert_eq!(world.groups.last().unwrap().arrived.len(), 1, "one snapshot for both");
    world.settle();
    let [(a, w, _), (a6, w6, _)] = before;
    let after = [5, 6].map(|slot| world.counts(slot));
    assert_eq!((after[0].0, after[0].1), (a + 3, w + 1));
    assert_eq!((after[1].0, after[1].1), (a6 + 1, w6));
    world.check();
}

#[test]
fn a_destination_stays_known_until_its_withdrawal_is_written() {
    let mut world = filled(GroupLimits::default(), 3);
    world.regroup(5, silent());
    for number in 0..3 {
        world.withdraw(0, v4(number));
    }
    world.settle();
    assert_eq!(world.receiver(5).routes, BTreeMap::new());
    world.check();
}

#[test]
fn who_moves_before_its_first_flush_gets_all_once_and_end_of_rib_once() {
    let mut world = filled(GroupLimits::default(), 20);
    world.up(6);
    world.regroup(6, client(NextHopRule::Own));
    world.settle();
    assert_eq!((world.receiver(6).announced, world.receiver(6).withdrawn), (22, 0));
    assert_eq!(world.receiver(6).ends, [V4::FAMILY, V6::FAMILY]);
    world.check();
}

#[test]
fn who_moves_while_it_is_told_the_first_routes_ends_up_right_and_with_one_end_of_rib() {
    let mut world = filled(SHORT, 100);
    world.up(6);
    world.flush();
    world.take(6, 1);
    world.regroup(6, client(NextHopRule::Own));
    world.withdraw(0, v4(1));
    world.flush();
    world.take(6, 1);
    world.regroup(6, key(TargetKind::Client));
    assert!(world.receiver(6).ends.is_empty());
    world.settle();
    assert_eq!(world.receiver(6).ends, [V4::FAMILY, V6::FAMILY]);
    world.check();
}

#[test]
fn a_refresh_goes_on_in_the_new_group_and_ends_once() {
    let mut world = filled(SHORT, 100);
    world.refresh_marked(5, V4::FAMILY);
    world.take(5, 1);
    assert!(world.receiver(5).stale[&V4::FAMILY].len() > 50);
    world.regroup(5, client(NextHopRule::OwnForExternal));
    world.settle();
    assert_eq!(world.receiver(5).refreshed, [V4::FAMILY]);
    world.check();
}

#[test]
fn a_refresh_stands_between_markers_where_the_session_has_them() {
    let mut world = filled(GroupLimits::default(), 20);
    let (announced, ..) = world.counts(5);
    world.refresh_marked(5, V4::FAMILY);
    let bytes = world.take(5, usize::MAX).concat();
    assert_eq!(world.receiver(5).refreshed, [V4::FAMILY]);
    assert_eq!(world.receiver(5).announced, announced + 22);
    let markers: Vec<usize> =
        bytes.windows(5).enumerate().filter(|(_, w)| w[0] == 5).map(|(at, _)| at).collect();
    assert_eq!((markers.first(), markers.last()), (Some(&18), Some(&(bytes.len() - 5))));
    world.check();
}

#[test]
fn a_refresh_asked_for_during_another_is_answered_after_it() {
    let mut world = filled(SHORT, 100);
    let (announced, ..) = world.counts(5);
    world.refresh_marked(5, V4::FAMILY);
    world.take(5, 1);
    world.refresh_marked(5, V4::FAMILY);
    world.refresh_marked(5, V6::FAMILY);
    world.take(5, usize::MAX);
    assert_eq!(world.receiver(5).refreshed, [V4::FAMILY, V4::FAMILY, V6::FAMILY]);
    assert_eq!(world.receiver(5).announced, announced + 2 * 102);
    world.check();
}

#[test]
fn a_refresh_ends_after_what_changed_meanwhile() {
    let mut world = filled(SHORT, 100);
    world.refresh_marked(5, V4::FAMILY);
    world.take(5, 1);
    for number in 0..100 {
        world.announce(0, v4(number), 60 + number % 30);
    }
    world.flush();
    // A route that is still stale at the end would be lost, which the world does not let pass.
    while world.receiver(5).refreshed.is_empty() {
        assert!(!world.take(5, 1).is_empty());
    }
    assert_eq!(world.receiver(5).routes.len(), 102);
    world.check();
}

#[test]
fn a_refresh_asked_for_before_end_of_rib_begins_after_it() {
    let mut world = filled(SHORT, 100);
    world.up(6);
    world.refresh_marked(6, V4::FAMILY);
    world.flush();
    world.take(6, 1);
    world.announce(0, v4(7), 9);
    world.flush();
    world.take(6, usize::MAX);
    assert_eq!(world.receiver(6).refreshed, [V4::FAMILY]);
    world.check();
}

#[test]
fn end_of_rib_waits_while_it_is_held_and_comes_once() {
    let mut world = filled(GroupLimits::default(), 20);
    world.hold_end_of_rib(true);
    world.up(6);
    world.settle();
    assert_eq!((world.receiver(6).announced, world.receiver(6).ends.len()), (22, 0));
    let id = world.id(6).unwrap();
    assert!(!world.groups[0].has_pending(id));
    world.regroup(6, client(NextHopRule::Own));
    world.settle();
    assert!(world.receiver(6).ends.is_empty());
    world.hold_end_of_rib(false);
    assert!(world.groups[3].has_pending(id));
    world.drain();
    world.check();
}

#[test]
fn a_refresh_is_answered_while_end_of_rib_is_held_with_markers_only_after_that() {
    let mut world = filled(GroupLimits::default(), 20);
    world.hold_end_of_rib(true);
    world.up(6);
    world.settle();
    world.refresh_marked(5, V4::FAMILY);
    world.refresh_marked(6, V4::FAMILY);
    world.drain();
    assert_eq!(world.receiver(5).refreshed, [V4::FAMILY]);
    assert_eq!((world.receiver(6).announced, world.receiver(6).refreshed.len()), (2 * 22, 0));
    world.hold_end_of_rib(false);
    world.check();
}

#[derive(Clone, Debug)]
enum Step {
    Happens(Event),
    Regroup(u32, usize),
    /// All peers at once.
    Reload(usize),
    Refresh(u32, Family, bool),
    Hold(bool),
}

fn any_step() -> impl Strategy<Value = Step> {
    let slot = || 1..=SLOTS;
    let family = prop_oneof![Just(V4::FAMILY), Just(V6::FAMILY)];
    prop_oneof![
        12 => any_event().prop_map(Step::Happens),
        3 => (slot(), 0..9_usize).prop_map(|(slot, to)| Step::Regroup(slot, to)),
        1 => (0..9_usize).prop_map(Step::Reload),
        2 => (slot(), family, any::<bool>()).prop_map(|(s, f, marked)| Step::Refresh(s, f, marked)),
        1 => any::<bool>().prop_map(Step::Hold),
    ]
}

/// Where a peer can go.
fn destination(from: &GroupKey, to: usize) -> GroupKey {
    let set = NextHopRule::Set { v4: Some([10, 7, 7, 7].into()), v6: None };
    let old = || GroupKey { next_hop: NextHopRule::Auto, export: Policy::Accept, ..from.clone() };
    let inside = |kind| if from.kind == TargetKind::External { TargetKind::External } else { kind };
    match to {
        0 => old(),
        1 => GroupKey { export: Policy::Reject, ..old() },
        2 => GroupKey { next_hop: NextHopRule::OwnForExternal, ..old() },
        3 => GroupKey { next_hop: set, ..old() },
        4 => GroupKey { kind: inside(TargetKind::Client), ..old() },
        5 => GroupKey { kind: inside(TargetKind::Internal), ..old() },
        6 => GroupKey { advertise: Advertise::Best, ..old() },
        7 => GroupKey { advertise: Advertise::All, ..old() },
        _ => GroupKey { export: without((0..12).step_by(2).map(v4)), ..old() },
    }
}

impl World {
    fn step(&mut self, step: Step) {
        match step {
            Step::Happens(event) => self.happen(event),
            Step::Regroup(slot, to) => self.change(slot, to),
            Step::Reload(to) => (1..=SLOTS).for_each(|slot| self.change(slot, to)),
            Step::Refresh(slot, family, marked) => {
                let Some(id) = self.id(slot) else { return };
                self.groups.iter_mut().for_each(|group| group.refresh(id, family, marked));
            }
            Step::Hold(hold) => self.hold_end_of_rib(hold),
        }
    }

    fn change(&mut self, slot: u32, to: usize) {
        let key = self.id(slot).and_then(|id| self.key_of(id));
        key.into_iter().for_each(|key| self.regroup(slot, destination(&key, to)));
    }
}

fn run(limits: GroupLimits, steps: Vec<Step>) {
    let mut world = World::with_keys(keys(), limits);
    for step in steps {
        world.step(step);
    }
    world.hold_end_of_rib(false);
    world.check_after_resets();
    for slot in 0..=SLOTS {
        world.down(slot);
        for prefix in world.prefixes() {
            world.withdraw_all(slot, prefix);
        }
    }
    world.check_after_resets();
    assert_eq!((world.prefixes().len(), world.store.len()), (0, 0));
    assert_eq!(world.v4.next_dest(crate::DestId::FIRST), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn wherever_peers_move_they_end_with_what_their_group_says(steps in prop::collection::vec(any_step(), 1..150)) {
        run(GroupLimits::default(), steps);
    }

    #[test]
    fn slow_peers_may_move_too(steps in prop::collection::vec(any_step(), 1..150)) {
        run(GroupLimits { journal: 300, window: 3, ..GroupLimits::default() }, steps);
    }

    #[test]
    fn a_move_needs_no_journal_and_few_tombstones(steps in prop::collection::vec(any_step(), 1..150)) {
        run(GroupLimits { journal: 0, tombstones: 4, window: 2, slice: 3, ahead: 100 }, steps);
    }
}
