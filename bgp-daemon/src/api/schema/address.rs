//! Where a peer is.

use std::fmt;
use std::net::{AddrParseError, IpAddr, Ipv6Addr};
use std::str::FromStr;

use bgp_core::link_local;
use serde::{Deserialize, Serialize};

use crate::net::link_name;

/// A peer's address as everybody outside of this process is told it. A link-local address inside has the number of its
/// link in it ([`link_local`]); made from such a one, this has the address as it is on the wire, and the link's name
/// beside it. Answers, events and metrics are made of these, so that no number gets out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PeerAddress {
    /// `::`: the neighbour on the interface, who was not heard yet.
    address: IpAddr,
    /// The interface that a link-local address is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interface: Option<String>,
}

impl PeerAddress {
    /// A neighbour on an interface, if it has an address that is known.
    #[must_use]
    pub fn on(interface: &str, address: Option<Ipv6Addr>) -> PeerAddress {
        let address = address.unwrap_or(Ipv6Addr::UNSPECIFIED);
        PeerAddress { address: link_local::bare(address.into()), interface: Some(interface.to_owned()) }
    }

    pub(super) fn of(address: IpAddr, interface: Option<&str>) -> PeerAddress {
        PeerAddress { address, interface: interface.map(str::to_owned) }
    }

    /// The address as it is on the wire.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.address
    }

    /// The interface that a link-local address is on.
    #[must_use]
    pub fn interface(&self) -> Option<&str> {
        self.interface.as_deref()
    }

    /// Whether it is the address of somebody who was heard.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.address.is_unspecified() || self.interface.is_none()
    }
}

impl From<IpAddr> for PeerAddress {
    /// Of an address as this process has it. A link that is gone has its number for a name.
    fn from(address: IpAddr) -> PeerAddress {
        let (address, link) = link_local::split(address);
        let name = |link| link_name(link).map_or_else(|| format!("{link}"), |name| name.to_string());
        PeerAddress { address, interface: link.map(name) }
    }
}

impl fmt::Display for PeerAddress {
    /// As in `fe80::1%eth0`; a neighbour who was not heard yet is `eth0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.interface()) {
            (_, Some(interface)) if !self.is_known() => f.pad(interface),
            (address, Some(interface)) => f.pad(&format!("{address}%{interface}")),
            (address, None) => address.fmt(f),
        }
    }
}

impl FromStr for PeerAddress {
    type Err = AddrParseError;

    /// What [`fmt::Display`] makes of an address that is known.
    fn from_str(text: &str) -> Result<PeerAddress, AddrParseError> {
        match text.split_once('%') {
            Some((address, interface)) => Ok(PeerAddress::on(interface, Some(address.parse()?))),
            None => Ok(PeerAddress { address: text.parse()?, interface: None }),
        }
    }
}

impl PartialEq<IpAddr> for PeerAddress {
    /// Whether it is that of an address as this process has it.
    fn eq(&self, other: &IpAddr) -> bool {
        let PeerAddress { address, interface } = PeerAddress::from(*other);
        (self.address, &self.interface) == (address, &interface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_of_a_link_gets_out() {
        let loopback = std::num::NonZeroU32::new(1);
        let inside = IpAddr::from(link_local::on("fe80::1".parse().unwrap(), loopback));
        let outside = PeerAddress::from(inside);
        assert_eq!(
            (outside.to_string().as_str(), outside.ip().to_string().as_str()),
            ("fe80::1%lo", "fe80::1")
        );
        assert_eq!(serde_json::to_string(&outside).unwrap(), r#"{"address":"fe80::1","interface":"lo"}"#);
        assert!(outside == inside && "fe80::1%lo".parse() == Ok(outside));
        let gone = link_local::on("fe80::1".parse().unwrap(), std::num::NonZeroU32::new(i32::MAX as u32));
        assert_eq!(PeerAddress::from(IpAddr::from(gone)).to_string(), format!("fe80::1%{}", i32::MAX));
    }

    #[test]
    fn other_addresses_are_what_they_are() {
        let address = PeerAddress::from(IpAddr::from([10, 0, 0, 1]));
        assert_eq!(serde_json::to_string(&address).unwrap(), r#"{"address":"10.0.0.1"}"#);
        assert_eq!(("10.0.0.1".parse(), address.to_string().as_str()), (Ok(address.clone()), "10.0.0.1"));
    }

    #[test]
    fn a_neighbor_that_was_not_heard_yet_is_its_interface() {
        let sought = PeerAddress::on("eth0", None);
        assert_eq!(sought.to_string(), "eth0");
        assert_eq!(serde_json::to_string(&sought).unwrap(), r#"{"address":"::","interface":"eth0"}"#);
    }
}
