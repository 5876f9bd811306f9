//! Keeps the kernel's routes of one (table, protocol, metric) equal to a set of desired ones, for IPv4
//! and IPv6, through netlink; and tells how the kernel reaches next hops. Knows nothing of where routes
//! come from.
//!
//! ```text
//!    set, remove, retarget, finish_adoption        watch, unwatch
//!               │                                        │
//! ┌─ FibSync ───▼────────────────────────────────────────▼─────────┐
//! │  RouteTable (DesiredRoutes): number ⇄ prefix, target           │
//! │     ▼                                                          │
//! │  table: 4 octets a number: in ◄──────── resolver: a view of    │    next, flush
//! │  the kernel, flags; one rule            foreign routes, links, ├──► events
//! │  says what differs              targets nexthop objects        │
//! │     │        ▲            ▲    hops, groups    ▲               │
//! │     ▼        │            └─────────┬──────────┘               │
//! │  kernel:   reading:               follow                       │
//! │  batches   dumps in slices          ▲                          │
//! │     │ ▲       ▲                   watch: others' changes       │
//! └─────┼─┼───────┼─────────────────────▲──────────────────────────┘
//!       ▼ │       │ rtnetlink requests  │ rtnetlink multicast
//!  ─────────────────────────── the kernel ──────────────────────────
//! ```
//!
//! - Changes are coalesced per prefix and sent in batches of up to 2048 messages, with one
//!   acknowledgement asked for a batch and errors matched to routes by sequence number. What is right
//!   already causes no message. A message is the one before with another prefix where that is all that differs.
//! - A change of next hops is one message (`NLM_F_REPLACE`), without a moment in which there is no route.
//!   Since IPv4 replaces whatever has the same prefix and metric, new routes are created with
//!   `NLM_F_EXCL`, and only a route known to be ours is replaced. Foreign routes are never touched; one
//!   with our metric in the way is an [`Event::Conflict`].
//! - More routes of one target than [`FibConfig::nexthop_objects`] name a nexthop group of ours: then a change
//!   of its next hops is one message for all of them, and no walk. When the last next hop is lost, the group
//!   drops their packets at once, and the routes are withdrawn. With half as many routes they name their hops
//!   again. Hops without a gateway, or over links without carrier, are in no group: the kernel does not take them.
//! - Others' changes to our routes and nexthop objects arrive as kernel events and are undone at once; nothing is
//!   polled. Routes over a link that goes down, objects over one that loses its carrier, and routes of objects
//!   that are gone vanish without an event, and events can be lost (`ENOBUFS`): then all is read again, in slices
//!   between which the caller runs, and only what differs is sent.
//! - Next hops need not be connected. Each is resolved by the longest matching route that is not ours,
//!   over links that run; routes follow when that changes. A link-local one is on the interface that it names, and
//!   reachable while that runs. A next hop with a link of its own, and a route to
//!   a link, follow the link by its name: a device that is made again has another index.
//! - Stopping leaves the routes in place. The next start adopts them, with their nexthop groups: they stay until
//!   [`FibSync::finish_adoption`], which removes those that were not desired again by then.
//!
//! Links are listed through the `rtnetlink` crate. It leaves out those of which it cannot decode some
//! attribute (a newer kernel's, a name that is not UTF-8): a route over such a link says that it is up,
//! and its events, of which only header and name are read, say the rest.
//!
//! The ids of our nexthop objects are 2²⁴ · protocol, and then a range of 65535 that follows from table and metric.
//! What is in that range is ours: two synchronisers of one protocol whose table and metric have the same range
//! (1 of 256 pairs) must not both use objects. `ip route flush` of this iproute2 and kernel refuses to delete routes
//! that name objects while `net.ipv4.nexthop_compat_mode` is 1.
//!
//! Memory: 4 octets for each prefix that is desired or in the kernel as ours, besides where it is stored: in a
//! [`RouteTable`] an IPv4 prefix takes 8, an IPv6 prefix 20, its place in the index 6 to 11. Equal targets are stored
//! once, at most 16 million different ones; a mirror of the foreign routes in the tables `main` and `local` and of
//! nexthop objects; events not yet taken, at most one batch's.
//!
//! ```no_run
//! use fib_sync::{Event, FibConfig, FibSync, Route};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut fib = FibSync::open(FibConfig::default())?;
//! fib.set(Route::via("10.244.7.0/26".parse()?, ["192.0.2.7".parse()?, "192.0.2.8".parse()?]));
//! fib.set(Route::blackhole("10.244.1.0/26".parse()?));
//! fib.watch("192.0.2.7".parse::<std::net::IpAddr>()?);
//! fib.finish_adoption();
//! loop {
//!     // Cancel safe: belongs into a `select!` beside the source of routes.
//!     match fib.next().await? {
//!         Event::InSync { took } => println!("{} routes in the kernel after {took:?}", fib.stats().routes),
//!         Event::NextHop { gateway, resolution } => println!("{gateway:?} is {resolution:?}"),
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
pub use diff::{Desired, Difference, DifferenceKind};
pub use error::{FibError, KernelError};
pub use event::Event;
pub use forwarding::{Forwarding, Hop, Way};
pub use interface::{InterfaceName, InterfaceNameError};
pub use ipnetwork::IpNetwork;
pub use resolve::Resolution;
pub use route::{Gateway, NextHop, Route, RouteOptions, Target};
pub use route_table::RouteTable;
pub use rules::{Rule, RuleEvent, RuleFamily, RuleSync};
pub use stats::{Results, Stats};
pub use sync::FibSync;
