//! A network namespace for one test: a thread of its own that moves there, and `ip` commands run from it.
//!
//! A namespace belongs to a thread and dies with its last user, so tests run side by side, leave nothing
//! behind and never see the host's network. `unshare` and `setresuid` as system calls of one thread have
//! no safe wrapper in the standard library; they take no pointers.
#![allow(unsafe_code, reason = "unshare(2) and setresuid(2) for one thread have no safe wrapper")]

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use fib_sync::{Event, FibConfig, FibSync, IpNetwork, Route};
use netlink_sys::{Socket, protocols::NETLINK_ROUTE};
use serde_json::Value;

/// Runs a test in a fresh namespace: lo up, veth pairs a–a2 (10.0.1.1/24, fd00:1::1/64) and b–b2
/// (10.0.2.1/24, fd00:2::1/64) up with carrier, on a current-thread runtime.
pub(crate) fn in_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let body = move || {
        // SAFETY: takes no pointers; affects this thread only, which runs nothing else.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            panic!("a network namespace is needed: run the tests as root ({})", io::Error::last_os_error());
        }
        set_up_links();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let limited = async { tokio::time::timeout(Duration::from_secs(60), test()).await };
        runtime.block_on(limited).expect("the test's condition came true within a minute");
    };
    let thread = std::thread::Builder::new().name(std::thread::current().name().unwrap_or("test").to_owned());
    if let Err(panic) = thread.spawn(body).unwrap().join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs a test in both ways in which the kernel shows routes that name an object.
pub(crate) fn in_both_modes<F: Future<Output = ()> + 'static>(test: fn() -> F) {
    for mode in ["1", "0"] {
        in_namespace(move || async move {
            sysctl("net/ipv4/nexthop_compat_mode", mode);
            test().await;
        });
    }
}

/// Gives up root on this thread, and with it all capabilities.
pub(crate) fn become_nobody() {
    const NOBODY: libc::c_long = 65534;
    // SAFETY: takes no pointers. The raw system call changes this thread alone, unlike the C library's.
    let result = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

fn set_up_links() {
    ip("link set lo up");
    for (name, number) in [("a", 1), ("b", 2)] {
        ip(&format!("link add name {name} type veth peer name {name}2"));
        ip(&format!("addr add 10.0.{number}.1/24 dev {name}"));
        ip(&format!("-6 addr add fd00:{number}::1/64 dev {name} nodad"));
        ip(&format!("link set dev {name}2 up"));
        ip(&format!("link set dev {name} up"));
    }
}

fn run(arguments: &[u8]) -> Output {
    let words = arguments.split(u8::is_ascii_whitespace).map(OsStr::from_bytes);
    let output = Command::new("ip").args(words.filter(|word| !word.is_empty())).output();
    output.unwrap_or_else(|error| panic!("`ip` of iproute2 is needed (apt install iproute2): {error}"))
}

/// Runs `ip` with these arguments, which need not be text, and returns what it printed.
#[track_caller]
pub(crate) fn ip(arguments: &(impl AsRef<[u8]> + ?Sized)) -> String {
    let arguments = arguments.as_ref();
    let output = run(arguments);
    let [command, error] = [arguments, &output.stderr].map(String::from_utf8_lossy);
    assert!(output.status.success(), "ip {command}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Starts `ip` with many commands, whose errors do not matter, beside the test.
pub(crate) fn ip_script(commands: &str) -> Child {
    let mut child = Command::new("ip")
        .args(["-force", "-batch", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("`ip` of iproute2 is needed (apt install iproute2)");
    child.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    child
}

/// The routes that `ip` lists with these selectors, each as `prefix to`, sorted.
#[track_caller]
pub(crate) fn routes(selectors: &str) -> Vec<String> {
    let mut all = Vec::new();
    for family in ["-4", "-6"] {
        let Value::Array(list) =
            serde_json::from_str(&ip(&format!("{family} -j route show {selectors}"))).unwrap()
        else {
            panic!("a list of routes")
        };
        let has_objects = list.iter().any(|route| route.get("nhid").is_some());
        let objects = if has_objects { listed_objects() } else { Vec::new() };
        all.extend(list.iter().map(|route| show(route, &objects)));
    }
    all.sort_unstable();
    all
}

/// Writes a setting of this thread's namespace.
pub(crate) fn sysctl(name: &str, value: &str) {
    let path = format!("/proc/sys/{name}");
    std::fs::write(&path, value).unwrap_or_else(|error| panic!("{path}: {error}"));
}

#[track_caller]
fn listed_objects() -> Vec<Value> {
    let Value::Array(list) = serde_json::from_str(&ip("-j nexthop show")).unwrap() else { panic!("a list") };
    list
}

/// The nexthop objects, each as `group MEMBERS` or `via GATEWAY dev LINK`, sorted, each once.
#[track_caller]
pub(crate) fn objects() -> Vec<String> {
    let mut all: Vec<String> = listed_objects()
        .iter()
        .map(|object| match object["group"].as_array() {
            Some(members) => format!("group {}", members.len()),
            None if object.get("blackhole").is_some() => "blackhole".to_owned(),
            None => {
                let onlink = object["flags"].as_array().is_some_and(|flags| flags.contains(&"onlink".into()));
                let [gateway, link] = ["gateway", "dev"].map(|key| object[key].as_str().unwrap());
                format!("via {gateway} dev {link}{}", if onlink { " onlink" } else { "" })
            }
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Our routes in the main table.
#[track_caller]
pub(crate) fn ours() -> Vec<String> {
    routes("proto 186")
}

fn show(route: &Value, objects: &[Value]) -> String {
    let mut text = route["dst"].as_str().unwrap().to_owned();
    // Without net.ipv4.nexthop_compat_mode a route shows its object alone.
    if let Some(id) = route["nhid"].as_u64() {
        hops_of_object(id, objects).iter().for_each(|hop| text += hop);
        return text;
    }
    if let Some(kind) = route["type"].as_str() {
        return format!("{text} {kind}");
    }
    let single = std::slice::from_ref(route);
    let mut hops: Vec<String> =
        route["nexthops"].as_array().map_or(single, Vec::as_slice).iter().map(show_hop).collect();
    hops.sort_unstable();
    for hop in hops {
        text += &hop;
    }
    text
}

/// The hops of an object, or what else it does; a question mark if it is gone.
fn hops_of_object(id: u64, objects: &[Value]) -> Vec<String> {
    let Some(object) = objects.iter().find(|object| object["id"].as_u64() == Some(id)) else {
        return vec![" ?".to_owned()];
    };
    if object.get("blackhole").is_some() {
        return vec![" blackhole".to_owned()];
    }
    let Some(members) = object["group"].as_array() else { return vec![show_hop(object)] };
    let ids = members.iter().map(|member| member["id"].as_u64().unwrap());
    let mut hops: Vec<String> = ids.flat_map(|id| hops_of_object(id, objects)).collect();
    hops.sort_unstable();
    hops
}

fn show_hop(hop: &Value) -> String {
    let gateway = hop["gateway"].as_str().or_else(|| hop["via"]["host"].as_str()).unwrap_or("-");
    let weight =
        hop["weight"].as_u64().filter(|weight| *weight > 1).map(|w| format!("*{w}")).unwrap_or_default();
    format!(" {gateway}@{}{weight}", hop["dev"].as_str().unwrap())
}

/// Opens a synchroniser whose links have carrier: the kernel tells of it some time after `ip link`.
pub(crate) async fn open() -> FibSync {
    open_with(FibConfig::default()).await
}

pub(crate) async fn open_with(config: FibConfig) -> FibSync {
    let mut fib = FibSync::open(config).unwrap();
    for address in ["10.0.1.2", "10.0.2.2", "fd00:1::2", "fd00:2::2"] {
        let address = address.parse::<std::net::IpAddr>().unwrap();
        fib.watch(address);
        until(&mut fib, |event| {
            matches!(event, Event::NextHop { gateway, resolution: fib_sync::Resolution::Reachable { .. } } if gateway.address == address)
        })
        .await;
        fib.unwatch(address);
    }
    fib
}

/// Awaits events up to the first that fits, and returns all.
pub(crate) async fn until(fib: &mut FibSync, mut fits: impl FnMut(&Event) -> bool) -> Vec<Event> {
    let mut seen = Vec::new();
    loop {
        let event = fib.next().await.unwrap();
        let last = fits(&event);
        seen.push(event);
        if last {
            return seen;
        }
    }
}

/// Awaits the end of pending work.
pub(crate) async fn in_sync(fib: &mut FibSync) -> Vec<Event> {
    until(fib, |event| matches!(event, Event::InSync { .. })).await
}

pub(crate) fn net(text: &str) -> IpNetwork {
    text.parse().unwrap()
}

pub(crate) fn via(prefix: &str, next_hops: &[&str]) -> Route {
    Route::via(net(prefix), next_hops.iter().map(|next_hop| next_hop.parse().unwrap()))
}

/// Counts the kernel's events about routes of our protocol, whoever causes them.
pub(crate) struct RouteEvents(Socket);

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RouteCounts {
    pub(crate) new: usize,
    pub(crate) deleted: usize,
}

impl RouteEvents {
    pub(crate) fn subscribe() -> Self {
        let mut socket = Socket::new(NETLINK_ROUTE).unwrap();
        socket.set_rx_buf_sz(16 << 20).unwrap();
        socket.bind_auto().unwrap();
        socket.add_membership(libc::RTNLGRP_IPV4_ROUTE).unwrap();
        socket.add_membership(libc::RTNLGRP_IPV6_ROUTE).unwrap();
        socket.set_non_blocking(true).unwrap();
        Self(socket)
    }

    /// Events since the last call. They are queued before the change that causes them returns.
    pub(crate) fn count(&self) -> RouteCounts {
        let mut counts = RouteCounts::default();
        let mut datagram = Vec::with_capacity(64 * 1024);
        while self.0.recv(&mut datagram, 0).is_ok() {
            // Each event is a datagram of its own: struct nlmsghdr (length, type …), struct rtmsg.
            let (kind, protocol) = (u16::from_ne_bytes([datagram[4], datagram[5]]), datagram[21]);
            match kind {
                // Such as those to link-local addresses that the kernel has just verified.
                _ if protocol != 186 => {}
                libc::RTM_NEWROUTE => counts.new += 1,
                libc::RTM_DELROUTE => counts.deleted += 1,
                other => panic!("message type {other} among route events"),
            }
            datagram.clear();
        }
        counts
    }
}
