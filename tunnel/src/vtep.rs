//! The MAC addresses of VXLAN devices: computed, so that nodes need not tell each other.

use std::net::{IpAddr, Ipv6Addr};

use sha1::{Digest, Sha1};

/// Unicast, and administered locally: no manufacturer's.
const FIRST: u8 = 0x66;

/// The MAC address of the VXLAN device of the node with this address: 0x66 and the first five octets of the
/// SHA-1 of the address' text.
///
/// ```
/// let mac = tunnel::vtep_mac("192.0.2.7".parse().unwrap());
/// assert_eq!(mac, [0x66, 0x3a, 0x8e, 0x32, 0x99, 0x34]);
/// ```
pub fn vtep_mac(local: IpAddr) -> [u8; 6] {
    let mut mac = [FIRST; 6];
    let hash = Sha1::digest(local.to_string().as_bytes());
    for (octet, hashed) in mac.iter_mut().skip(1).zip(hash) {
        *octet = hashed;
    }
    mac
}

/// The gateway of routes through a VXLAN device to the node with this address: `BLOCK via GATEWAY dev
/// vxlan.bgp onlink`.
///
/// With IPv4 that is the node's address. With IPv6 the kernel refuses a gateway that another interface
/// reaches, even with `onlink`, as the uplink reaches a node of the same subnet. So it is the link-local
/// address that the node's VXLAN device gives itself by its MAC.
///
/// ```
/// let gateway = |node: &str| tunnel::vxlan_gateway(node.parse().unwrap()).to_string();
/// assert_eq!(gateway("192.0.2.7"), "192.0.2.7");
/// assert_eq!(gateway("2001:db8::7"), "fe80::64e0:84ff:feb6:8743");
/// ```
pub fn vxlan_gateway(node: IpAddr) -> IpAddr {
    if node.is_ipv4() { node } else { link_local(vtep_mac(node)).into() }
}

/// The address of RFC 4291, appendix A: the MAC with one bit inverted and ff:fe in its middle.
pub(crate) fn link_local([a, b, c, d, e, f]: [u8; 6]) -> Ipv6Addr {
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}
