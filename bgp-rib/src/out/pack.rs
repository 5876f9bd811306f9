//! Changes gathered by what they have in common, so that as few messages as possible say them all.

use bgp_core::AddressFamily;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::exporter::{Exporter, Messages};
use super::journal::Audience;
use super::slots::Outbound;
use super::sources::Written;
use crate::attributes::Attrs;
use crate::fault::{Fault, planted};
use crate::hash::Seed;
use crate::peer::PeerId;
use crate::table::Table;

/// Room for this many paths stays allocated between two batches.
const KEPT: usize = 1 << 14;

/// Messages for one audience, at most a chunk of them.
pub(crate) struct Packed<'a> {
    pub(crate) audience: Audience,
    /// What is announced; `None` for withdrawals.
    pub(crate) route: Option<(&'a Attrs, PeerId)>,
    pub(crate) paths: &'a [Outbound],
    /// Whole messages; none if the sink does not read them.
    pub(crate) messages: Messages<'a>,
}

/// Where packed messages go.
pub(crate) trait Sink {
    /// Whether somebody will read the messages: else they need not be written.
    fn reads(&self) -> bool;
    /// Takes one lot.
    fn put(&mut self, packed: &Packed<'_>);
}

/// Announcements with the same attributes from the same source. The paths are a list through `links`.
#[derive(Debug)]
struct Set {
    attrs: Attrs,
    source: PeerId,
    first: u32,
    last: u32,
}

const NONE: u32 = u32::MAX;

/// Changes of one family that are not written yet, sets in the order in which each was seen first.
pub(crate) struct Batch {
    seed: Seed,
    index: HashTable<u32>,
    sets: Vec<Set>,
    links: Vec<(Outbound, u32)>,
    withdrawals: Vec<(Audience, Outbound)>,
    paths: Vec<Outbound>,
}

impl Batch {
    pub(crate) fn new(seed: u64) -> Batch {
        Batch {
            seed: Seed::new(seed),
            index: HashTable::new(),
            sets: Vec::new(),
            links: Vec::new(),
            withdrawals: Vec::new(),
            paths: Vec::new(),
        }
    }

    /// Adds an announcement; whether its attributes are new to the batch.
    pub(crate) fn announce(&mut self, out: Outbound, attrs: &Attrs, source: PeerId) -> bool {
        let link = u32::try_from(self.links.len()).unwrap_or(NONE);
        self.links.push((out, NONE));
        let place = self.place_of(attrs, source);
        if let Some(set) = self.sets.get_mut(place) {
            if let Some(tail) = self.links.get_mut(set.last as usize) {
                tail.1 = link;
            }
            set.last = link;
            return false;
        }
        self.sets.push(Set { attrs: attrs.clone(), source, first: link, last: link });
        true
    }

    /// Where a set is, or will be once it is pushed.
    fn place_of(&mut self, attrs: &Attrs, source: PeerId) -> usize {
        let Batch { seed, index, sets, .. } = self;
        let same = |set: &Set| set.attrs == *attrs && set.source == source;
        // The last one first: destinations of one set come in runs.
        if sets.last().is_some_and(same) {
            return sets.len() - 1;
        }
        let hash = |attrs: &Attrs, source: PeerId| seed.hash(&(attrs.id(), source));
        let is_it = |place: &u32| sets.get(*place as usize).is_some_and(same);
        let hash_again =
            |place: &u32| sets.get(*place as usize).map_or(0, |set| hash(&set.attrs, set.source));
        match index.entry(hash(attrs, source), is_it, hash_again) {
            Entry::Occupied(known) => *known.get() as usize,
            Entry::Vacant(new) => {
                new.insert(u32::try_from(sets.len()).unwrap_or(NONE));
                sets.len()
            }
        }
    }

    /// Adds a withdrawal.
    pub(crate) fn withdraw(&mut self, out: Outbound, audience: Audience) {
        self.withdrawals.push((audience, out));
    }

    /// Writes all changes, withdrawals first, and empties the batch. `written` tells what is written of a source; of one
    /// that is not known nothing is announced. `is_reader` tells the peers that a route need
    /// not be sent back to from those that would not see it anyway: those can share messages with everyone.
    pub(crate) fn write<F: AddressFamily>(
        &mut self,
        exporter: &mut Exporter,
        table: &Table<F>,
        written: impl Fn(PeerId) -> Option<Written>,
        is_reader: impl Fn(PeerId) -> bool,
        sink: &mut impl Sink,
    ) {
        self.write_withdrawals(exporter, table, sink);
        for set in &self.sets {
            let audience = all_but(set.source, &is_reader);
            let like = |other: &&Set| planted(Fault::RewriteKeptForOtherClient) && other.attrs == set.attrs;
            let source = self.sets.iter().find(like).map_or(set.source, |other| other.source);
            if sink.reads() {
                if !written(source).is_some_and(|source| exporter.prepare::<F>(&set.attrs, source)) {
                    continue;
                }
                exporter.counters.rewrites += 1;
            }
            collect(&self.links, set.first, &mut self.paths);
            for paths in self.paths.chunks(exporter.announcements_per_chunk::<F>()) {
                let messages =
                    if sink.reads() { exporter.announce(table, paths) } else { Messages::default() };
                let route = Some((&set.attrs, set.source));
                sink.put(&Packed { audience, route, paths, messages });
            }
        }
        self.clear();
    }

    fn write_withdrawals<F: AddressFamily>(
        &mut self,
        exporter: &mut Exporter,
        table: &Table<F>,
        sink: &mut impl Sink,
    ) {
        // Stable: paths stay in the order in which they came.
        self.withdrawals.sort_by_key(|(audience, _)| *audience);
        for lot in self.withdrawals.chunk_by(|a, b| a.0 == b.0) {
            let Some((audience, _)) = lot.first() else { continue };
            for part in lot.chunks(exporter.withdrawals_per_chunk::<F>()) {
                self.paths.clear();
                self.paths.extend(part.iter().map(|(_, out)| *out));
                let messages =
                    if sink.reads() { exporter.withdraw(table, &self.paths) } else { Messages::default() };
                sink.put(&Packed { audience: *audience, route: None, paths: &self.paths, messages });
            }
        }
    }

    fn clear(&mut self) {
        self.index.clear();
        self.index.shrink_to(KEPT, |_| 0);
        self.sets.clear();
        self.sets.shrink_to(KEPT);
        self.links.clear();
        self.links.shrink_to(KEPT);
        self.withdrawals.clear();
        self.withdrawals.shrink_to(KEPT);
        self.paths.clear();
        self.paths.shrink_to(KEPT);
    }
}

/// Everyone but the source, which only matters if the source is a reader.
pub(crate) fn all_but(source: PeerId, is_reader: impl Fn(PeerId) -> bool) -> Audience {
    if is_reader(source) { Audience::AllBut(source) } else { Audience::All }
}

fn collect(links: &[(Outbound, u32)], first: u32, paths: &mut Vec<Outbound>) {
    paths.clear();
    let mut next = first;
    while let Some((out, after)) = links.get(next as usize) {
        paths.push(*out);
        next = *after;
    }
}
