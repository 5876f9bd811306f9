//! Extended communities: eight octets with many meanings (RFC 4360, registries of RFC 7153).

use std::fmt;
use std::net::Ipv4Addr;

use crate::wire::hex::MacAddress;
use crate::wire::tunnel::TunnelType;

/// An extended community, as its eight octets (RFC 4360 section 2).
///
/// ```text
///  octets  1      1         6
///          │ type │ subtype │ value
///            I T · · · · · ·
///
///  T: not passed on to other ASes; the low bits of many types say which `Administrator` the value is
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedCommunity(pub [u8; 8]);

/// Who gave a number, and the number: what route targets and their like are made of (RFC 4360 section 3, RFC 5668).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Administrator {
    /// `64512:100`.
    TwoOctetAs(u16, u32),
    /// `10.0.0.1:100`.
    Ipv4(Ipv4Addr, u16),
    /// `70000:100`; an AS number that would fit into two octets is marked: `64512L:100`.
    FourOctetAs(u32, u16),
}

impl Administrator {
    fn from_octets(type_low: u8, value: [u8; 6]) -> Option<Administrator> {
        let [a, b, c, d, e, f] = value;
        Some(match type_low {
            0 => Administrator::TwoOctetAs(u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f])),
            1 => Administrator::Ipv4(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([e, f])),
            2 => Administrator::FourOctetAs(u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([e, f])),
            _ => return None,
        })
    }

    /// The low bits of the type, and the value.
    fn octets(self) -> (u8, [u8; 6]) {
        let split = |high: [u8; 4], low: u16| {
            let ([a, b, c, d], [e, f]) = (high, low.to_be_bytes());
            [a, b, c, d, e, f]
        };
        match self {
            Administrator::TwoOctetAs(asn, number) => {
                let ([a, b], [c, d, e, f]) = (asn.to_be_bytes(), number.to_be_bytes());
                (0, [a, b, c, d, e, f])
            }
            Administrator::Ipv4(address, number) => (1, split(address.octets(), number)),
            Administrator::FourOctetAs(asn, number) => (2, split(asn.to_be_bytes(), number)),
        }
    }
}

impl fmt::Display for Administrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Administrator::TwoOctetAs(asn, number) => write!(f, "{asn}:{number}"),
            Administrator::Ipv4(address, number) => write!(f, "{address}:{number}"),
            Administrator::FourOctetAs(asn, number) => {
                let mark = if u16::try_from(*asn).is_ok() { "L" } else { "" };
                write!(f, "{asn}{mark}:{number}")
            }
        }
    }
}

/// A Color community: `color:5`, or `color:16384:5` if flags are set (RFC 9012 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Color {
    /// The two highest bits say what may replace a missing SR policy (RFC 9256 section 8.8.1).
    pub flags: u16,
    /// The color.
    pub color: u32,
}

impl Color {
    /// From the octets of the extended community, if it is one of this kind.
    pub(crate) fn from_octets(octets: [u8; 8]) -> Option<Color> {
        match octets {
            [OPAQUE, COLOR, high, low, a, b, c, d] => Some(Color {
                flags: u16::from_be_bytes([high, low]),
                color: u32::from_be_bytes([a, b, c, d]),
            }),
            _ => None,
        }
    }

    /// The octets of the extended community.
    pub(crate) fn octets(self) -> [u8; 8] {
        let ([high, low], [a, b, c, d]) = (self.flags.to_be_bytes(), self.color.to_be_bytes());
        [OPAQUE, COLOR, high, low, a, b, c, d]
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.flags {
            0 => write!(f, "color:{}", self.color),
            flags => write!(f, "color:{flags}:{}", self.color),
        }
    }
}

/// A rate per second, as the bits of an IEEE 754 number of single precision (RFC 8955 sections 7.1 and 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate(pub u32);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f32::from_bits(self.0).fmt(f)
    }
}

/// What an [`ExtendedCommunity`] means. One with reserved bits set is [`Extended::Other`], so that each meaning has
/// just one form on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Extended {
    /// Route target (RFC 4360 section 4).
    RouteTarget(Administrator),
    /// Route origin (RFC 4360 section 5).
    RouteOrigin(Administrator),
    /// Link Bandwidth: an AS for information, octets per second (draft-ietf-idr-link-bandwidth).
    LinkBandwidth {
        /// It is passed on to other ASes.
        transitive: bool,
        /// Who says so.
        asn: u16,
        /// Of the link to the next hop.
        rate: Rate,
    },
    /// Color (RFC 9012 section 4.3).
    Color(Color),
    /// Encapsulation (RFC 9012 section 4.1).
    Encapsulation(TunnelType),
    /// Default Gateway (RFC 7432 section 7.8).
    DefaultGateway,
    /// traffic-rate-bytes: an AS for information, octets per second (RFC 8955 section 7.1).
    TrafficRateBytes(u16, Rate),
    /// traffic-rate-packets: an AS for information, packets per second (RFC 8955 section 7.2).
    TrafficRatePackets(u16, Rate),
    /// traffic-action (RFC 8955 section 7.3).
    TrafficAction {
        /// Matching packets are sampled and logged.
        sample: bool,
        /// Later rules are looked at too.
        terminal: bool,
    },
    /// rt-redirect: into the VRF that imports this route target (RFC 8955 section 7.4).
    Redirect(Administrator),
    /// traffic-marking: the DSCP to set, 0 to 63 (RFC 8955 section 7.5).
    TrafficMarking(u8),
    /// MAC Mobility (RFC 7432 section 7.7).
    MacMobility {
        /// The MAC address must not move.
        sticky: bool,
        /// How often it has moved.
        sequence: u32,
    },
    /// ESI Label (RFC 7432 section 7.5).
    EsiLabel {
        /// Only one of the routers on the segment forwards.
        single_active: bool,
        /// The label field, 24 bits: a label in the upper 20 of them, or a VNI.
        label: u32,
    },
    /// ES-Import Route Target (RFC 7432 section 7.6).
    EsImport(MacAddress),
    /// EVPN Router's MAC (RFC 9135 section 8.1).
    RouterMac(MacAddress),
    /// Another one.
    Other([u8; 8]),
}

const NON_TRANSITIVE: u8 = 0x40;
/// The types whose low bits say which [`Administrator`] follows: as such, and as actions of FlowSpec.
const TRANSITIVE: u8 = 0x00;
const FLOWSPEC: u8 = 0x80;
const OPAQUE: u8 = 0x03;
const EVPN: u8 = 0x06;
/// Subtypes.
const ROUTE_TARGET: u8 = 0x02;
const ROUTE_ORIGIN: u8 = 0x03;
const LINK_BANDWIDTH: u8 = 0x04;
const COLOR: u8 = 0x0b;
const ENCAPSULATION: u8 = 0x0c;
const DEFAULT_GATEWAY: u8 = 0x0d;
const TRAFFIC_RATE_BYTES: u8 = 0x06;
const TRAFFIC_ACTION: u8 = 0x07;
const REDIRECT: u8 = 0x08;
const TRAFFIC_MARKING: u8 = 0x09;
const TRAFFIC_RATE_PACKETS: u8 = 0x0c;
const MAC_MOBILITY: u8 = 0x00;
const ESI_LABEL: u8 = 0x01;
const ES_IMPORT: u8 = 0x02;
const ROUTER_MAC: u8 = 0x03;
/// Bits of traffic-action.
const TERMINAL: u8 = 0x01;
const SAMPLE: u8 = 0x02;

impl ExtendedCommunity {
    /// Whether it is passed on to other ASes: the T bit is clear (RFC 4360 sections 2 and 6).
    #[must_use]
    pub fn is_transitive(self) -> bool {
        let [kind, ..] = self.0;
        kind & NON_TRANSITIVE == 0
    }

    /// What it means.
    #[must_use]
    pub fn meaning(self) -> Extended {
        let [kind, subtype, value @ ..] = self.0;
        let meaning = match kind {
            TRANSITIVE | NON_TRANSITIVE if subtype == LINK_BANDWIDTH => Some(link_bandwidth(kind, value)),
            TRANSITIVE..=0x02 => assigned(kind, subtype, value),
            OPAQUE => opaque(subtype, self.0),
            EVPN => evpn(subtype, value),
            FLOWSPEC..=0x82 => flowspec(kind, subtype, value),
            _ => None,
        };
        meaning.filter(|meaning| ExtendedCommunity::from(*meaning) == self).unwrap_or(Extended::Other(self.0))
    }
}

fn assigned(kind: u8, subtype: u8, value: [u8; 6]) -> Option<Extended> {
    let by = Administrator::from_octets(kind, value)?;
    match subtype {
        ROUTE_TARGET => Some(Extended::RouteTarget(by)),
        ROUTE_ORIGIN => Some(Extended::RouteOrigin(by)),
        _ => None,
    }
}

fn link_bandwidth(kind: u8, value: [u8; 6]) -> Extended {
    let [a, b, c, d, e, f] = value;
    Extended::LinkBandwidth {
        transitive: kind & NON_TRANSITIVE == 0,
        asn: u16::from_be_bytes([a, b]),
        rate: Rate(u32::from_be_bytes([c, d, e, f])),
    }
}

fn opaque(subtype: u8, octets: [u8; 8]) -> Option<Extended> {
    let [.., high, low] = octets;
    match subtype {
        COLOR => Color::from_octets(octets).map(Extended::Color),
        ENCAPSULATION => Some(Extended::Encapsulation(TunnelType(u16::from_be_bytes([high, low])))),
        DEFAULT_GATEWAY => Some(Extended::DefaultGateway),
        _ => None,
    }
}

fn flowspec(kind: u8, subtype: u8, value: [u8; 6]) -> Option<Extended> {
    let [a, b, c, d, e, last] = value;
    let (asn, rate) = (u16::from_be_bytes([a, b]), Rate(u32::from_be_bytes([c, d, e, last])));
    Some(match subtype {
        TRAFFIC_RATE_BYTES => Extended::TrafficRateBytes(asn, rate),
        TRAFFIC_RATE_PACKETS => Extended::TrafficRatePackets(asn, rate),
        TRAFFIC_ACTION => {
            Extended::TrafficAction { sample: last & SAMPLE != 0, terminal: last & TERMINAL != 0 }
        }
        REDIRECT => Extended::Redirect(Administrator::from_octets(kind & !FLOWSPEC, value)?),
        TRAFFIC_MARKING => Extended::TrafficMarking(last & 0x3f),
        _ => return None,
    })
}

fn evpn(subtype: u8, value: [u8; 6]) -> Option<Extended> {
    let [flags, _, c, d, e, f] = value;
    let flag = flags & 1 != 0;
    Some(match subtype {
        MAC_MOBILITY => Extended::MacMobility { sticky: flag, sequence: u32::from_be_bytes([c, d, e, f]) },
        ESI_LABEL => Extended::EsiLabel { single_active: flag, label: u32::from_be_bytes([0, d, e, f]) },
        ES_IMPORT => Extended::EsImport(MacAddress(value)),
        ROUTER_MAC => Extended::RouterMac(MacAddress(value)),
        _ => return None,
    })
}

impl From<Extended> for ExtendedCommunity {
    fn from(meaning: Extended) -> ExtendedCommunity {
        let (kind, subtype, value) = match meaning {
            Extended::Color(color) => return ExtendedCommunity(color.octets()),
            Extended::Other(octets) => return ExtendedCommunity(octets),
            Extended::RouteTarget(by) => administered(TRANSITIVE, ROUTE_TARGET, by),
            Extended::RouteOrigin(by) => administered(TRANSITIVE, ROUTE_ORIGIN, by),
            Extended::LinkBandwidth { transitive, asn, rate } => {
                (if transitive { TRANSITIVE } else { NON_TRANSITIVE }, LINK_BANDWIDTH, rated(asn, rate))
            }
            Extended::Redirect(by) => administered(FLOWSPEC, REDIRECT, by),
            Extended::Encapsulation(TunnelType(kind)) => {
                let [high, low] = kind.to_be_bytes();
                (OPAQUE, ENCAPSULATION, [0, 0, 0, 0, high, low])
            }
            Extended::DefaultGateway => (OPAQUE, DEFAULT_GATEWAY, [0; 6]),
            Extended::TrafficRateBytes(asn, rate) => (FLOWSPEC, TRAFFIC_RATE_BYTES, rated(asn, rate)),
            Extended::TrafficRatePackets(asn, rate) => (FLOWSPEC, TRAFFIC_RATE_PACKETS, rated(asn, rate)),
            Extended::TrafficAction { sample, terminal } => {
                let flags = if sample { SAMPLE } else { 0 } | if terminal { TERMINAL } else { 0 };
                (FLOWSPEC, TRAFFIC_ACTION, [0, 0, 0, 0, 0, flags])
            }
            Extended::TrafficMarking(dscp) => (FLOWSPEC, TRAFFIC_MARKING, [0, 0, 0, 0, 0, dscp]),
            Extended::MacMobility { sticky, sequence } => {
                let [a, b, c, d] = sequence.to_be_bytes();
                (EVPN, MAC_MOBILITY, [sticky.into(), 0, a, b, c, d])
            }
            Extended::EsiLabel { single_active, label } => {
                let [_, a, b, c] = label.to_be_bytes();
                (EVPN, ESI_LABEL, [single_active.into(), 0, 0, a, b, c])
            }
            Extended::EsImport(MacAddress(octets)) => (EVPN, ES_IMPORT, octets),
            Extended::RouterMac(MacAddress(octets)) => (EVPN, ROUTER_MAC, octets),
        };
        let [a, b, c, d, e, f] = value;
        ExtendedCommunity([kind, subtype, a, b, c, d, e, f])
    }
}

fn administered(kind: u8, subtype: u8, by: Administrator) -> (u8, u8, [u8; 6]) {
    let (low, value) = by.octets();
    (kind | low, subtype, value)
}

fn rated(asn: u16, rate: Rate) -> [u8; 6] {
    Administrator::TwoOctetAs(asn, rate.0).octets().1
}

/// `rt:64512:100`, `ro:…`, `color:5` and so on; hexadecimal for those without a meaning here.
impl fmt::Display for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meaning() {
            Extended::RouteTarget(by) => write!(f, "rt:{by}"),
            Extended::RouteOrigin(by) => write!(f, "ro:{by}"),
            Extended::LinkBandwidth { asn, rate, .. } => write!(f, "link-bandwidth:{asn}:{rate}"),
            Extended::Color(color) => color.fmt(f),
            Extended::Encapsulation(kind) => write!(f, "encap:{kind}"),
            Extended::DefaultGateway => f.write_str("default-gateway"),
            Extended::TrafficRateBytes(asn, rate) => write!(f, "traffic-rate-bytes:{asn}:{rate}"),
            Extended::TrafficRatePackets(asn, rate) => write!(f, "traffic-rate-packets:{asn}:{rate}"),
            Extended::TrafficAction { sample, terminal } => f.write_str(match (sample, terminal) {
                (true, true) => "traffic-action:sample,terminal",
                (true, false) => "traffic-action:sample",
                (false, true) => "traffic-action:terminal",
                (false, false) => "traffic-action:none",
            }),
            Extended::Redirect(by) => write!(f, "redirect:{by}"),
            Extended::TrafficMarking(dscp) => write!(f, "traffic-marking:{dscp}"),
            Extended::MacMobility { sticky, sequence } => {
                write!(f, "mac-mobility:{sequence}{}", if sticky { ":sticky" } else { "" })
            }
            Extended::EsiLabel { single_active, label } => {
                let mode = if single_active { "single-active" } else { "all-active" };
                write!(f, "esi-label:{}:{mode}", label >> 4)
            }
            Extended::EsImport(mac) => write!(f, "es-import:{mac}"),
            Extended::RouterMac(mac) => write!(f, "router-mac:{mac}"),
            Extended::Other(octets) => write!(f, "{:#018x}", u64::from_be_bytes(octets)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_meaning_has_its_text() {
        for (octets, text) in [
            ([0, 2, 0xfc, 0, 0, 1, 0, 0], "rt:64512:65536"),
            ([1, 3, 10, 0, 0, 1, 0, 9], "ro:10.0.0.1:9"),
            ([2, 2, 0, 1, 0x11, 0x70, 0, 1], "rt:70000:1"),
            ([2, 2, 0, 0, 0xfc, 0, 0, 1], "rt:64512L:1"),
            ([0x40, 4, 0xfc, 0, 0x4e, 0x95, 2, 0xf9], "link-bandwidth:64512:1250000000"),
            ([0, 4, 0xfc, 0, 0x4e, 0x95, 2, 0xf9], "link-bandwidth:64512:1250000000"),
            ([3, 0x0b, 0, 0, 0, 0, 0, 5], "color:5"),
            ([3, 0x0b, 0x40, 0, 0, 0, 0, 5], "color:16384:5"),
            ([3, 0x0c, 0, 0, 0, 0, 0, 8], "encap:vxlan"),
            ([3, 0x0d, 0, 0, 0, 0, 0, 0], "default-gateway"),
            ([0x80, 6, 0xfc, 0, 0x44, 0x7a, 0, 0], "traffic-rate-bytes:64512:1000"),
            ([0x80, 0x0c, 0, 0, 0, 0, 0, 0], "traffic-rate-packets:0:0"),
            ([0x80, 7, 0, 0, 0, 0, 0, 3], "traffic-action:sample,terminal"),
            ([0x80, 8, 0xfc, 0, 0, 0, 0, 1], "redirect:64512:1"),
            ([0x81, 8, 10, 0, 0, 1, 0, 1], "redirect:10.0.0.1:1"),
            ([0x82, 8, 0, 1, 0x11, 0x70, 0, 1], "redirect:70000:1"),
            ([0x80, 9, 0, 0, 0, 0, 0, 46], "traffic-marking:46"),
            ([6, 0, 1, 0, 0, 0, 0, 3], "mac-mobility:3:sticky"),
            ([6, 1, 1, 0, 0, 0, 1, 0], "esi-label:16:single-active"),
            ([6, 2, 2, 0, 0x5e, 0x10, 0, 1], "es-import:02:00:5e:10:00:01"),
            ([6, 3, 2, 0, 0x5e, 0x10, 0, 1], "router-mac:02:00:5e:10:00:01"),
            ([0x43, 0, 0, 0, 0, 0, 0, 2], "0x4300000000000002"),
        ] {
            assert_eq!(ExtendedCommunity(octets).to_string(), text);
        }
    }

    #[test]
    fn reserved_bits_make_it_one_without_a_meaning() {
        assert_eq!(ExtendedCommunity([0x80, 9, 0, 0, 0, 0, 0, 64]).to_string(), "0x8009000000000040");
        assert_eq!(ExtendedCommunity([6, 0, 2, 0, 0, 0, 0, 0]).to_string(), "0x0600020000000000");
    }

    #[test]
    fn the_second_highest_bit_says_that_it_stays_in_the_as() {
        assert!(ExtendedCommunity([0x80, 6, 0, 0, 0, 0, 0, 0]).is_transitive());
        assert!(!ExtendedCommunity([0x43, 0, 0, 0, 0, 0, 0, 0]).is_transitive());
    }

    proptest! {
        #[test]
        fn a_meaning_gives_back_its_octets(kind in prop_oneof![0..8u8, 0x80..0x84u8, any::<u8>()], subtype in 0..16u8, value: [u8; 6], quiet: bool) {
            let [a, b, c, d, e, f] = if quiet { [0, 0, 0, 0, 0, value[5] & 3] } else { value };
            let community = ExtendedCommunity([kind, subtype, a, b, c, d, e, f]);
            prop_assert_eq!(ExtendedCommunity::from(community.meaning()), community);
            prop_assert!(!community.to_string().is_empty());
        }
    }
}
