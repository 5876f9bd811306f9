//! The way the kernel takes from the root to a file: each name it looks up, and the directory it looks it up in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// As many symbolic links as the kernel follows (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

/// The directories that decide what a path means, symbolic links resolved: when one of the names in them changes, the
/// path may lead elsewhere. It ends where the path does, or at the first name that is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trail {
    /// Directories and the names that are looked up in each.
    pub(super) names: BTreeMap<PathBuf, BTreeSet<OsString>>,
    /// The directory of the last name.
    pub(super) last: PathBuf,
    /// What the path leads to, if it is there.
    pub(super) file: Option<PathBuf>,
}

enum Step {
    Root,
    Up,
    Name(OsString),
}

fn steps(path: &Path) -> impl DoubleEndedIterator<Item = Step> {
    path.components().filter_map(|component| match component {
        Component::RootDir => Some(Step::Root),
        Component::ParentDir => Some(Step::Up),
        Component::Normal(name) => Some(Step::Name(name.to_owned())),
        Component::CurDir | Component::Prefix(_) => None,
    })
}

impl Trail {
    /// Follows an absolute path.
    pub(super) fn of(path: &Path) -> Trail {
        let mut trail = Trail { last: PathBuf::from("/"), ..Trail::default() };
        let mut ahead: VecDeque<Step> = steps(path).collect();
        let mut here = PathBuf::from("/");
        let mut links = 0;
        while let Some(step) = ahead.pop_front() {
            let name = match step {
                Step::Root => {
                    here = PathBuf::from("/");
                    continue;
                }
                Step::Up => {
                    here.pop();
                    continue;
                }
                Step::Name(name) => name,
            };
            let entry = here.join(&name);
            trail.visit(&here, &name);
            let Ok(metadata) = fs::symlink_metadata(&entry) else { return trail };
            if !metadata.is_symlink() {
                here = entry;
                continue;
            }
            links += 1;
            match fs::read_link(&entry) {
                Ok(target) if links <= MAX_LINKS => steps(&target).rev().for_each(|s| ahead.push_front(s)),
                _ => return trail,
            }
        }
        trail.file = Some(here);
        trail
    }

    fn visit(&mut self, directory: &Path, name: &OsStr) {
        self.names.entry(directory.into()).or_default().insert(name.into());
        self.last = directory.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::test_support::Folder;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_and_every_directory_on_the_way_counts() {
        let folder = Folder::new();
        fs::create_dir(folder.path().join("..v1")).unwrap();
        fs::write(folder.path().join("..v1/prefixes"), "").unwrap();
        symlink("..v1", folder.path().join("..data")).unwrap();
        symlink("..data/prefixes", folder.path().join("prefixes")).unwrap();

        let trail = Trail::of(&folder.path().join("prefixes"));
        assert_eq!(trail.file, Some(folder.path().join("..v1/prefixes")));
        assert_eq!(trail.last, folder.path().join("..v1"));
        let looked_up: Vec<_> = trail.names[folder.path()].iter().collect();
        assert_eq!(looked_up, ["..data", "..v1", "prefixes"]);
        assert!(trail.names.contains_key(Path::new("/")));
    }

    #[test]
    fn a_missing_directory_ends_the_trail_above_it() {
        let folder = Folder::new();
        let trail = Trail::of(&folder.path().join("a/b/prefixes"));
        assert_eq!((trail.file, trail.last.as_path()), (None, folder.path()));
        assert!(trail.names[folder.path()].contains(OsStr::new("a")));
    }

    #[test]
    fn a_loop_of_links_ends() {
        let folder = Folder::new();
        symlink("b", folder.path().join("a")).unwrap();
        symlink("a", folder.path().join("b")).unwrap();
        assert_eq!(Trail::of(&folder.path().join("a")).file, None);
    }
}
