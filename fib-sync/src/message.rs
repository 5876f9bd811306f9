//! Netlink bytes, both ways: requests are appended to one buffer, replies are read where they lie.
//!
//! All numbers are in the machine's byte order, addresses excepted; everything is aligned to 4 bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;

use crate::error::KernelError;
use crate::route::{Forwarding, Hop};

/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;
const ALIGN: usize = 4;
/// `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER` share the attribute's type field.
const ATTRIBUTE_TYPE: u16 = 0x3fff;
/// `NLMSGERR_ATTR_MSG`.
const EXT_ACK_TEXT: u16 = 1;
const NESTED: u16 = 1 << 15;

pub(crate) const AF_INET: u8 = libc::AF_INET as u8;
pub(crate) const AF_INET6: u8 = libc::AF_INET6 as u8;

/// Starts a message; [`finish`] writes its length.
pub(crate) fn begin(out: &mut Vec<u8>, kind: u16, flags: u16, seq: u32) -> usize {
    let start = out.len();
    out.extend_from_slice(&0u32.to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(&flags.to_ne_bytes());
    out.extend_from_slice(&seq.to_ne_bytes());
    out.extend_from_slice(&0u32.to_ne_bytes());
    start
}

/// Completes the message that began at `start`.
pub(crate) fn finish(out: &mut [u8], start: usize) {
    let len = (out.len() - start) as u32;
    put(out, start, &len.to_ne_bytes());
}

/// Adds flags to the message that began at `start`.
pub(crate) fn add_flags(out: &mut [u8], start: usize, flags: u16) {
    let at = start + 6;
    if let Some(&[low, high]) = out.get(at..at + 2) {
        put(out, at, &(u16::from_ne_bytes([low, high]) | flags).to_ne_bytes());
    }
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(field) = out.get_mut(at..at + bytes.len()) {
        field.copy_from_slice(bytes);
    }
}

fn attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let start = begin_attribute(out, kind);
    out.extend_from_slice(value);
    finish_attribute(out, start);
}

fn begin_attribute(out: &mut Vec<u8>, kind: u16) -> usize {
    let start = out.len();
    out.extend_from_slice(&0u16.to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    start
}

fn finish_attribute(out: &mut Vec<u8>, start: usize) {
    let len = (out.len() - start) as u16;
    put(out, start, &len.to_ne_bytes());
    out.resize(out.len().next_multiple_of(ALIGN), 0);
}

/// The fields of `struct rtmsg` that differ from message to message, and the attributes all have.
pub(crate) struct RouteKey {
    pub(crate) prefix: IpNetwork,
    pub(crate) table: u32,
    pub(crate) protocol: u8,
    pub(crate) metric: u32,
}

/// The body of a request for the routes of one table.
pub(crate) fn route_dump(out: &mut Vec<u8>, family: u8, table: u32) {
    route_header(out, RouteHeader { family, table, ..RouteHeader::default() });
    attribute(out, libc::RTA_TABLE, &table.to_ne_bytes());
}

/// The body of a request for all links: `struct ifinfomsg`, all zero.
pub(crate) fn link_dump(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0; 16]);
}

/// Appends `struct rtmsg`.
fn route_header(out: &mut Vec<u8>, head: RouteHeader) {
    // A table number over a byte goes into RTA_TABLE alone.
    let table = u8::try_from(head.table).unwrap_or(libc::RT_TABLE_UNSPEC);
    out.extend_from_slice(&[head.family, head.prefix_len, 0, 0, table, head.protocol, head.scope, head.kind]);
    out.extend_from_slice(&head.flags.to_ne_bytes());
}

/// `struct rtmsg` without what is always zero here.
#[derive(Default)]
struct RouteHeader {
    family: u8,
    prefix_len: u8,
    table: u32,
    protocol: u8,
    scope: u8,
    kind: u8,
    flags: u32,
}

/// RTM_NEWROUTE; returns where the message begins.
pub(crate) fn new_route(out: &mut Vec<u8>, seq: u32, flags: u16, key: &RouteKey, to: &Forwarding) -> usize {
    let start = begin(out, libc::RTM_NEWROUTE, libc::NLM_F_REQUEST as u16 | flags, seq);
    let single = match to {
        Forwarding::Via(hops) => <&[Hop; 1]>::try_from(hops.as_slice()).ok().map(|[hop]| hop),
        Forwarding::Blackhole | Forwarding::Other => None,
    };
    route_header(
        out,
        RouteHeader {
            scope: libc::RT_SCOPE_UNIVERSE,
            kind: if matches!(to, Forwarding::Via(_)) { libc::RTN_UNICAST } else { libc::RTN_BLACKHOLE },
            flags: single.map_or(0, onlink_flag),
            ..key_header(key)
        },
    );
    key_attributes(out, key);
    match (single, to) {
        (Some(hop), _) => {
            attribute(out, libc::RTA_OIF, &hop.interface.to_ne_bytes());
            gateway(out, key.prefix.is_ipv6(), hop.gateway);
        }
        (None, Forwarding::Via(hops)) => multipath(out, key.prefix.is_ipv6(), hops),
        (None, Forwarding::Blackhole | Forwarding::Other) => {}
    }
    finish(out, start);
    start
}

/// RTM_DELROUTE of exactly our route: protocol and metric are matched by the kernel, its hops are not.
pub(crate) fn delete_route(out: &mut Vec<u8>, seq: u32, key: &RouteKey) -> usize {
    let start = begin(out, libc::RTM_DELROUTE, libc::NLM_F_REQUEST as u16, seq);
    route_header(out, RouteHeader { scope: libc::RT_SCOPE_NOWHERE, ..key_header(key) });
    key_attributes(out, key);
    finish(out, start);
    start
}

fn key_header(key: &RouteKey) -> RouteHeader {
    RouteHeader {
        family: if key.prefix.is_ipv6() { AF_INET6 } else { AF_INET },
        prefix_len: key.prefix.prefix(),
        table: key.table,
        protocol: key.protocol,
        ..RouteHeader::default()
    }
}

fn key_attributes(out: &mut Vec<u8>, key: &RouteKey) {
    match key.prefix.network() {
        IpAddr::V4(address) => attribute(out, libc::RTA_DST, &address.octets()),
        IpAddr::V6(address) => attribute(out, libc::RTA_DST, &address.octets()),
    }
    attribute(out, libc::RTA_PRIORITY, &key.metric.to_ne_bytes());
    if u8::try_from(key.table).is_err() {
        attribute(out, libc::RTA_TABLE, &key.table.to_ne_bytes());
    }
}

fn gateway(out: &mut Vec<u8>, route_is_v6: bool, gateway: Option<IpAddr>) {
    match gateway {
        None => {}
        Some(IpAddr::V4(address)) if !route_is_v6 => attribute(out, libc::RTA_GATEWAY, &address.octets()),
        Some(IpAddr::V6(address)) if route_is_v6 => attribute(out, libc::RTA_GATEWAY, &address.octets()),
        // An IPv4 route through an IPv6 neighbour; the reverse is refused by the kernel.
        Some(address) => {
            let start = begin_attribute(out, libc::RTA_VIA);
            let family = if address.is_ipv6() { libc::AF_INET6 } else { libc::AF_INET } as u16;
            out.extend_from_slice(&family.to_ne_bytes());
            match address {
                IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
                IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
            }
            finish_attribute(out, start);
        }
    }
}

fn multipath(out: &mut Vec<u8>, route_is_v6: bool, hops: &[Hop]) {
    let whole = begin_attribute(out, libc::RTA_MULTIPATH | NESTED);
    for hop in hops {
        // struct rtnexthop: len u16, flags u8, hops u8 (weight less one), ifindex i32
        let start = out.len();
        let weight = u8::try_from(hop.weight.saturating_sub(1)).unwrap_or(u8::MAX);
        out.extend_from_slice(&[0, 0, onlink_flag(hop) as u8, weight]);
        out.extend_from_slice(&hop.interface.to_ne_bytes());
        gateway(out, route_is_v6, hop.gateway);
        let len = (out.len() - start) as u16;
        put(out, start, &len.to_ne_bytes());
    }
    finish_attribute(out, whole);
}

fn onlink_flag(hop: &Hop) -> u32 {
    if hop.onlink { RTNH_F_ONLINK } else { 0 }
}

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
struct Attributes<'a>(&'a [u8]);

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

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_ne_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
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
    /// Where unicast packets go; [`Forwarding::Other`] for types that deliver, refuse or throw.
    pub(crate) forwarding: Forwarding,
    /// It carries attributes that this crate never sets.
    pub(crate) embellished: bool,
}

/// Parses RTM_NEWROUTE and RTM_DELROUTE of IPv4 and IPv6; `None` for what is no such route (cached
/// entries, other families, cut short).
pub(crate) fn parse_route(body: &[u8]) -> Option<KernelRoute> {
    let mut cursor = Cursor(body);
    let [family, prefix_len, _, tos, table, protocol, _scope, kind] = cursor.take()?;
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
        forwarding: Forwarding::Other,
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
            libc::RTA_VIA => single.gateway = Some(parse_address(value.get(2..)?)?),
            libc::RTA_MULTIPATH => route.embellished |= parse_multipath(value, &mut hops)?,
            libc::RTA_PREFSRC | RTA_NH_ID | RTA_ENCAP | libc::RTA_FLOW | libc::RTA_SRC => {
                route.embellished = true
            }
            libc::RTA_METRICS => route.embellished |= !value.is_empty(),
            _ => {}
        }
    }
    if hops.is_empty() {
        hops.push(single);
    }
    route.prefix = IpNetwork::new(destination, prefix_len).ok()?;
    route.forwarding = match kind {
        libc::RTN_UNICAST => Forwarding::via(hops),
        libc::RTN_BLACKHOLE => Forwarding::Blackhole,
        _ => Forwarding::Other,
    };
    Some(route)
}

const RTNH_F_ONLINK: u32 = 4;
const RTA_ENCAP: u16 = 22;
const RTA_NH_ID: u16 = 30;

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
                libc::RTA_VIA => hop.gateway = Some(parse_address(value.get(2..)?)?),
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

fn parse_address(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(value).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(value).ok()?)),
        _ => None,
    }
}

/// A link as RTM_NEWLINK and RTM_DELLINK tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KernelLink {
    pub(crate) index: u32,
    pub(crate) name: String,
    /// `IFF_UP`: an administrator wants it up.
    pub(crate) up: bool,
    /// `IFF_RUNNING`: it can carry packets.
    pub(crate) running: bool,
}

/// Parses RTM_NEWLINK and RTM_DELLINK.
pub(crate) fn parse_link(body: &[u8]) -> Option<KernelLink> {
    let mut cursor = Cursor(body);
    // struct ifinfomsg: family u8, pad u8, type u16, index i32, flags u32, change u32.
    // The family is AF_UNSPEC for the link itself; bridges send AF_BRIDGE messages about their ports.
    let [family, _, _, _] = cursor.take()?;
    let index = cursor.u32()?;
    let flags = cursor.u32()?;
    let _change = cursor.u32()?;
    if family != libc::AF_UNSPEC as u8 {
        return None;
    }
    let name = Attributes(cursor.0)
        .find(|(kind, _)| *kind == libc::IFLA_IFNAME)
        .map(|(_, name)| String::from_utf8_lossy(name).trim_end_matches('\0').to_owned())
        .unwrap_or_default();
    Some(KernelLink {
        index,
        name,
        up: flags & libc::IFF_UP as u32 != 0,
        running: flags & libc::IFF_RUNNING as u32 != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(prefix: &str) -> RouteKey {
        RouteKey { prefix: prefix.parse().unwrap(), table: 254, protocol: 186, metric: 1024 }
    }

    fn round_trip(prefix: &str, table: u32, to: &Forwarding) -> KernelRoute {
        let mut out = Vec::new();
        new_route(&mut out, 7, 0, &RouteKey { table, ..key(prefix) }, to);
        let message = Messages(&out).next().unwrap();
        assert_eq!((message.kind, message.seq, out.len() % ALIGN), (libc::RTM_NEWROUTE, 7, 0));
        parse_route(message.body).unwrap()
    }

    fn hop(gateway: &str, interface: u32, weight: u16) -> Hop {
        Hop { gateway: Some(gateway.parse().unwrap()), interface, weight, onlink: weight > 2 }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let cases = [
            ("10.1.0.0/16", Forwarding::Via(vec![hop("10.0.0.1", 3, 1)])),
            ("10.1.0.0/16", Forwarding::Via(vec![hop("10.0.0.1", 3, 1), hop("10.0.0.2", 4, 256)])),
            ("10.1.0.0/16", Forwarding::Via(vec![hop("fd00::1", 3, 1)])),
            ("fd01::/64", Forwarding::Via(vec![hop("fd00::1", 3, 2), hop("fd00::2", 3, 3)])),
            ("0.0.0.0/0", Forwarding::Blackhole),
            ("::/0", Forwarding::Blackhole),
        ];
        for (prefix, to) in cases {
            for table in [254, 1000] {
                let route = round_trip(prefix, table, &to);
                assert_eq!((route.forwarding, route.table, route.metric), (to.clone(), table, 1024));
                assert_eq!((route.prefix, route.embellished), (prefix.parse().unwrap(), false));
            }
        }
    }

    #[test]
    fn cut_messages_are_no_routes() {
        let mut out = Vec::new();
        new_route(&mut out, 1, 0, &key("10.1.0.0/16"), &Forwarding::Via(vec![hop("10.0.0.1", 3, 1)]));
        for len in 0..out.len() {
            assert!(Messages(&out[..len]).next().is_none());
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic() {
        // Every single-byte change of a message with every kind of attribute.
        let mut out = Vec::new();
        let hops = vec![hop("10.0.0.1", 3, 1), hop("fd00::2", 4, 9)];
        new_route(&mut out, 1, 0, &RouteKey { table: 1000, ..key("10.1.0.0/16") }, &Forwarding::Via(hops));
        for at in 0..out.len() {
            for value in [0, 1, 3, 7, 0x7f, 0xff] {
                let mut changed = out.clone();
                changed[at] = value;
                for message in Messages(&changed).take(1000) {
                    let _ = (parse_route(message.body), parse_link(message.body), parse_answer(&message));
                }
            }
        }
    }
}
