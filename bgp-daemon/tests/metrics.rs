//! The text of `/metrics`, word for word apart from the process's own values: `tests/metrics/*.txt`.
//! `BLESS=1 cargo test` writes the files anew.

#![cfg(test)]

use std::path::Path;

use bgp_daemon::api::schema::{PeerType, SessionState, TableSize, Timestamp};
use bgp_daemon::config::PerPeer;
use bgp_daemon::metrics::{FamilyMetrics, MetricsSnapshot, PeerMetrics, ReloadMetrics, encode};
use prometheus::Registry;

fn snapshot(per_peer: PerPeer) -> MetricsSnapshot {
    let peer = PeerMetrics {
        address: "fd00::12".parse().unwrap(),
        name: Some("node \"7\"".to_owned()),
        group: Some("rack-a".to_owned()),
        asn: 64512,
        kind: PeerType::Client,
        state: SessionState::Established,
        last_change: Some(Timestamp(1_795_262_400_500)),
        flaps: 3,
        down: vec![("hold_timer", 2), ("notification_received", 1)],
        messages: vec![("received", "update", 7), ("sent", "keepalive", 9)],
        notifications: vec![("received", "cease", 2), ("sent", "hold_timer", 1)],
        bytes_received: 1000,
        bytes_sent: 2000,
        families: vec![FamilyMetrics {
            family: "ipv4",
            received: 14,
            accepted: 13,
            advertised: 2048,
            stale: 3,
            updates: vec![("received", "announce", 20), ("received", "withdraw", 6)],
        }],
        rejected: vec![("as_loop", 1)],
        connects: 5,
        established: 4,
        faults: vec![("ORIGIN", 1)],
        malformed: vec![("treat_as_withdraw", 1)],
        send_lag: std::time::Duration::from_millis(250),
        queue_bytes: 77,
    };
    MetricsSnapshot {
        daemon: "route-reflector",
        version: "0.1.0",
        per_peer,
        collectors: Vec::new(),
        update_log: None,
        peers: vec![peer],
        tables: vec![TableSize { family: "ipv4".to_owned(), prefixes: 10, paths: 12 }],
        attribute_sets: 3,
        update_groups: 1,
        rib_memory_bytes: 4096,
        bfd: bgp_daemon::api::schema::Bfd::default(),
        reload: ReloadMetrics { success: true, time: Timestamp(1_795_262_400_000) },
    }
}

fn check(name: &str, per_peer: PerPeer) -> String {
    let text = encode(&snapshot(per_peer), &Registry::new()).unwrap();
    let is_own = |line: &&str| !line.contains("process_");
    let actual: String = text.lines().filter(is_own).map(|line| format!("{line}\n")).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/metrics").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &actual).unwrap();
    }
    assert_eq!(actual, std::fs::read_to_string(&path).unwrap_or_default());
    actual
}

#[test]
fn metrics_keep_their_names_and_labels() {
    check("full.txt", PerPeer::Auto);
}

#[test]
fn the_basic_set_has_few_series_a_peer() {
    let text = check("basic.txt", PerPeer::Basic);
    assert_eq!(text.lines().filter(|line| line.contains("peer=\"fd00::12\"")).count(), 6);
}

#[test]
fn many_peers_get_the_basic_set() {
    let mut crowd = snapshot(PerPeer::Auto);
    crowd.peers = vec![crowd.peers[0].clone(); 501];
    let text = encode(&crowd, &Registry::new()).unwrap();
    assert!(text.contains("\nbgp_metrics_per_peer_full 0\n") && !text.contains("bgp_peer_bytes_total"));
}

#[test]
fn an_embedder_adds_its_own_metrics() {
    let registry = Registry::new();
    let repairs = prometheus::IntCounter::new("bgp_fib_repairs_total", "Routes put right").unwrap();
    registry.register(Box::new(repairs.clone())).unwrap();
    repairs.inc();
    assert!(encode(&snapshot(PerPeer::Auto), &registry).unwrap().contains("\nbgp_fib_repairs_total 1\n"));
}
