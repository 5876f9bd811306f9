//! Path attributes as owned values: for building them and for showing them.

use std::net::Ipv4Addr;

use super::aigp::{Aigp, AigpTlv};
use super::as_path::{AsPath, AsWidth, SegmentKind, push_segment};
use super::attribute::{self, RawAttribute};
use super::community::{Community, ExtendedCommunity, Ipv6ExtendedCommunity, LargeCommunity};
use super::cursor::Cursor;
use super::pmsi::PmsiTunnel;
use super::prefix_sid::{PrefixSid, PrefixSidTlv};
use super::rules;
use super::tunnel::{Tunnel, TunnelEncapsulation};
use super::{code, flag};
use crate::{Asn, ClusterId, Family, RouterId};

/// How the route came into BGP (RFC 4271 section 5.1.1); the lower is preferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Origin {
    /// From an interior protocol or by configuration.
    Igp = 0,
    /// From EGP (RFC 904).
    Egp = 1,
    /// By some other means.
    #[default]
    Incomplete = 2,
}

impl Origin {
    /// The origin numbered `code`.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Origin> {
        match code {
            0 => Some(Origin::Igp),
            1 => Some(Origin::Egp),
            2 => Some(Origin::Incomplete),
            _ => None,
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Origin::Igp => "igp",
            Origin::Egp => "egp",
            Origin::Incomplete => "incomplete",
        })
    }
}

/// A segment of an AS path (RFC 4271 section 4.3). More than 255 AS numbers are sent as several segments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AsSegment {
    /// What it means.
    pub kind: SegmentKind,
    /// Its AS numbers, the nearest first.
    pub asns: Vec<Asn>,
}

/// A path attribute with its meaning: for building blocks of attributes, and for showing them. Who only reads a block
/// does not need it: [`Attributes`](super::Attributes) looks without copying.
///
/// AS numbers are sent with four octets.
///
/// ```
/// use bgp_core::Asn;
/// use bgp_core::wire::{AsSegment, AsWidth, Attributes, Origin, PathAttribute, SegmentKind};
///
/// let path = vec![AsSegment { kind: SegmentKind::Sequence, asns: vec![Asn(64512), Asn(70000)] }];
/// let attributes = [
///     PathAttribute::Origin(Origin::Igp),
///     PathAttribute::AsPath(path),
///     PathAttribute::Communities(vec!["64512:100".parse()?, "no-export".parse()?]),
/// ];
/// let mut block = Vec::new();
/// attributes.iter().for_each(|attribute| attribute.encode(&mut block));
///
/// let view = Attributes::new(&block);
/// assert_eq!(view.as_path().to_string(), "64512 70000");
/// let read: Vec<_> = view.iter().map(|raw| PathAttribute::from_raw(&raw, AsWidth::Four)).collect();
/// assert_eq!(read, attributes);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PathAttribute {
    /// ORIGIN (RFC 4271 section 5.1.1).
    Origin(Origin),
    /// AS_PATH (RFC 4271 section 5.1.2), the nearest segment first.
    AsPath(Vec<AsSegment>),
    /// NEXT_HOP (RFC 4271 section 5.1.3).
    NextHop(Ipv4Addr),
    /// MULTI_EXIT_DISC (RFC 4271 section 5.1.4): the lower is preferred.
    MultiExitDisc(u32),
    /// LOCAL_PREF (RFC 4271 section 5.1.5): the higher is preferred.
    LocalPref(u32),
    /// ATOMIC_AGGREGATE (RFC 4271 section 5.1.6).
    AtomicAggregate,
    /// AGGREGATOR (RFC 4271 section 5.1.7).
    Aggregator {
        /// The AS that aggregated.
        asn: Asn,
        /// Its router.
        router: RouterId,
    },
    /// COMMUNITIES (RFC 1997).
    Communities(Vec<Community>),
    /// ORIGINATOR_ID (RFC 4456 section 8).
    OriginatorId(RouterId),
    /// CLUSTER_LIST, the last cluster passed first (RFC 4456 section 8).
    ClusterList(Vec<ClusterId>),
    /// MP_REACH_NLRI, next hop and destinations as on the wire: their form depends on family and session (RFC 4760
    /// section 3).
    MpReach {
        /// The family of the destinations.
        family: Family,
        /// The next hop's octets, at most 255.
        next_hop: Vec<u8>,
        /// The destinations' octets.
        nlri: Vec<u8>,
    },
    /// MP_UNREACH_NLRI, destinations as on the wire (RFC 4760 section 4).
    MpUnreach {
        /// The family of the destinations.
        family: Family,
        /// The destinations' octets.
        nlri: Vec<u8>,
    },
    /// EXTENDED COMMUNITIES (RFC 4360 section 2).
    ExtendedCommunities(Vec<ExtendedCommunity>),
    /// AS4_PATH: what AS_PATH would be with four-octet AS numbers (RFC 6793 section 3).
    As4Path(Vec<AsSegment>),
    /// AS4_AGGREGATOR: the same for AGGREGATOR (RFC 6793 section 3).
    As4Aggregator {
        /// The AS that aggregated.
        asn: Asn,
        /// Its router.
        router: RouterId,
    },
    /// PMSI Tunnel (RFC 6514 section 5).
    PmsiTunnel(PmsiTunnel<'static>),
    /// Tunnel Encapsulation (RFC 9012 section 2).
    TunnelEncapsulation(Vec<Tunnel>),
    /// IPv6 Address Specific Extended Communities (RFC 5701 section 2).
    Ipv6ExtendedCommunities(Vec<Ipv6ExtendedCommunity>),
    /// AIGP (RFC 7311 section 3).
    Aigp(Vec<AigpTlv<'static>>),
    /// LARGE_COMMUNITY (RFC 8092 section 3).
    LargeCommunities(Vec<LargeCommunity>),
    /// Only to Customer: the AS that first sent the route down or across (RFC 9234 section 5).
    OnlyToCustomer(Asn),
    /// BGP Prefix-SID (RFC 8669 section 3).
    PrefixSid(Vec<PrefixSidTlv<'static>>),
    /// Any other, or one whose value can't be read.
    Unknown {
        /// Its flags, the one for the extended length left out.
        flags: u8,
        /// Its type code.
        code: u8,
        /// Its value.
        value: Vec<u8>,
    },
}

impl PathAttribute {
    /// The type code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            PathAttribute::Origin(_) => code::ORIGIN,
            PathAttribute::AsPath(_) => code::AS_PATH,
            PathAttribute::NextHop(_) => code::NEXT_HOP,
            PathAttribute::MultiExitDisc(_) => code::MULTI_EXIT_DISC,
            PathAttribute::LocalPref(_) => code::LOCAL_PREF,
            PathAttribute::AtomicAggregate => code::ATOMIC_AGGREGATE,
            PathAttribute::Aggregator { .. } => code::AGGREGATOR,
            PathAttribute::Communities(_) => code::COMMUNITIES,
            PathAttribute::OriginatorId(_) => code::ORIGINATOR_ID,
            PathAttribute::ClusterList(_) => code::CLUSTER_LIST,
            PathAttribute::MpReach { .. } => code::MP_REACH_NLRI,
            PathAttribute::MpUnreach { .. } => code::MP_UNREACH_NLRI,
            PathAttribute::ExtendedCommunities(_) => code::EXTENDED_COMMUNITIES,
            PathAttribute::As4Path(_) => code::AS4_PATH,
            PathAttribute::As4Aggregator { .. } => code::AS4_AGGREGATOR,
            PathAttribute::PmsiTunnel(_) => code::PMSI_TUNNEL,
            PathAttribute::TunnelEncapsulation(_) => code::TUNNEL_ENCAPSULATION,
            PathAttribute::Ipv6ExtendedCommunities(_) => code::IPV6_EXTENDED_COMMUNITIES,
            PathAttribute::Aigp(_) => code::AIGP,
            PathAttribute::LargeCommunities(_) => code::LARGE_COMMUNITY,
            PathAttribute::OnlyToCustomer(_) => code::ONLY_TO_CUSTOMER,
            PathAttribute::PrefixSid(_) => code::PREFIX_SID,
            PathAttribute::Unknown { code, .. } => *code,
        }
    }

    /// Appends it with its header: flags as its RFC gives them, Partial clear. The length takes two octets only where
    /// it must; a value over 65535 octets is cut off.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let flags = match self {
            PathAttribute::Unknown { flags, .. } => *flags,
            known => rules::rule(known.code()).map_or(0, |rule| rule.class.flags()),
        };
        attribute::push_with(out, flags, self.code(), |out| self.encode_value(out));
    }

    fn encode_value(&self, out: &mut Vec<u8>) {
        match self {
            PathAttribute::Origin(origin) => out.push(*origin as u8),
            PathAttribute::AsPath(segments) | PathAttribute::As4Path(segments) => {
                segments.iter().for_each(|s| push_segment(out, s.kind, &s.asns));
            }
            PathAttribute::NextHop(address) => out.extend(address.octets()),
            PathAttribute::MultiExitDisc(n)
            | PathAttribute::LocalPref(n)
            | PathAttribute::OriginatorId(RouterId(n))
            | PathAttribute::OnlyToCustomer(Asn(n)) => out.extend(n.to_be_bytes()),
            PathAttribute::AtomicAggregate => {}
            PathAttribute::Aggregator { asn, router } | PathAttribute::As4Aggregator { asn, router } => {
                out.extend(asn.0.to_be_bytes());
                out.extend(router.0.to_be_bytes());
            }
            PathAttribute::Communities(list) => push_all(out, list.iter().map(|c| c.0.to_be_bytes())),
            PathAttribute::ClusterList(list) => push_all(out, list.iter().map(|c| c.0.to_be_bytes())),
            PathAttribute::ExtendedCommunities(list) => push_all(out, list.iter().map(|c| c.0)),
            PathAttribute::Ipv6ExtendedCommunities(list) => push_all(out, list.iter().map(|c| c.0)),
            PathAttribute::PmsiTunnel(tunnel) => tunnel.encode(out),
            PathAttribute::TunnelEncapsulation(list) => list.iter().for_each(|tunnel| tunnel.encode(out)),
            PathAttribute::Aigp(list) => list.iter().for_each(|tlv| tlv.encode(out)),
            PathAttribute::PrefixSid(list) => list.iter().for_each(|tlv| tlv.encode(out)),
            PathAttribute::LargeCommunities(list) => {
                let numbers = list.iter().flat_map(|c| [c.global, c.local1, c.local2]);
                push_all(out, numbers.map(u32::to_be_bytes));
            }
            PathAttribute::MpReach { family, next_hop, nlri } => {
                push_family(out, *family);
                out.push(u8::try_from(next_hop.len()).unwrap_or(u8::MAX));
                out.extend(next_hop.iter().take(usize::from(u8::MAX)));
                out.push(0);
                out.extend_from_slice(nlri);
            }
            PathAttribute::MpUnreach { family, nlri } => {
                push_family(out, *family);
                out.extend_from_slice(nlri);
            }
            PathAttribute::Unknown { value, .. } => out.extend_from_slice(value),
        }
    }

    /// The attribute's meaning, its AS numbers as wide as `width`. One whose value does not have the form of its
    /// type comes back as [`PathAttribute::Unknown`].
    #[must_use]
    pub fn from_raw(raw: &RawAttribute<'_>, width: AsWidth) -> PathAttribute {
        known(raw, width).unwrap_or_else(|| PathAttribute::Unknown {
            flags: raw.flags & !flag::EXTENDED_LENGTH,
            code: raw.code,
            value: raw.value.to_vec(),
        })
    }
}

/// Not `extend` with the octets of all, which would look at each octet for itself.
fn push_all<const N: usize>(out: &mut Vec<u8>, items: impl Iterator<Item = [u8; N]>) {
    items.for_each(|octets| out.extend_from_slice(&octets));
}

fn push_family(out: &mut Vec<u8>, family: Family) {
    out.extend(family.afi.to_be_bytes());
    out.push(family.safi);
}

/// The typed form of an attribute whose value is well-formed.
fn known(raw: &RawAttribute<'_>, width: AsWidth) -> Option<PathAttribute> {
    let mut cursor = Cursor::new(raw.value);
    let attribute = match raw.code {
        code::ORIGIN => PathAttribute::Origin(Origin::from_code(cursor.u8()?)?),
        code::AS_PATH => PathAttribute::AsPath(segments(&mut cursor, width)?),
        code::NEXT_HOP => PathAttribute::NextHop(cursor.u32()?.into()),
        code::MULTI_EXIT_DISC => PathAttribute::MultiExitDisc(cursor.u32()?),
        code::LOCAL_PREF => PathAttribute::LocalPref(cursor.u32()?),
        code::ATOMIC_AGGREGATE => PathAttribute::AtomicAggregate,
        code::AGGREGATOR => {
            PathAttribute::Aggregator { asn: asn(&mut cursor, width)?, router: router(&mut cursor)? }
        }
        code::COMMUNITIES => {
            PathAttribute::Communities(list(&mut cursor, |c| Community(u32::from_be_bytes(c))))
        }
        code::ORIGINATOR_ID => PathAttribute::OriginatorId(router(&mut cursor)?),
        code::CLUSTER_LIST => {
            PathAttribute::ClusterList(list(&mut cursor, |c| ClusterId(u32::from_be_bytes(c))))
        }
        code::MP_REACH_NLRI => mp_reach(&mut cursor)?,
        code::MP_UNREACH_NLRI => {
            PathAttribute::MpUnreach { family: family(&mut cursor)?, nlri: rest(&mut cursor) }
        }
        code::EXTENDED_COMMUNITIES => {
            PathAttribute::ExtendedCommunities(list(&mut cursor, ExtendedCommunity))
        }
        code::AS4_PATH => PathAttribute::As4Path(segments(&mut cursor, AsWidth::Four)?),
        code::AS4_AGGREGATOR => PathAttribute::As4Aggregator {
            asn: asn(&mut cursor, AsWidth::Four)?,
            router: router(&mut cursor)?,
        },
        code::PMSI_TUNNEL => PathAttribute::PmsiTunnel(PmsiTunnel::new(all(&mut cursor)?)?.into_owned()),
        code::TUNNEL_ENCAPSULATION => tunnel_encapsulation(all(&mut cursor)?)?,
        code::IPV6_EXTENDED_COMMUNITIES => {
            PathAttribute::Ipv6ExtendedCommunities(list(&mut cursor, Ipv6ExtendedCommunity))
        }
        code::AIGP => aigp(all(&mut cursor)?)?,
        code::ONLY_TO_CUSTOMER => PathAttribute::OnlyToCustomer(asn(&mut cursor, AsWidth::Four)?),
        code::PREFIX_SID => prefix_sid(all(&mut cursor)?)?,
        code::LARGE_COMMUNITY => {
            PathAttribute::LargeCommunities(list(&mut cursor, LargeCommunity::from_octets))
        }
        _ => return None,
    };
    cursor.is_empty().then_some(attribute)
}

fn asn(cursor: &mut Cursor<'_>, width: AsWidth) -> Option<Asn> {
    match width {
        AsWidth::Four => cursor.u32().map(Asn),
        AsWidth::Two => cursor.u16().map(u32::from).map(Asn),
    }
}

fn router(cursor: &mut Cursor<'_>) -> Option<RouterId> {
    cursor.u32().map(RouterId)
}

fn family(cursor: &mut Cursor<'_>) -> Option<Family> {
    Some(Family { afi: cursor.u16()?, safi: cursor.u8()? })
}

fn all<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    cursor.take(cursor.len())
}

fn rest(cursor: &mut Cursor<'_>) -> Vec<u8> {
    all(cursor).unwrap_or_default().to_vec()
}

fn list<const N: usize, T>(cursor: &mut Cursor<'_>, item: impl Fn([u8; N]) -> T) -> Vec<T> {
    std::iter::from_fn(|| cursor.array().map(&item)).collect()
}

fn segments(cursor: &mut Cursor<'_>, width: AsWidth) -> Option<Vec<AsSegment>> {
    let path = AsPath::parse(all(cursor)?, width).ok()?;
    Some(path.segments().map(|s| AsSegment { kind: s.kind, asns: s.asns().collect() }).collect())
}

fn mp_reach(cursor: &mut Cursor<'_>) -> Option<PathAttribute> {
    let family = family(cursor)?;
    let next_hop_len = cursor.u8()?;
    let next_hop = cursor.take(usize::from(next_hop_len))?.to_vec();
    let _reserved = cursor.u8()?;
    Some(PathAttribute::MpReach { family, next_hop, nlri: rest(cursor) })
}

fn tunnel_encapsulation(value: &[u8]) -> Option<PathAttribute> {
    TunnelEncapsulation::check(value).ok()?;
    let tunnels = TunnelEncapsulation::new(value).tunnels().map(|tunnel| tunnel.to_owned());
    Some(PathAttribute::TunnelEncapsulation(tunnels.collect()))
}

fn aigp(value: &[u8]) -> Option<PathAttribute> {
    Aigp::check(value).ok()?;
    Some(PathAttribute::Aigp(Aigp::new(value).tlvs().map(AigpTlv::into_owned).collect()))
}

fn prefix_sid(value: &[u8]) -> Option<PathAttribute> {
    PrefixSid::check(value).ok()?;
    Some(PathAttribute::PrefixSid(PrefixSid::new(value).tlvs().map(PrefixSidTlv::into_owned).collect()))
}
