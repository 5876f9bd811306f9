//! Why a route is what it is, as text.

use std::fmt::Write as _;

use bgp_daemon::api::schema::{
    Explain, ExportPathRow, ExportRow, ImportRow, KernelRow, KernelState, RouteRow, TermRow,
};

use super::routes::routes;

/// Import, choice, kernel, and the way out if that was asked for.
pub(crate) fn explain(explained: &Explain) -> String {
    let mut out = format!("{}\n", explained.prefix);
    for import in &explained.import {
        import_text(&mut out, import);
    }
    if !explained.candidates.is_empty() {
        out.push_str("\npaths, best first:\n");
        out.push_str(&routes(&explained.candidates, false).render(true, false));
        explained.candidates.iter().filter(|path| !path.best).for_each(|path| lost(&mut out, path));
    }
    if let Some(next_hops) = &explained.fib {
        let hops: Vec<String> = next_hops.iter().map(ToString::to_string).collect();
        let hops = if hops.is_empty() { "no route".to_owned() } else { format!("via {}", hops.join(", ")) };
        let _ = writeln!(out, "\nfor the kernel: {hops}");
    }
    if let Some(kernel) = &explained.kernel {
        kernel_text(&mut out, kernel);
    }
    if let Some(export) = &explained.export {
        export_text(&mut out, export);
    }
    out
}

fn kernel_text(out: &mut String, kernel: &KernelRow) {
    let state = match kernel.state {
        KernelState::Installed => "installed",
        KernelState::Missing => "not installed yet",
        KernelState::Different => "installed otherwise",
        KernelState::Unresolved | KernelState::Conflict => "not installed",
        KernelState::Refused => "refused",
        KernelState::Extra => "still there",
        KernelState::Absent => "no route, and none is wanted",
    };
    let part = |name: &str, text: &Option<String>| text.as_ref().map(|text| format!("{name}{text}"));
    let parts = [part(": ", &kernel.wanted), part("; there is: ", &kernel.found), part("; ", &kernel.why)];
    let parts: String = parts.into_iter().flatten().collect();
    let _ = writeln!(out, "in the kernel: {state}{parts}");
}

fn from(path: &RouteRow) -> String {
    source(path.from, path.path_id)
}

fn source(from: Option<std::net::IpAddr>, path_id: u32) -> String {
    let from = from.map_or_else(|| "local".to_owned(), |from| from.to_string());
    if path_id == 0 { from } else { format!("{from} path {path_id}") }
}

fn import_text(out: &mut String, import: &ImportRow) {
    let result = match &import.route.rejected {
        Some(reason) => format!("rejected: {reason}"),
        None => "taken".to_owned(),
    };
    let from = from(&import.route);
    let _ = writeln!(out, "\nfrom {from}: {result} (import {})", import.policy);
    terms_text(out, &import.terms);
}

fn terms_text(out: &mut String, terms: &[TermRow]) {
    for term in terms {
        let what = match (&term.failed, &term.action) {
            (Some(condition), _) => format!("no match: {condition}"),
            (None, Some(action)) => format!("match: {action}"),
            (None, None) => "match: next".to_owned(),
        };
        let edits =
            if term.edits.is_empty() { String::new() } else { format!("; {}", term.edits.join("; ")) };
        let _ = writeln!(out, "  term {}: {what}{edits}", term.name);
    }
}

fn lost(out: &mut String, path: &RouteRow) {
    let why = match (&path.lost_by, path.valid) {
        (_, false) => "its next hop cannot be reached".to_owned(),
        (Some(rule), true) => format!("lost by {rule}"),
        (None, true) => return,
    };
    let _ = writeln!(out, "from {}: {why}", from(path));
}

fn export_text(out: &mut String, export: &ExportRow) {
    let held = if export.advertised { "is sent" } else { "is not sent" };
    let _ = writeln!(out, "\nto {} the route {held} (export {})", export.to, export.policy);
    for path in &export.paths {
        export_path(out, path);
    }
}

fn export_path(out: &mut String, path: &ExportPathRow) {
    let result =
        path.blocked_by.as_ref().map_or("goes out".to_owned(), |check| format!("stopped at: {check}"));
    let _ = writeln!(out, "from {}: {result}", source(path.from, path.path_id));
    for check in &path.checks {
        let _ = writeln!(out, "  {} {}", if check.passed { "ok" } else { "NO" }, check.check);
    }
    terms_text(out, &path.terms);
    if let Some(sent) = &path.sent {
        let path = if sent.as_path.is_empty() { "-" } else { &sent.as_path };
        let number = |value: Option<u32>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let (med, preference) = (number(sent.med), number(sent.local_pref));
        let communities =
            [sent.communities.as_slice(), sent.large_communities.as_slice(), sent.ext_communities.as_slice()];
        let communities = communities.concat().join(",");
        let communities = if communities.is_empty() { "-" } else { &communities };
        let _ = writeln!(
            out,
            "  sent: next hop {}, AS path {path}, local preference {preference}, MED {med}, communities {communities}",
            sent.next_hop
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::routes::tests::route;
    use bgp_daemon::api::schema::CheckRow;

    fn check(check: &str, passed: bool) -> CheckRow {
        CheckRow { check: check.to_owned(), passed }
    }

    #[test]
    fn an_explanation_reads_from_the_way_in_to_the_way_out() {
        let prefix = "10.244.7.0/26";
        let lost = RouteRow {
            best: false,
            from: Some("10.0.0.13".parse().unwrap()),
            lost_by: Some("router id".to_owned()),
            ..route(prefix)
        };
        let term = TermRow {
            name: "pods".to_owned(),
            failed: None,
            edits: vec!["set local preference 50".to_owned()],
            action: Some("accept".to_owned()),
        };
        let import = ImportRow {
            from: "10.0.0.12".parse().unwrap(),
            path_id: 0,
            policy: "from-nodes".to_owned(),
            terms: vec![term],
            route: route(prefix),
        };
        let blocked = ExportPathRow {
            from: lost.from,
            path_id: 2,
            checks: vec![check("family negotiated", true), check("not from this peer", false)],
            blocked_by: Some("not from this peer".to_owned()),
            terms: Vec::new(),
            sent: None,
        };
        let sent = ExportPathRow {
            from: None,
            path_id: 0,
            checks: vec![check("family negotiated", true)],
            blocked_by: None,
            sent: Some(route(prefix)),
            ..blocked.clone()
        };
        let explained = Explain {
            prefix: prefix.parse().unwrap(),
            candidates: vec![route(prefix), lost],
            import: vec![import],
            fib: Some(vec!["10.0.0.12".parse().unwrap()]),
            kernel: Some(KernelRow {
                state: KernelState::Installed,
                wanted: Some("via 10.0.0.12 dev eth0".to_owned()),
                found: None,
                why: None,
            }),
            export: Some(ExportRow {
                to: "10.0.0.13".parse().unwrap(),
                policy: "accept".to_owned(),
                advertised: true,
                paths: vec![sent, blocked],
            }),
        };
        let expected = "\
10.244.7.0/26

from 10.0.0.12: taken (import from-nodes)
  term pods: match: accept; set local preference 50

paths, best first:
    PREFIX         NEXT HOP   FROM       LP   MED  AS PATH  AGE  FLAGS
*>  10.244.7.0/26  10.0.0.12  10.0.0.12  100  -    -        3h   reflected,fib
*   10.244.7.0/26  10.0.0.12  10.0.0.13  100  -    -        3h   reflected,fib
from 10.0.0.13: lost by router id

for the kernel: via 10.0.0.12
in the kernel: installed: via 10.0.0.12 dev eth0

to 10.0.0.13 the route is sent (export accept)
from local: goes out
  ok family negotiated
  sent: next hop 10.0.0.12, AS path -, local preference 100, MED -, communities -
from 10.0.0.13 path 2: stopped at: not from this peer
  ok family negotiated
  NO not from this peer
";
        assert_eq!(explain(&explained), expected);
    }
}
