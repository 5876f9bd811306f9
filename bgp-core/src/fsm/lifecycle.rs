//! The life of connections: how they begin and end, and when the next one is tried.

use std::time::Duration;

use bytes::Bytes;

use super::Session;
use super::backoff::{LONGEST, Random};
use super::connection::{Connection, Phase};
use super::negotiate::our_open;
use super::output::{ConnectionId, Direction, DownReason, Output};
use super::timer::Timer;
use crate::Instant;
use crate::wire::notification::cease;
use crate::wire::{MessageType, Notification};

/// How long the hold timer waits for unread input to be read.
const UNREAD_GRACE: Duration = Duration::from_secs(1);

impl Session {
    pub(super) fn find(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| connection.id == id)
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let index = self.connections.iter().position(|connection| connection.id == id)?;
        Some(self.connections.remove(index))
    }

    pub(super) fn is_established(&self) -> bool {
        self.connections.iter().any(Connection::is_established)
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.enabled || self.timers.is_set(Timer::IdleHold)
    }

    pub(super) fn report_state(&mut self) {
        let to = self.state();
        let from = std::mem::replace(&mut self.reported, to);
        if from != to {
            self.outputs.push_back(Output::StateChanged { from, to });
        }
    }

    /// Asks for a connection. The retry timer also bounds the attempt.
    pub(super) fn connect(&mut self, now: Instant) {
        if !self.config.passive {
            self.connecting = true;
            self.counters.connects += 1;
            self.outputs.push_back(Output::Connect);
            let wait = self.random.jitter(self.backoff.delay());
            self.timers.set(Timer::ConnectRetry, now + wait);
        }
    }

    /// The retry timer fired: tries again unless a connection of ours, or one that is further on, exists. A peer that
    /// connects and stays silent does not keep us from connecting.
    pub(super) fn retry(&mut self, now: Instant) {
        let busy = |c: &Connection| c.direction == Direction::Outgoing || !c.awaits_open();
        if self.connections.iter().any(busy) {
            return;
        }
        if self.connecting {
            self.last_error = Some(DownReason::ConnectFailed);
            self.backoff.fail();
        }
        self.connect(now);
    }

    /// Connects, or sets the time for it, where a session that was passive until now would have begun to.
    pub(super) fn begin_to_connect(&mut self, now: Instant) {
        if !self.enabled || self.connecting || self.timers.is_set(Timer::ConnectRetry) {
            return;
        }
        if self.is_idle() {
            let wait = self.random.jitter(self.backoff.delay());
            self.retry_after_pause(now + wait);
        } else {
            self.retry(now);
        }
    }

    /// The wait for the next attempt lasts no longer than it would if it began now, or than the pause that is left. An
    /// attempt under way keeps its time.
    pub(super) fn shorten_retry(&mut self, now: Instant) {
        if let Some(due) = self.timers.due(Timer::ConnectRetry).filter(|_| !self.connecting) {
            let wait = self.random.jitter(self.backoff.delay());
            self.retry_after_pause(due.min(now + wait));
        }
    }

    /// Sets the time of the next attempt. What is begun in Idle would be closed when it is up.
    fn retry_after_pause(&mut self, due: Instant) {
        let pause = self.timers.due(Timer::IdleHold).unwrap_or_default();
        self.timers.set(Timer::ConnectRetry, due.max(pause));
    }

    /// Waits before the next attempt. With `damp`, connections are refused for the first part of the wait (RFC 4271
    /// DampPeerOscillations).
    pub(super) fn pause(&mut self, now: Instant, damp: bool) {
        let longest = self.backoff.fail();
        let wait = self.random.jitter(longest);
        if damp {
            self.connecting = false;
            self.timers.set(Timer::IdleHold, now + wait.min(self.backoff.base()));
        }
        if !self.config.passive {
            self.timers.set(Timer::ConnectRetry, now + wait);
        }
    }

    /// Whether a connection of ours is wanted.
    pub(super) fn take_outgoing(&mut self) -> bool {
        self.connecting = false;
        let busy = |c: &Connection| c.direction == Direction::Outgoing || c.is_established();
        let wanted = !self.is_idle() && !self.connections.iter().any(busy);
        if wanted {
            self.timers.stop(Timer::ConnectRetry);
        }
        wanted
    }

    /// Whether a connection of the peer's is wanted. If so, it replaces an earlier one that is not established: the
    /// peer opens one at a time, so it has given that up.
    pub(super) fn make_room_for_incoming(&mut self) -> bool {
        if self.is_idle() {
            return false;
        }
        let stale = |c: &&Connection| c.direction == Direction::Incoming && !c.is_established();
        if let Some(id) = self.connections.iter().find(stale).map(|connection| connection.id) {
            self.collide(id);
        }
        true
    }

    /// Begins with a new connection: our OPEN goes now, or after DelayOpen.
    pub(super) fn open(&mut self, now: Instant, id: ConnectionId) {
        match self.config.delay_open {
            Some(delay) => {
                if let Some(connection) = self.find(id) {
                    connection.timers.set(Timer::DelayOpen, now + delay);
                }
            }
            None => self.send_open(now, id),
        }
    }

    pub(super) fn send_open(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.find(id) else { return };
        let mut message = Vec::new();
        our_open(&connection.config).encode(&mut message);
        connection.phase = Phase::OpenSent;
        connection.timers.stop(Timer::DelayOpen);
        connection.timers.set(Timer::Hold, now + connection.config.open_time);
        self.send(id, MessageType::Open, message);
    }

    pub(super) fn send(&mut self, id: ConnectionId, kind: MessageType, message: Vec<u8>) {
        self.counters.sent.count(kind);
        self.outputs.push_back(Output::Send(id, Bytes::from(message)));
    }

    /// Says goodbye on a connection that is no longer among ours.
    pub(super) fn close(&mut self, connection: &Connection, notification: Option<&Notification>) {
        if let Some(notification) = notification {
            self.counters.notifications_sent.count(notification);
            let mut message = Vec::new();
            notification.encode(&mut message);
            self.send(connection.id, MessageType::Notification, message);
        }
        self.outputs.push_back(Output::Close(connection.id));
    }

    /// Closes a connection because another one is kept. The session goes on.
    pub(super) fn collide(&mut self, id: ConnectionId) {
        if let Some(connection) = self.remove(id) {
            self.close(&connection, Some(&Notification::new(Notification::CEASE, cease::COLLISION)));
        }
    }

    /// Closes a connection for `reason`.
    pub(super) fn end(
        &mut self,
        now: Instant,
        id: ConnectionId,
        notification: Option<&Notification>,
        reason: DownReason,
    ) {
        if let Some(connection) = self.remove(id) {
            self.close(&connection, notification);
            self.lost(now, &connection, reason);
        }
    }

    /// A fault of the peer's: says which, and closes.
    pub(super) fn refuse(&mut self, now: Instant, id: ConnectionId, notification: Notification) {
        self.end(now, id, Some(&notification), DownReason::NotificationSent(notification.clone()));
    }

    /// What follows when a connection, already taken out, is gone.
    pub(super) fn lost(&mut self, now: Instant, connection: &Connection, reason: DownReason) {
        let (fault, alone) = (reason.is_fault(), self.connections.is_empty());
        match connection.phase {
            Phase::Established { since, .. } => {
                // First of all: what failed before it says nothing any more.
                if now.saturating_since(since) >= LONGEST {
                    self.backoff.reset();
                }
                self.last_error = Some(reason.clone());
                self.outputs.push_back(Output::Down(reason));
            }
            _ if alone => {
                self.last_error = Some(reason.clone());
                self.outputs.push_back(Output::Failed(reason));
            }
            _ => (),
        }
        if alone {
            self.pause(now, fault || self.backoff.oscillates());
        } else {
            self.carry_on(now);
        }
    }

    /// Goes on with the connection that is left: it need not wait for the other one any more.
    pub(super) fn carry_on(&mut self, now: Instant) {
        let contending = |c: &&Connection| matches!(c.phase, Phase::Contending { .. });
        if let Some(id) = self.connections.iter().find(contending).map(|connection| connection.id) {
            self.confirm(now, id);
        }
        let retries =
            !self.config.passive && !self.is_established() && !self.timers.is_set(Timer::ConnectRetry);
        if retries {
            let wait = self.random.jitter(self.backoff.delay());
            self.timers.set(Timer::ConnectRetry, now + wait);
        }
    }

    pub(super) fn connection_timeout(&mut self, now: Instant, id: ConnectionId, unread: bool) {
        let mut due = |timer| self.find(id).is_some_and(|c| c.timers.take_expired(timer, now));
        let (send_hold, hold) = (due(Timer::SendHold), due(Timer::Hold));
        let (delay_open, contention, keepalive) =
            (due(Timer::DelayOpen), due(Timer::Contention), due(Timer::Keepalive));
        if send_hold {
            let expired = Notification::new(Notification::SEND_HOLD_TIMER_EXPIRED, 0);
            return self.end(now, id, Some(&expired), DownReason::SendHoldTimerExpired);
        }
        if hold && !unread {
            let expired = Notification::new(Notification::HOLD_TIMER_EXPIRED, 0);
            return self.end(now, id, Some(&expired), DownReason::HoldTimerExpired);
        }
        if hold && let Some(connection) = self.find(id) {
            connection.timers.set(Timer::Hold, now + UNREAD_GRACE);
        }
        if delay_open {
            self.send_open(now, id);
        }
        if contention {
            self.confirm(now, id);
        }
        if keepalive {
            self.send_keepalive(now, id);
        }
    }
}

/// Sets the time of the next KEEPALIVE: a third of the hold time, with jitter (RFC 4271 section 10).
pub(super) fn restart_keepalive(connection: &mut Connection, random: &mut Random, now: Instant) {
    let interval = connection.negotiated().map_or(Duration::ZERO, |negotiated| negotiated.keepalive);
    if !interval.is_zero() {
        connection.timers.set(Timer::Keepalive, now + random.jitter(interval));
    }
}
