//! Outbound route filters in a ROUTE-REFRESH (RFC 5291 section 4), of them the address prefix filters (RFC 5292).
//!
//! A speaker that would throw away most of what a peer sends gives it the filter instead. Which side sends filters of
//! which type is agreed on by [a capability](super::Capability::OutboundRouteFilter).
//!
//! ```text
//!  ROUTE-REFRESH body   AFI 2, 0, SAFI 1 │ when to refresh 1 │ type 1, length 2, entries │ type 1, length 2, entries …
//!                                        └──── Orf ──────────┴───── OrfGroup ────────────┴──── OrfGroup …
//!  entry, first octet   bits 7 6 action: 0 ADD, 1 REMOVE, 2 REMOVE-ALL │ bit 5 match: 0 PERMIT, 1 DENY │ reserved
//!  and, unless it is REMOVE-ALL, what the type says; ADDRESS_PREFIX:
//!                       sequence 4, minimum length 1, maximum length 1, length 1, prefix 0 to 16
//! ```
//!
//! All lengths of prefixes are in bits, that of a group is in octets.
//!
//! Nothing is copied, and nothing is read before it is asked for: a session that did not offer filters never looks.

mod prefix;
#[cfg(test)]
mod tests;

pub(super) use prefix::MAX_ENTRY;
pub use prefix::{AddressPrefix, MatchKind, OrfError, PrefixEntries, PrefixEntry};

use std::fmt;

use super::cursor::Cursor;

/// The ORF type of [`PrefixEntry`] (RFC 5292).
pub const ADDRESS_PREFIX: u8 = 64;
/// The same in the sessions of [`OutboundRouteFilterCisco`](super::Capability::OutboundRouteFilterCisco).
pub const ADDRESS_PREFIX_CISCO: u8 = 128;

/// The names of registered ORF types.
const TYPE_NAMES: &[(u8, &str)] = &[
    (ADDRESS_PREFIX, "address-prefix"),
    (65, "covering-prefix"),
    (ADDRESS_PREFIX_CISCO, "address-prefix-cisco"),
];

/// An ORF type as text.
pub(super) struct TypeName(pub(super) u8);

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match TYPE_NAMES.iter().find(|(code, _)| *code == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "orf-type-{}", self.0),
        }
    }
}

/// When the routes are to be sent again (RFC 5291 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhenToRefresh {
    /// 1: as soon as the filters of this message are in place.
    Immediate,
    /// 2: at the next ROUTE-REFRESH that asks for it.
    Defer,
    /// A value that is not defined. It asks for nothing, hence is treated as [`WhenToRefresh::Defer`].
    Other(u8),
}

impl WhenToRefresh {
    /// The field with this value.
    #[must_use]
    pub fn from_code(code: u8) -> WhenToRefresh {
        match code {
            1 => WhenToRefresh::Immediate,
            2 => WhenToRefresh::Defer,
            other => WhenToRefresh::Other(other),
        }
    }

    /// The field's value.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            WhenToRefresh::Immediate => 1,
            WhenToRefresh::Defer => 2,
            WhenToRefresh::Other(code) => code,
        }
    }
}

impl fmt::Display for WhenToRefresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WhenToRefresh::Immediate => f.write_str("immediate"),
            WhenToRefresh::Defer => f.write_str("defer"),
            WhenToRefresh::Other(code) => write!(f, "when-{code}"),
        }
    }
}

/// The filters of one ROUTE-REFRESH (RFC 5291 section 4), their lengths already checked: iterating can't fail.
///
/// It can be had from [`RouteRefresh::orf`](super::RouteRefresh::orf).
#[derive(Clone, Copy, Debug)]
pub struct Orf<'a> {
    /// When the routes are to be sent again.
    pub when: WhenToRefresh,
    groups: &'a [u8],
}

/// Filters of one type in an [`Orf`] (RFC 5291 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrfGroup<'a> {
    /// The ORF type, as [`ADDRESS_PREFIX`]. Those that the session did not agree on are to be ignored.
    pub orf_type: u8,
    /// The entries, undecoded.
    pub entries: &'a [u8],
}

impl<'a> Orf<'a> {
    /// Reads what follows the first four octets of a ROUTE-REFRESH's body; `None` if it does not consist of whole
    /// groups.
    #[must_use]
    pub fn parse(octets: &'a [u8]) -> Option<Orf<'a>> {
        let mut cursor = Cursor::new(octets);
        let when = WhenToRefresh::from_code(cursor.u8()?);
        let orf = Orf { when, groups: cursor.rest() };
        while !cursor.is_empty() {
            next_group(&mut cursor)?;
        }
        Some(orf)
    }

    /// The groups, in order.
    pub fn groups(&self) -> impl Iterator<Item = OrfGroup<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.groups);
        std::iter::from_fn(move || next_group(&mut cursor))
    }
}

/// When, then each group's type and octets: `immediate, address-prefix of 10 octets`.
impl fmt::Display for Orf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.when)?;
        self.groups().try_for_each(|group| write!(f, ", {group}"))
    }
}

impl fmt::Display for OrfGroup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} octets", TypeName(self.orf_type), self.entries.len())
    }
}

fn next_group<'a>(cursor: &mut Cursor<'a>) -> Option<OrfGroup<'a>> {
    let orf_type = cursor.u8()?;
    let len = cursor.u16()?;
    Some(OrfGroup { orf_type, entries: cursor.take(usize::from(len))? })
}

/// Appends one group: its type, its length, then what `entries` appends, which must keep within 65535 octets.
pub(super) fn write_group(out: &mut Vec<u8>, orf_type: u8, entries: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[orf_type, 0, 0]);
    let start = out.len();
    entries(out);
    let len = u16::try_from(out.len() - start).unwrap_or(u16::MAX);
    if let Some(field) = out.get_mut(start - 2..start) {
        field.copy_from_slice(&len.to_be_bytes());
    }
}
