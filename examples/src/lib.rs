//! How to use the libraries in programs of one's own. This crate itself is empty: what counts is in `examples/`.
//!
//! ```text
//!  examples/decode.rs          bgp-core alone: octets to messages, no I/O
//!  examples/decode_update.rs   bgp-core alone: a stream of messages to routes
//!  examples/daemon.rs          bgp-daemon: a route reflector in a process of one's own
//! ```
//! Run one with `cargo run -p examples --example daemon`. The smallest beginning, a message from a peer:
//!
//! ```
//! use bgp_core::wire::{MessageType, frame};
//!
//! let keepalive = [[0xff; 16].as_slice(), &[0, 19, 4]].concat();
//! let message = frame(&keepalive, 4096).unwrap().unwrap();
//! assert_eq!(message.kind, MessageType::Keepalive);
//! ```
