//! What a router is told about itself and its peers; already checked and resolved by the caller.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use bgp_core::fsm::{Negotiated, PeerRestart, SessionConfig};
use bgp_core::wire::capability::{GracefulRestart, LongLived, RestartFamily, Role};
use bgp_core::wire::notification::cease;
use bgp_core::wire::{Capability, Notification};
use bgp_core::{Asn, ClusterId, Family, FamilySet, PeerKind, Prefix, RouterId, link_local};
use bgp_rib::{Advertise, ExportContext, GroupKey, NextHopRule, Policy, SourceKind, TargetKind};

use crate::as_numbers::AsNumbers;
use crate::message::{Retention, SessionRestart};

/// Who this router is; the same for all its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Our AS.
    pub local_as: Asn,
    /// Our BGP Identifier (RFC 6286).
    pub router_id: RouterId,
    /// Our cluster if we reflect routes (RFC 4456), `None` if we do not.
    pub cluster_id: Option<ClusterId>,
    /// The AS that the world knows our confederation by (RFC 5065); `local_as` is our member AS then. `None`: we are in
    /// none.
    pub confederation: Option<Asn>,
}

impl Identity {
    /// What the RIB needs to rewrite attributes.
    #[must_use]
    pub fn export_context(&self) -> ExportContext {
        ExportContext { local_as: self.local_as, router_id: self.router_id, cluster_id: self.cluster_id }
    }
}

/// IPv4 unicast alone.
const IPV4: FamilySet = FamilySet::EMPTY.with(Family::IPV4_UNICAST);

/// Our addresses on one connection. Link-local ones come with their link ([`link_local`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalAddresses {
    /// Our end of the connection.
    pub session: IpAddr,
    /// Our IPv4 address as a next hop on it, if there is one.
    pub v4: Option<Ipv4Addr>,
    /// Our IPv6 address as a next hop on it, if there is one.
    pub v6: Option<Ipv6Addr>,
}

impl LocalAddresses {
    /// Our end of the connection, and what the same interface has in the other family.
    #[must_use]
    pub fn new(session: IpAddr, other_family: Option<IpAddr>) -> LocalAddresses {
        let mut addresses = LocalAddresses { session, v4: None, v6: None };
        for address in other_family.into_iter().chain([session]) {
            match address {
                IpAddr::V4(a) => addresses.v4 = Some(a),
                IpAddr::V6(a) => addresses.v6 = Some(a),
            }
        }
        addresses
    }

    /// The link, if the connection is one of link-local addresses.
    #[must_use]
    pub fn link(&self) -> Option<NonZeroU32> {
        link_local::link(self.session)
    }

    /// Whether the connection is one of link-local addresses. Then an IPv4 address of ours may be unknown to the peer,
    /// even if the interface has one.
    fn is_on_link(&self) -> bool {
        self.link().is_some()
    }
}

/// How much a peer may make us hold; more ends the session (Cease, RFC 4486 subcodes 1 and 8). Where routes are kept as
/// they came, those that are not taken count too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Routes of each family.
    pub prefixes: Option<u32>,
    /// Octets of the attributes of all its routes, shared or not.
    pub bytes: Option<u64>,
    /// From how many routes of a family on the operator is told, once in a session.
    pub warn_at: Option<u32>,
    /// How long a peer with too many routes stays down; `None`: its session begins anew after the usual back-off.
    pub pause: Option<Duration>,
}

impl Limits {
    /// What to say to a peer that holds more than `max` routes of a family (RFC 4486 section 4: both are named).
    pub(crate) fn too_many(family: Family, max: u32) -> Notification {
        let mut data = family.afi.to_be_bytes().to_vec();
        data.push(family.safi);
        data.extend(max.to_be_bytes());
        Notification::with_data(Notification::CEASE, cease::MAX_PREFIXES, data)
    }
}

/// What is agreed with a peer on the restart of either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartSettings {
    /// How long the peer is to wait for us to come back, in seconds, at most 4095 (RFC 4724 section 3).
    pub restart_time: u16,
    /// Once the peer is back, the longest that its old routes wait for its End-of-RIB.
    pub stale_time: Duration,
    /// Offer to keep routes over NOTIFICATIONs and the hold timer too (RFC 8538).
    pub notification: bool,
    /// How long the peer is asked to keep our routes after `restart_time`, and we keep its at most, in seconds below
    /// 2^24 (RFC 9494); `None` offers nothing.
    pub long_lived: Option<u32>,
    /// The F bit: we go on forwarding while we restart, or forward nothing at all as a reflector off the data path. A
    /// speaker says so in its first sessions only if the kernel still has its routes (RFC 4724 section 4.1).
    pub forwarding: bool,
}

impl Default for RestartSettings {
    /// 120 s, six minutes for the End-of-RIB, NOTIFICATIONs too, nothing long-lived, forwarding goes on.
    fn default() -> RestartSettings {
        RestartSettings {
            restart_time: 120,
            stale_time: Duration::from_secs(360),
            notification: true,
            long_lived: None,
            forwarding: true,
        }
    }
}

impl RestartSettings {
    /// What we say of our restart in an OPEN that offers these families.
    fn graceful(&self, families: FamilySet) -> GracefulRestart {
        let entry = |family| RestartFamily { family, forwarding: self.forwarding };
        GracefulRestart {
            restarted: false,
            notification: self.notification,
            restart_time: self.restart_time,
            families: families.iter().map(entry).collect(),
        }
    }

    fn long_lived(&self, families: FamilySet) -> Option<Vec<LongLived>> {
        let stale_time = self.long_lived?;
        let entry = |family| LongLived { family, forwarding: self.forwarding, stale_time };
        Some(families.iter().map(entry).collect())
    }

    /// What is kept of a peer that says this of its restart, whatever the reason for which its session ended.
    pub(crate) fn retention(&self, peer: &PeerRestart) -> Retention {
        let most = self.long_lived.unwrap_or(0);
        let kept = |entry: &LongLived| Duration::from_secs(entry.stale_time.min(most).into());
        let long_lived = peer.long_lived.iter().map(|entry| (entry.family, kept(entry)));
        Retention {
            families: peer.families,
            restart_time: peer.restart_time,
            long_lived: long_lived.filter(|(_, time)| !time.is_zero()).collect(),
        }
    }

    /// What a new session of a peer that says this says of the routes of the session before. A family that is only
    /// long-lived has its F bit there (RFC 9494 section 3.1).
    pub(crate) fn session_restart(&self, peer: &PeerRestart) -> SessionRestart {
        let only_long = peer.long_lived.iter().filter(|entry| !peer.families.contains(entry.family));
        let forwarding = only_long.filter(|entry| entry.forwarding).map(|entry| entry.family);
        SessionRestart {
            forwarding: peer.forwarding.iter().chain(forwarding).collect(),
            stale_time: self.stale_time,
        }
    }
}

/// Several paths to a destination (RFC 7911).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddPath {
    /// The families in which we offer to take them.
    pub receive: FamilySet,
    /// The families in which we offer to send them; which is said by [`PeerSettings::advertise`].
    pub send: FamilySet,
    /// The most paths to one destination that we take; further ones are refused. `None`: no limit of its own.
    pub max_paths: Option<u16>,
}

/// How to treat one peer, configured or accepted from a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSettings {
    /// The peer's address: the RIB's last tie-break, and its name in every table.
    pub address: IpAddr,
    /// The AS expected; `None` accepts any.
    pub peer_as: Option<Asn>,
    /// A reflector's client (RFC 4456); only for iBGP.
    pub client: bool,
    /// In another member AS of our confederation (RFC 5065).
    pub confederation: bool,
    /// What is done with AS numbers.
    pub as_numbers: AsNumbers,
    /// Families to offer.
    pub families: FamilySet,
    /// Proposed hold time in seconds; 0 for none.
    pub hold_time: u16,
    /// Seconds between two KEEPALIVEs; `None`, or more than that: a third of the hold time.
    pub keepalive: Option<u16>,
    /// Pause before another try to connect; grows with back-off.
    pub connect_retry: Duration,
    /// Wait this long for the peer's OPEN before sending ours (RFC 4271 section 8.1.1).
    pub delay_open: Option<Duration>,
    /// How long the peer may take for its OPEN.
    pub open_time: Duration,
    /// After how many seconds a peer that takes nothing is dropped (RFC 9687); `None`: [`SessionConfig::send_hold_time`].
    pub send_hold_time: Option<u16>,
    /// Never connect, only accept.
    pub passive: bool,
    /// Offer messages of up to 65,535 octets (RFC 8654).
    pub extended_message: bool,
    /// Offer IPv6 next hops for IPv4 routes (RFC 8950).
    pub extended_next_hop: bool,
    /// What we are to an eBGP peer (RFC 9234): told to it, and asked of routes both ways.
    pub role: Option<Role>,
    /// Refuse an eBGP peer that does not tell its role.
    pub strict_role: bool,
    /// Refuse routes of an eBGP peer whose AS_PATH does not begin with its AS (RFC 4271 section 6.3). A route server's
    /// do not.
    pub enforce_first_as: bool,
    /// Which routes to take from the peer.
    pub import: Policy,
    /// Which routes to give to the peer.
    pub export: Policy,
    /// The next hop that goes out with routes.
    pub next_hop: NextHopRule,
    /// Our IPv4 address as a next hop; the connection's if `None`.
    pub local_v4: Option<Ipv4Addr>,
    /// Our IPv6 address as a next hop; the connection's if `None`.
    pub local_v6: Option<Ipv6Addr>,
    /// How much the peer may make us hold.
    pub limits: Limits,
    /// If not empty, only prefixes inside one of these are taken.
    pub allowed_prefixes: Vec<Prefix>,
    /// What is agreed on restarts; `None` keeps nothing and asks for nothing to be kept, but promises End-of-RIB.
    pub restart: Option<RestartSettings>,
    /// Several paths to a destination.
    pub add_path: AddPath,
    /// Which paths to a destination the peer is sent.
    pub advertise: Advertise,
    /// Keep the peer's routes as they came, refused ones too (Adj-RIB-In): another import policy then needs nothing of
    /// the peer.
    pub keep_received: bool,
}

impl PeerSettings {
    /// A peer that is no client, of both unicast families and any AS, with the defaults of [`SessionConfig::new`]; all
    /// its routes are taken, and it gets all.
    #[must_use]
    pub fn new(address: IpAddr) -> PeerSettings {
        PeerSettings {
            address,
            peer_as: None,
            client: false,
            confederation: false,
            as_numbers: AsNumbers::default(),
            families: FamilySet::UNICAST,
            hold_time: 90,
            keepalive: None,
            connect_retry: Duration::from_secs(5),
            delay_open: None,
            open_time: Duration::from_secs(240),
            send_hold_time: None,
            passive: false,
            extended_message: true,
            extended_next_hop: false,
            role: None,
            strict_role: false,
            enforce_first_as: false,
            import: Policy::Accept,
            export: Policy::Accept,
            next_hop: NextHopRule::Auto,
            local_v4: None,
            local_v6: None,
            limits: Limits::default(),
            allowed_prefixes: Vec::new(),
            restart: None,
            add_path: AddPath::default(),
            advertise: Advertise::Best,
            keep_received: false,
        }
    }

    /// The session's part of the settings.
    #[must_use]
    pub fn session(&self, identity: &Identity) -> SessionConfig {
        let config = SessionConfig::new(self.session_as(identity), identity.router_id, self.peer_as);
        let restart = self.restart.as_ref();
        SessionConfig {
            confederation: self.confederation,
            hold_time: self.hold_time,
            keepalive: self.keepalive,
            connect_retry: self.connect_retry,
            delay_open: self.delay_open,
            open_time: self.open_time,
            send_hold_time: self.send_hold_time,
            passive: self.passive,
            families: self.families,
            extended_message: self.extended_message,
            extended_next_hop: if self.extended_next_hop { IPV4 } else { FamilySet::EMPTY },
            add_path_receive: self.add_path.receive,
            add_path_send: self.add_path.send,
            enhanced_refresh: true,
            role: self.role,
            strict_role: self.strict_role,
            graceful_restart: restart.map(|r| r.graceful(self.families)).or(config.graceful_restart),
            long_lived: restart.and_then(|r| r.long_lived(self.families)),
            ..config
        }
    }

    /// What the peer is as a source of routes.
    #[must_use]
    pub fn source_kind(&self, kind: PeerKind) -> SourceKind {
        match kind {
            PeerKind::External => SourceKind::External,
            PeerKind::Internal if self.confederation => SourceKind::Confederation,
            PeerKind::Internal if self.client => SourceKind::Client,
            PeerKind::Internal => SourceKind::Internal,
        }
    }

    /// What the peer is as a receiver of routes.
    #[must_use]
    pub fn target_kind(&self, kind: PeerKind) -> TargetKind {
        match kind {
            PeerKind::External => TargetKind::External,
            PeerKind::Internal if self.confederation => TargetKind::Confederation,
            PeerKind::Internal if self.client => TargetKind::Client,
            PeerKind::Internal => TargetKind::Internal,
        }
    }

    /// The update group of a session that negotiated this, with `local` as our end of it. `draining`: we are about to
    /// go (RFC 8326).
    #[must_use]
    pub fn group_key(
        &self,
        identity: &Identity,
        negotiated: &Negotiated,
        local: &LocalAddresses,
        draining: bool,
    ) -> GroupKey {
        let extended_next_hop = negotiated.extended_next_hop.contains(Family::IPV4_UNICAST);
        GroupKey {
            kind: self.target_kind(negotiated.kind),
            families: negotiated.families,
            four_octet_as: negotiated.four_octet_as,
            max_message_len: u32::try_from(negotiated.max_message_len()).unwrap_or(4096),
            next_hop: self.next_hop,
            local_v4: self.local_v4.or(local.v4.filter(|_| !(extended_next_hop && local.is_on_link()))),
            local_v6: self.local_v6.or(local.v6).map(|v6| link_local::on(v6, None)),
            extended_next_hop,
            export: self.export.clone(),
            advertise: self.advertise,
            add_path: negotiated.add_path_send,
            long_lived: knows_long_lived(negotiated),
            role: self.role.filter(|_| negotiated.kind == PeerKind::External),
            draining,
            as_rules: self.as_rules(identity, negotiated),
        }
    }
}

/// The families in which the peer knows what a long-lived stale route is. The capability says so for all of them: those
/// that it lists are only those whose own routes are to be kept (RFC 9494 section 3.1). Without that of graceful restart
/// it means nothing.
fn knows_long_lived(negotiated: &Negotiated) -> FamilySet {
    let offers = |wanted: fn(&Capability) -> bool| negotiated.peer_capabilities.iter().any(wanted);
    let knows = offers(|c| matches!(c, Capability::GracefulRestart(_)))
        && offers(|c| matches!(c, Capability::LongLivedGracefulRestart(_)));
    if knows { negotiated.families } else { FamilySet::EMPTY }
}
