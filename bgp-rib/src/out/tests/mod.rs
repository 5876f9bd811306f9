//! A world around groups: tables, peers that announce, and receivers that believe what they are told.

mod audiences;
mod filters;
mod model;
mod packing;
mod paths;
mod random;
mod regroup;
mod resync;
mod slices;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use bgp_core::wire::{Attributes, DecodeContext, MessageType, RouteRefresh, UpdateView, code, frame};
use bgp_core::{
    AddressFamily, Asn, ClusterId, Family, FamilySet, Instant, PathId, PeerKind, Prefix, RouterId, V4, V6,
};
use bytes::Bytes;

use super::{
    Advertise, ExportContext, Group, GroupKey, GroupLimits, LoadSharing, Tables, TablesMut, TargetKind,
};
use crate::testing::info;
use crate::{
    AttributeStore, Attrs, Change, Decision, DecisionConfig, DestId, NextHopId, Path, PeerId, PeerInfo,
    Peers, SourceKind, Summary, Table,
};

const MAX_LEN: u32 = 4096;
/// So many paths share the load.
const SHARING: LoadSharing = LoadSharing {
    decision: DecisionConfig { always_compare_med: false, deterministic_med: true, multipath_relax: false },
    max: 3,
};
const CONTEXT: ExportContext =
    ExportContext { local_as: Asn(64512), router_id: RouterId(5000), cluster_id: Some(ClusterId(77)) };

fn families() -> FamilySet {
    FamilySet::EMPTY.with(V4::FAMILY).with(V6::FAMILY)
}

fn key(kind: TargetKind) -> GroupKey {
    GroupKey {
        local_v4: Some([10, 0, 0, 1].into()),
        local_v6: Some("fd00::1".parse().unwrap()),
        ..GroupKey::new(kind, families())
    }
}

fn v4(number: u32) -> Prefix {
    Prefix::new(IpAddr::from((0x0a00_0000 + number * 256).to_be_bytes()), 24).unwrap()
}

fn v6(number: u16) -> Prefix {
    Prefix::new(IpAddr::from([0xfd00, number, 0, 0, 0, 0, 0, 0]), 64).unwrap()
}

/// Attributes as they are sent, and the next hop beside them.
type Sent = (Vec<u8>, IpAddr);

/// What one peer believes.
#[derive(Default)]
struct Receiver {
    /// The families in which it takes several paths to a destination.
    add_path: FamilySet,
    /// The routes of the other families,
    routes: BTreeMap<Prefix, Sent>,
    /// and of these.
    paths: BTreeMap<(Prefix, PathId), Sent>,
    ends: Vec<Family>,
    /// What a refresh under way has not confirmed yet.
    stale: BTreeMap<Family, BTreeSet<(Prefix, PathId)>>,
    refreshed: Vec<Family>,
    /// What a refresh made go.
    lost: Vec<Prefix>,
    announced: usize,
    withdrawn: usize,
    messages: usize,
}

impl Receiver {
    fn take(&mut self, mut input: &[u8]) {
        while !input.is_empty() {
            let message = frame(input, MAX_LEN as usize).unwrap().expect("whole messages only");
            match message.kind {
                MessageType::RouteRefresh => self.marker(RouteRefresh::parse(message.body).unwrap()),
                _ => {
                    self.update(message.body);
                    self.messages += 1;
                }
            }
            input = &input[message.len..];
        }
    }

    /// RFC 7313 section 4. What has not come again between the markers goes.
    fn marker(&mut self, marker: RouteRefresh) {
        let family = marker.family;
        if marker.subtype == RouteRefresh::BEGIN {
            assert!(self.ends.contains(&family), "End-of-RIB comes first");
            let routes = self.routes.keys().map(|prefix| (*prefix, PathId(0)));
            let held = routes.chain(self.paths.keys().copied());
            let held = held.filter(|(prefix, _)| prefix.family() == family).collect();
            assert!(self.stale.insert(family, held).is_none(), "one at a time");
        } else {
            assert_eq!(marker.subtype, RouteRefresh::END);
            for (prefix, id) in self.stale.remove(&family).expect("a beginning") {
                self.routes.remove(&prefix);
                self.paths.remove(&(prefix, id));
                self.lost.push(prefix);
            }
            self.refreshed.push(family);
        }
    }

    fn update(&mut self, body: &[u8]) {
        let context =
            DecodeContext { add_path: self.add_path, ..DecodeContext::new(PeerKind::Internal, families()) };
        let update = UpdateView::parse(body, &context).unwrap();
        assert!(update.faults().is_empty(), "{:?}", update.faults());
        if let Some(family) = update.end_of_rib() {
            assert!(!self.ends.contains(&family), "End-of-RIB once");
            self.ends.push(family);
        }
        let gone = update.withdrawn().map(|(id, prefix)| (Prefix::V4(prefix), id));
        let gone_v6 = update.mp_unreach().into_iter().flat_map(|mp| mp.nlri_of::<V6>());
        for (prefix, id) in gone.chain(gone_v6.map(|(id, prefix)| (Prefix::V6(prefix), id))) {
            self.routes.remove(&prefix);
            self.paths.remove(&(prefix, id));
            self.confirm(prefix, id);
            self.withdrawn += 1;
        }
        let block = update.attributes().parts().concat();
        let v4 = update.announced().map(|(id, prefix)| (Prefix::V4(prefix), id, IpAddr::from([0, 0, 0, 0])));
        let v6 = update.mp_reach().into_iter().flat_map(|mp| {
            let next_hop = mp.next_hop.address().unwrap();
            mp.nlri_of::<V6>().map(move |(id, prefix)| (Prefix::V6(prefix), id, next_hop))
        });
        for (prefix, id, next_hop) in v4.chain(v6) {
            let sent = (block.clone(), next_hop);
            if self.add_path.contains(prefix.family()) {
                self.paths.insert((prefix, id), sent);
            } else {
                self.routes.insert(prefix, sent);
            }
            self.confirm(prefix, id);
            self.announced += 1;
        }
    }

    fn confirm(&mut self, prefix: Prefix, id: PathId) {
        if let Some(stale) = self.stale.get_mut(&prefix.family()) {
            stale.remove(&(prefix, id));
        }
    }

    /// The path ids under which it holds routes to a destination.
    fn ids(&self, prefix: Prefix) -> Vec<u32> {
        self.paths.keys().filter(|(other, _)| *other == prefix).map(|(_, id)| id.0).collect()
    }
}

struct World {
    now: Instant,
    store: AttributeStore,
    v4: Table<V4>,
    v6: Table<V6>,
    peers: Peers,
    generations: BTreeMap<u32, u32>,
    groups: Vec<Group>,
    /// So many of them, the first, stay when they are empty.
    kept: usize,
    receivers: BTreeMap<PeerId, Receiver>,
    /// Per group the path ids by the slot and path id of their sources, as of the last flush.
    named: Vec<BTreeMap<(Prefix, u32, PathId), PathId>>,
}

impl World {
    fn new(kinds: &[TargetKind], limits: GroupLimits) -> World {
        World::with_keys(kinds.iter().map(|kind| key(*kind)), limits)
    }

    fn with_keys(keys: impl IntoIterator<Item = GroupKey>, limits: GroupLimits) -> World {
        let group = |key| Group::new(key, CONTEXT, limits, 1).with_load_sharing(SHARING);
        let groups: Vec<Group> = keys.into_iter().map(group).collect();
        World {
            named: vec![BTreeMap::new(); groups.len()],
            now: Instant::ZERO,
            store: AttributeStore::new(1),
            v4: Table::new(1),
            v6: Table::new(1),
            peers: Peers::new(CONTEXT.local_as, CONTEXT.router_id),
            generations: BTreeMap::new(),
            kept: groups.len(),
            groups,
            receivers: BTreeMap::new(),
        }
    }

    fn clients(limits: GroupLimits) -> World {
        World::new(&[TargetKind::Client], limits)
    }

    /// Brings up the peer with this slot: 1 and 2 are external, 3 and 4 internal, the others clients.
    fn up(&mut self, slot: u32) -> PeerId {
        self.up_as(slot, None)
    }

    /// The same with another BGP Identifier than it has by itself.
    fn up_as(&mut self, slot: u32, router_id: Option<u32>) -> PeerId {
        let generation = self.generations.entry(slot).or_default();
        *generation += 1;
        let mut info = info(slot, *generation);
        info.router_id = router_id.map_or(info.router_id, RouterId);
        self.establish(info)
    }

    /// The peer joins one of the groups of its kind.
    fn establish(&mut self, info: PeerInfo) -> PeerId {
        let (id, kind) = (info.id, target(info.kind));
        self.peers.insert(info);
        let now = self.now;
        let count = self.groups.iter().filter(|group| group.key().kind == kind).count();
        let mut of_kind = self.groups.iter_mut().filter(|group| group.key().kind == kind);
        let group = of_kind.nth(id.slot as usize % count.max(1));
        let add_path = group.as_ref().map_or(FamilySet::EMPTY, |group| group.key().add_path);
        if let Some(group) = group {
            group.join(now, id);
        }
        self.receivers.insert(id, Receiver { add_path, ..Receiver::default() });
        id
    }

    /// The session ends and comes back at once; what the peer announced stays, and is looked at again.
    fn restart(&mut self, slot: u32) {
        let Some(info) = self.peers.slot(slot).cloned().filter(|info| info.id != PeerId::LOCAL) else {
            return;
        };
        self.leave(info.id);
        let generation = info.id.generation + 1;
        self.generations.insert(slot, generation);
        self.establish(PeerInfo { id: PeerId { slot, generation }, ..info });
        for prefix in self.prefixes() {
            if let Some(dest) = self.dest(prefix) {
                self.mark(prefix, dest, Change::Best);
            }
        }
    }

    fn leave(&mut self, id: PeerId) {
        self.groups.iter_mut().for_each(|group| group.leave(id));
        self.peers.remove(id);
        self.receivers.remove(&id);
    }

    fn id(&self, slot: u32) -> Option<PeerId> {
        self.peers.slot(slot).map(|info| info.id)
    }

    fn down(&mut self, slot: u32) {
        let Some(id) = self.id(slot) else { return };
        for prefix in self.prefixes() {
            self.withdraw_all(slot, prefix);
        }
        self.leave(id);
    }

    fn prefixes(&self) -> BTreeSet<Prefix> {
        let mut found = BTreeSet::new();
        collect_prefixes(&self.v4, &mut found);
        collect_prefixes(&self.v6, &mut found);
        found
    }

    /// Attributes that differ by `number`; a higher one is preferred.
    fn attrs(&self, number: u32, next_hop: IpAddr, extra: &[u8]) -> Attrs {
        let mut block = vec![0x40, code::ORIGIN, 1, 0, 0x40, code::AS_PATH, 6, 2, 1];
        block.extend((65_000 + number).to_be_bytes());
        block.extend([0x40, code::LOCAL_PREF, 4]);
        block.extend((100 + number).to_be_bytes());
        block.extend(extra);
        let summary = Summary::of(Attributes::new(&block));
        self.store.insert(PeerKind::Internal, next_hop, &[&block], summary)
    }

    fn announce(&mut self, slot: u32, prefix: Prefix, number: u32) {
        self.announce_with(slot, prefix, number, &[]);
    }

    fn announce_with(&mut self, slot: u32, prefix: Prefix, number: u32, extra: &[u8]) {
        self.announce_path(slot, prefix, 0, number, extra, true);
    }

    /// One of several paths of a source; each has another next hop.
    fn announce_path(
        &mut self,
        slot: u32,
        prefix: Prefix,
        id: u8,
        number: u32,
        extra: &[u8],
        reachable: bool,
    ) {
        let Some(source) = self.id(slot) else { return };
        let next_hop = match prefix {
            Prefix::V4(_) => IpAddr::from([192, 0, 2, 1 + id]),
            Prefix::V6(_) => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1 + u16::from(id)]),
        };
        let path_id = PathId(id.into());
        // One of an earlier session is replaced.
        let earlier = self
            .paths(prefix)
            .iter()
            .find(|path| path.slot() == slot && path.source() != source && path.path_id == path_id);
        if let Some(source) = earlier.map(Path::source) {
            self.remove(source, prefix, path_id);
        }
        let path = Path::new(source, path_id, self.attrs(number, next_hop, extra), self.now)
            .with_next_hop(NextHopId::ASSUMED, reachable.then_some(0));
        let decision = Decision::new(DecisionConfig::default(), &self.peers);
        let outcome = match prefix {
            Prefix::V4(prefix) => self.v4.upsert(prefix, path, decision),
            Prefix::V6(prefix) => self.v6.upsert(prefix, path, decision),
        };
        self.mark(prefix, outcome.dest, outcome.change);
    }

    fn withdraw(&mut self, slot: u32, prefix: Prefix) {
        self.withdraw_path(slot, prefix, 0);
    }

    fn withdraw_path(&mut self, slot: u32, prefix: Prefix, id: u8) {
        let Some(source) = self.id(slot) else { return };
        self.remove(source, prefix, PathId(id.into()));
    }

    /// Takes out all that the slot has announced, in whatever session.
    fn withdraw_all(&mut self, slot: u32, prefix: Prefix) {
        let from_it = |path: &&Path| path.slot() == slot;
        while let Some(path) = self.paths(prefix).iter().find(from_it) {
            let (source, path_id) = (path.source(), path.path_id);
            self.remove(source, prefix, path_id);
        }
    }

    fn remove(&mut self, source: PeerId, prefix: Prefix, id: PathId) {
        let decision = Decision::new(DecisionConfig::default(), &self.peers);
        let outcome = match prefix {
            Prefix::V4(prefix) => self.v4.remove(&prefix, source, id, decision),
            Prefix::V6(prefix) => self.v6.remove(&prefix, source, id, decision),
        };
        if let Some(outcome) = outcome {
            self.mark(prefix, outcome.dest, outcome.change);
        }
    }

    fn mark(&mut self, prefix: Prefix, dest: DestId, change: Change) {
        let (now, family) = (self.now, prefix.family());
        for group in &mut self.groups {
            if change == Change::Best || change == Change::Others && group.key().looks_beyond_best(family) {
                group.mark(now, family, dest);
            }
        }
    }

    fn dest(&self, prefix: Prefix) -> Option<DestId> {
        match prefix {
            Prefix::V4(prefix) => self.v4.lookup(&prefix),
            Prefix::V6(prefix) => self.v6.lookup(&prefix),
        }
    }

    fn paths(&self, prefix: Prefix) -> &[Path] {
        self.dest(prefix).map_or(&[], |dest| match prefix {
            Prefix::V4(_) => self.v4.paths(dest),
            Prefix::V6(_) => self.v6.paths(dest),
        })
    }

    fn flush(&mut self) {
        self.now += Duration::from_millis(5);
        for group in &mut self.groups {
            let mut tables =
                TablesMut { v4: &mut self.v4, v6: &mut self.v6, peers: &self.peers, aggregates: None };
            group.flush(self.now, &mut tables);
        }
        let groups = &self.groups;
        self.v4.reclaim(|dest| groups.iter().any(|group| group.is_dirty(V4::FAMILY, dest)));
        self.v6.reclaim(|dest| groups.iter().any(|group| group.is_dirty(V6::FAMILY, dest)));
        self.check_path_ids();
    }

    fn refresh(&mut self, slot: u32, family: Family) {
        let Some(id) = self.id(slot) else { return };
        self.groups.iter_mut().for_each(|group| group.refresh(id, family, false));
    }

    /// Lets a peer take about `budget` bytes; returns the slices it was handed.
    fn take(&mut self, slot: u32, budget: usize) -> Vec<Bytes> {
        let Some(id) = self.id(slot) else { return Vec::new() };
        let mut out = Vec::new();
        let tables = Tables { v4: &self.v4, v6: &self.v6 };
        for group in &mut self.groups {
            let before: usize = out.iter().map(Bytes::len).sum();
            let first = out.len();
            let sent = group.poll_transmit(tables, id, budget, &mut out);
            assert_eq!(out.iter().map(Bytes::len).sum::<usize>() - before, sent.octets);
            assert_eq!(counted(&out[first..]), (sent.updates, sent.refreshes));
            assert!(sent.octets >= budget || !group.has_pending(id));
        }
        let receiver = self.receivers.get_mut(&id).unwrap();
        for slice in &out {
            assert!(slice.len() <= super::journal::CHUNK);
            receiver.take(slice);
        }
        let lost = std::mem::take(&mut receiver.lost);
        assert!(lost.iter().all(|prefix| self.is_dirty(*prefix)), "{lost:?} lost by a refresh");
        out
    }

    /// Whether groups have still to look at what became of a destination.
    fn is_dirty(&self, prefix: Prefix) -> bool {
        let (dest, family) = (self.dest(prefix), prefix.family());
        dest.is_some_and(|dest| self.groups.iter().any(|group| group.is_dirty(family, dest)))
    }

    fn drain(&mut self) {
        for slot in self.slots() {
            self.take(slot, usize::MAX);
        }
    }

    /// Flushes, and lets all peers read, until nothing waits.
    fn settle(&mut self) {
        self.flush();
        self.drain();
        while self.groups.iter().any(|group| group.unwritten() > 0) {
            let due = self.groups.iter().filter(|group| group.unwritten() > 0);
            assert!(due.into_iter().all(|group| group.next_flush() <= Some(self.now)), "peers have read on");
            self.flush();
            self.drain();
        }
    }

    fn slots(&self) -> Vec<u32> {
        self.receivers.keys().map(|id| id.slot).collect()
    }

    fn receiver(&self, slot: u32) -> &Receiver {
        &self.receivers[&self.id(slot).unwrap()]
    }
}

/// The UPDATEs and the ROUTE-REFRESHes.
fn counted(slices: &[Bytes]) -> (u64, u64) {
    let (mut updates, mut refreshes) = (0, 0);
    for slice in slices {
        let mut input = &slice[..];
        while let Some(message) = frame(input, MAX_LEN as usize).unwrap() {
            *(if message.kind == MessageType::Update { &mut updates } else { &mut refreshes }) += 1;
            input = &input[message.len..];
        }
    }
    (updates, refreshes)
}

fn target(kind: SourceKind) -> TargetKind {
    match kind {
        SourceKind::External => TargetKind::External,
        SourceKind::Confederation => TargetKind::Confederation,
        SourceKind::Internal => TargetKind::Internal,
        SourceKind::Client | SourceKind::Local => TargetKind::Client,
    }
}

fn collect_prefixes<F: AddressFamily>(table: &Table<F>, found: &mut BTreeSet<Prefix>) {
    let mut next = crate::DestId::FIRST;
    while let Some(dest) = table.next_dest(next) {
        if !table.paths(dest).is_empty() {
            found.extend(table.prefix(dest).map(Into::into));
        }
        next = dest.next();
    }
}
