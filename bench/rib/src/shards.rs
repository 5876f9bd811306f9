//! One RIB on one thread, or one for each half of the prefixes on two, of which every peer is a client.
//!
//! The attribute store is one in both cases. What it would cost to part what comes in, and to put together what goes
//! out, is left out.

use std::sync::Barrier;
use std::time::Instant;

use bgp_core::V4;
use serde_json::{Value, json};

use crate::allocator::{self, held};
use crate::load::Load;
use crate::measure::thread_time;
use crate::world::World;

const PEERS: [u32; 2] = [2, 200];

/// What one thread did.
#[derive(Clone, Copy, Default)]
struct Done {
    cpu: u64,
    updates: u64,
    octets: u64,
    taken: isize,
}

/// What all did.
#[derive(Clone, Copy)]
struct Run {
    wall: f64,
    /// The CPU time of the slowest thread: how long it takes if each has a core.
    longest: f64,
    /// The CPU time of all.
    cpu: f64,
    updates: u64,
    octets: u64,
    taken: isize,
}

/// Measures, prints and returns all; of each case the run with the least CPU time of `rounds`.
pub fn measure(rounds: usize, quick: bool) -> Value {
    let load = Load::<V4>::new(if quick { 50_000 } else { 500_000 }, 1);
    let halves = [0, 1].map(|half| {
        let routes =
            load.routes.iter().copied().filter(|route| half_of(u32::from(route.prefix.address())) == half);
        Load { routes: routes.collect(), store: load.store.clone(), sets: load.sets.clone() }
    });
    let routes = load.routes.len();
    println!(
        "{:<28} {:>8} {:>8} {:>8} {:>9} {:>9} {:>8}",
        format!("{routes} routes"),
        "longest",
        "CPU",
        "wall",
        "UPDATEs",
        "octets",
        "memory"
    );
    println!(
        "{:<28} {:>8} {:>8} {:>8} {:>9} {:>9} {:>8}",
        "", "ms", "ms", "ms", "a peer", "a peer", "a route"
    );
    let mut rows = Vec::new();
    for peers in PEERS {
        for (name, loads) in [("one", std::slice::from_ref(&load)), ("two", &halves[..])] {
            let runs = (0..rounds).map(|_| run(loads, peers));
            let Some(best) = runs.min_by(|a, b| a.longest.total_cmp(&b.longest)) else { continue };
            let Run { wall, longest, cpu, updates, octets, taken } = best;
            let (updates, octets) = (updates / u64::from(peers), octets / u64::from(peers));
            let taken = taken as f64 / routes as f64;
            println!(
                "{:<28} {longest:>8.1} {cpu:>8.1} {wall:>8.1} {updates:>9} {octets:>9} {taken:>8.1}",
                format!("{name}, {peers} peers")
            );
            rows.push(json!({
                "ribs": name, "peers": peers, "longest_ms": longest, "cpu_ms": cpu, "wall_ms": wall,
                "updates": updates, "octets": octets, "octets_per_route": taken,
            }));
        }
    }
    json!({ "routes": routes, "rows": rows })
}

/// Which half an address is in, whatever its neighbours are.
fn half_of(address: u32) -> u32 {
    address.wrapping_mul(0x9e37_79b9) >> 31
}

fn run(loads: &[Load<V4>], peers: u32) -> Run {
    let barrier = Barrier::new(loads.len());
    let start = Instant::now();
    let done: Vec<Done> = std::thread::scope(|scope| {
        let work = |load| {
            let barrier = &barrier;
            scope.spawn(move || one(load, loads.len(), peers, barrier))
        };
        let threads: Vec<_> = loads.iter().map(work).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
    });
    let ms = |nanoseconds: u64| nanoseconds as f64 / 1e6;
    Run {
        wall: start.elapsed().as_secs_f64() * 1e3,
        longest: done.iter().map(|done| ms(done.cpu)).fold(0.0, f64::max),
        cpu: done.iter().map(|done| ms(done.cpu)).sum(),
        updates: done.iter().map(|done| done.updates).sum(),
        octets: done.iter().map(|done| done.octets).sum(),
        taken: done.iter().map(|done| done.taken).sum(),
    }
}

fn one(load: &Load<V4>, shards: usize, peers: u32, barrier: &Barrier) -> Done {
    allocator::count();
    let before = held();
    // One more than receive: the source.
    let mut world = World::with_clients(peers + 1);
    let greeted = world.updates;
    barrier.wait();
    let start = thread_time();
    let octets = load.announce_by(&mut world, crate::load::TICK / shards);
    let cpu = thread_time() - start;
    Done { cpu, updates: world.updates - greeted, octets: octets as u64, taken: (held() - before).taken() }
}
