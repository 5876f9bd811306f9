//! Half an hour of a table that never rests, and somebody who looks each second.
//!
//! ```text
//!   feed (recorded UPDATEs, again and again) ──► route reflector ──┬──► BIRD
//!                                                                  ├──► speaker n1 ──► kernel   (a pod)
//!                                                                  └──► speaker n2 ──► kernel      ▲
//!                                                                         (a pod) ────── pings ────┘
//! ```
//! After the recording everybody must hold what it ends with; then it is all withdrawn, and everybody must hold nothing, and
//! so on. All the time sessions stay up, the daemons answer,
//! pings pass; and in the last third no daemon takes more memory or descriptors than in the first.

mod feed;
mod report;

use crate::{Error, Flood, Neighbor, Net, Node, Peer, Recording, Result, Setup, Software, ensure, flaps};
use feed::Feed;
use std::time::{Duration, Instant};

pub use report::{Program, Report, Round, Sample};

/// Prefixes of the pods that the two speakers announce.
const PODS: [(&str, &str); 2] = [("10.42.1.0/26", "10.42.1.2"), ("10.42.2.0/26", "10.42.2.2")];
/// The sessions that are watched: BIRD's, and the speakers'.
const SESSIONS: usize = 3;
/// Between two words to who waits.
const PAUSE: Duration = Duration::from_secs(30);
/// How long everybody has to agree after a round.
const SETTLE: Duration = Duration::from_secs(60);

/// How a soak is to be.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// For so long, and to the end of the round.
    pub time: Duration,
    /// UPDATEs in a second.
    pub rate: u32,
}

/// Everything that runs.
struct Rig {
    net: Net,
    reflector: (Node, Box<dyn Peer>),
    bird: (Node, Box<dyn Peer>),
    speakers: Vec<(Node, Box<dyn Peer>)>,
    feed: Node,
    pings: Flood,
}

/// Plays `recording` round after round.
///
/// # Errors
/// If something does not start, or the tables differ after a round. Whatever else is wrong is in the report.
pub fn soak(recording: &Recording, plan: Plan) -> Result<Report> {
    let mut rig = Rig::start(recording)?;
    let routes = crate::replay::passed_on(recording, &rig.reflector.0)?;
    let mut report = Report::new(recording, plan);
    let feed = Feed::new(plan.rate);
    let (node, to) = (rig.feed.clone(), rig.reflector.0.v4());
    std::thread::scope(|scope| {
        let feeding = scope.spawn(|| node.inside(|| feed.run(recording, to).map_err(std::io::Error::other)));
        let watched = rig.watch(&feed, plan, routes, &mut report);
        feed.stop();
        let fed = feeding.join().map_err(|_| Error::NotSo("the feed panicked".to_owned()))?;
        watched.and(fed)
    })?;
    // The feed's session ended: its routes go.
    rig.agree(0)?;
    report.traffic(rig.pings.traffic()?);
    report.samples.push(rig.sample(report.rounds.len(), report.begun.elapsed())?);
    Ok(report)
}

impl Rig {
    fn start(recording: &Recording) -> Result<Rig> {
        let net = Net::new()?;
        let (rr, bird, feed) = (net.node("rr")?, net.node("bird")?, net.node("feed")?);
        let nodes = [net.node("n1")?, net.node("n2")?];
        let client = |node: &Node| Neighbor::new(node.v4(), recording.asn).client();
        let clients = [&bird, &feed].into_iter().chain(&nodes);
        let setup = clients.fold(Setup::new(recording.asn), |setup, node| setup.neighbor(client(node)));
        let reflector = Software::RouteReflector.start(&rr, &setup)?;
        // No packet goes to a recorded next hop: its gateway need not exist.
        let everywhere = || [("0.0.0.0/0".to_owned(), "10.9.0.250".to_owned())].into_iter();
        let member = Setup::new(recording.asn).neighbor(Neighbor::new(rr.v4(), recording.asn));
        let bird_peer = Software::Bird.start(&bird, &member.clone().igp(everywhere()))?;
        let mut speakers = Vec::new();
        let mut pods = Vec::new();
        for (node, (prefix, pod)) in nodes.into_iter().zip(PODS) {
            node.ip_batch("route add default via 10.9.0.250 proto static\n")?;
            pods.push(node.pod(pod)?);
            let peer = Software::Speaker.start(&node, &member.clone().announce(prefix))?;
            speakers.push((node, peer));
        }
        let (Some((first, _)), Some(pod)) = (speakers.first(), pods.first()) else {
            return Err(Error::NotSo("no speakers".to_owned()));
        };
        let pings = Flood::start(first, pod, PODS[1].1)?;
        let mut rig = Rig { net, reflector: (rr, reflector), bird: (bird, bird_peer), speakers, feed, pings };
        rig.net.clone().eventually("all sessions are up and a ping is answered", || {
            ensure(rig.sample(0, Duration::ZERO)?.sessions == SESSIONS, || "a session is not up")?;
            rig.pings.traffic().map(drop)
        })?;
        Ok(rig)
    }

    /// Round after round, with a look each second.
    fn watch(&mut self, feed: &Feed, plan: Plan, routes: usize, report: &mut Report) -> Result<()> {
        let mut said = Instant::now();
        for part in 1.. {
            if report.begun.elapsed() >= plan.time && part % 2 == 1 {
                break;
            }
            feed.ask_for(part);
            while feed.done() < part {
                let due = Instant::now() + Duration::from_secs(1);
                ensure(!feed.is_over(), || "the feed's session is gone")?;
                report.samples.push(self.sample(report.rounds.len(), report.begun.elapsed())?);
                while Instant::now() < due && feed.done() < part {
                    std::thread::park_timeout(Duration::from_millis(20));
                }
            }
            let sent = Instant::now();
            self.agree(if part % 2 == 1 { routes } else { 0 })?;
            report.rounds.push(Round { agreed_ms: sent.elapsed().as_millis() as u64 });
            if said.elapsed() >= PAUSE {
                println!("{}", report.line());
                said = Instant::now();
            }
        }
        Ok(())
    }

    /// Waits until BIRD and both kernels hold so many routes of the feed's.
    fn agree(&mut self, routes: usize) -> Result<()> {
        let (bird, speakers) = (&mut self.bird.1, &self.speakers);
        self.net.eventually_within(SETTLE, "everybody holds the table", || {
            let held = crate::replay::bird_count(bird.as_mut())?;
            ensure(held == routes + PODS.len(), || format!("BIRD holds {held} routes of {routes}"))?;
            for (node, _) in speakers {
                let held = crate::replay::kernel_routes(node, &mut |_, _| ())?;
                // The other speaker's pods, besides.
                ensure(held == routes + 1, || format!("a kernel holds {held} routes of {routes}"))?;
            }
            Ok(())
        })
    }

    fn sample(&mut self, round: usize, at: Duration) -> Result<Sample> {
        let asked = Instant::now();
        let flaps = flaps(self.reflector.1.as_mut())?;
        let answer_ms = asked.elapsed().as_millis() as u64;
        let mut programs = vec![
            self.reflector.0.usage(Program::Reflector.command())?,
            self.bird.0.usage(Program::Bird.command())?,
        ];
        for (node, _) in &self.speakers {
            programs.push(node.usage(Program::Speaker.command())?);
        }
        let (rr, mut up) = (self.reflector.0.v4(), 0);
        for (_, peer) in &mut self.speakers {
            up += usize::from(peer.is_established(rr)?);
        }
        up += usize::from(self.reflector.1.is_established(self.bird.0.v4())?);
        Ok(Sample { second: at.as_secs_f64(), round, flaps, sessions: up, answer_ms, programs })
    }
}
