//! This project's daemons, asked with `bgp --json` over their Unix socket.

use super::{Peer, Software};
use crate::process::Process;
use crate::setup::{Neighbor, Policy, Who, join};
use crate::{Error, Node, Program, Result, SeenRoute, Setup};
use serde_json::Value;
use std::fmt::Write;
use std::net::IpAddr;

pub(crate) struct Daemon {
    program: Program,
    process: Process,
    socket: String,
    bgp: String,
}

impl Daemon {
    pub(crate) fn start(software: Software, node: &Node, setup: &Setup) -> Result<Daemon> {
        Daemon::run(software, node, &render(node, setup, &socket(node)))
    }

    /// With a configuration that says nothing about the control socket.
    pub(crate) fn start_with(software: Software, node: &Node, config: &str) -> Result<Daemon> {
        let api = format!("\n[api]\nsocket = \"{}\"\n", socket(node));
        Daemon::run(software, node, &format!("{config}{api}"))
    }

    fn run(software: Software, node: &Node, config: &str) -> Result<Daemon> {
        let program = match software {
            Software::Speaker => Program::Speaker,
            _ => Program::RouteReflector,
        };
        let config = node.write("config.toml", config)?.display().to_string();
        let process = Process::start(node, &program.path()?, &["--config", &config])?;
        let bgp = Program::Bgp.path()?.display().to_string();
        let mut daemon = Daemon { program, process, socket: socket(node), bgp };
        crate::wait::until_ready("the daemon answers", || {
            daemon.process.check_alive()?;
            daemon.json(&["peers"]).map(drop)
        })?;
        Ok(daemon)
    }

    fn json(&mut self, args: &[&str]) -> Result<Value> {
        let text = self.command(&[&["--json"], args].concat())?;
        serde_json::from_str(&text).map_err(|_| Error::parse("bgp --json", text))
    }
}

impl Peer for Daemon {
    fn name(&self) -> &str {
        self.program.name()
    }

    fn process(&self) -> &Process {
        &self.process
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    fn routes(&mut self) -> Result<Vec<SeenRoute>> {
        let shown = self.json(&["routes", "best"])?;
        let routes = shown.get("routes").and_then(Value::as_array).into_iter().flatten();
        let learned = routes.filter(|route| route.get("from").is_some_and(Value::is_string));
        learned
            .map(|route| read_route(route).map(SeenRoute::sorted))
            .map(|route| route.ok_or_else(|| Error::parse("bgp routes", shown.to_string())))
            .collect()
    }

    fn next_hops(&mut self, prefix: &str) -> Result<Vec<String>> {
        // Exit code 1: there is none.
        let Ok(shown) = self.json(&["routes", prefix, "exact", "all"]) else { return Ok(Vec::new()) };
        let routes = shown.get("routes").and_then(Value::as_array).into_iter().flatten();
        let learned = routes.filter(|route| route.get("from").is_some_and(Value::is_string));
        let mut hops: Vec<String> =
            learned.filter_map(|route| Some(route.get("next_hop")?.as_str()?.to_owned())).collect();
        hops.sort();
        Ok(hops)
    }

    fn refresh(&mut self, neighbor: IpAddr) -> Result<()> {
        self.command(&["peer", &neighbor.to_string(), "refresh", "in"]).map(drop)
    }

    fn is_established(&mut self, neighbor: IpAddr) -> Result<bool> {
        let shown = self.json(&["peers"])?;
        let mut peers = shown.get("peers").and_then(Value::as_array).into_iter().flatten();
        let text = |peer: &Value, key: &str| peer.get(key).and_then(Value::as_str).map(str::to_owned);
        Ok(peers.any(|peer| {
            text(peer, "address") == Some(neighbor.to_string())
                && text(peer, "state").as_deref() == Some("established")
        }))
    }

    fn command(&mut self, args: &[&str]) -> Result<String> {
        crate::command::run(&self.bgp, &[&["--socket", &self.socket], args].concat())
    }
}

fn socket(node: &Node) -> String {
    node.dir().join("api.sock").display().to_string()
}

fn read_route(route: &Value) -> Option<SeenRoute> {
    let text = |key: &str| route.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| route.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let list = |key: &str| {
        let items = route.get(key).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Some(SeenRoute {
        prefix: text("prefix")?,
        next_hop: text("next_hop")?,
        origin: text("origin")?,
        as_path: text("as_path").unwrap_or_default(),
        local_pref: number("local_pref"),
        med: number("med"),
        communities: list("communities"),
        large: list("large_communities"),
        originator: text("originator_id"),
        cluster_list: list("cluster_list"),
    })
}

fn render(node: &Node, setup: &Setup, socket: &str) -> String {
    let mut text = format!(
        "asn = {}\nrouter-id = \"{}\"\nhold-time = 30\nconnect-retry = 1\n{}",
        setup.asn,
        node.v4(),
        setup.keys
    );
    if let Some(port) = setup.port {
        let _ = writeln!(text, "listen = [\"{}:{port}\", \"[{}]:{port}\"]", node.v4(), node.v6());
    }
    for neighbor in &setup.neighbors {
        text.push_str(&render_neighbor(setup.asn, neighbor));
    }
    let prefixes: Vec<String> = setup.announcements.iter().map(|a| format!("\"{}\"", a.prefix)).collect();
    let _ = write!(text, "[announce]\nprefixes = [{}]\n", join(&prefixes, ", "));
    if let Some(file) = &setup.announce_file {
        let _ = writeln!(text, "file = \"{}\"", file.display());
    }
    let _ = write!(text, "[api]\nsocket = \"{socket}\"\n[log]\nlevel = \"debug\"\n");
    let watched: std::collections::BTreeSet<(u32, u8)> = setup
        .neighbors
        .iter()
        .filter_map(|neighbor| neighbor.bfd.map(|bfd| (bfd.interval, bfd.multiplier)))
        .collect();
    for (interval, multiplier) in watched {
        let name = profile(interval, multiplier);
        let _ = writeln!(
            text,
            "[[bfd.profiles]]\nname = \"{name}\"\ninterval = {interval}\nmultiplier = {multiplier}"
        );
    }
    text + &setup.extra
}

fn profile(interval: u32, multiplier: u8) -> String {
    format!("{multiplier}x{interval}")
}

fn render_neighbor(own: u32, neighbor: &Neighbor) -> String {
    let mut text = String::from(if neighbor.client { "[[clients]]\n" } else { "[[peers]]\n" });
    let _ = match &neighbor.who {
        Who::Address(address) => writeln!(text, "address = \"{address}\""),
        Who::Range(range) => writeln!(text, "range = \"{range}\""),
    };
    if let Some(IpAddr::V6(_)) = neighbor.address() {
        text.push_str("families = [\"ipv6\"]\n");
    }
    if neighbor.asn != own {
        let _ = writeln!(text, "asn = {}", neighbor.asn);
        if neighbor.policy == Policy::Accept {
            text.push_str("import = \"accept\"\nexport = \"accept\"\n");
        }
    }
    if let Some(password) = &neighbor.password {
        let _ = writeln!(text, "password = \"{password}\"");
    }
    if let Some(limit) = neighbor.max_prefix {
        let _ = writeln!(text, "max-prefix = {limit}");
    }
    if neighbor.add_path {
        text.push_str("add-path = \"both\"\nadvertise = \"all\"\n");
    }
    match neighbor.restart_time {
        Some(seconds) => {
            let _ = writeln!(text, "restart-time = {seconds}");
        }
        None => text.push_str("graceful-restart = false\n"),
    }
    if let Some(seconds) = neighbor.long_lived_time {
        let _ = writeln!(text, "long-lived-time = {seconds}");
    }
    if let Some(bfd) = neighbor.bfd {
        let _ = writeln!(text, "bfd = \"{}\"", profile(bfd.interval, bfd.multiplier));
    }
    if let Some(source) = neighbor.source {
        let _ = writeln!(text, "source-address = \"{source}\"");
    }
    if let Some(port) = neighbor.port {
        let _ = writeln!(text, "port = {port}");
    }
    text + &neighbor.extra
}
