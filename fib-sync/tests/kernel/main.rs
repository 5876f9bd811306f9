//! fib-sync against the real kernel, each test in a network namespace of its own.
//!
//! Needs root (to make namespaces and routes) and `ip` of iproute2; the host's network is not touched.

#[cfg(test)]
mod adoption;
#[cfg(test)]
mod conflict;
#[cfg(test)]
mod install;
#[cfg(test)]
mod namespace;
#[cfg(test)]
mod next_hop;
#[cfg(test)]
mod objects;
#[cfg(test)]
mod repair;
#[cfg(test)]
mod scale;
#[cfg(test)]
mod scripts;
