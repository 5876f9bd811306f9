//! Keeps the kernel's routes of one (table, protocol, metric) equal to a set of desired ones, for IPv4
//! and IPv6, through netlink; and tells how the kernel reaches next hops. Knows nothing of where routes
//! come from.
//!
//! ```text
//!    set, remove, finish_adoption             watch, unwatch
//!               │                                   │
//! ┌─ FibSync ───▼───────────────────────────────────▼──────────────┐
//! │   table: desired ⇄ in the kernel ◄────── resolver: foreign     │    next, flush
//! │     │    one rule says what differs        routes and links    ├──► events
//! │     │               ▲          how next hops    ▲   (mirror)   │
//! │     ▼               │          are reached      │              │
//! │   kernel: batches,  └──────────── follow ───────┘              │
//! │   dumps; links                      ▲                          │
//! │     │ ▲                           watch: others' changes       │
//! └─────┼─┼─────────────────────────────▲──────────────────────────┘
//!       ▼ │ rtnetlink requests          │ rtnetlink multicast
//!  ─────────────────────────── the kernel ──────────────────────────
//! ```
//!
//! - Changes are coalesced per prefix and sent in batches of up to 1024 messages, with one
//!   acknowledgement asked for a batch and errors matched to routes by sequence number. What is right
//!   already causes no message.
//! - A change of next hops is one message (`NLM_F_REPLACE`), without a moment in which there is no route.
//!   Since IPv4 replaces whatever has the same prefix and metric, new routes are created with
//!   `NLM_F_EXCL`, and only a route known to be ours is replaced. Foreign routes are never touched; one
//!   with our metric in the way is an [`Event::Conflict`].
//! - Others' changes to our routes arrive as kernel events and are undone at once; nothing is polled.
//!   IPv4 routes over a link that goes down vanish without an event, and events can be lost (`ENOBUFS`):
//!   then all is read again, and only what differs is sent.
//! - Next hops need not be connected. Each is resolved by the longest matching route that is not ours,
//!   over links that run; routes follow when that changes.
//! - Stopping leaves the routes in place. The next start adopts them: they stay until
//!   [`FibSync::finish_adoption`], which removes those that were not desired again by then.
//!
//! Links are listed through the `rtnetlink` crate. It leaves out those of which it cannot decode some
//! attribute (a newer kernel's, a name that is not UTF-8): a route over such a link says that it is up,
//! and its events, of which only header and name are read, say the rest.
//!
//! Memory: one entry for each prefix that is desired or in the kernel as ours, equal targets stored once;
//! a mirror of the foreign routes in the tables `main` and `local`; events not yet taken, at most one
//! batch's.
//!
//! ```no_run
//! use fib_sync::{Event, FibConfig, FibSync, Route};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut fib = FibSync::open(FibConfig::default())?;
//! fib.set(Route::via("10.244.7.0/26".parse()?, ["192.0.2.7".parse()?, "192.0.2.8".parse()?]));
//! fib.set(Route::blackhole("10.244.1.0/26".parse()?));
//! fib.watch("192.0.2.7".parse()?);
//! fib.finish_adoption();
//! loop {
//!     // Cancel safe: belongs into a `select!` beside the source of routes.
//!     match fib.next().await? {
//!         Event::InSync { took } => println!("{} routes in the kernel after {took:?}", fib.stats().routes),
//!         Event::NextHop { address, resolution } => println!("{address} is {resolution:?}"),
//!         Event::Refused { prefix, error } => eprintln!("{prefix}: {error}"),
//!         Event::Conflict { prefix, protocol, .. } => eprintln!("{prefix} is taken by protocol {protocol}"),
//!         Event::Repaired { routes } => eprintln!("someone changed {routes} of our routes"),
//!     }
//! }
//! # }
//! ```

mod config;
mod desired;
mod diff;
mod error;
mod event;
mod follow;
mod forwarding;
mod interface;
mod intern;
mod kernel;
mod links;
mod message;
mod mirror;
mod objects;
mod reading;
mod resolve;
mod route;
mod route_table;
mod rules;
mod socket;
mod stats;
mod sync;
mod table;
mod targets;
mod view;
mod watch;

pub use config::FibConfig;
pub use desired::{DesiredRoutes, TargetId};
pub use diff::{Difference, DifferenceKind};
pub use error::{FibError, KernelError};
pub use event::Event;
pub use forwarding::{Forwarding, Hop, Way};
pub use interface::{InterfaceName, InterfaceNameError};
pub use ipnetwork::IpNetwork;
pub use resolve::Resolution;
pub use route::{NextHop, Route, RouteOptions, Target};
pub use route_table::RouteTable;
pub use rules::{Rule, RuleEvent, RuleFamily, RuleSync};
pub use stats::{Results, Stats};
pub use sync::FibSync;
