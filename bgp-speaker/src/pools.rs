//! Which way the packets of a prefix go: by the pool it is in, and for each next hop by itself.
//!
//! A prefix follows the pool that holds it whatever the pool's node-selector says: that is about who announces prefixes,
//! not about who sends packets to them. What is in no pool goes as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use bgp_daemon::config::{Network, TunnelKind, TunnelMode, Tunnels};
use bgp_rib::FibNextHop;
use fib_sync::{InterfaceName, InterfaceNameError, IpNetwork, NextHop, Target};

/// One of the tunnel devices that there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Carrier {
    /// IPv4 in IPv4.
    Ipip,
    /// VXLAN between IPv4 addresses.
    Vxlan4,
    /// VXLAN between IPv6 addresses.
    Vxlan6,
}

impl Carrier {
    pub(crate) const ALL: [Carrier; 3] = [Carrier::Ipip, Carrier::Vxlan4, Carrier::Vxlan6];

    /// The device of a kind to an address of this family.
    fn of(kind: TunnelKind, ipv6: bool) -> Carrier {
        match (kind, ipv6) {
            (TunnelKind::Ipip, _) => Carrier::Ipip,
            (TunnelKind::Vxlan, false) => Carrier::Vxlan4,
            (TunnelKind::Vxlan, true) => Carrier::Vxlan6,
        }
    }

    /// Whether it runs between IPv6 addresses.
    pub(crate) fn is_ipv6(self) -> bool {
        self == Carrier::Vxlan6
    }
}

/// What no interface is ever called, since the kernel takes it for a pattern: a next hop out of it is never reachable.
const NOWHERE: &str = "%d";

/// The names of the devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    devices: [InterfaceName; 3],
    nowhere: InterfaceName,
}

impl Names {
    /// As configured.
    ///
    /// # Errors
    /// A name that no interface can have.
    pub(crate) fn new(tunnels: &Tunnels) -> Result<Names, InterfaceNameError> {
        let names = [&tunnels.ipip_device, &tunnels.vxlan_device, &tunnels.vxlan6_device];
        let [ipip, vxlan4, vxlan6] = names.map(|name| name.parse());
        Ok(Names { devices: [ipip?, vxlan4?, vxlan6?], nowhere: NOWHERE.parse()? })
    }

    pub(crate) fn of(&self, carrier: Carrier) -> InterfaceName {
        let [ipip, vxlan4, vxlan6] = &self.devices;
        match carrier {
            Carrier::Ipip => *ipip,
            Carrier::Vxlan4 => *vxlan4,
            Carrier::Vxlan6 => *vxlan6,
        }
    }
}

/// How one pool's packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    cidr: IpNetwork,
    /// `None`: as they are.
    tunnel: Option<(TunnelKind, TunnelMode)>,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.tunnel {
            None | Some((_, TunnelMode::Never)) => "never",
            Some((TunnelKind::Ipip, TunnelMode::Always)) => "ipip always",
            Some((TunnelKind::Ipip, TunnelMode::CrossSubnet)) => "ipip cross-subnet",
            Some((TunnelKind::Vxlan, TunnelMode::Always)) => "vxlan always",
            Some((TunnelKind::Vxlan, TunnelMode::CrossSubnet)) => "vxlan cross-subnet",
        })
    }
}

/// How the packets of all pools travel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ways(Vec<Way>);

impl Ways {
    pub(crate) fn new(network: &Network) -> Ways {
        let way = |pool: &bgp_daemon::config::Pool| {
            let cidr = IpNetwork::new(pool.cidr.address(), pool.cidr.len()).ok()?;
            Some(Way { cidr, tunnel: pool.tunnel() })
        };
        Ways(network.pools.iter().filter_map(way).collect())
    }

    /// The devices that these ways need: each pool's own family's.
    pub(crate) fn carriers(&self) -> impl Iterator<Item = Carrier> {
        self.0.iter().filter_map(|way| Some(Carrier::of(way.tunnel?.0, way.cidr.is_ipv6())))
    }

    /// Whether any of them depends on which subnet the node is in.
    pub(crate) fn need_subnets(&self) -> bool {
        self.0.iter().any(|way| matches!(way.tunnel, Some((_, TunnelMode::CrossSubnet))))
    }

    /// The way of the pool that holds `prefix`: of the longest one.
    pub(crate) fn of(&self, prefix: IpNetwork) -> Option<&Way> {
        let holds = |way: &&Way| way.cidr.prefix() <= prefix.prefix() && way.cidr.contains(prefix.network());
        self.0.iter().filter(holds).max_by_key(|way| way.cidr.prefix())
    }
}

/// The node's own subnets, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subnets {
    pub(crate) v4: Option<IpNetwork>,
    pub(crate) v6: Option<IpNetwork>,
}

impl Subnets {
    pub(crate) fn of(&self, ipv6: bool) -> Option<IpNetwork> {
        if ipv6 { self.v6 } else { self.v4 }
    }

    /// Takes note of one; whether that is news.
    pub(crate) fn set(&mut self, subnet: IpNetwork) -> bool {
        let known = if subnet.is_ipv6() { &mut self.v6 } else { &mut self.v4 };
        known.replace(subnet) != Some(subnet)
    }

    fn contain(&self, address: IpAddr) -> bool {
        self.of(address.is_ipv6()).is_some_and(|subnet| subnet.contains(address))
    }
}

/// Everything that decides about the target of a route.
#[derive(Clone, Debug)]
pub(crate) struct Steering {
    pub(crate) ways: Ways,
    pub(crate) subnets: Subnets,
    pub(crate) names: Names,
    /// The devices that are ours and as they should be. What would go through another is not installed: a device of the
    /// same name may be somebody else's.
    pub(crate) usable: BTreeSet<Carrier>,
    /// The nodes behind gateways that are not their own addresses.
    pub(crate) nodes: BTreeMap<IpAddr, IpAddr>,
}

impl Steering {
    /// Where packets of `prefix` go, that `next_hops` lead to.
    pub(crate) fn target(
        &self,
        prefix: IpNetwork,
        next_hops: impl IntoIterator<Item = FibNextHop>,
    ) -> Target {
        let tunnel = self.tunnel(prefix);
        let steer = |hop: FibNextHop| {
            let interface = hop.link.and_then(NonZeroU32::new);
            self.steer(tunnel, NextHop { interface, weight: hop.weight, ..NextHop::new(hop.gateway) })
        };
        Target::Via(next_hops.into_iter().map(steer).collect())
    }

    /// The other target that a route shall have from now on; `None`: it has the right one.
    pub(crate) fn retarget(&self, prefix: IpNetwork, target: &Target) -> Option<Target> {
        let Target::Via(hops) = target else { return None };
        let tunnel = self.tunnel(prefix);
        let steered: Vec<NextHop> = hops.iter().map(|hop| self.steer(tunnel, *hop)).collect();
        (steered != *hops).then_some(Target::Via(steered))
    }

    fn tunnel(&self, prefix: IpNetwork) -> Option<(TunnelKind, TunnelMode)> {
        self.ways.of(prefix).and_then(|way| way.tunnel)
    }

    fn steer(&self, tunnel: Option<(TunnelKind, TunnelMode)>, hop: NextHop) -> NextHop {
        // A neighbour on a link is no node with a tunnel's other end: it is the way there.
        if hop.interface.is_some() {
            return hop;
        }
        let node = match self.nodes.get(&hop.gateway) {
            Some(node) if hop.link.is_some() => *node,
            _ => hop.gateway,
        };
        let carrier = tunnel.and_then(|(kind, mode)| {
            let wrapped = match mode {
                TunnelMode::Never => false,
                TunnelMode::Always => true,
                // As long as the subnet is not known, nobody is known to be in it.
                TunnelMode::CrossSubnet => !self.subnets.contain(node),
            };
            wrapped.then(|| Carrier::of(kind, node.is_ipv6()))
        });
        let Some(carrier) = carrier else { return NextHop { gateway: node, link: None, ..hop } };
        let gateway = if carrier == Carrier::Ipip { node } else { tunnel::vxlan_gateway(node) };
        let usable = self.usable.contains(&carrier);
        let link = if usable { self.names.of(carrier) } else { self.names.nowhere };
        NextHop { gateway, link: Some(link), ..hop }
    }
}

#[cfg(test)]
mod tests {
    use bgp_daemon::config::{Config, DaemonKind};

    use super::*;

    fn steering(pools: &str, subnets: &[&str]) -> Steering {
        let config = Config::parse(&format!("asn = 64512\n{pools}"), "x.toml", DaemonKind::Speaker)
            .unwrap_or_else(|errors| panic!("{}", errors[0]));
        let network = config.network.unwrap();
        let mut known = Subnets::default();
        for subnet in subnets {
            known.set(subnet.parse().unwrap());
        }
        let names = Names::new(&network.tunnels).unwrap();
        let ways = Ways::new(&network);
        let usable = ways.carriers().collect();
        let node: IpAddr = "2001:db8::7".parse().unwrap();
        let nodes = BTreeMap::from([(tunnel::vxlan_gateway(node), node)]);
        Steering { ways, subnets: known, names, usable, nodes }
    }

    fn pool(cidr: &str, mode: &str) -> String {
        format!("[[pools]]\ncidr = \"{cidr}\"\n{mode}\n")
    }

    fn next_hop(address: &str) -> FibNextHop {
        FibNextHop::new(address.parse().unwrap())
    }

    fn gateway(node: &str) -> String {
        tunnel::vxlan_gateway(node.parse().unwrap()).to_string()
    }

    /// `ip route`'s words for a target.
    fn shown(steering: &Steering, prefix: &str, hops: &[&str]) -> String {
        let target = steering.target(prefix.parse().unwrap(), hops.iter().map(|hop| next_hop(hop)));
        let Target::Via(hops) = target else { panic!("{target:?}") };
        let shown = hops.iter().map(|hop| match hop.link {
            Some(link) => format!("{} dev {link}", hop.gateway),
            None => hop.gateway.to_string(),
        });
        shown.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn each_mode_and_family_has_its_device() {
        let pools = [
            pool("10.1.0.0/16", "ipip-mode = \"always\""),
            pool("10.2.0.0/16", "vxlan-mode = \"always\""),
            pool("10.3.0.0/16", ""),
            pool("fd00:1::/48", "vxlan-mode = \"always\""),
            pool("fd00:2::/48", ""),
        ]
        .concat();
        let steering = steering(&pools, &["192.0.2.5/24", "2001:db8::5/64"]);
        assert_eq!(shown(&steering, "10.1.7.0/26", &["192.0.2.7"]), "192.0.2.7 dev tunl0");
        assert_eq!(shown(&steering, "10.2.7.0/26", &["192.0.2.7"]), "192.0.2.7 dev vxlan.bgp");
        assert_eq!(shown(&steering, "10.3.7.0/26", &["192.0.2.7"]), "192.0.2.7");
        assert_eq!(
            shown(&steering, "fd00:1::40/122", &["2001:db8::7"]),
            format!("{} dev vxlan6.bgp", gateway("2001:db8::7"))
        );
        assert_eq!(shown(&steering, "fd00:2::40/122", &["2001:db8::7"]), "2001:db8::7");
        assert_eq!(shown(&steering, "10.4.0.0/26", &["192.0.2.7"]), "192.0.2.7", "in no pool");
        assert_eq!(shown(&steering, "10.0.0.0/8", &["192.0.2.7"]), "192.0.2.7", "around a pool");
        assert_eq!(shown(&steering, "10.2.0.0/16", &["192.0.2.7"]), "192.0.2.7 dev vxlan.bgp", "the pool");
        let carriers: Vec<Carrier> = steering.ways.carriers().collect();
        assert_eq!(carriers, Carrier::ALL);
    }

    #[test]
    fn across_subnets_each_next_hop_of_a_route_goes_its_own_way() {
        let pools = pool("10.1.0.0/16", "vxlan-mode = \"cross-subnet\"")
            + &pool("fd00:1::/48", "vxlan-mode = \"cross-subnet\"");
        let known = steering(&pools, &["192.0.2.5/25", "2001:db8::5/64"]);
        assert_eq!(
            shown(&known, "10.1.7.0/26", &["192.0.2.7", "192.0.2.130", "192.0.2.126"]),
            "192.0.2.7, 192.0.2.130 dev vxlan.bgp, 192.0.2.126"
        );
        assert_eq!(
            shown(&known, "fd00:1::/122", &["2001:db8::7", "2001:db8:0:1::7"]),
            format!("2001:db8::7, {} dev vxlan6.bgp", gateway("2001:db8:0:1::7"))
        );
        let unknown = steering(&pools, &[]);
        assert_eq!(shown(&unknown, "10.1.7.0/26", &["192.0.2.7"]), "192.0.2.7 dev vxlan.bgp");
        assert!(unknown.ways.need_subnets());
    }

    #[test]
    fn a_walk_changes_only_what_has_another_way_now() {
        let before = steering(&pool("10.1.0.0/16", ""), &["192.0.2.5/24"]);
        let after = steering(&pool("10.1.0.0/16", "ipip-mode = \"cross-subnet\""), &["192.0.2.5/24"]);
        let prefix: IpNetwork = "10.1.7.0/26".parse().unwrap();
        let hops = ["192.0.2.7", "198.51.100.7"].map(next_hop);
        let target = before.target(prefix, hops);
        assert_eq!(before.retarget(prefix, &target), None);
        assert_eq!(after.retarget(prefix, &target), Some(after.target(prefix, hops)));
        assert_eq!(before.retarget(prefix, &after.target(prefix, hops)), Some(target));
        assert_eq!(after.retarget(prefix, &Target::Blackhole), None);
        assert_eq!(after.retarget("10.2.0.0/26".parse().unwrap(), &before.target(prefix, hops)), None);
    }

    #[test]
    fn a_node_is_found_again_behind_its_gateway() {
        let always = steering(&pool("fd00:1::/48", "vxlan-mode = \"always\""), &[]);
        let never = steering(&pool("fd00:1::/48", ""), &[]);
        let prefix: IpNetwork = "fd00:1::/122".parse().unwrap();
        let hop = next_hop("2001:db8::7");
        let (wrapped, plain) = (always.target(prefix, [hop]), never.target(prefix, [hop]));
        assert_eq!(never.retarget(prefix, &wrapped), Some(plain.clone()));
        assert_eq!(always.retarget(prefix, &plain), Some(wrapped.clone()));
        assert_eq!(always.retarget(prefix, &wrapped), None);
    }

    #[test]
    fn what_would_go_through_a_device_that_is_not_ours_goes_nowhere() {
        let mut steering = steering(&pool("10.1.0.0/16", "vxlan-mode = \"always\""), &[]);
        let prefix: IpNetwork = "10.1.7.0/26".parse().unwrap();
        let hop = next_hop("192.0.2.7");
        let usable = steering.target(prefix, [hop]);
        steering.usable.clear();
        let waiting = steering.retarget(prefix, &usable).unwrap();
        assert_eq!(waiting, Target::Via(vec![NextHop::new(hop.gateway).over("%d".parse().unwrap())]));
        steering.usable.insert(Carrier::Vxlan4);
        assert_eq!(steering.retarget(prefix, &waiting), Some(usable));
    }

    #[test]
    fn the_same_subnet_is_no_news_and_another_is() {
        let mut subnets = Subnets::default();
        assert!(subnets.set("192.0.2.5/24".parse().unwrap()));
        assert!(!subnets.set("192.0.2.5/24".parse().unwrap()));
        assert!(subnets.set("192.0.2.5/25".parse().unwrap()));
    }
}
