//! The MAC addresses of VXLAN devices: computed, so that nodes need not tell each other.

use std::net::IpAddr;

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
