//! Equal values stored once and named by three octets: a table of a million routes has few targets.

use std::collections::HashMap;
use std::hash::Hash;

/// Names a value of the [`Interner`] that gave it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id(u32);

impl Id {
    /// No value has one of the numbers below.
    pub(crate) const FIRST: u32 = 2;
    /// One more than the highest.
    pub(crate) const END: u32 = 1 << 24;

    pub(crate) fn number(self) -> u32 {
        self.0
    }

    /// The name with this number, if there can be one.
    pub(crate) fn from_number(number: u32) -> Option<Id> {
        (Self::FIRST..Self::END).contains(&number).then_some(Id(number))
    }

    /// Its place in a list of all.
    pub(crate) fn index(self) -> usize {
        (self.0 - Self::FIRST) as usize
    }
}

/// Values with a count of their users; the last release frees the value.
pub(crate) struct Interner<T> {
    ids: HashMap<T, Id>,
    values: Vec<Option<(T, u32)>>,
    free: Vec<Id>,
    /// Acquired last: routes of one target come together, and to compare takes less than to hash.
    last: Id,
}

impl<T: Clone + Eq + Hash> Interner<T> {
    pub(crate) fn new() -> Self {
        Self { ids: HashMap::new(), values: Vec::new(), free: Vec::new(), last: Id(Id::FIRST) }
    }

    fn entry(&self, id: Id) -> Option<&(T, u32)> {
        self.values.get(id.index())?.as_ref()
    }

    pub(crate) fn get(&self, id: Id) -> Option<&T> {
        self.entry(id).map(|(value, _)| value)
    }

    pub(crate) fn users(&self, id: Id) -> u32 {
        self.entry(id).map_or(0, |(_, users)| *users)
    }

    pub(crate) fn find(&self, value: &T) -> Option<Id> {
        self.ids.get(value).copied()
    }

    /// All values with their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        self.ids.iter().map(|(value, id)| (*id, value))
    }

    /// Counts one user more, and tells whether it is the first. `None`: there are 16 million values.
    pub(crate) fn acquire(&mut self, value: T) -> Option<(Id, bool)> {
        let is_last = self.get(self.last) == Some(&value);
        if let Some(id) = if is_last { Some(self.last) } else { self.find(&value) } {
            self.last = id;
            self.retain(id);
            return Some((id, false));
        }
        let id = self.free.pop().or_else(|| {
            let id = Id::from_number(Id::FIRST + u32::try_from(self.values.len()).ok()?)?;
            self.values.push(None);
            Some(id)
        })?;
        self.ids.insert(value.clone(), id);
        if let Some(place) = self.values.get_mut(id.index()) {
            *place = Some((value, 1));
        }
        self.last = id;
        Some((id, true))
    }

    pub(crate) fn retain(&mut self, id: Id) {
        if let Some(Some((_, users))) = self.values.get_mut(id.index()) {
            *users += 1;
        }
    }

    /// Counts one user less; returns the value if that was the last.
    pub(crate) fn release(&mut self, id: Id) -> Option<T> {
        let place = self.values.get_mut(id.index())?;
        let (_, users) = place.as_mut()?;
        *users -= 1;
        if *users > 0 {
            return None;
        }
        let (value, _) = place.take()?;
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
        let (id, first) = interner.acquire("a").unwrap();
        assert!(first);
        assert_eq!((interner.acquire("a"), interner.users(id)), (Some((id, false)), 2));
        assert_eq!(interner.release(id), None);
        assert_eq!(interner.release(id), Some("a"));
        assert_eq!((interner.get(id), interner.find(&"a"), interner.users(id)), (None, None, 0));
    }

    #[test]
    fn names_are_reused_and_never_shared() {
        let mut interner = Interner::new();
        let [a, b] = ["a", "b"].map(|value| interner.acquire(value).unwrap().0);
        interner.release(a);
        let [c, d] = ["c", "d"].map(|value| interner.acquire(value).unwrap().0);
        assert!(c == a && d != b && d != c);
        assert_eq!(interner.get(b), Some(&"b"));
        // The one acquired last is gone, and its name is another's.
        interner.release(d);
        let e = interner.acquire("e").unwrap().0;
        assert!(e == d && interner.acquire("d").unwrap() != (e, false));
    }
}
