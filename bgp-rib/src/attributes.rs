//! Attribute sets, each kept once however many routes carry it.
//!
//! A set is known by its canonical bytes, the next hop, the kind of peer it came from, and its [`Marks`]. The store only
//! keeps weak references: the last route that lets go of a set frees it and its entry.

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
        let hash = self.shared.seed.hash_parts(next_hop, tag(kind, Marks::NONE), parts);
        let mut shard = self.shared.shard(hash);
        let (found, others) = find(&mut shard, hash, |set| set.is(kind, Marks::NONE, next_hop, parts));
        drop(shard);
        drop(others);
        found
    }

    /// The set whose canonical bytes are the concatenation of `parts`; made if it is not there yet. `summary` is what
    /// their check gave.
    #[must_use]
    pub fn insert(&self, kind: PeerKind, next_hop: IpAddr, parts: &[&[u8]], summary: Summary) -> Attrs {
        self.shared.insert(kind, Marks::NONE, next_hop, parts, summary)
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
    fn insert(
        self: &Arc<Shared>,
        kind: PeerKind,
        marks: Marks,
        next_hop: IpAddr,
        parts: &[&[u8]],
        summary: Summary,
    ) -> Attrs {
        let hash = self.seed.hash_parts(next_hop, tag(kind, marks), parts);
        let mut shard = self.shard(hash);
        let (found, others) = find(&mut shard, hash, |set| set.is(kind, marks, next_hop, parts));
        let attrs = found.unwrap_or_else(|| {
            let store = Arc::clone(self);
            let block = parts.concat().into();
            let set = Arc::new(AttributeSet { block, next_hop, kind, marks, summary, hash, store });
            self.sets.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(set.memory(), Ordering::Relaxed);
            shard.insert_unique(hash, Entry { hash, set: Arc::downgrade(&set) }, |entry| entry.hash);
            Attrs(set)
        });
        drop(shard);
        drop(others);
        attrs
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, HashTable<Entry>> {
        // The table inside uses the top and the bottom bits.
        let [shard, ..] = &self.shards;
        let index = (hash >> 32) as usize % SHARDS;
        // A panic elsewhere cannot leave a table half changed: poison says nothing here.
        self.shards.get(index).unwrap_or(shard).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What goes into the hash beside the next hop and the bytes.
fn tag(kind: PeerKind, marks: Marks) -> u8 {
    marks.0 << 1 | kind as u8
}

/// Whose next hop goes out with a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NextHopMark {
    /// As the [`NextHopRule`](crate::NextHopRule) of the peer says.
    #[default]
    ByRule,
    /// Our own address.
    Own,
    /// As received; our own with a route of our own.
    Unchanged,
    /// The set's, which was put there.
    Set,
}

/// What a filter made of a set, kept in one octet: whether it has touched it, and what it decided that the way out would
/// decide by itself else.
///
/// A set that was edited is never taken for one that was received: its bytes need not be what a check of received ones
/// gives. LOCAL_PREF may be in a set from an eBGP peer, say, although none is taken from one.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Marks(u8);

impl Marks {
    /// The marks of a set as it came in.
    pub const NONE: Marks = Marks(0);

    const EDITED: u8 = 1;
    const MED: u8 = 2;
    const NEXT_HOP: u8 = 0b1100;

    /// Whether a filter has changed the set.
    #[must_use]
    pub fn is_edited(self) -> bool {
        self.0 & Marks::EDITED != 0
    }

    /// Whether MULTI_EXIT_DISC is to go out to eBGP peers too.
    #[must_use]
    pub fn keeps_med(self) -> bool {
        self.0 & Marks::MED != 0
    }

    /// Whose next hop goes out.
    #[must_use]
    pub fn next_hop(self) -> NextHopMark {
        match (self.0 & Marks::NEXT_HOP) >> 2 {
            0 => NextHopMark::ByRule,
            1 => NextHopMark::Own,
            2 => NextHopMark::Unchanged,
            _ => NextHopMark::Set,
        }
    }

    /// The same, and MULTI_EXIT_DISC goes out to eBGP peers.
    #[must_use]
    pub fn with_med(self) -> Marks {
        Marks(self.0 | Marks::MED)
    }

    /// The same with another next hop going out.
    #[must_use]
    pub fn with_next_hop(self, mark: NextHopMark) -> Marks {
        Marks(self.0 & !Marks::NEXT_HOP | (mark as u8) << 2)
    }

    fn edited(self) -> Marks {
        Marks(self.0 | Marks::EDITED)
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marks")
            .field("edited", &self.is_edited())
            .field("med", &self.keeps_med())
            .field("next_hop", &self.next_hop())
            .finish()
    }
}

/// Path attributes as they came in or as a filter left them, with what the decision process reads of them.
///
/// In this order what a look-up compares lies next to the counts of the [`Arc`], which it changes: with many sets, time
/// goes where memory is touched.
#[repr(C)]
pub struct AttributeSet {
    block: Box<[u8]>,
    next_hop: IpAddr,
    kind: PeerKind,
    marks: Marks,
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

    /// What filters made of it.
    #[must_use]
    pub fn marks(&self) -> Marks {
        self.marks
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

    fn is(&self, kind: PeerKind, marks: Marks, next_hop: IpAddr, parts: &[&[u8]]) -> bool {
        let mut rest = &*self.block;
        let mut matches = |part: &[u8]| match rest.strip_prefix(part) {
            Some(after) => {
                rest = after;
                true
            }
            None => false,
        };
        self.kind == kind
            && self.marks == marks
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
            .field("marks", &self.marks)
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

    /// What a filter makes of this set, in the same store: another next hop, other canonical bytes with their summary,
    /// and marks to which that of an edited set is added. If nothing of that differs, it is this set.
    #[must_use]
    pub fn edited(&self, marks: Marks, next_hop: IpAddr, block: &[u8], summary: Summary) -> Attrs {
        if self.is(self.kind, marks, next_hop, &[block]) {
            return self.clone();
        }
        self.0.store.insert(self.kind, marks.edited(), next_hop, &[block], summary)
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
    fn an_edited_set_is_its_own_and_never_found_as_one_received() {
        let store = AttributeStore::new(1);
        let received = insert(&store, b"abc");
        let edited = received.edited(Marks::NONE, next_hop(), b"abcd", Summary::default());
        assert_eq!((edited.block(), edited.marks().is_edited()), (&b"abcd"[..], true));
        assert_eq!(store.get(PeerKind::Internal, next_hop(), &[b"abcd"]), None);
        assert_ne!(insert(&store, b"abcd"), edited);
        assert_eq!(received.edited(Marks::NONE, next_hop(), b"abcd", Summary::default()), edited);
        assert_eq!(received.edited(Marks::NONE, next_hop(), b"abc", Summary::default()), received);
        assert_eq!(edited.edited(edited.marks(), next_hop(), b"abcd", Summary::default()), edited);
        let marks = Marks::NONE.with_med().with_next_hop(NextHopMark::Own);
        let marked = received.edited(marks, next_hop(), b"abc", Summary::default());
        assert_ne!(marked, received);
        drop((received, edited, marked));
        assert!(store.is_empty());
    }

    #[test]
    fn marks_are_read_back() {
        use NextHopMark::{ByRule, Own, Set, Unchanged};
        for mark in [Own, Unchanged, Set, ByRule] {
            let marks = Marks::NONE.with_next_hop(Set).with_next_hop(mark);
            assert_eq!((marks.next_hop(), marks.keeps_med(), marks.is_edited()), (mark, false, false));
            assert_eq!((marks.with_med().next_hop(), marks.with_med().keeps_med()), (mark, true));
        }
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
