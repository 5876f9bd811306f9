//! Link-local addresses together with the link that they are on.
//!
//! `fe80::1` means another host on every link. Wherever this project keeps such an address (the next hop of a route, the
//! address of a peer), the link goes along in octets that RFC 4291 section 2.5.6 has zero in every link-local address:
//!
//! ```text
//!  octets  0      2      4                       8
//!          │ fe80 │ zero │ index of the interface │ interface identifier │
//! ```
//!
//! So one address is one neighbour, a route needs no room for it, and whoever has to do with no link-local address never
//! notices. The link is put in where an address comes in (an UPDATE, a connection) and taken out where it leaves the
//! process (an UPDATE, a socket, the kernel's routes, the eyes of people). What a neighbour itself writes into these
//! octets never counts.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

/// Bits behind those of the link.
const SHIFT: u32 = 64;

/// The bits of the link.
const LINK: u128 = (u32::MAX as u128) << SHIFT;

/// The address as it is on `link`, if it is a link-local one; any other as it is. `None`: the link is not known.
///
/// ```
/// use bgp_core::link_local;
/// use std::net::{IpAddr, Ipv6Addr};
///
/// let neighbor: Ipv6Addr = "fe80::1".parse()?;
/// let (here, there) = (link_local::on(neighbor, 2.try_into().ok()), link_local::on(neighbor, 3.try_into().ok()));
/// assert_ne!(here, there);
/// assert_eq!(link_local::split(here.into()), (IpAddr::from(neighbor), 2.try_into().ok()));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[must_use]
pub fn on(address: Ipv6Addr, link: Option<NonZeroU32>) -> Ipv6Addr {
    if !address.is_unicast_link_local() {
        return address;
    }
    let link = u128::from(link.map_or(0, NonZeroU32::get)) << SHIFT;
    Ipv6Addr::from(u128::from(address) & !LINK | link)
}

/// An address as the world knows it, and the link that it is on.
#[must_use]
pub fn split(address: IpAddr) -> (IpAddr, Option<NonZeroU32>) {
    match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => (on(v6, None).into(), link(address)),
        _ => (address, None),
    }
}

/// The link that an address is on, if it is a link-local one of which that is known.
#[must_use]
pub fn link(address: IpAddr) -> Option<NonZeroU32> {
    match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => {
            NonZeroU32::new(u32::try_from((u128::from(v6) & LINK) >> SHIFT).ok()?)
        }
        _ => None,
    }
}

/// The address without its link, as it goes over the wire.
#[must_use]
pub fn bare(address: IpAddr) -> IpAddr {
    split(address).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_neighbor_writes_in_the_place_of_the_link_does_not_count() {
        let forged: Ipv6Addr = "fe80:0:0:7::1".parse().unwrap();
        assert_eq!(link(forged.into()), NonZeroU32::new(7));
        assert_eq!(on(forged, None), "fe80::1".parse::<Ipv6Addr>().unwrap());
        assert_eq!(link(on(forged, NonZeroU32::new(u32::MAX)).into()), NonZeroU32::new(u32::MAX));
    }

    #[test]
    fn other_addresses_have_no_link() {
        for text in ["2001:db8:0:7::1", "10.0.0.1", "::", "ff02::1"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(split(address), (address, None));
            if let IpAddr::V6(v6) = address {
                assert_eq!(on(v6, NonZeroU32::new(3)), v6);
            }
        }
    }
}
