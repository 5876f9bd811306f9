//! How a peer is, as its task tells it.

use std::net::SocketAddr;
use std::time::SystemTime;

use bgp_core::fsm::{Counters, Negotiated, State};
use bgp_rib::PeerId;
use bgp_router::{ImportCounters, Peer};

use super::connection::Connection;
use super::history::{History, Transition};

/// A peer at one moment.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// Its slot and the generation of its latest session.
    pub id: PeerId,
    /// The session's state.
    pub state: State,
    /// Since when.
    pub since: SystemTime,
    /// What the session agreed on, while it is established.
    pub negotiated: Option<Negotiated>,
    /// The peer's end of the connection, if there is one.
    pub remote: Option<SocketAddr>,
    /// Messages by type and direction, over all sessions.
    pub counters: Counters,
    /// Routes and faults received, over all sessions.
    pub import: ImportCounters,
    /// How often an established session was lost.
    pub flaps: u64,
    /// How often sessions ended, by reason.
    pub downs: Vec<(&'static str, u64)>,
    /// Why the last session ended or did not come up.
    pub last_error: Option<String>,
    /// The latest changes of state, oldest first.
    pub history: Vec<Transition>,
}

impl PeerStatus {
    pub(super) fn of(peer: &Peer, history: &History, connection: Option<&Connection>) -> PeerStatus {
        PeerStatus {
            id: peer.id(),
            state: peer.session().state(),
            since: history.since,
            negotiated: peer.session().negotiated().cloned(),
            remote: connection.map(|c| c.remote),
            counters: peer.session().counters().clone(),
            import: peer.import_counters(),
            flaps: history.flaps,
            downs: history.downs.iter().map(|(label, count)| (*label, *count)).collect(),
            last_error: history.last_error.clone(),
            history: history.transitions().cloned().collect(),
        }
    }
}
