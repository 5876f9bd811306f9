//! What `GET /v1/events` streams, one JSON object a line.

use bgp_core::Prefix;
use serde::{Deserialize, Serialize};

use super::{PeerAddress, RouteRow, SessionState, Timestamp, text};

/// The `schema` of an event.
pub const EVENT_SCHEMA: &str = "bgp.event/v1";

/// What a watcher wants to hear of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// Sessions, reloads, alarms.
    Peers,
    /// Changes of the best route.
    Routes,
    /// All of it.
    #[default]
    All,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// [`EVENT_SCHEMA`].
    pub schema: String,
    /// When.
    pub time: Timestamp,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

impl Event {
    /// An event of now.
    #[must_use]
    pub fn now(kind: EventKind) -> Event {
        Event { schema: EVENT_SCHEMA.to_owned(), time: Timestamp::now(), kind }
    }
}

/// The kinds of events; `event` names the kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A session changed its state.
    Peer {
        /// The peer.
        #[serde(flatten)]
        address: PeerAddress,
        /// Its name in the configuration.
        name: Option<String>,
        /// The state before.
        from: SessionState,
        /// The state after.
        to: SessionState,
        /// Why.
        reason: Option<String>,
    },
    /// A peer sent a malformed UPDATE (RFC 7606). Of many in a second the first ones are told.
    Malformed {
        /// The peer.
        #[serde(flatten)]
        address: PeerAddress,
        /// What is wrong, a few words each.
        faults: Vec<String>,
    },
    /// A peer is known no more: taken out of the configuration, or dynamic and gone.
    PeerRemoved {
        /// The peer.
        #[serde(flatten)]
        address: PeerAddress,
    },
    /// A prefix has another best route.
    Route {
        /// The new one.
        #[serde(flatten)]
        route: Box<RouteRow>,
    },
    /// A prefix has no route any more.
    Withdraw {
        /// The prefix.
        #[serde(with = "text")]
        prefix: Prefix,
    },
    /// The configuration was read again.
    Reload {
        /// Whether it was taken.
        success: bool,
        /// Why not.
        error: Option<String>,
    },
    /// Something an operator should look at.
    Alarm {
        /// A sentence.
        message: String,
    },
    /// The watcher was too slow.
    Lagged {
        /// How many events it missed.
        missed: u64,
    },
}
