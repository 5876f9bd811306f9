//! Attribute sets, each kept once however many routes carry it.
//!
//! A set is known by its canonical bytes, the next hop, the kind of peer it came from, and its [`Marks`]. The store
//! does not keep a set alive: the last route that lets go of it frees it and its entry.
//!
//! There are as many sets as a table has different ones, so what one costs is part of the memory of a route. A set is
//! one allocation, a head of 32 octets and the block, and its entry in the store a bare pointer.

mod interned;
mod marks;
mod set;

use std::net::IpAddr;
use std::sync::Arc;

use bgp_core::PeerKind;
use bgp_core::wire::Summary;

use interned::Shared;
pub use interned::{AttributeSet, Attrs};
pub use marks::{Marks, NextHopMark};
use set::Key;

/// The store of all attribute sets; clones share it, across threads too.
///
/// It holds as many sets as there are different ones in use, no more.
#[derive(Clone)]
pub struct AttributeStore {
    shared: Arc<Shared>,
}

/// What a look-up did not find: it can be put into the store without another look at its octets.
pub struct Missing<'a> {
    store: &'a AttributeStore,
    key: Key<'a>,
    hash: u32,
}

impl AttributeStore {
    /// An empty store whose hash function is drawn from `seed`: keep it secret, peers choose what is hashed.
    #[must_use]
    pub fn new(seed: u64) -> AttributeStore {
        AttributeStore { shared: Arc::new(Shared::new(seed)) }
    }

    /// The set whose canonical bytes are the concatenation of `parts`, if it is in use. Allocates nothing.
    ///
    /// Since a canonical block is a fixed point of the check, bytes as received from a four-octet session that are
    /// found here need no further check. Bytes from a two-octet session mean something else: never look those up.
    ///
    /// # Errors
    /// If it is not in use: what to put in its place once it is checked.
    #[inline]
    pub fn look_up<'a>(
        &'a self,
        kind: PeerKind,
        next_hop: IpAddr,
        parts: &'a [&'a [u8]],
    ) -> Result<Attrs, Missing<'a>> {
        let key = Key { kind, marks: Marks::NONE, next_hop, parts };
        let hash = self.shared.hash(&key);
        self.shared.get(hash, &key).ok_or(Missing { store: self, key, hash })
    }

    /// [`AttributeStore::look_up`] for who would not put it there.
    #[must_use]
    pub fn get(&self, kind: PeerKind, next_hop: IpAddr, parts: &[&[u8]]) -> Option<Attrs> {
        self.look_up(kind, next_hop, parts).ok()
    }

    /// The set whose canonical bytes are the concatenation of `parts`; made if it is not there yet. `summary` is what
    /// their check gave.
    #[must_use]
    pub fn insert(&self, kind: PeerKind, next_hop: IpAddr, parts: &[&[u8]], summary: Summary) -> Attrs {
        self.shared.intern(&Key { kind, marks: Marks::NONE, next_hop, parts }, &summary)
    }

    /// Gives back the room for many sets where few are left. Call it when a table is gone, not while it goes: freeing
    /// what is large has allocators tidy up all that is small.
    pub fn shrink(&self) {
        self.shared.shrink();
    }

    /// How many different sets are in use.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.len()
    }

    /// Whether no set is in use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The memory that the sets in use take, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.shared.bytes()
    }
}

impl Missing<'_> {
    /// The set, made if nobody else has made it since the look-up. `summary` is what the check of its octets gave, as
    /// they are.
    #[must_use]
    pub fn insert(self, summary: Summary) -> Attrs {
        self.store.shared.insert(self.hash, &self.key, &summary)
    }
}

impl Attrs {
    /// What a filter makes of this set, in the same store: another next hop, other canonical bytes with their summary,
    /// and marks to which that of an edited set is added. If nothing of that differs, it is this set.
    #[must_use]
    pub fn edited(&self, marks: Marks, next_hop: IpAddr, block: &[u8], summary: Summary) -> Attrs {
        let (kind, parts) = (self.kind(), &[block][..]);
        if self.is(&Key { kind, marks, next_hop, parts }) {
            return self.clone();
        }
        self.store().intern(&Key { kind, marks: marks.edited(), next_hop, parts }, &summary)
    }
}

#[cfg(test)]
mod tests;
