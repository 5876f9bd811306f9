//! Capabilities (RFC 5492): what a speaker can do beyond RFC 4271.

mod display;
mod parse;

use crate::{Asn, Family};

/// One capability of an OPEN.
///
/// A value that does not parse is no error of the OPEN: the capability is kept as [`Capability::Unknown`], hence
/// without effect.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Capability {
    /// Routes of this family (RFC 4760 section 8).
    Multiprotocol(Family),
    /// ROUTE-REFRESH is understood (RFC 2918).
    RouteRefresh,
    /// Next hops of another family than the routes' (RFC 8950).
    ExtendedNextHop(Vec<ExtendedNextHop>),
    /// Messages of up to 65535 octets (RFC 8654).
    ExtendedMessage,
    /// The speaker's place between the two ASes: 0 provider, 1 route server, 2 its client, 3 customer, 4 peer
    /// (RFC 9234).
    Role(u8),
    /// Routes are kept while the session restarts (RFC 4724).
    GracefulRestart(GracefulRestart),
    /// AS numbers are four octets wide; this is the speaker's (RFC 6793).
    FourOctetAs(Asn),
    /// Several paths to a destination, and in which direction (RFC 7911).
    AddPath(Vec<(Family, AddPathMode)>),
    /// The answer to a ROUTE-REFRESH has a begin and an end (RFC 7313).
    EnhancedRouteRefresh,
    /// Routes are kept long after the session ended (RFC 9494).
    LongLivedGracefulRestart(Vec<LongLived>),
    /// The speaker's name (draft-walton-bgp-hostname-capability).
    Fqdn {
        /// The host.
        hostname: String,
        /// Its domain, often empty.
        domain: String,
    },
    /// The speaker's program and version (draft-abraitis-bgp-version-capability).
    SoftwareVersion(String),
    /// Another one, or one of the above whose value does not parse.
    Unknown {
        /// The capability code.
        code: u8,
        /// Its value, byte for byte.
        value: Vec<u8>,
    },
}

/// What a speaker says of its restart (RFC 4724 section 3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct GracefulRestart {
    /// The R bit: it has restarted.
    pub restarted: bool,
    /// The N bit: NOTIFICATIONs and hold timer expiry keep the routes too (RFC 8538).
    pub notification: bool,
    /// How long its routes should be kept, in seconds, at most 4095.
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
    /// How long stale routes are kept, in seconds, at most 2^24 - 1.
    pub stale_time: u32,
}

/// A family in [`Capability::ExtendedNextHop`] (RFC 8950 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExtendedNextHop {
    /// The family of the routes.
    pub family: Family,
    /// The AFI of the next hop.
    pub next_hop_afi: u16,
}

/// The directions in which a speaker uses path identifiers (RFC 7911 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AddPathMode {
    /// It can receive them.
    Receive = 1,
    /// It can send them.
    Send = 2,
    /// Both.
    Both = 3,
}

/// The capability codes that have a type here.
mod code {
    pub(super) const MULTIPROTOCOL: u8 = 1;
    pub(super) const ROUTE_REFRESH: u8 = 2;
    pub(super) const EXTENDED_NEXT_HOP: u8 = 5;
    pub(super) const EXTENDED_MESSAGE: u8 = 6;
    pub(super) const ROLE: u8 = 9;
    pub(super) const GRACEFUL_RESTART: u8 = 64;
    pub(super) const FOUR_OCTET_AS: u8 = 65;
    pub(super) const ADD_PATH: u8 = 69;
    pub(super) const ENHANCED_ROUTE_REFRESH: u8 = 70;
    pub(super) const LONG_LIVED: u8 = 71;
    pub(super) const FQDN: u8 = 73;
    pub(super) const SOFTWARE_VERSION: u8 = 75;
}

/// The names of all registered codes that speakers are seen to send.
const NAMES: &[(u8, &str)] = &[
    (code::MULTIPROTOCOL, "multiprotocol"),
    (code::ROUTE_REFRESH, "route-refresh"),
    (3, "outbound-route-filtering"),
    (code::EXTENDED_NEXT_HOP, "extended-next-hop"),
    (code::EXTENDED_MESSAGE, "extended-message"),
    (7, "bgpsec"),
    (8, "multiple-labels"),
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
    (128, "route-refresh-cisco"),
    (130, "outbound-route-filtering-cisco"),
    (131, "multisession-cisco"),
];

/// The longest value a capability can have; its length is one octet.
const MAX_VALUE: usize = 255;

const FORWARDING: u8 = 0x80;
const RESTARTED: u16 = 0x8000;
const NOTIFICATION: u16 = 0x4000;
const RESTART_TIME: u16 = 0x0fff;

impl Capability {
    /// The capability code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Capability::Multiprotocol(_) => code::MULTIPROTOCOL,
            Capability::RouteRefresh => code::ROUTE_REFRESH,
            Capability::ExtendedNextHop(_) => code::EXTENDED_NEXT_HOP,
            Capability::ExtendedMessage => code::EXTENDED_MESSAGE,
            Capability::Role(_) => code::ROLE,
            Capability::GracefulRestart(_) => code::GRACEFUL_RESTART,
            Capability::FourOctetAs(_) => code::FOUR_OCTET_AS,
            Capability::AddPath(_) => code::ADD_PATH,
            Capability::EnhancedRouteRefresh => code::ENHANCED_ROUTE_REFRESH,
            Capability::LongLivedGracefulRestart(_) => code::LONG_LIVED,
            Capability::Fqdn { .. } => code::FQDN,
            Capability::SoftwareVersion(_) => code::SOFTWARE_VERSION,
            Capability::Unknown { code, .. } => *code,
        }
    }

    /// The name of the code, as in `long-lived-graceful-restart`.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        NAMES.iter().find(|(code, _)| *code == self.code()).map(|(_, name)| *name)
    }

    /// Appends code, length and value. A value that its length octet cannot count is not written at all.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut value = Vec::new();
        self.write_value(&mut value);
        if let Ok(len) = u8::try_from(value.len()) {
            out.extend_from_slice(&[self.code(), len]);
            out.extend_from_slice(&value);
        }
    }

    fn write_value(&self, out: &mut Vec<u8>) {
        match self {
            Capability::RouteRefresh | Capability::ExtendedMessage | Capability::EnhancedRouteRefresh => (),
            Capability::Multiprotocol(family) => {
                out.extend_from_slice(&family.afi.to_be_bytes());
                out.extend_from_slice(&[0, family.safi]);
            }
            Capability::ExtendedNextHop(entries) => {
                for entry in entries {
                    out.extend_from_slice(&entry.family.afi.to_be_bytes());
                    out.extend_from_slice(&[0, entry.family.safi]);
                    out.extend_from_slice(&entry.next_hop_afi.to_be_bytes());
                }
            }
            Capability::Role(role) => out.push(*role),
            Capability::GracefulRestart(restart) => write_restart(restart, out),
            Capability::FourOctetAs(asn) => out.extend_from_slice(&asn.0.to_be_bytes()),
            Capability::AddPath(entries) => {
                for (family, mode) in entries {
                    write_family(*family, out);
                    out.push(*mode as u8);
                }
            }
            Capability::LongLivedGracefulRestart(entries) => {
                for entry in entries {
                    let [_, high, middle, low] = entry.stale_time.to_be_bytes();
                    write_family(entry.family, out);
                    out.extend_from_slice(&[forwarding(entry.forwarding), high, middle, low]);
                }
            }
            Capability::Fqdn { hostname, domain } => {
                write_text(hostname, out);
                write_text(domain, out);
            }
            Capability::SoftwareVersion(version) => write_text(version, out),
            Capability::Unknown { value, .. } => out.extend_from_slice(value),
        }
    }
}

fn write_restart(restart: &GracefulRestart, out: &mut Vec<u8>) {
    let flag = |set: bool, bit: u16| if set { bit } else { 0 };
    let time = restart.restart_time.min(RESTART_TIME);
    let head = flag(restart.restarted, RESTARTED) | flag(restart.notification, NOTIFICATION) | time;
    out.extend_from_slice(&head.to_be_bytes());
    for entry in &restart.families {
        write_family(entry.family, out);
        out.push(forwarding(entry.forwarding));
    }
}

fn forwarding(set: bool) -> u8 {
    if set { FORWARDING } else { 0 }
}

fn write_family(family: Family, out: &mut Vec<u8>) {
    out.extend_from_slice(&family.afi.to_be_bytes());
    out.push(family.safi);
}

/// Appends a text behind its length; one that is too long makes the value too long, so that it isn't written.
fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text.as_bytes().get(..MAX_VALUE + 1).unwrap_or(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Capability> {
        vec![
            Capability::Multiprotocol(Family::IPV6_UNICAST),
            Capability::RouteRefresh,
            Capability::ExtendedNextHop(vec![ExtendedNextHop {
                family: Family::IPV4_UNICAST,
                next_hop_afi: 2,
            }]),
            Capability::ExtendedMessage,
            Capability::Role(3),
            Capability::GracefulRestart(GracefulRestart {
                restarted: true,
                notification: true,
                restart_time: 120,
                families: vec![RestartFamily { family: Family::IPV4_UNICAST, forwarding: true }],
            }),
            Capability::FourOctetAs(Asn(4_200_000_000)),
            Capability::AddPath(vec![(Family::IPV4_UNICAST, AddPathMode::Both)]),
            Capability::EnhancedRouteRefresh,
            Capability::LongLivedGracefulRestart(vec![LongLived {
                family: Family::IPV6_UNICAST,
                forwarding: false,
                stale_time: 86_400,
            }]),
            Capability::Fqdn { hostname: "node-7".into(), domain: "example".into() },
            Capability::SoftwareVersion("router/1.0".into()),
            Capability::Unknown { code: 222, value: vec![1, 2] },
        ]
    }

    #[test]
    fn every_capability_reads_back_what_was_written() {
        let mut bytes = Vec::new();
        samples().iter().for_each(|capability| capability.encode(&mut bytes));
        assert_eq!(Capability::parse_all(&bytes), Some(samples()));
    }

    #[test]
    fn every_capability_shows_its_name_and_value() {
        let shown: Vec<String> = samples().iter().map(Capability::to_string).collect();
        assert_eq!(
            shown,
            [
                "multiprotocol ipv6",
                "route-refresh",
                "extended-next-hop ipv4/next-hop-afi2",
                "extended-message",
                "role customer",
                "graceful-restart 120s restarted notification ipv4/forwarding",
                "four-octet-as 4200000000",
                "add-path ipv4/both",
                "enhanced-route-refresh",
                "long-lived-graceful-restart ipv6/86400s",
                "fqdn node-7.example",
                "software-version \"router/1.0\"",
                "capability-222 0x0102",
            ]
        );
    }

    #[test]
    fn a_value_cut_off_anywhere_is_kept_as_unknown_or_is_a_shorter_list() {
        for capability in samples() {
            let mut bytes = Vec::new();
            capability.encode(&mut bytes);
            for cut in 2..bytes.len() {
                let parsed = Capability::parse(bytes[0], &bytes[2..cut]);
                assert_ne!(parsed, capability);
            }
        }
    }

    // CVE-2023-31489: a short long-lived graceful restart capability.
    #[test]
    fn a_short_long_lived_entry_makes_the_capability_unknown() {
        for len in [1, 3, 6, 8, 13] {
            let value = vec![0; len];
            assert_eq!(Capability::parse(71, &value), Capability::Unknown { code: 71, value });
        }
    }

    // CVE-2023-41361 and CVE-2025-43971: the length of the version is too big, or zero.
    #[test]
    fn a_software_version_with_a_wrong_length_is_unknown() {
        for value in [vec![], vec![0], vec![200, b'x'], vec![1, b'x', b'y'], vec![1, 0xff]] {
            assert_eq!(Capability::parse(75, &value), Capability::Unknown { code: 75, value });
        }
    }

    // CVE-2024-31949: an entry of unexpected length must not stop the loop from advancing.
    #[test]
    fn graceful_restart_with_a_partial_family_is_unknown() {
        for extra in [1, 2, 3, 5] {
            let value = vec![0; 2 + extra];
            assert_eq!(Capability::parse(64, &value), Capability::Unknown { code: 64, value });
        }
    }

    // CVE-2026-49837: a capability was read past its own length into the next one.
    #[test]
    fn a_short_capability_does_not_reach_into_the_next() {
        let parsed = Capability::parse_all(&[1, 2, 0, 1, 2, 0]);
        let short = Capability::Unknown { code: 1, value: vec![0, 1] };
        assert_eq!(parsed, Some(vec![short, Capability::RouteRefresh]));
    }

    #[test]
    fn a_capability_longer_than_its_parameter_is_an_error_of_the_open() {
        assert_eq!(Capability::parse_all(&[65, 4, 0, 0]), None);
        assert_eq!(Capability::parse_all(&[65]), None);
        assert_eq!(Capability::parse_all(&[]), Some(vec![]));
    }

    #[test]
    fn a_value_too_long_for_its_length_octet_is_left_out() {
        let mut bytes = Vec::new();
        Capability::SoftwareVersion("x".repeat(300)).encode(&mut bytes);
        Capability::Unknown { code: 200, value: vec![0; 256] }.encode(&mut bytes);
        assert_eq!(bytes, []);
    }

    #[test]
    fn control_characters_of_a_peer_are_escaped() {
        let shown = Capability::SoftwareVersion("\u{1b}[31m".into()).to_string();
        assert_eq!(shown, "software-version \"\\u{1b}[31m\"");
    }

    proptest::proptest! {
        #[test]
        fn any_value_is_read_shown_and_written_again(
            code in proptest::num::u8::ANY,
            value in proptest::collection::vec(proptest::num::u8::ANY, 0..=255)
        ) {
            let capability = Capability::parse(code, &value);
            proptest::prop_assert!(!capability.to_string().is_empty());
            let mut bytes = Vec::new();
            capability.encode(&mut bytes);
            proptest::prop_assert_eq!(Capability::parse(bytes[0], &bytes[2..]), capability);
        }
    }
}
