//! OpenBGPD: `bgpd -d`, asked with `bgpctl`. Here it has no FIB.

use super::Peer;
use crate::process::Process;
use crate::programs::{installed, installed_in};
use crate::setup::{Announcement, Neighbor, join};
use crate::{Error, Node, Result, SeenRoute, Setup};
use serde_json::Value;
use std::fmt::Write;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;

const CHROOT: &str = "/run/openbgpd";

pub(crate) struct OpenBgpd {
    process: Process,
    socket: String,
    /// Which it has already added to what clients send it, as it shows that.
    cluster: Option<String>,
}

impl OpenBgpd {
    pub(crate) fn start(node: &Node, setup: &Setup) -> Result<OpenBgpd> {
        let mut openbgpd = OpenBgpd::start_with(node, &render(node, setup))?;
        let reflects = setup.neighbors.iter().any(|neighbor| neighbor.client);
        openbgpd.cluster = reflects.then(|| node.v4().to_string());
        Ok(openbgpd)
    }

    /// `config` needs to say nothing about the socket and the FIB.
    pub(crate) fn start_with(node: &Node, config: &str) -> Result<OpenBgpd> {
        // FRR has a `bgpd` too, in a directory of its own.
        let (bgpd, _) = (installed_in("bgpd", "/usr/sbin", "openbgpd")?, installed("bgpctl")?);
        let socket = node.dir().join("bgpd.sock").display().to_string();
        let path = node.write("openbgpd.conf", &format!("socket \"{socket}\"\nfib-update no\n{config}"))?;
        // It refuses to read what others may write.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
            .map_err(Error::io("cannot close openbgpd.conf to others"))?;
        // Its own start script makes what it calls chroot for.
        std::fs::create_dir_all(CHROOT).map_err(Error::io("cannot make OpenBGPD's directory"))?;
        let process = Process::start(node, &bgpd, &["-d", "-f", &path.display().to_string()])?;
        let mut openbgpd = OpenBgpd { process, socket, cluster: None };
        crate::wait::until_ready("OpenBGPD answers", || {
            openbgpd.process.check_alive()?;
            openbgpd.command(&["show"]).map(drop)
        })?;
        Ok(openbgpd)
    }

    fn json(&mut self, args: &[&str]) -> Result<Value> {
        let text = self.command(&[&["-j"], args].concat())?;
        serde_json::from_str(&text).map_err(|_| Error::parse("OpenBGPD", text))
    }

    /// The paths it has from neighbours.
    fn learned(&mut self) -> Result<Vec<Value>> {
        let shown = self.json(&["show", "rib", "detail"])?;
        let paths = shown.get("rib").and_then(Value::as_array).into_iter().flatten();
        Ok(paths.filter(|path| path.get("announced").is_none()).cloned().collect())
    }
}

impl OpenBgpd {
    /// Without what it adds itself as a reflector: nobody sends it a route with its own cluster.
    fn as_received(&self, mut route: SeenRoute) -> SeenRoute {
        if self.cluster.is_some() && route.cluster_list.first() == self.cluster.as_ref() {
            route.cluster_list.remove(0);
            route.originator = route.originator.filter(|_| !route.cluster_list.is_empty());
        }
        route
    }
}

impl Peer for OpenBgpd {
    fn name(&self) -> &str {
        "OpenBGPD"
    }

    fn process(&self) -> &Process {
        &self.process
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    fn routes(&mut self) -> Result<Vec<SeenRoute>> {
        let paths = self.learned()?;
        let best = paths.iter().filter(|path| path.get("best").and_then(Value::as_bool) == Some(true));
        best.map(|path| {
            let route = read_path(path).ok_or_else(|| Error::parse("OpenBGPD", path.to_string()))?;
            Ok(self.as_received(route).sorted())
        })
        .collect()
    }

    fn next_hops(&mut self, prefix: &str) -> Result<Vec<String>> {
        let paths = self.learned()?;
        let of_prefix = paths.iter().filter_map(read_path).filter(|route| route.prefix == prefix);
        let mut hops: Vec<String> = of_prefix.map(|route| route.next_hop).collect();
        hops.sort();
        Ok(hops)
    }

    fn refresh(&mut self, neighbor: IpAddr) -> Result<()> {
        self.command(&["neighbor", &neighbor.to_string(), "refresh"]).map(drop)
    }

    fn is_established(&mut self, neighbor: IpAddr) -> Result<bool> {
        let shown = self.json(&["show", "neighbor", &neighbor.to_string()])?;
        let mut neighbors = shown.get("neighbors").and_then(Value::as_array).into_iter().flatten();
        Ok(neighbors.any(|neighbor| neighbor.get("state").and_then(Value::as_str) == Some("Established")))
    }

    /// All three processes at once: the one with the sessions would say goodbye if it saw the others die.
    fn kill(&mut self) {
        let _ = self.process.signal_with_children("KILL");
        self.process.kill();
    }

    fn freeze(&mut self) -> Result<()> {
        self.process.signal_with_children("STOP")
    }

    fn thaw(&mut self) -> Result<()> {
        self.process.signal_with_children("CONT")
    }

    fn command(&mut self, args: &[&str]) -> Result<String> {
        crate::command::run("bgpctl", &[&["-s", &self.socket], args].concat())
    }
}

fn read_path(path: &Value) -> Option<SeenRoute> {
    let text = |key: &str| path.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| path.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let attributes = || path.get("attributes").and_then(Value::as_array).into_iter().flatten();
    let attribute = |key: &str| attributes().find_map(|attribute| attribute.get(key));
    Some(SeenRoute {
        prefix: text("prefix")?,
        next_hop: text("exit_nexthop")?,
        origin: text("origin")?.to_lowercase(),
        as_path: text("aspath")?,
        local_pref: number("localpref"),
        // It shows 0 where there is none.
        med: number("metric").filter(|med| *med != 0),
        communities: strings(path.get("communities")).into_iter().map(|name| community(&name)).collect(),
        large: strings(path.get("large_communities")),
        originator: attribute("originator").and_then(Value::as_str).map(str::to_owned),
        cluster_list: strings(attribute("cluster_list")),
    })
}

/// OpenBGPD names the well-known ones.
fn community(name: &str) -> String {
    const WELL_KNOWN: [(&str, &str); 3] =
        [("GRACEFUL_SHUTDOWN", "65535:0"), ("NO_EXPORT", "65535:65281"), ("NO_ADVERTISE", "65535:65282")];
    WELL_KNOWN.iter().find(|(known, _)| *known == name).map_or(name, |(_, numbers)| numbers).to_owned()
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn render(node: &Node, setup: &Setup) -> String {
    let port = setup.port.map_or(String::new(), |port| format!(" port {port}"));
    let mut text = format!(
        "AS {}\nrouter-id {}\nlisten on {}{port}\nlisten on {}{port}\nholdtime 30\nconnect-retry 1\n",
        setup.asn,
        node.v4(),
        node.v4(),
        node.v6()
    );
    text.push_str(&setup.native);
    for announcement in &setup.announcements {
        text.push_str(&network(node, announcement));
    }
    for neighbor in &setup.neighbors {
        text.push_str(&render_neighbor(node, neighbor));
    }
    // Later rules win: what a session is not to carry is refused by `extra`.
    text + "allow from any\nallow to any\n"
}

/// With a next hop of IPv6: the one that it picks for sessions over IPv4 may be `::1`.
fn network(node: &Node, announcement: &Announcement) -> String {
    let mut set = "origin igp".to_owned();
    if announcement.is_ipv6() {
        let _ = write!(set, " nexthop {}", node.v6());
    }
    if let Some(med) = announcement.med {
        let _ = write!(set, " med {med}");
    }
    for (high, low) in &announcement.communities {
        let _ = write!(set, " community {high}:{low}");
    }
    for (global, one, two) in &announcement.large {
        let _ = write!(set, " large-community {global}:{one}:{two}");
    }
    format!("network {} set {{ {set} }}\n", announcement.prefix)
}

fn render_neighbor(node: &Node, neighbor: &Neighbor) -> String {
    let Some(address) = neighbor.address() else { return String::new() };
    let mut lines = vec![format!("remote-as {}", neighbor.asn)];
    let own = if address.is_ipv6() { node.v6() } else { node.v4() };
    lines.push(format!("local-address {}", neighbor.source.unwrap_or(own)));
    lines.extend(neighbor.port.map(|port| format!("port {port}")));
    let ipv4 = if address.is_ipv4() { "unicast" } else { "none" };
    lines.push(format!("announce IPv4 {ipv4}"));
    lines.push("announce IPv6 unicast".to_owned());
    lines.push("announce enhanced refresh yes".to_owned());
    let restart = if neighbor.restart_time.is_some() { "yes" } else { "no" };
    lines.push(format!("announce restart {restart}"));
    if neighbor.client {
        lines.push(format!("route-reflector {}", node.v4()));
    }
    if let Some(password) = &neighbor.password {
        lines.push(format!("tcp md5sig password {password}"));
    }
    if neighbor.add_path {
        lines.push("announce add-path recv yes".to_owned());
        lines.push("announce add-path send all".to_owned());
    }
    lines.extend(neighbor.native.lines().map(str::to_owned));
    format!("neighbor {address} {{\n\t{}\n}}\n", join(&lines, "\n\t"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_is_read_from_json() {
        let route = read_path(&json!({
            "prefix": "10.42.3.0/26", "aspath": "65001 {1 2}", "exit_nexthop": "10.9.0.3", "best": true, "origin": "IGP",
            "metric": 0, "localpref": 100, "communities": ["64512:9", "GRACEFUL_SHUTDOWN"], "large_communities": ["64512:1:2"],
            "attributes": [{"type": "Originator Id", "originator": "10.9.0.3"}, {"type": "Cluster Id List", "cluster_list": ["10.9.0.1"]}],
        }))
        .unwrap();
        assert_eq!((route.next_hop.as_str(), route.as_path.as_str()), ("10.9.0.3", "65001 {1 2}"));
        assert_eq!((route.med, route.local_pref), (None, Some(100)));
        assert_eq!(route.communities, ["64512:9", "65535:0"]);
        assert_eq!((route.originator.as_deref(), route.cluster_list.len()), (Some("10.9.0.3"), 1));
    }
}
