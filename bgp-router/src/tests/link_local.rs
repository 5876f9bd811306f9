//! Sessions over link-local addresses, and IPv4 routes with IPv6 next hops (RFC 8950).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_core::wire::capability::ExtendedNextHop;
use bgp_core::wire::{Capability, DecodeContext, Destination, MessageType, NextHop, UpdateView, encode};
use bgp_core::{Family, FamilySet, PeerKind, Prefix, link_local};
use bgp_rib::{FibChange, FibNextHop, NextHopSource, NextHopState, RibConfig, Watch};

use super::rig::*;
use crate::{LocalAddresses, PeerSettings};

const OURS: &str = "fe80::fe";
const THEIRS: &str = "fe80::1";
const GLOBAL: &str = "2001:db8::1";

fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// A neighbour as it is on a link.
fn on(link: u32, text: &str) -> IpAddr {
    link_local::on(v6(text), link.try_into().ok()).into()
}

fn extended() -> Capability {
    let next_hop_afi = Family::IPV6_UNICAST.afi;
    Capability::ExtendedNextHop(vec![ExtendedNextHop { family: Family::IPV4_UNICAST, next_hop_afi }])
}

fn rig() -> Rig {
    Rig::with(RibConfig { next_hops: NextHopSource::Tracked, multipath: 4, fib: true, ..rib_config() })
}

/// A session with an eBGP peer on a link; `extended`: the peer takes IPv6 next hops for IPv4.
fn neighbor(rig: &mut Rig, number: u8, link: u32, takes: bool) -> usize {
    let settings = PeerSettings { address: on(link, THEIRS), extended_next_hop: true, ..external(number) };
    let index = rig.add(settings);
    rig.sides[index].router_id = Ipv4Addr::new(10, 0, 0, number).into();
    rig.sides[index].local = LocalAddresses::new(on(link, OURS), Some([192, 0, 2, 9].into()));
    rig.sides[index].offers = if takes { vec![extended()] } else { Vec::new() };
    rig.establish(index);
    index
}

/// An UPDATE of AS 65000 + `number` with this next hop.
fn announce_with(number: u8, prefix: &str, next_hop: NextHop) -> Vec<u8> {
    let block = attributes(&[65000 + u32::from(number)], &[]);
    let (family, destination) = match prefix.parse().unwrap() {
        Prefix::V4(prefix) => (Family::IPV4_UNICAST, Destination::Prefix(prefix.into())),
        Prefix::V6(prefix) => (Family::IPV6_UNICAST, Destination::Prefix(prefix.into())),
    };
    let mut out = Vec::new();
    encode::announce_destinations(&mut out, 4096, family, &block, next_hop, [(None, destination)]).unwrap();
    out
}

fn fib(rig: &mut Rig) -> BTreeMap<Prefix, Vec<FibNextHop>> {
    let mut changes: Vec<FibChange> = Vec::new();
    rig.core.take_fib_changes(usize::MAX, &mut changes);
    changes.into_iter().map(|change| (change.prefix, change.next_hops)).collect()
}

fn reach(rig: &mut Rig, state: NextHopState) -> Vec<IpAddr> {
    let now = rig.now;
    let mut asked = Vec::new();
    while let Some(watch) = rig.core.poll_watch() {
        if let Watch::Start(address) = watch {
            rig.core.next_hop_changed(now, address, state);
            asked.push(address);
        }
    }
    rig.settle();
    asked
}

const UP: NextHopState = NextHopState::Reachable { metric: 0 };

/// The next hops that the far end was sent, of both families.
fn sent(rig: &Rig, index: usize) -> BTreeMap<Family, IpAddr> {
    let context = DecodeContext {
        extended_next_hop: FamilySet::EMPTY.with(Family::IPV4_UNICAST),
        ..DecodeContext::new(PeerKind::External, both())
    };
    let mut hops = BTreeMap::new();
    for (kind, body) in rig.sides[index].messages() {
        if kind == MessageType::Update {
            let view = UpdateView::parse(&body, &context).unwrap();
            assert!(view.mp_reach().is_none() || view.next_hop().is_none(), "NEXT_HOP beside MP_REACH_NLRI");
            hops.extend(view.mp_reach().map(|reach| (reach.family, reach.next_hop.address().unwrap())));
            hops.extend(view.next_hop().map(|hop| (Family::IPV4_UNICAST, hop.into())));
        }
    }
    hops
}

#[test]
fn every_form_of_a_link_local_next_hop_is_the_neighbor_on_the_link_of_the_session() {
    let forms = [
        NextHop::from(IpAddr::from(v6(THEIRS))),
        NextHop::with_link_local(v6(THEIRS), v6(THEIRS)),
        NextHop::with_link_local(Ipv6Addr::UNSPECIFIED, v6(THEIRS)),
        NextHop::with_link_local(v6(GLOBAL), v6(THEIRS)),
        NextHop::from(on(77, THEIRS)),
    ];
    for next_hop in forms {
        let mut rig = rig();
        let peer = neighbor(&mut rig, 1, 3, true);
        for prefix in ["10.1.0.0/16", "2001:db8:1::/48"] {
            rig.hear(peer, &announce_with(1, prefix, next_hop));
        }
        assert_eq!(reach(&mut rig, UP), [on(3, THEIRS)], "{next_hop}");
        let hop = FibNextHop { link: Some(3), ..FibNextHop::new(v6(THEIRS).into()) };
        let expected = ["10.1.0.0/16", "2001:db8:1::/48"].map(|prefix| (prefix.parse().unwrap(), vec![hop]));
        assert_eq!(fib(&mut rig), expected.into(), "{next_hop}");
    }
}

#[test]
fn the_same_address_on_two_links_is_two_next_hops() {
    let mut rig = rig();
    let first = neighbor(&mut rig, 1, 3, true);
    let second = neighbor(&mut rig, 1, 4, true);
    for peer in [first, second] {
        rig.hear(peer, &announce_with(1, "10.1.0.0/16", NextHop::from(IpAddr::from(v6(THEIRS)))));
    }
    assert_eq!(reach(&mut rig, UP).len(), 2);
    let links: Vec<_> = fib(&mut rig).into_values().flatten().map(|hop| hop.link).collect();
    assert_eq!(links, [Some(3), Some(4)]);
    let now = rig.now;
    rig.core.next_hop_changed(now, on(3, THEIRS), NextHopState::Unreachable);
    rig.settle();
    let links: Vec<_> = fib(&mut rig).into_values().flatten().map(|hop| hop.link).collect();
    assert_eq!(links, [Some(4)]);
}

#[test]
fn a_link_that_is_down_is_not_replaced_by_a_default_route() {
    let mut rig = rig();
    let peer = neighbor(&mut rig, 1, 3, true);
    rig.hear(peer, &announce_with(1, "::/0", NextHop::from(IpAddr::from(v6(GLOBAL)))));
    assert_eq!(reach(&mut rig, UP), [IpAddr::from(v6(GLOBAL))]);
    rig.hear(peer, &announce_with(1, "2001:db8:1::/48", NextHop::from(IpAddr::from(v6(THEIRS)))));
    reach(&mut rig, NextHopState::Unreachable);
    assert_eq!(fib(&mut rig).keys().map(ToString::to_string).collect::<Vec<_>>(), ["::/0"]);
}

#[test]
fn routes_go_to_a_neighbor_with_our_link_local_address_without_its_link() {
    let mut rig = rig();
    let (source, target) = (neighbor(&mut rig, 1, 3, true), neighbor(&mut rig, 2, 4, true));
    for prefix in ["10.1.0.0/16", "2001:db8:1::/48"] {
        rig.hear(source, &announce_with(1, prefix, NextHop::from(IpAddr::from(v6(THEIRS)))));
    }
    reach(&mut rig, UP);
    let ours = IpAddr::from(v6(OURS));
    let expected = [(Family::IPV4_UNICAST, ours), (Family::IPV6_UNICAST, ours)];
    assert_eq!(sent(&rig, target), expected.into());
    rig.hear(source, &withdraw("10.1.0.0/16"));
    assert_eq!(rig.sides[target].routes(), [prefix("2001:db8:1::/48")].into());
}

#[test]
fn a_neighbor_without_rfc_8950_is_sent_an_ipv4_next_hop() {
    let mut rig = rig();
    let (source, target) = (neighbor(&mut rig, 1, 3, true), neighbor(&mut rig, 2, 4, false));
    rig.hear(source, &announce_with(1, "10.1.0.0/16", NextHop::from(IpAddr::from(v6(THEIRS)))));
    reach(&mut rig, UP);
    assert_eq!(sent(&rig, target), [(Family::IPV4_UNICAST, IpAddr::from([192, 0, 2, 9]))].into());
}

#[test]
fn inside_the_as_we_stand_in_for_a_neighbor_on_our_link() {
    let mut rig = rig();
    let source = neighbor(&mut rig, 1, 3, true);
    let inside = rig.up(client(2));
    for prefix in ["10.1.0.0/16", "2001:db8:1::/48"] {
        rig.hear(source, &announce_with(1, prefix, NextHop::from(IpAddr::from(v6(THEIRS)))));
    }
    reach(&mut rig, UP);
    let expected =
        [(Family::IPV4_UNICAST, IpAddr::from(OUR_ADDRESS)), (Family::IPV6_UNICAST, v6("fd00::fe").into())];
    assert_eq!(sent(&rig, inside), expected.into());
}

#[test]
fn a_link_local_next_hop_over_a_session_of_global_addresses_has_no_link() {
    let mut rig = rig();
    let peer = rig.up(external(1));
    rig.hear(peer, &announce_with(1, "2001:db8:1::/48", NextHop::from(on(77, THEIRS))));
    assert_eq!(reach(&mut rig, NextHopState::Unreachable), [IpAddr::from(v6(THEIRS))]);
    assert!(fib(&mut rig).is_empty());
}
