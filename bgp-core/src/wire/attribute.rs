//! Path attributes as they stand in a message, and typed looks at those that were checked.

use std::net::Ipv4Addr;

use super::as_path::{AsPath, AsWidth};
use super::code;
use super::community::{Community, ExtendedCommunity, LargeCommunity};
use super::cursor::Cursor;
use super::typed::Origin;
use crate::{Asn, ClusterId, RouterId};

/// The octet of flags before each attribute (RFC 4271 section 4.3).
pub mod flag {
    /// Not every speaker needs to know it.
    pub const OPTIONAL: u8 = 0x80;
    /// Passed on even by those who don't know it.
    pub const TRANSITIVE: u8 = 0x40;
    /// Somebody on the way did not know it.
    pub const PARTIAL: u8 = 0x20;
    /// The length takes two octets.
    pub const EXTENDED_LENGTH: u8 = 0x10;
}

/// One path attribute, undecoded (RFC 4271 section 4.3).
///
/// ```text
///  octets  1       1      1 or 2   as many as the length says
///          │ flags │ code │ length │ value
///            O T P E · · · ·
///
///  O optional, T transitive, P partial, E extended length: the length takes two octets
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawAttribute<'a> {
    /// See [`flag`].
    pub flags: u8,
    /// See [`code`].
    pub code: u8,
    /// What follows the length.
    pub value: &'a [u8],
    /// Header and value.
    pub whole: &'a [u8],
}

/// An attribute that runs over the end: how many octets it takes, as far as can be told, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overrun {
    pub(crate) code: u8,
    pub(crate) claimed: usize,
    pub(crate) room: usize,
}

/// What stands before the value of the attribute at the front of `rest`: flags, type code, and how many octets the
/// header has and how many the value. The value may overrun.
#[inline]
fn header(rest: &[u8]) -> Option<(u8, u8, usize, usize)> {
    match *rest {
        [flags, code, len, ..] if flags & flag::EXTENDED_LENGTH == 0 => {
            Some((flags, code, 3, usize::from(len)))
        }
        [flags, code, high, low, ..] => Some((flags, code, 4, usize::from(u16::from_be_bytes([high, low])))),
        _ => None,
    }
}

/// Takes the attribute at the front of `rest`.
#[inline]
pub(crate) fn next<'a>(rest: &mut &'a [u8]) -> Result<RawAttribute<'a>, Overrun> {
    let Some((flags, code, header, len)) = header(rest) else { return Err(overrun(rest)) };
    let Some((whole, after)) = rest.split_at_checked(header + len) else { return Err(overrun(rest)) };
    let value = whole.get(header..).unwrap_or_default();
    *rest = after;
    Ok(RawAttribute { flags, code, value, whole })
}

/// Type code and octets of the attribute at the front of `rest`, and what follows it. `None` if there is none, or if it
/// overruns, as [`next`] then tells.
#[inline]
pub(crate) fn split(rest: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (_, code, header, len) = header(rest)?;
    let (whole, after) = rest.split_at_checked(header + len)?;
    Some((code, whole, after))
}

/// How the attribute at the front of `rest` overruns.
#[cold]
fn overrun(rest: &[u8]) -> Overrun {
    let code = rest.get(1).copied().unwrap_or_default();
    let claimed = match header(rest) {
        Some((_, _, header, len)) => header + len,
        None if rest.len() < 2 => 3,
        None => 4,
    };
    Overrun { code, claimed, room: rest.len() }
}

/// The attribute at `offset` of an UPDATE's body, or what is left of it.
pub(crate) fn at(body: &[u8], offset: usize) -> Option<&[u8]> {
    let rest = body.get(offset..)?;
    let attribute = next(&mut { rest });
    Some(attribute.map_or(rest, |attribute| attribute.whole))
}

/// Appends an attribute, its length in two octets only where it must be. A value over 65535 octets is cut off.
pub(crate) fn push(out: &mut Vec<u8>, flags: u8, code: u8, value: &[u8]) {
    push_with(out, flags, code, |out| out.extend_from_slice(value));
}

/// The same with a value that `write` appends.
pub(crate) fn push_with(out: &mut Vec<u8>, flags: u8, code: u8, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[flags & !flag::EXTENDED_LENGTH, code, 0]);
    let value_at = out.len();
    write(out);
    out.truncate(value_at + usize::from(u16::MAX));
    let [high, low] = u16::try_from(out.len() - value_at).unwrap_or(u16::MAX).to_be_bytes();
    let Some([flags, _, len]) = out.get_mut(at..value_at) else { return };
    if high == 0 {
        *len = low;
    } else {
        *flags |= flag::EXTENDED_LENGTH;
        *len = high;
        out.insert(value_at, low);
    }
}

/// A block of attributes that was checked: what [`AttributeBlock::check`](super::AttributeBlock::check) wrote, with
/// four-octet AS numbers. Each look walks the block from its front; nothing is copied.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    /// The attributes in `block`, up to the first that is cut off.
    #[must_use]
    pub fn new(block: &'a [u8]) -> Attributes<'a> {
        Attributes(block)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = RawAttribute<'a>> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || if rest.is_empty() { None } else { next(&mut rest).ok() })
    }

    /// The one with this type code.
    #[must_use]
    pub fn get(&self, code: u8) -> Option<RawAttribute<'a>> {
        self.iter().find(|attribute| attribute.code == code)
    }

    fn value(&self, code: u8) -> &'a [u8] {
        self.get(code).map_or(&[], |attribute| attribute.value)
    }

    fn u32(&self, code: u8) -> Option<u32> {
        Cursor::new(self.get(code)?.value).u32()
    }

    fn chunks<const N: usize>(&self, code: u8) -> impl Iterator<Item = [u8; N]> + use<'a, N> {
        self.value(code).as_chunks().0.iter().copied()
    }

    /// ORIGIN.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        self.value(code::ORIGIN).first().copied().and_then(Origin::from_code)
    }

    /// AS_PATH; an empty one if there is none.
    #[must_use]
    pub fn as_path(&self) -> AsPath<'a> {
        AsPath::new(self.value(code::AS_PATH), AsWidth::Four)
    }

    /// NEXT_HOP.
    #[must_use]
    pub fn next_hop(&self) -> Option<Ipv4Addr> {
        self.u32(code::NEXT_HOP).map(Ipv4Addr::from)
    }

    /// MULTI_EXIT_DISC.
    #[must_use]
    pub fn med(&self) -> Option<u32> {
        self.u32(code::MULTI_EXIT_DISC)
    }

    /// ONLY_TO_CUSTOMER (RFC 9234 section 5): the AS that set it.
    #[must_use]
    pub fn only_to_customer(&self) -> Option<Asn> {
        self.u32(code::ONLY_TO_CUSTOMER).map(Asn)
    }

    /// LOCAL_PREF.
    #[must_use]
    pub fn local_pref(&self) -> Option<u32> {
        self.u32(code::LOCAL_PREF)
    }

    /// Whether ATOMIC_AGGREGATE is there.
    #[must_use]
    pub fn atomic_aggregate(&self) -> bool {
        self.get(code::ATOMIC_AGGREGATE).is_some()
    }

    /// AGGREGATOR: the AS and the router that aggregated.
    #[must_use]
    pub fn aggregator(&self) -> Option<(Asn, RouterId)> {
        let mut cursor = Cursor::new(self.get(code::AGGREGATOR)?.value);
        Some((Asn(cursor.u32()?), RouterId(cursor.u32()?)))
    }

    /// ORIGINATOR_ID.
    #[must_use]
    pub fn originator_id(&self) -> Option<RouterId> {
        self.u32(code::ORIGINATOR_ID).map(RouterId)
    }

    /// CLUSTER_LIST, the last cluster passed first.
    pub fn cluster_list(&self) -> impl Iterator<Item = ClusterId> + use<'a> {
        self.chunks(code::CLUSTER_LIST).map(|octets| ClusterId(u32::from_be_bytes(octets)))
    }

    /// COMMUNITIES.
    pub fn communities(&self) -> impl Iterator<Item = Community> + use<'a> {
        self.chunks(code::COMMUNITIES).map(|octets| Community(u32::from_be_bytes(octets)))
    }

    /// EXTENDED COMMUNITIES.
    pub fn extended_communities(&self) -> impl Iterator<Item = ExtendedCommunity> + use<'a> {
        self.chunks(code::EXTENDED_COMMUNITIES).map(ExtendedCommunity)
    }

    /// LARGE_COMMUNITY.
    pub fn large_communities(&self) -> impl Iterator<Item = LargeCommunity> + use<'a> {
        self.chunks(code::LARGE_COMMUNITY).map(LargeCommunity::from_octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_that_runs_over_the_end_is_not_taken() {
        let overrun = |octets: &[u8]| next(&mut &*octets).unwrap_err();
        assert_eq!(overrun(&[0x40]), Overrun { code: 0, claimed: 3, room: 1 });
        assert_eq!(overrun(&[0x40, 1]), Overrun { code: 1, claimed: 4, room: 2 });
        assert_eq!(overrun(&[0x50, 1, 0]), Overrun { code: 1, claimed: 4, room: 3 });
        assert_eq!(overrun(&[0x40, 1, 2, 0]), Overrun { code: 1, claimed: 5, room: 4 });
        assert_eq!(overrun(&[0x50, 1, 0xff, 0xff, 0]), Overrun { code: 1, claimed: 65539, room: 5 });
    }

    #[test]
    fn a_long_value_gets_a_length_of_two_octets() {
        for len in [0, 255, 256, 65535] {
            let mut out = Vec::new();
            push(&mut out, 0xc0, 99, &vec![7; len]);
            let attribute = Attributes::new(&out).get(99).unwrap();
            assert_eq!((attribute.value.len(), attribute.whole.len()), (len, out.len()));
        }
    }
}
