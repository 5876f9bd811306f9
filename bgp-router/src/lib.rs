//! bgp-router
