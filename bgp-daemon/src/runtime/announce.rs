//! The prefixes of our own: from the configuration, from a watched file, and from the control API.

use std::collections::BTreeSet;

use bgp_core::Prefix;

/// Where a prefix of ours comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `announce.prefixes`.
    Config,
    /// `announce.file`.
    File,
    /// `bgp announce`.
    Api,
}

/// What changed in the union of all sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// To announce.
    pub announce: Vec<Prefix>,
    /// To withdraw.
    pub withdraw: Vec<Prefix>,
}

/// The prefixes that each source wants; announced is what any of them wants and nothing bars.
#[derive(Debug, Default)]
pub struct Announcements {
    sources: [BTreeSet<Prefix>; 3],
    /// What is in one of these is not announced.
    barred: Vec<Prefix>,
}

impl Announcements {
    /// All that is announced.
    #[must_use]
    pub fn all(&self) -> BTreeSet<Prefix> {
        let is_barred = |prefix: &Prefix| self.barred.iter().any(|barred| barred.covers(prefix));
        self.sources.iter().flatten().filter(|prefix| !is_barred(prefix)).copied().collect()
    }

    /// What one source wants, whether it is announced or not.
    #[must_use]
    pub fn of(&self, source: Source) -> BTreeSet<Prefix> {
        self.sources.get(source as usize).cloned().unwrap_or_default()
    }

    /// The sources that want `prefix`.
    pub fn wanted_by(&self, prefix: &Prefix) -> impl Iterator<Item = Source> {
        let sources = [Source::Config, Source::File, Source::Api].into_iter();
        sources.zip(&self.sources).filter(|(_, set)| set.contains(prefix)).map(|(source, _)| source)
    }

    /// Replaces what one source wants.
    pub fn set(&mut self, source: Source, prefixes: BTreeSet<Prefix>) -> Delta {
        self.change(source, |set| *set = prefixes)
    }

    /// Changes what one source wants.
    pub fn change(&mut self, source: Source, act: impl FnOnce(&mut BTreeSet<Prefix>)) -> Delta {
        self.compared(|all| {
            if let Some(set) = all.sources.get_mut(source as usize) {
                act(set);
            }
        })
    }

    /// Keeps back what is in one of `barred`, and nothing else.
    pub fn bar(&mut self, barred: Vec<Prefix>) -> Delta {
        self.compared(|all| all.barred = barred)
    }

    fn compared(&mut self, act: impl FnOnce(&mut Announcements)) -> Delta {
        let before = self.all();
        act(self);
        let after = self.all();
        Delta {
            announce: after.difference(&before).copied().collect(),
            withdraw: before.difference(&after).copied().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(prefixes: &[&str]) -> BTreeSet<Prefix> {
        prefixes.iter().map(|p| p.parse().unwrap()).collect()
    }

    #[test]
    fn a_prefix_is_withdrawn_when_the_last_source_lets_it_go() {
        let mut announcements = Announcements::default();
        announcements.set(Source::Config, set(&["10.0.0.0/26"]));
        let delta = announcements.set(Source::File, set(&["10.0.0.0/26", "10.0.0.64/26"]));
        assert_eq!(delta.announce, ["10.0.0.64/26".parse().unwrap()]);
        assert_eq!(announcements.set(Source::Config, set(&[])), Delta::default());
        let delta = announcements.set(Source::File, set(&["10.0.0.64/26"]));
        assert_eq!(delta.withdraw, ["10.0.0.0/26".parse().unwrap()]);
    }

    #[test]
    fn what_is_barred_is_announced_once_it_is_no_more() {
        let mut announcements = Announcements::default();
        let bar = set(&["10.0.0.0/24"]).into_iter().collect();
        assert_eq!(announcements.bar(bar), Delta::default());
        let delta = announcements.set(Source::File, set(&["10.0.0.64/26", "10.0.1.0/26", "10.0.0.0/16"]));
        assert_eq!(delta.announce, ["10.0.0.0/16".parse().unwrap(), "10.0.1.0/26".parse().unwrap()]);
        assert_eq!(announcements.of(Source::File).len(), 3);
        let bar = set(&["10.0.1.0/24"]).into_iter().collect();
        let delta = announcements.bar(bar);
        assert_eq!(delta.announce, ["10.0.0.64/26".parse().unwrap()]);
        assert_eq!(delta.withdraw, ["10.0.1.0/26".parse().unwrap()]);
    }
}
