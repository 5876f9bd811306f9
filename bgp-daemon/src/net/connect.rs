//! The connection that we open to a peer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU8;
use std::time::Duration;

use bgp_core::Prefix;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};

use super::authentication::Authentication;
use super::links::shown_end;
use super::sockopt::{self, OptionError, host_len};

/// Octets of ours that the kernel may hold without having sent them.
///
/// The send buffer itself is left to the kernel, which sizes it by the path. What waits in it unsent only delays the
/// next KEEPALIVE and hides a slow peer; this much keeps the path busy between two writes.
const UNSENT: u32 = 256 * 1024;

/// Whom to connect to, and how.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// The peer's address and port, with the interface as scope id if it is link-local.
    pub remote: SocketAddr,
    /// The address to connect from; the kernel chooses if there is none.
    pub local: Option<IpAddr>,
    /// How segments are signed; `None`: not at all.
    pub authentication: Option<Authentication>,
    /// The most hops that the peer may be away (RFC 5082); 1 is a neighbour on the link. `None`: not checked, and the
    /// TTL is the kernel's default.
    pub ttl_security: Option<NonZeroU8>,
    /// How long the peer may take to answer.
    pub timeout: Duration,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// An option was refused by the kernel.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The source address is of the other family.
    #[error("source-address {local} and the peer's address {remote} are of different families")]
    Family {
        /// The source address.
        local: IpAddr,
        /// The peer's.
        remote: IpAddr,
    },
    /// The source address cannot be used.
    #[error("cannot connect from {local}: {source}; is source-address one of this host's?")]
    Source {
        /// The source address.
        local: IpAddr,
        /// The kernel's answer.
        source: io::Error,
    },
    /// No answer came in time, or the kernel gave up.
    #[error("{} does not answer{}", shown_end(.remote), if *.protected { "; does it have the same password (or keys) and ttl-security?" } else { "" })]
    NoAnswer {
        /// The peer.
        remote: SocketAddr,
        /// Whether signatures or TTL security is on: a mismatch looks just like silence.
        protected: bool,
    },
    /// The peer's host answered that nothing listens there, or does not want us.
    #[error("{} refuses the connection: is BGP running there, and on this port?", shown_end(.remote))]
    Refused {
        /// The peer.
        remote: SocketAddr,
    },
    /// Anything else: no route, no memory, no file descriptor left.
    #[error("cannot connect to {}: {source}", shown_end(.remote))]
    Other {
        /// The peer.
        remote: SocketAddr,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// Opens a TCP connection as `options` say; it has TCP_NODELAY, since whole messages are written at once.
///
/// Dropping the future gives up and closes the socket.
///
/// # Errors
/// See [`ConnectError`].
pub async fn connect(options: &ConnectOptions) -> Result<TcpStream, ConnectError> {
    let remote = SocketAddr::new(options.remote.ip().to_canonical(), options.remote.port());
    // A mapped address is an IPv4 one; any other keeps its scope id.
    let remote = if remote.is_ipv4() { remote } else { options.remote };
    let other = |source| ConnectError::Other { remote, source };
    let protected = options.authentication.is_some() || options.ttl_security.is_some();
    let socket = prepare(options, remote)?;
    let connecting = TcpSocket::from_std_stream(socket.into()).connect(remote);
    match tokio::time::timeout(options.timeout, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Err(_) => Err(ConnectError::NoAnswer { remote, protected }),
        Ok(Err(source)) => Err(match source.kind() {
            io::ErrorKind::TimedOut => ConnectError::NoAnswer { remote, protected },
            io::ErrorKind::ConnectionRefused => ConnectError::Refused { remote },
            _ => other(source),
        }),
    }
}

/// A socket with everything set that must be before the SYN leaves.
fn prepare(options: &ConnectOptions, remote: SocketAddr) -> Result<Socket, ConnectError> {
    let other = |source| ConnectError::Other { remote, source };
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(remote), kind, Some(Protocol::TCP)).map_err(other)?;
    tune(&socket).map_err(other)?;
    if let (Some(authentication), Some(peer)) = (&options.authentication, host(remote.ip())) {
        authentication.connect(&socket, peer)?;
    }
    if let Some(hops) = options.ttl_security {
        sockopt::set_ttl_security(&socket, remote.ip(), hops)?;
    }
    if let Some(local) = options.local {
        bind(&socket, local, remote)?;
    }
    Ok(socket)
}

fn host(address: IpAddr) -> Option<Prefix> {
    Prefix::new(address, host_len(address))
}

fn bind(socket: &Socket, local: IpAddr, remote: SocketAddr) -> Result<(), ConnectError> {
    let mut from = SocketAddr::new(local, 0);
    match (&mut from, remote) {
        (SocketAddr::V4(_), SocketAddr::V4(_)) => {}
        // A link-local source is on the link that the peer is on.
        (SocketAddr::V6(from), SocketAddr::V6(to)) if from.ip().is_unicast_link_local() => {
            from.set_scope_id(to.scope_id());
        }
        (SocketAddr::V6(_), SocketAddr::V6(_)) => {}
        _ => return Err(ConnectError::Family { local, remote: remote.ip() }),
    }
    socket.bind(&from.into()).map_err(|source| ConnectError::Source { local, source })
}

/// What every session's socket has, whoever opened it.
pub(super) fn tune(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(UNSENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn to(remote: SocketAddr) -> ConnectOptions {
        ConnectOptions {
            remote,
            local: None,
            authentication: None,
            ttl_security: None,
            timeout: Duration::from_secs(10),
        }
    }

    /// A listener that nobody accepts from: the kernel completes connections by itself.
    fn backlog() -> (std::net::TcpListener, SocketAddr) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn the_source_address_is_the_one_asked_for_and_small_writes_leave_at_once() {
        let (_listener, remote) = backlog();
        let local = Ipv4Addr::new(127, 0, 0, 9);
        let stream = connect(&ConnectOptions { local: Some(local.into()), ..to(remote) }).await.unwrap();
        assert_eq!(stream.local_addr().unwrap().ip(), local);
        assert!(stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_mapped_address_is_connected_to_over_ipv4() {
        let (_listener, remote) = backlog();
        let mapped = SocketAddr::new(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(), remote.port());
        assert_eq!(connect(&to(mapped)).await.unwrap().peer_addr().unwrap(), remote);
    }

    #[tokio::test]
    async fn each_failure_says_what_to_look_at() {
        let (listener, remote) = backlog();
        let error = |options: ConnectOptions| async move { connect(&options).await.unwrap_err().to_string() };

        let foreign = ConnectOptions { local: Some(Ipv4Addr::new(192, 0, 2, 77).into()), ..to(remote) };
        assert!(error(foreign).await.ends_with("is source-address one of this host's?"));

        let mixed = ConnectOptions { local: Some("::1".parse().unwrap()), ..to(remote) };
        assert!(error(mixed).await.ends_with("are of different families"));

        drop(listener);
        assert!(error(to(remote)).await.contains("refuses the connection"));
    }
}
