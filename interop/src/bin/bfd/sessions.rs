//! Many fast sessions beside a daemon that loads a large table.

use crate::hosts::{self, Seen};
use bfd::Timers;
use interop::{Error, Net, Peer, Result, Setup, Software, ensure};
use serde_json::Value;
use std::fmt::Write;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const AS: u32 = 64512;
/// What is loaded has this long, on a busy machine.
const LIMIT: Duration = Duration::from_secs(300);

pub(crate) fn measure(count: u32, routes: u32, daemon: &str) -> Result<()> {
    let (software, peers) = match daemon {
        "route-reflector" => (Software::RouteReflector, "clients"),
        "bgp-speaker" => (Software::Speaker, "peers"),
        other => return Err(Error::NotSo(format!("no daemon is called {other}"))),
    };
    ensure((1..=500).contains(&count), || "1 to 500 sessions")?;
    let net = Net::new()?;
    let (node, peer, feeder) = (net.node("daemon")?, net.node("hosts")?, net.node("feeder")?);
    let own = IpAddr::from([10, 9, 4, 1]);
    let addresses: Vec<IpAddr> =
        (0..count).map(|n| IpAddr::from([10, 9, 5 + (n / 250) as u8, 1 + (n % 250) as u8])).collect();
    node.ip_batch("address add 10.9.4.1/22 dev eth0\n")?;
    let lines = addresses.iter().map(|address| format!("address add {address}/22 dev eth0\n"));
    peer.ip_batch(&lines.collect::<String>())?;

    let mut config = "[bfd]\ninterval = 100\nmultiplier = 3\n".to_owned();
    for address in &addresses {
        let _ = writeln!(config, "[[{peers}]]\naddress = \"{address}\"\npassive = true\nbfd = true");
    }
    let feeding = interop::Neighbor::new(feeder.v4(), AS);
    let feeding = if peers == "clients" { feeding.client() } else { feeding };
    let setup = Setup::new(AS).neighbor(feeding).extra(&config);
    let mut daemon = software.start(&node, &setup)?;
    let timers =
        Timers { interval: Duration::from_millis(100), multiplier: NonZeroU8::MIN.saturating_add(2) };
    let seen = Seen::default();
    std::thread::scope(|scope| {
        let hosts = scope.spawn(|| peer.inside(|| hosts::run(&addresses, own, timers, &seen)));
        let measured = under_load(&net, daemon.as_mut(), &feeder, node.v4(), count, routes, &seen);
        seen.stop.store(true, Ordering::Relaxed);
        hosts.join().map_err(|_| Error::NotSo("the hosts panicked".to_owned()))??;
        measured
    })
}

fn under_load(
    net: &Net,
    daemon: &mut dyn Peer,
    feeder: &interop::Node,
    to: IpAddr,
    count: u32,
    routes: u32,
    seen: &Seen,
) -> Result<()> {
    net.eventually_within(Duration::from_secs(60), "all sessions are up", || {
        let up = seen.up.load(Ordering::Relaxed);
        ensure(up >= count.into(), || format!("{up} of {count}"))?;
        let up = bfd(daemon)?.0;
        ensure(up == u64::from(count), || format!("{up} of {count} here"))
    })?;
    interop::holds_for(Duration::from_secs(3), || Ok(()))?;
    let (quiet, downs_before) = (seen.longest.swap(0, Ordering::Relaxed), seen.downs.load(Ordering::Relaxed));
    println!(
        "{count} sessions of 3 × 100 ms are up; idle, the longest pause between packets was {}",
        ms(quiet)
    );

    let since = Instant::now();
    let _feeder = Software::Bird.start_with(feeder, &table(feeder.v4(), to, routes))?;
    net.eventually_within(LIMIT, "the table is loaded", || {
        let held: u64 = daemon.command(&["routes", "--count"])?.trim().parse().unwrap_or_default();
        ensure(held >= routes.into(), || format!("{held} routes"))
    })?;
    let loaded = since.elapsed();
    // What follows the load: a speaker's kernel, memory given back.
    interop::holds_for(Duration::from_secs(10), || Ok(()))?;
    let (_, failures) = bfd(daemon)?;
    let (longest, downs) =
        (seen.longest.load(Ordering::Relaxed), seen.downs.load(Ordering::Relaxed) - downs_before);
    println!(
        "while {} loaded {routes} routes ({:.1} s) and 10 s after: longest pause {}; {failures} of its {count} sessions \
         failed, {downs} of the other ends'",
        daemon.name(),
        loaded.as_secs_f64(),
        ms(longest),
    );
    ensure(failures == 0 && downs == 0, || "false alarms")
}

fn ms(micros: u64) -> String {
    format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
}

/// Sessions that are up, and failures of all.
fn bfd(daemon: &mut dyn Peer) -> Result<(u64, u64)> {
    // It fails while one is down.
    let text = daemon.command(&["--json", "bfd"])?;
    let shown: Value = serde_json::from_str(&text).map_err(|error| Error::NotSo(error.to_string()))?;
    let rows = shown.get("sessions").and_then(Value::as_array).cloned().unwrap_or_default();
    let failures = rows.iter().filter_map(|row| row.get("failures")?.as_u64()).sum();
    Ok((rows.len() as u64, failures))
}

/// A BIRD with so many routes of its own.
fn table(own: IpAddr, to: IpAddr, routes: u32) -> String {
    let mut text = format!(
        "log stderr all;\nrouter id {own};\nprotocol device {{ }}\nprotocol direct {{ ipv4; interface \"eth0\"; }}\n\
         protocol bgp up {{ local {own} as {AS}; neighbor {to} as {AS}; connect delay time 1; connect retry time 1;\n  \
         graceful restart off; ipv4 {{ import none; export where source = RTS_STATIC; }}; }}\nprotocol static {{ ipv4;\n"
    );
    for n in 0..routes {
        let [_, b, c, d] = n.to_be_bytes();
        let _ = writeln!(text, "route {}.{b}.{c}.{d}/32 blackhole;", 20);
    }
    text + "}\n"
}
