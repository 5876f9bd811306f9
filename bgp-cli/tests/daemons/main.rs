//! `bgp` with the real daemons, which must have been built: `cargo build -p route-reflector -p bgp-speaker`.

#![cfg(test)]

mod fib;
mod refusals;
mod sessions;
mod setup;
