//! The keys of a term that say what a route has to be like.

use std::ops::RangeInclusive;

use bgp_core::Prefix;
use bgp_core::wire::Origin;
use bgp_rib::SourceKind;
use bgp_rib::filter::Match;
use toml::Value;
use toml::de::DeValue;

use super::super::diagnostic::{Code, Report};
use super::super::section::Node;
use super::super::values::{self, Choices, FAMILIES, choice, explained, several, strings, word};
use super::term::{Key, key};

const ORIGINS: Choices<Origin> =
    &[("igp", Origin::Igp), ("egp", Origin::Egp), ("incomplete", Origin::Incomplete)];
const SOURCES: Choices<SourceKind> = &[
    ("local", SourceKind::Local),
    ("external", SourceKind::External),
    ("internal", SourceKind::Internal),
    ("confederation", SourceKind::Confederation),
    ("client", SourceKind::Client),
];

/// `prefixes` is not among them: it is read with the names of prefix lists.
pub(super) const MATCHES: &[Key<Match>] = &[
    key!("families", |node, report| {
        let families = several(node, report, |node, report| choice(node, report, FAMILIES))?;
        Some(Match::Family(families.into_iter().collect()))
    }, Match::Family(families) => strings(families.iter())),
    key!("communities", |node, report| {
        several(node, report, |n, r| explained(n, r, "a community, as in \"64512:*\"")).map(Match::Community)
    }, Match::Community(patterns) => strings(patterns)),
    key!("extended-communities", |node, report| {
        several(node, report, |n, r| explained(n, r, "an extended community, as in \"rt:64512:*\""))
            .map(Match::ExtendedCommunity)
    }, Match::ExtendedCommunity(patterns) => strings(patterns)),
    key!("large-communities", |node, report| {
        several(node, report, |n, r| explained(n, r, "a large community, as in \"64512:1:*\""))
            .map(Match::LargeCommunity)
    }, Match::LargeCommunity(patterns) => strings(patterns)),
    key!("as-path", |node, report| {
        several(node, report, |n, r| explained(n, r, "a pattern of AS numbers, as in \"^64513 .* 64999$\""))
            .map(Match::AsPath)
    }, Match::AsPath(patterns) => strings(patterns)),
    key!("as-path-length", |node, report| {
        let range = bounds(node, report, u16::MAX.into())?;
        let short = |bound: u32| u16::try_from(bound).unwrap_or(u16::MAX);
        Some(Match::AsPathLength(short(*range.start())..=short(*range.end())))
    }, Match::AsPathLength(range) => {
        shown_bounds(u32::from(*range.start())..=u32::from(*range.end()), u16::MAX.into())
    }),
    key!("next-hops", |node, report| several(node, report, next_hop).map(Match::NextHop),
        Match::NextHop(prefixes) => strings(prefixes)),
    key!("origins", |node, report| {
        several(node, report, |node, report| choice(node, report, ORIGINS)).map(Match::Origin)
    }, Match::Origin(origins) => words(ORIGINS, origins)),
    key!("sources", |node, report| {
        several(node, report, |node, report| choice(node, report, SOURCES)).map(Match::Source)
    }, Match::Source(sources) => words(SOURCES, sources)),
    key!("local-pref", |node, report| bounds(node, report, u32::MAX).map(Match::LocalPref),
        Match::LocalPref(range) => shown_bounds(range.clone(), u32::MAX)),
    key!("med", |node, report| bounds(node, report, u32::MAX).map(Match::Med),
        Match::Med(range) => shown_bounds(range.clone(), u32::MAX)),
];

fn words<T: PartialEq>(choices: Choices<T>, values: &[T]) -> Value {
    strings(values.iter().map(|value| word(choices, value)))
}

/// A prefix, or an address that stands for itself alone.
fn next_hop(node: &Node<'_>, report: &mut Report<'_>) -> Option<Prefix> {
    let host = node.get_ref().as_str().and_then(|text| text.parse::<std::net::IpAddr>().ok());
    match host {
        Some(address) => Prefix::new(address, if address.is_ipv4() { 32 } else { 128 }),
        None => values::prefix(node, report),
    }
}

/// A number, or `ge` and `le` with one each.
fn bounds(node: &Node<'_>, report: &mut Report<'_>, most: u32) -> Option<RangeInclusive<u32>> {
    const FORM: &str = "a number, or \"ge NUMBER\", \"le NUMBER\" or both";
    if matches!(node.get_ref(), DeValue::Integer(_)) {
        return values::integer(node, report, 0..=most).map(|only| only..=only);
    }
    let text = values::text(node, report, FORM)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |word: &str| word.parse().ok().filter(|number| *number <= most);
    let range = match *words.as_slice() {
        ["ge", least] => number(least).map(|least| least..=most),
        ["le", greatest] => number(greatest).map(|greatest| 0..=greatest),
        ["ge", least, "le", greatest] | ["le", greatest, "ge", least] => {
            number(least).zip(number(greatest)).map(|(least, greatest)| least..=greatest)
        }
        _ => None,
    };
    let range = range.filter(|range| !range.is_empty());
    if range.is_none() {
        report.error(Code::Value, node.span(), format!("`{text}` is no range up to {most}"), FORM);
    }
    range
}

/// A range as [`bounds`] reads it.
fn shown_bounds(range: RangeInclusive<u32>, most: u32) -> Value {
    let (least, greatest) = range.into_inner();
    match (least, greatest) {
        _ if least == greatest => Value::from(i64::from(least)),
        (0, greatest) => Value::from(format!("le {greatest}")),
        (least, greatest) if greatest == most => Value::from(format!("ge {least}")),
        _ => Value::from(format!("ge {least} le {greatest}")),
    }
}
