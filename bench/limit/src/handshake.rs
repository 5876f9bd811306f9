//! As much of a session as it takes to be believed.

use bgp_core::fsm::{Session, SessionConfig};
use bgp_core::wire::header::write_keepalive;
use bgp_core::wire::{MessageType, frame};
use bgp_core::{Family, FamilySet, RouterId};
use bgp_router::Identity;

/// A hold time longer than any run, so that nobody owes a KEEPALIVE.
const HOLD_TIME: u16 = 3600;

/// The OPEN of `router_id`, a router in the AS of `identity`, with the KEEPALIVE that answers the other side's.
pub(crate) fn hello(identity: &Identity, router_id: RouterId) -> Vec<u8> {
    let config = SessionConfig {
        families: FamilySet::EMPTY.with(Family::IPV4_UNICAST),
        hold_time: HOLD_TIME,
        extended_message: false,
        ..SessionConfig::new(identity.local_as, router_id, Some(identity.local_as))
    };
    let mut octets = Vec::new();
    Session::new(config, 0).our_open().encode(&mut octets);
    write_keepalive(&mut octets);
    octets
}

/// Takes the messages off the front of `input` that belong to setting up a session: whether they were all of it.
/// What follows is left.
pub(crate) fn is_established(input: &mut Vec<u8>) -> bool {
    while let Ok(Some(message)) = frame(input, 4096) {
        let (kind, octets) = (message.kind, message.len);
        input.drain(..octets);
        if kind == MessageType::Keepalive {
            return true;
        }
    }
    false
}
