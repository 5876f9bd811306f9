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
//! What each event of RFC 4271 does in each state is in [`table`].
//!
//! However a peer rejects us, it is asked no more than 48 times in an hour: the wait doubles with each failure in a row,
//! from at least a second up to two minutes, less a jitter of at most a quarter; only a session that lasted two minutes
//! earns the short wait back.
//!
//! A session holds at most two connections, and a call adds a handful of outputs at most, whatever it is given.

mod backoff;
mod collision;
mod config;
mod connection;
mod counters;
mod lifecycle;
mod message;
mod negotiate;
mod output;
mod restart;
mod role;
pub mod table;
#[cfg(test)]
mod tests;
mod timer;

use std::collections::VecDeque;

use self::backoff::{Backoff, Random};
use self::connection::Connection;
use self::lifecycle::restart_keepalive;
use self::restart::{Farewell, farewell};
use self::timer::{Timer, Timers};
use crate::Instant;
use crate::wire::notification::cease;
use crate::wire::{Notification, Open};

pub use self::config::SessionConfig;
pub use self::counters::{Counters, MessageCounters, NotificationCounters};
pub use self::negotiate::Negotiated;
pub use self::output::{ConnectionId, Direction, DownReason, Output, Received, State};
pub use self::restart::PeerRestart;
pub use crate::wire::capability::Role;

/// The session with one peer: what is read goes in, what is to be done comes out. The [crate's front page](crate) has an
/// example with both sides of one.
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
            connections: Vec::new(),
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

    /// Ends the session until the next start (RFC 4271 ManualStop). `cease` goes to the peer on every connection. A peer
    /// that would keep our routes over it, since both set the N bit, gets it in a Hard Reset (RFC 8538 section 3.1).
    pub fn stop(&mut self, _now: Instant, cease: Notification) {
        self.rest(Some(&cease));
    }

    /// Ends the session until the next start without a word: a peer that knows graceful restart then waits for us with
    /// our routes (RFC 4724 section 4.2).
    pub fn stop_silently(&mut self, _now: Instant) {
        self.rest(None);
    }

    fn rest(&mut self, cease: Option<&Notification>) {
        if !self.enabled {
            return;
        }
        self.enabled = false;
        self.connecting = false;
        self.timers = Timers::default();
        self.backoff.reset();
        for connection in std::mem::take(&mut self.connections) {
            let cease = cease.map(|cease| farewell(cease, connection.restart(), Farewell::ForGood));
            self.close(&connection, cease.as_ref());
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
        let connection = Connection::new(id, direction, self.config.clone());
        let wanted = match direction {
            Direction::Outgoing => self.take_outgoing(),
            Direction::Incoming => self.make_room_for_incoming(),
        };
        if wanted {
            // Seldom is there a second one.
            self.connections.reserve_exact(1);
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
    /// after its back-off. With the N bit of both sides the peer keeps our routes until then, but a Cease that stands for
    /// longer, such as too many prefixes, goes out in a Hard Reset (RFC 8538 section 5.1). For an end of the routes
    /// whatever the reason, give a Hard Reset.
    pub fn reset(&mut self, now: Instant, notification: Notification) {
        let connections = std::mem::take(&mut self.connections);
        let mut furthest: Option<(&Connection, Notification)> = None;
        for connection in &connections {
            let said = farewell(&notification, connection.restart(), Farewell::ForNow);
            self.close(connection, Some(&said));
            if furthest.as_ref().is_none_or(|(other, _)| other.state() < connection.state()) {
                furthest = Some((connection, said));
            }
        }
        if let Some((connection, said)) = furthest {
            let reason = match said.code {
                Notification::CEASE => DownReason::Reset(said),
                _ => DownReason::NotificationSent(said),
            };
            self.lost(now, connection, reason);
        }
        self.report_state();
    }

    /// The peer took octets of ours on the established connection. `pending`: some are still unwritten. Without this
    /// call the send hold timer (RFC 9687), which a KEEPALIVE starts, expires.
    pub fn sent(&mut self, now: Instant, pending: bool) {
        match self.connections.iter_mut().find(|c| c.is_established()) {
            Some(connection) if pending => connection.restart_send_hold(now),
            Some(connection) => connection.timers.stop(Timer::SendHold),
            None => (),
        }
    }

    /// More octets wait to be written on the established connection. The time that the peer has for them runs from the
    /// first one, not from the latest: only [`Self::sent`] gives it more.
    pub fn queued(&mut self, now: Instant) {
        if let Some(connection) = self.connections.iter_mut().find(|c| c.is_established()) {
            connection.start_send_hold(now);
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

    /// Whether some peer has been silent for too long, as far as is known: look for unread input then, before
    /// [`Self::handle_timeout`].
    #[must_use]
    pub fn is_hold_due(&self, now: Instant) -> bool {
        let due = |connection: &Connection| connection.timers.due(Timer::Hold).is_some_and(|due| due <= now);
        self.connections.iter().any(due)
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

    /// The OPEN that each connection begins with: what we offer.
    #[must_use]
    pub fn our_open(&self) -> Open {
        negotiate::our_open(&self.config)
    }

    /// Counts from the next connection on; what a session agreed on stays. A session that waits for the peer, and may
    /// connect now, does so; a wait that would be shorter now is cut short.
    pub fn set_config(&mut self, now: Instant, config: SessionConfig) {
        let old = std::mem::replace(&mut self.config, config);
        // Nobody waits for an attempt of a passive session: if it becomes active again, it makes another.
        self.connecting &= !self.config.passive;
        if old.connect_retry != self.config.connect_retry {
            self.backoff.set_base(self.config.connect_retry);
            self.shorten_retry(now);
        }
        if old.passive && !self.config.passive {
            self.begin_to_connect(now);
        }
        self.report_state();
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
