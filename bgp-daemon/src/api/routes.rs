//! The paths of the API and what each asks of the daemon.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body as HttpBody, Bytes};
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::stream;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::control::{Command, ControlError, ControlHandle, PeerAction};
use super::schema::{
    Announced, Body, Document, DrainRequest, Drained, Event, Explain, ExplainQuery, Peer, PeerActionDone,
    PeerActionRequest, PeerRef, Peers, PrefixesRequest, QueryError, RouteQuery, Topic,
};
use crate::metrics;

/// What every handler shares.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) control: ControlHandle,
    pub(super) registry: prometheus::Registry,
    pub(super) shutdown: watch::Receiver<bool>,
}

type Answer<T> = Result<Json<Document<T>>, ControlError>;

/// The whole API; `extra` adds the embedder's own paths.
pub(super) fn router(shared: Shared, extra: Router) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/peers", get(peers))
        .route("/v1/peers/{peer}", get(peer))
        .route("/v1/bfd", get(bfd))
        .route("/v1/peers/{peer}/{action}", post(peer_action))
        .route("/v1/routes", get(routes))
        .route("/v1/explain", get(explain))
        .route("/v1/events", get(events))
        .route("/v1/dump", get(dump))
        .route("/v1/announce", post(announce))
        .route("/v1/withdraw", post(withdraw))
        .route("/v1/drain", post(drain))
        .route("/v1/reload", post(reload))
        .route("/v1/config", get(config))
        .route("/metrics", get(metrics_text))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(shared)
        .merge(extra)
        .fallback(async || ControlError::NotFound("there is no such path".to_owned()))
        .method_not_allowed_fallback(async || ControlError::Invalid("not with this method".to_owned()))
}

/// Lets only reading requests through: what the TCP endpoint does.
pub(super) async fn read_only(request: Request, next: Next) -> Response {
    match *request.method() {
        Method::GET | Method::HEAD => next.run(request).await,
        _ => ControlError::ReadOnly.into_response(),
    }
}

fn document<T: Body>(shared: &Shared, body: T) -> Json<Document<T>> {
    Json(Document::new(shared.control.node(), body))
}

fn invalid(wrong: impl std::fmt::Display) -> ControlError {
    ControlError::Invalid(wrong.to_string())
}

async fn status(State(shared): State<Shared>) -> Answer<super::schema::Status> {
    let status = shared.control.ask(Command::Status).await?;
    Ok(document(&shared, *status))
}

async fn peers(State(shared): State<Shared>) -> Answer<Peers> {
    let peers = shared.control.ask(Command::Peers).await?;
    Ok(document(&shared, Peers { peers }))
}

async fn bfd(State(shared): State<Shared>) -> Answer<super::schema::Bfd> {
    let bfd = shared.control.ask(Command::Bfd).await?;
    Ok(document(&shared, bfd))
}

async fn peer(State(shared): State<Shared>, path: Result<Path<String>, PathRejection>) -> Answer<Peer> {
    let peer = PeerRef::from(path.map_err(invalid)?.as_str());
    let peer = shared.control.ask(|reply| Command::Peer { peer, reply }).await?;
    Ok(document(&shared, Peer { peer: *peer }))
}

async fn peer_action(
    State(shared): State<Shared>,
    path: Result<Path<(String, String)>, PathRejection>,
    body: Bytes,
) -> Answer<PeerActionDone> {
    let Path((name, action)) = path.map_err(invalid)?;
    let request: PeerActionRequest = optional(&body)?;
    let action = peer_action_of(&action, request)?;
    let done = PeerActionDone { peer: name.clone(), action: action.name().to_owned() };
    let peer = PeerRef::from(name.as_str());
    shared.control.ask(|reply| Command::PeerAction { peer, action, reply }).await?;
    Ok(document(&shared, done))
}

/// The body of a request that may have none.
fn optional<T: Default + DeserializeOwned>(body: &Bytes) -> Result<T, ControlError> {
    if body.is_empty() { Ok(T::default()) } else { serde_json::from_slice(body).map_err(invalid) }
}

/// RFC 9003 section 2: the length is one octet.
fn check_reason(reason: Option<&str>) -> Result<(), ControlError> {
    match reason {
        Some(reason) if reason.len() > 255 => Err(invalid("the reason is over 255 octets (RFC 9003)")),
        _ => Ok(()),
    }
}

async fn drain(State(shared): State<Shared>, body: Bytes) -> Answer<Drained> {
    let request: DrainRequest = optional(&body)?;
    check_reason(request.reason.as_deref())?;
    let drained = shared.control.ask(|reply| Command::Drain { request, reply }).await?;
    Ok(document(&shared, drained))
}

fn peer_action_of(action: &str, request: PeerActionRequest) -> Result<PeerAction, ControlError> {
    let PeerActionRequest { reason, direction } = request;
    check_reason(reason.as_deref())?;
    match action {
        "up" => Ok(PeerAction::Up),
        "down" => Ok(PeerAction::Down { reason }),
        "refresh" => Ok(PeerAction::Refresh(direction.unwrap_or_default())),
        "reset" => Ok(PeerAction::Reset { reason }),
        _ => Err(ControlError::NotFound(format!("a peer knows no `{action}`: up, down, refresh or reset"))),
    }
}

async fn routes(
    State(shared): State<Shared>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Answer<super::schema::Routes> {
    let Query(pairs) = query.map_err(invalid)?;
    let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let query = RouteQuery::from_parameters(pairs).map(Box::new);
    let query = query.map_err(|wrong: QueryError| invalid(wrong))?;
    let routes = shared.control.ask(|reply| Command::Routes { query, reply }).await?;
    Ok(document(&shared, routes))
}

async fn explain(
    State(shared): State<Shared>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Answer<Explain> {
    let Query(pairs) = query.map_err(invalid)?;
    let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let query = ExplainQuery::from_parameters(pairs).map_err(invalid)?;
    let explained = shared.control.ask(|reply| Command::Explain { query, reply }).await?;
    Ok(document(&shared, *explained))
}

/// Each event as one line of JSON, until the client goes or the daemon stops.
async fn events(State(shared): State<Shared>, query: Result<Query<EventQuery>, QueryRejection>) -> Response {
    let topic = match query {
        Ok(Query(query)) => query.topic,
        Err(wrong) => return invalid(wrong).into_response(),
    };
    let watcher = shared.control.events().watch(topic);
    let lines = stream::unfold((watcher, shared.shutdown), async |(mut watcher, mut shutdown)| {
        let event = tokio::select! {
            event = watcher.next() => event?,
            _ = shutdown.wait_for(|stop| *stop) => return None,
        };
        Some((Ok::<_, Infallible>(line(&event)), (watcher, shutdown)))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], HttpBody::from_stream(lines)).into_response()
}

/// The whole table as MRT. It is read from the RIB as fast as the client takes it.
async fn dump(State(shared): State<Shared>) -> Result<Response, ControlError> {
    let dump = shared.control.ask(Command::Dump).await?;
    let parts = stream::unfold((dump, shared.shutdown), async |(mut dump, mut shutdown)| {
        let part = tokio::select! {
            part = dump.next() => part?,
            _ = shutdown.wait_for(|stop| *stop) => Err(std::io::Error::other("the daemon is stopping")),
        };
        Some((part, (dump, shutdown)))
    });
    let body = HttpBody::from_stream(parts);
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventQuery {
    #[serde(default)]
    topic: Topic,
}

fn line(event: &Arc<Event>) -> String {
    // Events hold no map with keys that are not text, the one thing that would not serialise.
    let mut line = serde_json::to_string(event.as_ref()).unwrap_or_default();
    line.push('\n');
    line
}

async fn announce(
    State(shared): State<Shared>,
    body: Result<Json<PrefixesRequest>, JsonRejection>,
) -> Answer<Announced> {
    let Json(PrefixesRequest { prefixes }) = body.map_err(|wrong| invalid(wrong.body_text()))?;
    let announced = shared.control.ask(|reply| Command::Announce { prefixes, reply }).await?;
    Ok(document(&shared, announced))
}

async fn withdraw(
    State(shared): State<Shared>,
    body: Result<Json<PrefixesRequest>, JsonRejection>,
) -> Answer<Announced> {
    let Json(PrefixesRequest { prefixes }) = body.map_err(|wrong| invalid(wrong.body_text()))?;
    let announced = shared.control.ask(|reply| Command::Withdraw { prefixes, reply }).await?;
    Ok(document(&shared, announced))
}

async fn reload(State(shared): State<Shared>) -> Answer<super::schema::ReloadReport> {
    let report = shared.control.reload().await?;
    Ok(document(&shared, report))
}

async fn config(State(shared): State<Shared>) -> Answer<super::schema::EffectiveConfig> {
    let config = shared.control.ask(Command::Config).await?;
    Ok(document(&shared, config))
}

async fn metrics_text(State(shared): State<Shared>) -> Result<Response, ControlError> {
    let snapshot = shared.control.ask(Command::Metrics).await?;
    let text = metrics::encode(&snapshot, &shared.registry);
    let text = text.map_err(|_| ControlError::Unavailable("the metrics cannot be encoded"))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

async fn healthz(State(shared): State<Shared>) -> Response {
    match shared.control.heartbeat().is_alive() {
        true => "ok\n".into_response(),
        false => ControlError::Unavailable("the event loop has not turned for 10 seconds").into_response(),
    }
}

async fn readyz(State(shared): State<Shared>) -> Result<Response, ControlError> {
    let readiness = shared.control.ask(Command::Ready).await?;
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, document(&shared, readiness)).into_response())
}
