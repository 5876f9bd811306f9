//! Who watches from outside: a BMP collector (pmacct), a dissector (tshark), a reader of MRT files (bgpdump), and the kernel
//! in an explanation.

use interop::{Neighbor, Net, Node, Peer, Result, Setup, Software, ensure};
use serde_json::Value;
use std::path::Path;

const AS: u32 = 64512;
const COLLECTOR: &str = "11019";
const PREFIX: &str = "10.42.1.0/26";

/// A reflector between two BIRDs, of which the first announces; `extra` ends its configuration.
struct Watched {
    reflector: Box<dyn Peer>,
    first: Box<dyn Peer>,
    _second: Box<dyn Peer>,
}

impl Watched {
    fn start(net: &Net, rr: &Node, extra: &str) -> Result<Watched> {
        let (a, b) = (net.node("a")?, net.node("b")?);
        let clients = [&a, &b].map(|node| Neighbor::new(node.v4(), AS).client());
        let setup = clients.into_iter().fold(Setup::new(AS), Setup::neighbor).extra(extra);
        let reflector = Software::RouteReflector.start(rr, &setup)?;
        let client = || Setup::new(AS).neighbor(Neighbor::new(rr.v4(), AS));
        let first = Software::Bird.start(&a, &client().announce(PREFIX).announce("fd00:42:1::/64"))?;
        let second = Software::Bird.start(&b, &client())?;
        Ok(Watched { reflector, first, _second: second })
    }
}

/// What pmbmpd has logged, an object a line.
fn logged(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Whether an object has all of these values.
fn has(object: &Value, values: &[(&str, &str)]) -> bool {
    values.iter().all(|(key, value)| match object.get(key) {
        Some(Value::String(text)) => text == value,
        Some(other) => value.parse().is_ok_and(|value: Value| *other == value),
        None => false,
    })
}

fn expect(net: &Net, file: &Path, what: &str, values: &[(&str, &str)]) -> Result<()> {
    net.eventually(&format!("the collector has {what}"), || {
        let lines = logged(file);
        ensure(lines.iter().any(|line| has(line, values)), || format!("{} lines without it", lines.len()))
    })
}

#[test]
fn a_collector_tells_apart_what_came_what_was_taken_what_was_chosen_and_what_was_sent() -> Result<()> {
    let net = Net::new()?;
    let (rr, collector) = (net.node("rr")?, net.node("collector")?);
    let log = collector.dir().join("bmp.json");
    let config = format!(
        "bmp_daemon_ip: {}\nbmp_daemon_port: {COLLECTOR}\nbmp_daemon_msglog_file: {}\n\
         bmp_daemon_msglog_output: json\ndaemonize: false\n",
        collector.v4(),
        log.display()
    );
    let config = collector.write("pmbmpd.conf", &config)?.display().to_string();
    let packets = collector.dir().join("bmp.pcap").display().to_string();
    // Else the kernel keeps packets back for up to a second.
    let live = ["--immediate-mode", "-U"];
    let dump = ["-i", "eth0", "-w", &packets, "tcp", "port", COLLECTOR];
    let _tcpdump = collector.spawn("tcpdump", &[&live[..], &dump].concat())?;
    net.eventually("tcpdump listens", || ensure(Path::new(&packets).exists(), || "no file yet"))?;
    let _pmbmpd = collector.spawn("pmbmpd", &["-f", &config])?;
    let views = r#"["pre-policy", "post-policy", "loc-rib", "adj-rib-out"]"#;
    let bmp = format!(
        "[[bmp]]\naddress = \"{}:{COLLECTOR}\"\nmonitor = {views}\nstatistics-interval = 1\n",
        collector.v4()
    );
    let mut watched = Watched::start(&net, &rr, &bmp)?;

    expect(&net, &log, "the daemon's name", &[("bmp_msg_type", "init")])?;
    expect(&net, &log, "a session", &[("bmp_msg_type", "peer_up"), ("peer_ip", "10.9.0.3")])?;
    let update = [("log_type", "update"), ("ip_prefix", PREFIX)];
    let of = |values: &[(&'static str, &'static str)]| [&update[..], values].concat();
    let from_first = [("peer_ip", "10.9.0.3"), ("is_in", "1")];
    expect(&net, &log, "the route as it came", &of(&[&from_first[..], &[("is_post", "0")]].concat()))?;
    expect(&net, &log, "the route as it was taken", &of(&[&from_first[..], &[("is_post", "1")]].concat()))?;
    expect(&net, &log, "the route that was chosen", &of(&[("is_loc", "1"), ("bgp_nexthop", "10.9.0.3")]))?;
    let to_second = [("peer_ip", "10.9.0.4"), ("is_out", "1"), ("bgp_nexthop", "10.9.0.3")];
    expect(&net, &log, "the route as it went out", &of(&to_second))?;
    expect(&net, &log, "counts", &[("bmp_msg_type", "stats"), ("counter_type", "15")])?;

    watched.first.kill();
    expect(&net, &log, "the session's end", &[("bmp_msg_type", "peer_down"), ("peer_ip", "10.9.0.3")])?;
    let status = watched.reflector.command(&["status"])?;
    ensure(status.contains("bmp"), || status.clone())?;

    let shown = |filter: &str| {
        let decode = format!("tcp.port=={COLLECTOR},bmp");
        collector.run(&["tshark", "-r", &packets, "-d", &decode, "-Y", filter])
    };
    net.eventually("tshark sees BMP", || ensure(!shown("bmp")?.is_empty(), || "none"))?;
    // This tshark, 4.0, does not know what may follow the OPENs of a Peer Up (RFC 7854 section 4.10), such as the name of
    // the table (RFC 9069 section 4.4).
    let malformed = shown("_ws.malformed && !(bmp.type == 3 && bmp.peer.type == 3)")?;
    ensure(malformed.is_empty(), || malformed.clone())
}

#[test]
fn a_collector_that_comes_later_is_told_what_was_before() -> Result<()> {
    let net = Net::new()?;
    let (rr, collector) = (net.node("rr")?, net.node("collector")?);
    let views = r#"["pre-policy", "post-policy", "loc-rib", "adj-rib-out"]"#;
    let bmp = format!("[[bmp]]\naddress = \"{}:{COLLECTOR}\"\nmonitor = {views}\n", collector.v4());
    let mut watched = Watched::start(&net, &rr, &bmp)?;
    net.eventually("the reflector has the routes", || {
        ensure(watched.reflector.routes()?.len() == 2, || "not yet")
    })?;
    let log = collector.dir().join("bmp.json");
    let config = format!(
        "bmp_daemon_ip: {}\nbmp_daemon_port: {COLLECTOR}\nbmp_daemon_msglog_file: {}\n\
         bmp_daemon_msglog_output: json\ndaemonize: false\n",
        collector.v4(),
        log.display()
    );
    let config = collector.write("pmbmpd.conf", &config)?.display().to_string();
    let _pmbmpd = collector.spawn("pmbmpd", &["-f", &config])?;
    let update = [("log_type", "update"), ("ip_prefix", "fd00:42:1::/64")];
    for view in [
        &[("is_in", "1"), ("is_post", "0")][..],
        &[("is_in", "1"), ("is_post", "1")],
        &[("is_loc", "1")],
        &[("is_out", "1"), ("peer_ip", "10.9.0.4")],
    ] {
        expect(&net, &log, &format!("{view:?}"), &[&update[..], view].concat())?;
    }
    Ok(())
}

/// The lines of all files of a kind, read by bgpdump.
fn dumped(rr: &Node, directory: &Path, kind: &str) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(kind) {
            let text = rr.run(&["bgpdump", "-m", &entry.path().display().to_string()])?;
            lines.extend(text.lines().map(str::to_owned));
        }
    }
    Ok(lines)
}

fn expect_line(net: &Net, rr: &Node, directory: &Path, kind: &str, part: &str) -> Result<()> {
    net.eventually(&format!("{kind} has {part}"), || {
        let lines = dumped(rr, directory, kind)?;
        ensure(lines.iter().any(|line| line.contains(part)), || lines.join("\n"))
    })
}

#[test]
fn bgpdump_reads_the_log_of_updates_and_the_dumps_of_the_table() -> Result<()> {
    let net = Net::new()?;
    let rr = net.node("rr")?;
    let directory = rr.dir().join("mrt");
    let mrt = format!("[mrt]\ndirectory = \"{}\"\ntable-interval = 1\n", directory.display());
    let mut watched = Watched::start(&net, &rr, &mrt)?;
    for part in
        ["|A|10.9.0.2|64512|10.42.1.0/26|", "|A|10.9.0.2|64512|fd00:42:1::/64|", "|STATE|10.9.0.2|64512|5|6"]
    {
        expect_line(&net, &rr, &directory, "updates.", part)?;
    }
    for part in ["|B|10.9.0.2|64512|10.42.1.0/26||IGP|10.9.0.2|100|", "|B|10.9.0.2|64512|fd00:42:1::/64|"] {
        expect_line(&net, &rr, &directory, "rib.", part)?;
    }
    let file = rr.dir().join("now.mrt").display().to_string();
    watched.reflector.command(&["dump", &file])?;
    let text = rr.run(&["bgpdump", "-m", &file])?;
    ensure(text.contains("|B|10.9.0.2|64512|10.42.1.0/26|"), || text.clone())?;
    watched.first.kill();
    expect_line(&net, &rr, &directory, "updates.", "|STATE|10.9.0.2|64512|6|")
}

/// A file system of its own, unmounted with this value.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_costs_records_and_no_session() -> Result<()> {
    let net = Net::new()?;
    let rr = net.node("rr")?;
    let directory = rr.dir().join("mrt");
    let failed = |error: std::io::Error| interop::Error::NotSo(format!("{}: {error}", directory.display()));
    std::fs::create_dir(&directory).map_err(failed)?;
    let mount = ["-t", "tmpfs", "-o", "size=64k", "none"];
    std::process::Command::new("mount").args(mount).arg(&directory).status().map_err(failed)?;
    let _mounted = Mounted(&directory);
    // Nothing is left: writing this ends with an error.
    let _ = std::fs::write(directory.join("filler"), vec![0; 128 << 10]);
    let mrt = format!("[mrt]\ndirectory = \"{}\"\n", directory.display());
    let mut watched = Watched::start(&net, &rr, &mrt)?;
    net.eventually("the reflector has the routes", || {
        ensure(watched.reflector.routes()?.len() == 2, || "not yet")
    })?;
    net.eventually("lost records are counted", || {
        let status = watched.reflector.command(&["status"])?;
        ensure(status.contains("lost") && !status.contains(" 0 lost"), || status.clone())
    })?;
    ensure(watched.reflector.log().contains("the update log cannot be written"), || "the log is silent")
}

#[test]
fn an_explanation_tells_what_the_kernel_really_has_and_why() -> Result<()> {
    let net = Net::new()?;
    let (node, other) = (net.node("node")?, net.node("other")?);
    // In the way, with our metric.
    node.run(&[
        "ip",
        "route",
        "add",
        "10.42.2.0/26",
        "via",
        "10.9.0.2",
        "proto",
        "static",
        "metric",
        "1024",
    ])?;
    let setup = Setup::new(AS).neighbor(Neighbor::new(other.v4(), AS));
    let mut speaker = Software::Speaker.start(&node, &setup)?;
    let setup = Setup::new(AS).neighbor(Neighbor::new(node.v4(), AS));
    let _bird = Software::Bird.start(&other, &setup.announce(PREFIX).announce("10.42.2.0/26"))?;
    let mut explained = |prefix: &str, part: &str| {
        net.eventually(&format!("{prefix} is explained with {part}"), || {
            let text = speaker.command(&["explain", prefix])?;
            ensure(text.contains(part), || text.clone())
        })
    };
    explained(PREFIX, "in the kernel: installed: via 10.9.0.2 dev eth0")?;
    explained("10.42.2.0/26", "a route of protocol 4 has the same metric")?;
    node.run(&["ip", "route", "del", "10.42.2.0/26", "proto", "static"])?;
    explained("10.42.2.0/26", "in the kernel: installed")
}
