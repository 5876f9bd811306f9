//! GoBGP: `gobgpd`, asked with `gobgp` inside the same namespace.

use super::Peer;
use crate::process::Process;
use crate::programs::installed;
use crate::setup::{Announcement, Neighbor, join};
use crate::{Error, Node, Result, SeenRoute, Setup, ensure};
use serde_json::Value;
use std::fmt::Write;
use std::net::IpAddr;

pub(crate) struct GoBgp {
    process: Process,
    node: Node,
}

impl GoBgp {
    pub(crate) fn start(node: &Node, setup: &Setup) -> Result<GoBgp> {
        let more: &[&str] = if setup.after_restart { &["-r"] } else { &[] };
        let mut gobgp = GoBgp::run(node, &render(node, setup), more)?;
        for announcement in &setup.announcements {
            gobgp.announce(announcement)?;
        }
        Ok(gobgp)
    }

    pub(crate) fn start_with(node: &Node, config: &str) -> Result<GoBgp> {
        GoBgp::run(node, config, &[])
    }

    fn run(node: &Node, config: &str, more: &[&str]) -> Result<GoBgp> {
        let (gobgpd, _) = (installed("gobgpd")?, installed("gobgp")?);
        let neighbors = config.matches("[[neighbors]]").count();
        let config = node.write("gobgpd.toml", config)?.display().to_string();
        let args = ["-f", &config, "--api-hosts", "127.0.0.1:50051", "--pprof-disable"];
        let process = Process::start(node, &gobgpd, &[&args[..], more].concat())?;
        let mut gobgp = GoBgp { process, node: node.clone() };
        crate::wait::until_ready("gobgpd answers", || {
            gobgp.process.check_alive()?;
            gobgp.command(&["global"])?;
            // It answers before it knows them, and resets who comes before that.
            let known = if neighbors == 0 { Value::Null } else { gobgp.json(&["neighbor"])? };
            let known = known.as_array().map_or(0, Vec::len);
            ensure(known >= neighbors, || format!("it knows {known} neighbours of {neighbors}"))
        })?;
        Ok(gobgp)
    }

    /// Prefixes are given at run time: the configuration file has no place for them.
    fn announce(&mut self, announcement: &Announcement) -> Result<()> {
        let next_hop = if announcement.is_ipv6() { self.node.v6() } else { self.node.v4() };
        let mut line = format!("global rib add {} origin igp nexthop {next_hop}", announcement.prefix);
        if let Some(med) = announcement.med {
            let _ = write!(line, " med {med}");
        }
        let communities: Vec<String> =
            announcement.communities.iter().map(|(h, l)| format!("{h}:{l}")).collect();
        if !communities.is_empty() {
            let _ = write!(line, " community {}", join(&communities, ","));
        }
        let large: Vec<String> = announcement.large.iter().map(|(g, a, b)| format!("{g}:{a}:{b}")).collect();
        if !large.is_empty() {
            let _ = write!(line, " large-community {}", join(&large, ","));
        }
        let path = join(&announcement.as_path, " ");
        let mut words: Vec<&str> = line.split(' ').collect();
        if !path.is_empty() {
            words.extend(["aspath", &path]);
        }
        words.extend(["-a", if announcement.is_ipv6() { "ipv6" } else { "ipv4" }]);
        self.command(&words).map(drop)
    }

    fn json(&mut self, args: &[&str]) -> Result<Value> {
        let text = self.command(&[&["-j"], args].concat())?;
        serde_json::from_str(&text).map_err(|_| Error::parse("GoBGP", text))
    }
}

impl Peer for GoBgp {
    fn name(&self) -> &str {
        "GoBGP"
    }

    fn process(&self) -> &Process {
        &self.process
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    fn routes(&mut self) -> Result<Vec<SeenRoute>> {
        let mut routes = Vec::new();
        for family in ["ipv4", "ipv6"] {
            let table = self.json(&["global", "rib", "-a", family])?;
            for (prefix, paths) in table.as_object().into_iter().flatten() {
                for path in paths.as_array().into_iter().flatten().filter(|path| is_learned_best(path)) {
                    let route =
                        read_path(prefix, path).ok_or_else(|| Error::parse("GoBGP", path.to_string()))?;
                    routes.push(route.sorted());
                }
            }
        }
        Ok(routes)
    }

    fn next_hops(&mut self, prefix: &str) -> Result<Vec<String>> {
        let family = if prefix.contains(':') { "ipv6" } else { "ipv4" };
        let table = self.json(&["global", "rib", "-a", family])?;
        let paths = table.get(prefix).and_then(Value::as_array).into_iter().flatten();
        let learned = paths.filter(|path| path.get("neighbor-ip").is_some());
        let mut hops: Vec<String> =
            learned.filter_map(|path| Some(read_path(prefix, path)?.next_hop)).collect();
        hops.sort();
        Ok(hops)
    }

    fn refresh(&mut self, neighbor: IpAddr) -> Result<()> {
        self.command(&["neighbor", &neighbor.to_string(), "softresetin"]).map(drop)
    }

    fn is_established(&mut self, neighbor: IpAddr) -> Result<bool> {
        let text = self.command(&["neighbor", &neighbor.to_string()])?;
        Ok(text.contains("BGP state = ESTABLISHED"))
    }

    fn command(&mut self, args: &[&str]) -> Result<String> {
        self.node.run(&[&["gobgp"], args].concat())
    }
}

fn is_learned_best(path: &Value) -> bool {
    path.get("best").and_then(Value::as_bool) == Some(true) && path.get("neighbor-ip").is_some()
}

fn read_path(prefix: &str, path: &Value) -> Option<SeenRoute> {
    let mut route = SeenRoute { prefix: prefix.to_owned(), ..SeenRoute::default() };
    for attribute in path.get("attrs")?.as_array()? {
        let value = attribute.get("value");
        let number =
            |value: Option<&Value>| value.and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
        match attribute.get("type")?.as_u64()? {
            1 => route.origin = ["igp", "egp", "incomplete"].get(number(value)? as usize)?.to_string(),
            2 => route.as_path = as_path(attribute.get("as_paths")?)?,
            3 | 14 => route.next_hop = attribute.get("nexthop")?.as_str()?.to_owned(),
            4 => route.med = Some(number(attribute.get("metric"))?),
            5 => route.local_pref = Some(number(value)?),
            8 => {
                let numbers = attribute.get("communities")?.as_array()?.iter().filter_map(Value::as_u64);
                route.communities = numbers.map(|n| format!("{}:{}", n >> 16, n & 0xffff)).collect();
            }
            9 => route.originator = Some(value?.as_str()?.to_owned()),
            10 => {
                route.cluster_list =
                    value?.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            32 => {
                let field = |c: &Value, key: &str| c.get(key).and_then(Value::as_u64).unwrap_or_default();
                let text = |c: &Value| {
                    format!("{}:{}:{}", field(c, "ASN"), field(c, "LocalData1"), field(c, "LocalData2"))
                };
                route.large = value?.as_array()?.iter().map(text).collect();
            }
            _ => {}
        }
    }
    Some(route)
}

fn as_path(value: &Value) -> Option<String> {
    let mut segments = Vec::new();
    for segment in value.as_array()? {
        let numbers: Vec<u64> = segment.get("asns")?.as_array()?.iter().filter_map(Value::as_u64).collect();
        let text = join(&numbers, " ");
        segments.push(match segment.get("segment_type")?.as_u64()? {
            1 => format!("{{{text}}}"),
            3 => format!("({text})"),
            _ => text,
        });
    }
    Some(join(&segments, " "))
}

fn render(node: &Node, setup: &Setup) -> String {
    let mut text = format!(
        "[global.config]\n  as = {}\n  router-id = \"{}\"\n  local-address-list = [\"{}\", \"{}\"]\n",
        setup.asn,
        node.v4(),
        node.v4(),
        node.v6()
    );
    if let Some(port) = setup.port {
        let _ = writeln!(text, "  port = {port}");
    }
    for neighbor in &setup.neighbors {
        let Some(address) = neighbor.address() else { continue };
        let port = neighbor.port.map_or(String::new(), |port| format!("    remote-port = {port}\n"));
        let own = if address.is_ipv6() { node.v6() } else { node.v4() };
        let local = neighbor.source.unwrap_or(own);
        let password =
            neighbor.password.as_ref().map_or(String::new(), |p| format!("    auth-password = \"{p}\"\n"));
        let _ = write!(
            text,
            "[[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"{address}\"\n    peer-as = {}\n{password}  \
             [neighbors.transport.config]\n    local-address = \"{local}\"\n{port}  [neighbors.timers.config]\n    \
             hold-time = 30\n    keepalive-interval = 10\n    connect-retry = 1\n    idle-hold-time-after-reset = 1\n",
            neighbor.asn
        );
        if neighbor.client {
            let _ = write!(
                text,
                "  [neighbors.route-reflector.config]\n    route-reflector-client = true\n    \
                 route-reflector-cluster-id = \"{}\"\n",
                node.v4()
            );
        }
        if let Some(seconds) = neighbor.restart_time {
            let _ = write!(
                text,
                "  [neighbors.graceful-restart.config]\n    enabled = true\n    restart-time = {seconds}\n    \
                 notification-enabled = true\n    long-lived-enabled = {}\n",
                neighbor.long_lived_time.is_some()
            );
        }
        text.push_str(&neighbor.native);
        for family in if address.is_ipv6() { &["ipv6"][..] } else { &["ipv4", "ipv6"] } {
            text.push_str(&render_family(neighbor, family));
        }
    }
    text + &bandwidth(setup) + &setup.native
}

/// An export policy for the community that its command line does not take.
fn bandwidth(setup: &Setup) -> String {
    let Some(speed) = setup.announcements.iter().find_map(Announcement::octets_per_second) else {
        return String::new();
    };
    let set = "policy-definitions.statements.actions.bgp-actions.set-ext-community";
    format!(
        "[[policy-definitions]]\n  name = \"bandwidth\"\n  [[policy-definitions.statements]]\n    \
         [policy-definitions.statements.actions]\n      route-disposition = \"accept-route\"\n    [{set}]\n      \
         options = \"add\"\n    [{set}.set-ext-community-method]\n      communities-list = [\"lb:{}:{speed}\"]\n\
         [global.apply-policy.config]\n  export-policy-list = [\"bandwidth\"]\n",
        setup.asn
    )
}

fn render_family(neighbor: &Neighbor, family: &str) -> String {
    let mut text = format!(
        "  [[neighbors.afi-safis]]\n    [neighbors.afi-safis.config]\n      afi-safi-name = \"{family}-unicast\"\n"
    );
    if neighbor.add_path {
        text.push_str(
            "    [neighbors.afi-safis.add-paths.config]\n      receive = true\n      send-max = 8\n",
        );
    }
    if neighbor.restart_time.is_some() {
        text.push_str("    [neighbors.afi-safis.mp-graceful-restart.config]\n      enabled = true\n");
    }
    if let Some(seconds) = neighbor.long_lived_time {
        let _ = write!(
            text,
            "    [neighbors.afi-safis.long-lived-graceful-restart.config]\n      enabled = true\n      restart-time = {seconds}\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_is_read_from_json() {
        let path = json!({"best": true, "neighbor-ip": "10.9.0.1", "attrs": [
            {"type": 1, "value": 2},
            {"type": 2, "as_paths": [{"segment_type": 2, "asns": [65002]}, {"segment_type": 1, "asns": [1, 2]}]},
            {"type": 14, "nexthop": "fd00:9::1"}, {"type": 4, "metric": 5}, {"type": 5, "value": 100},
            {"type": 8, "communities": [4227858439u32]}, {"type": 9, "value": "10.9.0.3"}, {"type": 10, "value": ["10.9.0.1"]},
            {"type": 32, "value": [{"ASN": 64512, "LocalData1": 1, "LocalData2": 2}]},
        ]});
        assert!(is_learned_best(&path));
        let route = read_path("fd00:42::/64", &path).unwrap();
        assert_eq!((route.origin.as_str(), route.as_path.as_str()), ("incomplete", "65002 {1 2}"));
        assert_eq!((route.communities[0].as_str(), route.large[0].as_str()), ("64512:7", "64512:1:2"));
        assert_eq!((route.med, route.local_pref), (Some(5), Some(100)));
        assert_eq!(route.originator.as_deref(), Some("10.9.0.3"));
    }
}
