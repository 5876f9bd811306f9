//! BGP Prefix-SID: the segment that stands for a prefix in segment routing (RFC 8669), and the services reached over
//! SRv6 (RFC 9252).

use std::borrow::Cow;
use std::fmt;

use super::attribute::Attributes;
use super::code;
use super::cursor::Cursor;
use super::hex::Hex;
use super::tlv::{self, Tlv, TlvError, push_u16_counted};

const LABEL_INDEX: u8 = 1;
const ORIGINATOR_SRGB: u8 = 3;
const SRV6_L3_SERVICE: u8 = 5;
const SRV6_L2_SERVICE: u8 = 6;
/// Reserved, flags, index.
const LABEL_INDEX_LEN: usize = 7;
/// The flags before the ranges of an SRGB.
const SRGB_FLAGS_LEN: usize = 2;
/// Base and size, three octets each.
const SRGB_RANGE_LEN: usize = 6;

/// The value of a BGP Prefix-SID attribute that was checked before: reading can't fail.
///
/// ```text
///  octets  1        2
///          │ type 1 │ length 7         │ reserved 1, flags 2, label index 4
///          │ type 3 │ length 2 + 6 × n │ flags 2, (first label 3, number of labels 3) …
///          │ type 5 │ length           │ reserved 1, (type 1, length 2, value) …      SRv6 L3 service
///          │ type 6 │ length           │ the same                                     SRv6 L2 service
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PrefixSid<'a>(&'a [u8]);

impl<'a> PrefixSid<'a> {
    /// The attribute with this `value`. TLVs from the first malformed one on are left out.
    #[must_use]
    pub fn new(value: &'a [u8]) -> PrefixSid<'a> {
        PrefixSid(value)
    }

    /// Checks `value` by RFC 8669 section 6: whole TLVs, the known ones of a length that they can have. TLVs of
    /// unknown types are no fault.
    pub(crate) fn check(value: &[u8]) -> Result<(), TlvError> {
        tlv::check(value, tlv::read_u8_u16, |tlv| match u8::try_from(tlv.kind) {
            Ok(LABEL_INDEX) => tlv.require(tlv.value.len() == LABEL_INDEX_LEN),
            Ok(ORIGINATOR_SRGB) => tlv.require(
                tlv.value.len() > SRGB_FLAGS_LEN
                    && (tlv.value.len() - SRGB_FLAGS_LEN).is_multiple_of(SRGB_RANGE_LEN),
            ),
            Ok(SRV6_L3_SERVICE | SRV6_L2_SERVICE) => {
                let (_reserved, sub_tlvs) = tlv.value.split_first().ok_or(TlvError::CutOff)?;
                tlv::check(sub_tlvs, tlv::read_u8_u16, |_| Ok(()))
            }
            _ => Ok(()),
        })
    }

    /// The TLVs in order.
    pub fn tlvs(&self) -> impl Iterator<Item = PrefixSidTlv<'a>> + use<'a> {
        tlv::elements(self.0, tlv::read_u8_u16).map(PrefixSidTlv::from_tlv)
    }
}

/// One TLV of BGP Prefix-SID.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrefixSidTlv<'a> {
    /// Label-Index (RFC 8669 section 3.1).
    LabelIndex {
        /// None are defined.
        flags: u16,
        /// The place of the prefix's label in everybody's block of labels.
        index: u32,
    },
    /// Originator SRGB: the blocks of labels of the router that announced the prefix (RFC 8669 section 3.2).
    OriginatorSrgb {
        /// None are defined.
        flags: u16,
        /// The blocks as on the wire: first label and number of labels, three octets each.
        ranges: Cow<'a, [[u8; SRGB_RANGE_LEN]]>,
    },
    /// SRv6 L3 Service: a reserved octet, then sub-TLVs as on the wire (RFC 9252 section 2).
    Srv6L3Service(Cow<'a, [u8]>),
    /// SRv6 L2 Service, likewise.
    Srv6L2Service(Cow<'a, [u8]>),
    /// One of another type, or with reserved octets set; passed on as it is.
    Other {
        /// Its type.
        kind: u8,
        /// Its value, at most 65535 octets.
        value: Cow<'a, [u8]>,
    },
}

impl<'a> PrefixSidTlv<'a> {
    fn from_tlv(tlv: Tlv<'a>) -> PrefixSidTlv<'a> {
        let [_, kind] = tlv.kind.to_be_bytes();
        let value = tlv.value;
        let known = match kind {
            LABEL_INDEX => label_index(value),
            ORIGINATOR_SRGB => originator_srgb(value),
            SRV6_L3_SERVICE => Some(PrefixSidTlv::Srv6L3Service(value.into())),
            SRV6_L2_SERVICE => Some(PrefixSidTlv::Srv6L2Service(value.into())),
            _ => None,
        };
        known.unwrap_or(PrefixSidTlv::Other { kind, value: value.into() })
    }

    pub(crate) fn into_owned(self) -> PrefixSidTlv<'static> {
        let own = |octets: Cow<'_, [u8]>| Cow::Owned(octets.into_owned());
        match self {
            PrefixSidTlv::LabelIndex { flags, index } => PrefixSidTlv::LabelIndex { flags, index },
            PrefixSidTlv::OriginatorSrgb { flags, ranges } => {
                PrefixSidTlv::OriginatorSrgb { flags, ranges: ranges.into_owned().into() }
            }
            PrefixSidTlv::Srv6L3Service(value) => PrefixSidTlv::Srv6L3Service(own(value)),
            PrefixSidTlv::Srv6L2Service(value) => PrefixSidTlv::Srv6L2Service(own(value)),
            PrefixSidTlv::Other { kind, value } => PrefixSidTlv::Other { kind, value: own(value) },
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let (kind, value) = match self {
            PrefixSidTlv::LabelIndex { flags, index } => {
                let octets: Vec<u8> =
                    [0].into_iter().chain(flags.to_be_bytes()).chain(index.to_be_bytes()).collect();
                (LABEL_INDEX, octets.into())
            }
            PrefixSidTlv::OriginatorSrgb { flags, ranges } => {
                let octets: Vec<u8> =
                    flags.to_be_bytes().into_iter().chain(ranges.iter().flatten().copied()).collect();
                (ORIGINATOR_SRGB, octets.into())
            }
            PrefixSidTlv::Srv6L3Service(value) => (SRV6_L3_SERVICE, Cow::Borrowed(&value[..])),
            PrefixSidTlv::Srv6L2Service(value) => (SRV6_L2_SERVICE, Cow::Borrowed(&value[..])),
            PrefixSidTlv::Other { kind, value } => (*kind, Cow::Borrowed(&value[..])),
        };
        out.push(kind);
        push_u16_counted(out, &value);
    }
}

fn label_index<'a>(value: &[u8]) -> Option<PrefixSidTlv<'a>> {
    let mut cursor = Cursor::new(value);
    let (reserved, flags, index) = (cursor.u8()?, cursor.u16()?, cursor.u32()?);
    (reserved == 0 && cursor.is_empty()).then_some(PrefixSidTlv::LabelIndex { flags, index })
}

fn originator_srgb(value: &[u8]) -> Option<PrefixSidTlv<'_>> {
    let mut cursor = Cursor::new(value);
    let flags = cursor.u16()?;
    let (ranges, rest) = cursor.rest().as_chunks();
    rest.is_empty().then(|| PrefixSidTlv::OriginatorSrgb { flags, ranges: ranges.into() })
}

/// `label-index 7`, `srgb 16000-23999`, and the other TLVs in hexadecimal.
impl fmt::Display for PrefixSidTlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PrefixSidTlv::LabelIndex { index, .. } => write!(f, "label-index {index}"),
            PrefixSidTlv::OriginatorSrgb { ranges, .. } => {
                f.write_str("srgb")?;
                ranges.iter().try_for_each(|[a, b, c, d, e, g]| {
                    let (base, size) =
                        (u32::from_be_bytes([0, *a, *b, *c]), u32::from_be_bytes([0, *d, *e, *g]));
                    write!(f, " {base}-{}", (base + size).saturating_sub(1))
                })
            }
            PrefixSidTlv::Srv6L3Service(value) => write!(f, "srv6-l3-service {}", Hex(value)),
            PrefixSidTlv::Srv6L2Service(value) => write!(f, "srv6-l2-service {}", Hex(value)),
            PrefixSidTlv::Other { kind, value } => write!(f, "type {kind} {}", Hex(value)),
        }
    }
}

impl<'a> Attributes<'a> {
    /// BGP Prefix-SID (RFC 8669 section 3).
    #[must_use]
    pub fn prefix_sid(&self) -> Option<PrefixSid<'a>> {
        self.get(code::PREFIX_SID).map(|attribute| PrefixSid(attribute.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_tlvs_are_told_and_come_back_octet_for_octet() {
        let value = [
            &[1, 0, 7, 0, 0, 0, 0, 0, 0, 7][..],
            &[3, 0, 8, 0, 0, 0, 0x3e, 0x80, 0, 0x1f, 0x40],
            &[5, 0, 4, 0, 1, 0, 0],
            &[9, 0, 1, 0xab],
            &[1, 0, 7, 1, 0, 0, 0, 0, 0, 7],
        ]
        .concat();
        assert_eq!(PrefixSid::check(&value), Ok(()));
        let texts: Vec<String> = PrefixSid::new(&value).tlvs().map(|tlv| tlv.to_string()).collect();
        let expected = [
            "label-index 7",
            "srgb 16000-23999",
            "srv6-l3-service 00010000",
            "type 9 ab",
            "type 1 01000000000007",
        ];
        assert_eq!(texts, expected);
        let mut again = Vec::new();
        PrefixSid::new(&value).tlvs().for_each(|tlv| tlv.into_owned().encode(&mut again));
        assert_eq!(again, value);
    }

    #[test]
    fn tlvs_of_wrong_length_are_malformed() {
        let error = |value: &[u8]| PrefixSid::check(value).unwrap_err();
        assert_eq!(error(&[1, 0, 6, 0, 0, 0, 0, 0, 0]), TlvError::Length { kind: 1, len: 6 });
        assert_eq!(error(&[3, 0, 2, 0, 0]), TlvError::Length { kind: 3, len: 2 });
        assert_eq!(error(&[3, 0, 3, 0, 0, 1]), TlvError::Length { kind: 3, len: 3 });
        assert_eq!(error(&[5, 0, 0]), TlvError::CutOff);
        assert_eq!(error(&[6, 0, 4, 0, 1, 0, 1]), TlvError::CutOff);
        assert_eq!(error(&[9, 0, 2, 0]), TlvError::CutOff);
    }
}
