//! Which numbers of destinations are in use.

use super::{CHUNK, DestId};

const BITS: usize = u64::BITS as usize;

/// A bit for each number. The lowest free one is given out first, so that the highest chunks become empty.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    words: Vec<u64>,
    /// No word before this one has a free number.
    open: usize,
}

fn place(id: DestId) -> (usize, u64) {
    (id.index() / BITS, 1 << (id.index() % BITS))
}

impl Numbers {
    /// The lowest number that is free; from now on it is in use.
    pub(super) fn take(&mut self) -> DestId {
        while self.words.get(self.open) == Some(&u64::MAX) {
            self.open += 1;
        }
        if self.words.len() == self.open {
            self.words.push(0);
        }
        let Some(word) = self.words.get_mut(self.open) else { return DestId::FIRST };
        let bit = word.trailing_ones();
        *word |= 1 << bit;
        DestId::from_index(self.open * BITS + bit as usize)
    }

    /// Frees a number.
    pub(super) fn give_back(&mut self, id: DestId) {
        let (at, bit) = place(id);
        if let Some(word) = self.words.get_mut(at) {
            *word &= !bit;
            self.open = self.open.min(at);
        }
    }

    /// Whether the number is in use.
    pub(super) fn contains(&self, id: DestId) -> bool {
        let (at, bit) = place(id);
        self.words.get(at).is_some_and(|word| word & bit != 0)
    }

    /// The first number in use from `from` on.
    pub(super) fn next(&self, from: DestId) -> Option<DestId> {
        let first = from.index() / BITS;
        self.words.iter().enumerate().skip(first).find_map(|(at, word)| {
            let word = if at == first { word & (u64::MAX << (from.index() % BITS)) } else { *word };
            (word != 0).then(|| DestId::from_index(at * BITS + word.trailing_zeros() as usize))
        })
    }

    /// Whether a chunk has no number that is in use.
    pub(super) fn is_unused(&self, chunk: usize) -> bool {
        self.words.iter().skip(chunk * (CHUNK / BITS)).take(CHUNK / BITS).all(|word| *word == 0)
    }

    /// The memory that it takes, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_given_out() {
        let mut numbers = Numbers::default();
        let ids: Vec<DestId> = (0..2 * CHUNK).map(|_| numbers.take()).collect();
        assert_eq!(ids, (0..2 * CHUNK).map(DestId::from_index).collect::<Vec<_>>());
        ids[CHUNK..].iter().for_each(|id| numbers.give_back(*id));
        assert!(numbers.is_unused(1) && !numbers.is_unused(0));
        numbers.give_back(ids[70]);
        assert!(!numbers.contains(ids[70]) && numbers.contains(ids[69]));
        assert_eq!(numbers.next(ids[70]), Some(ids[71]));
        assert_eq!(numbers.next(ids[CHUNK]), None);
        assert_eq!([numbers.take(), numbers.take()], [ids[70], ids[CHUNK]]);
        assert_eq!(numbers.next(ids[CHUNK - 1].next()), Some(ids[CHUNK]));
    }
}
