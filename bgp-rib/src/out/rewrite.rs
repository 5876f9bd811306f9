//! The attributes of a route as one group is sent them.

use std::net::Ipv4Addr;
use std::ops::Range;

use bgp_core::wire::{Attributes, code};
use bgp_core::{Asn, ClusterId, RouterId};

use super::as_path;
use super::export::{AsRules, Border, TargetKind};
use crate::block::{OPTIONAL, OPTIONAL_TRANSITIVE, WELL_KNOWN, flags, put};
use crate::fault::{Fault, planted};
use crate::peer::SourceKind;

/// What a route without LOCAL_PREF gets on its way to iBGP peers.
const DEFAULT_LOCAL_PREF: u32 = 100;

/// How the attributes of one source's routes change towards one group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rewrite {
    pub(crate) target: TargetKind,
    pub(crate) source: SourceKind,
    /// ORIGINATOR_ID for a reflected route that has none: the source's BGP Identifier.
    pub(crate) originator: RouterId,
    /// CLUSTER_LIST gets this in front when a route is reflected.
    pub(crate) cluster_id: Option<ClusterId>,
    pub(crate) local_as: Asn,
    pub(crate) as_rules: AsRules,
    /// NEXT_HOP, for IPv4 routes; those of IPv6 carry it in MP_REACH_NLRI.
    pub(crate) next_hop: Option<Ipv4Addr>,
    pub(crate) four_octet_as: bool,
    /// ONLY_TO_CUSTOMER is added to routes that lack it (RFC 9234 section 5).
    pub(crate) only_to_customer: bool,
    /// MULTI_EXIT_DISC goes to eBGP peers too: a filter has set it.
    pub(crate) keeps_med: bool,
}

impl Rewrite {
    fn leaves_as(&self) -> bool {
        Border::to(self.target) == Border::As
    }

    /// From one iBGP peer to another (RFC 4456).
    fn reflects(&self) -> bool {
        Border::to(self.target) == Border::None
            && matches!(self.source, SourceKind::Internal | SourceKind::Client)
    }

    /// Whether an attribute of the source's block has a successor in what goes out.
    fn keeps(&self, attribute: u8) -> bool {
        match attribute {
            code::NEXT_HOP | code::MP_REACH_NLRI | code::MP_UNREACH_NLRI => false,
            code::AS4_PATH | code::AS4_AGGREGATOR => false,
            code::LOCAL_PREF => !self.leaves_as(),
            // RFC 7311 section 3.3, RFC 9012 section 11, RFC 8669 section 5: not across the AS's border by default.
            code::AIGP | code::TUNNEL_ENCAPSULATION | code::PREFIX_SID => !self.leaves_as(),
            // One that came from another AS stays in ours (RFC 4271 section 5.1.4).
            code::MULTI_EXIT_DISC => !self.leaves_as() || self.source == SourceKind::Local || self.keeps_med,
            code::ORIGINATOR_ID | code::CLUSTER_LIST => self.reflects(),
            _ => true,
        }
    }

    /// The attributes that may go out although the source's block does not have them.
    fn adds(&self) -> impl Iterator<Item = u8> {
        let reflects = self.reflects();
        [
            (code::ORIGIN, true),
            (code::AS_PATH, true),
            (code::NEXT_HOP, self.next_hop.is_some()),
            (code::LOCAL_PREF, !self.leaves_as()),
            (code::ORIGINATOR_ID, reflects),
            (code::CLUSTER_LIST, reflects && self.cluster_id.is_some()),
            (code::AS4_PATH, !self.four_octet_as),
            (code::ONLY_TO_CUSTOMER, self.only_to_customer),
        ]
        .into_iter()
        .filter_map(|(code, added)| added.then_some(code))
    }
}

/// Where an attribute lies in the source's block; an empty range if it is not there.
#[derive(Clone, Debug)]
struct Piece {
    code: u8,
    whole: Range<usize>,
    value_len: usize,
}

/// Rewrites attribute blocks; its buffers are used again and again.
#[derive(Debug, Default)]
pub(crate) struct Rewriter {
    pieces: Vec<Piece>,
    path: Vec<u8>,
    value: Vec<u8>,
}

impl Rewriter {
    /// Appends to `out` the attributes of the canonical `block` as they go out, in the order of their codes.
    pub(crate) fn rewrite(&mut self, rule: &Rewrite, block: &[u8], out: &mut Vec<u8>) {
        let mut pieces = std::mem::take(&mut self.pieces);
        pieces.clear();
        let mut at = 0;
        for attribute in Attributes::new(block).iter() {
            let whole = at..at + attribute.whole.len();
            at = whole.end;
            if rule.keeps(attribute.code) {
                let value_len = attribute.value.len();
                if attribute.code == code::AGGREGATOR && !rule.four_octet_as {
                    pieces.push(Piece { code: code::AS4_AGGREGATOR, whole: whole.clone(), value_len });
                }
                pieces.push(Piece { code: attribute.code, whole, value_len });
            }
        }
        for code in rule.adds() {
            if !pieces.iter().any(|piece| piece.code == code) {
                pieces.push(Piece { code, whole: 0..0, value_len: 0 });
            }
        }
        pieces.sort_unstable_by_key(|piece| piece.code);
        for piece in &pieces {
            let whole = block.get(piece.whole.clone()).unwrap_or_default();
            let value = whole.get(whole.len() - piece.value_len..).unwrap_or_default();
            self.write(rule, piece.code, whole, value, out);
        }
        self.pieces = pieces;
    }

    /// Writes one attribute; `whole` is empty if the source's block does not have it.
    fn write(&mut self, rule: &Rewrite, attribute: u8, whole: &[u8], value: &[u8], out: &mut Vec<u8>) {
        match attribute {
            code::AS_PATH => self.write_as_path(rule, value, out),
            code::NEXT_HOP => {
                let next_hop = rule.next_hop.unwrap_or(Ipv4Addr::UNSPECIFIED);
                put(out, WELL_KNOWN, attribute, &next_hop.octets());
            }
            code::AGGREGATOR if !rule.four_octet_as => {
                if let Some((number, address)) = value.split_first_chunk::<4>() {
                    self.value.clear();
                    self.value.extend_from_slice(&as_path::narrow_number(*number));
                    self.value.extend_from_slice(address);
                    put(out, flags(whole), attribute, &self.value);
                }
            }
            // What a two-octet peer cannot see of the path and the aggregator (RFC 6793 section 4.2.2).
            code::AS4_PATH => {
                if as_path::is_wide(&self.path) {
                    self.value.clear();
                    as_path::as4_path(&self.path, &mut self.value);
                    put(out, OPTIONAL_TRANSITIVE, attribute, &self.value);
                }
            }
            code::AS4_AGGREGATOR => {
                if !value.starts_with(&[0, 0]) {
                    put(out, OPTIONAL_TRANSITIVE, attribute, value);
                }
            }
            code::CLUSTER_LIST => {
                self.value.clear();
                let own = rule.cluster_id.filter(|_| !planted(Fault::ClusterListNotPrepended));
                self.value.extend(own.iter().flat_map(|id| id.0.to_be_bytes()));
                self.value.extend_from_slice(value);
                put(out, OPTIONAL, attribute, &self.value);
            }
            code::EXTENDED_COMMUNITIES if rule.leaves_as() && rule.source != SourceKind::Local => {
                self.write_transitive_communities::<8>(attribute, flags(whole), value, out);
            }
            code::IPV6_EXTENDED_COMMUNITIES if rule.leaves_as() && rule.source != SourceKind::Local => {
                self.write_transitive_communities::<20>(attribute, flags(whole), value, out);
            }
            code::ORIGIN if whole.is_empty() => put(out, WELL_KNOWN, attribute, &[0]),
            code::LOCAL_PREF if whole.is_empty() => {
                put(out, WELL_KNOWN, attribute, &DEFAULT_LOCAL_PREF.to_be_bytes());
            }
            code::ONLY_TO_CUSTOMER if whole.is_empty() => {
                let us = rule.as_rules.session_as.unwrap_or(rule.local_as);
                put(out, OPTIONAL_TRANSITIVE, attribute, &us.0.to_be_bytes());
            }
            code::ORIGINATOR_ID if whole.is_empty() => {
                put(out, OPTIONAL, attribute, &rule.originator.0.to_be_bytes());
            }
            _ => out.extend_from_slice(whole),
        }
    }

    /// Writes AS_PATH; leaves in `self.path` the path with four-octet numbers.
    fn write_as_path(&mut self, rule: &Rewrite, value: &[u8], out: &mut Vec<u8>) {
        self.path.clear();
        match Border::to(rule.target) {
            Border::As if !planted(Fault::AsPathNotPrepended) => {
                as_path::leave(value, rule.local_as, &rule.as_rules, &mut self.value, &mut self.path);
            }
            Border::Member if !planted(Fault::MemberAsNotPrepended) => {
                as_path::prepend_member(value, rule.local_as, &mut self.path)
            }
            Border::As | Border::Member | Border::None => self.path.extend_from_slice(value),
        }
        if rule.four_octet_as {
            put(out, WELL_KNOWN, code::AS_PATH, &self.path);
        } else {
            self.value.clear();
            as_path::narrow(&self.path, &mut self.value);
            put(out, WELL_KNOWN, code::AS_PATH, &self.value);
        }
    }

    /// Extended communities of `N` octets. Those that are not transitive stay in the AS (RFC 4360 section 6, RFC 5701
    /// section 2).
    fn write_transitive_communities<const N: usize>(
        &mut self,
        attribute: u8,
        flags: u8,
        value: &[u8],
        out: &mut Vec<u8>,
    ) {
        const NON_TRANSITIVE: u8 = 0x40;
        self.value.clear();
        let (communities, _) = value.as_chunks::<N>();
        for community in communities {
            if community.first().is_some_and(|kind| kind & NON_TRANSITIVE == 0) {
                self.value.extend_from_slice(community);
            }
        }
        if !self.value.is_empty() {
            put(out, flags, attribute, &self.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &[u8] = &[0x40, 1, 1, 2];
    const PATH: &[u8] = &[0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9];
    const OWN_PATH: &[u8] = &[0x40, 2, 10, 2, 2, 0, 0, 0xfc, 0, 0, 0, 0xfd, 0xe9];
    const NEXT_HOP: &[u8] = &[0x40, 3, 4, 10, 0, 0, 1];
    const MED: &[u8] = &[0x80, 4, 4, 0, 0, 0, 7];
    const PREF_200: &[u8] = &[0x40, 5, 4, 0, 0, 0, 200];
    const PREF_100: &[u8] = &[0x40, 5, 4, 0, 0, 0, 100];
    const COMMUNITY: &[u8] = &[0xc0, 8, 4, 0, 1, 0, 2];
    const ORIGINATOR: &[u8] = &[0x80, 9, 4, 9, 9, 9, 9];
    const NEW_ORIGINATOR: &[u8] = &[0x80, 9, 4, 5, 5, 5, 5];
    const CLUSTERS: &[u8] = &[0x80, 10, 4, 1, 1, 1, 1];
    const NEW_CLUSTERS: &[u8] = &[0x80, 10, 4, 7, 7, 7, 7];
    const MORE_CLUSTERS: &[u8] = &[0x80, 10, 8, 7, 7, 7, 7, 1, 1, 1, 1];
    const UNKNOWN: &[u8] = &[0xe0, 200, 2, 0xab, 0xcd];

    fn rule(source: SourceKind, target: TargetKind) -> Rewrite {
        Rewrite {
            target,
            source,
            originator: RouterId(0x0505_0505),
            cluster_id: Some(ClusterId(0x0707_0707)),
            local_as: Asn(64512),
            as_rules: AsRules::default(),
            next_hop: Some(Ipv4Addr::new(10, 0, 0, 1)),
            four_octet_as: true,
            only_to_customer: false,
            keeps_med: false,
        }
    }

    fn rewritten(rule: &Rewrite, parts: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        Rewriter::default().rewrite(rule, &parts.concat(), &mut out);
        out
    }

    fn check(source: SourceKind, target: TargetKind, received: &[&[u8]], sent: &[&[u8]]) {
        assert_eq!(rewritten(&rule(source, target), received), sent.concat(), "{source:?} to {target:?}");
    }

    #[test]
    fn routes_go_to_ebgp_with_our_as_and_without_what_is_internal() {
        let received: &[&[u8]] = &[
            UNKNOWN,
            COMMUNITY,
            PREF_200,
            MED,
            ORIGIN,
            ORIGINATOR,
            CLUSTERS,
            &[0x40, 3, 4, 8, 8, 8, 8],
            PATH,
        ];
        for source in [SourceKind::External, SourceKind::Internal, SourceKind::Client] {
            check(source, TargetKind::External, received, &[ORIGIN, OWN_PATH, NEXT_HOP, COMMUNITY, UNKNOWN]);
        }
        let with_med: &[&[u8]] = &[ORIGIN, OWN_PATH, NEXT_HOP, MED, COMMUNITY, UNKNOWN];
        check(SourceKind::Local, TargetKind::External, received, with_med);
    }

    #[test]
    fn a_med_that_a_filter_has_set_goes_to_ebgp_peers() {
        let rule = Rewrite { keeps_med: true, ..rule(SourceKind::External, TargetKind::External) };
        let sent = [ORIGIN, OWN_PATH, NEXT_HOP, MED].concat();
        assert_eq!(rewritten(&rule, &[ORIGIN, PATH, MED]), sent);
    }

    #[test]
    fn a_route_is_marked_as_only_for_customers_once() {
        let rule = Rewrite { only_to_customer: true, ..rule(SourceKind::External, TargetKind::External) };
        let ours: &[u8] = &[0xc0, 35, 4, 0, 0, 0xfc, 0];
        let theirs: &[u8] = &[0xe0, 35, 4, 0, 0, 0, 9];
        for (received, sent) in [(&[][..], ours), (theirs, theirs)] {
            let expected = [ORIGIN, OWN_PATH, NEXT_HOP, sent, UNKNOWN].concat();
            assert_eq!(rewritten(&rule, &[ORIGIN, PATH, received, UNKNOWN]), expected);
        }
    }

    #[test]
    fn what_belongs_to_one_administration_is_reflected_but_does_not_go_to_ebgp() {
        let aigp: &[u8] = &[0x80, 26, 11, 1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 9];
        let tunnels: &[u8] = &[0xc0, 23, 4, 0, 7, 0, 0];
        let prefix_sid: &[u8] = &[0xc0, 40, 10, 1, 0, 7, 0, 0, 0, 0, 0, 0, 1];
        let received = [ORIGIN, PATH, tunnels, aigp, prefix_sid];
        check(SourceKind::Internal, TargetKind::External, &received, &[ORIGIN, OWN_PATH, NEXT_HOP]);
        let sent =
            [ORIGIN, PATH, NEXT_HOP, PREF_100, NEW_ORIGINATOR, NEW_CLUSTERS, tunnels, aigp, prefix_sid];
        check(SourceKind::Client, TargetKind::Internal, &received, &sent);
    }

    #[test]
    fn ebgp_and_local_routes_go_to_ibgp_with_local_pref_and_without_reflection() {
        for source in [SourceKind::External, SourceKind::Local] {
            for target in [TargetKind::Internal, TargetKind::Client] {
                check(source, target, &[PATH, MED, ORIGIN], &[ORIGIN, PATH, NEXT_HOP, MED, PREF_100]);
            }
        }
        check(
            SourceKind::Local,
            TargetKind::Client,
            &[ORIGIN, PATH, PREF_200],
            &[ORIGIN, PATH, NEXT_HOP, PREF_200],
        );
    }

    #[test]
    fn reflected_routes_carry_originator_and_clusters() {
        let pairs = [
            (SourceKind::Client, TargetKind::Client),
            (SourceKind::Client, TargetKind::Internal),
            (SourceKind::Internal, TargetKind::Client),
        ];
        for (source, target) in pairs {
            let first: &[&[u8]] =
                &[ORIGIN, PATH, NEXT_HOP, MED, PREF_200, NEW_ORIGINATOR, NEW_CLUSTERS, UNKNOWN];
            check(source, target, &[ORIGIN, PATH, UNKNOWN, MED, PREF_200], first);
            let again: &[&[u8]] = &[ORIGIN, PATH, NEXT_HOP, PREF_100, ORIGINATOR, MORE_CLUSTERS];
            check(source, target, &[CLUSTERS, ORIGINATOR, PATH, ORIGIN], again);
        }
    }

    #[test]
    fn between_member_ases_only_the_path_changes_and_reflection_stays_behind() {
        let in_path: &[u8] = &[0x40, 2, 12, 3, 1, 0, 0, 0xfc, 0, 2, 1, 0, 0, 0xfd, 0xe9];
        let own_only: &[u8] = &[0xc0, 16, 8, 0x40, 4, 0, 1, 0, 0, 0, 9];
        let received = [ORIGIN, PATH, MED, PREF_200, ORIGINATOR, CLUSTERS, own_only, UNKNOWN];
        let sent = [ORIGIN, in_path, NEXT_HOP, MED, PREF_200, own_only, UNKNOWN];
        for source in [SourceKind::Client, SourceKind::Internal, SourceKind::External] {
            check(source, TargetKind::Confederation, &received, &sent);
        }
        let confederation = SourceKind::Confederation;
        let on = [ORIGIN, PATH, NEXT_HOP, PREF_200];
        check(confederation, TargetKind::Client, &[ORIGIN, PATH, PREF_200, ORIGINATOR], &on);
        let out: &[&[u8]] = &[ORIGIN, OWN_PATH, NEXT_HOP];
        check(confederation, TargetKind::External, &[ORIGIN, in_path, PREF_200], out);
    }

    #[test]
    fn a_local_route_needs_no_attributes_of_its_own() {
        let empty_path: &[u8] = &[0x40, 2, 0];
        let igp: &[u8] = &[0x40, 1, 1, 0];
        check(SourceKind::Local, TargetKind::Client, &[], &[igp, empty_path, NEXT_HOP, PREF_100]);
        let own: &[u8] = &[0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0];
        check(SourceKind::Local, TargetKind::External, &[], &[igp, own, NEXT_HOP]);
    }

    #[test]
    fn an_ipv6_route_has_no_next_hop_attribute() {
        let rule = Rewrite { next_hop: None, ..rule(SourceKind::Client, TargetKind::External) };
        assert_eq!(rewritten(&rule, &[ORIGIN, PATH, NEXT_HOP]), [ORIGIN, OWN_PATH].concat());
    }

    #[test]
    fn a_two_octet_peer_gets_as_trans_and_the_wide_numbers_beside() {
        let rule = Rewrite { four_octet_as: false, ..rule(SourceKind::Client, TargetKind::Client) };
        let wide_path: &[u8] = &[0x40, 2, 10, 2, 2, 0, 0, 0xfd, 0xe9, 0, 1, 0, 0];
        let wide_aggregator: &[u8] = &[0xe0, 7, 8, 0, 1, 0, 0, 3, 3, 3, 3];
        let sent: &[&[u8]] = &[
            ORIGIN,
            &[0x40, 2, 6, 2, 2, 0xfd, 0xe9, 0x5b, 0xa0],
            NEXT_HOP,
            PREF_200,
            &[0xe0, 7, 6, 0x5b, 0xa0, 3, 3, 3, 3],
            NEW_ORIGINATOR,
            NEW_CLUSTERS,
            &[0xc0, 17, 10, 2, 2, 0, 0, 0xfd, 0xe9, 0, 1, 0, 0],
            &[0xc0, 18, 8, 0, 1, 0, 0, 3, 3, 3, 3],
            UNKNOWN,
        ];
        assert_eq!(rewritten(&rule, &[ORIGIN, wide_path, wide_aggregator, PREF_200, UNKNOWN]), sent.concat());
    }

    #[test]
    fn a_two_octet_peer_gets_nothing_beside_numbers_that_fit() {
        let rule = Rewrite { four_octet_as: false, ..rule(SourceKind::External, TargetKind::External) };
        let aggregator: &[u8] = &[0xc0, 7, 8, 0, 0, 0xfd, 0xe9, 3, 3, 3, 3];
        let sent: &[&[u8]] = &[
            ORIGIN,
            &[0x40, 2, 6, 2, 2, 0xfc, 0, 0xfd, 0xe9],
            NEXT_HOP,
            &[0xc0, 7, 6, 0xfd, 0xe9, 3, 3, 3, 3],
        ];
        assert_eq!(rewritten(&rule, &[ORIGIN, PATH, aggregator]), sent.concat());
    }

    #[test]
    fn a_path_that_grows_over_255_octets_gets_an_extended_length() {
        let mut path = vec![0x40, 2, 254, 2, 63];
        path.extend([0, 0, 0xfd, 0xe9].repeat(63));
        let out = rewritten(&rule(SourceKind::External, TargetKind::External), &[ORIGIN, &path]);
        assert_eq!(out[4..14], [0x50, 2, 1, 2, 2, 64, 0, 0, 0xfc, 0]);
        assert_eq!(out.len(), 4 + 4 + 258 + NEXT_HOP.len());
    }

    #[test]
    fn extended_communities_that_are_not_transitive_stay_in_the_as() {
        let transitive = [0, 2, 0, 1, 0, 0, 0, 1];
        let own_only = [0x40, 4, 0, 1, 0, 0, 0, 1];
        let both = [&[0xc0, 16, 16][..], &own_only, &transitive].concat();
        let kept = [&[0xc0, 16, 8][..], &transitive].concat();
        let external: &[&[u8]] = &[ORIGIN, OWN_PATH, NEXT_HOP, &kept];
        check(SourceKind::Client, TargetKind::External, &[ORIGIN, PATH, &both], external);
        let none = [&[0xc0, 16, 8][..], &own_only].concat();
        check(SourceKind::Client, TargetKind::External, &[ORIGIN, PATH, &none], &external[..3]);
        let internal: &[&[u8]] = &[ORIGIN, PATH, NEXT_HOP, PREF_100, &both];
        check(SourceKind::External, TargetKind::Client, &[ORIGIN, PATH, &both], internal);
    }

    #[test]
    fn ipv6_extended_communities_that_are_not_transitive_stay_in_the_as() {
        let community = |kind: u8| [&[kind, 2][..], &[0; 18]].concat();
        let (transitive, own_only) = (community(0), community(0x40));
        let both = [&[0xc0, 25, 40][..], &own_only, &transitive].concat();
        let kept = [&[0xc0, 25, 20][..], &transitive].concat();
        let external: &[&[u8]] = &[ORIGIN, OWN_PATH, NEXT_HOP, &kept];
        check(SourceKind::Client, TargetKind::External, &[ORIGIN, PATH, &both], external);
        let internal: &[&[u8]] = &[ORIGIN, PATH, NEXT_HOP, PREF_100, &both];
        check(SourceKind::External, TargetKind::Client, &[ORIGIN, PATH, &both], internal);
    }
}
