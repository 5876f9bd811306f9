//! The packets of a pcap or pcapng file.

use std::io::{BufReader, Cursor, Read};
use std::time::Duration;

use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{Block, LegacyPcapReader, PcapBlockOwned, PcapError, PcapNGReader};

use super::link::Link;
use crate::input::read_up_to;
use crate::{ErrorKind, MAX_RECORD_LEN};

/// What the buffer holds at first; it grows up to [`MAX_RECORD_LEN`].
const BUFFER_LEN: usize = 256 << 10;
/// The front that is read at once: the first header has to lie within.
const FRONT_LEN: u64 = 64 << 10;
/// The most interfaces of a pcapng section; packets of further ones are passed over.
const MAX_INTERFACES: usize = 4096;
/// The first four octets of a pcapng.
const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// Whether `front` begins as a pcap, of either byte order and resolution, or as a pcapng.
pub(crate) fn is_pcap(front: &[u8]) -> bool {
    const MAGICS: [u32; 5] = [0xa1b2_c3d4, 0xd4c3_b2a1, 0xa1b2_3c4d, 0x4d3c_b2a1, 0x34cd_b2a1];
    let is_pcap = front.first_chunk().is_some_and(|magic| MAGICS.contains(&u32::from_be_bytes(*magic)));
    is_pcap || front.starts_with(&PCAPNG)
}

/// A captured packet.
pub(super) struct Packet {
    pub(super) time: Option<Duration>,
    pub(super) link: Link,
    pub(super) octets: Vec<u8>,
}

/// How packets of an interface are to be read.
#[derive(Clone, Copy)]
struct Interface {
    /// `None` if its type is not known.
    link: Option<Link>,
    clock: Clock,
}

/// What the 64 bits of a packet's time mean.
#[derive(Clone, Copy)]
enum Clock {
    /// Seconds in the upper half, and in the lower half so many parts of one.
    Halves { parts: u32 },
    /// So many parts of a second, counted from `offset` seconds on. `None` if a number can't hold them.
    Count { parts: Option<u64>, offset: i64 },
}

impl Clock {
    fn time(self, units: u64) -> Option<Duration> {
        let (seconds, rest, parts) = match self {
            Clock::Halves { parts } => (units >> 32, units & 0xffff_ffff, u64::from(parts)),
            Clock::Count { parts, offset } => {
                let parts = parts?;
                ((units / parts).checked_add_signed(offset)?, units % parts, parts)
            }
        };
        let nanos = u128::from(rest) * 1_000_000_000 / u128::from(parts);
        Duration::from_secs(seconds).checked_add(Duration::from_nanos(u64::try_from(nanos).ok()?))
    }

    /// By the option if_tsresol: a power of ten or of two.
    fn of_option(resolution: u8, offset: i64) -> Clock {
        let exponent = u32::from(resolution & 0x7f);
        let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
        Clock::Count { parts: base.checked_pow(exponent), offset }
    }
}

/// What a block is to us.
enum Found {
    Section,
    Interface(i32, Interface),
    Packet { interface: usize, units: Option<u64>, octets: Vec<u8> },
    Else,
}

/// A file, read block by block.
pub(super) struct File<'a> {
    blocks: Box<dyn PcapReaderIterator + 'a>,
    buffer_len: usize,
    interfaces: Vec<Interface>,
    /// The current packet's number, counted from 1.
    pub(super) number: u64,
    /// Where the current block begins.
    pub(super) offset: u64,
    /// Where the next one does.
    next_offset: u64,
}

impl<'a> File<'a> {
    pub(super) fn new(input: impl Read + 'a) -> Result<File<'a>, ErrorKind> {
        let mut input = BufReader::new(input);
        let front = read_up_to(&mut input, FRONT_LEN)?;
        let is_pcapng = front.starts_with(&PCAPNG);
        let whole = Cursor::new(front).chain(input);
        let blocks: Box<dyn PcapReaderIterator + 'a> = if is_pcapng {
            Box::new(PcapNGReader::new(BUFFER_LEN, whole).map_err(kind)?)
        } else {
            Box::new(LegacyPcapReader::new(BUFFER_LEN, whole).map_err(kind)?)
        };
        let interfaces = Vec::new();
        Ok(File { blocks, buffer_len: BUFFER_LEN, interfaces, number: 0, offset: 0, next_offset: 0 })
    }

    /// The next packet of a known link type. An error of [`ErrorKind::LinkType`] may be followed by packets.
    pub(super) fn next(&mut self) -> Option<Result<Packet, ErrorKind>> {
        loop {
            let found = match self.block() {
                Ok(found) => found?,
                Err(kind) => return Some(Err(kind)),
            };
            match found {
                Found::Section => self.interfaces.clear(),
                Found::Interface(link_type, interface) => {
                    if self.interfaces.len() < MAX_INTERFACES {
                        self.interfaces.push(interface);
                    }
                    if interface.link.is_none() {
                        return Some(Err(ErrorKind::LinkType(link_type)));
                    }
                }
                Found::Packet { interface, units, octets } => {
                    self.number += 1;
                    let interface = self.interfaces.get(interface);
                    if let Some((interface, link)) = interface.and_then(|i| Some((i, i.link?))) {
                        let time = units.and_then(|units| interface.clock.time(units));
                        return Some(Ok(Packet { time, link, octets }));
                    }
                }
                Found::Else => {}
            }
        }
    }

    /// The next block; `None` at the end.
    fn block(&mut self) -> Result<Option<Found>, ErrorKind> {
        self.offset = self.next_offset;
        loop {
            let before = self.blocks.data().len();
            match self.blocks.next() {
                Ok((len, block)) => {
                    let found = Found::from(block);
                    self.blocks.consume(len);
                    self.next_offset += len as u64;
                    return Ok(Some(found));
                }
                Err(PcapError::Eof) => return Ok(None),
                Err(PcapError::BufferTooSmall) => self.grow()?,
                Err(PcapError::Incomplete(_)) => {
                    self.blocks.refill().map_err(kind)?;
                    // Nothing new, nor the end: the buffer is full.
                    if self.blocks.data().len() == before && !self.blocks.reader_exhausted() {
                        self.grow()?;
                    }
                }
                Err(error) => return Err(kind(error)),
            }
        }
    }

    fn grow(&mut self) -> Result<(), ErrorKind> {
        self.buffer_len *= 2;
        if self.buffer_len > MAX_RECORD_LEN {
            return Err(ErrorKind::TooLong);
        }
        self.blocks.grow(self.buffer_len);
        self.blocks.refill().map_err(kind)
    }
}

fn kind(error: PcapError<&[u8]>) -> ErrorKind {
    match error {
        PcapError::Eof | PcapError::UnexpectedEof | PcapError::Incomplete(_) => ErrorKind::Truncated,
        PcapError::BufferTooSmall => ErrorKind::TooLong,
        // The reader keeps the cause to itself.
        PcapError::ReadError => ErrorKind::Io(std::io::Error::other("cannot be read, or its gzip is broken")),
        _ => ErrorKind::Malformed("pcap block"),
    }
}

impl From<PcapBlockOwned<'_>> for Found {
    fn from(block: PcapBlockOwned<'_>) -> Found {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                // The upper bits tell of a checksum behind the packets.
                let link_type = header.network.0 & 0x0fff_ffff;
                let parts = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
                let clock = Clock::Halves { parts };
                Found::Interface(link_type, Interface { link: Link::from_type(link_type), clock })
            }
            PcapBlockOwned::Legacy(packet) => Found::Packet {
                interface: 0,
                units: Some(u64::from(packet.ts_sec) << 32 | u64::from(packet.ts_usec)),
                octets: packet.data.to_vec(),
            },
            PcapBlockOwned::NG(Block::SectionHeader(_)) => Found::Section,
            PcapBlockOwned::NG(Block::InterfaceDescription(block)) => {
                let clock = Clock::of_option(block.if_tsresol, block.if_tsoffset);
                let link = Link::from_type(block.linktype.0);
                Found::Interface(block.linktype.0, Interface { link, clock })
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => Found::Packet {
                interface: usize::try_from(packet.if_id).unwrap_or(usize::MAX),
                units: Some(u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low)),
                octets: packet.packet_data().to_vec(),
            },
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                Found::Packet { interface: 0, units: None, octets: packet.packet_data().to_vec() }
            }
            PcapBlockOwned::NG(_) => Found::Else,
        }
    }
}
