//! From what the parts know to the rows of the control API.

use std::net::IpAddr;
use std::time::SystemTime;

use bgp_core::fsm::State;
use bgp_core::wire::{Attributes, MessageType, Summary, attribute_name, code};
use bgp_core::{Family, Instant, PeerKind, Prefix, RouterId, link_local};
use bgp_rib::{Attrs, PathView, PeerCounts, PeerId, RouteView, SourceKind};
use bgp_router::{ReceivedRoute, Refusal};

use super::clock::Clock;
use super::status::PeerStatus;
use crate::api::schema::{
    Capabilities, CollectorRow, Counter, FamilyCounts, MessageCount, PeerAddress, PeerDetail, PeerRow,
    PeerType, RouteRow, SessionState, Timers, Timestamp, Transition, Treated, UpdateLog,
};
use crate::config::{PeerConfig, Selector};
use crate::monitor::{ArchiveStatus, CollectorStatus};
use crate::net::{link_name, shown};

/// The API's word for a state.
pub(super) fn session_state(state: State) -> SessionState {
    match state {
        State::Idle => SessionState::Idle,
        State::Connect => SessionState::Connect,
        State::Active => SessionState::Active,
        State::OpenSent => SessionState::OpenSent,
        State::OpenConfirm => SessionState::OpenConfirm,
        State::Established => SessionState::Established,
    }
}

fn peer_type(config: &PeerConfig) -> PeerType {
    match config.kind {
        PeerKind::External => PeerType::External,
        PeerKind::Internal if config.confederation => PeerType::Confederation,
        PeerKind::Internal if config.client => PeerType::Client,
        PeerKind::Internal => PeerType::Internal,
    }
}

/// The name of the link that an address is on, if it is a link-local one.
fn interface_of(address: IpAddr) -> Option<String> {
    link_local::link(address).and_then(link_name).map(|name| name.to_string())
}

/// A peer's row; `counts` are the RIB's for each family.
pub(super) fn peer_row(config: &PeerConfig, status: &PeerStatus, counts: &[(Family, PeerCounts)]) -> PeerRow {
    let families = counts.iter().map(|(family, counts)| FamilyCounts {
        family: family.to_string(),
        received: received(status, *family, counts),
        accepted: counts.accepted as u64,
        advertised: counts.advertised as u64,
        stale: counts.stale as u64,
    });
    let negotiated = status.negotiated.as_ref();
    PeerRow {
        address: PeerAddress::from(status.address),
        name: config.name.clone(),
        group: config.group.clone(),
        asn: negotiated.map_or(config.asn.0, |n| n.peer_as.0),
        kind: peer_type(config),
        range: matches!(config.selector, Selector::Range(_)).then(|| config.selector.to_string()),
        enabled: config.enabled,
        state: session_state(status.state),
        since: Some(Timestamp::from(status.since)),
        since_seconds: SystemTime::now().duration_since(status.since).map_or(0, |d| d.as_secs()),
        router_id: negotiated.map(|n| n.peer_router_id.to_string()),
        local_address: status.local.map(|local| local.ip()),
        families: families.collect(),
        flaps: status.flaps,
        reason: if negotiated.is_some() { None } else { status.last_error.clone() },
    }
}

/// How many routes of a family the peer has announced: as far as is known, where refused ones are not kept.
pub(super) fn received(status: &PeerStatus, family: Family, counts: &PeerCounts) -> u64 {
    let kept = status.received.map(|[v4, v6]| if family == Family::IPV6_UNICAST { v6 } else { v4 });
    kept.unwrap_or(counts.accepted) as u64
}

/// A peer in detail.
pub(super) fn peer_detail(row: PeerRow, config: &PeerConfig, status: &PeerStatus) -> PeerDetail {
    let negotiated = status.negotiated.as_ref();
    PeerDetail {
        row,
        remote_port: status.remote.map(|remote| remote.port()),
        local_port: status.local.map(|local| local.port()),
        import: config.import.to_string(),
        export: config.export.to_string(),
        max_prefix: config.options.max_prefix,
        paused_seconds: status.pause.map(|left| left.as_millis().div_ceil(1000) as u64),
        role: status.role.map(|role| role.to_string()),
        peer_role: negotiated.and_then(|n| n.peer_role).map(|role| role.to_string()),
        capabilities: Capabilities {
            sent: status.offered.iter().map(ToString::to_string).collect(),
            received: negotiated
                .map_or_else(Vec::new, |n| n.peer_capabilities.iter().map(ToString::to_string).collect()),
        },
        timers: Timers {
            hold_seconds: negotiated.map(|n| n.hold_time.into()),
            keepalive_seconds: negotiated.map(|n| n.keepalive.as_secs()),
            connect_retry_seconds: None,
        },
        messages: messages(status),
        malformed: ["discard_attribute", "treat_as_withdraw", "disable_family", "reset_session"]
            .into_iter()
            .zip(status.import.malformed)
            .map(|(treatment, count)| Treated { treatment: treatment.to_owned(), count })
            .collect(),
        counters: counters(status),
        bytes_received: status.octets_read,
        bytes_sent: status.octets_written,
        queue_bytes: status.queued as u64,
        last_error: status.last_error.clone(),
        history: status
            .history
            .iter()
            .map(|t| Transition {
                time: Timestamp::from(t.at),
                from: session_state(t.from),
                to: session_state(t.to),
                reason: t.reason.clone(),
            })
            .collect(),
    }
}

/// The error codes of NOTIFICATIONs, in the order of their numbers from 0, which stands for all that are undefined.
pub(super) const NOTIFICATION_CODES: [&str; 9] = [
    "undefined",
    "header",
    "open",
    "update",
    "hold_timer",
    "fsm",
    "cease",
    "route_refresh",
    "send_hold_timer",
];

/// The name of an attribute with a fault.
fn fault_name(code: u8) -> String {
    match (code, attribute_name(code)) {
        (0, _) => "UPDATE".to_owned(),
        (_, Some(name)) => name.to_owned(),
        (code, None) => format!("attribute {code}"),
    }
}

/// All counts but messages, octets and treatments. Those that are zero are left out, apart from the first two.
fn counters(status: &PeerStatus) -> Vec<Counter> {
    let counter =
        |of: &str, name: &str, count: u64| Counter { of: of.to_owned(), name: name.to_owned(), count };
    let mut counters = vec![
        counter("session", "connects", status.counters.connects),
        counter("session", "established", status.counters.established),
    ];
    let mut seen = |of: &str, name: &str, count: u64| {
        counters.extend((count > 0).then(|| counter(of, name, count)));
    };
    status.downs.iter().for_each(|(reason, count)| seen("down", reason, *count));
    let directions = [
        ("notification_received", &status.counters.notifications_received),
        ("notification_sent", &status.counters.notifications_sent),
    ];
    for (of, counts) in directions {
        NOTIFICATION_CODES.iter().zip(counts.iter()).for_each(|(name, (_, count))| seen(of, name, count));
    }
    for (what, [v4, v6]) in [("announced", status.import.announced), ("withdrawn", status.import.withdrawn)] {
        seen("routes", &format!("ipv4 {what}"), v4);
        seen("routes", &format!("ipv6 {what}"), v6);
    }
    let refused = Refusal::ALL.into_iter().zip(status.import.refused);
    refused.for_each(|(refusal, count)| seen("rejected", refusal.label(), count));
    status.faults.iter().for_each(|(code, count)| seen("fault", &fault_name(*code), *count));
    counters
}

/// The message types by the API's names.
pub(super) const MESSAGE_TYPES: [(MessageType, &str); 5] = [
    (MessageType::Open, "open"),
    (MessageType::Update, "update"),
    (MessageType::Notification, "notification"),
    (MessageType::Keepalive, "keepalive"),
    (MessageType::RouteRefresh, "route_refresh"),
];

/// Messages by direction and type.
pub(super) fn messages(status: &PeerStatus) -> Vec<MessageCount> {
    type Count = fn(&PeerStatus, MessageType) -> u64;
    let directions: [(&str, Count); 2] =
        [("received", |status, kind| status.counters.received.get(kind)), ("sent", sent)];
    directions
        .into_iter()
        .flat_map(|(direction, count)| {
            MESSAGE_TYPES.into_iter().map(move |(kind, name)| MessageCount {
                direction: direction.to_owned(),
                kind: name.to_owned(),
                count: count(status, kind),
            })
        })
        .collect()
}

/// How many messages of a type were sent: by the session, or past it.
pub(super) fn sent(status: &PeerStatus, kind: MessageType) -> u64 {
    match kind {
        MessageType::Update => status.updates_sent,
        MessageType::RouteRefresh => status.refreshes_sent,
        _ => status.counters.sent.get(kind),
    }
}

/// A collector's row.
pub(super) fn collector(status: &CollectorStatus) -> CollectorRow {
    CollectorRow {
        address: status.address().to_string(),
        up: status.is_up(),
        connects: status.connects(),
        overflows: status.overflows(),
        messages: status.messages(),
        bytes: status.octets(),
        error: status.last_error(),
    }
}

/// How the files of what happens are.
pub(super) fn update_log(status: &ArchiveStatus) -> UpdateLog {
    UpdateLog {
        records: status.records(),
        lost: status.lost(),
        tables: status.tables(),
        error: status.last_error(),
    }
}

/// The alarm for two peers that say they are the same router.
pub(super) fn duplicate_router_id(router_id: RouterId, peers: [IpAddr; 2]) -> String {
    let [a, b] = peers.map(shown);
    format!(
        "the peers {a} and {b} both have the router id {router_id}: clients of a reflector hear only one of them; \
         give one of them another router id"
    )
}

/// A path's row.
pub(super) fn route_row(route: &RouteView<'_>, path: &PathView<'_>, clock: &Clock, now: Instant) -> RouteRow {
    let attrs = &path.path.attrs;
    let local = path.path.source() == PeerId::LOCAL;
    let mut flags = Vec::new();
    if path.in_use && !path.best {
        flags.push("multipath".to_owned());
    }
    if !path.path.is_eligible() {
        flags.push("unreachable".to_owned());
    }
    if path.source.kind == SourceKind::Client || attrs.summary().cluster_list_len > 0 {
        flags.push("reflected".to_owned());
    }
    if path.path.is_stale() {
        flags.push("stale".to_owned());
    }
    if path.path.is_long_lived() {
        flags.push("long-lived".to_owned());
    }
    let received = path.path.received();
    RouteRow {
        from: (!local).then_some(link_local::bare(path.source.address)),
        path_id: path.path.path_id.0,
        since: Some(Timestamp::from(clock.wall(received))),
        age_seconds: now.saturating_since(received).as_secs(),
        valid: path.path.is_eligible(),
        best: path.best,
        flags,
        lost_by: path.rule.map(|rule| rule.to_string()),
        ..set_row(route.prefix, attrs)
    }
}

/// The row of a route as it came.
pub(super) fn received_row(from: IpAddr, route: &ReceivedRoute<'_>) -> RouteRow {
    RouteRow {
        from: Some(link_local::bare(from)),
        path_id: route.path_id.0,
        valid: route.taken.is_ok(),
        rejected: route.taken.err().map(|refusal| refusal.label().to_owned()),
        ..set_row(route.prefix, route.received)
    }
}

fn set_row(prefix: Prefix, attrs: &Attrs) -> RouteRow {
    attributes_row(prefix, attrs.next_hop(), Attributes::new(attrs.block()), &attrs.summary())
}

/// The row of a destination with attributes, of which nothing else is known.
pub(super) fn attributes_row(
    prefix: Prefix,
    next_hop: IpAddr,
    block: Attributes<'_>,
    summary: &Summary,
) -> RouteRow {
    RouteRow {
        prefix,
        next_hop: link_local::bare(next_hop),
        interface: interface_of(next_hop),
        from: None,
        path_id: 0,
        origin: summary.origin.to_string(),
        as_path: block.as_path().to_string(),
        med: summary.med,
        local_pref: summary.local_pref,
        communities: block.communities().map(|c| c.to_string()).collect(),
        ext_communities: block.extended_communities().map(|c| c.to_string()).collect(),
        large_communities: block.large_communities().map(|c| c.to_string()).collect(),
        originator_id: summary.originator_id.map(|id| id.to_string()),
        cluster_list: block.cluster_list().map(|c| c.to_string()).collect(),
        other: other_attributes(block),
        since: None,
        age_seconds: 0,
        valid: false,
        best: false,
        flags: Vec::new(),
        lost_by: None,
        rejected: None,
    }
}

/// Attributes without a field of their own in the row.
const SHOWN: [u8; 10] = [
    code::ORIGIN,
    code::AS_PATH,
    code::NEXT_HOP,
    code::MULTI_EXIT_DISC,
    code::LOCAL_PREF,
    code::COMMUNITIES,
    code::ORIGINATOR_ID,
    code::CLUSTER_LIST,
    code::EXTENDED_COMMUNITIES,
    code::LARGE_COMMUNITY,
];

fn other_attributes(block: Attributes<'_>) -> Vec<String> {
    let others = block.iter().filter(|attribute| !SHOWN.contains(&attribute.code));
    others
        .map(|raw| match (raw.code, block.aggregator()) {
            (code::AGGREGATOR, Some((asn, router_id))) => format!("AGGREGATOR {asn} {router_id}"),
            (code::ATOMIC_AGGREGATE, _) => "ATOMIC_AGGREGATE".to_owned(),
            (code, _) => {
                let hex: String = raw.value.iter().map(|octet| format!("{octet:02x}")).collect();
                match attribute_name(code) {
                    Some(name) => format!("{name} {hex}"),
                    None => format!("attribute {code} {hex}"),
                }
            }
        })
        .collect()
}
