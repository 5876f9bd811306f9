//! Aggregates (RFC 4271 section 9.2.2.2): prefixes of our own that are announced while there is a route inside them.

use bgp_core::{Instant, PathId, Prefix, V4, V6};

use super::Rib;
use crate::attributes::Attrs;
use crate::family::RibFamily;
use crate::path::Path;
use crate::peer::PeerId;
use crate::table::DestId;

/// Tells an aggregate's path from that of a prefix of our own that is announced as such.
const AGGREGATE: PathId = PathId(1);

/// A prefix to announce while some other destination inside it has a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// The prefix.
    pub prefix: Prefix,
    /// The routes inside it are not announced meanwhile.
    pub summary_only: bool,
    /// Its attributes.
    pub attrs: Attrs,
}

#[derive(Debug)]
struct Entry {
    aggregate: Aggregate,
    /// Destinations inside it that have a route.
    contributors: usize,
}

impl Entry {
    fn takes(&self, prefix: Prefix) -> bool {
        self.aggregate.prefix != prefix && self.aggregate.prefix.covers(&prefix)
    }
}

/// The aggregates, and which destinations contribute to some.
#[derive(Debug, Default)]
pub(crate) struct Aggregates {
    entries: Vec<Entry>,
    v4: Contributors,
    v6: Contributors,
}

/// Destinations of a family that have a route other than an aggregate, by number: none of them is freed before its
/// change is looked at.
#[derive(Debug, Default)]
struct Contributors(Vec<u64>);

impl Contributors {
    /// Notes whether a destination contributes; whether that is new.
    fn note(&mut self, dest: DestId, contributes: bool) -> bool {
        let (word, bit) = (dest.index() / 64, 1_u64 << (dest.index() % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let Some(word) = self.0.get_mut(word) else { return false };
        let before = *word & bit != 0;
        *word = if contributes { *word | bit } else { *word & !bit };
        before != contributes
    }
}

impl Aggregates {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a route to `prefix` is not to be announced, since an aggregate stands for it.
    pub(crate) fn suppresses(&self, prefix: Prefix) -> bool {
        self.entries.iter().any(|entry| entry.aggregate.summary_only && entry.takes(prefix))
    }
}

impl Rib {
    /// From now on these are the aggregates.
    pub fn set_aggregates(&mut self, now: Instant, aggregates: Vec<Aggregate>) {
        let same = |entry: &Entry, new: &Aggregate| entry.aggregate == *new;
        if self.aggregates.entries.len() == aggregates.len()
            && self.aggregates.entries.iter().zip(&aggregates).all(|(entry, new)| same(entry, new))
        {
            return;
        }
        for entry in std::mem::take(&mut self.aggregates).entries {
            if !aggregates.contains(&entry.aggregate) {
                self.withdraw_aggregate(now, entry.aggregate.prefix);
            }
        }
        let entries = aggregates.into_iter().map(|aggregate| Entry { aggregate, contributors: 0 });
        self.aggregates.entries = entries.collect();
        self.watch_for_settling();
        // What contributes is found out anew, and what is suppressed may have changed.
        self.mark_all::<V4>(now);
        self.mark_all::<V6>(now);
        self.settle(now);
        // One that stays may have lost its last route since the changes were last looked at.
        let empty = self.aggregates.entries.iter().filter(|entry| entry.contributors == 0);
        for prefix in empty.map(|entry| entry.aggregate.prefix).collect::<Vec<_>>() {
            self.withdraw_aggregate(now, prefix);
        }
    }

    /// Has the groups look at every destination again.
    fn mark_all<F: RibFamily>(&mut self, now: Instant) {
        let Rib { families, groups, .. } = self;
        let rib = F::rib_mut(families);
        let mut next = DestId::FIRST;
        while let Some(dest) = rib.table.next_dest(next) {
            if let Some(unsettled) = &mut rib.unsettled {
                unsettled.mark(dest);
            }
            groups.mark_any(now, F::FAMILY, dest);
            next = dest.next();
        }
        self.settle_later(now);
    }

    /// A destination changed: counts it in or out of the aggregates that it is inside of.
    pub(super) fn note_contribution<F: RibFamily>(&mut self, now: Instant, dest: DestId, prefix: Prefix) {
        if self.aggregates.is_empty() {
            return;
        }
        let best = F::rib(&self.families).table.best(dest);
        let contributes = best.is_some_and(|path| !path.is_from(PeerId::LOCAL, AGGREGATE));
        let Aggregates { entries, v4, v6 } = &mut self.aggregates;
        let contributors = if prefix.address().is_ipv4() { v4 } else { v6 };
        if !contributors.note(dest, contributes) {
            return;
        }
        let mut changed = Vec::new();
        for entry in entries.iter_mut().filter(|entry| entry.takes(prefix)) {
            if contributes {
                entry.contributors += 1;
            } else {
                entry.contributors = entry.contributors.saturating_sub(1);
            }
            let first_or_last = entry.contributors == usize::from(contributes);
            changed.extend(first_or_last.then(|| entry.aggregate.clone()));
        }
        for aggregate in changed {
            if contributes {
                self.announce_aggregate(now, aggregate);
            } else {
                self.withdraw_aggregate(now, aggregate.prefix);
            }
        }
    }

    fn announce_aggregate(&mut self, now: Instant, aggregate: Aggregate) {
        let path = Path::new(PeerId::LOCAL, AGGREGATE, aggregate.attrs, now);
        self.put_local(now, aggregate.prefix, path);
    }

    fn withdraw_aggregate(&mut self, now: Instant, prefix: Prefix) {
        self.take_out_local(now, prefix, AGGREGATE);
    }
}
