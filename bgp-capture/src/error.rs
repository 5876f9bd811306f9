//! What can be wrong with a capture, and where.

use std::io;

use crate::MAX_RECORD_LEN;

/// Something in a capture that can't be read. What stands before it is not affected.
#[derive(Debug, thiserror::Error)]
#[error("record {record} at octet {offset}: {kind}")]
pub struct CaptureError {
    /// The record's number, counted from 1; the packet's in a pcap, the octet's for plain octets.
    pub record: u64,
    /// Where the record begins, in octets from the start of the input, unzipped.
    pub offset: u64,
    /// What is wrong.
    pub kind: ErrorKind,
}

/// What is wrong with a record.
#[derive(Debug, thiserror::Error)]
pub enum ErrorKind {
    /// Reading failed, or the gzip around it is broken.
    #[error("{0}")]
    Io(io::Error),
    /// The input ends within the record.
    #[error("cut off by the end of the file")]
    Truncated,
    /// The record claims more octets than are ever read, [`MAX_RECORD_LEN`].
    #[error("claims to be longer than {MAX_RECORD_LEN} octets")]
    TooLong,
    /// The record's fields do not fit into it, or are none that its type has.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// Packets of this link type are passed over.
    #[error("link type {0} is not known")]
    LinkType(i32),
    /// Not a hexadecimal digit.
    #[error("`{}` is no hexadecimal digit", .0.escape_default())]
    NotHex(char),
    /// The last octet has one digit.
    #[error("an octet has two hexadecimal digits; the last one has one")]
    HalfOctet,
}

impl From<io::Error> for ErrorKind {
    /// An error that [`HexReader`](crate::HexReader) has wrapped comes out as it went in.
    fn from(error: io::Error) -> ErrorKind {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return ErrorKind::Truncated;
        }
        match error.downcast::<ErrorKind>() {
            Ok(kind) => kind,
            Err(error) => ErrorKind::Io(error),
        }
    }
}
