//! The worst day of a reflector and its nodes, on real kernels: what falls, what is lost, and what is left afterwards.
//!
//! ```text
//!   enemy (strangers, garbage, silence) ──► route reflector ──┬──► BIRD
//!                                             ▲ kill, stop,   ├──► speaker n1 ──► kernel ── pod
//!                                             │ loss, no fds,  └──► speaker n2 ──► kernel ── pod
//!                                             │ no memory                        pings ──┘
//! ```
//! The sessions with BIRD and the speakers, the pings between the pods, and the speakers' routes in the kernels are the
//! innocent: they are counted.

mod cgroup;
mod crowd;
mod dice;
mod disk;
mod enemy;
mod kills;
mod links;

use crate::player;
use crate::rig::{PODS, Rig};
use crate::soak::Feed;
use crate::{Error, Monitor, Node, Recording, Result, SmallDisk, Traffic, ensure};
use cgroup::Cgroup;
use dice::Dice;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The router id of who misbehaves.
const ENEMY: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 99);
/// UPDATEs in a second.
const RATE: u32 = 2000;
/// Memory that the reflector may still take, in bytes.
const ROOM: u64 = 64 << 20;
/// File descriptors that the reflector may still open.
const SPARE: u64 = 10;
/// A ping is sent at least so often, even on a busy machine.
const PING: Duration = Duration::from_millis(4);

/// Who it happens to, a table to load them with, and for how long what lasts shall last.
struct Scene<'a> {
    rig: Rig,
    recording: &'a Recording,
    time: Duration,
    dice: Dice,
    /// Where the reflector writes. It goes after all who write to it.
    disk: Option<SmallDisk>,
}

/// Something that happens to a rig.
pub struct Strain {
    /// As on the command line.
    pub name: &'static str,
    /// For people.
    pub what: &'static str,
    run: fn(&mut Scene<'_>) -> Result<String>,
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The pings.
    pub traffic: Traffic,
    /// Routes to the pods that a speaker's kernel lost.
    pub withdrawn: usize,
    /// Sessions of the innocent that ended.
    pub fallen: u64,
    /// The reflector's resident memory before and after, in kB.
    pub memory: (u64, u64),
    /// What else there is to say.
    pub note: String,
}

/// All of them, in the order of the page.
pub const ALL: [Strain; 12] = [
    Strain {
        name: "kills",
        what: "twelve kills (SIGKILL) of speakers and reflector while a table is announced, each started again",
        run: kills::kills,
    },
    Strain {
        name: "standstill",
        what: "the reflector stands still (SIGSTOP) for longer than the hold time",
        run: kills::standstill,
    },
    Strain { name: "cut", what: "a node's link is cut for 3 s", run: links::cut },
    Strain {
        name: "loss",
        what: "one packet in ten is lost each way while a table is announced and withdrawn",
        run: links::loss,
    },
    Strain {
        name: "delay",
        what: "packets come 30 to 70 ms late, some before others, twice or broken, while a table comes and goes",
        run: links::delay,
    },
    Strain { name: "strangers", what: "1,000 connections from strangers, again and again", run: strangers },
    Strain {
        name: "slow-opens",
        what: "a peer with 200 connections that send an octet of an OPEN each second",
        run: slow_opens,
    },
    Strain { name: "deaf", what: "a peer that reads nothing while a table comes and goes", run: deaf },
    Strain { name: "garbage", what: "a peer whose UPDATEs are garbage, session after session", run: garbage },
    Strain {
        name: "memory",
        what: "a peer announces until the reflector is out of memory (a cgroup's) and killed; it is started again",
        run: memory,
    },
    Strain {
        name: "descriptors",
        what: "a peer takes the last file descriptors with OPENs like these",
        run: descriptors,
    },
    Strain {
        name: "disk",
        what: "the disk for log and MRT is full while a table comes and goes and strangers come",
        run: disk::disk,
    },
];

impl Strain {
    /// By name.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<&'static Strain> {
        let named = ALL.iter().find(|strain| strain.name == name);
        named.ok_or_else(|| Error::NotSo(format!("nothing is named {name}")))
    }

    /// Why it cannot happen on this machine, and where it can.
    #[must_use]
    pub fn obstacle(&self) -> Option<&'static str> {
        (self.name == "delay" && !links::has_netem()).then_some(links::NO_NETEM)
    }

    /// Has it happen; what lasts does for so long, and what is drawn is drawn with this seed.
    ///
    /// # Errors
    /// If it cannot happen here, the rig does not come up, or is not whole again afterwards.
    pub fn run(&self, recording: &Recording, time: Duration, seed: u64) -> Result<Seen> {
        if let Some(obstacle) = self.obstacle() {
            return Err(Error::NotSo(obstacle.to_owned()));
        }
        let (rig, dice) = (Rig::start(recording.asn)?, Dice::new(seed));
        let mut scene = Scene { rig, recording, time, dice, disk: None };
        let [first, second] = &scene.rig.speakers;
        let monitors = [Monitor::start(&first.node)?, Monitor::start(&second.node)?];
        let memory = |rig: &Rig| Ok(rig.reflector.node.usage("route-reflector")?.rss_kb);
        let before = memory(&scene.rig)?;
        let note = (self.run)(&mut scene)?;
        let rig = &mut scene.rig;
        rig.is_whole()?;
        Ok(Seen {
            traffic: rig.pings.traffic()?,
            withdrawn: monitors.iter().map(pods_lost).sum(),
            fallen: rig.flaps()?,
            memory: (before, memory(rig)?),
            note,
        })
    }
}

impl Scene<'_> {
    /// Lets pings pass for about so long.
    fn pass(&self) -> Result<()> {
        let (rig, time) = (&self.rig, self.time);
        let wanted = (time.as_millis() / PING.as_millis()) as usize;
        let (begun, mut from) = (Instant::now(), 0);
        let mut answered = 0;
        rig.pings.answers(&mut from)?;
        rig.net.eventually_within(time * 2 + Duration::from_secs(60), "pings pass", || {
            answered += rig.pings.answers(&mut from)?;
            ensure(begun.elapsed() >= time, || "the time is not over")?;
            ensure(answered >= wanted, || "too few pings are answered")
        })
    }

    fn port(&self) -> SocketAddr {
        SocketAddr::new(self.rig.reflector.node.v4(), player::PORT)
    }

    /// Pings pass beside somebody who goes on until told to stop.
    fn beside<T: Send>(
        &self,
        node: &Node,
        action: impl FnOnce(&AtomicBool) -> Result<T> + Send,
    ) -> Result<T> {
        beside(node, action, || self.pass())
    }

    /// A crowd of so many on a node, that say this.
    fn crowd(&self, node: &Node, count: usize, said: &[u8]) -> Result<String> {
        let to = self.port();
        let seen = self.beside(node, |stop| Ok(crowd::crowd(to, count, stop, said)))?;
        Ok(format!("{} connections, {} at a time", seen.attempts, seen.most))
    }

    /// The recorded table is announced and withdrawn so many times; the longest that it took until all held it, or held nothing.
    fn tables(&mut self, times: u64) -> Result<String> {
        let feed = Feed::new(RATE);
        let (node, to, recording) = (self.rig.feed.clone(), self.rig.reflector.node.v4(), self.recording);
        let routes = crate::replay::passed_on(recording, &self.rig.reflector.node)?;
        let rig = &mut self.rig;
        let longest = std::thread::scope(|scope| {
            let feeding =
                scope.spawn(|| node.inside(|| feed.run(recording, to).map_err(std::io::Error::other)));
            let watched = (1..=2 * times).try_fold(Duration::ZERO, |longest, part| {
                let since = Instant::now();
                feed.ask_for(part);
                let held = if part % 2 == 1 { routes } else { 0 };
                rig.net.clone().eventually_within(Duration::from_secs(120), "all hold the table", || {
                    ensure(feed.done() >= part, || "it is not sent yet")?;
                    rig.agrees(held)
                })?;
                Ok(longest.max(since.elapsed()))
            });
            feed.stop();
            feeding.join().map_err(|_| Error::NotSo("the feed panicked".to_owned()))??;
            watched
        })?;
        Ok(format!(
            "{times} times a table of {routes} routes came and went, each within {:.1} s",
            longest.as_secs_f64()
        ))
    }
}

/// How often the other node's pods went out of a kernel.
fn pods_lost(monitor: &Monitor) -> usize {
    let is_pods = |line: &&String| PODS.iter().any(|(prefix, _)| line.contains(prefix));
    monitor.deleted("bgp").iter().filter(is_pods).count()
}

/// Does one thing on a thread in a node's namespace, until the other is done.
fn beside<T: Send, U>(
    node: &Node,
    action: impl FnOnce(&AtomicBool) -> Result<T> + Send,
    other: impl FnOnce() -> Result<U>,
) -> Result<T> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let acting = scope.spawn(|| node.inside(|| action(&stop).map_err(std::io::Error::other)));
        let other = other();
        stop.store(true, Ordering::Relaxed);
        let acted = acting.join().map_err(|_| Error::NotSo("a thread panicked".to_owned()))?;
        other.and(acted)
    })
}

fn strangers(scene: &mut Scene<'_>) -> Result<String> {
    let stranger = scene.rig.net.node("stranger")?;
    scene.crowd(&stranger, 1000, &[])
}

fn slow_opens(scene: &mut Scene<'_>) -> Result<String> {
    let open = player::open(scene.recording.asn, ENEMY);
    let enemy = scene.rig.enemy.clone();
    scene.crowd(&enemy, 200, &open)
}

fn deaf(scene: &mut Scene<'_>) -> Result<String> {
    let (enemy, to, recording) = (scene.rig.enemy.clone(), scene.rig.reflector.node.v4(), scene.recording);
    let mut note = String::new();
    let ended = beside(
        &enemy,
        |stop| enemy::deaf(recording, to, stop),
        || {
            note = scene.tables(10)?;
            Ok(())
        },
    )?;
    Ok(format!("{note}; the deaf one's session {}", if ended { "was ended" } else { "stayed" }))
}

fn garbage(scene: &mut Scene<'_>) -> Result<String> {
    let (enemy, to, recording) = (scene.rig.enemy.clone(), scene.rig.reflector.node.v4(), scene.recording);
    let dice = scene.dice.clone();
    let (sessions, messages) = scene.beside(&enemy, |stop| enemy::garbage(recording, to, stop, dice))?;
    Ok(format!("{messages} messages in {sessions} sessions"))
}

fn descriptors(scene: &mut Scene<'_>) -> Result<String> {
    let node = &scene.rig.reflector.node;
    let most = node.usage("route-reflector")?.fds + SPARE;
    crate::command::run(
        "prlimit",
        &["--pid", &node.pid("route-reflector")?, &format!("--nofile={most}:{most}")],
    )?;
    let enemy = scene.rig.enemy.clone();
    let open = player::open(scene.recording.asn, ENEMY);
    let note = scene.crowd(&enemy, 200, &open)?;
    Ok(format!("{SPARE} were left; {note}"))
}

fn memory(scene: &mut Scene<'_>) -> Result<String> {
    let rig = &mut scene.rig;
    let usage = rig.reflector.node.usage("route-reflector")?;
    let pid = rig.reflector.node.pid("route-reflector")?;
    let group = Cgroup::new(&pid, usage.rss_kb * 1024 + ROOM)?;
    let (enemy, to, recording) = (rig.enemy.clone(), rig.reflector.node.v4(), scene.recording);
    let net = rig.net.clone();
    let announced = beside(
        &enemy,
        |stop| enemy::endless(recording, to, stop),
        || {
            net.eventually_within(Duration::from_secs(60), "the reflector is killed", || {
                ensure(rig.reflector.node.usage("route-reflector").is_err(), || "it still runs")
            })
        },
    )?;
    drop(group);
    rig.reflector.start()?;
    Ok(format!("killed after {announced} routes were sent, with room for {} MB", ROOM >> 20))
}
