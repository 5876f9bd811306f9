//! Attribute sets, each kept once however many routes carry it.
//!
//! A set is known by its canonical bytes, the next hop and the kind of peer it came from. The store only keeps weak
//! references: the last route that lets go of a set frees it and its entry.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bgp_core::PeerKind;
use bgp_core::wire::Summary;
use hashbrown::HashTable;

use crate::hash::Seed;

/// Threads that meet at one shard wait for each other; this many shards make that rare.
const SHARDS: usize = 16;

/// The store of all attribute sets; clones share it, across threads too.
///
/// It holds as many sets as there are different ones in use, no more.
#[derive(Clone)]
pub struct AttributeStore {
    shared: Arc<Shared>,
}

struct Shared {
    seed: Seed,
    shards: [Mutex<HashTable<Entry>>; SHARDS],
    sets: AtomicUsize,
    bytes: AtomicUsize,
}

struct Entry {
    hash: u64,
    set: Weak<AttributeSet>,
}

impl AttributeStore {
    /// An empty store whose hash function is drawn from `seed`: keep it secret, peers choose what is hashed.
    #[must_use]
    pub fn new(seed: u64) -> AttributeStore {
        AttributeStore {
            shared: Arc::new(Shared {
                seed: Seed::new(seed),
                shards: std::array::from_fn(|_| Mutex::new(HashTable::new())),
                sets: AtomicUsize::new(0),
                bytes: AtomicUsize::new(0),
            }),
        }
    }

    /// The set whose canonical bytes are the concatenation of `parts`, if it is in use. Allocates nothing.
    ///
    /// Since a canonical block is a fixed point of the check, bytes as received from a four-octet session that are
    /// found here need no further check. Bytes from a two-octet session mean something else: never look those up.
    #[must_use]
    pub fn get(&self, kind: PeerKind, next_hop: IpAddr, parts: &[&[u8]]) -> Option<Attrs> {
        let hash = self.shared.seed.hash_parts(next_hop, kind as u8, parts);
        let mut shard = self.shared.shard(hash);
        let (found, others) = find(&mut shard, hash, |set| set.is(kind, next_hop, parts));
        drop(shard);
        drop(others);
        found
    }

    /// The set whose canonical bytes are the concatenation of `parts`; made if it is not there yet. `summary` is what
    /// their check gave.
    #[must_use]
    pub fn insert(&self, kind: PeerKind, next_hop: IpAddr, parts: &[&[u8]], summary: Summary) -> Attrs {
        let hash = self.shared.seed.hash_parts(next_hop, kind as u8, parts);
        let mut shard = self.shared.shard(hash);
        let (found, others) = find(&mut shard, hash, |set| set.is(kind, next_hop, parts));
        let attrs = found.unwrap_or_else(|| {
            let store = Arc::clone(&self.shared);
            let set =
                Arc::new(AttributeSet { block: parts.concat().into(), next_hop, kind, summary, hash, store });
            self.shared.sets.fetch_add(1, Ordering::Relaxed);
            self.shared.bytes.fetch_add(set.memory(), Ordering::Relaxed);
            shard.insert_unique(hash, Entry { hash, set: Arc::downgrade(&set) }, |entry| entry.hash);
            Attrs(set)
        });
        drop(shard);
        drop(others);
        attrs
    }

    /// How many different sets are in use.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.sets.load(Ordering::Relaxed)
    }

    /// Whether no set is in use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The memory that the sets in use take, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.shared.bytes.load(Ordering::Relaxed)
    }
}

/// The set that `is_wanted`, and sets that only share its hash. Those must outlive the lock: were one of them the
/// last of its set, its drop would lock the same shard again.
fn find(
    shard: &mut HashTable<Entry>,
    hash: u64,
    is_wanted: impl Fn(&AttributeSet) -> bool,
) -> (Option<Attrs>, Vec<Arc<AttributeSet>>) {
    let mut others = Vec::new();
    let mut found = None;
    for entry in shard.iter_hash(hash).filter(|entry| entry.hash == hash) {
        match entry.set.upgrade() {
            Some(set) if is_wanted(&set) => {
                found = Some(Attrs(set));
                break;
            }
            Some(other) => others.push(other),
            None => {}
        }
    }
    (found, others)
}

impl Shared {
    fn shard(&self, hash: u64) -> MutexGuard<'_, HashTable<Entry>> {
        // The table inside uses the top and the bottom bits.
        let [shard, ..] = &self.shards;
        let index = (hash >> 32) as usize % SHARDS;
        // A panic elsewhere cannot leave a table half changed: poison says nothing here.
        self.shards.get(index).unwrap_or(shard).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Path attributes as they came in, with what the decision process reads of them.
///
/// In this order what a look-up compares lies next to the counts of the [`Arc`], which it changes: with many sets, time
/// goes where memory is touched.
#[repr(C)]
pub struct AttributeSet {
    block: Box<[u8]>,
    next_hop: IpAddr,
    kind: PeerKind,
    summary: Summary,
    hash: u64,
    store: Arc<Shared>,
}

impl AttributeSet {
    /// The canonical block: all attributes but MP_REACH_NLRI and MP_UNREACH_NLRI.
    #[must_use]
    pub fn block(&self) -> &[u8] {
        &self.block
    }

    /// The next hop, whether it came in NEXT_HOP or in MP_REACH_NLRI.
    #[must_use]
    pub fn next_hop(&self) -> IpAddr {
        self.next_hop
    }

    /// The kind of session it came from.
    #[must_use]
    pub fn kind(&self) -> PeerKind {
        self.kind
    }

    /// What the decision process reads.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The memory it takes, in bytes.
    fn memory(&self) -> usize {
        size_of::<AttributeSet>() + 2 * size_of::<usize>() + size_of::<Entry>() + self.block.len()
    }

    fn is(&self, kind: PeerKind, next_hop: IpAddr, parts: &[&[u8]]) -> bool {
        let mut rest = &*self.block;
        let mut matches = |part: &[u8]| match rest.strip_prefix(part) {
            Some(after) => {
                rest = after;
                true
            }
            None => false,
        };
        self.kind == kind
            && self.next_hop == next_hop
            && parts.iter().all(|part| part.is_empty() || matches(part))
            && rest.is_empty()
    }
}

impl Drop for AttributeSet {
    fn drop(&mut self) {
        let mut shard = self.store.shard(self.hash);
        let own: *const AttributeSet = self;
        if let Ok(entry) = shard.find_entry(self.hash, |entry| std::ptr::eq(entry.set.as_ptr(), own)) {
            entry.remove();
        }
        self.store.sets.fetch_sub(1, Ordering::Relaxed);
        self.store.bytes.fetch_sub(self.memory(), Ordering::Relaxed);
    }
}

impl fmt::Debug for AttributeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttributeSet")
            .field("next_hop", &self.next_hop)
            .field("kind", &self.kind)
            .field("summary", &self.summary)
            .field("block", &self.block)
            .finish_non_exhaustive()
    }
}

/// A shared attribute set. Within one store two are equal if and only if their content is.
#[derive(Clone)]
pub struct Attrs(Arc<AttributeSet>);

impl Attrs {
    /// A number that no other set in use has; for grouping, never for order.
    #[must_use]
    pub fn id(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl std::ops::Deref for Attrs {
    type Target = AttributeSet;
    fn deref(&self) -> &AttributeSet {
        &self.0
    }
}

impl PartialEq for Attrs {
    fn eq(&self, other: &Attrs) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Attrs {}

impl fmt::Debug for Attrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_hop() -> IpAddr {
        "10.0.0.1".parse().unwrap()
    }

    fn insert(store: &AttributeStore, block: &[u8]) -> Attrs {
        store.insert(PeerKind::Internal, next_hop(), &[block], Summary::default())
    }

    #[test]
    fn equal_content_is_one_pointer() {
        let store = AttributeStore::new(1);
        let first = insert(&store, b"abc");
        assert_eq!(insert(&store, b"abc"), first);
        assert_eq!(store.get(PeerKind::Internal, next_hop(), &[b"a", b"", b"bc"]), Some(first.clone()));
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn bytes_next_hop_and_kind_all_tell_sets_apart() {
        let store = AttributeStore::new(1);
        let first = insert(&store, b"abc");
        let other_hop: IpAddr = "::1".parse().unwrap();
        assert_ne!(insert(&store, b"abcd"), first);
        assert_ne!(store.insert(PeerKind::External, next_hop(), &[b"abc"], Summary::default()), first);
        assert_ne!(store.insert(PeerKind::Internal, other_hop, &[b"abc"], Summary::default()), first);
        assert_eq!(store.get(PeerKind::Internal, next_hop(), &[b"abcd"]), None);
    }

    #[test]
    fn the_last_user_frees_the_entry() {
        let store = AttributeStore::new(1);
        let first = insert(&store, b"abc");
        let second = first.clone();
        assert!(store.bytes() > 3);
        drop(first);
        assert_eq!(store.len(), 1);
        drop(second);
        assert_eq!((store.len(), store.bytes()), (0, 0));
        assert_eq!(store.get(PeerKind::Internal, next_hop(), &[b"abc"]), None);
    }

    #[test]
    fn threads_that_race_for_the_same_sets_leave_nothing_behind() {
        let store = AttributeStore::new(1);
        let kept = insert(&store, &[0]);
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let (store, kept) = (store.clone(), kept.clone());
                scope.spawn(move || {
                    let mut held = Vec::new();
                    for round in 0..20_000_u32 {
                        let block = [(round.wrapping_mul(31) >> 3) as u8 % 16];
                        let set = match store.get(PeerKind::Internal, next_hop(), &[&block]) {
                            Some(set) => set,
                            None => insert(&store, &block),
                        };
                        assert_eq!(set.block(), &block);
                        assert_eq!(block == [0], set == kept);
                        held.push(set);
                        if held.len() > usize::from(thread) {
                            held.clear();
                        }
                    }
                });
            }
        });
        assert_eq!(store.len(), 1);
        drop(kept);
        assert_eq!((store.len(), store.bytes()), (0, 0));
        assert!(store.shared.shards.iter().all(|shard| shard.lock().unwrap().is_empty()));
    }

    #[test]
    fn two_live_sets_of_equal_content_never_exist_at_once() {
        let store = AttributeStore::new(1);
        let sets: Vec<Vec<Attrs>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let store = store.clone();
                    scope.spawn(move || (0..200_u8).map(|n| insert(&store, &[n])).collect())
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(sets.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(store.len(), 200);
    }
}
