//! What a session is told at its start.

use std::time::Duration;

use crate::wire::capability::{GracefulRestart, LongLived, Role};
use crate::{Asn, Family, FamilySet, RouterId};

/// The shortest default of the send hold time, in seconds, as RFC 9687 recommends.
const SEND_HOLD: u64 = 480;

/// How to speak to one peer. What is offered here must be kept by the session's user: see each field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// Our AS number; neither 0 (RFC 7607) nor [`Asn::TRANS`].
    pub local_as: Asn,
    /// Our BGP Identifier; not zero (RFC 6286 section 2.1).
    pub router_id: RouterId,
    /// The AS that the peer must be in; `None` takes any, for peers that are known by their address range only.
    pub peer_as: Option<Asn>,
    /// The peer is in another member AS of our confederation (RFC 5065): its attributes are read as an internal peer's.
    pub confederation: bool,
    /// The hold time that we propose, in seconds: 0 for none, else at least 3 (RFC 4271 section 4.2).
    pub hold_time: u16,
    /// Seconds between two KEEPALIVEs of ours, if that is less than a third of the hold time agreed on; `None`: a third.
    pub keepalive: Option<u16>,
    /// The wait after the first failure, from a second to two minutes. It doubles with every failure in a row up to two
    /// minutes, and a jitter of 0.75 to 1 goes on top.
    pub connect_retry: Duration,
    /// How long to wait for the peer's OPEN before sending ours (RFC 4271 section 8.1.1, DelayOpen).
    pub delay_open: Option<Duration>,
    /// How long the peer may take for its OPEN, once ours is sent (RFC 4271 section 8.2.2 suggests four minutes).
    pub open_time: Duration,
    /// Never connect, only accept.
    pub passive: bool,
    /// The families that we offer (RFC 4760 section 8). A peer that offers none of them is refused.
    pub families: FamilySet,
    /// What to say of our own restart (RFC 4724 section 3); `None` says nothing. Without families it promises
    /// End-of-RIB and that a restart of the peer's is understood.
    pub graceful_restart: Option<GracefulRestart>,
    /// What to say of our routes long after our end (RFC 9494 section 3), beside `graceful_restart` only. An empty list
    /// says that we keep the peer's; `None` says nothing.
    pub long_lived: Option<Vec<LongLived>>,
    /// Offer to take messages of up to 65535 octets (RFC 8654 section 3).
    pub extended_message: bool,
    /// Offer to take several paths to a destination, in these families (RFC 7911 section 4).
    pub add_path_receive: FamilySet,
    /// Offer to send several paths to a destination, in these families (RFC 7911 section 4).
    pub add_path_send: FamilySet,
    /// Offer IPv6 next hops for routes of these IPv4 families (RFC 8950 section 4).
    pub extended_next_hop: FamilySet,
    /// Offer markers around the answer to a ROUTE-REFRESH (RFC 7313 section 3.1).
    pub enhanced_refresh: bool,
    /// Our place between the two ASes (RFC 9234 section 4), told to eBGP peers only.
    pub role: Option<Role>,
    /// Refuse an eBGP peer that does not tell its role (RFC 9234 section 4.2). Without `role` it means nothing.
    pub strict_role: bool,
    /// After how many seconds a peer that takes nothing is dropped (RFC 9687), 0 for never; `None` is eight minutes or
    /// twice the negotiated hold time, whichever is longer.
    pub send_hold_time: Option<u16>,
}

impl SessionConfig {
    /// The defaults: hold time 90 s, connect retry 5 s, active, IPv4 unicast, long messages, and graceful restart
    /// without families. What needs more than a session to keep its promise is not offered.
    #[must_use]
    pub fn new(local_as: Asn, router_id: RouterId, peer_as: Option<Asn>) -> SessionConfig {
        SessionConfig {
            local_as,
            router_id,
            peer_as,
            confederation: false,
            hold_time: 90,
            keepalive: None,
            connect_retry: Duration::from_secs(5),
            delay_open: None,
            open_time: Duration::from_secs(240),
            passive: false,
            families: FamilySet::EMPTY.with(Family::IPV4_UNICAST),
            graceful_restart: Some(GracefulRestart::default()),
            long_lived: None,
            extended_message: true,
            add_path_receive: FamilySet::EMPTY,
            add_path_send: FamilySet::EMPTY,
            extended_next_hop: FamilySet::EMPTY,
            enhanced_refresh: false,
            role: None,
            strict_role: false,
            send_hold_time: None,
        }
    }

    /// The send hold time that goes with a negotiated hold time; `None` if there is to be none.
    pub(super) fn send_hold(&self, hold_time: u16) -> Option<Duration> {
        let default = || SEND_HOLD.max(u64::from(hold_time) * 2);
        let seconds = self.send_hold_time.map_or_else(default, u64::from);
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_send_hold_time_is_eight_minutes_or_twice_a_longer_hold_time() {
        let mut config = SessionConfig::new(Asn(64512), RouterId(1), None);
        let seconds = |config: &SessionConfig, hold| config.send_hold(hold).map(|time| time.as_secs());
        assert_eq!([0, 90, 300].map(|hold| seconds(&config, hold)), [Some(480), Some(480), Some(600)]);
        config.send_hold_time = Some(0);
        assert_eq!(seconds(&config, 90), None);
    }
}
