//! NOTIFICATION: names, texts and data.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::wire::header::frame;

fn through_the_wire(notification: &Notification) -> Notification {
    let mut bytes = Vec::new();
    notification.encode(&mut bytes);
    Notification::parse(frame(&bytes, MAX_LEN).unwrap().unwrap().body).unwrap()
}

#[test]
fn a_shutdown_text_arrives_and_is_shown() {
    let cease = Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN, "disk swap, back at 14:00");
    let read = through_the_wire(&cease);
    assert_eq!(read.shutdown_text(), Some("disk swap, back at 14:00"));
    assert_eq!(read.to_string(), "Cease: Administrative Shutdown \"disk swap, back at 14:00\"");
}

#[test]
fn a_cease_without_a_place_for_text_carries_none() {
    assert_eq!(Notification::cease(cease::COLLISION, "text"), Notification::new(6, 7));
    assert_eq!(Notification::cease(cease::ADMINISTRATIVE_RESET, "").data, []);
}

// CVE-2019-16159: a shutdown text longer than its buffer.
#[test]
fn a_long_shutdown_text_is_cut_at_a_character_boundary() {
    let cease = Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN, &"é".repeat(400));
    assert_eq!(cease.data.len(), 255);
    assert_eq!(cease.shutdown_text().map(|text| text.chars().count()), Some(127));
}

#[test]
fn a_shutdown_text_with_a_wrong_length_or_encoding_is_shown_as_octets() {
    for data in [vec![255, b'a'], vec![1, b'a', b'b'], vec![2, 0xc3, 0x28], vec![0]] {
        let cease = Notification::with_data(6, 2, data.clone());
        assert_eq!(cease.shutdown_text(), None, "{data:?}");
        assert!(cease.to_string().contains("(data "), "{cease}");
    }
}

#[test]
fn control_characters_of_a_peer_are_escaped() {
    let cease = Notification::cease(cease::ADMINISTRATIVE_RESET, "\u{1b}[2J");
    assert_eq!(cease.to_string(), "Cease: Administrative Reset \"\\u{1b}[2J\"");
}

#[test]
fn a_hard_reset_shows_what_it_wraps_one_level_deep() {
    let hard = Notification::with_data(6, 9, vec![6, 9, 6, 9, 6, 9]);
    assert_eq!(hard.to_string(), "Cease: Hard Reset (Cease: Hard Reset (data 06090609))");
    let bare = Notification::new(6, 9);
    assert_eq!(bare.to_string(), "Cease: Hard Reset");
}

#[test]
fn every_code_and_subcode_can_be_shown() {
    for (code, subcode) in (0..=255).flat_map(|c| (0..=255).map(move |s| (c, s))) {
        assert!(!Notification::new(code, subcode).to_string().is_empty());
    }
    assert_eq!(Notification::new(4, 0).to_string(), "Hold Timer Expired");
    assert_eq!(Notification::new(99, 7).to_string(), "Error 99: subcode 7");
}

#[test]
fn data_never_makes_a_message_too_long() {
    let mut bytes = Vec::new();
    Notification::with_data(1, 2, vec![0; 70_000]).encode(&mut bytes);
    assert_eq!(bytes.len(), MAX_LEN);
}

/// Every code and subcode that has a name: what IANA calls it.
const NAMED: &[(u8, u8, &str)] = &[
    (1, 0, "Message Header Error: Unspecific"),
    (1, 1, "Message Header Error: Connection Not Synchronized"),
    (1, 2, "Message Header Error: Bad Message Length"),
    (1, 3, "Message Header Error: Bad Message Type"),
    (2, 0, "OPEN Message Error: Unspecific"),
    (2, 1, "OPEN Message Error: Unsupported Version Number"),
    (2, 2, "OPEN Message Error: Bad Peer AS"),
    (2, 3, "OPEN Message Error: Bad BGP Identifier"),
    (2, 4, "OPEN Message Error: Unsupported Optional Parameter"),
    (2, 5, "OPEN Message Error: Authentication Failure"),
    (2, 6, "OPEN Message Error: Unacceptable Hold Time"),
    (2, 7, "OPEN Message Error: Unsupported Capability"),
    (2, 11, "OPEN Message Error: Role Mismatch"),
    (3, 0, "UPDATE Message Error: Unspecific"),
    (3, 1, "UPDATE Message Error: Malformed Attribute List"),
    (3, 2, "UPDATE Message Error: Unrecognized Well-known Attribute"),
    (3, 3, "UPDATE Message Error: Missing Well-known Attribute"),
    (3, 4, "UPDATE Message Error: Attribute Flags Error"),
    (3, 5, "UPDATE Message Error: Attribute Length Error"),
    (3, 6, "UPDATE Message Error: Invalid ORIGIN Attribute"),
    (3, 7, "UPDATE Message Error: AS Routing Loop"),
    (3, 8, "UPDATE Message Error: Invalid NEXT_HOP Attribute"),
    (3, 9, "UPDATE Message Error: Optional Attribute Error"),
    (3, 10, "UPDATE Message Error: Invalid Network Field"),
    (3, 11, "UPDATE Message Error: Malformed AS_PATH"),
    (4, 0, "Hold Timer Expired"),
    (5, 0, "Finite State Machine Error: Unspecified Error"),
    (5, 1, "Finite State Machine Error: Unexpected Message in OpenSent"),
    (5, 2, "Finite State Machine Error: Unexpected Message in OpenConfirm"),
    (5, 3, "Finite State Machine Error: Unexpected Message in Established"),
    (6, 0, "Cease"),
    (6, 1, "Cease: Maximum Number of Prefixes Reached"),
    (6, 2, "Cease: Administrative Shutdown"),
    (6, 3, "Cease: Peer De-configured"),
    (6, 4, "Cease: Administrative Reset"),
    (6, 5, "Cease: Connection Rejected"),
    (6, 6, "Cease: Other Configuration Change"),
    (6, 7, "Cease: Connection Collision Resolution"),
    (6, 8, "Cease: Out of Resources"),
    (6, 9, "Cease: Hard Reset"),
    (6, 10, "Cease: BFD Down"),
    (7, 0, "ROUTE-REFRESH Message Error"),
    (7, 1, "ROUTE-REFRESH Message Error: Invalid Message Length"),
    (8, 0, "Send Hold Timer Expired"),
];

#[test]
fn every_named_code_and_subcode_is_shown_by_its_name() {
    for (code, subcode, name) in NAMED {
        assert_eq!(through_the_wire(&Notification::new(*code, *subcode)).to_string(), *name);
    }
}

#[test]
fn no_other_code_or_subcode_has_a_name() {
    let named: BTreeSet<(u8, u8)> = NAMED.iter().map(|(code, subcode, _)| (*code, *subcode)).collect();
    for (code, subcode) in (0..=255).flat_map(|c| (0..=255).map(move |s| (c, s))) {
        if named.contains(&(code, subcode)) {
            continue;
        }
        let notification = Notification::new(code, subcode);
        assert_eq!(notification.subcode_name(), None, "{code}/{subcode}");
        assert_eq!(notification.code_name().is_some(), (1..=8).contains(&code));
    }
}

#[test]
fn data_is_shown_as_what_it_is() {
    let cases: &[(u8, u8, &[u8], &str)] = &[
        (1, 2, &[0x10, 0x01], "(length 4097)"),
        (1, 3, &[6], "(type 6)"),
        (2, 1, &[0, 4], "(version 4)"),
        (2, 7, &[1, 4, 0, 2, 0, 1, 65, 4, 0, 1, 0, 0], "(multiprotocol ipv6, four-octet-as 65536)"),
        (3, 2, &[0x40, 99, 1, 7], "(attribute 99, flags 0x40, value 07)"),
        (3, 3, &[1], "(ORIGIN)"),
        (3, 3, &[99], "(attribute 99)"),
        (3, 4, &[0xc0, 1, 1, 0], "(ORIGIN, flags 0xc0, value 00)"),
        (3, 5, &[0x40, 3, 1, 10], "(NEXT_HOP, flags 0x40, value 0a)"),
        (3, 6, &[0x50, 1, 0, 1, 9], "(ORIGIN, flags 0x50, value 09)"),
        (3, 8, &[0x40, 3, 4, 0, 0, 0, 0], "(NEXT_HOP, flags 0x40, value 00000000)"),
        (3, 9, &[0x80, 14, 1, 0], "(MP_REACH_NLRI, flags 0x80, value 00)"),
        (5, 1, &[2], "(UPDATE)"),
        (5, 3, &[77], "(type 77)"),
        (6, 1, &[0, 1, 1, 0, 0, 0x27, 0x10], "(ipv4, at most 10000)"),
        (6, 2, b"\x04soon", "\"soon\""),
        (6, 4, b"\x04soon", "\"soon\""),
        (6, 9, b"\x06\x02\x04soon", "(Cease: Administrative Shutdown \"soon\")"),
        (6, 9, &[3, 3, 1], "(UPDATE Message Error: Missing Well-known Attribute (ORIGIN))"),
    ];
    for (code, subcode, data, shown) in cases {
        let bare = Notification::new(*code, *subcode).to_string();
        let notification = Notification::with_data(*code, *subcode, data.to_vec());
        assert_eq!(notification.to_string(), format!("{bare} {shown}"));
    }
}

#[test]
fn data_in_another_form_than_its_code_gives_it_is_shown_as_octets() {
    let cases: &[(u8, u8, &[u8])] = &[
        (1, 2, &[1]),
        (1, 2, &[0, 1, 2]),
        (1, 3, &[1, 2]),
        (2, 1, &[4]),
        (2, 7, &[1, 4, 0]),
        (3, 4, &[0x40, 1, 2, 0]),
        (3, 4, &[0x40, 1, 1, 0, 0]),
        (3, 3, &[1, 2]),
        (5, 1, &[2, 2]),
        (6, 1, &[0, 1, 1]),
        (6, 1, &[0, 1, 1, 0, 0, 0, 1, 1]),
        (6, 3, b"\x04soon"),
        (6, 9, &[6]),
        (99, 9, &[1]),
    ];
    for (code, subcode, data) in cases {
        let shown = Notification::with_data(*code, *subcode, data.to_vec()).to_string();
        let octets: String = data.iter().map(|octet| format!("{octet:02x}")).collect();
        assert!(shown.ends_with(&format!(" (data {octets})")), "{shown}");
    }
}

#[test]
fn long_data_is_shown_in_part() {
    let shown = Notification::with_data(3, 5, [&[0xd0, 8, 1, 0][..], &[7; 256]].concat()).to_string();
    assert!(shown.ends_with("07…)") && shown.len() < 200, "{shown}");
    assert!(Notification::with_data(7, 1, vec![1; 33]).to_string().ends_with("01…)"));
}

proptest! {
    #[test]
    fn a_notification_comes_back_as_it_was_encoded(code: u8, subcode: u8, data in vec(any::<u8>(), 0..300)) {
        let sent = Notification::with_data(code, subcode, data);
        prop_assert_eq!(through_the_wire(&sent), sent);
    }

    #[test]
    fn any_octets_are_a_notification_if_they_are_two(
        head in vec(0..12u8, 0..3), data in vec(prop_oneof![0..12u8, any::<u8>()], 0..60),
    ) {
        let body = [head, data].concat();
        let read = Notification::parse(&body);
        prop_assert_eq!(read.is_some(), body.len() >= 2);
        let Some(read) = read else { return Ok(()) };
        prop_assert!(!read.to_string().chars().any(char::is_control));
        prop_assert_eq!([&[read.code, read.subcode], &read.data[..]].concat(), body);
    }

    #[test]
    fn any_text_arrives_if_it_fits(text in ".{0,100}") {
        let read = through_the_wire(&Notification::cease(cease::ADMINISTRATIVE_RESET, &text));
        let arrived = read.shutdown_text().unwrap_or_default();
        prop_assert!(text.starts_with(arrived));
        prop_assert!(arrived == text || text.len() > Notification::MAX_TEXT);
    }
}

#[test]
fn a_long_list_of_missing_capabilities_is_cut() {
    let many = Notification::with_data(2, open_error::UNSUPPORTED_CAPABILITY, [99, 0].repeat(30_000));
    let shown = many.to_string();
    assert!(shown.len() < 500 && shown.ends_with("capability-99, …)"), "{shown:.500}");
    let fits = Notification::with_data(2, open_error::UNSUPPORTED_CAPABILITY, [99, 0].repeat(16));
    assert!(fits.to_string().ends_with("capability-99, capability-99)"), "{fits}");
}
