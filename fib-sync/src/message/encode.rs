//! Requests, appended to one buffer.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::{AF_INET, AF_INET6, ALIGN, RTA_NH_ID, RTA_VIA, RTAX_MTU, RTNH_F_ONLINK};
use crate::forwarding::{Forwarding, Hop, Way};
use crate::route::RouteOptions;

/// `NLA_F_NESTED`.
const NESTED: u16 = 1 << 15;

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

pub(super) fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(field) = out.get_mut(at..at + bytes.len()) {
        field.copy_from_slice(bytes);
    }
}

pub(super) fn attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
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
    let hops = if to.object.is_some() { &[] } else { to.way.hops() };
    let single = <&[Hop; 1]>::try_from(hops).ok().map(|[hop]| hop);
    route_header(
        out,
        RouteHeader {
            scope: if to.object.is_some() { libc::RT_SCOPE_UNIVERSE } else { super::scope(&to.way) },
            kind: match to.way {
                _ if to.object.is_some() => libc::RTN_UNICAST,
                Way::Via(_) => libc::RTN_UNICAST,
                Way::Unreachable => libc::RTN_UNREACHABLE,
                Way::Blackhole | Way::Other => libc::RTN_BLACKHOLE,
            },
            flags: single.map_or(0, onlink_flag),
            ..key_header(key)
        },
    );
    key_attributes(out, key);
    match (to.object, single) {
        (Some(object), _) => attribute(out, RTA_NH_ID, &object.get().to_ne_bytes()),
        (None, Some(hop)) => {
            attribute(out, libc::RTA_OIF, &hop.interface.to_ne_bytes());
            gateway(out, key.prefix.is_ipv6(), hop.gateway);
        }
        (None, None) if hops.is_empty() => {}
        (None, None) => multipath(out, key.prefix.is_ipv6(), hops),
    }
    options(out, &to.options);
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

/// Where the prefix length and the destination are in a message of [`new_route`] or [`delete_route`].
const PREFIX_LEN: usize = 16 + 1;
const DESTINATION: usize = 16 + 12 + 4;
const SEQUENCE: usize = 8;

/// Makes the message that begins at `start` one of another prefix of the same family.
pub(crate) fn patch_route(out: &mut [u8], start: usize, seq: u32, prefix: IpNetwork) {
    put(out, start + SEQUENCE, &seq.to_ne_bytes());
    put(out, start + PREFIX_LEN, &[prefix.prefix()]);
    match prefix.network() {
        IpAddr::V4(address) => put(out, start + DESTINATION, &address.octets()),
        IpAddr::V6(address) => put(out, start + DESTINATION, &address.octets()),
    }
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
    address(out, libc::RTA_DST, key.prefix.network());
    attribute(out, libc::RTA_PRIORITY, &key.metric.to_ne_bytes());
    if u8::try_from(key.table).is_err() {
        attribute(out, libc::RTA_TABLE, &key.table.to_ne_bytes());
    }
}

fn options(out: &mut Vec<u8>, options: &RouteOptions) {
    if let Some(source) = options.source {
        address(out, libc::RTA_PREFSRC, source);
    }
    if let Some(mtu) = options.mtu {
        let metrics = begin_attribute(out, libc::RTA_METRICS | NESTED);
        attribute(out, RTAX_MTU, &mtu.get().to_ne_bytes());
        finish_attribute(out, metrics);
    }
}

fn address(out: &mut Vec<u8>, kind: u16, address: IpAddr) {
    match address {
        IpAddr::V4(address) => attribute(out, kind, &address.octets()),
        IpAddr::V6(address) => attribute(out, kind, &address.octets()),
    }
}

fn gateway(out: &mut Vec<u8>, route_is_v6: bool, gateway: Option<IpAddr>) {
    match gateway {
        None => {}
        Some(gateway) if gateway.is_ipv6() == route_is_v6 => address(out, libc::RTA_GATEWAY, gateway),
        // An IPv4 route through an IPv6 neighbour; the reverse is refused by the kernel.
        Some(address) => {
            let start = begin_attribute(out, RTA_VIA);
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
