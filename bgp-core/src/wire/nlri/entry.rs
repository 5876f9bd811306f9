//! A destination whose first octet counts the bits of the others, as most families have it (RFC 4271 section 4.3,
//! RFC 8277 section 2, RFC 4684 section 4).

use super::NlriError;
use crate::wire::cursor::Cursor;
use crate::{AddressFamily, Prefix, V4, V6};

/// The octets of one destination, and how many bits in them count. Nothing past them can be read.
pub(super) struct Entry<'a> {
    cursor: Cursor<'a>,
    /// What the length octet says.
    len: u8,
    /// How many of these bits were not taken yet.
    left: u8,
}

impl<'a> Entry<'a> {
    /// Takes the length octet and what it counts.
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Entry<'a>, NlriError> {
        let len = cursor.u8().ok_or(NlriError::CutOff)?;
        let octets = cursor.take(usize::from(len.div_ceil(8))).ok_or(NlriError::CutOff)?;
        Ok(Entry { cursor: Cursor::new(octets), len, left: len })
    }

    /// The octets that are left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.cursor.rest()
    }

    /// Takes `octets`, all of whose bits must count.
    pub(super) fn take(&mut self, octets: usize) -> Result<&'a [u8], NlriError> {
        let min = usize::from(self.len - self.left) + 8 * octets;
        let too_short = NlriError::TooShort { len: self.len, min: u16::try_from(min).unwrap_or(u16::MAX) };
        let left = usize::from(self.len).checked_sub(min).ok_or(too_short)?;
        self.left = u8::try_from(left).map_err(|_| too_short)?;
        self.cursor.take(octets).ok_or(too_short)
    }

    /// The next `N` octets as an array; all of their bits must count.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], NlriError> {
        self.take(N)?.try_into().map_err(|_| NlriError::CutOff)
    }

    /// The bits that are left, at most `max`, and the octets that they are in.
    pub(super) fn bits(self, max: u8) -> Result<(u8, &'a [u8]), NlriError> {
        match self.left {
            len if len > max => Err(NlriError::PrefixLength { len, max }),
            len => Ok((len, self.cursor.rest())),
        }
    }

    /// What is left as a prefix of the family `F`.
    pub(super) fn prefix<F: AddressFamily>(self) -> Result<Prefix, NlriError> {
        let (len, octets) = self.bits(F::MAX_LEN)?;
        F::from_wire(len, octets).map(Into::into).ok_or(NlriError::CutOff)
    }
}

/// Appends the octets of a prefix, without its length.
pub(super) fn push_prefix(out: &mut Vec<u8>, prefix: &Prefix) {
    let (len, octets) = match prefix {
        Prefix::V4(prefix) => V4::to_wire(prefix),
        Prefix::V6(prefix) => V6::to_wire(prefix),
    };
    out.extend(octets.iter().take(usize::from(len.div_ceil(8))));
}
