//! BFD: whether the paths to peers are alive.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Body, PeerAddress, Timestamp};

/// The watch on the path to one peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdRow {
    /// The peer's address.
    pub peer: IpAddr,
    /// The interface that a link-local address is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The peer's name in the configuration.
    pub name: Option<String>,
    /// Our address; `null`: as the kernel chooses.
    pub local: Option<IpAddr>,
    /// `single` (RFC 5881) or `multi` (RFC 5883).
    pub hops: String,
    /// `up`, `init`, `down` or `admin-down`.
    pub state: String,
    /// When it became so.
    pub since: Timestamp,
    /// How long ago, in seconds.
    pub since_seconds: u64,
    /// Why (RFC 5880 section 4.1), in words.
    pub diagnostic: String,
    /// The peer's state, as it last said.
    pub peer_state: String,
    /// Why, as the peer said.
    pub peer_diagnostic: String,
    /// Whether the peer's BFD lives on when its BGP ends, as it said (the C bit).
    #[serde(default)]
    pub peer_independent: bool,
    /// Our number for the session.
    pub discriminator: u32,
    /// The peer's; `null`: it is not heard.
    pub peer_discriminator: Option<u32>,
    /// The interval that is configured, in milliseconds.
    pub interval_ms: u64,
    /// The multiplier that is configured.
    pub multiplier: u8,
    /// The longest pause between our packets that was agreed on, in milliseconds.
    pub transmit_ms: u64,
    /// How long the peer may be silent, in milliseconds; `null`: it was not heard yet.
    pub detect_ms: Option<u64>,
    /// Packets received.
    pub received: u64,
    /// Packets sent.
    pub sent: u64,
    /// How often it came up.
    pub ups: u64,
    /// How often it failed.
    pub failures: u64,
    /// What is in the way.
    pub problem: Option<String>,
}

impl BfdRow {
    /// Where the peer is.
    #[must_use]
    pub fn address(&self) -> PeerAddress {
        PeerAddress::of(self.peer, self.interface.as_deref())
    }
}

/// `bgp.bfd/v1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bfd {
    /// By the peer's address.
    pub sessions: Vec<BfdRow>,
    /// Datagrams that were discarded: malformed, from too far, or for no session.
    pub discarded: u64,
}

impl Body for Bfd {
    const SCHEMA: &'static str = "bgp.bfd/v1";
}
