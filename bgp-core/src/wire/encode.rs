//! Whole UPDATE messages, each filled up to the session's limit.

use std::net::IpAddr;

use super::attribute::flag;
use super::code;
use super::header::{HEADER_LEN, MessageType, write_message};
use super::nlri::encode_nlri;
use crate::{AddressFamily, Family, PathId, V4};

/// The two length fields of an UPDATE.
const LENGTHS: usize = 4;

/// Why routes can't be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// With these attributes, a message with a single prefix is over the limit.
    #[error("attributes and one prefix take a message of {needed} octets, the session allows {max_len}")]
    AttributesTooLong {
        /// The octets that a message with one prefix takes.
        needed: usize,
        /// The session's limit.
        max_len: usize,
    },
}

/// What stands around the prefixes of a message.
struct Envelope<'a> {
    /// Attributes before the prefixes: those of the block, or what begins an MP attribute.
    before: &'a [u8],
    /// Where the prefixes go.
    place: Place<'a>,
}

enum Place<'a> {
    /// The Withdrawn Routes field.
    Withdrawn,
    /// The Network Layer Reachability Information field.
    Announced,
    /// An MP attribute with this code, the block's attributes after it (RFC 7606 section 5.1).
    Mp { code: u8, after: &'a [u8] },
}

impl Envelope<'_> {
    /// Octets of a message without prefixes.
    fn len(&self) -> usize {
        let mp = match &self.place {
            Place::Withdrawn | Place::Announced => 0,
            Place::Mp { after, .. } => 4 + after.len(),
        };
        HEADER_LEN + LENGTHS + self.before.len() + mp
    }

    fn write(&self, out: &mut Vec<u8>, prefixes: &[u8]) {
        write_message(out, MessageType::Update, |out| match &self.place {
            Place::Withdrawn => {
                push_len(out, prefixes.len());
                out.extend_from_slice(prefixes);
                push_len(out, 0);
            }
            Place::Announced => {
                push_len(out, 0);
                push_len(out, self.before.len());
                out.extend_from_slice(self.before);
                out.extend_from_slice(prefixes);
            }
            Place::Mp { code, after } => {
                let value = self.before.len() + prefixes.len();
                push_len(out, 0);
                push_len(out, 4 + value + after.len());
                out.extend_from_slice(&[flag::OPTIONAL | flag::EXTENDED_LENGTH, *code]);
                push_len(out, value);
                out.extend_from_slice(self.before);
                out.extend_from_slice(prefixes);
                out.extend_from_slice(after);
            }
        });
    }

    /// Appends as few messages as the limit allows, prefixes in their order; returns how many.
    fn pack<F: AddressFamily>(
        &self,
        out: &mut Vec<u8>,
        max_len: usize,
        prefixes: impl Iterator<Item = (Option<PathId>, F::Prefix)>,
    ) -> Result<usize, EncodeError> {
        let start = out.len();
        let room = max_len.saturating_sub(self.len());
        let mut messages = 0;
        let mut packed = Vec::new();
        for (path_id, prefix) in prefixes {
            let full = packed.len();
            encode_nlri::<F>(&mut packed, path_id, &prefix);
            let added = packed.len() - full;
            if added > room {
                out.truncate(start);
                return Err(EncodeError::AttributesTooLong { needed: self.len() + added, max_len });
            }
            if packed.len() > room {
                self.write(out, packed.get(..full).unwrap_or_default());
                packed.drain(..full);
                messages += 1;
            }
        }
        if !packed.is_empty() {
            self.write(out, &packed);
            messages += 1;
        }
        Ok(messages)
    }
}

fn push_len(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes());
}

fn family_octets(family: Family) -> [u8; 3] {
    let [high, low] = family.afi.to_be_bytes();
    [high, low, family.safi]
}

/// Appends the UPDATEs that announce `prefixes`, all with the same attributes, to `out`; returns how many.
///
/// `attributes` is the block as it shall go out: for IPv4 with NEXT_HOP in it, for other families without, since
/// `next_hop` goes into MP_REACH_NLRI (for IPv4 it is not looked at). No message is over `max_len` octets, 4096 or
/// 65535, and none could take the first prefix of the next.
///
/// # Errors
/// If one of the prefixes does not fit into a message of its own; `out` is then as it was.
///
/// ```
/// use bgp_core::wire::{code, encode, flag};
/// use bgp_core::{Prefix, V4, AddressFamily};
///
/// let attributes = [flag::TRANSITIVE, code::ORIGIN, 1, 0, flag::TRANSITIVE, code::AS_PATH, 0,
///     flag::TRANSITIVE, code::NEXT_HOP, 4, 10, 0, 0, 1];
/// let prefix: Prefix = "10.244.0.0/26".parse()?;
/// let prefixes = V4::from_prefix(prefix).into_iter().map(|prefix| (None, prefix));
/// let mut out = Vec::new();
/// assert_eq!(encode::announce::<V4>(&mut out, 4096, &attributes, [10, 0, 0, 1].into(), prefixes)?, 1);
/// assert_eq!(out.len(), 19 + 4 + 14 + 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn announce<F: AddressFamily>(
    out: &mut Vec<u8>,
    max_len: usize,
    attributes: &[u8],
    next_hop: IpAddr,
    prefixes: impl IntoIterator<Item = (Option<PathId>, F::Prefix)>,
) -> Result<usize, EncodeError> {
    if F::FAMILY == V4::FAMILY {
        let envelope = Envelope { before: attributes, place: Place::Announced };
        return envelope.pack::<F>(out, max_len, prefixes.into_iter());
    }
    let mut before = family_octets(F::FAMILY).to_vec();
    match next_hop {
        IpAddr::V4(address) => {
            before.push(4);
            before.extend(address.octets());
        }
        IpAddr::V6(address) => {
            before.push(16);
            before.extend(address.octets());
        }
    }
    const RESERVED: u8 = 0;
    before.push(RESERVED);
    let place = Place::Mp { code: code::MP_REACH_NLRI, after: attributes };
    Envelope { before: &before, place }.pack::<F>(out, max_len, prefixes.into_iter())
}

/// Appends the UPDATEs that withdraw `prefixes` to `out`; returns how many. No message is over `max_len` octets,
/// 4096 or 65535, and none could take the first prefix of the next.
pub fn withdraw<F: AddressFamily>(
    out: &mut Vec<u8>,
    max_len: usize,
    prefixes: impl IntoIterator<Item = (Option<PathId>, F::Prefix)>,
) -> usize {
    let family = family_octets(F::FAMILY);
    let envelope = if F::FAMILY == V4::FAMILY {
        Envelope { before: &[], place: Place::Withdrawn }
    } else {
        Envelope { before: &family, place: Place::Mp { code: code::MP_UNREACH_NLRI, after: &[] } }
    };
    // A prefix takes 21 octets at most: it always fits.
    envelope.pack::<F>(out, max_len, prefixes.into_iter()).unwrap_or_default()
}

/// Appends the marker that all routes of `family` have been sent (RFC 4724 section 2).
pub fn end_of_rib(out: &mut Vec<u8>, family: Family) {
    let octets = family_octets(family);
    let place = match family {
        Family::IPV4_UNICAST => Envelope { before: &[], place: Place::Withdrawn },
        _ => Envelope { before: &octets, place: Place::Mp { code: code::MP_UNREACH_NLRI, after: &[] } },
    };
    place.write(out, &[]);
}
