//! The paths of one destination.

use crate::decision::Decision;
use crate::path::Path;

/// Most destinations have one path: it needs no allocation. A list has no room to spare: there are many lists, and they
/// grow seldom beside how often they are read.
#[derive(Debug)]
pub(super) enum Paths {
    One(Path),
    /// None, or at least two.
    Many(Box<[Path]>),
}

impl Default for Paths {
    fn default() -> Paths {
        Paths::Many(Box::default())
    }
}

impl Paths {
    pub(super) fn as_slice(&self) -> &[Path] {
        match self {
            Paths::One(path) => std::slice::from_ref(path),
            Paths::Many(paths) => paths,
        }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [Path] {
        match self {
            Paths::One(path) => std::slice::from_mut(path),
            Paths::Many(paths) => paths,
        }
    }

    /// Takes out the path at `place`, puts in `new`, and gives back what was taken out.
    pub(super) fn replace(
        &mut self,
        place: Option<usize>,
        new: Option<Path>,
        decision: Decision<'_>,
    ) -> Option<Path> {
        match (std::mem::take(self), place, new) {
            (Paths::One(old), Some(_), new) => {
                *self = new.map_or_else(Paths::default, Paths::One);
                Some(old)
            }
            (Paths::Many(list), Some(place), new) => {
                let mut list = list.into_vec();
                let old = (place < list.len()).then(|| list.remove(place));
                decision.rerank(&mut list);
                new.into_iter().for_each(|new| decision.place(&mut list, new));
                *self = Paths::from_vec(list);
                old
            }
            (Paths::Many(list), None, Some(new)) if list.is_empty() => {
                *self = Paths::One(new);
                None
            }
            (before, None, Some(new)) => {
                let mut list = before.into_vec_with_room();
                decision.place(&mut list, new);
                *self = Paths::from_vec(list);
                None
            }
            (before, None, None) => {
                *self = before;
                None
            }
        }
    }

    /// Takes out the paths that are `unwanted`, in their order, and gives them to `gone`.
    pub(super) fn remove(
        &mut self,
        unwanted: impl Fn(&Path) -> bool,
        decision: Decision<'_>,
        mut gone: impl FnMut(Path),
    ) {
        match std::mem::take(self) {
            Paths::One(path) if unwanted(&path) => gone(path),
            Paths::One(path) => *self = Paths::One(path),
            Paths::Many(list) => {
                let mut list = list.into_vec();
                let before = list.len();
                list.extract_if(.., |path| unwanted(path)).for_each(&mut gone);
                // All at once: they are ranked once, however many go.
                if list.len() < before {
                    decision.rerank(&mut list);
                }
                *self = Paths::from_vec(list);
            }
        }
    }

    /// Changes the paths that are `concerned`, and ranks them anew.
    pub(super) fn alter(
        &mut self,
        concerned: impl Fn(&Path) -> bool,
        change: impl Fn(&mut Path),
        decision: Decision<'_>,
    ) {
        match self {
            Paths::One(path) if concerned(path) => change(path),
            Paths::One(_) => {}
            Paths::Many(list) => {
                let mut paths = std::mem::take(list).into_vec();
                decision.alter(&mut paths, concerned, change);
                *list = paths.into_boxed_slice();
            }
        }
    }

    /// A list with room for one more.
    fn into_vec_with_room(self) -> Vec<Path> {
        match self {
            Paths::One(path) => {
                let mut list = Vec::with_capacity(2);
                list.push(path);
                list
            }
            Paths::Many(list) => {
                let mut list = list.into_vec();
                list.reserve_exact(1);
                list
            }
        }
    }

    /// A list of one gives up its allocation.
    fn from_vec(mut list: Vec<Path>) -> Paths {
        match list.pop() {
            Some(path) if list.is_empty() => Paths::One(path),
            Some(path) => {
                list.push(path);
                Paths::Many(list.into_boxed_slice())
            }
            None => Paths::default(),
        }
    }
}
