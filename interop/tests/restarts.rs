//! Restarts of this project's daemons on real kernels: nothing that could have been forwarded is lost.

#![cfg(test)]

use interop::{Monitor, Neighbor, Net, Node, Peer, Result, Setup, Software, ensure, stale};
use std::process::{Command, Stdio};
use std::time::Duration;

const AS: u32 = 64512;

fn learned(node: &Node) -> Result<usize> {
    Ok(node.routes()?.iter().filter(|route| route.protocol == "bgp" && route.kind == "unicast").count())
}

/// How often a daemon has said that its restart is over.
fn over(daemon: &dyn Peer) -> usize {
    daemon.log().matches("restart is over").count()
}

fn reflector(rr: &Node) -> Result<Box<dyn Peer>> {
    let clients = Neighbor::range("10.9.0.0/24", AS).client().restart(120);
    Software::RouteReflector.start(rr, &Setup::new(AS).neighbor(clients))
}

#[test]
fn a_reflector_with_fifty_speakers_starts_again_and_no_kernel_loses_a_route() -> Result<()> {
    const SPEAKERS: usize = 50;
    let net = Net::new()?;
    let rr = net.node("rr")?;
    let mut middle = reflector(&rr)?;
    let mut nodes = Vec::new();
    let mut speakers = Vec::new();
    for number in 1..=SPEAKERS {
        let node = net.node(&format!("s{number}"))?;
        let up = Neighbor::new(rr.v4(), AS).restart(120);
        let setup = Setup::new(AS).neighbor(up).announce(format!("10.42.{number}.0/26").as_str());
        speakers.push(Software::Speaker.start(&node, &setup)?);
        nodes.push(node);
    }
    let all_have_all = |nodes: &[Node]| {
        for node in nodes {
            let routes = learned(node)?;
            ensure(routes == SPEAKERS - 1, || format!("{} has {routes} routes", node.namespace()))?;
        }
        Ok(())
    };
    net.eventually_within(Duration::from_secs(60), "every kernel has every route", || all_have_all(&nodes))?;

    let monitors = nodes.iter().map(Monitor::start).collect::<Result<Vec<Monitor>>>()?;
    let restarts_before = over(middle.as_ref());
    middle.stop(Duration::from_secs(10))?;
    let mut middle = reflector(&rr)?;
    net.eventually_within(Duration::from_secs(60), "all are back", || {
        let shown = middle.command(&["--json", "peers"])?;
        let up = shown.matches("\"established\"").count();
        ensure(up >= SPEAKERS, || format!("{up} sessions"))
    })?;
    // Its End-of-RIB goes out ten seconds after the last new session; what was stale would go then.
    net.eventually("the reflector has told everything", || {
        ensure(over(middle.as_ref()) > restarts_before, || "its restart is not over")
    })?;
    for speaker in &mut speakers {
        net.eventually("nothing is stale", || {
            let stale = stale(speaker.as_mut())?;
            ensure(stale == 0, || format!("{stale} stale routes"))
        })?;
    }
    all_have_all(&nodes)?;
    let deleted: Vec<String> = monitors.iter().flat_map(|monitor| monitor.deleted("bgp")).collect();
    ensure(deleted.is_empty(), || format!("{} routes went: {:?}", deleted.len(), deleted.first()))
}

#[test]
fn a_speaker_that_starts_again_under_a_flood_of_pings_loses_none() -> Result<()> {
    let net = Net::new()?;
    let (rr, a, b) = (net.node("rr")?, net.node("a")?, net.node("b")?);
    let _middle = reflector(&rr)?;
    let setup =
        |prefix: &str| Setup::new(AS).neighbor(Neighbor::new(rr.v4(), AS).restart(120)).announce(prefix);
    let mut speaker_a = Software::Speaker.start(&a, &setup("10.42.1.0/26"))?;
    let _speaker_b = Software::Speaker.start(&b, &setup("10.42.2.0/26"))?;
    let (from, _to) = (a.pod("10.42.1.2")?, b.pod("10.42.2.2")?);
    net.eventually("the pods reach each other", || {
        ping(&from, &["-c", "1", "-W", "1", "10.42.2.2"]).map(drop)
    })?;
    // 8 s of pings, one each 2 ms.
    let flood = std::thread::spawn(move || {
        let ping = ["ping", "-q", "-i", "0.002", "-c", "4000", "-W", "2", "10.42.2.2"];
        Command::new("ip").args(["netns", "exec", &from]).args(ping).output()
    });
    for _ in 0..2 {
        speaker_a.stop(Duration::from_secs(10))?;
        speaker_a = Software::Speaker.start(&a, &setup("10.42.1.0/26"))?;
        net.eventually("the speaker is back", || {
            ensure(speaker_a.is_established(rr.v4())?, || "not established")
        })?;
    }
    let output = flood.join().expect("no panic").expect("`ping` of iputils-ping is there");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure(text.contains(" 0% packet loss"), || text.clone())
}

fn ping(namespace: &str, args: &[&str]) -> Result<()> {
    let status = Command::new("ip")
        .args(["netns", "exec", namespace, "ping", "-q"])
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ensure(status.is_ok_and(|status| status.success()), || "no answer")
}
