//! Hexadecimal and plain octets, zipped or not.

use std::io::Write;

use bgp_capture::{Content, ErrorKind, Format};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{KEEPALIVE, message, read, records};

fn zipped(octets: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x} ")).collect()
}

#[test]
fn messages_may_be_octets_or_digits_and_zipped() {
    let octets = KEEPALIVE.repeat(3);
    for (input, format) in [
        (octets.clone(), Format::Binary),
        (zipped(&octets), Format::Binary),
        (hex(&octets).into_bytes(), Format::Hex),
        (zipped(hex(&octets).as_bytes()), Format::Hex),
    ] {
        let records = records(&input, format);
        let places: Vec<_> = records.iter().map(|record| (record.number, record.offset)).collect();
        assert_eq!(places, [(1, 0), (2, 19), (3, 38)]);
        assert!(records.iter().all(|record| message(record) == KEEPALIVE));
    }
}

#[test]
fn what_is_no_message_is_told_and_skipped() {
    let records = records(format!("00112233 {}", hex(&KEEPALIVE)).as_bytes(), Format::Hex);
    assert_eq!(records[0].content, Content::Lost { octets: 4, head: vec![0, 0x11, 0x22, 0x33] });
    assert_eq!((records[1].offset, message(&records[1])), (4, &KEEPALIVE[..]));
}

#[test]
fn a_wrong_digit_ends_the_text_behind_what_was_read() {
    let (_, mut records) = read(format!("{}xyz", hex(&KEEPALIVE)).as_bytes());
    let error = records.remove(1).unwrap_err();
    assert_eq!(error.to_string(), "record 2 at octet 19: `x` is no hexadecimal digit");
    assert_eq!((message(records[0].as_ref().unwrap()), records.len()), (&KEEPALIVE[..], 1));
}

#[test]
fn a_zipped_file_that_is_cut_off_gives_what_came_before() {
    let zipped = zipped(&KEEPALIVE.repeat(20_000));
    let (format, records) = read(&zipped[..zipped.len() - 10]);
    assert_eq!(format, Format::Binary);
    let (read, errors): (Vec<_>, Vec<_>) = records.into_iter().partition(Result::is_ok);
    assert!(read.len() > 1000, "{}", read.len());
    assert!(matches!(errors[0].as_ref().unwrap_err().kind, ErrorKind::Truncated));
}

#[test]
fn an_empty_input_has_no_records() {
    assert_eq!(records(b"", Format::Hex), []);
}
