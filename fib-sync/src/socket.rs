//! A netlink socket with buffers as large as the caller's rights allow.
//!
//! Three things have no safe wrapper, hence the `unsafe` here and nowhere else:
//! - `SO_RCVBUFFORCE` and `SO_SNDBUFFORCE` lift the limit of `net.core.{r,w}mem_max` for CAP_NET_ADMIN:
//!   `setsockopt` on an `int` that outlives the call;
//! - `SO_ATTACH_FILTER` takes a pointer to a program that the kernel copies during the call;
//! - registering with tokio, which wants to be promised that the descriptor stays open and the same:
//!   [`Netlink`] owns it, never gives it away, and closes it when dropped.
#![allow(unsafe_code, reason = "SO_RCVBUFFORCE, SO_ATTACH_FILTER and AsyncFd have no safe interface")]

use std::io;
use std::os::fd::AsRawFd;

use netlink_sys::{Socket, protocols::NETLINK_ROUTE};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::error::FibError;

/// Large enough for any datagram of the kernel: dumps come in parts of at most 32 KiB.
const DATAGRAM: usize = 64 * 1024;

/// A non-blocking rtnetlink socket and its port id.
pub(crate) struct Netlink {
    pub(crate) socket: Socket,
    pub(crate) port: u32,
}

/// What one read of a socket brought.
pub(crate) enum Received<'a> {
    /// One datagram.
    Datagram(&'a [u8]),
    /// Nothing is waiting.
    Empty,
    /// The kernel dropped messages (ENOBUFS), or one was too long to be read.
    Lost,
}

impl Netlink {
    pub(crate) fn open(buffer: usize) -> Result<Self, FibError> {
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(FibError::netlink("cannot open a socket"))?;
        socket.set_non_blocking(true).map_err(FibError::netlink("cannot set O_NONBLOCK"))?;
        let port = socket.bind_auto().map_err(FibError::netlink("cannot bind a socket"))?.port_number();
        for (forced, limited) in
            [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)]
        {
            set_buffer(&socket, forced, buffer)
                .or_else(|_| set_buffer(&socket, limited, buffer))
                .map_err(FibError::netlink("cannot set the socket's buffers"))?;
        }
        Ok(Self { socket, port })
    }

    /// Has the kernel drop messages that the socket of this port id causes, before they take memory here.
    pub(crate) fn ignore_sender(&self, port: u32) -> io::Result<()> {
        // Classic BPF: load nlmsg_pid; drop the message if it is this port's, else take all of it. The
        // load swaps bytes on little-endian machines, while netlink is in the machine's order.
        let mut program = [
            instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, NLMSG_PID),
            instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, port.to_be()),
            instruction(libc::BPF_RET | libc::BPF_K, 0, 0),
            instruction(libc::BPF_RET | libc::BPF_K, 0, u32::MAX),
        ];
        let filter = libc::sock_fprog { len: program.len() as libc::c_ushort, filter: program.as_mut_ptr() };
        set_option(&self.socket, libc::SO_ATTACH_FILTER, &filter)
    }

    /// Lets the current tokio runtime wait for it to become readable.
    pub(crate) fn register(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: `self` owns the socket: its descriptor is open until `self` is dropped, which happens
        // after AsyncFd has let go of it, and `as_raw_fd` always returns that one.
        unsafe { AsyncFd::register_with_interest(self, Interest::READABLE) }.map_err(io::Error::from)
    }

    /// Reads one datagram into `space`.
    pub(crate) fn receive<'a>(&self, space: &'a mut Vec<u8>) -> io::Result<Received<'a>> {
        space.clear();
        space.reserve(DATAGRAM);
        match self.socket.recv(space, libc::MSG_DONTWAIT | libc::MSG_TRUNC) {
            Ok(len) if len > space.len() => Ok(Received::Lost),
            Ok(_) => Ok(Received::Datagram(space)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Received::Empty),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Received::Datagram(&[])),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(Received::Lost),
            Err(error) => Err(error),
        }
    }
}

fn set_buffer(socket: &Socket, option: libc::c_int, bytes: usize) -> io::Result<()> {
    set_option(socket, option, &libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX))
}

/// Sets an option of SOL_SOCKET whose value is a plain C type.
fn set_option<T>(socket: &Socket, option: libc::c_int, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer and length describe `value`; what it may point to outlives the call, too.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw const *value).cast(), len)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Offset of the sender's port id in `struct nlmsghdr`.
const NLMSG_PID: u32 = 12;

/// `skip`: how many instructions to jump over if a comparison fails.
fn instruction(code: u32, skip: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: skip, k }
}

impl AsRawFd for Netlink {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}
