//! The messages of BGP-4: bytes to types and back.
//!
//! ```text
//!  bytes ─► header::frame ─► kind + body ─┬─► Open          (with its Capabilities)
//!                                         ├─► Notification
//!                                         ├─► RouteRefresh  (second look: its filters, Orf)
//!                                         ├─► KEEPALIVE has no body
//!                                         └─► UpdateView  step 1: where everything is, destinations readable
//!                                               │
//!                          destinations ◄───────┴─► AttributeBlock
//!                          (Nlri iterators)           │ check   step 2: RFC 7606 on every attribute
//!                                                     ▼
//!                                                   canonical block ─► Attributes (typed looks, no copy)
//!                                                     │
//!  bytes ◄─ encode::{announce, withdraw, end_of_rib} ◄┘
//!                  {announce,withdraw}_destinations, of any family
//! ```
//!
//! Step 2 is not needed where the same bytes were checked before. A fault in an UPDATE never stops at the first
//! caller: each has a [`Treatment`], and the strongest of them decides.
//!
//! Every length is checked before what it covers is read, and each nested element is parsed from a slice of its
//! own, so that a wrong length can neither reach past its element nor stop a loop from advancing. What cannot be
//! parsed comes back as the [`Notification`] to answer with.

mod aigp;
pub mod as_path;
mod attribute;
mod block;
pub mod capability;
pub mod code;
pub mod community;
pub(crate) mod cursor;
pub mod encode;
mod fault;
pub mod header;
pub(crate) mod hex;
mod next_hop;
pub mod nlri;
pub mod notification;
pub mod open;
pub mod orf;
mod plain;
mod pmsi;
mod prefix_sid;
pub mod refresh;
pub mod rules;
#[cfg(test)]
mod tests;
mod tlv;
mod tunnel;
mod typed;
mod update;

pub use aigp::{Aigp, AigpTlv};
pub use as_path::{AsPath, AsWidth, SegmentKind};
pub use attribute::{Attributes, RawAttribute, flag};
pub use block::{AttributeBlock, BlockUse, Checked, Summary};
pub use capability::Capability;
pub use community::{Community, ExtendedCommunity, Ipv6ExtendedCommunity, LargeCommunity};
pub use encode::EncodeError;
pub use fault::{Fault, FaultKind, Malformed, Treatment};
pub use header::{Frame, MessageType, frame};
pub use hex::MacAddress;
pub use next_hop::NextHop;
pub use nlri::{Destination, Destinations, LabelForm, Nlri, NlriError, NlriForm, encode_nlri};
pub use nlri::{Label, LabeledPrefix, Labels, RouteDistinguisher, RouteTargetMembership, VpnPrefix};
pub use notification::Notification;
pub use open::Open;
pub use orf::Orf;
pub use pmsi::{PmsiTunnel, PmsiTunnelType};
pub use prefix_sid::{PrefixSid, PrefixSidTlv};
pub use refresh::RouteRefresh;
pub use rules::{Length, attribute_rules, fault_rules, name as attribute_name};
pub use tlv::TlvError;
pub use tunnel::{Tunnel, TunnelEncapsulation, TunnelSubTlv, TunnelTlv, TunnelType};
pub use typed::{AsSegment, Origin, PathAttribute};
pub use update::{DecodeContext, MpReach, MpUnreach, UpdateView};
