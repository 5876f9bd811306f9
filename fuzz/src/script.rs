//! An input as a script: each step takes from the front what it needs.

use bgp_core::wire::DecodeContext;
use bgp_core::{Family, FamilySet, PeerKind};

/// Octets to be taken from the front. Those that are missing at the end read as zero.
#[derive(Clone, Copy, Debug)]
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// A script of these octets.
    #[must_use]
    pub fn new(octets: &'a [u8]) -> Script<'a> {
        Script(octets)
    }

    /// Whether all was taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next `count` octets, or as many as are left.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.take(self.0.len())
    }

    /// The next octet.
    pub fn u8(&mut self) -> u8 {
        self.take(1).iter().fold(0, |_, octet| *octet)
    }

    /// The next octet's lowest bit.
    pub fn bool(&mut self) -> bool {
        self.u8() & 1 == 1
    }

    /// The next two octets, in network order.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    /// One of `choices`.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.u8()) % choices.len()]
    }

    /// Two octets: a bit for each of [`Family::KNOWN`], the lowest for the first.
    pub fn families(&mut self) -> FamilySet {
        let bits = self.u16();
        let known = Family::KNOWN.into_iter().enumerate();
        known.filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, (family, _))| family).collect()
    }

    /// Five octets: bits of the first for an external peer, four-octet AS numbers, IPv6 next hops for IPv4 and several
    /// labels (the others are the target's), then the families, then those with path identifiers.
    pub fn context(&mut self) -> DecodeContext {
        let bits = self.u8();
        let bit = |bit: u8| bits >> bit & 1 == 1;
        let all_if = |set| if set { FamilySet::ALL } else { FamilySet::EMPTY };
        DecodeContext {
            kind: if bit(0) { PeerKind::External } else { PeerKind::Internal },
            four_octet_as: bit(1),
            families: self.families(),
            add_path: self.families(),
            extended_next_hop: all_if(bit(2)),
            multiple_labels: all_if(bit(3)),
        }
    }
}
