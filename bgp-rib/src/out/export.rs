//! What may go out to whom, and with which next hop.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_core::wire::{Attributes, code};
use bgp_core::{Asn, ClusterId, Family, FamilySet, RouterId};

use crate::peer::SourceKind;

/// What the peers of a group are to us (RFC 4456 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKind {
    /// eBGP peers.
    External,
    /// iBGP peers that are not our clients.
    Internal,
    /// iBGP peers that we reflect for.
    Client,
}

/// Every input of the export path: peers with equal keys are sent the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupKey {
    /// What the peers are to us.
    pub kind: TargetKind,
    /// The families negotiated.
    pub families: FamilySet,
    /// Whether AS numbers are four octets wide (RFC 6793).
    pub four_octet_as: bool,
    /// The longest message in octets: 4096, or 65535 (RFC 8654).
    pub max_message_len: u32,
    /// Whether iBGP peers are sent our own address as the next hop of routes learned over eBGP.
    pub next_hop_self: bool,
    /// Our own address for IPv4 next hops.
    pub local_v4: Option<Ipv4Addr>,
    /// Our own address for IPv6 next hops.
    pub local_v6: Option<Ipv6Addr>,
    /// Whether anything may be sent at all: an eBGP peer needs an explicit policy for that (RFC 8212).
    pub export: bool,
}

/// What the export path knows of ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportContext {
    /// Our AS.
    pub local_as: Asn,
    /// Our BGP Identifier.
    pub router_id: RouterId,
    /// Our cluster, if we reflect routes (RFC 4456).
    pub cluster_id: Option<ClusterId>,
}

/// Whether a route from `source` goes to `target` (RFC 4271 section 9.2, RFC 4456 section 6).
/// `reflect`: we are a route reflector.
#[must_use]
pub fn exportable(source: SourceKind, target: TargetKind, reflect: bool) -> bool {
    use {SourceKind as S, TargetKind as T};
    match (source, target) {
        (S::Local | S::External, _) | (_, T::External) => true,
        (S::Internal, T::Internal) => false,
        (S::Client, T::Internal | T::Client) | (S::Internal, T::Client) => reflect,
    }
}

/// NO_EXPORT (RFC 1997).
const NO_EXPORT: u32 = 0xFFFF_FF01;
/// NO_ADVERTISE (RFC 1997).
const NO_ADVERTISE: u32 = 0xFFFF_FF02;
/// NO_EXPORT_SUBCONFED (RFC 1997).
const NO_EXPORT_SUBCONFED: u32 = 0xFFFF_FF03;

/// Whether the well-known communities of a canonical block let the route go to `target` (RFC 1997).
#[must_use]
pub fn communities_allow(block: &[u8], target: TargetKind) -> bool {
    let Some(communities) = Attributes::new(block).get(code::COMMUNITIES) else { return true };
    let (values, _) = communities.value.as_chunks::<4>();
    !values.iter().any(|value| match u32::from_be_bytes(*value) {
        NO_ADVERTISE => true,
        NO_EXPORT | NO_EXPORT_SUBCONFED => target == TargetKind::External,
        _ => false,
    })
}

impl GroupKey {
    /// The next hop that goes out with a route that came with `received`; `None` if our own address is needed and
    /// not known, or if `received` is of the other family.
    ///
    /// A reflector leaves the next hop alone (RFC 4456 section 10); our own address goes to eBGP peers and with our
    /// own routes (RFC 4271 section 5.1.3).
    #[must_use]
    pub fn next_hop(&self, family: Family, source: SourceKind, received: IpAddr) -> Option<IpAddr> {
        let own = match source {
            SourceKind::Local => true,
            SourceKind::External => self.kind == TargetKind::External || self.next_hop_self,
            SourceKind::Internal | SourceKind::Client => self.kind == TargetKind::External,
        };
        match family {
            Family::IPV4_UNICAST if own => self.local_v4.map(IpAddr::V4),
            Family::IPV4_UNICAST => Some(received).filter(IpAddr::is_ipv4),
            _ if own => self.local_v6.map(IpAddr::V6),
            _ => Some(received).filter(IpAddr::is_ipv6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: [SourceKind; 4] =
        [SourceKind::Local, SourceKind::External, SourceKind::Internal, SourceKind::Client];

    fn targets_of(source: SourceKind, reflect: bool) -> [bool; 3] {
        [TargetKind::External, TargetKind::Internal, TargetKind::Client]
            .map(|t| exportable(source, t, reflect))
    }

    #[test]
    fn a_reflector_keeps_only_non_client_routes_from_non_clients() {
        assert_eq!(
            SOURCES.map(|s| targets_of(s, true)),
            [[true; 3], [true; 3], [true, false, true], [true; 3]]
        );
    }

    #[test]
    fn without_reflection_no_route_goes_from_ibgp_to_ibgp() {
        let ebgp_only = [true, false, false];
        assert_eq!(SOURCES.map(|s| targets_of(s, false)), [[true; 3], [true; 3], ebgp_only, ebgp_only]);
    }

    #[test]
    fn well_known_communities_are_obeyed() {
        let allowed = |community: u32| {
            let mut block = vec![0xc0, code::COMMUNITIES, 8, 0, 1, 0, 1];
            block.extend_from_slice(&community.to_be_bytes());
            [TargetKind::External, TargetKind::Internal, TargetKind::Client]
                .map(|t| communities_allow(&block, t))
        };
        assert_eq!(allowed(NO_ADVERTISE), [false; 3]);
        assert_eq!(allowed(NO_EXPORT), [false, true, true]);
        assert_eq!(allowed(NO_EXPORT_SUBCONFED), [false, true, true]);
        assert_eq!(allowed(0x0001_0002), [true; 3]);
        assert!(communities_allow(&[], TargetKind::External));
    }

    fn key(kind: TargetKind, next_hop_self: bool) -> GroupKey {
        GroupKey {
            kind,
            families: FamilySet::EMPTY,
            four_octet_as: true,
            max_message_len: 4096,
            next_hop_self,
            local_v4: Some(Ipv4Addr::new(10, 0, 0, 1)),
            local_v6: None,
            export: true,
        }
    }

    #[test]
    fn the_next_hop_is_ours_towards_ebgp_for_our_routes_and_where_asked_for() {
        let (own, received): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "192.0.2.9".parse().unwrap());
        let next_hops = |kind, next_hop_self| {
            SOURCES.map(|s| key(kind, next_hop_self).next_hop(Family::IPV4_UNICAST, s, received).unwrap())
        };
        assert_eq!(next_hops(TargetKind::External, false), [own; 4]);
        assert_eq!(next_hops(TargetKind::Client, false), [own, received, received, received]);
        assert_eq!(next_hops(TargetKind::Internal, true), [own, own, received, received]);
    }

    #[test]
    fn without_an_own_address_of_the_family_there_is_no_own_next_hop() {
        let received: IpAddr = "2001:db8::9".parse().unwrap();
        let next_hop =
            |source| key(TargetKind::Client, false).next_hop(Family::IPV6_UNICAST, source, received);
        assert_eq!(next_hop(SourceKind::Local), None);
        assert_eq!(next_hop(SourceKind::Client), Some(received));
        let other_family =
            key(TargetKind::Client, false).next_hop(Family::IPV4_UNICAST, SourceKind::Client, received);
        assert_eq!(other_family, None);
    }
}
