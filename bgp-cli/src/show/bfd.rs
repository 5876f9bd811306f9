//! BFD sessions as a table.

use bgp_daemon::api::schema::BfdRow;

use crate::table::{Align, Cell, GREEN, RED, Table, duration, or_dash};

/// A line for each session.
pub(crate) fn bfd(rows: &[BfdRow], wide: bool) -> Table {
    let titles = ["PEER", "NAME", "HOPS", "STATE", "SINCE", "TX", "DETECT", "FAILED", "REASON"]
        .map(|title| (title, Align::Left));
    let more = ["LOCAL", "OURS", "THEIRS", "RECEIVED", "SENT"].map(|title| (title, Align::Left));
    let mut table = Table::new(titles.into_iter().chain(more.into_iter().filter(|_| wide)));
    for row in rows {
        let mut cells: Vec<Cell> = vec![
            row.address().to_string().into(),
            or_dash(row.name.as_ref()),
            row.hops.as_str().into(),
            Cell::from(&row.state).coloured(if row.state == "up" { GREEN } else { RED }),
            duration(row.since_seconds).into(),
            format!("{} ms", row.transmit_ms).into(),
            or_dash(row.detect_ms.map(|ms| format!("{ms} ms"))),
            row.failures.into(),
            or_dash(reason(row)),
        ];
        if wide {
            cells.extend([
                or_dash(row.local),
                row.discriminator.into(),
                or_dash(row.peer_discriminator),
                row.received.into(),
                row.sent.into(),
            ]);
        }
        table.row(cells);
    }
    table
}

/// What is in the way, or why it failed.
fn reason(row: &BfdRow) -> Option<&str> {
    let failed = row.state != "up" && row.diagnostic != "no diagnostic";
    row.problem.as_deref().or(failed.then_some(row.diagnostic.as_str()))
}

#[cfg(test)]
mod tests {
    use bgp_daemon::api::schema::Timestamp;

    use super::*;

    #[test]
    fn a_session_tells_how_fast_it_is_and_what_is_in_the_way() {
        let up = BfdRow {
            peer: "10.0.0.2".parse().unwrap(),
            interface: None,
            name: Some("tor-1".to_owned()),
            local: None,
            hops: "single".to_owned(),
            state: "up".to_owned(),
            since: Timestamp(0),
            since_seconds: 75,
            diagnostic: "no diagnostic".to_owned(),
            peer_state: "up".to_owned(),
            peer_diagnostic: "no diagnostic".to_owned(),
            peer_independent: false,
            discriminator: 7,
            peer_discriminator: Some(9),
            interval_ms: 100,
            multiplier: 3,
            transmit_ms: 100,
            detect_ms: Some(300),
            received: 750,
            sent: 751,
            ups: 1,
            failures: 0,
            problem: None,
        };
        let down = BfdRow {
            peer: "10.0.0.3".parse().unwrap(),
            name: None,
            hops: "multi".to_owned(),
            state: "down".to_owned(),
            transmit_ms: 1000,
            detect_ms: None,
            problem: Some("nothing comes from the peer".to_owned()),
            ..up.clone()
        };
        let expected = "\
PEER      NAME   HOPS    STATE  SINCE  TX       DETECT  FAILED  REASON
10.0.0.2  tor-1  single  up     1m15s  100 ms   300 ms  0       -
10.0.0.3  -      multi   down   1m15s  1000 ms  -       0       nothing comes from the peer
";
        assert_eq!(bfd(&[up, down], false).render(true, false), expected);
    }
}
