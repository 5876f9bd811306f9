//! What routers offer in their OPEN when all of it is configured, and what that does to their routes.

use crate::bird;
use crate::exact::Seen;
use crate::frr::LINK_LOCAL;
use crate::gobgp;
use crate::speaker::{AS, Speaker, config, offered};
use bgp_core::fsm::{Negotiated, SessionConfig};
use bgp_core::wire::Capability;
use bgp_core::wire::capability::{GracefulRestart, LongLived, RestartFamily, Role};
use bgp_core::{Asn, Family, FamilySet};
use interop::{Net, Node, Result, Software};

/// The AS of our speaker: roles are told to other ASes only.
const OWN: u32 = 64513;

/// A session with another AS that offers everything.
fn everything(node: &Node) -> SessionConfig {
    let family = |family| RestartFamily { family, forwarding: true };
    let long_lived = |family| LongLived { family, forwarding: false, stale_time: 3600 };
    let both = [Family::IPV4_UNICAST, Family::IPV6_UNICAST];
    SessionConfig {
        local_as: Asn(OWN),
        peer_as: Some(Asn(AS)),
        role: Some(Role::Customer),
        graceful_restart: Some(GracefulRestart {
            notification: true,
            restart_time: 300,
            families: both.map(family).to_vec(),
            ..GracefulRestart::default()
        }),
        long_lived: Some(both.map(long_lived).to_vec()),
        add_path_receive: FamilySet::UNICAST,
        add_path_send: FamilySet::UNICAST,
        extended_next_hop: FamilySet::ALL,
        enhanced_refresh: true,
        ..config(node)
    }
}

/// What the peer offers as text. Its host's name is not told.
fn offers(agreed: &Negotiated) -> Vec<String> {
    let text = |capability: &Capability| match capability {
        Capability::Fqdn { .. } => "fqdn".to_owned(),
        other => other.to_string(),
    };
    agreed.peer_capabilities.iter().map(text).collect()
}

/// What follows from offering [`everything`] to a router that offers it too.
fn everything_is_agreed(agreed: &Negotiated) {
    assert!(
        agreed.four_octet_as && agreed.extended_message && agreed.route_refresh && agreed.enhanced_refresh
    );
    assert_eq!(agreed.peer_role, Some(Role::Provider));
    assert_eq!((agreed.add_path_receive, agreed.add_path_send), (FamilySet::UNICAST, FamilySet::UNICAST));
    assert_eq!(agreed.extended_next_hop, FamilySet::EMPTY.with(Family::IPV4_UNICAST));
    assert!(agreed.peer_sends_end_of_rib());
    let long_lived = offered(agreed).long_lived().iter().map(|entry| (entry.family, entry.stale_time));
    assert_eq!(long_lived.collect::<Vec<_>>(), [(Family::IPV4_UNICAST, 3600), (Family::IPV6_UNICAST, 3600)]);
}

/// Waits for these routes with path identifiers, `N` in the lines, and for the end of them.
fn has_with_paths(net: &Net, speaker: &mut Speaker, lines: [&str; 2]) -> Result<()> {
    speaker.end_of_rib(net, &[Family::IPV4_UNICAST, Family::IPV6_UNICAST])?;
    let mut routes = speaker.routes(net, |routes| routes.len() == lines.len())?;
    routes.sort_by_key(|route| route.family);
    let line = |route: &Seen| route.line.replacen(&format!(" path {} ", route.path_id.0), " path N ", 1);
    assert_eq!(routes.iter().map(line).collect::<Vec<_>>(), lines);
    assert!(routes.iter().all(|route| route.path_id.0 != 0));
    Ok(())
}

#[test]
fn frr_agrees_on_everything() -> Result<()> {
    let net = Net::new()?;
    let (a, b) = (net.node("a")?, net.node("b")?);
    a.ip_batch(LINK_LOCAL)?;
    let text = format!(
        "frr defaults traditional\nrouter bgp {AS}\n bgp router-id {}\n no bgp default ipv4-unicast\n \
         no bgp ebgp-requires-policy\n no bgp network import-check\n coalesce-time 50\n bgp graceful-restart\n \
         bgp graceful-restart restart-time 200\n bgp graceful-restart notification\n \
         bgp long-lived-graceful-restart stale-time 3600\n neighbor {peer} remote-as {OWN}\n neighbor {peer} passive\n \
         neighbor {peer} local-role provider\n neighbor {peer} capability extended-nexthop\n \
         address-family ipv4 unicast\n  network 10.1.0.0/16\n  neighbor {peer} activate\n  \
         neighbor {peer} addpath-tx-all-paths\n  neighbor {peer} capability orf prefix-list both\n exit-address-family\n \
         address-family ipv6 unicast\n  network fd00:1::/48\n  neighbor {peer} activate\n  \
         neighbor {peer} addpath-tx-all-paths\n exit-address-family\nexit\n",
        a.v4(),
        peer = b.v6(),
    );
    let _frr = Software::Frr.start_with(&a, &text)?;
    let mut speaker = Speaker::connect(&b, a.v6(), everything(&b));
    let agreed = speaker.established(&net)?;
    let open = [
        "multiprotocol ipv4",
        "extended-next-hop ipv4/next-hop-afi2",
        "multiprotocol ipv6",
        "route-refresh-cisco",
        "route-refresh",
        "enhanced-route-refresh",
        "four-octet-as 64512",
        "extended-message",
        "role provider",
        "add-path ipv4/both ipv6/both",
        "outbound-route-filtering-cisco ipv4/address-prefix-cisco:both",
        "outbound-route-filtering ipv4/address-prefix:both",
        "fqdn",
        "graceful-restart 200s restarted notification ipv4 ipv6",
        "long-lived-graceful-restart ipv4/3600s/forwarding ipv6/3600s/forwarding",
    ];
    assert_eq!(offers(&agreed), open);
    everything_is_agreed(&agreed);
    let routes = [
        "ipv4 10.1.0.0/16 path N via fd00:9::1 fe80::1: ORIGIN igp, AS_PATH 64512, MULTI_EXIT_DISC 0, ONLY_TO_CUSTOMER 64512",
        "ipv6 fd00:1::/48 path N via fd00:9::1 fe80::1: ORIGIN igp, AS_PATH 64512, MULTI_EXIT_DISC 0, ONLY_TO_CUSTOMER 64512",
    ];
    has_with_paths(&net, &mut speaker, routes)
}

#[test]
fn bird_agrees_on_everything() -> Result<()> {
    let net = Net::new()?;
    let (a, b) = (net.node("a")?, net.node("b")?);
    a.ip_batch(LINK_LOCAL)?;
    let session = format!(
        "protocol bgp up {{ local {} as {AS}; neighbor {} as {OWN}; passive; local role provider; \
         graceful restart on; graceful restart time 200; long lived graceful restart on; long lived stale time 3600; \
         enable extended messages on; advertise hostname on;\n  \
         ipv4 {{ import all; export where source = RTS_STATIC; next hop self; extended next hop on; add paths on; }};\n  \
         ipv6 {{ import all; export where source = RTS_STATIC; next hop self; add paths on; }};\n}}\n",
        a.v6(),
        b.v6()
    );
    let routes = "protocol static { ipv4; route 10.1.0.0/16 blackhole; }\n\
         protocol static { ipv6; route fd00:1::/48 blackhole; }\n";
    let _bird = bird::start(&a, &session, routes)?;
    let mut speaker = Speaker::connect(&b, a.v6(), everything(&b));
    let agreed = speaker.established(&net)?;
    let open = [
        "multiprotocol ipv4",
        "multiprotocol ipv6",
        "route-refresh",
        "extended-next-hop ipv4/next-hop-afi2",
        "extended-message",
        "role provider",
        "graceful-restart 200s ipv4 ipv6",
        "four-octet-as 64512",
        "add-path ipv4/both ipv6/both",
        "enhanced-route-refresh",
        "long-lived-graceful-restart ipv4/3600s ipv6/3600s",
        "fqdn",
    ];
    assert_eq!(offers(&agreed), open);
    everything_is_agreed(&agreed);
    let routes = [
        "ipv4 10.1.0.0/16 path N via fd00:9::1 fe80::1: ORIGIN igp, AS_PATH 64512, ONLY_TO_CUSTOMER 64512",
        "ipv6 fd00:1::/48 path N via fd00:9::1 fe80::1: ORIGIN igp, AS_PATH 64512, ONLY_TO_CUSTOMER 64512",
    ];
    has_with_paths(&net, &mut speaker, routes)
}

#[test]
fn gobgp_offers_everything() -> Result<()> {
    let net = Net::new()?;
    let (a, b) = (net.node("a")?, net.node("b")?);
    let more = "  [neighbors.graceful-restart.config]\n    enabled = true\n    restart-time = 200\n    \
                notification-enabled = true\n    long-lived-enabled = true\n  \
                [neighbors.add-paths.config]\n    receive = true\n    send-max = 8\n";
    let _gobgp = gobgp::start(&a, &[b.v4()], more)?;
    let internal = SessionConfig { local_as: Asn(AS), role: None, ..everything(&b) };
    let mut speaker = Speaker::connect(&b, a.v4(), internal);
    let agreed = speaker.established(&net)?;
    let families = Family::KNOWN.map(|(family, _)| family);
    let open = [
        "route-refresh",
        "fqdn",
        "four-octet-as 64512",
        "graceful-restart 200s notification",
        "long-lived-graceful-restart",
    ];
    let paths = format!("add-path {}", families.map(|family| format!("{family}/both")).join(" "));
    let offers = offers(&agreed);
    for expected in open
        .into_iter()
        .map(str::to_owned)
        .chain([paths])
        .chain(families.map(|f| format!("multiprotocol {f}")))
    {
        assert!(offers.contains(&expected), "{expected} is none of {offers:?}");
    }
    assert!(
        offers.iter().any(|offer| offer.starts_with("extended-next-hop ipv4/next-hop-afi2 ")),
        "{offers:?}"
    );
    assert_eq!((agreed.add_path_receive, agreed.add_path_send), (FamilySet::UNICAST, FamilySet::UNICAST));
    Ok(())
}
