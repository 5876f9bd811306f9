//! What a recorded router told its neighbour, out of an MRT file, and the table that follows. No code of the daemons is in it but what reads the file, so
//! that what is expected is independent of what they do: just enough of RFC 4271 to know every attribute of every IPv4 prefix.

use crate::{Error, Result};
use bgp_capture::{Content, Format, Hints, Input, Octets};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

const MARKER_LEN: usize = 16;
const HEADER_LEN: usize = 19;
const UPDATE: u8 = 2;
const EXTENDED_LENGTH: u8 = 0x10;
/// As a session of the player's is: four-octet AS numbers, no path identifiers.
const SESSION: Hints = Hints { four_octet_as: Some(true), add_path: Some(false) };

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
    /// Reads a file, gzipped or not: the UPDATEs of the first sender in it.
    ///
    /// # Errors
    /// If it cannot be read, is not MRT, or holds no four-octet-AS UPDATE over IPv4.
    pub fn read(path: &Path) -> Result<Recording> {
        let what = || format!("cannot read {}", path.display());
        let file = std::fs::File::open(path).map_err(Error::io(what()))?;
        let input = Input::new(file).map_err(Error::io(what()))?;
        Recording::parse(input)?
            .ok_or_else(|| Error::parse("MRT", "no UPDATE of a four-octet-AS session over IPv4"))
    }

    fn parse(input: Input<'_>) -> Result<Option<Recording>> {
        let mut recording: Option<Recording> = None;
        for record in input.records(Format::Mrt, 179) {
            let record = record.map_err(|error| Error::parse("MRT", error.to_string()))?;
            let (Some(IpAddr::V4(address)), Some(asn)) = (record.from.address, record.from.asn) else {
                continue;
            };
            let Content::Message { octets, hints: SESSION } = record.content else { continue };
            if octets.get(MARKER_LEN + 2) == Some(&UPDATE) {
                let new = || Recording { asn: asn.0, address, messages: Vec::new() };
                let entry = recording.get_or_insert_with(new);
                if entry.address == address {
                    entry.messages.push(octets);
                }
            }
        }
        Ok(recording)
    }

    /// UPDATEs that withdraw everything that was announced, in the same order.
    ///
    /// # Errors
    /// If an UPDATE is malformed.
    pub fn withdrawals(&self) -> Result<Vec<Vec<u8>>> {
        let mut messages = Vec::new();
        for message in &self.messages {
            let body = message.get(HEADER_LEN..).unwrap_or_default();
            let nlri = announced(body).ok_or_else(|| Error::parse("UPDATE", format!("{message:02x?}")))?;
            if !nlri.is_empty() {
                messages.push(withdrawal(nlri));
            }
        }
        Ok(messages)
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
        let mut input = Octets(body);
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

/// The NLRI of an UPDATE.
fn announced(body: &[u8]) -> Option<&[u8]> {
    let mut input = Octets(body);
    input.length_prefixed()?;
    input.length_prefixed()?;
    Some(input.0)
}

fn withdrawal(nlri: &[u8]) -> Vec<u8> {
    let mut message = vec![0xff; MARKER_LEN];
    message.extend(((HEADER_LEN + 2 + nlri.len() + 2) as u16).to_be_bytes());
    message.push(UPDATE);
    message.extend((nlri.len() as u16).to_be_bytes());
    message.extend(nlri);
    message.extend([0, 0]);
    message
}

fn attributes(block: &[u8]) -> Option<Vec<Attribute>> {
    let mut input = Octets(block);
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
    let mut input = Octets(bytes);
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

        let messages = [recording.messages.clone(), recording.withdrawals().unwrap()].concat();
        let table = Recording { messages, ..recording }.table().unwrap();
        assert_eq!((table.withdrawn, table.routes.len()), (4, 0));
    }

    #[test]
    fn records_of_other_kinds_are_passed_over() {
        let mut file = Vec::from(*b"\0\0\0\0\0\x30\0\0\0\0\0\x01\0"); // OSPFv3
        let message = update(b"\0\0\0\0");
        let mut body = b"\0\0\0\0\0\0\x0f\x10\0\0\x0f\x10\0\0\0\x01\x0a\0\0\x01\x0a\0\0\x02".to_vec();
        body.extend(&message);
        file.extend(b"\0\0\0\0\0\x11\0\x04");
        file.extend((body.len() as u32).to_be_bytes());
        file.extend(&body);
        let parse = |file| Recording::parse(Input::new(file).unwrap());
        let recording = parse(&file[..]).unwrap().unwrap();
        assert_eq!((recording.asn, recording.address), (3856, Ipv4Addr::new(10, 0, 0, 1)));
        assert_eq!(recording.messages, [message]);
        assert!(parse(&file[..file.len() - 1]).is_err());
    }
}
