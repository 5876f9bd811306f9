//! A whole BGP speaker without I/O: sessions and RIB put together.
//!
//! ```text
//!  octets, instants        ToCore                         ToPeer        octets
//!  ───────────────► Peer ─────────► Core (Rib, groups) ─────────► Peer ───────►
//!                    │   Up, Routes,   ▲   │  Send, Reset           │
//!  ◄── Connect,      │   EndOfRib,     │   └──► FibChange, Watch    └─ WriteQueue
//!      Close, Event ─┘   Written, Down └─ next hops, local prefixes
//! ```
//!
//! A [`Peer`] and the [`Core`] are driven alone: a daemon gives each a task of its own and carries the messages
//! over bounded channels, [`Router`] carries them in one thread, in an order drawn from a seed. None of them
//! opens a socket or reads a clock: octets, events and an [`Instant`](bgp_core::Instant) go in; octets, route
//! changes and the next deadline come out.
//!
//! Two routers, a connection between them that is only an idea, and a prefix:
//!
//! ```
//! use std::io::IoSlice;
//! use std::time::Duration;
//!
//! use bgp_core::fsm::{ConnectionId, Direction};
//! use bgp_core::{Asn, Instant, RouterId};
//! use bgp_rib::RibConfig;
//! use bgp_router::{Identity, LocalAddresses, PeerSettings, Router};
//!
//! /// The connection, and the slot of each router's first peer.
//! const LINK: ConnectionId = ConnectionId(1);
//! const PEER: u32 = 1;
//!
//! fn router(number: u8, peer: u8, direction: Direction) -> Router {
//!     let router_id = RouterId(number.into());
//!     let identity = Identity { local_as: Asn(64512), router_id, cluster_id: None, confederation: None };
//!     let rib = RibConfig::new(identity.export_context(), 42);
//!     let mut router = Router::new(identity, rib);
//!     let settings = PeerSettings { passive: true, ..PeerSettings::new([10, 0, 0, peer].into()) };
//!     router.add_peer(Instant::ZERO, settings);
//!     let local = LocalAddresses::new([10, 0, 0, number].into(), None);
//!     router.with_peer(PEER, |peer| peer.connected(Instant::ZERO, LINK, direction, local));
//!     router
//! }
//!
//! /// Lets one write and the other read; returns how many octets that were.
//! fn carry(now: Instant, from: &mut Router, to: &mut Router) -> Option<usize> {
//!     let mut slices = [IoSlice::new(&[]); 16];
//!     let filled = from.peer(PEER)?.queue(LINK)?.gather(&mut slices);
//!     let octets: Vec<u8> = slices.iter().take(filled).flat_map(|slice| slice.to_vec()).collect();
//!     from.with_peer(PEER, |peer| peer.wrote(now, LINK, octets.len()));
//!     to.with_peer(PEER, |peer| peer.read(now, LINK, &octets));
//!     from.run(now);
//!     to.run(now);
//!     Some(octets.len())
//! }
//!
//! let (mut a, mut b) = (router(1, 2, Direction::Outgoing), router(2, 1, Direction::Incoming));
//! let prefix = "10.244.0.0/26".parse()?;
//! a.with_core(|core| core.announce_local(Instant::ZERO, prefix));
//!
//! let mut now = Instant::ZERO;
//! while b.core().rib().route(prefix).is_none() {
//!     let moved = carry(now, &mut a, &mut b).zip(carry(now, &mut b, &mut a)).ok_or("the link is gone")?;
//!     if moved == (0, 0) {
//!         // Nothing on the way: on to what is due next, here the update group's flush.
//!         now = a.next_timeout().min(b.next_timeout()).ok_or("nothing will ever happen")?;
//!         a.handle_timeout(now);
//!         b.handle_timeout(now);
//!     }
//! }
//! assert!(now <= Instant::ZERO + Duration::from_millis(10));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod adj_rib_in;
pub mod admission;
mod as_numbers;
pub mod config;
pub mod core;
pub mod import;
pub mod message;
mod peer;
mod propagation;
mod restart;
mod router;
#[cfg(test)]
mod tests;
mod write_queue;

pub use crate::adj_rib_in::{AdjRibIn, ReceivedRoute};
pub use crate::admission::{Admission, PeerTable, RangeSettings, Stranger};
pub use bgp_rib::Policy;

pub use crate::as_numbers::{AsNumbers, LocalAs, PrivateNumbers};
pub use crate::config::{AddPath, Identity, Limits, LocalAddresses, PeerSettings, RestartSettings};
pub use crate::core::{AggregateSettings, Core};
pub use crate::import::{Fatal, ImportCounters, Refusal};
pub use crate::message::{
    Batch, CoreOutput, Retention, RouteChange, SessionRestart, SessionUp, ToCore, ToPeer,
};
pub use crate::peer::{Applied, Peer, PeerEvent, PeerOutput};
pub use crate::router::{Router, RouterOutput};
pub use crate::write_queue::{WriteQueue, Written};
