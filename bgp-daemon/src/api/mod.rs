//! The control API: what it says ([`schema`]), how a daemon answers it ([`ControlHandle`]), and the server.
//!
//! ```text
//!  bgp, Prometheus, kubelet                         the daemon's loop
//!        │ HTTP                                            ▲   │
//!        ▼                     Command + Reply (bounded)   │   │ EventBus::publish, Heartbeat::beat
//!  ApiServer ─ routes ─ ControlHandle ─────────────────────┘   │
//!        ▲                                                     │
//!        └──────────── events: broadcast, bounded ◄────────────┘
//! ```

mod connections;
mod control;
mod error;
mod events;
mod routes;
pub mod schema;
mod server;
mod socket;

pub use control::{Command, ControlError, ControlHandle, Heartbeat, PeerAction, Reply};
pub use events::{EventBus, Watcher};
pub use server::{ApiServer, ServeError};
pub(crate) use socket::join_group;
