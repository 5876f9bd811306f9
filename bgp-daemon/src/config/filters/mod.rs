//! `[[prefix-lists]]` and `[[filters]]`: read before the peers, whose `import` and `export` name them.

mod edits;
mod matches;
mod prefixes;
mod term;

use std::ops::Range;
use std::sync::Arc;

use bgp_rib::Policy;
use bgp_rib::filter::{Action, Edit, Filter, PrefixRange, Term};

use super::diagnostic::{Code, Report};
use super::entries::{Entry, text};
use super::model::Origins;
use super::nearest::nearest;
use super::section::{Node, Section};
use super::values::{self, ACTIONS, Choices, word};

/// Something that other keys name.
struct Named<T> {
    name: String,
    value: T,
    /// Where it is called so.
    at: Range<usize>,
    used: bool,
}

/// The prefix lists and filters of a file, and which of them are used.
#[derive(Default)]
pub(super) struct Names {
    lists: Vec<Named<Vec<PrefixRange>>>,
    filters: Vec<Named<Arc<Filter>>>,
}

/// The words that stand for a policy without a filter.
const POLICIES: Choices<Policy> = &[("accept", Policy::Accept), ("reject", Policy::Reject)];

impl Names {
    /// Reads both sections. What is wrong in one of them is reported, and its name is known all the same.
    pub(super) fn read(top: &mut Section<'_>, report: &mut Report<'_>, origins: &mut Origins) -> Names {
        let mut names = Names::default();
        for mut section in top.sections(report, "prefix-lists", "[[prefix-lists]]") {
            let node = section.node("prefixes");
            if node.is_none() {
                let message = "an entry of [[prefix-lists]] needs `prefixes`";
                let remedy = "add `prefixes = [\"10.244.0.0/16 le 28\"]`";
                report.error(Code::Missing, section.span.clone(), message, remedy);
            }
            let value = node.and_then(|node| prefixes::ranges(node, report)).unwrap_or_default();
            let name = name_of(&mut section, report, "/", &names.lists);
            section.finish(report, "prefix-lists", origins);
            let at = section_span(&name);
            names.lists.extend(name.map(|(name, _)| Named { name, value, at, used: false }));
        }
        for section in top.sections(report, "filters", "[[filters]]") {
            names.filter(section, report, origins);
        }
        names
    }

    fn filter(&mut self, mut section: Section<'_>, report: &mut Report<'_>, origins: &mut Origins) {
        let name = name_of(&mut section, report, "", &self.filters);
        if let Some((name, at)) = &name
            && POLICIES.iter().any(|(word, _)| word == name)
        {
            let message = format!("`{name}` is a word of `import` and `export` already");
            report.error(Code::Value, at.clone(), message, "call it otherwise");
        }
        let (called, at) = name.clone().unwrap_or_else(|| (String::new(), section.span.clone()));
        let mut terms: Vec<Term> = Vec::new();
        let sections = section.sections(report, "terms", "[[filters.terms]]");
        let last = sections.len();
        for (place, section) in sections.into_iter().enumerate() {
            let at = section.span.clone();
            let term = self.term(section, report, &called, place + 1, origins);
            if terms.iter().any(|earlier| earlier.name == term.name) {
                let message = format!("the filter has another term `{}`", term.name);
                report.error(Code::Duplicate, at.clone(), message, "call it otherwise");
            }
            if term.matches.is_empty() && term.action.is_some() && place + 1 < last {
                let message = "no route gets past this term: it decides on every one";
                report.warning(Code::Suspicious, at, message, "make it the last one, or give it a match");
            }
            terms.push(term);
        }
        let otherwise = section.get(report, "otherwise", values::action).unwrap_or(Action::Reject);
        section.finish(report, &origin(&called, None), origins);
        match Filter::new(called.clone(), terms, otherwise) {
            Ok(filter) if name.is_some() => {
                self.filters.push(Named { name: called, value: Arc::new(filter), at, used: false });
            }
            Ok(_) => {}
            Err(error) => report.error(Code::Value, at, error.to_string(), "make two filters of it"),
        }
    }

    /// What `key`, which is `import` or `export`, says: `accept`, `reject`, or the name of a filter.
    pub(super) fn policy(&mut self, key: &str, node: &Node<'_>, report: &mut Report<'_>) -> Option<Policy> {
        let called = values::text(node, report, "\"accept\", \"reject\" or a filter's name")?;
        if let Some((_, policy)) = POLICIES.iter().find(|(word, _)| *word == called) {
            return Some(policy.clone());
        }
        if let Some(found) = self.filters.iter_mut().find(|filter| filter.name == called) {
            found.used = true;
            if let (true, Some(edit)) = (key == "import", for_export(&found.value)) {
                let message = format!("`{called}` is no filter for `import`: it has a term to {edit}");
                report.error(Code::Conflict, node.span(), message, "that is known on the way out only");
            }
            return Some(Policy::Filter(Arc::clone(&found.value)));
        }
        let known =
            POLICIES.iter().map(|(word, _)| *word).chain(self.filters.iter().map(|f| f.name.as_str()));
        let remedy = match nearest(called, known) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => "\"accept\", \"reject\", or the `name` of one of [[filters]]".to_owned(),
        };
        report.error(Code::UnknownName, node.span(), format!("no filter is called `{called}`"), remedy);
        None
    }

    /// Warns of what nothing names; the filters.
    pub(super) fn finish(self, report: &mut Report<'_>) -> Vec<Arc<Filter>> {
        let unused = |report: &mut Report<'_>, kind: &str, name: &str, at: Range<usize>, key: &str| {
            let message = format!("the {kind} `{name}` is not used");
            report.warning(Code::Suspicious, at, message, format!("name it in {key}, or take it out"));
        };
        for list in self.lists.into_iter().filter(|list| !list.used) {
            unused(report, "prefix list", &list.name, list.at, "`prefixes` of a term");
        }
        let keep = |filter: Named<Arc<Filter>>| {
            if !filter.used {
                unused(report, "filter", &filter.name, filter.at, "`import` or `export` of a peer");
            }
            filter.value
        };
        self.filters.into_iter().map(keep).collect()
    }
}

/// What a filter changes that can only be changed on the way out.
fn for_export(filter: &Filter) -> Option<&Edit> {
    filter.terms().iter().flat_map(|term| &term.edits).find(|edit| edit.is_for_export())
}

fn section_span(name: &Option<(String, Range<usize>)>) -> Range<usize> {
    name.as_ref().map_or(0..0, |(_, at)| at.clone())
}

/// The name of an entry, which has to have one that no other has, without any character of `without`.
fn name_of<T>(
    section: &mut Section<'_>,
    report: &mut Report<'_>,
    without: &str,
    others: &[Named<T>],
) -> Option<(String, Range<usize>)> {
    let Some(node) = section.node("name") else {
        let message = format!("an entry of {} needs a `name`", section.title);
        report.error(Code::Missing, section.span.clone(), message, "by which peers and terms refer to it");
        return None;
    };
    let name = values::name(node, report)?;
    if name.contains(|c| without.contains(c)) {
        let message = "the name of a prefix list has no `/`, by which prefixes are known";
        report.error(Code::Value, node.span(), message, "");
        return None;
    }
    if let Some(first) = others.iter().find(|other| other.name == name) {
        let first = report.source.line(first.at.start);
        let message = format!("`{name}` is defined twice");
        report.error(Code::Duplicate, node.span(), message, format!("first in line {first}"));
        return None;
    }
    Some((name, node.span()))
}

/// What the origins of a filter's keys, or of a term's, stand under.
fn origin(filter: &str, term: Option<&str>) -> String {
    term.map_or_else(|| format!("filters {filter}"), |term| format!("filters {filter} {term}"))
}

/// A filter as sections: their titles, what their keys' origins stand under, and their keys.
pub(super) fn of_filter(filter: &Filter) -> Vec<(&'static str, String, Vec<Entry>)> {
    let head = vec![("name", text(filter.name())), ("otherwise", text(word(ACTIONS, &filter.otherwise())))];
    let mut sections = vec![("filters", origin(filter.name(), None), head)];
    for term in filter.terms() {
        sections.push(("filters.terms", origin(filter.name(), Some(&term.name)), term::entries(term)));
    }
    sections
}
