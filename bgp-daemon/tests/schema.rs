//! The JSON of the control API, word for word: `tests/schema/NAME.json`. Within `/v1` there are only additions, so a
//! line that goes or changes there breaks somebody's program. `BLESS=1 cargo test` writes the files anew.

#![cfg(test)]

use std::fmt::Debug;
use std::path::Path;

use bgp_daemon::api::schema::{
    Announced, Bfd, BfdRow, Body, Capabilities, ChangeRow, CheckRow, CollectorRow, Counter, Document,
    Drained, Draining, EVENT_SCHEMA, EffectiveConfig, ErrorBody, ErrorDetail, Event, EventKind, Explain,
    ExportPathRow, ExportRow, FamilyCounts, Fib, FibDiff, FibDiffRow, FibFault, FibOperation, ImportRow,
    KernelRow, KernelState, LastReload, MessageCount, Peer, PeerActionDone, PeerDetail, PeerRow, PeerType,
    Peers, PoolRow, Readiness, ReloadReport, RouteRow, Routes, SessionState, Status, TableSize, TermRow,
    Timers, Timestamp, Transition, Treated, TunnelRow, TunnelState, Tunnels, UpdateLog,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// 2026-11-21T12:00:00.123Z
const NOON: Timestamp = Timestamp(1_795_262_400_123);

fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, value: &T) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema").join(name).with_extension("json");
    let actual = serde_json::to_string_pretty(value).unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &actual).unwrap();
    }
    assert_eq!(actual, std::fs::read_to_string(&path).unwrap_or_default(), "{name}");
    assert_eq!(&serde_json::from_str::<T>(&actual).unwrap(), value, "{name} reads back");
}

fn document<T: Body + Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, body: T) {
    assert_eq!(T::SCHEMA, format!("bgp.{name}/v1"));
    check(name, &Document { time: NOON, ..Document::new("host-1", body) });
}

fn peer() -> PeerRow {
    PeerRow {
        address: "10.0.0.12".parse().unwrap(),
        name: Some("node-7".to_owned()),
        group: Some("rack-a".to_owned()),
        asn: 64512,
        kind: PeerType::Client,
        range: Some("10.0.0.0/24".to_owned()),
        enabled: true,
        state: SessionState::Established,
        since: Some(NOON),
        since_seconds: 11_520,
        router_id: Some("10.0.0.12".to_owned()),
        local_address: Some("10.0.0.1".parse().unwrap()),
        families: vec![FamilyCounts {
            family: "ipv4".to_owned(),
            received: 14,
            accepted: 14,
            advertised: 2048,
            stale: 0,
        }],
        flaps: 0,
        reason: None,
    }
}

fn peer_detail() -> PeerDetail {
    PeerDetail {
        row: peer(),
        remote_port: Some(179),
        local_port: Some(40_001),
        import: "accept".to_owned(),
        export: "accept".to_owned(),
        max_prefix: None,
        paused_seconds: Some(27),
        role: Some("customer".to_owned()),
        peer_role: Some("provider".to_owned()),
        capabilities: Capabilities {
            sent: vec!["route-refresh".to_owned()],
            received: vec!["four-octet-as 64512".to_owned()],
        },
        timers: Timers { hold_seconds: Some(90), keepalive_seconds: Some(30), connect_retry_seconds: None },
        messages: vec![MessageCount { direction: "sent".to_owned(), kind: "update".to_owned(), count: 7 }],
        malformed: vec![Treated { treatment: "treat_as_withdraw".to_owned(), count: 1 }],
        counters: vec![Counter { of: "session".to_owned(), name: "connects".to_owned(), count: 4 }],
        bytes_received: 1000,
        bytes_sent: 2000,
        queue_bytes: 0,
        last_error: Some("hold timer expired".to_owned()),
        history: vec![Transition {
            time: NOON,
            from: SessionState::OpenConfirm,
            to: SessionState::Established,
            reason: None,
        }],
    }
}

fn route() -> RouteRow {
    RouteRow {
        interface: None,
        prefix: "10.244.7.0/26".parse().unwrap(),
        next_hop: "10.0.0.12".parse().unwrap(),
        from: Some("10.0.0.12".parse().unwrap()),
        path_id: 0,
        origin: "igp".to_owned(),
        as_path: "64513 {1 2}".to_owned(),
        med: Some(5),
        local_pref: Some(100),
        communities: vec!["64512:100".to_owned()],
        ext_communities: vec!["rt:64512:42".to_owned()],
        large_communities: vec!["64512:1:2".to_owned()],
        originator_id: Some("10.0.0.12".to_owned()),
        cluster_list: vec!["10.0.0.1".to_owned()],
        other: Vec::new(),
        since: Some(NOON),
        age_seconds: 60,
        valid: true,
        best: true,
        flags: vec!["reflected".to_owned()],
        lost_by: None,
        rejected: None,
    }
}

#[test]
fn peers_keep_their_form() {
    document("peers", Peers { peers: vec![peer()] });
    document("peer", Peer { peer: peer_detail() });
    document("peer_action", PeerActionDone { peer: "node-7".to_owned(), action: "reset".to_owned() });
}

#[test]
fn routes_keep_their_form() {
    document("routes", Routes { routes: vec![route()], total: 1 });
    document("announced", Announced { changed: 2 });
    let row = FibDiffRow {
        prefix: "fd00::/64".parse().unwrap(),
        fault: FibFault::Missing,
        wanted: vec!["fd00::1".parse().unwrap()],
        found: Vec::new(),
        wanted_route: Some("via fd00::1 dev vxlan6.bgp onlink".to_owned()),
        found_route: None,
    };
    let operation = FibOperation { op: "add".to_owned(), result: "ok".to_owned(), count: 2047 };
    let operations = vec![operation];
    document("fib", Fib { routes: 2047, pending: 1, operations, repairs: 2, resyncs: 1, last_sync_us: 9 });
    document("fib_diff", FibDiff { routes: vec![row], in_sync: 2047 });
}

#[test]
fn tunnels_keep_their_form() {
    let tunnel = TunnelRow {
        device: "tunl0".to_owned(),
        kind: "ipip".to_owned(),
        family: "ipv4".to_owned(),
        local: Some("192.0.2.5".parse().unwrap()),
        mtu: Some(1480),
        state: TunnelState::Failed,
        hosts: 2,
        problem: Some("this kernel has no ipip devices".to_owned()),
        in_use: true,
    };
    let pool = PoolRow {
        cidr: "10.244.0.0/16".parse().unwrap(),
        block_size: 26,
        mode: "ipip always".to_owned(),
        next_mode: Some("ipip cross-subnet".to_owned()),
        nat_outgoing: true,
        selected: true,
    };
    let filter_problem = Some("the program nft is missing".to_owned());
    document("tunnels", Tunnels { tunnels: vec![tunnel], pools: vec![pool], hosts: 3, filter_problem });
}

#[test]
fn bfd_keeps_its_form() {
    let session = BfdRow {
        peer: "10.0.0.12".parse().unwrap(),
        interface: None,
        name: Some("node-7".to_owned()),
        local: Some("10.0.0.1".parse().unwrap()),
        hops: "single".to_owned(),
        state: "init".to_owned(),
        since: NOON,
        since_seconds: 7,
        diagnostic: "no diagnostic".to_owned(),
        peer_state: "down".to_owned(),
        peer_diagnostic: "control detection time expired".to_owned(),
        peer_independent: true,
        discriminator: 7,
        peer_discriminator: Some(9),
        interval_ms: 300,
        multiplier: 3,
        transmit_ms: 1000,
        detect_ms: Some(3000),
        received: 8,
        sent: 9,
        ups: 0,
        failures: 0,
        problem: Some("the peer does not hear us".to_owned()),
    };
    document("bfd", Bfd { sessions: vec![session], discarded: 2 });
}

#[test]
fn explanations_keep_their_form() {
    let term = TermRow {
        name: "pods".to_owned(),
        failed: Some("prefix 10.244.0.0/16".to_owned()),
        edits: vec!["set local preference 50".to_owned()],
        action: Some("accept".to_owned()),
    };
    let import = ImportRow {
        from: "10.0.0.12".parse().unwrap(),
        path_id: 0,
        policy: "from-nodes".to_owned(),
        terms: vec![term.clone()],
        route: RouteRow { rejected: Some("policy".to_owned()), ..route() },
    };
    let path = ExportPathRow {
        from: None,
        path_id: 0,
        checks: vec![CheckRow { check: "family negotiated".to_owned(), passed: true }],
        blocked_by: Some("export policy".to_owned()),
        terms: vec![term],
        sent: Some(route()),
    };
    let to = "10.0.0.13".parse().unwrap();
    let export = ExportRow { to, policy: "accept".to_owned(), advertised: true, paths: vec![path] };
    let explained = Explain {
        prefix: route().prefix,
        candidates: vec![route()],
        import: vec![import],
        fib: Some(vec!["10.0.0.12".parse().unwrap()]),
        kernel: Some(KernelRow {
            state: KernelState::Conflict,
            wanted: Some("via 10.0.0.12 dev eth0".to_owned()),
            found: None,
            why: Some("a route of protocol 3 has the same metric".to_owned()),
        }),
        export: Some(export),
    };
    document("explain", explained);
}

#[test]
fn the_daemon_keeps_its_form() {
    let draining = Draining { since: NOON, reason: Some("maintenance".to_owned()) };
    let status = Status {
        daemon: "route-reflector".to_owned(),
        version: "0.1.0".to_owned(),
        asn: 64512,
        router_id: "10.0.0.1".to_owned(),
        cluster_id: Some("10.0.0.1".to_owned()),
        listen: vec!["0.0.0.0:179".parse().unwrap(), "[::]:179".parse().unwrap()],
        started: NOON,
        uptime_seconds: 60,
        peers: 2,
        peers_established: 1,
        tables: vec![TableSize { family: "ipv4".to_owned(), prefixes: 10, paths: 12 }],
        attribute_sets: 3,
        update_groups: 1,
        rib_memory_bytes: 4096,
        config_file: Some("/etc/bgp/route-reflector.toml".to_owned()),
        last_reload: Some(LastReload { time: NOON, success: true, error: None }),
        draining: Some(draining.clone()),
        ready: false,
        collectors: vec![CollectorRow {
            address: "192.0.2.9:11019".to_owned(),
            up: false,
            connects: 2,
            overflows: 1,
            messages: 9000,
            bytes: 1_000_000,
            error: Some("it closed the connection".to_owned()),
        }],
        update_log: Some(UpdateLog { records: 12, lost: 0, tables: 1, error: None }),
        alarms: vec!["two peers have the router id 10.0.0.12".to_owned()],
    };
    document("status", status);
    document("drain", Drained { draining: Some(draining), peers: 2 });
    document("readiness", Readiness { ready: false, missing: vec!["no session is established".to_owned()] });
    document("config", EffectiveConfig { file: None, effective: "asn = 64512 # line 1\n".to_owned() });
    let change = ChangeRow {
        subject: "10.0.0.12".to_owned(),
        key: Some("hold-time".to_owned()),
        old: Some("90".to_owned()),
        new: Some("30".to_owned()),
        impact: "session-reset".to_owned(),
    };
    document("reload", ReloadReport { changes: vec![change], warnings: Vec::new() });
    let error = ErrorDetail {
        code: "refused".to_owned(),
        message: "the peer is disabled".to_owned(),
        hint: Some("enable it first".to_owned()),
    };
    check("error", &ErrorBody { error });
}

#[test]
fn events_keep_their_form() {
    let events: Vec<Event> = [
        EventKind::Peer {
            address: "10.0.0.12".parse().unwrap(),
            name: Some("node-7".to_owned()),
            from: SessionState::Established,
            to: SessionState::Idle,
            reason: Some("hold timer expired".to_owned()),
        },
        EventKind::Malformed { address: "10.0.0.12".parse().unwrap(), faults: vec!["ORIGIN: 3".to_owned()] },
        EventKind::PeerRemoved { address: "10.0.0.12".parse().unwrap() },
        EventKind::Route { route: Box::new(route()) },
        EventKind::Withdraw { prefix: "10.244.7.0/26".parse().unwrap() },
        EventKind::Reload { success: false, error: Some("error[C011]".to_owned()) },
        EventKind::Alarm { message: "two peers have the router id 10.0.0.12".to_owned() },
        EventKind::Lagged { missed: 3 },
    ]
    .into_iter()
    .map(|kind| Event { schema: EVENT_SCHEMA.to_owned(), time: NOON, kind })
    .collect();
    check("events", &events);
}
