//! The sockets: what arrives with its hop limit, what leaves with one of 255.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::net::if_::if_indextoname;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::packet::LENGTH;
use crate::table::{Origin, Peer};

/// Room for some thousand packets: what some hundred peers send in seconds.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Internetwork control, as routing protocols have it (RFC 2474 section 4.2.2.2).
const TRAFFIC_CLASS: u32 = 0xc0;

/// Source ports (RFC 5881 section 4).
const FIRST_PORT: u16 = 49152;

/// A packet without authentication has 24 octets, one with at most 52. What is behind is of no interest.
const LONGEST: usize = 64;

/// A family and a port that packets arrive at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    is_ipv4: bool,
    port: u16,
}

impl Place {
    pub(super) fn port(self) -> u16 {
        self.port
    }

    pub(super) fn of(peer: &Peer) -> Place {
        Place { is_ipv4: peer.address.is_ipv4(), port: peer.hops.port() }
    }
}

fn any(is_ipv4: bool) -> IpAddr {
    if is_ipv4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

fn socket(is_ipv4: bool) -> io::Result<Socket> {
    let domain = if is_ipv4 { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
    if !is_ipv4 {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// What arrives at a port.
pub(super) struct Receiver {
    socket: Socket,
    port: u16,
}

impl Receiver {
    pub(super) fn bind(place: Place) -> io::Result<Receiver> {
        let Place { is_ipv4, port } = place;
        let socket = socket(is_ipv4)?;
        match is_ipv4 {
            true => setsockopt(&socket, sockopt::Ipv4RecvTtl, &true)?,
            false => setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?,
        }
        // Beyond the host's limit only with a privilege.
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        }
        socket.bind(&SocketAddr::new(any(is_ipv4), port).into())?;
        Ok(Receiver { socket, port })
    }

    /// The next datagram and where it came from; `None`: there is none. Those without a source or a hop limit, which the
    /// kernel does not deliver, come as empty ones from nowhere.
    pub(super) fn receive<'a>(
        &self,
        buffer: &'a mut [u8; LONGEST],
    ) -> io::Result<Option<(Origin, &'a [u8])>> {
        let mut control = nix::cmsg_space!(i32);
        let mut into = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let message =
            recvmsg::<SockaddrStorage>(self.socket.as_raw_fd(), &mut into, Some(&mut control), flags);
        let message = match message {
            Err(Errno::EAGAIN) => return Ok(None),
            message => message?,
        };
        let (address, interface) = message.address.as_ref().map_or((any(true), 0), source);
        let ttl = message.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::Ipv4Ttl(ttl) | ControlMessageOwned::Ipv6HopLimit(ttl) => {
                u8::try_from(ttl).ok()
            }
            _ => None,
        });
        let octets = message.bytes;
        let origin = Origin { address, interface, port: self.port, ttl: ttl.unwrap_or(0) };
        Ok(Some((origin, buffer.get(..octets).unwrap_or_default())))
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A buffer for [`Receiver::receive`].
pub(super) fn buffer() -> [u8; LONGEST] {
    [0; LONGEST]
}

fn source(address: &SockaddrStorage) -> (IpAddr, u32) {
    match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
        (Some(v4), _) => (v4.ip().into(), 0),
        (_, Some(v6)) if v6.ip().is_unicast_link_local() => (v6.ip().into(), v6.scope_id()),
        (_, Some(v6)) => (v6.ip().into(), 0),
        _ => (any(true), 0),
    }
}

/// What leaves for one peer: a source port of its own, for as long as the session lasts.
pub(super) struct Sender {
    socket: Socket,
    to: SocketAddr,
}

impl Sender {
    /// `first` is where the search for a free port begins.
    pub(super) fn bind(peer: &Peer, local: Option<IpAddr>, first: u16) -> io::Result<Sender> {
        let is_ipv4 = peer.address.is_ipv4();
        let socket = socket(is_ipv4)?;
        if is_ipv4 {
            socket.set_ttl_v4(255)?;
            socket.set_tos_v4(TRAFFIC_CLASS)?;
        } else {
            socket.set_unicast_hops_v6(255)?;
            socket.set_tclass_v6(TRAFFIC_CLASS)?;
        }
        let local = local.unwrap_or_else(|| any(is_ipv4));
        bind_free(&socket, |port| with_interface(local, port, peer.interface), first)?;
        let to = with_interface(peer.address, peer.hops.port(), peer.interface);
        Ok(Sender { socket, to })
    }

    pub(super) fn send(&self, packet: &[u8; LENGTH]) -> io::Result<()> {
        self.socket.send_to(packet, &self.to.into()).map(drop)
    }
}

/// Addresses that are not link-local have no interface.
fn with_interface(address: IpAddr, port: u16, interface: u32) -> SocketAddr {
    match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => SocketAddrV6::new(v6, port, 0, interface).into(),
        other => SocketAddr::new(other, port),
    }
}

/// A peer for people: with its interface where its address says nothing without, as in `fe80::1%eth0`.
pub(super) fn shown(peer: &Peer) -> String {
    let Peer { address, interface, .. } = peer;
    match if_indextoname(*interface).ok().and_then(|name| name.into_string().ok()) {
        _ if *interface == 0 => address.to_string(),
        Some(name) => format!("{address}%{name}"),
        None => format!("{address}%{interface}"),
    }
}

fn bind_free(socket: &Socket, local: impl Fn(u16) -> SocketAddr, first: u16) -> io::Result<()> {
    let ports = u16::MAX - FIRST_PORT + 1;
    let mut result = Ok(());
    for step in 0..ports {
        let port = FIRST_PORT + (first.wrapping_add(step)) % ports;
        result = socket.bind(&local(port).into());
        match &result {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => (),
            _ => break,
        }
    }
    result
}
