//! Packet captures: every link, every order of segments.

use std::net::SocketAddr;
use std::time::Duration;

use bgp_capture::{Content, Endpoint, ErrorKind, Format, Record};

use crate::frames::{Form, Segment, capture};
use crate::{KEEPALIVE, message, read, records};

fn ends(v6: bool) -> (SocketAddr, SocketAddr) {
    let ends = if v6 { ("[fd00::1]:40000", "[fd00::2]:179") } else { ("10.0.0.1:40000", "10.0.0.2:179") };
    (ends.0.parse().unwrap(), ends.1.parse().unwrap())
}

/// An UPDATE with so many octets of attributes, told from others by its last octet.
fn update(attributes: usize, mark: u8) -> Vec<u8> {
    let mut out = vec![0xff; 16];
    out.extend(((23 + attributes) as u16).to_be_bytes());
    out.extend([2, 0, 0]);
    out.extend((attributes as u16).to_be_bytes());
    out.extend(vec![mark; attributes]);
    out
}

/// What the active end sends, from sequence number 100 on.
fn data(sequence: u32, octets: &[u8]) -> Segment<'_> {
    let (from, to) = ends(false);
    Segment { from, to, sequence, syn: false, ack: true, octets }
}

fn syn(sequence: u32) -> Segment<'static> {
    Segment { syn: true, ack: false, ..data(sequence, &[]) }
}

fn captured(segments: &[Segment<'_>]) -> Vec<Record> {
    let packets: Vec<Vec<u8>> = segments.iter().map(|segment| segment.on(1)).collect();
    records(&capture(Form::Pcap, 1, &packets), Format::Pcap)
}

fn messages(records: &[Record]) -> Vec<&[u8]> {
    records.iter().map(message).collect()
}

#[test]
fn every_form_and_link_is_read() {
    for form in [Form::Pcap, Form::PcapBigEndian, Form::PcapNg] {
        for (link, v6) in
            [(0, false), (1, false), (1, true), (101, false), (101, true), (113, true), (276, false)]
        {
            let (from, to) = ends(v6);
            let segment = Segment { from, to, ..data(100, &KEEPALIVE) };
            let file = capture(form, link, &[segment.on(link)]);
            let records = records(&file, Format::Pcap);
            assert_eq!(messages(&records), [&KEEPALIVE], "{form:?} {link}");
            assert_eq!((records[0].from, records[0].to), (Endpoint::from(from), Endpoint::from(to)));
            assert_eq!(records[0].time, Some(Duration::from_millis(1_000_250)), "{form:?}");
        }
    }
}

#[test]
fn vlan_tags_are_skipped() {
    let plain = data(100, &KEEPALIVE).on(1);
    let tagged = [&plain[..12], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6], &plain[12..]].concat();
    assert_eq!(messages(&records(&capture(Form::Pcap, 1, &[tagged]), Format::Pcap)), [&KEEPALIVE]);
}

#[test]
fn padding_behind_a_short_packet_is_no_part_of_it() {
    let padded = [data(100, &KEEPALIVE[..3]).on(1), vec![0; 3]].concat();
    let rest = data(103, &KEEPALIVE[3..]).on(1);
    assert_eq!(messages(&records(&capture(Form::Pcap, 1, &[padded, rest]), Format::Pcap)), [&KEEPALIVE]);
}

#[test]
fn other_ports_and_protocols_are_passed_over() {
    let (from, _) = ends(false);
    let web = Segment { to: "10.0.0.2:80".parse().unwrap(), from, ..data(100, &KEEPALIVE) };
    let mut udp = data(100, &KEEPALIVE).on(1);
    udp[14 + 9] = 17;
    let file = capture(Form::Pcap, 1, &[web.on(1), udp, vec![0; 5], vec![0xff; 60]]);
    assert_eq!(records(&file, Format::Pcap), []);
    let input = bgp_capture::Input::new(&file[..]).unwrap();
    assert_eq!(input.records(Format::Pcap, 80).count(), 1);
}

#[test]
fn segments_are_put_in_order_and_repetitions_dropped() {
    let stream = [update(50, 1), update(60, 2), update(70, 3)].concat();
    let part = |from: usize, to: usize| data(101 + from as u32, &stream[from..to]);
    let len = stream.len();
    let records = captured(&[
        syn(100),
        part(40, 90),   // ahead
        part(0, 30),    // the start
        part(0, 30),    // again
        part(20, 45),   // overlaps both sides
        part(150, len), // ahead
        part(80, 160),  // overlaps both sides
        part(100, 120), // long since there
    ]);
    assert_eq!(messages(&records), [&stream[..73], &stream[73..156], &stream[156..]]);
    let numbers: Vec<u64> = records.iter().map(|record| record.number).collect();
    assert_eq!(numbers, [2, 7, 6], "the packets that completed them");
}

#[test]
fn sequence_numbers_wrap_around() {
    let stream = [update(50, 1), update(60, 2)].concat();
    let first = u32::MAX - 20;
    let records = captured(&[
        syn(first.wrapping_sub(1)),
        data(first.wrapping_add(60), &stream[60..]),
        data(first, &stream[..60]),
    ]);
    assert_eq!(messages(&records), [&stream[..73], &stream[73..]]);
}

#[test]
fn a_missing_segment_loses_only_what_it_was_part_of() {
    let stream = [update(50, 1), update(60, 2), update(70, 3)].concat();
    let records = captured(&[syn(100), data(101, &stream[..80]), data(191, &stream[90..])]);
    assert_eq!(message(&records[0]), &stream[..73]);
    assert_eq!(records[1].content, Content::Lost { octets: 83, head: stream[73..80].to_vec() });
    assert_eq!(message(&records[2]), &stream[156..]);
    assert_eq!(records.len(), 3);
}

#[test]
fn a_gap_is_given_up_when_too_much_waits_behind_it() {
    let many: Vec<Vec<u8>> = (0..100).map(|mark| update(4000, mark)).collect();
    let mut segments = vec![syn(100)];
    let mut sequence = 101 + 500;
    for message in &many {
        segments.push(data(sequence, message));
        sequence += message.len() as u32;
    }
    let records = captured(&segments);
    assert_eq!(records[0].content, Content::Lost { octets: 500, head: vec![] });
    assert_eq!(messages(&records[1..]), many);
    assert!(records[1].number < 80, "before the end of the file");
}

#[test]
fn a_capture_may_begin_within_a_message() {
    let stream = [update(50, 1), update(60, 2)].concat();
    let records = captured(&[data(500, &stream[10..])]);
    assert_eq!(records[0].content, Content::Lost { octets: 63, head: stream[10..29].to_vec() });
    assert_eq!((message(&records[1]), records.len()), (&stream[73..], 2));
}

#[test]
fn the_same_ends_may_connect_again() {
    let cut = data(101, &KEEPALIVE[..9]);
    let records = captured(&[syn(100), cut, syn(100), syn(7000), data(7001, &KEEPALIVE)]);
    assert_eq!(records[0].content, Content::Lost { octets: 9, head: vec![0xff; 9] });
    assert_eq!((message(&records[1]), records.len()), (&KEEPALIVE[..], 2));
}

#[test]
fn both_directions_are_streams_of_their_own() {
    let (from, to) = ends(false);
    let back = Segment { from: to, to: from, syn: true, ..data(900, &[]) };
    let answer = Segment { from: to, to: from, ..data(901, &KEEPALIVE) };
    let (a, b) = KEEPALIVE.split_at(8);
    let records = captured(&[syn(100), back, data(101, a), answer, data(109, b)]);
    assert_eq!(messages(&records), [&KEEPALIVE; 2]);
    assert_eq!((records[0].from, records[1].from), (to.into(), from.into()));
}

#[test]
fn a_segment_cut_off_by_the_capture_is_a_gap() {
    let stream = [update(50, 1), update(60, 2)].concat();
    let mut first = data(101, &stream[..90]).on(1);
    first.truncate(first.len() - 10);
    let file = capture(
        Form::Pcap,
        1,
        &[syn(100).on(1), first, data(191, &stream[90..]).on(1), data(257, &KEEPALIVE).on(1)],
    );
    let records = records(&file, Format::Pcap);
    assert_eq!(message(&records[0]), &stream[..73]);
    assert!(matches!(records[1].content, Content::Lost { octets: 83, .. }), "{:?}", records[1]);
    assert_eq!(message(&records[2]), KEEPALIVE);
}

#[test]
fn a_file_cut_off_gives_what_came_before() {
    for form in [Form::Pcap, Form::PcapNg] {
        let file = capture(form, 1, &[data(100, &KEEPALIVE).on(1), data(119, &KEEPALIVE).on(1)]);
        let (_, records) = read(&file[..file.len() - 20]);
        assert_eq!(message(records[0].as_ref().unwrap()), KEEPALIVE);
        let error = records[1].as_ref().unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Truncated), "{form:?}: {error}");
        let packet = file.len() as u64 - error.offset;
        assert!((70..120).contains(&packet), "{form:?}: {error}");
        assert_eq!(records.len(), 2);
    }
}

#[test]
fn an_unknown_link_is_named() {
    let (_, records) = read(
        &capture(Form::Pcap, 1, &[vec![0; 60]])
            .into_iter()
            .enumerate()
            .map(|(at, octet)| if at == 20 { 147 } else { octet })
            .collect::<Vec<u8>>(),
    );
    let error = records[0].as_ref().unwrap_err();
    assert_eq!(error.to_string(), "record 0 at octet 0: link type 147 is not known");
    assert_eq!(records.len(), 1);
}
