//! What the tests of this crate build on.

use std::net::{IpAddr, Ipv4Addr};

use bgp_core::wire::{Origin, Summary};
use bgp_core::{AddressFamily, Asn, FamilySet, Instant, Ipv4Prefix, PathId, PeerKind, RouterId, V4};
use proptest::prelude::*;

use crate::{AttributeStore, Attrs, Path, PeerId, PeerInfo, Peers, SourceKind};

/// An attribute set of this content; equal arguments give the same one.
pub(crate) fn attrs(store: &AttributeStore, next_hop: u8, summary: Summary) -> Attrs {
    let next_hop = IpAddr::from([10, 9, 9, next_hop]);
    store.insert(PeerKind::Internal, next_hop, &[format!("{summary:?}").as_bytes()], summary)
}

pub(crate) fn prefix(number: u8) -> Ipv4Prefix {
    V4::from_wire(24, &[10, 0, number]).unwrap()
}

/// Slots 1 and 2 are external, 3 and 4 internal, the rest clients; router ids fall as addresses rise.
pub(crate) fn info(slot: u32, generation: u32) -> PeerInfo {
    let kind = match slot {
        1 | 2 => SourceKind::External,
        3 | 4 => SourceKind::Internal,
        _ => SourceKind::Client,
    };
    PeerInfo {
        id: PeerId { slot, generation },
        kind,
        address: Ipv4Addr::from(0x0a00_0000 + slot).into(),
        router_id: RouterId(1000 - slot),
        asn: Asn(64512 + slot),
        families: FamilySet::EMPTY.with(V4::FAMILY),
    }
}

pub(crate) fn peers(slots: u32) -> Peers {
    let mut peers = Peers::new(Asn(64512), RouterId(5000));
    for slot in 1..=slots {
        peers.insert(info(slot, 1));
    }
    peers
}

pub(crate) fn peer(slot: u32) -> PeerId {
    if slot == 0 { PeerId::LOCAL } else { PeerId { slot, generation: 1 } }
}

/// Attributes of few values each, so that ties are common.
pub(crate) fn any_summary() -> impl Strategy<Value = Summary> {
    let some = |range: std::ops::Range<u32>| proptest::option::of(range);
    let head = (0..2_u8, 0..2_u16, some(1..3), some(99..102), some(0..3));
    (head, some(990..1000), 0..2_u16, proptest::bool::weighted(0.1)).prop_map(
        |((origin, len, neighbor, pref, med), originator, clusters, llgr_stale)| Summary {
            origin: if origin == 0 { Origin::Igp } else { Origin::Incomplete },
            as_path_len: len,
            neighbor_as: neighbor.map(Asn),
            local_pref: pref,
            med,
            originator_id: originator.map(RouterId),
            cluster_list_len: clusters,
            llgr_stale,
            ..Summary::default()
        },
    )
}

/// A path as sent by `slot`, with a reachable next hop.
pub(crate) fn path(store: &AttributeStore, slot: u32, next_hop: u8, summary: Summary) -> Path {
    Path::new(peer(slot), PathId(0), attrs(store, next_hop, summary), Instant::ZERO)
}
