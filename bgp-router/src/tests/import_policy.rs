//! The import policy: what it takes, changes and refuses, on arrival and on routes that are kept.

use super::rig::*;
use crate::{PeerSettings, Policy};

#[test]
fn kept_routes_are_judged_by_another_policy_and_only_the_difference_is_told() {
    let mut rig = Rig::new();
    let keeping = PeerSettings { keep_received: true, ..client(1) };
    let (source, other) = (rig.up(keeping.clone()), rig.up(client(2)));
    rig.hear(source, &many(1, 10_000));
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    let now = rig.now;
    rig.sides[source].said.clear();
    let narrow = PeerSettings { allowed_prefixes: vec![prefix("20.0.0.0/8")], ..keeping.clone() };
    let applied = rig.sides[source].peer.reconfigure(now, narrow);
    assert!(applied.judged_again && !applied.refresh && !applied.reset);
    rig.settle();
    assert_eq!((rig.accepted(source), rig.sides[other].routes().len()), (10_000, 10_000));
    assert_eq!(rig.sides[source].said.len(), 1, "one withdrawal: {:?}", rig.sides[source].said);

    let closed = PeerSettings { import: Policy::Reject, ..keeping.clone() };
    rig.sides[source].peer.reconfigure(now, closed);
    rig.settle();
    assert_eq!((rig.accepted(source), rig.sides[other].routes().len()), (0, 0));
    rig.sides[source].peer.reconfigure(now, keeping);
    rig.settle();
    assert_eq!((rig.accepted(source), rig.sides[other].routes().len()), (10_001, 10_001));
    assert!(rig.sides[source].asked_again().is_empty());
}
