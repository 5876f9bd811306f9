//! What may go out to whom, and with which next hop.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;

use bgp_core::wire::capability::Role;
use bgp_core::wire::{Attributes, code};
use bgp_core::{Asn, ClusterId, Family, FamilySet, RouterId, link_local};

use crate::attributes::{AttributeSet, NextHopMark};
use crate::decision::DecisionConfig;
use crate::fault::{Fault, planted};
use crate::filter::Policy;
use crate::peer::SourceKind;

/// What the peers of a group are to us (RFC 4456 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKind {
    /// eBGP peers.
    External,
    /// Peers in another member AS of our confederation (RFC 5065).
    Confederation,
    /// iBGP peers that are not our clients.
    Internal,
    /// iBGP peers that we reflect for.
    Client,
}

/// Which paths to a destination go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Advertise {
    /// The best one.
    #[default]
    Best,
    /// The best of those that may go to these peers: a route of ours from outside the AS stays known inside although
    /// another router's is better.
    BestExternal,
    /// The best one and those that share the load with it. With ADD-PATH only.
    Ecmp,
    /// The best of those that may go, so many at most. With ADD-PATH only.
    Count(NonZeroU16),
    /// All. With ADD-PATH only.
    All,
}

/// The next hop that goes out with routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NextHopRule {
    /// Our own address to eBGP peers and with routes of our own, else as received (RFC 4271 section 5.1.3, RFC 4456
    /// section 10).
    #[default]
    Auto,
    /// Our own address also with routes learned over eBGP that go to iBGP peers.
    OwnForExternal,
    /// Our own address with every route.
    Own,
    /// As received, to eBGP peers too; our own only with routes of our own.
    Unchanged,
    /// These addresses; a family without one as with [`NextHopRule::Auto`].
    Set {
        /// With IPv4 routes.
        v4: Option<Ipv4Addr>,
        /// With IPv6 routes.
        v6: Option<Ipv6Addr>,
    },
}

/// Every input of the export path: peers with equal keys are sent the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupKey {
    /// What the peers are to us.
    pub kind: TargetKind,
    /// The families negotiated.
    pub families: FamilySet,
    /// Whether AS numbers are four octets wide (RFC 6793).
    pub four_octet_as: bool,
    /// The longest message in octets: 4096, or 65535 (RFC 8654).
    pub max_message_len: u32,
    /// The next hop that goes out.
    pub next_hop: NextHopRule,
    /// Our own address for IPv4 next hops.
    pub local_v4: Option<Ipv4Addr>,
    /// Our own address for IPv6 next hops.
    pub local_v6: Option<Ipv6Addr>,
    /// IPv4 routes may have IPv6 next hops (RFC 8950): our own for want of an IPv4 address, and others' as received.
    pub extended_next_hop: bool,
    /// What may be sent, and how it is changed: an eBGP peer needs an explicit policy for that (RFC 8212).
    pub export: Policy,
    /// Which paths go out.
    pub advertise: Advertise,
    /// The families in which the peers take several paths to a destination (RFC 7911).
    pub add_path: FamilySet,
    /// The families in which the peers know of long-lived stale routes (RFC 9494).
    pub long_lived: FamilySet,
    /// What we are to eBGP peers (RFC 9234): routes that are only for customers go to no others.
    pub role: Option<Role>,
    /// We are about to go: routes are sent with GRACEFUL_SHUTDOWN (RFC 8326), and with LOCAL_PREF 0 to iBGP peers.
    pub draining: bool,
    /// How the AS path changes.
    pub as_rules: AsRules,
}

/// What a route passes on its way to a peer; it decides what becomes of most attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Border {
    /// None: the peer is in our AS.
    None,
    /// That of a member AS (RFC 5065 section 4): our own AS is told, all else stays as it is.
    Member,
    /// That of the AS, or of the whole confederation.
    As,
}

impl Border {
    pub(crate) fn to(target: TargetKind) -> Border {
        match target {
            TargetKind::External => Border::As,
            TargetKind::Confederation => Border::Member,
            TargetKind::Internal | TargetKind::Client => Border::None,
        }
    }
}

/// How the AS path changes on its way to eBGP peers, beside the AS that is put in front.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AsRules {
    /// The AS that the peers know us by, and that is put in front, if it is not our own: that of our confederation
    /// (RFC 5065), or a former one (RFC 7705).
    pub session_as: Option<Asn>,
    /// The AS that stands on the path behind that one, if it is another: our own, or that of our confederation.
    pub shown: Option<Asn>,
    /// The peers' AS: wherever it is on the path ours takes its place, so that they do not take the route for a loop.
    pub overridden: Option<Asn>,
    /// What becomes of private AS numbers (RFC 6996).
    pub private: Option<PrivateAs>,
}

/// What becomes of private AS numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PrivateAs {
    /// They are replaced by ours, so that the path is as long as before; else they are taken out.
    pub replace: bool,
    /// One that stays: the peers' own, by which they see a loop.
    pub spared: Asn,
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

/// Which paths share the load to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadSharing {
    /// How MULTI_EXIT_DISC is treated.
    pub decision: DecisionConfig,
    /// How many at most.
    pub max: usize,
}

impl Default for LoadSharing {
    /// None but the best.
    fn default() -> LoadSharing {
        LoadSharing { decision: DecisionConfig::default(), max: 1 }
    }
}

/// Whether a route from `source` goes to `target` (RFC 4271 section 9.2, RFC 4456 section 6).
/// `reflect`: we are a route reflector.
#[must_use]
pub fn exportable(source: SourceKind, target: TargetKind, reflect: bool) -> bool {
    use {SourceKind as S, TargetKind as T};
    match (source, target) {
        (S::Local | S::External | S::Confederation, _) | (_, T::External | T::Confederation) => true,
        (S::Internal, T::Internal) => reflect && planted(Fault::ReflectedBetweenNonClients),
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
        _ if planted(Fault::NoExportIgnored) => false,
        NO_EXPORT => target == TargetKind::External,
        NO_EXPORT_SUBCONFED => matches!(target, TargetKind::External | TargetKind::Confederation),
        _ => false,
    })
}

impl GroupKey {
    /// A group of peers that are sent the best path of everything, in messages of 4096 octets; our own addresses are
    /// not known.
    #[must_use]
    pub fn new(kind: TargetKind, families: FamilySet) -> GroupKey {
        GroupKey {
            kind,
            families,
            four_octet_as: true,
            max_message_len: 4096,
            next_hop: NextHopRule::Auto,
            local_v4: None,
            local_v6: None,
            extended_next_hop: false,
            export: Policy::Accept,
            advertise: Advertise::Best,
            add_path: FamilySet::EMPTY,
            long_lived: FamilySet::EMPTY,
            role: None,
            draining: false,
            as_rules: AsRules::default(),
        }
    }

    /// Whether a live session may go from this group to the one with the other key: what it has negotiated is the same.
    #[must_use]
    pub fn is_same_session(&self, other: &GroupKey) -> bool {
        let agreed = |key: &GroupKey| {
            (key.families, key.four_octet_as, key.max_message_len, key.add_path, key.extended_next_hop)
        };
        agreed(self) == agreed(other) && self.border() == other.border()
    }

    fn border(&self) -> Border {
        Border::to(self.kind)
    }

    /// The AS that stands for us on the path: of those that the peers are told, the first.
    #[must_use]
    pub fn own_as(&self, local_as: Asn) -> Asn {
        self.as_rules.session_as.unwrap_or(local_as)
    }

    /// Whether the groups of both keys, of one session, write a route from `source` alike that both send with the same
    /// attributes. A client is written to like any iBGP peer. `export`, `long_lived` and `draining` decide which
    /// attributes those are, and `advertise` which routes are sent.
    #[must_use]
    pub fn writes_like(
        &self,
        other: &GroupKey,
        family: Family,
        source: SourceKind,
        attrs: &AttributeSet,
    ) -> bool {
        let next_hop = |key: &GroupKey| key.next_hop_of(family, source, attrs);
        self.border() == other.border()
            && self.as_rules == other.as_rules
            && self.role == other.role
            && next_hop(self) == next_hop(other)
    }

    /// Whether what goes out in a family depends on other paths than the best.
    #[must_use]
    pub fn looks_beyond_best(&self, family: Family) -> bool {
        match self.advertise {
            Advertise::Best => false,
            Advertise::BestExternal => true,
            Advertise::Ecmp | Advertise::Count(_) | Advertise::All => self.add_path.contains(family),
        }
    }

    /// The next hop that goes out with a route that came with `received`; `None` if our own address is needed and
    /// not known, or if `received` is of the other family and the peers do not take that.
    ///
    /// A reflector leaves the next hop alone (RFC 4456 section 10); our own address goes to eBGP peers and with our
    /// own routes (RFC 4271 section 5.1.3), and with those whose next hop is a neighbour on a link of ours, which means
    /// nothing elsewhere.
    #[must_use]
    pub fn next_hop(&self, family: Family, source: SourceKind, received: IpAddr) -> Option<IpAddr> {
        let set = match (self.next_hop, family) {
            (NextHopRule::Set { v4, .. }, Family::IPV4_UNICAST) => v4.map(IpAddr::V4),
            (NextHopRule::Set { v6, .. }, _) => v6.map(IpAddr::V6),
            _ => None,
        };
        if set.is_some() {
            return set;
        }
        let own = match (source, self.next_hop) {
            (SourceKind::Local, _) | (_, NextHopRule::Own) => true,
            _ if link_local::link(received).is_some() => true,
            (_, NextHopRule::Unchanged) => false,
            (SourceKind::External, NextHopRule::OwnForExternal) => true,
            _ => self.kind == TargetKind::External && !planted(Fault::NextHopNotOurs),
        };
        if own { self.own_address(family) } else { self.passed_on(family, received) }
    }

    /// The next hop that goes out with these attributes: as a filter has decided, else as [`GroupKey::next_hop`] says.
    #[must_use]
    pub fn next_hop_of(&self, family: Family, source: SourceKind, attrs: &AttributeSet) -> Option<IpAddr> {
        let is_on_link = link_local::link(attrs.next_hop()).is_some();
        match attrs.marks().next_hop() {
            NextHopMark::ByRule => self.next_hop(family, source, attrs.next_hop()),
            NextHopMark::Unchanged if source != SourceKind::Local && !is_on_link => {
                self.passed_on(family, attrs.next_hop())
            }
            NextHopMark::Own | NextHopMark::Unchanged => self.own_address(family),
            NextHopMark::Set => self.passed_on(family, attrs.next_hop()),
        }
    }

    fn own_address(&self, family: Family) -> Option<IpAddr> {
        let v6 = self.local_v6.map(IpAddr::V6);
        match family {
            Family::IPV4_UNICAST => {
                self.local_v4.map(IpAddr::V4).or_else(|| v6.filter(|_| self.extended_next_hop))
            }
            _ => v6,
        }
    }

    /// Another's address as a next hop, if routes of the family may have it.
    fn passed_on(&self, family: Family, address: IpAddr) -> Option<IpAddr> {
        let is_v4 = family == Family::IPV4_UNICAST;
        (address.is_ipv4() == is_v4 || is_v4 && self.extended_next_hop).then_some(address)
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

    fn key(kind: TargetKind, next_hop: NextHopRule) -> GroupKey {
        let local_v4 = Some(Ipv4Addr::new(10, 0, 0, 1));
        GroupKey { next_hop, local_v4, ..GroupKey::new(kind, FamilySet::EMPTY) }
    }

    #[test]
    fn the_next_hop_is_ours_towards_ebgp_for_our_routes_and_where_asked_for() {
        let (own, received): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "192.0.2.9".parse().unwrap());
        let next_hops = |kind, rule| {
            SOURCES.map(|s| key(kind, rule).next_hop(Family::IPV4_UNICAST, s, received).unwrap())
        };
        assert_eq!(next_hops(TargetKind::External, NextHopRule::Auto), [own; 4]);
        assert_eq!(next_hops(TargetKind::Client, NextHopRule::Auto), [own, received, received, received]);
        let for_external = next_hops(TargetKind::Internal, NextHopRule::OwnForExternal);
        assert_eq!(for_external, [own, own, received, received]);
        assert_eq!(next_hops(TargetKind::Client, NextHopRule::Own), [own; 4]);
        let unchanged = next_hops(TargetKind::External, NextHopRule::Unchanged);
        assert_eq!(unchanged, [own, received, received, received]);
        let other = Ipv4Addr::new(10, 9, 9, 9);
        let set = NextHopRule::Set { v4: Some(other), v6: None };
        assert_eq!(next_hops(TargetKind::External, set), [IpAddr::V4(other); 4]);
    }

    #[test]
    fn an_ipv4_route_has_an_ipv6_next_hop_only_where_that_was_agreed() {
        let (own, other): (Ipv6Addr, IpAddr) = ("fe80::5".parse().unwrap(), "2001:db8::9".parse().unwrap());
        let plain = GroupKey { local_v6: Some(own), ..GroupKey::new(TargetKind::Internal, FamilySet::EMPTY) };
        let agreed = GroupKey { extended_next_hop: true, ..plain.clone() };
        let next_hop = |key: &GroupKey, source| key.next_hop(Family::IPV4_UNICAST, source, other);
        for source in [SourceKind::Local, SourceKind::External] {
            assert_eq!(next_hop(&plain, source), None);
        }
        assert_eq!(next_hop(&agreed, SourceKind::Local), Some(own.into()));
        assert_eq!(next_hop(&agreed, SourceKind::External), Some(other));
        let v4 = Ipv4Addr::new(10, 0, 0, 1);
        let both = GroupKey { local_v4: Some(v4), ..agreed };
        assert_eq!(next_hop(&both, SourceKind::Local), Some(v4.into()));
        assert!(!both.is_same_session(&plain));
    }

    #[test]
    fn a_neighbor_on_a_link_is_nobodys_next_hop_beyond_it() {
        let near: Ipv6Addr = "fe80::9".parse().unwrap();
        let on_link: IpAddr = link_local::on(near, 3.try_into().ok()).into();
        let own: Ipv6Addr = "2001:db8::1".parse().unwrap();
        for rule in [NextHopRule::Auto, NextHopRule::Unchanged] {
            let key = GroupKey { local_v6: Some(own), ..key(TargetKind::Client, rule) };
            let v6 = key.next_hop(Family::IPV6_UNICAST, SourceKind::External, on_link);
            assert_eq!(v6, Some(own.into()));
            let v4 = key.next_hop(Family::IPV4_UNICAST, SourceKind::External, on_link);
            assert_eq!(v4, key.local_v4.map(IpAddr::V4));
            let unknown = key.next_hop(Family::IPV6_UNICAST, SourceKind::External, near.into());
            assert_eq!(unknown, Some(near.into()), "off the data path nobody knows better");
        }
    }

    #[test]
    fn without_an_own_address_of_the_family_there_is_no_own_next_hop() {
        let received: IpAddr = "2001:db8::9".parse().unwrap();
        let next_hop = |source| {
            key(TargetKind::Client, NextHopRule::Auto).next_hop(Family::IPV6_UNICAST, source, received)
        };
        assert_eq!(next_hop(SourceKind::Local), None);
        assert_eq!(next_hop(SourceKind::Client), Some(received));
        let other_family = key(TargetKind::Client, NextHopRule::Auto).next_hop(
            Family::IPV4_UNICAST,
            SourceKind::Client,
            received,
        );
        assert_eq!(other_family, None);
    }
}
