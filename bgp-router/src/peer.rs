//! One peer: its session, the import of its UPDATEs, and what waits to be written to it.

mod established;
mod outputs;
mod pause;
mod receive;
mod reconfigure;
mod refresh;

use std::collections::{BTreeSet, VecDeque};

use bgp_core::fsm::{ConnectionId, Direction, DownReason, Output, Session, SessionConfig, State};
use bgp_core::wire::Notification;
use bgp_core::wire::notification::cease;
use bgp_core::{Instant, RouterId};
use bgp_rib::{AttributeStore, PeerId};

use crate::as_numbers::Dual;
use crate::config::{Identity, LocalAddresses, PeerSettings};
use crate::import::ImportCounters;
use crate::message::{ToCore, ToPeer};
use crate::write_queue::{WriteQueue, Written};
use established::Established;

pub use outputs::{PeerEvent, PeerOutput};
pub use reconfigure::Applied;

#[derive(Debug)]
struct Connection {
    id: ConnectionId,
    local: LocalAddresses,
    /// What its OPEN says, and so what a session over it agrees on.
    settings: PeerSettings,
    queue: WriteQueue,
    /// The session wants it closed once the queue is empty.
    closing: bool,
}

/// Octets written that are told to the core at once; less waits until the queue is empty.
const ACKNOWLEDGE: usize = crate::core::WINDOW / 4;

/// One peer, configured or accepted from a range.
///
/// Feed it with connections, octets and time; after every call take everything from [`Peer::poll`] and write
/// what [`Peer::queue`] holds.
pub struct Peer {
    identity: Identity,
    settings: PeerSettings,
    store: AttributeStore,
    session: Session,
    connections: Vec<Connection>,
    established: Option<Established>,
    /// The slot, and the generation of the latest session.
    id: PeerId,
    /// We have restarted, and say so.
    restarting: bool,
    /// Until when the core may keep routes of a session that ended.
    kept_until: Option<Instant>,
    /// Until when it stays down for having announced too much.
    paused_until: Option<Instant>,
    counters: ImportCounters,
    updates_sent: u64,
    refreshes_sent: u64,
    /// We are about to go (RFC 8326).
    draining: bool,
    /// Which AS the peer is told where it may know us by two.
    dual: Dual,
    /// UPDATEs are told as they came.
    mirrored: bool,
    outputs: VecDeque<PeerOutput>,
}

impl Peer {
    /// A peer that does nothing until [`Peer::start`]. `id` has a slot of its own among all peers of the router,
    /// not 0, and the last generation that was used in that slot.
    #[must_use]
    pub fn new(
        id: PeerId,
        identity: Identity,
        settings: PeerSettings,
        store: AttributeStore,
        seed: u64,
    ) -> Peer {
        let session = Session::new(settings.session(&identity), seed);
        Peer {
            identity,
            settings,
            store,
            session,
            connections: Vec::new(),
            established: None,
            id,
            restarting: false,
            kept_until: None,
            paused_until: None,
            counters: ImportCounters::default(),
            updates_sent: 0,
            refreshes_sent: 0,
            draining: false,
            dual: Dual::default(),
            mirrored: false,
            outputs: VecDeque::new(),
        }
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &PeerSettings {
        &self.settings
    }

    /// The slot, and the generation of the latest session.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// Whether it has no connection and asks for none, and left no routes behind that wait for it: the member of a range
    /// may then be forgotten, and its slot used again.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.connections.is_empty()
            && matches!(self.session.state(), State::Idle | State::Active)
            && !self.may_have_left_routes()
            && !self.is_paused()
    }

    /// Whether the core may keep routes of a session that ended (RFC 4724 section 4.2). It ends by time alone, with
    /// [`Peer::handle_timeout`].
    #[must_use]
    pub fn may_have_left_routes(&self) -> bool {
        self.kept_until.is_some()
    }

    /// Counts over all sessions.
    #[must_use]
    pub fn import_counters(&self) -> ImportCounters {
        let mut sum = self.counters;
        if let Some(established) = &self.established {
            sum.add(&established.importer.counters);
        }
        sum
    }

    /// Tells UPDATEs as they come, by [`PeerOutput::Received`], from now on or no more. The routes of one follow it.
    pub fn mirror(&mut self, mirrored: bool) {
        self.mirrored = mirrored;
    }

    /// The originators of routes of this session that were refused because our cluster has reflected them before, the
    /// first 64: another reflector has our cluster id.
    #[must_use]
    pub fn looped_originators(&self) -> &BTreeSet<RouterId> {
        static NONE: BTreeSet<RouterId> = BTreeSet::new();
        self.established.as_ref().map_or(&NONE, |established| established.importer.looped_originators())
    }

    /// UPDATEs given to connections over all sessions.
    #[must_use]
    pub fn updates_sent(&self) -> u64 {
        self.updates_sent
    }

    /// ROUTE-REFRESHes given to connections over all sessions: requests, and marks around answers (RFC 7313).
    #[must_use]
    pub fn refreshes_sent(&self) -> u64 {
        self.refreshes_sent
    }

    /// Starts the session (ManualStart).
    pub fn start(&mut self, now: Instant) {
        self.paused_until = None;
        self.session.start(now);
        self.drain(now);
    }

    /// Ends the session with `cease` and stays down (ManualStop).
    pub fn stop(&mut self, now: Instant, cease: Notification) {
        self.paused_until = None;
        self.session.stop(now, cease);
        self.drain(now);
    }

    /// Ends the session and stays down, as this process ends and another one will take its place: a peer that knows
    /// graceful restart is told nothing, so that it keeps our routes (RFC 4724 section 4.2).
    pub fn stop_for_restart(&mut self, now: Instant) {
        if self.session.negotiated().is_some_and(|negotiated| negotiated.restart.is_some()) {
            self.session.stop_silently(now);
        } else {
            self.session.stop(now, Notification::cease(cease::ADMINISTRATIVE_RESET, "restarting"));
        }
        self.drain(now);
    }

    /// Says from the next OPEN on whether we have restarted (the R bit of RFC 4724 section 3): from the start of the
    /// process until [`CoreOutput::Restarted`](crate::CoreOutput::Restarted).
    pub fn set_restarting(&mut self, now: Instant, restarting: bool) {
        self.restarting = restarting;
        let config = self.session_config(&self.settings);
        self.session.set_config(now, config);
        self.drain(now);
    }

    fn session_config(&self, settings: &PeerSettings) -> SessionConfig {
        let mut config = settings.session(&self.identity);
        if let Some(restart) = &mut config.graceful_restart {
            restart.restarted = self.restarting;
        }
        config
    }

    /// Ends the session with `notification`; it comes back after its back-off.
    pub fn reset(&mut self, now: Instant, notification: Notification) {
        self.session.reset(now, notification);
        self.drain(now);
    }

    /// Nothing is kept any longer for the peer to come back, as it cannot be reached either. Without effect on a session.
    pub fn drop_kept(&mut self) {
        if self.established.is_none() && self.kept_until.take().is_some() {
            self.outputs.push_back(PeerOutput::Core(ToCore::Down(self.id, None)));
        }
    }

    /// A TCP connection is up. `id` is the caller's, never used twice.
    pub fn connected(&mut self, now: Instant, id: ConnectionId, direction: Direction, local: LocalAddresses) {
        let settings = self.settings.clone();
        let queue = WriteQueue::default();
        // Seldom is there a second one.
        self.connections.reserve_exact(1);
        self.connections.push(Connection { id, local, settings, queue, closing: false });
        self.session.connected(now, id, direction);
        self.drain(now);
    }

    /// The TCP connection asked for did not come up.
    pub fn connect_failed(&mut self, now: Instant) {
        self.session.connect_failed(now);
        self.drain(now);
    }

    /// The connection is gone: closed by the peer, failed, or closed by the caller as asked.
    pub fn disconnected(&mut self, now: Instant, id: ConnectionId) {
        self.connections.retain(|c| c.id != id);
        self.session.disconnected(now, id);
        self.drain(now);
    }

    /// What the core says; what is for an earlier session of the peer is dropped.
    pub fn deliver(&mut self, now: Instant, message: ToPeer) {
        let Some(established) = &self.established else { return };
        if message.peer() != established.id {
            return;
        }
        match message {
            ToPeer::Send { chunks, counts, .. } => {
                let id = established.connection;
                self.updates_sent += counts.updates;
                self.refreshes_sent += counts.refreshes;
                if let Some(connection) = self.connections.iter_mut().find(|c| c.id == id) {
                    connection.queue.push_updates(chunks);
                }
                self.session.queued(now);
            }
            ToPeer::Many(_, family, count) => {
                self.outputs.push_back(PeerOutput::Event(PeerEvent::Many(family, count)));
            }
            ToPeer::Reset(_, notification) => self.reset_or_pause(now, notification),
        }
        self.drain(now);
    }

    /// What is to be written to a connection.
    #[must_use]
    pub fn queue(&self, id: ConnectionId) -> Option<&WriteQueue> {
        self.connections.iter().find(|c| c.id == id).map(|c| &c.queue)
    }

    /// Whether the connection is to be closed once its queue is empty.
    #[must_use]
    pub fn is_closing(&self, id: ConnectionId) -> bool {
        self.connections.iter().any(|c| c.id == id && c.closing)
    }

    /// The kernel took `octets` of the queue.
    pub fn wrote(&mut self, now: Instant, id: ConnectionId, octets: usize) {
        let Some(connection) = self.connections.iter_mut().find(|c| c.id == id) else { return };
        let written = connection.queue.advance(octets);
        let pending = !connection.queue.is_empty();
        self.acknowledge(now, id, written, pending);
        self.drain(now);
    }

    fn acknowledge(&mut self, now: Instant, id: ConnectionId, written: Written, pending: bool) {
        let Some(established) = self.established.as_mut().filter(|e| e.connection == id) else { return };
        self.session.sent(now, pending);
        if written.octets > 0 {
            self.session.update_written(now);
        }
        let sum = &mut established.written;
        sum.octets += written.octets;
        sum.sends += written.sends;
        if sum.sends > 0 && (!pending || sum.octets >= ACKNOWLEDGE) {
            let Written { octets, sends } = std::mem::take(sum);
            let message = ToCore::Written { peer: established.id, octets, sends, at: now };
            self.outputs.push_back(PeerOutput::Core(message));
        }
    }

    /// When [`Peer::handle_timeout`] is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let due = [self.session.next_timeout(), self.answer_due(), self.kept_until, self.paused_until];
        due.into_iter().flatten().min()
    }

    /// Whether the hold timer is about to expire: only then [`Peer::handle_timeout`] has to know of unread input.
    #[must_use]
    pub fn is_hold_due(&self, now: Instant) -> bool {
        self.session.is_hold_due(now)
    }

    /// Time has come. `unread`: the socket still holds input, so the hold timer's expiry is put off.
    pub fn handle_timeout(&mut self, now: Instant, unread: bool) {
        self.end_answers_due(now);
        self.kept_until.take_if(|until| *until <= now);
        self.end_pause_due(now);
        self.session.handle_timeout(now, unread);
        self.drain(now);
    }

    /// The next thing to do for the caller.
    pub fn poll(&mut self) -> Option<PeerOutput> {
        self.poll_session().or_else(|| self.judge_again())
    }

    /// [`Peer::poll`] without kept routes that are judged again: they may be as many as the peer has, and are told one
    /// batch at a time by whoever has room for it.
    pub fn poll_session(&mut self) -> Option<PeerOutput> {
        self.outputs.pop_front()
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Connect => self.outputs.push_back(PeerOutput::Connect),
                Output::Send(id, message) => {
                    if let Some(connection) = self.connections.iter_mut().find(|c| c.id == id) {
                        connection.queue.push_control(message);
                    }
                }
                Output::Close(id) => self.close(id),
                Output::Established(negotiated) => self.come_up(negotiated),
                Output::Down(reason) => {
                    self.go_down(now, &reason);
                    self.outputs.push_back(PeerOutput::Event(PeerEvent::Down(reason)));
                }
                Output::Failed(reason) => {
                    self.try_other_as(now, &reason);
                    self.outputs.push_back(PeerOutput::Event(PeerEvent::Failed(reason)));
                }
                Output::StateChanged { from, to } => {
                    self.outputs.push_back(PeerOutput::Event(PeerEvent::State { from, to }));
                }
            }
        }
    }

    /// A peer that refuses our AS may know us by another.
    fn try_other_as(&mut self, now: Instant, reason: &DownReason) {
        let DownReason::NotificationReceived(notification) = reason else { return };
        if self.dual.refused(&mut self.settings, notification) {
            self.session.set_config(now, self.session_config(&self.settings));
        }
    }

    fn close(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.iter_mut().find(|c| c.id == id) {
            connection.closing = true;
            connection.queue.drop_updates();
        }
        self.outputs.push_back(PeerOutput::Close(id));
    }
}
