//! How the kernel forwards, or shall forward, a prefix.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use crate::route::RouteOptions;

/// How the kernel forwards, or shall forward, a prefix: next hops resolved to gateways and interfaces, and
/// the options of the route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Forwarding {
    /// The way of the packets.
    pub way: Way,
    /// Source address and MTU.
    pub options: RouteOptions,
    /// The nexthop object (`nhid`) that the route names instead of its hops, which are then those of the object.
    pub object: Option<NonZeroU32>,
}

/// The way of packets in the kernel. Hops are in canonical order, so that two equal sets compare equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Way {
    /// Through these hops.
    Via(Vec<Hop>),
    /// Dropped silently.
    Blackhole,
    /// Refused with an ICMP message.
    Unreachable,
    /// Anything this crate never installs: another route type, an encapsulation, a realm …
    Other,
}

/// One resolved hop of a kernel route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hop {
    /// The neighbour; none when the destination itself is on the link.
    pub gateway: Option<IpAddr>,
    /// Interface index.
    pub interface: u32,
    /// Share of the traffic, 1 to 256.
    pub weight: u16,
    /// The kernel is told not to check that the gateway is on a connected network (`RTNH_F_ONLINK`).
    pub onlink: bool,
}

/// The kernel stores a weight less one in a byte (`rtnh_hops`).
const MAX_WEIGHT: u16 = 256;

impl Way {
    /// Sorts the hops, joins those that are the same (IPv6 refuses duplicates) and drops a weight that means nothing.
    pub(crate) fn via(mut hops: Vec<Hop>) -> Self {
        hops.sort_unstable();
        hops.dedup_by(|next, kept| {
            let same = (next.gateway, next.interface) == (kept.gateway, kept.interface);
            if same {
                kept.weight = (kept.weight + next.weight).min(MAX_WEIGHT);
                kept.onlink |= next.onlink;
            }
            same
        });
        if let [only] = hops.as_mut_slice() {
            only.weight = 1;
        }
        Way::Via(hops)
    }

    pub(crate) fn hops(&self) -> &[Hop] {
        match self {
            Way::Via(hops) => hops,
            Way::Blackhole | Way::Unreachable | Way::Other => &[],
        }
    }

    pub(crate) fn uses(&self, interface: u32) -> bool {
        self.hops().iter().any(|hop| hop.interface == interface)
    }
}

impl From<Way> for Forwarding {
    fn from(way: Way) -> Self {
        Forwarding { way, options: RouteOptions::default(), object: None }
    }
}

impl Forwarding {
    /// Something that is never wanted.
    pub(crate) fn other() -> Self {
        Way::Other.into()
    }
}

impl fmt::Display for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.way)?;
        if let Some(source) = self.options.source {
            write!(f, " src {source}")?;
        }
        if let Some(mtu) = self.options.mtu {
            write!(f, " mtu {mtu}")?;
        }
        self.object.map_or(Ok(()), |id| write!(f, " nhid {id}"))
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::Blackhole => f.write_str("blackhole"),
            Way::Unreachable => f.write_str("unreachable"),
            Way::Other => f.write_str("something else"),
            Way::Via(hops) => {
                for (index, hop) in hops.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{hop}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(gateway) = self.gateway {
            write!(f, "via {gateway} ")?;
        }
        write!(f, "interface {}", self.interface)?;
        if self.weight != 1 {
            write!(f, " weight {}", self.weight)?;
        }
        f.write_str(if self.onlink { " onlink" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(last: u8, weight: u16) -> Hop {
        Hop { gateway: Some([10, 0, 0, last].into()), interface: 2, weight, onlink: false }
    }

    #[test]
    fn the_order_of_hops_does_not_matter() {
        assert_eq!(Way::via(vec![hop(1, 1), hop(2, 1)]), Way::via(vec![hop(2, 1), hop(1, 1)]));
    }

    #[test]
    fn next_hops_behind_one_gateway_become_one_hop() {
        assert_eq!(Way::via(vec![hop(1, 3), hop(1, 4)]), Way::Via(vec![hop(1, 1)]));
        let joined = Way::via(vec![hop(1, 200), hop(1, 200), hop(2, 1)]);
        assert_eq!(joined, Way::Via(vec![hop(1, 256), hop(2, 1)]));
    }
}
