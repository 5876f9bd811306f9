//! The hot paths of the RIB, to be counted in instructions by callgrind: see `bench/instructions`.
//!
//! It goes the path that is named as its argument once for each route; callgrind counts only within one function. The last
//! line that it prints is how many these were. A program of its own, so that what is inlined where here moves nothing in
//! the codec's.
#![allow(
    clippy::expect_used,
    reason = "the routes are made here: if they can't be there is nothing to count"
)]
#![allow(clippy::indexing_slicing, reason = "in a program that takes no input")]
#![allow(dead_code, unreachable_pub, reason = "the modules are shared with other programs")]

#[path = "../../../bgp-core/benches/codec/paths.rs"]
mod paths;
#[path = "../../../bgp-core/benches/codec/workload.rs"]
mod workload;

mod routes;
mod world;

use std::hint::black_box;

use bgp_core::{AddressFamily, FamilySet, PeerKind, V4};
use bgp_rib::{AttributeStore, Attrs};

use routes::{Route, Set, Sharing};
use world::World;

const ROUTES: usize = 10_000;
/// How many announce the same routes, in two of the paths.
const SOURCES: u32 = 10;
/// How many read the journal.
const READERS: u32 = 20;
/// What a sealed chunk of the journal holds.
const CHUNK: usize = 64 * 1024;

type Routes = Vec<Route<<V4 as AddressFamily>::Prefix>>;

fn main() {
    match std::env::args().skip(1).find(|argument| argument != "--bench") {
        Some(path) => println!("{}", run(&path)),
        None => println!("usage: rib known|announce|replace|tenth|withdraw|flush|read|takeover"),
    }
}

/// Goes the path once for each route, or what else it is counted by; returns how many these were.
fn run(path: &str) -> usize {
    let routes = routes::routes::<V4>(ROUTES, Sharing::Always(5));
    let store = AttributeStore::new(1);
    let made: Vec<Vec<Set>> = (1..=SOURCES).map(|source| sets(&routes, source)).collect();
    let attrs: Vec<Vec<Attrs>> =
        made.iter().map(|sets| sets.iter().map(|set| set.insert(&store)).collect()).collect();
    let count = routes.len();
    let mut alone = World::new();
    (1..=SOURCES).for_each(|slot| alone.join(slot, FamilySet::EMPTY));
    match path {
        "known" => {
            look_up(&store, &made[0]);
            return made[0].len();
        }
        "announce" => announce(&mut alone, 1, &routes, &attrs[0]),
        "replace" => {
            alone.announce::<V4>(1, &routes, &attrs[0]);
            announce(&mut alone, 1, &routes, &attrs[1]);
        }
        "tenth" => {
            (1..SOURCES).zip(&attrs).for_each(|(slot, sets)| alone.announce::<V4>(slot, &routes, sets));
            announce(&mut alone, SOURCES, &routes, &attrs[9]);
        }
        "withdraw" => {
            alone.announce::<V4>(1, &routes, &attrs[0]);
            withdraw(&mut alone, &routes);
        }
        "flush" => flush(&mut changed(1, &routes, &attrs)),
        "read" => {
            let mut world = changed(READERS, &routes, &attrs);
            world.flush();
            // The source reads too, that there is nothing for it.
            return read(&mut world).div_ceil(CHUNK);
        }
        "takeover" => {
            let mut world = World::with_clients(SOURCES + 1);
            (1..).zip(&attrs).for_each(|(slot, sets)| world.announce::<V4>(slot, &routes, sets));
            world.run();
            lose(&mut world);
        }
        other => println!("unknown path {other}"),
    }
    count
}

/// As this source has them: the first is the best.
fn sets(routes: &Routes, source: u32) -> Vec<Set> {
    let local_pref = if source == 1 { 200 } else { 100 };
    routes::sets::<V4>(routes::set_count(routes), source, local_pref..=local_pref)
}

/// Peers of one group that have all routes and are to be sent them with other attributes.
fn changed(readers: u32, routes: &Routes, attrs: &[Vec<Attrs>]) -> World {
    let mut world = World::with_clients(1 + readers);
    world.announce::<V4>(1, routes, &attrs[0]);
    world.run();
    world.announce::<V4>(1, routes, &attrs[1]);
    world
}

/// Attribute sets that the store has.
#[inline(never)]
fn look_up(store: &AttributeStore, sets: &[Set]) {
    for set in sets {
        black_box(store.get(PeerKind::Internal, set.next_hop, &[&set.block]));
    }
}

/// Routes to destinations that are not there, or with other attributes than before, or that nine others have.
#[inline(never)]
fn announce(world: &mut World, slot: u32, routes: &Routes, sets: &[Attrs]) {
    world.announce::<V4>(slot, routes, sets);
}

/// All routes, and the destinations freed.
#[inline(never)]
fn withdraw(world: &mut World, routes: &Routes) {
    world.withdraw::<V4>(1, routes);
    world.flush();
}

/// Messages of what has changed.
#[inline(never)]
fn flush(world: &mut World) {
    black_box(world).flush();
}

/// The source of all best paths goes: others take over, and messages say so.
#[inline(never)]
fn lose(world: &mut World) {
    black_box(&mut *world).leave(1);
    world.flush();
}

/// By all readers; returns the octets.
#[inline(never)]
fn read(world: &mut World) -> usize {
    black_box(world).transmit()
}
