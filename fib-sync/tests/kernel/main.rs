//! fib-sync against the real kernel, each test in a network namespace of its own.
//!
//! Needs root (to make namespaces and routes) and `ip` of iproute2; the host's network is not touched.

mod adoption;
mod conflict;
mod install;
mod namespace;
mod next_hop;
mod repair;
mod scale;
