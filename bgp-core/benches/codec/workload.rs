//! UPDATEs made up for measuring: the same ones in every run.
//!
//! Each has one of a fixed number of attribute sets as a route reflector's client sees them (AS_PATH with 4 to 6 AS
//! numbers, 2 to 8 communities, LOCAL_PREF; half with MED, 30 % reflected, 20 % with large communities) and IPv4
//! prefixes of 16 to 24 bits.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use bgp_core::wire::{
    AsSegment, Community, DecodeContext, LargeCommunity, Origin, PathAttribute, SegmentKind, encode, header,
};
use bgp_core::{Asn, ClusterId, Family, FamilySet, Ipv4Prefix, PeerKind, RouterId, V4};

/// How many UPDATEs there are, and of what size.
pub struct Shape {
    /// Different attribute sets.
    pub sets: usize,
    /// UPDATEs, each with any one of the sets.
    pub updates: usize,
    /// Prefixes in an UPDATE.
    pub prefixes: RangeInclusive<u64>,
}

impl Shape {
    /// About ten prefixes in an UPDATE, as in a full table.
    pub fn table(sets: usize, updates: usize) -> Shape {
        Shape { sets, updates, prefixes: 1..=20 }
    }

    /// One prefix in an UPDATE, as where each node announces its own pod CIDR.
    pub fn single(sets: usize, updates: usize) -> Shape {
        Shape { sets, updates, prefixes: 1..=1 }
    }

    /// The UPDATEs, whole messages.
    pub fn messages(&self) -> Vec<Vec<u8>> {
        let mut random = Random(0x5eed);
        let sets: Vec<Vec<u8>> = (0..self.sets).map(|_| attributes(&mut random, 50..=500)).collect();
        (0..self.updates).map(|_| message(&mut random, &sets, self.prefixes.clone())).collect()
    }
}

/// The session that the UPDATEs came over: internal, four-octet AS numbers, no path identifiers.
pub fn context() -> DecodeContext {
    DecodeContext::new(PeerKind::Internal, FamilySet::EMPTY.with(Family::IPV4_UNICAST))
}

fn message(random: &mut Random, sets: &[Vec<u8>], prefixes: RangeInclusive<u64>) -> Vec<u8> {
    let set = &sets[random.within(0..=sets.len() as u64 - 1) as usize];
    let count = random.within(prefixes);
    let prefixes: Vec<_> = (0..count).map(|_| (None, prefix(random))).collect();
    let mut message = Vec::new();
    let unused = Ipv4Addr::UNSPECIFIED.into();
    let sent = encode::announce::<V4>(&mut message, header::MAX_LEN, set, unused, prefixes);
    assert_eq!(sent, Ok(1), "an UPDATE of this size fits into one message");
    message
}

fn prefix(random: &mut Random) -> Ipv4Prefix {
    let address = Ipv4Addr::from(random.number(0x0100_0000..=0xdfff_ffff));
    let len = random.within(16..=24) as u8;
    Ipv4Prefix::new(address, len).expect("a length of at most 32")
}

/// One attribute set, with a LOCAL_PREF out of these.
pub fn attributes(random: &mut Random, local_pref: RangeInclusive<u32>) -> Vec<u8> {
    let asns = random.list(4..=6, |random| Asn(random.number(1..=400_000)));
    let path = AsSegment { kind: SegmentKind::Sequence, asns };
    let communities = random.list(2..=8, |random| Community(random.number(0x0001_0000..=0xfffe_ffff)));
    let mut set = vec![
        PathAttribute::Origin(if random.percent(80) { Origin::Igp } else { Origin::Incomplete }),
        PathAttribute::AsPath(vec![path]),
        PathAttribute::NextHop(Ipv4Addr::from(random.number(0x0a00_0001..=0x0a00_ffff))),
        PathAttribute::LocalPref(random.number(local_pref)),
        PathAttribute::Communities(communities),
    ];
    if random.percent(50) {
        set.push(PathAttribute::MultiExitDisc(random.number(0..=1000)));
    }
    if random.percent(30) {
        set.push(PathAttribute::OriginatorId(RouterId(random.number(0x0a00_0001..=0x0aff_ffff))));
        let clusters = random.list(1..=2, |random| ClusterId(random.number(1..=100)));
        set.push(PathAttribute::ClusterList(clusters));
    }
    if random.percent(20) {
        let communities = random.list(1..=4, |random| LargeCommunity {
            global: random.number(1..=400_000),
            local1: random.number(0..=1000),
            local2: random.number(0..=1000),
        });
        set.push(PathAttribute::LargeCommunities(communities));
    }
    set.sort_by_key(PathAttribute::code);
    let mut octets = Vec::new();
    set.iter().for_each(|attribute| attribute.encode(&mut octets));
    octets
}

/// SplitMix64: small, and the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        range.start() + self.next() % (range.end() - range.start() + 1)
    }

    pub fn number(&mut self, range: RangeInclusive<u32>) -> u32 {
        self.within(u64::from(*range.start())..=u64::from(*range.end())) as u32
    }

    pub fn percent(&mut self, share: u64) -> bool {
        self.within(1..=100) <= share
    }

    fn list<T>(&mut self, len: RangeInclusive<u64>, item: impl Fn(&mut Random) -> T) -> Vec<T> {
        (0..self.within(len)).map(|_| item(self)).collect()
    }
}
