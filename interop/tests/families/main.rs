//! Real routers send and take routes of every family that `bgp_core` knows, and it writes again what they sent.
//!
//! ```text
//!   router ──► speaker            exact: no fault, all typed, the same octets again, the expected text
//!   speaker ──► router ──► speaker   routes: what was made from types is taken, shown, and reflected equal
//! ```

mod bird;
mod capabilities;
mod exabgp;
mod exact;
mod frr;
mod gobgp;
mod routes;
mod speaker;
