//! bgp-daemon

pub mod net;
