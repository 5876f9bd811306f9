//! ExaBGP announces what routers do not: segment identifiers, AS sets, an attribute that nobody has defined, VPN routes
//! and plain ones of IPv4 by way of IPv6.

use crate::speaker::{AS, Speaker, config, offered};
use bgp_core::fsm::SessionConfig;
use bgp_core::{Family, FamilySet};
use interop::{Net, Result};

const ENVIRONMENT: &str = "[exabgp.daemon]\nuser = 'root'\ndaemonize = false\n[exabgp.api]\ncli = false\n\
    [exabgp.log]\ndestination = 'stdout'\n";

const STATIC: &str = "
    route 10.1.0.0/16 next-hop 10.9.0.1 aigp 30 community [ 64512:9 no-export ] large-community [ 64512:1:2 ] as-path [ 65001 4200000001 ( 65002 65003 ) ] atomic-aggregate aggregator ( 65001:10.0.0.1 );
    route 10.2.0.0/16 next-hop 10.9.0.1 attribute [ 0x99 0xe0 0x00000064 ];
    route 10.3.0.0/16 next-hop fd00:9::1;
    route fd00:1::/48 next-hop fd00:9::1 extended-community [ 0x030b000000000005 origin:64512:9 ];
    route 10.4.0.0/16 next-hop 10.9.0.1 label [ 100 ] bgp-prefix-sid [ 777 ];
    route 10.5.0.0/16 next-hop 10.9.0.1 label [ 101 ] bgp-prefix-sid [ 300, [ ( 16000,4096 ), ( 1000000,5000 ) ] ];
    route fd00:2::/48 next-hop fd00:9::1 label [ 102 ];
    route 10.6.0.0/16 rd 64512:7 next-hop fd00:9::1 extended-community [ target:64512:7 ] label 3;
    route fd00:3::/48 rd 10.0.0.1:7 next-hop fd00:9::1 extended-community [ target:64512:7 ] label 1048575 originator-id 10.0.0.5 cluster-list [ 10.0.0.6 10.0.0.7 ];
";

const FLOW: &str = "
    route one { match { source 10.0.0.9/32; destination 10.7.0.0/16; port [ =80 =8080 ]; destination-port [ >8080&<8088 =3128 ]; protocol [ udp tcp ]; tcp-flags [ SYN RST&FIN&!=push ]; } then { redirect 64512:7; } }
    route two { match { packet-length [ >200&<300 >400&<500 ]; fragment [ last-fragment ]; dscp [ 46 ]; } then { mark 10; action sample-terminal; rate-limit 9600; } }
    route three { rd 64512:7; match { destination 10.8.0.0/16; } then { discard; extended-community [ target:64512:7 ]; } }
    route four { match { destination 10.10.0.0/16; } then { redirect 10.9.0.1; } }
    route five { match { destination 10.11.0.0/16; } then { copy 10.9.0.1; } }
    route six { match { source fd00:6::/48; destination fd00:5::/64; next-header udp; traffic-class 46; flow-label 70000; } then { discard; } }
";

/// A redirection to an address has that in the next hop, which RFC 8955 section 4 has ignored.
const FORMS: [&str; 1] = ["ipv4-flowspec next hop: 0a090001, not "];

#[test]
fn exabgp_announces() -> Result<()> {
    let net = Net::new()?;
    let (a, b) = (net.node("a")?, net.node("b")?);
    let text = format!(
        "neighbor {} {{ router-id 10.9.0.1; local-address {}; local-as {AS}; peer-as {AS}; group-updates false;\n\
         capability {{ graceful-restart 200; nexthop enable; route-refresh enable; operational disable; }}\n\
         family {{ ipv4 unicast; ipv6 unicast; ipv4 nlri-mpls; ipv6 nlri-mpls; ipv4 mpls-vpn; ipv6 mpls-vpn; ipv4 flow; ipv6 flow; ipv4 flow-vpn; ipv6 flow-vpn; }}\n\
         nexthop {{ ipv4 unicast ipv6; ipv4 mpls-vpn ipv6; }}\nstatic {{{STATIC}}}\nflow {{{FLOW}}}\n}}\n",
        b.v4(),
        a.v4()
    );
    let configuration = a.write("exabgp.conf", &text)?.display().to_string();
    let environment = a.write("exabgp.env", ENVIRONMENT)?.display().to_string();
    let extended = SessionConfig { extended_next_hop: FamilySet::ALL, ..config(&b) };
    let mut speaker = Speaker::listen(&b, extended)?;
    let _exabgp = a.spawn("exabgp", &["--env", &environment, &configuration])?;
    let agreed = speaker.established(&net)?;
    let offers = |text: &str| agreed.peer_capabilities.iter().any(|offer| offer.to_string() == text);
    assert!(offers("extended-next-hop ipv4/next-hop-afi2 ipv4-vpn/next-hop-afi2"));
    assert_eq!(agreed.extended_next_hop, [Family::IPV4_UNICAST, Family::IPV4_VPN].into_iter().collect());
    assert_eq!(offered(&agreed).graceful_restart().map(|restart| restart.families.len()), Some(10));
    let routes = [
        "ipv4 10.1.0.0/16 via 10.9.0.1: ORIGIN igp, AS_PATH 65001 4200000001 {65002 65003}, LOCAL_PREF 100, ATOMIC_AGGREGATE, AGGREGATOR 65001 10.0.0.1, COMMUNITIES 64512:9 no-export, AIGP 30, LARGE_COMMUNITY 64512:1:2",
        "ipv4 10.2.0.0/16 via 10.9.0.1: ORIGIN igp, AS_PATH, LOCAL_PREF 100, 153 00000064",
        "ipv4 10.3.0.0/16 via fd00:9::1: ORIGIN igp, AS_PATH, LOCAL_PREF 100",
        "ipv6-labeled fd00:2::/48 label 102 via fd00:9::1: ORIGIN igp, AS_PATH, LOCAL_PREF 100",
        "ipv6 fd00:1::/48 via fd00:9::1: ORIGIN igp, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES color:5 ro:64512:9",
        "ipv4-labeled 10.4.0.0/16 label 100 via 10.9.0.1: ORIGIN igp, AS_PATH, LOCAL_PREF 100, PREFIX_SID label-index 777",
        "ipv4-labeled 10.5.0.0/16 label 101 via 10.9.0.1: ORIGIN igp, AS_PATH, LOCAL_PREF 100, PREFIX_SID label-index 300; srgb 16000-20095 1000000-1004999",
        "ipv4-vpn 64512:7:10.6.0.0/16 label 3 via fd00:9::1: ORIGIN igp, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES rt:64512:7",
        "ipv6-vpn 10.0.0.1:7:fd00:3::/48 label 1048575 via fd00:9::1: ORIGIN igp, AS_PATH, LOCAL_PREF 100, ORIGINATOR_ID 10.0.0.5, CLUSTER_LIST 10.0.0.6 10.0.0.7, EXTENDED_COMMUNITIES rt:64512:7",
        "ipv4-flowspec dst 10.7.0.0/16 src 10.0.0.9/32 proto =17,=6 port =80,=8080 dport >8080&<8088,=3128 tcp-flags any(syn),any(rst)&any(fin)&!all(psh) via none: ORIGIN igp, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES redirect:64512:7",
        "ipv4-flowspec length >200&<300,>400&<500 dscp =46 fragment any(lf) via none: ORIGIN igp, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES traffic-marking:10 traffic-action:sample,terminal traffic-rate-bytes:0:9600",
        "ipv4-vpn-flowspec dst 10.8.0.0/16 rd 64512:7 via none: ORIGIN igp, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES traffic-rate-bytes:0:0 rt:64512:7",
        "ipv4-flowspec dst 10.10.0.0/16 via none: ORIGIN igp, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES 0x0800000000000000",
        "ipv4-flowspec dst 10.11.0.0/16 via none: ORIGIN igp, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES 0x0800000000000001",
        "ipv6-flowspec dst fd00:5::/64 src fd00:6::/48 proto =17 dscp =46 flow-label =70000 via none: ORIGIN igp, AS_PATH, LOCAL_PREF 100, EXTENDED_COMMUNITIES traffic-rate-bytes:0:0",
    ];
    speaker.expect(&net, &routes)?;
    assert_eq!(speaker.forms(), FORMS);
    Ok(())
}
