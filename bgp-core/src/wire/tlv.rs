//! Type, length, value: what several attributes are made of. Each has its own widths, so each brings its own
//! reader of one element; the loops and the errors are here.

use super::cursor::Cursor;

/// Why the elements of an attribute can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlvError {
    /// An element's length reaches past the end of what holds it, or there is no room for the length.
    #[error("a TLV is cut off")]
    CutOff,
    /// An element has a length that its type cannot have.
    #[error("a TLV of type {kind} has a value of {len} octets")]
    Length {
        /// The element's type.
        kind: u16,
        /// The length of its value in octets, its type and length not counted.
        len: usize,
    },
}

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tlv<'a> {
    pub(crate) kind: u16,
    pub(crate) value: &'a [u8],
}

impl Tlv<'_> {
    /// The length as an error, unless it is `allowed`.
    pub(crate) fn require(&self, allowed: bool) -> Result<(), TlvError> {
        if allowed { Ok(()) } else { Err(TlvError::Length { kind: self.kind, len: self.value.len() }) }
    }
}

/// Takes the element at the front; it must take at least one octet, or fail.
pub(crate) type Read = for<'a> fn(&mut Cursor<'a>) -> Option<Tlv<'a>>;

/// An element whose type takes one octet and its length two.
pub(crate) fn read_u8_u16<'a>(cursor: &mut Cursor<'a>) -> Option<Tlv<'a>> {
    let (kind, len) = (cursor.u8()?, cursor.u16()?);
    Some(Tlv { kind: kind.into(), value: cursor.take(len.into())? })
}

/// The elements of `octets`, up to the first that is cut off.
pub(crate) fn elements<'a>(octets: &'a [u8], read: Read) -> impl Iterator<Item = Tlv<'a>> + use<'a> {
    let mut cursor = Cursor::new(octets);
    std::iter::from_fn(move || read(&mut cursor))
}

/// Whether `octets` are whole elements to the last octet, all of which `check` accepts.
pub(crate) fn check(
    octets: &[u8],
    read: Read,
    check: impl Fn(Tlv<'_>) -> Result<(), TlvError>,
) -> Result<(), TlvError> {
    let mut cursor = Cursor::new(octets);
    while !cursor.is_empty() {
        check(read(&mut cursor).ok_or(TlvError::CutOff)?)?;
    }
    Ok(())
}

/// Appends `value` after its length in two octets; what is over 65535 octets is cut off.
pub(crate) fn push_u16_counted(out: &mut Vec<u8>, value: &[u8]) {
    let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.extend(len.to_be_bytes());
    out.extend(value.iter().take(usize::from(len)));
}
