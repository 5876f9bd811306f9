//! Route targets that a speaker wants to see (RFC 4684 section 4).

use std::fmt;

use super::NlriError;
use super::entry::Entry;
use crate::Asn;
use crate::wire::ExtendedCommunity;
use crate::wire::cursor::Cursor;

/// Route targets of an origin AS, as a prefix over both: routes that carry one of them are to be sent.
///
/// ```text
///  octets  1                    4           0 to 8
///          │ length 32 to 96    │ origin AS │ route target
///          │ length 0: all
///            in bits
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteTargetMembership {
    /// Origin AS and route target from the highest bit on; what is past the prefix is zero.
    bits: u128,
    len: u8,
}

impl RouteTargetMembership {
    /// Every route target: the prefix of length 0.
    pub const DEFAULT: RouteTargetMembership = RouteTargetMembership { bits: 0, len: 0 };
    /// The shortest prefix but for the default: an origin AS is there as a whole.
    const MIN_LEN: u8 = 32;
    /// The length of origin AS and route target.
    const MAX_LEN: u8 = 96;

    /// What begins with the first `len` bits of `origin` and `target`: with 96 it is this one target. `None` if `len`
    /// is not 32 to 96.
    #[must_use]
    pub fn new(origin: Asn, target: ExtendedCommunity, len: u8) -> Option<RouteTargetMembership> {
        let bits = u128::from(origin.0) << 96 | u128::from(u64::from_be_bytes(target.0)) << 32;
        let whole = (Self::MIN_LEN..=Self::MAX_LEN).contains(&len);
        whole.then(|| RouteTargetMembership { bits: bits & u128::MAX << (128 - u32::from(len)), len })
    }

    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<RouteTargetMembership, NlriError> {
        let (len, octets) = Entry::read(cursor)?.bits(Self::MAX_LEN)?;
        if len == 0 {
            return Ok(Self::DEFAULT);
        }
        let min = Self::MIN_LEN;
        let too_short = NlriError::TooShort { len, min: min.into() };
        let mut octets = Cursor::new(octets);
        let origin = octets.u32().filter(|_| len >= min).ok_or(too_short)?;
        let mut target = [0; 8];
        target.iter_mut().zip(octets.rest()).for_each(|(to, from)| *to = *from);
        Self::new(Asn(origin), ExtendedCommunity(target), len).ok_or(too_short)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.len);
        out.extend(self.bits.to_be_bytes().iter().take(usize::from(self.len.div_ceil(8))));
    }

    /// The AS in which the target's routes are wanted; `None` for the default.
    #[must_use]
    pub fn origin(&self) -> Option<Asn> {
        (self.len != 0).then_some(Asn((self.bits >> 96) as u32))
    }

    /// The route target; what is past the prefix is zero.
    #[must_use]
    pub fn target(&self) -> ExtendedCommunity {
        ExtendedCommunity(((self.bits >> 32) as u64).to_be_bytes())
    }

    /// The length in bits: 0 or 32 to 96.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a length in bits, not of a container")]
    pub fn len(&self) -> u8 {
        self.len
    }
}

/// `64512:rt:64512:100/96`, `64512/32` for every route target of an origin AS, `default` for every one there is.
impl fmt::Display for RouteTargetMembership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.origin(), self.len) {
            (None, _) => f.write_str("default"),
            (Some(origin), Self::MIN_LEN) => write!(f, "{origin}/{}", self.len),
            (Some(origin), len) => write!(f, "{origin}:{}/{len}", self.target()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8]) -> Result<String, NlriError> {
        RouteTargetMembership::read(&mut Cursor::new(octets)).map(|membership| membership.to_string())
    }

    #[test]
    fn a_route_target_its_prefixes_and_the_default_are_read() {
        let whole = [96, 0, 0, 0xfc, 0, 0, 2, 0xfc, 0, 0, 0, 0, 100];
        assert_eq!(read(&whole).unwrap(), "64512:rt:64512:100/96");
        assert_eq!(read(&[64, 0, 0, 0xfc, 0, 0, 2, 0xfc, 0]).unwrap(), "64512:rt:64512:0/64");
        assert_eq!(read(&[32, 0, 1, 0x11, 0x70]).unwrap(), "70000/32");
        assert_eq!(read(&[0]).unwrap(), "default");
    }

    #[test]
    fn bits_past_the_prefix_are_cleared() {
        let target = ExtendedCommunity([0, 2, 0xfc, 0, 0xff, 0xff, 0xff, 0xff]);
        let membership = RouteTargetMembership::new(Asn(1), target, 68).unwrap();
        assert_eq!(membership.target(), ExtendedCommunity([0, 2, 0xfc, 0, 0xf0, 0, 0, 0]));
        assert_eq!(read(&[33, 0, 0, 0, 1, 0xff]), read(&[33, 0, 0, 0, 1, 0x80]));
    }

    #[test]
    fn a_length_that_cuts_the_origin_or_is_over_96_is_refused() {
        for len in 0..=u8::MAX {
            let octets = [&[len][..], &[1; 32]].concat();
            let expected = match len {
                1..32 => Some(NlriError::TooShort { len, min: 32 }),
                97.. => Some(NlriError::PrefixLength { len, max: 96 }),
                _ => None,
            };
            assert_eq!(read(&octets).err(), expected);
            let target = ExtendedCommunity([1; 8]);
            let built = RouteTargetMembership::new(Asn(1), target, len).is_some();
            assert_eq!(built, expected.is_none() && len != 0);
        }
    }
}
