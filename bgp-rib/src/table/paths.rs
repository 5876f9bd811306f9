//! The paths of one destination.

use crate::decision::Decision;
use crate::path::Path;

/// Most destinations have one path: it needs no allocation.
#[derive(Debug)]
pub(super) enum Paths {
    One(Path),
    Many(Vec<Path>),
}

impl Paths {
    pub(super) const NONE: Paths = Paths::Many(Vec::new());

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
        let mut paths = match std::mem::replace(self, Paths::NONE) {
            // Room for two, which is what most of those that do not stay alone become.
            Paths::One(path) if place.is_none() => {
                let mut paths = Vec::with_capacity(2);
                paths.push(path);
                paths
            }
            Paths::One(path) => {
                *self = new.map_or(Paths::NONE, Paths::One);
                return Some(path);
            }
            Paths::Many(paths) => paths,
        };
        let old = place.filter(|place| *place < paths.len()).map(|place| paths.remove(place));
        if old.is_some() {
            decision.rerank(&mut paths);
        }
        match new {
            Some(new) if paths.is_empty() => paths.push(new),
            Some(new) => decision.place(&mut paths, new),
            None => {}
        }
        *self = Paths::from_vec(paths);
        old
    }

    /// Takes out the paths that are `unwanted`, in their order.
    pub(super) fn remove(&mut self, unwanted: impl Fn(&Path) -> bool, decision: Decision<'_>) -> Paths {
        let mut paths = match std::mem::replace(self, Paths::NONE) {
            Paths::One(path) if unwanted(&path) => return Paths::One(path),
            Paths::One(path) => {
                *self = Paths::One(path);
                return Paths::NONE;
            }
            Paths::Many(paths) => paths,
        };
        let gone: Vec<Path> = paths.extract_if(.., |path| unwanted(path)).collect();
        if !gone.is_empty() {
            decision.rerank(&mut paths);
        }
        *self = Paths::from_vec(paths);
        Paths::from_vec(gone)
    }

    pub(super) fn for_each(self, mut on: impl FnMut(Path)) {
        match self {
            Paths::One(path) => on(path),
            Paths::Many(paths) => paths.into_iter().for_each(on),
        }
    }

    /// A list of one gives up its allocation.
    fn from_vec(mut paths: Vec<Path>) -> Paths {
        match paths.pop() {
            Some(path) if paths.is_empty() => Paths::One(path),
            Some(path) => {
                paths.push(path);
                Paths::Many(paths)
            }
            None => Paths::NONE,
        }
    }
}
