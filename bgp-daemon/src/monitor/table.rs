//! A dump of the whole table as TABLE_DUMP_V2 (RFC 6396 section 4.3), a step at a time.
//!
//! Each destination is as it is when its step comes; a peer that comes after the beginning is not in the dump.

use std::time::{Duration, SystemTime};

use bgp_core::{RouterId, link_local};
use bgp_rib::Rib;
use bgp_rib::table::DestId;
use bgp_router::Core;
use bgp_telemetry::mrt::{self, TablePath, TablePeer};
use tokio::sync::{mpsc, oneshot};

use super::steps::FAMILIES;
use super::told::since_1970;
use super::{Places, World};
use crate::runtime::{Clock, CoreRequest};

/// Destinations in one step.
const STEP: usize = 1024;

/// The name of our one table.
const VIEW: &str = "global";

/// A dump under way.
#[derive(Debug)]
pub struct TableDump {
    core: mpsc::Sender<CoreRequest>,
    collector: RouterId,
    at: Duration,
    next: Option<Next>,
}

#[derive(Debug)]
enum Next {
    Peers,
    Routes { places: Places, family: usize, from: DestId, number: u32 },
}

impl TableDump {
    pub(super) fn new(world: &World) -> TableDump {
        let (core, collector) = (world.core.clone(), world.router_id);
        TableDump { core, collector, at: since_1970(SystemTime::now()), next: Some(Next::Peers) }
    }

    /// The next records, perhaps none; `None` once the dump is complete, an error if the daemon stops before.
    ///
    /// # Errors
    /// The RIB has ended.
    pub async fn next(&mut self) -> Option<std::io::Result<Vec<u8>>> {
        let next = self.next.take()?;
        let (reply, answer) = oneshot::channel();
        let (collector, at) = (self.collector, self.at);
        let act = move |core: &mut Core, clock: Clock| {
            let _ = reply.send(step(core.rib(), clock, collector, at, next));
        };
        let gone = || std::io::Error::other("the RIB is stopping");
        if self.core.send(CoreRequest::With(Box::new(act))).await.is_err() {
            return Some(Err(gone()));
        }
        match answer.await {
            Ok((octets, next)) => {
                self.next = next;
                Some(Ok(octets))
            }
            Err(_) => Some(Err(gone())),
        }
    }
}

fn step(rib: &Rib, clock: Clock, collector: RouterId, at: Duration, next: Next) -> (Vec<u8>, Option<Next>) {
    let mut out = Vec::new();
    let Next::Routes { places, mut family, from, mut number } = next else {
        let places = peers(rib, collector, at, &mut out);
        return (out, Some(Next::Routes { places, family: 0, from: DestId::FIRST, number: 0 }));
    };
    let Some(of) = FAMILIES.get(family) else { return (out, None) };
    let mut from = Some(from);
    for _ in 0..STEP {
        let Some(route) = from.and_then(|from| rib.next_route(*of, from)) else {
            from = None;
            break;
        };
        from = Some(route.cursor());
        let paths: Vec<TablePath<'_>> = route
            .paths
            .iter()
            .filter_map(|path| {
                Some(TablePath {
                    peer: *places.get(&path.slot())?,
                    received: since_1970(clock.wall(path.received())),
                    block: path.attrs.block(),
                    next_hop: link_local::bare(path.attrs.next_hop()),
                    path_id: path.path_id,
                })
            })
            .collect();
        mrt::table_entry(&mut out, at, &mut number, route.prefix, &paths);
    }
    if from.is_none() {
        family += 1;
    }
    (out, Some(Next::Routes { places, family, from: from.unwrap_or(DestId::FIRST), number }))
}

/// Writes the index of the peers, ourselves among them as the source of our own routes; returns their places.
fn peers(rib: &Rib, collector: RouterId, at: Duration, out: &mut Vec<u8>) -> Places {
    let mut places = Places::new();
    let mut peers = Vec::new();
    for info in rib.peers().iter() {
        let Ok(place) = u16::try_from(peers.len()) else { break };
        places.insert(info.id.slot, place);
        peers.push(TablePeer {
            router_id: info.router_id,
            address: link_local::bare(info.address),
            asn: info.asn,
        });
    }
    mrt::peer_index(out, at, collector, VIEW, &peers);
    places
}
