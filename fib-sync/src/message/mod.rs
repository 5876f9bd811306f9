//! Netlink bytes, both ways.
//!
//! All numbers are in the machine's byte order, addresses excepted; everything is aligned to 4 bytes.

mod decode;
mod encode;

pub(crate) use decode::{KernelRoute, Message, Messages, parse_answer, parse_route};
pub(crate) use encode::{RouteKey, add_flags, begin, delete_route, finish, new_route, route_dump};

const ALIGN: usize = 4;
/// A hop's flag: the kernel does not check that its gateway is on a connected network.
const RTNH_F_ONLINK: u32 = 4;
/// A gateway of another family (`linux/rtnetlink.h`); libc knows it for glibc only.
const RTA_VIA: u16 = 18;

pub(crate) const AF_INET: u8 = libc::AF_INET as u8;
pub(crate) const AF_INET6: u8 = libc::AF_INET6 as u8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Forwarding, Hop};

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
                    let _ = (parse_route(message.body), parse_answer(&message));
                }
            }
        }
    }
}
