//! Two nodes with a pod each, a third machine, and the network between them, which can be listened to.
//!
//! ```text
//!   pod1 ─── node1 ───┐            ┌─── node2 ─── pod2
//!   10.244.1.2        └── fabric ──┘        10.244.2.2
//!   fd00:244:0:1::2         │               fd00:244:0:2::2
//!                        outside
//! ```
//! In the fabric node N is 192.0.2.N and fd00:1::N; outside is number 9.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use tunnel::{Desired, Pool, vxlan_gateway};

use crate::namespace::{Namespace, await_here, command, converged, missing, run, try_run};

pub(crate) struct Lab {
    pub(crate) nodes: [Namespace; 2],
    pub(crate) pods: [Namespace; 2],
    pub(crate) outside: Namespace,
    pub(crate) fabric: Namespace,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let lab = Self {
            nodes: [Namespace::new(), Namespace::new()],
            pods: [Namespace::new(), Namespace::new()],
            outside: Namespace::new(),
            fabric: Namespace::new(),
        };
        lab.fabric.ip("link add br0 type bridge");
        lab.fabric.ip("link set br0 up");
        for (machine, number) in [(&lab.nodes[0], 1), (&lab.nodes[1], 2), (&lab.outside, 9)] {
            let port = format!("port{number}");
            lab.fabric.connect(&port, machine, "eth0");
            lab.fabric.ip(format!("link set {port} master br0"));
            machine.ip(format!("addr add 192.0.2.{number}/24 dev eth0"));
            machine.ip(format!("addr add fd00:1::{number}/64 dev eth0 nodad"));
            machine.ip("route add default via 192.0.2.254");
            machine.ip("-6 route add default via fd00:1::fe");
        }
        for (number, (node, pod)) in (1..).zip(lab.nodes.iter().zip(&lab.pods)) {
            node.connect("pod", pod, "eth0");
            for (place, host) in [(node, 1), (pod, 2)] {
                let device = if host == 1 { "pod" } else { "eth0" };
                place.ip(format!("addr add 10.244.{number}.{host}/24 dev {device}"));
                place.ip(format!("addr add fd00:244:0:{number}::{host}/64 dev {device} nodad"));
            }
            pod.ip(format!("route add default via 10.244.{number}.1"));
            pod.ip(format!("-6 route add default via fd00:244:0:{number}::1"));
            node.run(|| {
                run("sysctl", "-qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
            });
        }
        lab
    }

    /// Makes the tunnels of both nodes, with the routes to the other's pods through this device.
    pub(crate) fn build(&self, desired: &Desired, device: &str, device6: Option<&str>) {
        for (node, other) in self.nodes.iter().zip([2, 1]) {
            let desired = desired.clone();
            node.run(move || await_here(async { drop(converged(desired).await) }));
            node.ip(format!("route replace 10.244.{other}.0/24 via 192.0.2.{other} dev {device} onlink"));
            if let Some(device6) = device6 {
                let gateway = vxlan_gateway(format!("fd00:1::{other}").parse().unwrap());
                let to = format!("fd00:244:0:{other}::/64 via {gateway} dev {device6} onlink");
                node.ip(format!("-6 route replace {to}"));
            }
        }
    }

    /// What crosses the network between the nodes while something is done, one line for each packet.
    pub(crate) fn captured(&self, filter: &str, job: impl FnOnce()) -> Vec<String> {
        /// Nobody's: seen when all before it has been.
        const END: &str = "192.0.2.250";
        let arguments = format!("-nn -l --immediate-mode -i br0 arp or {filter}");
        let (mut child, mut lines) = self.fabric.run(move || {
            let mut child = command("tcpdump", &arguments)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap_or_else(|error| panic!("{}", missing("tcpdump", &error)));
            let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
            assert!(errors.any(|line| line.unwrap().contains("listening on")), "tcpdump listens");
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            (child, lines)
        });
        job();
        self.outside.run(|| try_run("ping", &format!("-c 1 -W 1 {END}")));
        let mut packets = Vec::new();
        for line in &mut lines {
            let line = line.unwrap();
            if line.contains(END) {
                break;
            }
            // What is within a packet is on a line of its own, without a time.
            if line.starts_with(|c: char| c.is_ascii_digit()) && !line.contains(" ARP, ") {
                packets.push(line.split_once(' ').unwrap().1.to_owned());
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        packets
    }
}

/// Whether answers come.
pub(crate) fn pings(from: &Namespace, to: &str) -> bool {
    let arguments = format!("-n -c 2 -i 0.2 -w 10 {to}");
    from.run(move || try_run("ping", &arguments)).status.success()
}

/// Whether no answer comes within a second.
pub(crate) fn is_silent(from: &Namespace, to: &str) -> bool {
    let arguments = format!("-n -c 1 -W 1 {to}");
    !from.run(move || try_run("ping", &arguments)).status.success()
}

/// The pods, masqueraded outside.
pub(crate) fn pools() -> Vec<Pool> {
    let pool = |cidr: &str| Pool { cidr: cidr.parse().unwrap(), nat_outgoing: true };
    vec![pool("10.244.0.0/16"), pool("fd00:244::/56")]
}
