//! What `/metrics` shows, gathered for one scrape.

use std::collections::BTreeMap;
use std::time::Duration;

use bgp_core::Family;
use bgp_core::wire::attribute_name;
use bgp_rib::PeerId;
use bgp_router::Refusal;

use super::control::PeerState;
use super::rows;
use super::supervisor::Supervisor;
use crate::api::ControlError;
use crate::api::schema::Timestamp;
use crate::metrics::{FamilyMetrics, MetricsSnapshot, PeerMetrics, ReloadMetrics};

impl Supervisor {
    pub(super) async fn metrics(&self) -> Result<MetricsSnapshot, ControlError> {
        let peers = self.peer_states().await?;
        let ids: Vec<PeerId> = peers.iter().map(|(_, status, _)| status.id).collect();
        let lags: Vec<Duration> = self
            .ask_core(|core, clock| ids.into_iter().map(|id| core.send_lag(clock.now(), id)).collect())
            .await?;
        let sizes = self.table_sizes().await?;
        let started = Timestamp::from(self.clock.started());
        let reload = self.last_reload.as_ref();
        Ok(MetricsSnapshot {
            daemon: self.config.daemon.name(),
            version: env!("CARGO_PKG_VERSION"),
            per_peer: self.config.metrics.per_peer,
            collectors: self.monitoring.collectors().cloned().collect(),
            update_log: self.monitoring.archive().cloned(),
            peers: peers
                .iter()
                .zip(lags)
                .map(|(peer, lag)| peer_metrics(peer, lag))
                .chain(self.sought().map(|sought| sought.metrics()))
                .collect(),
            tables: sizes.tables,
            attribute_sets: self.store.len() as u64,
            update_groups: sizes.groups,
            bfd: self.bfd().await,
            rib_memory_bytes: sizes.memory + self.store.bytes() as u64,
            reload: ReloadMetrics {
                success: reload.is_none_or(|r| r.success),
                time: reload.map_or(started, |r| r.time),
            },
        })
    }
}

/// Faults by attribute; those of attributes without a name are one count: what a peer sends makes no series.
fn faults(faults: &[(u8, u64)]) -> Vec<(&'static str, u64)> {
    let mut sums: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (code, count) in faults {
        let name = if *code == 0 { "UPDATE" } else { attribute_name(*code).unwrap_or("unknown") };
        *sums.entry(name).or_default() += count;
    }
    sums.into_iter().collect()
}

pub(super) fn peer_metrics((config, status, counts): &PeerState, send_lag: Duration) -> PeerMetrics {
    let row = rows::peer_row(config, status, counts);
    let families = counts.iter().map(|(family, counts)| {
        let index = usize::from(*family == Family::IPV6_UNICAST);
        let total = |of: &[u64; 2]| of.get(index).copied().unwrap_or(0);
        FamilyMetrics {
            family: if index == 0 { "ipv4" } else { "ipv6" },
            received: rows::received(status, *family, counts),
            accepted: counts.accepted as u64,
            advertised: counts.advertised as u64,
            stale: counts.stale as u64,
            updates: vec![
                ("received", "announce", total(&status.import.announced)),
                ("received", "withdraw", total(&status.import.withdrawn)),
            ],
        }
    });
    let messages = rows::MESSAGE_TYPES.into_iter().flat_map(|(kind, name)| {
        [("received", name, status.counters.received.get(kind)), ("sent", name, rows::sent(status, kind))]
    });
    let directions = [
        ("received", &status.counters.notifications_received),
        ("sent", &status.counters.notifications_sent),
    ];
    let notifications = directions.into_iter().flat_map(|(direction, counters)| {
        let seen =
            rows::NOTIFICATION_CODES.into_iter().zip(counters.iter()).filter(|(_, (_, count))| *count > 0);
        seen.map(move |(name, (_, count))| (direction, name, count))
    });
    let treatments = ["discard_attribute", "treat_as_withdraw", "disable_family", "reset_session"];
    PeerMetrics {
        address: row.address,
        name: row.name,
        group: row.group,
        asn: row.asn,
        kind: row.kind,
        state: row.state,
        last_change: row.since,
        flaps: row.flaps,
        down: status.downs.clone(),
        messages: messages.collect(),
        notifications: notifications.collect(),
        connects: status.counters.connects,
        established: status.counters.established,
        faults: faults(&status.faults),
        bytes_received: status.octets_read,
        bytes_sent: status.octets_written,
        families: families.collect(),
        rejected: Refusal::ALL.into_iter().map(Refusal::label).zip(status.import.refused).collect(),
        malformed: treatments.into_iter().zip(status.import.malformed).collect(),
        send_lag,
        queue_bytes: status.queued as u64,
    }
}
