//! The routing tables of a BGP speaker: what peers announced, what was chosen of it, and what is sent to whom.
//!
//! ```text
//!    announce, withdraw        next_hop_changed
//!            │                        │
//!  ┌─ Rib ───▼────────────────────────▼───┐   dirty   ┌─ Group ────────────────────────┐
//!  │ Table<V4>, Table<V6>                 ├──────────►│ records: what was sent last    │
//!  │ all paths of each destination,       │           │ journal: messages encoded once │──► poll_transmit
//!  │ ranked by Decision                   │           │ a cursor for each peer         │
//!  │        │                             │   dirty   ├─ Fib ──────────────────────────┤
//!  └────────┼─────────────────────────────┘──────────►│ the chosen next hops           │──► take_fib_changes
//!           ▼                                         └────────────────────────────────┘
//!  AttributeStore: each set of attributes once, shared by all threads
//! ```
//!
//! Nothing here reads a clock, a socket or a file: time and input are arguments, output is polled ([`Rib`]).
//! What a consumer was told last is its own record, so changes may coalesce and input never waits for output.
//!
//! ```
//! use bgp_core::wire::{Summary, code};
//! use bgp_core::{Asn, ClusterId, Family, FamilySet, Instant, PathId, PeerKind, RouterId, V4, V6, AddressFamily};
//! use bgp_rib::*;
//!
//! let (asn, router_id) = (Asn(64512), RouterId(1));
//! let families = FamilySet::EMPTY.with(Family::IPV4_UNICAST);
//! let us = ExportContext { local_as: asn, router_id, cluster_id: Some(ClusterId(1)) };
//! let mut rib = Rib::new(RibConfig::new(us, 42));
//! let group = GroupKey::new(TargetKind::Client, families);
//! let now = Instant::ZERO;
//! let [a, b] = [1, 2].map(|slot| PeerId { slot, generation: 1 });
//! for id in [a, b] {
//!     let address = [10, 0, 0, id.slot as u8].into();
//!     let info = PeerInfo { id, kind: SourceKind::Client, address, router_id: RouterId(id.slot), asn, families };
//!     rib.peer_up(now, PeerUp { info, group: group.clone() });
//! }
//!
//! // As the check of a received block gives them: ORIGIN, an empty AS_PATH, NEXT_HOP, LOCAL_PREF.
//! let block = [0x40, code::ORIGIN, 1, 0, 0x40, code::AS_PATH, 0, 0x40, code::NEXT_HOP, 4, 10, 0, 0, 1,
//!     0x40, code::LOCAL_PREF, 4, 0, 0, 0, 100];
//! let store = AttributeStore::new(7);
//! let attrs = store.insert(PeerKind::Internal, [10, 0, 0, 1].into(), &[&block], Summary::default());
//! let prefix = V4::from_wire(24, &[10, 1, 0]).ok_or("a prefix")?;
//! rib.announce::<V4>(now, a, prefix, PathId(0), attrs);
//!
//! let flush = rib.next_timeout().ok_or("a change waits")?;
//! rib.handle_timeout(flush);
//! let mut sent = Vec::new();
//! while let Some(peer) = rib.poll_ready() {
//!     let mut messages = Vec::new();
//!     rib.poll_transmit(peer, 1 << 16, &mut messages);
//!     sent.push((peer, messages.concat().len()));
//! }
//! assert_eq!(rib.longest_match([10, 1, 0, 9].into()).map(|route| route.prefix), Some(prefix.into()));
//! // Both are sent End-of-RIB (23 bytes); only the other one the route.
//! assert_eq!(sent, [(a, 23), (b, 23 + 23 + block.len() + 7 + 7 + 4)]);
//! # Ok::<(), &str>(())
//! ```

pub mod attributes;
mod block;
mod chunks;
pub mod decision;
mod dirty;
mod family;
#[doc(hidden)]
pub mod fault;
mod fib;
pub mod filter;
mod hash;
pub mod next_hop;
pub mod out;
mod path;
mod peer;
mod rib;
pub mod roles;
pub mod table;
#[cfg(test)]
mod testing;
mod weights;

pub use attributes::{AttributeSet, AttributeStore, Attrs, Marks, NextHopMark};
pub use bgp_core::wire::Summary;
pub use decision::{Decision, DecisionConfig, Rule};
pub use dirty::DirtySet;
pub use family::RibFamily;
pub use fib::{FibChange, FibNextHop};
pub use filter::{Filter, Policy};
pub use next_hop::{NextHopId, NextHopSource, NextHopState, NextHops, Watch};
pub use out::{
    Advertise, AsRules, ExportCheck, ExportContext, ExportCounters, Group, GroupKey, GroupLimits, Lag,
    LoadSharing, NextHopRule, PathExport, PrivateAs, SentPath, SentRoute, TargetKind, Transmit,
};
pub use path::Path;
pub use peer::{PeerId, PeerInfo, Peers, SourceKind};
pub use rib::{
    Aggregate, BestChange, ExportExplanation, MemoryUse, PathView, PeerCounts, PeerUp, Rib, RibConfig,
    RouteChange, RouteView,
};
pub use table::{Change, DestId, Outcome, Table};
