//! Who routes come from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use bgp_core::{Asn, FamilySet, RouterId};

/// One established session of one peer. What arrives late for an earlier generation of a slot is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId {
    /// The peer's place; small numbers, below [`PeerId::SLOTS`], used again after the peer is gone. 0 is our own.
    pub slot: u32,
    /// Counts the sessions that had this slot, modulo [`PeerId::GENERATIONS`].
    pub generation: u32,
}

impl PeerId {
    /// The source of the routes that we originate.
    pub const LOCAL: PeerId = PeerId { slot: 0, generation: 0 };

    /// How many slots there are.
    pub const SLOTS: u32 = 1 << 20;

    /// How many sessions of a slot are told apart. What is late is late by a session or two.
    pub const GENERATIONS: u32 = 1 << 12;

    /// The next session in this slot.
    #[must_use]
    pub fn next_session(self) -> PeerId {
        PeerId { generation: self.generation.wrapping_add(1) % PeerId::GENERATIONS, ..self }
    }
}

/// A [`PeerId`] in four octets, as each of millions of paths has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source(u32);

impl From<PeerId> for Source {
    fn from(id: PeerId) -> Source {
        Source((id.slot % PeerId::SLOTS) * PeerId::GENERATIONS + id.generation % PeerId::GENERATIONS)
    }
}

impl From<Source> for PeerId {
    fn from(Source(packed): Source) -> PeerId {
        PeerId { slot: packed / PeerId::GENERATIONS, generation: packed % PeerId::GENERATIONS }
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

/// What a source of routes is to us (RFC 4456 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// We originate the route.
    Local,
    /// An eBGP peer.
    External,
    /// A peer in another member AS of our confederation (RFC 5065).
    Confederation,
    /// An iBGP peer that is not our client.
    Internal,
    /// An iBGP peer that we reflect for.
    Client,
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            SourceKind::Local => "local",
            SourceKind::External => "external",
            SourceKind::Confederation => "confederation",
            SourceKind::Internal => "internal",
            SourceKind::Client => "client",
        })
    }
}

/// What the tables know of a peer whose session is established.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// The session.
    pub id: PeerId,
    /// What it is to us.
    pub kind: SourceKind,
    /// The peer's address.
    pub address: IpAddr,
    /// Its BGP Identifier.
    pub router_id: RouterId,
    /// Its AS.
    pub asn: Asn,
    /// The families negotiated.
    pub families: FamilySet,
}

/// The sources that are there: the established peers, ourselves, and the peers that are gone but whose routes are kept
/// for them to come back.
#[derive(Debug)]
pub struct Peers {
    slots: Vec<Option<Entry>>,
}

#[derive(Debug)]
struct Entry {
    info: PeerInfo,
    /// Whether the session is established.
    up: bool,
}

impl Peers {
    /// Only [`PeerId::LOCAL`], with our own AS and identifier.
    #[must_use]
    pub fn new(asn: Asn, router_id: RouterId) -> Peers {
        let local = PeerInfo {
            id: PeerId::LOCAL,
            kind: SourceKind::Local,
            address: Ipv4Addr::UNSPECIFIED.into(),
            router_id,
            asn,
            families: FamilySet::EMPTY,
        };
        Peers { slots: vec![Some(Entry { info: local, up: true })] }
    }

    fn entry(&self, slot: u32) -> Option<&Entry> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// The peer, if just this session of it is established.
    #[must_use]
    pub fn get(&self, id: PeerId) -> Option<&PeerInfo> {
        self.slot(id.slot).filter(|info| info.id == id)
    }

    /// Whatever session has the slot now, if it is established.
    #[must_use]
    pub fn slot(&self, slot: u32) -> Option<&PeerInfo> {
        self.entry(slot).filter(|entry| entry.up).map(|entry| &entry.info)
    }

    /// Where a path comes from, whichever session of the source announced it: the session now, or, while there is none,
    /// the one before.
    #[must_use]
    pub fn source(&self, source: PeerId) -> Option<&PeerInfo> {
        self.entry(source.slot).map(|entry| &entry.info)
    }

    /// Adds a peer; gives back what had its slot.
    pub fn insert(&mut self, info: PeerInfo) -> Option<PeerInfo> {
        let slot = info.id.slot as usize;
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, || None);
        }
        self.slots.get_mut(slot)?.replace(Entry { info, up: true }).map(|entry| entry.info)
    }

    /// What the peer is to us has changed.
    pub(crate) fn set_kind(&mut self, id: PeerId, kind: SourceKind) {
        let entry = self.slots.get_mut(id.slot as usize).and_then(Option::as_mut);
        if let Some(entry) = entry.filter(|entry| entry.info.id == id) {
            entry.info.kind = kind;
        }
    }

    /// Takes a peer out, if just this session of it is there, established or not. [`PeerId::LOCAL`] stays.
    pub fn remove(&mut self, id: PeerId) -> Option<PeerInfo> {
        if id == PeerId::LOCAL {
            return None;
        }
        let entry = self.slots.get_mut(id.slot as usize)?.take_if(|entry| entry.info.id == id)?;
        Some(entry.info)
    }

    /// The session ended, but routes of it stay: [`Peers::source`] still finds it.
    pub fn lose(&mut self, id: PeerId) {
        let entry = self.slots.get_mut(id.slot as usize).and_then(Option::as_mut);
        if let Some(entry) = entry.filter(|entry| entry.info.id == id && id != PeerId::LOCAL) {
            entry.up = false;
        }
    }

    /// Who had the slot last, if its session is gone and routes of it stay.
    #[must_use]
    pub fn lost(&self, slot: u32) -> Option<&PeerInfo> {
        self.entry(slot).filter(|entry| !entry.up).map(|entry| &entry.info)
    }

    /// The established peers by slot, ourselves first.
    pub fn iter(&self) -> impl Iterator<Item = &PeerInfo> {
        self.slots.iter().flatten().filter(|entry| entry.up).map(|entry| &entry.info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_fits_into_four_octets() {
        let last = PeerId { slot: PeerId::SLOTS - 1, generation: PeerId::GENERATIONS - 1 };
        for id in [PeerId::LOCAL, PeerId { slot: 1, generation: 0 }, last] {
            assert_eq!(PeerId::from(Source::from(id)), id);
        }
        assert_eq!(last.next_session(), PeerId { generation: 0, ..last });
        assert_eq!(PeerId::LOCAL.next_session().generation, 1);
    }

    #[test]
    fn an_earlier_generation_is_not_the_peer() {
        let mut peers = Peers::new(Asn(64512), RouterId(1));
        let id = PeerId { slot: 3, generation: 2 };
        let mut info = peers.get(PeerId::LOCAL).unwrap().clone();
        info.id = id;
        assert_eq!(peers.insert(info), None);
        assert!(peers.get(id).is_some());
        assert_eq!(peers.get(PeerId { slot: 3, generation: 1 }), None);
        assert_eq!(peers.remove(PeerId { slot: 3, generation: 1 }), None);
        assert!(peers.remove(id).is_some());
        assert_eq!(peers.remove(PeerId::LOCAL), None);
        assert_eq!(peers.iter().count(), 1);
    }

    #[test]
    fn a_peer_that_is_lost_is_still_a_source() {
        let mut peers = Peers::new(Asn(64512), RouterId(1));
        let [old, new] = [2, 3].map(|generation| PeerId { slot: 3, generation });
        let info = |id| PeerInfo { id, ..peers_local() };
        peers.insert(info(old));
        peers.lose(new);
        assert!(peers.get(old).is_some() && peers.lost(3).is_none(), "another session was meant");
        peers.lose(old);
        assert_eq!((peers.get(old), peers.slot(3), peers.iter().count()), (None, None, 1));
        assert_eq!(peers.source(old).map(|info| info.id), Some(old));
        assert_eq!(peers.lost(3).map(|info| info.id), Some(old));
        peers.insert(info(new));
        assert_eq!(peers.source(old).map(|info| info.id), Some(new));
        peers.lose(new);
        assert!(peers.remove(new).is_some());
        assert_eq!(peers.source(old), None);
    }

    fn peers_local() -> PeerInfo {
        Peers::new(Asn(64512), RouterId(1)).get(PeerId::LOCAL).unwrap().clone()
    }
}
