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
/// How many read the journal.
const READERS: u32 = 20;
/// What a sealed chunk of the journal holds.
const CHUNK: usize = 64 * 1024;

type Routes = Vec<Route<<V4 as AddressFamily>::Prefix>>;

fn main() {
    match std::env::args().skip(1).find(|argument| argument != "--bench") {
        Some(path) => println!("{}", run(&path)),
        None => println!("usage: rib known|announce|replace|withdraw|flush|read"),
    }
}

/// Goes the path once for each route, or what else it is counted by; returns how many these were.
fn run(path: &str) -> usize {
    let routes = routes::routes::<V4>(ROUTES, Sharing::Always(5));
    let store = AttributeStore::new(1);
    let [one, other] = [1, 2].map(|source| routes::sets::<V4>(routes::set_count(&routes), source, 100..=100));
    let [known, others] =
        [&one, &other].map(|sets| -> Vec<Attrs> { sets.iter().map(|set| set.insert(&store)).collect() });
    if path == "known" {
        look_up(&store, &one);
        return one.len();
    }
    let readers = if path == "read" { READERS } else { 1 };
    let mut world = match path {
        "flush" | "read" => World::with_clients(1 + readers),
        _ => {
            let mut world = World::new();
            world.join(1, FamilySet::EMPTY);
            world
        }
    };
    if path == "announce" {
        announce(&mut world, &routes, &known);
        return routes.len();
    }
    world.announce::<V4>(1, &routes, &known);
    world.run();
    match path {
        "replace" => announce(&mut world, &routes, &others),
        "withdraw" => withdraw(&mut world, &routes),
        "flush" => {
            world.announce::<V4>(1, &routes, &others);
            flush(&mut world);
        }
        "read" => {
            world.announce::<V4>(1, &routes, &others);
            world.flush();
            // The source reads too, that there is nothing for it.
            return read(&mut world).div_ceil(CHUNK);
        }
        other => println!("unknown path {other}"),
    }
    routes.len()
}

/// Attribute sets that the store has.
#[inline(never)]
fn look_up(store: &AttributeStore, sets: &[Set]) {
    for set in sets {
        black_box(store.get(PeerKind::Internal, set.next_hop, &[&set.block]));
    }
}

/// Routes to destinations that are not there, or with other attributes than before.
#[inline(never)]
fn announce(world: &mut World, routes: &Routes, sets: &[Attrs]) {
    world.announce::<V4>(1, routes, sets);
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

/// By all readers; returns the octets.
#[inline(never)]
fn read(world: &mut World) -> usize {
    black_box(world).transmit()
}
