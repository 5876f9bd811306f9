//! fib-sync

mod config;
mod diff;
mod error;
mod intern;
mod kernel;
mod message;
mod resolve;
mod route;
mod socket;
mod stats;
mod sync;
mod table;
mod watch;

pub use config::FibConfig;
pub use diff::{Difference, DifferenceKind};
pub use error::{FibError, KernelError};
pub use ipnetwork::IpNetwork;
pub use resolve::Resolution;
pub use route::{Forwarding, Hop, NextHop, Route, Target};
pub use stats::{Results, Stats};
pub use sync::{Event, FibSync};
