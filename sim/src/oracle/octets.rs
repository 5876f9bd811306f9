//! Octets, read from the front.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_core::Prefix;

/// What is left to read. Every method gives `None` at the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Octets<'a>(pub(super) &'a [u8]);

impl<'a> Octets<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, len: usize) -> Option<Octets<'a>> {
        let (front, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(Octets(front))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*front)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[octet]| octet)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Everything, as numbers of four octets.
    pub(super) fn all_u32(&mut self) -> Option<Vec<u32>> {
        let mut numbers = Vec::new();
        while !self.is_empty() {
            numbers.push(self.u32()?);
        }
        Some(numbers)
    }

    /// Everything, as extended communities.
    pub(super) fn extended_communities(&self) -> Option<BTreeSet<[u8; 8]>> {
        let (communities, rest) = self.0.as_chunks::<8>();
        rest.is_empty().then(|| communities.iter().copied().collect())
    }

    /// An address of four or sixteen octets: all that is left, or the first of two.
    pub(super) fn address(&mut self) -> Option<IpAddr> {
        match self.0.len() {
            4 => Some(Ipv4Addr::from(self.u32()?).into()),
            16 | 32 => Some(Ipv6Addr::from(self.array::<16>()?).into()),
            _ => None,
        }
    }

    /// A destination: length in bits, and the octets that holds.
    pub(super) fn prefix(&mut self, v6: bool) -> Option<Prefix> {
        let len = self.u8()?;
        let octets = self.take(usize::from(len).div_ceil(8))?;
        let mut full = [0; 16];
        full.iter_mut().zip(octets.0).for_each(|(place, octet)| *place = *octet);
        let address = if v6 {
            Ipv6Addr::from(full).into()
        } else {
            let [a, b, c, d, ..] = full;
            Ipv4Addr::new(a, b, c, d).into()
        };
        Prefix::new(address, len)
    }
}
