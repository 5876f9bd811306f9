//! The network side of a BGP speaker on Linux: listening, connecting, session protection, the host's addresses and the
//! watched announce file.
//!
//! ```text
//!  Listener ──► Inbound ──► Limiter ──► peer task ◄── TcpStream ◄── connect
//!      └────────────┬──────────────────────────────────────────────────┘
//!                   │      authentication: TCP MD5 or TCP-AO (RFC 5925)
//!                sockopt: TCP MD5 (RFC 2385), TTL security (RFC 5082), unread input, the peer's end
//!                   │
//!                  sys: the system calls (the only unsafe code)
//!                   │
//!  HostAddresses ───┤                    FileWatch ──► the prefixes to announce
//!  LinkWatch, Discovery ──► neighbours on links
//! ```
//!
//! Two ends of a signed connection between neighbours:
//!
//! ```
//! use std::{collections::BTreeMap, num::NonZeroU8, time::Duration};
//! use bgp_daemon::net::{Authentication, ConnectOptions, Key, Listener, connect};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = Authentication::Md5(Key::new("secret")?);
//! let listener = Listener::bind(&["127.0.0.1:0".parse()?])?;
//! listener.set_keys(&BTreeMap::from([("127.0.0.0/8".parse()?, key.clone())]))?;
//!
//! let options = ConnectOptions {
//!     remote: listener.local_addresses().next().ok_or("not listening")?,
//!     local: None,
//!     authentication: Some(key),
//!     ttl_security: Some(NonZeroU8::MIN),
//!     timeout: Duration::from_secs(10),
//! };
//! let (outgoing, inbound) = tokio::join!(connect(&options), listener.accept());
//! inbound.require_ttl(NonZeroU8::MIN)?;
//! assert_eq!(outgoing?.local_addr()?, inbound.peer);
//! # Ok(())
//! # }
//! ```

mod address;
mod authentication;
mod connect;
mod discovery;
mod file_watch;
mod limit;
mod links;
mod listen;
pub mod sockopt;
mod sys;
#[cfg(test)]
pub(crate) mod test_support;

pub use address::HostAddresses;
pub use authentication::{AoAlgorithm, AoKey, Authentication, kernel_has_tcp_ao};
pub use connect::{ConnectError, ConnectOptions, connect};
pub use discovery::{Discovery, DiscoveryError, Heard};
pub use file_watch::{AnnounceFileError, Announced, FileWatch};
pub use limit::{Limiter, Rate};
pub use links::{LinkWatch, address_of, endpoint, link_name, running_links, shown};
pub use listen::{Inbound, ListenError, Listener, TtlSecurityError};
pub use sockopt::{Key, KeyError, OptionError, is_closed_by_peer, require_md5, unread};
pub(crate) use sys::trim_memory;
