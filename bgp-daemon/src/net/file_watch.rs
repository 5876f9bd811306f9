//! The watched announce file: prefixes that come and go at run time.
//!
//! inotify tells of changes to inodes, and a path can come to mean another inode in many ways: an editor renames a new
//! file over the old one, Kubernetes swaps a symbolic link beside a ConfigMap's files, `/run/bgp` is removed and made
//! again. So every directory that the path's lookup passes is watched for the names that are looked up there (see
//! [`trail`]), and the file itself for writes through another path, as with a bind mount.

mod content;
mod trail;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bgp_core::Prefix;
use futures::{FutureExt, StreamExt};
use inotify::{EventMask, EventOwned, EventStream, Inotify, WatchDescriptor, WatchMask};
use tokio::task::JoinHandle;

pub use content::AnnounceFileError;
use trail::Trail;

/// How often the path is followed anew when it changes under our eyes; events are on their way then, and go on.
const ATTEMPTS: usize = 8;

/// What an announce file says, or why it says nothing.
pub type Announced = Result<Arc<BTreeSet<Prefix>>, AnnounceFileError>;

/// Watches an announce file: one prefix a line, `#` starts a comment. At most 16 MiB.
///
/// A file that is replaced by a rename or a link is seen in one piece. One that is written in place is read when its
/// writer closes it, never half written.
pub struct FileWatch {
    path: PathBuf,
    events: EventStream<[u8; 4096]>,
    watched: BTreeMap<WatchDescriptor, Watched>,
    /// What was told last.
    told: Option<Announced>,
    /// Whether the file may say something else than was told.
    stale: bool,
    /// The read under way. Dropping the future that waits for it must not begin it anew: a long one would never end.
    reading: Option<JoinHandle<Result<BTreeSet<Prefix>, AnnounceFileError>>>,
}

/// What a watch is for: a directory with names of interest, or the file itself, without.
#[derive(Default)]
struct Watched {
    directory: PathBuf,
    names: BTreeSet<OsString>,
}

/// What an event asks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Demand {
    Nothing,
    /// The path may lead elsewhere, but what is there is still being written.
    Follow,
    /// The file may say something else.
    Read,
}

impl FileWatch {
    /// Starts to watch `path`, which need not exist. Must run in a tokio runtime.
    ///
    /// # Errors
    /// [`AnnounceFileError::Watch`] if the kernel has no inotify instance left for this user.
    pub fn new(path: impl AsRef<Path>) -> Result<FileWatch, AnnounceFileError> {
        let path = path.as_ref();
        let failed = |error| watch_error(path, path, &error);
        let path = std::path::absolute(path).map_err(failed)?;
        let events =
            Inotify::init().and_then(|inotify| inotify.into_event_stream([0; 4096])).map_err(failed)?;
        Ok(FileWatch { path, events, watched: BTreeMap::new(), told: None, stale: true, reading: None })
    }

    /// What the file says: at once when asked for the first time, then whenever that has changed. An error is told
    /// once; the prefixes told before are meant to stay until the next set. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Announced {
        loop {
            if self.stale {
                let now = self.look().await;
                self.stale = false;
                if self.told.as_ref() != Some(&now) {
                    self.told = Some(now.clone());
                    return now;
                }
            }
            let demand = self.demand().await;
            self.heed(demand);
        }
    }

    fn heed(&mut self, demand: Demand) {
        self.stale |= match demand {
            Demand::Nothing => false,
            Demand::Follow => self.follow().is_err(),
            Demand::Read => true,
        };
    }

    /// Follows the path, then reads what is there: a change after the first is told by an event.
    async fn look(&mut self) -> Announced {
        if self.reading.is_none() {
            self.follow()?;
        }
        let path = self.path.clone();
        let begin = || tokio::task::spawn_blocking(move || content::read(&path));
        let read = self.reading.get_or_insert_with(begin).await;
        self.reading = None;
        let read = read.unwrap_or_else(|error| Err(content::failed(&self.path, &io::Error::other(error))));
        read.map(Arc::new)
    }

    /// Waits for an event; what it and all others that are there ask for together.
    async fn demand(&mut self) -> Demand {
        let Some(Ok(first)) = self.events.next().await else {
            // Reading an inotify descriptor fails only once it is gone.
            return std::future::pending().await;
        };
        let mut demand = self.demand_of(&first);
        while let Some(Some(Ok(event))) = self.events.next().now_or_never() {
            demand = demand.max(self.demand_of(&event));
        }
        demand
    }

    fn demand_of(&self, event: &EventOwned) -> Demand {
        if event.mask.contains(EventMask::Q_OVERFLOW) {
            return Demand::Read;
        }
        let Some(watched) = self.watched.get(&event.wd) else { return Demand::Nothing };
        let Some(name) = &event.name else { return self.demand_of_itself(event.mask) };
        if !watched.names.contains(name) {
            Demand::Nothing
        } else if event.mask.contains(EventMask::CREATE) && is_being_written(&watched.directory.join(name)) {
            Demand::Follow
        } else {
            Demand::Read
        }
    }

    /// For an event of a watched inode, not of a name in it.
    fn demand_of_itself(&self, mask: EventMask) -> Demand {
        // A change of the mode helps where reading failed; else it may come in the middle of writing.
        let readable = matches!(self.told, Some(Ok(_)));
        if mask == EventMask::ATTRIB && readable { Demand::Nothing } else { Demand::Read }
    }

    /// Watches what now decides what the path means, and nothing else.
    fn follow(&mut self) -> Result<(), AnnounceFileError> {
        let mut trail = Trail::of(&self.path);
        for _ in 0..ATTEMPTS {
            self.watch(&trail)?;
            let now = Trail::of(&self.path);
            if now == trail {
                break;
            }
            trail = now;
        }
        Ok(())
    }

    fn watch(&mut self, trail: &Trail) -> Result<(), AnnounceFileError> {
        let mut watched: BTreeMap<WatchDescriptor, Watched> = BTreeMap::new();
        for (directory, names) in &trail.names {
            if let Some(descriptor) = self.add_directory(directory, *directory == trail.last)? {
                let entry = watched.entry(descriptor).or_default();
                entry.directory.clone_from(directory);
                entry.names.extend(names.iter().cloned());
            }
        }
        if let Some(file) = &trail.file {
            let mask = WatchMask::CLOSE_WRITE | WatchMask::ATTRIB | WatchMask::MASK_ADD;
            // Where this fails the read that follows tells why, or the trail is already another.
            if let Ok(descriptor) = self.events.watches().add(file, mask) {
                watched.entry(descriptor).or_default();
            }
        }
        let before = std::mem::replace(&mut self.watched, watched);
        for (descriptor, _) in before {
            if !self.watched.contains_key(&descriptor) {
                // Fails if the inode is gone, and the watch with it.
                let _gone = self.events.watches().remove(descriptor);
            }
        }
        Ok(())
    }

    /// `None`: the directory is gone, or is above the last one and not ours to read; then only a rename of it or of
    /// one above goes unnoticed.
    fn add_directory(
        &self,
        directory: &Path,
        last: bool,
    ) -> Result<Option<WatchDescriptor>, AnnounceFileError> {
        let links = WatchMask::CREATE | WatchMask::DELETE | WatchMask::MOVE;
        let itself = WatchMask::DELETE_SELF | WatchMask::MOVE_SELF | WatchMask::ONLYDIR | WatchMask::MASK_ADD;
        let writes = if last { WatchMask::CLOSE_WRITE } else { WatchMask::empty() };
        match self.events.watches().add(directory, links | itself | writes) {
            Ok(descriptor) => Ok(Some(descriptor)),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
                io::ErrorKind::PermissionDenied if !last => Ok(None),
                _ => Err(watch_error(&self.path, directory, &error)),
            },
        }
    }
}

/// Whether what was created at `path` will be closed by its writer, an event of its own. A link is complete from the
/// start, hard or symbolic.
fn is_being_written(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.nlink() == 1)
}

fn watch_error(path: &Path, at: &Path, error: &io::Error) -> AnnounceFileError {
    let remedy = match error.raw_os_error() {
        Some(libc::ENOSPC) => "; raise the sysctl fs.inotify.max_user_watches",
        Some(libc::EMFILE) => "; raise the sysctl fs.inotify.max_user_instances, or the limit of open files",
        Some(libc::EACCES) => "; the daemon's user needs to read this directory",
        _ => "",
    };
    AnnounceFileError::Watch { path: path.into(), at: at.into(), reason: format!("{error}{remedy}") }
}

#[cfg(test)]
mod tests;
