use super::*;

const SLOT: u32 = 3;
const V4: Family = Family::IPV4_UNICAST;
const V6: Family = Family::IPV6_UNICAST;

fn at(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

fn only(family: Family) -> FamilySet {
    FamilySet::EMPTY.with(family)
}

/// Both families for 100 s; IPv6 for 1000 s more.
fn retention() -> Retention {
    Retention {
        families: FamilySet::UNICAST,
        restart_time: Duration::from_secs(100),
        long_lived: vec![(V6, Duration::from_secs(1000))],
    }
}

fn came_back(forwarding: FamilySet) -> Option<SessionRestart> {
    Some(SessionRestart { forwarding, stale_time: Duration::from_secs(300) })
}

#[test]
fn each_family_is_kept_for_its_own_time() {
    let mut restarts = Restarts::default();
    let kept = restarts.lost(at(0), SLOT, Some(&retention()));
    assert_eq!(kept, Kept { families: FamilySet::UNICAST, long_lived: FamilySet::EMPTY });
    assert_eq!((restarts.next_timeout(), restarts.take_due(at(99))), (Some(at(100)), vec![]));
    assert_eq!(restarts.take_due(at(100)), [(SLOT, V4, Due::Sweep), (SLOT, V6, Due::LongLived)]);
    assert_eq!(restarts.next_timeout(), Some(at(1100)));
    assert_eq!(restarts.take_due(at(1100)), [(SLOT, V6, Due::Sweep)]);
    assert!(restarts.slots.is_empty());
}

#[test]
fn a_clock_that_jumps_over_two_deadlines_skips_no_step() {
    let mut restarts = Restarts::default();
    restarts.lost(at(0), SLOT, Some(&retention()));
    let steps = [(SLOT, V4, Due::Sweep), (SLOT, V6, Due::LongLived), (SLOT, V6, Due::Sweep)];
    assert_eq!(restarts.take_due(at(9999)), steps);
    assert_eq!(restarts.next_timeout(), None);
}

#[test]
fn without_a_restart_time_the_long_lived_time_begins_at_once() {
    let mut restarts = Restarts::default();
    let mut retention = retention();
    retention.families = only(V4);
    let kept = restarts.lost(at(0), SLOT, Some(&retention));
    assert_eq!(kept, Kept { families: FamilySet::UNICAST, long_lived: only(V6) });
    retention.restart_time = Duration::ZERO;
    let kept = restarts.lost(at(0), 4, Some(&retention));
    assert_eq!(kept, Kept { families: only(V6), long_lived: only(V6) }, "there is no time at all for IPv4");
}

#[test]
fn what_is_not_to_be_kept_is_forgotten() {
    let mut restarts = Restarts::default();
    restarts.lost(at(0), SLOT, Some(&retention()));
    assert_eq!(restarts.lost(at(1), SLOT, None), Kept::default());
    assert!(restarts.slots.is_empty());
    restarts.lost(at(0), SLOT, Some(&retention()));
    restarts.retain(SLOT, FamilySet::EMPTY);
    assert!(restarts.slots.is_empty(), "there was nothing to keep");
}

#[test]
fn a_peer_that_is_back_has_until_its_end_of_rib_or_the_stale_time() {
    let mut restarts = Restarts::default();
    restarts.lost(at(0), SLOT, Some(&retention()));
    let gone = restarts.back(at(50), SLOT, FamilySet::UNICAST, came_back(FamilySet::UNICAST));
    assert_eq!((gone, restarts.next_timeout()), (FamilySet::EMPTY, Some(at(350))));
    assert!(restarts.end_of_rib(SLOT, V4) && !restarts.end_of_rib(SLOT, V4));
    assert_eq!(restarts.take_due(at(350)), [(SLOT, V6, Due::Sweep)]);
    assert_eq!(restarts.next_timeout(), None);
}

#[test]
fn without_the_f_bit_or_the_capability_routes_go_at_once() {
    let mut restarts = Restarts::default();
    restarts.lost(at(0), SLOT, Some(&retention()));
    assert_eq!(restarts.back(at(50), SLOT, FamilySet::UNICAST, came_back(only(V4))), only(V6));
    assert_eq!(restarts.back(at(50), SLOT, only(V4), None), only(V4));
    assert!(restarts.slots.is_empty());
}

#[test]
fn the_long_lived_time_is_not_moved_by_sessions_that_do_not_get_to_their_end_of_rib() {
    let mut restarts = Restarts::default();
    restarts.lost(at(0), SLOT, Some(&retention()));
    restarts.take_due(at(100));
    restarts.back(at(200), SLOT, only(V6), came_back(FamilySet::UNICAST));
    let kept = restarts.lost(at(300), SLOT, Some(&retention()));
    assert_eq!(kept, Kept { families: FamilySet::UNICAST, long_lived: only(V6) });
    assert_eq!(restarts.take_due(at(400)), [(SLOT, V4, Due::Sweep)]);
    restarts.back(at(1000), SLOT, only(V6), came_back(FamilySet::UNICAST));
    assert_eq!(restarts.take_due(at(1100)), [(SLOT, V6, Due::Sweep)], "although the session is back");
    let kept = restarts.lost(at(1150), SLOT, Some(&retention()));
    assert_eq!(kept.families, only(V4), "the time for IPv6 is over");
}

#[test]
fn end_of_rib_ends_the_long_lived_time() {
    let mut restarts = Restarts::default();
    restarts.lost(at(0), SLOT, Some(&retention()));
    restarts.take_due(at(100));
    restarts.back(at(200), SLOT, only(V6), came_back(FamilySet::UNICAST));
    assert!(restarts.end_of_rib(SLOT, V6));
    let kept = restarts.lost(at(300), SLOT, Some(&retention()));
    assert_eq!(kept, Kept { families: FamilySet::UNICAST, long_lived: FamilySet::EMPTY });
    assert_eq!(restarts.next_timeout(), Some(at(400)));
}

#[test]
fn a_refresh_ends_by_its_end_or_with_its_session() {
    let mut restarts = Restarts::default();
    assert!(!restarts.refresh_ends(SLOT, V4), "it had not begun");
    assert!(restarts.refresh_begins(SLOT, V4) && !restarts.refresh_begins(SLOT, V4));
    assert!(!restarts.end_of_rib(SLOT, V4), "the rest is still to come");
    assert!(restarts.refresh_ends(SLOT, V4) && !restarts.refresh_ends(SLOT, V4));
    assert!(restarts.slots.is_empty());
    restarts.refresh_begins(SLOT, V4);
    assert_eq!(restarts.next_timeout(), None);
    restarts.lost(at(25), SLOT, None);
    assert!(restarts.slots.is_empty());
}
