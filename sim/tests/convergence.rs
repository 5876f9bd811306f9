//! Whole networks, many seeds: after the trouble every Loc-RIB is as the model says.

#![cfg(test)]

use sim::generate::{Topology, generate};
use sim::oracle::Judge;
use sim::run::run;

fn seeds(topology: Topology, count: u64) {
    for seed in 0..count {
        if let Err(failure) = run(&generate(topology, seed), &mut [&mut Judge::default()]) {
            panic!("{topology}, seed {seed}: {failure}");
        }
    }
}

#[test]
fn a_full_mesh_ends_with_the_right_tables() {
    seeds(Topology::Mesh, 20);
}
