//! The next hop in MP_REACH_NLRI: its length says which addresses it holds (RFC 4760 section 3).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cursor::Cursor;
use crate::Family;

/// Octets of a route distinguisher, which stands before each address of a VPN's next hop and is zero there (RFC 4364
/// section 4.3.2).
const DISTINGUISHER: usize = 8;

/// A next hop whose length is one that its family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextHop<'a> {
    octets: &'a [u8],
    form: Form,
}

/// What stands in a next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Nothing that counts: flow specifications have none (RFC 8955 section 4).
    Empty,
    /// One address, or a global and a link-local one (RFC 2545 section 3).
    Addresses,
    /// The same, each behind a route distinguisher.
    Distinguished,
}

impl<'a> NextHop<'a> {
    /// The next hop in `octets`; `None` for a length that `family` does not have.
    ///
    /// `extended` lets IPv4 destinations have IPv6 next hops (RFC 8950). IPv6 destinations have an IPv4 next hop as an
    /// IPv4-mapped address (RFC 4798), EVPN and route targets either kind.
    #[must_use]
    pub fn new(family: Family, extended: bool, octets: &'a [u8]) -> Option<NextHop<'a>> {
        let (form, fits) = match (family, octets.len()) {
            (Family::IPV4_UNICAST | Family::IPV4_LABELED, len) => {
                (Form::Addresses, len == 4 || extended && matches!(len, 16 | 32))
            }
            (Family::IPV6_UNICAST | Family::IPV6_LABELED, len) => (Form::Addresses, matches!(len, 16 | 32)),
            (Family::ROUTE_TARGET | Family::EVPN, len) => (Form::Addresses, matches!(len, 4 | 16 | 32)),
            (Family::IPV4_VPN, len) => (Form::Distinguished, len == 12 || extended && matches!(len, 24 | 48)),
            (Family::IPV6_VPN, len) => (Form::Distinguished, matches!(len, 24 | 48)),
            _ => (Form::Empty, true),
        };
        fits.then_some(NextHop { octets, form })
    }

    /// As on the wire.
    #[must_use]
    pub fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// Where to send packets; of two IPv6 addresses the global one. `None` for flow specifications.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        let mut cursor = self.addresses();
        match (self.form, cursor.len()) {
            (Form::Empty, _) => None,
            (_, 4) => cursor.array::<4>().map(|octets| Ipv4Addr::from(octets).into()),
            _ => cursor.array::<16>().map(|octets| Ipv6Addr::from(octets).into()),
        }
    }

    /// The second of two IPv6 addresses (RFC 2545 section 3).
    #[must_use]
    pub fn link_local(&self) -> Option<Ipv6Addr> {
        let mut cursor = self.addresses();
        cursor.take(16)?;
        if self.form == Form::Distinguished {
            cursor.take(DISTINGUISHER)?;
        }
        cursor.array::<16>().map(Ipv6Addr::from).filter(|_| self.form != Form::Empty)
    }

    /// At the first address.
    fn addresses(&self) -> Cursor<'a> {
        let mut cursor = Cursor::new(self.octets);
        if self.form == Form::Distinguished {
            cursor.take(DISTINGUISHER);
        }
        cursor
    }
}

/// The address, and behind a blank the link-local one.
impl fmt::Display for NextHop<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address(), self.link_local()) {
            (None, _) => f.write_str("none"),
            (Some(address), None) => address.fmt(f),
            (Some(address), Some(link_local)) => write!(f, "{address} {link_local}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(family: Family, extended: bool) -> Vec<usize> {
        (0..=64).filter(|len| NextHop::new(family, extended, &vec![1; *len]).is_some()).collect()
    }

    #[test]
    fn each_family_has_its_lengths() {
        assert_eq!(lengths(Family::IPV4_UNICAST, false), [4]);
        assert_eq!(lengths(Family::IPV4_UNICAST, true), [4, 16, 32]);
        assert_eq!(lengths(Family::IPV6_LABELED, false), [16, 32]);
        assert_eq!(lengths(Family::IPV4_VPN, false), [12]);
        assert_eq!(lengths(Family::IPV4_VPN, true), [12, 24, 48]);
        assert_eq!(lengths(Family::IPV6_VPN, false), [24, 48]);
        assert_eq!(lengths(Family::EVPN, false), [4, 16, 32]);
        assert_eq!(lengths(Family::IPV4_FLOWSPEC, false).len(), 65);
    }

    #[test]
    fn the_addresses_of_each_form_are_found() {
        let shown = |family, octets: &[u8]| NextHop::new(family, true, octets).unwrap().to_string();
        let (global, link_local) =
            ("2001:db8::1".parse::<Ipv6Addr>().unwrap(), "fe80::1".parse::<Ipv6Addr>().unwrap());
        let two = [global.octets(), link_local.octets()].concat();
        let distinguished = [&[0; 8][..], &global.octets(), &[0; 8], &link_local.octets()].concat();
        assert_eq!(shown(Family::EVPN, &[10, 0, 0, 1]), "10.0.0.1");
        assert_eq!(shown(Family::IPV4_UNICAST, &two), "2001:db8::1 fe80::1");
        assert_eq!(shown(Family::IPV4_VPN, &[0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]), "10.0.0.1");
        assert_eq!(shown(Family::IPV6_VPN, &distinguished), "2001:db8::1 fe80::1");
        assert_eq!(shown(Family::IPV6_VPN, &distinguished[..24]), "2001:db8::1");
        assert_eq!(shown(Family::IPV4_FLOWSPEC, &[]), "none");
    }
}
