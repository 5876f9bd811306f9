//! Routes that come again, asked for by either side, and settings that change under a session.

use std::time::Duration;

use bgp_core::wire::capability::SendReceive;
use bgp_core::wire::notification::cease;
use bgp_core::wire::{Capability, Notification, RouteRefresh};
use bgp_core::{Family, FamilySet, PathId};
use bgp_rib::NextHopRule;

use super::rig::*;
use crate::{AddPath, Applied, Limits, PeerSettings, Policy, RestartSettings};

/// A ROUTE-REFRESH of IPv4.
fn refresh(subtype: u8) -> Vec<u8> {
    let mut out = Vec::new();
    RouteRefresh { family: Family::IPV4_UNICAST, subtype }.encode(&mut out);
    out
}

/// Client 1, whose far end offers this besides.
fn offering(rig: &mut Rig, settings: PeerSettings, offers: &[Capability]) -> usize {
    let index = rig.add(settings);
    rig.sides[index].offers = offers.to_vec();
    rig.establish(index);
    // Markers count behind the End-of-RIB only.
    rig.hear(index, &ends_of_rib());
    index
}

fn keeping() -> PeerSettings {
    PeerSettings { keep_received: true, ..client(1) }
}

fn said(rig: &Rig, index: usize, what: &str) -> usize {
    rig.sides[index].said.iter().filter(|message| message.starts_with(what)).count()
}

fn kept(rig: &Rig, index: usize) -> Vec<String> {
    let routes = rig.sides[index].peer.adj_rib_in().unwrap().iter(None);
    routes.map(|route| route.prefix.to_string()).collect()
}

#[test]
fn enhanced_refresh_is_offered_and_paths_where_they_are_wanted() {
    let mut rig = Rig::new();
    let only_v4 = FamilySet::EMPTY.with(Family::IPV4_UNICAST);
    let add_path = AddPath { receive: FamilySet::UNICAST, send: only_v4, max_paths: None };
    let index = rig.add(PeerSettings { add_path, ..client(1) });
    let config = rig.sides[index].peer.session().config();
    assert_eq!((config.add_path_receive, config.add_path_send), (FamilySet::UNICAST, only_v4));
    let open = rig.sides[index].peer.session().our_open();
    assert!(open.capabilities.contains(&Capability::EnhancedRouteRefresh));
    assert!(open.capabilities.iter().any(|c| matches!(c, Capability::AddPath(_))));
}

#[test]
fn marks_around_an_answer_reach_the_core_behind_the_routes_before_them() {
    let mut rig = Rig::new();
    let source = offering(&mut rig, client(1), &[Capability::EnhancedRouteRefresh]);
    let input = [
        refresh(RouteRefresh::BEGIN),
        from_client(1, "10.1.0.0/16"),
        refresh(RouteRefresh::END),
        from_client(1, "10.2.0.0/16"),
    ];
    rig.sides[source].said.clear();
    rig.hear(source, &input.concat());
    let order: Vec<&str> =
        rig.sides[source].said.iter().map(|message| message.split('(').next().unwrap()).collect();
    assert_eq!(order, ["RefreshBegins", "Routes", "RefreshEnds", "Routes"]);
}

#[test]
fn marks_that_were_not_offered_unknown_subtypes_and_families_mean_nothing() {
    let mut rig = Rig::new();
    let plain = rig.up(PeerSettings { keep_received: true, ..client(1) });
    rig.hear(plain, &from_client(1, "10.1.0.0/16"));
    rig.hear(plain, &[refresh(RouteRefresh::BEGIN), refresh(RouteRefresh::END), refresh(3)].concat());
    assert_eq!(said(&rig, plain, "Refresh"), 0);
    assert_eq!(kept(&rig, plain), ["10.1.0.0/16"]);
    let v4 = FamilySet::EMPTY.with(Family::IPV4_UNICAST);
    let settings = PeerSettings { families: v4, ..client(2) };
    let narrow = offering(&mut rig, settings, &[Capability::EnhancedRouteRefresh]);
    for subtype in [RouteRefresh::REQUEST, RouteRefresh::BEGIN, RouteRefresh::END] {
        let mut other_family = Vec::new();
        RouteRefresh { family: Family::IPV6_UNICAST, subtype }.encode(&mut other_family);
        rig.hear(narrow, &other_family);
    }
    rig.hear(narrow, &refresh(200));
    assert_eq!((said(&rig, narrow, "Refresh"), rig.sides[narrow].closed), (0, false));
}

#[test]
fn what_does_not_come_again_leaves_the_kept_routes_and_is_withdrawn() {
    let mut rig = Rig::new();
    let source = offering(&mut rig, keeping(), &[Capability::EnhancedRouteRefresh]);
    let other = rig.up(client(2));
    for text in ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"] {
        rig.hear(source, &from_client(1, text));
    }
    // An end without a beginning.
    rig.hear(source, &refresh(RouteRefresh::END));
    assert_eq!(kept(&rig, source).len(), 3);
    let again = [refresh(RouteRefresh::BEGIN), from_client(1, "10.1.0.0/16"), from_client(1, "10.4.0.0/16")];
    rig.hear(source, &again.concat());
    assert_eq!(kept(&rig, source).len(), 4);
    rig.hear(source, &refresh(RouteRefresh::END));
    assert_eq!(kept(&rig, source), ["10.1.0.0/16", "10.4.0.0/16"]);
    assert_eq!(rig.sides[other].routes(), [prefix("10.1.0.0/16"), prefix("10.4.0.0/16")].into());
}

#[test]
fn marks_before_the_end_of_rib_are_ignored() {
    let mut rig = Rig::new();
    let source = rig.add(keeping());
    rig.sides[source].offers = vec![Capability::EnhancedRouteRefresh];
    rig.establish(source);
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    rig.hear(source, &[refresh(RouteRefresh::BEGIN), refresh(RouteRefresh::END)].concat());
    assert_eq!((said(&rig, source, "Refresh"), kept(&rig, source).len()), (0, 1));
    rig.hear(source, &ends_of_rib());
    rig.hear(source, &[refresh(RouteRefresh::BEGIN), refresh(RouteRefresh::END)].concat());
    assert_eq!((said(&rig, source, "Refresh"), kept(&rig, source).len()), (2, 0));
}

#[test]
fn an_answer_without_an_end_is_given_up_in_time() {
    let mut rig = Rig::new();
    let settings = PeerSettings { hold_time: 0, ..keeping() };
    let source = offering(&mut rig, settings, &[Capability::EnhancedRouteRefresh]);
    let other = rig.up(PeerSettings { hold_time: 0, ..client(2) });
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    rig.hear(source, &from_client(1, "10.2.0.0/16"));
    rig.hear(source, &[refresh(RouteRefresh::BEGIN), from_client(1, "10.1.0.0/16")].concat());
    let stale_time = RestartSettings::default().stale_time;
    rig.later(stale_time - Duration::from_secs(1));
    assert_eq!(kept(&rig, source).len(), 2);
    rig.later(Duration::from_secs(1));
    assert_eq!(kept(&rig, source), ["10.1.0.0/16"]);
    assert_eq!(rig.sides[other].routes(), [prefix("10.1.0.0/16")].into());
    assert_eq!(said(&rig, source, "RefreshEnds"), 1);
    rig.hear(source, &refresh(RouteRefresh::END));
    assert_eq!(said(&rig, source, "RefreshEnds"), 1, "too late");
}

#[test]
fn a_beginning_within_an_answer_neither_marks_again_nor_gives_more_time() {
    for settings in [keeping(), client(1)] {
        let mut rig = Rig::new();
        let settings = PeerSettings { hold_time: 0, ..settings };
        let source = offering(&mut rig, settings, &[Capability::EnhancedRouteRefresh]);
        let other = rig.up(PeerSettings { hold_time: 0, ..client(2) });
        rig.hear(source, &from_client(1, "10.1.0.0/16"));
        rig.hear(source, &from_client(1, "10.2.0.0/16"));
        rig.hear(source, &[refresh(RouteRefresh::BEGIN), from_client(1, "10.1.0.0/16")].concat());
        rig.later(Duration::from_secs(300));
        rig.hear(source, &refresh(RouteRefresh::BEGIN));
        assert_eq!(said(&rig, source, "RefreshBegins"), 1);
        rig.later(Duration::from_secs(60));
        assert_eq!(rig.sides[other].routes(), [prefix("10.1.0.0/16")].into());
    }
}

#[test]
fn another_policy_asks_a_peer_whose_routes_are_not_kept() {
    let mut rig = Rig::new();
    let (source, other) = (rig.up(client(1)), rig.up(client(2)));
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    let now = rig.now;
    let narrow = PeerSettings { allowed_prefixes: vec![prefix("10.2.0.0/16")], ..client(1) };
    let applied = rig.sides[source].peer.reconfigure(now, narrow.clone());
    assert_eq!(applied, Applied { refresh: true, ..Applied::default() });
    rig.settle();
    assert_eq!(rig.sides[source].asked_again(), both().iter().collect::<Vec<_>>());
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    assert!(rig.sides[other].routes().is_empty());
    assert_eq!(rig.sides[source].peer.reconfigure(now, narrow), Applied::default(), "nothing changed");
}

#[test]
fn another_policy_resets_a_peer_that_cannot_be_asked() {
    let mut rig = Rig::new();
    let source = rig.add(client(1));
    rig.sides[source].forgets = Some(Capability::RouteRefresh);
    rig.establish(source);
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    let now = rig.now;
    let closed = PeerSettings { import: Policy::Reject, ..client(1) };
    let applied = rig.sides[source].peer.reconfigure(now, closed);
    assert_eq!(applied, Applied { reset: true, ..Applied::default() });
    rig.settle();
    let cease = rig.sides[source].notification().unwrap();
    assert_eq!((cease.code, cease.subcode), (Notification::CEASE, cease::CONFIGURATION_CHANGE));
    assert_eq!(rig.core.rib().path_count(Family::IPV4_UNICAST), 0);
}

#[test]
fn routes_kept_from_now_on_are_asked_for_and_until_then_the_peer_is_asked_too() {
    let mut rig = Rig::new();
    let source = offering(&mut rig, client(1), &[Capability::EnhancedRouteRefresh]);
    let other = rig.up(client(2));
    rig.hear(source, &from_client(1, "10.1.0.0/16"));
    let now = rig.now;
    let applied = rig.sides[source].peer.reconfigure(now, keeping());
    assert_eq!(applied, Applied { refresh: true, ..Applied::default() });
    let kept_now = |rig: &Rig| rig.sides[source].peer.adj_rib_in().unwrap().missing();
    assert_eq!(kept_now(&rig), both());
    let quicker = PeerSettings { connect_retry: Duration::from_secs(9), ..keeping() };
    assert_eq!(rig.sides[source].peer.reconfigure(now, quicker), Applied::default(), "it is asked already");
    // A route that is not among the kept ones yet can be withdrawn nevertheless.
    rig.hear(source, &withdraw("10.1.0.0/16"));
    assert!(rig.sides[other].routes().is_empty());
    rig.hear(source, &from_client(1, "10.2.0.0/16"));
    let closed = PeerSettings { import: Policy::Reject, ..keeping() };
    let applied = rig.sides[source].peer.reconfigure(now, closed);
    assert_eq!(applied, Applied { refresh: true, judged_again: true, ..Applied::default() });
    rig.settle();
    assert!(rig.sides[other].routes().is_empty());
    for subtype in [RouteRefresh::BEGIN, RouteRefresh::END] {
        for family in both().iter() {
            let mut marker = Vec::new();
            RouteRefresh { family, subtype }.encode(&mut marker);
            rig.hear(source, &marker);
        }
    }
    assert!(kept_now(&rig).is_empty(), "both answers were complete");
    assert!(rig.sides[source].peer.reconfigure(now, client(1)).refresh, "kept no longer");
    assert!(rig.sides[source].peer.adj_rib_in().is_none());
}

#[test]
fn routes_cannot_be_kept_of_a_peer_that_cannot_be_asked_until_its_next_session() {
    let paths = AddPath { receive: FamilySet::UNICAST, max_paths: Some(2), ..AddPath::default() };
    let counting = PeerSettings { add_path: paths, ..client(1) };
    let uncounted = PeerSettings { add_path: AddPath { max_paths: None, ..paths }, ..client(1) };
    for (before, after, key) in [(client(1), keeping(), "keep-received"), (uncounted, counting, "max-paths")]
    {
        let mut rig = Rig::new();
        let source = rig.add(before);
        let both_ways = both().iter().map(|family| (family, SendReceive::Both)).collect();
        rig.sides[source].offers = vec![Capability::AddPath(both_ways)];
        rig.sides[source].forgets = Some(Capability::RouteRefresh);
        rig.establish(source);
        let now = rig.now;
        let applied = rig.sides[source].peer.reconfigure(now, after);
        assert_eq!(applied, Applied { needs_reset: vec![key], ..Applied::default() });
        assert!(!rig.sides[source].closed);
    }
}

#[test]
fn kept_routes_that_take_too_much_end_the_session() {
    let mut rig = Rig::new();
    let limits = Limits { bytes: Some(400), ..Limits::default() };
    // Refused ones count too: they are what the core never sees.
    let source = rig.up(PeerSettings { limits, import: Policy::Reject, ..keeping() });
    for i in 0..4 {
        rig.hear(source, &from_client(1, &format!("10.{i}.0.0/16")));
    }
    let peer = &rig.sides[source].peer;
    assert!(!rig.sides[source].closed && (200..=400).contains(&peer.adj_rib_in().unwrap().octets()));
    for i in 0..9 {
        rig.hear(source, &from_client(1, &format!("10.1{i}.0.0/16")));
    }
    let cease = rig.sides[source].notification().unwrap();
    assert_eq!((cease.code, cease.subcode), (Notification::CEASE, cease::OUT_OF_RESOURCES));
    rig.cut(source);
    assert!(rig.sides[source].peer.adj_rib_in().is_none());
    rig.later(Duration::from_secs(120));
    rig.establish(source);
    assert!(rig.sides[source].peer.adj_rib_in().unwrap().is_empty(), "a session begins with nothing");
}

#[test]
fn what_decides_the_update_group_changes_it_at_once() {
    let mut rig = Rig::new();
    let index = rig.up(external(1));
    let now = rig.now;
    let changes = [
        PeerSettings { export: Policy::Reject, ..external(1) },
        PeerSettings { next_hop: NextHopRule::Own, ..external(1) },
        PeerSettings { local_v4: Some([10, 9, 9, 9].into()), next_hop: NextHopRule::Own, ..external(1) },
    ];
    for settings in changes {
        let applied = rig.sides[index].peer.reconfigure(now, settings.clone());
        assert!(applied.regroup && applied.needs_reset.is_empty(), "{settings:?}");
    }
    rig.settle();
    assert_eq!(said(&rig, index, "Regroup"), 3);
    rig.sides[index].peer.set_draining(now, true);
    rig.sides[index].peer.set_draining(now, true);
    rig.settle();
    assert_eq!(said(&rig, index, "Regroup"), 4);
    rig.cut(index);
    rig.establish(index);
    let up = rig.sides[index].said.iter().rfind(|message| message.starts_with("Up")).unwrap();
    assert!(up.contains("draining: true"), "later sessions are drained too");
}

#[test]
fn what_was_agreed_on_stays_until_the_next_session_and_is_named() {
    let mut rig = Rig::new();
    let index = rig.up(client(1));
    let now = rig.now;
    let v4 = FamilySet::EMPTY.with(Family::IPV4_UNICAST);
    let settings = PeerSettings {
        families: v4,
        hold_time: 30,
        extended_message: true,
        restart: Some(RestartSettings::default()),
        add_path: AddPath { receive: v4, ..AddPath::default() },
        ..client(1)
    };
    let applied = rig.sides[index].peer.reconfigure(now, settings.clone());
    let waits = ["families", "hold-time", "extended-message", "graceful-restart", "add-path"];
    assert_eq!(applied, Applied { needs_reset: waits.to_vec(), ..Applied::default() });
    let again = rig.sides[index].peer.reconfigure(now, settings);
    assert_eq!(again.needs_reset, waits, "as long as it waits");
    assert_eq!(rig.sides[index].peer.reconfigure(now, client(1)), Applied::default(), "back again");
    rig.later(Duration::from_secs(1));
    assert!(!rig.sides[index].closed);
}

#[test]
fn pages_of_kept_routes_go_on_where_they_ended() {
    let mut rig = Rig::new();
    let source = rig.up(keeping());
    rig.hear(source, &many(1, 100));
    let v6 = announce("fd01::/64", "fd00::1".parse().unwrap(), &attributes(&[], &[]));
    rig.hear(source, &v6);
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let kept = rig.sides[source].peer.adj_rib_in().unwrap();
        let page: Vec<_> = kept.iter(cursor).take(30).collect();
        let Some(last) = page.last() else { break };
        cursor = Some(last.cursor());
        seen.extend(page.iter().map(|route| (route.prefix, route.path_id)));
        let (gone, _) = seen[seen.len() - 1];
        rig.hear(source, &withdraw(&gone.to_string()));
    }
    assert_eq!(seen.len(), 101);
    assert!(seen.is_sorted() && seen.contains(&(prefix("fd01::/64"), PathId(0))));
}

#[test]
fn requests_and_marks_are_counted_and_are_no_updates() {
    let mut rig = Rig::new();
    let index = offering(&mut rig, client(1), &[Capability::EnhancedRouteRefresh]);
    let now = rig.now;
    assert!(rig.sides[index].peer.request_refresh(now, both()));
    rig.settle();
    let updates = rig.sides[index].peer.updates_sent();
    assert_eq!(rig.sides[index].peer.refreshes_sent(), 2);
    rig.hear(index, &refresh(RouteRefresh::REQUEST));
    assert_eq!(rig.sides[index].peer.refreshes_sent(), 4);
    assert_eq!(rig.sides[index].peer.updates_sent(), updates);
}
