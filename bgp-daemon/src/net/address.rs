//! The addresses of this host: for a default router id, for the next hop of the family that a session does not run
//! over, and for who is on a link of ours.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use super::sys::{self, InterfaceAddress};

/// The IP addresses of the interfaces that are up, as they were when read.
#[derive(Clone, Debug)]
pub struct HostAddresses(Vec<InterfaceAddress>);

/// How far an address reaches; next hops are only taken from the scope of the session's own address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Loopback,
    Link,
    Global,
}

fn scope(address: IpAddr) -> Scope {
    match address {
        _ if address.is_loopback() => Scope::Loopback,
        IpAddr::V4(a) if a.is_link_local() => Scope::Link,
        IpAddr::V6(a) if a.is_unicast_link_local() => Scope::Link,
        _ => Scope::Global,
    }
}

fn same_subnet(own: &InterfaceAddress, address: IpAddr) -> bool {
    match (own.address, own.mask, address) {
        (IpAddr::V4(own), IpAddr::V4(mask), IpAddr::V4(address)) => own & mask == address & mask,
        (IpAddr::V6(own), IpAddr::V6(mask), IpAddr::V6(address)) => own & mask == address & mask,
        _ => false,
    }
}

impl HostAddresses {
    /// Asks the kernel.
    ///
    /// # Errors
    /// What `getifaddrs(3)` failed with: no memory or no file descriptor left.
    pub fn read() -> io::Result<HostAddresses> {
        sys::interface_addresses().map(HostAddresses)
    }

    /// The numerically lowest IPv4 address that is neither loopback nor link-local: it stays the same when interfaces
    /// come up in another order. `None` on a host without one.
    #[must_use]
    pub fn lowest_global_ipv4(&self) -> Option<Ipv4Addr> {
        let global = self.0.iter().filter(|a| scope(a.address) == Scope::Global);
        global.filter_map(|a| if let IpAddr::V4(v4) = a.address { Some(v4) } else { None }).min()
    }

    /// The address of the other family on the interface that carries `local`: the next hop for IPv6 routes over an
    /// IPv4 session (RFC 4760 section 3), or the reverse.
    ///
    /// Of several the lowest. A loopback session gets a loopback address, every other one a global address: a
    /// link-local one alone is no next hop (RFC 2545 section 3). `None` if `local` is not an address of this host or
    /// its interface has none that fits.
    #[must_use]
    pub fn other_family(&self, local: IpAddr) -> Option<IpAddr> {
        let interface = &self.0.iter().find(|a| a.address == local)?.interface;
        let wanted = if scope(local) == Scope::Loopback { Scope::Loopback } else { Scope::Global };
        let on_interface = self.0.iter().filter(|a| a.interface == *interface).map(|a| a.address);
        on_interface.filter(|a| a.is_ipv4() != local.is_ipv4() && scope(*a) == wanted).min()
    }

    /// Whether `address` is in a subnet of ours, so that no router is between.
    #[must_use]
    pub fn is_on_link(&self, address: IpAddr) -> bool {
        let is_link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
        is_link_local || self.0.iter().any(|own| same_subnet(own, address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(addresses: &[(&str, &str)]) -> HostAddresses {
        let parse = |(interface, address): &(&str, &str)| InterfaceAddress {
            interface: (*interface).into(),
            address: address.parse().unwrap(),
            mask: if address.contains(':') {
                "ffff:ffff:ffff:ffff::".parse().unwrap()
            } else {
                "255.255.255.0".parse().unwrap()
            },
        };
        HostAddresses(addresses.iter().map(parse).collect())
    }

    fn node() -> HostAddresses {
        host(&[
            ("lo", "127.0.0.1"),
            ("lo", "::1"),
            ("lo", "10.255.0.7"),
            ("lo", "fd00:ff::7"),
            ("eth0", "192.168.9.2"),
            ("eth0", "169.254.0.3"),
            ("eth0", "fe80::1"),
            ("eth0", "fd00:9::2"),
            ("eth1", "10.0.0.2"),
            ("eth1", "fe80::2"),
        ])
    }

    #[test]
    fn the_router_id_is_the_lowest_global_address() {
        assert_eq!(node().lowest_global_ipv4(), Some(Ipv4Addr::new(10, 0, 0, 2)));
        assert_eq!(host(&[("lo", "127.0.0.1"), ("eth0", "169.254.1.1")]).lowest_global_ipv4(), None);
    }

    #[test]
    fn the_other_family_is_looked_for_on_the_same_interface() {
        let other = |local: &str| node().other_family(local.parse().unwrap()).map(|a| a.to_string());
        assert_eq!(other("192.168.9.2").as_deref(), Some("fd00:9::2"));
        assert_eq!(other("fd00:9::2").as_deref(), Some("192.168.9.2"));
        assert_eq!(
            other("10.255.0.7").as_deref(),
            Some("fd00:ff::7"),
            "a router's loopback address is global"
        );
        assert_eq!(other("127.0.0.1").as_deref(), Some("::1"));
        assert_eq!(other("10.0.0.2"), None, "a link-local address alone is no next hop");
        assert_eq!(other("10.9.9.9"), None, "not an address of this host");
    }

    #[test]
    fn a_peer_in_a_subnet_of_ours_is_on_link() {
        let on_link = |address: &str| node().is_on_link(address.parse().unwrap());
        assert!(on_link("192.168.9.77") && on_link("fd00:9::77") && on_link("fe80::77"));
        assert!(!on_link("192.168.10.2") && !on_link("fd00:a::2"));
    }

    #[test]
    fn this_host_has_a_loopback_address() {
        let host = HostAddresses::read().unwrap();
        assert!(host.0.iter().any(|a| a.interface == "lo" && a.address == Ipv4Addr::LOCALHOST), "{host:?}");
    }
}
