//! Our OPEN, and what follows from the peer's (RFC 4271 section 6.2, RFC 5492, RFC 6286).

use std::time::Duration;

use super::config::SessionConfig;
use super::output::{ConnectionId, Direction};
use crate::wire::capability::GracefulRestart;
use crate::wire::header::{MAX_EXTENDED_LEN, MAX_LEN};
use crate::wire::notification::open_error;
use crate::wire::{Capability, Notification, Open};
use crate::{Asn, Family, FamilySet, PeerKind, RouterId};

/// What both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The connection it was agreed on.
    pub connection: ConnectionId,
    /// Who opened that.
    pub direction: Direction,
    /// The peer's AS.
    pub peer_as: Asn,
    /// The peer's BGP Identifier.
    pub peer_router_id: RouterId,
    /// Whether the peer is in our AS.
    pub kind: PeerKind,
    /// The smaller of the two hold times, in seconds; 0 is none.
    pub hold_time: u16,
    /// The longest time between two KEEPALIVEs of ours, a third of the hold time; zero if there is none.
    pub keepalive: Duration,
    /// The families of both.
    pub families: FamilySet,
    /// AS numbers in UPDATEs are four octets wide (RFC 6793).
    pub four_octet_as: bool,
    /// Messages may have up to 65535 octets (RFC 8654).
    pub extended_message: bool,
    /// The peer answers a ROUTE-REFRESH (RFC 2918).
    pub route_refresh: bool,
    /// All that the peer offered, in its order.
    pub peer_capabilities: Vec<Capability>,
    /// Both offered graceful restart: the peer marks the end of its routes (RFC 4724 section 2).
    pub peer_sends_end_of_rib: bool,
}

impl Negotiated {
    /// Octets of the longest message, either way.
    #[must_use]
    pub fn max_message_len(&self) -> usize {
        if self.extended_message { MAX_EXTENDED_LEN } else { MAX_LEN }
    }

    /// The hold time; `None` if there is none.
    pub(super) fn hold(&self) -> Option<Duration> {
        (self.hold_time > 0).then(|| Duration::from_secs(u64::from(self.hold_time)))
    }
}

/// The OPEN that we send. It offers what is built, nothing else.
pub(super) fn our_open(config: &SessionConfig) -> Open {
    let mut capabilities: Vec<Capability> = config.families.iter().map(Capability::Multiprotocol).collect();
    capabilities.push(Capability::RouteRefresh);
    capabilities.push(Capability::FourOctetAs(config.local_as));
    if config.extended_message {
        capabilities.push(Capability::ExtendedMessage);
    }
    if config.graceful_restart {
        capabilities.push(Capability::GracefulRestart(GracefulRestart::default()));
    }
    Open { asn: config.local_as, hold_time: config.hold_time, router_id: config.router_id, capabilities }
}

/// What follows from the peer's OPEN, or the NOTIFICATION to refuse it with.
pub(super) fn negotiate(
    config: &SessionConfig,
    connection: ConnectionId,
    direction: Direction,
    open: Open,
) -> Result<Negotiated, Notification> {
    check(config, &open).map_err(|subcode| Notification::new(Notification::OPEN, subcode))?;
    let families = peer_families(&open.capabilities).intersection(config.families);
    if families.is_empty() {
        return Err(missing_families(config.families));
    }
    let offers = |wanted: fn(&Capability) -> bool| open.capabilities.iter().any(wanted);
    let hold_time = config.hold_time.min(open.hold_time);
    Ok(Negotiated {
        connection,
        direction,
        peer_as: open.asn,
        peer_router_id: open.router_id,
        kind: kind(config, open.asn),
        hold_time,
        keepalive: Duration::from_secs(u64::from(hold_time)) / 3,
        families,
        four_octet_as: offers(|c| matches!(c, Capability::FourOctetAs(_))),
        extended_message: config.extended_message && offers(|c| matches!(c, Capability::ExtendedMessage)),
        route_refresh: offers(|c| matches!(c, Capability::RouteRefresh)),
        peer_sends_end_of_rib: config.graceful_restart
            && offers(|c| matches!(c, Capability::GracefulRestart(_))),
        peer_capabilities: open.capabilities,
    })
}

fn kind(config: &SessionConfig, peer: Asn) -> PeerKind {
    if peer == config.local_as { PeerKind::Internal } else { PeerKind::External }
}

/// The numbers of the OPEN; an error is the subcode.
fn check(config: &SessionConfig, open: &Open) -> Result<(), u8> {
    let other_as = config.peer_as.is_some_and(|expected| expected != open.asn);
    // RFC 6286 section 2.1: an identifier is unique within an AS only.
    let ours = open.router_id == config.router_id && kind(config, open.asn) == PeerKind::Internal;
    match open {
        _ if other_as || open.asn == Asn(0) => Err(open_error::BAD_PEER_AS),
        _ if ours || open.router_id == RouterId(0) => Err(open_error::BAD_IDENTIFIER),
        Open { hold_time: 1 | 2, .. } => Err(open_error::UNACCEPTABLE_HOLD_TIME),
        _ => Ok(()),
    }
}

/// A peer that lists no family speaks IPv4 unicast (RFC 4760 section 8 adds to what RFC 4271 has anyway).
fn peer_families(capabilities: &[Capability]) -> FamilySet {
    let mut listed = capabilities
        .iter()
        .filter_map(|capability| match capability {
            Capability::Multiprotocol(family) => Some(*family),
            _ => None,
        })
        .peekable();
    match listed.peek() {
        Some(_) => listed.collect(),
        None => FamilySet::EMPTY.with(Family::IPV4_UNICAST),
    }
}

/// NOTIFICATION 2/7 with the capabilities of which we need one (RFC 5492 section 5).
fn missing_families(families: FamilySet) -> Notification {
    let mut data = Vec::new();
    families.iter().for_each(|family| Capability::Multiprotocol(family).encode(&mut data));
    Notification::with_data(Notification::OPEN, open_error::UNSUPPORTED_CAPABILITY, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> SessionConfig {
        SessionConfig::new(Asn(64512), RouterId(1), Some(Asn(64512)))
    }

    fn open() -> Open {
        Open { asn: Asn(64512), hold_time: 30, router_id: RouterId(2), capabilities: vec![] }
    }

    fn outcome(config: &SessionConfig, open: Open) -> Result<Negotiated, (u8, u8)> {
        negotiate(config, ConnectionId(1), Direction::Outgoing, open).map_err(|n| (n.code, n.subcode))
    }

    #[test]
    fn a_peer_without_capabilities_speaks_ipv4_unicast_the_old_way() {
        let agreed = outcome(&config(), open()).unwrap();
        assert_eq!(agreed.families, FamilySet::EMPTY.with(Family::IPV4_UNICAST));
        assert_eq!((agreed.hold_time, agreed.keepalive), (30, Duration::from_secs(10)));
        assert!(!agreed.four_octet_as && !agreed.extended_message && !agreed.route_refresh);
        assert!(!agreed.peer_sends_end_of_rib);
        assert_eq!(agreed.max_message_len(), 4096);
    }

    #[test]
    fn two_of_us_agree_on_all_that_is_offered() {
        let theirs = SessionConfig { router_id: RouterId(2), ..config() };
        let agreed = outcome(&config(), our_open(&theirs)).unwrap();
        assert!(agreed.four_octet_as && agreed.extended_message && agreed.route_refresh);
        assert!(agreed.peer_sends_end_of_rib);
        assert_eq!((agreed.max_message_len(), agreed.kind), (65535, PeerKind::Internal));
    }

    #[test]
    fn what_we_do_not_offer_is_not_agreed_on() {
        let ours = SessionConfig { extended_message: false, graceful_restart: false, ..config() };
        let theirs = SessionConfig { router_id: RouterId(2), ..config() };
        let agreed = outcome(&ours, our_open(&theirs)).unwrap();
        assert!(!agreed.extended_message && !agreed.peer_sends_end_of_rib);
    }

    #[test]
    fn an_open_that_does_not_suit_is_refused_with_its_subcode() {
        type Spoil = fn(&mut Open);
        let cases: [(Spoil, u8); 6] = [
            (|open| open.asn = Asn(64513), open_error::BAD_PEER_AS),
            (|open| open.asn = Asn(0), open_error::BAD_PEER_AS),
            (|open| open.router_id = RouterId(0), open_error::BAD_IDENTIFIER),
            (|open| open.router_id = RouterId(1), open_error::BAD_IDENTIFIER),
            (|open| open.hold_time = 1, open_error::UNACCEPTABLE_HOLD_TIME),
            (|open| open.hold_time = 2, open_error::UNACCEPTABLE_HOLD_TIME),
        ];
        for (spoil, subcode) in cases {
            let mut open = open();
            spoil(&mut open);
            assert_eq!(outcome(&config(), open).unwrap_err(), (2, subcode));
        }
    }

    #[test]
    fn a_peer_of_another_as_may_share_our_identifier() {
        let config = SessionConfig { peer_as: None, ..config() };
        let open = Open { asn: Asn(64513), router_id: RouterId(1), ..open() };
        assert_eq!(outcome(&config, open).unwrap().kind, PeerKind::External);
    }

    #[test]
    fn a_dynamic_peer_may_be_in_any_as_but_zero() {
        let config = SessionConfig { peer_as: None, ..config() };
        assert!(outcome(&config, Open { asn: Asn(4_200_000_000), ..open() }).is_ok());
        assert_eq!(outcome(&config, Open { asn: Asn(0), ..open() }).unwrap_err(), (2, 2));
    }

    #[test]
    fn a_hold_time_of_zero_on_either_side_is_none() {
        assert_eq!(outcome(&config(), Open { hold_time: 0, ..open() }).unwrap().hold(), None);
        let ours = SessionConfig { hold_time: 0, ..config() };
        assert_eq!(outcome(&ours, open()).unwrap().keepalive, Duration::ZERO);
    }

    #[test]
    fn no_common_family_is_answered_with_the_capabilities_that_are_missing() {
        let both = FamilySet::EMPTY.with(Family::IPV4_UNICAST).with(Family::IPV6_UNICAST);
        let config = SessionConfig { families: both, ..config() };
        let vpn = Capability::Multiprotocol(Family { afi: 1, safi: 128 });
        let open = Open { capabilities: vec![vpn], ..open() };
        let refused = negotiate(&config, ConnectionId(1), Direction::Incoming, open).unwrap_err();
        let data = vec![1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1];
        assert_eq!(refused, Notification::with_data(2, 7, data));
    }
}
