//! bgp-speaker
