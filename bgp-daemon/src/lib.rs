//! A BGP daemon as a library: what a router without I/O needs to run on a host. It brings TCP, time and threads,
//! a checked configuration, a control API and metrics. `route-reflector` and `bgp-speaker` are thin programs on it,
//! and so is any embedding that wants sessions and routes in a process of its own.
//!
//! ```text
//!  config ──► runtime::Daemon ──────────────────────────────────────────────┐
//!  (TOML)     │  supervisor ── reload, announcements, readiness             │
//!             │      │                                                      │   FibChange   embedder,
//!  net ◄──────┼─ peer tasks ◄──────► the core: bgp_router::Core on a thread ├─────────────► fib-sync
//!  (TCP, MD5, │  (one a peer)        with the RIB                           │   next hops   in the
//!  GTSM)      │      │                   │                                  │◄───────────── speaker
//!             └──────┼───────────────────┼──────────────────────────────────┘
//!                    ▼ events, status    ▼ routes, counts
//!  api  ◄── bgp (Unix socket, may change) ── kubelet, Prometheus (TCP, read-only) ──► metrics
//! ```
//! - [`config`]: the file, with every error at once, in place and with its remedy; the difference of two for reload.
//! - [`net`]: listening and connecting sockets with TCP MD5 and GTSM, the watched file of announced prefixes.
//! - [`runtime`]: the running daemon. Every channel is bounded; no RIB work delays a KEEPALIVE.
//! - [`api`]: its JSON, as types that `bgp` shares; events; who may change what.
//! - [`monitor`]: BMP collectors, MRT files.
//! - [`metrics`]: the text of `/metrics`.
//! - [`confine`]: what a program gives up at its start, so that who takes it over gets little.
//! - [`process`] and [`log`]: what the programs' `main` share.
//!
//! ```no_run
//! use bgp_daemon::api::Command;
//! use bgp_daemon::config::{Config, DaemonKind};
//! use bgp_daemon::runtime::{Daemon, Options};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = "asn = 64512\nlisten = [\"127.0.0.1:1179\"]\n[[clients]]\nrange = \"127.0.0.0/8\"\n";
//! let config = Config::parse(text, "example", DaemonKind::Reflector).map_err(|errors| errors[0].to_string())?;
//! let daemon = Daemon::start(config, Options::default()).await?;
//! for peer in daemon.control().ask(Command::Peers).await? {
//!     println!("{} {}", peer.address, peer.state);
//! }
//! daemon.stop("no longer needed").await;
//! # Ok(())
//! # }
//! ```

pub mod api;
pub mod config;
pub mod confine;
pub mod log;
pub mod metrics;
pub mod monitor;
pub mod net;
pub mod process;
pub mod runtime;
