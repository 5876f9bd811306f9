//! What every peer must believe, from the tables alone.

use super::super::records::Slot;
use super::super::rewrite::{Rewrite, Rewriter};
use super::super::{communities_allow, exportable};
use super::*;
use crate::filter::Policy;

impl World {
    /// What a peer must believe in families in which it takes one path.
    pub(super) fn expected(&self, id: PeerId) -> BTreeMap<Prefix, Sent> {
        let add_path = self.key_of(id).map_or(FamilySet::EMPTY, |key| key.add_path);
        let plain = self.prefixes().into_iter().filter(|prefix| !add_path.contains(prefix.family()));
        plain.filter_map(|prefix| Some((prefix, self.expected_paths(id, prefix).pop()?))).collect()
    }

    pub(super) fn key_of(&self, id: PeerId) -> Option<GroupKey> {
        self.groups.iter().find(|group| group.peers().any(|peer| peer == id)).map(|group| group.key().clone())
    }

    /// The paths to one destination that a peer must believe, best first.
    pub(super) fn expected_paths(&self, id: PeerId, prefix: Prefix) -> Vec<Sent> {
        let Some(key) = self.key_of(id) else { return Vec::new() };
        let kind = |path: &Path| self.peers.slot(path.slot()).unwrap().kind;
        let passes = |path: &Path| {
            lets_out(&key.export, prefix)
                && exportable(kind(path), key.kind, true)
                && communities_allow(path.attrs.block(), key.kind)
                && self.written(&key, prefix, path).0.len() < 4000
        };
        let eligible: Vec<&Path> = self.paths(prefix).iter().filter(|path| path.is_eligible()).collect();
        let advertise = if key.add_path.contains(prefix.family()) || key.advertise == Advertise::BestExternal
        {
            key.advertise
        } else {
            Advertise::Best
        };
        let chosen: Vec<&Path> = match advertise {
            Advertise::Best => eligible.into_iter().take(1).filter(|path| passes(path)).collect(),
            Advertise::BestExternal => {
                let first = eligible.into_iter().find(|path| exportable(kind(path), key.kind, true));
                first.into_iter().filter(|path| passes(path)).collect()
            }
            Advertise::Ecmp => {
                let decision = Decision::new(SHARING.decision, &self.peers);
                decision.multipath(self.paths(prefix), SHARING.max).filter(|path| passes(path)).collect()
            }
            Advertise::Count(count) => {
                eligible.into_iter().filter(|path| passes(path)).take(count.get().into()).collect()
            }
            Advertise::All => eligible.into_iter().filter(|path| passes(path)).collect(),
        };
        let others = chosen.into_iter().filter(|path| path.slot() != id.slot);
        others.map(|path| self.written(&key, prefix, path)).collect()
    }

    /// A path as it is written for a group.
    fn written(&self, key: &GroupKey, prefix: Prefix, path: &Path) -> Sent {
        let source = self.peers.slot(path.slot()).unwrap();
        let next_hop = key.next_hop(prefix.family(), source.kind, path.attrs.next_hop()).unwrap();
        let rule = Rewrite {
            target: key.kind,
            source: source.kind,
            originator: source.router_id,
            cluster_id: CONTEXT.cluster_id,
            local_as: CONTEXT.local_as,
            as_rules: key.as_rules,
            next_hop: if let IpAddr::V4(address) = next_hop { Some(address) } else { None },
            four_octet_as: true,
            only_to_customer: false,
            keeps_med: false,
        };
        let mut block = Vec::new();
        Rewriter::default().rewrite(&rule, path.attrs.block(), &mut block);
        (block, if next_hop.is_ipv6() { next_hop } else { IpAddr::from([0, 0, 0, 0]) })
    }

    /// After all is drained every peer believes what it must, and nothing is kept for anyone.
    pub(super) fn check(&mut self) {
        self.settle();
        for (id, receiver) in &self.receivers {
            assert_eq!(receiver.routes, self.expected(*id), "what {id} believes");
            self.check_paths(*id, receiver);
            for family in families().iter() {
                let routes = receiver.routes.keys().filter(|prefix| prefix.family() == family).count();
                let paths = receiver.paths.keys().filter(|(prefix, _)| prefix.family() == family).count();
                let advertised: usize = self.groups.iter().map(|group| group.advertised(*id, family)).sum();
                assert_eq!(advertised, routes + paths, "advertised to {id}");
            }
            for group in self.groups.iter().filter(|group| group.peers().any(|peer| peer == *id)) {
                assert!(
                    families().iter().all(|family| receiver.ends.contains(&family)),
                    "End-of-RIB for {id}"
                );
                assert_eq!(group.lag(*id), super::super::Lag::default());
            }
        }
        self.flush();
        for group in &self.groups {
            assert_eq!((group.tombstones(), group.queued_bytes()), (0, 0));
            assert!(group.arrived.is_empty());
        }
    }

    /// What a peer believes in families in which it takes several paths, and what the group says that it believes.
    fn check_paths(&self, id: PeerId, receiver: &Receiver) {
        let prefixes = self.prefixes();
        assert!(
            receiver.paths.keys().all(|(prefix, _)| prefixes.contains(prefix)),
            "{id} believes in the dead"
        );
        for prefix in prefixes.into_iter().filter(|prefix| receiver.add_path.contains(prefix.family())) {
            let held = receiver.paths.iter().filter(|((other, _), _)| *other == prefix);
            let mut believed: Vec<Sent> = held.map(|(_, sent)| sent.clone()).collect();
            believed.sort();
            let mut expected = self.expected_paths(id, prefix);
            expected.sort();
            assert_eq!(believed, expected, "what {id} believes of {prefix}");
            let (key, dest) = (self.key_of(id).unwrap(), self.dest(prefix).unwrap());
            let group = self.groups.iter().find(|group| group.peers().any(|peer| peer == id)).unwrap();
            for sent in group.sent_paths(id, prefix.family(), dest) {
                let from =
                    |path: &&Path| path.slot() == sent.source.slot && Some(path.path_id) == sent.received;
                let path = self.paths(prefix).iter().find(from).unwrap();
                let believed = receiver.paths.get(&(prefix, sent.path_id.unwrap()));
                assert_eq!(believed, Some(&self.written(&key, prefix, path)));
            }
            assert_eq!(group.sent_paths(id, prefix.family(), dest).count(), expected.len());
        }
    }

    /// A path that stays keeps its id, and no more paths are sent than there are.
    pub(super) fn check_path_ids(&mut self) {
        if self.groups.iter().all(|group| group.key().add_path.is_empty()) {
            return;
        }
        let prefixes = self.prefixes();
        for (place, group) in self.groups.iter().enumerate() {
            let mut named = BTreeMap::new();
            let add_path = group.key().add_path;
            for prefix in prefixes.iter().copied().filter(|prefix| add_path.contains(prefix.family())) {
                let dest = self.dest(prefix).unwrap();
                let slots = match prefix {
                    Prefix::V4(_) => group.v4.records.slots(dest),
                    Prefix::V6(_) => group.v6.records.slots(dest),
                };
                let sent = slots.filter_map(|(out, slot)| match slot {
                    Slot::Sent(record) => Some(((prefix, record.source.slot, out.received), out.id)),
                    Slot::Unsent(_) => None,
                });
                let before = named.len();
                named.extend(sent);
                let is_written = !group.is_dirty(prefix.family(), dest);
                assert!(!is_written || named.len() - before <= self.paths(prefix).len(), "of {prefix}");
            }
            let old = std::mem::replace(&mut self.named[place], named);
            for (path, id) in &self.named[place] {
                assert!(old.get(path).is_none_or(|old| old == id), "{path:?} had another id than {id:?}");
            }
        }
    }
}

/// A filter takes out every other destination of the first twelve.
fn lets_out(export: &Policy, prefix: Prefix) -> bool {
    match export {
        Policy::Accept => true,
        Policy::Reject => false,
        Policy::Filter(_) => !(0..12).step_by(2).map(v4).any(|other| other == prefix),
    }
}
