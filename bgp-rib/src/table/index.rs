//! From the hash of a prefix to the number of its destination.

use hashbrown::HashTable;

use super::DestId;

/// It keeps four octets for a destination and no hash. So it does not grow by itself, which would read the prefix of one
/// destination after another wherever it is: [`Index::rebuild`] is given all of them, in the order of memory.
#[derive(Debug, Default)]
pub(super) struct Index {
    ids: HashTable<u32>,
}

/// An index for so few is not worth making smaller.
const SMALL: usize = 4096;

impl Index {
    /// The destination with this hash that `is_it`.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(DestId) -> bool) -> Option<DestId> {
        self.ids.find(hash, |id| is_it(DestId(*id))).copied().map(DestId)
    }

    /// How many destinations are in it.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether it has to be built anew before one more goes in.
    pub(super) fn is_full(&self) -> bool {
        self.ids.len() == self.ids.capacity()
    }

    /// Whether it would be much smaller if it were built anew.
    pub(super) fn is_sparse(&self) -> bool {
        self.ids.capacity() > SMALL && self.ids.len() < self.ids.capacity() / 4
    }

    /// Builds it anew from all destinations, with their hashes, and with room for a quarter more. The old one goes
    /// first: memory never holds both.
    pub(super) fn rebuild(&mut self, all: impl Iterator<Item = (u64, DestId)>) {
        let room = self.ids.len() + self.ids.len() / 4 + 1;
        self.ids = HashTable::new();
        self.ids = HashTable::with_capacity(room);
        all.for_each(|(hash, id)| self.insert(hash, id));
    }

    /// Adds a destination. There must be room: see [`Index::is_full`].
    pub(super) fn insert(&mut self, hash: u64, id: DestId) {
        debug_assert!(!self.is_full(), "it would have to know the hashes to grow");
        self.ids.insert_unique(hash, id.0, |_| hash);
    }

    /// Takes a destination out.
    pub(super) fn remove(&mut self, hash: u64, id: DestId) {
        if let Ok(entry) = self.ids.find_entry(hash, |other| *other == id.0) {
            entry.remove();
        }
    }

    /// The memory that it takes, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.ids.allocation_size()
    }
}
