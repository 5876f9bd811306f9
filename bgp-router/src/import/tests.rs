//! The importer against a model that only knows what was announced: random announcements, withdrawals, refreshes and
//! changes of settings.

use std::collections::BTreeMap;

use bgp_core::wire::header::HEADER_LEN;
use bgp_core::wire::{DecodeContext, PathAttribute, encode};
use bgp_core::{Family, FamilySet, Ipv4Prefix, PathId, PeerKind, Prefix, V4};
use bgp_rib::{AttributeStore, Policy};

use super::*;
use crate::tests::rig::{attributes, client, identity};
use crate::{AddPath, Batch, LocalAddresses, PeerSettings};

type Key = (Prefix, PathId);

fn key(number: u64) -> (Ipv4Prefix, PathId) {
    let prefix = Ipv4Prefix::new([10, (number % 5) as u8, 0, 0].into(), 16).unwrap();
    (prefix, PathId((number / 5 % 6) as u32))
}

struct World {
    importer: Importer,
    settings: PeerSettings,
    /// What the core holds: LOCAL_PREF tells the attributes apart.
    held: BTreeMap<Key, u32>,
    /// What the peer has announced and not withdrawn, and whether it has come since the refresh began.
    announced: BTreeMap<Key, (u32, bool)>,
    /// A refresh has begun and not ended: that it begins changes nothing then.
    refreshing: bool,
}

impl World {
    fn new(settings: PeerSettings) -> World {
        let context = DecodeContext {
            add_path: FamilySet::EMPTY.with(Family::IPV4_UNICAST),
            ..DecodeContext::new(PeerKind::Internal, FamilySet::UNICAST)
        };
        let local = LocalAddresses::new([10, 0, 0, 254].into(), None);
        let store = AttributeStore::new(1);
        let importer =
            Importer::new(identity(), settings.clone(), context, (local, identity().local_as), store);
        World { importer, settings, held: BTreeMap::new(), announced: BTreeMap::new(), refreshing: false }
    }

    fn apply(&mut self, batch: &Batch) {
        for change in &batch.v4 {
            let key = (change.prefix.into(), change.path_id);
            match change.attributes {
                Some(index) => {
                    let attrs = &batch.attributes[index as usize];
                    self.held.insert(key, attrs.summary().local_pref.unwrap());
                }
                None => {
                    self.held.remove(&key);
                }
            }
        }
    }

    fn hear(&mut self, message: &[u8]) {
        let mut batch = Batch::default();
        self.importer.update(&message[HEADER_LEN..], &mut batch).unwrap();
        self.apply(&batch);
    }

    fn announce(&mut self, number: u64, local_pref: u32) {
        let (prefix, path_id) = key(number);
        let mut block = attributes(&[], &[PathAttribute::LocalPref(local_pref)]);
        PathAttribute::NextHop([10, 0, 0, 1].into()).encode(&mut block);
        let mut out = Vec::new();
        encode::announce::<V4>(&mut out, 4096, &block, [10, 0, 0, 1].into(), [(Some(path_id), prefix)])
            .unwrap();
        self.hear(&out);
        self.announced.insert((prefix.into(), path_id), (local_pref, true));
    }

    fn withdraw(&mut self, number: u64) {
        let (prefix, path_id) = key(number);
        let mut out = Vec::new();
        encode::withdraw::<V4>(&mut out, 4096, [(Some(path_id), prefix)]);
        self.hear(&out);
        self.announced.remove(&(prefix.into(), path_id));
    }

    fn refresh(&mut self, begins: bool) {
        if begins {
            self.importer.refresh_begins(Family::IPV4_UNICAST);
            if !self.refreshing {
                self.announced.values_mut().for_each(|(_, came)| *came = false);
            }
        } else {
            let mut batch = Batch::default();
            self.importer.refresh_ends(Family::IPV4_UNICAST, &mut batch);
            self.apply(&batch);
            if self.refreshing {
                self.announced.retain(|_, (_, came)| *came);
            }
        }
        self.refreshing = begins;
    }

    fn set(&mut self, settings: PeerSettings) {
        self.importer.set_settings(settings.clone());
        self.settings = settings;
        while let Some(batch) = self.importer.judge_again() {
            self.apply(&batch);
        }
    }

    /// What the core must hold, whatever the order in which all came.
    fn expected(&self) -> BTreeMap<Key, u32> {
        let max = self.settings.add_path.max_paths.map_or(usize::MAX, usize::from);
        let mut counts: BTreeMap<Prefix, usize> = BTreeMap::new();
        let mut expected = BTreeMap::new();
        for ((prefix, path_id), (local_pref, _)) in &self.announced {
            let count = counts.entry(*prefix).or_default();
            if self.passes(*prefix) && *count < max {
                *count += 1;
                expected.insert((*prefix, *path_id), *local_pref);
            }
        }
        expected
    }

    fn passes(&self, prefix: Prefix) -> bool {
        let allowed = &self.settings.allowed_prefixes;
        self.settings.import != Policy::Reject && (allowed.is_empty() || allowed.contains(&prefix))
    }
}

#[test]
fn the_core_holds_what_the_settings_let_pass_of_what_was_announced() {
    let mut random = 7_u64;
    let mut draw = move |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for round in 0..60 {
        let mut settings = PeerSettings { keep_received: true, ..client(1) };
        let mut world = World::new(settings.clone());
        for step in 0..200 {
            match draw(20) {
                0 => {
                    let max_paths = draw(4) as u16;
                    let max_paths = (max_paths > 0).then_some(max_paths);
                    settings.add_path = AddPath { max_paths, ..AddPath::default() };
                    world.set(settings.clone());
                }
                1 => {
                    let allowed = (0..draw(4)).map(|_| key(draw(5)).0.into());
                    settings.allowed_prefixes = allowed.collect();
                    world.set(settings.clone());
                }
                2 => {
                    settings.import = if draw(3) == 0 { Policy::Reject } else { Policy::Accept };
                    world.set(settings.clone());
                }
                3 => world.refresh(true),
                4 => world.refresh(false),
                5..9 => world.withdraw(draw(30)),
                _ => world.announce(draw(30), 100 + draw(3) as u32),
            }
            assert_eq!(world.held, world.expected(), "round {round}, step {step}");
            let kept = world.importer.adj_rib_in().unwrap();
            let received: Vec<Key> = kept.iter(None).map(|route| route.cursor()).collect();
            assert_eq!(received, world.announced.keys().copied().collect::<Vec<_>>());
            let taken =
                kept.iter(None).filter_map(|r| Some((r.cursor(), r.taken.ok()?.summary().local_pref?)));
            assert_eq!(taken.collect::<BTreeMap<_, _>>(), world.held);
        }
    }
}

#[test]
fn what_kept_routes_cost_comes_back_when_they_go() {
    let mut world = World::new(PeerSettings { keep_received: true, ..client(1) });
    for local_pref in [1, 2] {
        (0..30).for_each(|number| world.announce(number, local_pref));
    }
    let kept = world.importer.adj_rib_in().unwrap();
    assert_eq!((kept.len(), kept.octets() % 30), ([30, 0], 0));
    (0..31).for_each(|number| world.withdraw(number));
    let kept = world.importer.adj_rib_in().unwrap();
    assert_eq!((kept.is_empty(), kept.octets()), (true, 0));
}
