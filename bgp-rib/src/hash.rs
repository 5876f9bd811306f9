//! Hashing with a seed that the caller passes in: peers choose what is hashed here.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;

/// The secret part of a hash function.
pub(crate) struct Seed {
    own: u64,
    shared: SharedSeed,
}

/// Bytes go into the hash in blocks of this size, wherever the pieces they came in were cut.
const BLOCK: usize = 128;

impl Seed {
    pub(crate) fn new(seed: u64) -> Seed {
        Seed { own: seed, shared: SharedSeed::from_u64(seed.rotate_left(32)) }
    }

    pub(crate) fn hash(&self, value: &impl Hash) -> u64 {
        let mut hasher = self.hasher();
        value.hash(&mut hasher);
        hasher.finish()
    }

    /// The hash of the address, the tag and the concatenation of `parts`; how it is cut makes no difference.
    pub(crate) fn hash_parts(&self, address: IpAddr, tag: u8, parts: &[&[u8]]) -> u64 {
        let mut hasher = self.hasher();
        match address {
            IpAddr::V4(address) => hasher.write_u64(u64::from(tag) << 32 | u64::from(u32::from(address))),
            IpAddr::V6(address) => {
                hasher.write_u8(tag);
                hasher.write_u128(address.into());
            }
        }
        match parts {
            [whole] | [whole, [], []] => whole.chunks(BLOCK).for_each(|block| hasher.write(block)),
            parts => write_in_blocks(&mut hasher, parts),
        }
        hasher.finish()
    }

    fn hasher(&self) -> FoldHasher<'_> {
        FoldHasher::with_seed(self.own, &self.shared)
    }
}

/// Puts blocks together from parts.
fn write_in_blocks(hasher: &mut impl Hasher, parts: &[&[u8]]) {
    let mut block = [0; BLOCK];
    let mut filled = 0;
    for part in parts {
        let mut rest = *part;
        while let Some(room) = block.get_mut(filled..).filter(|_| !rest.is_empty()) {
            let take = room.len().min(rest.len());
            let (now, later) = rest.split_at(take);
            if let Some(target) = room.get_mut(..take) {
                target.copy_from_slice(now);
            }
            rest = later;
            filled += take;
            if filled == BLOCK {
                hasher.write(&block);
                filled = 0;
            }
        }
    }
    if filled > 0 {
        hasher.write(block.get(..filled).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_bytes_are_cut_makes_no_difference() {
        let seed = Seed::new(7);
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let address = "10.0.0.1".parse().unwrap();
        for len in [0, 1, 127, 128, 129, 256, 1000] {
            let bytes = &bytes[..len];
            let whole = seed.hash_parts(address, 0, &[bytes]);
            assert_eq!(seed.hash_parts(address, 0, &[bytes, &[], &[]]), whole);
            for cut in [0, 1, 127, 128, 129, 500, 999, 1000].into_iter().filter(|cut| *cut <= len) {
                let (a, b) = bytes.split_at(cut);
                assert_eq!(seed.hash_parts(address, 0, &[a, &[], b]), whole, "{len} cut at {cut}");
            }
        }
        let whole = seed.hash_parts(address, 0, &[&bytes]);
        assert_ne!(seed.hash_parts(address, 1, &[&bytes]), whole);
        assert_ne!(Seed::new(8).hash_parts(address, 0, &[&bytes]), whole);
    }
}
