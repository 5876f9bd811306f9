//! The system calls that no crate of ours wraps: the one place in this crate with `unsafe` code.
//!
//! Each function is a thin, typed cover of one call. It passes only pointers to live values of the size it states,
//! and turns the result into an [`io::Result`]. What the calls are good for is told in [`super::sockopt`] and
//! [`super::address`].
#![allow(unsafe_code, reason = "setsockopt, getsockopt, ioctl and getifaddrs take raw pointers; malloc_trim")]

use std::ffi::CStr;
use std::io;
use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use libc::{c_int, c_void, socklen_t};

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
        let mut padded = [0; libc::TCP_MD5SIG_MAXKEYLEN];
        padded.get_mut(..key.len())?.copy_from_slice(key);
        Some(TcpMd5Sig {
            address: socket_address(address),
            flags: if prefix_len.is_some() { FLAG_PREFIX } else { 0 },
            prefix_len: prefix_len.unwrap_or(0),
            key_len: u16::try_from(key.len()).ok()?,
            interface: 0,
            key: padded,
        })
    }
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

/// One address of an interface that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InterfaceAddress {
    /// The interface's name.
    pub(super) interface: String,
    /// The address.
    pub(super) address: IpAddr,
}

/// `getifaddrs(3)`: the IP addresses of all interfaces that are up, in the kernel's order.
pub(super) fn interface_addresses() -> io::Result<Vec<InterfaceAddress>> {
    let mut head: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: on success the call stores a list into `head`, freed below; on failure nothing is stored.
    check(unsafe { libc::getifaddrs(&raw mut head) })?;
    let mut found = Vec::new();
    let mut next = head;
    // SAFETY: each node is null or valid until freeifaddrs, and nothing else changes the list.
    while let Some(node) = unsafe { next.as_ref() } {
        next = node.ifa_next;
        let up = node.ifa_flags & libc::IFF_UP as libc::c_uint != 0;
        if let (true, Some(address)) = (up, ip_address(node.ifa_addr)) {
            // SAFETY: `ifa_name` is a C string that lives as long as its node.
            let name = unsafe { CStr::from_ptr(node.ifa_name) };
            found.push(InterfaceAddress { interface: name.to_string_lossy().into_owned(), address });
        }
    }
    // SAFETY: `head` came from getifaddrs, and no reference into the list is left.
    unsafe { libc::freeifaddrs(head) };
    Ok(found)
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
                Some(Ipv6Addr::from(v6.sin6_addr.s6_addr).into())
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
