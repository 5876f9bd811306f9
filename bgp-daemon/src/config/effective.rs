//! A configuration shown with every default, and where each value comes from.

use std::fmt::Write as _;

use super::bfd;
use super::entries::{Entry, Shown, of_aggregate, of_group, of_peer, of_pool, of_sections, of_top};
use super::filters::of_filter;
use super::model::Config;

impl Config {
    /// The configuration as TOML: every key, each with its origin as a comment (`line 3` of the file, or
    /// `default`). Passwords are left out, and keys without a value are comments, so that the text is itself a
    /// configuration.
    #[must_use]
    pub fn effective(&self) -> String {
        let mut out = String::new();
        self.block(&mut out, "", of_top(self));
        for (title, section, entries) in self.filters.iter().flat_map(|filter| of_filter(filter)) {
            let _ = writeln!(out, "\n[[{title}]]");
            self.block(&mut out, &section, entries);
        }
        for group in &self.groups {
            let _ = writeln!(out, "\n[[groups]]");
            self.block(&mut out, &format!("groups {}", group.name), of_group(group));
        }
        for peer in &self.peers {
            let section = format!("peers {}", peer.selector);
            let selector = Shown::Value(toml::Value::String(peer.selector.to_string()));
            let _ = writeln!(out, "\n[[{}]]", if peer.client { "clients" } else { "peers" });
            self.block(&mut out, &section, [vec![(peer.selector.key(), selector)], of_peer(peer)].concat());
        }
        for aggregate in &self.aggregates {
            let _ = writeln!(out, "\n[[aggregates]]");
            self.block(&mut out, &format!("aggregates {}", aggregate.prefix), of_aggregate(aggregate));
        }
        for pool in self.network.iter().flat_map(|network| &network.pools) {
            let _ = writeln!(out, "\n[[pools]]");
            self.block(&mut out, &format!("pools {}", pool.cidr), of_pool(pool));
        }
        for bmp in &self.bmp {
            let _ = writeln!(out, "\n[[bmp]]");
            self.block(&mut out, &format!("bmp {}", bmp.address), bmp.entries());
        }
        for (name, entries) in of_sections(self) {
            let _ = writeln!(out, "\n[{name}]");
            self.block(&mut out, name, entries);
        }
        for profile in &self.bfd.profiles {
            let _ = writeln!(out, "\n[[bfd.profiles]]");
            self.block(&mut out, &bfd::origin(&profile.name), bfd::of_profile(profile));
        }
        out
    }

    fn block(&self, out: &mut String, section: &str, entries: Vec<Entry>) {
        let owner = section.to_owned();
        for (key, shown) in entries {
            let origin = match self.origins.get(&(owner.clone(), key)) {
                Some(line) => format!("line {line}"),
                None => "default".to_owned(),
            };
            let assignment = match &shown {
                Shown::Value(value) => format!("{key} = {value}"),
                Shown::Policy(_) => format!("{key} = {shown}"),
                Shown::Unset(meaning) => format!("# {key}: {meaning}"),
                Shown::Hidden(_) => format!("# {key}: set, not shown"),
                Shown::Keys(_) => format!("# {key}: {shown}"),
            };
            let _ = writeln!(out, "{assignment:<44} # {origin}");
        }
    }
}
