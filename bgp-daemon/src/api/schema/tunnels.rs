//! Tunnels and pools.

use std::net::IpAddr;

use bgp_core::Prefix;
use serde::{Deserialize, Serialize};

use super::Body;
use super::text;

/// How a tunnel device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TunnelState {
    /// It is being made.
    Pending,
    /// It carries packets.
    Up,
    /// It cannot be made, and routes through it are not installed.
    Failed,
}

impl TunnelState {
    /// The name, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TunnelState::Pending => "pending",
            TunnelState::Up => "up",
            TunnelState::Failed => "failed",
        }
    }
}

/// One tunnel device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunnelRow {
    /// The name of the interface.
    pub device: String,
    /// `ipip` or `vxlan`.
    pub kind: String,
    /// `ipv4` or `ipv6`: that of the packets on the wire.
    pub family: String,
    /// The node's end; `null` while it is not known.
    pub local: Option<IpAddr>,
    /// The largest packet inside, in octets; `null` while it is not known.
    pub mtu: Option<u32>,
    /// How it is.
    pub state: TunnelState,
    /// How many nodes may be at its other ends.
    pub hosts: u64,
    /// Why it is not up.
    pub problem: Option<String>,
    /// Whether routes go through it. If not, it is there to receive what others still send.
    pub in_use: bool,
}

/// One pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolRow {
    /// Its addresses.
    #[serde(with = "text")]
    pub cidr: Prefix,
    /// The length of its blocks.
    pub block_size: u8,
    /// The mode that routes follow: `never`, or kind and mode, as in `vxlan cross-subnet`.
    pub mode: String,
    /// The mode that they will follow once `switch-delay` is over; `null`: they do.
    pub next_mode: Option<String>,
    /// Whether what leaves the pools gets the node's address.
    pub nat_outgoing: bool,
    /// Whether its node-selector matches this node, which may announce prefixes of it then.
    pub selected: bool,
}

/// `bgp.tunnels/v1`: tunnel devices and the pools whose packets they carry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnels {
    /// The devices.
    pub tunnels: Vec<TunnelRow>,
    /// The pools.
    pub pools: Vec<PoolRow>,
    /// How many other nodes are known: peers by address, and next hops of routes.
    pub hosts: u64,
    /// Why the packet filter (sources of tunnels, masquerade) is not as it should be.
    pub filter_problem: Option<String>,
}

impl Body for Tunnels {
    const SCHEMA: &'static str = "bgp.tunnels/v1";
}
