//! Filters.

use std::sync::Arc;

use bgp_core::wire::{Community, Origin};
use bgp_core::{Family, FamilySet, Prefix};
use bgp_rib::filter::{Action, Change, Edit, Match, PrefixRange, Term};
use bgp_rib::{Filter, Policy, SourceKind};

use crate::random::Random;

const COMMUNITIES: [Community; 3] = [Community(0xfbf0_0001), Community(0xfbf0_0002), Community(0xffff_ff01)];

/// `prefers`: the filter may set LOCAL_PREF. Where routes enter the AS it may; elsewhere a router that is told to prefer
/// another's route to its own takes its own back by it, and there are no stable routes, or several and a long way to them.
pub(super) fn draw(prefers: bool, random: &mut Random) -> Policy {
    match random.below(8) {
        0..=3 => Policy::Accept,
        4 => Policy::Reject,
        _ => filter(prefers, random).map_or(Policy::Accept, |filter| Policy::Filter(Arc::new(filter))),
    }
}

/// The same with this change to all routes, before all else.
pub(super) fn with_first(policy: &Policy, edit: Edit) -> Policy {
    let first = Term { name: "first".to_owned(), matches: Vec::new(), edits: vec![edit], action: None };
    let (terms, otherwise) = match policy {
        Policy::Accept => (Vec::new(), Action::Accept),
        Policy::Reject => return Policy::Reject,
        Policy::Filter(filter) => (filter.terms().to_vec(), filter.otherwise()),
    };
    let terms = std::iter::once(first).chain(terms).collect();
    Filter::new("drawn", terms, otherwise)
        .map_or_else(|_| policy.clone(), |filter| Policy::Filter(Arc::new(filter)))
}

fn filter(prefers: bool, random: &mut Random) -> Option<Filter> {
    let terms = (0..1 + random.below(3)).map(|place| term(place, prefers, random)).collect();
    let otherwise = if random.one_in(4) { Action::Reject } else { Action::Accept };
    Filter::new("drawn", terms, otherwise).ok()
}

fn term(place: usize, prefers: bool, random: &mut Random) -> Term {
    let matches = (0..random.below(3)).map(|_| matches(random)).collect();
    let edits = (0..random.below(3)).map(|_| edit(prefers, random)).collect();
    let action = random.pick(None, &[Some(Action::Accept), Some(Action::Reject), None]);
    Term { name: place.to_string(), matches, edits, action }
}

fn matches(random: &mut Random) -> Match {
    match random.below(6) {
        0 | 1 => Match::Prefix(range(random).into_iter().collect()),
        2 => Match::Family(FamilySet::EMPTY.with(random.pick(Family::IPV4_UNICAST, &[Family::IPV6_UNICAST]))),
        3 => Match::Community(vec![random.pick(COMMUNITIES[0], &COMMUNITIES).into()]),
        4 => Match::Origin(vec![random.pick(Origin::Igp, &[Origin::Incomplete])]),
        _ => {
            let kinds = [SourceKind::External, SourceKind::Internal, SourceKind::Client];
            Match::Source(vec![random.pick(SourceKind::Local, &kinds)])
        }
    }
}

fn range(random: &mut Random) -> Option<PrefixRange> {
    let texts =
        ["10.244.0.0/16", "10.244.0.0/22", "10.244.0.64/26", "fd44::/16", "0.0.0.0/0", "fd44:0:0:3::/64"];
    let prefix: Prefix = random.pick(texts[0], &texts).parse().ok()?;
    let longest = if prefix.address().is_ipv4() { 32 } else { 128 };
    let ge = prefix.len() + random.below(3) as u8;
    let le = if random.one_in(2) { longest } else { ge };
    Some(PrefixRange { prefix, ge: ge.min(longest), le: le.min(longest) })
}

fn edit(prefers: bool, random: &mut Random) -> Edit {
    match random.below(4) {
        0 if prefers => Edit::LocalPref(random.pick(100, &[50, 200])),
        0 | 1 => Edit::Med(random.pick(None, &[Some(0), Some(10)])),
        2 => Edit::Communities(Change::Add(vec![random.pick(COMMUNITIES[0], &COMMUNITIES)])),
        _ => Edit::Communities(Change::Remove(vec![random.pick(COMMUNITIES[0], &COMMUNITIES).into()])),
    }
}
