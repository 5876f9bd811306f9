//! How a peer is, as its task tells it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use bgp_core::fsm::{Counters, Negotiated, State};
use bgp_core::wire::Capability;
use bgp_core::wire::capability::Role;
use bgp_core::{Instant, RouterId};
use bgp_rib::PeerId;
use bgp_router::{ImportCounters, Peer};

use super::connection::Connection;
use super::history::{History, Transition};

/// Octets over all connections of a peer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Octets {
    pub(super) read: u64,
    pub(super) written: u64,
}

/// A peer at one moment.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// Its address.
    pub address: IpAddr,
    /// Its slot and the generation of its latest session.
    pub id: PeerId,
    /// The session's state.
    pub state: State,
    /// Since when.
    pub since: SystemTime,
    /// What the session agreed on, while it is established.
    pub negotiated: Option<Negotiated>,
    /// Our end of the connection, if there is one.
    pub local: Option<SocketAddr>,
    /// The peer's end of it.
    pub remote: Option<SocketAddr>,
    /// Octets read, over all connections.
    pub octets_read: u64,
    /// Octets written, over all connections.
    pub octets_written: u64,
    /// Octets waiting to be written.
    pub queued: usize,
    /// What our OPEN offers.
    pub offered: Vec<Capability>,
    /// UPDATEs sent, over all sessions.
    pub updates_sent: u64,
    /// ROUTE-REFRESHes sent, over all sessions.
    pub refreshes_sent: u64,
    /// Messages by type and direction but the UPDATEs and ROUTE-REFRESHes sent, over all sessions.
    pub counters: Counters,
    /// Routes and faults received, over all sessions.
    pub import: ImportCounters,
    /// Whose routes of this session are refused because our cluster has reflected them, the first of them.
    pub looped_originators: Vec<RouterId>,
    /// Routes kept as they came, IPv4 and IPv6; `None`: they are not kept.
    pub received: Option<[usize; 2]>,
    /// How often an established session was lost.
    pub flaps: u64,
    /// How often sessions ended, by reason.
    pub downs: Vec<(&'static str, u64)>,
    /// Faults of UPDATEs by the type of the attribute, 0 for the UPDATE itself.
    pub faults: Vec<(u8, u64)>,
    /// What we say that we are to the peer (RFC 9234).
    pub role: Option<Role>,
    /// For how long it still stays down for having announced too many routes.
    pub pause: Option<Duration>,
    /// Why the last session ended or did not come up.
    pub last_error: Option<String>,
    /// The latest changes of state, oldest first.
    pub history: Vec<Transition>,
}

impl PeerStatus {
    /// Of a peer that is not there.
    pub(super) fn absent(reason: String) -> PeerStatus {
        PeerStatus {
            address: Ipv6Addr::UNSPECIFIED.into(),
            id: PeerId::LOCAL,
            state: State::Idle,
            since: SystemTime::UNIX_EPOCH,
            negotiated: None,
            local: None,
            remote: None,
            octets_read: 0,
            octets_written: 0,
            queued: 0,
            offered: Vec::new(),
            updates_sent: 0,
            refreshes_sent: 0,
            counters: Counters::default(),
            import: ImportCounters::default(),
            looped_originators: Vec::new(),
            received: None,
            flaps: 0,
            downs: Vec::new(),
            faults: Vec::new(),
            role: None,
            pause: None,
            last_error: Some(reason),
            history: Vec::new(),
        }
    }

    pub(super) fn of(
        peer: &Peer,
        history: &History,
        connection: Option<&Connection>,
        octets: Octets,
        now: Instant,
    ) -> PeerStatus {
        PeerStatus {
            address: peer.settings().address,
            id: peer.id(),
            state: peer.session().state(),
            since: history.since,
            negotiated: peer.session().negotiated().cloned(),
            local: connection.map(|c| c.local),
            remote: connection.map(|c| c.remote),
            octets_read: octets.read,
            octets_written: octets.written,
            queued: connection.and_then(|c| peer.queue(c.id)).map_or(0, bgp_router::WriteQueue::octets),
            offered: peer.session().our_open().capabilities,
            updates_sent: peer.updates_sent(),
            refreshes_sent: peer.refreshes_sent(),
            counters: *peer.session().counters(),
            import: peer.import_counters(),
            looped_originators: peer.looped_originators().iter().copied().collect(),
            received: peer.adj_rib_in().map(bgp_router::AdjRibIn::len),
            flaps: history.flaps,
            downs: history.downs.iter().map(|(label, count)| (*label, *count)).collect(),
            faults: history.faults.iter().map(|(code, count)| (*code, *count)).collect(),
            role: peer.settings().role,
            pause: peer.pause_left(now),
            last_error: history.last_error.clone(),
            history: history.transitions().cloned().collect(),
        }
    }
}
