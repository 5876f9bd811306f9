//! All the parts of a router in one thread.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use bgp_core::fsm::{ConnectionId, Direction};
use bgp_core::{Instant, RouterId};
use bgp_rib::{AttributeStore, PeerId, RibConfig};

use crate::admission::{Admission, PeerTable, RangeSettings, Stranger};
use crate::config::{Identity, LocalAddresses, PeerSettings};
use crate::core::Core;
use crate::message::{CoreOutput, ToCore, ToPeer};
use crate::peer::{Peer, PeerEvent, PeerOutput};

/// What a router asks of whoever runs it.
#[derive(Debug)]
pub enum RouterOutput {
    /// Open a connection to the peer in this slot.
    Connect(u32),
    /// Close the connection once what is queued for it is written.
    Close(u32, ConnectionId),
    /// Tell the operator.
    Event(u32, PeerEvent),
    /// The peers that were waited for have sent their tables, or took too long.
    Converged,
    /// Our restart is over: our peers were told the end of our routes.
    Restarted,
    /// Two peers say that they are the same router.
    DuplicateRouterId {
        /// The id that they share.
        router_id: RouterId,
        /// Their addresses.
        peers: [IpAddr; 2],
    },
}

struct Slot {
    peer: Peer,
    to_core: VecDeque<ToCore>,
    to_peer: VecDeque<ToPeer>,
}

/// A whole speaker for simulation and for embedding in a single thread.
///
/// Messages between the parts wait in queues; [`Router::step`] carries one, drawn by the seed among all that
/// could be next, as tasks of a daemon might be scheduled. Messages of one peer in one direction stay in order.
pub struct Router {
    identity: Identity,
    store: AttributeStore,
    table: PeerTable,
    slots: BTreeMap<u32, Slot>,
    core: Core,
    /// What the peers were told of our restart.
    restarting: bool,
    outputs: VecDeque<RouterOutput>,
    random: u64,
}

impl Router {
    /// A router without peers. What it does from now on depends on its inputs and `rib.seed` alone.
    #[must_use]
    pub fn new(identity: Identity, rib: RibConfig) -> Router {
        let seed = rib.seed;
        let store = AttributeStore::new(seed);
        Router {
            identity,
            store: store.clone(),
            table: PeerTable::new(seed),
            slots: BTreeMap::new(),
            core: Core::new(rib, store),
            restarting: false,
            outputs: VecDeque::new(),
            random: seed,
        }
    }

    /// splitmix64: small, and the same everywhere.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The router has just been made in the place of one that ended (RFC 4724 section 4.1), see
    /// [`Core::begin_restart`]. Says [`RouterOutput::Restarted`] when that is over, at `deadline` at the latest.
    pub fn begin_restart(&mut self, now: Instant, deadline: Instant) {
        self.with_core(|core| core.begin_restart(now, deadline));
        self.tell_restart(now);
    }

    /// Ends all sessions so that peers that know graceful restart keep our routes: the process ends.
    pub fn stop_for_restart(&mut self, now: Instant) {
        for slot in self.slots().collect::<Vec<_>>() {
            self.with_peer(slot, |peer| peer.stop_for_restart(now));
        }
    }

    /// Lets the peers' OPENs say whether our restart is still under way.
    fn tell_restart(&mut self, now: Instant) {
        let restarting = self.core.is_restarting();
        if std::mem::replace(&mut self.restarting, restarting) != restarting {
            for slot in self.slots().collect::<Vec<_>>() {
                self.with_peer(slot, |peer| peer.set_restarting(now, restarting));
            }
        }
    }

    /// Adds a peer and starts it; returns its slot, or `None` if the address already has one.
    pub fn add_peer(&mut self, now: Instant, settings: PeerSettings) -> Option<u32> {
        let id = self.table.add(settings.address)?;
        self.insert(now, id, settings);
        Some(id.slot)
    }

    /// Accepts peers from a range.
    pub fn add_range(&mut self, settings: RangeSettings) {
        self.table.set_range(settings);
    }

    fn insert(&mut self, now: Instant, id: PeerId, settings: PeerSettings) {
        let seed = self.draw();
        let peer = Peer::new(id, self.identity, settings, self.store.clone(), seed);
        self.slots.insert(id.slot, Slot { peer, to_core: VecDeque::new(), to_peer: VecDeque::new() });
        let restarting = self.restarting;
        self.with_peer(id.slot, |peer| {
            peer.set_restarting(now, restarting);
            peer.start(now);
        });
    }

    /// Decides on a connection from `remote`; makes the peer if a range takes it.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn accept(
        &mut self,
        now: Instant,
        id: ConnectionId,
        remote: IpAddr,
        local: LocalAddresses,
    ) -> Result<u32, Stranger> {
        let slot = match self.table.admit(remote)? {
            Admission::Known(slot) => slot,
            Admission::New { id, settings } => {
                self.insert(now, id, *settings);
                id.slot
            }
        };
        self.with_peer(slot, |peer| peer.connected(now, id, Direction::Incoming, local));
        Ok(slot)
    }

    /// Acts on one peer and takes its outputs; `None` if there is none in the slot.
    pub fn with_peer<R>(&mut self, slot: u32, act: impl FnOnce(&mut Peer) -> R) -> Option<R> {
        let entry = self.slots.get_mut(&slot)?;
        let result = act(&mut entry.peer);
        while let Some(output) = entry.peer.poll() {
            match output {
                PeerOutput::Connect => self.outputs.push_back(RouterOutput::Connect(slot)),
                PeerOutput::Close(id) => self.outputs.push_back(RouterOutput::Close(slot, id)),
                PeerOutput::Core(message) => entry.to_core.push_back(message),
                PeerOutput::Event(event) => self.outputs.push_back(RouterOutput::Event(slot, event)),
                // Nobody here asks to be told.
                PeerOutput::Received { .. } => {}
            }
        }
        Some(result)
    }

    /// The peer in a slot, to look at.
    #[must_use]
    pub fn peer(&self, slot: u32) -> Option<&Peer> {
        self.slots.get(&slot).map(|s| &s.peer)
    }

    /// The slots in use.
    pub fn slots(&self) -> impl Iterator<Item = u32> {
        self.slots.keys().copied()
    }

    /// The RIB, to look at.
    #[must_use]
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Acts on the RIB: local prefixes, next hops, FIB changes.
    pub fn with_core<R>(&mut self, act: impl FnOnce(&mut Core) -> R) -> R {
        let result = act(&mut self.core);
        self.take_core_outputs();
        result
    }

    fn take_core_outputs(&mut self) {
        while let Some(output) = self.core.poll() {
            match output {
                CoreOutput::Peer(message) => {
                    if let Some(slot) = self.slots.get_mut(&message.peer().slot) {
                        slot.to_peer.push_back(message);
                    }
                }
                // The instants are the caller's: nothing is to be learned from them.
                CoreOutput::Propagated(_) => {}
                CoreOutput::Converged => self.outputs.push_back(RouterOutput::Converged),
                CoreOutput::Restarted => self.outputs.push_back(RouterOutput::Restarted),
                CoreOutput::DuplicateRouterId { router_id, peers } => {
                    self.outputs.push_back(RouterOutput::DuplicateRouterId { router_id, peers });
                }
            }
        }
    }

    /// Carries one message between the parts; `false` if none waits.
    pub fn step(&mut self, now: Instant) -> bool {
        self.tell_restart(now);
        let waiting: Vec<(u32, bool)> = self
            .slots
            .iter()
            .flat_map(|(slot, s)| {
                let to_core = (!s.to_core.is_empty()).then_some((*slot, true));
                let to_peer = (!s.to_peer.is_empty()).then_some((*slot, false));
                to_core.into_iter().chain(to_peer)
            })
            .collect();
        if waiting.is_empty() {
            self.forget_members(now);
            return false;
        }
        let pick = (self.draw() % waiting.len() as u64) as usize;
        let Some(&(slot, to_core)) = waiting.get(pick) else { return false };
        let Some(entry) = self.slots.get_mut(&slot) else { return false };
        if to_core {
            if let Some(message) = entry.to_core.pop_front() {
                self.with_core(|core| core.handle(now, message));
            }
        } else if let Some(message) = entry.to_peer.pop_front() {
            self.with_peer(slot, |peer| peer.deliver(now, message));
        }
        true
    }

    /// Members of ranges that are gone make room for others. Nothing waits for them or for the core.
    fn forget_members(&mut self, now: Instant) {
        let Router { slots, table, .. } = self;
        let gone = slots.extract_if(.., |_, slot| {
            table.range_of(slot.peer.settings().address).is_some() && slot.peer.is_alone()
        });
        for (slot, member) in gone.collect::<Vec<_>>() {
            self.table.remove(member.peer.settings().address, member.peer.id().generation);
            self.with_core(|core| core.forget(now, slot));
        }
    }

    /// Carries messages until none waits.
    pub fn run(&mut self, now: Instant) {
        while self.step(now) {}
    }

    /// When [`Router::handle_timeout`] is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let peers = self.slots.values().filter_map(|s| s.peer.next_timeout());
        peers.chain(self.core.next_timeout()).min()
    }

    /// Time has come: every part whose deadline has passed acts. No socket holds unread input here.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = |t: Option<Instant>| t.is_some_and(|t| t <= now);
        let slots: Vec<u32> =
            self.slots.iter().filter(|(_, s)| due(s.peer.next_timeout())).map(|(slot, _)| *slot).collect();
        for slot in slots {
            self.with_peer(slot, |peer| peer.handle_timeout(now, false));
        }
        if due(self.core.next_timeout()) {
            self.with_core(|core| core.handle_timeout(now));
        }
    }

    /// The next thing to do for the caller.
    pub fn poll(&mut self) -> Option<RouterOutput> {
        self.outputs.pop_front()
    }
}

#[cfg(test)]
mod tests;
