//! The whole way without I/O: routes as decoded, into the RIB, flushed, read by peers.

use bgp_core::{FamilySet, V4};
use bgp_rib::{AttributeStore, Attrs};

use crate::measure::Bench;
use crate::routes::{self, Route, Sharing};
use crate::world::World;

type Routes = Vec<Route<<V4 as bgp_core::AddressFamily>::Prefix>>;

/// Routes between two flushes: a tick's, when a million a second come in.
pub const TICK: usize = 5_000;

pub fn rows(bench: &mut Bench) {
    let count = bench.size(200_000);
    let routes = routes::routes::<V4>(count, Sharing::HeavyTailed);
    for peers in [1, 200] {
        table_and_back(bench, &routes, peers);
    }
    takeover(bench, &routes);
    joiner(bench, &routes);
}

/// The attribute sets of one source, held by nobody but the vector.
pub fn sets(store: &AttributeStore, routes: &Routes, source: u32, local_pref: u32) -> Vec<Attrs> {
    let sets = routes::sets::<V4>(routes::set_count(routes), source, local_pref..=local_pref);
    sets.iter().map(|set| set.insert(store)).collect()
}

/// Announces all, with a flush each tick.
pub fn announce(world: &mut World, slot: u32, routes: &Routes, sets: &[Attrs]) {
    for batch in routes.chunks(TICK) {
        world.announce::<V4>(slot, batch, sets);
        world.flush();
        world.transmit();
    }
}

fn table_and_back(bench: &mut Bench, routes: &Routes, peers: u32) {
    let store = AttributeStore::new(1);
    let sets = sets(&store, routes, 1, 100);
    let operations = (routes.len(), "route");
    let filled = || {
        let mut world = World::with_clients(peers + 1);
        announce(&mut world, 1, routes, &sets);
        world
    };
    bench.row("whole", format!("announced to {peers}"), operations, |stopwatch| {
        let mut world = World::with_clients(peers + 1);
        stopwatch.time(|| announce(&mut world, 1, routes, &sets));
    });
    bench.row("whole", format!("withdrawn from {peers}"), operations, |stopwatch| {
        let mut world = filled();
        stopwatch.time(|| {
            for batch in routes.chunks(TICK) {
                world.withdraw::<V4>(1, batch);
                world.flush();
                world.transmit();
            }
        });
    });
    bench.row("whole", format!("lost with the only source, {peers}"), operations, |stopwatch| {
        let mut world = filled();
        stopwatch.time(|| {
            world.leave(1);
            world.flush();
            world.transmit()
        });
    });
}

/// The best of ten sources goes.
fn takeover(bench: &mut Bench, routes: &Routes) {
    const SOURCES: u32 = 10;
    let store = AttributeStore::new(1);
    let all: Vec<Vec<Attrs>> = (1..=SOURCES)
        .map(|source| sets(&store, routes, source, if source == 1 { 200 } else { 100 }))
        .collect();
    bench.row("whole", "next best of ten takes over", (routes.len(), "route"), |stopwatch| {
        let mut world = World::with_clients(SOURCES + 1);
        for (slot, sets) in (1..).zip(&all) {
            announce(&mut world, slot, routes, sets);
        }
        stopwatch.time(|| {
            world.leave(1);
            world.flush();
            world.transmit()
        });
    });
}

/// One more client is sent all there is.
fn joiner(bench: &mut Bench, routes: &Routes) {
    let store = AttributeStore::new(1);
    let sets = sets(&store, routes, 1, 100);
    let mut world = World::with_clients(2);
    announce(&mut world, 1, routes, &sets);
    world.run();
    bench.row("whole", "snapshot for a joiner", (routes.len(), "route"), |stopwatch| {
        stopwatch.time(|| {
            world.join(3, FamilySet::UNICAST);
            world.flush();
            world.transmit()
        });
        world.leave(3);
        world.run();
    });
}
