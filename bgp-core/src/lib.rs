//! BGP-4 codec and session state machine, without I/O, clock or runtime.
//!
//! ```text
//!                 ┌───────────────────────── bgp-core ─────────────────────────┐
//!  octets ───────►│ fsm::Session                              wire             │
//!  TCP up, down ─►│   states of RFC 4271 section 8      ◄──►    header, OPEN,  │──► what to send
//!  now ──────────►│   timers, back-off, collisions              capabilities,  │──► Established, Down
//!                 │                                             NOTIFICATION … │──► UPDATEs for the RIB
//!                 │ Asn RouterId Family Prefix PathId Instant                  │──► when to call again
//!                 └────────────────────────────────────────────────────────────┘
//! ```
//!
//! Its user owns the sockets and the clock: it hands in what was read and what time it is, does what
//! [`poll_output`](fsm::Session::poll_output) asks for, and comes back at
//! [`next_timeout`](fsm::Session::next_timeout). So the same code runs under any runtime, and in a simulation where a
//! seed replays every timer.
//!
//! Two sessions that talk in memory:
//!
//! ```
//! use bgp_core::fsm::{ConnectionId, Direction, Output, Session, SessionConfig, State};
//! use bgp_core::{Asn, Instant, RouterId};
//!
//! let speaker = |id| SessionConfig::new(Asn(64512), RouterId(id), Some(Asn(64512)));
//! let mut client = Session::new(speaker(1), /* seed */ 1);
//! let mut server = Session::new(SessionConfig { passive: true, ..speaker(2) }, 2);
//!
//! let now = Instant::ZERO;
//! client.start(now);
//! server.start(now);
//! assert_eq!(client.poll_output(), Some(Output::Connect));
//! let connection = ConnectionId(1);
//! client.connected(now, connection, Direction::Outgoing);
//! server.connected(now, connection, Direction::Incoming);
//!
//! /// Carries what one side sends to the other; returns whether there was anything.
//! fn deliver(now: Instant, from: &mut Session, to: &mut Session) -> bool {
//!     let mut sent = false;
//!     while let Some(output) = from.poll_output() {
//!         match output {
//!             Output::Send(connection, octets) => {
//!                 sent = true;
//!                 from.sent(now, false);
//!                 let mut input = &octets[..];
//!                 while let Some(routes) = to.receive(now, connection, &mut input) {
//!                     println!("for the RIB: {routes:?}");
//!                 }
//!             }
//!             Output::Established(agreed) => println!("up for {} s of silence", agreed.hold_time),
//!             other => println!("{other:?}"),
//!         }
//!     }
//!     sent
//! }
//! while deliver(now, &mut client, &mut server) | deliver(now, &mut server, &mut client) {}
//!
//! assert_eq!(client.state(), State::Established);
//! assert_eq!(server.state(), State::Established);
//! assert!(client.next_timeout().is_some(), "the next KEEPALIVE");
//! ```
//!
//! Nothing that a peer sends can make this crate panic: slices are never indexed, and every length is checked before
//! what it covers is read. What other speakers got wrong there is kept as named tests beside the code.

pub mod describe;
pub mod family;
pub mod fsm;
mod instant;
pub mod prefix;
mod types;
pub mod wire;

pub use family::{AddressFamily, Family, FamilySet, V4, V6};
pub use fsm::{Session, SessionConfig};
pub use instant::Instant;
pub use prefix::{Ipv4Prefix, Ipv6Prefix, Prefix};
pub use types::{Asn, ClusterId, PathId, PeerKind, RouterId};
pub use wire::Notification;
