//! One term of a filter: a table of the keys that match, and one of the keys that change.

use std::fmt::Display;
use std::str::FromStr;

use bgp_core::Prefix;
use bgp_core::wire::Origin;
use bgp_rib::SourceKind;
use bgp_rib::filter::{Edit, Match, Term};
use toml::Value;

use super::super::diagnostic::{Code, Report};
use super::super::entries::{Entry, Shown, text};
use super::super::model::Origins;
use super::super::section::{Node, Parser, Section};
use super::super::values::{self, Choices, FAMILIES, TERM_ACTIONS, choice, word};
use super::{Names, origin, prefixes};

const ORIGINS: Choices<Origin> =
    &[("igp", Origin::Igp), ("egp", Origin::Egp), ("incomplete", Origin::Incomplete)];
const SOURCES: Choices<SourceKind> = &[
    ("local", SourceKind::Local),
    ("external", SourceKind::External),
    ("internal", SourceKind::Internal),
    ("client", SourceKind::Client),
];

/// A key of a term: how it is read, and how the same is shown again (`None`: it is another key's).
type Key<T> = (&'static str, Parser<T>, fn(&T) -> Option<Value>);

/// What a route has to be like. `prefixes` is read with the names of prefix lists.
const MATCHES: &[Key<Match>] = &[
    (
        "families",
        |node, report| Some(Match::Family(several(node, report, family)?.into_iter().collect())),
        |m| if let Match::Family(families) = m { Some(strings(families.iter())) } else { None },
    ),
    (
        "communities",
        |node, report| several(node, report, parsed).map(Match::Community),
        |m| if let Match::Community(values) = m { Some(strings(values)) } else { None },
    ),
    (
        "extended-communities",
        |node, report| several(node, report, parsed).map(Match::ExtendedCommunity),
        |m| if let Match::ExtendedCommunity(values) = m { Some(strings(values)) } else { None },
    ),
    (
        "large-communities",
        |node, report| several(node, report, parsed).map(Match::LargeCommunity),
        |m| if let Match::LargeCommunity(values) = m { Some(strings(values)) } else { None },
    ),
    (
        "next-hops",
        |node, report| several(node, report, next_hop).map(Match::NextHop),
        |m| if let Match::NextHop(values) = m { Some(strings(values)) } else { None },
    ),
    (
        "origins",
        |node, report| several(node, report, |n, r| choice(n, r, ORIGINS)).map(Match::Origin),
        |m| if let Match::Origin(values) = m { Some(words(ORIGINS, values)) } else { None },
    ),
    (
        "sources",
        |node, report| several(node, report, |n, r| choice(n, r, SOURCES)).map(Match::Source),
        |m| if let Match::Source(values) = m { Some(words(SOURCES, values)) } else { None },
    ),
];

/// How a route is changed, in the order in which it is done.
const EDITS: &[Key<Edit>] = &[
    (
        "set-local-pref",
        |node, report| values::integer(node, report, 0..=u32::MAX).map(Edit::LocalPref),
        |e| if let Edit::LocalPref(value) = e { Some(Value::from(i64::from(*value))) } else { None },
    ),
    (
        "set-med",
        |node, report| med(node, report).map(Edit::Med),
        |e| match e {
            Edit::Med(Some(value)) => Some(Value::from(i64::from(*value))),
            Edit::Med(None) => Some(Value::from(NONE)),
            _ => None,
        },
    ),
    (
        "remove-communities",
        |node, report| several(node, report, parsed).map(Edit::RemoveCommunities),
        |e| if let Edit::RemoveCommunities(values) = e { Some(strings(values)) } else { None },
    ),
    (
        "add-communities",
        |node, report| several(node, report, parsed).map(Edit::AddCommunities),
        |e| if let Edit::AddCommunities(values) = e { Some(strings(values)) } else { None },
    ),
];

/// The word for a MED that is taken off.
const NONE: &str = "none";

impl Names {
    /// The term in `section`, which is the `place`th of `filter`.
    pub(super) fn term(
        &mut self,
        mut section: Section<'_>,
        report: &mut Report<'_>,
        filter: &str,
        place: usize,
        origins: &mut Origins,
    ) -> Term {
        let name = section.get(report, "name", values::name).unwrap_or_else(|| place.to_string());
        let ranges = section.node("prefixes").and_then(|node| self.prefixes(node, report));
        let mut matches: Vec<Match> = ranges.map(Match::Prefix).into_iter().collect();
        for (key, parser, _) in MATCHES {
            matches.extend(section.get(report, key, *parser));
        }
        let mut edits = Vec::new();
        for (key, parser, _) in EDITS {
            edits.extend(section.get(report, key, *parser));
        }
        let action = section.get(report, "action", |node, report| choice(node, report, TERM_ACTIONS));
        let wrong = action.is_none() && section.key_span("action").is_some();
        let term = Term { name, matches, edits, action: action.flatten() };
        if !wrong {
            suspicious(&term, &section, report);
        }
        section.finish(report, &origin(filter, Some(&term.name)), origins);
        term
    }
}

/// Terms that are taken, but can hardly be meant.
fn suspicious(term: &Term, section: &Section<'_>, report: &mut Report<'_>) {
    use bgp_rib::filter::Action;
    let known = |keys: &[&str]| keys.iter().any(|key| section.key_span(key).is_some());
    if term.action.is_none() && !EDITS.iter().any(|(key, _, _)| known(&[key])) {
        let message = "this term neither changes nor decides anything";
        let remedy = "add `action = \"accept\"` or \"reject\"";
        report.warning(Code::Suspicious, section.span_of("action"), message, remedy);
    }
    if term.action == Some(Action::Reject) && !term.edits.is_empty() {
        let message = "a route that is rejected need not be changed";
        report.warning(Code::Suspicious, section.span_of("action"), message, "take the changes out");
    }
}

/// The keys of a term that are set.
pub(super) fn entries(term: &Term) -> Vec<Entry> {
    let mut entries = vec![("name", text(&term.name))];
    for found in &term.matches {
        if let Match::Prefix(ranges) = found {
            entries.push(("prefixes", Shown::Value(strings(ranges.iter().map(prefixes::shown)))));
        }
        entries.extend(shown(MATCHES, found));
    }
    for edit in &term.edits {
        entries.extend(shown(EDITS, edit));
    }
    entries.push(("action", text(word(TERM_ACTIONS, &term.action))));
    entries
}

fn shown<T>(keys: &[Key<T>], value: &T) -> Option<Entry> {
    keys.iter().find_map(|(key, _, show)| Some((*key, Shown::Value(show(value)?))))
}

fn strings<T: Display>(values: impl IntoIterator<Item = T>) -> Value {
    Value::Array(values.into_iter().map(|value| Value::String(value.to_string())).collect())
}

fn words<T: PartialEq>(choices: Choices<T>, values: &[T]) -> Value {
    strings(values.iter().map(|value| word(choices, value)))
}

/// A list that is not empty.
fn several<T>(node: &Node<'_>, report: &mut Report<'_>, element: Parser<T>) -> Option<Vec<T>> {
    values::array(node, report, "a list")?;
    values::list(node, report, "a list", element)
}

fn family(node: &Node<'_>, report: &mut Report<'_>) -> Option<bgp_core::Family> {
    choice(node, report, FAMILIES)
}

/// What its own type says of a wrong text is all there is to say.
fn parsed<T: FromStr<Err: Display>>(node: &Node<'_>, report: &mut Report<'_>) -> Option<T> {
    let text = values::text(node, report, "a string")?;
    text.parse().map_err(|error: T::Err| report.error(Code::Value, node.span(), error.to_string(), "")).ok()
}

/// A prefix, or an address that stands for itself alone.
fn next_hop(node: &Node<'_>, report: &mut Report<'_>) -> Option<Prefix> {
    let host = node.get_ref().as_str().and_then(|text| text.parse::<std::net::IpAddr>().ok());
    match host {
        Some(address) => Prefix::new(address, if address.is_ipv4() { 32 } else { 128 }),
        None => values::prefix(node, report),
    }
}

fn med(node: &Node<'_>, report: &mut Report<'_>) -> Option<Option<u32>> {
    match node.get_ref().as_str() {
        Some(NONE) => Some(None),
        _ => values::integer(node, report, 0..=u32::MAX).map(Some),
    }
}
