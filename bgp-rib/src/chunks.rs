//! Where in a table to look for the paths of one peer, or through one next hop.

use crate::table::{CHUNK, DestId};

/// The chunks of a table that may hold something: one bit for 1024 destinations, so that taking back what one peer
/// announced costs in proportion to that and not to the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChunkSet {
    words: Vec<u64>,
}

impl ChunkSet {
    pub(crate) fn insert(&mut self, id: DestId) {
        let chunk = id.index() / CHUNK;
        if self.words.len() <= chunk / 64 {
            self.words.resize(chunk / 64 + 1, 0);
        }
        if let Some(word) = self.words.get_mut(chunk / 64) {
            *word |= 1 << (chunk % 64);
        }
    }

    /// The chunks in rising order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        let bits = |word: u64| (0..64).filter(move |bit| word & (1 << bit) != 0);
        self.words
            .iter()
            .enumerate()
            .flat_map(move |(place, word)| bits(*word).map(move |bit| place * 64 + bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_named_once_however_many_of_its_destinations_are() {
        let mut set = ChunkSet::default();
        for index in [5 * CHUNK, 3, 70 * CHUNK + 1, 5 * CHUNK + 9] {
            set.insert(DestId::from_index(index));
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 5, 70]);
    }
}
