//! Netlink bytes, both ways.
//!
//! All numbers are in the machine's byte order, addresses excepted; everything is aligned to 4 bytes.

mod decode;
mod encode;
mod nexthop;

pub(crate) use decode::{CutRoute, KernelRoute, Message, Messages, cut_route, parse_answer, parse_route};
pub(crate) use encode::{
    RouteKey, add_flags, begin, delete_route, finish, new_route, patch_route, route_dump,
};
pub(crate) use nexthop::{
    KernelNexthop, Nexthop, Nexthops, RTM_DELNEXTHOP, RTM_NEWNEXTHOP, RTNLGRP_NEXTHOP, delete_nexthop,
    new_nexthop, nexthop_dump, parse_nexthop,
};

use crate::forwarding::Way;

const ALIGN: usize = 4;
/// A hop's flag: the kernel does not check that its gateway is on a connected network.
const RTNH_F_ONLINK: u32 = 4;
/// A gateway of another family (`linux/rtnetlink.h`); libc knows it for glibc only.
const RTA_VIA: u16 = 18;

/// An encapsulation of the route's own.
const RTA_ENCAP: u16 = 22;
/// The nexthop object that has the hops.
const RTA_NH_ID: u16 = 30;
/// In RTA_METRICS (`linux/rtnetlink.h`).
const RTAX_MTU: u16 = 2;

/// `rtm_scope` of an IPv4 route: the destinations are on the link if there is no gateway. IPv6 ignores it.
fn scope(way: &Way) -> u8 {
    match way {
        Way::Via(hops) if hops.iter().all(|hop| hop.gateway.is_none()) => libc::RT_SCOPE_LINK,
        _ => libc::RT_SCOPE_UNIVERSE,
    }
}

const AF_UNSPEC: u8 = libc::AF_UNSPEC as u8;
pub(crate) const AF_INET: u8 = libc::AF_INET as u8;
pub(crate) const AF_INET6: u8 = libc::AF_INET6 as u8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forwarding::{Forwarding, Hop};
    use crate::route::RouteOptions;

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
        let on_link = Hop { gateway: None, ..hop("10.0.0.1", 3, 1) };
        let cases = [
            ("10.1.0.0/16", Way::Via(vec![hop("10.0.0.1", 3, 1)])),
            ("10.1.0.0/16", Way::Via(vec![hop("10.0.0.1", 3, 1), hop("10.0.0.2", 4, 256)])),
            ("10.1.0.0/16", Way::Via(vec![hop("fd00::1", 3, 1)])),
            ("10.1.0.1/32", Way::Via(vec![on_link])),
            ("fd01::/64", Way::Via(vec![hop("fd00::1", 3, 2), hop("fd00::2", 3, 3)])),
            ("fd01::1/128", Way::Via(vec![on_link])),
            ("0.0.0.0/0", Way::Blackhole),
            ("::/0", Way::Blackhole),
            ("::/0", Way::Unreachable),
        ];
        let options = RouteOptions { source: "10.0.0.9".parse().ok(), mtu: std::num::NonZeroU32::new(1400) };
        for (prefix, way) in cases {
            for (table, options) in [(254, RouteOptions::default()), (1000, options)] {
                let route = round_trip(prefix, table, &Forwarding { options, ..way.clone().into() });
                assert_eq!((route.way, route.table, route.metric), (way.clone(), table, 1024));
                assert_eq!((route.prefix, route.embellished), (prefix.parse().unwrap(), false));
                assert_eq!((route.options, route.object), (options, None));
            }
        }
        let to = Forwarding { object: std::num::NonZeroU32::new(7), ..Way::Via(Vec::new()).into() };
        assert_eq!(round_trip("10.1.0.0/16", 254, &to).object, to.object);
    }

    #[test]
    fn a_message_patched_with_another_prefix_is_that_of_the_other_and_cut_alike() {
        let to = Forwarding::from(Way::Via(vec![hop("10.0.0.1", 3, 1)]));
        let (mut one, mut other) = (Vec::new(), Vec::new());
        new_route(&mut one, 1, 0, &key("10.1.0.0/16"), &to);
        new_route(&mut other, 2, 0, &key("10.2.3.0/24"), &to);
        assert_eq!(cut_route(&one[16..]).unwrap().parts, cut_route(&other[16..]).unwrap().parts);
        patch_route(&mut one, 0, 2, "10.2.3.0/24".parse().unwrap());
        assert_eq!(one, other);
        assert_eq!(cut_route(&one[16..]).unwrap().prefix.to_string(), "10.2.3.0/24");
    }

    #[test]
    fn cut_messages_are_no_routes() {
        let mut out = Vec::new();
        new_route(&mut out, 1, 0, &key("10.1.0.0/16"), &Way::Via(vec![hop("10.0.0.1", 3, 1)]).into());
        for len in 0..out.len() {
            assert!(Messages(&out[..len]).next().is_none());
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic() {
        // Every single-byte change of a message with every kind of attribute.
        let mut out = Vec::new();
        let hops = vec![hop("10.0.0.1", 3, 1), hop("fd00::2", 4, 9)];
        new_route(&mut out, 1, 0, &RouteKey { table: 1000, ..key("10.1.0.0/16") }, &Way::Via(hops).into());
        for at in 0..out.len() {
            for value in [0, 1, 3, 7, 0x7f, 0xff] {
                let mut changed = out.clone();
                changed[at] = value;
                for message in Messages(&changed).take(1000) {
                    let _ = (parse_route(message.body), parse_answer(&message), cut_route(message.body));
                }
            }
        }
    }
}
