//! Networks drawn from a seed: who peers with whom, what happens to them, and whether all is right at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bgp_core::{Asn, ClusterId, Prefix, RouterId};
use bgp_rib::{DecisionConfig, GroupLimits, NextHopSource, RibConfig};
use bgp_router::{Identity, PeerSettings};

use crate::loc_rib::loc_rib;
use crate::network::{LinkSettings, Network};
use crate::oracle::{ModelRoute, ModelRouter, solve};
use crate::random::Random;

/// The shape of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// Every speaker with every other, one AS.
    Mesh,
    /// Speakers are clients of one reflector.
    Reflector,
    /// Speakers are clients of two reflectors, which are in two clusters and peer with each other.
    TwoReflectors,
    /// Racks, each an AS with a ToR that its speakers peer with; the ToRs peer with a spine.
    AsPerRack,
}

impl Topology {
    /// All shapes.
    pub const ALL: [Topology; 4] =
        [Topology::Mesh, Topology::Reflector, Topology::TwoReflectors, Topology::AsPerRack];
}

/// How long what happens to the network goes on.
const TROUBLE: Duration = Duration::from_secs(300);

/// How long it then has to settle: longer than the longest back-off and hold time.
const SETTLE: Duration = Duration::from_secs(600);

/// What went wrong in a run.
#[derive(Debug)]
pub enum Failure {
    /// The model itself found no stable answer.
    Unsolvable,
    /// A table differs from the model's.
    Differs {
        /// The router's address.
        router: IpAddr,
        /// The prefix.
        prefix: Prefix,
        /// What the model says.
        expected: Option<Box<ModelRoute>>,
        /// What the router has.
        found: Option<Box<ModelRoute>>,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unsolvable => f.write_str("the model finds no stable routes"),
            Failure::Differs { router, prefix, expected, found } => {
                write!(f, "router {router}, prefix {prefix}: expected {expected:?}, found {found:?}")
            }
        }
    }
}

/// What a run was like.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Routers in the network.
    pub routers: usize,
    /// Best routes compared.
    pub routes: usize,
}

struct Scenario {
    network: Network,
    routers: Vec<ModelRouter>,
    random: Random,
}

/// Runs the network of `seed` and compares every Loc-RIB with the model.
///
/// # Errors
/// The first difference.
pub fn run(topology: Topology, seed: u64) -> Result<Report, Box<Failure>> {
    let mut random = Random::new(seed);
    let links = LinkSettings {
        delay: Duration::from_micros(50)..Duration::from_millis(1 + random.below(200) as u64),
        piece: 1 + random.below(3000),
    };
    let routers = draw(topology, &mut random);
    let mut scenario = Scenario { network: Network::new(random.draw(), links), routers, random };
    scenario.build();
    scenario.trouble();
    scenario.compare()
}

fn router(index: usize, asn: u32, cluster: bool) -> ModelRouter {
    let id = 0x0a00_0000 + index as u32 + 1;
    ModelRouter {
        asn: Asn(asn),
        router_id: RouterId(id),
        address: IpAddr::V4(Ipv4Addr::from(id)),
        cluster: cluster.then_some(ClusterId(id)),
        local: Vec::new(),
        neighbours: Vec::new(),
    }
}

fn connect(routers: &mut [ModelRouter], a: usize, b: usize, b_is_client: bool) {
    if let Some(r) = routers.get_mut(a) {
        r.neighbours.push((b, b_is_client));
    }
    if let Some(r) = routers.get_mut(b) {
        r.neighbours.push((a, false));
    }
}

fn draw(topology: Topology, random: &mut Random) -> Vec<ModelRouter> {
    let speakers = 2 + random.below(6);
    let mut routers = Vec::new();
    match topology {
        Topology::Mesh => {
            routers.extend((0..speakers).map(|i| router(i, 64512, false)));
            for a in 0..speakers {
                (a + 1..speakers).for_each(|b| connect(&mut routers, a, b, false));
            }
        }
        Topology::Reflector | Topology::TwoReflectors => {
            let reflectors = if topology == Topology::Reflector { 1 } else { 2 };
            routers.extend((0..reflectors + speakers).map(|i| router(i, 64512, i < reflectors)));
            for a in 0..reflectors {
                (a + 1..reflectors).for_each(|b| connect(&mut routers, a, b, false));
                (reflectors..reflectors + speakers).for_each(|b| connect(&mut routers, a, b, true));
            }
        }
        Topology::AsPerRack => {
            routers.push(router(0, 65000, false));
            for rack in 0..1 + random.below(3) {
                let tor = routers.len();
                routers.push(router(tor, 64600 + rack as u32, true));
                connect(&mut routers, 0, tor, false);
                for _ in 0..1 + random.below(3) {
                    let speaker = routers.len();
                    routers.push(router(speaker, 64600 + rack as u32, false));
                    connect(&mut routers, tor, speaker, true);
                }
            }
        }
    }
    routers
}

impl Scenario {
    fn build(&mut self) {
        for model in &self.routers {
            let identity =
                Identity { local_as: model.asn, router_id: model.router_id, cluster_id: model.cluster };
            let rib = RibConfig {
                decision: DecisionConfig::default(),
                multipath: 1,
                next_hops: NextHopSource::Assume,
                export: identity.export_context(),
                limits: GroupLimits::default(),
                fib: false,
                // The network draws it.
                seed: 0,
            };
            self.network.add_router(identity, model.address, rib);
        }
        for index in 0..self.routers.len() {
            for (neighbour, client) in
                self.routers.get(index).map(|r| r.neighbours.clone()).unwrap_or_default()
            {
                let Some(peer) = self.routers.get(neighbour) else { continue };
                let settings = PeerSettings {
                    peer_as: Some(peer.asn),
                    client,
                    connect_retry: Duration::from_secs(1),
                    extended_message: self.random.one_in(2),
                    ..PeerSettings::new(peer.address)
                };
                self.network.add_peer(index, settings);
            }
        }
    }

    /// Prefixes come and go, connections are cut, until the time is up.
    fn trouble(&mut self) {
        let end = self.network.now() + TROUBLE;
        let mut announced: Vec<BTreeSet<Prefix>> = vec![BTreeSet::new(); self.routers.len()];
        while self.network.now() < end {
            let pause = self.random.time(&(Duration::from_millis(1)..Duration::from_secs(10)));
            let next = self.network.now() + pause;
            self.network.run_until(next.min(end));
            if self.random.one_in(4) {
                self.network.reset_one();
                continue;
            }
            for _ in 0..1 + self.random.below(20) {
                self.flap(&mut announced);
            }
        }
        for (router, prefixes) in self.routers.iter_mut().zip(announced) {
            router.local = prefixes.into_iter().collect();
        }
        let settled = self.network.now() + SETTLE;
        self.network.run_until(settled);
    }

    /// One router announces or withdraws one of a few prefixes, which several may announce at once.
    fn flap(&mut self, announced: &mut [BTreeSet<Prefix>]) {
        let node = self.random.below(self.routers.len());
        let number = self.random.below(30) as u32;
        let prefix = Prefix::new(IpAddr::V4(Ipv4Addr::from(0x0af4_0000 + (number << 6))), 26);
        let (Some(prefix), Some(mine)) = (prefix, announced.get_mut(node)) else { return };
        if mine.remove(&prefix) {
            self.network.withdraw(node, prefix);
        } else {
            mine.insert(prefix);
            self.network.announce(node, prefix);
        }
    }

    fn compare(&self) -> Result<Report, Box<Failure>> {
        let tables = solve(&self.routers).ok_or_else(|| Box::new(Failure::Unsolvable))?;
        let mut routes = 0;
        for (index, expected) in tables.iter().enumerate() {
            let found = match self.network.router(index) {
                Some(router) => loc_rib(router, &self.routers),
                None => BTreeMap::new(),
            };
            let prefixes: BTreeSet<&Prefix> = expected.keys().chain(found.keys()).collect();
            for prefix in prefixes {
                let (expected, found) = (expected.get(prefix), found.get(prefix));
                if expected != found {
                    let router = self.routers.get(index).map_or(IpAddr::from([0; 4]), |r| r.address);
                    return Err(Box::new(Failure::Differs {
                        router,
                        prefix: *prefix,
                        expected: expected.cloned().map(Box::new),
                        found: found.cloned().map(Box::new),
                    }));
                }
                routes += 1;
            }
        }
        Ok(Report { routers: self.routers.len(), routes })
    }
}
