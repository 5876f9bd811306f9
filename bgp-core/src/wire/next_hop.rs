//! The next hop in MP_REACH_NLRI: its length says which addresses it holds (RFC 4760 section 3).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use super::cursor::Cursor;
use crate::{Family, link_local};

/// Octets of a route distinguisher, which stands before each address of a VPN's next hop and is zero there (RFC 4364
/// section 4.3.2, RFC 4659 section 3.2.1).
const DISTINGUISHER: usize = 8;

/// Where to send packets for the destinations of an MP_REACH_NLRI. What its octets mean depends on the family and on
/// their number (RD is a route distinguisher, all zero):
///
/// ```text
///  IPv4, with labels too           4 IPv4                    with RFC 8950 also 16 IPv6, or 32 with link-local
///  IPv6, with labels too          16 IPv6                    32 IPv6, link-local
///  IPv4 of a VPN                  12 RD, IPv4                with RFC 8950 also 24 RD, IPv6, or 48 with link-local
///  IPv6 of a VPN                  24 RD, IPv6                48 RD, IPv6, RD, link-local
///  route targets, Ethernet VPN     4 IPv4, 16 IPv6           32 IPv6, link-local
///  flow specifications             any, and none is meant (RFC 8955 section 4)
/// ```
///
/// ```
/// use bgp_core::Family;
/// use bgp_core::wire::NextHop;
///
/// let next_hop = NextHop::read(Family::IPV4_VPN, false, &[0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
/// assert_eq!(next_hop, Some(NextHop::from(std::net::IpAddr::from([10, 0, 0, 1]))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextHop {
    address: Option<IpAddr>,
    link_local: Option<Ipv6Addr>,
}

/// Which addresses a family's next hops have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Addresses {
    /// IPv4, or if that was agreed IPv6 (RFC 8950 section 3).
    V4,
    /// IPv6; an IPv4 address is there as an IPv4-mapped one (RFC 4659 section 3.2.1.2, RFC 4798 section 2).
    V6,
    /// Either, as the length says (RFC 4684 section 4, RFC 7432 section 9.2.1).
    Either,
}

/// The form of a family's next hops: which addresses, and how many octets before each. `None` for flow
/// specifications, whose next hop means nothing (RFC 8955 section 4).
fn form(family: Family) -> Option<(Addresses, usize)> {
    match family {
        Family::IPV4_UNICAST | Family::IPV4_LABELED => Some((Addresses::V4, 0)),
        Family::IPV6_UNICAST | Family::IPV6_LABELED => Some((Addresses::V6, 0)),
        Family::IPV4_VPN => Some((Addresses::V4, DISTINGUISHER)),
        Family::IPV6_VPN => Some((Addresses::V6, DISTINGUISHER)),
        Family::ROUTE_TARGET | Family::EVPN => Some((Addresses::Either, 0)),
        _ => None,
    }
}

impl NextHop {
    /// That of flow specifications.
    pub const NONE: NextHop = NextHop { address: None, link_local: None };

    /// A global address, and one of the link that both speakers share (RFC 2545 section 3).
    #[must_use]
    pub fn with_link_local(global: Ipv6Addr, link_local: Ipv6Addr) -> NextHop {
        NextHop { address: Some(global.into()), link_local: Some(link_local) }
    }

    /// The next hop in `octets`; `None` for a length that `family` does not have.
    ///
    /// `extended` lets IPv4 destinations have IPv6 next hops (RFC 8950). An IPv6 address may be followed by a
    /// link-local one in every family: RFC 4684 and RFC 7432 don't speak of that, but it is sent over sessions of
    /// link-local addresses. Route distinguishers are not looked at.
    #[must_use]
    pub fn read(family: Family, extended: bool, octets: &[u8]) -> Option<NextHop> {
        let Some((addresses, before)) = form(family) else { return Some(NextHop::NONE) };
        let mut cursor = Cursor::new(octets);
        cursor.take(before)?;
        let next_hop = if cursor.len() == 4 && addresses != Addresses::V6 {
            NextHop::from(IpAddr::from(cursor.array::<4>()?))
        } else if addresses != Addresses::V4 || extended {
            let address = Some(IpAddr::from(cursor.array::<16>()?));
            let link_local = if cursor.is_empty() {
                None
            } else {
                cursor.take(before)?;
                Some(cursor.array::<16>()?.into())
            };
            NextHop { address, link_local }
        } else {
            return None;
        };
        cursor.is_empty().then_some(next_hop)
    }

    /// Appends the next hop as `family` has it, without its length. Returns false, and appends nothing, if the family
    /// needs an address and there is none. Whether the peer takes an IPv6 next hop for IPv4 destinations (RFC 8950) is
    /// the caller's to know.
    #[must_use]
    pub fn encode(&self, out: &mut Vec<u8>, family: Family) -> bool {
        let Some((addresses, before)) = form(family) else { return true };
        let Some(address) = self.address else { return false };
        out.extend([0; DISTINGUISHER].iter().take(before));
        match address {
            IpAddr::V4(v4) if addresses == Addresses::V6 => out.extend(v4.to_ipv6_mapped().octets()),
            IpAddr::V4(v4) => out.extend(v4.octets()),
            IpAddr::V6(v6) => out.extend(v6.octets()),
        }
        if let Some(link_local) = self.link_local {
            out.extend([0; DISTINGUISHER].iter().take(before));
            out.extend(link_local.octets());
        }
        true
    }

    /// Where to send packets; of two IPv6 addresses the global one, unless that is `::`, which some send beside a
    /// link-local address for want of a global one. `None` for flow specifications.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match (self.address, self.link_local) {
            (Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)), Some(link_local)) => Some(link_local.into()),
            (address, _) => address,
        }
    }

    /// Where to send packets over the link that the session runs over: to the link-local address if there is one
    /// (RFC 2545 section 3), else to the other. `link` goes along with a link-local address ([`link_local`]); without,
    /// the session does not run over link-local addresses, and the global one counts.
    #[must_use]
    pub fn gateway(&self, link: Option<NonZeroU32>) -> Option<IpAddr> {
        let near = self.link_local.filter(|near| link.is_some() && near.is_unicast_link_local());
        match near.map(IpAddr::V6).or(self.address()) {
            Some(IpAddr::V6(v6)) => Some(link_local::on(v6, link).into()),
            address => address,
        }
    }

    /// The second of two IPv6 addresses (RFC 2545 section 3).
    #[must_use]
    pub fn link_local(&self) -> Option<Ipv6Addr> {
        self.link_local
    }
}

impl From<IpAddr> for NextHop {
    fn from(address: IpAddr) -> NextHop {
        NextHop { address: Some(address), link_local: None }
    }
}

/// The address, and behind a blank the link-local one.
impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.link_local) {
            (None, _) => f.write_str("none"),
            (Some(address), None) => address.fmt(f),
            (Some(address), Some(link_local)) => write!(f, "{address} {link_local}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn lengths(family: Family, extended: bool) -> Vec<usize> {
        (0..=255).filter(|len| NextHop::read(family, extended, &vec![1; *len]).is_some()).collect()
    }

    #[test]
    fn each_family_has_its_lengths() {
        for family in [Family::IPV4_UNICAST, Family::IPV4_LABELED] {
            assert_eq!((lengths(family, false), lengths(family, true)), (vec![4], vec![4, 16, 32]));
        }
        assert_eq!(lengths(Family::IPV4_VPN, false), [12]);
        assert_eq!(lengths(Family::IPV4_VPN, true), [12, 24, 48]);
        for extended in [false, true] {
            assert_eq!(lengths(Family::IPV6_UNICAST, extended), [16, 32]);
            assert_eq!(lengths(Family::IPV6_LABELED, extended), [16, 32]);
            assert_eq!(lengths(Family::IPV6_VPN, extended), [24, 48]);
            assert_eq!(lengths(Family::ROUTE_TARGET, extended), [4, 16, 32]);
            assert_eq!(lengths(Family::EVPN, extended), [4, 16, 32]);
            assert_eq!(lengths(Family::IPV4_FLOWSPEC, extended).len(), 256);
            assert_eq!(lengths(Family::IPV6_VPN_FLOWSPEC, extended).len(), 256);
        }
    }

    const V4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const GLOBAL: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

    /// What `family` makes of a next hop, checked to come back from it.
    fn octets(family: Family, next_hop: NextHop) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(next_hop.encode(&mut out, family));
        let mut again = Vec::new();
        assert!(NextHop::read(family, true, &out).unwrap().encode(&mut again, family));
        assert_eq!(again, out);
        out
    }

    #[test]
    fn each_family_writes_an_address_in_its_form_and_reads_it_again() {
        let (v4, v6) = (NextHop::from(IpAddr::from(V4)), NextHop::from(IpAddr::from(GLOBAL)));
        let both = NextHop::with_link_local(GLOBAL, LINK_LOCAL);
        let mapped = V4.to_ipv6_mapped().octets();
        let zero = [0; 8];
        for family in [Family::IPV4_UNICAST, Family::IPV4_LABELED, Family::ROUTE_TARGET, Family::EVPN] {
            assert_eq!(octets(family, v4), V4.octets());
            assert_eq!(octets(family, v6), GLOBAL.octets());
        }
        assert_eq!(octets(Family::IPV6_LABELED, v4), mapped);
        assert_eq!(octets(Family::IPV6_UNICAST, both), [GLOBAL.octets(), LINK_LOCAL.octets()].concat());
        assert_eq!(octets(Family::IPV4_VPN, v4), [&zero[..], &V4.octets()].concat());
        assert_eq!(octets(Family::IPV6_VPN, v4), [&zero[..], &mapped].concat());
        let twice = [&zero[..], &GLOBAL.octets(), &zero, &LINK_LOCAL.octets()].concat();
        assert_eq!(octets(Family::IPV4_VPN, both), twice);
        assert_eq!(octets(Family::IPV6_VPN, both), twice);
        assert_eq!(octets(Family::IPV4_FLOWSPEC, v4), []);
        assert!(!NextHop::NONE.encode(&mut Vec::new(), Family::EVPN));
    }

    #[test]
    fn the_unspecified_address_stands_for_the_link_local_one_behind_it() {
        let read = |first: Ipv6Addr, second: Ipv6Addr| {
            NextHop::read(Family::IPV4_UNICAST, true, &[first.octets(), second.octets()].concat()).unwrap()
        };
        let without_global = read(Ipv6Addr::UNSPECIFIED, LINK_LOCAL);
        assert_eq!(without_global.address(), Some(LINK_LOCAL.into()));
        assert_eq!(
            read(Ipv6Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED).address(),
            Some(Ipv6Addr::UNSPECIFIED.into())
        );
        assert_eq!(read(GLOBAL, LINK_LOCAL).address(), Some(GLOBAL.into()));
    }

    #[test]
    fn packets_go_to_the_link_local_address_where_the_session_does() {
        let link = NonZeroU32::new(3);
        let there = Some(IpAddr::V6(link_local::on(LINK_LOCAL, link)));
        let both = NextHop::with_link_local(GLOBAL, LINK_LOCAL);
        assert_eq!((both.gateway(link), both.gateway(None)), (there, Some(GLOBAL.into())));
        assert_eq!(NextHop::with_link_local(LINK_LOCAL, LINK_LOCAL).gateway(link), there);
        assert_eq!(NextHop::from(IpAddr::from(LINK_LOCAL)).gateway(link), there);
        let forged = link_local::on(LINK_LOCAL, NonZeroU32::new(9));
        assert_eq!(NextHop::from(IpAddr::from(forged)).gateway(None), Some(LINK_LOCAL.into()));
        assert_eq!(NextHop::with_link_local(GLOBAL, GLOBAL).gateway(link), Some(GLOBAL.into()));
        assert_eq!(NextHop::from(IpAddr::from(V4)).gateway(link), Some(V4.into()));
    }

    #[test]
    fn the_addresses_of_each_form_are_shown() {
        let shown = |family, octets: &[u8]| NextHop::read(family, true, octets).unwrap().to_string();
        let both = NextHop::with_link_local(GLOBAL, LINK_LOCAL);
        assert_eq!(shown(Family::EVPN, &V4.octets()), "10.0.0.1");
        assert_eq!(shown(Family::IPV4_UNICAST, &octets(Family::IPV4_UNICAST, both)), "2001:db8::1 fe80::1");
        let vpn = octets(Family::IPV6_VPN, both);
        assert_eq!(shown(Family::IPV6_VPN, &vpn), "2001:db8::1 fe80::1");
        assert_eq!(shown(Family::IPV6_VPN, &vpn[..24]), "2001:db8::1");
        assert_eq!(shown(Family::IPV4_VPN, &[1, 2, 3, 4, 5, 6, 7, 8, 10, 0, 0, 1]), "10.0.0.1");
        assert_eq!(shown(Family::IPV6_VPN_FLOWSPEC, &[10, 0, 0, 1]), "none");
    }
}
