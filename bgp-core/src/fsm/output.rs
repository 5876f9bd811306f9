//! What a session answers with.

use std::fmt;

use bytes::Bytes;

use super::negotiate::Negotiated;
use crate::wire::notification::cease;
use crate::wire::{Notification, RouteRefresh};

/// A connection, numbered by the session's user, who never uses a number twice for the same session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// We did.
    Outgoing,
    /// The peer did.
    Incoming,
}

/// The states of RFC 4271 section 8.2.2. Of two connections the one further on counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Stopped, or pausing after a fault: connections are refused.
    Idle,
    /// A connection was asked for.
    Connect,
    /// Waiting for the peer to connect, or for the next attempt.
    Active,
    /// Our OPEN was sent.
    OpenSent,
    /// The peer's OPEN suits us.
    OpenConfirm,
    /// Routes are exchanged.
    Established,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Idle => "idle",
            State::Connect => "connect",
            State::Active => "active",
            State::OpenSent => "opensent",
            State::OpenConfirm => "openconfirm",
            State::Established => "established",
        })
    }
}

/// What the session asks of its user, or tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a connection to the peer, and give up an attempt that is still under way. Answered by
    /// [`connected`](super::Session::connected) or [`connect_failed`](super::Session::connect_failed).
    Connect,
    /// Write these octets, at a message boundary, behind what was asked for earlier.
    Send(ConnectionId, Bytes),
    /// Close the connection once its sends are written; a peer that does not take them within a few seconds forfeits
    /// them. Nothing follows on this connection, and what still comes on it is ignored.
    Close(ConnectionId),
    /// UPDATEs may be sent and will be received (RFC 4271 section 8.2.2, Established).
    Established(Box<Negotiated>),
    /// What was established has ended: the routes of that peer go, unless [`Negotiated::retains`] says that they may be
    /// kept for a restart.
    Down(DownReason),
    /// Every connection failed before one was established; there is nothing to clean up.
    Failed(DownReason),
    /// For logs and statistics.
    StateChanged {
        /// The state before.
        from: State,
        /// The state since.
        to: State,
    },
}

/// A message that is not the session's own matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// The body of an UPDATE, behind the header.
    Update(&'a [u8]),
    /// A request for the routes of a family that both speak, or, if RFC 7313 was agreed on, a marker around the answer.
    RouteRefresh(RouteRefresh),
}

/// Why a session went down, or did not come up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownReason {
    /// [`stop`](super::Session::stop) was called.
    AdminDown,
    /// [`reset`](super::Session::reset) was called with a Cease.
    Reset(Notification),
    /// The peer sent nothing for the hold time (RFC 4271 section 6.5).
    HoldTimerExpired,
    /// The peer took nothing for the send hold time (RFC 9687).
    SendHoldTimerExpired,
    /// The peer ended it.
    NotificationReceived(Notification),
    /// The peer sent something wrong, and this was our answer.
    NotificationSent(Notification),
    /// TCP failed or the peer closed it without a NOTIFICATION.
    TcpFailed,
    /// TCP did not come up.
    ConnectFailed,
    /// The peer restarted gracefully: its new connection took the old one's place (RFC 4724 section 4.2).
    PeerRestarted,
}

impl DownReason {
    /// One of ten words, as a value of a metric's label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            DownReason::AdminDown => "admin_down",
            DownReason::Reset(n) if is_bfd_down(n) => "bfd_down",
            DownReason::Reset(_) => "reset",
            DownReason::HoldTimerExpired => "hold_timer",
            DownReason::SendHoldTimerExpired => "send_hold_timer",
            DownReason::NotificationReceived(_) => "notification_received",
            DownReason::NotificationSent(_) => "notification_sent",
            DownReason::TcpFailed => "tcp_failed",
            DownReason::ConnectFailed => "connect_failed",
            DownReason::PeerRestarted => "peer_restarted",
        }
    }

    /// Whether the session should pause in Idle: the same would happen again at once. Most Ceases and a lost connection
    /// are no such fault: the peer may be back any moment.
    pub(super) fn is_fault(&self) -> bool {
        match self {
            DownReason::HoldTimerExpired
            | DownReason::SendHoldTimerExpired
            | DownReason::NotificationSent(_) => true,
            DownReason::NotificationReceived(n) | DownReason::Reset(n) => {
                // What a Hard Reset wraps is the reason.
                let (code, subcode) =
                    n.hard_reset_reason().map_or((n.code, n.subcode), |n| (n.code, n.subcode));
                code != Notification::CEASE
                    || matches!(subcode, cease::MAX_PREFIXES | cease::OUT_OF_RESOURCES)
            }
            DownReason::AdminDown
            | DownReason::TcpFailed
            | DownReason::ConnectFailed
            | DownReason::PeerRestarted => false,
        }
    }
}

/// By itself or in a Hard Reset (RFC 9384 section 3).
fn is_bfd_down(notification: &Notification) -> bool {
    let wrapped = notification.hard_reset_reason();
    let reason = wrapped.as_ref().unwrap_or(notification);
    (reason.code, reason.subcode) == (Notification::CEASE, cease::BFD_DOWN)
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DownReason::AdminDown => f.write_str("shut down"),
            DownReason::Reset(n) if is_bfd_down(n) => f.write_str("BFD: the path is dead"),
            DownReason::Reset(notification) => write!(f, "reset: {notification}"),
            DownReason::HoldTimerExpired => f.write_str("hold timer expired"),
            DownReason::SendHoldTimerExpired => f.write_str("send hold timer expired"),
            DownReason::NotificationReceived(notification) => write!(f, "peer sent {notification}"),
            DownReason::NotificationSent(notification) => write!(f, "sent {notification}"),
            DownReason::TcpFailed => f.write_str("connection lost"),
            DownReason::ConnectFailed => f.write_str("connection failed"),
            DownReason::PeerRestarted => f.write_str("peer restarted"),
        }
    }
}
