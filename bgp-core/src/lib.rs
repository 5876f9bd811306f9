//! BGP-4 codec and session state machine, without I/O, clock or runtime.

pub mod family;
mod instant;
pub mod prefix;
mod types;
pub mod wire;

pub use family::{AddressFamily, Family, FamilySet, V4, V6};
pub use instant::Instant;
pub use prefix::{Ipv4Prefix, Ipv6Prefix, Prefix};
pub use types::{Asn, ClusterId, PathId, PeerKind, RouterId};
