//! Tables and texts for people, from the same structs as the JSON.

mod bfd;
mod daemon;
mod explain;
mod peers;
mod routes;
mod tunnels;

pub(crate) use bfd::bfd;
pub(crate) use daemon::{drained, event, reload, status};
pub(crate) use explain::explain;
pub(crate) use peers::{history, peer, peers};
pub(crate) use routes::{fib, fib_diff, routes};
pub(crate) use tunnels::{pools, tunnels};
