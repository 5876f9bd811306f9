//! Our OPEN, and what follows from the peer's (RFC 4271 section 6.2, RFC 5492, RFC 6286, RFC 6793).
//!
//! What does not suit is answered, in this order, with
//!
//! | the peer's OPEN has | NOTIFICATION | |
//! |---|---|---|
//! | another version than 4 | 2/1 and our version | [`Open::parse`] |
//! | an optional parameter other than capabilities | 2/4 | [`Open::parse`] |
//! | another AS than expected, 0 or AS_TRANS | 2/2 | RFC 7607, RFC 6793 |
//! | the identifier 0, or ours within our AS | 2/3 | RFC 6286 |
//! | a hold time of 1 or 2 | 2/6 | |
//! | no family of ours | 2/7 and the capabilities of ours | RFC 5492 section 5 |
//! | a role that does not suit ours | 2/11 | RFC 9234 section 4.2 |

use std::time::Duration;

use super::config::SessionConfig;
use super::output::{ConnectionId, Direction, DownReason};
use super::restart::{PeerRestart, our_restart};
use super::role::peer_role;
use crate::wire::capability::{ExtendedNextHop, Offered, Role, SendReceive};
use crate::wire::header::{MAX_EXTENDED_LEN, MAX_LEN};
use crate::wire::notification::open_error;
use crate::wire::{Capability, DecodeContext, Notification, Open};
use crate::{Asn, Family, FamilySet, PeerKind, RouterId};

/// The families that RFC 8950 section 4 gives IPv6 next hops: the others have them anyway, or have none.
const NEXT_HOPS: FamilySet =
    FamilySet::EMPTY.with(Family::IPV4_UNICAST).with(Family::IPV4_LABELED).with(Family::IPV4_VPN);

/// What both sides agreed on: what our OPEN offers and the peer's answers.
///
/// ```
/// use bgp_core::fsm::{ConnectionId, Direction, Output, Session, SessionConfig};
/// use bgp_core::wire::header::write_keepalive;
/// use bgp_core::wire::{Capability, Open};
/// use bgp_core::{Asn, Family, FamilySet, Instant, RouterId};
///
/// let now = Instant::ZERO;
/// let config = SessionConfig {
///     families: FamilySet::UNICAST,
///     passive: true,
///     ..SessionConfig::new(Asn(64512), RouterId(1), Some(Asn(64513)))
/// };
/// let mut session = Session::new(config, 1);
/// session.start(now);
/// session.connected(now, ConnectionId(1), Direction::Incoming);
///
/// // What the peer sends: IPv6 only, a hold time of 30 s, AS numbers of two octets, and its first KEEPALIVE.
/// let capabilities = vec![Capability::Multiprotocol(Family::IPV6_UNICAST)];
/// let mut octets = Vec::new();
/// Open { asn: Asn(64513), hold_time: 30, router_id: RouterId(2), capabilities }.encode(&mut octets);
/// write_keepalive(&mut octets);
/// assert_eq!(session.receive(now, ConnectionId(1), &mut &octets[..]), None, "nothing for the user yet");
///
/// let agreed = session.negotiated().expect("established");
/// assert_eq!((agreed.hold_time, agreed.keepalive.as_secs()), (30, 10));
/// assert_eq!(agreed.families, FamilySet::EMPTY.with(Family::IPV6_UNICAST));
/// assert!(!agreed.four_octet_as && !agreed.route_refresh && agreed.max_message_len() == 4096);
/// assert!(std::iter::from_fn(|| session.poll_output()).any(|output| matches!(output, Output::Established(_))));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The connection it was agreed on.
    pub connection: ConnectionId,
    /// Who opened that.
    pub direction: Direction,
    /// The peer's AS.
    pub peer_as: Asn,
    /// The peer's BGP Identifier, not zero (RFC 6286 section 2.1).
    pub peer_router_id: RouterId,
    /// Whether the peer is in our AS (RFC 4271 section 1.1), or in our confederation.
    pub kind: PeerKind,
    /// The hold time that the peer offered, in seconds.
    pub peer_hold_time: u16,
    /// The smaller of the two hold times, in seconds, 0 or 3 to 65535; 0 is none (RFC 4271 section 4.2).
    pub hold_time: u16,
    /// The longest time between two KEEPALIVEs of ours, at most a third of the hold time; zero if there is none (RFC 4271
    /// section 4.4).
    pub keepalive: Duration,
    /// The families of both (RFC 4760 section 8), at least one.
    pub families: FamilySet,
    /// AS numbers in UPDATEs are four octets wide (RFC 6793).
    pub four_octet_as: bool,
    /// Both offered messages of up to 65535 octets (RFC 8654), so we may send them.
    pub extended_message: bool,
    /// We offered them, so the peer may send them.
    pub(super) takes_extended_message: bool,
    /// The peer answers a ROUTE-REFRESH (RFC 2918 section 2), so we may send one.
    pub route_refresh: bool,
    /// Both know the markers around that answer (RFC 7313).
    pub enhanced_refresh: bool,
    /// The families whose routes come with path identifiers: we receive, the peer sends (RFC 7911 section 4).
    pub add_path_receive: FamilySet,
    /// The families whose routes go out with path identifiers: we send, the peer receives (RFC 7911 section 4).
    pub add_path_send: FamilySet,
    /// The IPv4 families whose routes may have an IPv6 next hop (RFC 8950 section 4).
    pub extended_next_hop: FamilySet,
    /// The peer's role, which suits ours, if both told theirs (RFC 9234 section 4.2).
    pub peer_role: Option<Role>,
    /// What the peer said of its restart, if both offered graceful restart (RFC 4724 section 3).
    pub restart: Option<PeerRestart>,
    /// All that the peer offered, in its order.
    pub peer_capabilities: Vec<Capability>,
}

impl Negotiated {
    /// Octets of the longest message that we may send: 4096 or 65535 (RFC 8654 section 4).
    #[must_use]
    pub fn max_message_len(&self) -> usize {
        if self.extended_message { MAX_EXTENDED_LEN } else { MAX_LEN }
    }

    /// Octets of the longest message that the peer may send. It is our offer alone that counts (RFC 8654 section 5).
    pub(super) fn max_received_len(&self) -> usize {
        if self.takes_extended_message { MAX_EXTENDED_LEN } else { MAX_LEN }
    }

    /// The peer's OPEN. Written again it has the same meaning, not always the same octets.
    #[must_use]
    pub fn peer_open(&self) -> Open {
        Open {
            asn: self.peer_as,
            hold_time: self.peer_hold_time,
            router_id: self.peer_router_id,
            capabilities: self.peer_capabilities.clone(),
        }
    }

    /// How the peer's UPDATEs are read. Several labels before a prefix are never offered.
    #[must_use]
    pub fn decode_context(&self) -> DecodeContext {
        DecodeContext {
            four_octet_as: self.four_octet_as,
            add_path: self.add_path_receive,
            extended_next_hop: self.extended_next_hop,
            ..DecodeContext::new(self.kind, self.families)
        }
    }

    /// Whether the peer marks the end of its routes: both offered graceful restart (RFC 4724 section 2).
    #[must_use]
    pub fn peer_sends_end_of_rib(&self) -> bool {
        self.restart.is_some()
    }

    /// Whether routes of the peer may outlive this session if it ends for `reason` (RFC 4724 section 4.2, RFC 8538
    /// section 4): those of the families in [`PeerRestart::families`] and [`PeerRestart::long_lived`].
    #[must_use]
    pub fn retains(&self, reason: &DownReason) -> bool {
        self.restart.as_ref().is_some_and(|restart| restart.retains(reason))
    }

    /// The hold time; `None` if there is none.
    pub(super) fn hold(&self) -> Option<Duration> {
        (self.hold_time > 0).then(|| Duration::from_secs(u64::from(self.hold_time)))
    }
}

/// The OPEN that we send. It offers what the configuration asks for, nothing else.
pub(super) fn our_open(config: &SessionConfig) -> Open {
    let mut capabilities: Vec<Capability> = config.families.iter().map(Capability::Multiprotocol).collect();
    capabilities.push(Capability::RouteRefresh);
    capabilities.push(Capability::FourOctetAs(config.local_as));
    if config.extended_message {
        capabilities.push(Capability::ExtendedMessage);
    }
    if config.enhanced_refresh {
        capabilities.push(Capability::EnhancedRouteRefresh);
    }
    capabilities.extend(our_add_path(config));
    capabilities.extend(our_next_hops(config));
    // RFC 9234 section 4: a role is told to other ASes only.
    let external = config.peer_as != Some(config.local_as);
    capabilities.extend(config.role.filter(|_| external).map(Capability::Role));
    capabilities.extend(our_restart(config));
    Open { asn: config.local_as, hold_time: config.hold_time, router_id: config.router_id, capabilities }
}

fn our_add_path(config: &SessionConfig) -> Option<Capability> {
    let mode =
        |family| match (config.add_path_receive.contains(family), config.add_path_send.contains(family)) {
            (true, true) => Some(SendReceive::Both),
            (true, false) => Some(SendReceive::Receive),
            (false, true) => Some(SendReceive::Send),
            (false, false) => None,
        };
    let entries: Vec<_> = config.families.iter().filter_map(|family| Some((family, mode(family)?))).collect();
    (!entries.is_empty()).then_some(Capability::AddPath(entries))
}

fn our_next_hops(config: &SessionConfig) -> Option<Capability> {
    let families = config.extended_next_hop.intersection(config.families).intersection(NEXT_HOPS);
    let entry = |family| ExtendedNextHop { family, next_hop_afi: Family::IPV6_UNICAST.afi };
    let entries: Vec<_> = families.iter().map(entry).collect();
    (!entries.is_empty()).then_some(Capability::ExtendedNextHop(entries))
}

/// What follows from the peer's OPEN, or the NOTIFICATION to refuse it with.
pub(super) fn negotiate(
    config: &SessionConfig,
    connection: ConnectionId,
    direction: Direction,
    open: Open,
) -> Result<Negotiated, Notification> {
    let refused = |subcode| Notification::new(Notification::OPEN, subcode);
    check(config, &open).map_err(refused)?;
    let families = peer_families(&open.capabilities).intersection(config.families);
    if families.is_empty() {
        return Err(missing_families(config.families));
    }
    let kind = kind(config, open.asn);
    let peer_role = match config.role.filter(|_| kind == PeerKind::External) {
        Some(ours) => peer_role(ours, config.strict_role, &open.capabilities)
            .map_err(|_| refused(open_error::ROLE_MISMATCH))?,
        None => None,
    };
    let theirs = |capability: Capability| open.capabilities.contains(&capability);
    let offered = Offered(&open.capabilities);
    let peer_paths = |wanted| peer_add_path(families, offered, wanted);
    let hold_time = config.hold_time.min(open.hold_time);
    Ok(Negotiated {
        connection,
        direction,
        peer_as: open.asn,
        peer_router_id: open.router_id,
        kind,
        peer_hold_time: open.hold_time,
        hold_time,
        keepalive: keepalive(config, hold_time),
        families,
        four_octet_as: offered.four_octet_as().is_some(),
        extended_message: config.extended_message && theirs(Capability::ExtendedMessage),
        takes_extended_message: config.extended_message,
        route_refresh: theirs(Capability::RouteRefresh),
        enhanced_refresh: config.enhanced_refresh && theirs(Capability::EnhancedRouteRefresh),
        add_path_receive: config.add_path_receive.intersection(peer_paths(SendReceive::sends)),
        add_path_send: config.add_path_send.intersection(peer_paths(SendReceive::receives)),
        extended_next_hop: agreed_next_hops(config, &open.capabilities).intersection(families),
        peer_role,
        restart: PeerRestart::negotiate(config, families, offered),
        peer_capabilities: open.capabilities,
    })
}

/// A third of the hold time (RFC 4271 section 4.4), or less if less is asked for.
fn keepalive(config: &SessionConfig, hold_time: u16) -> Duration {
    let third = Duration::from_secs(hold_time.into()) / 3;
    config.keepalive.map_or(third, |seconds| third.min(Duration::from_secs(seconds.into())))
}

/// Those of `families` for which the peer uses path identifiers in the direction that `wanted` asks about.
fn peer_add_path(families: FamilySet, offered: Offered<'_>, wanted: fn(SendReceive) -> bool) -> FamilySet {
    families.iter().filter(|family| offered.add_path(*family).is_some_and(wanted)).collect()
}

/// The families for which both take an IPv6 next hop.
fn agreed_next_hops(config: &SessionConfig, capabilities: &[Capability]) -> FamilySet {
    let entries = |capability: &Capability| match capability {
        Capability::ExtendedNextHop(entries) => entries.clone(),
        _ => Vec::new(),
    };
    let ours: Vec<_> = our_next_hops(config).iter().flat_map(entries).collect();
    let theirs = capabilities.iter().flat_map(entries);
    theirs.filter(|entry| ours.contains(entry)).map(|entry| entry.family).collect()
}

fn kind(config: &SessionConfig, peer: Asn) -> PeerKind {
    let inside = config.confederation || peer == config.local_as;
    if inside { PeerKind::Internal } else { PeerKind::External }
}

/// The numbers of the OPEN; an error is the subcode.
fn check(config: &SessionConfig, open: &Open) -> Result<(), u8> {
    let other_as = config.peer_as.is_some_and(|expected| expected != open.asn);
    // RFC 6286 section 2.1: an identifier is unique within an AS only.
    let ours = open.router_id == config.router_id && kind(config, open.asn) == PeerKind::Internal;
    match open {
        // AS_TRANS stands for other numbers, it is nobody's own (RFC 6793).
        _ if other_as || matches!(open.asn, Asn(0) | Asn::TRANS) => Err(open_error::BAD_PEER_AS),
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
