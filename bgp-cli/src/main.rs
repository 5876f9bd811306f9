//! bgp-cli
fn main() {}
