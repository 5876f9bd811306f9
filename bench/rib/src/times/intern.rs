//! Attribute sets: found, made, freed.

use std::hint::black_box;

use bgp_core::{PeerKind, V4};
use bgp_rib::{AttributeStore, Attrs};

use crate::measure::Bench;
use crate::routes::{self, Set};
use crate::workload::Random;

pub fn rows(bench: &mut Bench) {
    for count in [20_000, 200_000] {
        let count = bench.size(count);
        let sets = routes::sets::<V4>(count, 1, 100..=100);
        let named = |work: &str| format!("{work}, {count} sets");
        let store = AttributeStore::new(1);
        let held = insert_all(&store, &sets);
        let mut order: Vec<&Set> = sets.iter().collect();
        routes::shuffle(&mut Random(1), &mut order);
        bench.row("intern", named("known"), (count, "set"), |stopwatch| {
            stopwatch.time(|| {
                for set in &order {
                    black_box(store.get(PeerKind::Internal, set.next_hop, &[&set.block]));
                }
            });
        });
        drop(held);
        bench.row("intern", named("new"), (count, "set"), |stopwatch| {
            let store = AttributeStore::new(1);
            black_box(stopwatch.time(|| insert_all(&store, &sets)));
        });
        bench.row("intern", named("freed"), (count, "set"), |stopwatch| {
            let store = AttributeStore::new(1);
            let held = insert_all(&store, &sets);
            stopwatch.time(|| drop(held));
        });
    }
}

/// As an importer does: looked up, not found, made.
fn insert_all(store: &AttributeStore, sets: &[Set]) -> Vec<Attrs> {
    let mut held = Vec::with_capacity(sets.len());
    for set in sets {
        let known = store.get(PeerKind::Internal, set.next_hop, &[&set.block]);
        held.push(known.unwrap_or_else(|| set.insert(store)));
    }
    held
}
