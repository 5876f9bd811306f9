//! Reads one TOML table: typed values on request, and an error for every key that nobody asked for.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Code, Report};
use super::model::Origins;
use super::nearest::nearest;

/// A value with the bytes it stands in.
pub(super) type Node<'t> = Spanned<DeValue<'t>>;

/// Turns a node into a value, or reports why it cannot.
pub(super) type Parser<T> = fn(&Node<'_>, &mut Report<'_>) -> Option<T>;

/// A table that is being read.
pub(super) struct Section<'t> {
    /// How the section is called in messages: `[api]`, `[[peers]]`; empty for the top.
    pub(super) title: &'static str,
    /// Where it stands in the file.
    pub(super) span: Range<usize>,
    table: &'t DeTable<'t>,
    /// What it does not say itself, the first of these says that does.
    behind: Vec<&'t DeTable<'t>>,
    /// Keys that are not looked for in all tables, and in how many they are.
    settled: Vec<(&'static str, usize)>,
    known: Vec<&'static str>,
    found: Vec<(&'static str, Range<usize>)>,
}

impl<'t> Section<'t> {
    /// A section over `table`.
    pub(super) fn new(title: &'static str, table: &'t DeTable<'t>, span: Range<usize>) -> Section<'t> {
        let (behind, settled) = (Vec::new(), Vec::new());
        Section { title, span, table, behind, settled, known: Vec::new(), found: Vec::new() }
    }

    /// Its own keys.
    pub(super) fn table(&self) -> &'t DeTable<'t> {
        self.table
    }

    /// Has the keys that it lacks taken from `tables`, the first of them first.
    pub(super) fn inherit(&mut self, tables: &[&'t DeTable<'t>]) {
        self.behind.extend(tables);
    }

    /// Has a key looked for in the section itself only.
    pub(super) fn keep_own(&mut self, key: &'static str) {
        self.settled.push((key, 1));
    }

    /// Of keys that say the same thing in different ways, those count that the first table with any of them has.
    pub(super) fn settle(&mut self, keys: &[&'static str]) {
        let says = |table: &DeTable<'_>| keys.iter().any(|key| table.contains_key(*key));
        let first = self.tables().position(says);
        if let Some(first) = first {
            self.settled.extend(keys.iter().map(|key| (*key, first + 1)));
        }
    }

    fn tables(&self) -> impl Iterator<Item = &'t DeTable<'t>> {
        std::iter::once(self.table).chain(self.behind.iter().copied())
    }

    /// The node of `key`, which thereby is a known key.
    pub(super) fn node(&mut self, key: &'static str) -> Option<&'t Node<'t>> {
        let settled = self.settled.iter().find(|(name, _)| *name == key);
        let asked = settled.map_or(usize::MAX, |(_, tables)| *tables);
        let found = self.tables().take(asked).find_map(|table| table.get_key_value(key));
        if !self.known.contains(&key) {
            self.known.push(key);
            self.found.extend(found.map(|(name, _)| (key, name.span())));
        }
        found.map(|(_, node)| node)
    }

    /// The value of `key`, if it is there and right.
    pub(super) fn get<T>(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        parser: Parser<T>,
    ) -> Option<T> {
        self.node(key).and_then(|node| parser(node, report))
    }

    /// A subsection; an absent one is `None`, so that every default applies.
    pub(super) fn section(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        title: &'static str,
    ) -> Option<Section<'t>> {
        let node = self.node(key)?;
        let DeValue::Table(table) = node.get_ref() else {
            let got = node.get_ref().type_str();
            let message = format!("`{key}` is a section, not {}", article(got));
            report.error(Code::Type, node.span(), message, format!("write it as {title}"));
            return None;
        };
        Some(Section::new(title, table, node.span()))
    }

    /// The entries of an array of tables.
    pub(super) fn sections(
        &mut self,
        report: &mut Report<'_>,
        key: &'static str,
        title: &'static str,
    ) -> Vec<Section<'t>> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let DeValue::Array(array) = node.get_ref() else {
            let message = format!("`{key}` is a list of sections");
            report.error(Code::Type, node.span(), message, format!("write each entry under {title}"));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for node in array.iter() {
            match node.get_ref() {
                DeValue::Table(table) => sections.push(Section::new(title, table, node.span())),
                other => {
                    let message =
                        format!("an entry of `{key}` is a section, not {}", article(other.type_str()));
                    report.error(Code::Type, node.span(), message, format!("write it under {title}"));
                }
            }
        }
        sections
    }

    /// Where `key` itself stands, if the file has it.
    pub(super) fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.found.iter().find(|(name, _)| *name == key).map(|(_, span)| span.clone())
    }

    /// Where `key` stands in the section itself, not in what it inherits from.
    pub(super) fn own_span(&self, key: &str) -> Option<Range<usize>> {
        self.table.get_key_value(key).map(|(name, _)| name.span())
    }

    /// Where to point for a key that may be missing: at the key, else at the section.
    pub(super) fn span_of(&self, key: &str) -> Range<usize> {
        self.key_span(key).unwrap_or_else(|| self.span.clone())
    }

    /// Reports the keys nobody asked for, and notes which line set the others.
    pub(super) fn finish(self, report: &mut Report<'_>, name: &str, origins: &mut Origins) {
        for (key, node) in self.table {
            if self.known.contains(&key.get_ref().as_ref()) {
                continue;
            }
            let place = if self.title.is_empty() { String::new() } else { format!(" in {}", self.title) };
            let message = format!("unknown key `{}`{place}", key.get_ref());
            let is_table = matches!(node.get_ref(), DeValue::Table(_));
            let remedy = match nearest(key.get_ref(), self.known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if is_table => String::new(),
                None => format!("known here: {}", self.known.join(", ")),
            };
            report.error(Code::UnknownKey, key.span(), message, remedy);
        }
        for (key, span) in self.found {
            origins.insert((name.to_owned(), key), report.source.line(span.start));
        }
    }
}

/// `a string`, `an integer`.
pub(super) fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}
