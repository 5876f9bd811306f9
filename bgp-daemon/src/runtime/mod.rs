//! The daemon at run time: what it adds to the router is octets, time and threads.
//!
//! ```text
//!                       ┌──────────────┐ Command  ┌───────────────┐
//!   API, SIGHUP, files ►│  supervisor  │─────────►│  peer tasks   │◄─► sockets
//!   Listener ──────────►│  (PeerSet)   │          │ (one a peer)  │
//!                       └──────┬───────┘          └──┬─────────▲──┘
//!                              │ CoreRequest  ToCore │         │ ToPeer
//!                              ▼                     ▼         │
//!                       ┌────────────────────────────────────────┐  FibChange   ┌───────────┐
//!                       │  the core, a thread of its own         │─────────────►│ embedder  │
//!                       └────────────────────────────────────────┘◄── next hops └───────────┘
//! ```
//! Every channel is bounded, and so is the input of all peers whose routes wait for the core: half a MiB, of which a peer
//! has its share before it reads its socket. What else it says goes past that. The core never waits for a peer, whose
//! channel is wider than the window it may fill.

mod announce;
mod bfd;
mod budget;
mod clock;
mod clusters;
mod connection;
mod control;
mod core_thread;
mod daemon;
mod explain;
mod give_back;
mod history;
mod neighbors;
mod path;
mod peer_task;
mod peers;
mod readiness;
mod received;
mod reload;
mod rows;
mod scrape;
mod settings;
mod sought;
mod status;
mod supervisor;

pub use announce::{Announcements, Delta, Source};
pub use clock::Clock;
pub(crate) use core_thread::CoreRequest;
pub use core_thread::{ForwardingChange, ForwardingCore, NextHopWatch};
pub use daemon::{Daemon, host_name};
pub use give_back::GiveBack;
pub use history::Transition;
pub(crate) use peer_task::{Commands, PeerCommand, TellReceived};
pub use status::PeerStatus;
pub(crate) use supervisor::check_kernel;
pub use supervisor::{KernelQuestion, Options, StartError};
