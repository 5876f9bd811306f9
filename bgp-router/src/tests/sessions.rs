//! Sessions that come, go, and are ended for what they carry.

use std::time::Duration;

use bgp_core::fsm::{ConnectionId, Direction, DownReason, State};
use bgp_core::wire::header::write_message;
use bgp_core::wire::notification::cease;
use bgp_core::wire::{MessageType, Notification, PathAttribute, RouteRefresh};
use bgp_core::{Asn, Family, FamilySet, Instant, RouterId};
use bgp_rib::Transmit;

use super::rig::*;
use crate::{
    Admission, Batch, CoreOutput, Limits, LocalAddresses, PeerEvent, PeerSettings, PeerTable, ToCore, ToPeer,
};

fn prefixes(prefixes: u32) -> Limits {
    Limits { prefixes: Some(prefixes), ..Limits::default() }
}

#[test]
fn a_peer_with_too_many_routes_stays_down_for_as_long_as_its_limits_say() {
    let mut rig = Rig::new();
    let limits = Limits { pause: Some(Duration::from_secs(300)), warn_at: Some(2), ..prefixes(2) };
    let source = rig.up(PeerSettings { limits, ..client(1) });
    let told = |rig: &Rig| {
        let events = &rig.sides[source].events;
        events.iter().filter(|event| matches!(event, PeerEvent::Many(Family::IPV4_UNICAST, 2))).count()
    };
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    assert_eq!(told(&rig), 0);
    rig.hear(source, &from_client(1, "10.2.0.0/16"));
    rig.hear(source, &from_client(1, "10.2.0.0/16"));
    assert_eq!(told(&rig), 1, "once");
    rig.hear(source, &from_client(1, "10.3.0.0/16"));
    let said = rig.sides[source].notification().unwrap();
    assert_eq!((said.code, said.subcode), (6, 1));
    let reasons = rig.sides[source].events.iter().filter(|event| {
        matches!(event, PeerEvent::Down(DownReason::Reset(said)) if said.subcode == cease::MAX_PREFIXES)
    });
    assert_eq!(reasons.count(), 1, "the operator is told why");
    let state = |rig: &Rig| (rig.sides[source].peer.session().state(), rig.sides[source].peer.is_paused());
    assert_eq!(state(&rig), (State::Idle, true));
    rig.later(Duration::from_secs(299));
    assert_eq!(state(&rig), (State::Idle, true));
    let left = rig.sides[source].peer.pause_left(rig.now).unwrap();
    assert!(left > Duration::ZERO && left <= Duration::from_secs(1), "{left:?}");
    rig.later(Duration::from_secs(1));
    assert_eq!(state(&rig), (State::Active, false));
    rig.establish(source);
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    assert_eq!(rig.accepted(source), 1);
}

#[test]
fn a_route_passes_and_a_withdrawal_follows_it() {
    let mut rig = Rig::new();
    let (a, b) = (rig.up(client(1)), rig.up(client(2)));
    rig.hear(a, &from_client(1, "10.1.0.0/16"));
    let v6 = attributes(&[], &[PathAttribute::LocalPref(100)]);
    rig.hear(a, &announce("fd01::/64", "fd00::1".parse().unwrap(), &v6));
    assert_eq!(rig.sides[b].routes().len(), 2);
    assert!(rig.sides[a].routes().is_empty(), "nothing goes back to its source");
    rig.hear(a, &withdraw("10.1.0.0/16"));
    rig.hear(a, &withdraw("fd01::/64"));
    assert!(rig.sides[b].routes().is_empty());
}

#[test]
fn too_many_prefixes_end_the_session_and_take_all_routes_along() {
    let mut rig = Rig::new();
    let source = rig.up(PeerSettings { limits: prefixes(2), ..client(1) });
    let other = rig.up(client(2));
    for text in ["10.1.0.0/16", "10.2.0.0/16"] {
        rig.hear(source, &from_client(1, text));
    }
    rig.hear(source, &from_client(1, "10.2.0.0/16"));
    assert_eq!(rig.sides[other].routes().len(), 2, "the limit may be reached, and a route may come twice");
    rig.hear(source, &from_client(1, "10.3.0.0/16"));
    let cease = rig.sides[source].notification().unwrap();
    assert_eq!((cease.code, cease.subcode), (Notification::CEASE, cease::MAX_PREFIXES));
    assert_eq!(cease.data, [0, 1, 1, 0, 0, 0, 2], "the family and the limit (RFC 4486 section 4)");
    assert!(rig.sides[source].closed && rig.sides[other].routes().is_empty());
    assert_eq!(rig.core.rib().path_count(Family::IPV4_UNICAST), 0);
}

#[test]
fn each_family_may_reach_the_limit_by_itself() {
    let mut rig = Rig::new();
    let source = rig.up(PeerSettings { limits: prefixes(1), ..client(1) });
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    let v6 = attributes(&[], &[PathAttribute::LocalPref(100)]);
    rig.hear(source, &announce("fd01::/64", "fd00::1".parse().unwrap(), &v6));
    assert!(!rig.sides[source].closed);
    rig.hear(source, &announce("fd02::/64", "fd00::1".parse().unwrap(), &v6));
    assert_eq!(rig.sides[source].notification().unwrap().data, [0, 2, 1, 0, 0, 0, 1]);
}

#[test]
fn another_limit_counts_for_the_session_that_is_up() {
    let mut rig = Rig::new();
    let source = rig.up(PeerSettings { limits: prefixes(1), ..client(1) });
    let now = rig.now;
    rig.sides[source].peer.reconfigure(now, PeerSettings { limits: prefixes(3), ..client(1) });
    rig.settle();
    rig.hear(source, &many(1, 3));
    assert_eq!((rig.accepted(source), rig.sides[source].closed), (3, false));
    rig.hear(source, &from_client(1, "10.9.0.0/16"));
    assert!(rig.sides[source].closed);
}

#[test]
fn a_lower_limit_ends_a_session_that_is_over_it_at_once() {
    let mut rig = Rig::new();
    let source = rig.up(client(1));
    rig.hear(source, &many(1, 3));
    let now = rig.now;
    rig.sides[source].peer.reconfigure(now, PeerSettings { limits: prefixes(2), ..client(1) });
    rig.settle();
    assert!(rig.sides[source].closed && rig.core.rib().path_count(Family::IPV4_UNICAST) == 0);
}

#[test]
fn too_many_octets_of_attributes_end_the_session_and_take_all_routes_along() {
    let mut rig = Rig::new();
    let other = rig.up(client(2));
    let octets = |rig: &Rig, source| {
        let counts = |family| rig.core.rib().peer_counts(rig.id(source), family);
        both().iter().filter_map(counts).map(|counts| counts.attribute_bytes).sum::<usize>()
    };
    let probe = rig.up(client(3));
    rig.hear(probe, &many(3, 10));
    let bytes = Some(octets(&rig, probe) as u64);
    let source = rig.up(PeerSettings { limits: Limits { bytes, ..Limits::default() }, ..client(1) });
    rig.hear(source, &many(1, 10));
    assert_eq!(
        (rig.accepted(source), rig.sides[source].closed),
        (10, false),
        "shared or not, it may be reached"
    );
    let v6 = attributes(&[], &[PathAttribute::LocalPref(100)]);
    rig.hear(source, &announce("fd01::/64", "fd00::1".parse().unwrap(), &v6));
    let cease = rig.sides[source].notification().unwrap();
    assert_eq!((cease.code, cease.subcode), (Notification::CEASE, cease::OUT_OF_RESOURCES));
    assert!(rig.sides[source].closed && rig.sides[other].routes().len() == 10);
}

fn twins(rig: &Rig) -> usize {
    rig.outputs.iter().filter(|o| matches!(o, CoreOutput::DuplicateRouterId { .. })).count()
}

#[test]
fn two_routers_with_one_id_raise_an_alarm() {
    let mut rig = Rig::new();
    rig.up(client(1));
    let twin = rig.add(client(2));
    rig.sides[twin].router_id = RouterId(0x0a00_0001);
    rig.establish(twin);
    assert_eq!(twins(&rig), 1);
}

#[test]
fn a_session_for_each_family_and_one_id_in_two_as_are_no_alarm() {
    let mut rig = Rig::new();
    let only = |family| FamilySet::EMPTY.with(family);
    rig.up(PeerSettings { families: only(Family::IPV4_UNICAST), ..client(1) });
    let v6 = PeerSettings {
        families: only(Family::IPV6_UNICAST),
        address: "fd00::1".parse().unwrap(),
        ..client(1)
    };
    let v6 = rig.add(v6);
    rig.sides[v6].router_id = RouterId(0x0a00_0001);
    rig.establish(v6);
    // RFC 6286: an identifier is unique in its AS only.
    let elsewhere = rig.add(PeerSettings { peer_as: Some(Asn(65009)), ..external(9) });
    rig.sides[elsewhere].router_id = RouterId(0x0a00_0001);
    rig.establish(elsewhere);
    assert_eq!(twins(&rig), 0);
}

#[test]
fn two_sessions_of_one_node_do_not_collide() {
    let mut table = PeerTable::new(1);
    let addresses = ["10.0.0.1", "fd00::1"].map(|text| text.parse().unwrap());
    let slots = addresses.map(|address| table.add(address).unwrap().slot);
    assert_eq!(addresses.map(|address| table.admit(address)), slots.map(|slot| Ok(Admission::Known(slot))));

    // Each slot has a session of its own, so connections of the two never meet, whatever their identifiers.
    let mut rig = Rig::new();
    let sides = addresses.map(|address| rig.add(PeerSettings { address, ..client(1) }));
    for side in sides {
        rig.sides[side].router_id = RouterId(0x0a00_0001);
        rig.establish(side);
    }
    for side in sides {
        assert_eq!(rig.sides[side].peer.session().state(), State::Established);
        assert!(!rig.sides[side].closed && rig.sides[side].notification().is_none());
    }
}

fn malformed(rig: &Rig, index: usize) -> usize {
    rig.sides[index].events.iter().filter(|e| matches!(e, PeerEvent::Malformed { .. })).count()
}

/// An UPDATE for `text` whose ORIGIN has no value that there is.
fn bad_origin(text: &str) -> Vec<u8> {
    let mut update = from_client(1, text);
    let at = update.windows(3).position(|w| w == [0x40, 1, 1]).unwrap() + 3;
    update[at] = 9;
    update
}

#[test]
fn a_malformed_update_withdraws_its_routes_and_the_session_goes_on() {
    let mut rig = Rig::new();
    let (source, other) = (rig.up(client(1)), rig.up(client(2)));
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    rig.hear(source, &from_client(1, "10.2.0.0/16"));
    let bad = bad_origin("10.1.0.0/16");
    rig.hear(source, &bad);
    assert_eq!(rig.sides[other].routes(), [prefix("10.2.0.0/16")].into());
    assert_eq!(rig.sides[source].peer.import_counters().malformed, [0, 1, 0, 0]);
    assert_eq!((malformed(&rig, source), rig.sides[source].closed), (1, false));
    let bytes = rig.sides[source].events.iter().find_map(|event| match event {
        PeerEvent::Malformed { body, .. } => Some(body.clone()),
        _ => None,
    });
    assert_eq!(bytes.unwrap(), bad[19..]);
    rig.hear(source, &from_client(1, "10.3.0.0/16"));
    assert_eq!(rig.sides[other].routes().len(), 2);
}

/// An UPDATE with these attributes and nothing else.
fn only(attributes: &[&[u8]]) -> Vec<u8> {
    let attributes = attributes.concat();
    let mut update = Vec::new();
    write_message(&mut update, MessageType::Update, |out| {
        out.extend([0, 0, 0, u8::try_from(attributes.len()).unwrap()]);
        out.extend(&attributes);
    });
    update
}

const BAD_ORIGIN: &[u8] = &[0x40, 1, 1, 9];

#[test]
fn a_fault_beside_destinations_of_a_family_that_is_ignored_does_not_end_the_session() {
    let mut rig = Rig::new();
    let source = rig.up(PeerSettings { families: FamilySet::EMPTY.with(Family::IPV4_UNICAST), ..client(1) });
    let of_ipv6 =
        [&[0x80, 14, 26, 0, 2, 1, 16, 0xfd][..], &[0; 14], &[1, 0, 32, 0x20, 0x01, 0x0d, 0xb8]].concat();
    rig.hear(source, &only(&[&of_ipv6, BAD_ORIGIN]));
    assert!(rig.sides[source].notification().is_none() && !rig.sides[source].closed);
    assert_eq!(rig.sides[source].peer.import_counters().malformed, [1, 0, 0, 0]);
}

#[test]
fn a_fault_beside_an_mp_reach_nlri_without_destinations_ends_the_session() {
    let mut rig = Rig::new();
    let source = rig.up(client(1));
    let of_none = [&[0x80, 14, 21, 0, 2, 1, 16, 0xfd][..], &[0; 14], &[1, 0]].concat();
    rig.hear(source, &only(&[&of_none, BAD_ORIGIN]));
    let notification = rig.sides[source].notification().unwrap();
    assert_eq!((notification.code, notification.subcode), (3, 6));
}

#[test]
fn an_update_that_cannot_be_read_ends_the_session_and_is_reported_with_its_octets() {
    let mut rig = Rig::new();
    let (source, other) = (rig.up(client(1)), rig.up(client(2)));
    let mut input = from_client(1, "10.1.0.0/16");
    // The withdrawn routes claim more octets than the message has.
    write_message(&mut input, MessageType::Update, |out| out.extend([0xff, 0xff, 0, 0]));
    rig.hear(source, &input);
    let notification = rig.sides[source].notification().unwrap();
    assert_eq!((notification.code, notification.subcode), (3, 1));
    assert_eq!(rig.sides[source].peer.import_counters().malformed, [0, 0, 0, 1]);
    assert_eq!(malformed(&rig, source), 1);
    let down = |e: &PeerEvent| matches!(e, PeerEvent::Down(DownReason::NotificationSent(n)) if n.code == 3);
    assert!(rig.sides[source].events.iter().any(down));
    assert!(rig.sides[other].routes().is_empty(), "what came before in the same read went with the session");
    assert_eq!(rig.core.rib().path_count(Family::IPV4_UNICAST), 0);
}

#[test]
fn messages_of_an_earlier_session_change_nothing() {
    let mut rig = Rig::new();
    let (source, other) = (rig.up(client(1)), rig.up(client(2)));
    let old = rig.id(source);
    rig.cut(source);
    rig.establish(source);
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    assert_ne!(rig.id(source), old);
    rig.late(ToCore::Routes(old, Batch::default()));
    rig.late(ToCore::EndOfRib(old, Family::IPV4_UNICAST));
    rig.late(ToCore::Written { peer: old, octets: usize::MAX, sends: 9, at: Instant::ZERO });
    rig.late(ToCore::Limit(old, prefixes(0)));
    rig.late(ToCore::Down(old, None));
    assert_eq!(rig.sides[other].routes().len(), 1);
    let counts = rig.core.rib().peer_counts(rig.id(source), Family::IPV4_UNICAST).unwrap();
    assert!(!counts.end_of_rib);
    let now = rig.now;
    let before = rig.sides[source].read.len();
    let counts = Transmit { octets: 30, updates: 1, refreshes: 0 };
    rig.sides[source].peer.deliver(now, ToPeer::Send { peer: old, chunks: vec![vec![0; 30].into()], counts });
    rig.sides[source].peer.deliver(now, ToPeer::Reset(old, Notification::cease(1, "")));
    rig.settle();
    assert_eq!((rig.sides[source].read.len(), rig.sides[source].closed), (before, false));
}

#[test]
fn a_session_that_ends_takes_its_routes_along_and_the_next_brings_them_back() {
    let mut rig = Rig::new();
    let (source, other) = (rig.up(client(1)), rig.up(client(2)));
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    rig.cut(source);
    assert!(rig.sides[other].routes().is_empty());
    rig.establish(source);
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    assert_eq!(rig.sides[other].routes().len(), 1);
}

#[test]
fn a_restarted_peer_that_takes_over_its_session_leaves_no_old_route() {
    let mut rig = Rig::new();
    let (source, other) = (rig.up(client(1)), rig.up(client(2)));
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    let old = rig.id(source);
    // Both know graceful restart, so the new connection takes the old one's place.
    rig.establish(source);
    assert_eq!(rig.id(source).generation, old.generation + 1);
    assert!(rig.sides[other].routes().is_empty());
    assert!(rig.sides[source].events.iter().any(|e| matches!(e, PeerEvent::Down(DownReason::PeerRestarted))));
    rig.hear(source, &from_client(1, "10.2.0.0/16"));
    assert_eq!(rig.sides[other].routes(), [prefix("10.2.0.0/16")].into());
}

#[test]
fn the_end_of_rib_of_each_family_follows_the_table() {
    let mut rig = Rig::new();
    let source = rig.up(client(1));
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    let late = rig.up(client(2));
    assert_eq!(rig.sides[late].routes().len(), 1);
    let markers = rig.sides[late].ends_of_rib();
    assert_eq!(markers.keys().copied().collect::<Vec<_>>(), [Family::IPV4_UNICAST, Family::IPV6_UNICAST]);
    let first = *markers.values().min().unwrap();
    assert!(first >= 3, "OPEN, KEEPALIVE and the route come before the first marker: {markers:?}");
}

#[test]
fn a_refresh_is_answered_with_all_routes_of_its_family() {
    let mut rig = Rig::new();
    let (source, other) = (rig.up(client(1)), rig.up(client(2)));
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    rig.hear(source, &from_client(1, "10.2.0.0/16"));
    rig.sides[other].read.clear();
    let mut request = Vec::new();
    let family = Family::IPV4_UNICAST;
    RouteRefresh { family, subtype: RouteRefresh::REQUEST }.encode(&mut request);
    rig.hear(other, &request);
    assert_eq!(rig.sides[other].routes().len(), 2);
    assert!(rig.sides[other].ends_of_rib().is_empty(), "it ends the first round only (RFC 4724 section 2)");
}

#[test]
fn a_change_of_what_was_offered_ends_a_session_that_is_not_yet_up() {
    let mut rig = Rig::new();
    let index = rig.add(client(1));
    let id = ConnectionId(77);
    let now = rig.now;
    let side = &mut rig.sides[index];
    side.connection = id;
    side.peer.connected(now, id, Direction::Incoming, LocalAddresses::new([10, 0, 0, 254].into(), None));
    assert_eq!(side.peer.session().state(), State::OpenSent);
    side.peer.reconfigure(now, PeerSettings { limits: prefixes(9), ..client(1) });
    assert_eq!(side.peer.session().state(), State::OpenSent, "this is not said in an OPEN");
    side.peer.reconfigure(now, PeerSettings { hold_time: 30, ..client(1) });
    assert_ne!(side.peer.session().state(), State::OpenSent);
    rig.settle();
    let said = rig.sides[index].notification().map(|n| n.subcode);
    assert_eq!(said, Some(cease::CONFIGURATION_CHANGE));
}
