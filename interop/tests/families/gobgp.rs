//! GoBGP originates routes of each family that its command line knows.

use crate::routes::{LABELS_WITHDRAWN, reflected};
use crate::speaker::{AS, Speaker, config};
use bgp_core::fsm::SessionConfig;
use bgp_core::wire::header::MAX_LEN;
use bgp_core::wire::{Destination, Origin, PathAttribute, RouteTargetMembership, encode};
use bgp_core::{Family, FamilySet};
use interop::{Error, Net, Node, Peer, Result, Software};
use std::net::IpAddr;

const FAMILIES: [&str; 12] = [
    "ipv4-unicast",
    "ipv6-unicast",
    "ipv4-labelled-unicast",
    "ipv6-labelled-unicast",
    "l3vpn-ipv4-unicast",
    "l3vpn-ipv6-unicast",
    "rtc",
    "ipv4-flowspec",
    "ipv6-flowspec",
    "l3vpn-ipv4-flowspec",
    "l3vpn-ipv6-flowspec",
    "l2vpn-evpn",
];

/// GoBGP writes and expects all bits of an IPv6 prefix in a flow specification, those too that an offset skips.
const OFFSET: &str = "/48-80";

/// An internal session with each of `neighbors` for all families, and `more` lines of each in the configuration.
pub(crate) fn start(node: &Node, neighbors: &[IpAddr], more: &str) -> Result<Box<dyn Peer>> {
    let mut text = format!("[global.config]\n  as = {AS}\n  router-id = \"{}\"\n", node.v4());
    for neighbor in neighbors {
        text += &format!(
            "[[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"{neighbor}\"\n    peer-as = {AS}\n  \
             [neighbors.transport.config]\n    passive-mode = true\n{more}"
        );
        for family in FAMILIES {
            text += &format!(
                "  [[neighbors.afi-safis]]\n    [neighbors.afi-safis.config]\n      afi-safi-name = \"{family}\"\n"
            );
        }
    }
    Software::GoBgp.start_with(node, &text)
}

/// Each pair is a command for `gobgp` and the line that our speaker tells of what comes; `forms` is what GoBGP writes
/// otherwise than we do.
fn originates(families: FamilySet, routes: &[(&str, &str)], forms: &[&str]) -> Result<()> {
    let net = Net::new()?;
    let (a, b) = (net.node("a")?, net.node("b")?);
    let mut gobgp = start(&a, &[b.v4()], "")?;
    let mut speaker = Speaker::connect(&b, a.v4(), SessionConfig { families, ..config(&b) });
    let agreed = speaker.established(&net)?;
    if agreed.families.contains(Family::ROUTE_TARGET) {
        speaker.send(&wants_all(b.v4())?)?;
    }
    for (command, _) in routes {
        gobgp.command(&command.split(' ').collect::<Vec<_>>())?;
    }
    let lines: Vec<&str> = routes.iter().map(|(_, line)| *line).collect();
    speaker.expect(&net, &lines)?;
    assert_eq!(speaker.forms(), forms);
    Ok(())
}

/// All route targets: else GoBGP sends no route that has one.
fn wants_all(own: IpAddr) -> Result<Vec<u8>> {
    let mut attributes = Vec::new();
    let all =
        [PathAttribute::Origin(Origin::Igp), PathAttribute::AsPath(vec![]), PathAttribute::LocalPref(100)];
    all.iter().for_each(|attribute| attribute.encode(&mut attributes));
    let membership = (None, Destination::RouteTarget(RouteTargetMembership::DEFAULT));
    let mut out = Vec::new();
    encode::announce_destinations(
        &mut out,
        MAX_LEN,
        Family::ROUTE_TARGET,
        &attributes,
        own.into(),
        [membership],
    )
    .map_err(|error| Error::NotSo(error.to_string()))?;
    encode::end_of_rib(&mut out, Family::ROUTE_TARGET);
    Ok(out)
}

#[test]
fn gobgp_originates_unicast_and_labeled() -> Result<()> {
    let routes = [
        (
            "global rib add -a ipv4 10.1.1.0/24 nexthop 10.9.0.1 med 5 community no-export,blackhole,64512:9 large-community 64512:1:2 aigp metric 30",
            "ipv4 10.1.1.0/24 via 10.9.0.1: ORIGIN incomplete, AS_PATH, MULTI_EXIT_DISC 5, LOCAL_PREF 100, COMMUNITIES no-export blackhole 64512:9, AIGP 30, LARGE_COMMUNITY 64512:1:2",
        ),
        (
            "global rib add -a ipv6 fd00:2::/48 nexthop fd00:9::1 origin igp aspath 65001,4200000001 aggregator 65001:10.0.0.1",
            "ipv6 fd00:2::/48 via fd00:9::1: ORIGIN igp, AS_PATH 65001 4200000001, LOCAL_PREF 100, AGGREGATOR 65001 10.0.0.1",
        ),
        (
            "global rib add -a ipv4-mpls 10.3.0.0/16 100 nexthop 10.9.0.1",
            "ipv4-labeled 10.3.0.0/16 label 100 via 10.9.0.1: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100",
        ),
        (
            "global rib add -a ipv6-mpls fd00:3::/48 3 nexthop fd00:9::1",
            "ipv6-labeled fd00:3::/48 label 3 via fd00:9::1: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100",
        ),
    ];
    originates(FamilySet::ALL.without(Family::ROUTE_TARGET), &routes, &[])
}

#[test]
fn gobgp_originates_vpn() -> Result<()> {
    let routes = [
        (
            "global rib add -a vpnv4 10.1.0.0/16 label 100 rd 64512:7 rt 64512:7 nexthop 10.9.0.1 med 5 community 64512:9 large-community 64512:1:2 aigp metric 30",
            "ipv4-vpn 64512:7:10.1.0.0/16 label 100 via 10.9.0.1: ORIGIN incomplete, AS_PATH, MULTI_EXIT_DISC 5, LOCAL_PREF 100, COMMUNITIES 64512:9, EXTENDED_COMMUNITIES rt:64512:7, AIGP 30, LARGE_COMMUNITY 64512:1:2",
        ),
        (
            "global rib add -a vpnv4 10.2.0.0/32 label 16 rd 10.0.0.1:7 rt 10.0.0.1:7 nexthop 10.9.0.1 aspath 65001,4200000001 aggregator 65001:10.0.0.1 origin egp local-pref 50",
            "ipv4-vpn 10.0.0.1:7:10.2.0.0/32 label 16 via 10.9.0.1: ORIGIN egp, AS_PATH 65001 4200000001, LOCAL_PREF 50, AGGREGATOR 65001 10.0.0.1, EXTENDED_COMMUNITIES rt:10.0.0.1:7",
        ),
        (
            "global rib add -a vpnv6 fd00:1::/48 label 1048575 rd 1.4464:7 rt 1.4464:7 nexthop fd00:9::1",
            "ipv6-vpn 70000:7:fd00:1::/48 label 1048575 via fd00:9::1: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES rt:70000:7",
        ),
        (
            "vrf add blue rd 64512:7 rt both 64512:8",
            "route-target 64512:rt:64512:8/96 via 10.9.0.1: ORIGIN igp, AS_PATH, LOCAL_PREF 100",
        ),
    ];
    originates(FamilySet::ALL, &routes, &[])
}

#[test]
fn gobgp_originates_evpn() -> Result<()> {
    let routes = [
        (
            "global rib add -a evpn a-d esi LACP 00:00:5e:00:53:01 258 etag 100 label 200 rd 10.0.0.1:7 rt 64512:7 encap vxlan esi-label 400",
            "evpn [1]:[100]:[lacp/00:00:5e:00:53:01/258] rd 10.0.0.1:7 vni 200 via 10.9.0.1: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES rt:64512:7 encap:vxlan esi-label:25:all-active",
        ),
        (
            "global rib add -a evpn macadv 00:00:5e:00:53:01 10.0.0.9 etag 0 label 100 rd 64512:7 rt 64512:7 encap vxlan router-mac 00:00:5e:00:53:02",
            "evpn [2]:[0]:[48]:[00:00:5e:00:53:01]:[32]:[10.0.0.9] rd 64512:7 vni 100 via 10.9.0.1: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES rt:64512:7 encap:vxlan router-mac:00:00:5e:00:53:02",
        ),
        (
            "global rib add -a evpn macadv 00:00:5e:00:53:03 fd00::9 esi AS 65000 100 etag 5 label 100,200 rd 64512:7 rt 64512:7 default-gateway",
            "evpn [2]:[5]:[48]:[00:00:5e:00:53:03]:[128]:[fd00::9] rd 64512:7 vni 100/200 segment as/65000/100 via 10.9.0.1: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES rt:64512:7 default-gateway default-gateway",
        ),
        (
            "global rib add -a evpn macadv 00:00:5e:00:53:04 0.0.0.0 etag 5 label 100 rd 64512:7 rt 64512:7",
            "evpn [2]:[5]:[48]:[00:00:5e:00:53:04] rd 64512:7 vni 100 via 10.9.0.1: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES rt:64512:7",
        ),
        (
            "global rib add -a evpn multicast 10.0.0.1 etag 0 rd 64512:7 rt 64512:7 encap vxlan pmsi ingress-repl 100 10.0.0.1",
            "evpn [3]:[0]:[32]:[10.0.0.1] rd 64512:7 via 10.9.0.1: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES rt:64512:7 encap:vxlan, PMSI_TUNNEL ingress-replication 10.0.0.1 label 6 vni 100",
        ),
        (
            "global rib add -a evpn multicast fd00::1 etag 0 rd 64512:7 rt 64512:7",
            "evpn [3]:[0]:[128]:[fd00::1] rd 64512:7 via 10.9.0.1: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES rt:64512:7",
        ),
        (
            "global rib add -a evpn esi 10.0.0.1 esi MAC 00:00:5e:00:53:01 10 rd 64512:7 rt 64512:7",
            "evpn [4]:[mac/00:00:5e:00:53:01/10]:[32]:[10.0.0.1] rd 64512:7 via 10.9.0.1: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES rt:64512:7 es-import:00:00:5e:00:53:01",
        ),
        (
            "global rib add -a evpn esi 10.0.0.1 esi ROUTERID 10.0.0.1 10 rd 64512:7 rt 64512:7",
            "evpn [4]:[router/10.0.0.1/10]:[32]:[10.0.0.1] rd 64512:7 via 10.9.0.1: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES rt:64512:7",
        ),
        (
            "global rib add -a evpn prefix 10.4.0.0/16 etag 0 label 100 rd 64512:7 rt 64512:7 encap vxlan router-mac 00:00:5e:00:53:02",
            "evpn [5]:[0]:[16]:[10.4.0.0] rd 64512:7 vni 100 via 10.9.0.1: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES rt:64512:7 encap:vxlan router-mac:00:00:5e:00:53:02",
        ),
        (
            "global rib add -a evpn prefix 10.5.0.0/16 gw 10.0.0.1 etag 0 label 100 rd 64512:7 rt 64512:7",
            "evpn [5]:[0]:[16]:[10.5.0.0] rd 64512:7 vni 100 gateway 10.0.0.1 via 10.9.0.1: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES rt:64512:7",
        ),
        (
            "global rib add -a evpn prefix fd00:4::/48 gw fd00::1 esi 0 etag 0 label 100 rd 64512:7 rt 64512:7",
            "evpn [5]:[0]:[48]:[fd00:4::] rd 64512:7 vni 100 gateway fd00::1 via 10.9.0.1: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES rt:64512:7",
        ),
    ];
    originates(FamilySet::ALL, &routes, &[])
}

#[test]
fn gobgp_originates_flowspec() -> Result<()> {
    let routes = [
        (
            "global rib add -a ipv4-flowspec match destination 10.6.0.0/16 source 10.7.0.0/16 protocol tcp destination-port >=80&<=90 ==8080 tcp-flags =S&!A then rate-limit 1000 as 64512 action sample-terminal mark 46",
            "ipv4-flowspec dst 10.6.0.0/16 src 10.7.0.0/16 proto =6 dport >=80&<=90,=8080 tcp-flags all(syn)&!any(ack) via none: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES traffic-rate-bytes:64512:1000 traffic-action:sample,terminal traffic-marking:46",
        ),
        (
            "global rib add -a ipv4-flowspec match destination 10.8.0.0/16 fragment =is-fragment icmp-type ==8 icmp-code ==0 dscp ==46 packet-length >=1500 then redirect 64512:7",
            "ipv4-flowspec dst 10.8.0.0/16 icmp-type =8 icmp-code =0 length >=1500 dscp =46 fragment all(isf) via none: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES redirect:64512:7",
        ),
        (
            "global rib add -a ipv4-flowspec match port ==53 source-port >1024 then discard",
            "ipv4-flowspec port =53 sport >1024 via none: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES traffic-rate-bytes:0:0",
        ),
        (
            "global rib add -a ipv6-flowspec match destination fd00:5::/64 source fd00:6::/48 label ==70000 protocol udp then redirect 10.0.0.1:7",
            "ipv6-flowspec dst fd00:5::/64 src fd00:6::/48 proto =17 flow-label =70000 via none: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES redirect:10.0.0.1:7",
        ),
        (
            "global rib add -a ipv6-flowspec match destination fd00:5::/64 then redirect fd00::1:7",
            "ipv6-flowspec dst fd00:5::/64 via none: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, IPV6_EXTENDED_COMMUNITIES 0x800bfd0000000000000000000000000000010007",
        ),
        (
            "global rib add -a ipv4-l3vpn-flowspec rd 64512:7 match destination 10.6.0.0/16 then redirect 1.4464:7 rt 64512:7",
            "ipv4-vpn-flowspec dst 10.6.0.0/16 rd 64512:7 via none: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES redirect:70000:7 rt:64512:7",
        ),
        (
            "global rib add -a ipv6-l3vpn-flowspec rd 10.0.0.1:7 match destination fd00:6::/48 then accept rt 64512:7",
            "ipv6-vpn-flowspec dst fd00:6::/48 rd 10.0.0.1:7 via none: ORIGIN incomplete, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES rt:64512:7",
        ),
    ];
    originates(FamilySet::ALL.without(Family::ROUTE_TARGET), &routes, &[])
}

const CLIENT: &str = "  [neighbors.route-reflector.config]\n    route-reflector-client = true\n    \
    route-reflector-cluster-id = \"10.9.0.1\"\n";

#[test]
fn gobgp_reflects() -> Result<()> {
    let start = |middle: &Node, [a, b]: [&Node; 2]| start(middle, &[a.v4(), b.v4()], CLIENT);
    let shown = [
        ("global rib -a ipv6-mpls", &["fd00:2::/47          [100]      fd00:9::2"][..]),
        ("global rib -a vpnv4", &["10.0.0.1:7:10.3.0.0/18 [1048574]", "{Extcomms: [64512:7], [1.4464:7]}"]),
        (
            "global rib -a evpn",
            &[
                "[type:A-D][rd:10.0.0.1:7][esi:ESI_MAC | system mac 00:00:5e:00:53:01, local discriminator 10][etag:4294967295]",
                "[esi-label: 1600, single-active]",
                "[type:macadv][rd:10.0.0.1:7][etag:0][mac:00:00:5e:00:53:01][ip:10.0.0.1]",
                "[VXLAN], [mac-mobility: 3, sticky]",
                "[type:multicast][rd:10.0.0.1:7][etag:0][ip:10.0.0.1]",
                "{Pmsi: type: ingress-repl, label: 100, tunnel-id: 10.9.0.2}",
                "[es-import rt: 00:00:5e:00:53:01]",
                "[type:Prefix][rd:10.0.0.1:7][etag:0][prefix:fd00:5::/48]",
                "[VXLAN], [router's mac: 00:00:5e:00:53:01]",
            ],
        ),
        (
            "global rib -a ipv4-flowspec",
            &[
                "[destination: 10.4.0.0/16][protocol: ==tcp][destination-port: >=80&<=90 ==8080][tcp-flags: =S&!A]",
                "[rate: 1000.000000(as: 64512)], [action: sample], [redirect: 64512:7], [remark: 46]",
            ],
        ),
        ("global rib -a ipv6-l3vpn-flowspec", &["[rd: 10.0.0.1:7][destination: fd00:4::/32/0]"]),
    ];
    let forms = reflected(FamilySet::ALL.without(Family::ROUTE_TARGET), start, &shown, &[OFFSET])?;
    assert_eq!(forms, LABELS_WITHDRAWN);
    Ok(())
}

/// Alone: with route targets negotiated, GoBGP holds back the routes of the other families that have none.
#[test]
fn gobgp_reflects_route_targets() -> Result<()> {
    let start = |middle: &Node, [a, b]: [&Node; 2]| start(middle, &[a.v4(), b.v4()], CLIENT);
    let shown = [("global rib -a rtc", &["64512:64512:7"][..])];
    let forms = reflected(FamilySet::EMPTY.with(Family::ROUTE_TARGET), start, &shown, &[])?;
    assert!(forms.is_empty(), "{forms:?}");
    Ok(())
}
