//! One peer: its session, the import of its UPDATEs, and what waits to be written to it.

mod pause;
mod reconfigure;
mod refresh;

use std::collections::VecDeque;

use bgp_core::fsm::{
    ConnectionId, Direction, DownReason, Negotiated, Output, PeerRestart, Received, Session, SessionConfig,
    State,
};
use bgp_core::wire::notification::cease;
use bgp_core::wire::{Fault, Notification, Treatment};
use bgp_core::{Family, FamilySet, Instant, RouterId};
use bgp_rib::{AttributeStore, GroupKey, PeerId, PeerInfo, PeerUp, SourceKind};
use bytes::Bytes;

use crate::as_numbers::Dual;
use crate::config::{Identity, LocalAddresses, PeerSettings};
use crate::import::{Fatal, ImportCounters, Importer};
use crate::message::{Batch, Retention, SessionUp, ToCore, ToPeer};
use crate::write_queue::{WriteQueue, Written};

pub use reconfigure::Applied;

/// What a peer asks of whoever runs it.
#[derive(Debug)]
pub enum PeerOutput {
    /// Open a TCP connection to the peer; answer with [`Peer::connected`] or [`Peer::connect_failed`].
    Connect,
    /// Close the connection once its [`Peer::queue`] is empty.
    Close(ConnectionId),
    /// Carry this to the core.
    Core(ToCore),
    /// Tell the operator.
    Event(PeerEvent),
    /// An UPDATE came, as [`Peer::mirror`] asked to be told.
    Received {
        /// The session.
        peer: PeerId,
        /// The UPDATE without its header.
        body: Bytes,
        /// What was done about its faults (RFC 7606).
        treatment: Treatment,
    },
}

/// What an operator wants to know of a peer.
#[derive(Debug)]
pub enum PeerEvent {
    /// The session changed its state.
    State {
        /// Before.
        from: State,
        /// After.
        to: State,
    },
    /// The session is established.
    Established(Box<Negotiated>),
    /// The session was established and has ended.
    Down(DownReason),
    /// The session did not come up.
    Failed(DownReason),
    /// The peer has announced so many routes of a family that the operator wanted to be told.
    Many(Family, usize),
    /// An UPDATE had faults (RFC 7606). If the session could not go on, that is told next.
    Malformed {
        /// The faults.
        faults: Vec<Fault>,
        /// The UPDATE without its header.
        body: Vec<u8>,
    },
}

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

struct Established {
    id: PeerId,
    connection: ConnectionId,
    importer: Importer,
    /// Our end of the connection.
    local: LocalAddresses,
    /// The settings that it was agreed with.
    agreed: PeerSettings,
    /// The update group, and what the peer is to us, as told to the core.
    group: (GroupKey, SourceKind),
    /// The families whose End-of-RIB has come.
    complete: FamilySet,
    /// The families that the peer sends again, and until when it may take.
    answers: Vec<(Family, Instant)>,
    /// Written but not yet told to the core.
    written: Written,
    /// What the peer said of its restart.
    restart: Option<PeerRestart>,
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
    pub fn looped_originators(&self) -> Vec<RouterId> {
        let importer = self.established.as_ref().map(|established| &established.importer);
        importer.into_iter().flat_map(|importer| importer.looped_originators().iter().copied()).collect()
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

    /// A TCP connection is up. `id` is the caller's, never used twice.
    pub fn connected(&mut self, now: Instant, id: ConnectionId, direction: Direction, local: LocalAddresses) {
        let settings = self.settings.clone();
        let queue = WriteQueue::default();
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

    /// Takes the complete messages at the front of `input`, which came from connection `id`; returns how many
    /// octets were used. The rest is the start of a message: give it again with more behind it.
    pub fn read(&mut self, now: Instant, id: ConnectionId, input: &[u8]) -> usize {
        self.read_with(now, id, input, &mut Batch::default())
    }

    /// [`Peer::read`] with a batch that is empty before and after: one that is used again has grown to the size of a read,
    /// and what goes to the core is allocated once.
    pub fn read_with(&mut self, now: Instant, id: ConnectionId, input: &[u8], batch: &mut Batch) -> usize {
        let mut rest = input;
        batch.received = Some(now);
        while let Some(received) = self.session.receive(now, id, &mut rest) {
            match received {
                Received::Update(body) => self.update(now, body, batch),
                Received::RouteRefresh(refresh) => self.refresh(now, refresh, batch),
            }
            // A session that comes up or goes down inside the loop must reach the core in order.
            self.drain(now);
        }
        self.flush_batch(batch);
        // What a session left that ended on the way.
        batch.clear();
        self.drain(now);
        input.len() - rest.len()
    }

    fn update(&mut self, now: Instant, body: &[u8], batch: &mut Batch) {
        self.drain(now);
        let Some(established) = &mut self.established else { return };
        let id = established.id;
        let outcome = established.importer.update(body, batch);
        if self.mirrored {
            let faults = match &outcome {
                Ok(outcome) => &outcome.faults,
                Err(fatal) => &fatal.faults,
            };
            let treatment = faults.iter().map(|fault| fault.treatment).max().unwrap_or(Treatment::Accept);
            let body = Bytes::copy_from_slice(body);
            self.outputs.push_back(PeerOutput::Received { peer: id, body, treatment });
        }
        match outcome {
            Ok(outcome) => {
                if let Some(family) = outcome.end_of_rib {
                    established.complete = established.complete.with(family);
                    self.flush_batch(batch);
                    self.outputs.push_back(PeerOutput::Core(ToCore::EndOfRib(id, family)));
                }
                if !outcome.faults.is_empty() {
                    self.report(outcome.faults, body);
                }
                self.check_kept(now);
            }
            Err(Fatal { notification, faults }) => {
                self.flush_batch(batch);
                self.report(faults, body);
                self.session.reset(now, notification);
            }
        }
    }

    fn report(&mut self, faults: Vec<Fault>, body: &[u8]) {
        let event = PeerEvent::Malformed { faults, body: body.to_vec() };
        self.outputs.push_back(PeerOutput::Event(event));
    }

    fn flush_batch(&mut self, batch: &mut Batch) {
        if let (Some(established), false) = (&self.established, batch.is_empty()) {
            let message = ToCore::Routes(established.id, batch.take());
            self.outputs.push_back(PeerOutput::Core(message));
        }
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

    fn come_up(&mut self, negotiated: Box<Negotiated>) {
        let connection = negotiated.connection;
        let Some(Connection { local, settings, .. }) = self.connections.iter().find(|c| c.id == connection)
        else {
            return;
        };
        let (local, agreed) = (*local, settings.clone());
        self.id = self.id.next_session();
        let info = PeerInfo {
            id: self.id,
            kind: self.settings.source_kind(negotiated.kind),
            address: self.settings.address,
            router_id: negotiated.peer_router_id,
            asn: negotiated.peer_as,
            families: negotiated.families,
        };
        let group = self.settings.group_key(&self.identity, &negotiated, &local, self.draining);
        let theirs = negotiated.restart.as_ref();
        let up = SessionUp {
            limits: self.settings.limits,
            restart: agreed.restart.zip(theirs).map(|(ours, theirs)| ours.session_restart(theirs)),
            sends_end_of_rib: negotiated.peer_sends_end_of_rib(),
            restarted: theirs.is_some_and(|restart| restart.restarted),
            enhanced_refresh: negotiated.enhanced_refresh,
            ..SessionUp::new(PeerUp { info, group: group.clone() })
        };
        let context = negotiated.decode_context();
        let importer = Importer::new(
            self.identity,
            self.settings.clone(),
            context,
            (local, negotiated.peer_as),
            self.store.clone(),
        );
        self.established = Some(Established {
            id: self.id,
            connection,
            importer,
            local,
            agreed,
            group: (group, self.settings.source_kind(negotiated.kind)),
            complete: FamilySet::EMPTY,
            answers: Vec::new(),
            written: Written::default(),
            restart: negotiated.restart.clone(),
        });
        // Whoever watches knows of the session before anything else of it happens.
        self.outputs.push_back(PeerOutput::Event(PeerEvent::Established(negotiated)));
        self.outputs.push_back(PeerOutput::Core(ToCore::Up(Box::new(up))));
    }

    fn go_down(&mut self, now: Instant, reason: &DownReason) {
        let Some(established) = self.established.take() else { return };
        self.counters.add(&established.importer.counters);
        let restart = established.restart.filter(|restart| restart.retains(reason));
        let retention = established.agreed.restart.zip(restart).map(|(ours, theirs)| ours.retention(&theirs));
        // What the session before it left may be kept for longer.
        let longest = |kept: &Retention| self.kept_until.max(Some(now + kept.longest()));
        self.kept_until = retention.as_ref().and_then(longest);
        self.outputs.push_back(PeerOutput::Core(ToCore::Down(established.id, retention)));
    }
}
