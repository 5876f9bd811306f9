//! The control socket's file: whose it is, and who may use it.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener as Bound;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, getgroups, setgroups};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{UnixListener, UnixStream};

use super::server::ServeError;
use crate::config::Api;

/// Owner and group may connect, which takes write permission.
const MODE: u32 = 0o660;

/// Anybody may write.
const WRITABLE_BY_ALL: u32 = 0o002;
/// Nobody may remove or rename what others have there.
const STICKY: u32 = 0o1000;

/// Connections that may wait.
const BACKLOG: i32 = 128;

/// Puts the process into the socket's group, while it may still do so: who is in a group may give it a file. If that fails,
/// the daemon's start says what is missing.
pub(crate) fn join_group(api: &Api) {
    let Some(Ok(group)) = api.group.as_deref().map(find_group) else { return };
    if let Ok(mut groups) = getgroups()
        && !groups.contains(&group)
    {
        groups.push(group);
        let _ = setgroups(&groups);
    }
}

/// A group by its name, or by its number where no name is known.
fn find_group(name: &str) -> Result<Gid, ServeError> {
    let known = Group::from_name(name).ok().flatten().map(|group| group.gid);
    let number = || name.parse().ok().map(Gid::from_raw);
    known.or_else(number).ok_or_else(|| ServeError::NoGroup(name.to_owned()))
}

/// Binds under another name, sets group and mode, then takes the name and listens: nobody ever sees the socket with other
/// permissions, and nobody gets in before.
pub(super) async fn bind(path: &Path, group: Option<&str>) -> Result<(UnixListener, SocketFile), ServeError> {
    check_free(path).await?;
    let group = group.map(|name| find_group(name).map(|gid| (name, gid))).transpose()?;
    let failed = |error| ServeError::Socket { path: path.to_owned(), error };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
        warn_of(directory);
    }
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}", std::process::id()));
    let new = PathBuf::from(new);
    let _ = std::fs::remove_file(&new);
    match take(path, &new, group) {
        Ok(bound) => Ok(bound),
        Err(error) => {
            let _ = std::fs::remove_file(&new);
            Err(error)
        }
    }
}

fn take(
    path: &Path,
    new: &Path,
    group: Option<(&str, Gid)>,
) -> Result<(UnixListener, SocketFile), ServeError> {
    let failed = |error| ServeError::Socket { path: path.to_owned(), error };
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::UNIX, kind, None).map_err(failed)?;
    socket.bind(&SockAddr::unix(new).map_err(failed)?).map_err(failed)?;
    if let Some((name, gid)) = group {
        let refused = |error| ServeError::Group { path: path.to_owned(), group: name.to_owned(), error };
        chown(new, None, Some(gid.as_raw())).map_err(refused)?;
    }
    std::fs::set_permissions(new, std::fs::Permissions::from_mode(MODE)).map_err(failed)?;
    std::fs::rename(new, path).map_err(failed)?;
    let inode = std::fs::metadata(path).map_err(failed)?.ino();
    let file = SocketFile { path: path.to_owned(), inode };
    socket.listen(BACKLOG).map_err(failed)?;
    Ok((UnixListener::from_std(Bound::from(socket)).map_err(failed)?, file))
}

/// Whoever may rename the socket may put another in its place, and `bgp` would talk to that.
fn warn_of(directory: &Path) {
    let Ok(metadata) = std::fs::metadata(directory) else { return };
    if metadata.mode() & (WRITABLE_BY_ALL | STICKY) == WRITABLE_BY_ALL {
        let directory = directory.display();
        tracing::warn!(
            "everybody may put another control socket in the place of this one: `chmod o-w {directory}`"
        );
    }
}

async fn check_free(path: &Path) -> Result<(), ServeError> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(ServeError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(_) => Err(ServeError::InUse(path.to_owned())),
        Err(error) => Err(ServeError::Socket { path: path.to_owned(), error }),
    }
}

/// The socket's name in the file system; removed at the end unless another daemon has taken it since.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if std::fs::metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
