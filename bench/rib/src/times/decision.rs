//! The decision process: a path more to a destination that has some.

use bgp_core::wire::Summary;
use bgp_core::{Asn, FamilySet, Instant, PathId, PeerKind, RouterId};
use bgp_rib::{AttributeStore, Decision, DecisionConfig, Path, PeerId, PeerInfo, Peers, SourceKind};

use crate::measure::Bench;
use crate::workload::Random;

/// So many destinations, so that they are not all in the nearest cache.
const DESTINATIONS: usize = 2_000;

/// How MULTI_EXIT_DISC tells the paths from each other.
#[derive(Clone, Copy)]
enum Med {
    /// Not at all.
    None,
    /// Each of four neighbouring AS has given its paths different ones.
    Groups,
}

pub fn rows(bench: &mut Bench) {
    for (med, named) in [(Med::None, ""), (Med::Groups, ", MED groups")] {
        for paths in [2, 10, 100] {
            place(bench, paths, med, &format!("path {paths}{named}"));
        }
    }
}

/// The last of so many paths.
fn place(bench: &mut Bench, count: usize, med: Med, work: &str) {
    let destinations = DESTINATIONS * 10 / count.max(10);
    let peers = peers(count as u32);
    let decision = Decision::new(DecisionConfig::default(), &peers);
    let (store, mut random) = (AttributeStore::new(1), Random(1));
    let mut lists: Vec<(Vec<Path>, Path)> = Vec::new();
    for _ in 0..destinations {
        let mut list: Vec<Path> =
            (1..=count as u32).map(|slot| path(&store, &mut random, slot, med)).collect();
        let at = random.within(0..=count as u64 - 1) as usize;
        let last = list.swap_remove(at);
        list.reserve_exact(1);
        decision.rank(&mut list);
        lists.push((list, last));
    }
    bench.row("decision", work, (destinations, "path"), |stopwatch| {
        let mut again: Vec<(Vec<Path>, Path)> = Vec::with_capacity(lists.len());
        for (list, last) in &lists {
            let mut copy = Vec::with_capacity(count);
            copy.extend_from_slice(list);
            again.push((copy, last.clone()));
        }
        stopwatch.time(|| {
            for (list, last) in &mut again {
                decision.place(list, last.clone());
            }
        });
    });
}

/// Of the same LOCAL_PREF and from clients, as different in length as AS_PATHs to one destination are.
fn path(store: &AttributeStore, random: &mut Random, slot: u32, med: Med) -> Path {
    let neighbor = random.number(1..=4);
    let summary = Summary {
        as_path_len: random.number(3..=5) as u16,
        local_pref: Some(100),
        neighbor_as: Some(Asn(neighbor)),
        med: match med {
            Med::None => None,
            Med::Groups => Some(random.number(0..=3) * 10),
        },
        ..Summary::default()
    };
    let block = random.next().to_be_bytes();
    let attrs = store.insert(PeerKind::Internal, [10, 0, 0, slot as u8].into(), &[&block], summary);
    Path::new(PeerId { slot, generation: 1 }, PathId(0), attrs, Instant::ZERO)
}

fn peers(count: u32) -> Peers {
    let mut peers = Peers::new(Asn(64512), RouterId(1));
    for slot in 1..=count {
        peers.insert(PeerInfo {
            id: PeerId { slot, generation: 1 },
            kind: SourceKind::Client,
            address: std::net::Ipv4Addr::from(0x0a01_0000 + slot).into(),
            router_id: RouterId(0x0a01_0000 + slot),
            asn: Asn(64512),
            families: FamilySet::UNICAST,
        });
    }
    peers
}
