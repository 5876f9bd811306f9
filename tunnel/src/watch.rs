//! The kernel's events: devices, addresses, default routes, and the neighbours of our devices.
//!
//! On a busy node most events are of no interest: routes that come and go by the hundred thousand, neighbours
//! of other devices. A classic BPF filter drops those, and what our own requests cause, in the kernel.

use std::task::{Context, Poll, Waker};

use libc::{
    BPF_ABS, BPF_B, BPF_H, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, RTM_DELADDR, RTM_DELLINK,
    RTM_DELNEIGH, RTM_DELROUTE, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWNEIGH, RTM_NEWROUTE, RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE, RTNLGRP_LINK, RTNLGRP_NEIGH,
};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket, TokioSocket};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{SockFilter, SockRef};

use crate::error::TunnelError;
use crate::link::Link;
use crate::neighbours::Entry;
use crate::netlink::{DATAGRAM, Message, Messages, Received, received, u32_at};

/// Sysctls of devices (`linux/rtnetlink.h`); libc knows neither.
const RTNLGRP_IPV4_NETCONF: u32 = 24;
const RTM_NEWNETCONF: u16 = 80;

const GROUPS: [u32; 7] = [
    RTNLGRP_LINK,
    RTNLGRP_NEIGH,
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV6_IFADDR,
    RTNLGRP_IPV6_ROUTE,
    RTNLGRP_IPV4_NETCONF,
];

/// Bytes of kernel memory that unread events may take. When they do not suffice, all is read again.
const BUFFER: usize = 4 << 20;
/// Datagrams read at once, so that a flood of events leaves room for work.
const READS: usize = 256;

/// Something that happened, as far as it may matter.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A device was made, changed or deleted.
    Link { index: u32, name: String },
    /// An address was added or removed.
    Address { index: u32 },
    /// A default route was.
    DefaultRoute,
    /// A neighbour or FDB entry was added, changed (`true`) or removed.
    Neighbour(Entry, bool),
    /// A device's sysctl was set.
    Sysctl,
}

/// A socket that is told of events.
pub(crate) struct Events {
    socket: TokioSocket,
    space: Vec<u8>,
    /// The space holds a datagram, or an overrun was met, since [`Events::poll`].
    held: Option<Received>,
}

impl Events {
    /// Subscribes to groups of a netlink protocol.
    pub(crate) fn open(protocol: isize, groups: &[u32], buffer: usize) -> Result<Self, TunnelError> {
        let socket = TokioSocket::new(protocol).map_err(TunnelError::netlink("cannot open a socket"))?;
        let mut events = Self { socket, space: Vec::new(), held: None };
        let socket = events.socket.socket_mut();
        socket.bind_auto().map_err(TunnelError::netlink("cannot bind a socket"))?;
        // Beyond net.core.rmem_max only with CAP_NET_ADMIN over the first namespace.
        if setsockopt(&*socket, sockopt::RcvBufForce, &buffer).is_err() {
            socket
                .set_rx_buf_sz(buffer as i32)
                .map_err(TunnelError::netlink("cannot set a socket's buffer"))?;
        }
        for group in groups {
            socket.add_membership(*group).map_err(TunnelError::netlink("cannot subscribe to events"))?;
        }
        Ok(events)
    }

    /// Becomes ready when there is an event, which is kept for [`Events::drain`].
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TunnelError>> {
        if self.held.is_some() {
            return Poll::Ready(Ok(()));
        }
        self.space.clear();
        self.space.reserve(DATAGRAM);
        let Poll::Ready(result) = self.socket.poll_recv(context, &mut self.space) else {
            return Poll::Pending;
        };
        let read = received(result).map_err(TunnelError::netlink("cannot read events"))?;
        self.held = Some(read);
        Poll::Ready(Ok(()))
    }

    /// Calls `each` for the events that wait. The kernel queues an event before the change that causes it
    /// returns to its author.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(&Message<'_>)) -> Result<Drained, TunnelError> {
        let mut overrun = false;
        let mut nobody = Context::from_waker(Waker::noop());
        for _ in 0..READS {
            if let Poll::Ready(result) = self.poll(&mut nobody) {
                result?;
            }
            match self.held.take() {
                Some(Received::Datagram) => Messages(&self.space).for_each(|message| each(&message)),
                Some(Received::Lost) => overrun = true,
                Some(Received::Empty) | None => return Ok(Drained { overrun, more: false }),
            }
        }
        Ok(Drained { overrun, more: true })
    }
}

/// How reading events ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Drained {
    /// The kernel dropped some: everything must be read again.
    pub(crate) overrun: bool,
    /// There may be more.
    pub(crate) more: bool,
}

/// The socket for events about devices.
pub(crate) struct Watch {
    pub(crate) events: Events,
    own: u32,
    devices: Vec<u32>,
}

impl Watch {
    /// Subscribes to what others than the socket of port id `own` cause.
    pub(crate) fn open(own: u32) -> Result<Self, TunnelError> {
        let events = Events::open(NETLINK_ROUTE, &GROUPS, BUFFER)?;
        let watch = Self { events, own, devices: Vec::new() };
        watch.attach()?;
        Ok(watch)
    }

    /// Has neighbours of these devices told.
    pub(crate) fn neighbours_of(&mut self, devices: Vec<u32>) -> Result<(), TunnelError> {
        if devices != self.devices {
            self.devices = devices;
            self.attach()?;
        }
        Ok(())
    }

    fn attach(&self) -> Result<(), TunnelError> {
        let attached =
            SockRef::from(self.events.socket.socket_ref()).attach_filter(&filter(self.own, &self.devices));
        attached.map_err(TunnelError::netlink("cannot filter the kernel's events"))
    }

    pub(crate) fn drain(&mut self, mut each: impl FnMut(Happening)) -> Result<Drained, TunnelError> {
        self.events.drain(|message| read(message).into_iter().for_each(&mut each))
    }
}

fn read(message: &Message<'_>) -> Option<Happening> {
    match message.kind {
        RTM_NEWLINK | RTM_DELLINK => {
            let link = Link::parse(message.body)?;
            Some(Happening::Link { index: link.index, name: link.name })
        }
        RTM_NEWADDR | RTM_DELADDR => Some(Happening::Address { index: u32_at(message.body, 4)? }),
        RTM_NEWROUTE | RTM_DELROUTE => Some(Happening::DefaultRoute),
        RTM_NEWNEIGH | RTM_DELNEIGH => {
            Some(Happening::Neighbour(Entry::parse(message.body)?, message.kind == RTM_NEWNEIGH))
        }
        RTM_NEWNETCONF => Some(Happening::Sysctl),
        _ => None,
    }
}

/// Offsets into `struct nlmsghdr` and, behind it, `struct rtmsg` and `struct ndmsg`.
const NLMSG_TYPE: u32 = 4;
const NLMSG_PID: u32 = 12;
const RTM_DST_LEN: u32 = 16 + 1;
const NDM_IFINDEX: u32 = 16 + 4;

/// Where a comparison goes on.
#[derive(Clone, Copy)]
enum To {
    Next,
    Route,
    Neighbour,
    Drop,
    Take,
}

/// The program. Loads swap bytes on little-endian machines, while netlink is in the machine's order.
fn filter(own: u32, devices: &[u32]) -> Vec<SockFilter> {
    use To::{Drop, Neighbour, Next, Route, Take};
    let half = |kind: u16| u32::from(kind.to_be());
    let load = |size, at| (BPF_LD | size | BPF_ABS, at, Next, Next);
    let compare = |value, then, otherwise| (BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise);
    let mut program = vec![
        load(BPF_W, NLMSG_PID),
        compare(own.to_be(), Drop, Next),
        load(BPF_H, NLMSG_TYPE),
        compare(half(RTM_NEWNEIGH), Neighbour, Next),
        compare(half(RTM_DELNEIGH), Neighbour, Next),
        compare(half(RTM_NEWROUTE), Route, Next),
        compare(half(RTM_DELROUTE), Route, Take),
    ];
    let route = program.len();
    program.extend([load(BPF_B, RTM_DST_LEN), compare(0, Take, Drop)]);
    let neighbour = program.len();
    program.push(load(BPF_W, NDM_IFINDEX));
    program.extend(devices.iter().map(|index| compare(index.to_be(), Take, Next)));
    let drop = program.len();
    program.extend([(BPF_RET | BPF_K, 0, Next, Next), (BPF_RET | BPF_K, u32::MAX, Next, Next)]);
    let skip = |at: usize, to| {
        let target = match to {
            Next => at + 1,
            Route => route,
            Neighbour => neighbour,
            Drop => drop,
            Take => drop + 1,
        };
        // At most 255: there are a handful of devices.
        target.saturating_sub(at + 1) as u8
    };
    let instructions = program.into_iter().enumerate();
    instructions
        .map(|(at, (code, k, then, otherwise))| {
            SockFilter::new(code as u16, skip(at, then), skip(at, otherwise), k)
        })
        .collect()
}
