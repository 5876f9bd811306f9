//! Networks of whole routers in one thread, with a virtual clock and a seed that replays.
//!
//! ```text
//!   seed ─► generate ─► Spec ─► run: Network: Router ◄─ pipes: delayed, cut, in pieces ─► Router …
//!                        ▲               │ each step        │ the end
//!                        │               └─► Observer ◄─────┘
//!        print ◄─ shrink ┴── Failure ◄────────┘
//! ```
//! Nothing here reads a clock or the system's randomness: a run is its spec.
//!
//! ```
//! use sim::check::check;
//! use sim::generate::{Topology, generate};
//!
//! let report = check(&generate(Topology::Reflector, 7)).expect("every table is right");
//! assert!(report.steps > 100);
//! ```

pub mod check;
pub mod faults;
pub mod generate;
mod hostile;
pub mod invariants;
pub mod kernel;
mod link;
pub mod network;
pub mod observe;
pub mod oracle;
mod pipe;
pub mod print;
pub mod random;
pub mod run;
pub mod shrink;
pub mod spec;
