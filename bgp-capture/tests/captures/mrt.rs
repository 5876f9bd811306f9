//! MRT records, each form with a message or route that must come back.

use std::net::IpAddr;
use std::time::Duration;

use bgp_capture::{Content, Endpoint, ErrorKind, Format, Hints, Record, RibEntry};
use bgp_core::wire::{DecodeContext, UpdateView};
use bgp_core::{Asn, Family, FamilySet, PathId, PeerKind, V4, V6};

use crate::{KEEPALIVE, message, read, records};

const SECONDS: u32 = 1_431_358_083;

pub(crate) fn record(kind: u16, subtype: u16, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32).to_be_bytes();
    [&SECONDS.to_be_bytes()[..], &kind.to_be_bytes(), &subtype.to_be_bytes(), &len, body].concat()
}

/// What stands before the message: AS numbers of two or four octets, interface, family, addresses.
fn ends(as_octets: usize, v6: bool) -> Vec<u8> {
    let asn = |asn: u32| asn.to_be_bytes()[4 - as_octets..].to_vec();
    let address =
        |last: u8| if v6 { [&[0xfd][..], &[0; 14], &[last]].concat() } else { vec![10, 0, 0, last] };
    [asn(64512), asn(64513), vec![0, 7, 0, if v6 { 2 } else { 1 }], address(1), address(2)].concat()
}

fn end(address: &str, asn: u32) -> Endpoint {
    Endpoint { address: Some(address.parse().unwrap()), port: None, asn: Some(Asn(asn)) }
}

#[test]
fn a_message_comes_with_both_ends_and_what_the_subtype_says() {
    let cases = [
        // (subtype, AS octets, sent by the collector, path identifiers)
        (1, 2, false, false),
        (4, 4, false, false),
        (6, 2, true, false),
        (7, 4, true, false),
        (8, 2, false, true),
        (9, 4, false, true),
        (10, 2, true, true),
        (11, 4, true, true),
    ];
    for (subtype, as_octets, local, add_path) in cases {
        let file = record(16, subtype, &[&ends(as_octets, false)[..], &KEEPALIVE].concat());
        let read = &records(&file, Format::Mrt)[0];
        let ends = [end("10.0.0.1", 64512), end("10.0.0.2", 64513)];
        let [from, to] = if local { [ends[1], ends[0]] } else { ends };
        assert_eq!((read.from, read.to), (from, to), "subtype {subtype}");
        assert_eq!(read.time, Some(Duration::from_secs(SECONDS.into())));
        assert_eq!(&file[read.offset as usize..], &KEEPALIVE);
        let hints = Hints { four_octet_as: Some(as_octets == 4), add_path: Some(add_path) };
        assert_eq!(read.content, Content::Message { octets: KEEPALIVE.to_vec(), hints });
    }
}

#[test]
fn the_extended_type_has_microseconds() {
    let file = record(17, 4, &[&250_001u32.to_be_bytes()[..], &ends(4, true), &KEEPALIVE].concat());
    let read = &records(&file, Format::Mrt)[0];
    assert_eq!(read.time, Some(Duration::new(SECONDS.into(), 250_001_000)));
    assert_eq!((read.from, message(read)), (end("fd00::1", 64512), &KEEPALIVE[..]));
    assert_eq!(&file[read.offset as usize..], &KEEPALIVE);
}

#[test]
fn changes_of_state_are_told() {
    for (subtype, as_octets) in [(0, 2), (5, 4)] {
        let file = record(16, subtype, &[&ends(as_octets, false)[..], &[0, 5, 0, 6]].concat());
        assert_eq!(records(&file, Format::Mrt)[0].content, Content::StateChange { old: 5, new: 6 });
    }
}

#[test]
fn records_of_other_types_are_named_and_passed_over() {
    let file = [record(48, 0, &[1, 2, 3]), record(16, 99, &[]), record(13, 7, &[])].concat();
    let kinds: Vec<_> = records(&file, Format::Mrt).into_iter().map(|record| record.content).collect();
    let other = |kind, subtype| Content::Other { kind, subtype };
    assert_eq!(kinds, [other(48, 0), other(16, 99), other(13, 7)]);
}

#[test]
fn a_malformed_record_does_not_hide_the_next() {
    let good = record(16, 4, &[&ends(4, false)[..], &KEEPALIVE].concat());
    let file = [&record(16, 4, &[1, 2, 3])[..], &good, &good[..good.len() - 1]].concat();
    let (_, records) = read(&file);
    let error = records[0].as_ref().unwrap_err();
    assert_eq!(error.to_string(), "record 1 at octet 0: malformed BGP4MP record");
    assert_eq!(message(records[1].as_ref().unwrap()), KEEPALIVE);
    let error = records[2].as_ref().unwrap_err();
    let cut_off = format!("record 3 at octet {}: cut off by the end of the file", 15 + good.len());
    assert_eq!(error.to_string(), cut_off);
    assert_eq!(records.len(), 3);
}

#[test]
fn a_length_beyond_reason_ends_the_file() {
    let mut file = record(16, 4, &[]);
    file[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
    let records: Vec<_> = bgp_capture::mrt::Reader::new(&file[..]).collect();
    assert!(matches!(records[0].as_ref().unwrap_err().kind, ErrorKind::TooLong));
    assert_eq!(records.len(), 1);
}

/// Two peers: AS 64512 at 10.0.0.1 and AS 4200000000 at fd00::2.
fn index() -> Vec<u8> {
    let mut body = b"\x0a\0\0\x09\0\x04view\0\x02".to_vec();
    body.extend(b"\0\x0a\0\0\x01\x0a\0\0\x01\xfc\0");
    body.extend(b"\x03\x0a\0\0\x02");
    body.extend("fd00::2".parse::<std::net::Ipv6Addr>().unwrap().octets());
    body.extend(4_200_000_000u32.to_be_bytes());
    record(13, 1, &body)
}

fn entry(peer: u16, path_id: Option<u32>, attributes: &[u8]) -> Vec<u8> {
    let mut out = peer.to_be_bytes().to_vec();
    out.extend(1000u32.to_be_bytes());
    out.extend(path_id.into_iter().flat_map(u32::to_be_bytes));
    out.extend((attributes.len() as u16).to_be_bytes());
    out.extend(attributes);
    out
}

/// ORIGIN, AS_PATH 64512 with four octets.
const ATTRIBUTES: [u8; 13] = [0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0];
const NEXT_HOP: [u8; 7] = [0x40, 3, 4, 10, 0, 0, 1];

fn entries(record: &[u8]) -> Vec<(Record, RibEntry)> {
    let entry = |record: Record| match record.content.clone() {
        Content::RibEntry(entry) => (record, entry),
        other => panic!("{other:?}"),
    };
    records(&[&index(), record].concat(), Format::Mrt).into_iter().skip(1).map(entry).collect()
}

/// The announced destinations and next hops of the UPDATE made from an entry.
fn announced(entry: &RibEntry) -> Vec<(u32, String, String)> {
    let update = entry.to_update().unwrap();
    let families: FamilySet = [Family::IPV4_UNICAST, Family::IPV6_UNICAST].into_iter().collect();
    let add_path = if entry.path_id.is_some() { families } else { FamilySet::EMPTY };
    let ctx = DecodeContext { add_path, ..DecodeContext::new(PeerKind::Internal, families) };
    let view = UpdateView::parse(&update[19..], &ctx).unwrap();
    let next_hop = view.next_hop().map(IpAddr::V4);
    let reach = view.mp_reach();
    let v4 =
        view.announced().map(|(PathId(id), prefix)| (id, prefix.to_string(), next_hop.unwrap().to_string()));
    let v6 = reach.iter().flat_map(|reach| {
        reach.nlri_of::<V6>().map(|(id, p)| (id.0, p.to_string(), reach.next_hop.to_string()))
    });
    let mp_v4 = reach.iter().flat_map(|reach| {
        reach.nlri_of::<V4>().map(|(id, p)| (id.0, p.to_string(), reach.next_hop.to_string()))
    });
    v4.chain(v6).chain(mp_v4).collect()
}

#[test]
fn a_table_gives_each_route_with_its_peer() {
    let index = records(&index(), Format::Mrt).remove(0);
    let Content::PeerIndex(index) = index.content else { panic!("{index:?}") };
    assert_eq!((index.view.as_str(), index.peers.len()), ("view", 2));

    let attributes = [&ATTRIBUTES[..], &NEXT_HOP].concat();
    let body =
        [&b"\0\0\0\x05\x10\x0a\x01\0\x02"[..], &entry(0, None, &attributes), &entry(1, None, &attributes)];
    let file = record(13, 2, &body.concat());
    let entries = entries(&file);
    assert_eq!(entries[0].0.from, end("10.0.0.1", 64512));
    assert_eq!(entries[1].0.from, end("fd00::2", 4_200_000_000));
    assert_eq!(entries[1].0.time, Some(Duration::from_secs(1000)));
    let (sequence, family) = (entries[0].1.sequence, entries[0].1.family);
    assert_eq!((sequence, family), (5, Family::IPV4_UNICAST));
    assert_eq!(announced(&entries[0].1), [(0, "10.1.0.0/16".to_owned(), "10.0.0.1".to_owned())]);
}

#[test]
fn mp_reach_gets_back_what_the_table_left_out() {
    let next_hop = "fd00::2".parse::<std::net::Ipv6Addr>().unwrap().octets();
    let short = [&ATTRIBUTES[..], &[0x80, 14, 17, 16], &next_hop].concat();
    let whole = [&ATTRIBUTES[..], &[0x80, 14, 24, 0, 2, 1, 16], &next_hop, &[0, 16, 0xfd, 1]].concat();
    for attributes in [&short, &whole] {
        let body = [&b"\0\0\0\x05\x10\xfd\x01\0\x01"[..], &entry(1, None, attributes)].concat();
        let (_, read) = entries(&record(13, 4, &body)).remove(0);
        assert_eq!(announced(&read), [(0, "fd01::/16".to_owned(), "fd00::2".to_owned())]);
    }
}

#[test]
fn path_identifiers_stand_in_each_entry() {
    let attributes = [&ATTRIBUTES[..], &NEXT_HOP].concat();
    let body = [
        &b"\0\0\0\x05\x10\x0a\x01\0\x02"[..],
        &entry(0, Some(7), &attributes),
        &entry(0, Some(8), &attributes),
    ];
    let entries = entries(&record(13, 8, &body.concat()));
    let ids: Vec<_> = entries.iter().map(|(_, entry)| announced(entry)[0].0).collect();
    assert_eq!(ids, [7, 8]);
}

#[test]
fn a_generic_record_names_its_family_and_may_have_the_identifier_in_either_place() {
    let mp_reach = [&ATTRIBUTES[..], &[0x80, 14, 5, 4, 10, 0, 0, 1]].concat();
    let plain = [&b"\0\0\0\x05\0\x01\x01\x10\x0a\x01\0\x01"[..], &entry(0, None, &mp_reach)].concat();
    let before =
        [&b"\0\0\0\x05\0\x01\x01\0\0\0\x09\x10\x0a\x01\0\x01"[..], &entry(0, None, &mp_reach)].concat();
    let within = [&b"\0\0\0\x05\0\x01\x01\x10\x0a\x01\0\x01"[..], &entry(0, Some(9), &mp_reach)].concat();
    for (subtype, body, id) in
        [(6, plain, None), (12, before, Some(PathId(9))), (12, within, Some(PathId(9)))]
    {
        let (_, read) = entries(&record(13, subtype, &body)).remove(0);
        assert_eq!((read.family, read.path_id), (Family::IPV4_UNICAST, id));
        assert_eq!(announced(&read)[0].1, "10.1.0.0/16");
    }
}

#[test]
fn a_route_of_a_peer_that_the_index_does_not_have_is_an_error() {
    let body = [&b"\0\0\0\x05\x10\x0a\x01\0\x01"[..], &entry(2, None, &ATTRIBUTES)].concat();
    let (_, records) = read(&[index(), record(13, 2, &body)].concat());
    assert!(matches!(records[1].as_ref().unwrap_err().kind, ErrorKind::Malformed(_)));
}

#[test]
fn a_route_too_long_for_a_message_has_no_update() {
    let attributes = [&[0xd0, 99, 0xff, 0xf0][..], &[0; 0xfff0]].concat();
    let nlri = vec![16, 10, 1];
    let entry = RibEntry { sequence: 0, family: Family::IPV4_UNICAST, path_id: None, nlri, attributes };
    assert_eq!(entry.to_update(), None);
}
