//! Nexthop objects: RTM_NEWNEXTHOP, RTM_DELNEXTHOP and RTM_GETNEXTHOP (`linux/nexthop.h`).

use std::collections::HashMap;
use std::net::IpAddr;

use super::decode::{Attributes, Cursor, parse_address};
use super::encode::{attribute, begin, finish};
use super::{AF_INET, AF_INET6, AF_UNSPEC, RTNH_F_ONLINK};
use crate::forwarding::Hop;

pub(crate) const RTM_NEWNEXTHOP: u16 = 104;
pub(crate) const RTM_DELNEXTHOP: u16 = 105;
const RTM_GETNEXTHOP: u16 = 106;
/// The multicast group of their events.
pub(crate) const RTNLGRP_NEXTHOP: u32 = 32;

const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_GROUP_TYPE: u16 = 3;
const NHA_BLACKHOLE: u16 = 4;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
const NHA_ENCAP: u16 = 8;
const NHA_FDB: u16 = 11;

/// Length of `struct nexthop_grp`: id, weight less one, two reserved fields.
const MEMBER: usize = 8;

/// A nexthop object of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Nexthop {
    /// One hop, of weight 1.
    Hop(Hop),
    /// Drops packets; of IPv6 or of IPv4.
    Blackhole { v6: bool },
    /// Members with their weights, in the order of their ids.
    Group(Vec<(u32, u16)>),
    /// What this crate never makes: an encapsulation, a resilient group, one for a bridge.
    Other,
}

/// An object as the kernel tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KernelNexthop {
    pub(crate) id: u32,
    pub(crate) protocol: u8,
    pub(crate) nexthop: Nexthop,
}

/// Objects by their ids.
pub(crate) type Nexthops = HashMap<u32, KernelNexthop>;

/// Parses the body of RTM_NEWNEXTHOP or RTM_DELNEXTHOP.
pub(crate) fn parse_nexthop(body: &[u8]) -> Option<KernelNexthop> {
    let mut cursor = Cursor(body);
    let [family, _scope, protocol, _] = cursor.take()?;
    let onlink = cursor.u32()? & RTNH_F_ONLINK != 0;
    let mut hop = Hop { gateway: None, interface: 0, weight: 1, onlink };
    let (mut id, mut group, mut blackhole, mut other) = (0, None, false, false);
    for (kind, value) in Attributes(cursor.0) {
        match kind {
            NHA_ID => id = Cursor(value).u32()?,
            NHA_GROUP => group = Some(parse_members(value)?),
            NHA_GROUP_TYPE => other |= Cursor(value).u16()? != 0,
            NHA_BLACKHOLE => blackhole = true,
            NHA_OIF => hop.interface = Cursor(value).u32()?,
            NHA_GATEWAY => hop.gateway = Some(parse_address(value)?),
            NHA_ENCAP | NHA_FDB => other = true,
            _ => {}
        }
    }
    let nexthop = match group {
        _ if other => Nexthop::Other,
        Some(members) => Nexthop::Group(members),
        None if blackhole => Nexthop::Blackhole { v6: family == AF_INET6 },
        None => Nexthop::Hop(hop),
    };
    Some(KernelNexthop { id, protocol, nexthop })
}

fn parse_members(value: &[u8]) -> Option<Vec<(u32, u16)>> {
    let member = |bytes: &[u8]| {
        let mut cursor = Cursor(bytes);
        let id = cursor.u32()?;
        let [weight, ..] = cursor.take::<4>()?;
        Some((id, u16::from(weight) + 1))
    };
    let mut members: Vec<_> = value.chunks(MEMBER).map(member).collect::<Option<_>>()?;
    members.sort_unstable();
    Some(members)
}

/// RTM_NEWNEXTHOP; returns where the message begins.
pub(crate) fn new_nexthop(
    out: &mut Vec<u8>,
    seq: u32,
    flags: u16,
    protocol: u8,
    id: u32,
    to: &Nexthop,
) -> usize {
    let start = begin(out, RTM_NEWNEXTHOP, libc::NLM_F_REQUEST as u16 | flags, seq);
    let (family, onlink) = match to {
        Nexthop::Hop(hop) if hop.gateway.is_some_and(|gateway| gateway.is_ipv6()) => (AF_INET6, hop.onlink),
        Nexthop::Hop(hop) => (AF_INET, hop.onlink),
        Nexthop::Blackhole { v6 } => (if *v6 { AF_INET6 } else { AF_INET }, false),
        Nexthop::Group(_) | Nexthop::Other => (AF_UNSPEC, false),
    };
    nexthop_header(out, family, protocol, if onlink { RTNH_F_ONLINK } else { 0 });
    attribute(out, NHA_ID, &id.to_ne_bytes());
    match to {
        Nexthop::Hop(hop) => {
            attribute(out, NHA_OIF, &hop.interface.to_ne_bytes());
            match hop.gateway {
                Some(IpAddr::V4(gateway)) => attribute(out, NHA_GATEWAY, &gateway.octets()),
                Some(IpAddr::V6(gateway)) => attribute(out, NHA_GATEWAY, &gateway.octets()),
                None => {}
            }
        }
        Nexthop::Group(members) => {
            let mut bytes = Vec::with_capacity(members.len() * MEMBER);
            for (id, weight) in members {
                bytes.extend_from_slice(&id.to_ne_bytes());
                let less_one = u8::try_from(weight.saturating_sub(1)).unwrap_or(u8::MAX);
                bytes.extend_from_slice(&[less_one, 0, 0, 0]);
            }
            attribute(out, NHA_GROUP, &bytes);
        }
        Nexthop::Blackhole { .. } | Nexthop::Other => attribute(out, NHA_BLACKHOLE, &[]),
    }
    finish(out, start);
    start
}

/// RTM_DELNEXTHOP; returns where the message begins.
pub(crate) fn delete_nexthop(out: &mut Vec<u8>, seq: u32, id: u32) -> usize {
    let start = begin(out, RTM_DELNEXTHOP, libc::NLM_F_REQUEST as u16, seq);
    nexthop_header(out, AF_UNSPEC, 0, 0);
    attribute(out, NHA_ID, &id.to_ne_bytes());
    finish(out, start);
    start
}

/// The request for all objects.
pub(crate) fn nexthop_dump(out: &mut Vec<u8>, seq: u32) {
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    let start = begin(out, RTM_GETNEXTHOP, flags, seq);
    nexthop_header(out, AF_UNSPEC, 0, 0);
    finish(out, start);
}

/// Appends `struct nhmsg`.
fn nexthop_header(out: &mut Vec<u8>, family: u8, protocol: u8, flags: u32) {
    out.extend_from_slice(&[family, 0, protocol, 0]);
    out.extend_from_slice(&flags.to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Messages;

    #[test]
    fn what_is_written_is_read_back() {
        let hop = Hop { gateway: "10.0.0.1".parse().ok(), interface: 3, weight: 1, onlink: true };
        let cases = [
            Nexthop::Hop(hop),
            Nexthop::Hop(Hop { gateway: "fd00::1".parse().ok(), onlink: false, ..hop }),
            Nexthop::Blackhole { v6: true },
            Nexthop::Blackhole { v6: false },
            Nexthop::Group(vec![(1, 1), (2, 256)]),
        ];
        for nexthop in cases {
            let mut out = Vec::new();
            new_nexthop(&mut out, 7, 0, 186, 0xba00_0001, &nexthop);
            let message = Messages(&out).next().unwrap();
            let read = parse_nexthop(message.body).unwrap();
            assert_eq!(read, KernelNexthop { id: 0xba00_0001, protocol: 186, nexthop });
            for at in 0..out.len() {
                for value in [0, 1, 3, 7, 0x7f, 0xff] {
                    let mut changed = out.clone();
                    changed[at] = value;
                    Messages(&changed).take(100).for_each(|message| drop(parse_nexthop(message.body)));
                }
            }
        }
    }
}
