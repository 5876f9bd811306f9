//! bgp-daemon

pub mod api;
pub mod config;
pub mod log;
pub mod metrics;
