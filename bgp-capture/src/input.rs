//! The front of a capture: gzip undone, its form detected.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::read::MultiGzDecoder;

use crate::{CaptureError, HexReader, Record, mrt, pcap, stream};

/// How many octets are looked at to tell the form; a pcapng's section header has to lie within.
const LOOKED_AT: u64 = 65_536;

/// The form of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Messages one after the other as hexadecimal text.
    Hex,
    /// Messages one after the other.
    Binary,
    /// MRT (RFC 6396).
    Mrt,
    /// pcap or pcapng.
    Pcap,
}

/// The records of a capture, in order. After an error that nothing can be read behind there is none left.
pub type Records<'a> = Box<dyn Iterator<Item = Result<Record, CaptureError>> + 'a>;

type Octets<'a> = BufReader<Box<dyn Read + 'a>>;

/// A capture, unzipped if it was zipped.
pub struct Input<'a> {
    front: Vec<u8>,
    rest: Octets<'a>,
}

impl<'a> Input<'a> {
    /// Reads the front of `reader`.
    ///
    /// # Errors
    /// If that fails, or the front is no gzip after all.
    pub fn new(reader: impl Read + 'a) -> io::Result<Input<'a>> {
        const GZIP: [u8; 2] = [0x1f, 0x8b];
        let mut plain = BufReader::new(reader);
        let mut magic = Vec::new();
        plain.by_ref().take(2).read_to_end(&mut magic)?;
        let is_zipped = magic == GZIP;
        let whole = Cursor::new(magic).chain(plain);
        let mut rest: Octets<'a> = if is_zipped {
            BufReader::new(Box::new(MultiGzDecoder::new(whole)))
        } else {
            BufReader::new(Box::new(whole))
        };
        let mut front = Vec::new();
        match rest.by_ref().take(LOOKED_AT).read_to_end(&mut front) {
            // Cut off, as what follows will find too: what is there is shown first.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            result => drop(result?),
        }
        Ok(Input { front, rest })
    }

    /// What the capture looks like.
    #[must_use]
    pub fn detect(&self) -> Format {
        match &self.front {
            front if pcap::is_pcap(front) => Format::Pcap,
            front if front.starts_with(&[0xff; 16]) => Format::Binary,
            front if mrt::is_mrt(front) => Format::Mrt,
            _ => Format::Hex,
        }
    }

    /// The records of the capture, read as `format`; of a pcap those of TCP connections with `port` at one end.
    #[must_use]
    pub fn records(self, format: Format, port: u16) -> Records<'a> {
        let octets = Cursor::new(self.front).chain(self.rest);
        match format {
            Format::Hex => Box::new(stream::Reader::new(HexReader::new(octets))),
            Format::Binary => Box::new(stream::Reader::new(octets)),
            Format::Mrt => Box::new(mrt::Reader::new(octets)),
            Format::Pcap => Box::new(pcap::Reader::new(octets, port)),
        }
    }
}

/// Reads `len` octets, fewer only at the end. Memory is taken as they come, not as `len` claims.
pub(crate) fn read_up_to(reader: &mut impl BufRead, len: u64) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    reader.by_ref().take(len).read_to_end(&mut out)?;
    Ok(out)
}
