//! The system's allocator, counting what a thread holds.
//!
//! `unsafe` since an allocator can't be written without; everything is passed on as it came. It is here and not from a
//! crate because what is wanted is what the allocator itself takes for each block, its header and its rounding
//! included, and that is one call of the C library; `stats_alloc` and `cap` count what was asked for.
#![allow(unsafe_code, reason = "an allocator can't be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ops::Sub;

/// What is held. Below zero: of what was counted, more was freed than taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held {
    /// Octets that were asked for.
    pub octets: isize,
    /// Octets that the allocator takes for them.
    pub taken: isize,
    /// Blocks.
    pub blocks: isize,
}

impl Held {
    const NOTHING: Held = Held { octets: 0, taken: 0, blocks: 0 };
}

impl Sub for Held {
    type Output = Held;
    fn sub(self, other: Held) -> Held {
        Held {
            octets: self.octets - other.octets,
            taken: self.taken - other.taken,
            blocks: self.blocks - other.blocks,
        }
    }
}

thread_local! {
    static COUNTS: Cell<bool> = const { Cell::new(false) };
    static HELD: Cell<Held> = const { Cell::new(Held::NOTHING) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// From now on this thread counts.
pub fn count() {
    COUNTS.set(true);
}

/// What this thread holds.
pub fn held() -> Held {
    HELD.get()
}

/// The most that `f` makes this thread hold, in octets taken and beyond what it held before; and what `f` gives.
pub fn peak<T>(f: impl FnOnce() -> T) -> (isize, T) {
    let before = HELD.get().taken;
    PEAK.set(before);
    let result = f();
    (PEAK.get() - before, result)
}

/// What glibc puts before each block.
const HEADER: usize = size_of::<usize>();

fn note(pointer: *mut u8, size: usize, sign: isize) {
    if !COUNTS.get() || pointer.is_null() {
        return;
    }
    // SAFETY: the pointer is to a block that the system's allocator has given out and not taken back.
    let usable = unsafe { libc::malloc_usable_size(pointer.cast()) };
    let mut held = HELD.get();
    held.octets += sign * size as isize;
    held.taken += sign * (usable + HEADER) as isize;
    held.blocks += sign;
    HELD.set(held);
    PEAK.set(PEAK.get().max(held.taken));
}

/// The system's allocator, counting.
pub struct Counting;

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let pointer = unsafe { System.alloc(layout) };
        note(pointer, layout.size(), 1);
        pointer
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let pointer = unsafe { System.alloc_zeroed(layout) };
        note(pointer, layout.size(), 1);
        pointer
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(pointer, layout.size(), -1);
        let moved = unsafe { System.realloc(pointer, layout, size) };
        if moved.is_null() {
            note(pointer, layout.size(), 1)
        } else {
            note(moved, size, 1)
        };
        moved
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(pointer, layout.size(), -1);
        unsafe { System.dealloc(pointer, layout) }
    }
}
