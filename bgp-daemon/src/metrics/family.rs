//! From a snapshot to metric families: names, help and labels of every series.

use std::collections::BTreeMap;

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::snapshot::{MetricsSnapshot, PeerMetrics};
use crate::api::schema::{Bfd, SessionState};
use crate::config::PerPeer;

/// Above so many peers `per-peer = "auto"` gives each only the basic series.
const FULL_PEERS: usize = 500;

type Labels<'a> = &'a [(&'static str, &'a str)];

/// Families that are being filled.
#[derive(Default)]
pub(super) struct Families(BTreeMap<&'static str, MetricFamily>);

impl Families {
    fn add(
        &mut self,
        name: &'static str,
        help: &str,
        kind: MetricType,
        labels: Labels<'_>,
        mut metric: Metric,
    ) {
        let pairs = labels.iter().map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        metric.set_label(pairs.collect());
        let family = self.0.entry(name).or_insert_with(|| {
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            family.set_field_type(kind);
            family
        });
        family.mut_metric().push(metric);
    }

    /// A value that goes up and down.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str, labels: Labels<'_>, value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        self.add(name, help, MetricType::GAUGE, labels, Metric::from_gauge(gauge));
    }

    /// A value that only grows.
    pub(super) fn counter(&mut self, name: &'static str, help: &str, labels: Labels<'_>, value: f64) {
        let mut counter = Counter::default();
        counter.set_value(value);
        let mut metric = Metric::default();
        metric.set_counter(counter);
        self.add(name, help, MetricType::COUNTER, labels, metric);
    }

    /// The families, by name.
    pub(super) fn finish(self) -> Vec<MetricFamily> {
        self.0.into_values().collect()
    }
}

/// Prometheus knows no integers; counts stay exact up to 2^53.
fn number(count: u64) -> f64 {
    count as f64
}

pub(super) fn families(snapshot: &MetricsSnapshot) -> Vec<MetricFamily> {
    let mut out = Families::default();
    daemon(&mut out, snapshot);
    telemetry(&mut out, snapshot);
    let full = match snapshot.per_peer {
        PerPeer::Full => true,
        PerPeer::Basic => false,
        PerPeer::Auto => snapshot.peers.len() <= FULL_PEERS,
    };
    let help = "1 if every peer has all of its series, 0 if only the basic ones";
    out.gauge("bgp_metrics_per_peer_full", help, &[], f64::from(u8::from(full)));
    for peer in &snapshot.peers {
        basic(&mut out, peer);
        if full {
            detailed(&mut out, peer);
        }
    }
    bfd(&mut out, &snapshot.bfd);
    out.finish()
}

fn daemon(out: &mut Families, snapshot: &MetricsSnapshot) {
    let build = [("daemon", snapshot.daemon), ("version", snapshot.version)];
    out.gauge("bgp_build_info", "The daemon and its version", &build, 1.0);
    for state in SessionState::ALL {
        let peers = snapshot.peers.iter().filter(|peer| peer.state == state).count();
        out.gauge("bgp_peers", "Peers by state", &[("state", state.name())], number(peers as u64));
    }
    for table in &snapshot.tables {
        let labels = [("family", table.family.as_str())];
        out.gauge("bgp_routes", "Destinations with at least one path", &labels, number(table.prefixes));
        out.gauge("bgp_paths", "Paths to all destinations", &labels, number(table.paths));
    }
    out.gauge("bgp_attribute_sets", "Interned attribute sets", &[], number(snapshot.attribute_sets));
    out.gauge("bgp_update_groups", "Update groups", &[], number(snapshot.update_groups));
    out.gauge("bgp_rib_memory_bytes", "Memory of the RIB", &[], number(snapshot.rib_memory_bytes));
    let success = f64::from(u8::from(snapshot.reload.success));
    out.gauge("bgp_config_last_reload_success", "1 if the last reload was taken", &[], success);
    let time = number(snapshot.reload.time.0) / 1000.0;
    let help = "When the configuration in force was read";
    out.gauge("bgp_config_last_reload_success_timestamp_seconds", help, &[], time);
}

fn telemetry(out: &mut Families, snapshot: &MetricsSnapshot) {
    for collector in &snapshot.collectors {
        let address = collector.address().to_string();
        let labels = [("collector", address.as_str())];
        let up = f64::from(u8::from(collector.is_up()));
        out.gauge("bgp_bmp_up", "1 if the collector is connected", &labels, up);
        let help = "BMP messages sent";
        out.counter("bgp_bmp_messages_total", help, &labels, number(collector.messages()));
        let help = "Octets sent to the collector";
        out.counter("bgp_bmp_bytes_total", help, &labels, number(collector.octets()));
        let help = "How often the collector was too slow and was told everything again";
        out.counter("bgp_bmp_overflows_total", help, &labels, number(collector.overflows()));
    }
    if let Some(log) = &snapshot.update_log {
        let help = "Records in the update log, and those that could not be written";
        for (result, count) in [("written", log.records()), ("lost", log.lost())] {
            out.counter("bgp_mrt_records_total", help, &[("result", result)], number(count));
        }
        out.counter("bgp_mrt_tables_total", "Tables written", &[], number(log.tables()));
    }
}

/// The eight series that every peer has.
fn basic(out: &mut Families, peer: &PeerMetrics) {
    let address = peer.address.to_string();
    let labels = [("peer", address.as_str())];
    let asn = peer.asn.to_string();
    let name = peer.name.as_deref().unwrap_or_default();
    let group = peer.group.as_deref().unwrap_or_default();
    let info = [
        ("peer", address.as_str()),
        ("name", name),
        ("peer_as", asn.as_str()),
        ("type", peer.kind.name()),
        ("group", group),
    ];
    out.gauge("bgp_peer_info", "What is known of a peer", &info, 1.0);
    let up = f64::from(u8::from(peer.state == SessionState::Established));
    out.gauge("bgp_peer_up", "1 if the session is established", &labels, up);
    let state = SessionState::ALL.iter().position(|s| *s == peer.state).unwrap_or(0) + 1;
    out.gauge("bgp_peer_state", "1 idle to 6 established", &labels, number(state as u64));
    out.counter("bgp_peer_flaps_total", "How often the session was lost", &labels, number(peer.flaps));
    for family in &peer.families {
        for (state, count) in [("accepted", family.accepted), ("advertised", family.advertised)] {
            routes(out, &address, family.family, state, count);
        }
    }
}

fn routes(out: &mut Families, peer: &str, family: &str, state: &str, count: u64) {
    let labels = [("peer", peer), ("family", family), ("state", state)];
    out.gauge("bgp_peer_routes", "Routes from and to a peer", &labels, number(count));
}

fn detailed(out: &mut Families, peer: &PeerMetrics) {
    let address = peer.address.to_string();
    let only_peer = [("peer", address.as_str())];
    if let Some(time) = peer.last_change {
        let help = "When the session's state last changed";
        out.gauge("bgp_peer_last_change_timestamp_seconds", help, &only_peer, number(time.0) / 1000.0);
    }
    out.gauge("bgp_peer_queue_bytes", "Octets waiting to be written", &only_peer, number(peer.queue_bytes));
    let help = "How long ago the oldest routes were read that the peer has not taken yet";
    out.gauge("bgp_peer_send_lag_seconds", help, &only_peer, peer.send_lag.as_secs_f64());
    for (direction, bytes) in [("received", peer.bytes_received), ("sent", peer.bytes_sent)] {
        let labels = [("peer", address.as_str()), ("direction", direction)];
        out.counter("bgp_peer_bytes_total", "Octets of messages", &labels, number(bytes));
    }
    for (direction, kind, count) in &peer.messages {
        let labels = [("peer", address.as_str()), ("direction", direction), ("type", kind)];
        out.counter("bgp_peer_messages_total", "Messages", &labels, number(*count));
    }
    for (direction, code, count) in &peer.notifications {
        let labels = [("peer", address.as_str()), ("direction", direction), ("code", code)];
        out.counter("bgp_peer_notifications_total", "NOTIFICATIONs", &labels, number(*count));
    }
    let help = "Connections asked for";
    out.counter("bgp_peer_connects_total", help, &only_peer, number(peer.connects));
    let help = "Sessions that came up";
    out.counter("bgp_peer_established_total", help, &only_peer, number(peer.established));
    let by_reason = [
        ("bgp_peer_down_total", "Sessions that ended", "reason", &peer.down),
        ("bgp_peer_routes_rejected_total", "Routes refused at import", "reason", &peer.rejected),
        ("bgp_peer_malformed_total", "Malformed UPDATEs (RFC 7606)", "treatment", &peer.malformed),
        ("bgp_peer_faults_total", "Faults in UPDATEs", "attribute", &peer.faults),
    ];
    for (name, help, label, counts) in by_reason {
        for (value, count) in counts {
            out.counter(name, help, &[("peer", address.as_str()), (label, *value)], number(*count));
        }
    }
    for family in &peer.families {
        routes(out, &address, family.family, "received", family.received);
        routes(out, &address, family.family, "stale", family.stale);
        for (direction, kind, count) in &family.updates {
            let labels = [
                ("peer", address.as_str()),
                ("family", family.family),
                ("direction", direction),
                ("kind", kind),
            ];
            let help = "Announced and withdrawn routes";
            out.counter("bgp_peer_route_updates_total", help, &labels, number(*count));
        }
    }
}

/// Only of peers that BFD watches.
fn bfd(out: &mut Families, bfd: &Bfd) {
    for row in &bfd.sessions {
        let address = row.address().to_string();
        let labels = [("peer", address.as_str())];
        let up = f64::from(u8::from(row.state == "up"));
        out.gauge("bgp_bfd_up", "1 if BFD says that the path is alive", &labels, up);
        out.counter("bgp_bfd_failures_total", "How often the path failed", &labels, number(row.failures));
        for (direction, count) in [("received", row.received), ("sent", row.sent)] {
            let labels = [("peer", address.as_str()), ("direction", direction)];
            out.counter("bgp_bfd_packets_total", "BFD packets", &labels, number(count));
        }
    }
    if !bfd.sessions.is_empty() {
        let help = "Datagrams that were malformed, from too far, or for no session";
        out.counter("bgp_bfd_discarded_total", help, &[], number(bfd.discarded));
    }
}
