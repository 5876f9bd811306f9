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

pub mod admission;
pub mod config;
pub mod core;
pub mod import;
pub mod message;
mod peer;
mod propagation;
mod router;
#[cfg(test)]
mod tests;
mod write_queue;

pub use crate::admission::{Admission, PeerTable, RangeSettings, Stranger};
pub use crate::config::{Identity, LocalAddresses, PeerSettings, Policy};
pub use crate::core::Core;
pub use crate::import::{Fatal, ImportCounters, Refusal};
pub use crate::message::{Batch, CoreOutput, RouteChange, SessionUp, ToCore, ToPeer};
pub use crate::peer::{Peer, PeerEvent, PeerOutput};
pub use crate::router::{Router, RouterOutput};
pub use crate::write_queue::{WriteQueue, Written};
