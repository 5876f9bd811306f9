//! Networks of whole routers in one thread, with a virtual clock and a seed that replays.
//!
//! ```text
//!   seed ─► Scenario ─► Network: Router ◄─ pipes: delayed, cut, in pieces ─► Router …
//!              │                    │ after the trouble
//!              └─► oracle::solve ──►├─ equal? ─► Report | Failure
//!                  (from the inputs)┘
//! ```
//! Nothing here reads a clock or the system's randomness: a run is its seed.
//!
//! ```
//! use sim::scenario::{Topology, run};
//!
//! let report = run(Topology::Reflector, 7).expect("every table is right");
//! assert!(report.routers > 2);
//! ```

pub mod kernel;
pub mod loc_rib;
pub mod network;
pub mod oracle;
mod pipe;
pub mod random;
pub mod scenario;
pub mod spec;
