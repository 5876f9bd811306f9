//! A full disk.

use super::{Scene, beside, crowd};
use crate::{Error, Result, SmallDisk, ensure};
use std::path::Path;

/// Octets of the disk.
const SIZE: u64 = 8 << 20;
/// Strangers at a time: each is a line in the log.
const STRANGERS: usize = 20;

/// Log and MRT are on a disk that a file beside them fills, and then no longer does.
pub(super) fn disk(scene: &mut Scene<'_>) -> Result<String> {
    let disk = SmallDisk::new(SIZE)?;
    let (log, mrt) = (disk.path().join("log"), disk.path().join("mrt"));
    let node = scene.rig.reflector.node.clone();
    let named = node.dir().join("route-reflector.log");
    let linked = std::fs::remove_file(&named).and_then(|()| std::os::unix::fs::symlink(&log, &named));
    linked.map_err(Error::io(format!("cannot replace {}", named.display())))?;
    scene.rig.reflector.start_with(&format!("[mrt]\ndirectory = \"{}\"\n", mrt.display()))?;
    scene.rig.is_whole()?;

    disk.fill()?;
    let full = [octets(&log), octets(&mrt)];
    let stranger = scene.rig.net.node("stranger")?;
    let (to, mut note) = (scene.port(), String::new());
    let strangers = beside(
        &stranger,
        |stop| Ok(crowd::crowd(to, STRANGERS, stop, &[])),
        || {
            note = scene.tables(5)?;
            Ok(())
        },
    )?;
    let grown = [octets(&log).saturating_sub(full[0]), octets(&mrt).saturating_sub(full[1])];
    let lost = crate::told::records_lost(scene.rig.reflector.peer()?)?;
    disk.free()?;
    scene.disk = Some(disk);
    goes_on(scene, &log, &mrt)?;
    Ok(format!(
        "{note}; {} strangers; the full disk took {} octets of the log and {} of MRT, {lost} records of MRT are lost; \
         then both went on",
        strangers.attempts, grown[0], grown[1]
    ))
}

/// Both are written again.
fn goes_on(scene: &mut Scene<'_>, log: &Path, mrt: &Path) -> Result<()> {
    let (log_before, mrt_before) = (octets(log), octets(mrt));
    scene.rig.net.clone().eventually("log and MRT go on", || {
        scene.tables(1)?;
        let (log, mrt) = (octets(log), octets(mrt));
        ensure(log > log_before && mrt > mrt_before, || format!("{log} octets of the log, {mrt} of MRT"))
    })
}

/// Of a file, or of all in a directory.
fn octets(path: &Path) -> u64 {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| octets(&entry.path())).sum(),
        Err(_) => path.metadata().map(|file| file.len()).unwrap_or(0),
    }
}
