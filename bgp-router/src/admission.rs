//! Who may be a peer: configured addresses, and ranges whose members come and go.

use std::net::IpAddr;

use bgp_core::Prefix;
use bgp_rib::PeerId;
use hashbrown::HashMap;

use crate::config::PeerSettings;

/// A range of addresses whose members are accepted as peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeSettings {
    /// Addresses in this prefix are accepted.
    pub range: Prefix,
    /// At most so many at a time; further ones are refused. A member that is gone counts for as long as routes of it may
    /// be kept ([`Peer::may_have_left_routes`](crate::Peer::may_have_left_routes)).
    pub max_sessions: u32,
    /// How each is treated; its `address` is replaced by the peer's own.
    pub template: PeerSettings,
}

/// What to do with a connection from an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It belongs to the peer in this slot.
    Known(u32),
    /// A new member of a range: make a peer with this id, then treat the connection as its own.
    New {
        /// The slot of the new peer and the last generation that was used in it.
        id: PeerId,
        /// Its settings.
        settings: Box<PeerSettings>,
    },
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// No peer has the address and no range holds it.
    #[error("no peer is configured with this address and no range holds it")]
    Unknown,
    /// The range's bound is reached.
    #[error("the range {0} already has its {1} sessions")]
    RangeFull(Prefix, u32),
}

#[derive(Debug)]
struct Range {
    settings: RangeSettings,
    members: u32,
}

/// The addresses of peers, and which slot each has.
///
/// Bounded by the configured peers and the ranges' `max_sessions`. A slot is used again after its peer is gone:
/// the generation tells sessions apart.
#[derive(Debug)]
pub struct PeerTable {
    slots: HashMap<IpAddr, (u32, Option<Prefix>), foldhash::fast::FixedState>,
    ranges: Vec<Range>,
    free: Vec<PeerId>,
    next: u32,
}

impl PeerTable {
    /// Nobody may be a peer yet.
    #[must_use]
    pub fn new(seed: u64) -> PeerTable {
        let hasher = foldhash::fast::FixedState::with_seed(seed);
        // Slot 0 is the router itself.
        PeerTable { slots: HashMap::with_hasher(hasher), ranges: Vec::new(), free: Vec::new(), next: 1 }
    }

    fn take_slot(&mut self) -> PeerId {
        self.free.pop().unwrap_or_else(|| {
            let slot = self.next;
            self.next += 1;
            PeerId { slot, generation: 0 }
        })
    }

    /// Adds a configured peer; returns its slot with the last generation used in it, or `None` if the address
    /// already has one.
    pub fn add(&mut self, address: IpAddr) -> Option<PeerId> {
        if self.slots.contains_key(&address) {
            return None;
        }
        let id = self.take_slot();
        self.slots.insert(address, (id.slot, None));
        Some(id)
    }

    /// Adds a range, or replaces the settings of the one with the same prefix; members stay.
    pub fn set_range(&mut self, settings: RangeSettings) {
        match self.ranges.iter_mut().find(|r| r.settings.range == settings.range) {
            Some(range) => range.settings = settings,
            None => self.ranges.push(Range { settings, members: 0 }),
        }
        // The most specific range decides.
        self.ranges.sort_by_key(|r| std::cmp::Reverse(r.settings.range.len()));
    }

    /// Removes a range; returns the addresses of its members, whose peers the caller ends.
    pub fn remove_range(&mut self, range: Prefix) -> Vec<IpAddr> {
        self.ranges.retain(|r| r.settings.range != range);
        let mut members: Vec<IpAddr> = self.members(range).collect();
        members.sort_unstable();
        members
    }

    fn members(&self, range: Prefix) -> impl Iterator<Item = IpAddr> {
        self.slots.iter().filter(move |(_, (_, r))| *r == Some(range)).map(|(address, _)| *address)
    }

    /// Forgets a peer whose latest session was of `generation`; its slot may be used again.
    pub fn remove(&mut self, address: IpAddr, generation: u32) -> Option<u32> {
        let (slot, range) = self.slots.remove(&address)?;
        self.free.push(PeerId { slot, generation });
        if let Some(range) = self.ranges.iter_mut().find(|r| Some(r.settings.range) == range) {
            range.members = range.members.saturating_sub(1);
        }
        Some(slot)
    }

    /// The slot of a peer.
    #[must_use]
    pub fn slot(&self, address: IpAddr) -> Option<u32> {
        self.slots.get(&address).map(|(slot, _)| *slot)
    }

    /// The range that a peer is a member of; `None` for a configured one.
    #[must_use]
    pub fn range_of(&self, address: IpAddr) -> Option<Prefix> {
        self.slots.get(&address).and_then(|(_, range)| *range)
    }

    /// Decides on a connection from `address`.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn admit(&mut self, address: IpAddr) -> Result<Admission, Stranger> {
        if let Some(slot) = self.slot(address) {
            return Ok(Admission::Known(slot));
        }
        let length = if address.is_ipv4() { 32 } else { 128 };
        let host = Prefix::new(address, length).ok_or(Stranger::Unknown)?;
        let range =
            self.ranges.iter_mut().find(|r| r.settings.range.covers(&host)).ok_or(Stranger::Unknown)?;
        let RangeSettings { range: prefix, max_sessions, .. } = range.settings;
        if range.members >= max_sessions {
            return Err(Stranger::RangeFull(prefix, max_sessions));
        }
        range.members += 1;
        let settings = PeerSettings { address, passive: true, ..range.settings.template.clone() };
        let id = self.take_slot();
        self.slots.insert(address, (id.slot, Some(prefix)));
        Ok(Admission::New { id, settings: Box::new(settings) })
    }
}
