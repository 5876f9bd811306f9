//! The decision process (RFC 4271 section 9.1.2, with the tie-breaks of RFC 4456 section 9).
//!
//! MULTI_EXIT_DISC only compares paths of one neighbouring AS, so it orders no list of paths by itself: of three
//! paths each may beat the next. That is why paths are ranked here and not by an `Ord`.

use std::cmp::{Ordering, Reverse};
use std::fmt;
use std::net::IpAddr;

use bgp_core::{Asn, PathId, RouterId};

use crate::fault::{Fault, planted};
use crate::path::Path;
use crate::peer::{PeerId, Peers, SourceKind};

/// LOCAL_PREF of a path that carries none.
const DEFAULT_LOCAL_PREF: u32 = 100;

/// How MULTI_EXIT_DISC is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionConfig {
    /// Compare MULTI_EXIT_DISC of paths from different neighbouring ASes too.
    pub always_compare_med: bool,
    /// Group paths by neighbouring AS first, so that their order of arrival makes no difference. Without it, a new
    /// path is compared with one path after the other, best first.
    pub deterministic_med: bool,
    /// Paths through different neighbouring ASes share the load too, if their AS paths are equally long.
    pub multipath_relax: bool,
}

impl Default for DecisionConfig {
    fn default() -> DecisionConfig {
        DecisionConfig { always_compare_med: false, deterministic_med: true, multipath_relax: false }
    }
}

/// What decides between two paths, in the order in which it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The next hop cannot be reached.
    NextHopUnreachable,
    /// Long-lived stale, here or at somebody before us (RFC 9494 section 4.4).
    LongLivedStale,
    /// Higher LOCAL_PREF.
    LocalPref,
    /// Originated here.
    LocalOrigin,
    /// Shorter AS_PATH.
    AsPathLength,
    /// Lower ORIGIN.
    Origin,
    /// Lower MULTI_EXIT_DISC.
    Med,
    /// Learned by eBGP.
    ExternalPeer,
    /// Lower interior cost of the next hop.
    IgpMetric,
    /// Lower BGP Identifier, or ORIGINATOR_ID instead of it (RFC 4456).
    RouterId,
    /// Shorter CLUSTER_LIST (RFC 4456).
    ClusterListLength,
    /// Lower peer address.
    PeerAddress,
    /// Lower path identifier.
    PathId,
}

impl Rule {
    /// What the losing path is told.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Rule::NextHopUnreachable => "next hop unreachable",
            Rule::LongLivedStale => "long-lived stale",
            Rule::LocalPref => "lower LOCAL_PREF",
            Rule::LocalOrigin => "not originated here",
            Rule::AsPathLength => "longer AS_PATH",
            Rule::Origin => "higher ORIGIN",
            Rule::Med => "higher MULTI_EXIT_DISC",
            Rule::ExternalPeer => "learned by iBGP, not eBGP",
            Rule::IgpMetric => "higher cost to the next hop",
            Rule::RouterId => "higher router id",
            Rule::ClusterListLength => "longer CLUSTER_LIST",
            Rule::PeerAddress => "higher peer address",
            Rule::PathId => "higher path identifier",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

/// What comes before MULTI_EXIT_DISC; less is better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Tier {
    unreachable: bool,
    least_preferred: bool,
    local_pref: Reverse<u32>,
    not_local: bool,
    as_path_len: u16,
    origin: u8,
}

/// Paths of which MULTI_EXIT_DISC is compared.
type MedGroup = Option<Asn>;

/// What comes after MULTI_EXIT_DISC; less is better, and no two paths of a destination are equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rest {
    not_external: bool,
    igp_metric: u32,
    router_id: RouterId,
    cluster_list_len: u16,
    address: Option<IpAddr>,
    path_id: PathId,
    slot: u32,
}

/// The decision process over the peers that are there now.
#[derive(Clone, Copy)]
pub struct Decision<'a> {
    config: DecisionConfig,
    peers: &'a Peers,
}

impl<'a> Decision<'a> {
    /// With these options, for paths of these peers.
    #[must_use]
    pub fn new(config: DecisionConfig, peers: &'a Peers) -> Decision<'a> {
        let always_compare_med = config.always_compare_med || planted(Fault::MedComparedAcrossAses);
        let multipath_relax = config.multipath_relax || planted(Fault::LoadSharedAcrossAses);
        let config = DecisionConfig { always_compare_med, multipath_relax, ..config };
        Decision { config, peers }
    }

    fn is_order_dependent(&self) -> bool {
        !self.config.always_compare_med && !self.config.deterministic_med
    }

    /// Adds `path` to a list that is ranked already.
    pub fn place(&self, paths: &mut Vec<Path>, path: Path) {
        if self.is_order_dependent() {
            let at = paths.iter().position(|other| self.compare(&path, other).0.is_lt());
            paths.insert(at.unwrap_or(paths.len()), path);
        } else if let Some(at) = self.place_of(paths, &path) {
            paths.insert(at, path);
        } else {
            paths.push(path);
            self.rank(paths);
        }
    }

    /// Where a path goes in a ranked list, if MULTI_EXIT_DISC tells it from none of its tier that it is compared with:
    /// peers may announce many paths to a destination (RFC 7911), and to rank all of them for each would be their way
    /// to keep us busy.
    fn place_of(&self, paths: &[Path], path: &Path) -> Option<usize> {
        let (tier, own_med, group) = (self.tier(path), med(path), med_group(path));
        let (mut first, mut end, mut is_sorted) = (0, 0, true);
        // All of its tier are looked at anyway. One after the other, memory is waited for once for many of them.
        for other in paths {
            match self.tier(other).cmp(&tier) {
                Ordering::Less => first += 1,
                Ordering::Equal if !self.config.always_compare_med && med(other) != own_med => {
                    if med_group(other) == group {
                        return None;
                    }
                    is_sorted = false;
                }
                Ordering::Equal => {}
                Ordering::Greater => break,
            }
            end += 1;
        }
        let equal = paths.get(first..end)?;
        let key = |path: &Path| (self.always_compared_med(path), self.rest(path));
        let new = key(path);
        let is_before = |other: &Path| key(other) < new;
        // A path of another group may come later than by what follows MULTI_EXIT_DISC, after one of its own group; then
        // so does all that is behind it (see `rank_by_med`). The new path's turn is before the first that it beats.
        let at = if is_sorted {
            equal.partition_point(is_before)
        } else {
            equal.iter().take_while(|other| is_before(other)).count()
        };
        Some(first + at)
    }

    /// Puts a list whose paths were ranked, some of which are gone, right again.
    pub fn rerank(&self, paths: &mut [Path]) {
        let is_ranked = self.config.always_compare_med || have_same_med(paths);
        if !self.is_order_dependent() && !is_ranked {
            self.rank(paths);
        }
    }

    /// Changes the paths of a ranked list that are `concerned`, and ranks them anew.
    pub(crate) fn alter(
        &self,
        paths: &mut Vec<Path>,
        concerned: impl Fn(&Path) -> bool,
        change: impl Fn(&mut Path),
    ) {
        if self.is_order_dependent() {
            let mut again: Vec<Path> = paths.extract_if(.., |path| concerned(path)).collect();
            again.iter_mut().for_each(change);
            for path in again {
                self.place(paths, path);
            }
        } else {
            paths.iter_mut().filter(|path| concerned(path)).for_each(change);
            self.rank(paths);
        }
    }

    /// Ranks the paths, best first and ineligible ones last: every path is the best of those from it on.
    pub fn rank(&self, paths: &mut [Path]) {
        if paths.len() < 2 {
            return;
        }
        paths.sort_by(|a, b| {
            let by_tier = self.tier(a).cmp(&self.tier(b));
            let by_med = || self.always_compared_med(a).cmp(&self.always_compared_med(b));
            by_tier.then_with(by_med).then_with(|| self.rest(a).cmp(&self.rest(b)))
        });
        if !self.config.always_compare_med {
            for tier in paths.chunk_by_mut(|a, b| self.tier(a) == self.tier(b)) {
                self.rank_by_med(tier);
            }
        }
    }

    /// Ranks paths that are equal up to MULTI_EXIT_DISC: again and again the best of the heads of the groups, each
    /// group ordered by MULTI_EXIT_DISC first. `paths` come ordered by what follows it.
    fn rank_by_med(&self, paths: &mut [Path]) {
        if have_same_med(paths) {
            return;
        }
        paths.sort_by_key(|path| (med_group(path), med(path)));
        let disagree =
            |pair: &[Path]| matches!(pair, [a, b] if med_group(a) == med_group(b) && med(a) != med(b));
        if !paths.windows(2).any(disagree) {
            paths.sort_by_key(|path| self.rest(path));
            return;
        }
        // A path's turn comes with the worst of those of its group that are before it, itself among them.
        let mut turns: Vec<(Rest, Path)> = Vec::with_capacity(paths.len());
        for path in paths.iter() {
            let before = turns.last().filter(|(_, other)| med_group(other) == med_group(path));
            let turn = before.map_or(self.rest(path), |(turn, _)| self.rest(path).max(*turn));
            turns.push((turn, path.clone()));
        }
        turns.sort_by_key(|(turn, _)| *turn);
        paths.iter_mut().zip(turns).for_each(|(place, (_, path))| *place = path);
    }

    /// Compares two paths as if there were no others, and says what decides; less is better.
    #[must_use]
    pub fn compare(&self, a: &Path, b: &Path) -> (Ordering, Rule) {
        let (ta, tb) = (self.tier(a), self.tier(b));
        let (ra, rb) = (self.rest(a), self.rest(b));
        let compare_med = self.config.always_compare_med || med_group(a) == med_group(b);
        let med = if compare_med { med(a).cmp(&med(b)) } else { Ordering::Equal };
        let steps = [
            (ta.unreachable.cmp(&tb.unreachable), Rule::NextHopUnreachable),
            (ta.least_preferred.cmp(&tb.least_preferred), Rule::LongLivedStale),
            (ta.local_pref.cmp(&tb.local_pref), Rule::LocalPref),
            (ta.not_local.cmp(&tb.not_local), Rule::LocalOrigin),
            (ta.as_path_len.cmp(&tb.as_path_len), Rule::AsPathLength),
            (ta.origin.cmp(&tb.origin), Rule::Origin),
            (med, Rule::Med),
            (ra.not_external.cmp(&rb.not_external), Rule::ExternalPeer),
            (ra.igp_metric.cmp(&rb.igp_metric), Rule::IgpMetric),
            (ra.router_id.cmp(&rb.router_id), Rule::RouterId),
            (ra.cluster_list_len.cmp(&rb.cluster_list_len), Rule::ClusterListLength),
            (ra.address.cmp(&rb.address), Rule::PeerAddress),
        ];
        let last = ((ra.path_id, ra.slot).cmp(&(rb.path_id, rb.slot)), Rule::PathId);
        steps.into_iter().find(|(order, _)| order.is_ne()).unwrap_or(last)
    }

    /// Why the path at `place` of a ranked list is not the best; `None` for the best, unless it is ineligible.
    #[must_use]
    pub fn explain(&self, ranked: &[Path], place: usize) -> Option<Rule> {
        let (best, path) = (ranked.first()?, ranked.get(place)?);
        if !path.is_eligible() {
            return Some(Rule::NextHopUnreachable);
        }
        if place == 0 {
            return None;
        }
        match self.compare(best, path) {
            (Ordering::Less, rule) => Some(rule),
            // It would beat the best one, had not a third path of its neighbouring AS put it out.
            _ => Some(Rule::Med),
        }
    }

    /// The best path and those as good as it, for load sharing: equal up to the interior cost, from the same
    /// neighbouring AS unless that is [relaxed](DecisionConfig::multipath_relax), each with another next hop; at most
    /// `max`. Nothing if no path is eligible.
    pub fn multipath(&self, ranked: &'a [Path], max: usize) -> impl Iterator<Item = &'a Path> {
        let decision = *self;
        let best = ranked.first().filter(|path| path.is_eligible());
        let shares = move |path: &Path| best.is_some_and(|best| decision.shares_load(best, path));
        // Beside the best path of another neighbour, a path still has to be as good as any of its own.
        let is_beaten = move |place: usize, path: &Path| {
            let mut earlier = ranked.iter().take(place).filter(|_| decision.config.multipath_relax);
            earlier.any(|other| med_group(other) == med_group(path) && med(other) < med(path))
        };
        let is_first_of_its_next_hop = move |place: usize, path: &Path| {
            let mut earlier = ranked.iter().take(place);
            !earlier.any(|other| other.attrs.next_hop() == path.attrs.next_hop() && shares(other))
        };
        let places = ranked.iter().enumerate();
        let chosen = places.filter(move |(place, path)| {
            shares(path) && !is_beaten(*place, path) && is_first_of_its_next_hop(*place, path)
        });
        chosen.map(|(_, path)| path).take(max)
    }

    fn shares_load(&self, best: &Path, path: &Path) -> bool {
        let (_, rule) = self.compare(best, path);
        let is_neighbor_alike = self.config.multipath_relax || med_group(best) == med_group(path);
        rule > Rule::IgpMetric && is_neighbor_alike
    }

    fn tier(&self, path: &Path) -> Tier {
        Tier {
            unreachable: !path.is_eligible(),
            least_preferred: path.is_least_preferred(),
            local_pref: Reverse(path.attrs.local_pref().unwrap_or(DEFAULT_LOCAL_PREF)),
            not_local: path.source() != PeerId::LOCAL,
            as_path_len: path.attrs.as_path_len(),
            origin: path.attrs.origin() as u8,
        }
    }

    fn always_compared_med(&self, path: &Path) -> u32 {
        if self.config.always_compare_med { med(path) } else { 0 }
    }

    fn rest(&self, path: &Path) -> Rest {
        let peer = self.peers.source(path.source());
        Rest {
            not_external: peer
                .is_some_and(|peer| !matches!(peer.kind, SourceKind::Local | SourceKind::External)),
            igp_metric: path.igp_metric().unwrap_or(u32::MAX),
            router_id: path.attrs.originator_id().or(peer.map(|peer| peer.router_id)).unwrap_or_default(),
            cluster_list_len: path.attrs.cluster_list_len(),
            address: peer.map(|peer| peer.address),
            path_id: path.path_id,
            slot: path.slot(),
        }
    }
}

/// A missing MULTI_EXIT_DISC counts as the lowest (RFC 4271 section 9.1.2.2 c).
fn med(path: &Path) -> u32 {
    path.attrs.med().unwrap_or(0)
}

fn have_same_med(paths: &[Path]) -> bool {
    paths.windows(2).all(|pair| matches!(pair, [a, b] if med(a) == med(b)))
}

/// `None`: a path from within our AS.
fn med_group(path: &Path) -> MedGroup {
    path.attrs.neighbor_as()
}

#[cfg(test)]
pub(crate) mod tests;
