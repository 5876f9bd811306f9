//! Tunnel Encapsulation: how packets for a route are to be wrapped, and where they are sent (RFC 9012).

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use super::attribute::Attributes;
use super::code;
use super::community::Color;
use super::cursor::Cursor;
use super::hex::{Hex, MacAddress};
use super::tlv::{self, Tlv, TlvError, push_u16_counted};

/// A kind of tunnel (RFC 9012 section 2, IANA "BGP Tunnel Encapsulation Attribute Tunnel Types").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TunnelType(pub u16);

impl TunnelType {
    /// L2TPv3 over IP.
    pub const L2TPV3: TunnelType = TunnelType(1);
    /// GRE.
    pub const GRE: TunnelType = TunnelType(2);
    /// IP in IP.
    pub const IP_IN_IP: TunnelType = TunnelType(7);
    /// VXLAN (RFC 8365).
    pub const VXLAN: TunnelType = TunnelType(8);
    /// NVGRE (RFC 8365).
    pub const NVGRE: TunnelType = TunnelType(9);
    /// MPLS (RFC 8365).
    pub const MPLS: TunnelType = TunnelType(10);
    /// MPLS in GRE (RFC 8365).
    pub const MPLS_IN_GRE: TunnelType = TunnelType(11);
    /// VXLAN GPE (RFC 8365).
    pub const VXLAN_GPE: TunnelType = TunnelType(12);
    /// MPLS in UDP (RFC 7510).
    pub const MPLS_IN_UDP: TunnelType = TunnelType(13);
    /// SR Policy (RFC 9830).
    pub const SR_POLICY: TunnelType = TunnelType(15);
    /// Geneve (RFC 8926).
    pub const GENEVE: TunnelType = TunnelType(19);
}

impl fmt::Display for TunnelType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            TunnelType::L2TPV3 => "l2tpv3",
            TunnelType::GRE => "gre",
            TunnelType::IP_IN_IP => "ip-in-ip",
            TunnelType::VXLAN => "vxlan",
            TunnelType::NVGRE => "nvgre",
            TunnelType::MPLS => "mpls",
            TunnelType::MPLS_IN_GRE => "mpls-in-gre",
            TunnelType::VXLAN_GPE => "vxlan-gpe",
            TunnelType::MPLS_IN_UDP => "mpls-in-udp",
            TunnelType::SR_POLICY => "sr-policy",
            TunnelType::GENEVE => "geneve",
            TunnelType(other) => return write!(f, "type-{other}"),
        })
    }
}

/// The value of a Tunnel Encapsulation attribute that was checked before: reading can't fail.
///
/// ```text
///  octets  2      2
///          │ type │ length │ sub-TLV │ sub-TLV …      and the next tunnel
///
///  sub-TLV, octets  1              1        length
///                   │ type 0–127   │ length │ value
///                   │ type 128–255 │ length │ value   the length in 2 octets
/// ```
///
/// ```
/// use bgp_core::wire::TunnelEncapsulation;
///
/// // VXLAN, its sub-TLVs Tunnel Egress Endpoint (6) and Encapsulation (1).
/// let value = [
///     0, 8, 0, 26, 6, 10, 0, 0, 0, 0, 0, 1, 10, 0, 0, 1, 1, 12, 0x80, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0,
/// ];
/// let tunnels: Vec<String> =
///     TunnelEncapsulation::new(&value).tunnels().map(|tunnel| tunnel.to_owned().to_string()).collect();
/// assert_eq!(tunnels, ["vxlan endpoint 10.0.0.1 vni 100"]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TunnelEncapsulation<'a>(&'a [u8]);

impl<'a> TunnelEncapsulation<'a> {
    /// The attribute with this `value`. Tunnels from the first malformed one on are left out.
    #[must_use]
    pub fn new(value: &'a [u8]) -> TunnelEncapsulation<'a> {
        TunnelEncapsulation(value)
    }

    /// Checks `value` by RFC 9012 section 13: tunnels and their sub-TLVs must end where what holds them ends. A
    /// sub-TLV whose own value is malformed counts as one of an unknown type, which is no fault.
    pub(crate) fn check(value: &[u8]) -> Result<(), TlvError> {
        tlv::check(value, read_tunnel, |tunnel| tlv::check(tunnel.value, read_sub_tlv, |_| Ok(())))
    }

    /// The tunnels, in order.
    pub fn tunnels(&self) -> impl Iterator<Item = TunnelTlv<'a>> + use<'a> {
        tlv::elements(self.0, read_tunnel)
            .map(|tlv| TunnelTlv { kind: TunnelType(tlv.kind), value: tlv.value })
    }
}

fn read_tunnel<'a>(cursor: &mut Cursor<'a>) -> Option<Tlv<'a>> {
    let (kind, len) = (cursor.u16()?, cursor.u16()?);
    Some(Tlv { kind, value: cursor.take(len.into())? })
}

/// Whether the length of a sub-TLV takes two octets (RFC 9012 section 2).
fn has_long_length(kind: u8) -> bool {
    kind >= 128
}

fn read_sub_tlv<'a>(cursor: &mut Cursor<'a>) -> Option<Tlv<'a>> {
    let kind = cursor.u8()?;
    let len = if has_long_length(kind) { cursor.u16()? } else { cursor.u8()?.into() };
    Some(Tlv { kind: kind.into(), value: cursor.take(len.into())? })
}

/// One of the tunnels, as a view.
#[derive(Clone, Copy, Debug)]
pub struct TunnelTlv<'a> {
    /// Its kind.
    pub kind: TunnelType,
    value: &'a [u8],
}

impl<'a> TunnelTlv<'a> {
    /// What is said about it, in order.
    pub fn sub_tlvs(&self) -> impl Iterator<Item = TunnelSubTlv<'a>> + use<'a> {
        let kind = self.kind;
        tlv::elements(self.value, read_sub_tlv).map(move |tlv| TunnelSubTlv::from_tlv(kind, tlv))
    }

    /// The tunnel with all that is said about it.
    #[must_use]
    pub fn to_owned(&self) -> Tunnel {
        Tunnel { kind: self.kind, sub_tlvs: self.sub_tlvs().map(TunnelSubTlv::into_owned).collect() }
    }
}

/// One of the tunnels, as a value of its own. It is told as `vxlan endpoint 10.0.0.1 vni 100`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tunnel {
    /// Its kind.
    pub kind: TunnelType,
    /// What is said about it.
    pub sub_tlvs: Vec<TunnelSubTlv<'static>>,
}

impl Tunnel {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut value = Vec::new();
        self.sub_tlvs.iter().for_each(|sub_tlv| sub_tlv.encode(&mut value));
        out.extend(self.kind.0.to_be_bytes());
        push_u16_counted(out, &value);
    }
}

impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        self.sub_tlvs.iter().try_for_each(|sub_tlv| write!(f, " {sub_tlv}"))
    }
}

const ENCAPSULATION: u8 = 1;
const COLOR: u8 = 4;
const EGRESS_ENDPOINT: u8 = 6;
const UDP_DESTINATION_PORT: u8 = 8;

/// Something said about a tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TunnelSubTlv<'a> {
    /// Encapsulation of VXLAN and NVGRE (RFC 9012 sections 3.2.1 and 3.2.2).
    Vxlan {
        /// The virtual network, 24 bits.
        vni: Option<u32>,
        /// The destination of the inner Ethernet header.
        mac: Option<MacAddress>,
    },
    /// Encapsulation of GRE and MPLS in GRE: the key (RFC 9012 sections 3.2.4 and 3.2.5).
    GreKey(u32),
    /// Color: which traffic the tunnel is for (RFC 9012 section 3.4.2).
    Color(Color),
    /// Tunnel Egress Endpoint: where packets are sent; `None` for the route's next hop (RFC 9012 section 3.1).
    EgressEndpoint(Option<IpAddr>),
    /// UDP Destination Port (RFC 9012 section 3.3.2).
    UdpDestinationPort(u16),
    /// One of another type or with reserved bits set, or one whose value is malformed; passed on as it is.
    Other {
        /// Its type.
        kind: u8,
        /// Its value: at most 255 octets for types below 128, else at most 65535.
        value: Cow<'a, [u8]>,
    },
}

impl<'a> TunnelSubTlv<'a> {
    fn from_tlv(tunnel: TunnelType, tlv: Tlv<'a>) -> TunnelSubTlv<'a> {
        let [_, kind] = tlv.kind.to_be_bytes();
        let mut cursor = Cursor::new(tlv.value);
        let known = match kind {
            ENCAPSULATION => encapsulation(tunnel, &mut cursor),
            COLOR => cursor.array().and_then(Color::from_octets).map(TunnelSubTlv::Color),
            EGRESS_ENDPOINT => egress_endpoint(&mut cursor),
            UDP_DESTINATION_PORT => cursor.u16().map(TunnelSubTlv::UdpDestinationPort),
            _ => None,
        };
        known.filter(|_| cursor.is_empty()).unwrap_or(TunnelSubTlv::Other { kind, value: tlv.value.into() })
    }

    fn into_owned(self) -> TunnelSubTlv<'static> {
        match self {
            TunnelSubTlv::Vxlan { vni, mac } => TunnelSubTlv::Vxlan { vni, mac },
            TunnelSubTlv::GreKey(key) => TunnelSubTlv::GreKey(key),
            TunnelSubTlv::Color(color) => TunnelSubTlv::Color(color),
            TunnelSubTlv::EgressEndpoint(address) => TunnelSubTlv::EgressEndpoint(address),
            TunnelSubTlv::UdpDestinationPort(port) => TunnelSubTlv::UdpDestinationPort(port),
            TunnelSubTlv::Other { kind, value } => {
                TunnelSubTlv::Other { kind, value: value.into_owned().into() }
            }
        }
    }

    fn kind(&self) -> u8 {
        match self {
            TunnelSubTlv::Vxlan { .. } | TunnelSubTlv::GreKey(_) => ENCAPSULATION,
            TunnelSubTlv::Color(_) => COLOR,
            TunnelSubTlv::EgressEndpoint(_) => EGRESS_ENDPOINT,
            TunnelSubTlv::UdpDestinationPort(_) => UDP_DESTINATION_PORT,
            TunnelSubTlv::Other { kind, .. } => *kind,
        }
    }

    fn value(&self) -> Vec<u8> {
        match self {
            TunnelSubTlv::Vxlan { vni, mac } => {
                let flags =
                    if vni.is_some() { VNI_VALID } else { 0 } | if mac.is_some() { MAC_VALID } else { 0 };
                let [_, high, middle, low] = vni.unwrap_or_default().to_be_bytes();
                let mac = mac.unwrap_or(MacAddress([0; 6])).0;
                [&[flags, high, middle, low][..], &mac, &[0, 0]].concat()
            }
            TunnelSubTlv::GreKey(key) => key.to_be_bytes().to_vec(),
            TunnelSubTlv::Color(color) => color.octets().to_vec(),
            TunnelSubTlv::EgressEndpoint(address) => match address {
                None => vec![0; 6],
                Some(IpAddr::V4(address)) => [&[0, 0, 0, 0, 0, AFI_IPV4][..], &address.octets()].concat(),
                Some(IpAddr::V6(address)) => [&[0, 0, 0, 0, 0, AFI_IPV6][..], &address.octets()].concat(),
            },
            TunnelSubTlv::UdpDestinationPort(port) => port.to_be_bytes().to_vec(),
            TunnelSubTlv::Other { value, .. } => value.to_vec(),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let (kind, value) = (self.kind(), self.value());
        out.push(kind);
        if has_long_length(kind) {
            return push_u16_counted(out, &value);
        }
        let len = u8::try_from(value.len()).unwrap_or(u8::MAX);
        out.push(len);
        out.extend(value.iter().take(len.into()));
    }
}

const VNI_VALID: u8 = 0x80;
const MAC_VALID: u8 = 0x40;
const AFI_IPV4: u8 = 1;
const AFI_IPV6: u8 = 2;

fn encapsulation<'a>(tunnel: TunnelType, cursor: &mut Cursor<'_>) -> Option<TunnelSubTlv<'a>> {
    match tunnel {
        TunnelType::VXLAN | TunnelType::NVGRE => vxlan(cursor),
        TunnelType::GRE | TunnelType::MPLS_IN_GRE => cursor.u32().map(TunnelSubTlv::GreKey),
        _ => None,
    }
}

/// What a flag says is not there must be zero, and so must what is reserved: else it would not come back.
fn vxlan<'a>(cursor: &mut Cursor<'_>) -> Option<TunnelSubTlv<'a>> {
    let [flags, high, middle, low] = cursor.array()?;
    let vni = u32::from_be_bytes([0, high, middle, low]);
    let mac = MacAddress(cursor.array()?);
    let sound = cursor.u16()? == 0
        && flags & !(VNI_VALID | MAC_VALID) == 0
        && (flags & VNI_VALID != 0 || vni == 0)
        && (flags & MAC_VALID != 0 || mac == MacAddress([0; 6]));
    let vni = (flags & VNI_VALID != 0).then_some(vni);
    let mac = (flags & MAC_VALID != 0).then_some(mac);
    sound.then_some(TunnelSubTlv::Vxlan { vni, mac })
}

fn egress_endpoint<'a>(cursor: &mut Cursor<'_>) -> Option<TunnelSubTlv<'a>> {
    let reserved = cursor.u32()?;
    let address = match (cursor.u16()?.to_be_bytes(), cursor.len()) {
        ([0, 0], 0) => None,
        ([0, AFI_IPV4], 4) => Some(cursor.array::<4>()?.into()),
        ([0, AFI_IPV6], 16) => Some(cursor.array::<16>()?.into()),
        _ => return None,
    };
    (reserved == 0).then_some(TunnelSubTlv::EgressEndpoint(address))
}

impl fmt::Display for TunnelSubTlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TunnelSubTlv::Vxlan { vni: Some(vni), mac: Some(mac) } => write!(f, "vni {vni} mac {mac}"),
            TunnelSubTlv::Vxlan { vni: Some(vni), mac: None } => write!(f, "vni {vni}"),
            TunnelSubTlv::Vxlan { vni: None, mac: Some(mac) } => write!(f, "mac {mac}"),
            TunnelSubTlv::Vxlan { vni: None, mac: None } => f.write_str("vni any"),
            TunnelSubTlv::GreKey(key) => write!(f, "key {key}"),
            TunnelSubTlv::Color(color) => color.fmt(f),
            TunnelSubTlv::EgressEndpoint(Some(address)) => write!(f, "endpoint {address}"),
            TunnelSubTlv::EgressEndpoint(None) => f.write_str("endpoint next-hop"),
            TunnelSubTlv::UdpDestinationPort(port) => write!(f, "udp-port {port}"),
            TunnelSubTlv::Other { kind, value } => write!(f, "type {kind} {}", Hex(value)),
        }
    }
}

impl<'a> Attributes<'a> {
    /// Tunnel Encapsulation (RFC 9012 section 2).
    #[must_use]
    pub fn tunnel_encapsulation(&self) -> Option<TunnelEncapsulation<'a>> {
        self.get(code::TUNNEL_ENCAPSULATION).map(|attribute| TunnelEncapsulation(attribute.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tunnel(kind: u8, sub_tlvs: &[u8]) -> Vec<u8> {
        [&[0, kind, 0, u8::try_from(sub_tlvs.len()).unwrap()], sub_tlvs].concat()
    }

    /// The one tunnel as text; its octets must come back.
    fn told(value: &[u8]) -> String {
        assert_eq!(TunnelEncapsulation::check(value), Ok(()));
        let tunnel = TunnelEncapsulation::new(value).tunnels().next().unwrap().to_owned();
        let mut again = Vec::new();
        tunnel.encode(&mut again);
        assert_eq!(again, value);
        tunnel.to_string()
    }

    #[test]
    fn the_known_sub_tlvs_are_told_and_come_back_octet_for_octet() {
        let vxlan = [1, 12, 0x80, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0];
        let endpoint = [6, 10, 0, 0, 0, 0, 0, 1, 10, 0, 0, 1];
        let color = [4, 8, 3, 0x0b, 0, 0, 0, 0, 0, 5];
        let port = [8, 2, 0x12, 0xb5];
        let all = [&vxlan[..], &endpoint, &color, &port, &[200, 0, 1, 9]].concat();
        let text = "vxlan vni 100 endpoint 10.0.0.1 color:5 udp-port 4789 type 200 09";
        assert_eq!(told(&tunnel(8, &all)), text);
        assert_eq!(
            told(&tunnel(2, &[1, 4, 0, 0, 0, 7, 6, 6, 0, 0, 0, 0, 0, 0])),
            "gre key 7 endpoint next-hop"
        );
    }

    #[test]
    fn a_sub_tlv_that_would_not_come_back_as_typed_stays_raw() {
        assert_eq!(told(&tunnel(8, &[1, 1, 0])), "vxlan type 1 00");
        assert_eq!(
            told(&tunnel(8, &[1, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])),
            format!("vxlan type 1 {:024x}", 1u128 << 64)
        );
        assert_eq!(told(&tunnel(7, &[6, 6, 0, 0, 0, 0, 0, 1])), "ip-in-ip type 6 000000000001");
        assert_eq!(told(&tunnel(7, &[8, 3, 0, 1, 2])), "ip-in-ip type 8 000102");
    }

    #[test]
    fn lengths_that_contradict_each_other_are_malformed() {
        for bad in
            [&[0, 8, 0][..], &[0, 8, 0, 1], &tunnel(8, &[1]), &tunnel(8, &[1, 1]), &tunnel(8, &[128, 0])]
        {
            assert_eq!(TunnelEncapsulation::check(bad), Err(TlvError::CutOff), "{bad:?}");
        }
    }
}
