//! A RIB between peers that are only numbers.

use std::hint::black_box;

use bgp_core::{Asn, ClusterId, FamilySet, Instant, PathId, RouterId};
use bgp_rib::{
    Attrs, ExportContext, GroupKey, PeerId, PeerInfo, PeerUp, Rib, RibConfig, RouteChange, SourceKind,
    TargetKind, Transmit,
};
use bytes::Bytes;

use crate::routes::{MadeUp, Route};

/// Routes in one read from a session.
const READ: usize = 2_000;

/// What a peer takes at a time.
pub const BUDGET: usize = 256 * 1024;

/// A route reflector's RIB.
pub struct World {
    pub rib: Rib,
    /// The UPDATEs that all peers were handed.
    pub updates: u64,
    now: Instant,
    chunks: Vec<Bytes>,
}

/// The peer with this number, from 1 on.
pub fn peer(slot: u32) -> PeerId {
    PeerId { slot, generation: 1 }
}

impl World {
    /// Nobody is there.
    pub fn new() -> World {
        let export = ExportContext {
            local_as: Asn(64512),
            router_id: RouterId(1),
            cluster_id: Some(ClusterId(1 << 20)),
        };
        let rib = Rib::new(RibConfig::new(export, 42));
        World { rib, updates: 0, now: Instant::ZERO, chunks: Vec::new() }
    }

    /// So many clients, all of one group, that have been sent all there is.
    pub fn with_clients(count: u32) -> World {
        let mut world = World::new();
        (1..=count).for_each(|slot| world.join(slot, FamilySet::UNICAST));
        world.run();
        world
    }

    /// A client comes up, and wants to be sent these families; it may announce both.
    pub fn join(&mut self, slot: u32, families: FamilySet) {
        let info = PeerInfo {
            id: peer(slot),
            kind: SourceKind::Client,
            address: std::net::Ipv4Addr::from(0x0a01_0000 + slot).into(),
            router_id: RouterId(0x0a01_0000 + slot),
            asn: Asn(64512),
            families: FamilySet::UNICAST,
        };
        self.rib.peer_up(self.now, PeerUp { info, group: GroupKey::new(TargetKind::Client, families) });
    }

    /// A client goes.
    pub fn leave(&mut self, slot: u32) {
        self.rib.peer_down(self.now, peer(slot));
    }

    /// A client announces routes with attributes out of `sets`.
    pub fn announce<F: MadeUp>(&mut self, slot: u32, routes: &[Route<F::Prefix>], sets: &[Attrs]) {
        self.apply::<F>(slot, routes, sets, |route| u32::try_from(route.set).ok());
    }

    /// A client withdraws routes.
    pub fn withdraw<F: MadeUp>(&mut self, slot: u32, routes: &[Route<F::Prefix>]) {
        self.apply::<F>(slot, routes, &[], |_| None);
    }

    /// As a session does it: all that was in one read at a time.
    fn apply<F: MadeUp>(
        &mut self,
        slot: u32,
        routes: &[Route<F::Prefix>],
        sets: &[Attrs],
        attributes: impl Fn(&Route<F::Prefix>) -> Option<u32>,
    ) {
        let mut changes = Vec::with_capacity(READ.min(routes.len()));
        for read in routes.chunks(READ) {
            changes.clear();
            changes.extend(read.iter().map(|route| RouteChange {
                prefix: route.prefix,
                path_id: PathId(0),
                attributes: attributes(route),
            }));
            self.rib.apply::<F>(self.now, peer(slot), &changes, sets);
        }
    }

    /// Turns what has changed into messages, and frees what nobody needs any more.
    pub fn flush(&mut self) {
        if let Some(at) = self.rib.next_timeout() {
            self.now = at.max(self.now);
            self.rib.handle_timeout(self.now);
        }
    }

    /// Hands all peers what they are to be sent; returns the octets.
    pub fn transmit(&mut self) -> usize {
        let mut total = 0;
        while let Some(peer) = self.rib.poll_ready() {
            total += self.transmit_to(peer);
        }
        total
    }

    fn transmit_to(&mut self, peer: PeerId) -> usize {
        let mut total = 0;
        loop {
            let Transmit { octets, updates, .. } = self.rib.poll_transmit(peer, BUDGET, &mut self.chunks);
            self.updates += updates;
            black_box(&self.chunks);
            self.chunks.clear();
            total += octets;
            if octets < BUDGET {
                return total;
            }
        }
    }

    /// Until all peers are in step and nothing is due any more; returns the octets.
    pub fn run(&mut self) -> usize {
        let mut total = 0;
        loop {
            self.flush();
            total += self.transmit();
            if self.rib.next_timeout().is_none() {
                return total;
            }
        }
    }
}
