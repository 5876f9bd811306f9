//! Octets per route and per path, by structure, as the allocator sees it and as the RIB says.

use bgp_core::{FamilySet, V4, V6};
use serde_json::{Value, json};

use crate::allocator::{self, Held, held};
use crate::load::Load;
use crate::routes::MadeUp;
use crate::world::World;

/// Measures, prints and returns all.
pub fn measure(routes: usize) -> Value {
    allocator::count();
    println!("Octets per route, {routes} routes\n");
    println!(
        "{:<7} {:>5} {:>5}  {:>6} {:>6} {:>6} {:>6} {:>7} {:>7}  {:>7} {:>7} {:>7} {:>7} {:>7} {:>6} {:>6}",
        "",
        "paths",
        "group",
        "sets",
        "dests",
        "index",
        "lists",
        "records",
        "rest",
        "settled",
        "path",
        "blocks",
        "peak",
        "said",
        "lost",
        "left"
    );
    let mut cases = Vec::new();
    for group in [false, true] {
        for paths in [1, 2, 10] {
            cases.push(case::<V4>("IPv4", routes, paths, group));
        }
        for paths in [1, 2, 10] {
            cases.push(case::<V6>("IPv6", routes, paths, group));
        }
    }
    println!("\nOctets per route from announcement to withdrawal, one path, one receiver\n");
    json!({ "routes": routes, "cases": cases, "life": life::<V4>(routes) })
}

/// Sources, and with a group one receiver more; in a group all are clients, as with a reflector.
fn world(sources: u32, group: bool) -> World {
    let mut world = World::new();
    let (families, peers) =
        if group { (FamilySet::UNICAST, sources + 1) } else { (FamilySet::EMPTY, sources) };
    (1..=peers).for_each(|slot| world.join(slot, families));
    world.run();
    world
}

/// What the sets of a load take, without the vectors that they are in.
fn fill_sets<F: MadeUp>(load: &mut Load<F>, sources: u32) -> (Held, isize) {
    let before = held();
    load.make_sets(sources);
    let vectors = load.sets.iter().map(|sets| sets.capacity() * size_of::<usize>()).sum::<usize>() as isize;
    (held() - before, vectors)
}

fn case<F: MadeUp>(family: &str, routes: usize, paths: u32, group: bool) -> Value {
    let mut load = Load::<F>::new(routes, 0);
    let mut alone = world(paths, false);
    let empty = held();
    let (sets, vectors) = fill_sets(&mut load, paths);
    let with_sets = held();
    load.announce(&mut alone);
    let tables = held() - with_sets;
    drop(alone);

    let mut world = world(paths, group);
    let before = held();
    let (above, ()) = allocator::peak(|| load.announce(&mut world));
    world.run();
    let with_group = held() - before;
    load.sets.clear();
    let memory = world.rib.memory();
    let said = memory.tables + memory.groups + load.store.bytes();
    let sets = sets.taken() - vectors;
    let settled = sets + with_group.taken();
    let records = memory.groups as isize;

    // The sources go, then the attribute sets and the destinations.
    let loaded = held();
    let (above_loss, ()) = allocator::peak(|| {
        (1..=paths).for_each(|slot| world.leave(slot));
        world.run();
    });
    let lost_peak = settled + above_loss;
    let left = settled + (held() - loaded).taken();
    drop((world, empty));

    let per = |octets: isize| octets as f64 / routes as f64;
    let [sets, dests, index, lists] = [sets, tables.medium, tables.large, tables.small].map(per);
    let rest = per(with_group.taken() - tables.taken() - records);
    let (records, settled, peak) = (per(records), per(settled), sets + per(above));
    let (path, blocks) = (settled / f64::from(paths), per(with_group.blocks));
    let (said, lost, left) = (per(said as isize), per(lost_peak), per(left));
    println!(
        "{family:<7} {paths:>5} {:>5}  {sets:>6.1} {dests:>6.1} {index:>6.1} {lists:>6.1} {records:>7.1} {rest:>7.1}  {settled:>7.1} {path:>7.1} {blocks:>7.2} {peak:>7.1} {said:>7.1} {lost:>6.1} {left:>6.1}",
        if group { "yes" } else { "no" }
    );
    json!({
        "family": family, "paths": paths, "group": group, "sets": sets, "destinations": dests, "index": index,
        "lists": lists, "records": records, "rest": rest, "settled": settled, "per_path": path, "blocks": blocks,
        "peak": peak, "said": said, "lost_peak": lost, "left": left,
    })
}

/// One table in all its states.
fn life<F: MadeUp>(routes: usize) -> Value {
    let mut load = Load::<F>::new(routes, 0);
    let mut world = world(1, true);
    let before = held();
    let vectors = fill_sets(&mut load, 1).1;
    println!(
        "{:<26} {:>7} {:>7} {:>7} {:>7} {:>7}  {:>7} {:>7} {:>7} {:>7}",
        "", "all", "small", "medium", "large", "blocks", "tables", "groups", "queued", "store"
    );
    let mut states = Vec::new();
    let mut state = |name: &str, world: &World, load: &Load<F>| {
        let (held, memory) = (held() - before, world.rib.memory());
        // What the load holds of them is none of the RIB's.
        let vectors = if load.sets.is_empty() { 0 } else { vectors };
        let all = held.taken() - vectors;
        let per = |octets: isize| octets as f64 / routes as f64;
        let classes = [all, held.small, held.medium, held.large - vectors].map(per);
        let said = [memory.tables, memory.groups, memory.queued, load.store.bytes()].map(|n| per(n as isize));
        let blocks = per(held.blocks);
        let [total, small, medium, large] = classes;
        let [tables, groups, queued, store] = said;
        println!(
            "{name:<26} {total:>7.1} {small:>7.1} {medium:>7.1} {large:>7.1} {blocks:>7.2}  {tables:>7.1} {groups:>7.1} {queued:>7.1} {store:>7.1}"
        );
        states.push(json!({
            "state": name, "all": total, "small": small, "medium": medium, "large": large, "blocks": blocks,
            "tables": tables, "groups": groups, "queued": queued, "store": store,
        }));
    };
    state("attribute sets", &world, &load);
    world.announce::<F>(1, &load.routes, &load.sets[0]);
    state("announced at once", &world, &load);
    world.flush();
    state("flushed", &world, &load);
    world.transmit();
    state("read", &world, &load);
    world.run();
    load.sets.clear();
    state("settled", &world, &load);
    world.withdraw::<F>(1, &load.routes);
    state("withdrawn", &world, &load);
    world.flush();
    state("withdrawn, flushed", &world, &load);
    world.transmit();
    world.run();
    state("withdrawn, read, settled", &world, &load);
    Value::from(states)
}
