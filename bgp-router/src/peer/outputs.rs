//! What a peer tells whoever runs it.

use bgp_core::Family;
use bgp_core::fsm::{ConnectionId, DownReason, Negotiated, State};
use bgp_core::wire::{Fault, Treatment};
use bgp_rib::PeerId;
use bytes::Bytes;

use crate::message::ToCore;

/// What a peer asks of whoever runs it.
#[derive(Debug)]
pub enum PeerOutput {
    /// Open a TCP connection to the peer; answer with [`connected`](crate::Peer::connected) or
    /// [`connect_failed`](crate::Peer::connect_failed).
    Connect,
    /// Close the connection once its [`Peer::queue`](crate::Peer::queue) is empty.
    Close(ConnectionId),
    /// Carry this to the core.
    Core(ToCore),
    /// Tell the operator.
    Event(PeerEvent),
    /// An UPDATE came, as [`Peer::mirror`](crate::Peer::mirror) asked to be told.
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
