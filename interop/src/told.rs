//! What this project's daemons tell of themselves in JSON, beyond what every router does.

use crate::{Error, Net, Node, Peer, Result, ensure};
use serde_json::Value;
use std::net::IpAddr;

/// How often sessions of a daemon that were established have ended, all together.
///
/// # Errors
/// If the daemon does not answer.
pub fn flaps(daemon: &mut dyn Peer) -> Result<u64> {
    let peers = ask(daemon, &["peers"])?;
    Ok(rows(&peers, "peers").map(|peer| number(peer, "flaps")).sum())
}

/// How often established sessions of a daemon with some of its neighbours have ended.
///
/// # Errors
/// If the daemon does not answer.
pub(crate) fn flaps_of(daemon: &mut dyn Peer, neighbors: &[IpAddr]) -> Result<u64> {
    let peers = ask(daemon, &["peers"])?;
    let is_one = |peer: &&Value| {
        let address = peer.get("address").and_then(Value::as_str).and_then(|text| text.parse().ok());
        address.is_some_and(|address: IpAddr| neighbors.contains(&address))
    };
    Ok(rows(&peers, "peers").filter(is_one).map(|peer| number(peer, "flaps")).sum())
}

/// How many IPv4 routes a daemon has sent to a neighbour, and not taken back.
pub(crate) fn advertised(daemon: &mut dyn Peer, neighbor: IpAddr) -> Result<usize> {
    let peers = ask(daemon, &["peers"])?;
    let is_it = |peer: &&Value| peer.get("address").and_then(Value::as_str) == Some(&neighbor.to_string());
    let families = rows(&peers, "peers").filter(is_it).flat_map(|peer| rows(peer, "families"));
    Ok(families.filter(is_ipv4).map(|family| number(family, "advertised") as usize).sum())
}

/// How many IPv4 prefixes a daemon has routes to.
pub(crate) fn prefixes(daemon: &mut dyn Peer) -> Result<usize> {
    let status = ask(daemon, &["status"])?;
    Ok(rows(&status, "tables").filter(is_ipv4).map(|table| number(table, "prefixes") as usize).sum())
}

/// How many routes of a speaker are in its kernel.
pub(crate) fn in_kernel(speaker: &mut dyn Peer) -> Result<usize> {
    Ok(number(&ask(speaker, &["fib"])?, "routes") as usize)
}

fn is_ipv4(row: &&Value) -> bool {
    row.get("family").and_then(Value::as_str) == Some("ipv4")
}

/// How many stale routes a daemon holds, of all peers and families.
///
/// # Errors
/// If the daemon does not answer.
pub fn stale(daemon: &mut dyn Peer) -> Result<u64> {
    let peers = ask(daemon, &["peers"])?;
    let families = rows(&peers, "peers").flat_map(|peer| rows(peer, "families"));
    Ok(families.map(|family| number(family, "stale")).sum())
}

/// How many records of a daemon's update log (MRT) could not be written.
///
/// # Errors
/// If the daemon does not answer, or writes none.
pub(crate) fn records_lost(daemon: &mut dyn Peer) -> Result<u64> {
    let status = ask(daemon, &["status"])?;
    let log = status.get("update_log").filter(|log| log.is_object());
    log.map(|log| number(log, "lost")).ok_or_else(|| Error::NotSo(format!("no update log: {status}")))
}

/// How many messages of a kind (`update`, `route_refresh`, …) a daemon has `sent` to a neighbour, or `received`.
///
/// # Errors
/// If the daemon does not answer, or does not know the neighbour.
pub fn messages(daemon: &mut dyn Peer, neighbor: IpAddr, direction: &str, kind: &str) -> Result<u64> {
    let shown = ask(daemon, &["peer", &neighbor.to_string()])?;
    let word = |row: &Value, key: &str, word: &str| row.get(key).and_then(Value::as_str) == Some(word);
    let counts = shown.get("peer").into_iter().flat_map(|peer| rows(peer, "messages"));
    let wanted = counts.filter(|row| word(row, "direction", direction) && word(row, "type", kind));
    Ok(wanted.map(|row| number(row, "count")).sum())
}

/// Waits until a daemon's own restart is over: every daemon begins with one, and sends its End-of-RIB ten seconds after the
/// last new session.
///
/// # Errors
/// If it does not happen.
pub fn has_told_all(net: &Net, daemon: &dyn Peer) -> Result<()> {
    net.eventually("the restart of a daemon is over", || {
        ensure(daemon.log().contains("restart is over"), || "not yet")
    })
}

/// The daemon of a node reads its configuration again after `change`.
///
/// # Errors
/// If it refuses it.
pub fn reload(node: &Node, daemon: &mut dyn Peer, change: impl FnOnce(&str) -> String) -> Result<()> {
    let path = node.dir().join("config.toml");
    let config =
        std::fs::read_to_string(&path).map_err(Error::io(format!("cannot read {}", path.display())))?;
    let changed = change(&config);
    ensure(changed != config, || "nothing is changed")?;
    node.write("config.toml", &changed)?;
    daemon.command(&["reload"]).map(drop)
}

/// What a daemon's BFD says of the path to a neighbour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BfdSeen {
    /// `single` or `multi`.
    pub hops: String,
    /// The longest pause between our packets, in milliseconds.
    pub transmit: u64,
    /// How long the neighbour may be silent, in milliseconds.
    pub detect: u64,
    /// How often the path failed.
    pub failures: u64,
}

/// What a daemon's BFD says of the path to a neighbour.
///
/// # Errors
/// If the daemon does not answer, or one of its BFD sessions is down.
pub fn bfd(daemon: &mut dyn Peer, neighbor: IpAddr) -> Result<BfdSeen> {
    let shown = ask(daemon, &["bfd"])?;
    let peer = |row: &&Value| row.get("peer").and_then(Value::as_str) == Some(&neighbor.to_string());
    let row = rows(&shown, "sessions").find(peer);
    let row = row.ok_or_else(|| Error::NotSo(format!("no BFD with {neighbor}: {shown}")))?;
    Ok(BfdSeen {
        hops: row.get("hops").and_then(Value::as_str).unwrap_or_default().to_owned(),
        transmit: number(row, "transmit_ms"),
        detect: number(row, "detect_ms"),
        failures: number(row, "failures"),
    })
}

fn ask(daemon: &mut dyn Peer, args: &[&str]) -> Result<Value> {
    let text = daemon.command(&[&["--json"], args].concat())?;
    serde_json::from_str(&text).map_err(|_| Error::parse("bgp --json", text))
}

fn rows<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or_default()
}
