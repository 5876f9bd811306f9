//! Peers: the table with a line for each peer and family, the detail, the history.

use std::fmt::Write as _;

use bgp_daemon::api::schema::{FamilyCounts, PeerDetail, PeerRow, SessionState};

use crate::table::{Align, Cell, GREEN, RED, Table, duration, or_dash};

const COLUMNS: [(&str, Align); 12] = [
    ("PEER", Align::Left),
    ("NAME", Align::Left),
    ("AS", Align::Left),
    ("TYPE", Align::Left),
    ("STATE", Align::Left),
    ("SINCE", Align::Left),
    ("FAMILY", Align::Left),
    ("RECV", Align::Right),
    ("ACCEPT", Align::Right),
    ("ADV", Align::Right),
    ("FLAPS", Align::Right),
    ("REASON", Align::Left),
];

const WIDE: [(&str, Align); 4] =
    [("ROUTER ID", Align::Left), ("LOCAL", Align::Left), ("RANGE", Align::Left), ("GROUP", Align::Left)];

/// One line for each peer and family.
pub(crate) fn peers(peers: &[PeerRow], wide: bool) -> Table {
    let mut table = Table::new(COLUMNS.into_iter().chain(WIDE.into_iter().filter(|_| wide)));
    for peer in peers {
        if peer.families.is_empty() {
            table.row(cells(peer, None, wide));
        }
        for family in &peer.families {
            table.row(cells(peer, Some(family), wide));
        }
    }
    table
}

/// A next hop, if it is link-local with its interface.
pub(super) fn on_link(address: std::net::IpAddr, interface: Option<&str>) -> String {
    interface.map_or_else(|| address.to_string(), |interface| format!("{address}%{interface}"))
}

fn state(peer: &PeerRow) -> Cell {
    let shown = if peer.enabled { peer.state.name() } else { "disabled" };
    Cell::from(shown).coloured(if peer.state == SessionState::Established { GREEN } else { RED })
}

fn cells(peer: &PeerRow, family: Option<&FamilyCounts>, wide: bool) -> Vec<Cell> {
    let mut cells = vec![
        peer.address.to_string().into(),
        or_dash(peer.name.as_ref()),
        peer.asn.into(),
        peer.kind.name().into(),
        state(peer),
        or_dash(peer.since.map(|_| duration(peer.since_seconds))),
        or_dash(family.map(|family| &family.family)),
        or_dash(family.map(|family| family.received)),
        or_dash(family.map(|family| family.accepted)),
        or_dash(family.map(|family| family.advertised)),
        peer.flaps.into(),
        peer.reason.as_deref().unwrap_or_default().into(),
    ];
    if wide {
        cells.extend([
            or_dash(peer.router_id.as_ref()),
            or_dash(peer.local_address),
            or_dash(peer.range.as_ref()),
            or_dash(peer.group.as_ref()),
        ]);
    }
    cells
}

/// All that is known of a peer.
pub(crate) fn peer(peer: &PeerDetail) -> String {
    let row = &peer.row;
    let mut out = String::new();
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(out, "{name:<14}{value}");
        }
    };
    let seconds = |value: Option<u64>| value.map(|value| format!("{value} s")).unwrap_or_default();
    let endpoint = |address: Option<std::net::IpAddr>, port: Option<u16>| match (address, port) {
        (Some(address), Some(port)) => std::net::SocketAddr::new(address, port).to_string(),
        (Some(address), None) => address.to_string(),
        (None, _) => String::new(),
    };
    let link = row.address.interface().map(|link| format!(" on {link}")).unwrap_or_default();
    line(
        "peer",
        match row.address.is_known() {
            true => endpoint(Some(row.address.ip()), peer.remote_port) + &link,
            false => row.address.to_string(),
        },
    );
    line("name", row.name.clone().unwrap_or_default());
    line("as", format!("{} ({})", row.asn, row.kind.name()));
    let admin = if row.enabled { "" } else { ", disabled" };
    line("state", format!("{}{admin} for {}", row.state, duration(row.since_seconds)));
    line("reason", row.reason.clone().unwrap_or_default());
    line("last error", peer.last_error.clone().unwrap_or_default());
    line("router id", row.router_id.clone().unwrap_or_default());
    line("local", endpoint(row.local_address, peer.local_port));
    line("range", row.range.clone().unwrap_or_default());
    line("group", row.group.clone().unwrap_or_default());
    line("policy", format!("import {}, export {}", peer.import, peer.export));
    line("role", role(peer.role.as_deref(), peer.peer_role.as_deref(), row.state));
    line("max-prefix", peer.max_prefix.map(|limit| limit.to_string()).unwrap_or_default());
    let pause = |left| format!("for {left} s more, for too many prefixes");
    line("paused", peer.paused_seconds.map(pause).unwrap_or_default());
    line("hold time", seconds(peer.timers.hold_seconds));
    line("keepalive", seconds(peer.timers.keepalive_seconds));
    line("next connect", seconds(peer.timers.connect_retry_seconds));
    for family in &row.families {
        let FamilyCounts { family, received, accepted, advertised, stale } = family;
        let stale = if *stale == 0 { String::new() } else { format!(", stale {stale}") };
        line(family, format!("received {received}, accepted {accepted}{stale}, advertised {advertised}"));
    }
    line("we offer", peer.capabilities.sent.join(", "));
    line("it offers", peer.capabilities.received.join(", "));
    for direction in ["received", "sent"] {
        let counts = peer.messages.iter().filter(|count| count.direction == direction && count.count > 0);
        let counts: Vec<String> = counts.map(|count| format!("{} {}", count.kind, count.count)).collect();
        line(direction, counts.join(", "));
    }
    line(
        "octets",
        format!("received {}, sent {}, queued {}", peer.bytes_received, peer.bytes_sent, peer.queue_bytes),
    );
    let malformed: Vec<String> = peer
        .malformed
        .iter()
        .filter(|m| m.count > 0)
        .map(|m| format!("{} {}", m.treatment, m.count))
        .collect();
    line("malformed", malformed.join(", "));
    for of in ["session", "down", "notification_received", "notification_sent", "routes", "rejected", "fault"]
    {
        let counts = peer.counters.iter().filter(|counter| counter.of == of);
        let counts: Vec<String> =
            counts.map(|counter| format!("{} {}", counter.name, counter.count)).collect();
        let title = match of {
            "notification_received" => "it notified",
            "notification_sent" => "we notified",
            "fault" => "faults",
            other => other,
        };
        line(title, counts.join(", "));
    }
    line("flaps", row.flaps.to_string());
    out
}

/// What both say that they are to each other.
fn role(ours: Option<&str>, theirs: Option<&str>, state: SessionState) -> String {
    match (ours, theirs) {
        (None, _) => String::new(),
        (Some(ours), Some(theirs)) => format!("we are {ours}, it is {theirs}"),
        (Some(ours), None) if state == SessionState::Established => format!("we are {ours}, it tells none"),
        (Some(ours), None) => format!("we are {ours}"),
    }
}

/// A peer's changes of state, oldest first.
pub(crate) fn history(peer: &PeerDetail) -> Table {
    let titles = ["TIME", "FROM", "TO", "REASON"];
    let mut table = Table::new(titles.map(|title| (title, Align::Left)));
    for change in &peer.history {
        let reason = change.reason.as_deref().unwrap_or_default();
        table.row([change.time.into(), change.from.into(), change.to.into(), reason.into()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use bgp_daemon::api::schema::{PeerType, Timestamp};

    fn row(address: &str, name: &str, state: SessionState) -> PeerRow {
        PeerRow {
            address: address.parse().unwrap(),
            name: Some(name.to_owned()),
            asn: 64512,
            kind: PeerType::Client,
            range: None,
            group: None,
            enabled: true,
            state,
            since: Some(Timestamp(0)),
            since_seconds: 11_520,
            router_id: None,
            local_address: None,
            families: Vec::new(),
            flaps: 0,
            reason: None,
        }
    }

    #[test]
    fn the_peers_table_has_a_line_for_each_peer_and_family() {
        let counts = |family: &str, advertised| FamilyCounts {
            stale: 0,
            family: family.to_owned(),
            received: 14,
            accepted: 14,
            advertised,
        };
        let up = PeerRow {
            families: vec![counts("ipv4", 2048), counts("ipv6", 7)],
            ..row("10.0.0.12", "node-7", SessionState::Established)
        };
        let down = PeerRow {
            since_seconds: 41,
            flaps: 3,
            reason: Some("hold timer expired".to_owned()),
            ..row("10.0.0.13", "node-8", SessionState::Connect)
        };
        let expected = "\
PEER       NAME    AS     TYPE    STATE        SINCE  FAMILY  RECV  ACCEPT  ADV   FLAPS  REASON
10.0.0.12  node-7  64512  client  established  3h12m  ipv4      14      14  2048      0
10.0.0.12  node-7  64512  client  established  3h12m  ipv6      14      14     7      0
10.0.0.13  node-8  64512  client  connect      41s    -          -       -     -      3  hold timer expired
";
        assert_eq!(peers(&[up, down], false).render(true, false), expected);
    }

    #[test]
    fn a_role_is_told_with_the_peers_own() {
        let (up, down) = (SessionState::Established, SessionState::Active);
        assert_eq!(role(Some("customer"), Some("provider"), up), "we are customer, it is provider");
        assert_eq!(role(Some("peer"), None, up), "we are peer, it tells none");
        assert_eq!(role(Some("peer"), None, down), "we are peer");
        assert_eq!(role(None, None, up), "");
    }
}
