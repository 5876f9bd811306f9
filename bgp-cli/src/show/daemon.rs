//! The daemon as a whole: status, what a reload did, events.

use std::fmt::Write as _;

use bgp_daemon::api::schema::{Drained, Event, EventKind, ReloadReport, Status};

use crate::table::duration;

/// One screen.
pub(crate) fn status(status: &Status) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(out, "{name:<14}{value}");
    };
    line("daemon", format!("{} {}", status.daemon, status.version));
    line("as", status.asn.to_string());
    line("router id", status.router_id.clone());
    if let Some(cluster) = &status.cluster_id {
        line("cluster id", cluster.clone());
    }
    let listen: Vec<String> = status.listen.iter().map(ToString::to_string).collect();
    line("listens on", if listen.is_empty() { "-".to_owned() } else { listen.join(", ") });
    line("up", duration(status.uptime_seconds));
    line("peers", format!("{} of {} established", status.peers_established, status.peers));
    for table in &status.tables {
        line(&table.family, format!("{} prefixes, {} paths", table.prefixes, table.paths));
    }
    line("attributes", format!("{} sets", status.attribute_sets));
    line("groups", status.update_groups.to_string());
    line("memory", format!("{} KiB in the RIB", status.rib_memory_bytes / 1024));
    line("config", status.config_file.clone().unwrap_or_else(|| "none: a trial".to_owned()));
    if let Some(reload) = &status.last_reload {
        let first_line = |error: &String| format!("refused: {}", error.lines().next().unwrap_or_default());
        let result = reload.error.as_ref().map_or("taken".to_owned(), first_line);
        line("last reload", format!("{} {result}", reload.time));
    }
    if let Some(draining) = &status.draining {
        let reason = draining.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        line("draining", format!("since {}{reason}", draining.since));
    }
    line("ready", if status.ready { "yes" } else { "no" }.to_owned());
    for collector in &status.collectors {
        let state = match (&collector.error, collector.up) {
            (_, true) => format!("up, {} messages", collector.messages),
            (Some(error), false) => format!("down: {error}"),
            (None, false) => "connecting".to_owned(),
        };
        let slow = collector.overflows;
        let slow = if slow == 0 { String::new() } else { format!(", {slow} times too slow") };
        line("bmp", format!("{} {state}{slow}", collector.address));
    }
    if let Some(log) = &status.update_log {
        let error = log.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        line("mrt", format!("{} records, {} lost, {} tables{error}", log.records, log.lost, log.tables));
    }
    for alarm in &status.alarms {
        line("alarm", alarm.clone());
    }
    out
}

/// One line.
pub(crate) fn drained(drained: &Drained) -> String {
    let what = match drained.draining {
        Some(_) => "draining: routes go out with GRACEFUL_SHUTDOWN",
        None => "not draining: routes go out as usual",
    };
    format!("{what}, to {} established peers\n", drained.peers)
}

/// A line for each change.
pub(crate) fn reload(report: &ReloadReport) -> String {
    if report.changes.is_empty() {
        return "nothing changed\n".to_owned();
    }
    let mut out = String::new();
    for change in &report.changes {
        let key = change.key.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
        let what = match (&change.old, &change.new) {
            (Some(old), Some(new)) => format!("{old} -> {new}"),
            (None, Some(new)) => format!("+ {new}"),
            (Some(old), None) => format!("- {old}"),
            (None, None) => String::new(),
        };
        let line = format!("{}{key} {what} ({})", change.subject, change.impact);
        let _ = writeln!(out, "{}", line.trim_start());
    }
    out
}

/// One line.
pub(crate) fn event(event: &Event) -> String {
    let because = |reason: &Option<String>| reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
    let what = match &event.kind {
        EventKind::Peer { address, name, from, to, reason } => {
            let name = name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
            format!("peer {address}{name} {from} -> {to}{}", because(reason))
        }
        EventKind::Malformed { address, faults } => {
            format!("peer {address} malformed UPDATE: {}", faults.join("; "))
        }
        EventKind::PeerRemoved { address } => format!("peer {address} removed"),
        EventKind::Route { route } => {
            let from = route.from.map_or_else(|| "local".to_owned(), |from| from.to_string());
            let path = if route.as_path.is_empty() { "-" } else { &route.as_path };
            format!("route {} via {} from {from} path {path}", route.prefix, route.next_hop)
        }
        EventKind::Withdraw { prefix } => format!("withdraw {prefix}"),
        EventKind::Reload { success: true, .. } => "reload taken".to_owned(),
        EventKind::Reload { success: false, error } => format!("reload refused{}", because(error)),
        EventKind::Alarm { message } => format!("alarm: {message}"),
        EventKind::Lagged { missed } => format!("lagged: {missed} events missed"),
    };
    format!("{} {what}", event.time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bgp_daemon::api::schema::{ChangeRow, EVENT_SCHEMA, SessionState, Timestamp};

    #[test]
    fn an_event_is_one_line() {
        let kind = EventKind::Peer {
            address: "10.0.0.12".parse().unwrap(),
            name: Some("node-7".to_owned()),
            from: SessionState::Established,
            to: SessionState::Idle,
            reason: Some("hold timer expired".to_owned()),
        };
        let shown = event(&Event { schema: EVENT_SCHEMA.to_owned(), time: Timestamp(0), kind });
        assert_eq!(
            shown,
            "1970-01-01T00:00:00.000Z peer 10.0.0.12 node-7 established -> idle: hold timer expired"
        );
    }

    #[test]
    fn a_reload_tells_what_it_changed() {
        let row = |subject: &str, key: Option<&str>, old: Option<&str>, new: Option<&str>| ChangeRow {
            subject: subject.to_owned(),
            key: key.map(str::to_owned),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
            impact: "live".to_owned(),
        };
        let report = ReloadReport {
            changes: vec![
                row("10.0.0.12", Some("port"), Some("179"), Some("1179")),
                row("announce", None, None, Some("10.244.7.0/26")),
            ],
            warnings: Vec::new(),
        };
        assert_eq!(reload(&report), "10.0.0.12 port 179 -> 1179 (live)\nannounce + 10.244.7.0/26 (live)\n");
        assert_eq!(reload(&ReloadReport::default()), "nothing changed\n");
    }
}
