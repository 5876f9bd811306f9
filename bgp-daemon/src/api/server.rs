//! The API on its two endpoints: the Unix socket, which may do everything, and TCP, which may only read.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Router;
use axum::middleware;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use super::connections;
use super::control::ControlHandle;
use super::routes::{Shared, read_only, router};
use super::socket::{self, SocketFile};
use crate::config::Api;

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
    /// There is no such group.
    #[error("there is no group {0}: make it (`groupadd --system {0}`), or change `api.group`")]
    NoGroup(String),
    /// The socket cannot be given to the group.
    #[error(
        "the control socket {path} cannot be given to the group {group}: {error}; the daemon's user must be in it (SupplementaryGroups= in systemd)"
    )]
    Group {
        /// The socket.
        path: PathBuf,
        /// The group.
        group: String,
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
    /// replaced; the new one is for owner and group (mode 0660), with `api.group` for that group.
    ///
    /// # Errors
    /// One sentence with the remedy, if an endpoint is in use or not allowed.
    pub async fn bind(api: &Api) -> Result<ApiServer, ServeError> {
        let tcp = match api.listen {
            None => None,
            Some(endpoint) => {
                let bound = TcpListener::bind(endpoint).await;
                Some(bound.map_err(|error| ServeError::Listen { endpoint, error })?)
            }
        };
        let (socket, file) = socket::bind(&api.socket, api.group.as_deref()).await?;
        Ok(ApiServer { socket, file, tcp })
    }

    /// Where TCP is served, with the port the system chose for port 0.
    #[must_use]
    pub fn tcp_endpoint(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().and_then(|tcp| tcp.local_addr().ok())
    }

    /// Serves until `shutdown` becomes true or its sender is gone; then open requests are answered, event streams
    /// end, and the socket file is removed. `extra` holds the embedder's paths, `registry` its metrics.
    pub async fn serve(
        self,
        control: ControlHandle,
        extra: Router,
        registry: prometheus::Registry,
        shutdown: watch::Receiver<bool>,
    ) {
        let shared = Shared { control, registry, shutdown: shutdown.clone() };
        let all = router(shared, extra);
        let reading = all.clone().layer(middleware::from_fn(read_only));
        let unix = connections::serve(self.socket, all, shutdown.clone());
        let tcp = async {
            if let Some(tcp) = self.tcp {
                connections::serve(tcp, reading, shutdown).await;
            }
        };
        tokio::join!(unix, tcp);
        drop(self.file);
    }
}
