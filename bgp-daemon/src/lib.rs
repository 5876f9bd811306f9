//! bgp-daemon

pub mod api;
pub mod config;
pub mod log;
pub mod metrics;
pub mod net;
pub mod process;
pub mod runtime;

pub use bgp_rib as rib;
