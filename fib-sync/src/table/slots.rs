//! Four octets for each route: what the kernel holds, and what is to be done.

use crate::intern::Id;

/// Slots of one chunk: growth copies none.
const CHUNK: usize = 1024;
/// Slots that share a bit of the summary.
const GROUP: u32 = 64;
/// Rounds in which queued numbers are handed out, each of them every so many numbers. Neighbouring numbers are mostly
/// neighbouring prefixes, and those, one right after another, have the kernel rebuild the same node of its trie again
/// and again: in rounds a withdrawal takes it less than half of the time.
const ROUNDS: u32 = 16;

/// The state of one number.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Slot(u32);

/// What the kernel holds as ours at a prefix.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum InKernel {
    #[default]
    Absent,
    Is(Id),
    /// Several routes: someone added to ours. They are removed one by one.
    Tangled,
}

/// A bit of a slot.
#[derive(Clone, Copy)]
pub(super) enum Flag {
    /// To be looked at.
    Queued = 24,
    /// Left by an earlier run and not yet desired: kept until the adoption is finished.
    Stale,
    /// Found by the running resync.
    Seen,
    /// Acted upon since the events were last read: those that come now may be older than the action.
    Acted,
    /// Was right until someone else changed it.
    Disturbed,
    /// The kernel refused the route: not tried again until something changes.
    Refused,
    /// A foreign route is in the way.
    Conflict,
}

const KERNEL: u32 = 0x00ff_ffff;
const TANGLED: u32 = 1;

impl Slot {
    pub(super) fn has(self, flag: Flag) -> bool {
        self.0 & 1 << flag as u32 != 0
    }

    pub(super) fn with(self, flag: Flag, value: bool) -> Slot {
        let bit = 1 << flag as u32;
        Slot(if value { self.0 | bit } else { self.0 & !bit })
    }

    pub(super) fn kernel(self) -> InKernel {
        match self.0 & KERNEL {
            TANGLED => InKernel::Tangled,
            number => Id::from_number(number).map_or(InKernel::Absent, InKernel::Is),
        }
    }

    pub(super) fn with_kernel(self, kernel: InKernel) -> Slot {
        let number = match kernel {
            InKernel::Absent => 0,
            InKernel::Tangled => TANGLED,
            InKernel::Is(id) => id.number(),
        };
        Slot(self.0 & !KERNEL | number)
    }

    pub(super) fn is_blocked(self) -> bool {
        self.has(Flag::Refused) || self.has(Flag::Conflict)
    }
}

/// The slots of all numbers; those queued are handed out in rounds.
#[derive(Default)]
pub(super) struct Slots {
    chunks: Vec<Box<[Slot]>>,
    /// A bit for each group that may have a queued slot.
    summary: Vec<u64>,
    queued: usize,
    /// Where the next queued slot is looked for first.
    next: u32,
}

impl Slots {
    pub(super) fn get(&self, number: u32) -> Slot {
        let place = number as usize;
        self.chunks.get(place / CHUNK).and_then(|chunk| chunk.get(place % CHUNK)).copied().unwrap_or_default()
    }

    fn put(&mut self, number: u32, slot: Slot) {
        let place = number as usize;
        while self.chunks.len() <= place / CHUNK {
            self.chunks.push(vec![Slot::default(); CHUNK].into());
        }
        if let Some(old) = self.chunks.get_mut(place / CHUNK).and_then(|chunk| chunk.get_mut(place % CHUNK)) {
            *old = slot;
        }
    }

    /// Changes a slot, except whether it is queued.
    pub(super) fn change(&mut self, number: u32, change: impl FnOnce(Slot) -> Slot) {
        let old = self.get(number);
        let new = change(old);
        if new != old {
            self.put(number, new);
        }
    }

    pub(super) fn set(&mut self, number: u32, flag: Flag, value: bool) {
        self.change(number, |slot| slot.with(flag, value));
    }

    /// Numbers that are queued.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// One more than the highest number that has a slot.
    pub(super) fn end(&self) -> u32 {
        (self.chunks.len() * CHUNK) as u32
    }

    /// All slots in the order of numbers, to be changed except whether they are queued.
    pub(super) fn for_each(&mut self, mut change: impl FnMut(Slot) -> Slot) {
        self.chunks.iter_mut().flatten().for_each(|slot| *slot = change(*slot));
    }

    /// Gives back the memory of slots that say nothing: those from `end` on.
    pub(super) fn truncate(&mut self, end: u32) {
        if end < self.end() {
            self.chunks.truncate((end as usize).div_ceil(CHUNK));
            self.chunks.shrink_to_fit();
            self.summary.truncate(end.div_ceil(GROUP * u64::BITS) as usize);
            self.summary.shrink_to_fit();
        }
    }

    /// Has a number looked at.
    pub(super) fn queue(&mut self, number: u32) {
        let slot = self.get(number);
        if slot.has(Flag::Queued) {
            return;
        }
        self.put(number, slot.with(Flag::Queued, true));
        self.queued += 1;
        let group = number / GROUP;
        let word = (group / u64::BITS) as usize;
        if self.summary.len() <= word {
            self.summary.resize(word + 1, 0);
        }
        if let Some(word) = self.summary.get_mut(word) {
            *word |= 1 << (group % u64::BITS);
        }
    }

    /// The next queued number, which is queued no more.
    pub(super) fn pop(&mut self) -> Option<u32> {
        if self.queued == 0 {
            return None;
        }
        loop {
            let (group, from) = (self.next / GROUP, self.next % GROUP);
            if let Some(number) = self.first_of(group, from) {
                self.set(number, Flag::Queued, false);
                self.queued -= 1;
                self.next = number + ROUNDS;
                return Some(number);
            }
            if !self.has_queued(group)
                && let Some(word) = self.summary.get_mut((group / u64::BITS) as usize)
            {
                *word &= !(1 << (group % u64::BITS));
            }
            let round = self.next % ROUNDS;
            self.next = match self.group_from(group + 1) {
                Some(group) => group * GROUP + round,
                None => self.group_from(0)? * GROUP + (round + 1) % ROUNDS,
            };
        }
    }

    /// The first queued number of a group and a round, from this place in the group on.
    fn first_of(&self, group: u32, from: u32) -> Option<u32> {
        let mut numbers = (group * GROUP + from..(group + 1) * GROUP).step_by(ROUNDS as usize);
        numbers.find(|number| self.is_queued(*number))
    }

    fn has_queued(&self, group: u32) -> bool {
        (group * GROUP..(group + 1) * GROUP).any(|number| self.is_queued(number))
    }

    fn is_queued(&self, number: u32) -> bool {
        self.get(number).has(Flag::Queued)
    }

    /// The first group from this one on that may have a queued slot.
    fn group_from(&self, group: u32) -> Option<u32> {
        let (first, bit) = (group / u64::BITS, group % u64::BITS);
        let words = self.summary.iter().enumerate().skip(first as usize);
        words
            .map(|(place, word)| {
                (place as u32, if place as u32 == first { word & (u64::MAX << bit) } else { *word })
            })
            .find(|(_, word)| *word != 0)
            .map(|(place, word)| place * u64::BITS + word.trailing_zeros())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_slot_is_four_octets_that_keep_all_apart() {
        assert_eq!(size_of::<Slot>(), 4);
        let id = Id::from_number(Id::END - 1).unwrap();
        let slot = Slot::default().with_kernel(InKernel::Is(id)).with(Flag::Conflict, true);
        assert!(slot.kernel() == InKernel::Is(id) && slot.is_blocked() && !slot.has(Flag::Queued));
        let slot = slot.with(Flag::Conflict, false).with_kernel(InKernel::Tangled);
        assert!(slot.kernel() == InKernel::Tangled && !slot.is_blocked());
        assert!(slot.with_kernel(InKernel::Absent) == Slot::default());
    }

    #[test]
    fn neighbours_come_far_apart() {
        let mut slots = Slots::default();
        (0..100).for_each(|number| slots.queue(number));
        let order: Vec<u32> = std::iter::from_fn(|| slots.pop()).collect();
        assert_eq!(order[..9], [0, 16, 32, 48, 64, 80, 96, 1, 17]);
        assert_eq!(order.len(), 100);
    }

    #[test]
    fn what_is_queued_comes_once_and_nobody_waits_for_the_busy() {
        let (mut slots, mut model) = (Slots::default(), BTreeSet::new());
        let mut random = 1_u64;
        for _ in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let number = (random >> 33) as u32 % 40_000;
            if random >> 62 == 0 {
                let popped = slots.pop();
                assert_eq!(popped.is_some(), !model.is_empty());
                assert!(popped.is_none_or(|number| model.remove(&number)));
            } else {
                slots.queue(number);
                model.insert(number);
            }
            assert_eq!(slots.queued(), model.len());
        }
        let rest: BTreeSet<u32> = std::iter::from_fn(|| slots.pop()).collect();
        assert_eq!(rest, model);
        // Even if each one that comes is queued again at once, all others come.
        let busy: BTreeSet<u32> = (90..130).collect();
        busy.iter().for_each(|number| slots.queue(*number));
        let seen: BTreeSet<u32> =
            (0..busy.len()).filter_map(|_| slots.pop().inspect(|number| slots.queue(*number))).collect();
        assert_eq!(seen, busy);
        while slots.pop().is_some() {}
        slots.queue(4_000_000);
        let turns = (0..4).map(|_| {
            slots.queue(5);
            slots.queue(6);
            slots.pop()
        });
        assert!(turns.collect::<Vec<_>>().contains(&Some(4_000_000)));
    }
}
