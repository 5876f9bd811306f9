//! Whole UPDATE messages, each filled up to the session's limit.

use std::net::IpAddr;

use super::attribute::flag;
use super::code;
use super::header::{HEADER_LEN, MessageType, write_message};
use super::next_hop::NextHop;
use super::nlri::{Destination, encode_nlri};
use crate::{AddressFamily, Family, PathId, V4};

/// The two length fields of an UPDATE.
const LENGTHS: usize = 4;

/// Why routes can't be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// With these attributes, a message with a single prefix is over the limit.
    #[error("attributes and one prefix take a message of {needed} octets, the session allows {max_len}")]
    AttributesTooLong {
        /// The octets that a message with one prefix takes.
        needed: usize,
        /// The session's limit.
        max_len: usize,
    },
    /// A destination is of another family than the message.
    #[error("a destination is none of {0}")]
    WrongFamily(Family),
    /// A destination to announce has no label (RFC 8277 section 2).
    #[error("a destination of {0} has no label")]
    NoLabel(Family),
    /// The family needs a next hop with an address.
    #[error("{0} needs a next hop")]
    NoNextHop(Family),
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

    /// Appends what stands before the prefixes. The lengths that count them are left to [`Envelope::end`].
    fn begin(&self, out: &mut Vec<u8>) -> Begun {
        let message = out.len();
        write_message(out, MessageType::Update, |_| ());
        match &self.place {
            Place::Withdrawn => push_len(out, 0),
            Place::Announced => {
                push_len(out, 0);
                push_len(out, self.before.len());
            }
            Place::Mp { code, .. } => {
                out.extend_from_slice(&[0, 0, 0, 0, flag::OPTIONAL | flag::EXTENDED_LENGTH, *code, 0, 0]);
            }
        }
        out.extend_from_slice(self.before);
        Begun { message, prefixes: out.len() }
    }

    /// Appends what stands after the prefixes, and fills in the lengths.
    fn end(&self, out: &mut Vec<u8>, begun: &Begun) {
        let prefixes = out.len() - begun.prefixes;
        let body = begun.message + HEADER_LEN;
        match &self.place {
            Place::Withdrawn => {
                set_len(out, body, prefixes);
                push_len(out, 0);
            }
            Place::Announced => {}
            Place::Mp { after, .. } => {
                let value = self.before.len() + prefixes;
                set_len(out, body + 2, 4 + value + after.len());
                set_len(out, body + 6, value);
                out.extend_from_slice(after);
            }
        }
        let len = out.len() - begun.message;
        set_len(out, begun.message + 16, len);
    }

    /// Appends as few messages as the limit allows, prefixes in their order; returns how many.
    #[inline(always)]
    fn pack<F: AddressFamily>(
        &self,
        out: &mut Vec<u8>,
        max_len: usize,
        prefixes: impl Iterator<Item = (Option<PathId>, F::Prefix)>,
    ) -> Result<usize, EncodeError> {
        self.pack_with(out, max_len, prefixes, |out, (path_id, prefix)| {
            encode_nlri::<F>(out, path_id, &prefix);
            Ok(())
        })
    }

    /// The same for destinations that `encode` appends; its first error ends it.
    #[inline(always)]
    fn pack_with<T>(
        &self,
        out: &mut Vec<u8>,
        max_len: usize,
        destinations: impl Iterator<Item = T>,
        encode: impl Fn(&mut Vec<u8>, T) -> Result<(), EncodeError>,
    ) -> Result<usize, EncodeError> {
        let start = out.len();
        let room = max_len.saturating_sub(self.len());
        let mut messages = 0;
        let mut begun = self.begin(out);
        for destination in destinations {
            let full = out.len();
            if let Err(error) = encode(out, destination) {
                out.truncate(start);
                return Err(error);
            }
            if out.len() - begun.prefixes > room {
                let over = out.split_off(full);
                if over.len() > room {
                    out.truncate(start);
                    return Err(EncodeError::AttributesTooLong { needed: self.len() + over.len(), max_len });
                }
                self.end(out, &begun);
                messages += 1;
                begun = self.begin(out);
                out.extend_from_slice(&over);
            }
        }
        if out.len() == begun.prefixes {
            out.truncate(start);
            return Ok(0);
        }
        self.end(out, &begun);
        Ok(messages + 1)
    }
}

/// Where a message under way, and its prefixes, begin.
struct Begun {
    message: usize,
    prefixes: usize,
}

fn push_len(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes());
}

fn set_len(out: &mut [u8], at: usize, len: usize) {
    if let Some(field) = out.get_mut(at..at + 2) {
        field.copy_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes());
    }
}

fn family_octets(family: Family) -> [u8; 3] {
    let [high, low] = family.afi.to_be_bytes();
    [high, low, family.safi]
}

/// Appends the UPDATEs that announce `prefixes`, all with the same attributes, to `out`; returns how many.
///
/// `attributes` is the block as it shall go out. IPv4 prefixes with an IPv4 next hop go into the UPDATE's own field, and
/// NEXT_HOP is in the block; of `next_hop` only that it is IPv4 counts. All others go into MP_REACH_NLRI with
/// `next_hop`, IPv4 prefixes with one of IPv6 too: whether the peer takes that (RFC 8950) is the caller's to know. Then
/// there is no NEXT_HOP in the block. No message is over `max_len` octets, 4096 or
/// 65535, and none could take the first prefix of the next.
///
/// # Errors
/// If one of the prefixes does not fit into a message of its own; `out` is then as it was.
///
/// ```
/// use bgp_core::wire::{code, encode, flag};
/// use bgp_core::{Ipv4Prefix, V4};
///
/// let attributes = [flag::TRANSITIVE, code::ORIGIN, 1, 0, flag::TRANSITIVE, code::AS_PATH, 0,
///     flag::TRANSITIVE, code::NEXT_HOP, 4, 10, 0, 0, 1];
/// let prefix: Ipv4Prefix = "10.244.0.0/26".parse()?;
/// let mut out = Vec::new();
/// assert_eq!(encode::announce::<V4>(&mut out, 4096, &attributes, [10, 0, 0, 1].into(), [(None, prefix)])?, 1);
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
    if F::FAMILY == V4::FAMILY && next_hop.is_ipv4() {
        let envelope = Envelope { before: attributes, place: Place::Announced };
        return envelope.pack::<F>(out, max_len, prefixes.into_iter());
    }
    reach::<F>(out, max_len, attributes, next_hop, prefixes.into_iter())
}

/// [`announce`] with MP_REACH_NLRI; apart, so that the way of IPv4 prefixes stays short.
#[inline(never)]
fn reach<F: AddressFamily>(
    out: &mut Vec<u8>,
    max_len: usize,
    attributes: &[u8],
    next_hop: IpAddr,
    prefixes: impl Iterator<Item = (Option<PathId>, F::Prefix)>,
) -> Result<usize, EncodeError> {
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
    Envelope { before: &before, place }.pack::<F>(out, max_len, prefixes)
}

/// Appends the UPDATEs that withdraw `prefixes` to `out`; returns how many. No message is over `max_len` octets,
/// 4096 or 65535, and none could take the first prefix of the next.
///
/// ```
/// use bgp_core::wire::encode;
/// use bgp_core::{Ipv4Prefix, V4};
///
/// // A /32 takes five octets, a message of 4096 has room for 814 of them.
/// let prefixes = (0..1000u32).filter_map(|number| Ipv4Prefix::new(number.into(), 32));
/// let mut out = Vec::new();
/// assert_eq!(encode::withdraw::<V4>(&mut out, 4096, prefixes.map(|prefix| (None, prefix))), 2);
/// assert_eq!(out.len(), 2 * (19 + 4) + 1000 * 5);
/// ```
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

/// Appends the UPDATEs that announce `destinations` of any family, all with the same attributes and next hop, to `out`;
/// returns how many. They are packed as [`announce`] does it.
///
/// `attributes` is the block as it shall go out, without NEXT_HOP. All families go into MP_REACH_NLRI, IPv4 unicast
/// too: so it has an IPv6 next hop (RFC 8950). With one of IPv4 use [`announce`] for it: there are peers that take it
/// from MP_REACH_NLRI but lose its next hop when they pass it on. Whether the peer takes an IPv6 next hop, and more than
/// one label before a prefix (RFC 8277 section 2.1), is the caller's to know.
///
/// # Errors
/// If a destination is of another family, has no label where its family asks for one, or does not fit into a message of
/// its own, or if the family needs a next hop; `out` is then as it was.
///
/// ```
/// use bgp_core::wire::{Destination, Label, Labels, VpnPrefix, code, encode, flag};
/// use bgp_core::{Family, PathId};
/// use std::net::IpAddr;
///
/// let stack = [Label::new(100).ok_or("over 20 bits")?.to_octets()];
/// let vpn = VpnPrefix::new("64512:7".parse()?, Labels::new(&stack), "10.1.0.0/16".parse()?);
/// let route = (None, Destination::Vpn(vpn.ok_or("over 255 bits")?));
///
/// let attributes = [flag::TRANSITIVE, code::ORIGIN, 1, 0, flag::TRANSITIVE, code::AS_PATH, 0];
/// let next_hop = IpAddr::from([10, 0, 0, 1]).into();
/// let mut out = Vec::new();
/// encode::announce_destinations(&mut out, 4096, Family::IPV4_VPN, &attributes, next_hop, [route])?;
/// assert_eq!(out.len(), 19 + 4 + (4 + 5 + 12 + 14) + 7);
///
/// encode::withdraw_destinations(&mut out, 4096, Family::IPV4_VPN, [route])?;
/// assert!(out.ends_with(&[104, 0x80, 0, 0, 0, 0, 0xfc, 0, 0, 0, 0, 7, 10, 1]), "without its label");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn announce_destinations<'a>(
    out: &mut Vec<u8>,
    max_len: usize,
    family: Family,
    attributes: &[u8],
    next_hop: NextHop,
    destinations: impl IntoIterator<Item = (Option<PathId>, Destination<'a>)>,
) -> Result<usize, EncodeError> {
    const RESERVED: u8 = 0;
    let mut octets = Vec::new();
    if !next_hop.encode(&mut octets, family) {
        return Err(EncodeError::NoNextHop(family));
    }
    let mut before = family_octets(family).to_vec();
    before.extend(u8::try_from(octets.len()));
    before.extend(octets);
    before.push(RESERVED);
    let place = Place::Mp { code: code::MP_REACH_NLRI, after: attributes };
    let encode = |out: &mut Vec<u8>, (path_id, destination): (_, Destination<'_>)| {
        if !destination.has_labels() {
            return Err(EncodeError::NoLabel(family));
        }
        encode_of(out, family, path_id, destination)
    };
    Envelope { before: &before, place }.pack_with(out, max_len, destinations.into_iter(), encode)
}

/// Appends the UPDATEs that withdraw `destinations` of any family to `out`, without labels
/// ([`Destination::withdrawn`]); returns how many. They are packed as [`withdraw`] does it, all into MP_UNREACH_NLRI.
///
/// # Errors
/// If a destination is of another family, or does not fit into a message of its own; `out` is then as it was.
pub fn withdraw_destinations<'a>(
    out: &mut Vec<u8>,
    max_len: usize,
    family: Family,
    destinations: impl IntoIterator<Item = (Option<PathId>, Destination<'a>)>,
) -> Result<usize, EncodeError> {
    let place = Place::Mp { code: code::MP_UNREACH_NLRI, after: &[] };
    let encode = |out: &mut Vec<u8>, (path_id, destination): (_, Destination<'_>)| {
        encode_of(out, family, path_id, destination.withdrawn())
    };
    let before = &family_octets(family);
    Envelope { before, place }.pack_with(out, max_len, destinations.into_iter(), encode)
}

fn encode_of(
    out: &mut Vec<u8>,
    family: Family,
    path_id: Option<PathId>,
    destination: Destination<'_>,
) -> Result<(), EncodeError> {
    if !destination.is_of(family) {
        return Err(EncodeError::WrongFamily(family));
    }
    destination.encode(out, path_id);
    Ok(())
}

/// Appends the marker that all routes of `family` have been sent (RFC 4724 section 2): an UPDATE without anything for
/// IPv4 unicast, with an empty MP_UNREACH_NLRI for others.
///
/// ```
/// use bgp_core::wire::encode::end_of_rib;
/// use bgp_core::wire::{DecodeContext, UpdateView};
/// use bgp_core::{Family, FamilySet, PeerKind};
///
/// let mut message = Vec::new();
/// end_of_rib(&mut message, Family::IPV6_UNICAST);
/// let ctx = DecodeContext::new(PeerKind::Internal, FamilySet::UNICAST);
/// assert_eq!(UpdateView::parse(&message[19..], &ctx)?.end_of_rib(), Some(Family::IPV6_UNICAST));
/// # Ok::<(), Box<bgp_core::wire::Malformed>>(())
/// ```
pub fn end_of_rib(out: &mut Vec<u8>, family: Family) {
    let octets = family_octets(family);
    let envelope = match family {
        Family::IPV4_UNICAST => Envelope { before: &[], place: Place::Withdrawn },
        _ => Envelope { before: &octets, place: Place::Mp { code: code::MP_UNREACH_NLRI, after: &[] } },
    };
    let begun = envelope.begin(out);
    envelope.end(out, &begun);
}
