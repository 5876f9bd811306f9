//! The speaker's own paths of the control API: how kernel and RIB differ, what was done about it, and the tunnels.

use std::net::IpAddr;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use bgp_core::Prefix;
use bgp_daemon::api::ControlError;
use bgp_daemon::api::schema::{
    Body, Document, Fib, FibDiff, FibDiffRow, FibFault, FibOperation, KernelRow, KernelState, Tunnels,
};
use fib_sync::{Desired, Difference, DifferenceKind, FibError, FibSync, Forwarding, Hop, Stats, Way};
use tokio::sync::{mpsc, oneshot};

use crate::forwarding::Question;

/// The paths; `questions` reaches the task that keeps the kernel's routes.
pub(crate) fn routes(questions: mpsc::Sender<Question>) -> Router {
    Router::new()
        .route("/v1/fib", get(fib))
        .route("/v1/fib/diff", get(diff))
        .route("/v1/tunnels", get(tunnels))
        .with_state(questions)
}

async fn ask<T>(
    questions: &mpsc::Sender<Question>,
    question: impl FnOnce(oneshot::Sender<T>) -> Question,
) -> Result<T, ControlError> {
    let gone = || ControlError::Unavailable("the kernel's routes are no longer kept; the log says why");
    let (sender, answer) = oneshot::channel();
    questions.send(question(sender)).await.map_err(|_| gone())?;
    answer.await.map_err(|_| gone())
}

fn document<T: Body>(body: T) -> Json<Document<T>> {
    Json(Document::new(&bgp_daemon::runtime::host_name(), body))
}

async fn fib(State(questions): State<mpsc::Sender<Question>>) -> Result<Json<Document<Fib>>, ControlError> {
    let stats: Stats = ask(&questions, Question::Stats).await?;
    let operation = |(op, result, count): (&str, &str, u64)| FibOperation {
        op: op.to_owned(),
        result: result.to_owned(),
        count,
    };
    Ok(document(Fib {
        routes: stats.routes as u64,
        pending: stats.pending as u64,
        operations: stats.operations().into_iter().map(operation).collect(),
        repairs: stats.repairs,
        resyncs: stats.resyncs,
        last_sync_us: u64::try_from(stats.last_sync.as_micros()).unwrap_or(u64::MAX),
    }))
}

async fn diff(
    State(questions): State<mpsc::Sender<Question>>,
) -> Result<Json<Document<FibDiff>>, ControlError> {
    let routes: Result<Vec<FibDiffRow>, FibError> = ask(&questions, Question::Diff).await?;
    let routes = routes.map_err(|error| ControlError::Refused { message: error.to_string(), hint: None })?;
    let stats: Stats = ask(&questions, Question::Stats).await?;
    let in_sync = (stats.routes as u64).saturating_sub(routes.len() as u64);
    Ok(document(FibDiff { routes, in_sync }))
}

async fn tunnels(
    State(questions): State<mpsc::Sender<Question>>,
) -> Result<Json<Document<Tunnels>>, ControlError> {
    Ok(document(ask(&questions, Question::Tunnels).await?))
}

/// A difference as the API tells it; `fib` knows the names of interfaces.
pub(crate) fn row(difference: &Difference, fib: &FibSync) -> Option<FibDiffRow> {
    let gateways = |forwarding: Option<&Forwarding>| -> Vec<IpAddr> {
        match forwarding.map(|forwarding| &forwarding.way) {
            Some(Way::Via(hops)) => hops.iter().filter_map(|hop| hop.gateway).collect(),
            _ => Vec::new(),
        }
    };
    let (fault, wanted, found) = match &difference.kind {
        DifferenceKind::Missing { desired } => (FibFault::Missing, Some(desired), None),
        DifferenceKind::Unresolved => (FibFault::Missing, None, None),
        DifferenceKind::Wrong { desired, kernel } => (FibFault::Different, desired.as_ref(), Some(kernel)),
        DifferenceKind::Extra { kernel } => (FibFault::Extra, None, Some(kernel)),
        DifferenceKind::Conflict { desired, .. } => (FibFault::Different, desired.as_ref(), None),
    };
    let prefix = Prefix::new(difference.prefix.ip(), difference.prefix.prefix())?;
    let shown = |forwarding: Option<&Forwarding>| {
        forwarding.map(|forwarding| shown(forwarding, |index| fib.interface_name(index).map(str::to_owned)))
    };
    let (wanted_route, found_route) = (shown(wanted), shown(found));
    Some(FibDiffRow {
        prefix,
        fault,
        wanted: gateways(wanted),
        found: gateways(found),
        wanted_route,
        found_route,
    })
}

/// How the kernel's route to a prefix is, and why.
pub(crate) fn kernel_row(
    difference: Option<&Difference>,
    desired: Option<&Desired>,
    fib: &FibSync,
) -> KernelRow {
    let text =
        |forwarding: &Forwarding| shown(forwarding, |index| fib.interface_name(index).map(str::to_owned));
    let wanted = desired.and_then(|desired| desired.forwarding.as_ref()).map(text);
    let refused = desired.is_some_and(|desired| desired.refused);
    let row = |state, found: Option<&Forwarding>, why: Option<String>| KernelRow {
        state,
        wanted: wanted.clone(),
        found: found.map(text),
        why,
    };
    let unreachable = || Some("none of its next hops is reachable by the kernel's other routes".to_owned());
    match difference.map(|difference| &difference.kind) {
        None if desired.is_some() => row(KernelState::Installed, None, None),
        None => row(KernelState::Absent, None, None),
        Some(DifferenceKind::Missing { .. }) if refused => {
            let why =
                "the kernel refused it; it is tried again when links or addresses change (the log says why)";
            row(KernelState::Refused, None, Some(why.to_owned()))
        }
        Some(DifferenceKind::Missing { .. }) => {
            row(KernelState::Missing, None, Some("it is still to be written".to_owned()))
        }
        Some(DifferenceKind::Unresolved) => row(KernelState::Unresolved, None, unreachable()),
        Some(DifferenceKind::Wrong { desired: None, kernel }) => {
            row(KernelState::Extra, Some(kernel), unreachable())
        }
        Some(DifferenceKind::Wrong { kernel, .. }) => row(KernelState::Different, Some(kernel), None),
        Some(DifferenceKind::Extra { kernel }) => row(KernelState::Extra, Some(kernel), None),
        Some(DifferenceKind::Conflict { protocol, .. }) => {
            let why =
                format!("a route of protocol {protocol} has the same metric; ours comes once that is gone");
            row(KernelState::Conflict, None, Some(why))
        }
    }
}

/// A route's target and options in `ip route`'s words.
fn shown(forwarding: &Forwarding, name: impl Fn(u32) -> Option<String>) -> String {
    let hop = |hop: &Hop| {
        let mut words: Vec<String> =
            hop.gateway.map(|gateway| format!("via {gateway}")).into_iter().collect();
        words.push(format!("dev {}", name(hop.interface).unwrap_or_else(|| format!("if{}", hop.interface))));
        words.extend((hop.weight != 1).then(|| format!("weight {}", hop.weight)));
        words.extend(hop.onlink.then(|| "onlink".to_owned()));
        words.join(" ")
    };
    let mut words = match &forwarding.way {
        Way::Via(hops) => hops.iter().map(hop).collect::<Vec<_>>().join(" + "),
        other => other.to_string(),
    };
    if let Some(source) = forwarding.options.source {
        words.push_str(&format!(" src {source}"));
    }
    if let Some(mtu) = forwarding.options.mtu {
        words.push_str(&format!(" mtu {mtu}"));
    }
    words
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use fib_sync::RouteOptions;

    use super::*;

    #[test]
    fn a_route_is_shown_as_ip_route_shows_it() {
        let hop = |last: u8, interface, weight, onlink| Hop {
            gateway: Some([192, 0, 2, last].into()),
            interface,
            weight,
            onlink,
        };
        let name = |index| (index == 3).then(|| "vxlan.bgp".to_owned());
        let text = |way, options| shown(&Forwarding { way, options, object: None }, name);
        let two = Way::Via(vec![hop(7, 3, 1, true), hop(8, 4, 2, false)]);
        assert_eq!(
            text(two, RouteOptions::default()),
            "via 192.0.2.7 dev vxlan.bgp onlink + via 192.0.2.8 dev if4 weight 2"
        );
        let options = RouteOptions { source: Some([192, 0, 2, 5].into()), mtu: NonZeroU32::new(1400) };
        assert_eq!(text(Way::Blackhole, options), "blackhole src 192.0.2.5 mtu 1400");
    }
}
