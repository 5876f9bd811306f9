//! The network side of a BGP speaker on Linux: listening, connecting, session protection, the host's addresses and the
//! watched announce file.
//!
//! ```text
//!  Listener ──► Inbound ──► Limiter ──► peer task ◄── TcpStream ◄── connect
//!      └────────────┬──────────────────────────────────────────────────┘
//!                sockopt: TCP MD5 (RFC 2385), TTL security (RFC 5082), unread input
//!                   │
//!                  sys: the system calls (the only unsafe code)
//!                   │
//!  HostAddresses ───┘                    FileWatch ──► the prefixes to announce
//! ```

mod address;
mod connect;
mod file_watch;
mod limit;
mod listen;
pub mod sockopt;
mod sys;
#[cfg(test)]
mod test_support;

pub use address::HostAddresses;
pub use connect::{ConnectError, ConnectOptions, connect};
pub use file_watch::{AnnounceFileError, Announced, FileWatch};
pub use limit::Limiter;
pub use listen::{Inbound, ListenError, Listener, TtlSecurityError};
pub use sockopt::{Key, KeyError, OptionError, unread};
