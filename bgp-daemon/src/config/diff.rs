//! What a new configuration changes, by resolved values: text, order and spelled-out defaults do not matter.

use std::collections::BTreeMap;
use std::fmt;

use bgp_core::Prefix;

use super::entries::{Entry, Impact, Shown, impact, of_peer, of_pool, of_sections, of_top};
use super::model::{Config, PeerConfig, Selector};

/// One key whose value differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The section: empty for the top, `peers`, `api`, …
    pub section: &'static str,
    /// The key.
    pub key: &'static str,
    /// The old value as shown; passwords are hidden.
    pub old: String,
    /// The new value as shown.
    pub new: String,
    /// What it takes to bring it into effect.
    pub impact: Impact,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.section.is_empty() { "" } else { "." };
        write!(f, "{}{dot}{}: {} -> {} ({})", self.section, self.key, self.old, self.new, self.impact)
    }
}

/// A peer that both configurations have, with other values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerChange {
    /// The peer as it shall be.
    pub peer: PeerConfig,
    /// What differs.
    pub changes: Vec<Change>,
}

impl PeerChange {
    /// The worst of its changes.
    #[must_use]
    pub fn impact(&self) -> Impact {
        self.changes.iter().map(|c| c.impact).max().unwrap_or(Impact::Live)
    }
}

/// The difference of two configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Keys outside of peers and apart from announced prefixes.
    pub global: Vec<Change>,
    /// New entries.
    pub peers_added: Vec<PeerConfig>,
    /// Entries that are gone.
    pub peers_removed: Vec<Selector>,
    /// Entries with other values.
    pub peers_changed: Vec<PeerChange>,
    /// Prefixes to announce.
    pub announced: Vec<Prefix>,
    /// Prefixes to withdraw.
    pub withdrawn: Vec<Prefix>,
}

impl Changes {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Changes::default()
    }

    /// The changes that only a restart brings into effect; a reload with any of them is refused.
    pub fn need_restart(&self) -> impl Iterator<Item = &Change> {
        self.global.iter().filter(|c| c.impact == Impact::Restart)
    }
}

/// What differs between `old` and `new`.
#[must_use]
pub fn diff(old: &Config, new: &Config) -> Changes {
    let mut changes = Changes { global: compare("", of_top(old), of_top(new)), ..Changes::default() };
    let mut old_sections: BTreeMap<&str, Vec<Entry>> = of_sections(old).into_iter().collect();
    for (section, entries) in of_sections(new) {
        let before = old_sections.remove(section).unwrap_or_default();
        changes.global.extend(compare(section, before, entries));
    }
    changes.global.retain(|c| (c.section, c.key) != ("announce", "prefixes"));
    aggregates(old, new, &mut changes);
    collectors(old, new, &mut changes);
    bfd_profiles(old, new, &mut changes);
    pools(old, new, &mut changes);
    peers(old, new, &mut changes);
    let only_in = |a: &Config, b: &Config| {
        a.announce.prefixes.iter().filter(|p| !b.announce.prefixes.contains(p)).copied().collect()
    };
    changes.announced = only_in(new, old);
    changes.withdrawn = only_in(old, new);
    changes
}

/// All aggregates as one value: which of them change does not matter to anybody.
fn aggregates(old: &Config, new: &Config, changes: &mut Changes) {
    if old.aggregates != new.aggregates {
        let shown = |config: &Config| {
            let texts: Vec<String> = config.aggregates.iter().map(ToString::to_string).collect();
            format!("[{}]", texts.join(", "))
        };
        let impact = impact("aggregates", "prefix");
        let (old, new) = (shown(old), shown(new));
        changes.global.push(Change { section: "aggregates", key: "prefix", old, new, impact });
    }
}

/// Collectors by their address, which is told with each change.
fn collectors(old: &Config, new: &Config, changes: &mut Changes) {
    let mut before: BTreeMap<_, _> = old.bmp.iter().map(|bmp| (bmp.address, bmp)).collect();
    let mut told = |old: String, new: String| {
        changes.global.push(Change {
            section: "bmp",
            key: "address",
            old,
            new,
            impact: impact("bmp", "address"),
        });
    };
    let mut changed = Vec::new();
    for bmp in &new.bmp {
        match before.remove(&bmp.address) {
            None => told("(none)".to_owned(), bmp.address.to_string()),
            Some(previous) => changed.push((previous, bmp)),
        }
    }
    before.into_keys().for_each(|address| told(address.to_string(), "(none)".to_owned()));
    for (previous, bmp) in changed {
        let changed = compare("bmp", previous.entries(), bmp.entries()).into_iter();
        let address = bmp.address;
        changes
            .global
            .extend(changed.map(|change| Change { old: format!("{address} {}", change.old), ..change }));
    }
}

/// The profiles of BFD as one value.
fn bfd_profiles(old: &Config, new: &Config, changes: &mut Changes) {
    let (old, new) = (old.bfd.shown_profiles(), new.bfd.shown_profiles());
    if old != new {
        let impact = impact("bfd", "profiles");
        changes.global.push(Change { section: "bfd", key: "profiles", old, new, impact });
    }
}

/// Pools by their `cidr`, which is told with each change.
fn pools(old: &Config, new: &Config, changes: &mut Changes) {
    let pools = |config: &Config| -> BTreeMap<Prefix, Vec<Entry>> {
        let pools = config.network.iter().flat_map(|network| &network.pools);
        pools.map(|pool| (pool.cidr, of_pool(pool))).collect()
    };
    let (mut before, after) = (pools(old), pools(new));
    let whole = |old: Option<Prefix>, new: Option<Prefix>| {
        let shown = |cidr: Option<Prefix>| cidr.map_or_else(|| "(none)".to_owned(), |cidr| cidr.to_string());
        let impact = impact("pools", "cidr");
        Change { section: "pools", key: "cidr", old: shown(old), new: shown(new), impact }
    };
    for (cidr, entries) in after {
        let Some(previous) = before.remove(&cidr) else {
            changes.global.push(whole(None, Some(cidr)));
            continue;
        };
        let of_pool = compare("pools", previous, entries).into_iter();
        changes
            .global
            .extend(of_pool.map(|change| Change { old: format!("{cidr} {}", change.old), ..change }));
    }
    changes.global.extend(before.into_keys().map(|cidr| whole(Some(cidr), None)));
}

fn peers(old: &Config, new: &Config, changes: &mut Changes) {
    let mut before: BTreeMap<Selector, &PeerConfig> = old.peers.iter().map(|p| (p.selector, p)).collect();
    for peer in &new.peers {
        match before.remove(&peer.selector) {
            None => changes.peers_added.push(peer.clone()),
            Some(previous) if previous == peer => {}
            Some(previous) => {
                let changes_of_peer = compare("peers", with_client(previous), with_client(peer));
                changes.peers_changed.push(PeerChange { peer: peer.clone(), changes: changes_of_peer });
            }
        }
    }
    changes.peers_removed = before.into_keys().collect();
}

/// A peer's keys, and whether it stands under `[[clients]]`, which is not a key but differs like one.
fn with_client(peer: &PeerConfig) -> Vec<Entry> {
    let mut entries = of_peer(peer);
    entries.push(("client", Shown::Value(toml::Value::Boolean(peer.client))));
    entries
}

fn compare(section: &'static str, old: Vec<Entry>, new: Vec<Entry>) -> Vec<Change> {
    let mut old: BTreeMap<&str, Shown> = old.into_iter().collect();
    let mut changes = Vec::new();
    for (key, after) in new {
        let before = old.remove(key).unwrap_or(Shown::Unset("none"));
        if before != after {
            let (old, mut new) = (before.to_string(), after.to_string());
            if old == new && matches!(after, Shown::Policy(_)) {
                new.push_str(" with other terms");
            }
            // A session goes on with another key, but not with one instead of none.
            let other_key = matches!((&before, &after), (Shown::Hidden(_), Shown::Hidden(_)));
            let impact = if other_key { Impact::Live } else { impact(section, key) };
            changes.push(Change { section, key, old, new, impact });
        }
    }
    changes
}
