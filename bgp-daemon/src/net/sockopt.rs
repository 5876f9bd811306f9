//! Socket options of a BGP session that neither tokio nor socket2 know: TCP MD5 signatures (RFC 2385), the generalized
//! TTL security mechanism (RFC 5082), and whether input waits, or the end.
//!
//! Every error is returned, with what was tried and what helps. In particular a key is never shortened: the kernel
//! takes 80 octets ([`Key::MAX_LEN`]), and a longer password would silently be another one.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::os::fd::AsFd;

use bgp_core::Prefix;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::sys::{self, OptionName, TcpMd5Sig};

pub(super) const fn tcp(number: libc::c_int) -> OptionName {
    OptionName { level: libc::IPPROTO_TCP, number }
}
const fn ip(number: libc::c_int) -> OptionName {
    OptionName { level: libc::IPPROTO_IP, number }
}
const fn ipv6(number: libc::c_int) -> OptionName {
    OptionName { level: libc::IPPROTO_IPV6, number }
}

/// The secret of TCP MD5 signatures (RFC 2385), or of one key of TCP-AO, which takes as many octets. Its `Debug` form
/// does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Box<[u8]>);

impl Key {
    /// The longest key that the kernel takes, in octets.
    pub const MAX_LEN: usize = libc::TCP_MD5SIG_MAXKEYLEN;

    /// The key of these octets.
    ///
    /// # Errors
    /// [`KeyError::Empty`], since the kernel would take an empty key as an order to delete; [`KeyError::TooLong`] over
    /// [`Key::MAX_LEN`].
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Key, KeyError> {
        match secret.as_ref() {
            [] => Err(KeyError::Empty),
            long if long.len() > Key::MAX_LEN => Err(KeyError::TooLong { len: long.len() }),
            secret => Ok(Key(secret.into())),
        }
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Why a password is not a [`Key`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No octets.
    #[error("the password is empty: leave it out for a session without TCP MD5")]
    Empty,
    /// More octets than the kernel takes.
    #[error(
        "the password has {len} bytes and TCP MD5 takes at most {}: shorten it on both ends",
        Key::MAX_LEN
    )]
    TooLong {
        /// Its length in octets.
        len: usize,
    },
}

/// A socket option that the kernel refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}: {source}{}", remedy(source))]
pub struct OptionError {
    /// What was tried, as in "set the TCP MD5 key for 10.0.0.0/24".
    pub action: String,
    /// The kernel's answer.
    pub source: io::Error,
}

impl OptionError {
    pub(super) fn at(action: impl Into<String>) -> impl FnOnce(io::Error) -> OptionError {
        let action = action.into();
        move |source| OptionError { action, source }
    }
}

/// What helps against the errors that an operator can do something about.
fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOPROTOOPT) => {
            "; this kernel is built without it (TCP MD5 needs CONFIG_TCP_MD5SIG, TCP-AO Linux 6.7 with CONFIG_TCP_AO)"
        }
        Some(libc::ENOMEM | libc::ENOBUFS) => {
            "; the keys of one socket are bounded by net.core.optmem_max: raise it with sysctl, or use one key for a range"
        }
        _ => "",
    }
}

/// Sets (or replaces) the key for segments from and to `peer`; `None` deletes it.
///
/// On a listener this holds for connections to come, the longest matching prefix counts, and an accepted connection
/// keeps its copy. Deleting a key that is not there is no error. `socket` must be of the prefix's family: an IPv4 key
/// on an IPv6 socket would need the mapped form, and our IPv6 sockets do not speak IPv4.
///
/// # Errors
/// What the kernel answered, with the prefix.
pub fn set_md5(socket: &impl AsFd, peer: Prefix, key: Option<&Key>) -> Result<(), OptionError> {
    let verb = if key.is_some() { "set" } else { "delete" };
    let octets = key.map_or(&[][..], |key| &key.0);
    match apply_md5(socket, peer, octets) {
        Err(error) if key.is_none() && error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        other => other.map_err(OptionError::at(format!("{verb} the TCP MD5 key for {peer}"))),
    }
}

/// Sets the key of a connection, made or to be made, to the host `peer`.
///
/// # Errors
/// What the kernel answered.
pub fn require_md5(socket: &impl AsFd, peer: IpAddr, key: &Key) -> Result<(), OptionError> {
    let host = Prefix::new(peer, host_len(peer));
    host.map_or(Ok(()), |host| set_md5(socket, host, Some(key)))
}

pub(super) fn host_len(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn apply_md5(socket: &impl AsFd, peer: Prefix, key: &[u8]) -> io::Result<()> {
    // TCP_MD5SIG_EXT came with Linux 4.13; single addresses do without it.
    let (name, prefix_len) = if peer.len() == host_len(peer.address()) {
        (tcp(libc::TCP_MD5SIG), None)
    } else {
        (tcp(libc::TCP_MD5SIG_EXT), Some(peer.len()))
    };
    let value = TcpMd5Sig::new(peer.address(), prefix_len, key);
    let value = value.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    sys::set_option(socket.as_fd(), name, &value)
}

/// The least TTL of a packet from a peer at most `hops` away that sends with 255 (RFC 5082 section 3).
#[must_use]
pub fn least_ttl(hops: NonZeroU8) -> u8 {
    u8::MAX - (hops.get() - 1)
}

/// Turns on the generalized TTL security mechanism (RFC 5082): segments leave with TTL 255, and such as arrive from
/// more than `hops` away are dropped by the kernel. `remote` is the other end, for its family.
///
/// # Errors
/// What the kernel answered.
pub fn set_ttl_security(socket: &impl AsFd, remote: IpAddr, hops: NonZeroU8) -> Result<(), OptionError> {
    set_ttl(socket, remote, Some(u8::MAX))?;
    let least = least_ttl(hops);
    let name = if remote.is_ipv4() { ip(libc::IP_MINTTL) } else { ipv6(libc::IPV6_MINHOPCOUNT) };
    sys::set_option(socket.as_fd(), name, &libc::c_int::from(least))
        .map_err(OptionError::at(format!("drop segments with a TTL under {least} (ttl-security)")))
}

/// Sets the TTL of what leaves; `None` gives the kernel's default back (sysctl `net.ipv4.ip_default_ttl`, or the
/// route's hop limit).
///
/// # Errors
/// What the kernel answered.
pub fn set_ttl(socket: &impl AsFd, remote: IpAddr, ttl: Option<u8>) -> Result<(), OptionError> {
    const KERNEL_DEFAULT: libc::c_int = -1;
    let value = ttl.map_or(KERNEL_DEFAULT, libc::c_int::from);
    let name = if remote.is_ipv4() { ip(libc::IP_TTL) } else { ipv6(libc::IPV6_UNICAST_HOPS) };
    sys::set_option(socket.as_fd(), name, &value).map_err(OptionError::at(format!("set the TTL to {value}")))
}

/// Has a listener keep the SYN of each connection, for [`syn_ttl`].
///
/// # Errors
/// What the kernel answered.
pub fn save_syn(listener: &impl AsFd) -> Result<(), OptionError> {
    sys::set_option(listener.as_fd(), tcp(libc::TCP_SAVE_SYN), &1)
        .map_err(OptionError::at("keep SYN packets"))
}

/// The TTL or hop limit that the SYN of an accepted connection arrived with. It can be asked once: the kernel then
/// frees the packet. `None` if it kept none, as when SYN cookies were in use.
///
/// # Errors
/// What the kernel answered.
pub fn syn_ttl(accepted: &impl AsFd) -> Result<Option<u8>, OptionError> {
    // IPv6 header, options and a TCP header of the greatest length (60) with room to spare.
    let mut packet = [0; 256];
    let len = sys::get_option(accepted.as_fd(), tcp(libc::TCP_SAVED_SYN), &mut packet)
        .map_err(OptionError::at("read the SYN packet of a connection"))?;
    Ok(packet.get(..len).and_then(ttl_of_packet))
}

/// The TTL field of an IPv4 packet, or the hop limit of an IPv6 one.
fn ttl_of_packet(packet: &[u8]) -> Option<u8> {
    match packet.first()? >> 4 {
        4 => packet.get(8).copied(),
        6 => packet.get(7).copied(),
        _ => None,
    }
}

/// Whether the socket holds input that was not read. The hold timer waits for it: a busy daemon must not drop a peer
/// whose KEEPALIVE is already here.
///
/// # Errors
/// What the kernel answered.
pub fn unread(socket: &impl AsFd) -> Result<bool, OptionError> {
    sys::readable_octets(socket.as_fd())
        .map(|octets| octets > 0)
        .map_err(OptionError::at("ask for unread input"))
}

/// Whether the other end of a connection is closed. What it has sent before may be unread, and who waits for the socket
/// may not have been told yet.
#[must_use]
pub fn is_closed_by_peer(socket: &impl AsFd) -> bool {
    let closed = PollFlags::from_bits_retain(libc::POLLRDHUP);
    let mut fds = [PollFd::new(socket.as_fd(), closed)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn that_the_peer_has_closed_shows_before_all_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (ours, _) = listener.accept().unwrap();
        theirs.write_all(b"last words").unwrap();
        assert!(!is_closed_by_peer(&ours));
        drop(theirs);
        assert!(is_closed_by_peer(&ours) && unread(&ours).unwrap());
    }

    #[test]
    fn a_key_is_refused_rather_than_shortened() {
        assert_eq!(Key::new([b'x'; 81]), Err(KeyError::TooLong { len: 81 }));
        assert!(Key::new([b'x'; 80]).is_ok());
        assert_eq!(Key::new(""), Err(KeyError::Empty));
    }

    #[test]
    fn a_key_does_not_show_itself() {
        assert!(!format!("{:?}", Key::new("geheim").unwrap()).contains("geheim"));
    }

    #[test]
    fn one_hop_wants_ttl_255() {
        assert_eq!(least_ttl(NonZeroU8::MIN), 255);
        assert_eq!(least_ttl(NonZeroU8::MAX), 1);
    }

    #[test]
    fn a_full_option_memory_names_the_sysctl() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let key = Key::new("k").unwrap();
        let refused = (0..=u16::MAX).find_map(|i| {
            let [a, b] = i.to_be_bytes();
            set_md5(&socket, Prefix::new([10, 0, a, b].into(), 32).unwrap(), Some(&key)).err()
        });
        let text = refused.expect("the kernel bounds the keys of a socket").to_string();
        assert!(text.contains("TCP MD5 key for 10.0.") && text.contains("net.core.optmem_max"), "{text}");
    }

    #[test]
    fn deleting_a_key_twice_is_no_error() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let range = "10.0.0.0/8".parse().unwrap();
        set_md5(&socket, range, Some(&Key::new("k").unwrap())).unwrap();
        set_md5(&socket, range, None).unwrap();
        set_md5(&socket, range, None).unwrap();
    }
}
