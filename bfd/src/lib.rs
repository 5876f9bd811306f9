//! Bidirectional Forwarding Detection in asynchronous mode, without echo and without authentication (RFC 5880), to a peer on
//! a link of ours (RFC 5881) or behind routers (RFC 5883). It tells within a fraction of a second that a path or a node
//! is dead, whatever the protocol above thinks of it. What it knows nothing of is that protocol.
//!
//! ```text
//!   a protocol's task          the thread `bfd`                                  the peer
//!  ┌─────────────────┐   ┌────────────────────────────────────────┐
//!  │ Watch ◄─ Status ┼───┤ driver ── sockets ─────────────────────┼─► UDP 3784, 4784
//!  │   │  wanted     │   │   │         │ datagrams, hop limit       │   from 49152 up
//!  │   └─────────────┼──►│   │    ┌────▼─────────┐  ┌──────────┐  │
//!  └─────────────────┘   │   └───►│ Sessions     ├─►│ Session  │  │
//!                        │  time  │ (whose is it)│  │ (states, │  │
//!                        │        └──────────────┘  │  timers) │  │
//!                        │                          └──────────┘  │
//!                        └────────────────────────────────────────┘
//! ```
//! - [`packet`]: the control packet, read and written.
//! - [`session`]: one session: packets and time in, packets and events out.
//! - [`table`]: all of a host: which session a datagram is for, and whose turn it is.
//! - [`driver`]: sockets, clock and thread. Nothing that delays the rest of a program delays it: it has no locks but two
//!   short ones and does no other work.
//!
//! All but [`driver`] take time as an argument, since an origin of the caller's choosing:
//!
//! ```
//! use std::num::NonZeroU8;
//! use std::time::Duration;
//! use bfd::{Event, Session, State, Timers};
//!
//! let timers = Timers { interval: Duration::from_millis(100), multiplier: NonZeroU8::new(3).unwrap() };
//! let mut now = Duration::ZERO;
//! let mut a = Session::new(now, 1.try_into().unwrap(), timers, 1);
//! let mut b = Session::new(now, 2.try_into().unwrap(), timers, 2);
//! // Three packets make a session: down, init, up.
//! while a.state() != State::Up || b.state() != State::Up {
//!     while let Some(packet) = a.transmit(now) { b.receive(now, &packet); }
//!     while let Some(packet) = b.transmit(now) { a.receive(now, &packet); }
//!     now += Duration::from_millis(10);
//! }
//! assert_eq!(a.event(), Some(Event::Up));
//! // Nothing comes any more.
//! now += a.detection_time();
//! a.handle_timeout(now);
//! assert!(matches!(a.event(), Some(Event::Down(_))));
//! ```

pub mod driver;
pub mod packet;
mod random;
pub mod session;
pub mod state;
pub mod table;
#[cfg(test)]
mod tests;

pub use packet::{Malformed, Packet};
pub use session::{Event, Failure, Remote, Session, Timers};
pub use state::{Diagnostic, State};
pub use table::{Discarded, Hops, Origin, Peer, SessionId, Sessions};
