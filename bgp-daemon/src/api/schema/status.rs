//! The daemon as a whole: status, readiness, configuration, reload, errors.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{Body, Timestamp};
use crate::config::{Change, Changes};

/// The size of a family's table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSize {
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// Destinations with at least one path.
    pub prefixes: u64,
    /// Paths to them.
    pub paths: u64,
}

/// `bgp.status/v1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// `bgp-speaker` or `route-reflector`.
    pub daemon: String,
    /// Its version.
    pub version: String,
    /// Our AS number.
    pub asn: u32,
    /// Our BGP Identifier.
    pub router_id: String,
    /// Our cluster, if we reflect.
    pub cluster_id: Option<String>,
    /// Where sessions are accepted.
    pub listen: Vec<SocketAddr>,
    /// When the daemon started.
    pub started: Timestamp,
    /// How long ago, in seconds.
    pub uptime_seconds: u64,
    /// Peers that are known, dynamic ones included.
    pub peers: u64,
    /// Peers in Established.
    pub peers_established: u64,
    /// The tables.
    pub tables: Vec<TableSize>,
    /// Interned attribute sets.
    pub attribute_sets: u64,
    /// Update groups.
    pub update_groups: u64,
    /// What the RIB takes, in octets.
    pub rib_memory_bytes: u64,
    /// The configuration file; `null`: a trial without one.
    pub config_file: Option<String>,
    /// The last reload, if there was one.
    pub last_reload: Option<LastReload>,
    /// Since when the daemon is about to go; `null`: it stays.
    pub draining: Option<Draining>,
    /// Whether `/readyz` says yes.
    pub ready: bool,
    /// The collectors of `[[bmp]]`.
    #[serde(default)]
    pub collectors: Vec<CollectorRow>,
    /// The files of `[mrt]`; `null`: none.
    #[serde(default)]
    pub update_log: Option<UpdateLog>,
    /// What an operator should look at, a sentence each.
    pub alarms: Vec<String>,
}

impl Body for Status {
    const SCHEMA: &'static str = "bgp.status/v1";
}

/// One collector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectorRow {
    /// Where it listens.
    pub address: String,
    /// Whether it is connected.
    pub up: bool,
    /// How often it was connected.
    pub connects: u64,
    /// How often it was too slow, and told everything again.
    pub overflows: u64,
    /// BMP messages sent.
    pub messages: u64,
    /// Octets sent.
    pub bytes: u64,
    /// Why it was disconnected last, until it is connected again.
    pub error: Option<String>,
}

/// The files of what happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateLog {
    /// Records written.
    pub records: u64,
    /// Records that could not be written.
    pub lost: u64,
    /// Tables written.
    pub tables: u64,
    /// What is wrong with the disk.
    pub error: Option<String>,
}

/// How the last reload went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReload {
    /// When.
    pub time: Timestamp,
    /// Whether the file was taken.
    pub success: bool,
    /// Why not.
    pub error: Option<String>,
}

/// That the daemon is about to go: its routes go out with GRACEFUL_SHUTDOWN (RFC 8326).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draining {
    /// Since when.
    pub since: Timestamp,
    /// What peers are told when the daemon stops.
    pub reason: Option<String>,
}

/// The body of `POST /v1/drain`; may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrainRequest {
    /// Stay after all.
    #[serde(default)]
    pub undo: bool,
    /// Told to the peers when the daemon stops (RFC 9003), at most 255 octets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `bgp.drain/v1`: what draining, or staying after all, did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// Since when the daemon is about to go; `null`: it stays.
    pub draining: Option<Draining>,
    /// How many established peers are sent their routes anew.
    pub peers: u64,
}

impl Body for Drained {
    const SCHEMA: &'static str = "bgp.drain/v1";
}

/// `bgp.readiness/v1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Whether the daemon does its whole job.
    pub ready: bool,
    /// What is missing for that, a sentence each.
    pub missing: Vec<String>,
}

impl Body for Readiness {
    const SCHEMA: &'static str = "bgp.readiness/v1";
}

/// `bgp.config/v1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectiveConfig {
    /// The file it was read from; `null`: a trial without one.
    pub file: Option<String>,
    /// Every value with its origin, as TOML, without passwords.
    pub effective: String,
}

impl Body for EffectiveConfig {
    const SCHEMA: &'static str = "bgp.config/v1";
}

/// One thing that a reload changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRow {
    /// The peer it concerns, or the section; empty for the top of the file.
    pub subject: String,
    /// The key; `null`: the entry as a whole.
    pub key: Option<String>,
    /// The value before; `null`: there was none.
    pub old: Option<String>,
    /// The value after; `null`: there is none any more.
    pub new: Option<String>,
    /// `live`, `refresh`, `session-reset` or `restart`.
    pub impact: String,
}

/// `bgp.reload/v1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// What changed; empty: nothing.
    pub changes: Vec<ChangeRow>,
    /// Warnings about the new file.
    pub warnings: Vec<String>,
}

impl Body for ReloadReport {
    const SCHEMA: &'static str = "bgp.reload/v1";
}

impl ChangeRow {
    fn of_key(subject: String, change: &Change) -> ChangeRow {
        ChangeRow {
            subject,
            key: Some(change.key.to_owned()),
            old: Some(change.old.clone()),
            new: Some(change.new.clone()),
            impact: change.impact.to_string(),
        }
    }

    fn whole(subject: &str, old: Option<String>, new: Option<String>, impact: &str) -> ChangeRow {
        ChangeRow { subject: subject.to_owned(), key: None, old, new, impact: impact.to_owned() }
    }
}

impl From<&Changes> for ReloadReport {
    fn from(changes: &Changes) -> ReloadReport {
        let mut rows: Vec<ChangeRow> =
            changes.global.iter().map(|c| ChangeRow::of_key(c.section.to_owned(), c)).collect();
        let added = changes.peers_added.iter().map(|p| p.selector.to_string());
        rows.extend(added.map(|peer| ChangeRow::whole("peers", None, Some(peer), "live")));
        let removed = changes.peers_removed.iter().map(ToString::to_string);
        rows.extend(removed.map(|peer| ChangeRow::whole("peers", Some(peer), None, "session-reset")));
        for peer in &changes.peers_changed {
            let subject = peer.peer.selector.to_string();
            rows.extend(peer.changes.iter().map(|c| ChangeRow::of_key(subject.clone(), c)));
        }
        let announced = changes.announced.iter().map(ToString::to_string);
        rows.extend(announced.map(|p| ChangeRow::whole("announce", None, Some(p), "live")));
        let withdrawn = changes.withdrawn.iter().map(ToString::to_string);
        rows.extend(withdrawn.map(|p| ChangeRow::whole("announce", Some(p), None, "live")));
        ReloadReport { changes: rows, warnings: Vec::new() }
    }
}

/// What went wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// A stable word for programs: `not_found`, `invalid`, `invalid_config`, `refused`, `read_only`,
    /// `unavailable`.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The body of every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}
