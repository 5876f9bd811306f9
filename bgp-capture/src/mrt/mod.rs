//! MRT files (RFC 6396, RFC 8050).
//!
//! Read are BGP4MP and BGP4MP_ET with all their subtypes, and of TABLE_DUMP_V2 the peer index and the routes. Records of
//! other types come as [`Content::Other`].

mod bgp4mp;
mod table;

use std::collections::VecDeque;
use std::io::BufRead;
use std::net::IpAddr;
use std::time::Duration;

use crate::input::read_up_to;
use crate::octets::Octets;
use crate::record::{Content, Endpoint, PeerIndex, Record};
use crate::{CaptureError, ErrorKind, MAX_RECORD_LEN};

const TABLE_DUMP_V2: u16 = 13;
const BGP4MP: u16 = 16;
const BGP4MP_ET: u16 = 17;
/// The types of RFC 6396 section 4 and its registry.
const TYPES: [u16; 9] = [11, 12, TABLE_DUMP_V2, BGP4MP, BGP4MP_ET, 32, 33, 48, 49];
/// Octets of a record's header (RFC 6396 section 2).
const HEADER_LEN: usize = 12;

const AFI_IPV4: u16 = 1;
const AFI_IPV6: u16 = 2;

/// Whether `front` begins with a record's header of a known type and a believable length.
pub(crate) fn is_mrt(front: &[u8]) -> bool {
    let header = front.first_chunk().and_then(|header| Header::parse(*header));
    header.is_some_and(|header| {
        TYPES.contains(&header.kind) && header.subtype < 64 && header.len <= MAX_RECORD_LEN as u64
    })
}

/// The header of a record (RFC 6396 section 2).
#[derive(Clone, Copy, Debug)]
struct Header {
    seconds: u32,
    kind: u16,
    subtype: u16,
    len: u64,
}

impl Header {
    fn parse(octets: [u8; HEADER_LEN]) -> Option<Header> {
        let mut octets = Octets(&octets);
        let (seconds, kind, subtype) = (octets.u32()?, octets.u16()?, octets.u16()?);
        Some(Header { seconds, kind, subtype, len: octets.u32()?.into() })
    }
}

/// What a record's body says.
struct Parsed {
    time: Duration,
    from: Endpoint,
    to: Endpoint,
    content: Content,
    /// Where in the body it begins.
    at: usize,
}

/// The records of an MRT file.
///
/// A malformed record is an error and the next one is read all the same. A record that is cut off or claims more than
/// [`MAX_RECORD_LEN`] ends the file.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    number: u64,
    /// Where the next record begins.
    offset: u64,
    index: PeerIndex,
    pending: VecDeque<Result<Record, CaptureError>>,
    ended: bool,
}

impl<R: BufRead> Reader<R> {
    /// The records of `input`, which must be unzipped.
    pub fn new(input: R) -> Reader<R> {
        Reader {
            input,
            number: 0,
            offset: 0,
            index: PeerIndex::default(),
            pending: VecDeque::new(),
            ended: false,
        }
    }

    /// Header and body of the next record; `None` at the end.
    fn read(&mut self) -> Result<Option<(Header, Vec<u8>)>, ErrorKind> {
        let header = read_up_to(&mut self.input, HEADER_LEN as u64)?;
        if header.is_empty() {
            return Ok(None);
        }
        let header = header.try_into().ok().and_then(Header::parse).ok_or(ErrorKind::Truncated)?;
        if header.len > MAX_RECORD_LEN as u64 {
            return Err(ErrorKind::TooLong);
        }
        let body = read_up_to(&mut self.input, header.len)?;
        if body.len() as u64 == header.len { Ok(Some((header, body))) } else { Err(ErrorKind::Truncated) }
    }

    /// What a record holds.
    fn parse(&mut self, header: Header, body: &[u8]) -> Result<Vec<Parsed>, ErrorKind> {
        let time = Duration::from_secs(header.seconds.into());
        match header.kind {
            BGP4MP => bgp4mp::parse(header.subtype, time, body, 0).map(|parsed| vec![parsed]),
            BGP4MP_ET => {
                let micros = Octets(body).u32().ok_or(ErrorKind::Malformed("BGP4MP_ET record"))?;
                let time = time + Duration::from_micros(micros.into());
                bgp4mp::parse(header.subtype, time, body, 4).map(|parsed| vec![parsed])
            }
            TABLE_DUMP_V2 => table::parse(header.subtype, time, body, &mut self.index),
            kind => Ok(vec![Parsed::other(kind, header.subtype, time)]),
        }
    }

    fn error(&self, kind: ErrorKind) -> CaptureError {
        CaptureError { record: self.number, offset: self.offset, kind }
    }

    /// Reads the next record into `pending`.
    fn fill(&mut self) {
        self.number += 1;
        let (header, body) = match self.read() {
            Ok(Some(record)) => record,
            Ok(None) => {
                self.ended = true;
                return;
            }
            Err(kind) => {
                self.ended = true;
                return self.pending.push_back(Err(self.error(kind)));
            }
        };
        match self.parse(header, &body) {
            Ok(parsed) => {
                let (number, body_at) = (self.number, self.offset + HEADER_LEN as u64);
                self.pending.extend(parsed.into_iter().map(|Parsed { time, from, to, content, at }| {
                    let offset = body_at + at as u64;
                    Ok(Record { number, offset, time: Some(time), from, to, content })
                }));
            }
            Err(kind) => self.pending.push_back(Err(self.error(kind))),
        }
        self.offset += HEADER_LEN as u64 + header.len;
    }
}

impl Parsed {
    fn other(kind: u16, subtype: u16, time: Duration) -> Parsed {
        let content = Content::Other { kind, subtype };
        Parsed { time, from: Endpoint::default(), to: Endpoint::default(), content, at: 0 }
    }
}

/// An address of four or sixteen octets.
fn address(octets: &mut Octets<'_>, afi: u16) -> Option<IpAddr> {
    match afi {
        AFI_IPV4 => octets.array::<4>().map(IpAddr::from),
        AFI_IPV6 => octets.array::<16>().map(IpAddr::from),
        _ => None,
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Record, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.pending.is_empty() && !self.ended {
            self.fill();
        }
        self.pending.pop_front()
    }
}
