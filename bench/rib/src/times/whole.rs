//! The whole way without I/O: routes as decoded, into the RIB, flushed, read by peers.

use bgp_core::{FamilySet, V4};

use crate::load::Load;
use crate::measure::Bench;
use crate::world::World;

pub fn rows(bench: &mut Bench) {
    let count = bench.size(200_000);
    let load = Load::new(count, 1);
    for peers in [1, 200] {
        table_and_back(bench, &load, peers);
    }
    joiner(bench, &load);
    drop(load);
    takeover(bench, count);
}

fn table_and_back(bench: &mut Bench, load: &Load<V4>, peers: u32) {
    let operations = (load.routes.len(), "route");
    let filled = || {
        let mut world = World::with_clients(peers + 1);
        load.announce(&mut world);
        world
    };
    bench.row("whole", format!("announced to {peers}"), operations, |stopwatch| {
        let mut world = World::with_clients(peers + 1);
        stopwatch.time(|| load.announce(&mut world));
    });
    bench.row("whole", format!("withdrawn from {peers}"), operations, |stopwatch| {
        let mut world = filled();
        stopwatch.time(|| load.withdraw(&mut world, 1));
    });
    bench.row("whole", format!("lost with the only source, {peers}"), operations, |stopwatch| {
        let mut world = filled();
        stopwatch.time(|| lose_the_first(&mut world));
    });
}

fn lose_the_first(world: &mut World) {
    world.leave(1);
    world.flush();
    world.transmit();
}

/// The best of ten sources goes.
fn takeover(bench: &mut Bench, count: usize) {
    const SOURCES: u32 = 10;
    let load = Load::<V4>::with_a_best(count, SOURCES);
    bench.row("whole", "next best of ten takes over", (count, "route"), |stopwatch| {
        let mut world = World::with_clients(SOURCES + 1);
        load.announce(&mut world);
        stopwatch.time(|| lose_the_first(&mut world));
    });
}

/// One more client is sent all there is.
fn joiner(bench: &mut Bench, load: &Load<V4>) {
    let mut world = World::with_clients(2);
    load.announce(&mut world);
    world.run();
    bench.row("whole", "snapshot for a joiner", (load.routes.len(), "route"), |stopwatch| {
        stopwatch.time(|| {
            world.join(3, FamilySet::UNICAST);
            world.flush();
            world.transmit()
        });
        world.leave(3);
        world.run();
    });
}
