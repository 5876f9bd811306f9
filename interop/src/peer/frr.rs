//! FRR without its init script: zebra and bgpd in the foreground, asked with `vtysh`.

use super::Peer;
use crate::process::Process;
use crate::programs::installed;
use crate::setup::{Bfd, join};
use crate::{Error, Node, Result, SeenRoute, Setup, ensure};
use serde_json::Value;
use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

/// Seconds for which zebra keeps the routes of its last run that it finds in the kernel, for bgpd's graceful restart.
const ZEBRA_KEEPS: &str = "60";

const BGP_PORT: u16 = 179;

pub(crate) struct Frr {
    bgpd: Process,
    zebra: Process,
    more: Vec<Process>,
    sockets: String,
}

impl Frr {
    pub(crate) fn start(node: &Node, setup: &Setup) -> Result<Frr> {
        let bfd = bfd_profiles(setup);
        let more = if bfd.is_empty() { &[][..] } else { &[("bfdd", bfd.as_str())] };
        let port = setup.port.unwrap_or(BGP_PORT).to_string();
        Frr::start_beside(node, &render(node, setup), more, &["-p", &port])
    }

    /// With bgpd's configuration, read before its first session.
    pub(crate) fn start_with(node: &Node, config: &str) -> Result<Frr> {
        Frr::start_beside(node, config, &[], &[])
    }

    /// With other daemons and their configurations, and bgpd's options.
    fn start_beside(node: &Node, config: &str, more: &[(&str, &str)], options: &[&str]) -> Result<Frr> {
        let frr = Frr::run(node, config, more, options)?;
        // It starts with whatever lines it understood.
        ensure(!frr.log().contains("No such command"), || {
            format!("bgpd refused its configuration: {}", frr.log())
        })?;
        Ok(frr)
    }

    /// With one configuration for all daemons, handed out by vtysh; those that it has words for run.
    pub(crate) fn start_integrated(node: &Node, config: &str) -> Result<Frr> {
        let has = |words: &[&str]| {
            config.lines().any(|line| words.iter().any(|word| line.trim_start().starts_with(word)))
        };
        let wanted = [
            ("staticd", has(&["ip route", "ipv6 route"])),
            ("bfdd", has(&["bfd"]) || config.contains(" bfd")),
        ];
        let more: Vec<(&str, &str)> =
            wanted.iter().filter(|(_, wanted)| *wanted).map(|(name, _)| (*name, "")).collect();
        let frr = Frr::run(node, "", &more, &[])?;
        let path = node.write("frr.conf", config)?.display().to_string();
        let said = crate::command::output("vtysh", &["--vty_socket", &frr.sockets, "-f", &path])?;
        let text = String::from_utf8_lossy(&said.stdout) + String::from_utf8_lossy(&said.stderr);
        let refused =
            ["Unknown command", "Ambiguous", "incomplete", "% "].iter().any(|word| text.contains(word));
        ensure(said.status.success() && !refused, || format!("FRR refused its configuration: {text}"))?;
        Ok(frr)
    }

    fn run(node: &Node, config: &str, more: &[(&str, &str)], options: &[&str]) -> Result<Frr> {
        let _ = installed("vtysh")?;
        let file = |name: &str| node.dir().join(name).display().to_string();
        let (zserv, sockets) = (file("zserv.api"), node.dir().display().to_string());
        let run = |name: &str, socket: &str, config: &str, args: &[&str]| {
            let socket = node.dir().join(socket);
            // That of a run that was killed would look like this one's.
            let _ = std::fs::remove_file(&socket);
            let config = node.write(&format!("{name}.conf"), config)?.display().to_string();
            let pid = file(&format!("{name}.pid"));
            let common = ["-A", "127.0.0.1", "-z", &zserv, "--vty_socket", &sockets, "--log", "stdout"];
            let args = [&common[..], &["-f", &config, "-i", &pid], args].concat();
            let mut process = Process::start(node, &installed(name)?, &args)?;
            crate::wait::until_ready(&format!("{name} listens"), || {
                process.check_alive()?;
                ensure(socket.exists(), || "no socket yet")
            })?;
            Ok(process)
        };
        let zebra = run("zebra", "zserv.api", "", &["-K", ZEBRA_KEEPS])?;
        let others = more.iter().map(|(name, config)| run(name, &format!("{name}.vty"), config, &[]));
        let more = others.collect::<Result<Vec<Process>>>()?;
        let mut frr = Frr { bgpd: run("bgpd", "bgpd.vty", config, options)?, zebra, more, sockets };
        crate::wait::until_ready("bgpd answers", || {
            frr.bgpd.check_alive()?;
            frr.show("show bgp summary json").map(drop)
        })?;
        Ok(frr)
    }

    fn show(&self, command: &str) -> Result<Value> {
        let text =
            crate::command::run("vtysh", &["--vty_socket", &self.sockets, "-d", "bgpd", "-c", command])?;
        serde_json::from_str(&text).map_err(|_| Error::parse("FRR", text))
    }
}

impl Peer for Frr {
    fn name(&self) -> &str {
        "FRR"
    }

    fn process(&self) -> &Process {
        &self.bgpd
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.bgpd
    }

    fn routes(&mut self) -> Result<Vec<SeenRoute>> {
        let mut routes = Vec::new();
        for family in ["ipv4", "ipv6"] {
            let table = self.show(&format!("show bgp {family} unicast json detail"))?;
            for (prefix, paths) in table.get("routes").and_then(Value::as_object).into_iter().flatten() {
                let best = paths.as_array().into_iter().flatten().filter(|path| is_learned_best(path));
                for path in best {
                    let route =
                        read_path(prefix, path).ok_or_else(|| Error::parse("FRR", path.to_string()))?;
                    routes.push(route.sorted());
                }
            }
        }
        Ok(routes)
    }

    fn next_hops(&mut self, prefix: &str) -> Result<Vec<String>> {
        let family = if prefix.contains(':') { "ipv6" } else { "ipv4" };
        let shown = self.show(&format!("show bgp {family} unicast {prefix} json"))?;
        let paths = shown.get("paths").and_then(Value::as_array).into_iter().flatten();
        let learned = paths.filter(|path| path.get("sourced").is_none() && path.get("local").is_none());
        let mut hops: Vec<String> =
            learned.filter_map(|path| Some(read_path(prefix, path)?.next_hop)).collect();
        hops.sort();
        Ok(hops)
    }

    fn refresh(&mut self, neighbor: IpAddr) -> Result<()> {
        for family in ["ipv4", "ipv6"] {
            self.command(&[&format!("clear bgp {family} unicast {neighbor} soft in")])?;
        }
        Ok(())
    }

    fn is_established(&mut self, neighbor: IpAddr) -> Result<bool> {
        let shown = self.show(&format!("show bgp neighbors {neighbor} json"))?;
        let state = shown.get(neighbor.to_string()).and_then(|n| n.get("bgpState")).and_then(Value::as_str);
        Ok(state == Some("Established"))
    }

    fn kill(&mut self) {
        self.bgpd.kill();
        self.zebra.kill();
        self.more.iter_mut().for_each(Process::kill);
    }

    fn stop(&mut self, limit: Duration) -> Result<()> {
        let status = self.bgpd.terminate(limit)?;
        self.zebra.terminate(limit)?;
        ensure(status.success(), || format!("bgpd ended with {status}"))
    }

    fn command(&mut self, args: &[&str]) -> Result<String> {
        crate::command::run("vtysh", &["--vty_socket", &self.sockets, "-d", "bgpd", "-c", &args.join(" ")])
    }
}

fn is_learned_best(path: &Value) -> bool {
    let best = path.get("bestpath").and_then(|best| best.get("overall")).and_then(Value::as_bool);
    best == Some(true) && path.get("sourced").is_none() && path.get("local").is_none()
}

fn read_path(prefix: &str, path: &Value) -> Option<SeenRoute> {
    let number = |key: &str| path.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let list = |key: &str| strings(path.get(key).and_then(|value| value.get("list")));
    let mut next_hops = path.get("nexthops")?.as_array()?.iter();
    let global = next_hops.find(|hop| hop.get("scope").and_then(Value::as_str) != Some("link-local"))?;
    Some(SeenRoute {
        prefix: prefix.to_owned(),
        next_hop: global.get("ip")?.as_str()?.to_owned(),
        origin: path.get("origin")?.as_str()?.to_lowercase(),
        as_path: as_path(path.get("aspath")?)?,
        local_pref: number("locPrf"),
        med: number("metric"),
        communities: list("community").iter().map(|name| community(name)).collect(),
        large: list("largeCommunity"),
        originator: path.get("originatorId").and_then(Value::as_str).map(str::to_owned),
        cluster_list: list("clusterList"),
    })
}

/// FRR names the well-known ones.
fn community(name: &str) -> String {
    const WELL_KNOWN: [(&str, &str); 5] = [
        ("gracefulShutdown", "65535:0"),
        ("llgrStale", "65535:6"),
        ("noLlgr", "65535:7"),
        ("noExport", "65535:65281"),
        ("noAdvertise", "65535:65282"),
    ];
    WELL_KNOWN.iter().find(|(known, _)| *known == name).map_or(name, |(_, numbers)| numbers).to_owned()
}

fn as_path(value: &Value) -> Option<String> {
    let mut segments = Vec::new();
    for segment in value.get("segments")?.as_array()? {
        let numbers: Vec<u64> = segment.get("list")?.as_array()?.iter().filter_map(Value::as_u64).collect();
        let text = join(&numbers, " ");
        segments.push(match segment.get("type")?.as_str()? {
            "as-set" => format!("{{{text}}}"),
            "as-confed-sequence" => format!("({text})"),
            _ => text,
        });
    }
    Some(join(&segments, " "))
}

fn strings(value: Option<&Value>) -> Vec<String> {
    value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn render(node: &Node, setup: &Setup) -> String {
    let mut maps = String::new();
    let mut text = format!(
        "router bgp {}\n bgp router-id {}\n bgp cluster-id {}\n no bgp default ipv4-unicast\n \
         no bgp ebgp-requires-policy\n no bgp network import-check\n \
         {}\n bgp log-neighbor-changes\n coalesce-time 50\n",
        setup.asn,
        node.v4(),
        node.v4(),
        restart(setup)
    );
    for line in setup.native.lines() {
        let _ = writeln!(text, " {line}");
    }
    for neighbor in &setup.neighbors {
        let Some(address) = neighbor.address() else { continue };
        let _ = writeln!(
            text,
            " neighbor {address} remote-as {}\n neighbor {address} timers 10 30\n neighbor {address} timers connect 1\n \
             neighbor {address} advertisement-interval 0",
            neighbor.asn
        );
        if let Some(source) = neighbor.source {
            let _ = writeln!(text, " neighbor {address} update-source {source}");
        }
        if let Some(port) = neighbor.port {
            let _ = writeln!(text, " neighbor {address} port {port}");
        }
        if let Some(bfd) = &neighbor.bfd {
            let _ =
                writeln!(text, " neighbor {address} bfd\n neighbor {address} bfd profile {}", profile(bfd));
        }
        if let Some(password) = &neighbor.password {
            let _ = writeln!(text, " neighbor {address} password {password}");
        }
        for line in neighbor.native.lines() {
            let _ = writeln!(text, " neighbor {address} {line}");
        }
    }
    for ipv6 in [false, true] {
        let _ = writeln!(text, " address-family {} unicast", if ipv6 { "ipv6" } else { "ipv4" });
        for (number, announcement) in
            setup.announcements.iter().enumerate().filter(|(_, a)| a.is_ipv6() == ipv6)
        {
            let _ = writeln!(text, "  network {} route-map M{number}", announcement.prefix);
            maps.push_str(&route_map(number, announcement));
        }
        for neighbor in &setup.neighbors {
            let Some(address) = neighbor.address().filter(|address| ipv6 || address.is_ipv4()) else {
                continue;
            };
            let _ = writeln!(text, "  neighbor {address} activate");
            if neighbor.client {
                let _ = writeln!(text, "  neighbor {address} route-reflector-client");
            }
            if neighbor.add_path {
                let _ = writeln!(text, "  neighbor {address} addpath-tx-all-paths");
            }
        }
        text.push_str(" exit-address-family\n");
    }
    text.push_str("exit\n");
    // Maps first: one that comes after its use takes effect five seconds later, behind the first End-of-RIB.
    format!("frr defaults traditional\n{maps}{text}")
}

fn profile(bfd: &Bfd) -> String {
    format!("{}x{}", bfd.multiplier, bfd.interval)
}

/// What bfdd is told; empty: nothing.
fn bfd_profiles(setup: &Setup) -> String {
    let profiles = setup.neighbors.iter().filter_map(|neighbor| neighbor.bfd.as_ref()).map(|bfd| {
        let Bfd { interval, multiplier } = bfd;
        format!(
            " profile {}\n  detect-multiplier {multiplier}\n  receive-interval {interval}\n  transmit-interval {interval}\n exit\n",
            profile(bfd)
        )
    });
    let profiles: String = profiles.collect();
    if profiles.is_empty() { profiles } else { format!("bfd\n{profiles}exit\n") }
}

/// Restart is agreed on for all neighbours at once.
fn restart(setup: &Setup) -> String {
    let Some(seconds) = setup.neighbors.iter().find_map(|neighbor| neighbor.restart_time) else {
        return "bgp graceful-restart-disable".to_owned();
    };
    let long_lived = setup.neighbors.iter().find_map(|neighbor| neighbor.long_lived_time);
    let long_lived =
        long_lived.map(|seconds| format!("\n bgp long-lived-graceful-restart stale-time {seconds}"));
    let long_lived = long_lived.unwrap_or_default();
    format!(
        "bgp graceful-restart\n bgp graceful-restart preserve-fw-state\n \
         bgp graceful-restart restart-time {seconds}{long_lived}"
    )
}

fn route_map(number: usize, announcement: &crate::Announcement) -> String {
    let mut text = format!("route-map M{number} permit 10\n set origin igp\n");
    if !announcement.as_path.is_empty() {
        let _ = writeln!(text, " set as-path prepend {}", join(&announcement.as_path, " "));
    }
    if let Some(med) = announcement.med {
        let _ = writeln!(text, " set metric {med}");
    }
    let communities: Vec<String> = announcement.communities.iter().map(|(h, l)| format!("{h}:{l}")).collect();
    if !communities.is_empty() {
        let _ = writeln!(text, " set community {}", join(&communities, " "));
    }
    let large: Vec<String> = announcement.large.iter().map(|(g, a, b)| format!("{g}:{a}:{b}")).collect();
    if !large.is_empty() {
        let _ = writeln!(text, " set large-community {}", join(&large, " "));
    }
    if let Some(mbits) = announcement.bandwidth {
        let _ = writeln!(text, " set extcommunity bandwidth {mbits}");
    }
    text + "exit\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_is_read_from_json() {
        let path = json!({
            "aspath": {"segments": [{"type": "as-sequence", "list": [65002, 65001]}, {"type": "as-set", "list": [1, 2]}]},
            "origin": "IGP", "metric": 5, "locPrf": 100, "bestpath": {"overall": true},
            "community": {"list": ["64512:7", "gracefulShutdown"]}, "originatorId": "10.9.0.3", "clusterList": {"list": ["10.9.0.1"]},
            "nexthops": [{"ip": "fe80::1", "scope": "link-local"}, {"ip": "fd00:9::1", "scope": "global"}],
        });
        assert!(is_learned_best(&path));
        let route = read_path("fd00:42::/64", &path).unwrap();
        assert_eq!(route.as_path, "65002 65001 {1 2}");
        assert_eq!(route.next_hop, "fd00:9::1");
        assert_eq!(route.cluster_list, ["10.9.0.1"]);
        assert_eq!(route.communities, ["64512:7", "65535:0"]);
    }
}
