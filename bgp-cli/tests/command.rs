//! The command itself against a scripted daemon: what it prints, and its exit codes.

#![cfg(test)]

use std::path::PathBuf;
use std::process::Output;

use axum::Router;
use bgp_daemon::api::schema::{Announced, Event, EventKind, PeerRow, PeerType, Routes, SessionState};
use bgp_daemon::api::{ApiServer, Command, ControlError, ControlHandle};
use bgp_daemon::config::Api;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

/// A socket of its own for each test, with a daemon that answers on it.
struct Daemon {
    directory: PathBuf,
    _stop: watch::Sender<bool>,
}

impl Daemon {
    fn socket(&self) -> PathBuf {
        self.directory.join("control.sock")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn directory(test: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("bgp-cli-{}-{test}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

fn peer(state: SessionState) -> PeerRow {
    PeerRow {
        address: "10.0.0.12".parse().unwrap(),
        name: Some("node-7".to_owned()),
        asn: 64512,
        kind: PeerType::Client,
        range: None,
        group: Some("rack-a".to_owned()),
        enabled: true,
        state,
        since: None,
        since_seconds: 0,
        router_id: None,
        local_address: None,
        families: Vec::new(),
        flaps: 0,
        reason: None,
    }
}

/// One peer, which comes up when it is looked at for the second time.
async fn answer(mut commands: mpsc::Receiver<Command>, control: ControlHandle) {
    let mut state = SessionState::Active;
    while let Some(command) = commands.recv().await {
        let _ = match command {
            Command::Peers(reply) => {
                let answered = reply.send(Ok(vec![peer(state)])).is_ok();
                let (from, to) = (state, SessionState::Established);
                let kind = EventKind::Peer { address: peer(to).address, name: None, from, to, reason: None };
                control.events().publish(Event::now(kind));
                state = to;
                answered
            }
            Command::Peer { peer, reply } => {
                reply.send(Err(ControlError::NotFound(format!("there is no peer {peer}")))).is_ok()
            }
            Command::PeerAction { reply, .. } => {
                let hint = Some("enable it first".to_owned());
                reply
                    .send(Err(ControlError::Refused { message: "the peer is disabled".to_owned(), hint }))
                    .is_ok()
            }
            Command::Routes { reply, .. } => reply.send(Ok(Routes::default())).is_ok(),
            Command::Announce { prefixes, reply } => {
                reply.send(Ok(Announced { changed: prefixes.len() as u64 })).is_ok()
            }
            Command::Reload(reply) => {
                let text = "error[C011]: the key `asn` is missing".to_owned();
                reply.send(Err(ControlError::InvalidConfig(text))).is_ok()
            }
            other => panic!("not in the script: {other:?}"),
        };
    }
}

async fn daemon(test: &str) -> Daemon {
    let directory = directory(test);
    let (control, commands) = ControlHandle::new("host-1");
    let (stop, stopped) = watch::channel(false);
    let daemon = Daemon { directory, _stop: stop };
    let server = ApiServer::bind(&Api { socket: daemon.socket(), group: None, listen: None }).await.unwrap();
    tokio::spawn(answer(commands, control.clone()));
    tokio::spawn(server.serve(control, Router::new(), prometheus::Registry::new(), stopped));
    daemon
}

/// Runs `bgp` with words; standard output, standard error, exit code.
async fn bgp(socket: PathBuf, words: &str) -> (String, String, i32) {
    let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    let run = move || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_bgp"));
        command.env("BGP_SOCKET", socket).args(words).output()
    };
    let Output { status, stdout, stderr } = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap(), status.code().unwrap())
}

#[tokio::test]
async fn results_are_tables_or_json_and_the_exit_code_tells_the_rest() {
    let daemon = daemon("results").await;
    let run = async |words: &str| bgp(daemon.socket(), words).await;

    let (out, _, code) = run("peers --down --no-header").await;
    assert_eq!((out.trim_end(), code), ("10.0.0.12  node-7  64512  client  active  -  -  -  -  -  0", 0));
    let (out, _, code) = run("peers --json").await;
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&document["schema"], &document["node"], code), (&json!("bgp.peers/v1"), &json!("host-1"), 0));
    assert_eq!(document["peers"][0]["state"], "established");
    let (out, _, _) = run("peers -o ndjson").await;
    let start = r#"{"address":"10.0.0.12","name":"node-7","group":"rack-a","asn":64512,"type":"client","#;
    assert!(out.starts_with(start), "{out}");
    assert!(run("peers --group rack-a").await.0.contains("10.0.0.12"));
    assert!(!run("peers --group rack-b").await.0.contains("10.0.0.12"));

    assert_eq!(run("announce 10.0.0.0/26 fd00::/64").await.0, "2 of 2 prefixes announced\n");
    assert_eq!(run("routes 10.0.0.0/26").await.2, 1, "nothing found");
    let (out, _, code) = run("routes --count").await;
    assert_eq!((out.as_str(), code), ("0\n", 1));
}

#[tokio::test]
async fn errors_tell_what_to_do() {
    let daemon = daemon("errors").await;
    let run = async |words: &str| bgp(daemon.socket(), words).await;

    assert_eq!(
        run("peer 10.0.0.9").await,
        (String::new(), "error: there is no peer 10.0.0.9\n".to_owned(), 1)
    );
    let (out, err, code) = run("peer node-7 reset --reason maintenance --json").await;
    assert_eq!((err.as_str(), code), ("error: the peer is disabled\nhint: enable it first\n", 4));
    let expected = json!({"code": "refused", "message": "the peer is disabled", "hint": "enable it first"});
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["error"], expected);
    let (_, err, code) = run("reload").await;
    let expected = "error[C011]: the key `asn` is missing\nhint: the running configuration stays in force\n";
    assert_eq!((err.as_str(), code), (expected, 2));
    let (_, err, code) = run("announce 10.0.0.1/26").await;
    assert!(err.contains("host bits are set: did you mean 10.0.0.0/26?"), "{err}");
    assert_eq!(code, 2);
    assert_eq!(run("routes longer").await.2, 2);
}

#[tokio::test]
async fn waiting_ends_when_the_peer_is_up_or_time_is() {
    let daemon = daemon("wait").await;
    let (out, _, code) = bgp(daemon.socket(), "wait --established node-7 --timeout 20s").await;
    assert_eq!(code, 0);
    assert!(out.contains("established"), "{out}");
    let (_, err, code) = bgp(daemon.socket(), "wait --count 2 --timeout 100ms").await;
    assert_eq!((err.as_str(), code), ("error: not so within 100ms\n", 5));
}

#[tokio::test]
async fn no_daemon_is_an_exit_code_of_its_own() {
    let directory = directory("nobody");
    let socket = directory.join("control.sock");
    let (_, err, code) = bgp(socket.clone(), "status").await;
    assert_eq!(code, 3);
    assert!(
        err.starts_with("error: no daemon answers on ") && err.contains("\nhint: is the daemon running?"),
        "{err}"
    );
    assert_eq!(bgp(socket, "wait --all --timeout 50ms").await.2, 3);
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test]
async fn a_configuration_is_checked_without_a_daemon() {
    let directory = directory("check");
    let check = async |name: &str, text: &str, flag: &str| {
        let file = directory.join(name);
        std::fs::write(&file, text).unwrap();
        bgp(directory.clone(), &format!("config check {}{flag}", file.display())).await
    };
    let (out, _, code) = check("a.toml", "asn = 64512\n", "").await;
    assert!(out.ends_with("a.toml: a good configuration for route-reflector\n"), "{out}");
    assert_eq!(code, 0);
    let (out, _, _) = check("b.toml", "asn = 64512\n[fib]\n", "").await;
    assert!(out.ends_with("b.toml: a good configuration for bgp-speaker\n"), "{out}");
    let (_, err, code) = check("b.toml", "asn = 64512\n[fib]\n", " --reflector").await;
    assert!(err.contains("error[C021]: [fib] is for bgp-speaker"), "{err}");
    assert_eq!(code, 2);
    let (_, err, code) = check("c.toml", "asn = 64512\nhold-tme = 1\n", "").await;
    assert!(err.contains("c.toml:2:1\n2 | hold-tme = 1\n  | ^^^^^^^^ did you mean `hold-time`?"), "{err}");
    assert_eq!(code, 2);
    std::fs::remove_dir_all(directory).unwrap();
}
