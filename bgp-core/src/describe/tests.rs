//! Messages of every type, and what is told of them.

use super::*;
use crate::Family;
use crate::wire::capability::{Role, SendReceive};
use crate::wire::header::MAX_LEN;
use crate::wire::header::{write_keepalive, write_message};
use crate::wire::orf::{AddressPrefix, MatchKind, PrefixEntry, WhenToRefresh};
use crate::{Asn, FamilySet, PeerKind, RouterId};
use proptest::prelude::*;

fn update(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_message(&mut out, MessageType::Update, |out| out.extend_from_slice(body));
    out
}

const ANNOUNCE: &[u8] = &[
    0, 0, 0, 27, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0, 0x40, 3, 4, 10, 0, 0, 1, 0xc0, 8, 4, 0xfc,
    0, 0, 100, 16, 10, 1,
];

#[test]
fn an_update_is_told_as_text() {
    let text = describe(&update(ANNOUNCE), &DescribeContext::default())[0].to_string();
    let expected = "\
UPDATE, 53 octets
  announced:
    family ipv4, nlri 10.1.0.0/16, next_hop 10.0.0.1
  attributes:
    offset 23, code 1, name ORIGIN, flags 0x40, value igp
    offset 27, code 2, name AS_PATH, flags 0x40, value 64512
    offset 36, code 3, name NEXT_HOP, flags 0x40, value 10.0.0.1
    offset 43, code 8, name COMMUNITIES, flags 0xc0, value 64512:100
";
    assert_eq!(text, expected);
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_treatment() {
    let mut body = ANNOUNCE.to_vec();
    body[7] = 9;
    let described = &describe(&update(&body), &DescribeContext::default())[0];
    assert!(described.to_string().contains("treatment: treat as withdraw"), "{described}");
    let json = described.to_json();
    let fault = r#""faults":[{"attribute":1,"offset":23,"body_offset":4,"treatment":"treat as withdraw","section":"RFC 7606 section 7.1","fault":"value 9 is undefined"}]"#;
    assert!(json.contains(fault), "{json}");
}

#[test]
fn an_update_that_resets_shows_the_notification_and_its_octets() {
    let text = describe(&update(&[0, 9, 0, 0]), &DescribeContext::default())[0].to_string();
    assert!(text.contains("UPDATE Message Error: Malformed Attribute List"), "{text}");
    assert!(text.contains("body: 00090000"), "{text}");
}

#[test]
fn an_open_sets_how_updates_are_read() {
    let capabilities = vec![
        Capability::Multiprotocol(Family::IPV6_UNICAST),
        Capability::AddPath(vec![(Family::IPV6_UNICAST, SendReceive::Both)]),
    ];
    let open = Open { asn: Asn(64512), hold_time: 90, router_id: RouterId(1), capabilities };
    let ctx = DescribeContext::default().with_open(&open);
    assert!(!ctx.decode.four_octet_as && !ctx.decode.families.contains(Family::IPV4_UNICAST));
    assert!(ctx.decode.add_path.contains(Family::IPV6_UNICAST));
    assert_eq!(ctx.max_len, MAX_LEN);
    let mut bytes = Vec::new();
    open.encode(&mut bytes);
    let text = describe(&bytes, &ctx)[0].to_string();
    assert!(text.contains("code 1, capability multiprotocol ipv6"), "{text}");
}

#[test]
fn messages_follow_each_other_until_one_is_cut_off() {
    let mut bytes = Vec::new();
    write_keepalive(&mut bytes);
    Notification::cease(2, "disk \"swap\"").encode(&mut bytes);
    RouteRefresh { family: Family::IPV4_UNICAST, subtype: 0 }.encode(&mut bytes);
    bytes.extend([0xff; 5]);
    let described = describe(&bytes, &DescribeContext::default());
    let kinds: Vec<_> = described.iter().map(|message| message.kind).collect();
    let expected =
        [Some(MessageType::Keepalive), Some(MessageType::Notification), Some(MessageType::RouteRefresh)];
    assert_eq!((&kinds[..3], kinds[3]), (&expected[..], None));
    assert_eq!(described.iter().map(|message| message.length).sum::<usize>(), bytes.len());
    assert!(described[1].to_json().contains(r#""code":6,"subcode":2"#));
}

#[test]
fn what_is_missing_is_at_no_place() {
    let body = [&[0, 0, 0, 4][..], &ANNOUNCE[4..8], &[16, 10, 1]].concat();
    let described = &describe(&update(&body), &DescribeContext::default())[0];
    let missing: Vec<_> = described.faults.iter().map(|fault| (fault.attribute, fault.offset)).collect();
    assert_eq!(missing, [(Some(2), None), (Some(3), None)]);
    assert!(described.to_json().contains(r#""attribute":2,"offset":null,"body_offset":null"#));
}

#[test]
fn mp_attributes_stand_among_the_others() {
    let mut body = vec![0, 0, 0, 0, 0x40, 1, 1, 0, 0x40, 2, 0, 0x80, 14, 40, 0, 2, 1, 32];
    body.extend("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    body.extend("fe80::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    body.extend([0, 16, 0xfd, 0]);
    body[3] = (body.len() - 4) as u8;
    let mut context = DescribeContext::default();
    let text = describe(&update(&body), &context)[0].to_string();
    let route = "family ipv6, nlri fd00::/16, next_hop 2001:db8::1, link_local fe80::1";
    let attribute = "offset 30, code 14, name MP_REACH_NLRI, flags 0x80, \
                     value family ipv6, next_hop 2001:db8::1 fe80::1";
    assert!(text.contains(route) && text.contains(attribute), "{text}");

    context.decode.families = FamilySet::EMPTY.with(Family::IPV4_UNICAST);
    let text = describe(&update(&body), &context)[0].to_string();
    assert!(text.contains("value family ipv6, next_hop 20010db8") && text.contains("nlri 10fd00"), "{text}");
}

#[test]
fn what_runs_over_the_end_is_shown_unread() {
    let body = [0, 0, 0, 7, 0x40, 1, 1, 0, 0x40, 2, 9, 16, 10, 1];
    let described = &describe(&update(&body), &DescribeContext::default())[0];
    let text = described.to_string();
    assert!(text.contains("unread: 400209\n"), "{text}");
    assert_eq!((described.treatment(), described.faults[0].offset), (Treatment::TreatAsWithdraw, Some(27)));
    let text = describe(&update(&body[..11]), &DescribeContext::default())[0].to_string();
    assert!(text.contains("name ORIGIN") && text.contains("unread: 400209\n"), "refused: {text}");
}

/// Offset, section and text of the only fault, and the notification.
fn only_fault(bytes: &[u8]) -> (usize, &'static str, String, String) {
    let described = describe(bytes, &DescribeContext::default());
    let [Described { faults, notification: Some(notification), .. }] = &described[..] else {
        panic!("{described:?}");
    };
    let [fault] = &faults[..] else { panic!("{faults:?}") };
    assert_eq!(fault.treatment, Treatment::ResetSession);
    (fault.offset.unwrap(), fault.section, fault.text.clone(), notification.to_string())
}

#[test]
fn a_header_at_fault_is_told_with_its_place() {
    let mut bytes = Vec::new();
    write_keepalive(&mut bytes);
    let with = |at: usize, octet: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = octet;
        let (offset, section, text, _) = only_fault(&bytes);
        assert_eq!(section, "RFC 4271 section 6.1");
        (offset, text)
    };
    assert_eq!(with(7, 0), (7, "Message Header Error: Connection Not Synchronized".to_owned()));
    assert_eq!(with(17, 18), (16, "Message Header Error: Bad Message Length".to_owned()));
    assert_eq!(with(18, 99), (18, "Message Header Error: Bad Message Type".to_owned()));
}

#[test]
fn an_open_at_fault_is_told_with_its_place() {
    let sound = Open { asn: Asn(64512), hold_time: 90, router_id: RouterId(1), capabilities: vec![] };
    let written = |open: &Open| {
        let mut bytes = Vec::new();
        open.encode(&mut bytes);
        bytes
    };
    let mut version = written(&sound);
    version[19] = 3;
    let (offset, section, text, notification) = only_fault(&version);
    assert_eq!((offset, section), (19, "RFC 4271 section 6.2"));
    assert_eq!(text, "OPEN Message Error: Unsupported Version Number");
    assert!(notification.starts_with(&text), "{notification}");

    let places = [
        Open { asn: Asn(0), ..sound.clone() },
        Open { hold_time: 2, ..sound.clone() },
        Open { router_id: RouterId(0), ..sound.clone() },
    ]
    .map(|open| only_fault(&written(&open)).0);
    assert_eq!(places, [20, 22, 24]);
    let roles = [Role::Provider, Role::Customer].map(Capability::Role).to_vec();
    assert_eq!(only_fault(&written(&Open { capabilities: roles, ..sound.clone() })).0, 28);
    assert!(describe(&written(&sound), &DescribeContext::default())[0].is_sound());
}

#[test]
fn a_refresh_at_fault_is_told_with_its_place() {
    let mut bytes = Vec::new();
    write_message(&mut bytes, MessageType::RouteRefresh, |out| out.extend([0, 1, 1, 1, 0]));
    let (offset, section, ..) = only_fault(&bytes);
    assert_eq!((offset, section), (16, "RFC 7313 section 5"));
}

#[test]
fn outbound_route_filters_are_shown() {
    let (family, kind) = (Family::IPV4_UNICAST, MatchKind::Permit);
    let prefix = "10.0.0.0/8".parse().unwrap();
    let filter = AddressPrefix { kind, sequence: 5, min_len: 16, max_len: 24, prefix };
    let (mut bytes, entries) = (Vec::new(), [PrefixEntry::RemoveAll, PrefixEntry::Add(filter)]);
    RouteRefresh { family, subtype: 0 }.encode_orf(
        &mut bytes,
        MAX_LEN,
        WhenToRefresh::Immediate,
        64,
        entries,
    );
    let text = describe(&bytes, &DescribeContext::default())[0].to_string();
    let filters =
        "  when: immediate\n  filters:\n    orf_type 64, entries remove-all; add 5 permit 10.0.0.0/8";
    assert!(text.contains(filters), "{text}");
    let len = bytes.len() as u8 - 1;
    (bytes[17], _) = (len, bytes.pop());
    assert_eq!(only_fault(&bytes).0, 23);
}

#[test]
fn a_session_has_what_both_offer() {
    let all = |family, mode| {
        vec![
            Capability::Multiprotocol(family),
            Capability::Multiprotocol(Family::IPV4_UNICAST),
            Capability::FourOctetAs(Asn(64512)),
            Capability::AddPath(vec![(Family::IPV4_UNICAST, mode)]),
        ]
    };
    let open = |capabilities| Open { asn: Asn(64512), hold_time: 90, router_id: RouterId(1), capabilities };
    let sender = open(all(Family::IPV6_UNICAST, SendReceive::Both));
    let mut receiver = open(all(Family::EVPN, SendReceive::Receive));
    receiver.capabilities.push(Capability::ExtendedMessage);

    let there = DescribeContext::between(&sender, &receiver);
    assert_eq!(there.decode.families.iter().collect::<Vec<_>>(), [Family::IPV4_UNICAST]);
    assert!(there.decode.four_octet_as && there.decode.add_path.contains(Family::IPV4_UNICAST));
    assert_eq!((there.max_len, there.decode.kind), (65535, PeerKind::Internal));
    let back = DescribeContext::between(&receiver, &sender);
    assert!(back.decode.add_path.is_empty(), "the receiver of paths sends none");
    assert_eq!(back.max_len, MAX_LEN);
}

proptest! {
    #[test]
    fn any_octets_can_be_described(body in proptest::collection::vec(any::<u8>(), 4..200), kind in 1..6u8) {
        let mut bytes = Vec::new();
        write_message(&mut bytes, MessageType::from_code(kind).unwrap(), |out| out.extend_from_slice(&body));
        for message in describe(&bytes, &DescribeContext::default()).iter().chain(&describe(&body, &DescribeContext::default())) {
            prop_assert!(!message.to_string().is_empty());
            prop_assert!(message.to_json().len() > 2);
        }
    }
}
