//! Capabilities (RFC 5492): what a speaker can do beyond RFC 4271.
//!
//! Each side lists its own in its OPEN. Most take effect where both sides list them; what exactly follows is each
//! capability's matter, and for a session that of [`Negotiated`](crate::fsm::Negotiated).
//!
//! ```text
//!  capability             code 1, length 1, value
//!
//!  values, in octets
//!    1  multiprotocol     AFI 2, reserved 1, SAFI 1
//!    3  ORF               (AFI 2, reserved 1, SAFI 1, number 1, (ORF type 1, send/receive 1) …) …
//!    5  extended next hop (AFI 2, reserved 1, SAFI 1, next hop AFI 2) …
//!    8  multiple labels   (AFI 2, SAFI 1, count 1) …
//!    9  role              role 1
//!   64  graceful restart  R N · · and 12 bits of restart time 2, (AFI 2, SAFI 1, flags 1: F · · · · · · ·) …
//!   65  four-octet AS     AS 4
//!   69  ADD-PATH          (AFI 2, SAFI 1, send/receive 1) …
//!   71  long-lived        (AFI 2, SAFI 1, flags 1: F · · · · · · ·, stale time 3) …
//!   73  host name         length 1, host, length 1, domain
//!   75  version           length 1, text
//!    2, 6, 70 and 128 have none; 130 is as 3
//! ```
//!
//! Reserved bits and octets are not part of the types: they are ignored when read and zero when written. All else
//! that is read is written again octet for octet, entries with values that nobody has defined included.

mod display;
mod encode;
mod offered;
mod parse;
#[cfg(test)]
pub(super) mod tests;

pub use offered::Offered;

use crate::{Asn, Family};

/// One capability of an OPEN.
///
/// A value that does not parse is no error of the OPEN: the capability is kept as [`Capability::Unknown`], hence
/// without effect. What a capability means that is there more than once, [`Offered`] tells.
///
/// ```
/// use bgp_core::Family;
/// use bgp_core::wire::Capability;
///
/// assert_eq!(Capability::parse(1, &[0, 2, 0, 1]), Capability::Multiprotocol(Family::IPV6_UNICAST));
/// assert_eq!(Capability::parse(9, &[3]).to_string(), "role customer");
/// assert_eq!(Capability::parse(65, &[0, 1]).to_string(), "four-octet-as 0x0001"); // two octets too few
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Code 1: routes of this family (RFC 4760 section 8).
    Multiprotocol(Family),
    /// Code 2: ROUTE-REFRESH is understood (RFC 2918).
    RouteRefresh,
    /// Code 3: outbound route filters are sent or taken (RFC 5291 section 5).
    OutboundRouteFilter(Vec<OrfFamily>),
    /// Code 5: next hops of another family than the routes' (RFC 8950 section 4).
    ExtendedNextHop(Vec<ExtendedNextHop>),
    /// Code 6: messages of up to 65535 octets can be received (RFC 8654 section 3).
    ExtendedMessage,
    /// Code 8: prefixes bound to several labels (RFC 8277 section 2.1).
    MultipleLabels(Vec<LabelCount>),
    /// Code 9: the speaker's place between the two ASes (RFC 9234 section 4.1).
    Role(Role),
    /// Code 64: routes are kept while the session restarts (RFC 4724 section 3).
    GracefulRestart(GracefulRestart),
    /// Code 65: AS numbers are four octets wide; this is the speaker's (RFC 6793 section 3).
    FourOctetAs(Asn),
    /// Code 69: several paths to a destination, and in which direction (RFC 7911 section 4).
    ///
    /// A mode other than the three defined makes the whole capability unknown, as that section asks for; so none
    /// that was read holds [`SendReceive::Other`].
    AddPath(Vec<(Family, SendReceive)>),
    /// Code 70: the answer to a ROUTE-REFRESH has a begin and an end (RFC 7313 section 3.1).
    EnhancedRouteRefresh,
    /// Code 71: routes are kept long after the session ended (RFC 9494 section 3.1).
    LongLivedGracefulRestart(Vec<LongLived>),
    /// Code 73: the speaker's name (draft-walton-bgp-hostname-capability).
    Fqdn {
        /// The host; UTF-8, with the domain at most 253 octets.
        hostname: String,
        /// Its domain, often empty.
        domain: String,
    },
    /// Code 75: the speaker's program and version, UTF-8 of 1 to 254 octets (draft-abraitis-bgp-version-capability).
    SoftwareVersion(String),
    /// Code 128: what Cisco's routers sent before RFC 2918; it asks for messages of a type of its own.
    RouteRefreshCisco,
    /// Code 130: what Cisco's routers sent before RFC 5291, in the same form.
    OutboundRouteFilterCisco(Vec<OrfFamily>),
    /// Another one, or one of the above whose value does not parse.
    Unknown {
        /// The capability code.
        code: u8,
        /// Its value, byte for byte.
        value: Vec<u8>,
    },
}

/// What a speaker says of its restart (RFC 4724 section 3).
///
/// ```
/// use bgp_core::Family;
/// use bgp_core::wire::Capability;
/// use bgp_core::wire::capability::{GracefulRestart, RestartFamily};
///
/// let family = RestartFamily { family: Family::IPV4_UNICAST, forwarding: true };
/// let restart =
///     GracefulRestart { restarted: true, notification: true, restart_time: 120, families: vec![family] };
/// let mut octets = Vec::new();
/// Capability::GracefulRestart(restart.clone()).encode(&mut octets);
/// assert_eq!(octets, [64, 6, 0xc0, 120, 0, 1, 1, 0x80]);
/// assert_eq!(Capability::parse(64, &octets[2..]), Capability::GracefulRestart(restart));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct GracefulRestart {
    /// The R bit: it has restarted.
    pub restarted: bool,
    /// The N bit: NOTIFICATIONs and hold timer expiry keep the routes too (RFC 8538 section 2).
    pub notification: bool,
    /// How long its routes should be kept for it to come back, in seconds: 12 bits; a value over 4095 is written as
    /// 4095.
    pub restart_time: u16,
    /// The families it keeps forwarding for. With none it only announces that it sends End-of-RIB.
    pub families: Vec<RestartFamily>,
}

/// A family in [`GracefulRestart`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RestartFamily {
    /// Which.
    pub family: Family,
    /// The F bit: forwarding went on over the restart.
    pub forwarding: bool,
}

/// A family in [`Capability::LongLivedGracefulRestart`] (RFC 9494 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LongLived {
    /// Which.
    pub family: Family,
    /// The F bit: forwarding went on over the restart.
    pub forwarding: bool,
    /// How long stale routes are kept after the restart time, in seconds: 24 bits; a value over 2^24 - 1 is written as
    /// that.
    pub stale_time: u32,
}

/// A family in [`Capability::ExtendedNextHop`] (RFC 8950 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExtendedNextHop {
    /// The family of the routes.
    pub family: Family,
    /// The AFI of the next hop: 2 for IPv6.
    pub next_hop_afi: u16,
}

/// A family in [`Capability::MultipleLabels`] (RFC 8277 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LabelCount {
    /// Which.
    pub family: Family,
    /// How many labels the speaker takes for one prefix; 255 sets no limit, 0 and 1 are to be ignored.
    pub count: u8,
}

/// A family in [`Capability::OutboundRouteFilter`] (RFC 5291 section 5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrfFamily {
    /// Which.
    pub family: Family,
    /// ORF types, as [`orf::ADDRESS_PREFIX`](super::orf::ADDRESS_PREFIX), and who sends filters of that type.
    pub types: Vec<(u8, SendReceive)>,
}

/// Which way something may go, seen from the speaker: the Send/Receive field of RFC 7911 section 4 and of RFC 5291
/// section 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendReceive {
    /// 1: it can receive.
    Receive,
    /// 2: it can send.
    Send,
    /// 3: both.
    Both,
    /// A value that is not defined, hence neither.
    Other(u8),
}

impl SendReceive {
    /// The field with this value.
    #[must_use]
    pub fn from_code(code: u8) -> SendReceive {
        match code {
            1 => SendReceive::Receive,
            2 => SendReceive::Send,
            3 => SendReceive::Both,
            other => SendReceive::Other(other),
        }
    }

    /// The field's value.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            SendReceive::Receive => 1,
            SendReceive::Send => 2,
            SendReceive::Both => 3,
            SendReceive::Other(code) => code,
        }
    }

    /// Whether the speaker sends.
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, SendReceive::Send | SendReceive::Both)
    }

    /// Whether the speaker receives.
    #[must_use]
    pub fn receives(self) -> bool {
        matches!(self, SendReceive::Receive | SendReceive::Both)
    }
}

/// What a speaker is to the other side (RFC 9234 section 4.1). `Display` shows it as `route-server-client` and the
/// like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// 0: it sells transit to the other.
    Provider,
    /// 1: a route server, called RS.
    RouteServer,
    /// 2: a client of a route server, called RS-Client.
    RouteServerClient,
    /// 3: it buys transit from the other.
    Customer,
    /// 4: neither pays the other.
    Peer,
    /// A value that is not assigned.
    Other(u8),
}

impl Role {
    /// All assigned roles, in the order of their numbers.
    pub const ALL: [Role; 5] =
        [Role::Provider, Role::RouteServer, Role::RouteServerClient, Role::Customer, Role::Peer];

    /// The role numbered `code`.
    #[must_use]
    pub fn from_code(code: u8) -> Role {
        match code {
            0 => Role::Provider,
            1 => Role::RouteServer,
            2 => Role::RouteServerClient,
            3 => Role::Customer,
            4 => Role::Peer,
            other => Role::Other(other),
        }
    }

    /// The role's number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Role::Provider => 0,
            Role::RouteServer => 1,
            Role::RouteServerClient => 2,
            Role::Customer => 3,
            Role::Peer => 4,
            Role::Other(code) => code,
        }
    }

    /// The role that the other side must have (RFC 9234 section 4.2, table 2); none suits a value that is not
    /// assigned.
    #[must_use]
    pub fn counterpart(self) -> Option<Role> {
        match self {
            Role::Provider => Some(Role::Customer),
            Role::RouteServer => Some(Role::RouteServerClient),
            Role::RouteServerClient => Some(Role::RouteServer),
            Role::Customer => Some(Role::Provider),
            Role::Peer => Some(Role::Peer),
            Role::Other(_) => None,
        }
    }
}

/// The capability codes that have a type here.
mod code {
    pub(super) const MULTIPROTOCOL: u8 = 1;
    pub(super) const ROUTE_REFRESH: u8 = 2;
    pub(super) const ORF: u8 = 3;
    pub(super) const EXTENDED_NEXT_HOP: u8 = 5;
    pub(super) const EXTENDED_MESSAGE: u8 = 6;
    pub(super) const MULTIPLE_LABELS: u8 = 8;
    pub(super) const ROLE: u8 = 9;
    pub(super) const GRACEFUL_RESTART: u8 = 64;
    pub(super) const FOUR_OCTET_AS: u8 = 65;
    pub(super) const ADD_PATH: u8 = 69;
    pub(super) const ENHANCED_ROUTE_REFRESH: u8 = 70;
    pub(super) const LONG_LIVED: u8 = 71;
    pub(super) const FQDN: u8 = 73;
    pub(super) const SOFTWARE_VERSION: u8 = 75;
    pub(super) const ROUTE_REFRESH_CISCO: u8 = 128;
    pub(super) const ORF_CISCO: u8 = 130;
}

/// The names of all registered codes that speakers are seen to send.
const NAMES: &[(u8, &str)] = &[
    (code::MULTIPROTOCOL, "multiprotocol"),
    (code::ROUTE_REFRESH, "route-refresh"),
    (code::ORF, "outbound-route-filtering"),
    (code::EXTENDED_NEXT_HOP, "extended-next-hop"),
    (code::EXTENDED_MESSAGE, "extended-message"),
    (7, "bgpsec"),
    (code::MULTIPLE_LABELS, "multiple-labels"),
    (code::ROLE, "role"),
    (code::GRACEFUL_RESTART, "graceful-restart"),
    (code::FOUR_OCTET_AS, "four-octet-as"),
    (67, "dynamic-capability"),
    (68, "multisession"),
    (code::ADD_PATH, "add-path"),
    (code::ENHANCED_ROUTE_REFRESH, "enhanced-route-refresh"),
    (code::LONG_LIVED, "long-lived-graceful-restart"),
    (72, "routing-policy-distribution"),
    (code::FQDN, "fqdn"),
    (74, "bfd-strict-mode"),
    (code::SOFTWARE_VERSION, "software-version"),
    (76, "paths-limit"),
    (code::ROUTE_REFRESH_CISCO, "route-refresh-cisco"),
    (code::ORF_CISCO, "outbound-route-filtering-cisco"),
    (131, "multisession-cisco"),
];

/// The longest value a capability can have; its length is one octet.
const MAX_VALUE: usize = 255;

const FORWARDING: u8 = 0x80;
const RESTARTED: u16 = 0x8000;
const NOTIFICATION: u16 = 0x4000;
const RESTART_TIME: u16 = 0x0fff;
const STALE_TIME: u32 = 0x00ff_ffff;

impl Capability {
    /// The capability code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Capability::Multiprotocol(_) => code::MULTIPROTOCOL,
            Capability::RouteRefresh => code::ROUTE_REFRESH,
            Capability::OutboundRouteFilter(_) => code::ORF,
            Capability::ExtendedNextHop(_) => code::EXTENDED_NEXT_HOP,
            Capability::ExtendedMessage => code::EXTENDED_MESSAGE,
            Capability::MultipleLabels(_) => code::MULTIPLE_LABELS,
            Capability::Role(_) => code::ROLE,
            Capability::GracefulRestart(_) => code::GRACEFUL_RESTART,
            Capability::FourOctetAs(_) => code::FOUR_OCTET_AS,
            Capability::AddPath(_) => code::ADD_PATH,
            Capability::EnhancedRouteRefresh => code::ENHANCED_ROUTE_REFRESH,
            Capability::LongLivedGracefulRestart(_) => code::LONG_LIVED,
            Capability::Fqdn { .. } => code::FQDN,
            Capability::SoftwareVersion(_) => code::SOFTWARE_VERSION,
            Capability::RouteRefreshCisco => code::ROUTE_REFRESH_CISCO,
            Capability::OutboundRouteFilterCisco(_) => code::ORF_CISCO,
            Capability::Unknown { code, .. } => *code,
        }
    }

    /// The name of the code, as in `long-lived-graceful-restart`.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        NAMES.iter().find(|(code, _)| *code == self.code()).map(|(_, name)| *name)
    }
}
