//! A world around groups: tables, peers that announce, and receivers that believe what they are told.

mod audiences;
mod filters;
mod packing;
mod random;
mod resync;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use bgp_core::wire::{Attributes, DecodeContext, UpdateView, code, frame};
use bgp_core::{
    AddressFamily, Asn, ClusterId, Family, FamilySet, Instant, PathId, PeerKind, Prefix, RouterId, V4, V6,
};
use bytes::Bytes;

use super::rewrite::{Rewrite, Rewriter};
use super::{ExportContext, Group, GroupKey, GroupLimits, Tables, TablesMut, TargetKind};
use super::{communities_allow, exportable};
use crate::testing::info;
use crate::{
    AttributeStore, Attrs, Decision, DecisionConfig, Path, PeerId, Peers, SourceKind, Summary, Table,
};

const MAX_LEN: u32 = 4096;
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

/// What one peer believes.
#[derive(Default)]
struct Receiver {
    routes: BTreeMap<Prefix, (Vec<u8>, IpAddr)>,
    ends: Vec<Family>,
    announced: usize,
    withdrawn: usize,
    messages: usize,
}

impl Receiver {
    fn take(&mut self, mut input: &[u8]) {
        while !input.is_empty() {
            let message = frame(input, MAX_LEN as usize).unwrap().expect("whole messages only");
            self.update(message.body);
            self.messages += 1;
            input = &input[message.len..];
        }
    }

    fn update(&mut self, body: &[u8]) {
        let context = DecodeContext::new(PeerKind::Internal, families());
        let update = UpdateView::parse(body, &context).unwrap();
        assert!(update.faults().is_empty(), "{:?}", update.faults());
        self.ends.extend(update.end_of_rib());
        let gone = update.withdrawn().map(|(_, prefix)| Prefix::V4(prefix));
        let gone_v6 = update.mp_unreach().into_iter().flat_map(|mp| mp.nlri_of::<V6>());
        for prefix in gone.chain(gone_v6.map(|(_, prefix)| Prefix::V6(prefix))) {
            self.routes.remove(&prefix);
            self.withdrawn += 1;
        }
        let block = update.attributes().parts().concat();
        let v4 = update.announced().map(|(_, prefix)| (Prefix::V4(prefix), IpAddr::from([0, 0, 0, 0])));
        let v6 = update.mp_reach().into_iter();
        let v6 = v6.flat_map(|mp| {
            mp.nlri_of::<V6>().map(move |(_, prefix)| (Prefix::V6(prefix), mp.next_hop.address().unwrap()))
        });
        for (prefix, next_hop) in v4.chain(v6) {
            self.routes.insert(prefix, (block.clone(), next_hop));
            self.announced += 1;
        }
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
    receivers: BTreeMap<PeerId, Receiver>,
}

impl World {
    fn new(kinds: &[TargetKind], limits: GroupLimits) -> World {
        let groups = kinds.iter().map(|kind| Group::new(key(*kind), CONTEXT, limits, 1)).collect();
        World {
            now: Instant::ZERO,
            store: AttributeStore::new(1),
            v4: Table::new(1),
            v6: Table::new(1),
            peers: Peers::new(CONTEXT.local_as, CONTEXT.router_id),
            generations: BTreeMap::new(),
            groups,
            receivers: BTreeMap::new(),
        }
    }

    fn clients(limits: GroupLimits) -> World {
        World::new(&[TargetKind::Client], limits)
    }

    /// Brings up the peer with this slot: 1 and 2 are external, 3 and 4 internal, the others clients.
    fn up(&mut self, slot: u32) -> PeerId {
        let generation = self.generations.entry(slot).or_default();
        *generation += 1;
        let info = info(slot, *generation);
        let id = info.id;
        let kind = target(info.kind);
        self.peers.insert(info);
        self.receivers.insert(id, Receiver::default());
        let now = self.now;
        if let Some(group) = self.groups.iter_mut().find(|group| group.key().kind == kind) {
            group.join(now, id);
        }
        id
    }

    fn id(&self, slot: u32) -> Option<PeerId> {
        self.peers.slot(slot).map(|info| info.id)
    }

    fn down(&mut self, slot: u32) {
        let Some(id) = self.id(slot) else { return };
        for prefix in self.prefixes() {
            self.withdraw(slot, prefix);
        }
        self.groups.iter_mut().for_each(|group| group.leave(id));
        self.peers.remove(id);
        self.receivers.remove(&id);
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
        let Some(source) = self.id(slot) else { return };
        let next_hop = match prefix {
            Prefix::V4(_) => IpAddr::from([192, 0, 2, 1]),
            Prefix::V6(_) => "2001:db8::1".parse().unwrap(),
        };
        let path = Path::new(source, PathId(0), self.attrs(number, next_hop, extra), self.now);
        let decision = Decision::new(DecisionConfig::default(), &self.peers);
        let dest = match prefix {
            Prefix::V4(prefix) => self.v4.upsert(prefix, path, decision).dest,
            Prefix::V6(prefix) => self.v6.upsert(prefix, path, decision).dest,
        };
        let now = self.now;
        self.groups.iter_mut().for_each(|group| group.mark(now, prefix.family(), dest));
    }

    fn withdraw(&mut self, slot: u32, prefix: Prefix) {
        let Some(source) = self.id(slot) else { return };
        let decision = Decision::new(DecisionConfig::default(), &self.peers);
        let outcome = match prefix {
            Prefix::V4(prefix) => self.v4.remove(&prefix, source, PathId(0), decision),
            Prefix::V6(prefix) => self.v6.remove(&prefix, source, PathId(0), decision),
        };
        let Some(outcome) = outcome else { return };
        let now = self.now;
        self.groups.iter_mut().for_each(|group| group.mark(now, prefix.family(), outcome.dest));
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
    }

    fn refresh(&mut self, slot: u32, family: Family) {
        let Some(id) = self.id(slot) else { return };
        self.groups.iter_mut().for_each(|group| group.refresh(id, family));
    }

    /// Lets a peer take about `budget` bytes; returns the slices it was handed.
    fn take(&mut self, slot: u32, budget: usize) -> Vec<Bytes> {
        let Some(id) = self.id(slot) else { return Vec::new() };
        let mut out = Vec::new();
        let tables = Tables { v4: &self.v4, v6: &self.v6, peers: &self.peers };
        for group in &mut self.groups {
            let before: usize = out.iter().map(Bytes::len).sum();
            let bytes = group.poll_transmit(tables, id, budget, &mut out);
            assert_eq!(out.iter().map(Bytes::len).sum::<usize>() - before, bytes);
            assert!(bytes >= budget || !group.has_pending(id));
        }
        let receiver = self.receivers.get_mut(&id).unwrap();
        for slice in &out {
            assert!(slice.len() <= super::journal::CHUNK);
            receiver.take(slice);
        }
        out
    }

    fn drain(&mut self) {
        for slot in self.slots() {
            self.take(slot, usize::MAX);
        }
    }

    fn slots(&self) -> Vec<u32> {
        self.receivers.keys().map(|id| id.slot).collect()
    }

    fn receiver(&self, slot: u32) -> &Receiver {
        &self.receivers[&self.id(slot).unwrap()]
    }

    /// What a peer must believe, from the table's best paths alone.
    fn expected(&self, id: PeerId) -> BTreeMap<Prefix, (Vec<u8>, IpAddr)> {
        let target = target(self.peers.get(id).unwrap().kind);
        let mut routes = BTreeMap::new();
        for prefix in self.prefixes() {
            let best = match prefix {
                Prefix::V4(prefix) => self.v4.lookup(&prefix).and_then(|dest| self.v4.best(dest)),
                Prefix::V6(prefix) => self.v6.lookup(&prefix).and_then(|dest| self.v6.best(dest)),
            };
            let Some(best) = best.filter(|best| best.source != id) else { continue };
            let source = self.peers.get(best.source).unwrap();
            if exportable(source.kind, target, true) && communities_allow(best.attrs.block(), target) {
                let next_hop =
                    key(target).next_hop(prefix.family(), source.kind, best.attrs.next_hop()).unwrap();
                let rule = Rewrite {
                    target,
                    source: source.kind,
                    originator: source.router_id,
                    cluster_id: CONTEXT.cluster_id,
                    local_as: CONTEXT.local_as,
                    next_hop: if let IpAddr::V4(address) = next_hop { Some(address) } else { None },
                    four_octet_as: true,
                    keeps_med: false,
                };
                let mut block = Vec::new();
                Rewriter::default().rewrite(&rule, best.attrs.block(), &mut block);
                let in_mp = if next_hop.is_ipv6() { next_hop } else { IpAddr::from([0, 0, 0, 0]) };
                if block.len() < 4000 {
                    routes.insert(prefix, (block, in_mp));
                }
            }
        }
        routes
    }

    /// After all is drained every peer believes what it must, and nothing is kept for anyone.
    fn check(&mut self) {
        self.flush();
        self.drain();
        for (id, receiver) in &self.receivers {
            let expected = self.expected(*id);
            assert_eq!(receiver.routes, expected, "what {id} believes");
            for family in families().iter() {
                let count = expected.keys().filter(|prefix| prefix.family() == family).count();
                let advertised: usize = self.groups.iter().map(|group| group.advertised(*id, family)).sum();
                assert_eq!(advertised, count, "advertised to {id}");
            }
            for group in self.groups.iter().filter(|group| group.peers().any(|peer| peer == *id)) {
                assert!(
                    families().iter().all(|family| receiver.ends.contains(&family)),
                    "End-of-RIB for {id}"
                );
                assert_eq!(group.lag(*id), super::Lag::default());
            }
        }
        self.flush();
        for group in &self.groups {
            assert_eq!((group.tombstones(), group.queued_bytes()), (0, 0));
        }
    }
}

fn target(kind: SourceKind) -> TargetKind {
    match kind {
        SourceKind::External => TargetKind::External,
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
