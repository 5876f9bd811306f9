//! Peers, in a row each and in detail.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Body, PeerAddress, Timestamp};

/// The states of RFC 4271 section 8.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionState {
    /// Not trying.
    Idle,
    /// Connecting.
    Connect,
    /// Waiting to connect or to be connected to.
    Active,
    /// Our OPEN is out.
    OpenSent,
    /// The peer's OPEN is in and good.
    OpenConfirm,
    /// Routes are exchanged.
    Established,
}

impl SessionState {
    /// All states, in order; the position counts from 1 in the metric `bgp_peer_state`.
    pub const ALL: [SessionState; 6] = [
        SessionState::Idle,
        SessionState::Connect,
        SessionState::Active,
        SessionState::OpenSent,
        SessionState::OpenConfirm,
        SessionState::Established,
    ];

    /// The name, lower-case, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SessionState::Idle => "idle",
            SessionState::Connect => "connect",
            SessionState::Active => "active",
            SessionState::OpenSent => "opensent",
            SessionState::OpenConfirm => "openconfirm",
            SessionState::Established => "established",
        }
    }
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a peer is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeerType {
    /// In our AS, and we reflect to it.
    Client,
    /// In our AS.
    Internal,
    /// In another member AS of our confederation.
    Confederation,
    /// In another AS.
    External,
}

impl PeerType {
    /// The name, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            PeerType::Client => "client",
            PeerType::Internal => "internal",
            PeerType::Confederation => "confederation",
            PeerType::External => "external",
        }
    }
}

/// How many routes a peer and we have exchanged in a family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FamilyCounts {
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// Routes it has announced to us.
    pub received: u64,
    /// Those of them that may be used.
    pub accepted: u64,
    /// Routes we have announced to it.
    pub advertised: u64,
    /// Those accepted that it has still to announce again after a restart.
    pub stale: u64,
}

/// A peer in brief.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerRow {
    /// Its address.
    #[serde(flatten)]
    pub address: PeerAddress,
    /// Its name in the configuration.
    pub name: Option<String>,
    /// The configured group that it has keys from.
    #[serde(default)]
    pub group: Option<String>,
    /// Its AS number.
    pub asn: u32,
    /// What it is to us.
    #[serde(rename = "type")]
    pub kind: PeerType,
    /// The configured range that a dynamic peer came from.
    pub range: Option<String>,
    /// Whether it may have a session.
    pub enabled: bool,
    /// Where its session stands.
    pub state: SessionState,
    /// Since when.
    pub since: Option<Timestamp>,
    /// For how long, in seconds.
    pub since_seconds: u64,
    /// Its BGP Identifier, once known.
    pub router_id: Option<String>,
    /// Our address on the session.
    pub local_address: Option<IpAddr>,
    /// The negotiated families; empty while not established, unless its routes are kept for it to come back.
    pub families: Vec<FamilyCounts>,
    /// How often it left Established.
    pub flaps: u64,
    /// Why it is not established.
    pub reason: Option<String>,
}

/// `bgp.peers/v1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peers {
    /// One row a peer, by address.
    pub peers: Vec<PeerRow>,
}

impl Body for Peers {
    const SCHEMA: &'static str = "bgp.peers/v1";
}

/// Capabilities of one side's OPEN, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Ours.
    pub sent: Vec<String>,
    /// The peer's.
    pub received: Vec<String>,
}

/// The times in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timers {
    /// The negotiated hold time; 0: none.
    pub hold_seconds: Option<u64>,
    /// The time between two KEEPALIVEs of ours.
    pub keepalive_seconds: Option<u64>,
    /// The time until the next attempt to connect.
    pub connect_retry_seconds: Option<u64>,
}

/// A number of messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageCount {
    /// `sent` or `received`.
    pub direction: String,
    /// `open`, `update`, `notification`, `keepalive` or `route_refresh`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How many since the daemon's start.
    pub count: u64,
}

/// One change of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// When.
    pub time: Timestamp,
    /// The state before.
    pub from: SessionState,
    /// The state after.
    pub to: SessionState,
    /// Why, if there is more to say than the states do.
    pub reason: Option<String>,
}

/// A peer in detail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerDetail {
    /// What the row says.
    #[serde(flatten)]
    pub row: PeerRow,
    /// The peer's port of the session.
    pub remote_port: Option<u16>,
    /// Our port of the session.
    pub local_port: Option<u16>,
    /// What passes from it: `accept` or `reject`.
    pub import: String,
    /// What passes to it.
    pub export: String,
    /// Its limit of prefixes; `null`: none.
    pub max_prefix: Option<u32>,
    /// How long it still stays down for having announced too many prefixes, in seconds; `null`: it does not.
    #[serde(default)]
    pub paused_seconds: Option<u64>,
    /// What we say that we are to it (RFC 9234): `provider`, `customer`, `peer`, `route-server` or `route-server-client`.
    #[serde(default)]
    pub role: Option<String>,
    /// What it says that it is to us; `null`: nothing, or there is no session.
    #[serde(default)]
    pub peer_role: Option<String>,
    /// Capabilities both ways.
    pub capabilities: Capabilities,
    /// The times in force.
    pub timers: Timers,
    /// Messages by direction and type.
    pub messages: Vec<MessageCount>,
    /// UPDATEs that were wrong, by how they were treated (RFC 7606).
    pub malformed: Vec<Treated>,
    /// All other counts of the session and of what came over it, since the daemon's start.
    #[serde(default)]
    pub counters: Vec<Counter>,
    /// Octets read.
    pub bytes_received: u64,
    /// Octets written.
    pub bytes_sent: u64,
    /// Octets waiting to be written.
    pub queue_bytes: u64,
    /// The last error of the session, also if it is up again.
    pub last_error: Option<String>,
    /// The last 64 changes of state, oldest first.
    pub history: Vec<Transition>,
}

/// A count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// `session`, `down`, `notification_received`, `notification_sent`, `routes`, `rejected` or `fault`.
    pub of: String,
    /// Which of these: `connects`, `hold_timer`, `cease`, `ipv4 announced`, `as_loop`, an attribute.
    pub name: String,
    /// How many.
    pub count: u64,
}

/// Malformed UPDATEs of one treatment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Treated {
    /// `discard_attribute`, `treat_as_withdraw`, `disable_family` or `reset_session`.
    pub treatment: String,
    /// How many.
    pub count: u64,
}

/// `bgp.peer/v1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The peer.
    pub peer: PeerDetail,
}

impl Body for Peer {
    const SCHEMA: &'static str = "bgp.peer/v1";
}

/// `bgp.peer_action/v1`: what was done with a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerActionDone {
    /// The peer's address or name, as asked.
    pub peer: String,
    /// `up`, `down`, `refresh` or `reset`.
    pub action: String,
}

impl Body for PeerActionDone {
    const SCHEMA: &'static str = "bgp.peer_action/v1";
}

/// The body of `POST /v1/peers/{peer}/{action}`; may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerActionRequest {
    /// `down`, `reset`: told to the peer in the Cease (RFC 9003), at most 255 octets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `refresh`: `in`, `out` or `both`, which is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<super::RefreshDirection>,
}
