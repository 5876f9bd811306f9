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

/// The prefixes that each source wants; announced is what any of them wants.
#[derive(Debug, Default)]
pub struct Announcements {
    sources: [BTreeSet<Prefix>; 3],
}

impl Announcements {
    /// All that is announced.
    #[must_use]
    pub fn all(&self) -> BTreeSet<Prefix> {
        self.sources.iter().flatten().copied().collect()
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
        let before = self.all();
        if let Some(set) = self.sources.get_mut(source as usize) {
            act(set);
        }
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
}
