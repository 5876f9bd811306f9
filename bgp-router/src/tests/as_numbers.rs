//! AS numbers where they are not simply ours and the peer's.

use bgp_core::Asn;
use bgp_core::fsm::{ConnectionId, Direction};
use bgp_core::wire::notification::open_error;
use bgp_core::wire::{AsSegment, Notification, Origin, PathAttribute, SegmentKind};

use super::rig::*;
use crate::{AsNumbers, Identity, LocalAddresses, LocalAs, PeerSettings, PrivateNumbers, Refusal};

/// A route of 10.0.0.`number` with this AS path.
fn with_path(number: u8, prefix: &str, path: &[u32]) -> Vec<u8> {
    announce(prefix, [10, 0, 0, number].into(), &attributes(path, &[]))
}

fn numbered(number: u8, as_numbers: AsNumbers) -> PeerSettings {
    PeerSettings { as_numbers, ..external(number) }
}

/// The AS path that `index` was sent with 10.1.0.0/16.
fn sent(rig: &Rig, index: usize) -> Option<String> {
    rig.sides[index].paths().remove(&prefix("10.1.0.0/16"))
}

#[test]
fn our_as_may_be_on_the_path_as_often_as_is_allowed() {
    for (allow_own, accepted) in [(0, 0), (1, 1), (2, 2), (3, 2)] {
        let mut rig = Rig::new();
        let source = rig.up(numbered(1, AsNumbers { allow_own, ..AsNumbers::default() }));
        rig.hear(source, &with_path(1, "10.1.0.0/16", &[65001, OUR_AS.0]));
        rig.hear(source, &with_path(1, "10.2.0.0/16", &[65001, OUR_AS.0, 65009, OUR_AS.0]));
        assert_eq!(rig.accepted(source), accepted, "{allow_own}");
    }
}

#[test]
fn another_number_of_own_ases_judges_routes_again() {
    let mut rig = Rig::new();
    let settings = PeerSettings { keep_received: true, ..external(1) };
    let source = rig.up(settings.clone());
    rig.hear(source, &with_path(1, "10.1.0.0/16", &[65001, OUR_AS.0]));
    assert_eq!(rig.accepted(source), 0);
    let as_numbers = AsNumbers { allow_own: 1, ..AsNumbers::default() };
    let now = rig.now;
    let applied = rig.sides[source].peer.reconfigure(now, PeerSettings { as_numbers, ..settings });
    rig.settle();
    assert!(applied.judged_again && applied.needs_reset.is_empty());
    assert_eq!(rig.accepted(source), 1);
}

#[test]
fn the_peers_as_is_overridden_also_when_that_is_asked_for_on_a_live_session() {
    let mut rig = Rig::new();
    let (source, rack) = (rig.up(external(1)), rig.up(external(2)));
    rig.hear(source, &with_path(1, "10.1.0.0/16", &[65001, 65002, 65009]));
    assert_eq!(sent(&rig, rack).as_deref(), Some("64512 65001 65002 65009"));
    let as_numbers = AsNumbers { overrides: true, ..AsNumbers::default() };
    let now = rig.now;
    let applied = rig.sides[rack].peer.reconfigure(now, numbered(2, as_numbers));
    rig.settle();
    assert!(applied.regroup && applied.needs_reset.is_empty());
    assert_eq!(sent(&rig, rack).as_deref(), Some("64512 65001 64512 65009"));
}

#[test]
fn private_numbers_do_not_go_out() {
    for (private, path) in [
        (PrivateNumbers::Keep, "64512 65001 3356 65100"),
        (PrivateNumbers::Remove, "64512 3356"),
        (PrivateNumbers::Replace, "64512 64512 3356 64512"),
    ] {
        let mut rig = Rig::new();
        let as_numbers = AsNumbers { private, ..AsNumbers::default() };
        let (source, upstream) = (rig.up(external(1)), rig.up(numbered(2, as_numbers)));
        rig.hear(source, &with_path(1, "10.1.0.0/16", &[65001, 3356, 65100]));
        assert_eq!(sent(&rig, upstream).as_deref(), Some(path));
    }
}

const FORMER: LocalAs = LocalAs { asn: Asn(64999), prepends_received: true, replaces: false, dual: false };

/// What a migrated peer is sent of another's route, and another of its.
fn migrated(local: LocalAs) -> [Option<String>; 2] {
    let mut rig = Rig::new();
    let as_numbers = AsNumbers { local: Some(local), ..AsNumbers::default() };
    let (migrated, other) = (rig.up(numbered(1, as_numbers)), rig.up(external(2)));
    rig.hear(other, &with_path(2, "10.1.0.0/16", &[65002]));
    rig.hear(migrated, &with_path(1, "10.2.0.0/16", &[65001]));
    [sent(&rig, migrated), rig.sides[other].paths().remove(&prefix("10.2.0.0/16"))]
}

#[test]
fn a_former_as_is_on_the_path_both_ways_unless_it_is_hidden() {
    let paths = |sent: &str, received: &str| [Some(sent.to_owned()), Some(received.to_owned())];
    assert_eq!(migrated(FORMER), paths("64999 64512 65002", "64512 64999 65001"));
    let hidden = LocalAs { prepends_received: false, replaces: true, ..FORMER };
    assert_eq!(migrated(hidden), paths("64999 65002", "64512 65001"));
}

#[test]
fn the_former_as_on_the_path_is_a_loop_too() {
    let mut rig = Rig::new();
    let as_numbers = AsNumbers { local: Some(FORMER), ..AsNumbers::default() };
    let peer = rig.up(numbered(1, as_numbers));
    rig.hear(peer, &with_path(1, "10.1.0.0/16", &[65001, 64999]));
    assert_eq!(rig.accepted(peer), 0);
    assert_eq!(rig.sides[peer].peer.import_counters().refused[Refusal::AsLoop as usize], 1);
}

#[test]
fn a_peer_that_refuses_one_as_of_two_is_told_the_other() {
    let mut rig = Rig::new();
    let local = Some(LocalAs { dual: true, ..FORMER });
    let settings = numbered(1, AsNumbers { local, ..AsNumbers::default() });
    let index = rig.add(settings.clone());
    let mut refusal = Vec::new();
    Notification::new(Notification::OPEN, open_error::BAD_PEER_AS).encode(&mut refusal);
    let told = |rig: &mut Rig, number: u64| {
        let (now, peer) = (rig.now, &mut rig.sides[index].peer);
        let local = LocalAddresses::new(OUR_ADDRESS.into(), None);
        peer.connected(now, ConnectionId(number), Direction::Outgoing, local);
        let asn = peer.session().our_open().asn;
        peer.read(now, ConnectionId(number), &refusal);
        peer.disconnected(now, ConnectionId(number));
        asn
    };
    let first = told(&mut rig, 100);
    rig.later(std::time::Duration::from_secs(300));
    let second = told(&mut rig, 101);
    rig.later(std::time::Duration::from_secs(300));
    assert_eq!((first, second, told(&mut rig, 102)), (Asn(64999), OUR_AS, Asn(64999)));
    // Now its turn is our own again, and the same settings once more change nothing of that.
    let now = rig.now;
    rig.sides[index].peer.reconfigure(now, settings);
    rig.later(std::time::Duration::from_secs(300));
    assert_eq!(told(&mut rig, 103), OUR_AS);
}

/// A member AS of ours, 65000 the confederation.
const MEMBER: Identity =
    Identity { local_as: OUR_AS, router_id: OUR_ID, cluster_id: None, confederation: Some(Asn(65000)) };

/// A peer at 10.0.0.`number` in another member AS.
fn member(number: u8) -> PeerSettings {
    PeerSettings { confederation: true, ..external(number) }
}

/// A route of 10.0.0.`number` as it comes from within the confederation.
fn from_member(number: u8, prefix: &str, segments: Vec<AsSegment>) -> Vec<u8> {
    let mut block = Vec::new();
    for attribute in
        [PathAttribute::Origin(Origin::Igp), PathAttribute::AsPath(segments), PathAttribute::LocalPref(100)]
    {
        attribute.encode(&mut block);
    }
    announce(prefix, [10, 0, 0, number].into(), &block)
}

fn segment(kind: SegmentKind, asns: &[u32]) -> AsSegment {
    AsSegment { kind, asns: asns.iter().copied().map(Asn).collect() }
}

#[test]
fn a_confederation_is_one_as_to_the_world_and_a_path_of_members_within() {
    let mut rig = Rig::of(MEMBER);
    let inside = PeerSettings { client: false, ..client(4) };
    let (other, world, inside) = (rig.up(member(1)), rig.up(external(2)), rig.up(inside));
    let third = rig.up(member(3));
    let path = vec![segment(SegmentKind::ConfedSequence, &[65001]), segment(SegmentKind::Sequence, &[3356])];
    rig.hear(other, &from_member(1, "10.1.0.0/16", path));
    assert_eq!(sent(&rig, world).as_deref(), Some("65000 3356"));
    assert_eq!(sent(&rig, inside).as_deref(), Some("(65001) 3356"));
    assert_eq!(sent(&rig, third).as_deref(), Some("(64512 65001) 3356"));
    assert_eq!(rig.sides[world].peer.session().our_open().asn, Asn(65000));
    assert_eq!(rig.sides[third].peer.session().our_open().asn, OUR_AS);
}

#[test]
fn behind_a_former_as_the_world_sees_the_confederation_and_no_member_as() {
    let mut rig = Rig::of(MEMBER);
    let as_numbers = AsNumbers { local: Some(FORMER), ..AsNumbers::default() };
    let (other, migrated) = (rig.up(member(1)), rig.up(numbered(2, as_numbers)));
    let path = vec![segment(SegmentKind::ConfedSequence, &[65001]), segment(SegmentKind::Sequence, &[3356])];
    rig.hear(other, &from_member(1, "10.1.0.0/16", path));
    assert_eq!(sent(&rig, migrated).as_deref(), Some("64999 65000 3356"));
}

#[test]
fn a_path_that_was_in_our_member_as_or_our_confederation_is_a_loop() {
    let mut rig = Rig::of(MEMBER);
    let (other, world) = (rig.up(member(1)), rig.up(external(2)));
    let through_us = vec![segment(SegmentKind::ConfedSequence, &[65001, OUR_AS.0])];
    rig.hear(other, &from_member(1, "10.1.0.0/16", through_us));
    rig.hear(world, &with_path(2, "10.2.0.0/16", &[65002, 65000]));
    assert_eq!((rig.accepted(other), rig.accepted(world)), (0, 0));
}

#[test]
fn a_path_from_a_member_that_does_not_begin_with_members_is_not_taken() {
    let mut rig = Rig::of(MEMBER);
    let other = rig.up(member(1));
    rig.hear(other, &from_member(1, "10.1.0.0/16", Vec::new()));
    rig.hear(other, &from_member(1, "10.2.0.0/16", vec![segment(SegmentKind::Sequence, &[65001])]));
    assert_eq!(rig.accepted(other), 0);
    assert_eq!(rig.sides[other].peer.import_counters().refused[Refusal::Confederation as usize], 2);
}
