//! A reader for recorded UPDATEs, small and with no code of the daemons in it, so that what it expects is independent of what they do: MRT (RFC 6396) BGP4MP and
//! BGP4MP_ET with four-octet AS numbers, then just enough of RFC 4271 to know every attribute of every IPv4 prefix.

use crate::{Error, Result};
use std::collections::HashMap;
use std::io::Read;
use std::net::Ipv4Addr;
use std::path::Path;

const BGP4MP: u16 = 16;
const BGP4MP_ET: u16 = 17;
const MESSAGE_AS4: u16 = 4;
const MARKER_LEN: usize = 16;
const HEADER_LEN: usize = 19;
const UPDATE: u8 = 2;
const EXTENDED_LENGTH: u8 = 0x10;

/// What one router sent to another.
#[derive(Clone, Debug)]
pub struct Recording {
    /// AS number of the sender.
    pub asn: u32,
    /// Address of the sender.
    pub address: Ipv4Addr,
    /// Whole BGP messages, UPDATEs only, as recorded.
    pub messages: Vec<Vec<u8>>,
}

/// One path attribute as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attribute {
    /// Attribute flags.
    pub flags: u8,
    /// Attribute type code.
    pub code: u8,
    /// Its value.
    pub value: Vec<u8>,
}

/// What a neighbour holds after the last message.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Every prefix (address, length) and the place of its attributes in `sets`.
    pub routes: HashMap<(Ipv4Addr, u8), usize>,
    /// The distinct attribute lists.
    pub sets: Vec<Vec<Attribute>>,
    /// Prefixes announced in all, repetitions included.
    pub announced: usize,
    /// Prefixes withdrawn in all.
    pub withdrawn: usize,
}

impl Recording {
    /// Reads a file, gzipped or not.
    ///
    /// # Errors
    /// If it cannot be read, is not MRT, or holds no four-octet-AS UPDATE over IPv4.
    pub fn read(path: &Path) -> Result<Recording> {
        let what = || format!("cannot read {}", path.display());
        let bytes = std::fs::read(path).map_err(Error::io(what()))?;
        let mut plain = Vec::new();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            flate2::read::MultiGzDecoder::new(bytes.as_slice())
                .read_to_end(&mut plain)
                .map_err(Error::io(what()))?;
        } else {
            plain = bytes;
        }
        Recording::parse(&plain)?
            .ok_or_else(|| Error::parse("MRT", "no UPDATE of a four-octet-AS session over IPv4"))
    }

    fn parse(bytes: &[u8]) -> Result<Option<Recording>> {
        let mut input = Input(bytes);
        let mut recording: Option<Recording> = None;
        while !input.0.is_empty() {
            let (kind, subtype, record) = input.record().ok_or_else(|| Error::parse("MRT", "cut short"))?;
            if !matches!(kind, BGP4MP | BGP4MP_ET) || subtype != MESSAGE_AS4 {
                continue;
            }
            let message = message(Input(record), kind == BGP4MP_ET);
            let (asn, address, message) =
                message.ok_or_else(|| Error::parse("MRT", "a BGP4MP record is cut short"))?;
            if message.get(MARKER_LEN + 2) == Some(&UPDATE) {
                let entry = recording.get_or_insert_with(|| Recording { asn, address, messages: Vec::new() });
                entry.messages.push(message.to_vec());
            }
        }
        Ok(recording)
    }

    /// What the receiver's table holds after the last message.
    ///
    /// # Errors
    /// If an UPDATE is malformed.
    pub fn table(&self) -> Result<Table> {
        let mut table = Table::default();
        let mut known = HashMap::new();
        for message in &self.messages {
            let body = message.get(HEADER_LEN..).unwrap_or_default();
            table.apply(body, &mut known).ok_or_else(|| Error::parse("UPDATE", format!("{message:02x?}")))?;
        }
        Ok(table)
    }
}

impl Table {
    fn apply(&mut self, body: &[u8], known: &mut HashMap<Vec<u8>, usize>) -> Option<()> {
        let mut input = Input(body);
        let withdrawn = input.length_prefixed()?;
        let block = input.length_prefixed()?;
        for prefix in prefixes(withdrawn)? {
            self.routes.remove(&prefix);
            self.withdrawn += 1;
        }
        let announced = prefixes(input.0)?;
        if announced.is_empty() {
            return Some(());
        }
        let set = match known.get(block) {
            Some(set) => *set,
            None => {
                self.sets.push(attributes(block)?);
                known.insert(block.to_vec(), self.sets.len() - 1);
                self.sets.len() - 1
            }
        };
        self.announced += announced.len();
        self.routes.extend(announced.into_iter().map(|prefix| (prefix, set)));
        Some(())
    }
}

/// AS number and address of the sender, and the BGP message, of a BGP4MP_MESSAGE_AS4 record between IPv4 addresses.
fn message<'a>(mut record: Input<'a>, extended: bool) -> Option<(u32, Ipv4Addr, &'a [u8])> {
    record.take(if extended { 4 } else { 0 })?; // microseconds
    let asn = record.u32()?;
    record.take(4 + 2 + 2)?; // receiver's AS number, interface, address family
    let address = Ipv4Addr::from(record.u32()?);
    record.take(4)?; // receiver's address
    Some((asn, address, record.0))
}

fn attributes(block: &[u8]) -> Option<Vec<Attribute>> {
    let mut input = Input(block);
    let mut list = Vec::new();
    while !input.0.is_empty() {
        let (flags, code) = (input.u8()?, input.u8()?);
        let len =
            if flags & EXTENDED_LENGTH != 0 { usize::from(input.u16()?) } else { usize::from(input.u8()?) };
        list.push(Attribute { flags, code, value: input.take(len)?.to_vec() });
    }
    Some(list)
}

fn prefixes(bytes: &[u8]) -> Option<Vec<(Ipv4Addr, u8)>> {
    let mut input = Input(bytes);
    let mut list = Vec::new();
    while !input.0.is_empty() {
        let len = input.u8().filter(|len| *len <= 32)?;
        let mut octets = [0; 4];
        let bytes = input.take(usize::from(len).div_ceil(8))?;
        octets.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
        list.push((Ipv4Addr::from(u32::from_be_bytes(octets) & mask), len));
    }
    Some(list)
}

/// What is left to read.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    fn length_prefixed(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.take(len.into())
    }

    /// Type, subtype and body of the next MRT record.
    fn record(&mut self) -> Option<(u16, u16, &'a [u8])> {
        self.take(4)?; // seconds
        let (kind, subtype, len) = (self.u16()?, self.u16()?, self.u32()?);
        Some((kind, subtype, self.take(len.try_into().ok()?)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(body: &[u8]) -> Vec<u8> {
        let mut message = vec![0xff; 16];
        message.extend(((HEADER_LEN + body.len()) as u16).to_be_bytes());
        message.push(UPDATE);
        message.extend(body);
        message
    }

    #[test]
    fn later_messages_replace_and_withdraw() {
        let announce = update(b"\0\0\0\x04\x40\x01\x01\0\x18\x0a\0\x01\x18\x0a\0\x02");
        let again = update(b"\0\0\0\x04\x40\x01\x01\x02\x18\x0a\0\x01");
        let withdraw = update(b"\0\x04\x18\x0a\0\x02\0\0");
        let recording =
            Recording { asn: 1, address: Ipv4Addr::LOCALHOST, messages: vec![announce, again, withdraw] };
        let table = recording.table().unwrap();
        assert_eq!((table.announced, table.withdrawn, table.routes.len()), (3, 1, 1));
        let set = table.routes[&(Ipv4Addr::new(10, 0, 1, 0), 24)];
        assert_eq!(table.sets[set], [Attribute { flags: 0x40, code: 1, value: vec![2] }]);
    }

    #[test]
    fn records_of_other_kinds_are_passed_over() {
        let mut file = Vec::from(*b"\0\0\0\0\0\x11\0\x05\0\0\0\x01\0"); // BGP4MP_ET state change
        let message = update(b"\0\0\0\0");
        let mut body = b"\0\0\0\0\0\0\x0f\x10\0\0\x0f\x10\0\0\0\x01\x0a\0\0\x01\x0a\0\0\x02".to_vec();
        body.extend(&message);
        file.extend(b"\0\0\0\0\0\x11\0\x04");
        file.extend((body.len() as u32).to_be_bytes());
        file.extend(&body);
        let recording = Recording::parse(&file).unwrap().unwrap();
        assert_eq!((recording.asn, recording.address), (3856, Ipv4Addr::new(10, 0, 0, 1)));
        assert_eq!(recording.messages, [message]);
        assert!(Recording::parse(&file[..file.len() - 1]).is_err());
    }
}
