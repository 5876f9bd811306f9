//! The session with one peer: the state machine of RFC 4271 section 8, without socket and clock.
//!
//! ```text
//!            start stop reset                    connected disconnected receive sent
//!                  │                                  │ (by ConnectionId)
//!  ┌─ Session ─────▼──────────────────────────────────▼──────────────────────────────┐
//!  │ ConnectRetry, IdleHold      ┌─ Connection ──────────────┐  ┌─ Connection ─────┐ │
//!  │ back-off with jitter        │ phase, negotiated         │  │ (collision, or a │ │
//!  │ counters, last error        │ DelayOpen Hold Keepalive  │  │  restarted peer) │ │
//!  │                             │ SendHold Contention       │  │                  │ │
//!  │                             └───────────────────────────┘  └──────────────────┘ │
//!  └───────┬───────────────────────────────┬─────────────────────────────────────────┘
//!          ▼ poll_output                   ▼ next_timeout → handle_timeout
//! ```
//!
//! After every call, [`poll_output`](Session::poll_output) is called until it returns `None`, and
//! [`next_timeout`](Session::next_timeout) is asked anew. [`Output::Established`] and [`Output::Down`] alternate; what
//! [`receive`](Session::receive) returns belongs to the session that the outputs before it established.
//!
//! A session holds at most two connections, and a call adds a handful of outputs at most, whatever it is given.

mod backoff;
mod collision;
mod config;
mod connection;
mod counters;
mod message;
mod negotiate;
mod output;
#[cfg(test)]
mod tests;
mod timer;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use self::backoff::{Backoff, LONGEST, Random};
use self::connection::{Connection, OPEN_HOLD, Phase};
use self::timer::{Timer, Timers};
use crate::Instant;
use crate::wire::notification::cease;
use crate::wire::{MessageType, Notification};

pub use self::config::SessionConfig;
pub use self::counters::{Counters, MessageCounters};
pub use self::negotiate::Negotiated;
pub use self::output::{ConnectionId, Direction, DownReason, Output, Received, State};

/// How long the hold timer waits for unread input to be read.
const UNREAD_GRACE: Duration = Duration::from_secs(1);

/// The session with one peer.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    random: Random,
    backoff: Backoff,
    /// Started and not stopped.
    enabled: bool,
    /// [`Output::Connect`] has not been answered yet.
    connecting: bool,
    timers: Timers,
    /// At most two.
    connections: Vec<Connection>,
    outputs: VecDeque<Output>,
    /// The state that was last reported.
    reported: State,
    last_error: Option<DownReason>,
    counters: Counters,
}

/// What the session's user calls.
impl Session {
    /// A stopped session. The jitter of its timers follows from `seed`.
    #[must_use]
    pub fn new(config: SessionConfig, seed: u64) -> Session {
        Session {
            random: Random::new(seed),
            backoff: Backoff::new(config.connect_retry),
            config,
            enabled: false,
            connecting: false,
            timers: Timers::default(),
            connections: Vec::with_capacity(2),
            outputs: VecDeque::new(),
            reported: State::Idle,
            last_error: None,
            counters: Counters::default(),
        }
    }

    /// Lets the session come up (RFC 4271 ManualStart). Nothing happens if it was started before.
    pub fn start(&mut self, now: Instant) {
        if !self.enabled {
            self.enabled = true;
            self.connect(now);
            self.report_state();
        }
    }

    /// Ends the session until the next start (RFC 4271 ManualStop). `cease` goes to the peer on every connection.
    pub fn stop(&mut self, _now: Instant, cease: Notification) {
        if !self.enabled {
            return;
        }
        self.enabled = false;
        self.connecting = false;
        self.timers = Timers::default();
        self.backoff.reset();
        for connection in std::mem::take(&mut self.connections) {
            self.close(&connection, Some(&cease));
            if connection.is_established() {
                self.outputs.push_back(Output::Down(DownReason::AdminDown));
            }
        }
        self.last_error = Some(DownReason::AdminDown);
        self.report_state();
    }

    /// TCP is up. A connection that is not wanted, because the session is idle or has one, is closed at once.
    pub fn connected(&mut self, now: Instant, id: ConnectionId, direction: Direction) {
        if self.find(id).is_some() {
            return;
        }
        let connection = Connection::new(id, direction);
        let wanted = match direction {
            Direction::Outgoing => self.take_outgoing(),
            Direction::Incoming => self.make_room_for_incoming(),
        };
        if wanted {
            self.connections.push(connection);
            self.open(now, id);
        } else {
            let rejected = Notification::new(Notification::CEASE, cease::CONNECTION_REJECTED);
            self.close(&connection, Some(&rejected).filter(|_| direction == Direction::Incoming));
        }
        self.report_state();
    }

    /// The attempt asked for by [`Output::Connect`] failed.
    pub fn connect_failed(&mut self, now: Instant) {
        if !std::mem::take(&mut self.connecting) {
            return;
        }
        if self.connections.is_empty() {
            self.last_error = Some(DownReason::ConnectFailed);
            self.pause(now, false);
        }
        self.report_state();
    }

    /// TCP failed, or the peer closed it.
    pub fn disconnected(&mut self, now: Instant, id: ConnectionId) {
        if let Some(connection) = self.remove(id) {
            self.lost(now, &connection, DownReason::TcpFailed);
            self.report_state();
        }
    }

    /// Ends all connections with `notification`, as a decoder, the RIB or an operator demands; the session comes back
    /// after its back-off.
    pub fn reset(&mut self, now: Instant, notification: Notification) {
        let reason = match notification.code {
            Notification::CEASE => DownReason::Reset(notification.clone()),
            _ => DownReason::NotificationSent(notification.clone()),
        };
        let connections = std::mem::take(&mut self.connections);
        connections.iter().for_each(|connection| self.close(connection, Some(&notification)));
        if let Some(furthest) = connections.iter().max_by_key(|connection| connection.state()) {
            self.lost(now, furthest, reason);
        }
        self.report_state();
    }

    /// The peer took octets of ours on the established connection. `pending`: some are still unwritten. Without this
    /// call the send hold timer (RFC 9687), which a KEEPALIVE starts, expires.
    pub fn sent(&mut self, now: Instant, pending: bool) {
        let config = &self.config;
        let Some(connection) = self.connections.iter_mut().find(|c| c.is_established()) else { return };
        let hold = connection.negotiated().and_then(|negotiated| config.send_hold(negotiated.hold_time));
        match hold {
            Some(hold) if pending => connection.timers.set(Timer::SendHold, now + hold),
            _ => connection.timers.stop(Timer::SendHold),
        }
    }

    /// An UPDATE of the user's went out: the next KEEPALIVE has time (RFC 4271 section 8.2.2, Established).
    pub fn update_written(&mut self, now: Instant) {
        let random = &mut self.random;
        if let Some(connection) = self.connections.iter_mut().find(|c| c.is_established()) {
            restart_keepalive(connection, random, now);
        }
    }

    /// When [`Self::handle_timeout`] is to be called.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let connections = self.connections.iter().filter_map(|connection| connection.timers.next());
        connections.chain(self.timers.next()).min()
    }

    /// Does what is due. `unread`: a socket of the session may hold input that was not read; the hold timer then waits,
    /// so that a daemon that was busy or stopped does not take its own delay for the peer's silence. Call it after
    /// having tried to read and to write.
    ///
    /// Afterwards [`Self::next_timeout`] is later than `now`.
    pub fn handle_timeout(&mut self, now: Instant, unread: bool) {
        self.timers.take_expired(Timer::IdleHold, now);
        if self.timers.take_expired(Timer::ConnectRetry, now) {
            self.retry(now);
        }
        let ids: Vec<ConnectionId> = self.connections.iter().map(|connection| connection.id).collect();
        for id in ids {
            self.connection_timeout(now, id, unread);
        }
        self.report_state();
    }

    /// The next thing to do or to know.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The state of the connection that is furthest on, or of the session if it has none.
    #[must_use]
    pub fn state(&self) -> State {
        let without = match (self.is_idle(), self.connecting) {
            (true, _) => State::Idle,
            (false, true) => State::Connect,
            (false, false) => State::Active,
        };
        self.connections.iter().map(Connection::state).max().unwrap_or(without)
    }

    /// What was agreed on, while Established.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.connections.iter().find(|c| c.is_established()).and_then(Connection::negotiated)
    }

    /// What the session was told at its start.
    #[must_use]
    pub fn config(&self) -> &SessionConfig {
        &self.config
    }

    /// Messages and ups since the session was made.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Why the session last went down or failed to come up.
    #[must_use]
    pub fn last_error(&self) -> Option<&DownReason> {
        self.last_error.as_ref()
    }
}

/// The life of connections.
impl Session {
    fn find(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| connection.id == id)
    }

    fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let index = self.connections.iter().position(|connection| connection.id == id)?;
        Some(self.connections.remove(index))
    }

    fn is_established(&self) -> bool {
        self.connections.iter().any(Connection::is_established)
    }

    fn is_idle(&self) -> bool {
        !self.enabled || self.timers.is_set(Timer::IdleHold)
    }

    fn report_state(&mut self) {
        let to = self.state();
        let from = std::mem::replace(&mut self.reported, to);
        if from != to {
            self.outputs.push_back(Output::StateChanged { from, to });
        }
    }

    /// Asks for a connection. The retry timer also bounds the attempt.
    fn connect(&mut self, now: Instant) {
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
    fn retry(&mut self, now: Instant) {
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

    /// Waits before the next attempt; after a fault, refuses connections for the first part of the wait.
    fn pause(&mut self, now: Instant, fault: bool) {
        let longest = self.backoff.fail();
        let wait = self.random.jitter(longest);
        if fault {
            self.connecting = false;
            self.timers.set(Timer::IdleHold, now + wait.min(self.backoff.base()));
        }
        if !self.config.passive {
            self.timers.set(Timer::ConnectRetry, now + wait);
        }
    }

    /// Whether a connection of ours is wanted.
    fn take_outgoing(&mut self) -> bool {
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
    fn make_room_for_incoming(&mut self) -> bool {
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
    fn open(&mut self, now: Instant, id: ConnectionId) {
        match self.config.delay_open.filter(|delay| !delay.is_zero()) {
            Some(delay) => {
                if let Some(connection) = self.find(id) {
                    connection.timers.set(Timer::DelayOpen, now + delay);
                }
            }
            None => self.send_open(now, id),
        }
    }

    fn send_open(&mut self, now: Instant, id: ConnectionId) {
        let mut message = Vec::new();
        negotiate::our_open(&self.config).encode(&mut message);
        self.send(id, MessageType::Open, message);
        if let Some(connection) = self.find(id) {
            connection.phase = Phase::OpenSent;
            connection.timers.stop(Timer::DelayOpen);
            connection.timers.set(Timer::Hold, now + OPEN_HOLD);
        }
    }

    fn send(&mut self, id: ConnectionId, kind: MessageType, message: Vec<u8>) {
        self.counters.sent.count(kind);
        self.outputs.push_back(Output::Send(id, Bytes::from(message)));
    }

    /// Says goodbye on a connection that is no longer among ours.
    fn close(&mut self, connection: &Connection, notification: Option<&Notification>) {
        if let Some(notification) = notification {
            let mut message = Vec::new();
            notification.encode(&mut message);
            self.send(connection.id, MessageType::Notification, message);
        }
        self.outputs.push_back(Output::Close(connection.id));
    }

    /// Closes a connection because another one is kept. The session goes on.
    fn collide(&mut self, id: ConnectionId) {
        if let Some(connection) = self.remove(id) {
            self.close(&connection, Some(&Notification::new(Notification::CEASE, cease::COLLISION)));
        }
    }

    /// Closes a connection for `reason`.
    fn end(
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
    fn refuse(&mut self, now: Instant, id: ConnectionId, notification: Notification) {
        self.end(now, id, Some(&notification), DownReason::NotificationSent(notification.clone()));
    }

    /// What follows when a connection, already taken out, is gone.
    fn lost(&mut self, now: Instant, connection: &Connection, reason: DownReason) {
        let fault = reason.is_fault();
        let alone = self.connections.is_empty();
        match connection.phase {
            Phase::Established { since, .. } => {
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
            self.pause(now, fault);
        } else {
            self.carry_on(now);
        }
    }

    /// Goes on with the connection that is left: it need not wait for the other one any more.
    fn carry_on(&mut self, now: Instant) {
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

    fn connection_timeout(&mut self, now: Instant, id: ConnectionId, unread: bool) {
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
fn restart_keepalive(connection: &mut Connection, random: &mut Random, now: Instant) {
    let interval = connection.negotiated().map_or(Duration::ZERO, |negotiated| negotiated.keepalive);
    if !interval.is_zero() {
        connection.timers.set(Timer::Keepalive, now + random.jitter(interval));
    }
}
