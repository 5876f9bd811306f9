//! A node dies without a word, and another node's kernel still has its route: for how long?

use interop::{Neighbor, Net, Node, Peer, Result, Setup, Software, ensure};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const AS: u32 = 64512;
const PREFIX: &str = "10.42.1.0/26";

pub(crate) fn measure(runs: u32) -> Result<()> {
    println!(
        "milliseconds from the death of a node to its route gone from another node's kernel, {runs} runs each"
    );
    println!("| BFD | sessions | least | median | most |\n|---|---|---|---|---|");
    for (interval, multiplier) in [(100, 3), (300, 3)] {
        for reflected in [false, true] {
            let mut times = Vec::new();
            for _ in 0..runs.max(1) {
                times.push(one(interval, multiplier, reflected)?.as_millis());
            }
            times.sort_unstable();
            let at = |place: usize| times.get(place).copied().unwrap_or_default();
            let how = if reflected { "by way of a reflector" } else { "between the nodes" };
            let (least, median, most) = (at(0), at(times.len() / 2), at(times.len() - 1));
            println!("| {multiplier} × {interval} ms | {how} | {least} | {median} | {most} |");
        }
    }
    Ok(())
}

/// Graceful restart is on: only a path that is known to be dead makes routes go at once.
fn one(interval: u32, multiplier: u8, reflected: bool) -> Result<Duration> {
    let net = Net::new()?;
    let (rr, a, b) = (net.node("rr")?, net.node("a")?, net.node("b")?);
    let with = |node: &Node| Neighbor::new(node.v4(), AS).restart(120).bfd(interval, multiplier);
    let mut middle: Vec<Box<dyn Peer>> = Vec::new();
    if reflected {
        let setup = Setup::new(AS).neighbor(with(&a).client()).neighbor(with(&b).client());
        middle.push(Software::RouteReflector.start(&rr, &setup)?);
    }
    let (of_a, of_b) = if reflected { (with(&rr), with(&rr)) } else { (with(&b), with(&a)) };
    let _dying = Software::Speaker.start(&a, &Setup::new(AS).neighbor(of_a).announce(PREFIX))?;
    let mut living = Software::Speaker.start(&b, &Setup::new(AS).neighbor(of_b))?;
    let neighbor = if reflected { rr.v4() } else { a.v4() };
    net.eventually("the route is in the kernel, and the path watched", || {
        ensure(b.routes()?.iter().any(|route| route.prefix == PREFIX), || "no route")?;
        interop::bfd(living.as_mut(), neighbor)?;
        middle.iter_mut().try_for_each(|middle| interop::bfd(middle.as_mut(), a.v4()).map(drop))
    })?;
    // The agreement on fast timers is a packet behind.
    interop::holds_for(Duration::from_secs(2), || Ok(()))?;
    let gone = Gone::watch(&b)?;
    let since = Instant::now();
    a.ip_batch("link set eth0 down\n")?;
    gone.wait(since)
}

/// Waits for the kernel's word that the route is gone.
struct Gone {
    child: Child,
    told: mpsc::Receiver<Instant>,
}

impl Gone {
    fn watch(node: &Node) -> Result<Gone> {
        let failed = |what: &str| interop::Error::NotSo(format!("`ip monitor`: {what}"));
        let mut child = Command::new("ip")
            .args(["-n", node.namespace(), "-o", "monitor", "route"])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&error.to_string()))?;
        let output = child.stdout.take().ok_or_else(|| failed("no output"))?;
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let is_it = |line: &String| line.starts_with("Deleted") && line.contains(PREFIX);
            if BufReader::new(output).lines().map_while(std::result::Result::ok).any(|line| is_it(&line)) {
                let _ = tell.send(Instant::now());
            }
        });
        Ok(Gone { child, told })
    }

    fn wait(&self, since: Instant) -> Result<Duration> {
        let told = self.told.recv_timeout(Duration::from_secs(20));
        told.map(|at| at - since)
            .map_err(|_| interop::Error::NotSo("the route is still there after 20 s".to_owned()))
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        // Both fail only if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
