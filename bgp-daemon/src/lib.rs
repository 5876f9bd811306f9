//! bgp-daemon

pub mod config;
pub mod log;
pub mod net;
