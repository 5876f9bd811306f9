//! PMSI Tunnel: how multicast and broadcast traffic of a VPN or an EVPN reaches its receivers (RFC 6514 section 5).

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use super::attribute::Attributes;
use super::code;
use super::cursor::Cursor;
use super::hex::Hex;
use super::tlv::TlvError;

/// What kind of tunnel a PMSI Tunnel attribute names (RFC 6514 section 5, registry of RFC 7385).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PmsiTunnelType(pub u8);

impl PmsiTunnelType {
    /// No tunnel information present.
    pub const NONE: PmsiTunnelType = PmsiTunnelType(0);
    /// RSVP-TE P2MP LSP.
    pub const RSVP_TE_P2MP: PmsiTunnelType = PmsiTunnelType(1);
    /// mLDP P2MP LSP.
    pub const MLDP_P2MP: PmsiTunnelType = PmsiTunnelType(2);
    /// PIM-SSM tree.
    pub const PIM_SSM: PmsiTunnelType = PmsiTunnelType(3);
    /// PIM-SM tree.
    pub const PIM_SM: PmsiTunnelType = PmsiTunnelType(4);
    /// BIDIR-PIM tree.
    pub const BIDIR_PIM: PmsiTunnelType = PmsiTunnelType(5);
    /// Ingress replication: the sender sends a copy to each receiver.
    pub const INGRESS_REPLICATION: PmsiTunnelType = PmsiTunnelType(6);
    /// mLDP MP2MP LSP.
    pub const MLDP_MP2MP: PmsiTunnelType = PmsiTunnelType(7);

    /// Whether a tunnel identifier of this type can have `len` octets. A type defined later than RFC 6514 may have
    /// any: the attribute is passed on by those that do not use it.
    fn allows(self, len: usize) -> bool {
        match self {
            PmsiTunnelType::NONE => len == 0,
            PmsiTunnelType::RSVP_TE_P2MP => matches!(len, 12 | 24),
            PmsiTunnelType::PIM_SSM | PmsiTunnelType::PIM_SM | PmsiTunnelType::BIDIR_PIM => {
                matches!(len, 8 | 32)
            }
            PmsiTunnelType::INGRESS_REPLICATION => matches!(len, 4 | 16),
            _ => true,
        }
    }
}

impl fmt::Display for PmsiTunnelType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            PmsiTunnelType::NONE => "none",
            PmsiTunnelType::RSVP_TE_P2MP => "rsvp-te-p2mp",
            PmsiTunnelType::MLDP_P2MP => "mldp-p2mp",
            PmsiTunnelType::PIM_SSM => "pim-ssm",
            PmsiTunnelType::PIM_SM => "pim-sm",
            PmsiTunnelType::BIDIR_PIM => "bidir-pim",
            PmsiTunnelType::INGRESS_REPLICATION => "ingress-replication",
            PmsiTunnelType::MLDP_MP2MP => "mldp-mp2mp",
            PmsiTunnelType(other) => return write!(f, "type-{other}"),
        })
    }
}

/// The value of a PMSI Tunnel attribute.
///
/// ```text
///  octets  1       1      3
///          │ flags │ type │ label │ identifier, up to the end
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PmsiTunnel<'a> {
    /// Bit 0 set: those who receive the traffic are asked to say so ("Leaf Information Required").
    pub flags: u8,
    /// What kind of tunnel it is.
    pub kind: PmsiTunnelType,
    /// The MPLS Label field, 24 bits: a label in the upper 20 of them, or a VNI (RFC 8365 section 9).
    pub label: u32,
    /// Which tunnel it is, in a form that depends on its kind.
    pub identifier: Cow<'a, [u8]>,
}

impl<'a> PmsiTunnel<'a> {
    /// The attribute with this `value`; `None` if it is shorter than its fixed part of 5 octets.
    #[must_use]
    pub fn new(value: &'a [u8]) -> Option<PmsiTunnel<'a>> {
        let mut cursor = Cursor::new(value);
        let (flags, kind) = (cursor.u8()?, PmsiTunnelType(cursor.u8()?));
        let [high, middle, low] = cursor.array()?;
        let label = u32::from_be_bytes([0, high, middle, low]);
        Some(PmsiTunnel { flags, kind, label, identifier: cursor.rest().into() })
    }

    /// Checks `value` by RFC 6514 section 5: the identifier must have a length that its kind can have.
    pub(crate) fn check(value: &[u8]) -> Result<(), TlvError> {
        let tunnel = PmsiTunnel::new(value).ok_or(TlvError::CutOff)?;
        let len = tunnel.identifier.len();
        if tunnel.kind.allows(len) {
            Ok(())
        } else {
            Err(TlvError::Length { kind: tunnel.kind.0.into(), len })
        }
    }

    /// Where ingress replication sends its copies.
    #[must_use]
    pub fn endpoint(&self) -> Option<IpAddr> {
        if self.kind == PmsiTunnelType::INGRESS_REPLICATION { self.address() } else { None }
    }

    /// The identifier as one address.
    fn address(&self) -> Option<IpAddr> {
        let mut cursor = Cursor::new(&self.identifier);
        match cursor.len() {
            4 => cursor.array::<4>().map(IpAddr::from),
            16 => cursor.array::<16>().map(IpAddr::from),
            _ => None,
        }
    }

    pub(crate) fn into_owned(self) -> PmsiTunnel<'static> {
        PmsiTunnel { identifier: self.identifier.into_owned().into(), ..self }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let [_, high, middle, low] = self.label.to_be_bytes();
        out.extend([self.flags, self.kind.0, high, middle, low]);
        out.extend_from_slice(&self.identifier);
    }
}

/// `ingress-replication 10.0.0.1 label 16 vni 256`: whether the field is label or VNI, the route's family says.
impl fmt::Display for PmsiTunnel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        match self.endpoint() {
            Some(address) => write!(f, " {address}")?,
            None if self.identifier.is_empty() => {}
            None => write!(f, " {}", Hex(&self.identifier))?,
        }
        write!(f, " label {} vni {}", self.label >> 4, self.label)?;
        if self.flags == 0 { Ok(()) } else { write!(f, " flags {:#04x}", self.flags) }
    }
}

impl<'a> Attributes<'a> {
    /// PMSI Tunnel (RFC 6514 section 5); `None` if it is not there.
    #[must_use]
    pub fn pmsi_tunnel(&self) -> Option<PmsiTunnel<'a>> {
        PmsiTunnel::new(self.get(code::PMSI_TUNNEL)?.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ingress_replication_names_its_endpoint() {
        let tunnel = PmsiTunnel::new(&[0, 6, 0, 1, 0, 10, 0, 0, 1]).unwrap();
        assert_eq!(tunnel.to_string(), "ingress-replication 10.0.0.1 label 16 vni 256");
        assert_eq!(tunnel.endpoint(), Some([10, 0, 0, 1].into()));
    }

    #[test]
    fn an_identifier_of_a_length_that_its_kind_cannot_have_is_malformed() {
        let check = |kind, len| {
            let mut value = vec![0, kind, 0, 0, 0];
            value.resize(5 + len, 0);
            PmsiTunnel::check(&value).is_ok()
        };
        let allowed = |kind| (0..=40usize).filter(|len| check(kind, *len)).collect::<Vec<_>>();
        assert_eq!(allowed(0), [0]);
        assert_eq!(allowed(1), [12, 24]);
        assert_eq!(allowed(3), [8, 32]);
        assert_eq!(allowed(6), [4, 16]);
        assert_eq!(allowed(11).len(), 41);
        assert_eq!(PmsiTunnel::check(&[0, 6, 0, 0]), Err(TlvError::CutOff));
    }
}
