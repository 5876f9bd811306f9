//! Whatever the octets: no panic, an end, and no more memory than documented.

use bgp_capture::{Format, Input};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::frames::{Form, Segment, capture};
use crate::{KEEPALIVE, mrt};

/// How many records and errors are read; more than there are octets would be no end.
fn count(octets: &[u8], format: Format) -> usize {
    let records = Input::new(octets).unwrap().records(format, 179);
    records.take(octets.len() + 100).count()
}

/// What makes an odd file of a sound one: octets changed, and a cut.
fn damage() -> impl Strategy<Value = (Vec<(usize, u8)>, usize)> {
    (vec((any::<usize>(), any::<u8>()), 0..8), any::<usize>())
}

fn damaged(mut file: Vec<u8>, (changes, cut): (Vec<(usize, u8)>, usize)) -> Vec<u8> {
    let len = file.len();
    for (at, octet) in changes {
        file[at % len] = octet;
    }
    file.truncate(len - cut % len / 4);
    file
}

fn segments() -> impl Strategy<Value = Vec<(u16, bool, bool, u32, Vec<u8>)>> {
    let octets = prop_oneof![vec(any::<u8>(), 0..40), Just(KEEPALIVE.to_vec()), vec(Just(0xff), 0..60)];
    vec((0..4u16, any::<bool>(), any::<bool>(), prop_oneof![0..300u32, any::<u32>()], octets), 0..40)
}

proptest! {
    #[test]
    fn any_octets_are_read_to_an_end(octets in vec(any::<u8>(), 0..400)) {
        for format in [Format::Hex, Format::Binary, Format::Mrt, Format::Pcap] {
            prop_assert!(count(&octets, format) <= octets.len() + 1);
        }
    }

    #[test]
    fn any_mrt_record_is_read_to_an_end(
        kind in prop_oneof![Just(13u16), Just(16), Just(17)], subtype in 0..13u16, body in vec(any::<u8>(), 0..120)
    ) {
        let file = mrt::record(kind, subtype, &body).repeat(2);
        let records: Vec<_> = Input::new(&file[..]).unwrap().records(Format::Mrt, 179).collect();
        prop_assert!(records.len() >= 2 || kind == 13);
        for record in records.into_iter().flatten() {
            if let bgp_capture::Content::RibEntry(entry) = record.content {
                let _ = entry.to_update();
            }
        }
    }

    #[test]
    fn any_capture_is_read_to_an_end(segments in segments(), form in 0..3usize, damage in damage()) {
        let segment = |(port, syn, back, sequence, octets): &(u16, bool, bool, u32, Vec<u8>)| {
            let ends = (format!("10.0.0.1:{}", 1000 + port).parse().unwrap(), "10.0.0.2:179".parse().unwrap());
            let (from, to) = if *back { (ends.1, ends.0) } else { ends };
            Segment { from, to, sequence: *sequence, syn: *syn, ack: *back, octets }.on(1)
        };
        let packets: Vec<Vec<u8>> = segments.iter().map(segment).collect();
        let file = capture([Form::Pcap, Form::PcapBigEndian, Form::PcapNg][form], 1, &packets);
        prop_assert!(count(&file, Format::Pcap) <= file.len());
        let file = damaged(file, damage);
        prop_assert!(count(&file, Format::Pcap) <= file.len() + 1);
    }
}

/// More connections than are followed, each with a message begun: the first give way, and are told as lost.
#[test]
fn connections_beyond_the_bound_give_way() {
    let ends = |n: usize| (format!("10.{}.{}.1:40000", n >> 8, n & 255), "10.0.0.2:179".to_owned());
    let packets: Vec<Vec<u8>> = (0..bgp_capture::pcap::MAX_CONNECTIONS + 10)
        .map(|n| {
            let (from, to) = ends(n);
            let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
            Segment { from, to, sequence: 1, syn: false, ack: true, octets: &KEEPALIVE[..18] }.on(101)
        })
        .collect();
    let file = capture(Form::Pcap, 101, &packets);
    let records: Vec<_> = Input::new(&file[..]).unwrap().records(Format::Pcap, 179).collect();
    assert_eq!(records.len(), packets.len());
    assert_eq!(records[9].as_ref().unwrap().number, 10, "while the file is read");
}
