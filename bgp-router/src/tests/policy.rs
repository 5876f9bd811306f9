//! What is not taken, and that it takes the place of what it replaces.

use std::collections::BTreeSet;

use bgp_core::wire::PathAttribute;
use bgp_core::{ClusterId, PeerKind, RouterId};

use super::rig::*;
use crate::{PeerSettings, Policy, Refusal};

fn refused(rig: &Rig, index: usize, refusal: Refusal) -> u64 {
    rig.sides[index].peer.import_counters().refused[refusal as usize]
}

/// A path that is fine, then `bad` for the same prefix: the fine one must be gone, and the bad one counted.
fn replaces(settings: PeerSettings, good: &[u8], bad: &[u8], refusal: Refusal) {
    let mut rig = Rig::new();
    let (source, other) = (rig.up(settings), rig.up(client(2)));
    rig.hear(source, good);
    assert_eq!(rig.sides[other].routes().len(), 1, "{refusal:?}: the good path passes");
    rig.hear(source, bad);
    assert!(rig.sides[other].routes().is_empty(), "{refusal:?}: the refused path withdraws");
    assert_eq!((rig.accepted(source), refused(&rig, source, refusal)), (0, 1), "{refusal:?}");
}

#[test]
fn over_ebgp_nothing_passes_that_is_not_asked_for() {
    let closed = |number| PeerSettings { import: Policy::Reject, export: Policy::Reject, ..external(number) };
    let mut rig = Rig::new();
    let (a, inside, b) = (rig.up(closed(1)), rig.up(client(2)), rig.up(closed(3)));
    rig.hear(a, &from_external(1, "10.1.0.0/16"));
    rig.hear(inside, &from_client(2, "10.2.0.0/16"));
    assert_eq!((rig.accepted(a), refused(&rig, a, Refusal::Policy)), (0, 1));
    assert!(rig.sides[inside].routes().is_empty() && rig.sides[b].routes().is_empty());
    assert_eq!(rig.sides[a].ends_of_rib().len(), 2, "the end of nothing is told all the same");
}

#[test]
fn over_ebgp_what_is_asked_for_passes() {
    let mut rig = Rig::new();
    let (a, inside, b) = (rig.up(external(1)), rig.up(client(2)), rig.up(external(3)));
    rig.hear(a, &from_external(1, "10.1.0.0/16"));
    rig.hear(inside, &from_client(2, "10.2.0.0/16"));
    assert_eq!(rig.sides[b].routes(), [prefix("10.1.0.0/16"), prefix("10.2.0.0/16")].into());
    assert_eq!(rig.sides[inside].routes(), [prefix("10.1.0.0/16")].into());
}

#[test]
fn our_as_in_the_path_withdraws_what_it_replaces() {
    let bad = announce("10.1.0.0/16", [10, 0, 0, 1].into(), &attributes(&[65001, OUR_AS.0], &[]));
    replaces(external(1), &from_external(1, "10.1.0.0/16"), &bad, Refusal::AsLoop);
}

#[test]
fn our_originator_id_withdraws_what_it_replaces() {
    let more = [PathAttribute::LocalPref(100), PathAttribute::OriginatorId(OUR_ID)];
    let bad = announce("10.1.0.0/16", [10, 0, 0, 9].into(), &attributes(&[], &more));
    replaces(client(1), &from_client(1, "10.1.0.0/16"), &bad, Refusal::Originator);
}

#[test]
fn our_cluster_in_the_list_withdraws_what_it_replaces() {
    let more = [
        PathAttribute::LocalPref(100),
        PathAttribute::OriginatorId(RouterId(9)),
        PathAttribute::ClusterList(vec![ClusterId(5), ClusterId(OUR_ID.0)]),
    ];
    let bad = announce("10.1.0.0/16", [10, 0, 0, 9].into(), &attributes(&[], &more));
    replaces(client(1), &from_client(1, "10.1.0.0/16"), &bad, Refusal::Cluster);
}

#[test]
fn whose_routes_came_back_to_our_cluster_is_remembered_while_the_session_lasts() {
    let mut rig = Rig::new();
    let source = rig.up(client(1));
    for id in [9, 7, 9] {
        let more = [
            PathAttribute::LocalPref(100),
            PathAttribute::OriginatorId(RouterId(id)),
            PathAttribute::ClusterList(vec![ClusterId(OUR_ID.0)]),
        ];
        rig.hear(source, &announce("10.1.0.0/16", [10, 0, 0, 9].into(), &attributes(&[], &more)));
    }
    assert_eq!(rig.sides[source].peer.looped_originators(), &BTreeSet::from([RouterId(7), RouterId(9)]));
    rig.cut(source);
    assert!(rig.sides[source].peer.looped_originators().is_empty());
}

#[test]
fn our_address_as_the_next_hop_withdraws_what_it_replaces() {
    let block = attributes(&[], &[PathAttribute::LocalPref(100)]);
    let bad = announce("10.1.0.0/16", OUR_ADDRESS.into(), &block);
    replaces(client(1), &from_client(1, "10.1.0.0/16"), &bad, Refusal::NextHop);
}

#[test]
fn our_address_in_the_other_family_is_no_next_hop_either() {
    let block = attributes(&[], &[PathAttribute::LocalPref(100)]);
    let good = announce("fd01::/64", "fd00::1".parse().unwrap(), &block);
    let bad = announce("fd01::/64", "fd00::fe".parse().unwrap(), &block);
    replaces(client(1), &good, &bad, Refusal::NextHop);
    let configured = PeerSettings { local_v6: Some("fd00::ff".parse().unwrap()), ..client(1) };
    let bad = announce("fd01::/64", "fd00::ff".parse().unwrap(), &block);
    replaces(configured, &good, &bad, Refusal::NextHop);
}

#[test]
fn a_loopback_address_is_no_next_hop_unless_the_peer_is_on_this_host() {
    let block = attributes(&[], &[PathAttribute::LocalPref(100)]);
    let good = announce("fd01::/64", "fd00::1".parse().unwrap(), &block);
    for (good, prefix, bad) in
        [(from_client(1, "10.1.0.0/16"), "10.1.0.0/16", "127.0.0.1"), (good, "fd01::/64", "::1")]
    {
        let bad = announce(prefix, bad.parse().unwrap(), &block);
        replaces(client(1), &good, &bad, Refusal::NextHop);
    }
}

#[test]
fn only_allowed_prefixes_are_taken() {
    let settings = PeerSettings { allowed_prefixes: vec![prefix("10.244.0.0/16")], ..client(1) };
    let mut rig = Rig::new();
    let (source, other) = (rig.up(settings), rig.up(client(2)));
    for text in ["10.244.7.0/26", "10.244.0.0/16", "10.0.0.0/8", "10.245.0.0/16"] {
        rig.hear(source, &from_client(1, text));
    }
    assert_eq!(rig.sides[other].routes(), [prefix("10.244.0.0/16"), prefix("10.244.7.0/26")].into());
    assert_eq!(refused(&rig, source, Refusal::Policy), 2);
}

#[test]
fn a_policy_that_closes_takes_its_routes_back_when_they_come_again() {
    let mut rig = Rig::new();
    let (source, other) = (rig.up(client(1)), rig.up(client(2)));
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    let now = rig.now;
    let closed = PeerSettings { import: Policy::Reject, ..client(1) };
    rig.sides[source].peer.reconfigure(now, closed);
    assert!(rig.sides[source].peer.request_refresh(now, both()));
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    assert!(rig.sides[other].routes().is_empty());
}

#[test]
fn attributes_known_from_one_kind_of_peer_are_judged_anew_for_another() {
    let mut rig = Rig::new();
    let (inside, outside, other) = (rig.up(client(1)), rig.up(external(2)), rig.up(client(3)));
    let block = attributes(&[65002], &[PathAttribute::LocalPref(700)]);
    let update = announce("10.1.0.0/16", [10, 0, 0, 9].into(), &block);
    rig.hear(inside, &update);
    rig.hear(outside, &announce("10.2.0.0/16", [10, 0, 0, 9].into(), &block));
    assert_eq!(rig.sides[other].routes().len(), 2);
    let route = rig.core.rib().route(prefix("10.2.0.0/16")).unwrap();
    let attrs = &route.best().unwrap().attrs;
    assert_eq!((attrs.kind(), attrs.summary().local_pref), (PeerKind::External, None));
}
