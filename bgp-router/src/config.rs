//! What a router is told about itself and its peers; already checked and resolved by the caller.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bgp_core::fsm::{Negotiated, SessionConfig};
use bgp_core::{Asn, ClusterId, FamilySet, PeerKind, Prefix, RouterId};
use bgp_rib::{ExportContext, GroupKey, SourceKind, TargetKind};

/// Who this router is; the same for all its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Our AS.
    pub local_as: Asn,
    /// Our BGP Identifier (RFC 6286).
    pub router_id: RouterId,
    /// Our cluster if we reflect routes (RFC 4456), `None` if we do not.
    pub cluster_id: Option<ClusterId>,
}

impl Identity {
    /// What the RIB needs to rewrite attributes.
    #[must_use]
    pub fn export_context(&self) -> ExportContext {
        ExportContext { local_as: self.local_as, router_id: self.router_id, cluster_id: self.cluster_id }
    }
}

/// Our addresses on one connection.
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
}

/// Whether routes pass in one direction (RFC 8212: over eBGP nothing passes that is not asked for).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Every route passes.
    Accept,
    /// No route passes.
    Reject,
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
    /// Families to offer.
    pub families: FamilySet,
    /// Proposed hold time in seconds; 0 for none.
    pub hold_time: u16,
    /// Pause before another try to connect; grows with back-off.
    pub connect_retry: Duration,
    /// Wait this long for the peer's OPEN before sending ours (RFC 4271 section 8.1.1).
    pub delay_open: Option<Duration>,
    /// Never connect, only accept.
    pub passive: bool,
    /// Offer messages of up to 65,535 octets (RFC 8654).
    pub extended_message: bool,
    /// Which routes to take from the peer.
    pub import: Policy,
    /// Which routes to give to the peer.
    pub export: Policy,
    /// Replace the next hop by our own address on every route sent.
    pub next_hop_self: bool,
    /// Our IPv4 address as a next hop; the connection's if `None`.
    pub local_v4: Option<Ipv4Addr>,
    /// Our IPv6 address as a next hop; the connection's if `None`.
    pub local_v6: Option<Ipv6Addr>,
    /// More prefixes than this from the peer end the session (Cease, RFC 4486 subcode 1).
    pub max_prefix: Option<u32>,
    /// If not empty, only prefixes inside one of these are taken.
    pub allowed_prefixes: Vec<Prefix>,
}

impl PeerSettings {
    /// The session's part of the settings.
    #[must_use]
    pub fn session(&self, identity: &Identity) -> SessionConfig {
        SessionConfig {
            hold_time: self.hold_time,
            connect_retry: self.connect_retry,
            delay_open: self.delay_open,
            passive: self.passive,
            families: self.families,
            extended_message: self.extended_message,
            ..SessionConfig::new(identity.local_as, identity.router_id, self.peer_as)
        }
    }

    /// What the peer is as a source of routes.
    #[must_use]
    pub fn source_kind(&self, kind: PeerKind) -> SourceKind {
        match kind {
            PeerKind::External => SourceKind::External,
            PeerKind::Internal if self.client => SourceKind::Client,
            PeerKind::Internal => SourceKind::Internal,
        }
    }

    /// What the peer is as a receiver of routes.
    #[must_use]
    pub fn target_kind(&self, kind: PeerKind) -> TargetKind {
        match kind {
            PeerKind::External => TargetKind::External,
            PeerKind::Internal if self.client => TargetKind::Client,
            PeerKind::Internal => TargetKind::Internal,
        }
    }

    /// The update group of a session that negotiated this, with `local` as our end of it.
    #[must_use]
    pub fn group_key(&self, negotiated: &Negotiated, local: &LocalAddresses) -> GroupKey {
        GroupKey {
            kind: self.target_kind(negotiated.kind),
            families: negotiated.families,
            four_octet_as: negotiated.four_octet_as,
            max_message_len: u32::try_from(negotiated.max_message_len()).unwrap_or(4096),
            next_hop_self: self.next_hop_self,
            local_v4: self.local_v4.or(local.v4),
            local_v6: self.local_v6.or(local.v6),
            export: self.export == Policy::Accept,
        }
    }
}
