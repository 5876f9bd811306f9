//! ExaBGP: a session and its messages, no routing table. It is asked through a process that it is given: a script that
//! writes what comes to a file, and hands ExaBGP what is written to a pipe.
//!
//! ```text
//!   exabgp ──events, a JSON object a line──► script ──► received.json ──► Table
//!   exabgp ◄──commands, a line each───────── script ◄── commands (FIFO) ◄── Peer::command
//! ```

mod table;

use super::Peer;
use crate::process::Process;
use crate::programs::installed;
use crate::setup::{Announcement, Neighbor, join};
use crate::{Error, Node, Result, SeenRoute, Setup, ensure};
use std::fmt::Write;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;
use table::Table;

const ENVIRONMENT: &str = "[exabgp.daemon]\nuser = 'root'\ndaemonize = false\n[exabgp.api]\ncli = false\nack = false\n\
    [exabgp.log]\ndestination = 'stdout'\n[exabgp.reactor]\nspeed = 0.1\n";

/// What a neighbour's block says so that its routes are seen: part of every configuration given to [`ExaBgp::start_with`].
const API: &str = "api { processes [ seen ]; neighbor-changes; receive { parsed; update; notification; } }";

pub(crate) struct ExaBgp {
    process: Process,
    received: PathBuf,
    commands: PathBuf,
}

impl ExaBgp {
    pub(crate) fn start(node: &Node, setup: &Setup) -> Result<ExaBgp> {
        ExaBgp::start_with(node, &render(node, setup))
    }

    /// `config` needs no process; `API` in it stands for the block that every neighbour needs.
    pub(crate) fn start_with(node: &Node, config: &str) -> Result<ExaBgp> {
        let exabgp = installed("exabgp")?;
        let (received, commands) = (node.dir().join("received.json"), node.dir().join("commands"));
        if commands.exists() {
            // A second start: what the first one saw is no longer so.
            std::fs::remove_file(&received).map_err(Error::io("cannot remove received.json"))?;
        } else {
            crate::command::run("mkfifo", &[&commands.display().to_string()])?;
        }
        let script = format!(
            "#!/bin/sh\nexec 3<&0 4<>'{}'\ncat <&3 >>'{}' &\nexec cat <&4\n",
            commands.display(),
            received.display()
        );
        let script = node.write("seen", &script)?;
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))
            .map_err(Error::io("cannot make a script executable"))?;
        let config = format!(
            "process seen {{ run {}; encoder json; }}\n{}",
            script.display(),
            config.replace("API", API)
        );
        let config = node.write("exabgp.conf", &config)?.display().to_string();
        let environment = node.write("exabgp.env", ENVIRONMENT)?.display().to_string();
        let process = Process::start(node, &exabgp, &["--env", &environment, &config])?;
        let mut exabgp = ExaBgp { process, received, commands };
        crate::wait::until_ready("ExaBGP has its configuration", || {
            exabgp.process.check_alive()?;
            // The script has begun: what is written from now on is read.
            ensure(exabgp.received.exists(), || exabgp.process.log())
        })?;
        Ok(exabgp)
    }

    fn table(&self) -> Result<Table> {
        let text = std::fs::read_to_string(&self.received).map_err(Error::io("cannot read received.json"))?;
        Table::read(&text)
    }
}

impl Peer for ExaBgp {
    fn name(&self) -> &str {
        "ExaBGP"
    }

    fn process(&self) -> &Process {
        &self.process
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    /// All of them: it chooses none.
    fn routes(&mut self) -> Result<Vec<SeenRoute>> {
        self.process.check_alive()?;
        Ok(self.table()?.routes())
    }

    fn next_hops(&mut self, prefix: &str) -> Result<Vec<String>> {
        let routes = self.routes()?.into_iter().filter(|route| route.prefix == prefix);
        let mut hops: Vec<String> = routes.map(|route| route.next_hop).collect();
        hops.sort();
        Ok(hops)
    }

    fn refresh(&mut self, neighbor: IpAddr) -> Result<()> {
        for family in ["ipv4", "ipv6"] {
            self.command(&[&format!("neighbor {neighbor} announce route-refresh {family} unicast")])?;
        }
        Ok(())
    }

    fn is_established(&mut self, neighbor: IpAddr) -> Result<bool> {
        self.process.check_alive()?;
        Ok(self.table()?.is_up(neighbor))
    }

    fn log(&self) -> String {
        self.process.log() + &std::fs::read_to_string(&self.received).unwrap_or_default()
    }

    fn stop(&mut self, limit: Duration) -> Result<()> {
        self.process.terminate(limit).map(drop)
    }

    /// A line for ExaBGP; it answers nothing.
    fn command(&mut self, args: &[&str]) -> Result<String> {
        self.process.check_alive()?;
        let line = format!("{}\n", args.join(" "));
        let pipe = std::fs::File::options().read(true).write(true).open(&self.commands);
        let written = pipe.and_then(|mut pipe| std::io::Write::write_all(&mut pipe, line.as_bytes()));
        written.map_err(Error::io("cannot write to ExaBGP's pipe"))?;
        Ok(String::new())
    }
}

fn render(node: &Node, setup: &Setup) -> String {
    setup.neighbors.iter().map(|neighbor| render_neighbor(node, setup, neighbor)).collect()
}

fn render_neighbor(node: &Node, setup: &Setup, neighbor: &Neighbor) -> String {
    let Some(address) = neighbor.address() else { return String::new() };
    let own = if address.is_ipv6() { node.v6() } else { node.v4() };
    let local = neighbor.source.unwrap_or(own);
    let mut text = format!(
        "neighbor {address} {{\n  router-id {}; local-address {local}; local-as {}; peer-as {}; hold-time 30;\n",
        node.v4(),
        setup.asn,
        neighbor.asn
    );
    if let Some(password) = &neighbor.password {
        let _ = writeln!(text, "  md5-password {password};");
    }
    if let Some(port) = setup.port {
        let _ = writeln!(text, "  listen {port};");
    }
    if let Some(port) = neighbor.port {
        let _ = writeln!(text, "  connect {port};");
    }
    let restart =
        neighbor.restart_time.map_or(String::new(), |seconds| format!("graceful-restart {seconds}; "));
    let paths = if neighbor.add_path { "add-path send/receive; " } else { "" };
    let families = if address.is_ipv6() { "ipv6 unicast;" } else { "ipv4 unicast; ipv6 unicast;" };
    let _ = writeln!(text, "  capability {{ {restart}{paths}route-refresh enable; }}");
    let _ = writeln!(
        text,
        "  adj-rib-out true; API\n  family {{ {families} }}\n  {}\n  static {{",
        neighbor.native
    );
    for announcement in setup.announcements.iter().filter(|a| a.is_ipv6() || address.is_ipv4()) {
        let _ = writeln!(text, "    {}", route(node, setup.asn, announcement));
    }
    text + "  }\n}\n"
}

fn route(node: &Node, asn: u32, announcement: &Announcement) -> String {
    let next_hop = if announcement.is_ipv6() { node.v6() } else { node.v4() };
    let mut text = format!("route {} next-hop {next_hop} origin igp", announcement.prefix);
    if !announcement.as_path.is_empty() {
        let _ = write!(text, " as-path [ {} ]", join(&announcement.as_path, " "));
    }
    if let Some(med) = announcement.med {
        let _ = write!(text, " med {med}");
    }
    let communities: Vec<String> = announcement.communities.iter().map(|(h, l)| format!("{h}:{l}")).collect();
    if !communities.is_empty() {
        let _ = write!(text, " community [ {} ]", join(&communities, " "));
    }
    let large: Vec<String> = announcement.large.iter().map(|(g, a, b)| format!("{g}:{a}:{b}")).collect();
    if !large.is_empty() {
        let _ = write!(text, " large-community [ {} ]", join(&large, " "));
    }
    if let Some(speed) = announcement.octets_per_second() {
        let _ = write!(text, " extended-community [ bandwidth:{asn}:{speed} ]");
    }
    text + ";"
}
