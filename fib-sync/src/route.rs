//! What a caller asks for: a prefix and where its packets go.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU8;

use ipnetwork::IpNetwork;

/// One desired route. Host bits of the prefix are ignored: `10.0.0.1/24` is `10.0.0.0/24`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The destination.
    pub prefix: IpNetwork,
    /// What happens to its packets.
    pub target: Target,
}

impl Route {
    /// A route through equal next hops.
    pub fn via(prefix: IpNetwork, next_hops: impl IntoIterator<Item = IpAddr>) -> Self {
        let next_hops = next_hops.into_iter().map(NextHop::new).collect();
        Self { prefix, target: Target::Via(next_hops) }
    }

    /// A route that drops what no longer prefix matches.
    pub fn blackhole(prefix: IpNetwork) -> Self {
        Self { prefix, target: Target::Blackhole }
    }
}

/// Where packets of a prefix go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// Through these next hops, shared by weight (ECMP). Each is resolved through the kernel's own
    /// routes; unreachable ones are left out, and with none reachable the route is not installed.
    Via(Vec<NextHop>),
    /// Dropped silently (`RTN_BLACKHOLE`).
    Blackhole,
}

impl Target {
    pub(crate) fn next_hops(&self) -> &[NextHop] {
        match self {
            Target::Via(next_hops) => next_hops,
            Target::Blackhole => &[],
        }
    }
}

/// One next hop of a [`Target::Via`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NextHop {
    /// The address to reach; it need not be on a connected network.
    pub gateway: IpAddr,
    /// Its share of the traffic relative to the others.
    pub weight: NonZeroU8,
}

impl NextHop {
    /// A next hop of weight 1.
    pub fn new(gateway: IpAddr) -> Self {
        Self { gateway, weight: NonZeroU8::MIN }
    }
}

/// How the kernel forwards, or shall forward, a prefix: next hops resolved to gateways and interfaces.
/// Hops are in canonical order, so that two equal sets compare equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Forwarding {
    /// Through these hops.
    Via(Vec<Hop>),
    /// Dropped silently.
    Blackhole,
    /// Anything this crate never installs: another route type, an encapsulation, a source address …
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

impl Forwarding {
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
        Forwarding::Via(hops)
    }

    pub(crate) fn uses(&self, interface: u32) -> bool {
        matches!(self, Forwarding::Via(hops) if hops.iter().any(|hop| hop.interface == interface))
    }
}

impl fmt::Display for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Forwarding::Blackhole => f.write_str("blackhole"),
            Forwarding::Other => f.write_str("something else"),
            Forwarding::Via(hops) => {
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

/// The prefix with its host bits cleared.
pub(crate) fn canonical(prefix: IpNetwork) -> IpNetwork {
    IpNetwork::new(prefix.network(), prefix.prefix()).unwrap_or(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(last: u8, weight: u16) -> Hop {
        Hop { gateway: Some([10, 0, 0, last].into()), interface: 2, weight, onlink: false }
    }

    #[test]
    fn the_order_of_hops_does_not_matter() {
        assert_eq!(Forwarding::via(vec![hop(1, 1), hop(2, 1)]), Forwarding::via(vec![hop(2, 1), hop(1, 1)]));
    }

    #[test]
    fn next_hops_behind_one_gateway_become_one_hop() {
        assert_eq!(Forwarding::via(vec![hop(1, 3), hop(1, 4)]), Forwarding::Via(vec![hop(1, 1)]));
        let joined = Forwarding::via(vec![hop(1, 200), hop(1, 200), hop(2, 1)]);
        assert_eq!(joined, Forwarding::Via(vec![hop(1, 256), hop(2, 1)]));
    }
}
