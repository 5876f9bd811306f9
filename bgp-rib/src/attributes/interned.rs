//! The sets in memory: pointers that count, and the shards that find them. The one place in this crate with `unsafe`.
//!
//! A set is one allocation: [`Fixed`], then as many octets as it says. `Arc` could not hold it behind a pointer of one
//! word, and would count weak references too.
//!
//! # Why it is sound
//! * Nothing of a set changes after it is made but `users`, which is atomic: shared references to it are all that is
//!   ever made, across threads too.
//! * `users` counts the [`Attrs`] of the set. It is raised by whoever has one of them ([`Attrs::clone`]) or has the lock
//!   of the set's shard ([`Shard::find`]), and it falls to zero only under that lock, in [`Shard::release`], which takes
//!   the set's entry out before the lock is let go. So under the lock every entry points to a set that is in use, and
//!   nobody finds one that is about to be freed; without the lock, whoever has an [`Attrs`] is counted.
//! * The one who took `users` to zero has the only pointer left, and frees the set: after the lock is let go, for the
//!   set may hold the last reference to the store, and the lock with it. All earlier uses of the set happened before,
//!   since every user lowers the count with `Release` and the last with `Acquire`.
//! * Who has taken itself off without being the last looks at the set no more, and no function that takes itself off
//!   has an argument that points to more of the set than `users`: it may be gone before that function returns.
//! * A set's shard follows from its hash alone, which never changes. It keeps its store alive, and with it the shard.
#![allow(unsafe_code, reason = "an allocation of a head and octets behind a thin pointer; see above")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::Deref;
use std::process::abort;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bgp_core::wire::Summary;
use hashbrown::HashTable;

use super::set::{Contents, Key};
use crate::hash::Seed;

/// Threads that meet at one shard wait for each other; this many shards make that rare.
const SHARDS: usize = 16;

/// A shard with room for so few is not worth making smaller.
const SMALL: usize = 256;

/// More users than any memory has room for; the count must not overflow, as that of an [`Arc`] must not.
const MAX_USERS: u32 = u32::MAX / 2;

/// What all sets have, in one size.
#[repr(C)]
struct Fixed {
    users: AtomicU32,
    /// How many octets follow.
    len: u32,
    store: Arc<Shared>,
    hash: u32,
    contents: Contents,
}

/// The octets follow [`Fixed`] without a gap, as [`AttributeSet`] has them.
const _: () = assert!(size_of::<Fixed>() == 32);

/// Path attributes as they came in or as a filter left them, with what the decision process reads of them.
#[repr(C)]
pub struct AttributeSet {
    fixed: Fixed,
    octets: [u8],
}

impl AttributeSet {
    pub(super) fn contents(&self) -> &Contents {
        &self.fixed.contents
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }

    pub(super) fn store(&self) -> &Arc<Shared> {
        &self.fixed.store
    }

    /// The memory that it and its entry take, in bytes.
    fn memory(&self) -> usize {
        size_of_val(self) + size_of::<Thin>()
    }
}

/// A pointer to a set, of one word. It does not say that the set is still there.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Thin(NonNull<Fixed>);

// SAFETY: it is only an address; who follows it must know that the set is there, on whichever thread. Sets themselves
// may go to other threads, and be used by several at once: see `is_shared` below.
unsafe impl Send for Thin {}
unsafe impl Sync for Thin {}

const _: () = {
    const fn is_shared<T: Send + Sync + ?Sized>() {}
    is_shared::<AttributeSet>();
};

impl Thin {
    /// A set of one user. Its octets are those of `front` and of all `parts`, one after the other.
    #[inline]
    fn new(store: Arc<Shared>, hash: u32, contents: Contents, front: &[u8], parts: &[&[u8]]) -> Thin {
        let len = parts.iter().try_fold(front.len(), |len, part| len.checked_add(part.len()));
        // A message has 65,535 octets at most: no block comes near to these bounds.
        let Some(len) = len.and_then(|len| u32::try_from(len).ok()) else { abort() };
        let size = size_of::<Fixed>().saturating_add(len as usize);
        let Ok(layout) = Layout::from_size_align(size, align_of::<Fixed>()) else { abort() };
        let layout = layout.pad_to_align();
        // SAFETY: the layout is not of size zero.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        let thin = Thin(start.cast());
        // SAFETY: the allocation is aligned for `Fixed` and has room for it and for `len` octets behind it, which front
        // and parts have together; nobody else knows of it yet.
        unsafe {
            thin.0.write(Fixed { users: AtomicU32::new(1), len, store, hash, contents });
            let mut end = start.add(size_of::<Fixed>());
            for piece in std::iter::once(&front).chain(parts).filter(|piece| !piece.is_empty()) {
                end.copy_from_nonoverlapping(NonNull::from(*piece).cast(), piece.len());
                end = end.add(piece.len());
            }
        }
        thin
    }

    /// The pointer with the length that `&AttributeSet` has.
    ///
    /// # Safety
    /// The set must be there.
    unsafe fn whole(self) -> NonNull<AttributeSet> {
        // SAFETY: it was made by `new`, and is there.
        let len = unsafe { self.0.as_ref() }.len as usize;
        let octets = NonNull::slice_from_raw_parts(self.0.cast::<u8>(), len);
        // SAFETY: it is not null. The length of a slice at the end of a struct is that of the whole pointer.
        unsafe { NonNull::new_unchecked(octets.as_ptr() as *mut AttributeSet) }
    }

    /// The set.
    ///
    /// # Safety
    /// The set must stay there for all of `'a`.
    unsafe fn set<'a>(self) -> &'a AttributeSet {
        // SAFETY: `new` has written all of it, and it only changes where it is atomic.
        unsafe { self.whole().as_ref() }
    }

    /// Gives the memory back.
    ///
    /// # Safety
    /// The set must be there, and nobody may use it any more.
    unsafe fn free(self) {
        // SAFETY: it is there, and came from `alloc` with the layout of an `AttributeSet` of its length.
        unsafe {
            let whole = self.whole();
            let layout = Layout::for_value(whole.as_ref());
            whole.drop_in_place();
            dealloc(whole.as_ptr().cast(), layout);
        }
    }
}

/// A shared attribute set. Within one store two are equal if and only if their content is.
#[derive(PartialEq, Eq)]
pub struct Attrs(Thin);

impl Attrs {
    /// A number that no other set in use has; for grouping, never for order.
    #[must_use]
    pub fn id(&self) -> usize {
        self.0.0.addr().get()
    }
}

impl Deref for Attrs {
    type Target = AttributeSet;

    #[inline]
    fn deref(&self) -> &AttributeSet {
        // SAFETY: it is one of the users, and the set is there as long as it has any.
        unsafe { self.0.set() }
    }
}

impl AttributeSet {
    /// One more pointer to it. Who calls this is one of its users or has the lock of its shard.
    #[inline]
    fn add_user(&self) {
        // Nothing has to be seen with it: the pointer came to this thread in some way that shows what it points to.
        if self.fixed.users.fetch_add(1, Ordering::Relaxed) >= MAX_USERS {
            abort();
        }
    }
}

/// Takes a user off unless it may be the last one.
///
/// It is given the count alone: another user may free the set before this returns, and the compiler may take any other
/// argument that points into the set to be there until then.
#[inline]
fn remove_user_but_the_last(count: &AtomicU32) -> bool {
    let mut users = count.load(Ordering::Relaxed);
    while users > 1 {
        let (before, after) = (Ordering::Release, Ordering::Relaxed);
        match count.compare_exchange_weak(users, users - 1, before, after) {
            Ok(_) => return true,
            Err(now) => users = now,
        }
    }
    false
}

impl Clone for Attrs {
    #[inline]
    fn clone(&self) -> Attrs {
        self.add_user();
        Attrs(self.0)
    }
}

impl Drop for Attrs {
    #[inline]
    fn drop(&mut self) {
        if !remove_user_but_the_last(&self.fixed.users) {
            release(self);
        }
    }
}

/// What is left to do if this may be the last pointer to its set.
#[inline(never)]
fn release(attrs: &mut Attrs) {
    // If it is not the last one, the set may be freed by another, and its reference to the store with it, as soon as
    // the lock is let go: the lock itself must stay until then.
    let store = Arc::clone(&attrs.fixed.store);
    let is_last = store.shard(attrs.fixed.hash).release(attrs);
    if is_last {
        // SAFETY: nobody else has it, nobody can find it, and `attrs` is being dropped. The lock is let go.
        unsafe { attrs.0.free() };
    }
}

impl fmt::Debug for Attrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A part of the sets: those whose hashes are alike.
struct Shard {
    /// Every entry points to a set that has users, unless the lock was passed by.
    sets: HashTable<Thin>,
    bytes: usize,
}

impl Shard {
    const EMPTY: Shard = Shard { sets: HashTable::new(), bytes: 0 };

    #[inline]
    fn find(&self, hash: u32, key: &Key<'_>) -> Option<Attrs> {
        for entry in self.sets.iter_hash(spread(hash)) {
            // SAFETY: the lock is held, so that what has an entry has users.
            let set = unsafe { entry.set() };
            if set.fixed.hash == hash && set.is(key) {
                set.add_user();
                return Some(Attrs(*entry));
            }
        }
        None
    }

    /// The new set gets an entry; its one user is what is given back.
    fn insert(&mut self, hash: u32, made: Thin) -> Attrs {
        // SAFETY: as in `find`.
        self.sets.insert_unique(spread(hash), made, |entry| spread(unsafe { entry.set() }.fixed.hash));
        let attrs = Attrs(made);
        self.bytes += attrs.memory();
        attrs
    }

    /// Takes a user off. If it was the last one, so is the entry, and the set is to be freed.
    fn release(&mut self, attrs: &Attrs) -> bool {
        if attrs.fixed.users.fetch_sub(1, Ordering::AcqRel) > 1 {
            return false;
        }
        if let Ok(entry) = self.sets.find_entry(spread(attrs.fixed.hash), |entry| *entry == attrs.0) {
            entry.remove();
        }
        self.bytes -= attrs.memory();
        true
    }

    fn shrink(&mut self) {
        if self.sets.capacity() > SMALL && self.sets.len() < self.sets.capacity() / 8 {
            // SAFETY: as in `find`.
            let hash = |entry: &Thin| spread(unsafe { entry.set() }.fixed.hash);
            self.sets.shrink_to(2 * self.sets.len(), hash);
        }
    }
}

/// The table looks at the top and the bottom bits of its hashes.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// What all clones of a store share.
pub(super) struct Shared {
    seed: Seed,
    shards: [Mutex<Shard>; SHARDS],
}

impl Shared {
    pub(super) fn new(seed: u64) -> Shared {
        Shared { seed: Seed::new(seed), shards: [const { Mutex::new(Shard::EMPTY) }; SHARDS] }
    }

    /// Half of the hash is kept: for as many sets as there may be, that tells nearly all apart.
    #[inline]
    pub(super) fn hash(&self, key: &Key<'_>) -> u32 {
        self.seed.hash_parts(key.next_hop, key.tag(), key.parts) as u32
    }

    /// The set with this key, which has this hash.
    #[inline(never)]
    pub(super) fn get(&self, hash: u32, key: &Key<'_>) -> Option<Attrs> {
        self.shard(hash).find(hash, key)
    }

    /// The set with this key, which has this hash; made if it is not there yet.
    pub(super) fn insert(self: &Arc<Self>, hash: u32, key: &Key<'_>, summary: &Summary) -> Attrs {
        let mut shard = self.shard(hash);
        if let Some(found) = shard.find(hash, key) {
            return found;
        }
        let (contents, front) = Contents::new(key, summary);
        let made = Thin::new(Arc::clone(self), hash, contents, front.octets(), key.parts);
        shard.insert(hash, made)
    }

    pub(super) fn intern(self: &Arc<Self>, key: &Key<'_>, summary: &Summary) -> Attrs {
        self.insert(self.hash(key), key, summary)
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).sets.len()).sum()
    }

    pub(super) fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).bytes).sum()
    }

    pub(super) fn shrink(&self) {
        self.shards.iter().for_each(|shard| lock(shard).shrink());
    }

    /// How many sets there is room for.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).sets.capacity()).sum()
    }

    fn shard(&self, hash: u32) -> MutexGuard<'_, Shard> {
        // The table inside places by the lowest bits, as many as its size has, and tells apart by the top seven.
        let [shard, ..] = &self.shards;
        let index = (hash >> 21) as usize % SHARDS;
        lock(self.shards.get(index).unwrap_or(shard))
    }
}

/// A panic elsewhere cannot leave a table half changed: poison says nothing here.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
