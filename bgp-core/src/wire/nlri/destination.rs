//! A destination of any family, for those who show or relay it. What is routed is kept in the family's own type.

use std::fmt;

use super::{NlriError, NlriForm, encode_nlri};
use crate::wire::cursor::Cursor;
use crate::{AddressFamily, Family, PathId, Prefix, V4, V6};

/// One destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination<'a> {
    /// A prefix of IPv4 or IPv6 unicast.
    Prefix(Prefix),
    /// One of a family that has no form here.
    Opaque(&'a [u8]),
}

impl<'a> Destination<'a> {
    /// Takes the destination at the front, what follows the path identifier; allocates nothing.
    fn read(cursor: &mut Cursor<'a>, form: NlriForm) -> Result<Destination<'a>, NlriError> {
        match form.family {
            Family::IPV4_UNICAST => prefix::<V4>(cursor),
            Family::IPV6_UNICAST => prefix::<V6>(cursor),
            _ => {
                let rest = cursor.take(cursor.len()).unwrap_or_default();
                Ok(Destination::Opaque(rest))
            }
        }
    }

    /// Appends the destination, its path identifier before it if there is one.
    pub fn encode(&self, out: &mut Vec<u8>, path_id: Option<PathId>) {
        match self {
            Destination::Prefix(Prefix::V4(prefix)) => encode_nlri::<V4>(out, path_id, prefix),
            Destination::Prefix(Prefix::V6(prefix)) => encode_nlri::<V6>(out, path_id, prefix),
            Destination::Opaque(octets) => out.extend_from_slice(octets),
        }
    }
}

fn prefix<'a, F: AddressFamily>(cursor: &mut Cursor<'a>) -> Result<Destination<'a>, NlriError> {
    let len = cursor.u8().ok_or(NlriError::CutOff)?;
    if len > F::MAX_LEN {
        return Err(NlriError::PrefixLength { len, max: F::MAX_LEN });
    }
    let octets = cursor.take(usize::from(len.div_ceil(8))).ok_or(NlriError::CutOff)?;
    let prefix = F::from_wire(len, octets).ok_or(NlriError::CutOff)?;
    Ok(Destination::Prefix(prefix.into()))
}

impl fmt::Display for Destination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Prefix(prefix) => prefix.fmt(f),
            Destination::Opaque(octets) => octets.iter().try_for_each(|octet| write!(f, "{octet:02x}")),
        }
    }
}

/// The destinations of one field, already known to be readable: iterating can't fail.
#[derive(Clone, Debug)]
pub struct Destinations<'a> {
    cursor: Cursor<'a>,
    form: NlriForm,
}

impl<'a> Destinations<'a> {
    /// The destinations in `octets`.
    ///
    /// # Errors
    /// The first thing that can't be read.
    pub fn new(octets: &'a [u8], form: NlriForm) -> Result<Destinations<'a>, NlriError> {
        let mut cursor = Cursor::new(octets);
        while !cursor.is_empty() {
            Self::read(&mut cursor, form)?;
        }
        Ok(Destinations::checked(octets, form))
    }

    /// For octets that [`check`](super::check) has passed.
    pub(crate) fn checked(octets: &'a [u8], form: NlriForm) -> Destinations<'a> {
        Destinations { cursor: Cursor::new(octets), form }
    }

    fn read(cursor: &mut Cursor<'a>, form: NlriForm) -> Result<(PathId, Destination<'a>), NlriError> {
        let path_id = if form.add_path { cursor.u32().ok_or(NlriError::CutOff)? } else { 0 };
        Ok((PathId(path_id), Destination::read(cursor, form)?))
    }
}

impl<'a> Iterator for Destinations<'a> {
    type Item = (PathId, Destination<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.cursor.is_empty() { None } else { Self::read(&mut self.cursor, self.form).ok() }
    }
}
