//! BIRD 2: `bird -f`, asked with `birdc`.

use super::Peer;
use crate::process::Process;
use crate::programs::installed;
use crate::setup::{Announcement, Bfd};
use crate::{Error, Node, Result, SeenRoute, Setup, ensure};
use std::fmt::Write;
use std::io::BufRead;
use std::net::IpAddr;
use std::process::{Command, Stdio};

pub(crate) struct Bird {
    process: Process,
    control: String,
}

impl Bird {
    pub(crate) fn start(node: &Node, setup: &Setup) -> Result<Bird> {
        Bird::run(node, &render(node, setup), if setup.after_restart { &["-R"] } else { &[] })
    }

    pub(crate) fn start_with(node: &Node, config: &str) -> Result<Bird> {
        Bird::run(node, config, &[])
    }

    fn run(node: &Node, config: &str, more: &[&str]) -> Result<Bird> {
        let (bird, _) = (installed("bird")?, installed("birdc")?);
        let config = node.write("bird.conf", config)?;
        let control = node.dir().join("bird.ctl").display().to_string();
        let config = config.display().to_string();
        let process = Process::start(node, &bird, &[&["-f", "-c", &config, "-s", &control], more].concat())?;
        let mut bird = Bird { process, control };
        crate::wait::until_ready("BIRD answers", || bird.ready())?;
        Ok(bird)
    }

    fn ready(&mut self) -> Result<()> {
        self.process.check_alive()?;
        self.command(&["show", "status"]).map(drop)
    }
}

impl Peer for Bird {
    fn name(&self) -> &str {
        "BIRD"
    }

    fn process(&self) -> &Process {
        &self.process
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    fn routes(&mut self) -> Result<Vec<SeenRoute>> {
        let mut routes = Vec::new();
        read_routes(&self.control, &mut |route| routes.push(route.route.sorted()))?;
        Ok(routes)
    }

    fn next_hops(&mut self, prefix: &str) -> Result<Vec<String>> {
        // birdc fails where there is no such network.
        let shown = self.command(&["show", "route", prefix, "all", "where", "source", "=", "RTS_BGP"]);
        let text = shown.unwrap_or_default();
        let hops = text.lines().filter_map(|line| line.trim().strip_prefix("BGP.next_hop: "));
        let mut hops: Vec<String> =
            hops.filter_map(|hops| hops.split(' ').next().map(str::to_owned)).collect();
        hops.sort();
        Ok(hops)
    }

    fn refresh(&mut self, neighbor: IpAddr) -> Result<()> {
        self.command(&["reload", "in", &protocol_name(neighbor)]).map(drop)
    }

    fn is_established(&mut self, neighbor: IpAddr) -> Result<bool> {
        let text = self.command(&["show", "protocols", "all", &protocol_name(neighbor)])?;
        Ok(text.lines().any(|line| line.trim() == "BGP state:          Established"))
    }

    fn command(&mut self, args: &[&str]) -> Result<String> {
        crate::command::run("birdc", &[&["-s", &self.control], args].concat())
    }
}

/// A route of BIRD's table with what [`SeenRoute`] leaves out.
#[derive(Debug, Default)]
pub(crate) struct BirdRoute {
    pub(crate) route: SeenRoute,
    /// Every other `BGP.` line, name and value: aggregator, atomic_aggr, unknown attributes.
    pub(crate) others: Vec<(String, String)>,
}

/// Reads the best BGP routes from a running BIRD, one at a time: a full table is some hundred megabytes of text.
pub(crate) fn read_routes(control: &str, each: &mut dyn FnMut(BirdRoute)) -> Result<()> {
    let mut child = Command::new("birdc")
        .args(["-s", control, "show", "route", "primary", "all", "where", "source", "=", "RTS_BGP"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Error::io("cannot run birdc"))?;
    let output = child.stdout.take().ok_or_else(|| Error::parse("birdc", "no output"))?;
    let mut current: Option<BirdRoute> = None;
    for line in std::io::BufReader::with_capacity(1 << 20, output).lines() {
        let line = line.map_err(Error::io("cannot read from birdc"))?;
        match line.strip_prefix('\t') {
            Some(attribute) => {
                if let Some(route) = current.as_mut() {
                    route.take_line(attribute).ok_or_else(|| Error::parse("BIRD", attribute))?;
                }
            }
            None => {
                current.take().into_iter().for_each(&mut *each);
                current = prefix_of(&line).map(|prefix| BirdRoute {
                    route: SeenRoute { prefix: prefix.to_owned(), ..SeenRoute::default() },
                    others: Vec::new(),
                });
            }
        }
    }
    current.take().into_iter().for_each(each);
    let status = child.wait().map_err(Error::io("cannot wait for birdc"))?;
    ensure(status.success(), || format!("birdc ended with {status}"))
}

/// `10.42.1.0/26         unicast [frr 12:00:00.000] * (100) [i]`
fn prefix_of(line: &str) -> Option<&str> {
    line.split_whitespace().next().filter(|word| word.contains('/'))
}

impl BirdRoute {
    /// Takes one attribute line without its tab. `None` if a value is not as expected.
    fn take_line(&mut self, line: &str) -> Option<()> {
        let Some((name, value)) = line.strip_prefix("BGP.").and_then(|rest| rest.split_once(':')) else {
            return Some(()); // `via …` and `Type: …`
        };
        let value = value.trim();
        let route = &mut self.route;
        match name {
            "origin" => route.origin = value.to_lowercase(),
            "as_path" => route.as_path = value.to_owned(),
            // A second address is link-local.
            "next_hop" => route.next_hop = value.split(' ').next()?.to_owned(),
            "med" => route.med = Some(value.parse().ok()?),
            "local_pref" => route.local_pref = Some(value.parse().ok()?),
            "originator_id" => route.originator = Some(value.to_owned()),
            "cluster_list" => route.cluster_list = value.split(' ').map(str::to_owned).collect(),
            "community" => route.communities = tuples(value),
            "large_community" => route.large = tuples(value),
            _ => self.others.push((name.to_owned(), value.to_owned())),
        }
        Some(())
    }
}

/// `(1,2) (3,4)` and `(1, 2, 3)` to `1:2`, `3:4` and `1:2:3`.
fn tuples(text: &str) -> Vec<String> {
    text.split(')')
        .filter_map(|tuple| tuple.trim().strip_prefix('('))
        .map(|tuple| tuple.split(',').map(str::trim).collect::<Vec<_>>().join(":"))
        .collect()
}

/// How many IPv4 routes it has from a neighbour, by its counters: a walk over the table would hold it up.
pub(crate) fn imported(bird: &mut dyn Peer, neighbor: IpAddr) -> Result<usize> {
    let text = bird.command(&["show", "protocols", "all", &protocol_name(neighbor)])?;
    let channel = text.lines().skip_while(|line| line.trim() != "Channel ipv4");
    let number = channel.filter_map(|line| line.trim().strip_prefix("Routes:")).next();
    let number = number.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| crate::Error::parse("birdc show protocols all", text))
}

fn protocol_name(neighbor: IpAddr) -> String {
    format!("n_{}", neighbor.to_string().replace(['.', ':'], "_"))
}

fn render(node: &Node, setup: &Setup) -> String {
    let mut text = format!(
        "log stderr all;\nrouter id {};\nprotocol device {{ scan time 10; }}\n\
         protocol direct {{ ipv4; ipv6; interface \"eth0\"; }}\n",
        node.v4()
    );
    for family in ["ipv4", "ipv6"] {
        let ours = setup.announcements.iter().filter(|a| a.is_ipv6() == (family == "ipv6"));
        let routes: String = ours.map(|a| static_route(setup.asn, a)).collect();
        let _ = writeln!(text, "protocol static {{ {family}; {routes} }}");
        let _ = writeln!(
            text,
            "protocol kernel {{ {family} {{ import none; export where source = RTS_BGP; }}; scan time 10; }}"
        );
    }
    text.push_str(&setup.native);
    text.push_str(&igp(setup));
    if setup.neighbors.iter().any(|neighbor| neighbor.bfd.is_some()) {
        text.push_str("protocol bfd { }\n");
    }
    for neighbor in &setup.neighbors {
        let Some(address) = neighbor.address() else { continue };
        let own = if address.is_ipv6() { node.v6() } else { node.v4() };
        let local = neighbor.source.unwrap_or(own);
        let _ = writeln!(
            text,
            "protocol bgp {} {{ local {local} as {}; neighbor {address} as {};\n  hold time 30; connect delay time 1; \
             connect retry time 1; error wait time 1,2;",
            protocol_name(address),
            setup.asn,
            neighbor.asn
        );
        if neighbor.client {
            let _ = writeln!(text, "  rr client; rr cluster id {};", node.v4());
        }
        match neighbor.restart_time {
            Some(seconds) => {
                let _ = writeln!(text, "  graceful restart on; graceful restart time {seconds};");
            }
            None => text.push_str("  graceful restart off;\n"),
        }
        if let Some(Bfd { interval, multiplier }) = neighbor.bfd {
            // To BIRD an internal neighbour is many hops away unless told otherwise, for BFD too.
            let hops = if neighbor.source.is_some() { "multihop" } else { "direct" };
            let _ = writeln!(text, "  {hops}; bfd {{ interval {interval} ms; multiplier {multiplier}; }};");
            if neighbor.restart_time.is_some() {
                // Else it takes AdminDown for the end of the routes, too.
                text.push_str("  bfd graceful;\n");
            }
        }
        if let Some(seconds) = neighbor.long_lived_time {
            let _ = writeln!(text, "  long lived graceful restart on; long lived stale time {seconds};");
        }
        if let Some(password) = &neighbor.password {
            let _ = writeln!(text, "  password \"{password}\";");
        }
        if let Some(port) = setup.port {
            let _ = writeln!(text, "  local port {port};");
        }
        if let Some(port) = neighbor.port {
            let _ = writeln!(text, "  neighbor port {port};");
        }
        text.push_str(&neighbor.native);
        let paths = if neighbor.add_path { "add paths on; " } else { "" };
        for family in if address.is_ipv6() { &["ipv6"][..] } else { &["ipv4", "ipv6"] } {
            let igp = if *family == "ipv4" && !setup.igp.is_empty() { "igp table underlay; " } else { "" };
            let _ = writeln!(
                text,
                "  {family} {{ {igp}{paths}import all; export where source ~ [RTS_STATIC, RTS_BGP]; }};"
            );
        }
        text.push_str("}\n");
    }
    text
}

/// A table of its own: BIRD resolves no recursive route by another one.
fn igp(setup: &Setup) -> String {
    let routes: String =
        setup.igp.iter().map(|(to, gateway)| format!("route {to} via {gateway};\n")).collect();
    match routes.is_empty() {
        true => String::new(),
        false => {
            format!("ipv4 table underlay;\nprotocol static {{ ipv4 {{ table underlay; }};\n{routes}}}\n")
        }
    }
}

fn static_route(asn: u32, announcement: &Announcement) -> String {
    let mut set = "bgp_origin = ORIGIN_IGP; ".to_owned();
    for asn in announcement.as_path.iter().rev() {
        let _ = write!(set, "bgp_path.prepend({asn}); ");
    }
    if let Some(med) = announcement.med {
        let _ = write!(set, "bgp_med = {med}; ");
    }
    for (high, low) in &announcement.communities {
        let _ = write!(set, "bgp_community.add(({high},{low})); ");
    }
    for (global, one, two) in &announcement.large {
        let _ = write!(set, "bgp_large_community.add(({global},{one},{two})); ");
    }
    if let Some(speed) = announcement.octets_per_second() {
        let bits = (speed as f32).to_bits();
        // The transitive form: BIRD keeps the other one to its AS.
        let _ =
            write!(set, "bgp_ext_community.add((generic, {:#x}, {bits:#x})); ", 0x0004 << 16 | asn & 0xffff);
    }
    format!("route {} blackhole {{ {set}}}; ", announcement.prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attribute_lines_are_read() {
        let mut seen = BirdRoute::default();
        for line in [
            "via 10.9.0.3 on eth0",
            "Type: BGP univ",
            "BGP.origin: Incomplete",
            "BGP.as_path: 65002 65001 {1 2}",
            "BGP.next_hop: fd00:9::3 fe80::1",
            "BGP.med: 4",
            "BGP.local_pref: 200",
            "BGP.community: (64512,9) (1,2)",
            "BGP.large_community: (1, 2, 3)",
            "BGP.originator_id: 10.9.0.2",
            "BGP.cluster_list: 10.9.0.1 10.9.0.9",
            "BGP.atomic_aggr: ",
        ] {
            seen.take_line(line).unwrap();
        }
        let route = seen.route.sorted();
        assert_eq!((route.origin.as_str(), route.next_hop.as_str()), ("incomplete", "fd00:9::3"));
        assert_eq!(route.as_path, "65002 65001 {1 2}");
        assert_eq!((route.med, route.local_pref), (Some(4), Some(200)));
        assert_eq!(route.communities, ["1:2", "64512:9"]);
        assert_eq!(route.large, ["1:2:3"]);
        assert_eq!(route.cluster_list, ["10.9.0.1", "10.9.0.9"]);
        assert_eq!(seen.others, [("atomic_aggr".to_owned(), String::new())]);
    }

    #[test]
    fn only_route_lines_start_a_route() {
        assert_eq!(prefix_of("10.42.1.0/26         unicast [x 1] * (100) [i]"), Some("10.42.1.0/26"));
        assert_eq!(prefix_of("BIRD 2.0.12 ready."), None);
        assert_eq!(prefix_of(""), None);
    }
}
