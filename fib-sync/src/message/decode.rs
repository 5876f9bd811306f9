//! Replies and events, read where they lie.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use ipnetwork::IpNetwork;

use super::{AF_INET, AF_INET6, ALIGN, RTA_ENCAP, RTA_NH_ID, RTA_VIA, RTAX_MTU, RTNH_F_ONLINK};
use crate::error::KernelError;
use crate::forwarding::{Hop, Way};
use crate::route::RouteOptions;

/// Length of `struct rtmsg`.
const RTMSG: usize = 12;
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;
/// `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER` share the attribute's type field.
const ATTRIBUTE_TYPE: u16 = 0x3fff;
/// `NLMSGERR_ATTR_MSG`.
const EXT_ACK_TEXT: u16 = 1;

/// One netlink message of a received datagram.
#[derive(Clone, Copy)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) seq: u32,
    pub(crate) body: &'a [u8],
}

/// The messages of one datagram. Stops at the first that is not whole.
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let mut head = Cursor(self.0);
        let len = head.u32()? as usize;
        let message = Message { kind: head.u16()?, flags: head.u16()?, seq: head.u32()?, body: &[] };
        let body = self.0.get(HEADER..len)?;
        self.0 = self.0.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        Some(Message { body, ..message })
    }
}

/// The attributes of a message or of a nested attribute.
pub(super) struct Attributes<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let mut head = Cursor(self.0);
        let len = usize::from(head.u16()?);
        let kind = head.u16()? & ATTRIBUTE_TYPE;
        let value = self.0.get(4..len)?;
        self.0 = self.0.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        Some((kind, value))
    }
}

pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_ne_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }
}

/// The result inside NLMSG_ERROR (`None`: an acknowledgement) or at the end of NLMSG_DONE.
pub(crate) fn parse_answer(message: &Message<'_>) -> Option<KernelError> {
    let mut cursor = Cursor(message.body);
    let errno = cursor.take().map_or(0, i32::from_ne_bytes);
    if errno == 0 {
        return None;
    }
    // In NLMSG_ERROR the header of the message it answers stands between (its body too unless capped).
    let skip = match libc::c_int::from(message.kind) {
        libc::NLMSG_DONE => 0,
        _ if message.flags & libc::NLM_F_CAPPED as u16 != 0 => HEADER,
        _ => Cursor(cursor.0).u32().map_or(HEADER, |len| (len as usize).next_multiple_of(ALIGN)),
    };
    let text = Attributes(cursor.0.get(skip..).unwrap_or_default())
        .find(|(kind, _)| *kind == EXT_ACK_TEXT)
        .map(|(_, text)| String::from_utf8_lossy(text).trim_end_matches('\0').to_owned());
    Some(KernelError { errno: errno.saturating_neg(), text })
}

/// A route as the kernel tells it, in a dump or an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KernelRoute {
    pub(crate) prefix: IpNetwork,
    pub(crate) table: u32,
    pub(crate) protocol: u8,
    pub(crate) metric: u32,
    pub(crate) tos: u8,
    /// Where unicast packets go; [`Way::Other`] for types that deliver, prohibit or throw.
    pub(crate) way: Way,
    pub(crate) options: RouteOptions,
    /// The nexthop object that has the hops. Without `net.ipv4.nexthop_compat_mode` the way has none of them.
    pub(crate) object: Option<NonZeroU32>,
    /// It carries attributes that this crate never sets.
    pub(crate) embellished: bool,
}

/// A route message cut at its destination: two routes that are forwarded alike differ in that alone.
#[derive(Clone, Copy)]
pub(crate) struct CutRoute<'a> {
    pub(crate) prefix: IpNetwork,
    /// `struct rtmsg` without the prefix length, and the attributes before and after the destination.
    pub(crate) parts: [&'a [u8]; 4],
}

/// Cuts a route message; `None` for a default route, which has no destination, and for what is no route.
pub(crate) fn cut_route(body: &[u8]) -> Option<CutRoute<'_>> {
    let (family, [prefix_len]) = (body.get(..1)?, *body.get(1..)?.first_chunk()?);
    let head = body.get(2..RTMSG)?;
    let attributes = body.get(RTMSG..)?;
    let mut rest = Attributes(attributes);
    let mut before = 0;
    loop {
        let (kind, value) = rest.next()?;
        let end = attributes.len() - rest.0.len();
        if kind == libc::RTA_DST {
            let prefix = IpNetwork::new(parse_address(value)?, prefix_len).ok()?;
            return Some(CutRoute { prefix, parts: [family, head, attributes.get(..before)?, rest.0] });
        }
        before = end;
    }
}

/// Parses RTM_NEWROUTE and RTM_DELROUTE of IPv4 and IPv6; `None` for what is no such route (cached
/// entries, other families, cut short).
pub(crate) fn parse_route(body: &[u8]) -> Option<KernelRoute> {
    let mut cursor = Cursor(body);
    let [family, prefix_len, _, tos, table, protocol, scope, kind] = cursor.take()?;
    let flags = cursor.u32()?;
    if flags & libc::RTM_F_CLONED != 0 {
        return None;
    }
    let mut destination = unspecified(family)?;
    let mut route = KernelRoute {
        prefix: IpNetwork::new(destination, 0).ok()?,
        table: u32::from(table),
        protocol,
        metric: 0,
        tos,
        way: Way::Other,
        options: RouteOptions::default(),
        object: None,
        embellished: false,
    };
    let mut single = new_hop(0, 0, flags);
    let mut hops = Vec::new();
    for (attribute, value) in Attributes(cursor.0) {
        match attribute {
            libc::RTA_DST => destination = parse_address(value)?,
            libc::RTA_PRIORITY => route.metric = Cursor(value).u32()?,
            libc::RTA_TABLE => route.table = Cursor(value).u32()?,
            libc::RTA_OIF => single.interface = Cursor(value).u32()?,
            libc::RTA_GATEWAY => single.gateway = Some(parse_address(value)?),
            RTA_VIA => single.gateway = Some(parse_address(value.get(2..)?)?),
            libc::RTA_MULTIPATH => route.embellished |= parse_multipath(value, &mut hops)?,
            libc::RTA_PREFSRC => route.options.source = Some(parse_address(value)?),
            RTA_NH_ID => route.object = NonZeroU32::new(Cursor(value).u32()?),
            RTA_ENCAP | libc::RTA_FLOW | libc::RTA_SRC => route.embellished = true,
            libc::RTA_METRICS => {
                for (metric, value) in Attributes(value) {
                    match metric {
                        RTAX_MTU => route.options.mtu = NonZeroU32::new(Cursor(value).u32()?),
                        _ => route.embellished = true,
                    }
                }
            }
            _ => {}
        }
    }
    if hops.is_empty() {
        hops.push(single);
    }
    route.prefix = IpNetwork::new(destination, prefix_len).ok()?;
    route.way = match kind {
        libc::RTN_UNICAST => Way::via(hops),
        libc::RTN_BLACKHOLE => Way::Blackhole,
        libc::RTN_UNREACHABLE => Way::Unreachable,
        _ => Way::Other,
    };
    route.embellished |= family == AF_INET && route.object.is_none() && scope != super::scope(&route.way);
    Some(route)
}

fn new_hop(interface: u32, weight_less_one: u8, flags: u32) -> Hop {
    let onlink = flags & RTNH_F_ONLINK != 0;
    Hop { gateway: None, interface, weight: u16::from(weight_less_one) + 1, onlink }
}

/// Returns whether a hop is embellished.
fn parse_multipath(mut value: &[u8], hops: &mut Vec<Hop>) -> Option<bool> {
    let mut embellished = false;
    while !value.is_empty() {
        let mut cursor = Cursor(value);
        let len = usize::from(cursor.u16()?);
        let [flags, weight] = cursor.take()?;
        let mut hop = new_hop(cursor.u32()?, weight, u32::from(flags));
        for (attribute, value) in Attributes(value.get(8..len)?) {
            match attribute {
                libc::RTA_GATEWAY => hop.gateway = Some(parse_address(value)?),
                RTA_VIA => hop.gateway = Some(parse_address(value.get(2..)?)?),
                RTA_ENCAP | libc::RTA_FLOW => embellished = true,
                _ => {}
            }
        }
        hops.push(hop);
        value = value.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
    }
    Some(embellished)
}

fn unspecified(family: u8) -> Option<IpAddr> {
    match family {
        AF_INET => Some(Ipv4Addr::UNSPECIFIED.into()),
        AF_INET6 => Some(Ipv6Addr::UNSPECIFIED.into()),
        _ => None,
    }
}

pub(super) fn parse_address(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(value).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(value).ok()?)),
        _ => None,
    }
}
