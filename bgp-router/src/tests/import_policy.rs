//! The import policy: what it takes, changes and refuses, on arrival and on routes that are kept.

use bgp_core::wire::capability::SendReceive;
use bgp_core::wire::{Capability, PathAttribute, encode};
use bgp_core::{Family, FamilySet, PathId, Prefix, V4};

use super::rig::*;
use crate::{AddPath, Applied, PeerSettings, Policy, Refusal};

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
