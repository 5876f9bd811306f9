//! `[[groups]]`: keys that many peers have, written once. A group may have keys from another group.

use std::ops::Range;

use toml::de::DeTable;

use super::diagnostic::{Code, Report};
use super::model::{Group, PeerConfig};
use super::nearest::nearest;
use super::section::Section;

struct Entry<'t> {
    name: String,
    /// The group that it has keys from, and where it says so.
    parent: Option<(String, Range<usize>)>,
    table: &'t DeTable<'t>,
    /// Where it is called so.
    at: Range<usize>,
}

/// The groups of a file by their names.
pub(super) struct Groups<'t> {
    entries: Vec<Entry<'t>>,
    sections: Vec<Section<'t>>,
}

/// A text that stands under `key`; whether it is a good one is judged when the key is read.
fn word(section: &Section<'_>, key: &str) -> Option<(String, Range<usize>)> {
    let node = section.table().get(key)?;
    node.get_ref().as_str().map(|text| (text.to_owned(), node.span()))
}

impl<'t> Groups<'t> {
    /// Finds them all, and who has keys from whom.
    pub(super) fn read(top: &mut Section<'t>, report: &mut Report<'_>) -> Groups<'t> {
        let sections = top.sections(report, "groups", "[[groups]]");
        let mut groups = Groups { entries: Vec::new(), sections: Vec::new() };
        for section in &sections {
            match word(section, "name") {
                Some((name, at)) => {
                    let (parent, table) = (word(section, "group"), section.table());
                    groups.add(report, Entry { name, parent, table, at });
                }
                None if section.own_span("name").is_none() => {
                    let message = "an entry of [[groups]] needs a `name`";
                    report.error(Code::Missing, section.span.clone(), message, "add `name = \"tor\"`");
                }
                None => {}
            }
        }
        for entry in &groups.entries {
            groups.judge_parent(report, entry);
        }
        Groups { sections, ..groups }
    }

    fn add(&mut self, report: &mut Report<'_>, entry: Entry<'t>) {
        match self.find(&entry.name) {
            Some(first) => {
                let message = format!("two groups are called `{}`", entry.name);
                let remedy = format!("the first is in line {}", report.source.line(first.at.start));
                report.error(Code::Duplicate, entry.at, message, remedy);
            }
            None => self.entries.push(entry),
        }
    }

    fn find(&self, name: &str) -> Option<&Entry<'t>> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    fn judge_parent(&self, report: &mut Report<'_>, entry: &Entry<'t>) {
        let Some((parent, at)) = &entry.parent else { return };
        if self.find(parent).is_none() {
            self.unknown(report, parent, at.clone());
        } else if self.above(parent).any(|above| above.name == entry.name) {
            let message =
                format!("the group `{}` has its keys from itself, by way of `{parent}`", entry.name);
            report.error(Code::Conflict, at.clone(), message, "take one of the `group` keys out");
        }
    }

    /// The group of this name and those that it has keys from, the nearest first; none of a circle twice.
    fn above<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Entry<'t>> {
        let parent = |entry: &&'a Entry<'t>| self.find(&entry.parent.as_ref()?.0);
        std::iter::successors(self.find(name), parent).take(self.entries.len())
    }

    fn unknown(&self, report: &mut Report<'_>, name: &str, at: Range<usize>) {
        let remedy = match nearest(name, self.entries.iter().map(|entry| entry.name.as_str())) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => "the `name` of one of [[groups]]".to_owned(),
        };
        report.error(Code::UnknownName, at, format!("no group is called `{name}`"), remedy);
    }

    /// Puts the group that a peer names, and those above it, behind its own keys.
    pub(super) fn behind(&self, section: &mut Section<'t>, report: &mut Report<'_>) {
        let Some((name, at)) = word(section, "group") else { return };
        if self.find(&name).is_none() {
            return self.unknown(report, &name, at);
        }
        let tables: Vec<_> = self.above(&name).map(|entry| entry.table).collect();
        section.inherit(&tables);
    }

    /// Those that have a name, and all of them for their keys to be read.
    pub(super) fn finish(
        self,
        report: &mut Report<'_>,
        peers: &[PeerConfig],
    ) -> (Vec<Group>, Vec<Section<'t>>) {
        for entry in &self.entries {
            let by_peer = peers.iter().any(|peer| peer.group.as_ref() == Some(&entry.name));
            let by_group =
                self.entries.iter().any(|e| e.parent.as_ref().is_some_and(|(name, _)| *name == entry.name));
            if !by_peer && !by_group {
                let message = format!("no peer is in the group `{}`", entry.name);
                report.warning(Code::Suspicious, entry.at.clone(), message, "name it in a peer's `group`");
            }
        }
        let group = |entry: Entry<'t>| Group { name: entry.name, group: entry.parent.map(|(name, _)| name) };
        (self.entries.into_iter().map(group).collect(), self.sections)
    }
}
