//! The state machine as a table: for each state and each event of RFC 4271 section 8.1, what a [`Session`] does.
//!
//! The Session is not an interpreter of this table. It holds two connections where the RFC has a machine for each, and
//! what it does depends on more than the state: on timers, on the other connection, on how often the peer failed
//! before. Written as action lists with conditions that would be harder to read than the functions are. So the table is
//! the specification, and a test drives a Session into every state, brings about every event, and compares the state,
//! the messages, the reports, the timers and the ConnectRetryCounter with the cell.
//!
//! A cell speaks of one connection, of a first failure, and of a Session that may connect by itself. In Connect and
//! Active, messages can come only while our OPEN is delayed, so their cells are about such a connection. `—` is an event
//! that cannot come about in the state, or that is ignored; a cell without `→` stays in its state. The words stand for
//! [`Action`]s: *retry*, *damp* and *rest* for what becomes of the session's timers and its counter, a NOTIFICATION
//! without numbers for the one that the user gave or the fault calls for.
//!
#![doc = include_str!("table/table.md")]
//!
//! # Where this differs from the RFC
//!
//! - *One Session, two connections.* The RFC has a machine for each connection and lets them collide. Here the Session's
//!   state is that of the connection that is further on, and a second connection never takes the first one's state away.
//! - *Damping by back-off* (DampPeerOscillations, always on). The ConnectRetryTimer doubles with each failure in a row,
//!   the RFC's counter of which decides nothing. A fault leads to Idle, where the IdleHoldTimer has connections refused for
//!   at most the first wait, and Idle ends by itself. A failure that is no fault (TCP lost, most Ceases) leads to Active
//!   instead, so that a peer that is back at once is let in at once; from the third failure in a row on it leads to Idle
//!   too.
//! - *A NOTIFICATION without an OPEN* is sent where the OPEN is delayed (SendNOTIFICATIONwithoutOPEN, always on).
//! - *Events that cannot come about are ignored* where the RFC answers with a finite state machine error: a timer
//!   that does not run does not expire.
//!
//! [`Session`]: super::Session

mod rows;

use super::output::State;
pub use super::timer::Timer;
pub use rows::TABLE;

/// The events of RFC 4271 section 8.1 by their numbers, and the one that RFC 9687 adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Event {
    /// The operator starts the session (section 8.1.2).
    ManualStart = 1,
    /// The operator stops it (section 8.1.2).
    ManualStop,
    /// The system starts it (section 8.1.2).
    AutomaticStart,
    /// The operator starts it, to wait for the peer (section 8.1.2).
    ManualStartWithPassiveTcpEstablishment,
    /// The system starts it, to wait for the peer (section 8.1.2).
    AutomaticStartWithPassiveTcpEstablishment,
    /// The system starts it, damped (section 8.1.2).
    AutomaticStartWithDampPeerOscillations,
    /// The system starts it, damped and to wait for the peer (section 8.1.2).
    AutomaticStartWithDampPeerOscillationsAndPassiveTcpEstablishment,
    /// The system ends it (section 8.1.2).
    AutomaticStop,
    /// It is time to connect (section 8.1.3).
    ConnectRetryTimerExpires,
    /// The peer was silent for too long (section 8.1.3).
    HoldTimerExpires,
    /// It is time for a KEEPALIVE (section 8.1.3).
    KeepaliveTimerExpires,
    /// Our OPEN has waited long enough (section 8.1.3).
    DelayOpenTimerExpires,
    /// The pause after a fault is over (section 8.1.3).
    IdleHoldTimerExpires,
    /// A connection comes from where it may (section 8.1.4).
    TcpConnectionValid,
    /// A connection comes from where it may not (section 8.1.4).
    TcpCrInvalid,
    /// Our connection is up (section 8.1.4).
    TcpCrAcked,
    /// The peer's connection is up (section 8.1.4).
    TcpConnectionConfirmed,
    /// A connection failed, or the peer closed it (section 8.1.4).
    TcpConnectionFails,
    /// An OPEN that suits (section 8.1.5).
    BgpOpen,
    /// An OPEN that suits, before ours (section 8.1.5).
    BgpOpenWithDelayOpenTimerRunning,
    /// A wrong message header (section 8.1.5).
    BgpHeaderErr,
    /// An OPEN that does not suit (section 8.1.5).
    BgpOpenMsgErr,
    /// Another connection is kept in place of this one (section 8.1.5).
    OpenCollisionDump,
    /// A NOTIFICATION that our version is not the peer's (section 8.1.5).
    NotifMsgVerErr,
    /// Any other NOTIFICATION (section 8.1.5).
    NotifMsg,
    /// A KEEPALIVE (section 8.1.5).
    KeepAliveMsg,
    /// An UPDATE (section 8.1.5).
    UpdateMsg,
    /// An UPDATE that the session cannot go on after (section 8.1.5).
    UpdateMsgErr,
    /// The peer took nothing for too long (RFC 9687).
    SendHoldTimerExpires,
}

/// What a session does on an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Asks for a TCP connection, and starts the ConnectRetryTimer, which bounds the attempt.
    Connect,
    /// Sends an OPEN, stops the DelayOpenTimer and starts the HoldTimer with four minutes.
    SendOpen,
    /// Sends a KEEPALIVE and starts the KeepaliveTimer.
    SendKeepalive,
    /// Sends a NOTIFICATION of this code and subcode.
    Notify(u8, u8),
    /// Sends the NOTIFICATION that the user gave, or that the fault calls for.
    NotifyWhy,
    /// Closes the connection, whose timers end with it.
    Close,
    /// Gives the message to the user.
    Deliver,
    /// Tells that the session is up.
    ReportEstablished,
    /// Tells that the session is down.
    ReportDown,
    /// Tells that a connection came to nothing.
    ReportFailed,
    /// Starts a timer, or starts it anew.
    Start(Timer),
    /// Stops a timer, if it runs.
    Stop(Timer),
    /// Adds one to the ConnectRetryCounter and starts the ConnectRetryTimer with the time that goes with it.
    Retry,
    /// As [`Action::Retry`], and starts the IdleHoldTimer: connections are refused for a while.
    Damp,
    /// Stops all timers and sets the ConnectRetryCounter to zero.
    Rest,
}

/// What happens in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    /// `None` stays.
    next: Option<State>,
    actions: &'static [Action],
}

/// What happens on one event.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The event.
    pub event: Event,
    /// By state, in the order of [`State`].
    cells: [Cell; 6],
    /// How the event reaches the session, and why a cell differs from the RFC's.
    pub note: &'static str,
}

impl Row {
    /// The state after the event, and what is done, in this order.
    #[must_use]
    pub fn transition(&self, state: State) -> (State, &'static [Action]) {
        let cell = self.cells.get(state as usize);
        cell.map_or((state, &[]), |cell| (cell.next.unwrap_or(state), cell.actions))
    }
}
