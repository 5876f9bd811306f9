//! Tests against real routers: BIRD 2, FRR, GoBGP, OpenBGPD and ExaBGP beside this project's daemons, each in a network namespace of its own.
//!
//! ```text
//!   Net (unique name, removed on drop, also after a panic)
//!   ┌──────────┐ eth0        hub         eth0 ┌──────────┐
//!   │ Node "a" ├────────┐ ┌────────┐ ┌────────┤ Node "b" │
//!   │ 10.9.0.1 │        └─┤ bridge ├─┘        │ 10.9.0.2 │
//!   │ bird     │        ┌─┤        ├─┐        │ bgpd     │
//!   └──────────┘        │ └────────┘ │        └──────────┘
//!        ▲              …            …             ▲
//!        │ birdc                            vtysh  │
//!   Peer::routes ──► SeenRoute ◄── compared ──► SeenRoute
//!                       Node::routes (the kernel's table)
//! ```
//!
//! One neutral [`Setup`] says what a router does; [`Software::start`] turns it into the configuration of one of these
//! or one of the two daemons, so that one test runs with every peer in every part. What a peer holds is asked
//! through its own command line and parsed to [`SeenRoute`]s, so both ends of a session are compared in one form.
//!
//! Namespaces need root. A missing program is an error that names the package, never a skipped test.
//!
//! ```no_run
//! use interop::{Neighbor, Net, Setup, Software};
//!
//! fn main() -> interop::Result<()> {
//!     let net = Net::new()?;
//!     let (a, b) = (net.node("a")?, net.node("b")?);
//!     let _bird = Software::Bird.start(&a, &Setup::new(64512).neighbor(Neighbor::new(b.v4(), 64512)).announce("10.42.1.0/26"))?;
//!     let mut frr = Software::Frr.start(&b, &Setup::new(64512).neighbor(Neighbor::new(a.v4(), 64512)))?;
//!     net.eventually("FRR has BIRD's route", || interop::ensure(frr.routes()?.len() == 1, || "no route yet"))
//! }
//! ```

pub mod failures;
pub mod matrix;
pub mod soak;
pub mod strain;

mod command;
mod compare;
mod disk;
mod error;
mod expected;
mod flood;
mod kernel;
mod monitor;
mod net;
mod peer;
mod player;
mod process;
mod programs;
mod recording;
mod replay;
mod rig;
mod seen;
mod setup;
mod told;
mod topology;
mod usage;
mod wait;

pub use compare::expect_routes;
pub use disk::SmallDisk;
pub use error::{Error, Result};
pub use flood::{Flood, Traffic};
pub use kernel::KernelRoute;
pub use monitor::Monitor;
pub use net::{Net, Node};
pub use peer::{Peer, Software};
pub use player::play;
pub use process::Process;
pub use programs::Program;
pub use recording::{Attribute, Recording, Table};
pub use replay::{Cast, Comparison, Report, replay};
pub use seen::SeenRoute;
pub use setup::{Announcement, Neighbor, Policy, Setup};
pub use told::{BfdSeen, bfd, flaps, has_told_all, messages, reload, stale};
pub use topology::Topology;
pub use usage::Usage;
pub use wait::{ensure, holds_for};
