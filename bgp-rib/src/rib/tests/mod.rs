use std::collections::{BTreeMap, BTreeSet};

use bgp_core::wire::{DecodeContext, Origin, Summary, UpdateView, code, frame};
use bgp_core::{AddressFamily, Asn, ClusterId, FamilySet, PathId, PeerKind, Prefix, RouterId};
use proptest::prelude::*;

use super::*;
use crate::decision::Rule;
use crate::out::TargetKind;
use crate::testing::info;
use crate::{AttributeStore, Attrs, DestId, NextHopSource, SourceKind};

mod aggregates;
mod batches;
mod explain;
mod recursion;
mod regroup;
mod restart;

const UP: NextHopState = NextHopState::Reachable { metric: 10 };

fn both() -> FamilySet {
    FamilySet::EMPTY.with(V4::FAMILY).with(V6::FAMILY)
}

/// What peers believe: destination, next hop.
type Believed = BTreeMap<Prefix, IpAddr>;

/// A RIB, its peers, and a clock.
struct World {
    now: Instant,
    store: AttributeStore,
    rib: Rib,
    generations: BTreeMap<u32, u32>,
    believed: BTreeMap<PeerId, Believed>,
    ends: BTreeMap<PeerId, FamilySet>,
}

impl World {
    fn new(next_hops: NextHopSource, multipath: usize) -> World {
        let export = ExportContext {
            local_as: Asn(64512),
            router_id: RouterId(5000),
            cluster_id: Some(ClusterId(5000)),
        };
        let rib = Rib::new(RibConfig { multipath, next_hops, fib: true, ..RibConfig::new(export, 1) });
        let store = AttributeStore::new(1);
        World {
            now: Instant::ZERO,
            store,
            rib,
            generations: BTreeMap::new(),
            believed: BTreeMap::new(),
            ends: BTreeMap::new(),
        }
    }

    fn reflector() -> World {
        World::new(NextHopSource::Assume, 1)
    }

    fn up(&mut self, slot: u32) -> PeerId {
        let generation = self.generations.entry(slot).or_default();
        *generation += 1;
        let info = PeerInfo { families: both(), ..info(slot, *generation) };
        let id = info.id;
        let kind = match info.kind {
            SourceKind::Confederation => TargetKind::Confederation,
            SourceKind::External => TargetKind::External,
            SourceKind::Internal => TargetKind::Internal,
            SourceKind::Client | SourceKind::Local => TargetKind::Client,
        };
        let group = GroupKey {
            local_v4: Some([10, 0, 0, 99].into()),
            local_v6: Some("fd00::99".parse().unwrap()),
            long_lived: both(),
            ..GroupKey::new(kind, both())
        };
        self.believed.retain(|peer, _| peer.slot != slot);
        self.believed.insert(id, Believed::new());
        self.rib.peer_up(self.now, PeerUp { info, group });
        id
    }

    fn down(&mut self, peer: PeerId) {
        self.believed.remove(&peer);
        self.rib.peer_down(self.now, peer);
    }

    fn attrs(&self, next_hop: IpAddr, local_pref: u32) -> Attrs {
        let mut block = vec![0x40, code::ORIGIN, 1, 0, 0x40, code::AS_PATH, 0];
        if let IpAddr::V4(address) = next_hop {
            block.extend([0x40, code::NEXT_HOP, 4]);
            block.extend(address.octets());
        }
        block.extend([0x40, code::LOCAL_PREF, 4]);
        block.extend(local_pref.to_be_bytes());
        let summary = Summary { origin: Origin::Igp, local_pref: Some(local_pref), ..Summary::default() };
        self.store.insert(PeerKind::Internal, next_hop, &[&block], summary)
    }

    fn announce(&mut self, peer: PeerId, prefix: &str, next_hop: &str, local_pref: u32) {
        let attrs = self.attrs(address(next_hop), local_pref);
        match self::prefix(prefix) {
            Prefix::V4(p) => self.rib.announce::<V4>(self.now, peer, p, PathId(0), attrs),
            Prefix::V6(p) => self.rib.announce::<V6>(self.now, peer, p, PathId(0), attrs),
        }
    }

    fn withdraw(&mut self, peer: PeerId, prefix: &str) {
        match self::prefix(prefix) {
            Prefix::V4(p) => self.rib.withdraw::<V4>(self.now, peer, p, PathId(0)),
            Prefix::V6(p) => self.rib.withdraw::<V6>(self.now, peer, p, PathId(0)),
        }
    }

    /// Lets time pass until nothing is due within a tick, and every peer take what it is sent.
    fn settle(&mut self) {
        let deadline = self.now + Duration::from_millis(10);
        while let Some(at) = self.rib.next_timeout().filter(|at| *at <= deadline) {
            self.now = self.now.max(at);
            self.rib.handle_timeout(self.now);
        }
        while let Some(peer) = self.rib.poll_ready() {
            self.take_all(peer);
        }
    }

    fn take_all(&mut self, peer: PeerId) {
        let mut out = Vec::new();
        while self.rib.poll_transmit(peer, 1000, &mut out).octets >= 1000 {}
        let Some(believed) = self.believed.get_mut(&peer) else {
            assert!(out.is_empty(), "bytes for {peer}, which is gone");
            return;
        };
        for slice in out {
            let mut rest = &slice[..];
            while !rest.is_empty() {
                let message = frame(rest, 4096).unwrap().unwrap();
                let ends = self.ends.entry(peer).or_default();
                believe(message.body, believed, ends);
                rest = &rest[message.len..];
            }
        }
    }

    fn believed(&self, peer: PeerId) -> Vec<(String, String)> {
        let shown = self.believed[&peer].iter();
        shown.map(|(prefix, hop)| (prefix.to_string(), hop.to_string())).collect()
    }

    fn fib(&mut self) -> Vec<(String, Vec<String>)> {
        let mut out = Vec::new();
        self.rib.take_fib_changes(usize::MAX, &mut out);
        let hops = |change: &FibChange| change.next_hops.iter().map(|hop| hop.gateway.to_string()).collect();
        out.iter().map(|change| (change.prefix.to_string(), hops(change))).collect()
    }
}

fn believe(body: &[u8], believed: &mut Believed, ends: &mut FamilySet) {
    let context = DecodeContext::new(PeerKind::Internal, both());
    let update = UpdateView::parse(body, &context).unwrap();
    *ends = update.end_of_rib().into_iter().fold(*ends, FamilySet::with);
    for (_, prefix) in update.withdrawn() {
        believed.remove(&prefix.into());
    }
    for (_, prefix) in update.mp_unreach().iter().flat_map(|mp| mp.nlri_of::<V6>()) {
        believed.remove(&prefix.into());
    }
    let checked = update.attributes().check(&context, bgp_core::wire::BlockUse::Announce, &mut Vec::new());
    for (_, prefix) in update.announced() {
        believed.insert(prefix.into(), checked.summary.next_hop.unwrap().into());
    }
    if let Some(mp) = update.mp_reach() {
        believed.extend(
            mp.nlri_of::<V6>().map(|(_, prefix)| (Prefix::V6(prefix), mp.next_hop.address().unwrap())),
        );
    }
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

fn routes(list: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let hops = |hops: &[&str]| hops.iter().map(|hop| (*hop).to_owned()).collect();
    list.iter().map(|(prefix, to)| ((*prefix).to_owned(), hops(to))).collect()
}

#[test]
fn a_route_of_one_client_reaches_the_others_but_not_itself() {
    let mut w = World::reflector();
    let [a, b, c] = [5, 6, 7].map(|slot| w.up(slot));
    w.announce(a, "10.1.0.0/24", "10.0.0.5", 100);
    w.announce(a, "fd01::/64", "fd00::5", 100);
    w.settle();
    let both_routes = pairs(&[("10.1.0.0/24", "10.0.0.5"), ("fd01::/64", "fd00::5")]);
    assert_eq!(w.believed(a), []);
    assert_eq!([w.believed(b), w.believed(c)], [both_routes.clone(), both_routes]);
    assert!([a, b, c].iter().all(|peer| w.ends[peer] == both()));
    w.withdraw(a, "10.1.0.0/24");
    w.settle();
    assert_eq!(w.believed(b), pairs(&[("fd01::/64", "fd00::5")]));
}

#[test]
fn a_peer_that_goes_takes_its_routes_along() {
    let mut w = World::reflector();
    let [a, b, c] = [5, 6, 7].map(|slot| w.up(slot));
    w.announce(a, "10.1.0.0/24", "10.0.0.5", 200);
    w.announce(b, "10.1.0.0/24", "10.0.0.6", 100);
    w.announce(a, "10.2.0.0/24", "10.0.0.5", 200);
    w.settle();
    w.down(a);
    w.settle();
    assert_eq!(w.believed(c), pairs(&[("10.1.0.0/24", "10.0.0.6")]));
    assert_eq!(w.believed(b), []);
    assert_eq!(w.rib.path_count(V4::FAMILY), 1);
    assert_eq!(w.rib.peer_counts(a, V4::FAMILY), None);
}

#[test]
fn what_is_late_from_an_earlier_session_is_ignored() {
    let mut w = World::reflector();
    let old = w.up(5);
    w.announce(old, "10.1.0.0/24", "10.0.0.5", 100);
    let new = w.up(5);
    assert_eq!(w.rib.route_count(V4::FAMILY), 0);
    w.announce(old, "10.1.0.0/24", "10.0.0.5", 100);
    w.rib.refresh_requested(old, V4::FAMILY, false);
    assert_eq!(w.rib.route_count(V4::FAMILY), 0);
    w.announce(new, "10.1.0.0/24", "10.0.0.5", 100);
    w.withdraw(old, "10.1.0.0/24");
    w.down(old);
    assert_eq!(w.rib.peer_counts(new, V4::FAMILY).unwrap().accepted, 1);
    assert_eq!(w.rib.poll_transmit(old, 1000, &mut Vec::new()), Transmit::default());
}

#[test]
fn a_route_waits_until_its_next_hop_can_be_reached() {
    let mut w = World::new(NextHopSource::Tracked, 1);
    let [a, b] = [5, 6].map(|slot| w.up(slot));
    w.announce(a, "10.1.0.0/24", "10.0.0.5", 100);
    w.settle();
    assert_eq!(w.rib.poll_watch(), Some(Watch::Start(address("10.0.0.5"))));
    assert_eq!((w.believed(b), w.fib()), (vec![], vec![]));
    let view = w.rib.route(prefix("10.1.0.0/24")).unwrap();
    assert_eq!(view.candidates().next().unwrap().rule, Some(Rule::NextHopUnreachable));
    w.rib.next_hop_changed(w.now, address("10.0.0.5"), UP);
    w.settle();
    assert_eq!(w.believed(b), pairs(&[("10.1.0.0/24", "10.0.0.5")]));
    assert_eq!(w.fib(), routes(&[("10.1.0.0/24", &["10.0.0.5"])]));
    w.rib.next_hop_changed(w.now, address("10.0.0.5"), NextHopState::Unreachable);
    w.settle();
    assert_eq!((w.believed(b), w.fib()), (vec![], routes(&[("10.1.0.0/24", &[])])));
    w.withdraw(a, "10.1.0.0/24");
    assert_eq!(w.rib.poll_watch(), Some(Watch::Stop(address("10.0.0.5"))));
}

#[test]
fn a_route_stays_in_the_fib_until_it_is_known_whether_its_new_next_hop_can_be_reached() {
    let mut w = World::new(NextHopSource::Tracked, 1);
    let a = w.up(5);
    for prefix in ["10.1.0.0/24", "10.2.0.0/24"] {
        w.announce(a, prefix, "10.0.0.5", 100);
    }
    w.rib.next_hop_changed(w.now, address("10.0.0.5"), UP);
    assert_eq!(w.fib().len(), 2);
    w.announce(a, "10.1.0.0/24", "10.0.0.6", 100);
    w.announce(a, "10.2.0.0/24", "10.0.0.7", 100);
    assert_eq!(w.fib(), [], "nobody has said whether 10.0.0.6 and 10.0.0.7 can be reached");
    w.rib.next_hop_changed(w.now, address("10.0.0.6"), UP);
    assert_eq!(w.fib(), routes(&[("10.1.0.0/24", &["10.0.0.6"])]));
    w.rib.next_hop_changed(w.now, address("10.0.0.7"), NextHopState::Unreachable);
    assert_eq!(w.fib(), routes(&[("10.2.0.0/24", &[])]));
    w.announce(a, "10.1.0.0/24", "10.0.0.8", 100);
    assert_eq!(w.fib(), []);
    w.withdraw(a, "10.1.0.0/24");
    assert_eq!(w.fib(), routes(&[("10.1.0.0/24", &[])]), "there is nothing left to wait for");
}

#[test]
fn the_nearer_of_two_next_hops_wins_and_equal_ones_share_the_load() {
    let mut w = World::new(NextHopSource::Tracked, 8);
    let [a, b] = [5, 6].map(|slot| w.up(slot));
    let [near, far] = [5, 10].map(|metric| NextHopState::Reachable { metric });
    w.announce(a, "10.1.0.0/24", "10.0.0.5", 100);
    w.announce(b, "10.1.0.0/24", "10.0.0.6", 100);
    w.rib.next_hop_changed(w.now, address("10.0.0.5"), far);
    w.rib.next_hop_changed(w.now, address("10.0.0.6"), far);
    assert_eq!(w.fib(), routes(&[("10.1.0.0/24", &["10.0.0.6", "10.0.0.5"])]));
    w.rib.next_hop_changed(w.now, address("10.0.0.5"), near);
    assert_eq!(w.fib(), routes(&[("10.1.0.0/24", &["10.0.0.5"])]));
    let view = w.rib.route(prefix("10.1.0.0/24")).unwrap();
    let seen: Vec<_> = view.candidates().map(|c| (c.source.id, c.best, c.in_use, c.rule)).collect();
    assert_eq!(seen, [(a, true, true, None), (b, false, false, Some(Rule::IgpMetric))]);
}

#[test]
fn our_own_routes_go_out_with_our_address_and_not_into_the_fib() {
    let mut w = World::reflector();
    let [a, b] = [5, 6].map(|slot| w.up(slot));
    w.announce(a, "10.1.0.0/24", "10.0.0.5", 100);
    w.settle();
    assert_eq!(w.fib(), routes(&[("10.1.0.0/24", &["10.0.0.5"])]));
    let own = w.attrs(address("0.0.0.0"), 100);
    w.rib.announce_local(w.now, prefix("10.1.0.0/24"), own);
    w.settle();
    assert_eq!(w.believed(b), pairs(&[("10.1.0.0/24", "10.0.0.99")]));
    assert_eq!(w.fib(), routes(&[("10.1.0.0/24", &[])]));
    w.rib.withdraw_local(w.now, prefix("10.1.0.0/24"));
    w.settle();
    assert_eq!(w.believed(b), pairs(&[("10.1.0.0/24", "10.0.0.5")]));
    assert_eq!(w.fib(), routes(&[("10.1.0.0/24", &["10.0.0.5"])]));
}

#[test]
fn changes_go_out_two_milliseconds_after_the_first_that_waits_and_five_after_the_last_flush() {
    let mut w = World::reflector();
    let [a, b] = [5, 6].map(|slot| w.up(slot));
    w.settle();
    assert_eq!(w.rib.next_timeout(), None);
    w.now += Duration::from_secs(1);
    let start = w.now;
    let at = |millis| start + Duration::from_millis(millis);
    w.announce(a, "10.1.0.0/24", "10.0.0.5", 100);
    w.now = at(1);
    w.announce(a, "10.2.0.0/24", "10.0.0.5", 100);
    assert_eq!(w.rib.next_timeout(), Some(at(2)));
    w.rib.handle_timeout(w.now);
    assert_eq!(w.rib.poll_ready(), None);
    w.now = at(2);
    w.rib.handle_timeout(w.now);
    assert_eq!(w.rib.next_flush(), None);
    w.now = at(3);
    w.announce(a, "10.3.0.0/24", "10.0.0.5", 100);
    assert_eq!(w.rib.next_timeout(), Some(at(7)));
    w.settle();
    assert_eq!(w.believed(b).len(), 3);
}

#[test]
fn the_rib_may_live_on_a_thread_of_its_own() {
    fn can_be_sent<T: Send>(_: &T) {}
    can_be_sent(&World::reflector().rib);
}

#[test]
fn a_refresh_sends_all_again() {
    let mut w = World::reflector();
    let [a, b] = [5, 6].map(|slot| w.up(slot));
    w.announce(a, "10.1.0.0/24", "10.0.0.5", 100);
    w.settle();
    w.believed.insert(b, Believed::new());
    w.rib.refresh_requested(b, V4::FAMILY, false);
    w.settle();
    assert_eq!(w.believed(b).len(), 1);
}

#[test]
fn counts_follow_what_a_peer_holds_and_is_sent() {
    let mut w = World::reflector();
    let [a, b] = [5, 6].map(|slot| w.up(slot));
    w.announce(a, "10.1.0.0/24", "10.0.0.5", 100);
    w.announce(a, "10.1.0.0/24", "10.0.0.5", 100);
    w.announce(a, "10.1.0.0/24", "10.0.0.5", 120);
    w.announce(a, "10.2.0.0/24", "10.0.0.5", 120);
    w.rib.end_of_rib_received(a, V4::FAMILY);
    w.settle();
    let bytes = 2 * w.attrs(address("10.0.0.5"), 120).block().len();
    let of_a = PeerCounts { accepted: 2, stale: 0, attribute_bytes: bytes, advertised: 0, end_of_rib: true };
    assert_eq!(w.rib.peer_counts(a, V4::FAMILY), Some(of_a));
    assert_eq!(w.rib.peer_counts(b, V4::FAMILY).unwrap().advertised, 2);
    assert_eq!(w.rib.groups().count(), 1);
    w.down(a);
    w.down(b);
    assert_eq!((w.rib.groups().count(), w.rib.path_count(V4::FAMILY)), (0, 0));
    w.settle();
    assert_eq!(w.rib.next_timeout(), None);
    w.fib();
    assert!(w.store.is_empty());
    assert_eq!(w.rib.families.v4.table.next_dest(DestId::FIRST), None);
}

#[test]
fn the_longest_match_is_found_and_a_walk_sees_every_route() {
    let mut w = World::reflector();
    let a = w.up(5);
    let all = ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "fd01::/64"];
    all.iter().for_each(|prefix| w.announce(a, prefix, "10.0.0.5", 100));
    let longest = |to: &str| w.rib.longest_match(address(to)).map(|route| route.prefix.to_string());
    assert_eq!(longest("10.1.2.3").as_deref(), Some("10.1.2.3/32"));
    assert_eq!(longest("10.1.2.4").as_deref(), Some("10.1.0.0/16"));
    assert_eq!(longest("192.0.2.1").as_deref(), Some("0.0.0.0/0"));
    assert_eq!(longest("fd01::1").as_deref(), Some("fd01::/64"));
    assert_eq!(longest("fd02::1"), None);
    let covering: Vec<_> = w.rib.covering(prefix("10.1.0.0/24")).map(|r| r.prefix.len()).collect();
    assert_eq!(covering, [16, 8, 0]);
    let after = |route: &RouteView<'_>| w.rib.next_route(V4::FAMILY, route.cursor());
    let walk = std::iter::successors(w.rib.next_route(V4::FAMILY, DestId::FIRST), after);
    assert_eq!(walk.map(|route| route.prefix.to_string()).collect::<Vec<_>>(), all[..4]);
}

#[derive(Clone, Debug)]
enum Op {
    Up(u32),
    Down(u32),
    Lost(u32, bool),
    Sweep(u32),
    LongLive(u32),
    Announce(u32, u8, u8, u32),
    Withdraw(u32, u8),
    NextHop(u8, Option<u32>),
    Settle,
}

fn any_op() -> impl Strategy<Value = Op> {
    let slot = || 1..8_u32;
    prop_oneof![
        2 => slot().prop_map(Op::Up),
        1 => slot().prop_map(Op::Down),
        1 => (slot(), any::<bool>()).prop_map(|(slot, keep)| Op::Lost(slot, keep)),
        1 => slot().prop_map(Op::Sweep),
        1 => slot().prop_map(Op::LongLive),
        8 => (slot(), 0..5_u8, 0..3_u8, 99..102_u32).prop_map(|(s, p, h, l)| Op::Announce(s, p, h, l)),
        3 => (slot(), 0..5_u8).prop_map(|(s, p)| Op::Withdraw(s, p)),
        2 => (0..3_u8, proptest::option::of(0..3_u32)).prop_map(|(hop, metric)| Op::NextHop(hop, metric)),
        2 => Just(Op::Settle),
    ]
}

fn apply(w: &mut World, told: &mut BTreeMap<String, Vec<String>>, op: Op) {
    let id = |w: &World, slot: u32| w.rib.peers().slot(slot).map(|info| info.id);
    let prefix = |number: u8| format!("10.1.{number}.0/24");
    match op {
        Op::Up(slot) => drop(w.up(slot)),
        Op::Down(slot) => id(w, slot).into_iter().for_each(|peer| w.down(peer)),
        Op::Lost(slot, keep) => {
            if let Some(peer) = id(w, slot) {
                w.believed.remove(&peer);
                let keep = if keep { both() } else { FamilySet::EMPTY };
                w.rib.peer_lost(w.now, peer, keep, keep);
            }
        }
        Op::Sweep(slot) => w.rib.sweep_stale(w.now, slot, V4::FAMILY),
        Op::LongLive(slot) => w.rib.begin_long_lived(w.now, slot, V4::FAMILY),
        Op::Announce(slot, number, hop, pref) => {
            if let Some(peer) = id(w, slot) {
                w.announce(peer, &prefix(number), &format!("10.9.0.{hop}"), pref);
            }
        }
        Op::Withdraw(slot, number) => {
            if let Some(peer) = id(w, slot) {
                w.withdraw(peer, &prefix(number));
            }
        }
        Op::NextHop(hop, metric) => {
            let state = metric.map_or(NextHopState::Unreachable, |metric| NextHopState::Reachable { metric });
            w.rib.next_hop_changed(w.now, IpAddr::from([10, 9, 0, hop]), state);
        }
        Op::Settle => {
            w.settle();
            for (prefix, hops) in w.fib() {
                told.insert(prefix, hops);
            }
            told.retain(|_, hops| !hops.is_empty());
        }
    }
}

/// Every peer believes, and the FIB was told, just what follows from the paths that are there now.
fn check(w: &World, told: &BTreeMap<String, Vec<String>>) {
    let chosen = |prefix: &Prefix| w.rib.route(*prefix).and_then(|route| route.best().cloned());
    let prefixes: Vec<Prefix> = (0..5).map(|number| self::prefix(&format!("10.1.{number}.0/24"))).collect();
    for (peer, believed) in &w.believed {
        let to = w.rib.peers().get(*peer).unwrap().kind;
        for prefix in &prefixes {
            let expected = chosen(prefix).filter(|path| {
                let from = w.rib.peers().source(path.source()).unwrap().kind;
                path.slot() != peer.slot && (from, to) != (SourceKind::Internal, SourceKind::Internal)
            });
            let expected = expected.map(|path| match to {
                SourceKind::External => address("10.0.0.99"),
                _ => path.attrs.next_hop(),
            });
            assert_eq!(believed.get(prefix).copied(), expected, "{prefix} at {peer}");
        }
    }
    for prefix in &prefixes {
        let best = chosen(prefix).map(|path| path.attrs.next_hop().to_string());
        let first = told.get(&prefix.to_string()).and_then(|hops| hops.first().cloned());
        assert_eq!(first, best, "{prefix} in the FIB");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn whatever_happens_peers_and_fib_agree_with_the_table(ops in proptest::collection::vec(any_op(), 1..80)) {
        let mut w = World::new(NextHopSource::Tracked, 4);
        let mut told = BTreeMap::new();
        let mut asked = BTreeSet::new();
        for op in ops {
            apply(&mut w, &mut told, op);
            while let Some(watch) = w.rib.poll_watch() {
                asked.extend(if let Watch::Start(address) = watch { Some(address) } else { None });
            }
        }
        // Whoever asks is answered: until then a route may stand that has no path.
        let unknown = |address: &IpAddr| w.rib.next_hops().state(*address) == Some(NextHopState::Unknown);
        let unknown: Vec<IpAddr> = asked.into_iter().filter(unknown).collect();
        unknown.into_iter().for_each(|a| w.rib.next_hop_changed(w.now, a, NextHopState::Unreachable));
        apply(&mut w, &mut told, Op::Settle);
        check(&w, &told);
        let peers: Vec<PeerId> = w.believed.keys().copied().collect();
        peers.into_iter().for_each(|peer| w.down(peer));
        (1..8).for_each(|slot| w.rib.sweep_stale(w.now, slot, V4::FAMILY));
        prop_assert!((1..8).all(|slot| w.rib.peers().lost(slot).is_none()));
        apply(&mut w, &mut told, Op::Settle);
        while w.rib.poll_watch().is_some() {}
        prop_assert!(told.is_empty() && w.store.is_empty() && w.rib.next_hops().is_empty());
        prop_assert_eq!(w.rib.families.v4.table.next_dest(DestId::FIRST), None);
    }
}
