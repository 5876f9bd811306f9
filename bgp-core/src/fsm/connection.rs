//! One TCP connection of a session and how far it has come.

use std::time::Duration;

use super::config::SessionConfig;
use super::negotiate::Negotiated;
use super::output::{ConnectionId, Direction, State};
use super::restart::PeerRestart;
use super::timer::{Timer, Timers};
use crate::Instant;
use crate::wire::header::MAX_LEN;

/// How far a connection has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// TCP is up, our OPEN waits for the peer's or for its timer.
    DelayOpen,
    /// Our OPEN is sent.
    OpenSent,
    /// The peer's OPEN suits us, but another connection that is still before its own OPEN would be the one to keep. Our
    /// KEEPALIVE is held back, so that the peer cannot take this one for established; `confirmed` if its own came.
    Contending { negotiated: Box<Negotiated>, confirmed: bool },
    /// The peer's OPEN suits us and our KEEPALIVE is sent.
    OpenConfirm(Box<Negotiated>),
    /// The peer's KEEPALIVE came.
    Established { negotiated: Box<Negotiated>, since: Instant },
}

/// A connection and its timers.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) direction: Direction,
    /// What our OPEN says. The session's own configuration may have changed since.
    pub(super) config: SessionConfig,
    pub(super) phase: Phase,
    pub(super) timers: Timers,
}

impl Connection {
    pub(super) fn new(id: ConnectionId, direction: Direction, config: SessionConfig) -> Connection {
        Connection { id, direction, config, phase: Phase::DelayOpen, timers: Timers::default() }
    }

    pub(super) fn state(&self) -> State {
        match (&self.phase, self.direction) {
            (Phase::DelayOpen, Direction::Outgoing) => State::Connect,
            (Phase::DelayOpen, Direction::Incoming) => State::Active,
            (Phase::OpenSent | Phase::Contending { .. }, _) => State::OpenSent,
            (Phase::OpenConfirm(_), _) => State::OpenConfirm,
            (Phase::Established { .. }, _) => State::Established,
        }
    }

    pub(super) fn is_established(&self) -> bool {
        matches!(self.phase, Phase::Established { .. })
    }

    /// Whether the peer's OPEN is still to come.
    pub(super) fn awaits_open(&self) -> bool {
        matches!(self.phase, Phase::DelayOpen | Phase::OpenSent)
    }

    /// What was agreed on, once our KEEPALIVE confirmed it.
    pub(super) fn negotiated(&self) -> Option<&Negotiated> {
        match &self.phase {
            Phase::OpenConfirm(negotiated) | Phase::Established { negotiated, .. } => Some(negotiated),
            Phase::DelayOpen | Phase::OpenSent | Phase::Contending { .. } => None,
        }
    }

    /// What the peer said of its restart, once both sides know that they agree.
    pub(super) fn restart(&self) -> Option<&PeerRestart> {
        self.negotiated().and_then(|negotiated| negotiated.restart.as_ref())
    }

    /// Octets of the longest message that the peer may send: its OPEN says that it got ours (RFC 8654 section 4).
    pub(super) fn max_received_len(&self) -> usize {
        match &self.phase {
            Phase::DelayOpen | Phase::OpenSent => MAX_LEN,
            Phase::Contending { negotiated, .. }
            | Phase::OpenConfirm(negotiated)
            | Phase::Established { negotiated, .. } => negotiated.max_received_len(),
        }
    }

    /// How long the peer may take nothing before it is dropped (RFC 9687); `None` for as long as it likes.
    fn send_hold(&self) -> Option<Duration> {
        self.config.send_hold(self.negotiated()?.hold_time)
    }

    /// Gives the peer its whole time to take something.
    pub(super) fn restart_send_hold(&mut self, now: Instant) {
        match self.send_hold() {
            Some(hold) => self.timers.set(Timer::SendHold, now + hold),
            None => self.timers.stop(Timer::SendHold),
        }
    }

    /// Something waits to be taken: the peer's time runs from now on, unless it does already.
    pub(super) fn start_send_hold(&mut self, now: Instant) {
        if self.is_established() && !self.timers.is_set(Timer::SendHold) {
            self.restart_send_hold(now);
        }
    }

    /// A whole message came. Until both sides agreed, and where they agreed on no hold time until the peer confirms it,
    /// the time for the OPENs goes on: a peer that is gone by then would else never be missed.
    pub(super) fn restart_hold(&mut self, now: Instant) {
        match self.negotiated().map(Negotiated::hold) {
            Some(Some(hold)) => self.timers.set(Timer::Hold, now + hold),
            Some(None) if self.is_established() => self.timers.stop(Timer::Hold),
            Some(None) | None => (),
        }
    }
}
