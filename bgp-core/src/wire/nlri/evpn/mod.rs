//! Routes of an Ethernet VPN (RFC 7432 section 7, for IP prefixes RFC 9136 section 3.1).
//!
//! BGP carries what a bridge would else learn by flooding: which host is behind which router, on which segment, and who
//! wants broadcasts.
//!
//! ```text
//!  octets  1      1
//!          │ type │ length │ by type:
//!
//!  1 Ethernet auto-discovery   RD 8, segment 10, tag 4, label 3
//!  2 MAC/IP advertisement      RD 8, segment 10, tag 4, 48, MAC 6, IP length 1, IP 0, 4 or 16, label 3, label 0 or 3
//!  3 inclusive multicast       RD 8, tag 4, IP length 1, IP 4 or 16
//!  4 Ethernet segment          RD 8, segment 10, IP length 1, IP 4 or 16
//!  5 IP prefix                 RD 8, segment 10, tag 4, prefix length 1, prefix 4 or 16, gateway 4 or 16, label 3
//! ```
//!
//! Lengths of addresses are in bits. Withdrawn routes are written alike. A known type with another length, or with
//! lengths inside that contradict it, can't be read: who can't say which route was meant must not trust what else the
//! field holds (RFC 7606 section 5.3).

mod fields;
#[cfg(test)]
mod tests;
mod write;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use fields::{EthernetSegment, EvpnLabel};

use super::{NlriError, RouteDistinguisher};
use crate::wire::cursor::Cursor;
use crate::wire::hex::MacAddress;
use crate::{Ipv4Prefix, Ipv6Prefix, Prefix};

/// Bits of an Ethernet address.
const MAC_BITS: u8 = 48;

/// Why octets are no route of an Ethernet VPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvpnError {
    /// A length that routes of this type don't have, or not with the lengths that are in it.
    #[error("EVPN route of type {kind} with {len} octets")]
    Length {
        /// The route's type.
        kind: u8,
        /// The length as received.
        len: usize,
    },
    /// An Ethernet address of other than 48 bits.
    #[error("MAC address of {0} bits")]
    Mac(u8),
    /// An IP address of a length that it can't have there.
    #[error("IP address of {0} bits")]
    Address(u8),
    /// A prefix longer than an address.
    #[error("IP prefix of {0} bits")]
    Prefix(u8),
}

impl From<EvpnError> for NlriError {
    fn from(error: EvpnError) -> NlriError {
        NlriError::Evpn(error)
    }
}

/// An IP prefix and the gateway to it, which is all zero if the segment or the label says the way (RFC 9136
/// section 3.2). Both are of one version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixVia {
    /// An IPv4 prefix and its gateway.
    V4(Ipv4Prefix, Ipv4Addr),
    /// An IPv6 prefix and its gateway.
    V6(Ipv6Prefix, Ipv6Addr),
}

impl PrefixVia {
    /// The prefix.
    #[must_use]
    pub fn prefix(&self) -> Prefix {
        match *self {
            PrefixVia::V4(prefix, _) => prefix.into(),
            PrefixVia::V6(prefix, _) => prefix.into(),
        }
    }

    /// The gateway.
    #[must_use]
    pub fn gateway(&self) -> IpAddr {
        match *self {
            PrefixVia::V4(_, gateway) => gateway.into(),
            PrefixVia::V6(_, gateway) => gateway.into(),
        }
    }
}

/// One route.
///
/// ```
/// use bgp_core::wire::RouteDistinguisher;
/// use bgp_core::wire::MacAddress;
/// use bgp_core::wire::nlri::evpn::{EthernetSegment, EvpnLabel, EvpnRoute};
///
/// let route = EvpnRoute::MacIp {
///     distinguisher: RouteDistinguisher([0, 1, 10, 0, 0, 1, 0, 7]),
///     segment: EthernetSegment::default(),
///     tag: 0,
///     mac: MacAddress([0, 0, 0x5e, 0, 0x53, 1]),
///     address: Some("10.0.0.9".parse()?),
///     label: EvpnLabel([0, 0, 100]),
///     second_label: None,
/// };
/// assert_eq!(route.to_string(), "[2]:[0]:[48]:[00:00:5e:00:53:01]:[32]:[10.0.0.9] rd 10.0.0.1:7 vni 100");
/// let mut octets = Vec::new();
/// route.encode(&mut octets);
/// assert_eq!(octets.len(), 2 + 37);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EvpnRoute<'a> {
    /// Type 1: a segment that the sender is connected to, per Ethernet tag or, with all tags, for the segment.
    AutoDiscovery {
        /// The VPN's route distinguisher.
        distinguisher: RouteDistinguisher,
        /// The segment.
        segment: EthernetSegment,
        /// The Ethernet tag; `u32::MAX` for all.
        tag: u32,
        /// Where packets for the segment belong.
        label: EvpnLabel,
    },
    /// Type 2: a host's Ethernet address, and its IP address if that is known.
    MacIp {
        /// The VPN's route distinguisher.
        distinguisher: RouteDistinguisher,
        /// The segment that the host is on.
        segment: EthernetSegment,
        /// The Ethernet tag.
        tag: u32,
        /// The host's Ethernet address.
        mac: MacAddress,
        /// The host's IP address.
        address: Option<IpAddr>,
        /// Where packets that are bridged belong.
        label: EvpnLabel,
        /// Where packets that are routed belong (RFC 9135 section 5).
        second_label: Option<EvpnLabel>,
    },
    /// Type 3: who wants packets for many.
    Multicast {
        /// The VPN's route distinguisher.
        distinguisher: RouteDistinguisher,
        /// The Ethernet tag.
        tag: u32,
        /// The address of the router that wants them.
        originator: IpAddr,
    },
    /// Type 4: a router connected to a segment, for electing the one that forwards.
    Segment {
        /// The VPN's route distinguisher.
        distinguisher: RouteDistinguisher,
        /// The segment.
        segment: EthernetSegment,
        /// The address of the router.
        originator: IpAddr,
    },
    /// Type 5: an IP prefix (RFC 9136). Host bits are cleared, as everywhere.
    IpPrefix {
        /// The VPN's route distinguisher.
        distinguisher: RouteDistinguisher,
        /// The segment to send packets to, if that is what the route says.
        segment: EthernetSegment,
        /// The Ethernet tag.
        tag: u32,
        /// The prefix and the way to it.
        prefix: PrefixVia,
        /// Where packets belong.
        label: EvpnLabel,
    },
    /// A type that is not known here. RFC 7606 section 5.4: no fault; those who route ignore it.
    Other {
        /// The type.
        kind: u8,
        /// What follows the length.
        octets: &'a [u8],
    },
}

impl<'a> EvpnRoute<'a> {
    /// Takes the type and the length at the front, and the route that it covers.
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<EvpnRoute<'a>, NlriError> {
        let (kind, len) = cursor.u8().zip(cursor.u8()).ok_or(NlriError::CutOff)?;
        let octets = cursor.take(len.into()).ok_or(NlriError::CutOff)?;
        Ok(EvpnRoute::new(kind, octets)?)
    }

    /// The route of this type in `octets`, which is what follows the length on the wire.
    ///
    /// # Errors
    /// If the type is known and its routes don't look like that, or there are more octets than a route can have.
    pub fn new(kind: u8, octets: &'a [u8]) -> Result<EvpnRoute<'a>, EvpnError> {
        let mut fields = Fields { cursor: Cursor::new(octets), kind, len: octets.len() };
        let route = match kind {
            1 => fields.auto_discovery()?,
            2 => fields.mac_ip()?,
            3 => fields.multicast()?,
            4 => fields.segment()?,
            5 => fields.ip_prefix()?,
            _ if octets.len() > usize::from(u8::MAX) => return Err(fields.length()),
            _ => return Ok(EvpnRoute::Other { kind, octets }),
        };
        if fields.cursor.is_empty() { Ok(route) } else { Err(fields.length()) }
    }

    /// The type.
    #[must_use]
    pub fn kind(&self) -> u8 {
        match self {
            EvpnRoute::AutoDiscovery { .. } => 1,
            EvpnRoute::MacIp { .. } => 2,
            EvpnRoute::Multicast { .. } => 3,
            EvpnRoute::Segment { .. } => 4,
            EvpnRoute::IpPrefix { .. } => 5,
            EvpnRoute::Other { kind, .. } => *kind,
        }
    }
}

/// What is left of a route of type `kind` and `len` octets.
struct Fields<'a> {
    cursor: Cursor<'a>,
    kind: u8,
    len: usize,
}

impl<'a> Fields<'a> {
    fn length(&self) -> EvpnError {
        EvpnError::Length { kind: self.kind, len: self.len }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], EvpnError> {
        self.cursor.array().ok_or(self.length())
    }

    fn octet(&mut self) -> Result<u8, EvpnError> {
        self.cursor.u8().ok_or(self.length())
    }

    fn distinguisher(&mut self) -> Result<RouteDistinguisher, EvpnError> {
        self.array().map(RouteDistinguisher)
    }

    fn ethernet_segment(&mut self) -> Result<EthernetSegment, EvpnError> {
        self.array().map(EthernetSegment)
    }

    fn tag(&mut self) -> Result<u32, EvpnError> {
        self.array().map(u32::from_be_bytes)
    }

    fn label(&mut self) -> Result<EvpnLabel, EvpnError> {
        self.array().map(EvpnLabel)
    }

    /// An IP address behind its length in bits; none if that is 0.
    fn address(&mut self) -> Result<Option<IpAddr>, EvpnError> {
        match self.octet()? {
            0 => Ok(None),
            32 => Ok(Some(IpAddr::from(self.array::<4>()?))),
            128 => Ok(Some(IpAddr::from(self.array::<16>()?))),
            bits => Err(EvpnError::Address(bits)),
        }
    }

    fn originator(&mut self) -> Result<IpAddr, EvpnError> {
        self.address()?.ok_or(EvpnError::Address(0))
    }

    fn auto_discovery(&mut self) -> Result<EvpnRoute<'a>, EvpnError> {
        Ok(EvpnRoute::AutoDiscovery {
            distinguisher: self.distinguisher()?,
            segment: self.ethernet_segment()?,
            tag: self.tag()?,
            label: self.label()?,
        })
    }

    fn mac_ip(&mut self) -> Result<EvpnRoute<'a>, EvpnError> {
        let (distinguisher, segment) = (self.distinguisher()?, self.ethernet_segment()?);
        let tag = self.tag()?;
        match self.octet()? {
            MAC_BITS => {}
            bits => return Err(EvpnError::Mac(bits)),
        }
        Ok(EvpnRoute::MacIp {
            distinguisher,
            segment,
            tag,
            mac: MacAddress(self.array()?),
            address: self.address()?,
            label: self.label()?,
            second_label: if self.cursor.is_empty() { None } else { Some(self.label()?) },
        })
    }

    fn multicast(&mut self) -> Result<EvpnRoute<'a>, EvpnError> {
        Ok(EvpnRoute::Multicast {
            distinguisher: self.distinguisher()?,
            tag: self.tag()?,
            originator: self.originator()?,
        })
    }

    fn segment(&mut self) -> Result<EvpnRoute<'a>, EvpnError> {
        Ok(EvpnRoute::Segment {
            distinguisher: self.distinguisher()?,
            segment: self.ethernet_segment()?,
            originator: self.originator()?,
        })
    }

    /// The length of the whole says which version of IP it is (RFC 9136 section 3.1).
    fn ip_prefix(&mut self) -> Result<EvpnRoute<'a>, EvpnError> {
        const WITH_V4: usize = 34;
        const WITH_V6: usize = 58;
        let (distinguisher, segment) = (self.distinguisher()?, self.ethernet_segment()?);
        let tag = self.tag()?;
        let bits = self.octet()?;
        let prefix = match self.len {
            WITH_V4 => PrefixVia::V4(
                Ipv4Prefix::new(self.array::<4>()?.into(), bits).ok_or(EvpnError::Prefix(bits))?,
                self.array::<4>()?.into(),
            ),
            WITH_V6 => PrefixVia::V6(
                Ipv6Prefix::new(self.array::<16>()?.into(), bits).ok_or(EvpnError::Prefix(bits))?,
                self.array::<16>()?.into(),
            ),
            _ => return Err(self.length()),
        };
        Ok(EvpnRoute::IpPrefix { distinguisher, segment, tag, prefix, label: self.label()? })
    }
}
