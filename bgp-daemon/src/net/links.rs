//! The links of this host: their names, numbers, and whether they can carry packets.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU32;

use bgp_core::link_local;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket, AsyncSocketExt, TokioSocket};

use super::sys;
use crate::config::Interface;

/// The multicast groups of what is told of links and of IPv6 addresses: the first packet needs one.
const GROUPS: [u32; 2] = [libc::RTNLGRP_LINK, libc::RTNLGRP_IPV6_IFADDR];

/// Octets of one datagram of the kernel that are read: none is looked at, and the rest is dropped.
const READ: usize = 64;

/// Says when the host's links may have changed.
pub struct LinkWatch {
    socket: TokioSocket,
}

impl LinkWatch {
    /// Begins to watch.
    ///
    /// # Errors
    /// No socket is left, or this host has no netlink.
    pub fn new() -> io::Result<LinkWatch> {
        let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
        // Without a port of its own it would count as the kernel, which is not told of its own messages.
        socket.socket_mut().bind_auto()?;
        for group in GROUPS {
            socket.socket_mut().add_membership(group)?;
        }
        Ok(LinkWatch { socket })
    }

    /// Waits for a change. What is told, and what was lost because too much was, is all the same: read the links again.
    /// Loses nothing when dropped.
    pub async fn changed(&mut self) {
        let mut space = bytes::BytesMut::with_capacity(READ);
        // An error is an overrun: that is a change, too.
        let _ = self.socket.recv_from(&mut space).await;
    }
}

/// The links that are up and run, by name.
///
/// # Errors
/// What `getifaddrs(3)` failed with.
pub fn running_links() -> io::Result<BTreeMap<Interface, NonZeroU32>> {
    let names = sys::running_interfaces()?;
    let numbered = names.iter().filter_map(|name| Some((Interface::new(name)?, sys::interface_index(name)?)));
    Ok(numbered.collect())
}

/// The name of a link; `None` if it is gone.
#[must_use]
pub fn link_name(link: NonZeroU32) -> Option<Interface> {
    sys::interface_name(link).as_deref().and_then(Interface::new)
}

/// An end of a connection as this project keeps addresses: IPv4 as such, link-local ones with their link.
#[must_use]
pub fn address_of(end: SocketAddr) -> IpAddr {
    match (end, end.ip().to_canonical()) {
        (SocketAddr::V6(end), IpAddr::V6(address)) => {
            link_local::on(address, NonZeroU32::new(end.scope_id())).into()
        }
        (_, address) => address,
    }
}

/// The same the other way round.
#[must_use]
pub fn endpoint(address: IpAddr, port: u16) -> SocketAddr {
    match link_local::split(address) {
        (IpAddr::V6(v6), Some(link)) => SocketAddrV6::new(v6, port, 0, link.get()).into(),
        (address, _) => SocketAddr::new(address, port),
    }
}

/// An address for people: a link-local one as `fe80::1%eth0`.
#[must_use]
pub fn shown(address: IpAddr) -> String {
    match link_local::split(address) {
        (bare, Some(link)) => match link_name(link) {
            Some(name) => format!("{bare}%{name}"),
            None => format!("{bare}%{link}"),
        },
        (bare, None) => bare.to_string(),
    }
}

/// An end of a connection for people: on a link as `[fe80::1%eth0]:179`.
pub(super) fn shown_end(end: &SocketAddr) -> String {
    match end {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("[{}]:{}", shown(address_of(*end)), end.port()),
        end => end.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_of_a_connection_keeps_its_link_and_finds_it_again() {
        for text in ["[fe80::1%7]:179", "[2001:db8::1]:179", "10.0.0.1:179"] {
            let end: SocketAddr = text.parse().unwrap();
            assert_eq!(endpoint(address_of(end), 179), end);
        }
        assert_eq!(address_of("[::ffff:10.0.0.1]:5".parse().unwrap()), IpAddr::from([10, 0, 0, 1]));
    }

    #[test]
    fn a_link_local_address_is_shown_with_the_name_of_its_link() {
        let loopback = sys::interface_index("lo");
        let here = link_local::on("fe80::1".parse().unwrap(), loopback);
        assert_eq!(shown(here.into()), "fe80::1%lo");
        let gone = link_local::on("fe80::1".parse().unwrap(), NonZeroU32::new(i32::MAX as u32));
        assert_eq!(shown(gone.into()), format!("fe80::1%{}", i32::MAX));
        assert_eq!(shown([10, 0, 0, 1].into()), "10.0.0.1");
        assert_eq!(shown_end(&endpoint(here.into(), 179)), "[fe80::1%lo]:179");
        assert_eq!(shown_end(&"[2001:db8::1]:179".parse().unwrap()), "[2001:db8::1]:179");
    }
}
