use bgp_core::wire::{Notification, Open};
use proptest::prelude::*;

use super::*;
use crate::update;

fn peer(view: View, address: &str) -> PeerHeader {
    let at = Duration::new(1_700_000_000, 5_000);
    let address = address.parse().unwrap();
    PeerHeader { view, address, asn: Asn(64512), router_id: RouterId(7), two_octet_as: false, at }
}

/// Kinds and peers of all messages; the last one's body.
fn read(mut octets: &[u8]) -> (Vec<(Kind, Option<PeerHeader>)>, Vec<u8>) {
    let (mut messages, mut last) = (Vec::new(), Vec::new());
    while let Some((message, used)) = Message::parse(octets).unwrap() {
        messages.push((message.kind, message.peer));
        last = message.body.to_vec();
        octets = &octets[used..];
    }
    assert!(octets.is_empty(), "{octets:?} is no whole message");
    (messages, last)
}

#[test]
fn each_view_reads_back_as_itself() {
    for view in [View::AdjRibInPre, View::AdjRibInPost, View::AdjRibOut] {
        for address in ["192.0.2.1", "2001:db8::1"] {
            let mut out = Vec::new();
            let header = PeerHeader { two_octet_as: true, ..peer(view, address) };
            peer_down(&mut out, &header, &Down::Lost);
            assert_eq!(read(&out), (vec![(Kind::PeerDown, Some(header))], vec![4]));
        }
    }
    let mut out = Vec::new();
    peer_down(&mut out, &peer(View::LocRib, "2001:db8::1"), &Down::Table("main".to_owned()));
    let (messages, body) = read(&out);
    assert_eq!(messages[0].1, Some(peer(View::LocRib, "0.0.0.0")));
    assert_eq!(body, b"\x06\x00\x03\x00\x04main");
}

#[test]
fn a_session_up_has_both_opens_behind_the_addresses() {
    let open = Open { asn: Asn(64512), hold_time: 90, router_id: RouterId(1), capabilities: Vec::new() };
    let mut octets = Vec::new();
    open.encode(&mut octets);
    let up = Up {
        local: "192.0.2.2".parse().unwrap(),
        local_port: 179,
        remote_port: 40000,
        sent_open: &octets,
        received_open: &octets,
        table: None,
    };
    let mut out = Vec::new();
    peer_up(&mut out, &peer(View::AdjRibInPre, "192.0.2.1"), &up);
    let (_, body) = read(&out);
    assert_eq!(body[12..20], [192, 0, 2, 2, 0, 179, 0x9c, 0x40]);
    assert_eq!(body[20..], [octets.clone(), octets].concat());
}

#[test]
fn every_update_of_several_becomes_a_message_and_nothing_else_does() {
    let mut messages = Vec::new();
    update::end_of_rib(&mut messages, Family::IPV6_UNICAST);
    bgp_core::wire::header::write_keepalive(&mut messages);
    update::end_of_rib(&mut messages, Family::IPV4_UNICAST);
    let mut out = Vec::new();
    route_monitoring(&mut out, &peer(View::AdjRibOut, "192.0.2.1"), &messages);
    let (told, last) = read(&out);
    assert_eq!(told.len(), 2);
    assert_eq!(last[19..], [0, 0, 0, 0]);
}

#[test]
fn the_first_and_last_words_have_their_texts() {
    let mut out = Vec::new();
    initiation(&mut out, "n1", "a daemon");
    assert_eq!(out, b"\x03\x00\x00\x00\x18\x04\x00\x02\x00\x02n1\x00\x01\x00\x08a daemon");
    out.clear();
    termination(&mut out, Ending::OutOfResources, "slow");
    assert_eq!(out, b"\x03\x00\x00\x00\x14\x05\x00\x00\x00\x04slow\x00\x01\x00\x02\x00\x02");
}

#[test]
fn a_notification_is_told_whole() {
    let mut notification = Vec::new();
    Notification::cease(2, "bye").encode(&mut notification);
    for (down, reason) in [(Down::Sent(notification.clone()), 1), (Down::Received(notification.clone()), 3)] {
        let mut out = Vec::new();
        peer_down(&mut out, &peer(View::AdjRibInPre, "192.0.2.1"), &down);
        assert_eq!(read(&out).1, [vec![reason], notification.clone()].concat());
    }
}

#[test]
fn counts_have_the_width_of_their_type() {
    let mut out = Vec::new();
    let stats = [Stat::AsPathLoops(3), Stat::AdjRibIn(5), Stat::AdjRibOutOf(Family::IPV6_UNICAST, 6)];
    statistics(&mut out, &peer(View::AdjRibInPre, "192.0.2.1"), &stats);
    let expected: [&[u8]; 4] = [
        &[0, 0, 0, 3],
        &[0, 4, 0, 4, 0, 0, 0, 3],
        &[0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 0, 5],
        &[0, 17, 0, 11, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 6],
    ];
    assert_eq!(read(&out).1, expected.concat());
}

proptest! {
    #[test]
    fn no_octets_make_the_reader_fail_otherwise_than_with_an_error(octets in proptest::collection::vec(any::<u8>(), 0..96)) {
        let _ = Message::parse(&octets);
        let mut framed = vec![VERSION, 0, 0, 0, u8::try_from(octets.len() + 6).unwrap(), octets.first().map_or(0, |kind| kind % 7)];
        framed.extend_from_slice(&octets);
        let _ = Message::parse(&framed);
    }
}
