//! How packets for pods get to other nodes: `[node]`, `[[pools]]` and `[tunnels]` as values. Only a speaker has them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use bgp_core::Prefix;

/// `[node]`, `[[pools]]` and `[tunnels]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The node that the daemon runs on.
    pub node: Node,
    /// Where pods' addresses come from, in the order of the file. No two overlap.
    pub pools: Vec<Pool>,
    /// The devices of the tunnels.
    pub tunnels: Tunnels,
}

/// `[node]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The node's IPv4 address, local end of its tunnels; `None`: of the interface that the default route leaves by.
    pub address: Option<Ipv4Addr>,
    /// The same for IPv6.
    pub address6: Option<Ipv6Addr>,
    /// What the selectors of pools go by.
    pub labels: BTreeMap<String, String>,
}

/// One of `[[pools]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// All its addresses.
    pub cidr: Prefix,
    /// The length of the prefixes that nodes have of it.
    pub block_size: u8,
    /// Which packets go through the IPIP tunnel.
    pub ipip_mode: TunnelMode,
    /// Which go through the VXLAN tunnel; one of both modes is [`TunnelMode::Never`].
    pub vxlan_mode: TunnelMode,
    /// Whether what leaves the pools gets the node's own address.
    pub nat_outgoing: bool,
    /// Which nodes may announce prefixes of it.
    pub node_selector: selector::Selector,
}

impl Pool {
    /// The kind of its tunnel and when it is used; `None`: its packets go as they are.
    #[must_use]
    pub fn tunnel(&self) -> Option<(TunnelKind, TunnelMode)> {
        match (self.ipip_mode, self.vxlan_mode) {
            (TunnelMode::Never, TunnelMode::Never) => None,
            (TunnelMode::Never, mode) => Some((TunnelKind::Vxlan, mode)),
            (mode, _) => Some((TunnelKind::Ipip, mode)),
        }
    }
}

/// How packets are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TunnelKind {
    /// IPv4 in IPv4 (RFC 2003).
    Ipip,
    /// Ethernet in UDP (RFC 7348).
    Vxlan,
}

/// Which next hops are reached through a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TunnelMode {
    /// None.
    Never,
    /// All.
    Always,
    /// Those outside of the node's own subnet.
    CrossSubnet,
}

/// `[tunnels]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnels {
    /// The name of the IPIP device.
    pub ipip_device: String,
    /// The name of the VXLAN device between IPv4 addresses.
    pub vxlan_device: String,
    /// The name of the VXLAN device between IPv6 addresses.
    pub vxlan6_device: String,
    /// The VXLAN network identifier.
    pub vxlan_vni: u32,
    /// The UDP port of VXLAN.
    pub vxlan_port: u16,
    /// The IPIP device's own address, which the node's packets to pods come from; `None`: they come from the node's.
    pub ipip_address: Option<Ipv4Addr>,
    /// The same of the first VXLAN device.
    pub vxlan_address: Option<Ipv4Addr>,
    /// The same of the second.
    pub vxlan6_address: Option<Ipv6Addr>,
    /// The largest packet of the devices; `None`: the uplink's less what the tunnel adds.
    pub mtu: Option<NonZeroU32>,
    /// Whether the kernel may leave checksums of VXLAN packets to the network card.
    pub checksum_offload: bool,
    /// Whether tunnel packets of unknown hosts are dropped.
    pub filter_sources: bool,
    /// How long after its device routes move into another tunnel: as long as it takes to reload all nodes.
    pub switch_delay: Duration,
}

impl Default for Tunnels {
    fn default() -> Tunnels {
        Tunnels {
            ipip_device: "tunl0".to_owned(),
            vxlan_device: "vxlan.bgp".to_owned(),
            vxlan6_device: "vxlan6.bgp".to_owned(),
            vxlan_vni: 4096,
            vxlan_port: 4789,
            ipip_address: None,
            vxlan_address: None,
            vxlan6_address: None,
            mtu: None,
            checksum_offload: true,
            filter_sources: true,
            switch_delay: Duration::from_secs(5),
        }
    }
}

/// What is wrong with a prefix that this node is to announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt<'a> {
    /// It is of a pool that is not for this node: it is not announced.
    OtherNodes(&'a Pool),
    /// It is no block of its pool. It is announced.
    NoBlock(&'a Pool),
}

impl fmt::Display for Doubt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::OtherNodes(pool) => write!(
                f,
                "it is of the pool {}, whose node-selector `{}` does not match the labels of this node",
                pool.cidr, pool.node_selector
            ),
            Doubt::NoBlock(pool) => {
                write!(f, "it is no block of the pool {}, whose block-size is {}", pool.cidr, pool.block_size)
            }
        }
    }
}

impl Network {
    /// The pool that `prefix` is in.
    #[must_use]
    pub fn pool_of(&self, prefix: &Prefix) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.cidr.covers(prefix))
    }

    /// Whether this node may have prefixes of `pool`.
    #[must_use]
    pub fn is_for_us(&self, pool: &Pool) -> bool {
        pool.node_selector.matches(&self.node.labels)
    }

    /// What is wrong with announcing `prefix`, if anything.
    #[must_use]
    pub fn doubt(&self, prefix: &Prefix) -> Option<Doubt<'_>> {
        let pool = self.pool_of(prefix)?;
        if !self.is_for_us(pool) {
            return Some(Doubt::OtherNodes(pool));
        }
        (prefix.len() != pool.block_size).then_some(Doubt::NoBlock(pool))
    }
}
