//! What a consumer has still to look at.

use std::collections::VecDeque;

use crate::table::DestId;

/// Destinations that changed since a consumer last looked, each at most once, in the order of their first change.
/// Bounded by the table.
#[derive(Clone, Debug, Default)]
pub struct DirtySet {
    order: VecDeque<DestId>,
    bits: Vec<u64>,
}

fn place(id: DestId) -> (usize, u64) {
    (id.index() / 64, 1 << (id.index() % 64))
}

impl DirtySet {
    /// Nothing is dirty.
    #[must_use]
    pub fn new() -> DirtySet {
        DirtySet::default()
    }

    /// Marks a destination; `false` if it was marked already.
    pub fn mark(&mut self, id: DestId) -> bool {
        let (word, bit) = place(id);
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        let Some(word) = self.bits.get_mut(word) else { return false };
        let new = *word & bit == 0;
        if new {
            *word |= bit;
            self.order.push_back(id);
        }
        new
    }

    /// The destination that has waited longest; it is marked no more.
    pub fn pop(&mut self) -> Option<DestId> {
        let id = self.order.pop_front()?;
        let (word, bit) = place(id);
        if let Some(word) = self.bits.get_mut(word) {
            *word &= !bit;
        }
        Some(id)
    }

    /// Whether the destination is marked.
    #[must_use]
    pub fn contains(&self, id: DestId) -> bool {
        let (word, bit) = place(id);
        self.bits.get(word).is_some_and(|word| word & bit != 0)
    }

    /// How many are marked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether none is marked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_coalesce_and_keep_their_first_place() {
        let mut dirty = DirtySet::new();
        let ids = [700, 3, 64].map(DestId::from_index);
        assert!(ids.iter().all(|id| dirty.mark(*id)));
        assert!(!dirty.mark(ids[0]));
        assert!(dirty.contains(ids[1]) && !dirty.contains(DestId::from_index(4)));
        assert_eq!(dirty.pop(), Some(ids[0]));
        assert!(dirty.mark(ids[0]));
        assert_eq!(std::iter::from_fn(|| dirty.pop()).collect::<Vec<_>>(), [ids[1], ids[2], ids[0]]);
        assert!(dirty.is_empty());
    }
}
