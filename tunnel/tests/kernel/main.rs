//! tunnel against the real kernel, each test in network namespaces of its own.
//!
//! Needs root (to make namespaces and devices), `ip` and `bridge` of iproute2, `nft`, `ethtool`, `tcpdump` and
//! `ping`; the host's network is not touched. Those with IPIP need a kernel that has it, and are ignored
//! elsewhere.

#[cfg(test)]
mod device;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod filter;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod ipip;
#[cfg(test)]
mod lab;
#[cfg(test)]
mod namespace;
#[cfg(test)]
mod traffic;
#[cfg(test)]
mod uplink;
