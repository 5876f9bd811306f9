//! What others are told of sessions and tables, as octets: the BGP Monitoring Protocol (RFC 7854, 8671, 9069) and MRT
//! records (RFC 6396, RFC 8050). No socket, no file, no clock: whoever calls appends to a buffer of its own.
//!
//! ```text
//!                        ┌─► bmp   initiation, peer up and down, routes, statistics ─► a collector
//!  sessions, routes ─────┤
//!                        └─► mrt   BGP4MP_ET: messages, states ─────────────────────► a log of updates
//!                                  TABLE_DUMP_V2: peers, routes ────────────────────► a dump of the table
//! ```
//!
//! Routes come with their attributes in canonical form: AS numbers of four octets, neither MP_REACH_NLRI nor
//! MP_UNREACH_NLRI; their next hop comes beside them. [`update`] makes whole UPDATEs of them.
//!
//! ```
//! use bgp_core::{Asn, PathId, RouterId};
//! use bgp_telemetry::bmp::{self, Message, PeerHeader, View};
//! use bgp_telemetry::update;
//! use std::time::Duration;
//!
//! let peer = PeerHeader {
//!     view: View::AdjRibInPost,
//!     address: "192.0.2.1".parse()?,
//!     asn: Asn(64512),
//!     router_id: RouterId(1),
//!     two_octet_as: false,
//!     at: Duration::from_secs(1_700_000_000),
//! };
//! let mut updates = Vec::new();
//! update::withdraw(&mut updates, ["10.0.0.0/8".parse()?].map(|prefix| (None, prefix)));
//! let mut out = Vec::new();
//! bmp::route_monitoring(&mut out, &peer, &updates);
//!
//! let (message, used) = Message::parse(&out)?.ok_or("a whole message")?;
//! assert_eq!((message.kind, message.peer, used), (bmp::Kind::RouteMonitoring, Some(peer), out.len()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod bmp;
pub mod mrt;
mod octets;
pub mod update;
