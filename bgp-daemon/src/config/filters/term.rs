//! One term of a filter: a table of the keys that match, and one of the keys that change.

use bgp_rib::filter::{Action, Match, Term};
use toml::Value;

use super::super::diagnostic::{Code, Report};
use super::super::entries::{Entry, Shown, text};
use super::super::model::Origins;
use super::super::section::{Parser, Section};
use super::super::values::{self, TERM_ACTIONS, choice, word};
use super::edits::EDITS;
use super::matches::MATCHES;
use super::{Names, origin};

/// A key of a term: how it is read, and how the same is shown again (`None`: it is another key's).
pub(super) type Key<T> = (&'static str, Parser<T>, fn(&T) -> Option<Value>);

/// A [`Key`] of what matches one pattern.
macro_rules! key {
    ($key:literal, $read:expr, $pattern:pat => $shown:expr) => {
        ($key, $read, |value| match value {
            $pattern => Some($shown),
            _ => None,
        })
    };
}
pub(super) use key;

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
        let mut matches: Vec<Match> = ranges.map(|ranges| Match::Prefix(ranges.into())).into_iter().collect();
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
    let changes = EDITS.iter().any(|(key, _, _)| section.key_span(key).is_some());
    if term.action.is_none() && !changes {
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
        if let Match::Prefix(list) = found {
            entries.push(("prefixes", Shown::Value(values::strings(list.ranges()))));
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
