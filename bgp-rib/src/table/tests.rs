use std::collections::{BTreeMap, BTreeSet};

use bgp_core::wire::Summary;
use bgp_core::{Instant, V4, V6};
use proptest::prelude::*;

use super::*;
use crate::decision::DecisionConfig;
use crate::decision::tests::naive_rank;
use crate::next_hop::NextHopId;
use crate::testing::{any_summary, attrs, path, peer, peers, prefix};
use crate::{AttributeStore, NextHopSource, NextHopState, NextHops, Peers};

#[test]
fn a_destination_with_one_path_stays_small() {
    assert_eq!(size_of::<Path>(), 24);
    assert_eq!(size_of::<Destination<V4>>(), 32);
    assert_eq!(size_of::<Destination<V6>>(), 48);
}

#[test]
fn a_full_table_of_single_paths_takes_under_fifty_bytes_a_route() {
    let (store, peers) = (AttributeStore::new(1), peers(1));
    let decision = Decision::new(DecisionConfig::default(), &peers);
    let mut table = Table::<V4>::new(1);
    let routes = 70_000_u32;
    for n in 0..routes {
        let prefix = V4::from_wire(32, &n.to_be_bytes()).unwrap();
        table.upsert(prefix, path(&store, 1, 1, Summary::default()), decision);
    }
    assert_eq!((table.destinations(), table.path_count()), (routes as usize, routes as usize));
    assert!(table.memory() / (routes as usize) < 50, "{} bytes", table.memory());
}

#[test]
fn memory_is_given_back_when_paths_go() {
    let (store, peers) = (AttributeStore::new(1), peers(2));
    let decision = Decision::new(DecisionConfig::default(), &peers);
    let mut table = Table::<V4>::new(1);
    let prefix = |n: u32| V4::from_wire(32, &n.to_be_bytes()).unwrap();
    let add = |table: &mut Table<V4>, n, slot| {
        table.upsert(prefix(n), path(&store, slot, 1, Summary::default()), decision).dest
    };
    let (few, all) = (10, 20 * CHUNK as u32);
    let ids: Vec<DestId> = (0..all).map(|n| add(&mut table, n, 1 + u32::from(n < few))).collect();
    let full = table.memory();
    table.remove_source(0..20, 1, |_| true, decision, drop, |_, _| ());
    table.reclaim(|id| id == ids[5 * CHUNK]);
    assert_eq!(
        (table.destinations(), table.next_dest(ids[few as usize])),
        (few as usize, Some(ids[5 * CHUNK]))
    );
    assert_eq!(table.chunks.iter().filter(|chunk| chunk.capacity() > 0).count(), 2);
    assert!(table.memory() < full / 8, "{} of {full}", table.memory());
    assert!((0..few).all(|n| table.lookup(&prefix(n)) == Some(ids[n as usize])));
    // What comes back finds its place among what stayed.
    let again: BTreeSet<DestId> = (few..all).map(|n| add(&mut table, n, 1)).collect();
    assert_eq!((again.len(), table.destinations()), ((all - few) as usize, all as usize));
    assert!((few..all).all(|n| table.lookup(&prefix(n)).is_some_and(|id| again.contains(&id))));
    // The destination that waited for its flush is still in the list of what may be vacant.
    assert_eq!(table.vacant, [ids[5 * CHUNK]]);
    assert_eq!(table.memory(), full + size_of::<DestId>());
}

#[test]
fn a_list_of_paths_has_no_room_to_spare() {
    let mut f = Fixture::new();
    let id = f.add(1, 1).dest;
    for slot in 2..6 {
        f.add(1, slot);
        assert_eq!(f.table.listed, slot as usize);
    }
    assert_eq!(f.table.paths(id).len(), 5);
    (2..6).for_each(|slot| drop(f.remove(1, slot)));
    assert_eq!((f.table.listed, f.table.path_count()), (0, 1));
}

struct Fixture {
    store: AttributeStore,
    peers: Peers,
    table: Table<V4>,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture { store: AttributeStore::new(1), peers: peers(6), table: Table::new(1) }
    }

    fn add(&mut self, number: u8, slot: u32) -> Outcome {
        let decision = Decision::new(DecisionConfig::default(), &self.peers);
        self.table.upsert(prefix(number), path(&self.store, slot, 1, Summary::default()), decision)
    }

    fn remove(&mut self, number: u8, slot: u32) -> Option<Outcome> {
        let decision = Decision::new(DecisionConfig::default(), &self.peers);
        self.table.remove(&prefix(number), peer(slot), PathId(0), decision)
    }
}

#[test]
fn chunks_that_a_source_has_left_are_not_looked_at_again() {
    let (store, peers) = (AttributeStore::new(1), peers(2));
    let decision = Decision::new(DecisionConfig::default(), &peers);
    let mut table = Table::<V4>::new(1);
    for n in 0..3 * CHUNK as u32 {
        let prefix = V4::from_wire(32, &n.to_be_bytes()).unwrap();
        let of = path(&store, 1 + u32::from(n == 5), 1, Summary::default());
        table.upsert(prefix, of, decision);
    }
    let left = table.remove_source(0..3, 2, |_| false, decision, drop, |_, _| ());
    assert_eq!(left.iter().collect::<Vec<_>>(), [0]);
    assert_eq!(table.remove_source(0..3, 2, |_| true, decision, drop, |_, _| ()).iter().count(), 0);
}

#[test]
fn a_path_that_moves_elsewhere_no_longer_stands_before_others_of_its_as() {
    let mut f = Fixture::new();
    let summary = |med, neighbor, pref| Summary {
        med: Some(med),
        neighbor_as: Some(bgp_core::Asn(neighbor)),
        local_pref: Some(pref),
        ..Summary::default()
    };
    // The lower the slot, the higher its router id: by that alone 6 is before 5, and 5 before 4.
    let list =
        [(4, summary(0, 1, 100)), (6, summary(1, 1, 100)), (5, summary(0, 2, 100)), (4, summary(0, 1, 90))];
    let orders: Vec<Vec<u32>> = list
        .map(|(slot, summary)| {
            let decision = Decision::new(DecisionConfig::default(), &f.peers);
            let dest = f.table.upsert(prefix(1), path(&f.store, slot, 1, summary), decision).dest;
            f.table.paths(dest).iter().map(|path| path.slot()).collect()
        })
        .into();
    assert_eq!(orders, [vec![4], vec![4, 6], vec![5, 4, 6], vec![6, 5, 4]]);
}

#[test]
fn an_update_says_what_it_changed() {
    let mut f = Fixture::new();
    assert_eq!(f.add(1, 1).change, Change::Best);
    let again = f.add(1, 1);
    assert_eq!((again.change, again.old.is_some()), (Change::Unchanged, true));
    assert_eq!(f.add(1, 5).change, Change::Others);
    assert_eq!(f.remove(1, 5).unwrap().change, Change::Others);
    assert_eq!(f.remove(1, 1).unwrap().change, Change::Best);
    assert!(f.remove(1, 1).is_none());
}

#[test]
fn an_id_is_used_again_only_without_path_hold_and_mark() {
    let mut f = Fixture::new();
    let id = f.add(1, 1).dest;
    f.table.hold(id);
    f.remove(1, 1);
    f.table.reclaim(|_| false);
    assert_eq!(f.table.lookup(&prefix(1)), Some(id));
    f.table.release(id);
    f.table.reclaim(|dirty| dirty == id);
    assert_eq!(f.table.prefix(id), Some(prefix(1)));
    assert_ne!(f.add(2, 1).dest, id);
    f.table.reclaim(|_| false);
    assert_eq!((f.table.lookup(&prefix(1)), f.table.prefix(id)), (None, None));
    assert!(!f.table.has_vacant());
    assert_eq!(f.add(3, 1).dest, id);
}

#[test]
fn a_destination_that_comes_back_before_it_is_freed_keeps_its_id() {
    let mut f = Fixture::new();
    let id = f.add(1, 1).dest;
    f.remove(1, 1);
    assert_eq!(f.add(1, 2).dest, id);
    f.table.reclaim(|_| false);
    assert_eq!(f.table.lookup(&prefix(1)), Some(id));
    f.remove(1, 2);
    f.table.reclaim(|_| false);
    assert_eq!(f.table.lookup(&prefix(1)), None);
}

#[test]
fn a_walk_sees_every_destination_that_stays() {
    let mut f = Fixture::new();
    let ids: Vec<DestId> = (0..200).map(|n| f.add(n, 1).dest).collect();
    let mut seen = BTreeSet::new();
    let mut cursor = DestId::FIRST;
    while let Some(id) = f.table.next_dest(cursor) {
        seen.insert(id);
        f.remove((id.index() as u8).wrapping_add(1), 1).map(|gone| seen.insert(gone.dest));
        f.table.reclaim(|_| false);
        cursor = id.next();
    }
    assert_eq!(seen.len(), ids.len());
}

#[derive(Clone, Debug)]
enum Op {
    Upsert { number: u8, slot: u32, id: u32, hop: u8, summary: Summary },
    Remove { number: u8, slot: u32, id: u32 },
    PeerDown(u32),
    Lose(u32),
    LongLive(u32),
    Sweep(u32),
    NextHop(u8, Option<u32>),
    Reclaim,
}

fn any_op() -> impl Strategy<Value = Op> {
    let key = || (0..4_u8, 0..5_u32, 0..2_u32);
    prop_oneof![
        6 => (key(), 0..3_u8, any_summary()).prop_map(|((number, slot, id), hop, summary)| Op::Upsert {
            number, slot, id, hop, summary,
        }),
        3 => key().prop_map(|(number, slot, id)| Op::Remove { number, slot, id }),
        1 => (1..5_u32).prop_map(Op::PeerDown),
        2 => (1..5_u32).prop_map(Op::Lose),
        1 => (1..5_u32).prop_map(Op::LongLive),
        1 => (1..5_u32).prop_map(Op::Sweep),
        2 => (0..3_u8, proptest::option::of(0..3_u32)).prop_map(|(hop, metric)| Op::NextHop(hop, metric)),
        1 => Just(Op::Reclaim),
    ]
}

type Model = BTreeMap<(u8, u32, u32), (u8, Summary, Mark)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Fresh,
    Stale,
    LongLived,
}

type Hops = BTreeMap<u8, Option<u32>>;

fn let_go(hops: &mut NextHops, path: &Path) {
    if let Some(id) = path.tracked_next_hop().and_then(|address| hops.id(address)) {
        hops.release(id);
    }
}

fn remove_source(
    table: &mut Table<V4>,
    hops: &mut NextHops,
    slot: u32,
    unwanted: impl Fn(&Path) -> bool,
    decision: Decision<'_>,
    changes: &mut Vec<(DestId, Change)>,
) {
    let gone = |path: Path| let_go(hops, &path);
    table.remove_source(0..1, slot, unwanted, decision, gone, |id, change| changes.push((id, change)));
}

/// A table with its next hops, driven as the RIB drives it.
struct Driven {
    fixture: Fixture,
    hops: NextHops,
    config: DecisionConfig,
}

impl Driven {
    fn apply(&mut self, op: &Op) -> Vec<(DestId, Change)> {
        let Fixture { store, peers, table } = &mut self.fixture;
        let decision = Decision::new(self.config, peers);
        let hops = &mut self.hops;
        let mut changes = Vec::new();
        let on = |changes: &mut Vec<_>, hops: &mut NextHops, outcome: Outcome| {
            outcome.old.iter().for_each(|old| let_go(hops, old));
            changes.push((outcome.dest, outcome.change));
        };
        match *op {
            Op::Upsert { number, slot, id, hop, summary } => {
                let attrs = attrs(store, hop, summary);
                let (next_hop, metric) = hops.acquire(attrs.next_hop());
                let path = Path::new(peer(slot), PathId(id), attrs, Instant::ZERO);
                on(
                    &mut changes,
                    hops,
                    table.upsert(prefix(number), path.with_next_hop(next_hop, metric), decision),
                );
            }
            Op::Remove { number, slot, id } => {
                let outcome = table.remove(&prefix(number), peer(slot), PathId(id), decision);
                outcome.into_iter().for_each(|outcome| on(&mut changes, hops, outcome));
            }
            Op::PeerDown(slot) => {
                remove_source(table, hops, slot, |_| true, decision, &mut changes);
            }
            Op::Lose(slot) => drop(table.mark_stale(0..1, slot)),
            Op::LongLive(slot) => {
                table.mark_long_lived(0..1, slot, decision, |id, change| changes.push((id, change)));
            }
            Op::Sweep(slot) => {
                remove_source(table, hops, slot, Path::is_stale, decision, &mut changes);
            }
            Op::NextHop(hop, metric) => {
                let state =
                    metric.map_or(NextHopState::Unreachable, |metric| NextHopState::Reachable { metric });
                let address = [10, 9, 9, hop].into();
                if hops.set(address, state) {
                    let metric = state.metric();
                    table
                        .set_metric(0..1, address, metric, decision, |id, change| changes.push((id, change)));
                }
            }
            Op::Reclaim => table.reclaim(|_| false),
        }
        changes
    }

    fn expected(&self, model: &Model, states: &Hops, number: u8) -> Vec<Path> {
        let of_it = model.iter().filter(|((other, ..), _)| *other == number);
        let paths = of_it.map(|(&(_, slot, id), &(hop, summary, mark))| {
            let attrs = attrs(&self.fixture.store, hop, summary);
            let mut path = Path::new(peer(slot), PathId(id), attrs, Instant::ZERO);
            match mark {
                Mark::Fresh => {}
                Mark::Stale => path.mark_stale(),
                Mark::LongLived => path.mark_long_lived(),
            }
            path.with_next_hop(NextHopId::ASSUMED, states.get(&hop).copied().flatten())
        });
        naive_rank(self.config, &self.fixture.peers, paths.collect())
    }
}

fn apply_to_model(op: &Op, model: &mut Model, states: &mut Hops) {
    match *op {
        Op::Upsert { number, slot, id, hop, summary } => {
            model.insert((number, slot, id), (hop, summary, Mark::Fresh));
        }
        Op::Remove { number, slot, id } => {
            model.remove(&(number, slot, id));
        }
        Op::PeerDown(slot) => model.retain(|(_, source, _), _| *source != slot),
        Op::Lose(slot) => mark(model, slot, Mark::Fresh, Mark::Stale),
        Op::LongLive(slot) => mark(model, slot, Mark::Stale, Mark::LongLived),
        Op::Sweep(slot) => model.retain(|(_, source, _), (.., mark)| *source != slot || *mark == Mark::Fresh),
        Op::NextHop(hop, metric) => {
            if model.values().any(|(used, ..)| *used == hop) {
                states.insert(hop, metric);
            }
        }
        Op::Reclaim => {}
    }
    // Nobody reports on a next hop that is not in use.
    states.retain(|hop, _| model.values().any(|(used, ..)| used == hop));
}

fn mark(model: &mut Model, slot: u32, from: Mark, to: Mark) {
    let of_it = model.iter_mut().filter(|((_, source, _), _)| *source == slot);
    of_it.filter(|(_, (.., mark))| *mark == from).for_each(|(_, (.., mark))| *mark = to);
}

fn marks(paths: &[Path]) -> Vec<(bool, bool)> {
    paths.iter().map(|path| (path.is_stale(), path.is_long_lived())).collect()
}

fn shown(paths: &[Path]) -> Vec<(PeerId, PathId, usize, Option<u32>)> {
    paths.iter().map(|path| (path.source(), path.path_id, path.attrs.id(), path.igp_metric())).collect()
}

proptest! {
    #[test]
    fn the_table_agrees_with_a_plain_map(
        ops in proptest::collection::vec(any_op(), 1..60),
        always in any::<bool>(),
    ) {
        let config = DecisionConfig { always_compare_med: always, ..DecisionConfig::default() };
        let hops = NextHops::new(NextHopSource::Tracked, 1);
        let mut driven = Driven { fixture: Fixture::new(), hops, config };
        let (mut model, mut states) = (Model::new(), Hops::new());
        for op in ops {
            let before: Vec<_> = (0..4).map(|n| driven.expected(&model, &states, n)).collect();
            let changes = driven.apply(&op);
            while driven.hops.poll_watch().is_some() {}
            apply_to_model(&op, &mut model, &mut states);
            let table = &driven.fixture.table;
            prop_assert_eq!(table.path_count(), model.len());
            let numbers: BTreeSet<u8> = model.keys().map(|(number, ..)| *number).collect();
            prop_assert_eq!(table.destinations(), numbers.len());
            for number in 0..4 {
                let expected = driven.expected(&model, &states, number);
                let dest = table.lookup(&prefix(number));
                let paths = dest.map_or(&[][..], |id| table.paths(id));
                prop_assert_eq!((shown(paths), marks(paths)), (shown(&expected), marks(&expected)));
                let told = changes.iter().filter(|(id, _)| Some(*id) == dest).map(|(_, change)| *change).max();
                let best_changed = best_of(&before[usize::from(number)]) != best_of(&expected);
                if best_changed {
                    prop_assert_eq!(told, Some(Change::Best));
                } else if shown(&before[usize::from(number)]) != shown(&expected) {
                    prop_assert!(told.is_some());
                }
            }
        }
    }
}
