//! Transmit checksums of a device: by the network card, or by the kernel.
//!
//! rtnetlink has no such attribute, and ethtool's own netlink family names every feature one by one, while
//! the old `ioctl` means all checksums at once. It takes a pointer to a structure that holds another pointer,
//! hence the `unsafe` here: both live on the stack until the call returns.
#![allow(unsafe_code, reason = "SIOCETHTOOL has no safe wrapper")]

use std::io;
use std::os::fd::AsRawFd;

const ETHTOOL_GTXCSUM: u32 = 0x16;
const ETHTOOL_STXCSUM: u32 = 0x17;

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// Whether some transmit checksums are left to the card.
pub(crate) fn is_on(socket: &impl AsRawFd, name: &str) -> io::Result<bool> {
    let mut value = Value { command: ETHTOOL_GTXCSUM, data: 0 };
    call(socket, name, &mut value)?;
    Ok(value.data != 0)
}

/// Leaves transmit checksums to the card, or not.
pub(crate) fn switch(socket: &impl AsRawFd, name: &str, on: bool) -> io::Result<()> {
    call(socket, name, &mut Value { command: ETHTOOL_STXCSUM, data: on.into() })
}

fn call(socket: &impl AsRawFd, name: &str, value: &mut Value) -> io::Result<()> {
    let mut ifr_name = [0; libc::IFNAMSIZ];
    // The last octet stays zero.
    for (to, from) in ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    let ifr_ifru = libc::__c_anonymous_ifr_ifru { ifru_data: (&raw mut *value).cast() };
    let mut request = libc::ifreq { ifr_name, ifr_ifru };
    // SAFETY: `request` is a whole `struct ifreq` with a terminated name; `ifru_data` points to a structure
    // that both commands take, which is borrowed mutably for the call. The kernel keeps neither.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
