//! What every table must hold, worked out from the inputs alone, as plainly as can be.
//!
//! ```text
//!  World: routers, sessions, policies,          State: what each router holds,
//!         own prefixes, next hops                      what went over each session
//!            │                                              │
//!            ├──► step: of every router, from what its neighbours really sent ──► the same? ──► Finding
//!            │                                              │
//!            ├──► ground: every route goes back to a router that originates it ─────────────► Finding
//!            │
//!            └──► rounds: from nothing until nothing changes ──► Solved | Ambiguous | Oscillates
//! ```
//! The model shares with the routers the types of numbers and of configuration, and no line of what they do with them:
//! it reads messages octet by octet, asks filters term by term, and chooses by striking out candidates as
//! RFC 4271 section 9.1.2.2 is written.
//!
//! Whether the network is right is asked of each router and each session alone: given what the neighbours sent, are
//! these tables what follows, and is what was sent what follows from the tables? That needs no solution of the whole,
//! and several stable ones, as reflection and MULTI_EXIT_DISC allow (RFC 3345), are all right. What it does not see are
//! routes that two neighbours keep alive for each other: these have no ground.

mod as_path;
mod decide;
mod export;
mod filter;
mod ground;
mod import;
mod judge;
mod look;
mod octets;
mod roles;
mod rounds;
mod route;
mod state;
mod step;
mod tap;
#[cfg(test)]
mod tests;
mod weights;
mod world;

pub use as_path::AsPath;
pub use decide::{best, multipath, ranked};
pub use export::{Sent, advertised, outgoing};
pub use ground::ghosts;
pub use import::accepted;
pub use judge::{Judge, state_of};
pub use look::{in_use, look};
pub use rounds::{Solution, rounds};
pub use route::{LLGR_STALE, Route};
pub use state::{Finding, Held, Origin, RouterState, Staleness, State, Tables};
pub use step::check;
pub use tap::{Message, Open, Received, Tap};
pub use world::{Agreed, Between, Decider, RouterInputs, SessionInputs, World, v4_address, v6_address};
