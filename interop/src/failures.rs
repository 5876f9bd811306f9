//! Planned restarts and single failures under traffic, on real kernels: how many packets are lost, and how many routes.
//!
//! Each is a network of `examples/`, a flood of pings through it, and what happens meanwhile. The test of each holds it to its
//! promise; `cargo run -p interop --bin failures` prints the figures.

use crate::{Error, Flood, Monitor, Result, Topology, Traffic, ensure, has_told_all};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Something that happens.
pub struct Failure {
    /// As in tests.
    pub name: &'static str,
    /// For people.
    pub what: &'static str,
    run: fn() -> Result<Figures>,
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The pings.
    pub traffic: Traffic,
    /// Routes of BGP that the kernels along the way lost, a line each.
    pub withdrawn: Vec<String>,
    /// From the event until all sessions were up and no route was stale.
    pub took: Duration,
}

/// All of them, in the order of the page.
pub const ALL: [Failure; 7] = [
    Failure { name: "speaker", what: "a node's speaker is upgraded (SIGTERM, started again)", run: speaker },
    Failure {
        name: "speaker_killed",
        what: "a node's speaker dies (SIGKILL) and is started again",
        run: speaker_killed,
    },
    Failure { name: "reflector", what: "the only reflector is upgraded", run: reflector },
    Failure {
        name: "reflector_away",
        what: "the only reflector dies and comes back after 5 s",
        run: reflector_away,
    },
    Failure {
        name: "reflector_pair",
        what: "two reflectors are upgraded one after the other",
        run: reflector_pair,
    },
    Failure {
        name: "tor",
        what: "the FRR between two nodes dies and is started again (graceful restart)",
        run: tor,
    },
    Failure {
        name: "drain",
        what: "a node with a service's address is drained and stopped; another has the address too",
        run: drain,
    },
];

impl Failure {
    /// By name.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<&'static Failure> {
        ALL.iter()
            .find(|failure| failure.name == name)
            .ok_or_else(|| Error::NotSo(format!("no failure is named {name}")))
    }

    /// Has it happen.
    ///
    /// # Errors
    /// If the network does not come up, or not again.
    pub fn run(&self) -> Result<Figures> {
        (self.run)()
    }
}

/// A network with a flood through it, and somebody watching the kernels on the way.
struct Scene {
    topology: Topology,
    flood: Flood,
    monitors: Vec<Monitor>,
    begun: Instant,
}

impl Scene {
    /// Everything runs and has told all that it has to tell; the pings pass.
    fn begin(example: &str, from: &str, to: &str, watched: &[&str], daemons: &[&str]) -> Result<Scene> {
        let mut topology = Topology::start(example)?;
        let net = topology.net().clone();
        net.eventually("the pings pass", || topology.ping(from, to))?;
        for daemon in daemons {
            has_told_all(&net, topology.router(daemon)?)?;
        }
        let monitors =
            watched.iter().map(|node| Monitor::start(topology.node(node)?)).collect::<Result<_>>()?;
        let flood = topology.flood(from, to)?;
        net.eventually("the flood is on", || flood.traffic().map(drop))?;
        Ok(Scene { topology, flood, monitors, begun: Instant::now() })
    }

    /// SIGTERM and a new start, until its sessions are up and its restart is over.
    fn upgrade(&mut self, daemon: &str, neighbors: &[&str]) -> Result<()> {
        self.topology.router(daemon)?.stop(Duration::from_secs(10))?;
        self.start_again(daemon, neighbors)
    }

    fn start_again(&mut self, daemon: &str, neighbors: &[&str]) -> Result<()> {
        let over = self.restarts(daemon)?;
        self.topology.run(daemon)?;
        let net = self.topology.net().clone();
        for neighbor in neighbors {
            let address: IpAddr =
                neighbor.parse().map_err(|_| Error::NotSo(format!("{neighbor} is no address")))?;
            net.eventually("the session is back", || {
                ensure(self.topology.router(daemon)?.is_established(address)?, || "not established")
            })?;
        }
        net.eventually("the restart is over", || ensure(self.restarts(daemon)? > over, || "not yet"))
    }

    /// How often a daemon has said that its restart is over: its log goes on over restarts.
    fn restarts(&mut self, daemon: &str) -> Result<usize> {
        Ok(self.topology.router(daemon)?.log().matches("restart is over").count())
    }

    /// A second more of traffic, then the figures.
    fn end(self, took: Duration) -> Result<Figures> {
        let sent = self.flood.traffic()?.sent;
        let net = self.topology.net().clone();
        net.eventually("the pings still pass", || {
            ensure(self.flood.traffic()?.sent > sent + 500, || "none is answered any more")
        })?;
        let withdrawn = self.monitors.iter().flat_map(|monitor| monitor.deleted("bgp")).collect();
        Ok(Figures { traffic: self.flood.traffic()?, withdrawn, took })
    }
}

fn speaker() -> Result<Figures> {
    let mut scene = Scene::begin("reflector", "10.42.1.2", "10.42.2.2", &["n1", "n2"], &["rr", "n1"])?;
    scene.upgrade("n1", &["10.0.0.1"])?;
    let took = scene.begun.elapsed();
    scene.end(took)
}

fn speaker_killed() -> Result<Figures> {
    let mut scene = Scene::begin("reflector", "10.42.1.2", "10.42.2.2", &["n1", "n2"], &["rr", "n1"])?;
    scene.topology.router("n1")?.kill();
    scene.start_again("n1", &["10.0.0.1"])?;
    let took = scene.begun.elapsed();
    scene.end(took)
}

fn reflector() -> Result<Figures> {
    let mut scene = Scene::begin("reflector", "10.42.1.2", "10.42.2.2", &["n1", "n2", "n3"], &["rr"])?;
    scene.upgrade("rr", &["10.0.0.11", "10.0.0.12", "10.0.0.13"])?;
    let took = scene.begun.elapsed();
    scene.end(took)
}

fn reflector_away() -> Result<Figures> {
    let mut scene = Scene::begin("reflector", "10.42.1.2", "10.42.2.2", &["n1", "n2", "n3"], &["rr"])?;
    scene.topology.router("rr")?.kill();
    let sent = scene.flood.traffic()?.sent;
    let net = scene.topology.net().clone();
    net.eventually("five seconds of pings pass", || {
        ensure(scene.flood.traffic()?.sent > sent + 2500, || "not yet")
    })?;
    scene.start_again("rr", &["10.0.0.11", "10.0.0.12", "10.0.0.13"])?;
    let took = scene.begun.elapsed();
    scene.end(took)
}

fn reflector_pair() -> Result<Figures> {
    let nodes = ["n1", "n2", "n3"];
    let mut scene = Scene::begin("redundant-reflectors", "10.42.1.2", "10.42.3.2", &nodes, &["rr1", "rr2"])?;
    scene.upgrade("rr1", &["10.0.0.2", "10.0.0.11", "10.0.0.12"])?;
    scene.upgrade("rr2", &["10.0.0.1", "10.0.0.11", "10.0.0.12", "10.0.0.13"])?;
    let took = scene.begun.elapsed();
    scene.end(took)
}

fn tor() -> Result<Figures> {
    let mut scene = Scene::begin("tor", "10.42.1.2", "10.42.2.2", &["n1", "n2", "tor"], &["n1", "n2"])?;
    scene.topology.router("tor")?.kill();
    scene.topology.run("tor")?;
    let net = scene.topology.net().clone();
    for node in ["n1", "n2"] {
        net.eventually("nothing is stale", || {
            let stale = crate::stale(scene.topology.router(node)?)?;
            ensure(stale == 0, || format!("{stale} stale routes"))
        })?;
    }
    let took = scene.begun.elapsed();
    scene.end(took)
}

fn drain() -> Result<Figures> {
    let mut scene = Scene::begin("service", "10.42.3.2", "10.50.0.1", &["n3"], &["rr", "n1"])?;
    let net = scene.topology.net().clone();
    let gateway = |scene: &Scene| -> Result<Vec<String>> {
        let routes = scene.topology.node("n3")?.routes()?.into_iter();
        Ok(routes.filter(|route| route.prefix == "10.50.0.1/32").flat_map(|route| route.gateways).collect())
    };
    let before = gateway(&scene)?;
    ensure(before == ["10.0.0.11"], || format!("the service is not at n1 first, but at {before:?}"))?;
    scene.topology.router("n1")?.command(&["drain", "--reason", "new memory"])?;
    net.eventually("the other node has the traffic", || {
        let now = gateway(&scene)?;
        ensure(now == ["10.0.0.12"], || format!("it is at {now:?}"))
    })?;
    let took = scene.begun.elapsed();
    scene.topology.router("n1")?.stop(Duration::from_secs(10))?;
    scene.topology.node("n1")?.ip_batch("link set eth0 down\n")?;
    scene.end(took)
}
