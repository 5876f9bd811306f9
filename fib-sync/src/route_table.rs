//! A store of desired routes of both families.
//!
//! ```text
//!  index: hash of prefix ─► number     chunks: number / 1024 ─► [ address, length, target ] × 1024
//! ```
//! A route takes 8 octets (IPv4) or 20 (IPv6) in its chunk, and 6 to 11 in the index. A chunk never moves, so
//! growth copies no routes; the index is built anew from them, after the old one is gone.

use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use ipnetwork::IpNetwork;

use crate::desired::{DesiredRoutes, TargetId};
use crate::route::canonical;

/// Numbers of one chunk, all of one family.
const CHUNK: u32 = 1024;
/// Prefix length of a number that belongs to no prefix.
const VACANT: u8 = u8::MAX;
/// An index for so few is not worth making smaller.
const SMALL: usize = 4096;

/// Desired routes, packed.
#[derive(Default)]
pub struct RouteTable {
    /// `None`: none of its numbers is in use.
    chunks: Vec<Option<Chunk>>,
    index: HashTable<u32>,
    hasher: RandomState,
    /// The first vacant number of IPv4 and of IPv6; each names the next in place of its address.
    vacant: [Option<u32>; 2],
    /// The most numbers in use since chunks without any were looked for.
    most: usize,
}

/// Length and target in one number: the target's number below, the length above.
#[derive(Clone, Copy)]
struct Meta(u32);

impl Meta {
    fn new(len: u8, target: Option<TargetId>) -> Self {
        Self(u32::from(len) << 24 | target.map_or(0, TargetId::number))
    }

    fn len(self) -> u8 {
        (self.0 >> 24) as u8
    }

    fn target(self) -> Option<TargetId> {
        TargetId::from_number(self.0 & 0x00ff_ffff)
    }
}

enum Chunk {
    V4(Box<[(u32, Meta)]>),
    V6(Box<[u128]>, Box<[Meta]>),
}

/// An address as a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bits {
    V4(u32),
    V6(u128),
}

impl Bits {
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Bits::V4(address.into()),
            IpAddr::V6(address) => Bits::V6(address.into()),
        }
    }

    fn address(self) -> IpAddr {
        match self {
            Bits::V4(bits) => IpAddr::V4(bits.into()),
            Bits::V6(bits) => IpAddr::V6(bits.into()),
        }
    }

    fn family(self) -> usize {
        usize::from(matches!(self, Bits::V6(_)))
    }

    /// A link of the list of vacant numbers: one more than the next, or nothing.
    fn link(next: Option<u32>, family: usize) -> Self {
        let next = next.map_or(0, |next| next + 1);
        if family == 0 { Bits::V4(next) } else { Bits::V6(next.into()) }
    }

    fn linked(self) -> Option<u32> {
        let next = match self {
            Bits::V4(next) => next,
            Bits::V6(next) => next as u32,
        };
        next.checked_sub(1)
    }
}

impl Chunk {
    fn new(family: usize) -> Self {
        let meta = Meta::new(VACANT, None);
        match family {
            0 => Chunk::V4(vec![(0, meta); CHUNK as usize].into()),
            _ => Chunk::V6(vec![0; CHUNK as usize].into(), vec![meta; CHUNK as usize].into()),
        }
    }

    fn get(&self, at: usize) -> Option<(Bits, Meta)> {
        match self {
            Chunk::V4(routes) => routes.get(at).map(|(bits, meta)| (Bits::V4(*bits), *meta)),
            Chunk::V6(addresses, metas) => {
                addresses.get(at).zip(metas.get(at)).map(|(bits, meta)| (Bits::V6(*bits), *meta))
            }
        }
    }

    fn is_vacant(&self) -> bool {
        let is_vacant = |meta: &Meta| meta.len() == VACANT;
        match self {
            Chunk::V4(routes) => routes.iter().all(|(_, meta)| is_vacant(meta)),
            Chunk::V6(_, metas) => metas.iter().all(is_vacant),
        }
    }

    fn put(&mut self, at: usize, bits: Bits, meta: Meta) {
        match (self, bits) {
            (Chunk::V4(routes), Bits::V4(bits)) => {
                if let Some(route) = routes.get_mut(at) {
                    *route = (bits, meta);
                }
            }
            (Chunk::V6(addresses, metas), Bits::V6(bits)) => {
                if let (Some(address), Some(place)) = (addresses.get_mut(at), metas.get_mut(at)) {
                    (*address, *place) = (bits, meta);
                }
            }
            (Chunk::V4(_), Bits::V6(_)) | (Chunk::V6(..), Bits::V4(_)) => {}
        }
    }
}

impl RouteTable {
    /// Desires a target at a prefix. Returns its number, and what was desired before.
    pub fn set(&mut self, prefix: IpNetwork, target: TargetId) -> (u32, Option<TargetId>) {
        let number = self.hold(prefix);
        let before = self.target(number);
        self.put_target(number, Some(target));
        (number, before)
    }

    /// Desires nothing at a prefix. Returns its number and what was desired; `None`: nothing was.
    pub fn remove(&mut self, prefix: IpNetwork) -> Option<(u32, TargetId)> {
        let number = self.number(prefix)?;
        let before = self.target(number)?;
        self.put_target(number, None);
        Some((number, before))
    }

    fn put_target(&mut self, number: u32, target: Option<TargetId>) {
        if let Some((bits, meta)) = self.get(number) {
            self.put(number, bits, Meta::new(meta.len(), target));
        }
    }

    fn get(&self, number: u32) -> Option<(Bits, Meta)> {
        self.chunks.get((number / CHUNK) as usize)?.as_ref()?.get((number % CHUNK) as usize)
    }

    fn put(&mut self, number: u32, bits: Bits, meta: Meta) {
        if let Some(Some(chunk)) = self.chunks.get_mut((number / CHUNK) as usize) {
            chunk.put((number % CHUNK) as usize, bits, meta);
        }
    }

    fn hash(hasher: &RandomState, bits: Bits, len: u8) -> u64 {
        match bits {
            Bits::V4(bits) => hasher.hash_one(u64::from(bits) << 8 | u64::from(len)),
            Bits::V6(bits) => hasher.hash_one((bits, len)),
        }
    }

    fn find(&self, bits: Bits, len: u8) -> Option<u32> {
        let is_it = |number: &u32| self.get(*number).is_some_and(|(b, meta)| b == bits && meta.len() == len);
        self.index.find(Self::hash(&self.hasher, bits, len), is_it).copied()
    }

    /// A number that belongs to no prefix, from a new chunk if need be: in the place of one that has gone, if there is such.
    fn vacancy(&mut self, family: usize) -> u32 {
        if let Some(number) = self.vacant.get(family).copied().flatten() {
            let next = self.get(number).and_then(|(bits, _)| bits.linked());
            self.set_vacant(family, next);
            return number;
        }
        let chunk = Some(Chunk::new(family));
        let place = self.chunks.iter().position(Option::is_none).unwrap_or(self.chunks.len());
        match self.chunks.get_mut(place) {
            Some(gone) => *gone = chunk,
            None => self.chunks.push(chunk),
        }
        let first = place as u32 * CHUNK;
        for number in (first + 1..first + CHUNK).rev() {
            self.vacate(number, family);
        }
        first
    }

    fn set_vacant(&mut self, family: usize, first: Option<u32>) {
        if let Some(place) = self.vacant.get_mut(family) {
            *place = first;
        }
    }

    fn vacate(&mut self, number: u32, family: usize) {
        let next = self.vacant.get(family).copied().flatten();
        self.put(number, Bits::link(next, family), Meta::new(VACANT, None));
        self.set_vacant(family, Some(number));
    }

    /// Gives back chunks of which no number is in use. The lowest vacant numbers come first from now on, so that the highest
    /// chunks become vacant.
    fn shrink(&mut self) {
        for place in &mut self.chunks {
            place.take_if(|chunk| chunk.is_vacant());
        }
        let used = self.chunks.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.chunks.truncate(used);
        self.chunks.shrink_to_fit();
        self.vacant = [None; 2];
        for number in (0..self.end()).rev() {
            if let Some((bits, _)) = self.get(number).filter(|(_, meta)| meta.len() == VACANT) {
                self.vacate(number, bits.family());
            }
        }
        if self.index.capacity() > SMALL {
            self.rebuild();
        }
        self.most = self.index.len();
    }

    /// Builds the index anew with room for a quarter more. The old one goes first: memory never holds both.
    fn rebuild(&mut self) {
        let room = self.index.len() + self.index.len() / 4 + 1;
        self.index = HashTable::new();
        let mut index = HashTable::with_capacity(room);
        for number in 0..self.end() {
            if let Some((bits, meta)) = self.get(number).filter(|(_, meta)| meta.len() != VACANT) {
                let hash = Self::hash(&self.hasher, bits, meta.len());
                index.insert_unique(hash, number, |_| hash);
            }
        }
        self.index = index;
    }
}

impl DesiredRoutes for RouteTable {
    fn prefix(&self, number: u32) -> Option<IpNetwork> {
        let (bits, meta) = self.get(number)?;
        IpNetwork::new(bits.address(), meta.len()).ok()
    }

    fn target(&self, number: u32) -> Option<TargetId> {
        self.get(number)?.1.target()
    }

    fn number(&self, prefix: IpNetwork) -> Option<u32> {
        self.find(Bits::of(canonical(prefix).ip()), prefix.prefix())
    }

    fn hold(&mut self, prefix: IpNetwork) -> u32 {
        let (bits, len) = (Bits::of(canonical(prefix).ip()), prefix.prefix());
        if let Some(number) = self.find(bits, len) {
            return number;
        }
        if self.index.len() == self.index.capacity() {
            self.rebuild();
        }
        let number = self.vacancy(bits.family());
        self.put(number, bits, Meta::new(len, None));
        let hash = Self::hash(&self.hasher, bits, len);
        self.index.insert_unique(hash, number, |_| hash);
        self.most = self.most.max(self.index.len());
        number
    }

    fn release(&mut self, number: u32) {
        let Some((bits, meta)) = self.get(number).filter(|(_, meta)| meta.len() != VACANT) else { return };
        let hash = Self::hash(&self.hasher, bits, meta.len());
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == number) {
            entry.remove();
        }
        self.vacate(number, bits.family());
        // Seldom enough that a walk over all does not matter.
        if self.index.len() <= self.most / 2 {
            self.shrink();
        }
    }

    fn end(&self) -> u32 {
        self.chunks.len() as u32 * CHUNK
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn prefix(number: u32) -> IpNetwork {
        match number % 3 {
            0 => IpNetwork::new([10, 1, (number / 256) as u8, number as u8].into(), 32).unwrap(),
            1 => IpNetwork::new(IpAddr::from([10, 0, 0, 0]), (number % 33) as u8).map(canonical).unwrap(),
            _ => IpNetwork::new(IpAddr::V6(u128::from(number).into()), 128).unwrap(),
        }
    }

    #[test]
    fn routes_of_both_families_keep_their_number_until_it_is_released() {
        let mut table = RouteTable::default();
        let target = TargetId::from_number(0x00ff_fffe).unwrap();
        let mut model = BTreeMap::new();
        for round in 0..40_000_u32 {
            let prefix = prefix(round.wrapping_mul(2_654_435_761) >> 18);
            if round % 3 == 2 {
                let removed = table.remove(prefix);
                assert_eq!(removed.map(|(number, _)| number), model.remove(&prefix));
                removed.into_iter().for_each(|(number, _)| table.release(number));
            } else {
                let (number, before) = table.set(prefix, target);
                assert_eq!(before.is_some(), model.insert(prefix, number) == Some(number));
            }
        }
        assert!(model.len() > 5000);
        for (prefix, number) in &model {
            assert_eq!((table.number(*prefix), table.prefix(*number)), (Some(*number), Some(*prefix)));
            assert_eq!(table.target(*number), Some(target));
        }
        let used = (0..table.end()).filter(|number| table.prefix(*number).is_some()).count();
        assert_eq!(used, model.len());
        model.values().for_each(|number| table.release(*number));
        assert_eq!((table.end(), table.index.len()), (0, 0));
    }

    #[test]
    fn what_a_table_took_goes_back_although_routes_stay() {
        let mut table = RouteTable::default();
        let target = TargetId::from_number(2).unwrap();
        let v4 = |number: u32| IpNetwork::new((number << 8).to_be_bytes().into(), 24).unwrap();
        let v6 = |number: u32| IpNetwork::new(IpAddr::V6(u128::from(number).into()), 128).unwrap();
        let numbers: Vec<u32> = (0..100 * CHUNK).map(|number| table.set(v4(number), target).0).collect();
        let late = table.set(v6(1), target).0;
        // All but the first, in no order, and the last one.
        (1..numbers.len()).for_each(|place| table.release(numbers[1 + place * 7919 % (numbers.len() - 1)]));
        // Chunks are looked for again when one is left of three, not two.
        assert!(table.chunks.iter().flatten().count() <= 3);
        assert!(table.index.capacity() <= SMALL);
        assert_eq!((table.number(v4(0)), table.number(v6(1))), (Some(numbers[0]), Some(late)));
        // Places of chunks that went are taken again, by either family.
        let again: Vec<u32> = (2..10 * CHUNK).map(|number| table.set(v6(number), target).0).collect();
        assert!(again.iter().skip(CHUNK as usize).all(|number| *number < late), "{again:?}");
        table.release(late);
        again.iter().for_each(|number| table.release(*number));
        assert_eq!((table.end(), table.prefix(numbers[0])), (CHUNK, Some(v4(0))));
    }

    #[test]
    fn a_number_without_a_target_still_belongs_to_its_prefix() {
        let mut table = RouteTable::default();
        let number = table.hold("10.1.2.3/8".parse().unwrap());
        assert_eq!(table.prefix(number), "10.0.0.0/8".parse().ok());
        assert_eq!((table.target(number), table.number("10.0.0.0/8".parse().unwrap())), (None, Some(number)));
        assert_eq!(table.remove("10.0.0.0/8".parse().unwrap()), None);
    }

    #[test]
    fn half_a_million_ipv4_routes_take_eight_octets_each_and_a_dense_index() {
        let mut table = RouteTable::default();
        let target = TargetId::from_number(2).unwrap();
        for number in 0..500_000_u32 {
            table.set(IpNetwork::new((number << 8).to_be_bytes().into(), 24).unwrap(), target);
        }
        assert!(table.end() * 8 < 4_100_000 && table.index.allocation_size() < 5_500_000);
    }
}
