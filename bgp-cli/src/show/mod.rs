//! Tables and texts for people, from the same structs as the JSON.

mod daemon;
mod peers;
mod routes;

pub(crate) use daemon::{drained, event, reload, status};
pub(crate) use peers::{history, peer, peers};
pub(crate) use routes::{fib, fib_diff, routes};
