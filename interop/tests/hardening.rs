//! What a running daemon has given up, who may control it, and what it never tells.

#![cfg(test)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use interop::{Error, Neighbor, Net, Node, Peer, Program, Result, Setup, Software, ensure, reload};

const AS: u32 = 64512;
const NET_BIND_SERVICE: u64 = 1 << 10;
const NET_ADMIN: u64 = 1 << 12;

/// Nowhere to be found but in configurations.
const PASSWORD: &str = "0n3-s3cret";
const IN_A_FILE: &str = "0f-a-f1le";
const MISSPELLED: &str = "m1sspelled-s3cret";

/// Nobody's user and group.
const NOBODY: &str = "65534";

fn read(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    std::fs::read_to_string(path).map_err(|error| Error::NotSo(format!("{}: {error}", path.display())))
}

/// A line of a thread's status in /proc.
fn field(status: &str, name: &str) -> Option<String> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.map(|value| value.trim().to_owned())
}

/// Every thread of the daemon on a node has these privileges and no others, gets no more, and is under seccomp.
fn has_only(node: &Node, privileges: u64) -> Result<()> {
    let wanted = format!("{privileges:016x}");
    let mut threads = 0;
    for pid in node.processes()? {
        for thread in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let status = read(thread.path().join("status"))?;
            for (name, value) in [
                ("CapPrm", wanted.as_str()),
                ("CapEff", &wanted),
                ("CapBnd", &wanted),
                ("CapInh", "0000000000000000"),
                ("CapAmb", "0000000000000000"),
                ("NoNewPrivs", "1"),
                ("Seccomp", "2"),
            ] {
                ensure(field(&status, name).as_deref() == Some(value), || format!("{name} of\n{status}"))?;
            }
            threads += 1;
        }
    }
    ensure(threads > 2, || format!("{threads} threads"))
}

/// A reflector and a speaker with a session and a route.
struct Pair {
    net: Net,
    nodes: [Node; 2],
    reflector: Box<dyn Peer>,
    speaker: Box<dyn Peer>,
}

impl Pair {
    /// With more in the configurations of both.
    fn start(extra: &str) -> Result<Pair> {
        let net = Net::new()?;
        let nodes = [net.node("rr")?, net.node("node")?];
        let [rr, node] = &nodes;
        let setup = |setup: Setup| setup.extra(extra);
        let client = Neighbor::new(node.v4(), AS).client().password(PASSWORD);
        let reflector = Software::RouteReflector
            .start(rr, &setup(Setup::new(AS).neighbor(client).announce("10.42.9.0/24")))?;
        let to_reflector = Neighbor::new(rr.v4(), AS).password(PASSWORD);
        let speaker = Software::Speaker.start(node, &setup(Setup::new(AS).neighbor(to_reflector)))?;
        let mut pair = Pair { net, nodes, reflector, speaker };
        pair.is_up()?;
        Ok(pair)
    }

    fn is_up(&mut self) -> Result<()> {
        let [rr, node] = &self.nodes;
        let speaker = &mut self.speaker;
        self.net.eventually("a session", || ensure(speaker.is_established(rr.v4())?, || "not up"))?;
        self.net.eventually("a route in the kernel", || {
            let routes = node.routes()?;
            ensure(routes.iter().any(|route| route.prefix == "10.42.9.0/24"), || format!("{routes:?}"))
        })
    }
}

#[test]
fn a_daemon_at_work_has_the_privileges_of_its_work_only() -> Result<()> {
    let pair = Pair::start("")?;
    let [rr, node] = &pair.nodes;
    has_only(rr, NET_BIND_SERVICE)?;
    has_only(node, NET_ADMIN | NET_BIND_SERVICE)?;
    for daemon in [&pair.reflector, &pair.speaker] {
        let log = daemon.log();
        ensure(log.contains("confined") && !log.contains("not wholly confined"), || log.clone())?;
    }
    Ok(())
}

#[test]
fn a_reload_that_needs_what_was_given_up_changes_nothing() -> Result<()> {
    let mut pair = Pair::start("")?;
    let elsewhere = std::env::temp_dir().join(format!("elsewhere-{}", std::process::id()));
    let mrt = format!("[mrt]\ndirectory = \"{}\"\n", elsewhere.display());
    let [_, node] = pair.nodes.clone();
    let refused = reload(&node, pair.speaker.as_mut(), |config| format!("{config}{mrt}"));
    let text = refused.err().map(|error| error.to_string()).unwrap_or_default();
    let named = format!("the daemon gave up at its start: writing in {}", elsewhere.display());
    ensure(text.contains(&named), || text.clone())?;
    ensure(!elsewhere.exists(), || "it was made")?;
    pair.is_up()
}

/// `bgp peers` of a copy of the program that everybody may run, as another user.
fn ask_as(node: &Node, group: &str) -> Result<Output> {
    let program = node.dir().join("bgp");
    std::fs::copy(Program::Bgp.path()?, &program).map_err(|error| Error::NotSo(error.to_string()))?;
    let socket = node.dir().join("api.sock");
    let (user, group) = (format!("--reuid={NOBODY}"), format!("--regid={group}"));
    let mut command = Command::new("setpriv");
    command.args([&user, &group, "--clear-groups"]).arg(program).arg("--socket").arg(socket).arg("peers");
    command.output().map_err(|error| Error::NotSo(format!("setpriv (package util-linux): {error}")))
}

/// A reflector with a whole configuration of its own; killed on drop.
struct Running(Child);

impl Running {
    fn start(node: &Node, config: &Path) -> Result<Running> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", node.namespace()]).arg(Program::RouteReflector.path()?);
        let started = command.arg("--config").arg(config).stderr(Stdio::null()).spawn();
        started.map(Running).map_err(|error| Error::NotSo(format!("ip (package iproute2): {error}")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_control_socket_is_for_its_owner_and_the_configured_group() -> Result<()> {
    const GROUP: &str = "4242";
    let net = Net::new()?;
    let node = net.node("rr")?;
    let config = format!("asn = {AS}\nrouter-id = \"10.0.0.1\"\n");
    let socket = node.dir().join("api.sock");
    let api = format!("[api]\nsocket = \"{}\"\ngroup = \"{GROUP}\"\n", socket.display());
    let file = node.write("rr.toml", &format!("{config}{api}"))?;
    let _daemon = Running::start(&node, &file)?;
    net.eventually("the socket", || ensure(socket.exists(), || "not there"))?;

    let stranger = ask_as(&node, NOBODY)?;
    let said = String::from_utf8_lossy(&stranger.stderr).into_owned();
    ensure(!stranger.status.success() && said.contains("ermission denied"), || said.clone())?;
    let member = ask_as(&node, GROUP)?;
    ensure(member.status.success(), || String::from_utf8_lossy(&member.stderr).into_owned())
}

/// What the daemon answers over TCP.
fn get(node: &Node, path: &str) -> Result<String> {
    let answer = node.inside(|| {
        let mut stream = TcpStream::connect("127.0.0.1:9179")?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    })?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    ensure(text.starts_with("HTTP/1.1 200") || text.starts_with("HTTP/1.1 503"), || {
        format!("{path}: {text}")
    })?;
    Ok(text)
}

#[test]
fn no_password_is_in_any_log_answer_or_error() -> Result<()> {
    let mut pair = Pair::start("")?;
    let [rr, node] = pair.nodes.clone();
    let file = node.write("key", &format!("{IN_A_FILE}\n"))?;
    let other = format!("[[peers]]\naddress = \"10.9.0.77\"\npassword-file = \"{}\"\n", file.display());
    reload(&node, pair.speaker.as_mut(), |config| {
        config.replace("level = \"debug\"", "level = \"trace\"") + &other
    })?;
    let mut told = Vec::new();
    // Refused, with the place in the file: a key that is not known, one that is too long, two in one line, a broken text.
    for wrong in [
        format!("[[peers]]\naddress = \"10.9.0.78\"\npasswort = \"{MISSPELLED}\"\n"),
        format!("[[peers]]\naddress = \"10.9.0.78\"\npassword = \"{}\"\n", MISSPELLED.repeat(9)),
        format!("[[groups]]\nname = \"g\"\nname = \"h\"\npassword = \"{MISSPELLED}\"\n"),
        format!("[[peers]]\naddress = \"10.9.0.78\"\npassword = \"\"\"\n{MISSPELLED}\\q\n\"\"\"\n"),
        format!("groups = [{{ name = 3, password = \"{MISSPELLED}\" }}]\n"),
    ] {
        let before = read(node.dir().join("config.toml"))?;
        let refused = reload(&node, pair.speaker.as_mut(), |config| format!("{wrong}\n{config}{wrong}"));
        ensure(refused.is_err(), || wrong.clone())?;
        told.extend(refused.err().map(|error| error.to_string()));
        node.write("config.toml", &before)?;
    }
    let peer = rr.v4().to_string();
    let commands: [&[&str]; 16] = [
        &["status"],
        &["peers"],
        &["peer", &peer],
        &["peer", &peer, "--history"],
        &["peer", "10.9.0.77"],
        &["routes"],
        &["explain", "10.42.9.0/24"],
        &["fib"],
        &["fib", "diff"],
        &["tunnels"],
        &["bfd"],
        &["dump", "-"],
        &["config", "show"],
        &["config", "show", "--effective"],
        &["peer", &peer, "refresh"],
        &["reload"],
    ];
    for command in commands {
        for json in [&[][..], &["--json"]] {
            told.push(pair.speaker.command(&[json, command].concat())?);
        }
    }
    for path in [
        "/v1/status",
        "/v1/peers",
        &format!("/v1/peers/{peer}"),
        "/v1/routes",
        "/v1/explain?prefix=10.42.9.0/24",
        "/v1/bfd",
        "/v1/fib",
        "/v1/tunnels",
        "/v1/config",
        "/v1/dump",
        "/metrics",
        "/healthz",
        "/readyz",
    ] {
        told.push(get(&node, path)?);
    }
    told.extend([pair.speaker.log(), pair.reflector.log()]);
    // Nothing of ours is below DEBUG; what others write there may be.
    ensure(told.iter().any(|text| text.contains(" DEBUG ")), || "the logs are not those of a trace")?;
    for text in told {
        for secret in [PASSWORD, IN_A_FILE, MISSPELLED] {
            ensure(!text.contains(secret), || format!("{secret} is in: {text}"))?;
        }
    }
    pair.is_up()
}
