//! Whole networks, many seeds: after the trouble every table is as the model says.

#![cfg(test)]

use sim::check::check;
use sim::generate::{Topology, generate};

/// Networks of each shape: with all shapes, most of a minute on one core.
const SEEDS: u64 = 1000;

fn seeds(topology: Topology) {
    for seed in 0..SEEDS {
        if let Err(failure) = check(&generate(topology, seed)) {
            panic!("sim --topology {topology} --first {seed} --seeds 1 --shrink\n{failure}");
        }
    }
}

#[test]
fn a_full_mesh_ends_with_the_right_tables() {
    seeds(Topology::Mesh);
}

#[test]
fn clients_of_one_reflector_end_with_the_right_tables() {
    seeds(Topology::Reflector);
}

#[test]
fn clients_of_several_reflectors_end_with_the_right_tables() {
    seeds(Topology::Reflectors);
}

#[test]
fn reflectors_below_reflectors_end_with_the_right_tables() {
    seeds(Topology::Hierarchy);
}

#[test]
fn racks_that_are_an_as_each_end_with_the_right_tables() {
    seeds(Topology::AsPerRack);
}

#[test]
fn any_graph_of_ases_ends_with_the_right_tables() {
    seeds(Topology::Graph);
}

#[test]
fn member_ases_of_a_confederation_end_with_the_right_tables() {
    seeds(Topology::Confederation);
}

#[test]
fn a_run_replays_from_its_seed() {
    for topology in Topology::ALL {
        let runs = [(); 2].map(|()| check(&generate(topology, 3)));
        assert_eq!(runs[0], runs[1], "{topology}");
        assert_ne!(runs[0], check(&generate(topology, 4)), "{topology}");
    }
}
