//! A table as its sources announce it: what memory and growth are measured of.

use bgp_rib::{AttributeStore, Attrs};

use crate::routes::{self, MadeUp, Route, Sharing};
use crate::world::World;

/// Routes between two flushes: a tick's, when a million a second come in.
pub const TICK: usize = 5_000;

/// Routes, and the attribute sets that each of their sources gives them.
pub struct Load<F: MadeUp> {
    pub routes: Vec<Route<F::Prefix>>,
    pub store: AttributeStore,
    /// By source; the first is slot 1.
    pub sets: Vec<Vec<Attrs>>,
}

impl<F: MadeUp> Load<F> {
    /// So many routes, each from so many sources, none of which is better than the others.
    pub fn new(routes: usize, sources: u32) -> Load<F> {
        let routes = routes::routes::<F>(routes, Sharing::HeavyTailed);
        let mut load = Load { routes, store: AttributeStore::new(1), sets: Vec::new() };
        load.make_sets(sources);
        load
    }

    /// The same, but the first source is the best.
    pub fn with_a_best(routes: usize, sources: u32) -> Load<F> {
        let mut load = Load::new(routes, sources);
        if let Some(first) = load.sets.first_mut() {
            *first = sets::<F>(&load.routes, &load.store, 1, 200);
        }
        load
    }

    /// Makes the attribute sets, of which nobody but the load holds any.
    pub fn make_sets(&mut self, sources: u32) {
        let Load { routes, store, .. } = self;
        self.sets = (1..=sources).map(|source| sets::<F>(routes, store, source, 100)).collect();
    }

    /// All sources announce at the same time, with a flush each tick, and all peers read.
    pub fn announce(&self, world: &mut World) {
        self.announce_with(world, &self.sets);
    }

    /// The same with these attribute sets, by source.
    pub fn announce_with(&self, world: &mut World, sets: &[Vec<Attrs>]) {
        for batch in self.routes.chunks(TICK) {
            for (slot, sets) in (1..).zip(sets) {
                world.announce::<F>(slot, batch, sets);
            }
            world.flush();
            world.transmit();
        }
    }

    /// The first source announces, so many routes a tick; returns the octets that all peers read.
    pub fn announce_by(&self, world: &mut World, tick: usize) -> usize {
        let mut octets = 0;
        for batch in self.routes.chunks(tick) {
            world.announce::<F>(1, batch, &self.sets[0]);
            world.flush();
            octets += world.transmit();
        }
        octets
    }

    /// The first so many sources withdraw.
    pub fn withdraw(&self, world: &mut World, sources: u32) {
        for batch in self.routes.chunks(TICK) {
            (1..=sources).for_each(|slot| world.withdraw::<F>(slot, batch));
            world.flush();
            world.transmit();
        }
    }
}

fn sets<F: MadeUp>(
    routes: &[Route<F::Prefix>],
    store: &AttributeStore,
    source: u32,
    local_pref: u32,
) -> Vec<Attrs> {
    let sets = routes::sets::<F>(routes::set_count(routes), source, local_pref..=local_pref);
    sets.iter().map(|set| set.insert(store)).collect()
}
