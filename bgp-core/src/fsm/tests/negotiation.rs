//! What follows from two OPENs.

use std::time::Duration;

use super::super::negotiate::{negotiate, our_open};
use super::super::*;
use crate::wire::Capability;
use crate::wire::capability::{ExtendedNextHop, SendReceive};
use crate::wire::notification::open_error;
use crate::{Asn, Family, FamilySet, PeerKind, RouterId};

const V4: Family = Family::IPV4_UNICAST;
const V6: Family = Family::IPV6_UNICAST;

fn config() -> SessionConfig {
    SessionConfig::new(Asn(64512), RouterId(1), Some(Asn(64512)))
}

fn both() -> FamilySet {
    FamilySet::from_iter([V4, V6])
}

/// Speakers of both families in one AS, ours and the peer's.
fn speakers() -> [SessionConfig; 2] {
    [1, 2].map(|id| SessionConfig { families: both(), router_id: RouterId(id), ..config() })
}

/// Speakers of two ASes.
fn neighbours(ours: Option<Role>, theirs: Option<Role>) -> [SessionConfig; 2] {
    let side =
        |asn, peer, role| SessionConfig { local_as: Asn(asn), peer_as: Some(Asn(peer)), role, ..config() };
    [side(64512, 64513, ours), SessionConfig { router_id: RouterId(2), ..side(64513, 64512, theirs) }]
}

fn open() -> Open {
    Open { asn: Asn(64512), hold_time: 30, router_id: RouterId(2), capabilities: vec![] }
}

fn outcome(config: &SessionConfig, open: Open) -> Result<Negotiated, (u8, u8)> {
    negotiate(config, ConnectionId(1), Direction::Outgoing, open).map_err(|n| (n.code, n.subcode))
}

fn agreed([ours, theirs]: &[SessionConfig; 2]) -> Negotiated {
    outcome(ours, our_open(theirs)).unwrap()
}

#[test]
fn a_peer_without_capabilities_speaks_ipv4_unicast_the_old_way() {
    let agreed = outcome(&config(), open()).unwrap();
    assert_eq!(agreed.families, FamilySet::EMPTY.with(V4));
    assert_eq!((agreed.hold_time, agreed.keepalive), (30, Duration::from_secs(10)));
    assert!(!agreed.four_octet_as && !agreed.extended_message && !agreed.route_refresh);
    assert!(!agreed.peer_sends_end_of_rib());
    assert_eq!(agreed.max_message_len(), 4096);
}

#[test]
fn two_of_us_agree_on_all_that_is_offered() {
    let theirs = SessionConfig { router_id: RouterId(2), ..config() };
    let agreed = outcome(&config(), our_open(&theirs)).unwrap();
    assert!(agreed.four_octet_as && agreed.extended_message && agreed.route_refresh);
    assert!(agreed.peer_sends_end_of_rib());
    assert_eq!((agreed.max_message_len(), agreed.kind), (65535, PeerKind::Internal));
}

#[test]
fn nothing_is_offered_by_itself_that_needs_more_than_a_session() {
    let offered: Vec<String> = our_open(&config()).capabilities.iter().map(ToString::to_string).collect();
    let expected = [
        "multiprotocol ipv4",
        "route-refresh",
        "four-octet-as 64512",
        "extended-message",
        "graceful-restart 0s",
    ];
    assert_eq!(offered, expected);
}

#[test]
fn what_we_do_not_offer_is_not_agreed_on() {
    let ours = SessionConfig { extended_message: false, graceful_restart: None, ..config() };
    let theirs = SessionConfig { router_id: RouterId(2), ..config() };
    let agreed = outcome(&ours, our_open(&theirs)).unwrap();
    assert!(!agreed.extended_message && !agreed.peer_sends_end_of_rib());
}

#[test]
fn an_open_that_does_not_suit_is_refused_with_its_subcode() {
    type Spoil = fn(&mut Open);
    let cases: [(Spoil, u8); 6] = [
        (|open| open.asn = Asn(64513), open_error::BAD_PEER_AS),
        (|open| open.asn = Asn(0), open_error::BAD_PEER_AS),
        (|open| open.router_id = RouterId(0), open_error::BAD_IDENTIFIER),
        (|open| open.router_id = RouterId(1), open_error::BAD_IDENTIFIER),
        (|open| open.hold_time = 1, open_error::UNACCEPTABLE_HOLD_TIME),
        (|open| open.hold_time = 2, open_error::UNACCEPTABLE_HOLD_TIME),
    ];
    for (spoil, subcode) in cases {
        let mut open = open();
        spoil(&mut open);
        assert_eq!(outcome(&config(), open).unwrap_err(), (2, subcode));
    }
}

#[test]
fn a_peer_of_another_as_may_share_our_identifier() {
    let config = SessionConfig { peer_as: None, ..config() };
    let open = Open { asn: Asn(64513), router_id: RouterId(1), ..open() };
    assert_eq!(outcome(&config, open).unwrap().kind, PeerKind::External);
}

#[test]
fn a_dynamic_peer_may_be_in_any_as_but_zero_and_as_trans() {
    let config = SessionConfig { peer_as: None, ..config() };
    assert!(outcome(&config, Open { asn: Asn(4_200_000_000), ..open() }).is_ok());
    for asn in [Asn(0), Asn::TRANS] {
        assert_eq!(outcome(&config, Open { asn, ..open() }).unwrap_err(), (2, 2), "{asn}");
    }
}

#[test]
fn a_wide_as_number_comes_through_its_capability_and_is_as_trans_without() {
    let wide = Asn(4_200_000_000);
    let [ours, theirs] = [SessionConfig { peer_as: Some(wide), ..config() }, config()];
    let theirs = SessionConfig { local_as: wide, router_id: RouterId(2), ..theirs };
    let through_the_wire = |open: &Open| {
        let mut bytes = Vec::new();
        open.encode(&mut bytes);
        Open::parse(&bytes[19..]).unwrap()
    };
    let mut open = our_open(&theirs);
    let agreed = outcome(&ours, through_the_wire(&open)).unwrap();
    assert_eq!((agreed.peer_as, agreed.four_octet_as), (wide, true));
    open.capabilities.retain(|capability| !matches!(capability, Capability::FourOctetAs(_)));
    assert_eq!(outcome(&ours, through_the_wire(&open)).unwrap_err(), (2, 2));
}

#[test]
fn a_peer_without_four_octet_numbers_is_taken_at_its_two() {
    let agreed = outcome(&config(), open()).unwrap();
    assert_eq!((agreed.peer_as, agreed.four_octet_as), (Asn(64512), false));
}

#[test]
fn a_hold_time_of_zero_on_either_side_is_none() {
    assert_eq!(outcome(&config(), Open { hold_time: 0, ..open() }).unwrap().hold(), None);
    let ours = SessionConfig { hold_time: 0, keepalive: Some(5), ..config() };
    assert_eq!(outcome(&ours, open()).unwrap().keepalive, Duration::ZERO);
}

#[test]
fn keepalives_go_out_more_often_if_asked_for_but_never_less() {
    let keepalive = |seconds| outcome(&SessionConfig { keepalive: Some(seconds), ..config() }, open());
    let seconds = |seconds| keepalive(seconds).unwrap().keepalive.as_secs();
    assert_eq!([1, 9, 10, 25].map(seconds), [1, 9, 10, 10], "a third of 30 s at most");
}

#[test]
fn no_common_family_is_answered_with_the_capabilities_that_are_missing() {
    let config = SessionConfig { families: both(), ..config() };
    let vpn = Capability::Multiprotocol(Family { afi: 1, safi: 128 });
    let open = Open { capabilities: vec![vpn], ..open() };
    let refused = negotiate(&config, ConnectionId(1), Direction::Incoming, open).unwrap_err();
    let data = vec![1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1];
    assert_eq!(refused, Notification::with_data(2, 7, data));
}

#[test]
fn long_messages_go_out_if_both_offered_them_and_come_in_if_we_did() {
    let lengths = |ours, theirs| {
        let [mut a, mut b] = speakers();
        (a.extended_message, b.extended_message) = (ours, theirs);
        let agreed = agreed(&[a, b]);
        (agreed.max_message_len(), agreed.max_received_len())
    };
    assert_eq!(lengths(true, true), (65535, 65535));
    assert_eq!(lengths(true, false), (4096, 65535));
    assert_eq!(lengths(false, true), (4096, 4096));
    assert_eq!(lengths(false, false), (4096, 4096));
}

#[test]
fn roles_that_suit_each_other_are_agreed_on() {
    for ours in Role::ALL {
        for theirs in Role::ALL {
            let [a, b] = neighbours(Some(ours), Some(theirs));
            let outcome = outcome(&a, our_open(&b)).map(|agreed| agreed.peer_role);
            let expected = if ours.counterpart() == Some(theirs) { Ok(Some(theirs)) } else { Err((2, 11)) };
            assert_eq!(outcome, expected, "{ours} and {theirs}");
        }
    }
}

#[test]
fn a_role_that_is_missing_matters_in_strict_mode_only() {
    let [ours, theirs] = neighbours(Some(Role::Customer), None);
    assert_eq!(outcome(&ours, our_open(&theirs)).unwrap().peer_role, None);
    let strict = SessionConfig { strict_role: true, ..ours };
    assert_eq!(outcome(&strict, our_open(&theirs)).unwrap_err(), (2, 11));
    // Who has no role of its own asks for none, and looks at none.
    let [ours, theirs] = neighbours(None, Some(Role::Customer));
    let strict = SessionConfig { strict_role: true, ..ours };
    assert_eq!(outcome(&strict, our_open(&theirs)).unwrap().peer_role, None);
}

#[test]
fn several_roles_of_one_peer_have_to_be_the_same() {
    let [ours, theirs] = neighbours(Some(Role::Customer), Some(Role::Provider));
    let with = |role| {
        let mut open = our_open(&theirs);
        open.capabilities.push(Capability::Role(role));
        outcome(&ours, open).map(|agreed| agreed.peer_role)
    };
    assert_eq!(with(Role::Provider), Ok(Some(Role::Provider)));
    assert_eq!(with(Role::Peer), Err((2, 11)));
}

#[test]
fn within_an_as_there_are_no_roles() {
    let [ours, theirs] = speakers().map(|side| SessionConfig { role: Some(Role::Customer), ..side });
    let told = |config: &SessionConfig| {
        our_open(config).capabilities.iter().any(|capability| matches!(capability, Capability::Role(_)))
    };
    assert!(!told(&ours));
    // A peer of any AS may be one of another.
    let theirs = SessionConfig { peer_as: None, ..theirs };
    assert!(told(&theirs));
    assert_eq!(outcome(&ours, our_open(&theirs)).unwrap().peer_role, None);
}

#[test]
fn path_identifiers_go_where_one_side_sends_and_the_other_receives() {
    let v4 = FamilySet::EMPTY.with(V4);
    let cases = [
        // Our receive and send, the peer's receive and send, what comes and what goes with path identifiers.
        ((both(), both()), (both(), both()), (both(), both())),
        ((both(), v4), (v4, v4), (v4, v4)),
        ((both(), FamilySet::EMPTY), (both(), FamilySet::EMPTY), (FamilySet::EMPTY, FamilySet::EMPTY)),
        ((both(), FamilySet::EMPTY), (FamilySet::EMPTY, both()), (both(), FamilySet::EMPTY)),
        ((FamilySet::EMPTY, both()), (v4, both()), (FamilySet::EMPTY, v4)),
        ((FamilySet::EMPTY, FamilySet::EMPTY), (both(), both()), (FamilySet::EMPTY, FamilySet::EMPTY)),
    ];
    for (ours, theirs, expected) in cases {
        let [mut a, mut b] = speakers();
        (a.add_path_receive, a.add_path_send) = ours;
        (b.add_path_receive, b.add_path_send) = theirs;
        let agreed = agreed(&[a, b]);
        assert_eq!((agreed.add_path_receive, agreed.add_path_send), expected);
    }
}

#[test]
fn path_identifiers_need_the_family_itself_and_the_last_word_counts() {
    let ours = SessionConfig { add_path_receive: both(), add_path_send: both(), ..config() };
    let with = |entries: &[(Family, SendReceive)]| {
        let capabilities = vec![
            Capability::Multiprotocol(V4),
            Capability::Multiprotocol(V6),
            Capability::AddPath(entries.to_vec()),
        ];
        let agreed = outcome(&ours, Open { capabilities, ..open() }).unwrap();
        (agreed.add_path_receive, agreed.add_path_send)
    };
    let v4 = FamilySet::EMPTY.with(V4);
    assert_eq!(with(&[(V6, SendReceive::Both), (V4, SendReceive::Both)]), (v4, v4), "we speak IPv4 only");
    assert_eq!(with(&[(V4, SendReceive::Both), (V4, SendReceive::Send)]), (v4, FamilySet::EMPTY));
}

#[test]
fn ipv6_next_hops_for_ipv4_routes_take_both_sides() {
    let [a, b] = speakers();
    let offering = |side: &SessionConfig| SessionConfig { extended_next_hop: both(), ..side.clone() };
    let v4 = FamilySet::EMPTY.with(V4);
    assert_eq!(agreed(&[offering(&a), offering(&b)]).extended_next_hop, v4);
    assert_eq!(agreed(&[a.clone(), offering(&b)]).extended_next_hop, FamilySet::EMPTY);
    assert_eq!(agreed(&[offering(&a), b]).extended_next_hop, FamilySet::EMPTY);
    let offered = our_open(&offering(&a)).capabilities;
    let entries = vec![ExtendedNextHop { family: V4, next_hop_afi: 2 }];
    assert!(offered.contains(&Capability::ExtendedNextHop(entries)), "{offered:?}");
}

#[test]
fn ipv6_next_hops_are_offered_for_no_other_families_than_those_of_rfc_8950() {
    let [config, _] = speakers();
    let all = SessionConfig { families: FamilySet::ALL, extended_next_hop: FamilySet::ALL, ..config };
    let families = [V4, Family::IPV4_LABELED, Family::IPV4_VPN];
    let entries = families.map(|family| ExtendedNextHop { family, next_hop_afi: 2 }).to_vec();
    let offered = our_open(&all).capabilities;
    assert!(offered.contains(&Capability::ExtendedNextHop(entries)), "{offered:?}");
}

#[test]
fn markers_around_a_refresh_take_both_sides() {
    let with = |ours, theirs| {
        let [mut a, mut b] = speakers();
        (a.enhanced_refresh, b.enhanced_refresh) = (ours, theirs);
        agreed(&[a, b]).enhanced_refresh
    };
    assert_eq!([with(true, true), with(true, false), with(false, true)], [true, false, false]);
}
