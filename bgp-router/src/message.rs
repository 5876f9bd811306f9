//! What the parts say to each other. Each part is driven alone; whoever runs them carries these.

use std::net::IpAddr;
use std::time::Duration;

use bgp_core::wire::Notification;
use bgp_core::{Family, FamilySet, Instant, RouterId, V4, V6};
use bgp_rib::{Attrs, GroupKey, PeerId, PeerUp, SourceKind, Transmit};
use bytes::Bytes;

use crate::config::Limits;

pub use bgp_rib::RouteChange;

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

    /// Takes all that is in it, in vectors that are just as large; its own stay for the next routes.
    pub(crate) fn take(&mut self) -> Batch {
        Batch {
            attributes: self.attributes.drain(..).collect(),
            received: self.received,
            v4: self.v4.drain(..).collect(),
            v6: self.v6.drain(..).collect(),
        }
    }

    /// Forgets all that is in it.
    pub(crate) fn clear(&mut self) {
        self.attributes.clear();
        self.v4.clear();
        self.v6.clear();
    }
}

/// A session that came up, with the limits that the core enforces.
#[derive(Debug)]
pub struct SessionUp {
    /// What the RIB needs to know.
    pub peer: PeerUp,
    /// More than this ends the session.
    pub limits: Limits,
    /// What it means for routes kept from the session before; `None`: they go.
    pub restart: Option<SessionRestart>,
    /// Whether the peer marks the end of its routes: both sides know graceful restart.
    pub sends_end_of_rib: bool,
    /// Whether the peer says that it has restarted: it waits for our End-of-RIB, so we do not wait for its own.
    pub restarted: bool,
    /// Whether both sides mark where the answer to a ROUTE-REFRESH begins and ends (RFC 7313).
    pub enhanced_refresh: bool,
}

impl SessionUp {
    /// A session without limits, restart and marked refreshes.
    #[must_use]
    pub fn new(peer: PeerUp) -> SessionUp {
        SessionUp {
            peer,
            limits: Limits::default(),
            restart: None,
            sends_end_of_rib: false,
            restarted: false,
            enhanced_refresh: false,
        }
    }
}

/// What a session that came up says of the routes that its peer announced before (RFC 4724 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRestart {
    /// The families in which the peer went on forwarding: the routes of all others go at once.
    pub forwarding: FamilySet,
    /// Routes that it has not announced again go at its End-of-RIB, and after so long at the latest.
    pub stale_time: Duration,
}

/// What outlives a session that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The families whose routes are kept for the peer to come back (RFC 4724).
    pub families: FamilySet,
    /// For how long.
    pub restart_time: Duration,
    /// For how long the routes of which families are kept after that, as the last choice (RFC 9494).
    pub long_lived: Vec<(Family, Duration)>,
}

impl Retention {
    /// For how long a route may be kept at most.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.restart_time + self.long_lived.iter().map(|(_, time)| *time).max().unwrap_or_default()
    }
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
    /// From now on so much may be held, instead of what [`SessionUp::limits`] said.
    Limit(PeerId, Limits),
    /// From now on the peer is sent what this group is sent, and is this to us. The session stays.
    Regroup(PeerId, Box<(GroupKey, SourceKind)>),
    /// The answer to our ROUTE-REFRESH begins (RFC 7313 section 4): what does not come again until its end goes.
    RefreshBegins(PeerId, Family),
    /// The answer to our ROUTE-REFRESH has ended, or has taken too long.
    RefreshEnds(PeerId, Family),
    /// The session ended; `None`: all its routes go. Said again without, those go that were kept.
    Down(PeerId, Option<Retention>),
}

/// From the core to a peer.
#[derive(Clone, Debug)]
pub enum ToPeer {
    /// Whole UPDATE messages, shared with the other peers of the group.
    Send {
        /// The session.
        peer: PeerId,
        /// The messages.
        chunks: Vec<Bytes>,
        /// How many they are.
        counts: Transmit,
    },
    /// It holds so many routes of this family, as many as [`Limits::warn_at`]. Said once for each family.
    Many(PeerId, Family, usize),
    /// End the session with this NOTIFICATION.
    Reset(PeerId, Notification),
}

impl ToPeer {
    /// The session that it is for.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        match self {
            ToPeer::Send { peer, .. } | ToPeer::Reset(peer, _) | ToPeer::Many(peer, ..) => *peer,
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
    /// Our restart is over: from now on our OPENs do not speak of it ([`Peer::set_restarting`](crate::Peer::set_restarting)).
    Restarted,
    /// Two peers say that they are the same router (RFC 6286 asks for ids that are unique in an AS).
    DuplicateRouterId {
        /// The id that they share.
        router_id: RouterId,
        /// Their addresses, the one that came up last first.
        peers: [IpAddr; 2],
    },
}
