//! Where recorded BGP messages come from: MRT files, packet captures, hexadecimal text, plain octets.
//!
//! ```text
//!                    ┌─► mrt    RFC 6396, RFC 8050: BGP4MP, TABLE_DUMP_V2 ──────────┐
//!  octets ─► Input ──┼─► pcap   pcap, pcapng ─► link ─► IP, TCP ─► reassembly ─┐    ├─► Record, Record, …
//!   (gzip undone,    │                                                         ▼    │
//!    form detected)  └─► stream  hexadecimal or binary ───────────► cut at markers ─┘
//! ```
//!
//! What a message means is [`bgp_core`]'s to say; here it is octets with a time, two ends, and what the file tells of
//! the session. Nothing is opened here: whoever uses the crate hands in a reader.
//!
//! A file is hostile input. Whatever grows has a bound: [`MAX_RECORD_LEN`] for a record or packet,
//! [`pcap::MAX_CONNECTIONS`], [`pcap::MAX_HELD`] and [`pcap::MAX_HELD_IN_ALL`] for what TCP reassembly keeps. What can't
//! be read is a [`CaptureError`] with the record's number and place; what came before it has been given out by then.
//!
//! ```
//! use bgp_capture::{Content, Format, Input};
//!
//! let text = b"ffff ffff ffff ffff ffff ffff ffff ffff 0013 04";
//! let input = Input::new(&text[..])?;
//! assert_eq!(input.detect(), Format::Hex);
//! let records: Vec<_> = input.records(Format::Hex, 179).collect::<Result<_, _>>()?;
//! assert!(matches!(&records[0].content, Content::Message { octets, .. } if octets.len() == 19));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cut;
mod error;
mod hex;
mod input;
pub mod mrt;
mod octets;
pub mod pcap;
mod record;
pub mod stream;

pub use error::{CaptureError, ErrorKind};
pub use hex::HexReader;
pub use input::{Format, Input, Records};
pub use octets::Octets;
pub use record::{Content, Endpoint, Hints, IndexedPeer, PeerIndex, Record, RibEntry};

/// The longest MRT record, packet or pcapng block that is read, in octets. The largest that any program is known to
/// write are far below it.
pub const MAX_RECORD_LEN: usize = 16 << 20;
