use bgp_core::PathId;
use bgp_core::wire::{Origin, Summary};
use proptest::prelude::*;

use super::*;
use crate::next_hop::NextHopId;
use crate::testing::{any_summary, path, peers};
use crate::{AttributeStore, Path};

type Identity = (PeerId, PathId);

fn identities(paths: &[Path]) -> Vec<Identity> {
    paths.iter().map(|path| (path.source(), path.path_id)).collect()
}

/// Keeps the paths that are least by `key`.
fn keep_least<K: Ord>(paths: &mut Vec<Path>, key: impl Fn(&Path) -> K) {
    let least = paths.iter().map(&key).min();
    paths.retain(|path| Some(key(path)) == least);
}

/// The best path as RFC 4271 section 9.1.2 words it: step by step, paths are removed from consideration.
fn naive_best(config: DecisionConfig, peers: &Peers, mut paths: Vec<Path>) -> Option<Path> {
    let peer = |path: &Path| peers.source(path.source()).unwrap().clone();
    let summary = |path: &Path| path.attrs.summary();
    keep_least(&mut paths, |path| !path.is_eligible());
    keep_least(&mut paths, |path| path.is_long_lived() || summary(path).llgr_stale);
    keep_least(&mut paths, |path| Reverse(summary(path).local_pref.unwrap_or(100)));
    keep_least(&mut paths, |path| path.source() != PeerId::LOCAL);
    keep_least(&mut paths, |path| summary(path).as_path_len);
    keep_least(&mut paths, |path| summary(path).origin as u8);
    let all = paths.clone();
    paths.retain(|path| {
        let med = summary(path).med.unwrap_or(0);
        !all.iter().any(|other| {
            let same_as = summary(other).neighbor_as == summary(path).neighbor_as;
            (config.always_compare_med || same_as) && summary(other).med.unwrap_or(0) < med
        })
    });
    keep_least(&mut paths, |path| !matches!(peer(path).kind, SourceKind::External | SourceKind::Local));
    keep_least(&mut paths, |path| path.igp_metric());
    keep_least(&mut paths, |path| summary(path).originator_id.unwrap_or(peer(path).router_id));
    keep_least(&mut paths, |path| summary(path).cluster_list_len);
    keep_least(&mut paths, |path| peer(path).address);
    keep_least(&mut paths, |path| path.path_id);
    paths.pop()
}

pub(crate) fn naive_rank(config: DecisionConfig, peers: &Peers, mut paths: Vec<Path>) -> Vec<Path> {
    let mut ranked = Vec::new();
    while let Some(best) = naive_best(config, peers, paths.clone()) {
        paths.retain(|path| !path.is_from(best.source(), best.path_id));
        ranked.push(best);
    }
    ranked
}

/// Paths of different sources and identifiers.
fn any_paths() -> impl Strategy<Value = Vec<Path>> {
    let one = (
        (0..6_u32, 0..2_u32, proptest::bool::weighted(0.1)),
        any_summary(),
        0..3_u8,
        proptest::option::weighted(0.9, 0..3_u32),
    );
    proptest::collection::vec(one, 0..9).prop_map(|list| {
        let store = AttributeStore::new(1);
        let mut paths: Vec<Path> = Vec::new();
        for ((slot, id, long_lived), summary, hop, metric) in list {
            let mut new = path(&store, slot, hop, summary).with_next_hop(NextHopId::ASSUMED, metric);
            new.path_id = PathId(id);
            if long_lived {
                new.mark_long_lived();
            }
            if !paths.iter().any(|other| other.is_from(new.source(), new.path_id)) {
                paths.push(new);
            }
        }
        paths
    })
}

proptest! {
    #[test]
    fn ranking_agrees_with_the_words_of_the_rfc(paths in any_paths(), always in any::<bool>()) {
        let peers = peers(6);
        let config = DecisionConfig { always_compare_med: always, ..DecisionConfig::default() };
        let mut ranked = paths.clone();
        Decision::new(config, &peers).rank(&mut ranked);
        prop_assert_eq!(identities(&ranked), identities(&naive_rank(config, &peers, paths)));
    }

    #[test]
    fn the_order_of_arrival_makes_no_difference(
        (paths, shuffled) in any_paths().prop_flat_map(|p| (Just(p.clone()), Just(p).prop_shuffle())),
        always in any::<bool>(),
    ) {
        let peers = peers(6);
        let config = DecisionConfig { always_compare_med: always, deterministic_med: !always, ..DecisionConfig::default() };
        let decision = Decision::new(config, &peers);
        let ranked = naive_rank(config, &peers, paths.clone());
        for arrivals in [paths, shuffled] {
            let mut list = Vec::new();
            arrivals.into_iter().for_each(|path| decision.place(&mut list, path));
            prop_assert_eq!(identities(&list), identities(&ranked));
        }
    }

    #[test]
    fn every_loser_is_told_a_rule_and_the_best_is_not(paths in any_paths()) {
        let peers = peers(6);
        let decision = Decision::new(DecisionConfig::default(), &peers);
        let mut ranked = paths;
        decision.rank(&mut ranked);
        for (place, path) in ranked.iter().enumerate() {
            let rule = decision.explain(&ranked, place);
            prop_assert_eq!(rule.is_none(), place == 0 && path.is_eligible());
        }
    }

    #[test]
    fn paths_that_share_load_differ_only_where_ties_are_broken(paths in any_paths(), max in 0..5_usize) {
        let peers = peers(6);
        let decision = Decision::new(DecisionConfig::default(), &peers);
        let mut ranked = paths;
        decision.rank(&mut ranked);
        let shared: Vec<&Path> = decision.multipath(&ranked, max).collect();
        prop_assert!(shared.len() <= max);
        for (place, path) in shared.iter().enumerate() {
            prop_assert!(path.is_eligible());
            prop_assert_eq!(path.igp_metric(), shared[0].igp_metric());
            let (a, b) = (path.attrs.summary(), shared[0].attrs.summary());
            prop_assert_eq!((a.as_path_len, a.origin, a.neighbor_as), (b.as_path_len, b.origin, b.neighbor_as));
            let earlier = &shared[..place];
            prop_assert!(earlier.iter().all(|other| other.attrs.next_hop() != path.attrs.next_hop()));
        }
        let eligible = ranked.first().is_some_and(Path::is_eligible);
        prop_assert_eq!(shared.is_empty(), max == 0 || !eligible);
    }
}

fn summary(neighbor: u32, med: u32) -> Summary {
    Summary { as_path_len: 1, neighbor_as: Some(Asn(neighbor)), med: Some(med), ..Summary::default() }
}

/// By router id 3 beats 2 and 2 beats 1; 1 beats 3 by MED.
fn med_circle(store: &AttributeStore) -> [Path; 3] {
    let with_id = |id, summary| Summary { originator_id: Some(RouterId(id)), ..summary };
    [
        path(store, 5, 1, with_id(3, summary(1, 10))),
        path(store, 6, 2, with_id(2, summary(2, 0))),
        path(store, 7, 3, with_id(1, summary(1, 20))),
    ]
}

#[test]
fn a_circle_of_meds_is_broken_by_grouping() {
    let (store, peers) = (AttributeStore::new(1), peers(7));
    let decision = Decision::new(DecisionConfig::default(), &peers);
    let mut ranked = med_circle(&store).to_vec();
    decision.rank(&mut ranked);
    assert_eq!(ranked.iter().map(|path| path.slot()).collect::<Vec<_>>(), [6, 5, 7]);
    assert_eq!(decision.explain(&ranked, 1), Some(Rule::RouterId));
    assert_eq!(decision.explain(&ranked, 2), Some(Rule::Med));
}

#[test]
fn without_deterministic_med_the_last_of_a_circle_may_win() {
    let (store, peers) = (AttributeStore::new(1), peers(7));
    let config = DecisionConfig { deterministic_med: false, ..DecisionConfig::default() };
    let decision = Decision::new(config, &peers);
    let best_after = |order: [usize; 3]| {
        let circle = med_circle(&store);
        let mut ranked = Vec::new();
        order.iter().for_each(|at| decision.place(&mut ranked, circle[*at].clone()));
        ranked[0].slot()
    };
    assert_eq!(best_after([0, 1, 2]), 7);
    assert_eq!(best_after([1, 2, 0]), 5);
}

#[test]
fn each_rule_decides_when_all_before_it_are_equal() {
    let (store, peers) = (AttributeStore::new(1), peers(7));
    let decision = Decision::new(DecisionConfig::default(), &peers);
    let base =
        Summary { origin: Origin::Igp, neighbor_as: Some(Asn(1)), as_path_len: 2, ..Summary::default() };
    let at = |slot, summary| path(&store, slot, 1, summary);
    let metric = |metric| at(5, base).with_next_hop(NextHopId::ASSUMED, metric);
    let from =
        |id: u32, clusters| Summary { originator_id: Some(RouterId(id)), cluster_list_len: clusters, ..base };
    let mut second = at(5, base);
    second.path_id = PathId(2);
    let mut kept = at(5, Summary { local_pref: Some(101), ..base });
    kept.mark_long_lived();
    let table = [
        (metric(Some(9)), metric(None), Rule::NextHopUnreachable),
        (kept.clone(), metric(None), Rule::NextHopUnreachable),
        (at(5, base), kept, Rule::LongLivedStale),
        (at(5, base), at(5, Summary { llgr_stale: true, ..base }), Rule::LongLivedStale),
        (at(5, Summary { local_pref: Some(101), ..base }), at(5, base), Rule::LocalPref),
        (at(0, base), at(5, Summary { as_path_len: 0, ..base }), Rule::LocalOrigin),
        (at(5, Summary { as_path_len: 1, ..base }), at(5, base), Rule::AsPathLength),
        (at(5, base), at(5, Summary { origin: Origin::Egp, ..base }), Rule::Origin),
        (at(5, base), at(5, Summary { med: Some(1), ..base }), Rule::Med),
        (at(1, base), at(5, base), Rule::ExternalPeer),
        (metric(Some(1)), metric(Some(2)), Rule::IgpMetric),
        (at(6, base), at(5, base), Rule::RouterId),
        (at(5, from(7, 1)), at(6, from(7, 2)), Rule::ClusterListLength),
        (at(5, from(7, 1)), at(6, from(7, 1)), Rule::PeerAddress),
        (at(5, base), second, Rule::PathId),
    ];
    for (better, worse, rule) in table {
        assert_eq!(decision.compare(&better, &worse), (Ordering::Less, rule), "{rule}");
        assert_eq!(decision.compare(&worse, &better), (Ordering::Greater, rule), "{rule}");
    }
}

/// What shares the load of paths with these neighbouring ASes and MEDs, by neighbour.
fn sharing(relax: bool, paths: &[(u32, u32)]) -> Vec<u32> {
    let (peers, store) = (peers(6), AttributeStore::new(1));
    let config = DecisionConfig { multipath_relax: relax, ..DecisionConfig::default() };
    let decision = Decision::new(config, &peers);
    let with = |(slot, (neighbor, metric)): (usize, &(u32, u32))| {
        let (neighbor_as, med) = (Some(bgp_core::Asn(*neighbor)), Some(*metric));
        let summary = Summary { neighbor_as, med, as_path_len: 1, ..Summary::default() };
        // Sources 1 and 2 are eBGP peers.
        let slot = slot as u32 % 2 + 1;
        let mut path = path(&store, slot, paths.len() as u8 + slot as u8, summary);
        path.path_id = PathId(*neighbor);
        path.with_next_hop(NextHopId::ASSUMED, Some(0))
    };
    let mut ranked: Vec<Path> = paths.iter().enumerate().map(with).collect();
    decision.rank(&mut ranked);
    let mut shared: Vec<u32> = decision.multipath(&ranked, 8).map(|path| path.path_id.0).collect();
    shared.sort_unstable();
    shared
}

#[test]
fn neighbours_of_different_ases_share_the_load_only_when_asked_to() {
    assert_eq!(sharing(false, &[(65001, 0), (65002, 0)]).len(), 1);
    assert_eq!(sharing(true, &[(65001, 0), (65002, 0)]), [65001, 65002]);
    assert_eq!(sharing(true, &[(65001, 0), (65002, 7)]), [65001, 65002], "their MEDs are not comparable");
}
