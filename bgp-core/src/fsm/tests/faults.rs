//! What a peer may do wrong, and the NOTIFICATION that answers it.

use std::time::Duration;

use super::super::*;
use super::pair::{seconds, speaker};
use super::solo::{Said, Solo, keepalive, open_message, open_of, said};
use crate::wire::MessageType;
use crate::wire::header::write_message;
use crate::wire::{Capability, Open, RouteRefresh};
use crate::{Asn, Family, RouterId};

fn peer_open() -> Open {
    negotiate::our_open(&speaker(2))
}

/// Changes the AS number in both places.
fn set_as(open: &mut Open, asn: u32) {
    open.asn = Asn(asn);
    open.capabilities.retain(|capability| !matches!(capability, Capability::FourOctetAs(_)));
    open.capabilities.push(Capability::FourOctetAs(Asn(asn)));
}

/// A message header for `len` octets of type `kind`.
fn header(len: u16, kind: u8) -> Vec<u8> {
    let mut bytes = vec![0xff; 16];
    bytes.extend(len.to_be_bytes());
    bytes.push(kind);
    bytes
}

fn notification(code: u8, subcode: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Notification::with_data(code, subcode, data.to_vec()).encode(&mut bytes);
    bytes
}

pub(super) fn update() -> Vec<u8> {
    let mut bytes = Vec::new();
    write_message(&mut bytes, MessageType::Update, |out| out.extend([0; 4]));
    bytes
}

fn refresh() -> Vec<u8> {
    let mut bytes = Vec::new();
    RouteRefresh { family: Family::IPV4_UNICAST, subtype: 0 }.encode(&mut bytes);
    bytes
}

/// What a session in a state answers to octets, and whether it is then down.
fn answer(state: State, bytes: &[u8]) -> Vec<Said> {
    let mut solo = Solo::new(SessionConfig { passive: true, ..speaker(1) });
    let id = solo.up(Direction::Incoming);
    for step in [open_of(&speaker(2)), keepalive()] {
        if solo.session.state() < state {
            solo.hear(id, &step);
        }
    }
    assert_eq!(solo.session.state(), state);
    solo.outputs();
    solo.hear(id, bytes);
    said(&solo.outputs(), id)
}

fn refusal(code: u8, subcode: u8, data: &[u8]) -> Vec<Said> {
    vec![Said::Notification(code, subcode, data.to_vec()), Said::Closed]
}

const STATES: [State; 3] = [State::OpenSent, State::OpenConfirm, State::Established];

#[test]
fn a_wrong_header_is_answered_in_every_state() {
    for state in STATES {
        assert_eq!(answer(state, b"SSH-2.0-x\r\n"), refusal(1, 1, &[]), "{state}");
        assert_eq!(answer(state, &header(18, 4)), refusal(1, 2, &[0, 18]), "{state}");
        assert_eq!(answer(state, &header(20, 4)), refusal(1, 2, &[0, 20]), "{state}");
        assert_eq!(answer(state, &header(22, 6)), refusal(1, 3, &[6]), "{state}");
    }
}

#[test]
fn a_long_message_needs_the_capability() {
    assert_eq!(answer(State::OpenSent, &header(4097, 2)), refusal(1, 2, &[0x10, 0x01]));
    assert_eq!(answer(State::Established, &header(4097, 2)), [], "the rest of the message is awaited");
}

// RFC 8654 section 4: before its OPEN the peer cannot know that we take more.
#[test]
fn a_long_message_is_taken_if_we_offered_to() {
    let answer_of = |ours: bool, theirs: bool, bytes: &[u8]| {
        let side = |id, extended_message| SessionConfig { extended_message, ..speaker(id) };
        let (mut solo, id) = Solo::established(side(1, ours), &side(2, theirs));
        solo.hear(id, bytes);
        said(&solo.outputs(), id)
    };
    let mut long = Vec::new();
    write_message(&mut long, MessageType::Update, |out| out.extend([0; 5000]));
    for theirs in [true, false] {
        assert_eq!(answer_of(true, theirs, &long), []);
        assert_eq!(answer_of(false, theirs, &long), refusal(1, 2, &long[16..18]));
        assert_eq!(answer_of(true, theirs, &header(4097, 1)), refusal(1, 2, &[0x10, 0x01]), "an OPEN");
        assert_eq!(answer_of(true, theirs, &header(4097, 4)), refusal(1, 2, &[0x10, 0x01]), "a KEEPALIVE");
    }
    for state in [State::OpenConfirm, State::Established] {
        let mut long = header(5000, 3);
        long.extend([6, 2]);
        long.resize(5000, 0);
        assert_eq!(answer(state, &long), [Said::Closed], "a NOTIFICATION in {state}");
    }
}

#[test]
fn an_optional_parameter_other_than_capabilities_is_refused() {
    let mut bytes = Vec::new();
    let fixed = [4, 0xfc, 0, 0, 90, 0, 0, 0, 2];
    write_message(&mut bytes, MessageType::Open, |out| out.extend([&fixed[..], &[3, 1, 1, 0]].concat()));
    assert_eq!(answer(State::OpenSent, &bytes), refusal(2, 4, &[]));
}

#[test]
fn a_role_that_does_not_suit_is_refused() {
    let side = |asn, peer, id, role| SessionConfig {
        local_as: Asn(asn),
        peer_as: Some(Asn(peer)),
        role: Some(role),
        ..speaker(id)
    };
    let mut solo = Solo::new(side(64512, 64513, 1, Role::Customer));
    let id = solo.up(Direction::Incoming);
    solo.outputs();
    solo.hear(id, &open_of(&side(64513, 64512, 2, Role::Customer)));
    assert_eq!(said(&solo.outputs(), id), refusal(2, 11, &[]));
}

#[test]
fn markers_around_a_refresh_come_through_where_both_know_them() {
    let subtypes = |ours: bool, theirs: bool| -> Vec<u8> {
        let side = |id, enhanced_refresh| SessionConfig { enhanced_refresh, ..speaker(id) };
        let (mut solo, id) = Solo::established(side(1, ours), &side(2, theirs));
        let mut bytes = Vec::new();
        for subtype in [0, 1, 2, 3, 255] {
            RouteRefresh { family: Family::IPV4_UNICAST, subtype }.encode(&mut bytes);
        }
        let mut input = &bytes[..];
        std::iter::from_fn(|| solo.session.receive(solo.now, id, &mut input))
            .map(|received| match received {
                Received::RouteRefresh(refresh) => refresh.subtype,
                Received::Update(_) => panic!("no UPDATE was sent"),
            })
            .collect()
    };
    assert_eq!(subtypes(true, true), [0, 1, 2]);
    for (ours, theirs) in [(true, false), (false, true), (false, false)] {
        assert_eq!(subtypes(ours, theirs), [0]);
    }
}

#[test]
fn a_message_out_of_place_is_answered_with_its_type() {
    let open = open_of(&speaker(2));
    let cases: [(State, u8, Vec<Vec<u8>>); 3] = [
        (State::OpenSent, 1, vec![keepalive(), update(), refresh()]),
        (State::OpenConfirm, 2, vec![open.clone(), update(), refresh()]),
        (State::Established, 3, vec![open]),
    ];
    for (state, subcode, messages) in cases {
        for message in messages {
            assert_eq!(answer(state, &message), refusal(5, subcode, &message[18..19]), "{state}");
        }
    }
}

#[test]
fn a_notification_is_never_answered() {
    for state in STATES {
        assert_eq!(answer(state, &notification(2, 2, &[])), [Said::Closed], "{state}");
        assert_eq!(answer(state, &notification(6, 2, &[200, 0xff])), [Said::Closed], "{state}");
    }
}

#[test]
fn an_open_that_does_not_suit_is_answered_with_its_subcode() {
    type Spoil = fn(&mut Open);
    let cases: [(Spoil, u8, &[u8]); 6] = [
        (|open| set_as(open, 64513), 2, &[]),
        (|open| open.router_id = RouterId(0), 3, &[]),
        (|open| open.router_id = RouterId(1), 3, &[]),
        (|open| open.hold_time = 1, 6, &[]),
        (|open| open.hold_time = 2, 6, &[]),
        (
            |open| open.capabilities = vec![Capability::Multiprotocol(Family { afi: 25, safi: 70 })],
            7,
            &[1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1],
        ),
    ];
    for (spoil, subcode, data) in cases {
        let mut open = peer_open();
        spoil(&mut open);
        assert_eq!(answer(State::OpenSent, &open_message(&open)), refusal(2, subcode, data));
    }
}

#[test]
fn another_version_is_answered_with_ours() {
    let mut open = open_of(&speaker(2));
    open[19] = 5;
    assert_eq!(answer(State::OpenSent, &open), refusal(2, 1, &[0, 4]));
}

// CVE-2022-40302, CVE-2022-40318, CVE-2022-43681, CVE-2022-36440: an OPEN whose parameters are cut off.
#[test]
fn an_open_with_parameters_cut_off_ends_this_session_only_with_an_open_error() {
    let fixed = [4, 0xfc, 0, 0, 90, 0, 0, 0, 2];
    for parameters in [&[255][..], &[255, 255], &[255, 255, 0], &[6, 2, 4, 65, 4, 0, 0], &[2, 255, 0]] {
        let mut bytes = Vec::new();
        write_message(&mut bytes, MessageType::Open, |out| out.extend([&fixed[..], parameters].concat()));
        assert_eq!(answer(State::OpenSent, &bytes), refusal(2, 0, &[]), "{parameters:?}");
    }
}

// CVE-2018-5381, CVE-2023-31489, CVE-2023-41361, CVE-2024-31949, CVE-2025-43971, CVE-2026-49837.
#[test]
fn capabilities_that_make_no_sense_are_passed_over() {
    let odd = [
        (1, vec![0x40, 4, 0, 71]),
        (1, vec![0]),
        (71, vec![1]),
        (75, vec![9, 1]),
        (75, vec![]),
        (64, vec![0]),
    ];
    let odd = odd.map(|(code, value)| Capability::Unknown { code, value });
    let mut open = peer_open();
    open.capabilities.splice(0..0, odd);
    assert_eq!(answer(State::OpenSent, &open_message(&open)), [Said::Keepalive]);
}

// RFC 7313 section 5 speaks of those who know the markers; to others (RFC 2918) their subtype is reserved.
#[test]
fn a_marker_of_the_wrong_length_is_a_fault_only_where_both_know_markers() {
    let mut marker = Vec::new();
    write_message(&mut marker, MessageType::RouteRefresh, |out| {
        out.extend([0, 1, RouteRefresh::BEGIN, 1, 9])
    });
    for (ours, theirs) in [(true, true), (true, false), (false, true), (false, false)] {
        let side = |id, enhanced_refresh| SessionConfig { enhanced_refresh, ..speaker(id) };
        let (mut solo, id) = Solo::established(side(1, ours), &side(2, theirs));
        solo.hear(id, &marker);
        let expected = if ours && theirs { refusal(7, 1, &marker) } else { vec![] };
        assert_eq!(said(&solo.outputs(), id), expected);
    }
}

// CVE-2023-41360: a ROUTE-REFRESH with a filter cut off.
#[test]
fn a_refresh_with_a_filter_cut_off_is_a_refresh() {
    let mut bytes = Vec::new();
    write_message(&mut bytes, MessageType::RouteRefresh, |out| out.extend([0, 1, 0, 1, 1, 64, 0xff]));
    assert_eq!(answer(State::Established, &bytes), []);
}

// OpenBGPD 7.3 errata 009, CVE-2025-59688: a session is touched after a NOTIFICATION ended it.
#[test]
fn what_follows_a_notification_in_the_same_read_is_ignored() {
    for state in STATES {
        let bytes = [notification(6, 1, &[]), keepalive(), update(), vec![0; 50]].concat();
        assert_eq!(answer(state, &bytes), [Said::Closed], "{state}");
    }
}

#[test]
fn what_follows_a_close_of_ours_is_dropped() {
    let (mut solo, id) = Solo::established(speaker(1), &speaker(2));
    solo.session.reset(solo.now, Notification::new(3, 1));
    solo.outputs();
    let bytes = [update(), vec![0; 50]].concat();
    let mut input = &bytes[..];
    assert_eq!(solo.session.receive(solo.now, id, &mut input), None);
    assert_eq!((input, solo.outputs()), (&[][..], vec![]));
}

#[test]
fn after_a_fault_connections_are_refused_for_a_few_seconds_only() {
    let mut solo = Solo::new(SessionConfig { passive: true, ..speaker(1) });
    for _ in 0..10 {
        let id = solo.up(Direction::Incoming);
        solo.hear(id, b"x");
        assert_eq!(solo.session.state(), State::Idle);
        solo.outputs();
        let refused = solo.up(Direction::Incoming);
        assert_eq!(said(&solo.outputs(), refused), refusal(6, 5, &[]));
        solo.later(seconds(5));
        assert_eq!(solo.session.state(), State::Active);
    }
}

#[test]
fn a_peer_that_comes_and_goes_is_damped() {
    let mut solo = Solo::new(SessionConfig { passive: true, ..speaker(1) });
    let mut ups = 0;
    for _ in 0..1000 {
        let id = solo.up(Direction::Incoming);
        solo.hear(id, &[open_of(&speaker(2)), keepalive()].concat());
        ups += usize::from(solo.session.state() == State::Established);
        solo.session.disconnected(solo.now, id);
        solo.outputs();
        solo.later(Duration::from_millis(100));
    }
    assert!((20..35).contains(&ups), "{ups} times in 100 s");
}

#[test]
fn a_peer_with_too_many_prefixes_is_refused_for_a_moment() {
    let (mut solo, _) = Solo::established(speaker(1), &speaker(2));
    solo.session.reset(solo.now, Notification::new(6, 1));
    assert_eq!(solo.session.state(), State::Idle);
}

#[test]
fn a_second_call_with_the_same_connection_changes_nothing() {
    let (mut solo, id) = Solo::established(speaker(1), &speaker(2));
    solo.session.connected(solo.now, id, Direction::Incoming);
    solo.session.connect_failed(solo.now);
    solo.session.disconnected(solo.now, ConnectionId(99));
    assert_eq!(solo.outputs(), []);
    assert_eq!(solo.session.state(), State::Established);
}
