//! Packet captures: pcap and pcapng, what is in their TCP connections.
//!
//! Link types: Ethernet with or without VLAN tags, Linux cooked (both versions), raw IP, loopback. IP fragments are
//! passed over.

mod file;
mod link;
mod tcp;

use std::collections::VecDeque;
use std::io::Read;

use crate::record::{Content, Record};
use crate::{CaptureError, ErrorKind};

use file::File;
pub(crate) use file::is_pcap;
use tcp::{Connections, Given, Seen};
pub use tcp::{MAX_CONNECTIONS, MAX_HELD, MAX_HELD_IN_ALL};

/// The messages in the TCP connections of a capture.
///
/// Segments are put in order; what was captured twice is given out once. A gap counts as lost when more than [`MAX_HELD`]
/// octets wait behind it, or at the end: the stream goes on at the next marker. A message comes with the time of the
/// packet that completed it.
pub struct Reader<'a> {
    /// `None` after the end, or what nothing can be read behind.
    file: Option<File<'a>>,
    connections: Connections,
    pending: VecDeque<Result<Record, CaptureError>>,
}

impl<'a> Reader<'a> {
    /// The messages in the connections of `input`, unzipped, that have `port` at one end.
    pub fn new(input: impl Read + 'a, port: u16) -> Reader<'a> {
        let (file, error) = match File::new(input) {
            Ok(file) => (Some(file), None),
            Err(kind) => (None, Some(Err(CaptureError { record: 0, offset: 0, kind }))),
        };
        Reader { file, connections: Connections::new(port), pending: error.into_iter().collect() }
    }

    /// Reads the next packet; false if there is none.
    fn packet(&mut self, file: &mut File<'_>) -> bool {
        match file.next() {
            Some(Ok(packet)) => {
                if let Some(segment) = packet.link.segment(&packet.octets) {
                    let seen = Seen { number: file.number, offset: file.offset, time: packet.time };
                    self.connections.segment(seen, &segment);
                }
                true
            }
            Some(Err(kind)) => {
                let goes_on = matches!(kind, ErrorKind::LinkType(_));
                self.pending.push_back(Err(CaptureError { record: file.number, offset: file.offset, kind }));
                goes_on
            }
            None => false,
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Record, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.pending.is_empty() {
            let Some(mut file) = self.file.take() else { break };
            if self.packet(&mut file) {
                self.file = Some(file);
            } else {
                self.connections.finish();
            }
            // In front of an error, which ends the file.
            let error = self.pending.pop_back();
            self.pending.extend(self.connections.given().map(|given| Ok(given.into())));
            self.pending.extend(error);
        }
        self.pending.pop_front()
    }
}

impl From<Given> for Record {
    fn from(Given { seen, from, to, piece }: Given) -> Record {
        let Seen { number, offset, time } = seen;
        Record { number, offset, time, from: from.into(), to: to.into(), content: Content::from(piece) }
    }
}
