//! A disk that is full.

use crate::command::run;
use crate::{Error, Result};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A file system in memory of a fixed size, and a file on it that takes all that is free. Gone when it is dropped.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Of so many octets.
    ///
    /// # Errors
    /// If it cannot be mounted: that takes root.
    pub fn new(octets: u64) -> Result<SmallDisk> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("bgp-disk-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(Error::io(format!("cannot create {}", path.display())))?;
        let disk = SmallDisk(path);
        let size = format!("size={octets}");
        run("mount", &["-t", "tmpfs", "-o", &size, "bgp-disk", &disk.0.display().to_string()])?;
        Ok(disk)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Takes what is free, whoever else writes.
    ///
    /// # Errors
    /// If the file cannot be written for another reason than that.
    pub fn fill(&self) -> Result<()> {
        let io = || Error::io(format!("cannot fill {}", self.0.display()));
        let mut file = File::options().append(true).create(true).open(self.filler()).map_err(io())?;
        loop {
            match file.write(&[0; 4096]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(io()(error)),
            }
        }
    }

    /// Gives it back.
    ///
    /// # Errors
    /// If the disk was not filled.
    pub fn free(&self) -> Result<()> {
        let path = self.filler();
        std::fs::remove_file(&path).map_err(Error::io(format!("cannot remove {}", path.display())))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Somebody may still write to a file on it: it goes when that ends.
        let _ = run("umount", &["--lazy", &self.0.display().to_string()]);
        let _ = std::fs::remove_dir(&self.0);
    }
}
