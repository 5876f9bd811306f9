//! Captures of every form, built here, and what is read from them.

#![cfg(test)]

mod frames;
mod hostile;
mod mrt;
mod pcap;
mod plain;

use bgp_capture::{CaptureError, Content, Format, Input, Record};

const KEEPALIVE: [u8; 19] = *b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x13\x04";

/// What is read when the form is detected.
fn read(octets: &[u8]) -> (Format, Vec<Result<Record, CaptureError>>) {
    let input = Input::new(octets).unwrap();
    let format = input.detect();
    (format, input.records(format, 179).collect())
}

/// What is read from a capture of this form without fault.
fn records(octets: &[u8], expected: Format) -> Vec<Record> {
    let (format, records) = read(octets);
    assert_eq!(format, expected);
    records.into_iter().map(Result::unwrap).collect()
}

fn message(record: &Record) -> &[u8] {
    match &record.content {
        Content::Message { octets, .. } => octets,
        other => panic!("no message: {other:?}"),
    }
}
