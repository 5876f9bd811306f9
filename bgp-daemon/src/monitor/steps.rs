//! Routes by the one who owns them: as they change, and a step at a time for a collector that has just come.

use std::time::SystemTime;

use bgp_core::{Family, PathId, Prefix};
use bgp_rib::table::DestId;
use bgp_rib::{BestChange, PeerId, Rib};
use bgp_router::{Core, Peer, ToCore, ToPeer};
use bgp_telemetry::bmp::View;
use bytes::Bytes;

use super::feed::{Feed, Queue, Topic};
use super::item::{Change, Item};

/// Destinations in one step: the core and the peer's session wait meanwhile.
const STEP: usize = 1024;

pub(super) const FAMILIES: [Family; 2] = [Family::IPV4_UNICAST, Family::IPV6_UNICAST];

/// Routes as a peer sent them, from behind `after` on; returns where to go on. None if they are not kept.
pub(crate) fn received(
    peer: &Peer,
    id: PeerId,
    after: Option<(Prefix, PathId)>,
    queue: &Queue,
) -> Option<(Prefix, PathId)> {
    let (view, at) = (View::AdjRibInPre, SystemTime::now());
    let mut last = None;
    let mut changes = Vec::new();
    for route in peer.adj_rib_in().into_iter().flat_map(|kept| kept.iter(after).take(STEP)) {
        last = Some(route.cursor());
        let attrs = Some(route.received.clone());
        changes.push(Change { prefix: route.prefix, path_id: route.path_id, attrs });
    }
    let next = last.filter(|_| changes.len() == STEP);
    gather(&mut changes);
    if !changes.is_empty() {
        queue.push(Item::Changes { peer: id, view, changes, at });
    }
    if next.is_none() {
        FAMILIES.iter().for_each(|family| queue.push(Item::End { peer: id, view, family: *family }));
    }
    next
}

/// Equal attributes side by side, so that few messages say all.
fn gather(changes: &mut [Change]) {
    changes.sort_by_key(|change| change.attrs.as_ref().map(|attrs| attrs.id()));
}

/// Where the walk over the core's tables is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    /// Routes taken and chosen, of the families from this one on.
    Tables(usize, DestId),
    /// What the peers are sent: those still to do, and where the last of them is.
    Sent(Vec<PeerId>, usize, DestId),
}

impl Walk {
    pub(super) const START: Walk = Walk::Tables(0, DestId::FIRST);

    /// Tells the next routes of the topics that are wanted; returns where to go on.
    pub(super) fn step(self, core: &Core, topics: Topic, queue: &Queue) -> Option<Walk> {
        let rib = core.rib();
        match self {
            Walk::Tables(place, from) => {
                let wanted = topics.contains(Topic::TAKEN) || topics.contains(Topic::CHOSEN);
                match FAMILIES.get(place).filter(|_| wanted) {
                    Some(family) => Some(match tables(rib, *family, from, topics, queue) {
                        Some(next) => Walk::Tables(place, next),
                        None => Walk::Tables(place + 1, DestId::FIRST),
                    }),
                    None if topics.contains(Topic::SENT) => Some(Walk::Sent(peers(rib), 0, DestId::FIRST)),
                    None => None,
                }
            }
            Walk::Sent(mut peers, place, from) => {
                let peer = *peers.last()?;
                let Some(family) = FAMILIES.get(place) else {
                    peers.pop();
                    return Some(Walk::Sent(peers, 0, DestId::FIRST));
                };
                let mut octets = Vec::new();
                let next = rib.write_sent(peer, *family, from, STEP, &mut octets);
                if !octets.is_empty() {
                    queue.push(Item::Sent { peer, octets: Bytes::from(octets) });
                }
                if next.is_none() {
                    queue.push(Item::End { peer, view: View::AdjRibOut, family: *family });
                }
                Some(next.map_or_else(
                    || Walk::Sent(peers.clone(), place + 1, DestId::FIRST),
                    |next| Walk::Sent(peers.clone(), place, next),
                ))
            }
        }
    }
}

fn peers(rib: &Rib) -> Vec<PeerId> {
    rib.peers().iter().map(|info| info.id).filter(|id| *id != PeerId::LOCAL).collect()
}

fn tables(rib: &Rib, family: Family, from: DestId, topics: Topic, queue: &Queue) -> Option<DestId> {
    let at = SystemTime::now();
    let (mut taken, mut chosen) = (Vec::new(), Vec::new());
    let mut next = Some(from);
    for _ in 0..STEP {
        let Some(route) = next.and_then(|from| rib.next_route(family, from)) else {
            next = None;
            break;
        };
        next = Some(route.cursor());
        let change = |path: &bgp_rib::Path| Change {
            prefix: route.prefix,
            path_id: path.path_id,
            attrs: Some(path.attrs.clone()),
        };
        if topics.contains(Topic::TAKEN) {
            let live = route.paths.iter().filter(|path| !path.is_stale() && path.source() != PeerId::LOCAL);
            taken.extend(live.map(|path| (path.source(), change(path))));
        }
        if topics.contains(Topic::CHOSEN) {
            chosen.extend(route.best().map(change));
        }
    }
    taken.sort_by_key(|(peer, change)| (*peer, change.attrs.as_ref().map(|attrs| attrs.id())));
    for of_peer in taken.chunk_by(|a, b| a.0 == b.0) {
        let Some((peer, _)) = of_peer.first() else { continue };
        let changes = of_peer.iter().map(|(_, change)| change.clone()).collect();
        queue.push(Item::Changes { peer: *peer, view: View::AdjRibInPost, changes, at });
    }
    gather(&mut chosen);
    if !chosen.is_empty() {
        queue.push(Item::Changes { peer: PeerId::LOCAL, view: View::LocRib, changes: chosen, at });
    }
    if next.is_none() {
        if topics.contains(Topic::TAKEN) {
            let view = View::AdjRibInPost;
            peers(rib).into_iter().for_each(|peer| queue.push(Item::End { peer, view, family }));
        }
        if topics.contains(Topic::CHOSEN) {
            queue.push(Item::End { peer: PeerId::LOCAL, view: View::LocRib, family });
        }
    }
    next
}

/// Tells what import took, before the core has it.
pub(crate) fn publish_taken(feed: &Feed, rib: &Rib, message: &ToCore) {
    let (peer, changes) = match message {
        ToCore::Routes(peer, batch) => {
            let v4 = batch.v4.iter().map(|c| (Prefix::V4(c.prefix), c.path_id, c.attributes));
            let v6 = batch.v6.iter().map(|c| (Prefix::V6(c.prefix), c.path_id, c.attributes));
            let attrs = |place: u32| batch.attributes.get(place as usize).cloned();
            let change = |(prefix, path_id, place): (Prefix, PathId, Option<u32>)| Change {
                prefix,
                path_id,
                attrs: place.and_then(attrs),
            };
            (*peer, v4.chain(v6).map(change).collect())
        }
        ToCore::RefreshEnds(peer, family) => (*peer, swept(rib, *peer, *family)),
        _ => return,
    };
    publish(feed, Topic::TAKEN, peer, View::AdjRibInPost, changes);
}

/// What the change of a best path is.
pub(crate) fn chosen(change: &BestChange<'_>) -> Change {
    let best = change.best.as_ref().map(|(_, best)| best.path.attrs.clone());
    Change { prefix: change.prefix, path_id: PathId(0), attrs: best }
}

/// Tells what was chosen.
pub(crate) fn publish_chosen(feed: &Feed, mut changes: Vec<Change>) {
    gather(&mut changes);
    publish(feed, Topic::CHOSEN, PeerId::LOCAL, View::LocRib, changes);
}

/// Tells what is on its way to a peer.
pub(crate) fn publish_sent(feed: &Feed, message: &ToPeer) {
    if let ToPeer::Send { peer, chunks, .. } = message {
        for octets in chunks {
            feed.publish(Topic::SENT, Item::Sent { peer: *peer, octets: octets.clone() });
        }
    }
}

fn publish(feed: &Feed, topic: Topic, peer: PeerId, view: View, changes: Vec<Change>) {
    if !changes.is_empty() {
        feed.publish(topic, Item::Changes { peer, view, changes, at: SystemTime::now() });
    }
}

/// Routes of a peer that go since an answer to a ROUTE-REFRESH has not named them again (RFC 7313 section 4).
fn swept(rib: &Rib, peer: PeerId, family: Family) -> Vec<Change> {
    let mut swept = Vec::new();
    let mut from = DestId::FIRST;
    while let Some(route) = rib.next_route(family, from) {
        from = route.cursor();
        let stale = route.paths.iter().filter(|path| path.slot() == peer.slot && path.is_stale());
        swept.extend(stale.map(|path| Change { prefix: route.prefix, path_id: path.path_id, attrs: None }));
    }
    swept
}
