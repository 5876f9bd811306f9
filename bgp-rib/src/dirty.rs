//! What a consumer has still to look at.

use crate::table::DestId;

/// Destinations that changed since a consumer last looked, each at most once. They are handed out in the order of
/// their numbers, round and round: however often the others change, each has its turn. A bit for each destination of
/// the table, however many are marked.
#[derive(Clone, Debug, Default)]
pub struct DirtySet {
    words: Vec<u64>,
    /// A bit for each word that is not zero.
    summary: Vec<u64>,
    len: usize,
    /// Where the next one is looked for first.
    next: usize,
}

/// The word of a bit, and the bit in it.
fn place(index: usize) -> (usize, u64) {
    (index / 64, 1 << (index % 64))
}

/// Sets a bit; whether it was not set. The words become as many as are needed.
fn set(words: &mut Vec<u64>, index: usize) -> bool {
    let (word, bit) = place(index);
    if words.len() <= word {
        words.resize(word + 1, 0);
    }
    let Some(word) = words.get_mut(word) else { return false };
    let is_new = *word & bit == 0;
    *word |= bit;
    is_new
}

/// Clears a bit; whether its word is zero then.
fn clear(words: &mut [u64], index: usize) -> bool {
    let (word, bit) = place(index);
    words.get_mut(word).is_some_and(|word| {
        *word &= !bit;
        *word == 0
    })
}

/// The first bit that is set from this one on, if it is in the same word.
fn first_in_word(words: &[u64], from: usize) -> Option<usize> {
    let (word, bit) = place(from);
    let rest = words.get(word)? & !(bit - 1);
    (rest != 0).then(|| word * 64 + rest.trailing_zeros() as usize)
}

impl DirtySet {
    /// Nothing is dirty.
    #[must_use]
    pub fn new() -> DirtySet {
        DirtySet::default()
    }

    /// Marks a destination; `false` if it was marked already.
    pub fn mark(&mut self, id: DestId) -> bool {
        let is_new = set(&mut self.words, id.index());
        if is_new {
            set(&mut self.summary, id.index() / 64);
            self.len += 1;
        }
        is_new
    }

    /// The next destination; it is marked no more.
    pub fn pop(&mut self) -> Option<DestId> {
        if self.len == 0 {
            return None;
        }
        let index = self.first_from(self.next).or_else(|| self.first_from(0))?;
        if clear(&mut self.words, index) {
            clear(&mut self.summary, index / 64);
        }
        self.len -= 1;
        self.next = if self.len == 0 { 0 } else { index + 1 };
        Some(DestId::from_index(index))
    }

    fn first_from(&self, from: usize) -> Option<usize> {
        first_in_word(&self.words, from).or_else(|| {
            let next = from / 64 + 1;
            let word = first_in_word(&self.summary, next).or_else(|| {
                let after = self.summary.iter().enumerate().skip(next / 64 + 1);
                let (place, bits) = after.into_iter().find(|(_, bits)| **bits != 0)?;
                Some(place * 64 + bits.trailing_zeros() as usize)
            })?;
            first_in_word(&self.words, word * 64)
        })
    }

    /// Whether the destination is marked.
    #[must_use]
    pub fn contains(&self, id: DestId) -> bool {
        let (word, bit) = place(id.index());
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// How many are marked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is marked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn ids<const N: usize>(indices: [usize; N]) -> [DestId; N] {
        indices.map(DestId::from_index)
    }

    #[test]
    fn changes_coalesce_and_come_in_the_order_of_numbers() {
        let mut dirty = DirtySet::new();
        let [a, b, c] = ids([3, 64, 70_000]);
        assert!([c, a, b].iter().all(|id| dirty.mark(*id)));
        assert!(!dirty.mark(a));
        assert!(dirty.contains(b) && !dirty.contains(DestId::from_index(4)));
        assert_eq!((dirty.len(), dirty.pop()), (3, Some(a)));
        assert!(dirty.mark(a));
        assert_eq!(std::iter::from_fn(|| dirty.pop()).collect::<Vec<_>>(), [b, c, a]);
        assert!(dirty.is_empty() && dirty.pop().is_none());
    }

    #[test]
    fn one_that_changes_all_the_time_does_not_keep_others_waiting() {
        let mut dirty = DirtySet::new();
        let [busy, busier, patient] = ids([5, 6, 4_000_000]);
        dirty.mark(patient);
        let turns = (0..3).map(|_| {
            dirty.mark(busy);
            dirty.mark(busier);
            dirty.pop()
        });
        assert!(turns.collect::<Vec<_>>().contains(&Some(patient)));
    }

    #[test]
    fn four_million_marks_take_little_memory() {
        let mut dirty = DirtySet::new();
        (0..4_000_000).for_each(|index| assert!(dirty.mark(DestId::from_index(index))));
        assert!((dirty.words.capacity() + dirty.summary.capacity()) * 8 < 1 << 20);
        assert_eq!(std::iter::from_fn(|| dirty.pop()).count(), 4_000_000);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_set(steps in prop::collection::vec((any::<bool>(), 0..20_000_usize), 1..200)) {
            let (mut dirty, mut plain) = (DirtySet::new(), BTreeSet::new());
            for (is_mark, index) in steps {
                let id = DestId::from_index(index);
                if is_mark {
                    prop_assert_eq!(dirty.mark(id), plain.insert(id));
                } else {
                    let popped = dirty.pop();
                    prop_assert_eq!(popped.is_some(), !plain.is_empty());
                    prop_assert!(popped.is_none_or(|id| plain.remove(&id)));
                }
                prop_assert_eq!(dirty.len(), plain.len());
            }
            let rest: BTreeSet<DestId> = std::iter::from_fn(|| dirty.pop()).collect();
            prop_assert_eq!(rest, plain);
        }
    }
}
