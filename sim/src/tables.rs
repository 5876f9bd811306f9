//! The comparison of every Loc-RIB with the model at the end of a run.

use std::collections::{BTreeMap, BTreeSet};

use bgp_rib::{Advertise, NextHopRule, Policy};

use crate::loc_rib::loc_rib;
use crate::network::{Network, address_v4, router_id};
use crate::observe::{Failure, Observer, Verdict};
use crate::oracle::{ModelRouter, solve};
use crate::spec::{SideSpec, Spec};

/// Compares what the model can tell: it knows nothing of filters, of next hops that are lost, nor of several paths.
pub struct Tables;

impl Observer for Tables {
    fn end(&mut self, network: &Network, spec: &Spec) -> Verdict {
        let Some(routers) = model(network, spec) else { return Ok(()) };
        let failure = |what| Failure { check: "tables", what };
        let tables = solve(&routers).ok_or_else(|| failure("the model finds no stable routes".to_owned()))?;
        for (number, expected) in tables.iter().enumerate() {
            let found = network.router(number).map_or_else(BTreeMap::new, |router| loc_rib(router, &routers));
            let prefixes: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
            for prefix in prefixes {
                let (expected, found) = (expected.get(prefix), found.get(prefix));
                if expected != found {
                    let what = format!("router {number}, {prefix}: expected {expected:?}, found {found:?}");
                    return Err(failure(what));
                }
            }
        }
        Ok(())
    }
}

fn is_plain(side: &SideSpec) -> bool {
    (&side.import, &side.export) == (&Policy::Accept, &Policy::Accept)
        && side.next_hop == NextHopRule::Auto
        && side.advertise == Advertise::Best
        && side.add_path == [false; 2]
}

fn model(network: &Network, spec: &Spec) -> Option<Vec<ModelRouter>> {
    let mut routers = Vec::new();
    for (number, router) in spec.routers.iter().enumerate() {
        if router.tracks_next_hops || network.is_draining(number) {
            return None;
        }
        routers.push(ModelRouter {
            asn: router.asn,
            router_id: router_id(number),
            address: address_v4(number),
            cluster: router.cluster,
            local: network.originates(number)?.iter().filter(|p| p.address().is_ipv4()).copied().collect(),
            neighbours: Vec::new(),
        });
    }
    for (session, line) in spec.sessions.iter().enumerate() {
        for end in 0..2 {
            let side = network.side(session, end).filter(|side| is_plain(side))?;
            let other = *line.ends.get(1 - end)?;
            routers.get_mut(*line.ends.get(end)?)?.neighbours.push((other, side.client));
        }
    }
    Some(routers)
}
