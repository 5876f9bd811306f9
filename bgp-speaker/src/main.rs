//! bgp-speaker
fn main() {}
