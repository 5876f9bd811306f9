//! The kernel's events: routes, links and addresses, as they change.

use std::io;

use libc::{RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE, RTNLGRP_LINK};
use netlink_sys::Socket;
use tokio::io::unix::AsyncFd;

use crate::error::FibError;
use crate::message::{Message, Messages, RTNLGRP_NEXTHOP};
use crate::socket::{Netlink, Received};

const GROUPS: [libc::c_uint; 5] =
    [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE];

/// Datagrams read at once, so that a flood of events leaves room for work.
const READS: usize = 1024;

/// The socket for events.
pub(crate) struct Watch {
    socket: AsyncFd<Netlink>,
    space: Vec<u8>,
    /// An overrun was met while waiting.
    overrun: bool,
}

/// What is left after [`Watch::drain`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drained {
    /// Nothing: all events up to now were seen.
    All,
    /// Perhaps more events.
    Some,
    /// The kernel dropped events: everything must be read again.
    Overrun,
}

impl Watch {
    /// Subscribes to what others than the socket of port id `own` cause.
    pub(crate) fn open(buffer: usize, own: u32) -> Result<Self, FibError> {
        let netlink = Netlink::open(buffer)?;
        netlink.ignore_sender(own).map_err(FibError::netlink("cannot filter the kernel's events"))?;
        for group in GROUPS {
            let joined = netlink.socket.add_membership(group);
            joined.map_err(FibError::netlink("cannot subscribe to the kernel's events"))?;
        }
        // A kernel before 5.3 has no nexthop objects: reading them will tell.
        let _ = netlink.socket.add_membership(RTNLGRP_NEXTHOP);
        let socket = netlink.register().map_err(FibError::netlink("cannot wait for events"))?;
        Ok(Self { socket, space: Vec::new(), overrun: false })
    }

    /// Calls `each` for the events that wait. The kernel queues an event before the change that causes
    /// it returns to its author.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(Message<'_>)) -> Result<Drained, FibError> {
        let mut overrun = std::mem::take(&mut self.overrun);
        for _ in 0..READS {
            match self
                .socket
                .get_ref()
                .receive(&mut self.space)
                .map_err(FibError::netlink("cannot read events"))?
            {
                Received::Datagram(bytes) => Messages(bytes).for_each(&mut each),
                Received::Lost => overrun = true,
                Received::Empty => return Ok(if overrun { Drained::Overrun } else { Drained::All }),
            }
        }
        self.overrun = overrun;
        Ok(Drained::Some)
    }

    /// Waits until there is an event. Loses nothing when dropped.
    pub(crate) async fn wait(&mut self) -> Result<(), FibError> {
        loop {
            let mut guard =
                self.socket.readable().await.map_err(FibError::netlink("cannot wait for events"))?;
            match guard.try_io(|socket| peek(&socket.get_ref().socket)) {
                Ok(Ok(())) => return Ok(()),
                // The error is told once: it must not be forgotten until the next drain.
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    self.overrun = true;
                    return Ok(());
                }
                Ok(Err(error)) => return Err(FibError::netlink("cannot read events")(error)),
                Err(_would_block) => {}
            }
        }
    }
}

/// Whether something can be read, without reading it.
fn peek(socket: &Socket) -> io::Result<()> {
    socket.recv(&mut Vec::with_capacity(1), libc::MSG_PEEK | libc::MSG_DONTWAIT).map(drop)
}
