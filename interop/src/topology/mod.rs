//! The networks of `examples/`, brought up from their own files.
//!
//! ```text
//!   examples/NAME/network.toml ──► namespaces, links, addresses, pods
//!                 n1.toml      ──► bgp-speaker --config     (with a control socket of its own)
//!                 tor.frr.conf ──► zebra, bgpd, …; vtysh -f
//! ```
//! A test and `examples/run NAME` do the same, so that what a person sees is what is tested.

mod network;

use crate::{Error, Flood, Net, Node, Peer, Result, Software, ensure};
use network::{Link, Network, NodeSpec};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// A running network of `examples/`. It goes with its last handle.
pub struct Topology {
    dir: PathBuf,
    members: Vec<Member>,
    net: Net,
}

struct Member {
    spec: NodeSpec,
    node: Node,
    software: Option<Software>,
    router: Option<Box<dyn Peer>>,
    /// Address and namespace.
    pods: Vec<(String, String)>,
}

impl Topology {
    /// `examples/NAME`, everything running. Its routers have just started: wait for what the test is about.
    ///
    /// # Errors
    /// If a file is missing or wrong, or a router does not start.
    pub fn start(name: &str) -> Result<Topology> {
        let mut topology = Topology::build(name)?;
        let names: Vec<String> = topology.members.iter().map(|member| member.spec.name.clone()).collect();
        names.iter().try_for_each(|name| topology.run(name))?;
        Ok(topology)
    }

    /// `examples/NAME` without its routers: the test starts them with [`Topology::run`].
    ///
    /// # Errors
    /// As for [`Topology::start`].
    pub fn build(name: &str) -> Result<Topology> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
        let network = Network::read(&dir)?;
        let net = Net::without_hub()?;
        let mut members = Vec::new();
        for spec in network.nodes {
            let addresses = network.links.iter().filter_map(|link| link.ends.get(&spec.name)).flatten();
            let addresses: Vec<IpAddr> =
                spec.loopback.iter().chain(addresses).map(|text| address(text)).collect::<Result<_>>()?;
            let node = net.island(&spec.name, &addresses)?;
            let software = spec.software()?;
            members.push(Member { spec, node, software, router: None, pods: Vec::new() });
        }
        let mut topology = Topology { dir, members, net };
        let mut ports = BTreeMap::new();
        for (number, link) in network.links.iter().enumerate() {
            topology.connect(number, link, &mut ports)?;
        }
        topology.members.iter_mut().try_for_each(Member::furnish)?;
        Ok(topology)
    }

    /// Everything that is waited for, with the logs of all if it does not happen.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// A node by its name.
    ///
    /// # Errors
    /// If there is none.
    pub fn node(&self, name: &str) -> Result<&Node> {
        Ok(&self.member(name)?.node)
    }

    /// What runs on a node.
    ///
    /// # Errors
    /// If nothing runs there.
    pub fn router(&mut self, name: &str) -> Result<&mut dyn Peer> {
        let router = self.member_mut(name)?.router.as_deref_mut();
        match router {
            Some(router) => Ok(router),
            None => Err(Error::NotSo(format!("nothing runs on {name}"))),
        }
    }

    /// Starts what the node runs, for the first time or again; what still ran is killed.
    ///
    /// # Errors
    /// If it does not start.
    pub fn run(&mut self, name: &str) -> Result<()> {
        let member = self.member(name)?;
        match (member.software, member.spec.config.clone()) {
            (Some(software), Some(config)) => self.run_instead(name, software, &config),
            _ => Ok(()),
        }
    }

    /// Has a node run another router from now on, with another file of the example's directory. What ran there is killed; stop
    /// it first if it shall say goodbye.
    ///
    /// # Errors
    /// If it does not start.
    pub fn run_instead(&mut self, name: &str, software: Software, config: &str) -> Result<()> {
        let path = self.dir.join(config);
        let text =
            std::fs::read_to_string(&path).map_err(Error::io(format!("cannot read {}", path.display())))?;
        let member = self.member_mut(name)?;
        member.router = None;
        member.software = Some(software);
        member.spec.config = Some(config.to_owned());
        member.router = Some(software.start_from(&member.node, &text)?);
        member.spec.after.iter().try_for_each(|line| in_shell(&member.node, line))
    }

    /// The namespace of a pod, by its address.
    ///
    /// # Errors
    /// If there is none.
    pub fn pod(&self, address: &str) -> Result<&str> {
        let mut pods = self.members.iter().flat_map(|member| &member.pods);
        let pod = pods.find(|(pod, _)| pod == address).map(|(_, namespace)| namespace.as_str());
        pod.ok_or_else(|| Error::NotSo(format!("there is no pod {address}")))
    }

    /// One ping from pod to pod, by their addresses.
    ///
    /// # Errors
    /// If no answer comes within a second.
    pub fn ping(&self, from: &str, to: &str) -> Result<()> {
        let ping = ["netns", "exec", self.pod(from)?, "ping", "-q", "-c", "1", "-W", "1", to];
        crate::command::run("ip", &ping).map(drop)
    }

    /// A flood of pings from a pod to an address.
    ///
    /// # Errors
    /// If there is no such pod, or `ping` does not start.
    pub fn flood(&self, from: &str, to: &str) -> Result<Flood> {
        let namespace = self.pod(from)?;
        let behind = |member: &&Member| member.pods.iter().any(|(address, _)| address == from);
        let member = self.members.iter().find(behind);
        let member = member.ok_or_else(|| Error::NotSo(format!("there is no pod {from}")))?;
        Flood::start(&member.node, namespace, to)
    }

    /// Whether all pods reach each other. For use inside [`Net::eventually`].
    ///
    /// # Errors
    /// The first pair of pods of which that is not so.
    pub fn all_pods_ping(&self) -> Result<()> {
        let pods = || self.members.iter().flat_map(|member| &member.pods).map(|(address, _)| address);
        for (from, to) in pods().flat_map(|from| pods().map(move |to| (from, to))) {
            self.ping(from, to).map_err(|_| Error::NotSo(format!("no answer to {from} from {to}")))?;
        }
        Ok(())
    }

    /// For people: what runs where, and how to ask it.
    #[must_use]
    pub fn guide(&self) -> String {
        let width = self.members.iter().map(|member| member.spec.name.len()).max().unwrap_or_default();
        let mut text = String::new();
        for member in &self.members {
            let (name, namespace) = (&member.spec.name, member.node.namespace());
            let console = member.software.map(|software| software.console(&member.node)).unwrap_or_default();
            text.push_str(&format!("{name:width$}  ip netns exec {namespace} bash\n"));
            if !console.is_empty() {
                text.push_str(&format!("{:width$}  {console}\n", ""));
            }
            for (address, pod) in &member.pods {
                text.push_str(&format!("{:width$}  ip netns exec {pod} bash    # pod {address}\n", ""));
            }
        }
        text
    }

    fn member(&self, name: &str) -> Result<&Member> {
        let member = self.members.iter().find(|member| member.spec.name == name);
        member.ok_or_else(|| Error::NotSo(format!("there is no node {name}")))
    }

    fn member_mut(&mut self, name: &str) -> Result<&mut Member> {
        let member = self.members.iter_mut().find(|member| member.spec.name == name);
        member.ok_or_else(|| Error::NotSo(format!("there is no node {name}")))
    }

    /// Two ends are joined by a cable, more by a bridge.
    fn connect(&self, number: usize, link: &Link, ports: &mut BTreeMap<String, usize>) -> Result<()> {
        let mut ends = Vec::new();
        for (name, addresses) in &link.ends {
            let port = ports.entry(name.clone()).or_default();
            ends.push((self.node(name)?, format!("eth{port}"), addresses));
            *port += 1;
        }
        match ends.as_slice() {
            [(a, a_port, _), (b, b_port, _)] => a.cable(a_port, b.namespace(), b_port)?,
            _ => {
                let switch = self.net.switch(&format!("switch{number}"))?;
                for (node, port, _) in &ends {
                    let at_switch = format!("{}{port}", node.name());
                    switch.plug(node, port, &at_switch)?;
                }
            }
        }
        for (node, port, addresses) in ends {
            let mut batch = format!("link set {port} up\n");
            addresses
                .iter()
                .for_each(|a| batch.push_str(&format!("address add {a} dev {port}{}\n", nodad(a))));
            node.ip_batch(&batch)?;
        }
        Ok(())
    }
}

impl Member {
    /// Its loopback's addresses, forwarding, its pods, and what is to be run before the router.
    fn furnish(&mut self) -> Result<()> {
        let node = &self.node;
        let loopback: String =
            self.spec.loopback.iter().map(|a| format!("address add {a} dev lo{}\n", nodad(a))).collect();
        node.ip_batch(&loopback)?;
        for key in ["ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv4/fib_multipath_hash_policy"] {
            in_shell(node, &format!("echo 1 >/proc/sys/net/{key}"))?;
        }
        for address in &self.spec.pods {
            self.pods.push((address.clone(), node.pod(address)?));
        }
        self.spec.before.iter().try_for_each(|line| in_shell(node, line))
    }
}

fn in_shell(node: &Node, line: &str) -> Result<()> {
    node.run(&["sh", "-c", line]).map(drop)
}

/// The address of `10.0.0.1/24`.
fn address(text: &str) -> Result<IpAddr> {
    let address = text.split('/').next().and_then(|address| address.parse().ok());
    ensure(text.contains('/'), || format!("{text} has no length"))?;
    address.ok_or_else(|| Error::NotSo(format!("{text} is no address")))
}

/// An address of IPv6 is used at once.
fn nodad(address: &str) -> &'static str {
    if address.contains(':') { " nodad" } else { "" }
}
