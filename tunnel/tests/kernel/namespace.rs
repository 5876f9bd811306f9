//! Network namespaces for one test: a thread of its own for each, and commands run from it.
//!
//! A namespace belongs to a thread and dies with its last user, so tests run side by side, leave nothing
//! behind and never see the host's network. `unshare`, `setresuid` and `gettid` as system calls of one thread
//! have no safe wrapper in the standard library; they take no pointers.
#![allow(unsafe_code, reason = "unshare(2), setresuid(2) and gettid(2) for one thread have no safe wrapper")]

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use serde_json::Value;
use tunnel::{Desired, Device, Event, Family, Kind, Part, Tunnels};

/// Long enough for a busy machine under emulation.
const DEADLINE: Duration = Duration::from_secs(300);

fn enter_new_namespace() {
    // SAFETY: takes no pointers; affects this thread only, which runs nothing else.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        panic!("a network namespace is needed: run the tests as root ({})", io::Error::last_os_error());
    }
    run("ip", "link set lo up");
}

/// Gives up root on this thread, and with it all capabilities.
pub(crate) fn become_nobody() {
    const NOBODY: libc::c_long = 65534;
    // SAFETY: takes no pointers. The raw system call changes this thread alone, unlike the C library's.
    let result = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Awaits a test in the namespace of this thread.
pub(crate) fn await_here<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limited = async { tokio::time::timeout(DEADLINE, test).await };
    runtime.block_on(limited).expect("the test's condition came true within five minutes")
}

/// A namespace, and the thread that lives there.
pub(crate) struct Namespace {
    jobs: Sender<Box<dyn FnOnce() + Send>>,
    thread: i64,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        let (jobs, queue) = channel::<Box<dyn FnOnce() + Send>>();
        let (tell, told) = channel();
        let name = std::thread::current().name().unwrap_or("test").to_owned();
        let body = move || {
            enter_new_namespace();
            // SAFETY: takes no arguments.
            tell.send(unsafe { libc::syscall(libc::SYS_gettid) }).unwrap();
            queue.into_iter().for_each(|job| job());
        };
        std::thread::Builder::new().name(name).spawn(body).unwrap();
        Self { jobs, thread: told.recv().expect("a network namespace: run the tests as root") }
    }

    /// Has something done there.
    pub(crate) fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = channel();
        let job = move || tell.send(catch_unwind(AssertUnwindSafe(job))).unwrap();
        self.jobs.send(Box::new(job)).unwrap();
        told.recv().unwrap().unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Runs `ip` there.
    pub(crate) fn ip(&self, arguments: impl Into<String>) -> String {
        let arguments = arguments.into();
        self.run(move || ip(&arguments))
    }

    /// A pair of devices, one here and one there, both up.
    pub(crate) fn connect(&self, name: &str, other: &Namespace, its: &str) {
        self.ip(format!("link add name {name} type veth peer name {its} netns {}", other.thread));
        self.ip(format!("link set {name} up"));
        other.ip(format!("link set {its} up"));
    }
}

/// Runs a test in a fresh namespace with an uplink: `eth0`, 192.0.2.1/24 and fd00:1::1/64, MTU 1500, with
/// default routes over it.
pub(crate) fn on_a_node<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    Namespace::new().run(move || {
        make_uplink();
        await_here(test());
    });
}

pub(crate) fn make_uplink() {
    ip("link add name eth0 type veth peer name eth0-far");
    ip("link set eth0-far up");
    ip("link set eth0 up");
    ip("addr add 192.0.2.1/24 dev eth0");
    ip("addr add fd00:1::1/64 dev eth0 nodad");
    ip("route add default via 192.0.2.254");
    ip("-6 route add default via fd00:1::fe");
}

/// How to get a program.
fn package(program: &str) -> &str {
    match program {
        "ip" | "bridge" => "iproute2",
        "nft" => "nftables",
        "ping" => "iputils-ping",
        other => other,
    }
}

pub(crate) fn command(program: &str, arguments: &str) -> Command {
    let mut command = Command::new(program);
    command.args(arguments.split_whitespace()).stdin(Stdio::null());
    command
}

pub(crate) fn missing(program: &str, error: &io::Error) -> String {
    format!("`{program}` is needed (apt install {}): {error}", package(program))
}

pub(crate) fn try_run(program: &str, arguments: &str) -> Output {
    command(program, arguments).output().unwrap_or_else(|error| panic!("{}", missing(program, &error)))
}

/// Runs a program and returns what it printed.
#[track_caller]
pub(crate) fn run(program: &str, arguments: &str) -> String {
    let output = try_run(program, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Starts `ip` with many commands, whose errors do not matter, beside the test.
pub(crate) fn script(commands: &str) -> Child {
    let mut child = Command::new("ip")
        .args(["-force", "-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{}", missing("ip", &error)));
    child.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    child
}

#[track_caller]
pub(crate) fn ip(arguments: &str) -> String {
    run("ip", arguments)
}

#[track_caller]
pub(crate) fn json(program: &str, arguments: &str) -> Value {
    let text = run(program, arguments);
    if text.trim().is_empty() { Value::Array(Vec::new()) } else { serde_json::from_str(&text).unwrap() }
}

/// A device as `ip` shows it; null if there is none.
pub(crate) fn link(name: &str) -> Value {
    let all = json("ip", "-d -j link show");
    all.as_array().unwrap().iter().find(|link| link["ifname"] == name).cloned().unwrap_or_default()
}

/// Addresses of a device that are not the kernel's own.
pub(crate) fn addresses(name: &str) -> Vec<String> {
    let all = json("ip", &format!("-j addr show dev {name}"));
    let list = all[0]["addr_info"].as_array().unwrap();
    let listed = list.iter().filter(|address| address["scope"] == "global");
    listed.map(|a| format!("{}/{}", a["local"].as_str().unwrap(), a["prefixlen"])).collect()
}

/// Permanent neighbours of a device, as `ADDRESS MAC`, sorted.
pub(crate) fn neighbours(name: &str) -> Vec<String> {
    let mut all = Vec::new();
    for family in ["-4", "-6"] {
        let list = json("ip", &format!("{family} -j neigh show dev {name} nud permanent"));
        all.extend(list.as_array().unwrap().iter().map(|entry| pair(entry, "dst", "lladdr")));
    }
    all.sort_unstable();
    all
}

/// The FDB of a device, as `ADDRESS MAC`, sorted.
pub(crate) fn forwardings(name: &str) -> Vec<String> {
    let list = json("bridge", &format!("-j fdb show dev {name}"));
    let mut all: Vec<String> =
        list.as_array().unwrap().iter().map(|entry| pair(entry, "dst", "mac")).collect();
    all.sort_unstable();
    all
}

fn pair(entry: &Value, first: &str, second: &str) -> String {
    format!("{} {}", entry[first].as_str().unwrap_or("-"), entry[second].as_str().unwrap_or("-"))
}

pub(crate) fn mac(host: &str) -> String {
    tunnel::vtep_mac(host.parse().unwrap()).map(|octet| format!("{octet:02x}")).join(":")
}

/// What [`neighbours`] shows if all is right.
pub(crate) fn resolved(hosts: &[&str]) -> Vec<String> {
    let gateway = |host: &str| tunnel::vxlan_gateway(host.parse().unwrap());
    let mut all: Vec<String> = hosts.iter().map(|host| format!("{} {}", gateway(host), mac(host))).collect();
    all.sort_unstable();
    all
}

/// What [`forwardings`] shows if all is right.
pub(crate) fn entries(hosts: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = hosts.iter().map(|host| format!("{host} {}", mac(host))).collect();
    all.sort_unstable();
    all
}

type Shown = (fn(&str) -> Vec<String>, fn(&[&str]) -> Vec<String>);

/// What the kernel shows of a device, and what it should show for its hosts.
pub(crate) const BOTH: [Shown; 2] = [(neighbours, resolved), (forwardings, entries)];

// ---- what is desired ----

pub(crate) fn vxlan() -> Device {
    Device {
        name: "vxlan.bgp".into(),
        kind: Kind::Vxlan { vni: 4096, port: 4789 },
        family: Family::V4,
        address: None,
        mtu: None,
        checksum_offload: true,
    }
}

pub(crate) fn vxlan6() -> Device {
    Device { name: "vxlan6.bgp".into(), family: Family::V6, ..vxlan() }
}

pub(crate) fn ipip(name: &str) -> Device {
    Device { name: name.into(), kind: Kind::Ipip, ..vxlan() }
}

/// These devices, these hosts, no filter.
pub(crate) fn desired(devices: &[Device], hosts: &[&str]) -> Desired {
    Desired {
        devices: devices.to_vec(),
        hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
        ..Desired::default()
    }
}

/// Opens, and awaits that all is as desired.
pub(crate) async fn converged(desired: Desired) -> Tunnels {
    let mut tunnels = Tunnels::open().unwrap();
    tunnels.set(desired);
    in_sync(&mut tunnels).await;
    tunnels
}

/// Awaits events up to the first that fits, and returns all.
pub(crate) async fn until(tunnels: &mut Tunnels, mut fits: impl FnMut(&Event) -> bool) -> Vec<Event> {
    let mut seen = Vec::new();
    loop {
        let event = tunnels.next().await.unwrap();
        let last = fits(&event);
        seen.push(event);
        if last {
            return seen;
        }
    }
}

pub(crate) async fn in_sync(tunnels: &mut Tunnels) -> Vec<Event> {
    until(tunnels, |event| *event == Event::InSync).await
}

pub(crate) async fn repaired(tunnels: &mut Tunnels, part: &Part) -> String {
    let events =
        until(tunnels, |event| matches!(event, Event::Repaired { part: of, .. } if of == part)).await;
    match events.into_iter().next_back() {
        Some(Event::Repaired { what, .. }) => what,
        _ => panic!("a repair is the last"),
    }
}

pub(crate) fn part(name: &str) -> Part {
    Part::Device(name.into())
}

/// Counts the kernel's events about devices, addresses and neighbours, whoever causes them.
pub(crate) struct Observer(netlink_sys::Socket);

impl Observer {
    pub(crate) fn subscribe() -> Self {
        let mut socket = netlink_sys::Socket::new(netlink_sys::protocols::NETLINK_ROUTE).unwrap();
        socket.bind_auto().unwrap();
        for group in
            [libc::RTNLGRP_LINK, libc::RTNLGRP_NEIGH, libc::RTNLGRP_IPV4_IFADDR, libc::RTNLGRP_IPV6_IFADDR]
        {
            socket.add_membership(group).unwrap();
        }
        socket.set_non_blocking(true).unwrap();
        Self(socket)
    }

    /// Events since the last call. They are queued before the change that causes them returns.
    pub(crate) fn count(&self) -> usize {
        let mut count = 0;
        while self.0.recv(&mut Vec::with_capacity(64 * 1024), 0).is_ok() {
            count += 1;
        }
        count
    }
}
