//! BIRD sends and takes VPN routes, labels and flow specifications.

use crate::routes::{LABELS_WITHDRAWN, reflected};
use crate::speaker::{AS, Speaker, config};
use bgp_core::Family;
use interop::{Net, Node, Peer, Result, Software};
use std::net::IpAddr;

/// Channels of a session and their tables: all families that BIRD 2 has.
const CHANNELS: [(&str, &str); 8] = [
    ("ipv4", "master4"),
    ("ipv6", "master6"),
    ("ipv4 mpls", "labeled4"),
    ("ipv6 mpls", "labeled6"),
    ("vpn4 mpls", "vpn4tab"),
    ("vpn6 mpls", "vpn6tab"),
    ("flow4", "flow4tab"),
    ("flow6", "flow6tab"),
];

/// What all configurations begin with. Next hops are resolved by the connected routes.
const TABLES: &str = "log stderr all;\n\
    ipv4 table labeled4; ipv6 table labeled6; vpn4 table vpn4tab; vpn6 table vpn6tab;\n\
    flow4 table flow4tab; flow6 table flow6tab;\n\
    protocol device {}\nprotocol direct { ipv4; ipv6; interface \"eth0\"; }\n";

/// An internal session with a client.
fn session(local: IpAddr, neighbor: IpAddr) -> String {
    let name = neighbor.to_string().replace(['.', ':'], "_");
    let mut text = format!(
        "protocol bgp n{name} {{ local {local} as {AS}; neighbor {neighbor} as {AS}; rr client; passive;\n"
    );
    for (channel, table) in CHANNELS {
        let igp = if channel.contains('4') { "master4" } else { "master6" };
        let igp = if channel.starts_with("flow") { String::new() } else { format!("igp table {igp};") };
        text += &format!(
            "  {channel} {{ table {table}; {igp} import all; export where source ~ [RTS_STATIC, RTS_BGP]; }};\n"
        );
    }
    text + "}\n"
}

/// BIRD with these protocols.
pub(crate) fn start(node: &Node, sessions: &str, routes: &str) -> Result<Box<dyn Peer>> {
    let text = format!("{TABLES}router id {};\n{routes}{sessions}", node.v4());
    Software::Bird.start_with(node, &text)
}

/// It writes the length of these two in two octets, whatever it is.
const LONG_MP_REACH: &str = "MP_REACH_NLRI: a short length in two octets";
const LONG_MP_UNREACH: &str = "MP_UNREACH_NLRI: a short length in two octets";

/// Routes of every family.
const ROUTES: &str = "\
protocol static { ipv4; route 10.1.1.0/24 via 10.9.0.1 { bgp_med = 5; bgp_community.add((64512, 9)); }; }
protocol static { ipv6; route fd00:2::/48 via fd00:9::1 { bgp_large_community.add((64512, 1, 2)); }; }
protocol static { ipv4 { table labeled4; }; route 10.3.0.0/16 via 10.9.0.1 mpls 100; }
protocol static { ipv6 { table labeled6; }; route fd00:3::/48 via fd00:9::1 mpls 3; }
protocol static { vpn4 { table vpn4tab; };
  route 64512:7 10.1.0.0/16 via 10.9.0.1 mpls 100 { bgp_ext_community.add((rt, 64512, 7)); };
  route 70000:7 10.2.0.0/16 via 10.9.0.1 mpls 1048575 { bgp_ext_community.add((ro, 70000, 7)); bgp_path.prepend(4200000001); };
}
protocol static { vpn6 { table vpn6tab; };
  route 10.0.0.1:7 fd00:1::/48 via fd00:9::1 mpls 16 { bgp_ext_community.add((rt, 10.0.0.1, 7)); };
}
protocol static { flow4 { table flow4tab; };
  route flow4 { dst 10.6.0.0/16; src 10.7.0.0/16; proto = 6; dport 80..90, 8080; tcp flags 0x2/0x12; }
    { bgp_ext_community.add((generic, 0x80060000, 0x447a0000)); };
  route flow4 { dst 10.8.0.0/16; icmp type 8; icmp code 0; length > 1500; dscp = 46; fragment is_fragment; };
}
protocol static { flow6 { table flow6tab; };
  route flow6 { dst fd00:5:6:7::/64 offset 32; next header 17; label 7; };
}
";

#[test]
fn bird_originates() -> Result<()> {
    let net = Net::new()?;
    let (a, b) = (net.node("a")?, net.node("b")?);
    let _bird = start(&a, &session(a.v4(), b.v4()), ROUTES)?;
    let mut speaker = Speaker::connect(&b, a.v4(), config(&b));
    speaker.established(&net)?;
    let routes = [
        "ipv4 10.1.1.0/24 via 10.9.0.1: ORIGIN igp, AS_PATH, MULTI_EXIT_DISC 5, LOCAL_PREF 100, COMMUNITIES 64512:9",
        "ipv6 fd00:2::/48 via fd00:9::1: ORIGIN igp, AS_PATH, LOCAL_PREF 100, LARGE_COMMUNITY 64512:1:2",
        "ipv4-labeled 10.3.0.0/16 label 100 via 10.9.0.1: ORIGIN igp, AS_PATH, LOCAL_PREF 100",
        "ipv6-labeled fd00:3::/48 label 3 via fd00:9::1: ORIGIN igp, AS_PATH, LOCAL_PREF 100",
        "ipv4-vpn 70000:7:10.2.0.0/16 label 1048575 via 10.9.0.1: ORIGIN igp, AS_PATH 4200000001, LOCAL_PREF 100, EXTENDED_COMMUNITIES ro:70000:7",
        "ipv4-vpn 64512:7:10.1.0.0/16 label 100 via 10.9.0.1: ORIGIN igp, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES rt:64512:7",
        "ipv6-vpn 10.0.0.1:7:fd00:1::/48 label 16 via fd00:9::1: ORIGIN igp, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES rt:10.0.0.1:7",
        "ipv4-flowspec dst 10.6.0.0/16 src 10.7.0.0/16 proto =6 dport >=80&<=90,=8080 tcp-flags all(syn)&!any(ack) via none: ORIGIN igp, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES traffic-rate-bytes:0:1000",
        "ipv4-flowspec dst 10.8.0.0/16 icmp-type =8 icmp-code =0 length >1500 dscp =46 fragment all(isf) via none: ORIGIN igp, AS_PATH, LOCAL_PREF 100",
        "ipv6-flowspec dst 0:0:6:7::/32-64 proto =17 flow-label =7 via none: ORIGIN igp, AS_PATH, LOCAL_PREF 100",
    ];
    speaker.expect(&net, &routes)?;
    assert_eq!(speaker.forms(), [LONG_MP_REACH]);
    Ok(())
}

#[test]
fn bird_reflects() -> Result<()> {
    let start = |middle: &Node, [a, b]: [&Node; 2]| {
        let sessions = [a, b].map(|node| session(middle.v4(), node.v4()));
        start(middle, &sessions.concat(), "")
    };
    let families = [
        Family::IPV4_UNICAST,
        Family::IPV6_UNICAST,
        Family::IPV4_LABELED,
        Family::IPV6_LABELED,
        Family::IPV4_VPN,
        Family::IPV6_VPN,
        Family::IPV4_FLOWSPEC,
        Family::IPV6_FLOWSPEC,
    ];
    let shown = [
        ("show route all table labeled6", &["fd00:2::/47", "via fd00:9::2 on eth0 mpls 100"][..]),
        (
            "show route all table vpn4tab",
            &["10.0.0.1:7 10.3.0.0/18", "via 10.9.0.2 on eth0 mpls 1048574", "(rt, 64512, 7) (rt, 70000, 7)"],
        ),
        ("show route all table vpn6tab", &["10.0.0.1:7 fd00:3::/46", "via fd00:9::2 on eth0 mpls 1048574"]),
        (
            "show route all table flow4tab",
            &[
                "flow4 { dst 10.4.0.0/16; proto 6; dport 80..90,8080; tcp flags 0x2/0x2 && 0x0/0x10; }",
                "(generic, 0x8006fc00, 0x447a0000) (generic, 0x80070000, 0x2)",
            ],
        ),
        (
            "show route all table flow6tab",
            &[
                "flow6 { dst fd00:4::/32; next header 6;",
                "flow6 { dst ::4:5:0:0:0/80 offset 48; next header 6;",
            ],
        ),
    ];
    let forms = reflected(families.into_iter().collect(), start, &shown, &[])?;
    let withdrawn = LABELS_WITHDRAWN.map(str::to_owned);
    assert_eq!(forms, [&[LONG_MP_REACH, LONG_MP_UNREACH].map(str::to_owned)[..], &withdrawn].concat());
    Ok(())
}
