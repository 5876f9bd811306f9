//! Messages from the peer, and how far they bring a connection.

use super::Session;
use super::collision::{self, PATIENCE, Verdict};
use super::connection::{Connection, Phase};
use super::lifecycle::restart_keepalive;
use super::negotiate::{Negotiated, negotiate};
use super::output::{ConnectionId, DownReason, Output, Received};
use super::timer::Timer;
use crate::Instant;
use crate::wire::header::write_keepalive;
use crate::wire::notification::fsm_error;
use crate::wire::{Frame, MessageType, Notification, Open, RouteRefresh, frame};

impl Session {
    /// Takes whole messages off the front of `input`, what was read from the connection so far.
    ///
    /// Returns at each UPDATE, and at each ROUTE-REFRESH for a family of the session; call it again for the rest. With
    /// `None`, `input` is down to an incomplete message, to be kept until more is read, or is dropped whole because the
    /// connection is closed or unknown. Poll the outputs before acting on what is returned: it may have come in one
    /// read with the KEEPALIVE that established the session.
    pub fn receive<'a>(
        &mut self,
        now: Instant,
        id: ConnectionId,
        input: &mut &'a [u8],
    ) -> Option<Received<'a>> {
        loop {
            let Some(connection) = self.find(id) else {
                *input = &[];
                return None;
            };
            match frame(input, connection.max_received_len()) {
                Ok(None) => return None,
                Err(notification) => self.refuse(now, id, notification),
                Ok(Some(message)) => {
                    connection.restart_hold(now);
                    *input = input.get(message.len..).unwrap_or_default();
                    self.counters.received.count(message.kind);
                    if let Some(received) = self.message(now, id, message) {
                        return Some(received);
                    }
                }
            }
            self.report_state();
        }
    }

    /// The table of RFC 4271 section 8.2.2 for messages: what has its place goes on, all else ends the connection.
    fn message<'a>(&mut self, now: Instant, id: ConnectionId, message: Frame<'a>) -> Option<Received<'a>> {
        use MessageType as M;
        let stage = Stage::of(&self.find(id)?.phase);
        match (stage, message.kind) {
            (_, M::Notification) => self.notification(now, id, message.body),
            (Stage::BeforeOpen, M::Open) => self.peer_open(now, id, message.body),
            (Stage::Contending | Stage::OpenConfirm, M::Keepalive) => self.peer_confirms(now, id),
            (Stage::Established, M::Keepalive) => (),
            (Stage::Established, M::Update) => return Some(Received::Update(message.body)),
            (Stage::Established, M::RouteRefresh) => return self.route_refresh(now, id, message.body),
            (stage, kind) => self.refuse(now, id, stage.unexpected(kind)),
        }
        None
    }

    fn notification(&mut self, now: Instant, id: ConnectionId, body: &[u8]) {
        if let Some(notification) = Notification::parse(body) {
            self.counters.notifications_received.count(&notification);
            self.end(now, id, None, DownReason::NotificationReceived(notification));
        }
    }

    /// A request for a family that the session does not have is ignored (RFC 2918 section 4), and so are subtypes that
    /// nobody has defined, and the markers of RFC 7313 unless both offered them, malformed ones too.
    fn route_refresh<'a>(&mut self, now: Instant, id: ConnectionId, body: &[u8]) -> Option<Received<'a>> {
        let negotiated = self.negotiated()?;
        let markers = negotiated.enhanced_refresh;
        match RouteRefresh::parse(body) {
            Ok(refresh) => {
                let known = match refresh.subtype {
                    RouteRefresh::REQUEST => true,
                    RouteRefresh::BEGIN | RouteRefresh::END => markers,
                    _ => false,
                };
                let ours = known && negotiated.families.contains(refresh.family);
                return ours.then_some(Received::RouteRefresh(refresh));
            }
            Err(notification) if markers => self.refuse(now, id, notification),
            Err(_) => (),
        }
        None
    }

    fn peer_open(&mut self, now: Instant, id: ConnectionId, body: &[u8]) {
        let Some(connection) = self.find(id) else { return };
        let (config, direction) = (&connection.config, connection.direction);
        let agreed = Open::parse(body).and_then(|open| negotiate(config, id, direction, open));
        match agreed {
            Ok(negotiated) => self.suits(now, id, negotiated),
            Err(notification) => self.refuse(now, id, notification),
        }
    }

    /// The peer's OPEN suits us: our own goes if it has not yet, and the collision rules decide how it goes on.
    fn suits(&mut self, now: Instant, id: ConnectionId, negotiated: Negotiated) {
        let Some(Connection { config, .. }) = self.find(id) else { return };
        let survivor = collision::survivor(
            (config.router_id, config.local_as),
            (negotiated.peer_router_id, negotiated.peer_as),
        );
        let other = self.connections.iter().find(|connection| connection.id != id);
        let verdict = collision::judge(negotiated.direction, other, survivor);
        if verdict == Verdict::Refuse {
            self.collide(id);
            return self.probe_established(now);
        }
        if matches!(self.find(id).map(|connection| &connection.phase), Some(Phase::DelayOpen)) {
            self.send_open(now, id);
        }
        if let Some(connection) = self.find(id) {
            let negotiated = Box::new(negotiated);
            connection.phase = Phase::Contending { negotiated, confirmed: false };
            connection.timers.set(Timer::Contention, now + PATIENCE);
        }
        if let Verdict::Replace(loser) = verdict {
            self.collide(loser);
        }
        if verdict != Verdict::Contend {
            self.confirm(now, id);
        }
    }

    /// A peer that opens a second connection may have forgotten the first: a KEEPALIVE on that draws the TCP reset
    /// that tells, long before the hold timer would.
    fn probe_established(&mut self, now: Instant) {
        if let Some(id) = self.connections.iter().find(|c| c.is_established()).map(|c| c.id) {
            self.send_keepalive(now, id);
        }
    }

    /// Lets a connection that contends go on to OpenConfirm, and further if the peer's KEEPALIVE is there already.
    pub(super) fn confirm(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.find(id) else { return };
        let confirmed = match std::mem::replace(&mut connection.phase, Phase::OpenSent) {
            Phase::Contending { negotiated, confirmed } => {
                connection.phase = Phase::OpenConfirm(negotiated);
                confirmed
            }
            other => {
                connection.phase = other;
                return;
            }
        };
        connection.timers.stop(Timer::Contention);
        connection.restart_hold(now);
        self.send_keepalive(now, id);
        if confirmed {
            self.establish(now, id);
        }
    }

    fn peer_confirms(&mut self, now: Instant, id: ConnectionId) {
        match self.find(id).map(|connection| &mut connection.phase) {
            Some(Phase::Contending { confirmed, .. }) => *confirmed = true,
            _ => self.establish(now, id),
        }
    }

    fn establish(&mut self, now: Instant, id: ConnectionId) {
        let others: Vec<_> = self.connections.iter().map(|c| c.id).filter(|other| *other != id).collect();
        for other in others {
            self.give_way(other);
        }
        let Some(connection) = self.find(id) else { return };
        let negotiated = match std::mem::replace(&mut connection.phase, Phase::OpenSent) {
            Phase::OpenConfirm(negotiated) => negotiated,
            other => {
                connection.phase = other;
                return;
            }
        };
        connection.phase = Phase::Established { negotiated: negotiated.clone(), since: now };
        connection.restart_hold(now);
        self.connecting = false;
        self.timers.stop(Timer::ConnectRetry);
        self.counters.established += 1;
        self.outputs.push_back(Output::Established(negotiated));
    }

    /// Ends a connection in favour of one that is now established: silently if it was established itself, since then
    /// the peer has restarted (RFC 4724 section 4.2).
    fn give_way(&mut self, id: ConnectionId) {
        if !self.find(id).is_some_and(|connection| connection.is_established()) {
            return self.collide(id);
        }
        if let Some(old) = self.remove(id) {
            self.close(&old, None);
            self.last_error = Some(DownReason::PeerRestarted);
            self.outputs.push_back(Output::Down(DownReason::PeerRestarted));
        }
    }

    pub(super) fn send_keepalive(&mut self, now: Instant, id: ConnectionId) {
        let mut message = Vec::new();
        write_keepalive(&mut message);
        self.send(id, MessageType::Keepalive, message);
        let random = &mut self.random;
        if let Some(connection) = self.connections.iter_mut().find(|connection| connection.id == id) {
            restart_keepalive(connection, random, now);
            connection.start_send_hold(now);
        }
    }
}

/// The phases of a connection as far as messages tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    BeforeOpen,
    Contending,
    OpenConfirm,
    Established,
}

impl Stage {
    fn of(phase: &Phase) -> Stage {
        match phase {
            Phase::DelayOpen | Phase::OpenSent => Stage::BeforeOpen,
            Phase::Contending { .. } => Stage::Contending,
            Phase::OpenConfirm(_) => Stage::OpenConfirm,
            Phase::Established { .. } => Stage::Established,
        }
    }

    /// The finite state machine error for a message that has no place here: its data is the type (RFC 6608).
    fn unexpected(self, kind: MessageType) -> Notification {
        let subcode = match self {
            Stage::BeforeOpen => fsm_error::IN_OPEN_SENT,
            Stage::Contending | Stage::OpenConfirm => fsm_error::IN_OPEN_CONFIRM,
            Stage::Established => fsm_error::IN_ESTABLISHED,
        };
        Notification::with_data(Notification::FSM, subcode, vec![kind as u8])
    }
}
