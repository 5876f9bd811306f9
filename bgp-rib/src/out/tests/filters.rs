//! What filters, and we ourselves, make of routes on their way out.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bgp_core::wire::{Community, PathAttribute};
use proptest::prelude::*;

use super::*;
use crate::filter::{Action, Change, Edit, Filter, Match, NextHopEdit, Policy, PrefixRange, Term};
use crate::out::{ExportCheck, ExportView, LoadSharing, NextHopRule};

const MED: [u8; 7] = [0x80, code::MULTI_EXIT_DISC, 4, 0, 0, 0, 9];

fn term(matches: Vec<Match>, edits: Vec<Edit>, action: Option<Action>) -> Term {
    Term { name: "term".to_owned(), matches, edits, action }
}

fn policy(terms: Vec<Term>, otherwise: Action) -> Policy {
    Policy::Filter(Arc::new(Filter::new("out", terms, otherwise).unwrap()))
}

/// All routes pass with these edits.
fn with(edits: Vec<Edit>) -> Policy {
    policy(vec![term(vec![], edits, None)], Action::Accept)
}

fn to(prefix: Prefix) -> Vec<Match> {
    vec![Match::Prefix([PrefixRange::exactly(prefix)].into_iter().collect())]
}

fn add(community: Community) -> Edit {
    Edit::Communities(Change::Add(vec![community]))
}

fn extra(communities: &[Community]) -> Vec<u8> {
    let mut block = Vec::new();
    PathAttribute::Communities(communities.to_vec()).encode(&mut block);
    block
}

/// One group, with the external peer 2 or the client 6 in it, and the sources 1 and 5 outside of it.
fn world(key: GroupKey) -> World {
    let reader = if key.kind == TargetKind::External { 2 } else { 6 };
    let mut world = World::clients(GroupLimits::default());
    world.groups = Vec::new();
    world.up(1);
    world.up(5);
    world.groups = vec![Group::new(key, CONTEXT, GroupLimits::default(), 1)];
    world.up(reader);
    world
}

fn keyed(kind: TargetKind, export: Policy) -> GroupKey {
    GroupKey { export, ..key(kind) }
}

fn settle(world: &mut World) {
    world.flush();
    world.drain();
}

/// What the reader holds of a destination: attributes and next hop.
fn held(world: &World, prefix: Prefix) -> Option<(Vec<u8>, IpAddr)> {
    let readers = world.groups[0].peers().collect::<Vec<_>>();
    let (block, in_mp) = world.receiver(readers[0].slot).routes.get(&prefix)?.clone();
    let next_hop = Attributes::new(&block).next_hop().map_or(in_mp, IpAddr::V4);
    Some((block, next_hop))
}

fn communities(world: &World, prefix: Prefix) -> Vec<Community> {
    let (block, _) = held(world, prefix).unwrap();
    Attributes::new(&block).communities().collect()
}

#[test]
fn routes_of_one_set_are_told_apart_by_destination() {
    let rejects = policy(vec![term(to(v4(2)), vec![], Some(Action::Reject))], Action::Accept);
    let mut world = world(keyed(TargetKind::Client, rejects));
    for number in 1..=3 {
        world.announce(5, v4(number), 1);
    }
    settle(&mut world);
    let routes: Vec<_> = world.receiver(6).routes.keys().copied().collect();
    assert_eq!(routes, [v4(1), v4(3)]);
}

#[test]
fn routes_of_one_set_may_go_out_with_different_attributes() {
    let marked = Community(1);
    let export = policy(vec![term(to(v4(2)), vec![add(marked)], None)], Action::Accept);
    let mut world = world(keyed(TargetKind::Client, export));
    for number in 1..=3 {
        world.announce(5, v4(number), 1);
    }
    settle(&mut world);
    let found = [1, 2, 3].map(|number| communities(&world, v4(number)));
    assert_eq!(found, [vec![], vec![marked], vec![]]);
    assert_eq!(world.groups[0].counters().rewrites, 2, "one for each set");
    world.up(7);
    settle(&mut world);
    assert_eq!(world.receiver(7).routes, world.receiver(6).routes, "who comes later is sent the same");
}

#[test]
fn a_change_that_the_filter_hides_sends_nothing() {
    let export = with(vec![Edit::Communities(Change::Replace(vec![Community(1)]))]);
    let mut world = world(keyed(TargetKind::Client, export));
    world.announce_with(5, v4(1), 1, &extra(&[Community(7)]));
    settle(&mut world);
    world.announce_with(5, v4(1), 1, &extra(&[Community(8)]));
    settle(&mut world);
    assert_eq!(world.receiver(6).announced, 1);
    world.withdraw(5, v4(1));
    settle(&mut world);
    assert_eq!(world.receiver(6).withdrawn, 1);
}

#[test]
fn a_med_goes_to_ebgp_peers_only_if_a_filter_sets_it() {
    for (export, expected) in [
        (Policy::Accept, None),
        (with(vec![add(Community(1))]), None),
        (with(vec![Edit::AddToMed(1)]), Some(10)),
        (with(vec![Edit::Med(Some(9))]), Some(9)),
        (with(vec![Edit::Med(None)]), None),
    ] {
        let mut world = world(keyed(TargetKind::External, export));
        world.announce_with(1, v4(1), 1, &MED);
        settle(&mut world);
        let (block, _) = held(&world, v4(1)).unwrap();
        assert_eq!(Attributes::new(&block).med(), expected);
    }
}

#[test]
fn a_next_hop_set_by_a_filter_wins_over_the_rule() {
    let (own, received): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [192, 0, 2, 1].into());
    let (own_v6, received_v6): (IpAddr, IpAddr) =
        ("fd00::1".parse().unwrap(), "2001:db8::1".parse().unwrap());
    let other = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
    let unchanged = NextHopEdit::Unchanged;
    use TargetKind::{Client, External};
    for (kind, rule, edit, expected) in [
        (External, NextHopRule::Auto, unchanged, [received, received_v6]),
        (External, NextHopRule::Own, unchanged, [received, received_v6]),
        (Client, NextHopRule::Auto, NextHopEdit::Own, [own, own_v6]),
        (Client, NextHopRule::Unchanged, NextHopEdit::Own, [own, own_v6]),
        (Client, NextHopRule::Auto, NextHopEdit::Address(other), [other, received_v6]),
        (External, NextHopRule::Auto, NextHopEdit::Address(other), [other, own_v6]),
    ] {
        let export = with(vec![Edit::NextHop(edit)]);
        let mut world = world(GroupKey { next_hop: rule, ..keyed(kind, export) });
        world.announce(5, v4(1), 1);
        world.announce(5, v6(1), 1);
        settle(&mut world);
        let next_hops = [v4(1), v6(1)].map(|prefix| held(&world, prefix).unwrap().1);
        assert_eq!(next_hops, expected, "{kind:?} {rule:?} {edit:?}");
    }
}

#[test]
fn our_own_routes_never_go_out_with_the_next_hop_that_they_have_here() {
    let export = with(vec![Edit::NextHop(NextHopEdit::Unchanged)]);
    let mut world = world(keyed(TargetKind::External, export));
    world.announce(0, v4(1), 1);
    settle(&mut world);
    assert_eq!(held(&world, v4(1)).unwrap().1, IpAddr::from([10, 0, 0, 1]));
}

#[test]
fn prepended_ases_stand_behind_our_own_one() {
    let prepend = |asn| Edit::Prepend { asn, times: 2 };
    let mut world = world(keyed(TargetKind::External, with(vec![prepend(Some(Asn(7))), prepend(None)])));
    world.announce(5, v4(1), 1);
    settle(&mut world);
    let (block, _) = held(&world, v4(1)).unwrap();
    assert_eq!(Attributes::new(&block).as_path().to_string(), "64512 64512 64512 7 7 65001");
}

#[test]
fn before_we_go_routes_carry_graceful_shutdown_and_are_the_last_choice_inside() {
    let shown = |kind, export| {
        let mut world = world(GroupKey { draining: true, ..keyed(kind, export) });
        world.announce_with(5, v4(1), 1, &extra(&[Community(1)]));
        settle(&mut world);
        let (block, _) = held(&world, v4(1)).unwrap();
        let block = Attributes::new(&block);
        (block.communities().collect::<Vec<_>>(), block.local_pref())
    };
    let both = vec![Community(1), Community::GRACEFUL_SHUTDOWN];
    assert_eq!(shown(TargetKind::External, Policy::Accept), (both.clone(), None));
    assert_eq!(shown(TargetKind::Client, Policy::Accept), (both, Some(0)));
    let against = with(vec![Edit::LocalPref(500), Edit::Communities(Change::Replace(vec![]))]);
    assert_eq!(shown(TargetKind::Client, against), (vec![Community::GRACEFUL_SHUTDOWN], Some(0)));
}

#[test]
fn long_lived_stale_routes_go_to_peers_that_know_of_them_and_stay_marked() {
    let stale = extra(&[Community::LLGR_STALE]);
    for (long_lived, expected) in [
        (FamilySet::EMPTY, [false, false]),
        (FamilySet::EMPTY.with(V6::FAMILY), [false, true]),
        (families(), [true, true]),
    ] {
        let export = with(vec![Edit::Communities(Change::Replace(vec![Community(1)]))]);
        let mut world = world(GroupKey { long_lived, ..keyed(TargetKind::Client, export) });
        world.announce_with(5, v4(1), 1, &stale);
        world.announce_with(5, v6(1), 1, &stale);
        settle(&mut world);
        assert_eq!([v4(1), v6(1)].map(|prefix| held(&world, prefix).is_some()), expected);
        if expected == [true, true] {
            assert_eq!(communities(&world, v4(1)), [Community(1), Community::LLGR_STALE]);
        }
    }
}

#[test]
fn well_known_communities_are_obeyed_as_received_and_sent_as_set() {
    let removing = with(vec![Edit::Communities(Change::Remove(vec!["*:*".parse().unwrap()]))]);
    let mut kept_inside = world(keyed(TargetKind::External, removing));
    kept_inside.announce_with(5, v4(1), 1, &extra(&[Community::NO_EXPORT]));
    settle(&mut kept_inside);
    assert_eq!(held(&kept_inside, v4(1)), None);

    let mut for_the_neighbor = world(keyed(TargetKind::External, with(vec![add(Community::NO_EXPORT)])));
    for_the_neighbor.announce(5, v4(1), 1);
    settle(&mut for_the_neighbor);
    assert_eq!(communities(&for_the_neighbor, v4(1)), [Community::NO_EXPORT]);
}

#[test]
fn a_route_that_outgrows_the_message_by_edits_is_held_back_and_counted() {
    for (communities, held_back) in [(900, false), (1100, true), (17_000, true)] {
        let many = (0..communities).map(Community).collect();
        let mut world = world(keyed(TargetKind::Client, with(vec![Edit::Communities(Change::Add(many))])));
        world.announce(5, v4(1), 1);
        settle(&mut world);
        assert_eq!(held(&world, v4(1)).is_none(), held_back, "{communities} communities");
        assert_eq!(world.groups[0].counters().too_long, u64::from(held_back));
    }
}

#[test]
fn edited_sets_are_freed_with_the_last_route() {
    let mut world = world(keyed(TargetKind::Client, with(vec![add(Community(1))])));
    world.announce(5, v4(1), 1);
    settle(&mut world);
    assert_eq!(world.store.len(), 2);
    world.withdraw(5, v4(1));
    settle(&mut world);
    settle(&mut world);
    assert!(world.store.is_empty());
}

#[test]
fn checks_are_listed_in_order() {
    assert!(ExportCheck::ALL.is_sorted());
}

/// What is said of the best path to a destination.
fn explained(world: &World, reader: PeerId, prefix: Prefix) -> crate::PathExport {
    let paths = match prefix {
        Prefix::V4(prefix) => world.v4.lookup(&prefix).map(|dest| world.v4.paths(dest)),
        Prefix::V6(prefix) => world.v6.lookup(&prefix).map(|dest| world.v6.paths(dest)),
    };
    let key = world.groups[0].key();
    let sharing = LoadSharing::default();
    let view = ExportView { key, context: CONTEXT, sharing, peers: &world.peers, to: reader };
    let mut all = view.explain(prefix, paths.unwrap(), false);
    let best = all.remove(0);
    assert!(all.iter().all(|path| path.sent.is_none()), "one path goes out");
    best
}

#[test]
fn an_explanation_ends_with_the_first_check_that_fails() {
    let export = policy(vec![term(to(v4(2)), vec![], Some(Action::Reject))], Action::Accept);
    let mut world = world(GroupKey { local_v6: None, ..keyed(TargetKind::External, export) });
    world.announce(5, v4(1), 1);
    world.announce(5, v4(2), 1);
    world.announce_with(5, v4(3), 1, &extra(&[Community::NO_EXPORT]));
    world.announce(2, v4(4), 1);
    world.announce(5, v6(1), 1);
    let reader = world.id(2).unwrap();
    let blocker = |prefix| explained(&world, reader, prefix).blocker;
    assert_eq!(blocker(v4(1)), None);
    assert_eq!(blocker(v4(2)), Some(ExportCheck::Policy));
    assert_eq!(blocker(v4(3)), Some(ExportCheck::Communities));
    assert_eq!(blocker(v4(4)), Some(ExportCheck::SplitHorizon));
    assert_eq!(blocker(v6(1)), Some(ExportCheck::NextHop));
    let rejected = explained(&world, reader, v4(2));
    assert_eq!(rejected.terms[0].action, Some(Action::Reject));
    let checks: Vec<_> = rejected.checks().collect();
    assert_eq!((checks.len(), checks.last()), (9, Some(&(ExportCheck::Policy, false))));
    assert_eq!(explained(&world, reader, v4(1)).checks().filter(|(_, passed)| *passed).count(), 12);
}

#[test]
fn of_several_paths_those_over_the_count_are_not_chosen() {
    use crate::Advertise;
    let two = Advertise::Count(2.try_into().unwrap());
    let export = policy(
        vec![term(vec![Match::Source(vec![SourceKind::External])], vec![], Some(Action::Reject))],
        Action::Accept,
    );
    let several = GroupKey { add_path: families(), advertise: two, ..keyed(TargetKind::Client, export) };
    let mut world = world(several);
    for slot in [7, 8] {
        world.up(slot);
    }
    for (number, slot) in [5, 7, 8, 1].into_iter().enumerate() {
        world.announce(slot, v4(1), number as u32);
    }
    let view = ExportView {
        key: world.groups[0].key(),
        context: CONTEXT,
        sharing: LoadSharing::default(),
        peers: &world.peers,
        to: world.id(6).unwrap(),
    };
    let Prefix::V4(destination) = v4(1) else { unreachable!() };
    let paths = world.v4.paths(world.v4.lookup(&destination).unwrap());
    let blockers: Vec<_> = view.explain(v4(1), paths, false).iter().map(|path| path.blocker).collect();
    assert_eq!(blockers, [Some(ExportCheck::Policy), None, None, Some(ExportCheck::Chosen)]);
}

#[test]
fn a_path_that_is_kept_long_goes_out_marked() {
    let mut world = world(GroupKey { long_lived: families(), ..keyed(TargetKind::Client, Policy::Accept) });
    world.announce(5, v4(1), 1);
    settle(&mut world);
    assert_eq!(communities(&world, v4(1)), []);
    let Prefix::V4(destination) = v4(1) else { unreachable!() };
    let dest = world.v4.lookup(&destination).unwrap();
    let mut path = world.v4.paths(dest)[0].clone();
    path.mark_long_lived();
    let decision = Decision::new(DecisionConfig::default(), &world.peers);
    world.v4.upsert(destination, path, decision);
    let now = world.now;
    world.groups[0].mark(now, V4::FAMILY, dest);
    settle(&mut world);
    assert_eq!(communities(&world, v4(1)), [Community::LLGR_STALE]);
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let edit = prop_oneof![
        Just(Edit::Med(Some(3))),
        Just(Edit::NextHop(NextHopEdit::Unchanged)),
        Just(Edit::NextHop(NextHopEdit::Own)),
        Just(Edit::Prepend { asn: None, times: 2 }),
        Just(add(Community(5))),
    ];
    let matches = prop_oneof![
        Just(vec![]),
        Just(to(v4(1))),
        Just(vec![Match::Community(vec![Community(1).into()])]),
        Just(vec![Match::Source(vec![SourceKind::External])]),
    ];
    let action = prop_oneof![Just(None), Just(Some(Action::Accept)), Just(Some(Action::Reject))];
    let one = (matches, edit, action).prop_map(|(matches, edit, action)| term(matches, vec![edit], action));
    prop_oneof![
        1 => Just(Policy::Accept),
        1 => Just(Policy::Reject),
        6 => proptest::collection::vec(one, 0..4).prop_map(|terms| policy(terms, Action::Accept)),
    ]
}

proptest! {
    #[test]
    fn what_is_explained_is_what_is_sent(
        export in any_policy(), external: bool, draining: bool, know_stale: bool, own_v4: bool,
        routes in proptest::collection::vec((0..3u32, 0..3u32, 0..3u32, any::<bool>()), 1..8),
    ) {
        let kind = if external { TargetKind::External } else { TargetKind::Client };
        let long_lived = if know_stale { families() } else { FamilySet::EMPTY };
        let local_v4 = own_v4.then_some(Ipv4Addr::new(10, 0, 0, 1));
        let mut world = world(GroupKey { draining, long_lived, local_v4, ..keyed(kind, export) });
        let reader = world.groups[0].peers().next().unwrap();
        for (source, number, mark, is_v6) in routes {
            let marks = [vec![], extra(&[Community(1)]), extra(&[Community::LLGR_STALE])];
            let source = [0, 1, reader.slot][source as usize];
            let prefix = if is_v6 { v6(number as u16) } else { v4(number) };
            world.announce_with(source, prefix, 1, &marks[mark as usize]);
            if mark == 2 {
                world.flush();
            }
        }
        settle(&mut world);
        for prefix in world.prefixes() {
            let explained = explained(&world, reader, prefix);
            prop_assert_eq!(explained.blocker.is_none(), explained.sent.is_some());
            let sent = explained.sent.map(|sent| (sent.block, sent.next_hop));
            prop_assert_eq!(held(&world, prefix), sent, "{}", prefix);
        }
    }
}
