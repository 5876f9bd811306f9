//! Messages one after the other, with nothing between them.

use std::io::Read;

use crate::cut::{Cutter, Piece};
use crate::record::{Content, Endpoint, Hints, Record};
use crate::{CaptureError, ErrorKind};

/// The messages of a stream of octets.
#[derive(Debug)]
pub struct Reader<R> {
    octets: R,
    cutter: Cutter,
    number: u64,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// The messages of `octets`.
    pub fn new(octets: R) -> Reader<R> {
        Reader { octets, cutter: Cutter::new(true), number: 0, ended: false }
    }

    /// Reads on; false at the end.
    fn fill(&mut self) -> Result<bool, ErrorKind> {
        let mut chunk = [0; 16_384];
        let count = self.octets.read(&mut chunk)?;
        self.cutter.push(chunk.get(..count).unwrap_or_default());
        Ok(count != 0)
    }

    fn record(&mut self, (offset, piece): (u64, Piece)) -> Record {
        self.number += 1;
        let ends = Endpoint::default();
        Record { number: self.number, offset, time: None, from: ends, to: ends, content: piece.into() }
    }
}

impl From<Piece> for Content {
    fn from(piece: Piece) -> Content {
        match piece {
            Piece::Message(octets) => Content::Message { octets, hints: Hints::default() },
            Piece::Lost { octets, head } => Content::Lost { octets, head },
        }
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Record, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(piece) = self.cutter.next() {
                return Some(Ok(self.record(piece)));
            }
            if self.ended {
                return self.cutter.finish().map(|piece| Ok(self.record(piece)));
            }
            match self.fill() {
                Ok(more) => self.ended = !more,
                Err(kind) => {
                    self.ended = true;
                    return Some(Err(CaptureError {
                        record: self.number + 1,
                        offset: self.cutter.end(),
                        kind,
                    }));
                }
            }
        }
    }
}
