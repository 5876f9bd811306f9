//! What is told.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use bgp_core::fsm::{DownReason, Negotiated, State};
use bgp_core::wire::{DecodeContext, Notification, Treatment};
use bgp_core::{Asn, Family, FamilySet, PathId, Prefix, RouterId};
use bgp_rib::{Attrs, PeerId};
use bgp_telemetry::bmp::{Down, View};
use bytes::Bytes;

/// A session that is up.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: PeerId,
    pub(crate) remote: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) peer_as: Asn,
    pub(crate) router_id: RouterId,
    pub(crate) families: FamilySet,
    /// The families whose routes come with path identifiers.
    pub(crate) add_path: FamilySet,
    /// How its UPDATEs are read.
    pub(crate) context: DecodeContext,
    pub(crate) sent_open: Vec<u8>,
    pub(crate) received_open: Vec<u8>,
    pub(crate) since: SystemTime,
}

impl Session {
    /// The session that was just agreed on; our OPEN was `open`.
    pub(crate) fn new(
        id: PeerId,
        [local, remote]: [SocketAddr; 2],
        open: &bgp_core::wire::Open,
        negotiated: &Negotiated,
    ) -> Session {
        let (mut sent_open, mut received_open) = (Vec::new(), Vec::new());
        open.encode(&mut sent_open);
        negotiated.peer_open().encode(&mut received_open);
        Session {
            id,
            remote,
            local,
            peer_as: negotiated.peer_as,
            router_id: negotiated.peer_router_id,
            families: negotiated.families,
            add_path: negotiated.add_path_receive,
            context: negotiated.decode_context(),
            sent_open,
            received_open,
            since: SystemTime::now(),
        }
    }
}

/// Why a session has ended, as BMP tells it. Events have their numbers from RFC 4271 section 8.1.
pub(crate) fn down(reason: &DownReason) -> Down {
    const MANUAL_STOP: u16 = 2;
    const HOLD_TIMER_EXPIRES: u8 = 4;
    const SEND_HOLD_TIMER_EXPIRED: u8 = 8;
    let encoded = |notification: &Notification| {
        let mut octets = Vec::new();
        notification.encode(&mut octets);
        octets
    };
    match reason {
        DownReason::AdminDown => Down::Local(MANUAL_STOP),
        DownReason::Reset(sent) | DownReason::NotificationSent(sent) => Down::Sent(encoded(sent)),
        DownReason::NotificationReceived(received) => Down::Received(encoded(received)),
        DownReason::HoldTimerExpired => Down::Sent(encoded(&Notification::new(HOLD_TIMER_EXPIRES, 0))),
        DownReason::SendHoldTimerExpired => {
            Down::Sent(encoded(&Notification::new(SEND_HOLD_TIMER_EXPIRED, 0)))
        }
        _ => Down::Lost,
    }
}

/// A route that is as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) prefix: Prefix,
    pub(crate) path_id: PathId,
    /// `None`: there is none any more.
    pub(crate) attrs: Option<Attrs>,
}

/// One thing that is told.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// A session came up, or is up when the listener comes.
    Up(Arc<Session>),
    /// It has ended.
    Down(PeerId, Down),
    /// A peer's state changed.
    State { peer: IpAddr, peer_as: Asn, local: Option<IpAddr>, from: State, to: State, at: SystemTime },
    /// An UPDATE came.
    Received { peer: PeerId, body: Bytes, treatment: Treatment, at: SystemTime },
    /// UPDATEs go out; other messages may be among them.
    Sent { peer: PeerId, octets: Bytes },
    /// Routes of a view have changed, or are told since the listener is new.
    Changes { peer: PeerId, view: View, changes: Vec<Change>, at: SystemTime },
    /// All routes of the view have been told.
    End { peer: PeerId, view: View, family: Family },
}

impl Item {
    /// What it takes while it waits, about.
    pub(crate) fn octets(&self) -> usize {
        size_of::<Item>()
            + match self {
                Item::Received { body, .. } => body.len(),
                Item::Sent { octets, .. } => octets.len(),
                Item::Changes { changes, .. } => changes.len() * size_of::<Change>(),
                Item::Up(_) | Item::Down(..) | Item::State { .. } | Item::End { .. } => 0,
            }
    }
}
