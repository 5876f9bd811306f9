//! What a term asks of a route.

use std::fmt;
use std::ops::RangeInclusive;

use bgp_core::wire::{Attributes, Origin};
use bgp_core::{FamilySet, Prefix};

use super::as_path::AsPathPattern;
use super::communities::{CommunityPattern, ExtendedCommunityPattern, LargeCommunityPattern};
use super::prefixes::PrefixList;
use crate::attributes::AttributeSet;
use crate::peer::SourceKind;

/// A route as a filter sees it: as it came, whatever terms before have changed.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    /// The destination.
    pub prefix: Prefix,
    /// The attributes.
    pub attrs: &'a AttributeSet,
    /// What it came from.
    pub source: SourceKind,
}

/// A condition on a route. Of the things listed in one, any will do; an empty list matches nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// The destination is one of these.
    Prefix(PrefixList),
    /// It is of one of these families.
    Family(FamilySet),
    /// It carries a community (RFC 1997) of one of these.
    Community(Vec<CommunityPattern>),
    /// It carries an extended community (RFC 4360) of one of these.
    ExtendedCommunity(Vec<ExtendedCommunityPattern>),
    /// It carries a large community (RFC 8092) of one of these.
    LargeCommunity(Vec<LargeCommunityPattern>),
    /// Its AS path is one of these.
    AsPath(Vec<AsPathPattern>),
    /// Its AS path has so many hops: a set counts as one, a confederation's segment as none.
    AsPathLength(RangeInclusive<u16>),
    /// Its next hop is inside one of these.
    NextHop(Vec<Prefix>),
    /// Its ORIGIN is one of these.
    Origin(Vec<Origin>),
    /// What it came from is one of these.
    Source(Vec<SourceKind>),
    /// It has a LOCAL_PREF in this range.
    LocalPref(RangeInclusive<u32>),
    /// It has a MULTI_EXIT_DISC in this range.
    Med(RangeInclusive<u32>),
}

impl Match {
    /// Whether the route fulfils the condition. Allocates nothing.
    #[must_use]
    pub fn matches(&self, route: &Route<'_>) -> bool {
        let Route { prefix, attrs, source } = route;
        let block = Attributes::new(attrs.block());
        match self {
            Match::Prefix(list) => list.contains(*prefix),
            Match::Family(families) => families.contains(prefix.family()),
            Match::Community(patterns) => block.communities().any(|c| patterns.iter().any(|p| p.matches(c))),
            Match::ExtendedCommunity(patterns) => {
                block.extended_communities().any(|c| patterns.iter().any(|p| p.matches(c)))
            }
            Match::LargeCommunity(patterns) => {
                block.large_communities().any(|c| patterns.iter().any(|p| p.matches(c)))
            }
            Match::AsPath(patterns) => {
                let path = block.as_path();
                patterns.iter().any(|pattern| pattern.matches(path))
            }
            Match::AsPathLength(range) => range.contains(&attrs.summary().as_path_len),
            Match::NextHop(prefixes) => {
                let address = attrs.next_hop();
                let host = Prefix::new(address, if address.is_ipv4() { 32 } else { 128 });
                host.is_some_and(|host| prefixes.iter().any(|prefix| prefix.covers(&host)))
            }
            Match::Origin(origins) => origins.contains(&attrs.summary().origin),
            Match::Source(sources) => sources.contains(source),
            Match::LocalPref(range) => attrs.summary().local_pref.is_some_and(|value| range.contains(&value)),
            Match::Med(range) => attrs.summary().med.is_some_and(|value| range.contains(&value)),
        }
    }
}

impl fmt::Display for Match {
    /// `prefix 10.0.0.0/8 le 24, 10.9.0.0/16`; of a long list only the beginning.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Match::Prefix(list) => show(f, "prefix", list.ranges()),
            Match::Family(families) => show(f, "family", &families.iter().collect::<Vec<_>>()),
            Match::Community(patterns) => show(f, "community", patterns),
            Match::ExtendedCommunity(patterns) => show(f, "extended community", patterns),
            Match::LargeCommunity(patterns) => show(f, "large community", patterns),
            Match::AsPath(patterns) => show(f, "AS path", patterns),
            Match::AsPathLength(range) => write!(f, "AS path length {}-{}", range.start(), range.end()),
            Match::NextHop(prefixes) => show(f, "next hop", prefixes),
            Match::Origin(origins) => show(f, "origin", origins),
            Match::Source(sources) => show(f, "source", sources),
            Match::LocalPref(range) => write!(f, "local preference {}-{}", range.start(), range.end()),
            Match::Med(range) => write!(f, "MED {}-{}", range.start(), range.end()),
        }
    }
}

/// The things of a list that are shown.
const SHOWN: usize = 4;

/// A name and the beginning of a list.
pub(super) fn show<T: fmt::Display>(f: &mut fmt::Formatter<'_>, name: &str, list: &[T]) -> fmt::Result {
    f.write_str(name)?;
    for (place, thing) in list.iter().take(SHOWN).enumerate() {
        write!(f, "{} {thing}", if place == 0 { "" } else { "," })?;
    }
    match list.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}
