//! Whole UPDATEs of routes whose attributes are in canonical form.

use std::net::IpAddr;

use bgp_core::wire::header::{MAX_EXTENDED_LEN, MAX_LEN};
use bgp_core::wire::{Attributes, Destination, EncodeError, NextHop, code, encode, flag};
use bgp_core::{Family, Ipv4Prefix, Ipv6Prefix, PathId, Prefix, V4, V6};

/// A destination, with its path identifier where those are in use.
pub type Nlri = (Option<PathId>, Prefix);

/// Destinations of one version of IP.
type Of<P> = Vec<(Option<PathId>, P)>;

/// The destinations of each version of IP, in their order.
fn split(nlri: impl IntoIterator<Item = Nlri>) -> (Of<Ipv4Prefix>, Of<Ipv6Prefix>) {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for (path_id, prefix) in nlri {
        match prefix {
            Prefix::V4(prefix) => v4.push((path_id, prefix)),
            Prefix::V6(prefix) => v6.push((path_id, prefix)),
        }
    }
    (v4, v6)
}

/// Appends `block` with NEXT_HOP as `next_hop` says: in its place by type, or not at all.
pub(crate) fn with_next_hop(out: &mut Vec<u8>, block: &[u8], next_hop: Option<IpAddr>) {
    let mut pending = match next_hop {
        Some(IpAddr::V4(address)) => Some(address.octets()),
        _ => None,
    };
    let put = |out: &mut Vec<u8>, octets: [u8; 4]| {
        out.extend_from_slice(&[flag::TRANSITIVE, code::NEXT_HOP, 4]);
        out.extend_from_slice(&octets);
    };
    for attribute in Attributes::new(block).iter().filter(|attribute| attribute.code != code::NEXT_HOP) {
        if attribute.code > code::NEXT_HOP
            && let Some(octets) = pending.take()
        {
            put(out, octets);
        }
        raw(out, attribute.flags, attribute.code, attribute.value);
    }
    if let Some(octets) = pending {
        put(out, octets);
    }
}

/// Appends one attribute, its length as wide as it has to be.
pub(crate) fn raw(out: &mut Vec<u8>, flags: u8, code: u8, value: &[u8]) {
    match u8::try_from(value.len()) {
        Ok(len) => out.extend_from_slice(&[flags & !flag::EXTENDED_LENGTH, code, len]),
        Err(_) => {
            out.extend_from_slice(&[flags | flag::EXTENDED_LENGTH, code]);
            crate::octets::u16(out, u16::try_from(value.len()).unwrap_or(u16::MAX));
        }
    }
    out.extend_from_slice(value);
}

/// Appends the UPDATEs that announce `nlri`, all with the same attributes and next hop. IPv4 destinations with an IPv6
/// next hop go as RFC 8950 has it. They have up to 4096 octets, or 65,535 where the attributes alone are longer.
///
/// # Errors
/// If the attributes and a destination do not fit into 65,535 octets.
pub fn announce(
    out: &mut Vec<u8>,
    block: &[u8],
    next_hop: IpAddr,
    nlri: impl IntoIterator<Item = Nlri>,
) -> Result<(), EncodeError> {
    let (v4, v6) = split(nlri);
    let longest = |len: usize| if len + 128 > MAX_LEN { MAX_EXTENDED_LEN } else { MAX_LEN };
    let mut attributes = Vec::with_capacity(block.len() + 7);
    if !v4.is_empty() {
        if next_hop.is_ipv4() {
            with_next_hop(&mut attributes, block, Some(next_hop));
            encode::announce::<V4>(out, longest(attributes.len()), &attributes, next_hop, v4)?;
        } else {
            with_next_hop(&mut attributes, block, None);
            let destinations =
                v4.into_iter().map(|(path_id, prefix)| (path_id, Destination::Prefix(prefix.into())));
            let (len, hop) = (longest(attributes.len()), NextHop::from(next_hop));
            encode::announce_destinations(out, len, Family::IPV4_UNICAST, &attributes, hop, destinations)?;
        }
    }
    if !v6.is_empty() {
        attributes.clear();
        with_next_hop(&mut attributes, block, None);
        encode::announce::<V6>(out, longest(attributes.len()), &attributes, next_hop, v6)?;
    }
    Ok(())
}

/// Appends the UPDATEs that withdraw `nlri`.
pub fn withdraw(out: &mut Vec<u8>, nlri: impl IntoIterator<Item = Nlri>) {
    let (v4, v6) = split(nlri);
    encode::withdraw::<V4>(out, MAX_LEN, v4);
    encode::withdraw::<V6>(out, MAX_LEN, v6);
}

/// Appends the UPDATE that marks the end of all routes of a family (RFC 4724 section 2).
pub fn end_of_rib(out: &mut Vec<u8>, family: Family) {
    bgp_core::wire::header::write_message(out, bgp_core::wire::MessageType::Update, |out| {
        out.extend_from_slice(&[0, 0]);
        if family == Family::IPV4_UNICAST {
            return out.extend_from_slice(&[0, 0]);
        }
        let [high, low] = family.afi.to_be_bytes();
        out.extend_from_slice(&[0, 6, flag::OPTIONAL, code::MP_UNREACH_NLRI, 3, high, low, family.safi]);
    });
}
