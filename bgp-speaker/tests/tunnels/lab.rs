//! Three nodes in two subnets, a router between these, and a pod on each node: network namespaces.
//!
//! ```text
//!  pod a (10.244.1.2) ─ node a (192.0.2.1)  ┐
//!                                           ├─ router ─ node c (198.51.100.3) ─ pod c (10.244.3.2)
//!  pod b (10.244.2.2) ─ node b (192.0.2.2)  ┘
//! ```
//! The router knows no pods. All speakers peer with each other.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What waits in vain fails after this.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const NODES: [Node; 3] = [
    Node { name: "a", number: 1, address: "192.0.2.1", router: "192.0.2.254", net6: "2001:db8:1:" },
    Node { name: "b", number: 2, address: "192.0.2.2", router: "192.0.2.254", net6: "2001:db8:1:" },
    Node { name: "c", number: 3, address: "198.51.100.3", router: "198.51.100.254", net6: "2001:db8:2:" },
];

#[derive(Clone, Copy)]
pub(crate) struct Node {
    pub(crate) name: &'static str,
    number: u8,
    pub(crate) address: &'static str,
    router: &'static str,
    net6: &'static str,
}

impl Node {
    pub(crate) fn address6(&self) -> String {
        format!("{}:{}", self.net6, self.number)
    }

    pub(crate) fn pod(&self) -> String {
        format!("10.244.{}.2", self.number)
    }

    pub(crate) fn pod6(&self) -> String {
        format!("fd00:244:{}::2", self.number)
    }

    pub(crate) fn block(&self) -> String {
        format!("10.244.{}.0/26", self.number)
    }

    pub(crate) fn block6(&self) -> String {
        format!("fd00:244:{}::/122", self.number)
    }
}

/// Runs a command, whose failure is the test's; what it prints.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}: `interop/setup` installs it"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {}\n{out}{err}", arguments.join(" "));
    out.into_owned()
}

pub(crate) struct Lab {
    /// Before the name of every namespace.
    prefix: String,
    directory: PathBuf,
    speakers: Vec<(&'static str, Child)>,
}

impl Lab {
    pub(crate) fn new() -> Lab {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let prefix = format!("spk{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(&prefix);
        std::fs::create_dir_all(&directory).unwrap();
        let lab = Lab { prefix, directory, speakers: Vec::new() };
        let mut script = String::from(
            "ip netns add PRE-r\nip -n PRE-r link set lo up\nip -n PRE-r link add br0 type bridge\nip -n PRE-r link set br0 up\n\
             ip -n PRE-r addr add 192.0.2.254/24 dev br0\nip -n PRE-r addr add 2001:db8:1::fe/64 dev br0 nodad\n\
             ip netns exec PRE-r sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'\n",
        );
        for node in NODES {
            let Node { name, number, address, router, net6 } = node;
            let (pod, pod6) = (node.pod(), node.pod6());
            write!(
                script,
                "ip netns add PRE-{name}\nip netns add PRE-p{name}\n\
                 ip -n PRE-{name} link set lo up\nip -n PRE-p{name} link set lo up\n\
                 ip netns exec PRE-{name} sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'\n\
                 ip -n PRE-{name} link add eth0 type veth peer name {name} netns PRE-r\n\
                 ip -n PRE-r link set dev {name} up\nip -n PRE-{name} link set eth0 up\n\
                 ip -n PRE-{name} addr add {address}/24 dev eth0\nip -n PRE-{name} addr add {net6}:{number}/64 dev eth0 nodad\n\
                 ip -n PRE-{name} link add cali0 type veth peer name eth0 netns PRE-p{name}\n\
                 ip -n PRE-{name} addr add 169.254.1.1/32 dev cali0\nip -n PRE-{name} addr add fe80::1/64 dev cali0 nodad\n\
                 ip -n PRE-{name} link set cali0 up\nip -n PRE-p{name} link set eth0 up\n\
                 ip -n PRE-{name} route add {pod} dev cali0 scope link\nip -n PRE-{name} route add {pod6} dev cali0\n\
                 ip -n PRE-p{name} addr add {pod}/32 dev eth0\nip -n PRE-p{name} addr add {pod6}/128 dev eth0 nodad\n\
                 ip -n PRE-p{name} route add default via 169.254.1.1 dev eth0 onlink\n\
                 ip -n PRE-p{name} route add default via fe80::1 dev eth0\n"
            )
            .unwrap();
            match name {
                "c" => script.push_str(
                    "ip -n PRE-r addr add 198.51.100.254/24 dev c\nip -n PRE-r addr add 2001:db8:2::fe/64 dev c nodad\n",
                ),
                _ => writeln!(script, "ip -n PRE-r link set dev {name} master br0").unwrap(),
            }
            writeln!(script, "ip -n PRE-{name} route add default via {router}").unwrap();
            writeln!(script, "ip -n PRE-{name} route add default via {net6}:fe").unwrap();
        }
        run("sh", &["-ec", &script.replace("PRE", &lab.prefix)]);
        lab
    }

    fn namespace(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// `ip` with these words in a namespace.
    pub(crate) fn ip(&self, name: &str, words: &str) -> String {
        let namespace = self.namespace(name);
        let arguments: Vec<&str> = ["-n", &namespace].into_iter().chain(words.split(' ')).collect();
        run("ip", &arguments)
    }

    /// A command in a namespace.
    pub(crate) fn command(&self, name: &str, words: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(name)]).args(words.split(' '));
        command
    }

    /// A shell script for a namespace.
    pub(crate) fn in_namespace(&self, name: &str, script: &str) -> String {
        format!("ip netns exec {} sh -ec '{script}'", self.namespace(name))
    }

    fn file(&self, name: &str, extension: &str) -> PathBuf {
        self.directory.join(name).with_extension(extension)
    }

    /// Writes each node's configuration: `text` behind its identity and peers. `ANNOUNCED` is its blocks.
    pub(crate) fn configure(&self, text: &str) {
        for node in NODES {
            self.configure_one(node, text);
        }
    }

    pub(crate) fn configure_one(&self, node: Node, text: &str) {
        let Node { name, address, .. } = node;
        let mut whole = format!(
            "asn = 64512\nrouter-id = \"{address}\"\nlisten = [\"{address}:179\"]\nconnect-retry = 1\n\
             next-hop-v6 = \"{}\"\n",
            node.address6()
        );
        for peer in NODES.iter().filter(|peer| peer.name != name) {
            writeln!(whole, "[[peers]]\naddress = \"{}\"\nname = \"{}\"", peer.address, peer.name).unwrap();
        }
        let socket = self.file(name, "sock");
        writeln!(whole, "[api]\nsocket = \"{}\"\nlisten = \"\"", socket.display()).unwrap();
        let announced = format!("\"{}\", \"{}\"", node.block(), node.block6());
        whole.push_str(&text.replace("ANNOUNCED", &announced));
        std::fs::write(self.file(name, "toml"), whole).unwrap();
    }

    /// Starts all speakers.
    pub(crate) fn start(&mut self) {
        for node in NODES {
            let speaker = self.speaker(node.name);
            self.speakers.push((node.name, speaker));
        }
    }

    /// Kills a speaker without a word, and starts it again.
    pub(crate) fn restart(&mut self, name: &'static str) {
        let old = self.speakers.iter_mut().find(|(other, _)| *other == name).unwrap();
        old.1.kill().unwrap();
        old.1.wait().unwrap();
        let _ = std::fs::remove_file(self.file(name, "sock"));
        let new = self.speaker(name);
        self.speakers.iter_mut().find(|(other, _)| *other == name).unwrap().1 = new;
    }

    fn speaker(&self, name: &str) -> Child {
        let log = std::fs::File::create(self.file(name, "log")).unwrap();
        let words = format!("{} --config", env!("CARGO_BIN_EXE_bgp-speaker"));
        let mut command = self.command(name, &words);
        let child = command.arg(self.file(name, "toml")).stdout(Stdio::null()).stderr(log).spawn();
        child.unwrap_or_else(|error| panic!("ip: {error}: `interop/setup` installs it"))
    }

    pub(crate) fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name, "log")).unwrap_or_default()
    }

    /// A request to a speaker's control socket, once it is there; status and body.
    pub(crate) fn ask(&self, name: &str, request: &str) -> (u16, Value) {
        let mut stream = until(|| {
            UnixStream::connect(self.file(name, "sock"))
                .map_err(|error| format!("{error}\n{}", self.log(name)))
        });
        let length = if request.starts_with("POST") { "content-length: 0\r\n" } else { "" };
        write!(stream, "{request} HTTP/1.1\r\nhost: speaker\r\n{length}connection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_else(|_| body.into()))
    }

    /// Has all speakers read their configurations again.
    pub(crate) fn reload(&self) {
        for node in NODES {
            let (status, answer) = self.ask(node.name, "POST /v1/reload");
            assert_eq!(status, 200, "{answer}");
        }
    }

    /// Waits until a node's routes of ours are these, in `ip route`'s words.
    pub(crate) fn routes(&self, name: &str, family: &str, expected: &[&str]) {
        let mut expected: Vec<String> = expected.iter().map(|line| (*line).to_owned()).collect();
        expected.sort();
        until(|| {
            let routes: Value =
                serde_json::from_str(&self.ip(name, &format!("-j {family} route show proto bgp"))).unwrap();
            let mut found: Vec<String> = routes.as_array().unwrap().iter().map(shown).collect();
            found.sort();
            let differs = || {
                let diff = self.ask(name, "GET /v1/fib/diff").1;
                format!("{name} has {found:#?}\nnot {expected:#?}\n{diff}\n{}", self.log(name))
            };
            if found == expected { Ok(()) } else { Err(differs()) }
        });
    }

    /// Begins to ping from a pod, every 20 ms.
    pub(crate) fn ping(&self, pod: &str, to: &str) -> Ping {
        let mut command = self.command(pod, &format!("ping -i 0.02 -W 1 {to}"));
        Ping(command.stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Waits until an answer comes.
    pub(crate) fn reaches(&self, from: &str, to: &str) {
        until(|| {
            let output = self.command(from, &format!("ping -c 1 -W 1 {to}")).output().unwrap();
            let text = || format!("{from} does not reach {to}: {}", String::from_utf8_lossy(&output.stdout));
            output.status.success().then_some(()).ok_or_else(text)
        });
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for (_, speaker) in &mut self.speakers {
            let _ = speaker.kill();
            let _ = speaker.wait();
        }
        for name in ["pa", "pb", "pc", "a", "b", "c", "r"] {
            let _ = Command::new("ip").args(["netns", "delete", &self.namespace(name)]).output();
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Tries until it is right, and fails with what was wrong last.
pub(crate) fn until<T, E: std::fmt::Display>(mut right: impl FnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match right() {
            Ok(value) => return value,
            Err(wrong) => assert!(Instant::now() < deadline, "{wrong}"),
        }
        std::thread::yield_now();
    }
}

/// A running `ping`.
pub(crate) struct Ping(Child);

impl Ping {
    /// Ends it: how many packets were sent, and how many came back.
    pub(crate) fn end(mut self) -> (u32, u32) {
        run("kill", &["-INT", &self.0.id().to_string()]);
        let mut text = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        self.0.wait().unwrap();
        let line = text.lines().find(|line| line.contains(" packets transmitted, ")).unwrap_or(&text);
        let mut counts = line.split(", ").map(|part| part.split(' ').next().unwrap().parse().unwrap());
        (counts.next().unwrap(), counts.next().unwrap())
    }
}

/// A route of `ip -j route` in the words that matter, next hops in the order of their gateways.
fn shown(route: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let hop = |hop: &Value| {
        let mut words = String::new();
        for (word, key) in [("via", "gateway"), ("dev", "dev")] {
            if let Some(value) = hop.get(key) {
                let _ = write!(words, " {word} {}", text(value));
            }
        }
        let flags = hop["flags"].as_array().cloned().unwrap_or_default();
        flags.iter().for_each(|flag| words.extend([" ", &text(flag)]));
        words
    };
    let mut line = route.get("type").map_or_else(String::new, |kind| text(kind) + " ") + &text(&route["dst"]);
    match route.get("nexthops").and_then(Value::as_array) {
        Some(hops) => {
            let mut hops: Vec<String> = hops.iter().map(hop).collect();
            hops.sort();
            line.push_str(&hops.join(" +"));
        }
        // The kernel shows a device for what is dropped, too.
        None if route.get("type").is_none_or(|kind| kind != "blackhole") => line.push_str(&hop(route)),
        None => {}
    }
    if let Some(source) = route.get("prefsrc") {
        let _ = write!(line, " src {}", text(source));
    }
    line
}
