//! What a collector has been told, and items as messages for it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bgp_core::wire::{Capability, MessageType, Open, Treatment, UpdateView, header};
use bgp_core::{Family, Prefix, link_local};
use bgp_rib::PeerId;
use bgp_telemetry::bmp::{self, Down, PeerHeader, Stat, Up, View};
use bgp_telemetry::update;

use super::World;
use super::asked::Numbers;
use super::item::{Change, Item, Session};

/// The name of our one table (RFC 9069 section 4.4).
const TABLE: &str = "global";

/// What one collector knows: nothing of a peer before its session, nothing after.
#[derive(Debug)]
pub(super) struct Told {
    sessions: HashMap<PeerId, Arc<Session>>,
    chosen: bool,
    updates: Vec<u8>,
}

pub(super) fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn header(session: &Session, view: View, at: SystemTime) -> PeerHeader {
    PeerHeader {
        view,
        address: session.remote.ip().to_canonical(),
        asn: session.peer_as,
        router_id: session.router_id,
        two_octet_as: false,
        at: since_1970(at),
    }
}

fn loc_rib(world: &World, at: SystemTime) -> PeerHeader {
    let address = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let (asn, router_id, at) = (world.asn, world.router_id, since_1970(at));
    PeerHeader { view: View::LocRib, address, asn, router_id, two_octet_as: false, at }
}

impl Told {
    /// Begins to speak; `chosen`: routes of Loc-RIB are told too.
    pub(super) fn begin(world: &World, chosen: bool, out: &mut Vec<u8>) -> Told {
        bmp::initiation(out, &world.name, &world.description);
        if chosen {
            let families = [Family::IPV4_UNICAST, Family::IPV6_UNICAST].map(Capability::Multiprotocol);
            let capabilities = families.into_iter().chain([Capability::FourOctetAs(world.asn)]).collect();
            let open = Open { asn: world.asn, hold_time: 0, router_id: world.router_id, capabilities };
            let mut octets = Vec::new();
            open.encode(&mut octets);
            let up = Up {
                local: Ipv4Addr::UNSPECIFIED.into(),
                local_port: 0,
                remote_port: 0,
                sent_open: &octets,
                received_open: &octets,
                table: Some(TABLE),
            };
            bmp::peer_up(out, &loc_rib(world, SystemTime::now()), &up);
        }
        Told { sessions: HashMap::new(), chosen, updates: Vec::new() }
    }

    /// The last words.
    pub(super) fn end(&self, world: &World, why: bmp::Ending, sentence: &str, out: &mut Vec<u8>) {
        if self.chosen {
            let down = Down::Table(TABLE.to_owned());
            bmp::peer_down(out, &loc_rib(world, SystemTime::now()), &down);
        }
        bmp::termination(out, why, sentence);
    }

    /// Appends what an item means to the collector.
    pub(super) fn tell(&mut self, world: &World, item: Item, out: &mut Vec<u8>) {
        match item {
            Item::Up(session) => self.up(session, out),
            Item::Down(peer, why) => {
                if let Some(session) = self.sessions.remove(&peer) {
                    bmp::peer_down(out, &header(&session, View::AdjRibInPre, SystemTime::now()), &why);
                }
            }
            Item::State { .. } => {}
            Item::Received { peer, body, treatment, at } => self.received(peer, &body, treatment, at, out),
            Item::Sent { peer, octets } => {
                if let Some(session) = self.sessions.get(&peer) {
                    let two_octet_as = !session.context.four_octet_as;
                    let peer = header(session, View::AdjRibOut, SystemTime::now());
                    bmp::route_monitoring(out, &PeerHeader { two_octet_as, ..peer }, &octets);
                }
            }
            Item::Changes { peer, view, changes, at } => {
                let Some(header) = self.header(world, peer, view, at) else { return };
                let add_path = self.sessions.get(&peer).map(|session| session.add_path);
                self.updates.clear();
                for run in changes.chunk_by(|a, b| a.attrs == b.attrs) {
                    let nlri = run.iter().map(|Change { prefix, path_id, .. }| {
                        let has_id = add_path.is_some_and(|families| families.contains(prefix.family()));
                        (has_id.then_some(*path_id), *prefix)
                    });
                    match run.first().and_then(|change| change.attrs.as_ref()) {
                        // What came in a message fits into one.
                        Some(attrs) => {
                            let next_hop = link_local::bare(attrs.next_hop());
                            let _ = update::announce(&mut self.updates, attrs.block(), next_hop, nlri);
                        }
                        None => update::withdraw(&mut self.updates, nlri),
                    }
                }
                bmp::route_monitoring(out, &header, &self.updates);
            }
            Item::End { peer, view, family } => {
                let is_agreed = self.sessions.get(&peer).is_none_or(|s| s.families.contains(family));
                if let Some(header) = self.header(world, peer, view, SystemTime::now()).filter(|_| is_agreed)
                {
                    self.updates.clear();
                    update::end_of_rib(&mut self.updates, family);
                    bmp::route_monitoring(out, &header, &self.updates);
                }
            }
        }
    }

    fn header(&self, world: &World, peer: PeerId, view: View, at: SystemTime) -> Option<PeerHeader> {
        match view {
            View::LocRib => Some(loc_rib(world, at)),
            _ => self.sessions.get(&peer).map(|session| header(session, view, at)),
        }
    }

    fn up(&mut self, session: Arc<Session>, out: &mut Vec<u8>) {
        if self.sessions.contains_key(&session.id) {
            return;
        }
        let up = Up {
            local: session.local.ip().to_canonical(),
            local_port: session.local.port(),
            remote_port: session.remote.port(),
            sent_open: &session.sent_open,
            received_open: &session.received_open,
            table: None,
        };
        bmp::peer_up(out, &header(&session, View::AdjRibInPre, session.since), &up);
        self.sessions.insert(session.id, session);
    }

    /// An UPDATE goes on as it came. One that was treated as a withdrawal goes as that.
    fn received(
        &mut self,
        peer: PeerId,
        body: &[u8],
        treatment: Treatment,
        at: SystemTime,
        out: &mut Vec<u8>,
    ) {
        let Some(session) = self.sessions.get(&peer) else { return };
        self.updates.clear();
        if treatment < Treatment::TreatAsWithdraw {
            header::write_message(&mut self.updates, MessageType::Update, |out| out.extend_from_slice(body));
        } else if let Ok(view) = UpdateView::parse(body, &session.context) {
            update::withdraw(&mut self.updates, destinations(session, &view));
        }
        let two_octet_as = !session.context.four_octet_as;
        let peer = PeerHeader { two_octet_as, ..header(session, View::AdjRibInPre, at) };
        bmp::route_monitoring(out, &peer, &self.updates);
    }

    /// Appends the counts of those whose sessions are known.
    pub(super) fn statistics(
        &self,
        world: &World,
        peers: &[(PeerId, Numbers)],
        loc_rib_sizes: &[(Family, u64)],
        out: &mut Vec<u8>,
    ) {
        let now = SystemTime::now();
        for (id, numbers) in peers {
            if let Some(session) = self.sessions.get(id) {
                bmp::statistics(out, &header(session, View::AdjRibInPre, now), &stats(numbers));
            }
        }
        if self.chosen {
            let total = loc_rib_sizes.iter().map(|(_, count)| count).sum();
            let of = loc_rib_sizes.iter().map(|(family, count)| Stat::LocRibOf(*family, *count));
            let stats: Vec<Stat> = [Stat::LocRib(total)].into_iter().chain(of).collect();
            bmp::statistics(out, &loc_rib(world, now), &stats);
        }
    }
}

/// All destinations that an UPDATE names.
fn destinations(session: &Session, view: &UpdateView<'_>) -> Vec<update::Nlri> {
    let id = |family: Family, id| session.add_path.contains(family).then_some(id);
    let mut found: Vec<update::Nlri> = Vec::new();
    for nlri in [view.withdrawn(), view.announced()] {
        found.extend(nlri.map(|(path, prefix)| (id(Family::IPV4_UNICAST, path), Prefix::V4(prefix))));
    }
    let mut multiprotocol =
        |family: Family,
         v4: bgp_core::wire::Nlri<'_, bgp_core::V4>,
         v6: bgp_core::wire::Nlri<'_, bgp_core::V6>| match family {
            Family::IPV4_UNICAST => found.extend(v4.map(|(path, p)| (id(family, path), Prefix::V4(p)))),
            Family::IPV6_UNICAST => found.extend(v6.map(|(path, p)| (id(family, path), Prefix::V6(p)))),
            _ => {}
        };
    if let Some(reach) = view.mp_reach() {
        multiprotocol(reach.family, reach.nlri_of(), reach.nlri_of());
    }
    if let Some(unreach) = view.mp_unreach() {
        multiprotocol(unreach.family, unreach.nlri_of(), unreach.nlri_of());
    }
    found
}

/// A counter of 32 bits wraps, as those of RFC 7854 do.
fn counter(count: u64) -> u32 {
    u32::try_from(count & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

fn stats(numbers: &Numbers) -> Vec<Stat> {
    let total = |of: fn(&[u64; 3]) -> u64| numbers.routes.iter().map(|(_, counts)| of(counts)).sum();
    let mut stats = vec![
        Stat::RejectedByPolicy(counter(numbers.rejected)),
        Stat::ClusterLoops(counter(numbers.cluster_loops)),
        Stat::AsPathLoops(counter(numbers.as_loops)),
        Stat::OriginatorLoops(counter(numbers.originator_loops)),
        Stat::TreatedAsWithdraw(counter(numbers.treated_as_withdraw)),
        Stat::AdjRibIn(total(|[received, _, _]| *received)),
        Stat::LocRib(total(|[_, accepted, _]| *accepted)),
        Stat::AdjRibOut(total(|[_, _, advertised]| *advertised)),
    ];
    for (family, [received, accepted, advertised]) in &numbers.routes {
        stats.extend([
            Stat::AdjRibInOf(*family, *received),
            Stat::LocRibOf(*family, *accepted),
            Stat::AdjRibOutOf(*family, *advertised),
        ]);
    }
    stats
}
