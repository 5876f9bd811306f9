//! FRR sends and takes VPN routes, labels, flow specifications and Ethernet VPNs.

use crate::routes::reflected;
use crate::speaker::{AS, Speaker, config};
use bgp_core::Family;
use interop::{Net, Node, Peer, Result, Software};
use std::net::IpAddr;

/// It writes the length of these attributes in two octets, whatever it is, marks labels for itself in a reserved bit, and
/// withdraws VPN routes with a label.
const LONG: [&str; 3] = [
    "AS_PATH: a short length in two octets",
    "MP_REACH_NLRI: a short length in two octets",
    "MP_UNREACH_NLRI: a short length in two octets",
];
const MARKED: &str = "a label: reserved bits set";
const VPN_WITHDRAWN: [&str; 2] = ["ipv4-vpn withdrawn: with a label", "ipv6-vpn withdrawn: with a label"];

/// FRR 8 refuses flow specifications with part of an IPv6 address, and ends the session.
const OFFSET: &str = "/48-80";

/// Sessions with clients for `families`, in FRR's words, and `more` lines of the BGP instance.
fn start(node: &Node, clients: &[IpAddr], families: &[&str], more: &str) -> Result<Box<dyn Peer>> {
    let mut text = format!(
        "frr defaults traditional\nrouter bgp {AS}\n bgp router-id {}\n no bgp default ipv4-unicast\n \
         no bgp network import-check\n coalesce-time 50\n",
        node.v4()
    );
    for client in clients {
        text += &format!(
            " neighbor {client} remote-as {AS}\n neighbor {client} passive\n \
             neighbor {client} advertisement-interval 0\n"
        );
    }
    for family in families {
        text += &format!(" address-family {family}\n");
        for client in clients {
            text += &format!("  neighbor {client} activate\n  neighbor {client} route-reflector-client\n");
        }
        text += " exit-address-family\n";
    }
    Software::Frr.start_with(node, &(text + more))
}

/// The actions of flow specifications in its words.
const ACTIONS: &str = "FS:rate 1000.000000 FS:action eval stops FS:redirect VRF RT:64512:7 FS:marking 46";

#[test]
fn frr_reflects() -> Result<()> {
    let families = [
        "ipv4 unicast",
        "ipv6 unicast",
        "ipv4 vpn",
        "ipv6 vpn",
        "ipv4 flowspec",
        "ipv6 flowspec",
        "l2vpn evpn",
    ];
    let known = [
        Family::IPV4_UNICAST,
        Family::IPV6_UNICAST,
        Family::IPV4_VPN,
        Family::IPV6_VPN,
        Family::IPV4_FLOWSPEC,
        Family::IPV6_FLOWSPEC,
        Family::EVPN,
    ];
    let start = |middle: &Node, [a, b]: [&Node; 2]| start(middle, &[a.v4(), b.v4()], &families, "");
    let shown = [
        ("show bgp ipv4 vpn", &["*>i10.3.0.0/18", "EC{64512:7 70000:7} label=1048574"][..]),
        ("show bgp ipv6 vpn", &["*>ifd00:3::/46", "label=1048574"]),
        (
            "show bgp l2vpn evpn",
            &[
                "*>i[1]:[4294967295]:[03:00:00:5e:00:53:01:00:00:0a]",
                "RT:64512:7 RT:70000:7 ESI-label-Rt:SA",
                "*>i[2]:[0]:[48]:[00:00:5e:00:53:01]:[32]:[10.0.0.1]",
                "*>i[2]:[0]:[48]:[00:00:5e:00:53:01]:[128]:[fd00::9]",
                "RT:64512:7 RT:70000:7 ET:8 MM:3, sticky MAC",
                "*>i[3]:[0]:[32]:[10.0.0.1]",
                "*>i[4]:[03:00:00:5e:00:53:01:00:00:0a]:[32]:[10.0.0.1]",
                "ES-Import-Rt:00:00:5e:00:53:01",
                "*>i[5]:[0]:[16]:[10.5.0.0]",
                "*>i[5]:[0]:[48]:[fd00:5::]",
                "RT:64512:7 RT:70000:7 ET:8 Rmac:00:00:5e:00:53:01",
            ],
        ),
        (
            "show bgp ipv4 flowspec detail",
            &["Destination Address 10.4.0.0/16", "Destination Port >= 80 , <= 90 , = 8080", ACTIONS],
        ),
        ("show bgp ipv6 flowspec detail", &["Destination Address fd00:4::/32", "IP Protocol = 6", ACTIONS]),
    ];
    let forms = reflected(known.into_iter().collect(), start, &shown, &[OFFSET])?;
    assert_eq!(forms, [&LONG[..], &VPN_WITHDRAWN, &[MARKED]].concat());
    Ok(())
}

#[test]
fn frr_reflects_labels() -> Result<()> {
    let families = ["ipv4 labeled-unicast", "ipv6 labeled-unicast"];
    let known = [Family::IPV4_LABELED, Family::IPV6_LABELED];
    let start = |middle: &Node, [a, b]: [&Node; 2]| start(middle, &[a.v4(), b.v4()], &families, "");
    let shown = [(
        "show bgp ipv4 labeled-unicast 10.2.0.0/17",
        &["65001 4200000001", "Remote label: 100", "Large Community: 64512:1:2"][..],
    )];
    let forms = reflected(known.into_iter().collect(), start, &shown, &[OFFSET])?;
    assert_eq!(forms, [&LONG[..], &[MARKED]].concat());
    Ok(())
}

/// Routes of its default VRF, exported into a VPN.
const EXPORT: &str = " address-family ipv4 unicast\n  network 10.1.0.0/16 route-map RICH\n  label vpn export 100\n  \
    rd vpn export 64512:7\n  rt vpn export 64512:7 70000:7\n  nexthop vpn export 10.9.0.1\n  export vpn\n exit-address-family\n \
    address-family ipv6 unicast\n  network fd00:1::/48\n  label vpn export 1048575\n  rd vpn export 10.0.0.1:7\n  \
    rt vpn export 10.0.0.1:7\n  nexthop vpn export fd00:9::1\n  export vpn\n exit-address-family\n";

const RICH: &str = "route-map RICH permit 10\n set origin igp\n set metric 5\n set community 64512:9 no-export\n \
    set large-community 64512:1:2\n set as-path prepend 65001 4200000001\n set extcommunity soo 10.0.0.1:9\nexit\n";

/// A VXLAN network with a host behind a port of its bridge.
const VXLAN: &str = "link add br100 type bridge\nlink add vxlan100 type vxlan id 100 local 10.9.0.1 dstport 4789 nolearning\n\
    link add port0 type veth peer name host0\nlink set vxlan100 master br100\nlink set port0 master br100\n\
    link set br100 up\nlink set vxlan100 up\nlink set port0 up\n";

/// A link-local address that is known beforehand: FRR puts it into its next hops.
pub(crate) const LINK_LOCAL: &str = "link set eth0 addrgenmode none\naddress flush dev eth0 scope link\n\
    address add fe80::1/64 dev eth0 nodad\n";

#[test]
fn frr_originates() -> Result<()> {
    let net = Net::new()?;
    let (a, b) = (net.node("a")?, net.node("b")?);
    a.ip_batch(LINK_LOCAL)?;
    a.ip_batch(VXLAN)?;
    a.run(&["bridge", "fdb", "add", "00:00:5e:00:53:01", "dev", "port0", "master", "static"])?;
    let families = ["ipv4 unicast", "ipv6 unicast", "ipv4 vpn", "ipv6 vpn", "l2vpn evpn"];
    let more = format!("{EXPORT} address-family l2vpn evpn\n  advertise-all-vni\n exit-address-family\n");
    let _frr = start(&a, &[b.v4()], &families, &(more + "exit\n" + RICH))?;
    let mut speaker = Speaker::connect(&b, a.v4(), config(&b));
    speaker.established(&net)?;
    let routes = [
        "ipv6 fd00:1::/48 via fd00:9::1 fe80::1: ORIGIN igp, AS_PATH, MULTI_EXIT_DISC 0, LOCAL_PREF 100",
        "ipv6-vpn 10.0.0.1:7:fd00:1::/48 label 1048575 via fd00:9::1 fe80::1: ORIGIN igp, AS_PATH, MULTI_EXIT_DISC 0, LOCAL_PREF 100, EXTENDED_COMMUNITIES rt:10.0.0.1:7",
        "evpn [2]:[0]:[48]:[00:00:5e:00:53:01] rd 10.9.0.1:2 vni 100 via 10.9.0.1: ORIGIN igp, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES encap:vxlan rt:64512:100",
        "evpn [3]:[0]:[32]:[10.9.0.1] rd 10.9.0.1:2 via 10.9.0.1: ORIGIN igp, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES encap:vxlan rt:64512:100, PMSI_TUNNEL ingress-replication 10.9.0.1 label 6 vni 100",
        "ipv4 10.1.0.0/16 via 10.9.0.1: ORIGIN igp, AS_PATH 65001 4200000001, MULTI_EXIT_DISC 5, LOCAL_PREF 100, COMMUNITIES 64512:9 no-export, LARGE_COMMUNITY 64512:1:2, EXTENDED_COMMUNITIES ro:10.0.0.1:9",
        "ipv4-vpn 64512:7:10.1.0.0/16 label 100 via 10.9.0.1: ORIGIN igp, AS_PATH 65001 4200000001, MULTI_EXIT_DISC 5, LOCAL_PREF 100, COMMUNITIES 64512:9 no-export, LARGE_COMMUNITY 64512:1:2, EXTENDED_COMMUNITIES ro:10.0.0.1:9 rt:64512:7 rt:70000:7",
    ];
    speaker.expect(&net, &routes)?;
    assert_eq!(speaker.forms(), LONG[..2]);
    Ok(())
}
