//! The system calls that no crate of ours wraps: the one place in this crate with `unsafe` code.
//!
//! Each function is a thin, typed cover of one call. It passes only pointers to live values of the size it states,
//! and turns the result into an [`io::Result`]. What the calls are good for is told in [`super::sockopt`] and
//! [`super::address`].
#![allow(unsafe_code, reason = "setsockopt, getsockopt, ioctl and getifaddrs take raw pointers; malloc_trim")]

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::io;
use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6};
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr;

use bgp_core::{Prefix, link_local};
use libc::{c_int, c_void, socklen_t};
use socket2::Socket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// An option of a socket: its level and its number there.
#[derive(Clone, Copy)]
pub(super) struct OptionName {
    /// As in `IPPROTO_TCP`.
    pub(super) level: c_int,
    /// As in `TCP_MD5SIG`.
    pub(super) number: c_int,
}

/// Values which the kernel may read as bytes: plain C data without padding.
///
/// # Safety
/// The type must be `repr(C)` or a primitive, and have no padding.
pub(super) unsafe trait OptionValue: Copy {}

// SAFETY: a primitive.
unsafe impl OptionValue for c_int {}

/// The kernel's `struct tcp_md5sig`, for `TCP_MD5SIG` and `TCP_MD5SIG_EXT`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct TcpMd5Sig {
    address: [u8; size_of::<libc::sockaddr_storage>()],
    flags: u8,
    prefix_len: u8,
    key_len: u16,
    interface: c_int,
    key: [u8; libc::TCP_MD5SIG_MAXKEYLEN],
}

// SAFETY: `repr(C)`; 128 + 1 + 1 + 2 + 4 + 80 octets, each at an offset its alignment divides.
unsafe impl OptionValue for TcpMd5Sig {}
const _: () = assert!(size_of::<TcpMd5Sig>() == 216);

impl TcpMd5Sig {
    /// The key for one address, or with `prefix_len` for all under a prefix; an empty `key` deletes.
    /// `None` if the key is over `TCP_MD5SIG_MAXKEYLEN` octets.
    pub(super) fn new(address: IpAddr, prefix_len: Option<u8>, key: &[u8]) -> Option<TcpMd5Sig> {
        const FLAG_PREFIX: u8 = 1;
        Some(TcpMd5Sig {
            address: socket_address(address),
            flags: if prefix_len.is_some() { FLAG_PREFIX } else { 0 },
            prefix_len: prefix_len.unwrap_or(0),
            key_len: u16::try_from(key.len()).ok()?,
            interface: 0,
            key: padded(key)?,
        })
    }
}

/// The kernel's `struct tcp_ao_add`, for `TCP_AO_ADD_KEY`. What is 0 here is left to the kernel, or must be 0.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct TcpAoAdd {
    address: [u8; size_of::<libc::sockaddr_storage>()],
    algorithm: [u8; 64],
    interface: c_int,
    flags: u32,
    reserved: u16,
    prefix_len: u8,
    send_id: u8,
    receive_id: u8,
    mac_len: u8,
    key_flags: u8,
    key_len: u8,
    key: [u8; TcpAoAdd::MAX_KEY_LEN],
}

// SAFETY: `repr(C)`; 128 + 64 + 4 + 4 + 2 + 6 + 80 octets, each at an offset its alignment divides, and 8 divides them.
unsafe impl OptionValue for TcpAoAdd {}
const _: () = assert!(size_of::<TcpAoAdd>() == 288);

impl TcpAoAdd {
    /// `TCP_AO_MAXKEYLEN`.
    const MAX_KEY_LEN: usize = 80;

    /// A key for all under `peer`, with its ids for sending and receiving and the kernel's name of its algorithm. `sign`:
    /// it is the one that we sign with, and that we ask the peer to; not for a listener. `None` if a text is too long.
    pub(super) fn new(
        peer: Prefix,
        [send_id, receive_id]: [u8; 2],
        algorithm: &str,
        mac_len: u8,
        key: &[u8],
        sign: bool,
    ) -> Option<TcpAoAdd> {
        const SET_CURRENT_AND_RNEXT: u32 = first_bits(2);
        Some(TcpAoAdd {
            address: socket_address(peer.address()),
            algorithm: padded(algorithm.as_bytes())?,
            interface: 0,
            flags: if sign { SET_CURRENT_AND_RNEXT } else { 0 },
            reserved: 0,
            prefix_len: peer.len(),
            send_id,
            receive_id,
            mac_len,
            key_flags: 0,
            key_len: u8::try_from(key.len()).ok()?,
            key: padded(key)?,
        })
    }
}

/// The kernel's `struct tcp_ao_del`, for `TCP_AO_DEL_KEY`.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct TcpAoDel {
    address: [u8; size_of::<libc::sockaddr_storage>()],
    interface: c_int,
    flags: u32,
    reserved: u16,
    prefix_len: u8,
    send_id: u8,
    receive_id: u8,
    current: u8,
    next: u8,
    key_flags: u8,
}

// SAFETY: `repr(C)`; 128 + 4 + 4 + 2 + 6 octets, each at an offset its alignment divides, and 8 divides them.
unsafe impl OptionValue for TcpAoDel {}
const _: () = assert!(size_of::<TcpAoDel>() == 144);

impl TcpAoDel {
    /// Takes from a listener what [`TcpAoAdd::new`] gave it. The kernel does not wait until no packet in flight uses it,
    /// which can take a hundredth of a second for each key.
    pub(super) fn new(peer: Prefix, [send_id, receive_id]: [u8; 2]) -> TcpAoDel {
        const DEL_ASYNC: u32 = first_bits(3) & !first_bits(2);
        TcpAoDel {
            address: socket_address(peer.address()),
            interface: 0,
            flags: DEL_ASYNC,
            reserved: 0,
            prefix_len: peer.len(),
            send_id,
            receive_id,
            current: 0,
            next: 0,
            key_flags: 0,
        }
    }
}

/// `octets` with zeros behind them; `None` if they are too many.
fn padded<const N: usize>(octets: &[u8]) -> Option<[u8; N]> {
    let mut field = [0; N];
    field.get_mut(..octets.len())?.copy_from_slice(octets);
    Some(field)
}

/// The first of the bit fields of C in 32 bits: they begin with the lowest bit where octets do, else with the highest.
const fn first_bits(count: u32) -> u32 {
    if cfg!(target_endian = "little") { (1 << count) - 1 } else { !(u32::MAX >> count) }
}

/// `address` as a `sockaddr_in` or `sockaddr_in6` of port 0, padded with zeros.
fn socket_address(address: IpAddr) -> [u8; size_of::<libc::sockaddr_storage>()] {
    let mut bytes = [0; size_of::<libc::sockaddr_storage>()];
    let (family, offset) = match address {
        IpAddr::V4(_) => (libc::AF_INET, 4),
        IpAddr::V6(_) => (libc::AF_INET6, 8),
    };
    let family = (family as libc::sa_family_t).to_ne_bytes();
    let mut put = |at: usize, octets: &[u8]| {
        for (slot, octet) in bytes.iter_mut().skip(at).zip(octets) {
            *slot = *octet;
        }
    };
    put(0, &family);
    match address {
        IpAddr::V4(a) => put(offset, &a.octets()),
        IpAddr::V6(a) => put(offset, &a.octets()),
    }
    bytes
}

/// `setsockopt(2)`.
pub(super) fn set_option<T: OptionValue>(fd: BorrowedFd<'_>, name: OptionName, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as socklen_t;
    // SAFETY: the pointer and length describe `value`, which outlives the call; the kernel only reads it.
    let rc = unsafe {
        libc::setsockopt(fd.as_raw_fd(), name.level, name.number, ptr::from_ref(value).cast::<c_void>(), len)
    };
    check(rc)
}

/// `getsockopt(2)` into `buffer`; how many octets the kernel wrote.
pub(super) fn get_option(fd: BorrowedFd<'_>, name: OptionName, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = buffer.len() as socklen_t;
    // SAFETY: the kernel writes at most `len` octets to the buffer, which is that long and ours alone.
    let rc = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            name.level,
            name.number,
            buffer.as_mut_ptr().cast::<c_void>(),
            &raw mut len,
        )
    };
    check(rc).map(|()| len as usize)
}

/// `ioctl(fd, FIONREAD)`: octets that a read would take now.
pub(super) fn readable_octets(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut octets: c_int = 0;
    // SAFETY: FIONREAD writes one int to the pointer, which is that of a live int.
    let rc = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut octets) };
    check(rc).map(|()| usize::try_from(octets).unwrap_or(0))
}

/// ICMPv6 that a raw socket does not get: a bit for each type that is dropped.
#[derive(Clone, Copy)]
#[repr(C)]
struct Icmp6Filter([u32; 8]);

// SAFETY: `repr(C)`, octets without padding.
unsafe impl OptionValue for Icmp6Filter {}

/// `ICMP6_FILTER`: only messages of these types reach the socket.
pub(super) fn pass_icmp6_only(socket: &impl AsFd, types: &[u8]) -> io::Result<()> {
    const ICMP6_FILTER: c_int = 1;
    let mut filter = Icmp6Filter([u32::MAX; 8]);
    for kind in types {
        if let Some(word) = filter.0.get_mut(usize::from(kind >> 5)) {
            *word &= !(1 << (kind & 31));
        }
    }
    set_option(socket.as_fd(), OptionName { level: libc::IPPROTO_ICMPV6, number: ICMP6_FILTER }, &filter)
}

/// `IPV6_RECVHOPLIMIT`: packets come with their hop limit.
pub(super) fn tell_hop_limit(socket: &impl AsFd) -> io::Result<()> {
    let name = OptionName { level: libc::IPPROTO_IPV6, number: libc::IPV6_RECVHOPLIMIT };
    set_option(socket.as_fd(), name, &1)
}

/// Has the runtime say when a socket can be read. It must be one that never blocks.
pub(super) fn readable(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: the socket owns its descriptor, and stays in the AsyncFd, so that the descriptor stays the same and open.
    unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }.map_err(io::Error::from)
}

/// A packet that was received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received {
    /// Who sent it; the scope id is the link that it came over.
    pub(super) from: SocketAddrV6,
    /// How many octets of it are in the buffer.
    pub(super) len: usize,
    /// The hop limit that it arrived with.
    pub(super) hop_limit: Option<u8>,
}

/// `recvmsg(2)` on a raw ICMPv6 socket, after [`tell_hop_limit`].
pub(super) fn receive_icmp6(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<Received> {
    // Room for one control message with an int, aligned as its head must be.
    let mut control = [0_u64; 8];
    // SAFETY: all zero is a value of these plain C structures.
    let (mut from, mut message): (libc::sockaddr_in6, libc::msghdr) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast::<c_void>(), iov_len: buffer.len() };
    message.msg_name = (&raw mut from).cast::<c_void>();
    message.msg_namelen = size_of::<libc::sockaddr_in6>() as socklen_t;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast::<c_void>();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: every pointer in `message` is to a live value of the length that stands beside it, and ours alone.
    let len = unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut message, 0) };
    let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: `message` is as the kernel left it, and its control messages lie in `control`.
    let hop_limit = unsafe { hop_limit(&message) };
    let address = Ipv6Addr::from(from.sin6_addr.s6_addr);
    Ok(Received { from: SocketAddrV6::new(address, 0, 0, from.sin6_scope_id), len, hop_limit })
}

/// The hop limit among the control messages.
///
/// # Safety
/// `message` must be as `recvmsg` left it, its control buffer still there.
unsafe fn hop_limit(message: &libc::msghdr) -> Option<u8> {
    // SAFETY: the macros walk the control buffer within its length; a control message of this kind holds an int.
    unsafe {
        let mut head = libc::CMSG_FIRSTHDR(message);
        while let Some(control) = head.as_ref() {
            if (control.cmsg_level, control.cmsg_type) == (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) {
                let value = libc::CMSG_DATA(control).cast::<c_int>().read_unaligned();
                return u8::try_from(value).ok();
            }
            head = libc::CMSG_NXTHDR(message, control);
        }
    }
    None
}

/// `if_nametoindex(3)`; `None` if there is no interface of that name.
pub(super) fn interface_index(name: &str) -> Option<NonZeroU32> {
    let name = CString::new(name).ok()?;
    // SAFETY: a C string that outlives the call.
    NonZeroU32::new(unsafe { libc::if_nametoindex(name.as_ptr()) })
}

/// `if_indextoname(3)`; `None` if there is no such interface.
pub(super) fn interface_name(index: NonZeroU32) -> Option<String> {
    let mut space = [0 as libc::c_char; libc::IF_NAMESIZE];
    // SAFETY: the call writes a C string of at most IF_NAMESIZE octets into the buffer of that length, or returns null.
    let name = unsafe {
        let name = libc::if_indextoname(index.get(), space.as_mut_ptr());
        (!name.is_null()).then(|| CStr::from_ptr(space.as_ptr()))
    };
    name.map(|name| name.to_string_lossy().into_owned())
}

/// One address of an interface that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InterfaceAddress {
    /// The interface's name.
    pub(super) interface: String,
    /// The address; a link-local one with its link.
    pub(super) address: IpAddr,
    /// The mask of its subnet.
    pub(super) mask: IpAddr,
}

/// The IP addresses of all interfaces that are up, in the kernel's order.
pub(super) fn interface_addresses() -> io::Result<Vec<InterfaceAddress>> {
    let mut found = Vec::new();
    each_interface_address(|name, node| {
        if let (true, Some(address), Some(mask)) =
            (has_flags(node, libc::IFF_UP), ip_address(node.ifa_addr), ip_address(node.ifa_netmask))
        {
            found.push(InterfaceAddress { interface: name.to_owned(), address, mask });
        }
    })?;
    Ok(found)
}

/// The names of the interfaces that are up and can carry packets.
pub(super) fn running_interfaces() -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    each_interface_address(|name, node| {
        if has_flags(node, libc::IFF_UP | libc::IFF_RUNNING) {
            found.insert(name.to_owned());
        }
    })?;
    Ok(found)
}

fn has_flags(node: &libc::ifaddrs, flags: c_int) -> bool {
    let flags = flags as libc::c_uint;
    node.ifa_flags & flags == flags
}

/// `getifaddrs(3)`: every address of every interface, each interface at least once, with its name.
fn each_interface_address(mut each: impl FnMut(&str, &libc::ifaddrs)) -> io::Result<()> {
    let mut head: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: on success the call stores a list into `head`, freed below; on failure nothing is stored.
    check(unsafe { libc::getifaddrs(&raw mut head) })?;
    let mut next = head;
    // SAFETY: each node is null or valid until freeifaddrs, and nothing else changes the list.
    while let Some(node) = unsafe { next.as_ref() } {
        next = node.ifa_next;
        // SAFETY: `ifa_name` is a C string that lives as long as its node.
        let name = unsafe { CStr::from_ptr(node.ifa_name) };
        each(&name.to_string_lossy(), node);
    }
    // SAFETY: `head` came from getifaddrs, and no reference into the list is left.
    unsafe { libc::freeifaddrs(head) };
    Ok(())
}

/// The IP address at `address`, which is null or points to a `sockaddr` of the size that its family has.
fn ip_address(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: null or valid, see above; the family says which larger structure it is the start of.
    // Reading unaligned, since `sockaddr` promises less alignment than the larger ones.
    unsafe {
        match c_int::from(address.as_ref()?.sa_family) {
            libc::AF_INET => {
                let v4 = address.cast::<libc::sockaddr_in>().read_unaligned();
                Some(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)).into())
            }
            libc::AF_INET6 => {
                let v6 = address.cast::<libc::sockaddr_in6>().read_unaligned();
                let address = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                Some(link_local::on(address, NonZeroU32::new(v6.sin6_scope_id)).into())
            }
            _ => None,
        }
    }
}

/// `malloc_trim(3)`: whole pages that are free go back to the kernel. A C library without it gives them back by itself.
pub(crate) fn trim_memory() {
    // SAFETY: it takes no pointer, and may be called at any time from any thread.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

fn check(rc: c_int) -> io::Result<()> {
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_structures_of_tcp_ao_are_laid_out_as_in_linux_tcp_h() {
        let add = [
            offset_of!(TcpAoAdd, address),
            offset_of!(TcpAoAdd, algorithm),
            offset_of!(TcpAoAdd, interface),
            offset_of!(TcpAoAdd, flags),
            offset_of!(TcpAoAdd, reserved),
            offset_of!(TcpAoAdd, prefix_len),
            offset_of!(TcpAoAdd, send_id),
            offset_of!(TcpAoAdd, receive_id),
            offset_of!(TcpAoAdd, mac_len),
            offset_of!(TcpAoAdd, key_flags),
            offset_of!(TcpAoAdd, key_len),
            offset_of!(TcpAoAdd, key),
            size_of::<TcpAoAdd>(),
            align_of::<TcpAoAdd>(),
        ];
        assert_eq!(add, [0, 128, 192, 196, 200, 202, 203, 204, 205, 206, 207, 208, 288, 8]);
        let del = [
            offset_of!(TcpAoDel, interface),
            offset_of!(TcpAoDel, flags),
            offset_of!(TcpAoDel, reserved),
            offset_of!(TcpAoDel, prefix_len),
            offset_of!(TcpAoDel, send_id),
            offset_of!(TcpAoDel, receive_id),
            offset_of!(TcpAoDel, current),
            offset_of!(TcpAoDel, next),
            offset_of!(TcpAoDel, key_flags),
            size_of::<TcpAoDel>(),
            align_of::<TcpAoDel>(),
        ];
        assert_eq!(del, [128, 132, 136, 138, 139, 140, 141, 142, 143, 144, 8]);
    }

    #[test]
    fn a_key_of_tcp_ao_says_what_it_is_for() {
        let range = "10.1.0.0/16".parse().unwrap();
        let value = TcpAoAdd::new(range, [7, 9], "hmac(sha1)", 12, b"key", true).unwrap();
        assert_eq!(value.address[4..8], [10, 1, 0, 0]);
        assert!(value.algorithm.starts_with(b"hmac(sha1)\0") && value.key.starts_with(b"key\0"));
        assert_eq!((value.prefix_len, value.send_id, value.receive_id), (16, 7, 9));
        assert_eq!((value.mac_len, value.key_len), (12, 3));
        assert_eq!(
            value.flags.to_ne_bytes(),
            if cfg!(target_endian = "little") { [3, 0, 0, 0] } else { [0xc0, 0, 0, 0] }
        );
        assert!(TcpAoAdd::new(range, [7, 9], "hmac(sha1)", 12, &[0; 81], true).is_none());
    }
}
