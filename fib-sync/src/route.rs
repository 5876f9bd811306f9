//! What a caller asks for: a prefix, what happens to its packets, and the options of the route.

use std::net::IpAddr;
use std::num::{NonZeroU8, NonZeroU32};

use ipnetwork::IpNetwork;

use crate::interface::InterfaceName;

/// One desired route. Host bits of the prefix are ignored: `10.0.0.1/24` is `10.0.0.0/24`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The destination.
    pub prefix: IpNetwork,
    /// What happens to its packets.
    pub target: Target,
    /// What else the kernel is told.
    pub options: RouteOptions,
}

impl Route {
    /// A route to a target.
    pub fn new(prefix: IpNetwork, target: Target) -> Self {
        Self { prefix, target, options: RouteOptions::default() }
    }

    /// A route through equal next hops.
    pub fn via(prefix: IpNetwork, next_hops: impl IntoIterator<Item = IpAddr>) -> Self {
        Self::new(prefix, Target::Via(next_hops.into_iter().map(NextHop::new).collect()))
    }

    /// A route to what is on the link itself: `POD dev NAME scope link`.
    pub fn link(prefix: IpNetwork, interface: InterfaceName) -> Self {
        Self::new(prefix, Target::Link(interface))
    }

    /// A route that drops what no longer prefix matches.
    pub fn blackhole(prefix: IpNetwork) -> Self {
        Self::new(prefix, Target::Blackhole)
    }

    /// A route that refuses what no longer prefix matches, and tells the sender.
    pub fn unreachable(prefix: IpNetwork) -> Self {
        Self::new(prefix, Target::Unreachable)
    }

    /// The same route with these options.
    pub fn with(self, options: RouteOptions) -> Self {
        Self { options, ..self }
    }
}

/// Where packets of a prefix go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// Through these next hops, shared by weight (ECMP). Unreachable ones are left out, and with none
    /// reachable the route is not installed.
    Via(Vec<NextHop>),
    /// To a neighbour on this link, that is the destination itself. Installed while the link is up.
    Link(InterfaceName),
    /// Dropped silently (`RTN_BLACKHOLE`).
    Blackhole,
    /// Refused with an ICMP message (`RTN_UNREACHABLE`).
    Unreachable,
}

impl Target {
    pub(crate) fn next_hops(&self) -> &[NextHop] {
        match self {
            Target::Via(next_hops) => next_hops,
            Target::Link(_) | Target::Blackhole | Target::Unreachable => &[],
        }
    }
}

/// An address to reach. A link-local one means something on an interface only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gateway {
    /// The address; it need not be on a connected network, and IPv4 routes may have one of IPv6.
    pub address: IpAddr,
    /// The index of the interface that a link-local address is on (`sin6_scope_id`).
    pub interface: Option<NonZeroU32>,
}

impl Gateway {
    /// A link-local address on an interface.
    pub fn on(address: IpAddr, interface: NonZeroU32) -> Self {
        Self { address, interface: Some(interface) }
    }
}

impl From<IpAddr> for Gateway {
    fn from(address: IpAddr) -> Self {
        Self { address, interface: None }
    }
}

/// One next hop of a [`Target::Via`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NextHop {
    /// The address to reach; it need not be on a connected network.
    pub gateway: IpAddr,
    /// The index of the interface that a link-local gateway is on. Reachable while that can carry packets.
    pub interface: Option<NonZeroU32>,
    /// Its share of the traffic relative to the others.
    pub weight: NonZeroU8,
    /// Out of this interface, whatever other routes say, and whether or not the gateway is on a connected
    /// network (`RTNH_F_ONLINK`): `via NODE dev tunl0 onlink`. Reachable while the interface is up.
    pub link: Option<InterfaceName>,
}

impl NextHop {
    /// A next hop of weight 1 that is resolved through the kernel's own routes.
    pub fn new(gateway: IpAddr) -> Self {
        Self { gateway, interface: None, weight: NonZeroU8::MIN, link: None }
    }

    /// What is to be reached.
    pub(crate) fn destination(&self) -> Gateway {
        Gateway { address: self.gateway, interface: self.interface }
    }

    /// The same next hop out of this interface.
    pub fn over(self, link: InterfaceName) -> Self {
        Self { link: Some(link), ..self }
    }
}

/// What a route tells the kernel besides its target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct RouteOptions {
    /// Source address of what this host itself sends (`RTA_PREFSRC`), of the prefix's family. The kernel
    /// refuses the route while the host does not have it.
    pub source: Option<IpAddr>,
    /// Bytes of the largest packet (`RTAX_MTU`). The kernel takes nothing above 65520, which is set instead.
    pub mtu: Option<NonZeroU32>,
}

/// More would be cut by the kernel (`ip_metrics_convert`), and look changed.
const MAX_MTU: NonZeroU32 = NonZeroU32::new(65535 - 15).unwrap();

impl RouteOptions {
    /// As the kernel will show them.
    pub(crate) fn canonical(self) -> Self {
        Self { mtu: self.mtu.map(|mtu| mtu.min(MAX_MTU)), ..self }
    }
}

/// The prefix with its host bits cleared.
pub(crate) fn canonical(prefix: IpNetwork) -> IpNetwork {
    IpNetwork::new(prefix.network(), prefix.prefix()).unwrap_or(prefix)
}
