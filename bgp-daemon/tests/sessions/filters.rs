//! Filters over live sessions: changed, and explained.

use bgp_daemon::api::Command;
use bgp_daemon::api::schema::{Explain, ExplainQuery, PeerRef, RouteQuery, Routes, Scope};

use super::support::{Node, Place, Raw};

/// A reflector that takes of client 2 what is inside `import`, and changes what goes to client 3.
fn configuration(import: &str, preference: u32) -> String {
    format!(
        r#"
[[filters]]
name = "from-node"
[[filters.terms]]
name = "pods"
prefixes = ["{import} le 32"]
action = "accept"

[[filters]]
name = "to-node"
otherwise = "accept"
[[filters.terms]]
set-local-pref = {preference}

[[clients]]
address = "NET.2"
passive = true
import = "from-node"
keep-received = true
[[clients]]
address = "NET.3"
passive = true
export = "to-node"
"#
    )
}

async fn explain(node: &Node, query: ExplainQuery) -> Explain {
    *node.daemon.control().ask(|reply| Command::Explain { query, reply }).await.unwrap()
}

async fn rejected(node: &Node) -> Routes {
    let query = Box::new(RouteQuery { scope: Some(Scope::Rejected(None)), ..RouteQuery::default() });
    node.daemon.control().ask(|reply| Command::Routes { query, reply }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_changes_under_live_sessions() {
    let place = Place::new();
    let reflector = place.start_reflector(&configuration("20.0.0.0/31", 200)).await;
    let (mut source, mut other) = (Raw::up(&place, 2).await, Raw::up(&place, 3).await);
    source.announce(4).await;
    other.hears(2).await;
    let refused = rejected(&reflector).await;
    let shown: Vec<_> =
        refused.routes.iter().map(|r| (r.prefix.to_string(), r.rejected.as_deref())).collect();
    let policy = Some("policy");
    assert_eq!(shown, [("20.0.0.2/32".to_owned(), policy), ("20.0.0.3/32".to_owned(), policy)]);
    let row = reflector.row(place.address(2)).await.unwrap();
    assert_eq!((row.families[0].received, row.families[0].accepted), (4, 2));

    place.configure(1, true, &configuration("20.0.0.0/30", 200));
    let report = reflector.daemon.control().reload().await.unwrap();
    let impacts: Vec<_> = report.changes.iter().map(|change| change.impact.as_str()).collect();
    assert_eq!(impacts, ["refresh"]);
    other.hears(2).await;
    assert_eq!(rejected(&reflector).await.total, 0);

    place.configure(1, true, &configuration("20.0.0.0/30", 150));
    reflector.daemon.control().reload().await.unwrap();
    other.hears(4).await;
    for peer in [2, 3] {
        assert_eq!(reflector.row(place.address(peer)).await.unwrap().flaps, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_is_explained_from_the_way_in_to_the_way_out() {
    let place = Place::new();
    let reflector = place.start_reflector(&configuration("20.0.0.0/31", 200)).await;
    let (mut source, mut other) = (Raw::up(&place, 2).await, Raw::up(&place, 3).await);
    source.announce(3).await;
    other.hears(2).await;
    let ask = |prefix: &str, to: u8| {
        explain(
            &reflector,
            ExplainQuery { prefix: prefix.parse().unwrap(), to: Some(PeerRef::Address(place.address(to))) },
        )
    };

    let sent = ask("20.0.0.0/32", 3).await;
    assert!(sent.candidates[0].best);
    let import = &sent.import[0];
    assert_eq!((import.policy.as_str(), import.route.rejected.as_deref()), ("from-node", None));
    assert_eq!(import.terms[0].action.as_deref(), Some("accept"));
    let export = sent.export.unwrap();
    assert_eq!((export.advertised, export.policy.as_str()), (true, "to-node"));
    let path = &export.paths[0];
    assert_eq!((path.blocked_by.as_ref(), path.from), (None, Some(place.address(2))));
    assert_eq!(path.sent.as_ref().unwrap().local_pref, Some(200));

    let back = ask("20.0.0.0/32", 2).await.export.unwrap();
    assert_eq!((back.advertised, back.paths[0].blocked_by.as_deref()), (false, Some("not from this peer")));

    let refused = ask("20.0.0.2/32", 3).await;
    assert!(refused.candidates.is_empty() && refused.export.is_none());
    let import = &refused.import[0];
    assert_eq!(import.route.rejected.as_deref(), Some("policy"));
    assert!(import.terms[0].failed.is_some());
}
