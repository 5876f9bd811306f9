//! An input as a script: each step takes from the front what it needs.

use std::sync::LazyLock;

use bgp_core::wire::DecodeContext;
use bgp_core::{Family, FamilySet, PeerKind};

/// The families that can be negotiated, in the order of [`FamilySet::iter`].
static FAMILIES: LazyLock<Vec<Family>> = LazyLock::new(|| {
    const AFIS: [u16; 4] = [1, 2, 25, 16388];
    let all = AFIS.into_iter().flat_map(|afi| (0..=u8::MAX).map(move |safi| Family { afi, safi }));
    all.collect::<FamilySet>().iter().collect()
});

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

    /// Two octets: a bit for each family that can be negotiated, the lowest for the first.
    pub fn families(&mut self) -> FamilySet {
        let bits = self.u16();
        FAMILIES
            .iter()
            .enumerate()
            .filter(|(bit, _)| bits >> bit & 1 == 1)
            .map(|(_, family)| *family)
            .collect()
    }

    /// Five octets: the lowest two bits of the first for peer and width of AS numbers (the others are the target's), then
    /// the families, then those with path identifiers.
    pub fn context(&mut self) -> DecodeContext {
        let bits = self.u8();
        DecodeContext {
            kind: if bits & 1 == 1 { PeerKind::External } else { PeerKind::Internal },
            four_octet_as: bits & 2 == 2,
            families: self.families(),
            add_path: self.families(),
        }
    }
}
