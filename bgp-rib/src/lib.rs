//! bgp-rib
