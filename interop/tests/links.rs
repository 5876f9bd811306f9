//! Neighbours that are known by their link: BFD over link-local addresses, what is told of them, and of those that are not
//! there.

#![cfg(test)]

use bgp_core::link_local;
use interop::{Net, Node, Peer, Result, Software, ensure};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::time::Duration;

const OURS: &str = "10.42.1.0/26";
const THEIRS: &str = "10.42.2.0/26";
/// The hold time is 30 s.
const LONG_BEFORE_THE_HOLD_TIMER: Duration = Duration::from_secs(5);

interop::feature_tests! {
    "bfd-link-local": finds_a_cut_link [bird frr];
}

/// A speaker that looks for its neighbour on `eth0`; `extra` ends its configuration.
fn speaker(node: &Node, asn: u32, prefix: &str, extra: &str) -> Result<Box<dyn Peer>> {
    let config = format!(
        r#"asn = {asn}
router-id = "{}"
hold-time = 30
connect-retry = 1

[[bfd.profiles]]
name = "fast"
interval = 100

[[peers]]
interface = "eth0"
name = "neighbor"
asn = {}
import = "accept"
export = "accept"
restart-time = 60
bfd = "fast"

[announce]
prefixes = ["{prefix}"]

[log]
level = "trace"
{extra}"#,
        node.v4(),
        if asn == 64601 { 64602 } else { 64601 },
    );
    Software::Speaker.start_from(node, &config)
}

fn bird(node: &Node, neighbor: Ipv6Addr) -> Result<Box<dyn Peer>> {
    let config = format!(
        "log stderr all;
router id {};
protocol device {{ scan time 1; }}
protocol bfd {{ }}
protocol static {{ ipv4; route {THEIRS} unreachable; }}
protocol bgp n1 {{
  local as 64602; neighbor {neighbor}%eth0 as 64601;
  hold time 30; connect delay time 1; connect retry time 1; error wait time 1,2;
  bfd {{ interval 200 ms; multiplier 4; }};
  ipv4 {{ import all; export where source = RTS_STATIC; extended next hop on; }};
}}
",
        node.v4()
    );
    Software::Bird.start_from(node, &config)
}

fn frr(node: &Node) -> Result<Box<dyn Peer>> {
    let config = format!(
        "frr defaults datacenter
bfd
 profile fast
  detect-multiplier 4
  receive-interval 200
  transmit-interval 200
 exit
exit
router bgp 64602
 bgp router-id {}
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor eth0 interface remote-as external
 neighbor eth0 timers 10 30
 neighbor eth0 timers connect 1
 neighbor eth0 bfd
 neighbor eth0 bfd profile fast
 address-family ipv4 unicast
  network {THEIRS}
 exit-address-family
exit
",
        node.v4()
    );
    Software::Frr.start_from(node, &config)
}

/// The link-local address of `eth0`.
fn link_local_of(net: &Net, node: &Node) -> Result<Ipv6Addr> {
    net.eventually("eth0 has a link-local address", || {
        let shown = node.run(&["ip", "-o", "-6", "address", "show", "dev", "eth0", "scope", "link"])?;
        ensure(!shown.contains("tentative"), || shown.clone())?;
        let address = shown.split_whitespace().find_map(|word| word.strip_suffix("/64")?.parse().ok());
        address.ok_or(interop::Error::NotSo(shown))
    })
}

fn has(node: &Node, prefix: &str) -> Result<()> {
    let routes = node.routes()?;
    let found = routes.iter().any(|route| route.prefix == prefix && route.protocol == "bgp");
    ensure(found, || format!("{} has no {prefix}: {routes:?}", node.name()))
}

/// The only row of `bgp bfd`, if the path is alive.
fn watched(speaker: &mut dyn Peer) -> Result<Value> {
    let shown = speaker.command(&["--json", "bfd"])?;
    let shown: Value =
        serde_json::from_str(&shown).map_err(|error| interop::Error::NotSo(error.to_string()))?;
    let row = shown.pointer("/sessions/0").cloned().unwrap_or_default();
    ensure(row.get("state").and_then(Value::as_str) == Some("up"), || format!("{row}"))?;
    Ok(row)
}

fn number(row: &Value, key: &str) -> u64 {
    row.get(key).and_then(Value::as_u64).unwrap_or_default()
}

/// The neighbour's link goes down: ours, to a switch, does not.
fn cut_and_mend(
    net: &Net,
    here: &Node,
    there: &Node,
    speaker: &mut dyn Peer,
    agreed: [u64; 2],
) -> Result<()> {
    net.eventually("the path is watched and the route there", || {
        has(here, THEIRS)?;
        let row = watched(speaker)?;
        let seen = ["transmit_ms", "detect_ms"].map(|key| number(&row, key));
        ensure(seen == agreed && row.get("hops").and_then(Value::as_str) == Some("single"), || {
            format!("{row}")
        })
    })?;
    let shown = speaker.command(&["bfd"])?;
    ensure(shown.contains("%eth0") && shown.contains("neighbor"), || shown.clone())?;

    there.ip_batch("link set eth0 down\n")?;
    let gone = || ensure(has(here, THEIRS).is_err(), || "it is still there");
    net.eventually_within(LONG_BEFORE_THE_HOLD_TIMER, "the route has gone", gone)?;
    let history = speaker.command(&["peer", "eth0", "--history"])?;
    ensure(history.contains("BFD: the path is dead"), || history)?;

    there.ip_batch("link set eth0 up\n")?;
    net.eventually("the path is back", || {
        has(here, THEIRS)?;
        let row = watched(speaker)?;
        ensure(number(&row, "failures") == 1, || format!("{row}"))
    })
}

fn finds_a_cut_link(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (here, there) = (net.node("here")?, net.node("there")?);
    let mut speaker = speaker(&here, 64601, OURS, "")?;
    let _router = match router {
        Software::Bird => bird(&there, link_local_of(&net, &here)?)?,
        _ => frr(&there)?,
    };
    cut_and_mend(&net, &here, &there, speaker.as_mut(), [200, 800])
}

#[test]
fn two_speakers_watch_the_path_between_their_link_local_addresses() -> Result<()> {
    let net = Net::new()?;
    let (here, there) = (net.node("here")?, net.node("there")?);
    let mut ours = speaker(&here, 64601, OURS, "")?;
    let _theirs = speaker(&there, 64602, THEIRS, "")?;
    cut_and_mend(&net, &here, &there, ours.as_mut(), [100, 300])
}

/// A question to the control socket, which answers by and by.
fn ask(node: &Node, path: &str) -> Result<UnixStream> {
    let ask = || {
        let mut stream = UnixStream::connect(node.dir().join("api.sock"))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: bgp\r\nConnection: close\r\n\r\n")?;
        stream.set_read_timeout(Some(Duration::from_millis(500)))?;
        Ok(stream)
    };
    ask().map_err(|error: std::io::Error| interop::Error::NotSo(format!("{path}: {error}")))
}

/// All that comes until nothing more does.
fn rest_of(mut stream: impl Read) -> Vec<u8> {
    let mut octets = Vec::new();
    // A stream that does not end ends with its timeout, and what came stays.
    let _ = stream.read_to_end(&mut octets);
    octets
}

fn text_of(stream: impl Read) -> String {
    String::from_utf8_lossy(&rest_of(stream)).into_owned()
}

/// Addresses with the number of a link in them, or behind them.
fn numbers_in(text: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '%';
    let words = text.split(|c: char| !is_part(c)).filter(|word| word.starts_with("fe80:"));
    let has_number = |word: &&str| {
        let (address, zone) = word.split_once('%').unwrap_or((word, ""));
        let address: Option<IpAddr> = address.trim_end_matches(':').parse().ok();
        zone.starts_with(|c: char| c.is_ascii_digit())
            || address.is_some_and(|a| link_local::link(a).is_some())
    };
    words.filter(has_number).collect()
}

#[test]
fn the_search_for_numbers_of_links_finds_them() {
    assert_eq!(numbers_in("a=fe80::7:1:2:3:4 [fe80::1%7]:179").len(), 2);
    assert_eq!(numbers_in("fe80:0:0:7::1").len(), 1);
    assert!(numbers_in("fe80::1 fe80::1%eth0, fe80::1:2:3:4: 2001:db8:0:7::1").is_empty());
}

/// The same in octets.
fn number_in(octets: &[u8]) -> Option<&[u8]> {
    octets
        .windows(8)
        .find(|window| window.starts_with(&[0xfe, 0x80, 0, 0]) && window.get(4..) != Some(&[0; 4]))
}

#[test]
fn no_number_of_a_link_leaves_the_daemon() -> Result<()> {
    let net = Net::new()?;
    let (here, there) = (net.node("here")?, net.node("there")?);
    let collector = here.inside(|| TcpListener::bind("127.0.0.1:11019"))?;
    let directory = here.dir().join("mrt");
    let extra = format!(
        "[[bmp]]\naddress = \"127.0.0.1:11019\"\nmonitor = [\"pre-policy\", \"post-policy\", \"loc-rib\", \"adj-rib-out\"]\n\
         [mrt]\ndirectory = \"{}\"\ntable-interval = 1\n",
        directory.display()
    );
    let mut ours = speaker(&here, 64601, OURS, &extra)?;
    let events = ask(&here, "/v1/events")?;
    let mut theirs = speaker(&there, 64602, THEIRS, "")?;
    net.eventually("the route is there", || has(&here, THEIRS).and(watched(ours.as_mut()).map(drop)))?;
    let dump = here.dir().join("now.mrt").display().to_string();
    ours.command(&["dump", &dump])?;
    // Its end, its return, and words of the operator about it.
    theirs.stop(Duration::from_secs(10))?;
    let _theirs = speaker(&there, 64602, THEIRS, "")?;
    net.eventually("the neighbor is back", || {
        let row = ours.command(&["peer", "eth0"])?;
        ensure(row.contains("established"), || row.clone())
    })?;
    ours.command(&["peer", "eth0", "reset"])?;
    net.eventually("all is as before", || {
        let row = ours.command(&["peer", "eth0"])?;
        ensure(row.contains("established for"), || row.clone())?;
        has(&here, THEIRS).and(watched(ours.as_mut()).map(drop))
    })?;

    let mut told = vec![ours.log()];
    for path in [
        "/metrics",
        "/readyz",
        "/v1/peers",
        "/v1/peers/eth0",
        "/v1/bfd",
        "/v1/status",
        "/v1/routes?scope=all",
    ] {
        let answer = text_of(ask(&here, path)?);
        ensure(answer.starts_with("HTTP/1.1 "), || answer.clone())?;
        told.push(answer);
    }
    for command in [&["peers"][..], &["peer", "eth0"], &["bfd"], &["routes"], &["explain", THEIRS]] {
        told.push(ours.command(command)?);
    }
    told.push(text_of(events));
    let files = std::fs::read_dir(&directory).into_iter().flatten().flatten();
    let files = files.map(|entry| entry.path().display().to_string()).filter(|path| path.ends_with(".mrt"));
    for file in files.chain([dump]) {
        let text = here.run(&["bgpdump", "-m", &file])?;
        ensure(!text.contains(THEIRS) || text.contains("fe80::"), || text.clone())?;
        told.push(text);
    }
    for text in &told {
        ensure(numbers_in(text).is_empty(), || format!("{:?} in {text}", numbers_in(text)))?;
    }
    let shown = told.join("\n");
    for part in ["%eth0", "peer=\"fe80::", "\"interface\":\"eth0\""] {
        ensure(shown.contains(part), || format!("{part} is not in {shown}"))?;
    }
    let (stream, _) = collector.accept().map_err(|error| interop::Error::NotSo(error.to_string()))?;
    let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
    let octets = rest_of(stream);
    ensure(
        octets.windows(4).any(|window| window == [0xfe, 0x80, 0, 0]),
        || "the collector hears of no link",
    )?;
    ensure(number_in(&octets).is_none(), || format!("BMP has {:x?}", number_in(&octets)))
}

#[test]
fn a_neighbor_that_is_not_there_is_a_peer_that_is_down() -> Result<()> {
    let net = Net::new()?;
    let (here, there) = (net.node("here")?, net.node("there")?);
    let mut ours = speaker(&here, 64601, OURS, "")?;
    let why = "no neighbor: no router advertisement came on eth0";
    let peers = ours.command(&["peers"])?;
    let row = peers.lines().find(|line| line.starts_with("eth0 ")).unwrap_or_default();
    ensure(row.contains("idle") && row.contains(why), || peers.clone())?;
    let detail = ours.command(&["peer", "neighbor"])?;
    ensure(detail.contains(why), || detail.clone())?;
    let ready = text_of(ask(&here, "/readyz")?);
    ensure(ready.starts_with("HTTP/1.1 503") && ready.contains("peer eth0 is not established"), || {
        ready.clone()
    })?;
    let metrics = text_of(ask(&here, "/metrics")?);
    ensure(metrics.contains("bgp_peer_up{peer=\"eth0\"} 0"), || metrics.clone())?;
    let refused =
        ours.command(&["peer", "eth0", "reset"]).err().map(|error| error.to_string()).unwrap_or_default();
    ensure(refused.contains(why), || refused.clone())?;

    here.ip_batch("link set eth0 down\n")?;
    net.eventually("the link is why", || {
        let peers = ours.command(&["peers"])?;
        ensure(peers.contains("no neighbor: eth0 is not there, or cannot carry packets"), || peers.clone())
    })?;
    here.ip_batch("link set eth0 up\n")?;
    let _theirs = speaker(&there, 64602, THEIRS, "")?;
    net.eventually("the neighbor is there", || {
        let peers = ours.command(&["peers"])?;
        let alone = !peers.lines().any(|line| line.starts_with("eth0 "));
        ensure(alone && peers.contains("%eth0") && peers.contains("established"), || peers.clone())
    })?;
    net.eventually("all is ready", || {
        let ready = text_of(ask(&here, "/readyz")?);
        ensure(ready.starts_with("HTTP/1.1 200"), || ready.clone())
    })
}
