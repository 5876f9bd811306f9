//! The control API over real sockets, with a scripted daemon behind it.

#![cfg(test)]

use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use axum::Router;
use axum::routing::get;
use bgp_daemon::api::schema::{
    Announced, DrainRequest, Drained, Event, EventKind, PeerRef, Readiness, RefreshDirection, Routes, Scope,
};
use bgp_daemon::api::{ApiServer, Command, ControlError, ControlHandle, PeerAction, ServeError};
use bgp_daemon::config::Api;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// A socket path of its own for each test, gone when the test is.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Place {
        let directory = std::env::temp_dir().join(format!("bgp-api-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Place(directory)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn at(socket: &Path, listen: Option<SocketAddr>) -> Api {
    Api { socket: socket.to_owned(), group: None, listen }
}

/// Answers as a daemon would, in one line a command.
async fn daemon(mut commands: mpsc::Receiver<Command>, seen: mpsc::UnboundedSender<String>) {
    while let Some(command) = commands.recv().await {
        let _ = match command {
            Command::Peer { peer, reply } => {
                reply.send(Err(ControlError::NotFound(format!("there is no peer {peer}")))).is_ok()
            }
            Command::PeerAction { peer, action, reply } => {
                seen.send(format!("{peer} {action:?}")).unwrap();
                reply.send(Ok(())).is_ok()
            }
            Command::Routes { query, reply } => {
                seen.send(format!("{:?} limit {}", query.scope(), query.limit)).unwrap();
                reply.send(Ok(Routes::default())).is_ok()
            }
            Command::Announce { prefixes, reply } => {
                reply.send(Ok(Announced { changed: prefixes.len() as u64 })).is_ok()
            }
            Command::Drain { request, reply } => {
                seen.send(format!("{request:?}")).unwrap();
                reply.send(Ok(Drained { draining: None, peers: 2 })).is_ok()
            }
            Command::Explain { query, reply } => {
                reply.send(Err(ControlError::NotFound(format!("no route to {}", query.prefix)))).is_ok()
            }
            Command::Reload(reply) => {
                reply.send(Err(ControlError::InvalidConfig("error[C011]".into()))).is_ok()
            }
            Command::Ready(reply) => {
                let missing = vec!["no session is established".to_owned()];
                reply.send(Ok(Readiness { ready: false, missing })).is_ok()
            }
            other => panic!("not in the script: {other:?}"),
        };
    }
}

struct Served {
    place: Place,
    tcp: SocketAddr,
    control: ControlHandle,
    seen: mpsc::UnboundedReceiver<String>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

async fn serve(test: &str) -> Served {
    let place = Place::new(test);
    let (control, commands) = ControlHandle::new("host-1");
    let (report, seen) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let server = ApiServer::bind(&at(&place.socket(), Some("127.0.0.1:0".parse().unwrap()))).await.unwrap();
    let tcp = server.tcp_endpoint().unwrap();
    let extra = Router::new().route("/v1/fib", get(async || "fib"));
    tokio::spawn(daemon(commands, report));
    let server = tokio::spawn(server.serve(control.clone(), extra, prometheus::Registry::new(), stopped));
    Served { place, tcp, control, seen, stop, server }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, line: &str, body: &str) -> (u16, Value) {
    let request = format!(
        "{line} HTTP/1.1\r\nhost: bgp\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned())))
}

async fn unix(socket: &Path, line: &str, body: &str) -> (u16, Value) {
    exchange(UnixStream::connect(socket).await.unwrap(), line, body).await
}

#[tokio::test]
async fn answers_carry_their_schema_and_errors_their_code() {
    let mut served = serve("answers").await;
    let socket = served.place.socket();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);

    let (status, body) =
        unix(&socket, "POST /v1/announce", r#"{"prefixes":["10.0.0.0/26","fd00::/64"]}"#).await;
    assert_eq!((status, &body["schema"], &body["changed"]), (200, &json!("bgp.announced/v1"), &json!(2)));
    assert_eq!(body["node"], "host-1");

    let (status, body) = unix(&socket, "POST /v1/announce", r#"{"prefixes":["10.0.0.1/26"]}"#).await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!("invalid")));
    assert!(body["error"]["message"].as_str().unwrap().contains("did you mean 10.0.0.0/26?"), "{body}");

    let (status, body) = unix(&socket, "GET /v1/peers/10.0.0.9", "").await;
    assert_eq!((status, &body["error"]["message"]), (404, &json!("there is no peer 10.0.0.9")));

    let (status, body) = unix(&socket, "POST /v1/reload", "").await;
    assert_eq!((status, &body["error"]["code"]), (422, &json!("invalid_config")));

    let (status, body) = unix(&socket, "POST /v1/peers/node-7/down", r#"{"reason":"maintenance"}"#).await;
    assert_eq!((status, &body["action"]), (200, &json!("down")));
    let down = PeerAction::Down { reason: Some("maintenance".to_owned()) };
    assert_eq!(served.seen.recv().await.unwrap(), format!("node-7 {down:?}"));

    let (status, _) = unix(&socket, "POST /v1/peers/fd00::1/refresh", r#"{"direction":"in"}"#).await;
    assert_eq!(status, 200);
    let refresh = PeerAction::Refresh(RefreshDirection::In);
    assert_eq!(served.seen.recv().await.unwrap(), format!("fd00::1 {refresh:?}"));

    let (status, _) = unix(&socket, "POST /v1/peers/node-7/explode", "").await;
    assert_eq!(status, 404);

    let (status, _) = unix(&socket, "GET /v1/routes?in=10.0.0.2&limit=5", "").await;
    assert_eq!(status, 200);
    let scope = Scope::In(PeerRef::from("10.0.0.2"));
    assert_eq!(served.seen.recv().await.unwrap(), format!("{scope:?} limit 5"));

    let (status, body) = unix(&socket, "POST /v1/drain", r#"{"reason":"new memory"}"#).await;
    assert_eq!((status, &body["peers"], &body["draining"]), (200, &json!(2), &Value::Null));
    let asked = DrainRequest { undo: false, reason: Some("new memory".to_owned()) };
    assert_eq!(served.seen.recv().await.unwrap(), format!("{asked:?}"));
    assert_eq!(unix(&socket, "POST /v1/drain", r#"{"undoo":true}"#).await.0, 400);

    let (status, body) = unix(&socket, "GET /v1/explain?prefix=10.0.0.0/26&to=node-7", "").await;
    assert_eq!((status, &body["error"]["message"]), (404, &json!("no route to 10.0.0.0/26")));
    let (status, body) = unix(&socket, "GET /v1/explain?to=node-7", "").await;
    assert_eq!((status, &body["error"]["message"]), (400, &json!("the parameter `prefix` is missing")));

    let (status, body) = unix(&socket, "GET /v1/routes?colour=blue", "").await;
    assert_eq!((status, &body["error"]["message"]), (400, &json!("unknown parameter `colour`")));

    let (status, body) = unix(&socket, "GET /v1/nothing", "").await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("not_found")));
    assert_eq!(unix(&socket, "GET /v1/fib", "").await, (200, json!("fib")));
}

#[tokio::test]
async fn tcp_only_reads() {
    let served = serve("tcp").await;
    let tcp = async || TcpStream::connect(served.tcp).await.unwrap();
    let (status, body) = exchange(tcp().await, "POST /v1/announce", r#"{"prefixes":[]}"#).await;
    assert_eq!((status, &body["error"]["code"]), (403, &json!("read_only")));
    assert_eq!(exchange(tcp().await, "GET /v1/routes", "").await.0, 200);
    assert_eq!(exchange(tcp().await, "GET /healthz", "").await, (200, json!("ok\n")));
    let (status, body) = exchange(tcp().await, "GET /readyz", "").await;
    assert_eq!((status, &body["missing"]), (503, &json!(["no session is established"])));
}

#[tokio::test]
async fn events_stream_as_lines_until_the_daemon_stops() {
    let served = serve("events").await;
    let mut stream = UnixStream::connect(served.place.socket()).await.unwrap();
    stream.write_all(b"GET /v1/events?topic=peers HTTP/1.1\r\nhost: bgp\r\n\r\n").await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    while !lines.next_line().await.unwrap().unwrap().is_empty() {}

    served
        .control
        .events()
        .publish(Event::now(EventKind::Alarm { message: "two peers are 10.0.0.1".to_owned() }));
    let size = lines.next_line().await.unwrap().unwrap();
    assert!(usize::from_str_radix(&size, 16).is_ok(), "a chunk begins with its size");
    let event: Event = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!(event.kind, EventKind::Alarm { message: "two peers are 10.0.0.1".to_owned() });

    served.stop.send(true).unwrap();
    while lines.next_line().await.unwrap().is_some_and(|line| line != "0") {}
    served.server.await.unwrap();
    assert!(!served.place.socket().exists(), "the socket file is gone");
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let place = Place::new("stale");
    let socket = place.socket();
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    let server = ApiServer::bind(&at(&socket, None)).await.unwrap();

    let second = ApiServer::bind(&at(&socket, None)).await.unwrap_err();
    assert!(matches!(second, ServeError::InUse(_)));
    assert!(second.to_string().starts_with("another daemon answers on "));
    drop(server);
    assert!(!socket.exists());

    std::fs::write(&socket, "").unwrap();
    assert!(matches!(ApiServer::bind(&at(&socket, None)).await.unwrap_err(), ServeError::NotASocket(_)));
}

#[tokio::test]
async fn a_daemon_that_has_ended_is_unavailable() {
    let place = Place::new("ended");
    let (control, commands) = ControlHandle::new("host-1");
    drop(commands);
    let (_stop, stopped) = watch::channel(false);
    let server = ApiServer::bind(&at(&place.socket(), None)).await.unwrap();
    tokio::spawn(server.serve(control, Router::new(), prometheus::Registry::new(), stopped));
    let (status, body) = unix(&place.socket(), "GET /v1/status", "").await;
    assert_eq!((status, &body["error"]["code"]), (503, &json!("unavailable")));
}

#[tokio::test]
async fn hosts_that_connect_and_say_nothing_leave_places_to_others_over_tcp() {
    let served = serve("places").await;
    let mut silent = Vec::new();
    for host in 1..=3 {
        for _ in 0..32 {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::from(([127, 77, 0, host], 0))).unwrap();
            silent.push(socket.connect(served.tcp).await.unwrap());
        }
    }
    let (status, _) = exchange(TcpStream::connect(served.tcp).await.unwrap(), "GET /healthz", "").await;
    assert_eq!(status, 200);
    let mut closed = 0;
    for stream in silent {
        let read = stream.into_std().unwrap().read(&mut [0]);
        closed += u32::from(read.is_ok_and(|octets| octets == 0));
    }
    assert_eq!(closed, 3 * 16, "sixteen of each host stay");
}

#[tokio::test]
async fn the_socket_is_given_to_a_group_or_not_served() {
    let place = Place::new("group");
    let group = |name: &str| Api { group: Some(name.to_owned()), ..at(&place.socket(), None) };
    let unknown = ApiServer::bind(&group("no-such-group")).await.unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "there is no group no-such-group: make it (`groupadd --system no-such-group`), or change `api.group`"
    );
    assert!(!place.socket().exists());
    let _server = ApiServer::bind(&group("4242")).await.unwrap();
    let metadata = std::fs::metadata(place.socket()).unwrap();
    assert_eq!((metadata.gid(), metadata.permissions().mode() & 0o777), (4242, 0o660));
}
