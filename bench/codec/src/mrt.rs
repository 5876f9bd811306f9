//! UPDATEs out of an MRT file (RFC 6396): BGP4MP and BGP4MP_ET between IPv4 addresses with four-octet AS numbers.

use std::io::Read;
use std::path::Path;

use bytes::{Buf, Bytes};

const BGP4MP: u16 = 16;
const BGP4MP_ET: u16 = 17;
const MESSAGE_AS4: u16 = 4;
const UPDATE: u8 = 2;

/// The UPDATEs in a gzipped file, whole messages.
pub fn updates(path: &Path) -> std::io::Result<Vec<Bytes>> {
    let mut octets = Vec::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path)?).read_to_end(&mut octets)?;
    let mut file = Bytes::from(octets);
    let mut found = Vec::new();
    while file.remaining() >= 12 {
        let _seconds = file.get_u32();
        let (kind, subtype, len) = (file.get_u16(), file.get_u16(), file.get_u32() as usize);
        let mut record = file.split_to(len.min(file.len()));
        // Two AS numbers, interface, address family, two addresses; before them the microseconds.
        let head = if kind == BGP4MP_ET { 4 + 20 } else { 20 };
        if matches!(kind, BGP4MP | BGP4MP_ET)
            && subtype == MESSAGE_AS4
            && record.get(head + 18) == Some(&UPDATE)
        {
            record.advance(head);
            // A buffer of its own, like any message's.
            found.push(Bytes::copy_from_slice(&record));
        }
    }
    Ok(found)
}
