//! Why a peer is sent a route, or is not.

use super::*;
use crate::{Aggregate, ExportCheck};

fn blockers(world: &World, peer: PeerId, destination: &str) -> Vec<Option<ExportCheck>> {
    let explanation = world.rib.explain_export(peer, prefix(destination)).unwrap();
    explanation.paths.iter().map(|path| path.blocker).collect()
}

#[test]
fn each_path_of_a_destination_is_explained_and_one_is_sent() {
    let mut world = World::reflector();
    let [first, second, third] = [5, 6, 7].map(|slot| world.up(slot));
    world.announce(first, "10.0.1.0/24", "192.0.2.1", 200);
    world.announce(second, "10.0.1.0/24", "192.0.2.2", 100);
    world.settle();
    assert_eq!(blockers(&world, third, "10.0.1.0/24"), [None, Some(ExportCheck::Chosen)]);
    let to_source = [Some(ExportCheck::SplitHorizon), Some(ExportCheck::Chosen)];
    assert_eq!(blockers(&world, first, "10.0.1.0/24"), to_source);
    let explanation = world.rib.explain_export(third, prefix("10.0.1.0/24")).unwrap();
    assert_eq!((explanation.policy.as_str(), explanation.advertised), ("accept", true));
    let sent = explanation.paths[0].sent.as_ref().unwrap();
    assert_eq!(sent.next_hop, address("192.0.2.1"));
    assert!(world.rib.explain_export(third, prefix("10.0.2.0/24")).is_none());
    assert!(!world.rib.explain_export(first, prefix("10.0.1.0/24")).unwrap().advertised);
}

#[test]
fn a_route_that_an_aggregate_stands_for_is_explained_so() {
    let mut world = World::reflector();
    let [source, reader] = [5, 6].map(|slot| world.up(slot));
    world.announce(source, "10.0.1.0/24", "192.0.2.1", 200);
    let attrs = world.attrs(address("10.0.0.99"), 100);
    let aggregate = Aggregate { prefix: prefix("10.0.0.0/16"), attrs, summary_only: true };
    world.rib.set_aggregates(world.now, vec![aggregate]);
    world.settle();
    assert_eq!(blockers(&world, reader, "10.0.1.0/24"), [Some(ExportCheck::Aggregate)]);
    assert_eq!(blockers(&world, reader, "10.0.0.0/16"), [None]);
}
