//! Two connections to one peer: which one stays (RFC 4271 section 6.8, RFC 6286 section 2.3).
//!
//! A Session belongs to a pair of addresses, and only its own connections collide: sessions over IPv4 and IPv6 between
//! the same two nodes live side by side.

use std::time::Duration;

use super::connection::{Connection, Phase};
use super::output::{ConnectionId, Direction};
use crate::{Asn, RouterId};

/// How long an OPEN waits for that of a connection that would be the one to keep. A live peer needs a round trip.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// What becomes of a connection whose OPEN has just come and suits us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on.
    Proceed,
    /// It goes on and the other one is closed.
    Replace(ConnectionId),
    /// It waits: the other is the one to keep, if its peer's OPEN comes.
    Contend,
    /// It is closed.
    Refuse,
}

/// The direction, seen from us, of the connection to keep: the one that the higher identifier opened; of equal
/// ones, that of the higher AS.
pub(super) fn survivor(local: (RouterId, Asn), remote: (RouterId, Asn)) -> Direction {
    if local > remote { Direction::Outgoing } else { Direction::Incoming }
}

/// Judges a connection of direction `this`, whose OPEN came, against the `other` one of the session.
///
/// An established connection stays unless both sides know graceful restart: then the peer has restarted, and the
/// new one takes its place once it is established itself. RFC 4271 compares connections in OpenConfirm only. Where the
/// better one is one message behind, that lets both sides close a different one; so the worse one waits for it.
pub(super) fn judge(this: Direction, other: Option<&Connection>, survivor: Direction) -> Verdict {
    let Some(other) = other else { return Verdict::Proceed };
    match &other.phase {
        Phase::Established { negotiated, .. } if negotiated.peer_sends_end_of_rib() => Verdict::Proceed,
        Phase::Established { .. } => Verdict::Refuse,
        _ if this == survivor => Verdict::Replace(other.id),
        Phase::OpenConfirm(_) => Verdict::Refuse,
        Phase::DelayOpen | Phase::OpenSent | Phase::Contending { .. } => Verdict::Contend,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_of_the_higher_identifier_stays_and_the_as_breaks_ties() {
        let one = (RouterId(1), Asn(64513));
        let two = (RouterId(2), Asn(64512));
        assert_eq!(survivor(one, two), Direction::Incoming);
        assert_eq!(survivor(two, one), Direction::Outgoing);
        let tie = (RouterId(1), Asn(64512));
        assert_eq!(survivor(one, tie), Direction::Outgoing);
        assert_eq!(survivor(tie, one), Direction::Incoming);
    }

    #[test]
    fn both_sides_keep_the_same_connection() {
        let ids = [1, 2, 0xffff_ffff];
        for (a, b) in ids.iter().flat_map(|a| ids.map(|b| (*a, b))).filter(|(a, b)| a != b) {
            let (a, b) = ((RouterId(a), Asn(1)), (RouterId(b), Asn(1)));
            assert_ne!(survivor(a, b), survivor(b, a));
        }
    }
}
