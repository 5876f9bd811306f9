//! route-reflector
fn main() {}
