//! Routes made up for measuring: the same ones in every run.
//!
//! Prefixes have the lengths that they have on the internet and come in no order. They come in UPDATEs, each with an
//! attribute set of its own (`bgp-core/benches/codec/workload.rs`): half of the sets have one prefix, few have many,
//! the mean is five.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use bgp_core::wire::{BlockUse, Summary, encode, header};
use bgp_core::{Ipv4Prefix, Ipv6Prefix, PeerKind, V4, V6};
use bgp_rib::{AttributeStore, Attrs, RibFamily};

use crate::paths;
use crate::workload::{self, Random};

/// A destination, and which of its source's attribute sets it has.
#[derive(Clone, Copy)]
pub struct Route<P> {
    pub prefix: P,
    pub set: usize,
}

/// How many prefixes have an attribute set in common.
#[derive(Clone, Copy)]
pub enum Sharing {
    /// As in a full table.
    HeavyTailed,
    /// Always so many.
    Always(usize),
}

/// Out of a hundred sets so many have so many prefixes.
const SHARED_BY: [(u64, RangeInclusive<u64>); 6] =
    [(47, 1..=1), (19, 2..=2), (15, 3..=5), (11, 6..=12), (6, 13..=30), (2, 31..=100)];

/// Out of a hundred prefixes so many are so long.
const V4_LENGTHS: [(u64, u8); 9] =
    [(60, 24), (11, 23), (11, 22), (5, 21), (5, 20), (4, 19), (2, 18), (1, 17), (1, 16)];
const V6_LENGTHS: [(u64, u8); 7] = [(48, 48), (14, 32), (12, 44), (10, 40), (8, 36), (4, 46), (4, 47)];

/// A family that routes can be made up for.
pub trait MadeUp: RibFamily {
    /// What the attribute block goes with.
    const USE: BlockUse;
    /// Any one prefix.
    fn prefix(random: &mut Random) -> Self::Prefix;
    /// A next hop, out of what NEXT_HOP says.
    fn next_hop(received: Ipv4Addr) -> IpAddr;
}

impl MadeUp for V4 {
    const USE: BlockUse = BlockUse::Announce;

    fn prefix(random: &mut Random) -> Ipv4Prefix {
        let len = pick(random, &V4_LENGTHS);
        let address = Ipv4Addr::from(random.number(0x0100_0000..=0xdfff_ffff));
        Ipv4Prefix::new(address, len).expect("a length of at most 32")
    }

    fn next_hop(received: Ipv4Addr) -> IpAddr {
        received.into()
    }
}

impl MadeUp for V6 {
    const USE: BlockUse = BlockUse::MpReach;

    fn prefix(random: &mut Random) -> Ipv6Prefix {
        let len = pick(random, &V6_LENGTHS);
        let high = 0x2000_0000_0000_0000 | random.next() >> 3;
        Ipv6Prefix::new(Ipv6Addr::from(u128::from(high) << 64), len).expect("a length of at most 128")
    }

    fn next_hop(received: Ipv4Addr) -> IpAddr {
        Ipv6Addr::from(0xfd00 << 112 | u128::from(u32::from(received))).into()
    }
}

/// One item; each has so many chances out of a hundred.
fn pick<T: Clone>(random: &mut Random, items: &[(u64, T)]) -> T {
    let mut chance = random.within(0..=99);
    for (share, item) in items {
        if chance < *share {
            return item.clone();
        }
        chance -= share;
    }
    items[0].1.clone()
}

/// So many routes to different destinations, those with one attribute set side by side.
pub fn routes<F: MadeUp>(count: usize, sharing: Sharing) -> Vec<Route<F::Prefix>> {
    let mut random = Random(0x5eed);
    let (mut set, mut left) = (0, shared_by(&mut random, sharing));
    let mut routes = Vec::with_capacity(count);
    for prefix in prefixes::<F>(&mut random, count) {
        if left == 0 {
            set += 1;
            left = shared_by(&mut random, sharing);
        }
        left -= 1;
        routes.push(Route { prefix, set });
    }
    routes
}

fn shared_by(random: &mut Random, sharing: Sharing) -> u64 {
    match sharing {
        Sharing::Always(count) => count as u64,
        Sharing::HeavyTailed => {
            let range = pick(random, &SHARED_BY);
            random.within(range)
        }
    }
}

/// So many different ones.
fn prefixes<F: MadeUp>(random: &mut Random, count: usize) -> Vec<F::Prefix> {
    let mut prefixes = Vec::with_capacity(2 * count);
    while prefixes.len() < count {
        let missing = count - prefixes.len();
        prefixes.extend((0..missing + missing / 8).map(|_| F::prefix(random)));
        prefixes.sort_unstable();
        prefixes.dedup();
    }
    shuffle(random, &mut prefixes);
    prefixes.truncate(count);
    prefixes.shrink_to_fit();
    prefixes
}

/// Fisher and Yates.
pub fn shuffle<T>(random: &mut Random, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, random.within(0..=last as u64) as usize);
    }
}

/// An attribute set as the check of an UPDATE gives it.
pub struct Set {
    pub block: Vec<u8>,
    pub next_hop: IpAddr,
    pub summary: Summary,
}

impl Set {
    /// Into a store.
    pub fn insert(&self, store: &AttributeStore) -> Attrs {
        store.insert(PeerKind::Internal, self.next_hop, &[&self.block], self.summary)
    }
}

/// So many different ones, as this source has them.
pub fn sets<F: MadeUp>(count: usize, source: u32, local_pref: RangeInclusive<u32>) -> Vec<Set> {
    let mut random = Random(0xa77 + u64::from(source));
    let context = workload::context();
    let destination = Ipv4Prefix::new(Ipv4Addr::UNSPECIFIED, 0).expect("a length of at most 32");
    let mut set = || {
        let attributes = workload::attributes(&mut random, local_pref.clone());
        let mut message = Vec::new();
        let (unused, prefixes) = (Ipv4Addr::UNSPECIFIED.into(), [(None, destination)]);
        encode::announce::<V4>(&mut message, header::MAX_LEN, &attributes, unused, prefixes)
            .expect("room for one prefix");
        let mut block = Vec::new();
        let view = paths::parse(&message, &context);
        let summary = paths::check(view.attributes(), F::USE, &context, &mut block);
        Set { block, next_hop: F::next_hop(view.next_hop().expect("a NEXT_HOP")), summary }
    };
    (0..count).map(|_| set()).collect()
}

/// How many sets routes have.
pub fn set_count<P>(routes: &[Route<P>]) -> usize {
    routes.last().map_or(0, |route| route.set + 1)
}
