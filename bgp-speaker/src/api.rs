//! The speaker's own paths of the control API: how kernel and RIB differ, and what was done about it.

use std::net::IpAddr;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use bgp_core::Prefix;
use bgp_daemon::api::ControlError;
use bgp_daemon::api::schema::{Body, Document, Fib, FibDiff, FibDiffRow, FibFault, FibOperation};
use fib_sync::{Difference, DifferenceKind, FibError, Stats};
use tokio::sync::{mpsc, oneshot};

use crate::forwarding::Question;

/// The paths; `questions` reaches the task that keeps the kernel's routes.
pub(crate) fn routes(questions: mpsc::Sender<Question>) -> Router {
    Router::new().route("/v1/fib", get(fib)).route("/v1/fib/diff", get(diff)).with_state(questions)
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
    let differences: Result<Vec<Difference>, FibError> = ask(&questions, Question::Diff).await?;
    let differences =
        differences.map_err(|error| ControlError::Refused { message: error.to_string(), hint: None })?;
    let stats: Stats = ask(&questions, Question::Stats).await?;
    let routes: Vec<FibDiffRow> = differences.iter().filter_map(row).collect();
    let in_sync = (stats.routes as u64).saturating_sub(routes.len() as u64);
    Ok(document(FibDiff { routes, in_sync }))
}

fn row(difference: &Difference) -> Option<FibDiffRow> {
    use fib_sync::{Forwarding, Way};
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
    Some(FibDiffRow { prefix, fault, wanted: gateways(wanted), found: gateways(found) })
}
