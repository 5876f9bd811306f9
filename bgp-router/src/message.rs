//! What the parts say to each other. Each part is driven alone; whoever runs them carries these.

use std::net::IpAddr;
use std::time::Duration;

use bgp_core::wire::Notification;
use bgp_core::{Family, Instant, PathId, RouterId, V4, V6};
use bgp_rib::{Attrs, PeerId, PeerUp};
use bytes::Bytes;

/// One route in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteChange<P> {
    /// The destination.
    pub prefix: P,
    /// The path identifier, 0 without ADD-PATH.
    pub path_id: PathId,
    /// The index of its attributes in [`Batch::attributes`]; `None` withdraws.
    pub attributes: Option<u32>,
}

/// The routes of one read from one peer, in the order received.
#[derive(Debug, Default)]
pub struct Batch {
    /// The attribute sets that the changes point to.
    pub attributes: Vec<Attrs>,
    /// When the first of them was read; `None` if that is not to be measured.
    pub received: Option<Instant>,
    /// IPv4 routes.
    pub v4: Vec<RouteChange<<V4 as bgp_core::AddressFamily>::Prefix>>,
    /// IPv6 routes.
    pub v6: Vec<RouteChange<<V6 as bgp_core::AddressFamily>::Prefix>>,
}

impl Batch {
    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

/// A session that came up, with the limits that the core enforces.
#[derive(Debug)]
pub struct SessionUp {
    /// What the RIB needs to know.
    pub peer: PeerUp,
    /// More prefixes than this end the session.
    pub max_prefix: Option<u32>,
}

/// From a peer to the core. All of one session carry its [`PeerId`], so that late ones of a dead session are
/// known for what they are.
#[derive(Debug)]
pub enum ToCore {
    /// The session is established.
    Up(Box<SessionUp>),
    /// Routes, announced and withdrawn.
    Routes(PeerId, Batch),
    /// The peer has sent all that it had (RFC 4724 section 2).
    EndOfRib(PeerId, Family),
    /// The peer asks for everything again (RFC 2918).
    Refresh(PeerId, Family),
    /// So many octets in so many [`ToPeer::Send`] were written: more may be sent.
    Written {
        /// The session.
        peer: PeerId,
        /// Octets of UPDATEs.
        octets: usize,
        /// How many sends ended with them.
        sends: usize,
        /// When the last of them was written.
        at: Instant,
    },
    /// From now on so many prefixes may be held, instead of what [`SessionUp::max_prefix`] said.
    Limit(PeerId, Option<u32>),
    /// The session ended.
    Down(PeerId),
}

/// From the core to a peer.
#[derive(Clone, Debug)]
pub enum ToPeer {
    /// Whole UPDATE messages, shared with the other peers of the group.
    Send(PeerId, Vec<Bytes>),
    /// End the session with this NOTIFICATION.
    Reset(PeerId, Notification),
}

impl ToPeer {
    /// The session that it is for.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        match self {
            ToPeer::Send(peer, _) | ToPeer::Reset(peer, _) => *peer,
        }
    }
}

/// What the core asks of the world besides.
#[derive(Debug)]
pub enum CoreOutput {
    /// For a peer.
    Peer(ToPeer),
    /// So long a sample of routes took from the read of their UPDATE to the end of the write to one peer.
    Propagated(Duration),
    /// The peers that were waited for have sent their tables, or took too long.
    Converged,
    /// Two peers say that they are the same router (RFC 6286 asks for ids that are unique in an AS).
    DuplicateRouterId {
        /// The id that they share.
        router_id: RouterId,
        /// Their addresses, the one that came up last first.
        peers: [IpAddr; 2],
    },
}
