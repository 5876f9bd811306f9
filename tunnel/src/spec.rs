//! What is desired: devices, the nodes at their other ends, pools.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;

use crate::error::DeviceError;

/// The kernel's own IPIP device of every network namespace, which takes what no other device takes.
pub const FALLBACK_IPIP: &str = "tunl0";
/// `IFNAMSIZ` without the final zero.
const MAX_NAME: usize = 15;
/// VNIs have 24 bits.
const MAX_VNI: u32 = (1 << 24) - 1;

/// The IP version of a tunnel's outer packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// How packets are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// IPv4 in IPv4, protocol 4.
    Ipip,
    /// Ethernet in UDP.
    Vxlan {
        /// VXLAN network identifier, 1 to 2^24 - 1.
        vni: u32,
        /// UDP port, 1 or more.
        port: u16,
    },
}

/// A tunnel device. Its outer address is the node's own, of [`Node`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Name of the interface, at most 15 octets. The IPIP device `tunl0` is the kernel's own, which is set up
    /// and adopted, and never deleted.
    pub name: String,
    /// How packets are wrapped.
    pub kind: Kind,
    /// The IP version of the outer packets. IPIP has IPv4 only.
    pub family: Family,
    /// Address on the interface, which the node's own packets through the tunnel carry.
    pub address: Option<IpNetwork>,
    /// Octets of the largest inner packet. `None`: what the uplink leaves after the headers.
    pub mtu: Option<u32>,
    /// Whether transmit checksums may be left to the network card. Some cards and drivers compute wrong ones
    /// for wrapped packets.
    pub checksum_offload: bool,
}

impl Device {
    /// Octets that wrapping adds to each packet.
    pub fn overhead(&self) -> u32 {
        match (self.kind, self.family) {
            (Kind::Ipip, _) => 20,
            (Kind::Vxlan { .. }, Family::V4) => 50,
            (Kind::Vxlan { .. }, Family::V6) => 70,
        }
    }

    pub(crate) fn is_fallback(&self) -> bool {
        self.kind == Kind::Ipip && self.name == FALLBACK_IPIP
    }

    pub(crate) fn check(&self) -> Result<(), DeviceError> {
        let bad_name = |c: char| c == '/' || c == ':' || c.is_whitespace();
        let len = self.name.len();
        if len == 0 || len > MAX_NAME || self.name.contains(bad_name) || [".", ".."].contains(&&*self.name) {
            return Err(DeviceError::Name(self.name.clone()));
        }
        match (self.kind, self.family) {
            (Kind::Ipip, Family::V6) => Err(DeviceError::IpipOverIpv6),
            (Kind::Vxlan { vni, .. }, _) if vni == 0 || vni > MAX_VNI => Err(DeviceError::Vni(vni)),
            (Kind::Vxlan { port: 0, .. }, _) => Err(DeviceError::Port),
            _ => Ok(()),
        }
    }
}

/// The node's own addresses, by which the other nodes know it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Node {
    /// `None`: the first IPv4 address of the interface that the default route leaves by.
    pub v4: Option<Ipv4Addr>,
    /// `None`: the first lasting IPv6 address of the interface that the default route leaves by.
    pub v6: Option<Ipv6Addr>,
}

impl Node {
    pub(crate) fn given(&self, family: Family) -> Option<IpAddr> {
        match family {
            Family::V4 => self.v4.map(IpAddr::V4),
            Family::V6 => self.v6.map(IpAddr::V6),
        }
    }
}

/// Addresses of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// All of them.
    pub cidr: IpNetwork,
    /// Whether packets that leave all pools carry the node's address instead.
    pub nat_outgoing: bool,
}

/// Everything that is desired.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desired {
    /// The node itself.
    pub node: Node,
    /// Tunnel devices, each with a name of its own.
    pub devices: Vec<Device>,
    /// The addresses of the other nodes.
    pub hosts: BTreeSet<IpAddr>,
    /// All pools of the cluster.
    pub pools: Vec<Pool>,
    /// Whether tunnel packets from others than `hosts` are dropped. Devices are set up after the filter is
    /// in force.
    pub filter_sources: bool,
}

/// How the node is connected: where its tunnels' packets leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    /// Name of the interface.
    pub interface: String,
    /// The node's address, with the mask of its subnet.
    pub address: IpNetwork,
    /// Octets of the interface's largest packet.
    pub mtu: u32,
}

impl Uplink {
    /// The IP version of the address.
    pub fn family(&self) -> Family {
        Family::of(self.address.ip())
    }
}
