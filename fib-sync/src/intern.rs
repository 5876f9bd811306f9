//! Equal values stored once and named by four bytes: a table of a million routes has few targets.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;

/// Names a value of the [`Interner`] that gave it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Id(NonZeroU32);

/// Values with a count of their users; the last release frees the value.
pub(crate) struct Interner<T> {
    ids: HashMap<T, Id>,
    slots: HashMap<Id, (T, usize)>,
    free: Vec<Id>,
}

impl<T: Clone + Eq + Hash> Interner<T> {
    pub(crate) fn new() -> Self {
        Self { ids: HashMap::new(), slots: HashMap::new(), free: Vec::new() }
    }

    pub(crate) fn get(&self, id: Id) -> Option<&T> {
        self.slots.get(&id).map(|(value, _)| value)
    }

    pub(crate) fn find(&self, value: &T) -> Option<Id> {
        self.ids.get(value).copied()
    }

    /// All values with their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        self.slots.iter().map(|(id, (value, _))| (*id, value))
    }

    /// Counts one user more, and tells whether it is the first.
    pub(crate) fn acquire(&mut self, value: &T) -> (Id, bool) {
        if let Some(id) = self.find(value) {
            self.retain(id);
            return (id, false);
        }
        let unused = NonZeroU32::MIN.saturating_add(self.slots.len() as u32);
        let id = self.free.pop().unwrap_or(Id(unused));
        self.ids.insert(value.clone(), id);
        self.slots.insert(id, (value.clone(), 1));
        (id, true)
    }

    pub(crate) fn retain(&mut self, id: Id) {
        if let Some((_, users)) = self.slots.get_mut(&id) {
            *users += 1;
        }
    }

    /// Counts one user less; returns the value if that was the last.
    pub(crate) fn release(&mut self, id: Id) -> Option<T> {
        let (_, users) = self.slots.get_mut(&id)?;
        *users -= 1;
        if *users > 0 {
            return None;
        }
        let (value, _) = self.slots.remove(&id)?;
        self.ids.remove(&value);
        self.free.push(id);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lives_as_long_as_its_last_user() {
        let mut interner = Interner::new();
        let (id, first) = interner.acquire(&"a");
        assert!(first);
        assert_eq!(interner.acquire(&"a"), (id, false));
        assert_eq!(interner.release(id), None);
        assert_eq!(interner.release(id), Some("a"));
        assert_eq!((interner.get(id), interner.find(&"a")), (None, None));
    }

    #[test]
    fn names_are_reused_and_never_shared() {
        let mut interner = Interner::new();
        let (a, _) = interner.acquire(&"a");
        let (b, _) = interner.acquire(&"b");
        interner.release(a);
        let (c, _) = interner.acquire(&"c");
        let (d, _) = interner.acquire(&"d");
        assert!(c == a && d != b && d != c);
        assert_eq!(interner.get(b), Some(&"b"));
    }
}
