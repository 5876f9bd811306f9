//! Which daemon is meant when none is named.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bgp_daemon::config::trial_socket;

use crate::error::CliError;

/// The given socket, unless the name is empty; else the only one in `/run/bgp`; else that of a trial.
pub(crate) fn find(given: Option<OsString>) -> Result<PathBuf, CliError> {
    match given.filter(|socket| !socket.is_empty()) {
        Some(socket) => Ok(PathBuf::from(socket)),
        None => search(Path::new("/run/bgp"), &trial_socket()),
    }
}

fn search(directory: &Path, trial: &Path) -> Result<PathBuf, CliError> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut sockets: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "sock")).collect();
    sockets.sort();
    match sockets.as_slice() {
        [only] => Ok(only.clone()),
        [] if trial.exists() => Ok(trial.to_owned()),
        [] => Err(CliError::NoSocket),
        _ => Err(CliError::SeveralSockets(sockets)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_socket_is_meant_then_the_trial_and_never_one_of_several() {
        let directory = std::env::temp_dir().join(format!("bgp-socket-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let trial = directory.join("trial");
        assert!(matches!(search(&directory, &trial), Err(CliError::NoSocket)));
        std::fs::write(&trial, "").unwrap();
        assert_eq!(search(&directory, &trial).unwrap(), trial);
        std::fs::write(directory.join("a.sock"), "").unwrap();
        assert_eq!(search(&directory, &trial).unwrap(), directory.join("a.sock"));
        std::fs::write(directory.join("b.sock"), "").unwrap();
        assert!(
            matches!(search(&directory, &trial), Err(CliError::SeveralSockets(found)) if found.len() == 2)
        );
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
