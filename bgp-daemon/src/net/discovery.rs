//! Finding the neighbour on a link: router advertisements and solicitations (RFC 4861 section 4), ours and others'.
//!
//! We are nobody's default router, and say so: our advertisements have a lifetime of 0 and no options. All that they
//! tell is that there is a router on the link, and its link-local address.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::num::NonZeroU32;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;

use super::sys;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// Types of ICMPv6.
const SOLICITATION: u8 = 133;
const ADVERTISEMENT: u8 = 134;

/// Octets of messages without options; the kernel fills in the checksum.
const SOLICITATION_LEN: usize = 8;
const ADVERTISEMENT_LEN: usize = 16;

/// What no router has passed on (RFC 4861 section 6.1).
const HOP_LIMIT: u8 = u8::MAX;

/// The datagram's head is all that is looked at.
const READ: usize = ADVERTISEMENT_LEN;

/// What was heard on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A router with this link-local address is there.
    Router(Ipv6Addr),
    /// Somebody wants to know which routers are there.
    Question,
}

/// Why neighbours cannot be found.
#[derive(Debug, thiserror::Error)]
#[error("cannot send and receive router advertisements, which `interface` of a peer needs: {source}{}", if .source.kind() == io::ErrorKind::PermissionDenied { "; grant CAP_NET_RAW (AmbientCapabilities= in systemd)" } else { "" })]
pub struct DiscoveryError {
    #[from]
    source: io::Error,
}

/// The socket for all links.
#[derive(Debug)]
pub struct Discovery {
    socket: AsyncFd<Socket>,
}

impl Discovery {
    /// Opens the socket. Must run in a tokio runtime.
    ///
    /// # Errors
    /// Mostly no permission for raw sockets.
    pub fn open() -> Result<Discovery, DiscoveryError> {
        let socket = Socket::new(Domain::IPV6, Type::RAW.nonblocking().cloexec(), Some(Protocol::ICMPV6))?;
        sys::pass_icmp6_only(&socket, &[SOLICITATION, ADVERTISEMENT])?;
        sys::tell_hop_limit(&socket)?;
        socket.set_multicast_hops_v6(HOP_LIMIT.into())?;
        socket.set_multicast_loop_v6(false)?;
        Ok(Discovery { socket: sys::readable(socket)? })
    }

    /// Hears solicitations on a link too. Advertisements are for all nodes, and heard anyway.
    pub fn join(&self, link: NonZeroU32) {
        // It is a member already if the kernel forwards there, or did before the link was away.
        let _ = self.socket.get_ref().join_multicast_v6(&ALL_ROUTERS, link.get());
    }

    /// Tells the link that we are there.
    ///
    /// # Errors
    /// The link is down, or has no address yet: try again later.
    pub fn advertise(&self, link: NonZeroU32) -> io::Result<()> {
        let mut message = [0; ADVERTISEMENT_LEN];
        message[0] = ADVERTISEMENT;
        self.send(&message, ALL_NODES, link)
    }

    /// Asks the link who is there.
    ///
    /// # Errors
    /// As with [`Discovery::advertise`].
    pub fn solicit(&self, link: NonZeroU32) -> io::Result<()> {
        let mut message = [0; SOLICITATION_LEN];
        message[0] = SOLICITATION;
        self.send(&message, ALL_ROUTERS, link)
    }

    fn send(&self, message: &[u8], to: Ipv6Addr, link: NonZeroU32) -> io::Result<()> {
        let to = SocketAddrV6::new(to, 0, 0, link.get());
        self.socket.get_ref().send_to(message, &to.into()).map(drop)
    }

    /// The next message of somebody on a link. What is no good is passed over. Loses nothing when dropped.
    pub async fn next(&self) -> (NonZeroU32, Heard) {
        loop {
            let Ok(mut guard) = self.socket.readable().await else { return std::future::pending().await };
            let mut space = [0; READ];
            let received = guard.try_io(|socket| sys::receive_icmp6(socket.get_ref(), &mut space));
            if let Ok(Ok(received)) = received
                && let Some(heard) = judge(&space, &received)
            {
                return heard;
            }
        }
    }
}

/// What a message says, if it is good (RFC 4861 sections 6.1.1 and 6.1.2).
fn judge(message: &[u8], received: &sys::Received) -> Option<(NonZeroU32, Heard)> {
    let link = NonZeroU32::new(received.from.scope_id())?;
    let message = message.get(..received.len)?;
    let [kind, code, ..] = message else { return None };
    if received.hop_limit != Some(HOP_LIMIT) || *code != 0 {
        return None;
    }
    let from = *received.from.ip();
    let heard = match *kind {
        ADVERTISEMENT if message.len() >= ADVERTISEMENT_LEN && from.is_unicast_link_local() => {
            Heard::Router(from)
        }
        SOLICITATION if message.len() >= SOLICITATION_LEN => Heard::Question,
        _ => return None,
    };
    Some((link, heard))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(from: &str, len: usize, hop_limit: u8) -> sys::Received {
        sys::Received { from: from.parse().unwrap(), len, hop_limit: Some(hop_limit) }
    }

    #[test]
    fn only_what_a_neighbor_can_have_sent_counts() {
        let mut message = [0; READ];
        message[0] = ADVERTISEMENT;
        let link = NonZeroU32::new(7).unwrap();
        let good = received("[fe80::1%7]:0", READ, 255);
        let router = Heard::Router("fe80::1".parse().unwrap());
        assert_eq!(judge(&message, &good), Some((link, router)));
        assert_eq!(judge(&message, &received("[fe80::1%7]:0", READ, 254)), None, "was passed on");
        assert_eq!(judge(&message, &received("[2001:db8::1%7]:0", READ, 255)), None, "is not link-local");
        assert_eq!(judge(&message, &received("[fe80::1%7]:0", READ - 1, 255)), None, "is too short");
        assert_eq!(judge(&message, &received("[fe80::1]:0", READ, 255)), None, "came from no link");
        message[1] = 1;
        assert_eq!(judge(&message, &good), None, "has an unknown code");
        message = [0; READ];
        message[0] = SOLICITATION;
        let unspecified = received("[::%7]:0", SOLICITATION_LEN, 255);
        assert_eq!(judge(&message, &unspecified), Some((link, Heard::Question)));
        message[0] = 135;
        assert_eq!(judge(&message, &good), None, "is something else");
    }
}
