//! The listening sockets, and what every connection that arrives goes through.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU8;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bgp_core::Prefix;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::authentication::{self, Authentication};
use super::connect::tune;
use super::sockopt::{self, Key, OptionError};

/// Connections that the kernel completes before we accept them: a reflector's clients all come at once.
const BACKLOG: i32 = 4096;

/// How long to leave new connections waiting when there is no file descriptor or memory for them.
const PAUSE: Duration = Duration::from_secs(1);

/// Sockets that listen on a set of addresses, with the keys of those who may connect.
///
/// IPv6 sockets take IPv6 only, so `0.0.0.0:179` and `[::]:179` go together and every peer has one form of address.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<TcpListener>,
    /// The keys that the kernel has: those of a prefix are on the sockets of its family.
    keys: Mutex<BTreeMap<Prefix, Authentication>>,
    /// The socket to look at first, so that no busy one starves the others.
    turn: AtomicUsize,
    /// Set when accepting failed for lack of something: no attempt before.
    resume: Mutex<Option<Instant>>,
}

/// A connection that a peer opened.
#[derive(Debug)]
pub struct Inbound {
    /// The connection, with TCP_NODELAY.
    pub stream: TcpStream,
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub peer: SocketAddr,
}

/// Why we do not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The port is taken.
    #[error("cannot listen on {0}: the port is in use; stop the other BGP daemon (`ss -ltnp 'sport = :{port}'` shows it) or change `listen`", port = .0.port())]
    InUse(SocketAddr),
    /// The port is under 1024 and we are not root.
    #[error(
        "cannot listen on {0}: no permission for ports under 1024; grant CAP_NET_BIND_SERVICE (`setcap cap_net_bind_service=ep` on the binary, AmbientCapabilities= in systemd) or choose a higher port in `listen`"
    )]
    NotPermitted(SocketAddr),
    /// The address is not of this host, or its family is off.
    #[error(
        "cannot listen on {0}: this host does not have that address (`ip address` shows those it has); change `listen`"
    )]
    NoSuchAddress(SocketAddr),
    /// An option was refused by the kernel.
    #[error("cannot listen on {address}: {source}")]
    Option {
        /// Where.
        address: SocketAddr,
        /// What was refused.
        source: OptionError,
    },
    /// Anything else.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// Where.
        address: SocketAddr,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl ListenError {
    fn new(address: SocketAddr, source: io::Error) -> ListenError {
        match source.raw_os_error() {
            Some(libc::EADDRINUSE) => ListenError::InUse(address),
            Some(libc::EACCES) => ListenError::NotPermitted(address),
            Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT | libc::ENODEV) => {
                ListenError::NoSuchAddress(address)
            }
            _ => ListenError::Other { address, source },
        }
    }
}

impl Listener {
    /// Listens on all of `addresses`, or on none. Must run in a tokio runtime.
    ///
    /// `[::]` on a host without IPv6 stands for no address and is left out with a warning, if another is there.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn bind(addresses: &[SocketAddr]) -> Result<Listener, ListenError> {
        let mut sockets = Vec::with_capacity(addresses.len());
        for &address in addresses {
            match listen(address) {
                Ok(socket) => sockets.push(socket),
                Err(ListenError::NoSuchAddress(_))
                    if address.ip().is_unspecified() && addresses.len() > 1 =>
                {
                    tracing::warn!(%address, "not listening here: this host has no addresses of that family");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Listener { sockets, keys: Mutex::default(), turn: AtomicUsize::new(0), resume: Mutex::default() })
    }

    /// Where we listen; where the port asked for was 0, the one that the kernel chose.
    pub fn local_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().filter_map(|socket| socket.local_addr().ok())
    }

    /// Makes `wanted` the set of keys: for a prefix that is new or whose key changed it is set, for one that is no
    /// longer there deleted, and the others are not touched. It holds for the next SYN; connections keep the key that
    /// they were accepted with. Where prefixes overlap, the longest counts. Not so with TCP-AO, which goes by the ids of
    /// keys: a prefix with such keys must not have others inside it. While they change, new connections are not held to
    /// them for a moment: [`Inbound::is_signed_with_ao`].
    ///
    /// # Errors
    /// The first key that the kernel refuses; the rest is left for the next call, which tries again.
    pub fn set_keys(&self, wanted: &BTreeMap<Prefix, Authentication>) -> Result<(), OptionError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let is_md5 = |key: &&Authentication| !key.is_ao();
        // An id is taken once, and no address has both kinds of keys: what goes makes room.
        self.forget(&mut keys, |prefix, key| key.is_ao() && wanted.get(prefix) != Some(key))?;
        // First set, then delete: where a range gives way to single keys, no peer is without one for a moment.
        self.learn(&mut keys, wanted.iter().filter(|(_, key)| is_md5(key)))?;
        self.forget(&mut keys, |prefix, key| is_md5(&key) && wanted.get(prefix).filter(is_md5).is_none())?;
        self.learn(&mut keys, wanted.iter().filter(|(_, key)| key.is_ao()))
    }

    fn learn<'a>(
        &self,
        keys: &mut BTreeMap<Prefix, Authentication>,
        wanted: impl Iterator<Item = (&'a Prefix, &'a Authentication)>,
    ) -> Result<(), OptionError> {
        for (prefix, key) in wanted {
            if keys.get(prefix) == Some(key) {
                continue;
            }
            if let Err(error) = self.on_each(*prefix, |socket| key.listen(socket, *prefix)) {
                if key.is_ao() {
                    // What was set would be in the way of the next attempt.
                    let _ = self.on_each(*prefix, |socket| key.forget(socket, *prefix));
                }
                return Err(error);
            }
            keys.insert(*prefix, key.clone());
        }
        Ok(())
    }

    fn forget(
        &self,
        keys: &mut BTreeMap<Prefix, Authentication>,
        which: impl Fn(&Prefix, &Authentication) -> bool,
    ) -> Result<(), OptionError> {
        let gone = keys.iter().filter(|(prefix, key)| which(prefix, key));
        let gone: Vec<(Prefix, Authentication)> = gone.map(|(prefix, key)| (*prefix, key.clone())).collect();
        for (prefix, key) in gone {
            self.on_each(prefix, |socket| key.forget(socket, prefix))?;
            keys.remove(&prefix);
        }
        Ok(())
    }

    /// Acts on each socket that peers of this prefix can connect to.
    fn on_each(
        &self,
        peers: Prefix,
        act: impl Fn(&TcpListener) -> Result<(), OptionError>,
    ) -> Result<(), OptionError> {
        let same_family = |a: SocketAddr| a.is_ipv4() == peers.address().is_ipv4();
        let mut sockets = self.sockets.iter().filter(|socket| socket.local_addr().is_ok_and(same_family));
        sockets.try_for_each(act)
    }

    /// The next connection; never, if the set of addresses is empty.
    ///
    /// A connection that ends before it is accepted is passed over. When file descriptors or memory are short, that is
    /// logged and accepting pauses for a second. Dropping the future loses no connection. One task at a time may
    /// wait here.
    pub async fn accept(&self) -> Inbound {
        loop {
            let resume = *self.resume.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(resume) = resume {
                tokio::time::sleep_until(resume).await;
            }
            match poll_fn(|context| self.poll_accept(context)).await.and_then(Inbound::new) {
                Ok(inbound) => return inbound,
                Err(error) => self.survive(&error),
            }
        }
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % self.sockets.len().max(1);
        let in_turn = self.sockets.iter().cycle().skip(first).take(self.sockets.len());
        for socket in in_turn {
            if let Poll::Ready(accepted) = socket.poll_accept(context) {
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }

    /// Tells the errors of one connection from those that would come again at once.
    fn survive(&self, error: &io::Error) {
        let lacking =
            matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM));
        let mut resume = self.resume.lock().unwrap_or_else(PoisonError::into_inner);
        if lacking {
            tracing::warn!(%error, "cannot accept connections, trying again in {PAUSE:?}; raise LimitNOFILE= or `ulimit -n` if files are short");
            *resume = Some(Instant::now() + PAUSE);
        } else {
            tracing::debug!(%error, "a connection ended before it was accepted");
            *resume = None;
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let failed = |source| ListenError::new(address, source);
    let refused = |source| ListenError::Option { address, source };
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP)).map_err(failed)?;
    if address.is_ipv6() {
        socket.set_only_v6(true).map_err(failed)?;
    }
    socket.set_reuse_address(true).map_err(failed)?;
    // A peer that checks our TTL drops a SYN-ACK sent with less.
    sockopt::set_ttl(&socket, address.ip(), Some(u8::MAX)).map_err(refused)?;
    sockopt::save_syn(&socket).map_err(refused)?;
    socket.bind(&address.into()).map_err(failed)?;
    socket.listen(BACKLOG).map_err(failed)?;
    TcpListener::from_std(socket.into()).map_err(failed)
}

/// Why a connection does not get TTL security.
#[derive(Debug, thiserror::Error)]
pub enum TtlSecurityError {
    /// The SYN had a lower TTL than a peer so near can send with.
    #[error("the connection arrived with TTL {ttl}, and ttl-security = {hops} takes {} or more: the peer is farther away, or does not send with 255 (set ttl-security there too)", sockopt::least_ttl(*.hops))]
    TooFar {
        /// The SYN's TTL.
        ttl: u8,
        /// The most hops allowed.
        hops: NonZeroU8,
    },
    /// The kernel refused.
    #[error(transparent)]
    Option(#[from] OptionError),
}

impl Inbound {
    fn new((stream, peer): (TcpStream, SocketAddr)) -> io::Result<Inbound> {
        tune(&SockRef::from(&stream))?;
        // The listener's 255 is for peers with TTL security, see `require_ttl`.
        sockopt::set_ttl(&stream, peer.ip(), None).map_err(|error| error.source)?;
        Ok(Inbound { local: stream.local_addr()?, stream, peer })
    }

    /// Takes only segments signed with `key` from now on (RFC 2385). The listener's keys ask this of every new
    /// connection; this is for one that was already waiting when the peer's key was set or changed.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn require_key(&self, key: &Key) -> Result<(), OptionError> {
        sockopt::require_md5(&self.stream, self.peer.ip(), key)
    }

    /// Whether it is signed with TCP-AO (RFC 5925), which is settled by its first segment: a connection that was already
    /// waiting when the peer's keys were set is not, and cannot be any more. Under changed keys it has those it came with.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn is_signed_with_ao(&self) -> Result<bool, OptionError> {
        authentication::is_signed_with_ao(&self.stream)
    }

    /// Turns on TTL security (RFC 5082) for a peer at most `hops` away. Which peer it is shows only now, so the kernel
    /// could not check the SYN: its TTL is looked at here, once. What follows is checked by the kernel. (Under a SYN
    /// flood, when SYN cookies are in use, no SYN is kept, and the check starts with the next segment.)
    ///
    /// # Errors
    /// [`TtlSecurityError::TooFar`]: close the connection.
    pub fn require_ttl(&self, hops: NonZeroU8) -> Result<(), TtlSecurityError> {
        sockopt::set_ttl_security(&self.stream, self.peer.ip(), hops)?;
        match sockopt::syn_ttl(&self.stream)? {
            Some(ttl) if ttl < sockopt::least_ttl(hops) => Err(TtlSecurityError::TooFar { ttl, hops }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "listen_tests.rs"]
mod tests;
