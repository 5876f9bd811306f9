//! The per-node daemon: announces the node's pod CIDRs, and installs what it learns in the kernel.
//!
//! ```text
//!                                                    ┌ a thread of its own ──────────────────────────┐
//!   peers ◄──► bgp_daemon::Daemon ──ForwardingChange─┼► Forwarding ── Target by pool ──► fib_sync ───┼─► kernel FIB
//!                     ▲    ├──────── own prefixes ───┼►  (blackholes)      ▲                 │       │
//!                     │    └──────── reloads ────────┼► Overlay: modes, subnets ──► tunnel ──┼───────┼─► devices, nftables
//!                     └───────────────── next hops ◄─┼───────────────────────────────────────┘       │
//!                                                    └───────────────────────────────────────────────┘
//! ```
//! The prefixes that are announced come from the configuration, a watched file and the control API. Each is also
//! a blackhole in the kernel, so that what no pod has taken never leaves again by the default route. The pool that a
//! learned prefix is in says whether its packets go as they are or through a tunnel, for each next hop by itself.
//!
//! ```no_run
//! # async fn embed() -> Result<(), Box<dyn std::error::Error>> {
//! use bgp_daemon::config::{Config, DaemonKind};
//!
//! let text = "asn = 64512\n[[peers]]\naddress = \"10.0.0.1\"\n[announce]\nprefixes = [\"10.244.1.0/26\"]\n";
//! let config = Config::parse(text, "example", DaemonKind::Speaker).map_err(|errors| errors[0].to_string())?;
//! let speaker = bgp_speaker::Speaker::start(config, None, None).await?;
//! speaker.stop("no longer needed").await;
//! # Ok(())
//! # }
//! ```

mod api;
mod forwarding;
mod metrics;
mod pools;
mod speaker;
mod tunnels;

pub use speaker::{Speaker, SpeakerError};
