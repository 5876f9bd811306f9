//! Whole networks, many seeds: after the trouble every Loc-RIB is as the model says.

#![cfg(test)]

use sim::scenario::{Topology, run};

fn seeds(topology: Topology, count: u64) {
    for seed in 0..count {
        if let Err(failure) = run(topology, seed) {
            panic!("{topology:?}, seed {seed}: {failure}");
        }
    }
}

#[test]
fn a_full_mesh_ends_with_the_right_tables() {
    seeds(Topology::Mesh, 20);
}

#[test]
fn clients_of_one_reflector_end_with_the_right_tables() {
    seeds(Topology::Reflector, 20);
}

#[test]
fn clients_of_two_reflectors_end_with_the_right_tables() {
    seeds(Topology::TwoReflectors, 20);
}

#[test]
fn racks_that_are_an_as_each_end_with_the_right_tables() {
    seeds(Topology::AsPerRack, 20);
}
