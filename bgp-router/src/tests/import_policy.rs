//! The import policy: what it takes, changes and refuses, on arrival and on routes that are kept.

use std::sync::Arc;

use bgp_core::wire::capability::{GracefulRestart, RestartFamily, SendReceive};
use bgp_core::wire::{Capability, Community, PathAttribute, encode};
use bgp_core::{Family, FamilySet, PathId, Prefix, V4};
use bgp_rib::filter::{Action, Change, Edit, Filter, Match, Term};

use super::rig::*;
use crate::{AddPath, Applied, Limits, PeerSettings, Policy, Refusal, RestartSettings};

const V4_ONLY: FamilySet = FamilySet::EMPTY.with(Family::IPV4_UNICAST);

/// Client 1, from which several paths to IPv4 destinations are taken.
fn many_paths(rig: &mut Rig, max_paths: Option<u16>) -> (usize, PeerSettings) {
    let add_path = AddPath { receive: V4_ONLY, max_paths, ..AddPath::default() };
    let settings = PeerSettings { add_path, ..client(1) };
    let index = rig.add(settings.clone());
    rig.sides[index].offers = vec![Capability::AddPath(vec![(Family::IPV4_UNICAST, SendReceive::Send)])];
    rig.establish(index);
    (index, settings)
}

/// A path of client 1 to 10.1.0.0/16, with the next hop 10.0.1.`id`.
fn path(id: u8) -> Vec<u8> {
    let Prefix::V4(prefix) = prefix("10.1.0.0/16") else { unreachable!() };
    let mut block = attributes(&[], &[PathAttribute::LocalPref(100)]);
    PathAttribute::NextHop([10, 0, 1, id].into()).encode(&mut block);
    let mut out = Vec::new();
    let destination = [(Some(PathId(id.into())), prefix)];
    encode::announce::<V4>(&mut out, 4096, &block, [10, 0, 1, id].into(), destination).unwrap();
    out
}

fn no_path(id: u8) -> Vec<u8> {
    let Prefix::V4(prefix) = prefix("10.1.0.0/16") else { unreachable!() };
    let mut out = Vec::new();
    encode::withdraw::<V4>(&mut out, 4096, [(Some(PathId(id.into())), prefix)]);
    out
}

fn held(rig: &Rig) -> Vec<u32> {
    let route = rig.core.rib().route(prefix("10.1.0.0/16"));
    let mut ids: Vec<u32> = route.iter().flat_map(|route| route.paths).map(|path| path.path_id.0).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn a_peer_may_announce_several_paths_and_take_each_back() {
    let mut rig = Rig::new();
    let (source, _) = many_paths(&mut rig, None);
    for id in [7, 3, 9] {
        rig.hear(source, &path(id));
    }
    assert_eq!(held(&rig), [3, 7, 9]);
    assert!(rig.sides[source].peer.adj_rib_in().is_none(), "nobody counts them");
    rig.hear(source, &no_path(7));
    assert_eq!(held(&rig), [3, 9]);
}

#[test]
fn of_more_paths_than_are_taken_the_lowest_identifiers_pass_and_others_move_up() {
    let mut rig = Rig::new();
    let (source, settings) = many_paths(&mut rig, Some(2));
    for id in [7, 3, 9, 5] {
        rig.hear(source, &path(id));
    }
    assert_eq!(held(&rig), [3, 5]);
    let refused = rig.sides[source].peer.import_counters().refused[Refusal::MaxPaths as usize];
    assert_eq!(refused, 2, "9 when it came, 7 when 5 took its place");
    let kept = rig.sides[source].peer.adj_rib_in().unwrap();
    let reasons: Vec<_> = kept.paths(prefix("10.1.0.0/16")).map(|r| (r.path_id.0, r.taken.err())).collect();
    let over = Some(Refusal::MaxPaths);
    assert_eq!(reasons, [(3, None), (5, None), (7, over), (9, over)]);
    rig.hear(source, &no_path(3));
    assert_eq!(held(&rig), [5, 7]);
    let now = rig.now;
    let add_path = AddPath { max_paths: Some(1), ..settings.add_path };
    let applied = rig.sides[source].peer.reconfigure(now, PeerSettings { add_path, ..settings });
    assert_eq!(applied, Applied { judged_again: true, ..Applied::default() });
    rig.settle();
    assert_eq!(held(&rig), [5]);
}

#[test]
fn kept_routes_are_judged_by_another_policy_and_only_the_difference_is_told() {
    let mut rig = Rig::new();
    let keeping = PeerSettings { keep_received: true, ..client(1) };
    let (source, other) = (rig.up(keeping.clone()), rig.up(client(2)));
    rig.hear(source, &many(1, 10_000));
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    let now = rig.now;
    rig.sides[source].said.clear();
    let narrow = PeerSettings { allowed_prefixes: vec![prefix("20.0.0.0/8")], ..keeping.clone() };
    let applied = rig.sides[source].peer.reconfigure(now, narrow);
    assert!(applied.judged_again && !applied.refresh && !applied.reset);
    rig.settle();
    assert_eq!((rig.accepted(source), rig.sides[other].routes().len()), (10_000, 10_000));
    assert_eq!(rig.sides[source].said.len(), 1, "one withdrawal: {:?}", rig.sides[source].said);

    let closed = PeerSettings { import: Policy::Reject, ..keeping.clone() };
    rig.sides[source].peer.reconfigure(now, closed);
    rig.settle();
    assert_eq!((rig.accepted(source), rig.sides[other].routes().len()), (0, 0));
    rig.sides[source].peer.reconfigure(now, keeping);
    rig.settle();
    assert_eq!((rig.accepted(source), rig.sides[other].routes().len()), (10_001, 10_001));
    assert!(rig.sides[source].asked_again().is_empty());
}

fn term(matches: &[Match], edits: &[Edit], action: Option<Action>) -> Term {
    Term { name: String::new(), matches: matches.to_vec(), edits: edits.to_vec(), action }
}

/// All that no term decides on is taken.
fn filter(terms: Vec<Term>) -> Policy {
    Policy::Filter(Arc::new(Filter::new("test", terms, Action::Accept).unwrap()))
}

fn inside(text: &str) -> Match {
    Match::Prefix(vec![text.parse().unwrap()].into())
}

/// From external peer 1, with these communities.
fn tagged(text: &str, communities: &[Community]) -> Vec<u8> {
    // A list of none would be malformed (RFC 7606 section 7.8).
    let list = (!communities.is_empty()).then(|| PathAttribute::Communities(communities.to_vec()));
    let block = attributes(&[65001], list.as_slice());
    announce(text, [10, 0, 0, 1].into(), &block)
}

fn local_pref(rig: &Rig, text: &str) -> Option<u32> {
    let route = rig.core.rib().route(prefix(text))?;
    route.best()?.attrs.summary().local_pref
}

#[test]
fn a_filter_takes_changes_and_refuses_the_routes_of_one_update_each_for_itself() {
    let import = filter(vec![
        term(&[inside("20.0.0.2/32")], &[], Some(Action::Reject)),
        term(&[inside("20.0.0.0/31 le 32")], &[Edit::LocalPref(300)], None),
    ]);
    let mut rig = Rig::new();
    let (source, other) = (rig.up(PeerSettings { import, ..client(1) }), rig.up(client(2)));
    rig.hear(source, &many(1, 5));
    let preferences: Vec<_> = (0..5).map(|i| local_pref(&rig, &format!("20.0.0.{i}/32"))).collect();
    assert_eq!(preferences, [Some(300), Some(300), None, Some(100), Some(100)]);
    assert_eq!(rig.sides[source].peer.import_counters().refused[Refusal::Policy as usize], 1);
    assert_eq!(rig.sides[other].routes().len(), 4);
}

#[test]
fn a_route_that_a_filter_refuses_withdraws_the_one_it_replaces() {
    let bad = Community(0xfde9_0001);
    let import = filter(vec![term(&[Match::Community(vec![bad.into()])], &[], Some(Action::Reject))]);
    let mut rig = Rig::new();
    let (source, other) = (rig.up(PeerSettings { import, ..external(1) }), rig.up(client(2)));
    rig.hear(source, &tagged("10.1.0.0/16", &[]));
    assert_eq!(rig.sides[other].routes().len(), 1);
    rig.hear(source, &tagged("10.1.0.0/16", &[bad]));
    assert!(rig.sides[other].routes().is_empty());
}

#[test]
fn graceful_shutdown_over_ebgp_is_the_last_choice_whatever_the_policy_prefers() {
    let prefer = filter(vec![term(&[], &[Edit::LocalPref(500)], None)]);
    let mut rig = Rig::new();
    let source = rig.up(PeerSettings { import: prefer, ..external(1) });
    let plain = rig.up(external(2));
    rig.hear(source, &tagged("10.1.0.0/16", &[]));
    assert_eq!(local_pref(&rig, "10.1.0.0/16"), Some(500));
    rig.hear(source, &tagged("10.1.0.0/16", &[Community::GRACEFUL_SHUTDOWN]));
    assert_eq!(local_pref(&rig, "10.1.0.0/16"), Some(0));
    let block = attributes(&[65002], &[PathAttribute::Communities(vec![Community::GRACEFUL_SHUTDOWN])]);
    rig.hear(plain, &announce("10.2.0.0/16", [10, 0, 0, 2].into(), &block));
    assert_eq!(local_pref(&rig, "10.2.0.0/16"), Some(0), "without any filter too");
}

#[test]
fn graceful_shutdown_over_ibgp_says_what_its_sender_set() {
    let mut rig = Rig::new();
    let source = rig.up(client(1));
    let more = [PathAttribute::LocalPref(70), PathAttribute::Communities(vec![Community::GRACEFUL_SHUTDOWN])];
    rig.hear(source, &announce("10.1.0.0/16", [10, 0, 0, 1].into(), &attributes(&[], &more)));
    assert_eq!(local_pref(&rig, "10.1.0.0/16"), Some(70));
}

#[test]
fn a_policy_that_takes_graceful_shutdown_off_decides_by_itself() {
    let gone = Change::Remove(vec![Community::GRACEFUL_SHUTDOWN.into()]);
    let import = filter(vec![term(&[], &[Edit::Communities(gone), Edit::LocalPref(80)], None)]);
    let mut rig = Rig::new();
    let source = rig.up(PeerSettings { import, ..external(1) });
    rig.hear(source, &tagged("10.1.0.0/16", &[Community::GRACEFUL_SHUTDOWN]));
    assert_eq!(local_pref(&rig, "10.1.0.0/16"), Some(80));
}

#[test]
fn another_filter_changes_kept_routes_and_one_with_the_same_content_nothing() {
    let raise = |text: &str, value| filter(vec![term(&[inside(text)], &[Edit::LocalPref(value)], None)]);
    let with = |import| PeerSettings { import, keep_received: true, ..client(1) };
    let mut rig = Rig::new();
    let source = rig.up(with(raise("20.0.0.3/32", 200)));
    rig.hear(source, &many(1, 9));
    let now = rig.now;
    assert_eq!(rig.sides[source].peer.reconfigure(now, with(raise("20.0.0.3/32", 200))), Applied::default());
    rig.sides[source].said.clear();
    let applied = rig.sides[source].peer.reconfigure(now, with(raise("20.0.0.4/32", 200)));
    assert_eq!(applied, Applied { judged_again: true, ..Applied::default() });
    rig.settle();
    let values: Vec<_> = [3, 4, 5].map(|i| local_pref(&rig, &format!("20.0.0.{i}/32")).unwrap()).into();
    assert_eq!(values, [100, 200, 100]);
    assert_eq!(rig.sides[source].said.len(), 1);
    assert_eq!(rig.sides[source].said[0].matches("RouteChange").count(), 2, "{}", rig.sides[source].said[0]);
    let kept = rig.sides[source].peer.adj_rib_in().unwrap();
    let route = kept.paths(prefix("20.0.0.4/32")).next().unwrap();
    assert_eq!(route.received.summary().local_pref, Some(100), "kept as it came");
    assert_eq!(route.taken.unwrap().summary().local_pref, Some(200));
}

/// Client 1, whose routes outlive its session however that ends (RFC 8538).
fn lasting(rig: &mut Rig, settings: &PeerSettings) -> usize {
    let index = rig.add(settings.clone());
    let entry = |family| RestartFamily { family, forwarding: true };
    let families = both().iter().map(entry).collect();
    rig.sides[index].restart =
        Some(GracefulRestart { restarted: false, notification: true, restart_time: 100, families });
    rig.sides[index].forgets = Some(Capability::RouteRefresh);
    rig.establish(index);
    rig.hear(index, &from_client(1, "10.1.0.0/16"));
    index
}

#[test]
fn routes_that_wait_for_their_peer_go_with_the_policy_that_took_them() {
    let open = PeerSettings { restart: Some(RestartSettings::default()), ..client(1) };
    let mut rig = Rig::new();
    let (other, source) = (rig.up(client(2)), lasting(&mut rig, &open));
    rig.cut(source);
    let now = rig.now;
    rig.sides[source].peer.reconfigure(now, PeerSettings { hold_time: 30, ..open.clone() });
    rig.settle();
    assert_eq!(rig.sides[other].routes().len(), 1, "it may come back");
    rig.sides[source].peer.reconfigure(now, PeerSettings { import: Policy::Reject, ..open });
    rig.settle();
    assert!(rig.sides[other].routes().is_empty());
    assert!(!rig.sides[source].peer.may_have_left_routes());
}

#[test]
fn a_reset_for_routes_that_are_not_to_be_here_leaves_none_whatever_was_agreed_on_restarts() {
    let open = PeerSettings { restart: Some(RestartSettings::default()), ..client(1) };
    let closed = PeerSettings { import: Policy::Reject, ..open.clone() };
    let kept = PeerSettings { keep_received: true, ..open.clone() };
    let limits = Limits { bytes: Some(10), ..Limits::default() };
    let narrow = PeerSettings { limits, ..kept.clone() };
    for (before, after) in [(open, closed), (kept, narrow)] {
        let mut rig = Rig::new();
        let (other, source) = (rig.up(client(2)), lasting(&mut rig, &before));
        let now = rig.now;
        rig.sides[source].peer.reconfigure(now, after);
        rig.settle();
        assert!(rig.sides[source].closed && rig.sides[other].routes().is_empty());
    }
}
