//! AIGP: the distance to the next hop, summed up over several ASes of one administration (RFC 7311).

use std::borrow::Cow;
use std::fmt;

use super::attribute::Attributes;
use super::code;
use super::cursor::Cursor;
use super::hex::Hex;
use super::tlv::{self, Tlv, TlvError};

/// The TLV that holds the metric.
const METRIC: u8 = 1;
/// Type and length, which the length counts too.
const HEADER_LEN: u16 = 3;
const METRIC_LEN: usize = 8;

/// The value of an AIGP attribute that was checked before: reading can't fail.
///
/// ```text
///  octets  1        2           8
///          │ type 1 │ length 11 │ metric       and other TLVs
///                     header included
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Aigp<'a>(&'a [u8]);

impl<'a> Aigp<'a> {
    /// The attribute with this `value`. TLVs from the first malformed one on are left out.
    #[must_use]
    pub fn new(value: &'a [u8]) -> Aigp<'a> {
        Aigp(value)
    }

    /// Checks `value` by RFC 7311 section 3.2. TLVs of unknown types and repeated ones are no fault.
    pub(crate) fn check(value: &[u8]) -> Result<(), TlvError> {
        tlv::check(value, read, |tlv| tlv.require(tlv.kind != METRIC.into() || tlv.value.len() == METRIC_LEN))
    }

    /// The TLVs in order.
    pub fn tlvs(&self) -> impl Iterator<Item = AigpTlv<'a>> + use<'a> {
        tlv::elements(self.0, read).map(AigpTlv::from_tlv)
    }

    /// The accumulated metric: of several TLVs the first counts (RFC 7311 section 3).
    #[must_use]
    pub fn metric(&self) -> Option<u64> {
        self.tlvs().find_map(|tlv| match tlv {
            AigpTlv::Metric(metric) => Some(metric),
            AigpTlv::Other { .. } => None,
        })
    }
}

fn read<'a>(cursor: &mut Cursor<'a>) -> Option<Tlv<'a>> {
    let (kind, len) = (cursor.u8()?, cursor.u16()?);
    Some(Tlv { kind: kind.into(), value: cursor.take(len.checked_sub(HEADER_LEN)?.into())? })
}

/// One TLV of AIGP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AigpTlv<'a> {
    /// The accumulated metric (type 1).
    Metric(u64),
    /// One of another type, passed on as it is.
    Other {
        /// Its type.
        kind: u8,
        /// Its value, at most 65532 octets.
        value: Cow<'a, [u8]>,
    },
}

impl<'a> AigpTlv<'a> {
    fn from_tlv(tlv: Tlv<'a>) -> AigpTlv<'a> {
        let [_, kind] = tlv.kind.to_be_bytes();
        match (kind, tlv.value.try_into()) {
            (METRIC, Ok(octets)) => AigpTlv::Metric(u64::from_be_bytes(octets)),
            _ => AigpTlv::Other { kind, value: tlv.value.into() },
        }
    }

    pub(crate) fn into_owned(self) -> AigpTlv<'static> {
        match self {
            AigpTlv::Metric(metric) => AigpTlv::Metric(metric),
            AigpTlv::Other { kind, value } => AigpTlv::Other { kind, value: value.into_owned().into() },
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let metric;
        let (kind, value) = match self {
            AigpTlv::Metric(number) => {
                metric = number.to_be_bytes();
                (METRIC, &metric[..])
            }
            AigpTlv::Other { kind, value } => (*kind, &value[..]),
        };
        let len = u16::try_from(value.len()).unwrap_or(u16::MAX).saturating_add(HEADER_LEN);
        out.push(kind);
        out.extend(len.to_be_bytes());
        out.extend(value.iter().take((len - HEADER_LEN).into()));
    }
}

/// The metric as a number, another TLV as `type 2 0a0b`.
impl fmt::Display for AigpTlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AigpTlv::Metric(metric) => metric.fmt(f),
            AigpTlv::Other { kind, value } => write!(f, "type {kind} {}", Hex(value)),
        }
    }
}

impl<'a> Attributes<'a> {
    /// AIGP (RFC 7311 section 3).
    #[must_use]
    pub fn aigp(&self) -> Option<Aigp<'a>> {
        self.get(code::AIGP).map(|attribute| Aigp(attribute.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWICE: &[u8] = &[
        2, 0, 4, 9, // unknown
        1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 20, // 20
        1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 99,
    ];

    #[test]
    fn the_first_metric_counts_and_unknown_tlvs_are_kept() {
        assert_eq!(Aigp::check(TWICE), Ok(()));
        assert_eq!(Aigp::new(TWICE).metric(), Some(20));
        let texts: Vec<String> = Aigp::new(TWICE).tlvs().map(|tlv| tlv.to_string()).collect();
        assert_eq!(texts, ["type 2 09", "20", "99"]);
        let mut again = Vec::new();
        Aigp::new(TWICE).tlvs().for_each(|tlv| tlv.encode(&mut again));
        assert_eq!(again, TWICE);
    }

    #[test]
    fn a_length_that_does_not_count_its_own_header_is_malformed() {
        for len in 0..3 {
            assert_eq!(Aigp::check(&[2, 0, len]), Err(TlvError::CutOff));
        }
        assert_eq!(Aigp::check(&[2, 0, 3]), Ok(()));
        assert_eq!(Aigp::check(&[1, 0, 4, 7]), Err(TlvError::Length { kind: 1, len: 1 }));
    }
}
