//! The API on its two endpoints: the Unix socket, which may do everything, and TCP, which may only read.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use axum::Router;
use axum::middleware;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::watch;

use super::bounded::Bounded;
use super::control::ControlHandle;
use super::routes::{Shared, read_only, router};

/// How many connections each endpoint serves at once; more wait.
const CONNECTIONS: usize = 64;

/// Why an endpoint cannot be served. The sentence names the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another daemon answers on the socket.
    #[error("another daemon answers on {0}: stop it, or give this one another `api.socket`")]
    InUse(PathBuf),
    /// A file that is no socket has the socket's name.
    #[error("{0} exists and is no socket: remove it, or choose another `api.socket`")]
    NotASocket(PathBuf),
    /// The socket cannot be made.
    #[error(
        "the control socket {path} cannot be made: {error}; its directory must be writable, see `api.socket`"
    )]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The TCP endpoint cannot be listened on.
    #[error("the API cannot listen on {endpoint}: {error}; choose another `api.listen`, or \"\" for none")]
    Listen {
        /// The endpoint.
        endpoint: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// Serving ended with an error.
    #[error("the API ended: {0}")]
    Serve(#[from] io::Error),
}

/// The API, bound and not yet served.
#[derive(Debug)]
pub struct ApiServer {
    socket: UnixListener,
    file: SocketFile,
    tcp: Option<TcpListener>,
}

impl ApiServer {
    /// Takes both endpoints, so that a daemon can refuse to start. A socket file that nobody serves any more is
    /// replaced; the new one is for owner and group (mode 0660).
    ///
    /// # Errors
    /// One sentence with the remedy, if an endpoint is in use or not allowed.
    pub async fn bind(socket: &Path, listen: Option<SocketAddr>) -> Result<ApiServer, ServeError> {
        let tcp = match listen {
            None => None,
            Some(endpoint) => {
                let bound = TcpListener::bind(endpoint).await;
                Some(bound.map_err(|error| ServeError::Listen { endpoint, error })?)
            }
        };
        let (socket, file) = bind_socket(socket).await?;
        Ok(ApiServer { socket, file, tcp })
    }

    /// Where TCP is served, with the port the system chose for port 0.
    #[must_use]
    pub fn tcp_endpoint(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().and_then(|tcp| tcp.local_addr().ok())
    }

    /// Serves until `shutdown` becomes true or its sender is gone; then open requests are answered, event streams
    /// end, and the socket file is removed. `extra` holds the embedder's paths, `registry` its metrics.
    ///
    /// # Errors
    /// If a listener fails for good.
    pub async fn serve(
        self,
        control: ControlHandle,
        extra: Router,
        registry: prometheus::Registry,
        shutdown: watch::Receiver<bool>,
    ) -> Result<(), ServeError> {
        let shared = Shared { control, registry, shutdown: shutdown.clone() };
        let all = router(shared, extra);
        let reading = all.clone().layer(middleware::from_fn(read_only));
        let stopped = |mut shutdown: watch::Receiver<bool>| async move {
            let _ = shutdown.wait_for(|stop| *stop).await;
        };
        let unix = axum::serve(Bounded::new(self.socket, CONNECTIONS), all)
            .with_graceful_shutdown(stopped(shutdown.clone()));
        let tcp = async {
            match self.tcp {
                Some(tcp) => {
                    axum::serve(Bounded::new(tcp, CONNECTIONS), reading)
                        .with_graceful_shutdown(stopped(shutdown))
                        .await
                }
                None => Ok(()),
            }
        };
        let ended = tokio::try_join!(async { unix.await }, tcp);
        drop(self.file);
        ended?;
        Ok(())
    }
}

/// Binds under another name, sets the mode, then takes the name: nobody ever sees the socket with another mode.
async fn bind_socket(path: &Path) -> Result<(UnixListener, SocketFile), ServeError> {
    check_free(path).await?;
    let failed = |error| ServeError::Socket { path: path.to_owned(), error };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}", std::process::id()));
    let new = PathBuf::from(new);
    let _ = std::fs::remove_file(&new);
    let listener = UnixListener::bind(&new).map_err(failed)?;
    let named = std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o660))
        .and_then(|()| std::fs::rename(&new, path))
        .and_then(|()| std::fs::metadata(path));
    match named {
        Ok(metadata) => Ok((listener, SocketFile { path: path.to_owned(), inode: metadata.ino() })),
        Err(error) => {
            let _ = std::fs::remove_file(&new);
            Err(failed(error))
        }
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
struct SocketFile {
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
