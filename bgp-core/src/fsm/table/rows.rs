//! The rows. A cell without actions is an event that is ignored or cannot come about.

use super::Action::{
    self, Close, Connect, Damp, Deliver, Notify, NotifyWhy, ReportDown, ReportEstablished, ReportFailed,
    Rest, Retry, SendKeepalive, SendOpen, Start, Stop,
};
use super::{Cell, Event, Row, State};
use crate::fsm::timer::Timer::{ConnectRetry, Hold, SendHold};

use State::{Active, Connect as Connecting, Established, Idle, OpenConfirm, OpenSent};

const NONE: Cell = stay(&[]);

const fn to(next: State, actions: &'static [Action]) -> Cell {
    Cell { next: Some(next), actions }
}

const fn stay(actions: &'static [Action]) -> Cell {
    Cell { next: None, actions }
}

/// A fault of the peer's before the session is established, and when it is.
const FAULT: Cell = to(Idle, &[NotifyWhy, Close, ReportFailed, Damp]);
const FAULT_UP: Cell = to(Idle, &[NotifyWhy, Close, ReportDown, Damp]);
/// A message that has no place in the state (RFC 6608).
const BEFORE_OPEN: Cell = to(Idle, &[Notify(5, 1), Close, ReportFailed, Damp]);
const IN_OPEN_CONFIRM: Cell = to(Idle, &[Notify(5, 2), Close, ReportFailed, Damp]);
const IN_ESTABLISHED: Cell = to(Idle, &[Notify(5, 3), Close, ReportDown, Damp]);
/// The peer refuses us.
const REFUSED: Cell = to(Idle, &[Close, ReportFailed, Damp]);
const REFUSED_UP: Cell = to(Idle, &[Close, ReportDown, Damp]);
const SILENT: Cell = to(Idle, &[Notify(4, 0), Close, ReportFailed, Damp]);
/// Another connection is kept, which is in OpenConfirm by that.
const DUMPED: Cell = to(OpenConfirm, &[Notify(6, 7), Close]);

const STARTS: [Cell; 6] = [to(Connecting, &[Connect]), NONE, NONE, NONE, NONE, NONE];
const WAITS: [Cell; 6] = [to(Active, &[]), NONE, NONE, NONE, NONE, NONE];
const NOWHERE: [Cell; 6] = [NONE; 6];

/// All events, by number.
pub const TABLE: [Row; 29] = [
    Row {
        event: Event::ManualStart,
        cells: STARTS,
        note: "`Session::start`. The counter is zero since the last stop.",
    },
    Row {
        event: Event::ManualStop,
        cells: [
            NONE,
            to(Idle, &[Rest]),
            to(Idle, &[Rest]),
            to(Idle, &[NotifyWhy, Close, Rest]),
            to(Idle, &[NotifyWhy, Close, Rest]),
            to(Idle, &[NotifyWhy, Close, ReportDown, Rest]),
        ],
        note: "`Session::stop`; `Session::stop_silently` does the same without the NOTIFICATION. A session that \
               pauses in Idle stops pausing.",
    },
    Row {
        event: Event::AutomaticStart,
        cells: STARTS,
        note: "`Session::start` again, as for the member of a range that comes and goes: who starts makes no \
               difference.",
    },
    Row {
        event: Event::ManualStartWithPassiveTcpEstablishment,
        cells: WAITS,
        note: "`Session::start` with `passive`. The RFC starts the ConnectRetryTimer here and connects when it \
               expires; a passive session of ours never connects.",
    },
    Row { event: Event::AutomaticStartWithPassiveTcpEstablishment, cells: WAITS, note: "As event 4." },
    Row {
        event: Event::AutomaticStartWithDampPeerOscillations,
        cells: STARTS,
        note: "As event 1: damping is always on.",
    },
    Row {
        event: Event::AutomaticStartWithDampPeerOscillationsAndPassiveTcpEstablishment,
        cells: WAITS,
        note: "As event 4: damping is always on.",
    },
    Row {
        event: Event::AutomaticStop,
        cells: [
            NONE,
            NONE,
            NONE,
            to(Active, &[NotifyWhy, Close, ReportFailed, Retry]),
            to(Active, &[NotifyWhy, Close, ReportFailed, Retry]),
            to(Active, &[NotifyWhy, Close, ReportDown, Retry]),
        ],
        note: "`Session::reset` with a Cease. It ends connections, not the session, which comes back by itself: \
               hence Active where the RFC has Idle, and nothing to do without a connection. Too many prefixes and \
               short resources lead to Idle, damped.",
    },
    Row {
        event: Event::ConnectRetryTimerExpires,
        cells: [NONE, stay(&[Retry, Connect]), to(Connecting, &[Connect]), NONE, NONE, NONE],
        note: "An attempt that is not answered counts as a failure, else the back-off would not grow. The timer stops \
               with our connection. Beside a connection of the peer's that is before its OPEN it runs on, and \
               connects without a change of state, so that a silent peer does not keep us from connecting.",
    },
    Row {
        event: Event::HoldTimerExpires,
        cells: [NONE, NONE, NONE, SILENT, SILENT, to(Idle, &[Notify(4, 0), Close, ReportDown, Damp])],
        note: "Put off while input is unread: our own delay is not the peer's silence.",
    },
    Row {
        event: Event::KeepaliveTimerExpires,
        cells: [NONE, NONE, NONE, NONE, stay(&[SendKeepalive]), stay(&[SendKeepalive, Start(SendHold)])],
        note: "The SendHoldTimer starts unless it runs.",
    },
    Row {
        event: Event::DelayOpenTimerExpires,
        cells: [NONE, to(OpenSent, &[SendOpen]), to(OpenSent, &[SendOpen]), NONE, NONE, NONE],
        note: "The timer runs in Connect on our connection, in Active on the peer's.",
    },
    Row {
        event: Event::IdleHoldTimerExpires,
        cells: [to(Active, &[]), NONE, NONE, NONE, NONE, NONE],
        note: "Connections are accepted again. The RFC connects here; ours waits for the ConnectRetryTimer, which \
               after a first failure is due at the same time.",
    },
    Row {
        event: Event::TcpConnectionValid,
        cells: NOWHERE,
        note: "No call: whether an address may be a peer is the user's to know, who answers before \
               `Session::connected`.",
    },
    Row {
        event: Event::TcpCrInvalid,
        cells: NOWHERE,
        note: "No call, as event 14: the user closes the connection.",
    },
    Row {
        event: Event::TcpCrAcked,
        cells: [
            stay(&[Close]),
            to(OpenSent, &[Stop(ConnectRetry), SendOpen]),
            to(OpenSent, &[Stop(ConnectRetry), SendOpen]),
            stay(&[Close]),
            stay(&[Close]),
            stay(&[Close]),
        ],
        note: "`Session::connected`, outgoing. With `delay_open` the DelayOpenTimer starts in place of the OPEN, and the \
               state is Connect. A late answer is taken in Active too. A second connection of ours is closed.",
    },
    Row {
        event: Event::TcpConnectionConfirmed,
        cells: [
            stay(&[Notify(6, 5), Close]),
            to(OpenSent, &[SendOpen]),
            to(OpenSent, &[SendOpen]),
            stay(&[SendOpen]),
            stay(&[SendOpen]),
            stay(&[SendOpen]),
        ],
        note: "`Session::connected`, incoming. With `delay_open` the DelayOpenTimer starts in place of the OPEN, and the \
               state is Active. Our own attempt goes on: the two connections collide when both OPENs are there. \
               From OpenSent on this is the second connection; it changes nothing yet.",
    },
    Row {
        event: Event::TcpConnectionFails,
        cells: [
            NONE,
            to(Active, &[Retry]),
            stay(&[ReportFailed, Retry]),
            to(Active, &[ReportFailed, Retry]),
            to(Active, &[ReportFailed, Retry]),
            to(Active, &[ReportDown, Retry]),
        ],
        note: "`Session::connect_failed` before the connection is up, `Session::disconnected` after: in Connect our attempt, \
               in Active a connection of the peer's on which our OPEN is delayed. Active where the RFC has Idle: it is no \
               fault.",
    },
    Row {
        event: Event::BgpOpen,
        cells: [
            NONE,
            NONE,
            NONE,
            to(OpenConfirm, &[SendKeepalive, Start(Hold)]),
            IN_OPEN_CONFIRM,
            IN_ESTABLISHED,
        ],
        note: "The RFC looks for a collision at a second OPEN in OpenConfirm. Here both connections are in one \
               Session, so the collision is found at the other connection's OPEN, and a second OPEN on one \
               connection is a fault.",
    },
    Row {
        event: Event::BgpOpenWithDelayOpenTimerRunning,
        cells: [
            NONE,
            to(OpenConfirm, &[SendOpen, SendKeepalive, Start(Hold)]),
            to(OpenConfirm, &[SendOpen, SendKeepalive, Start(Hold)]),
            NONE,
            NONE,
            NONE,
        ],
        note: "From OpenSent on the DelayOpenTimer does not run.",
    },
    Row { event: Event::BgpHeaderErr, cells: [NONE, FAULT, FAULT, FAULT, FAULT, FAULT_UP], note: "Code 1." },
    Row {
        event: Event::BgpOpenMsgErr,
        cells: [NONE, FAULT, FAULT, FAULT, IN_OPEN_CONFIRM, IN_ESTABLISHED],
        note: "Code 2. An OPEN that has no place is not looked into.",
    },
    Row {
        event: Event::OpenCollisionDump,
        cells: [NONE, DUMPED, DUMPED, DUMPED, DUMPED, stay(&[SendKeepalive, Start(SendHold)])],
        note: "The OPEN of the connection to keep came (RFC 4271 section 6.8): the Session goes on with that, and this \
               is no failure. An established connection is not dumped (CollisionDetectEstablishedState is off); the \
               KEEPALIVE finds out whether the peer still knows it. With graceful restart the new connection replaces \
               it in silence once it is established itself (RFC 4724 section 4.2).",
    },
    Row {
        event: Event::NotifMsgVerErr,
        cells: [NONE, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED_UP],
        note: "As event 25. The RFC tries again at once and uncounted, with a lower version; there is no other than 4.",
    },
    Row {
        event: Event::NotifMsg,
        cells: [NONE, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED_UP],
        note: "A Cease is no fault, it leads to Active; except for too many prefixes and short resources.",
    },
    Row {
        event: Event::KeepAliveMsg,
        cells: [
            NONE,
            BEFORE_OPEN,
            BEFORE_OPEN,
            BEFORE_OPEN,
            to(Established, &[Start(Hold), Stop(ConnectRetry), ReportEstablished]),
            stay(&[Start(Hold)]),
        ],
        note: "RFC 6608 has no subcode for Connect and Active.",
    },
    Row {
        event: Event::UpdateMsg,
        cells: [NONE, BEFORE_OPEN, BEFORE_OPEN, BEFORE_OPEN, IN_OPEN_CONFIRM, stay(&[Start(Hold), Deliver])],
        note: "ROUTE-REFRESH (RFC 2918) is treated alike.",
    },
    Row {
        event: Event::UpdateMsgErr,
        cells: [NONE, BEFORE_OPEN, BEFORE_OPEN, BEFORE_OPEN, IN_OPEN_CONFIRM, FAULT_UP],
        note: "In Established, `Session::reset` with code 3, by the user who read the UPDATE. An UPDATE that has no \
               place is not looked into.",
    },
    Row {
        event: Event::SendHoldTimerExpires,
        cells: [NONE, NONE, NONE, NONE, NONE, to(Idle, &[Notify(8, 0), Close, ReportDown, Damp])],
        note: "RFC 9687. The user logs the reason of the `Down`, and closes although the peer takes nothing.",
    },
];
