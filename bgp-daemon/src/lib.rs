//! bgp-daemon
