//! The table: what the RIB does for a route as long as nobody is to be told.

use bgp_core::{FamilySet, V4};
use bgp_rib::{AttributeStore, Attrs};

use crate::measure::Bench;
use crate::routes::{self, Sharing};
use crate::world::World;

pub fn rows(bench: &mut Bench) {
    for count in [10_000, 1_000_000] {
        let count = bench.size(count);
        let routes = routes::routes::<V4>(count, Sharing::HeavyTailed);
        let store = AttributeStore::new(1);
        let [one, other] = [1, 2].map(|source| -> Vec<Attrs> {
            let sets = routes::sets::<V4>(routes::set_count(&routes), source, 100..=100);
            sets.iter().map(|set| set.insert(&store)).collect()
        });
        let named = |work: &str| format!("{work}, {count} destinations");
        let empty = || {
            let mut world = World::new();
            world.join(1, FamilySet::EMPTY);
            world
        };
        bench.row("table", named("new"), (count, "route"), |stopwatch| {
            let mut world = empty();
            stopwatch.time(|| world.announce::<V4>(1, &routes, &one));
        });
        let mut world = empty();
        world.announce::<V4>(1, &routes, &one);
        bench.row("table", named("the same again"), (count, "route"), |stopwatch| {
            stopwatch.time(|| world.announce::<V4>(1, &routes, &one));
        });
        let mut turn = [&other, &one].into_iter().cycle();
        bench.row("table", named("replaced"), (count, "route"), |stopwatch| {
            let sets = turn.next().unwrap_or(&one);
            stopwatch.time(|| world.announce::<V4>(1, &routes, sets));
        });
        bench.row("table", named("withdrawn"), (count, "route"), |stopwatch| {
            world.announce::<V4>(1, &routes, &one);
            stopwatch.time(|| {
                world.withdraw::<V4>(1, &routes);
                // Frees the destinations.
                world.flush();
            });
        });
    }
}
