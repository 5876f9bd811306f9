//! The address prefix filters (RFC 5292).

use std::fmt;

use super::{ADDRESS_PREFIX, ADDRESS_PREFIX_CISCO, OrfGroup};
use crate::wire::cursor::Cursor;
use crate::{AddressFamily, Family, Prefix, V4, V6};

const ADD: u8 = 0;
const REMOVE: u8 = 1;
const REMOVE_ALL: u8 = 2;
/// The Match bit, between the two bits of Action and five that are reserved (RFC 5291 section 4).
const DENY: u8 = 0x20;

/// The most octets of an entry: the common octet, the fixed fields, an IPv6 address.
pub(in crate::wire) const MAX_ENTRY: usize = 1 + 4 + 3 + 16;

/// One entry of a group of address prefix filters. Reserved bits, and the Match of a REMOVE-ALL, are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrefixEntry {
    /// ADD: puts a filter in its place in the list, over one with the same sequence number.
    Add(AddressPrefix),
    /// REMOVE: takes the filter out of the list.
    Remove(AddressPrefix),
    /// REMOVE-ALL: empties the list.
    RemoveAll,
}

/// What is to become of the routes that a filter matches (RFC 5291 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchKind {
    /// PERMIT: they are to be sent.
    Permit,
    /// DENY: they are not.
    Deny,
}

/// An address prefix filter (RFC 5292).
///
/// It matches the routes within `prefix` whose length is in the range; with no limit given, only `prefix` itself.
/// Limits keep `prefix.len() < min_len <= max_len <= 32 or 128`, as far as they are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressPrefix {
    /// What becomes of the routes it matches.
    pub kind: MatchKind,
    /// Its place in the list: the filter with the smallest number decides.
    pub sequence: u32,
    /// The shortest length that it matches, in bits; 0 gives no limit.
    pub min_len: u8,
    /// The longest length that it matches, in bits; 0 gives no limit.
    pub max_len: u8,
    /// The prefix.
    pub prefix: Prefix,
}

/// Why a group of address prefix filters can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrfError {
    /// The group's type is another one.
    #[error("ORF type {0} is no address prefix filter")]
    Type(u8),
    /// The family is neither IPv4 nor IPv6 unicast.
    #[error("no address prefix filters for {0}")]
    Family(Family),
    /// The last entry is cut off.
    #[error("the last entry is cut off")]
    CutOff,
    /// Action 3 is not defined.
    #[error("action {0} is undefined")]
    Action(u8),
    /// The lengths are not in the order `len < min <= max <= limit` (RFC 5292).
    #[error("prefix length {len} with minimum {min} and maximum {max}, at most {limit} is possible")]
    Lengths {
        /// The prefix's length.
        len: u8,
        /// The minimum length, 0 if none is given.
        min: u8,
        /// The maximum length, 0 if none is given.
        max: u8,
        /// The longest prefix of the family.
        limit: u8,
    },
}

/// The entries of a group, already known to be readable: iterating can't fail.
#[derive(Clone, Debug)]
pub struct PrefixEntries<'a> {
    cursor: Cursor<'a>,
    family: Family,
}

impl<'a> OrfGroup<'a> {
    /// The address prefix filters in this group of a ROUTE-REFRESH for `family`.
    ///
    /// # Errors
    /// If the group has another type, or one of its entries can't be read: then none of them is to be used, since
    /// what the filters mean depends on all of them.
    pub fn prefixes(&self, family: Family) -> Result<PrefixEntries<'a>, OrfError> {
        if !matches!(self.orf_type, ADDRESS_PREFIX | ADDRESS_PREFIX_CISCO) {
            return Err(OrfError::Type(self.orf_type));
        }
        let entries = PrefixEntries { cursor: Cursor::new(self.entries), family };
        let mut unread = entries.cursor;
        while !unread.is_empty() {
            read_entry(&mut unread, family)?;
        }
        Ok(entries)
    }
}

impl Iterator for PrefixEntries<'_> {
    type Item = PrefixEntry;

    fn next(&mut self) -> Option<PrefixEntry> {
        read_entry(&mut self.cursor, self.family).ok()
    }
}

fn read_entry(cursor: &mut Cursor<'_>, family: Family) -> Result<PrefixEntry, OrfError> {
    let common = cursor.u8().ok_or(OrfError::CutOff)?;
    let kind = if common & DENY == 0 { MatchKind::Permit } else { MatchKind::Deny };
    match common >> 6 {
        ADD => Ok(PrefixEntry::Add(read_filter(cursor, family, kind)?)),
        REMOVE => Ok(PrefixEntry::Remove(read_filter(cursor, family, kind)?)),
        REMOVE_ALL => Ok(PrefixEntry::RemoveAll),
        action => Err(OrfError::Action(action)),
    }
}

fn read_filter(cursor: &mut Cursor<'_>, family: Family, kind: MatchKind) -> Result<AddressPrefix, OrfError> {
    let limit = match family {
        Family::IPV4_UNICAST => V4::MAX_LEN,
        Family::IPV6_UNICAST => V6::MAX_LEN,
        other => return Err(OrfError::Family(other)),
    };
    let sequence = cursor.u32().ok_or(OrfError::CutOff)?;
    let [min_len, max_len, len] = cursor.array().ok_or(OrfError::CutOff)?;
    let lengths = OrfError::Lengths { len, min: min_len, max: max_len, limit };
    if !in_order(len, min_len, max_len, limit) {
        return Err(lengths);
    }
    let octets = cursor.take(usize::from(len.div_ceil(8))).ok_or(OrfError::CutOff)?;
    let prefix = match family {
        Family::IPV4_UNICAST => V4::from_wire(len, octets).map(Prefix::V4),
        _ => V6::from_wire(len, octets).map(Prefix::V6),
    };
    Ok(AddressPrefix { kind, sequence, min_len, max_len, prefix: prefix.ok_or(lengths)? })
}

/// RFC 5292: `len < min <= max <= limit`, where a limit of 0 is not given.
fn in_order(len: u8, min: u8, max: u8, limit: u8) -> bool {
    let above = |bound: u8| bound == 0 || (len < bound && bound <= limit);
    len <= limit && above(min) && above(max) && (min == 0 || max == 0 || min <= max)
}

impl PrefixEntry {
    /// Appends the entry.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (action, filter) = match self {
            PrefixEntry::Add(filter) => (ADD, filter),
            PrefixEntry::Remove(filter) => (REMOVE, filter),
            PrefixEntry::RemoveAll => return out.push(REMOVE_ALL << 6),
        };
        let kind = if filter.kind == MatchKind::Deny { DENY } else { 0 };
        let (len, octets) = match &filter.prefix {
            Prefix::V4(prefix) => V4::to_wire(prefix),
            Prefix::V6(prefix) => V6::to_wire(prefix),
        };
        out.push(action << 6 | kind);
        out.extend_from_slice(&filter.sequence.to_be_bytes());
        out.extend_from_slice(&[filter.min_len, filter.max_len, len]);
        out.extend(octets.iter().take(usize::from(len.div_ceil(8))));
    }
}

/// As in a router's prefix list: `add 5 permit 10.0.0.0/8 min 16 max 24`.
impl fmt::Display for PrefixEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PrefixEntry::Add(filter) => write!(f, "add {filter}"),
            PrefixEntry::Remove(filter) => write!(f, "remove {filter}"),
            PrefixEntry::RemoveAll => f.write_str("remove-all"),
        }
    }
}

impl fmt::Display for AddressPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.kind == MatchKind::Permit { "permit" } else { "deny" };
        write!(f, "{} {kind} {}", self.sequence, self.prefix)?;
        for (name, limit) in [("min", self.min_len), ("max", self.max_len)] {
            if limit > 0 {
                write!(f, " {name} {limit}")?;
            }
        }
        Ok(())
    }
}
