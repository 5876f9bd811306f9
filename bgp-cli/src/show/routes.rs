//! Routes and the FIB's difference as tables.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use bgp_daemon::api::schema::{Fib, FibDiffRow, RouteRow};

use crate::table::{Align, Cell, Table, duration, or_dash};

const COLUMNS: [(&str, Align); 9] = [
    ("  ", Align::Left),
    ("PREFIX", Align::Left),
    ("NEXT HOP", Align::Left),
    ("FROM", Align::Left),
    ("LP", Align::Left),
    ("MED", Align::Left),
    ("AS PATH", Align::Left),
    ("AGE", Align::Left),
    ("FLAGS", Align::Left),
];

const WIDE: [(&str, Align); 5] = [
    ("ORIGIN", Align::Left),
    ("ORIGINATOR", Align::Left),
    ("CLUSTER LIST", Align::Left),
    ("COMMUNITIES", Align::Left),
    ("LOST BY", Align::Left),
];

/// One line for each path; `*` it may be used, `>` it is the best.
pub(crate) fn routes(routes: &[RouteRow], wide: bool) -> Table {
    let mut table = Table::new(COLUMNS.into_iter().chain(WIDE.into_iter().filter(|_| wide)));
    for route in routes {
        table.row(cells(route, wide));
    }
    table
}

fn joined(words: &[String], separator: &str) -> Cell {
    if words.is_empty() { "-".into() } else { words.join(separator).into() }
}

fn cells(route: &RouteRow, wide: bool) -> Vec<Cell> {
    let mark = |set: bool, mark: char| if set { mark } else { ' ' };
    let path = Some(route.as_path.as_str()).filter(|path| !path.is_empty());
    let mut cells = vec![
        format!("{}{}", mark(route.valid, '*'), mark(route.best, '>')).into(),
        route.prefix.into(),
        super::peers::on_link(route.next_hop, route.interface.as_deref()).into(),
        route.from.map_or_else(|| "local".into(), Cell::from),
        or_dash(route.local_pref),
        or_dash(route.med),
        or_dash(path),
        or_dash(route.since.map(|_| duration(route.age_seconds))),
        flags(route).into(),
    ];
    if wide {
        let communities = [
            route.communities.as_slice(),
            route.large_communities.as_slice(),
            route.ext_communities.as_slice(),
        ];
        cells.extend([
            route.origin.as_str().into(),
            or_dash(route.originator_id.as_ref()),
            joined(&route.cluster_list, " "),
            joined(&communities.concat(), ","),
            or_dash(route.lost_by.as_ref()),
        ]);
    }
    cells
}

fn flags(route: &RouteRow) -> String {
    let rejected = route.rejected.as_ref().map(|reason| format!("rejected:{reason}"));
    route.flags.iter().cloned().chain(rejected).collect::<Vec<_>>().join(",")
}

/// Counts of the kernel's routes.
pub(crate) fn fib(fib: &Fib) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(out, "{name:<14}{value}");
    };
    line("routes", fib.routes.to_string());
    line("pending", fib.pending.to_string());
    for kind in ["add", "replace", "delete"] {
        let of_kind = fib.operations.iter().filter(|operation| operation.op == kind);
        let results: Vec<String> = of_kind.map(|o| format!("{} {}", o.count, o.result)).collect();
        line(kind, results.join(", "));
    }
    line("repairs", fib.repairs.to_string());
    line("full reads", fib.resyncs.to_string());
    line("last sync", format!("{:?}", Duration::from_micros(fib.last_sync_us)));
    out
}

/// What the kernel has otherwise than it should.
pub(crate) fn fib_diff(rows: &[FibDiffRow]) -> Table {
    let titles = ["PREFIX", "FAULT", "WANTED", "FOUND"];
    let mut table = Table::new(titles.map(|title| (title, Align::Left)));
    let list = |hops: &[IpAddr]| joined(&hops.iter().map(ToString::to_string).collect::<Vec<_>>(), ",");
    // A daemon of an earlier version tells next hops alone.
    let shown = |route: &Option<String>, hops: &[IpAddr]| {
        route.as_ref().map_or_else(|| list(hops), |route| route.as_str().into())
    };
    for row in rows {
        let (wanted, found) = (shown(&row.wanted_route, &row.wanted), shown(&row.found_route, &row.found));
        table.row([row.prefix.into(), row.fault.name().into(), wanted, found]);
    }
    table
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use bgp_daemon::api::schema::{FibFault, FibOperation, Timestamp};

    pub(in crate::show) fn route(prefix: &str) -> RouteRow {
        RouteRow {
            interface: None,
            prefix: prefix.parse().unwrap(),
            next_hop: "10.0.0.12".parse().unwrap(),
            from: Some("10.0.0.12".parse().unwrap()),
            path_id: 0,
            origin: "igp".to_owned(),
            as_path: String::new(),
            med: None,
            local_pref: Some(100),
            communities: Vec::new(),
            ext_communities: Vec::new(),
            large_communities: Vec::new(),
            originator_id: None,
            cluster_list: Vec::new(),
            other: Vec::new(),
            since: Some(Timestamp(0)),
            age_seconds: 10_800,
            valid: true,
            best: true,
            flags: vec!["reflected".to_owned(), "fib".to_owned()],
            lost_by: None,
            rejected: None,
        }
    }

    #[test]
    fn the_routes_table_marks_the_best_path() {
        let other = RouteRow {
            best: false,
            from: None,
            as_path: "64513 {1 2}".to_owned(),
            med: Some(5),
            flags: Vec::new(),
            ..route("10.244.7.64/26")
        };
        let expected = "    \
PREFIX          NEXT HOP   FROM       LP   MED  AS PATH      AGE  FLAGS
*>  10.244.7.0/26   10.0.0.12  10.0.0.12  100  -    -            3h   reflected,fib
*   10.244.7.64/26  10.0.0.12  local      100  5    64513 {1 2}  3h
";
        assert_eq!(routes(&[route("10.244.7.0/26"), other], false).render(true, false), expected);
    }

    #[test]
    fn the_wide_routes_table_says_why_a_path_lost() {
        let lost = RouteRow {
            communities: vec!["64512:100".to_owned()],
            large_communities: vec!["64512:1:2".to_owned()],
            lost_by: Some("router id".to_owned()),
            ..route("10.244.7.0/26")
        };
        let text = routes(&[lost], true).render(false, false);
        assert!(text.ends_with("igp  -  -  64512:100,64512:1:2  router id\n"), "{text}");
    }

    #[test]
    fn the_fib_is_counted_by_operation_and_result() {
        let operation = |op: &str, result: &str, count| FibOperation {
            op: op.to_owned(),
            result: result.to_owned(),
            count,
        };
        let counts = Fib {
            routes: 12,
            operations: vec![
                operation("add", "ok", 13),
                operation("add", "refused", 1),
                operation("replace", "ok", 3),
                operation("delete", "ok", 0),
            ],
            repairs: 2,
            resyncs: 1,
            last_sync_us: 4250,
            ..Fib::default()
        };
        let expected = "\
routes        12
pending       0
add           13 ok, 1 refused
replace       3 ok
delete        0 ok
repairs       2
full reads    1
last sync     4.25ms
";
        assert_eq!(fib(&counts), expected);
    }

    #[test]
    fn the_fib_difference_names_both_sides() {
        let row = FibDiffRow {
            prefix: "10.244.7.0/26".parse().unwrap(),
            fault: FibFault::Different,
            wanted: vec!["10.0.0.2".parse().unwrap(), "10.0.0.3".parse().unwrap()],
            found: Vec::new(),
            wanted_route: Some("via 10.0.0.2 dev tunl0 onlink + via 10.0.0.3 dev eth0".to_owned()),
            found_route: Some("blackhole".to_owned()),
        };
        let of_an_earlier_version = FibDiffRow { wanted_route: None, found_route: None, ..row.clone() };
        let expected = "\
PREFIX         FAULT      WANTED                                                 FOUND
10.244.7.0/26  different  via 10.0.0.2 dev tunl0 onlink + via 10.0.0.3 dev eth0  blackhole
10.244.7.0/26  different  10.0.0.2,10.0.0.3                                      -
";
        assert_eq!(fib_diff(&[row, of_an_earlier_version]).render(true, false), expected);
    }
}
