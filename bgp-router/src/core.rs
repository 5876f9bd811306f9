//! The RIB with the sessions that feed it and are fed by it.

use std::collections::VecDeque;
use std::net::IpAddr;

use bgp_core::wire::{Attributes, Notification, cease};
use bgp_core::{AddressFamily, Family, Instant, Prefix, V4, V6};
use bgp_rib::{FibChange, NextHopState, PeerId, Rib, RibConfig, Watch};
use hashbrown::HashMap;

use crate::message::{Batch, CoreOutput, RouteChange, SessionUp, ToCore, ToPeer};

/// Octets of UPDATEs that may be on their way to one peer, between the group's journal and its socket.
pub const WINDOW: usize = 256 * 1024;

/// Sends that may be on their way to one peer: the bound of the channel that carries them.
pub const SENDS: usize = 8;

#[derive(Debug)]
struct Established {
    id: PeerId,
    max_prefix: Option<u32>,
    octets: usize,
    sends: usize,
    /// The group has something, but the window is full.
    waiting: bool,
}

/// The RIB and its sessions.
#[derive(Debug)]
pub struct Core {
    rib: Rib,
    /// By slot. Never iterated, so its order is nobody's business.
    sessions: HashMap<u32, Established, foldhash::fast::FixedState>,
    outputs: VecDeque<CoreOutput>,
}

impl Core {
    /// An empty RIB.
    #[must_use]
    pub fn new(config: RibConfig, store: AttributeStore) -> Core {
        let hasher = foldhash::fast::FixedState::with_seed(config.seed);
        Core { rib: Rib::new(config), sessions: HashMap::with_hasher(hasher), outputs: VecDeque::new() }
    }

    /// The tables, to look at.
    #[must_use]
    pub fn rib(&self) -> &Rib {
        &self.rib
    }

    /// A message from a peer.
    pub fn handle(&mut self, now: Instant, message: ToCore) {
        match message {
            ToCore::Up(up) => self.up(now, *up),
            ToCore::Routes(peer, batch) => self.routes(now, peer, &batch),
            ToCore::EndOfRib(peer, family) => self.rib.end_of_rib_received(now, peer, family),
            ToCore::Refresh(peer, family) => self.rib.refresh_requested(now, peer, family),
            ToCore::Written { peer, octets, sends } => self.written(peer, octets, sends),
            ToCore::Down(peer) => self.down(now, peer),
        }
    }

    /// Whether `peer` is the live session of its slot.
    fn session(&mut self, peer: PeerId) -> Option<&mut Established> {
        self.sessions.get_mut(&peer.slot).filter(|s| s.id == peer)
    }

    fn up(&mut self, now: Instant, up: SessionUp) {
        let id = up.peer.info.id;
        let session =
            Established { id, max_prefix: up.max_prefix, octets: 0, sends: 0, waiting: false };
        if let Some(old) = self.sessions.insert(id.slot, session) {
            self.rib.peer_down(now, old.id);
        }
        self.rib.peer_up(now, up.peer);
    }

    fn down(&mut self, now: Instant, peer: PeerId) {
        if self.session(peer).is_some() {
            self.sessions.remove(&peer.slot);
            self.rib.peer_down(now, peer);
        }
    }

    fn routes(&mut self, now: Instant, peer: PeerId, batch: &Batch) {
        let Some(session) = self.session(peer) else { return };
        let max_prefix = session.max_prefix;
        self.apply::<V4>(now, peer, batch, &batch.v4);
        self.apply::<V6>(now, peer, batch, &batch.v6);
        if let Some(max) = max_prefix
            && self.rib.paths_held(peer) > max as usize
        {
            let notification = Notification::cease(cease::MAX_PREFIXES, "");
            self.down(now, peer);
            self.outputs.push_back(CoreOutput::Peer(ToPeer::Reset(peer, notification)));
        }
    }

    fn apply<F: AddressFamily>(
        &mut self,
        now: Instant,
        peer: PeerId,
        batch: &Batch,
        changes: &[RouteChange<F::Prefix>],
    ) {
        for change in changes {
            let attrs = change.attributes.and_then(|index| batch.attributes.get(index as usize));
            match attrs {
                Some(attrs) => {
                    self.rib.announce::<F>(now, peer, change.prefix, change.path_id, attrs.clone());
                }
                None => self.rib.withdraw::<F>(now, peer, change.prefix, change.path_id),
            }
        }
    }

    fn written(&mut self, peer: PeerId, octets: usize, sends: usize) {
        let Some(session) = self.session(peer) else { return };
        session.octets = session.octets.saturating_sub(octets);
        session.sends = session.sends.saturating_sub(sends);
        if std::mem::take(&mut session.waiting) {
            self.transmit(peer);
        }
    }

    /// Announces a prefix of our own.
    pub fn announce_local(&mut self, now: Instant, prefix: Prefix) {
        self.rib.announce_local(now, prefix);
    }

    /// Withdraws a prefix of our own.
    pub fn withdraw_local(&mut self, now: Instant, prefix: Prefix) {
        self.rib.withdraw_local(now, prefix);
    }

    /// The world says whether a next hop can be reached.
    pub fn next_hop_changed(&mut self, now: Instant, next_hop: IpAddr, state: NextHopState) {
        self.rib.next_hop_changed(now, next_hop, state);
    }

    /// When [`Core::handle_timeout`] is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.rib.next_timeout()
    }

    /// Time has come: the groups turn what changed into messages.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.rib.handle_timeout(now);
    }

    /// The next thing to carry to a peer or the world.
    pub fn poll(&mut self) -> Option<CoreOutput> {
        while self.outputs.is_empty() {
            let Some(peer) = self.rib.poll_ready() else { break };
            self.transmit(peer);
        }
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        if let Some(peer) = self.rib.poll_reset() {
            return Some(self.out_of_resources(peer));
        }
        match self.rib.poll_watch()? {
            Watch::Start(next_hop) => Some(CoreOutput::Watch(next_hop)),
            Watch::Stop(next_hop) => Some(CoreOutput::Unwatch(next_hop)),
        }
    }

    fn out_of_resources(&mut self, peer: PeerId) -> CoreOutput {
        let text = "so far behind that resending would cost more than a new session";
        CoreOutput::Peer(ToPeer::Reset(peer, Notification::cease(cease::OUT_OF_RESOURCES, text)))
    }

    /// Moves chunks from the group to the peer, as far as its window allows.
    fn transmit(&mut self, peer: PeerId) {
        loop {
            let Some(session) = self.sessions.get_mut(&peer.slot).filter(|s| s.id == peer) else { return };
            if session.octets >= WINDOW || session.sends >= SENDS {
                session.waiting = true;
                return;
            }
            let mut chunks = Vec::new();
            let octets = self.rib.poll_transmit(peer, WINDOW - session.octets, &mut chunks);
            if octets == 0 {
                return;
            }
            session.octets += octets;
            session.sends += 1;
            self.outputs.push_back(CoreOutput::Peer(ToPeer::Send(peer, chunks)));
        }
    }

    /// Takes up to `max` changes of what the FIB should hold; what is not taken coalesces.
    pub fn take_fib_changes(&mut self, max: usize, out: &mut Vec<FibChange>) {
        self.rib.take_fib_changes(max, out);
    }
}
