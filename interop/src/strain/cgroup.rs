//! A bound on a process's memory.

use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// A group with one process in it, until it is dropped; the process must have ended then.
#[derive(Debug)]
pub(super) struct Cgroup(PathBuf);

impl Cgroup {
    /// Puts a process into a group that may take so many bytes.
    pub(super) fn new(pid: &str, bytes: u64) -> Result<Cgroup> {
        let root = Path::new("/sys/fs/cgroup");
        // With version 1 each resource has a tree of its own.
        let first = root.join("memory");
        let (root, limit) = match first.is_dir() {
            true => (first.as_path(), "memory.limit_in_bytes"),
            false => (root, "memory.max"),
        };
        let path = root.join(format!("bgp-strain-{}", std::process::id()));
        std::fs::create_dir(&path).map_err(Error::io(format!("cannot create {}", path.display())))?;
        let group = Cgroup(path);
        for (file, value) in [(limit, bytes.to_string()), ("cgroup.procs", pid.to_owned())] {
            let file = group.0.join(file);
            std::fs::write(&file, value).map_err(Error::io(format!("cannot write {}", file.display())))?;
        }
        Ok(group)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // It stays if a process is left in it, and does no harm.
        let _ = std::fs::remove_dir(&self.0);
    }
}
