//! Sessions whose settings change, and End-of-RIB that waits.

use super::*;
use crate::NextHopRule;
use crate::filter::Policy;

impl World {
    fn key_of(&self, peer: PeerId) -> GroupKey {
        self.rib.groups.of(peer).unwrap().key().clone()
    }

    fn regroup(&mut self, peer: PeerId, group: GroupKey, kind: SourceKind) -> bool {
        self.rib.regroup(self.now, peer, group, kind)
    }
}

#[test]
fn a_filter_that_changes_on_a_live_session_takes_back_and_sends_again() {
    let mut w = World::reflector();
    let [a, b, c] = [5, 6, 7].map(|slot| w.up(slot));
    w.announce(a, "10.1.0.0/24", "10.0.0.5", 100);
    w.announce(c, "fd01::/64", "fd00::7", 100);
    w.settle();
    let key = w.key_of(b);
    assert!(w.regroup(b, GroupKey { export: Policy::Reject, ..key.clone() }, SourceKind::Client));
    w.settle();
    assert_eq!((w.believed(b).len(), w.believed(c).len(), w.rib.groups().count()), (0, 1, 2));
    assert!(w.regroup(b, GroupKey { next_hop: NextHopRule::Own, ..key }, SourceKind::Client));
    w.settle();
    assert_eq!(w.believed(b), pairs(&[("10.1.0.0/24", "10.0.0.99"), ("fd01::/64", "fd00::99")]));
    assert_eq!(w.rib.peer_counts(b, V4::FAMILY).unwrap().advertised, 1);
}

#[test]
fn the_routes_of_a_peer_that_becomes_a_client_reach_who_may_have_them_now() {
    let mut w = World::reflector();
    let [a, b] = [3, 4].map(|slot| w.up(slot));
    w.announce(a, "10.1.0.0/24", "10.0.0.3", 100);
    w.announce(b, "10.2.0.0/24", "10.0.0.4", 100);
    w.settle();
    assert_eq!((w.believed(a).len(), w.believed(b).len()), (0, 0));
    let key = GroupKey { kind: TargetKind::Client, ..w.key_of(a) };
    assert!(w.regroup(a, key.clone(), SourceKind::Client));
    w.settle();
    assert_eq!(w.believed(a), pairs(&[("10.2.0.0/24", "10.0.0.4")]));
    assert_eq!(w.believed(b), pairs(&[("10.1.0.0/24", "10.0.0.3")]));
    assert!(w.regroup(a, GroupKey { kind: TargetKind::Internal, ..key }, SourceKind::Internal));
    w.settle();
    assert_eq!((w.believed(a).len(), w.believed(b).len()), (0, 0));
}

#[test]
fn what_would_have_to_be_negotiated_anew_is_refused() {
    let mut w = World::reflector();
    let a = w.up(5);
    let key = w.key_of(a);
    let v4_only = FamilySet::EMPTY.with(V4::FAMILY);
    let refused = [
        GroupKey { families: v4_only, ..key.clone() },
        GroupKey { four_octet_as: false, ..key.clone() },
        GroupKey { max_message_len: 65535, ..key.clone() },
        GroupKey { add_path: v4_only, ..key.clone() },
        GroupKey { kind: TargetKind::External, ..key.clone() },
    ];
    for other in refused {
        assert!(!w.regroup(a, other, SourceKind::Client));
    }
    for kind in [SourceKind::External, SourceKind::Local] {
        assert!(!w.regroup(a, key.clone(), kind));
    }
    assert!(w.regroup(a, key.clone(), SourceKind::Client));
    w.down(a);
    assert!(!w.regroup(a, key, SourceKind::Client));
}

#[test]
fn a_peer_is_ready_when_its_end_of_rib_is_let_go() {
    let mut w = World::reflector();
    w.rib.hold_end_of_rib(true);
    let [a, b] = [5, 6].map(|slot| w.up(slot));
    w.announce(a, "10.1.0.0/24", "10.0.0.5", 100);
    w.settle();
    assert_eq!((w.believed(b).len(), w.ends[&b]), (1, FamilySet::EMPTY));
    w.rib.hold_end_of_rib(false);
    w.settle();
    assert_eq!((w.ends[&a], w.ends[&b]), (both(), both()));
}

#[test]
fn all_routes_are_sent_again_where_that_is_asked_for() {
    let mut w = World::reflector();
    let [a, b] = [5, 6].map(|slot| w.up(slot));
    w.announce(a, "10.1.0.0/24", "10.0.0.5", 100);
    w.announce(a, "fd01::/64", "fd00::5", 100);
    w.settle();
    w.believed.insert(b, Believed::new());
    w.rib.resend(b, false);
    w.settle();
    assert_eq!(w.believed(b).len(), 2);
}

#[test]
fn a_move_leaves_nothing_behind() {
    let mut w = World::reflector();
    let [a, b] = [5, 6].map(|slot| w.up(slot));
    w.announce(a, "10.1.0.0/24", "10.0.0.5", 100);
    w.settle();
    let key = GroupKey { export: Policy::Reject, ..w.key_of(b) };
    assert!(w.regroup(b, key, SourceKind::Client));
    w.settle();
    w.down(a);
    w.now += Duration::from_secs(1);
    w.settle();
    w.fib();
    assert_eq!((w.rib.groups().count(), w.rib.next_timeout(), w.store.len()), (1, None, 0));
    assert_eq!(w.rib.families.v4.table.next_dest(DestId::FIRST), None);
}
