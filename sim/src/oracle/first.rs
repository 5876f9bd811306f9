//! What every Loc-RIB must hold once nothing changes any more, worked out from the inputs alone.
//!
//! Written as plainly as can be and sharing nothing with the router but its types of numbers: all routers
//! exchange their best routes in rounds until no choice changes.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::net::IpAddr;

use bgp_core::{Asn, ClusterId, Prefix, RouterId};

/// A router as the model sees it.
#[derive(Clone, Debug)]
pub struct ModelRouter {
    /// Its AS.
    pub asn: Asn,
    /// Its identifier.
    pub router_id: RouterId,
    /// Its address in every session, and the next hop it sends.
    pub address: IpAddr,
    /// Its cluster, if it reflects.
    pub cluster: Option<ClusterId>,
    /// The prefixes that it announces.
    pub local: Vec<Prefix>,
    /// The routers it has sessions with, and whether they are its clients.
    pub neighbours: Vec<(usize, bool)>,
}

/// A route as the model sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRoute {
    /// The router it came from; `None` for one of our own.
    pub from: Option<usize>,
    /// Whether it came over eBGP.
    pub external: bool,
    /// AS_PATH, nearest first.
    pub as_path: Vec<Asn>,
    /// NEXT_HOP; `None` for one of our own.
    pub next_hop: Option<IpAddr>,
    /// ORIGINATOR_ID.
    pub originator: Option<RouterId>,
    /// CLUSTER_LIST, nearest first.
    pub clusters: Vec<ClusterId>,
}

/// The best route of each prefix of each router.
type Tables = Vec<BTreeMap<Prefix, ModelRoute>>;

/// Works out every table; `None` if the choices never settle.
#[must_use]
pub fn solve(routers: &[ModelRouter]) -> Option<Tables> {
    let mut tables: Tables = vec![BTreeMap::new(); routers.len()];
    for _ in 0..100 + routers.len() * 4 {
        let next: Tables = (0..routers.len()).map(|index| choose(routers, &tables, index)).collect();
        if next == tables {
            return Some(tables);
        }
        tables = next;
    }
    None
}

fn choose(routers: &[ModelRouter], tables: &Tables, index: usize) -> BTreeMap<Prefix, ModelRoute> {
    let mut best: BTreeMap<Prefix, ModelRoute> = BTreeMap::new();
    let Some(me) = routers.get(index) else { return best };
    for prefix in &me.local {
        let local = ModelRoute {
            from: None,
            external: false,
            as_path: Vec::new(),
            next_hop: None,
            originator: None,
            clusters: Vec::new(),
        };
        best.insert(*prefix, local);
    }
    for (neighbour, _) in &me.neighbours {
        let Some(table) = tables.get(*neighbour) else { continue };
        for (prefix, route) in table {
            let Some(offered) = offer(routers, *neighbour, index, route) else { continue };
            match best.get(prefix) {
                Some(held) if prefer(routers, held, &offered) != Ordering::Greater => {}
                _ => {
                    best.insert(*prefix, offered);
                }
            }
        }
    }
    best
}

/// What `to` gets from `from`'s best route, if it gets and takes anything.
fn offer(routers: &[ModelRouter], from: usize, to: usize, route: &ModelRoute) -> Option<ModelRoute> {
    let (sender, receiver) = (routers.get(from)?, routers.get(to)?);
    if route.from == Some(to) {
        return None;
    }
    let mut sent = ModelRoute { from: Some(from), ..route.clone() };
    if sender.asn == receiver.asn {
        sent.external = false;
        sent.next_hop = Some(route.next_hop.unwrap_or(sender.address));
        if let (Some(source), false) = (route.from, route.external) {
            let cluster = sender.cluster?;
            let is_client = |n: usize| sender.neighbours.iter().any(|(m, client)| *m == n && *client);
            if !is_client(source) && !is_client(to) {
                return None;
            }
            sent.originator = Some(route.originator.unwrap_or(routers.get(source)?.router_id));
            sent.clusters.insert(0, cluster);
        }
        let looped = receiver.cluster.is_some_and(|own| sent.clusters.contains(&own));
        if looped || sent.originator == Some(receiver.router_id) {
            return None;
        }
    } else {
        sent.external = true;
        sent.next_hop = Some(sender.address);
        sent.as_path.insert(0, sender.asn);
        sent.originator = None;
        sent.clusters.clear();
    }
    let refused = sent.as_path.contains(&receiver.asn) || sent.next_hop == Some(receiver.address);
    (!refused).then_some(sent)
}

/// `Less`: `a` is preferred. RFC 4271 section 9.1.2.2 with RFC 4456 section 9; LOCAL_PREF, ORIGIN, MED and the
/// metric to the next hop are alike everywhere here.
fn prefer(routers: &[ModelRouter], a: &ModelRoute, b: &ModelRoute) -> Ordering {
    let key = |route: &ModelRoute| {
        let peer = route.from.and_then(|from| routers.get(from));
        let id = route.originator.or(peer.map(|p| p.router_id));
        (
            Reverse(route.from.is_none()),
            route.as_path.len(),
            Reverse(route.external),
            id,
            route.clusters.len(),
            peer.map(|p| p.address),
        )
    };
    key(a).cmp(&key(b))
}
