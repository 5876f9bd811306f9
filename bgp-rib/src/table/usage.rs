//! Who needs a destination beside its paths, in three octets: what an IPv4 prefix leaves of eight.

/// How often a destination is held, and whether it waits for a look whether it can be freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage([u8; 3]);

const VACANT: u32 = 1 << 23;

/// A destination that was held so often at a time is never freed: how often it is held is not known any more. Peers can
/// only come so far with millions of paths to one destination, all of them sent on.
const MOST: u32 = VACANT - 1;

impl Usage {
    fn get(self) -> u32 {
        let Usage([a, b, c]) = self;
        u32::from_le_bytes([a, b, c, 0])
    }

    fn set(&mut self, value: u32) {
        let [a, b, c, _] = value.to_le_bytes();
        *self = Usage([a, b, c]);
    }

    /// Whether somebody holds it.
    pub(super) fn is_held(self) -> bool {
        self.get() & MOST != 0
    }

    /// One more holds it.
    pub(super) fn hold(&mut self) {
        if self.get() & MOST != MOST {
            self.set(self.get() + 1);
        }
    }

    /// One less holds it.
    pub(super) fn release(&mut self) {
        if !matches!(self.get() & MOST, 0 | MOST) {
            self.set(self.get() - 1);
        }
    }

    /// Whether its last path or hold went, and it waits for a look whether it can be freed.
    pub(super) fn is_vacant(self) -> bool {
        self.get() & VACANT != 0
    }

    /// Sets [`Usage::is_vacant`].
    pub(super) fn set_vacant(&mut self, is_vacant: bool) {
        self.set(self.get() & MOST | if is_vacant { VACANT } else { 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_are_counted_beside_the_mark() {
        let mut usage = Usage::default();
        usage.release();
        assert!(!usage.is_held() && !usage.is_vacant());
        (0..300).for_each(|_| usage.hold());
        usage.set_vacant(true);
        (0..299).for_each(|_| usage.release());
        assert!(usage.is_held() && usage.is_vacant());
        usage.release();
        assert!(!usage.is_held() && usage.is_vacant());
        usage.set_vacant(false);
        assert_eq!(usage, Usage::default());
    }

    #[test]
    fn what_is_held_too_often_to_count_stays() {
        let mut usage = Usage::default();
        usage.set(MOST - 1);
        usage.hold();
        usage.hold();
        usage.release();
        assert_eq!(usage.get(), MOST);
    }
}
