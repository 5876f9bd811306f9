//! What the daemon hands over for a scrape.

use std::time::Duration;

use crate::api::schema::{Bfd, PeerAddress, PeerType, SessionState, TableSize, Timestamp};
use crate::config::PerPeer;
use crate::monitor::{ArchiveStatus, CollectorStatus};

/// Everything `/metrics` shows of a daemon.
#[derive(Clone, Debug)]
pub struct MetricsSnapshot {
    /// The daemon's name, for `bgp_build_info`.
    pub daemon: &'static str,
    /// Its version.
    pub version: &'static str,
    /// How many series each peer gets, as configured.
    pub per_peer: PerPeer,
    /// Collectors of `[[bmp]]`.
    pub collectors: Vec<CollectorStatus>,
    /// The files of `[mrt]`.
    pub update_log: Option<ArchiveStatus>,
    /// All peers.
    pub peers: Vec<PeerMetrics>,
    /// The tables.
    pub tables: Vec<TableSize>,
    /// Interned attribute sets.
    pub attribute_sets: u64,
    /// Update groups.
    pub update_groups: u64,
    /// What the RIB takes, in octets.
    pub rib_memory_bytes: u64,
    /// The paths to peers, where BFD watches them.
    pub bfd: Bfd,
    /// The last reload, or the start.
    pub reload: ReloadMetrics,
}

/// How the configuration was last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReloadMetrics {
    /// Whether it was taken.
    pub success: bool,
    /// When it was last taken.
    pub time: Timestamp,
}

/// One peer.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerMetrics {
    /// Its address: the label `peer`.
    pub address: PeerAddress,
    /// Its name in the configuration.
    pub name: Option<String>,
    /// The configured group that it has keys from.
    pub group: Option<String>,
    /// Its AS number.
    pub asn: u32,
    /// What it is to us.
    pub kind: PeerType,
    /// Where its session stands.
    pub state: SessionState,
    /// Since when; `None`: since the start.
    pub last_change: Option<Timestamp>,
    /// How often it left Established.
    pub flaps: u64,
    /// Connections asked for.
    pub connects: u64,
    /// Sessions that came up.
    pub established: u64,
    /// Faults of UPDATEs by attribute.
    pub faults: Vec<(&'static str, u64)>,
    /// Sessions that ended, by `DownReason`'s label.
    pub down: Vec<(&'static str, u64)>,
    /// Messages by direction (`received`, `sent`) and type.
    pub messages: Vec<(&'static str, &'static str, u64)>,
    /// NOTIFICATIONs by direction and code; those that never came or went may be left out.
    pub notifications: Vec<(&'static str, &'static str, u64)>,
    /// Octets read.
    pub bytes_received: u64,
    /// Octets written.
    pub bytes_sent: u64,
    /// By family.
    pub families: Vec<FamilyMetrics>,
    /// Routes refused, by reason.
    pub rejected: Vec<(&'static str, u64)>,
    /// UPDATEs that were wrong, by how they were treated.
    pub malformed: Vec<(&'static str, u64)>,
    /// How long ago the oldest routes were read that it has not taken yet.
    pub send_lag: Duration,
    /// Octets waiting to be written.
    pub queue_bytes: u64,
}

/// A peer's routes of one family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FamilyMetrics {
    /// `ipv4` or `ipv6`.
    pub family: &'static str,
    /// Routes it has announced to us.
    pub received: u64,
    /// Those of them that may be used.
    pub accepted: u64,
    /// Routes we have announced to it.
    pub advertised: u64,
    /// Those accepted that it has still to announce again after a restart.
    pub stale: u64,
    /// Announcements and withdrawals since the start, by direction and kind.
    pub updates: Vec<(&'static str, &'static str, u64)>,
}
