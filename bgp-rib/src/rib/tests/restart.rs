//! Paths that outlive their session, and what ends them.

use super::*;

const V4_ONLY: FamilySet = FamilySet::EMPTY.with(Family::IPV4_UNICAST);
const FAMILY: Family = Family::IPV4_UNICAST;

/// A RIB with a source at slot 5 and two clients that look on.
struct Restart {
    w: World,
    source: PeerId,
    backup: PeerId,
    other: PeerId,
}

impl Restart {
    fn new() -> Restart {
        let mut w = World::reflector();
        let [source, backup, other] = [5, 6, 7].map(|slot| w.up(slot));
        Restart { w, source, backup, other }
    }

    fn lose(&mut self, keep: FamilySet) {
        self.w.believed.remove(&self.source);
        self.w.rib.peer_lost(self.w.now, self.source, keep, keep);
        self.w.settle();
    }

    fn back(&mut self) {
        self.source = self.w.up(5);
        self.w.settle();
    }

    fn announce(&mut self, prefix: &str) {
        self.w.announce(self.source, prefix, "10.0.0.5", 200);
        self.w.settle();
    }

    fn announce_path(&mut self, prefix: &str, id: u32, attrs: Attrs) {
        let Prefix::V4(prefix) = self::prefix(prefix) else { return };
        self.w.rib.announce::<V4>(self.w.now, self.source, prefix, PathId(id), attrs);
        self.w.settle();
    }

    fn sweep(&mut self) {
        self.w.rib.sweep_stale(self.w.now, 5, FAMILY);
        self.w.settle();
    }

    fn long_lived(&mut self) {
        self.w.rib.begin_long_lived(self.w.now, 5, FAMILY);
        self.w.settle();
    }

    /// All paths and how many of them are stale.
    fn held(&self) -> (usize, usize) {
        let held = self.w.rib.families.v4.held(5);
        (held.paths, held.stale)
    }

    fn others_routes(&self) -> Vec<(String, String)> {
        self.w.believed(self.other)
    }

    /// Whatever the groups are about to say.
    fn is_quiet(&self) -> bool {
        self.w.rib.next_flush().is_none()
    }
}

#[test]
fn a_route_that_outlives_its_session_and_comes_back_is_no_change_for_anybody() {
    let mut r = Restart::new();
    r.announce("10.1.0.0/24");
    assert_eq!(r.w.fib().len(), 1);
    r.w.rib.follow_best(true);
    let seen = r.others_routes();
    r.lose(both());
    assert_eq!((r.held(), r.others_routes(), r.w.rib.peers().get(r.source)), ((1, 1), seen.clone(), None));
    r.back();
    r.w.now += Duration::from_secs(9);
    r.w.announce(r.source, "10.1.0.0/24", "10.0.0.5", 200);
    assert!(r.is_quiet() && !r.w.rib.has_fib_changes() && !r.w.rib.has_best_changes());
    let path = r.w.rib.route(prefix("10.1.0.0/24")).unwrap().paths[0].clone();
    assert_eq!((path.source(), path.is_stale()), (r.source, false));
    assert_eq!(path.received().since_origin().as_secs(), 9, "the session that holds it now brought it");
    r.sweep();
    assert_eq!((r.held(), r.others_routes()), ((1, 0), seen));
}

#[test]
fn what_did_not_come_back_is_swept() {
    let mut r = Restart::new();
    r.announce("10.1.0.0/24");
    r.announce("10.2.0.0/24");
    r.lose(both());
    r.back();
    r.announce("10.2.0.0/24");
    assert_eq!((r.held(), r.others_routes().len()), ((2, 1), 2));
    r.sweep();
    assert_eq!((r.held(), r.others_routes()), ((1, 0), pairs(&[("10.2.0.0/24", "10.0.0.5")])));
}

#[test]
fn a_stale_route_that_comes_back_changed_or_is_withdrawn_is_a_change() {
    let mut r = Restart::new();
    r.announce("10.1.0.0/24");
    r.announce("10.2.0.0/24");
    r.lose(both());
    r.back();
    r.w.announce(r.source, "10.1.0.0/24", "10.0.0.9", 200);
    r.w.withdraw(r.source, "10.2.0.0/24");
    r.w.settle();
    assert_eq!((r.held(), r.others_routes()), ((1, 0), pairs(&[("10.1.0.0/24", "10.0.0.9")])));
}

#[test]
fn only_the_families_that_are_to_be_kept_are() {
    let mut r = Restart::new();
    r.announce("10.1.0.0/24");
    r.announce("fd01::/64");
    r.lose(V4_ONLY);
    assert_eq!(r.w.rib.stale_families(5), V4_ONLY);
    assert_eq!(r.others_routes(), pairs(&[("10.1.0.0/24", "10.0.0.5")]));
}

#[test]
fn a_second_stale_path_with_another_identifier_is_swept_too() {
    let mut r = Restart::new();
    let attrs = r.w.attrs(address("10.0.0.5"), 200);
    r.announce_path("10.1.0.0/24", 1, attrs.clone());
    r.announce_path("10.1.0.0/24", 2, attrs.clone());
    r.lose(both());
    r.back();
    r.announce_path("10.1.0.0/24", 2, attrs);
    assert_eq!(r.held(), (2, 1));
    r.sweep();
    let route = r.w.rib.route(prefix("10.1.0.0/24")).unwrap();
    assert_eq!(route.paths.iter().map(|path| path.path_id).collect::<Vec<_>>(), [PathId(2)]);
}

#[test]
fn what_is_stale_already_goes_when_the_peer_goes_again() {
    let mut r = Restart::new();
    r.announce("10.1.0.0/24");
    r.announce("10.2.0.0/24");
    r.lose(both());
    r.back();
    r.announce("10.2.0.0/24");
    r.lose(both());
    assert_eq!((r.held(), r.others_routes()), ((1, 1), pairs(&[("10.2.0.0/24", "10.0.0.5")])));
}

#[test]
fn what_is_long_lived_already_stays_when_the_peer_goes_again() {
    let mut r = Restart::new();
    r.announce("10.1.0.0/24");
    r.lose(both());
    r.long_lived();
    r.back();
    r.announce("10.2.0.0/24");
    r.lose(both());
    assert_eq!(r.held(), (2, 2));
    let path = |text| &r.w.rib.route(prefix(text)).unwrap().paths[0];
    assert_eq!(["10.1.0.0/24", "10.2.0.0/24"].map(|text| path(text).is_long_lived()), [true, false]);
    // Both know what a long-lived stale route is (RFC 9494 section 4.3).
    let stale = [("10.1.0.0/24", "10.0.0.5"), ("10.2.0.0/24", "10.0.0.5")];
    assert_eq!(r.others_routes(), pairs(&stale));
}

#[test]
fn another_router_in_the_place_of_the_old_one_inherits_nothing() {
    type Change = fn(&mut PeerInfo);
    let changes: [(&str, Change); 4] = [
        ("router id", |info| info.router_id = RouterId(1)),
        ("AS", |info| info.asn = Asn(1)),
        ("kind", |info| info.kind = SourceKind::Internal),
        ("address", |info| info.address = [10, 9, 9, 9].into()),
    ];
    for (what, change) in changes {
        let mut r = Restart::new();
        r.announce("10.1.0.0/24");
        r.lose(both());
        let mut info = PeerInfo { families: both(), ..info(5, 2) };
        change(&mut info);
        let group = GroupKey::new(TargetKind::Client, both());
        r.w.believed.insert(info.id, Believed::new());
        r.w.rib.peer_up(r.w.now, PeerUp { info, group });
        r.w.settle();
        assert_eq!((r.held(), r.others_routes()), ((0, 0), vec![]), "{what}");
    }
}

#[test]
fn a_family_that_the_peer_does_not_speak_any_more_goes_when_it_is_back() {
    let mut r = Restart::new();
    r.announce("10.1.0.0/24");
    r.announce("fd01::/64");
    r.lose(both());
    let info = PeerInfo { families: V4_ONLY, ..info(5, 2) };
    r.w.believed.insert(info.id, Believed::new());
    let group = GroupKey::new(TargetKind::Client, V4_ONLY);
    r.w.rib.peer_up(r.w.now, PeerUp { info, group });
    r.w.settle();
    assert_eq!(r.others_routes(), pairs(&[("10.1.0.0/24", "10.0.0.5")]));
}

#[test]
fn a_long_lived_path_is_the_last_choice_and_a_new_announcement_makes_it_a_path_like_others() {
    let mut r = Restart::new();
    r.announce("10.1.0.0/24");
    r.w.announce(r.backup, "10.1.0.0/24", "10.0.0.6", 100);
    r.lose(both());
    assert_eq!(r.others_routes(), pairs(&[("10.1.0.0/24", "10.0.0.5")]), "stale is as good as before");
    r.w.fib();
    r.long_lived();
    assert_eq!(r.others_routes(), pairs(&[("10.1.0.0/24", "10.0.0.6")]));
    assert_eq!(r.w.fib(), routes(&[("10.1.0.0/24", &["10.0.0.6"])]));
    let view = r.w.rib.route(prefix("10.1.0.0/24")).unwrap();
    let seen: Vec<_> = view.candidates().map(|c| (c.source.address, c.rule)).collect();
    assert_eq!(seen, [(address("10.0.0.6"), None), (address("10.0.0.5"), Some(Rule::LongLivedStale))]);
    r.back();
    r.announce("10.1.0.0/24");
    assert_eq!((r.held(), r.others_routes()), ((1, 0), pairs(&[("10.1.0.0/24", "10.0.0.5")])));
}

#[test]
fn the_only_path_is_told_again_when_it_becomes_long_lived() {
    let mut r = Restart::new();
    r.announce("10.1.0.0/24");
    r.lose(both());
    r.w.rib.begin_long_lived(r.w.now, 5, FAMILY);
    assert!(!r.is_quiet(), "it goes out with LLGR_STALE, or not any more");
}

#[test]
fn no_llgr_keeps_a_path_from_becoming_long_lived() {
    let mut r = Restart::new();
    let attrs = r.w.attrs(address("10.0.0.5"), 200);
    let summary = Summary { no_llgr: true, ..attrs.summary() };
    let refusing = r.w.store.insert(PeerKind::Internal, attrs.next_hop(), &[attrs.block(), &[0]], summary);
    r.announce_path("10.1.0.0/24", 0, refusing);
    r.announce("10.2.0.0/24");
    r.lose(both());
    assert_eq!(r.held(), (2, 2));
    r.long_lived();
    assert_eq!((r.held(), r.w.rib.route(prefix("10.1.0.0/24")).is_none()), ((1, 1), true));
}

#[test]
fn what_a_marked_refresh_does_not_bring_again_is_swept() {
    let mut r = Restart::new();
    r.announce("10.1.0.0/24");
    r.announce("10.2.0.0/24");
    r.w.rib.mark_stale(r.source, FAMILY);
    assert_eq!((r.held(), r.is_quiet()), ((2, 2), true));
    r.announce("10.1.0.0/24");
    assert_eq!(r.held(), (2, 1));
    r.sweep();
    assert_eq!((r.held(), r.others_routes()), ((1, 0), pairs(&[("10.1.0.0/24", "10.0.0.5")])));
}

#[test]
fn a_session_that_ends_within_a_marked_refresh_leaves_all_its_paths() {
    let mut r = Restart::new();
    r.announce("10.1.0.0/24");
    r.w.rib.mark_stale(r.source, FAMILY);
    r.lose(both());
    assert_eq!(r.held(), (1, 1), "it was of the session that ended, only not yet told again");
}

#[test]
fn a_peer_that_is_back_is_sent_what_others_have_and_never_its_own_stale_routes() {
    let mut r = Restart::new();
    r.announce("10.1.0.0/24");
    r.announce("10.2.0.0/24");
    r.w.announce(r.backup, "10.3.0.0/24", "10.0.0.6", 100);
    r.lose(both());
    r.back();
    let of_others = pairs(&[("10.3.0.0/24", "10.0.0.6")]);
    assert_eq!(r.w.believed(r.source), of_others);
    r.announce("10.1.0.0/24");
    r.w.announce(r.backup, "10.2.0.0/24", "10.0.0.6", 300);
    r.w.settle();
    let of_others = pairs(&[("10.2.0.0/24", "10.0.0.6"), ("10.3.0.0/24", "10.0.0.6")]);
    assert_eq!(r.w.believed(r.source), of_others, "one of them has become another's");
    r.w.withdraw(r.backup, "10.2.0.0/24");
    r.w.settle();
    assert_eq!(r.w.believed(r.source), pairs(&[("10.3.0.0/24", "10.0.0.6")]), "and is its own again");
}

#[test]
fn a_peer_that_is_gone_is_forgotten_with_its_last_path() {
    let mut r = Restart::new();
    r.announce("10.1.0.0/24");
    r.announce("10.2.0.0/24");
    r.lose(both());
    assert_eq!(r.w.rib.peer_counts(r.source, FAMILY).map(|counts| counts.stale), Some(2));
    r.sweep();
    assert_eq!((r.w.rib.peers().lost(5), r.w.rib.peer_counts(r.source, FAMILY)), (None, None));
    r.back();
    r.announce("10.1.0.0/24");
    r.lose(both());
    r.w.rib.peer_down(r.w.now, r.source);
    r.w.settle();
    assert_eq!((r.held(), r.w.rib.peers().source(r.source)), ((0, 0), None));
    r.w.down(r.backup);
    r.w.down(r.other);
    r.w.fib();
    assert!(r.w.store.is_empty());
}
