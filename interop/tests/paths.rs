//! What is on a route, with each router: our own AS, another neighbour's path as good, the members of a confederation, the speed
//! of a link, more than a message holds.

#![cfg(test)]

use interop::{
    Announcement, Neighbor, Net, Node, Peer, Result, SeenRoute, Setup, Software, ensure, flaps, holds_for,
    reload,
};
use std::time::Duration;

interop::feature_tests! {
    "allow-own-as": brings_a_route_back_that_has_been_ours [all];
    "multipath-relax": shares_the_load_with_one_of_another_as [all];
    "confederation": is_the_other_member_of_a_confederation [bird frr gobgp];
    "bandwidth-to": is_told_how_fast_a_link_is [all];
    "bandwidth-from": tells_how_fast_a_link_is [bird frr gobgp exabgp];
    "extended-messages": exchanges_routes_of_more_than_4096_octets [bird frr exabgp];
    "long-routes": is_not_sent_what_no_message_holds [all];
}

const OWN: u32 = 64512;
const OTHER: u32 = 65001;
const OURS: &str = "10.42.1.0/26";
const THEIRS: &str = "10.50.1.0/24";

fn prefixes(peer: &mut dyn Peer) -> Result<Vec<String>> {
    let mut prefixes: Vec<String> = peer.routes()?.into_iter().map(|route| route.prefix).collect();
    prefixes.sort();
    Ok(prefixes)
}

fn has_prefixes(net: &Net, peer: &mut dyn Peer, expected: &[&str]) -> Result<()> {
    net.eventually(&format!("{} has {expected:?}", peer.name()), || {
        let seen = prefixes(peer)?;
        ensure(seen == expected, || format!("it has {seen:?}"))
    })
}

fn route(peer: &mut dyn Peer, prefix: &str) -> Result<SeenRoute> {
    let found = peer.routes()?.into_iter().find(|route| route.prefix == prefix);
    found.ok_or_else(|| interop::Error::NotSo(format!("{} has no route to {prefix}", peer.name())))
}

/// An AS path that begins with the router's own AS where the router does not put it there.
fn path(router: Software, behind: &[u32]) -> Vec<u32> {
    let own: &[u32] = if router == Software::ExaBgp { &[OTHER] } else { &[] };
    [own, behind].concat()
}

const LOOPED: &str = "10.42.9.0/26";

/// BIRD, FRR and OpenBGPD have the route from another router of our AS; GoBGP sends it to none, and ExaBGP passes nothing on:
/// they announce it themselves.
fn brings_a_route_back_that_has_been_ours(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (ours, theirs, origin) = (net.node("ours")?, net.node("theirs")?, net.node("origin")?);
    // OpenBGPD and ExaBGP cannot be asked for their routes again.
    let neighbor = Neighbor::new(theirs.v4(), OTHER).extra("keep-received = true\n");
    let mut daemon = Software::RouteReflector.start(&ours, &Setup::new(OWN).neighbor(neighbor))?;
    let also_ours = Setup::new(OWN).neighbor(Neighbor::new(theirs.v4(), OTHER)).announce(LOOPED);
    let _origin = Software::RouteReflector.start(&origin, &also_ours)?;
    let setup = Setup::new(OTHER).neighbor(Neighbor::new(ours.v4(), OWN)).announce(THEIRS);
    let passes_on = ![Software::GoBgp, Software::ExaBgp].contains(&router);
    let setup = match passes_on {
        true => setup.neighbor(Neighbor::new(origin.v4(), OWN)),
        false => setup.announce(Announcement::new(LOOPED).as_path(&path(router, &[OWN]))),
    };
    let _peer = router.start(&theirs, &setup)?;
    has_prefixes(&net, daemon.as_mut(), &[THEIRS])?;
    net.eventually("the route with our AS is there, and not taken", || {
        let shown = daemon.command(&["routes", "rejected"])?;
        ensure(shown.contains(LOOPED), || shown)
    })?;
    let allow = |config: &str| config.replacen("keep-received", "allow-own-as = 1\nkeep-received", 1);
    reload(&ours, daemon.as_mut(), allow)?;
    has_prefixes(&net, daemon.as_mut(), &[LOOPED, THEIRS])?;
    let looped = route(daemon.as_mut(), LOOPED)?;
    ensure(looped.as_path == format!("{OTHER} {OWN}"), || format!("{looped}"))?;
    ensure(flaps(daemon.as_mut())? == 0, || "the session was lost")
}

/// The gateways of a prefix in a node's kernel.
fn gateways(node: &Node, prefix: &str) -> Result<Vec<String>> {
    let routes = node.routes()?.into_iter();
    Ok(routes.filter(|route| route.prefix == prefix).flat_map(|route| route.gateways).collect())
}

fn goes_by(net: &Net, node: &Node, prefix: &str, expected: &[&Node]) -> Result<()> {
    let expected: Vec<String> = expected.iter().map(|node| node.v4().to_string()).collect();
    net.eventually(&format!("{prefix} goes by {expected:?}"), || {
        let seen = gateways(node, prefix)?;
        ensure(seen == expected, || format!("it goes by {seen:?}"))
    })
}

/// A speaker with a neighbour of each of two ASes.
fn speaker(node: &Node, [a, b]: [&Node; 2], relax: bool) -> Result<Box<dyn Peer>> {
    let setup = Setup::new(OWN)
        .neighbor(Neighbor::new(a.v4(), OTHER))
        .neighbor(Neighbor::new(b.v4(), OTHER + 1))
        .extra(&format!("[decision]\nmultipath-relax = {relax}\n"));
    Software::Speaker.start(node, &setup)
}

fn shares_the_load_with_one_of_another_as(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (lax, strict, a, b) = (net.node("lax")?, net.node("strict")?, net.node("a")?, net.node("b")?);
    let _lax = speaker(&lax, [&a, &b], true)?;
    let mut second = speaker(&strict, [&a, &b], false)?;
    let up = |asn| {
        let to = |node: &Node| Neighbor::new(node.v4(), OWN);
        Setup::new(asn).neighbor(to(&lax)).neighbor(to(&strict)).announce(THEIRS)
    };
    let _a = router.start(&a, &up(OTHER))?;
    let mut router_b = router.start(&b, &up(OTHER + 1))?;
    goes_by(&net, &lax, THEIRS, &[&a, &b])?;
    net.eventually("the other speaker has both paths, too", || {
        let hops = second.next_hops(THEIRS)?;
        ensure(hops.len() == 2, || format!("{hops:?}"))
    })?;
    holds_for(Duration::from_secs(1), || {
        let used = gateways(&strict, THEIRS)?;
        ensure(used.len() == 1, || format!("it uses {used:?}, though they are of two ASes"))
    })?;
    router_b.kill();
    goes_by(&net, &lax, THEIRS, &[&a])?;
    goes_by(&net, &strict, THEIRS, &[&a])
}

const CONFEDERATION: u32 = 65000;
const MEMBER: u32 = 65101;
const OTHER_MEMBER: u32 = 65102;
const WORLD: u32 = 64999;

/// What makes a router of AS 65102 a member, beside the AS 65101.
fn member(router: Software, neighbor: Neighbor) -> Setup {
    let setup = Setup::new(OTHER_MEMBER);
    match router {
        Software::Bird => {
            let native = format!("confederation {CONFEDERATION}; confederation member yes;");
            setup.neighbor(neighbor.native(&native))
        }
        Software::Frr => setup.neighbor(neighbor).native(&format!(
            "bgp confederation identifier {CONFEDERATION}\nbgp confederation peers {MEMBER}"
        )),
        _ => setup.neighbor(neighbor).native(&format!(
            "[global.confederation.config]\n  enabled = true\n  identifier = {CONFEDERATION}\n  \
             member-as-list = [{MEMBER}]"
        )),
    }
}

fn is_the_other_member_of_a_confederation(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (ours, theirs, outside) = (net.node("ours")?, net.node("theirs")?, net.node("outside")?);
    let keys =
        format!("confederation-id = {CONFEDERATION}\nconfederation-members = [{MEMBER}, {OTHER_MEMBER}]\n");
    let setup = Setup::new(MEMBER)
        .keys(&keys)
        .neighbor(Neighbor::new(theirs.v4(), OTHER_MEMBER))
        .neighbor(Neighbor::new(outside.v4(), WORLD));
    let mut daemon = Software::RouteReflector.start(&ours, &setup.announce(OURS))?;
    let far = Setup::new(WORLD).neighbor(Neighbor::new(ours.v4(), CONFEDERATION)).announce("10.60.0.0/16");
    let mut world = Software::RouteReflector.start(&outside, &far)?;
    let to_us = Neighbor::new(ours.v4(), MEMBER);
    let mut peer =
        router.start(&theirs, &member(router, to_us).announce(Announcement::new(THEIRS).med(7)))?;
    let expect = |peer: &mut dyn Peer, prefix: &str, path: &str| {
        net.eventually(&format!("{} has {prefix} by {path}", peer.name()), || {
            let seen = route(peer, prefix)?;
            ensure(seen.as_path == path, || format!("{seen}"))?;
            Ok(seen)
        })
    };
    let inside = expect(daemon.as_mut(), THEIRS, &format!("({OTHER_MEMBER})"))?;
    // Among members both go with a route, as within an AS; GoBGP sends no LOCAL_PREF to another member.
    let local_pref = (router != Software::GoBgp).then_some(100);
    ensure((inside.local_pref, inside.med) == (local_pref, Some(7)), || format!("{inside}"))?;
    expect(peer.as_mut(), OURS, &format!("({MEMBER})"))?;
    let through = expect(peer.as_mut(), "10.60.0.0/16", &format!("({MEMBER}) {WORLD}"))?;
    ensure(through.local_pref == Some(100), || format!("{through}"))?;
    for prefix in [OURS, THEIRS] {
        let seen = expect(world.as_mut(), prefix, &CONFEDERATION.to_string())?;
        ensure((seen.local_pref, seen.med) == (None, None), || format!("{seen}"))?;
    }
    Ok(())
}

const FAST: &str = r#"
[[filters]]
name = "fast"
otherwise = "accept"
[[filters.terms]]
set-link-bandwidth = "10G"
"#;

/// How a router shows 10 Gbit/s by AS 64512: 1,250,000,000 octets, as a floating-point number 0x4e9502f9.
fn ten_gigabits(router: Software) -> (&'static [&'static str], &'static str) {
    match router {
        Software::Bird => (&["show", "route", OURS, "all"], "(unknown 0x4, 64512, 1318388473)"),
        Software::Frr => (&["show bgp ipv4 unicast 10.42.1.0/26 json"], "LB:64512:1250000000"),
        Software::GoBgp => (&["-j", "global", "rib", OURS], "\"asn\":64512,\"bandwidth\":1250000000"),
        Software::OpenBgpd => (&["show", "rib", "detail", OURS], "[4] 64512:1318388473"),
        // 0x0004fc004e9502f9
        _ => (&[], "1402978155430649"),
    }
}

fn is_told_how_fast_a_link_is(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (ours, theirs) = (net.node("ours")?, net.node("theirs")?);
    let neighbor = Neighbor::new(theirs.v4(), OTHER);
    let setup = Setup::new(OWN).neighbor(neighbor).announce(OURS).extra(FAST);
    let mut daemon = Software::RouteReflector.start(&ours, &setup)?;
    let mut peer = router.start(&theirs, &Setup::new(OTHER).neighbor(Neighbor::new(ours.v4(), OWN)))?;
    has_prefixes(&net, peer.as_mut(), &[OURS])?;
    reload(&ours, daemon.as_mut(), |config| config.replacen("export = \"accept\"", "export = \"fast\"", 1))?;
    let (shows, speed) = ten_gigabits(router);
    net.eventually("it knows how fast our link is", || {
        let said = if shows.is_empty() { peer.log() } else { peer.command(shows)? };
        ensure(said.contains(speed), || said)
    })
}

fn tells_how_fast_a_link_is(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (ours, a, b) = (net.node("ours")?, net.node("a")?, net.node("b")?);
    let _speaker = speaker(&ours, [&a, &b], true)?;
    let up = |asn, mbits| {
        let announcement = Announcement::new(THEIRS).bandwidth(mbits);
        Setup::new(asn).neighbor(Neighbor::new(ours.v4(), OWN)).announce(announcement)
    };
    let _a = router.start(&a, &up(OTHER, 10_000))?;
    let _b = router.start(&b, &up(OTHER + 1, 1_000))?;
    net.eventually("the kernel has 10 to 1", || {
        let shown = ours.run(&["ip", "route", "show", THEIRS])?;
        let has = |node: &Node, weight: &str| {
            let by = format!("via {} ", node.v4());
            shown.lines().any(|line| line.contains(&by) && line.trim_end().ends_with(weight))
        };
        ensure(has(&a, "weight 10") && has(&b, "weight 1"), || shown.clone())
    })
}

/// Of four octets each: more than a message of 4,096 octets has room for.
const COMMUNITIES: u16 = 1100;

/// A filter that adds them all.
fn long() -> String {
    let all: Vec<String> = (0..COMMUNITIES).map(|number| format!("\"{OWN}:{number}\"")).collect();
    format!(
        "[[filters]]\nname = \"long\"\notherwise = \"accept\"\n[[filters.terms]]\nadd-communities = [{}]\n",
        all.join(", ")
    )
}

fn has_long_route(net: &Net, peer: &mut dyn Peer, prefix: &str) -> Result<()> {
    net.eventually(&format!("{} has {prefix} with all communities", peer.name()), || {
        let seen = route(peer, prefix)?.communities.len();
        ensure(seen == usize::from(COMMUNITIES), || format!("it has {seen}"))
    })
}

/// Our long route goes to the router, and by it to another of ours; ExaBGP, which passes nothing on, has a long one of its own.
fn exchanges_routes_of_more_than_4096_octets(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (ours, theirs, beyond) = (net.node("ours")?, net.node("theirs")?, net.node("beyond")?);
    let setup = Setup::new(OWN).neighbor(Neighbor::new(theirs.v4(), OTHER)).announce(OURS).extra(&long());
    let mut daemon = Software::RouteReflector.start(&ours, &setup)?;
    let last = Setup::new(OWN + 1).neighbor(Neighbor::new(theirs.v4(), OTHER));
    let mut last = Software::RouteReflector.start(&beyond, &last)?;
    let native = if router == Software::Bird { "enable extended messages yes;" } else { "" };
    let to = |node: &Node, asn| Neighbor::new(node.v4(), asn).native(native);
    let setup = Setup::new(OTHER).neighbor(to(&ours, OWN)).neighbor(to(&beyond, OWN + 1));
    let passes_on = router != Software::ExaBgp;
    let setup = match passes_on {
        true => setup,
        false => setup.announce((0..COMMUNITIES).fold(Announcement::new(THEIRS), |announcement, number| {
            announcement.community(OWN as u16, number)
        })),
    };
    let mut peer = router.start(&theirs, &setup)?;
    has_prefixes(&net, peer.as_mut(), &[OURS])?;
    reload(&ours, daemon.as_mut(), |config| config.replacen("export = \"accept\"", "export = \"long\"", 1))?;
    // BIRD's command line shows the first few.
    if router != Software::Bird {
        has_long_route(&net, peer.as_mut(), OURS)?;
    }
    has_long_route(&net, last.as_mut(), if passes_on { OURS } else { THEIRS })
}

/// The others come and go as ever.
fn is_not_sent_what_no_message_holds(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (ours, theirs) = (net.node("ours")?, net.node("theirs")?);
    let neighbor = Neighbor::new(theirs.v4(), OTHER).extra("extended-message = false\n");
    let long = long().replace("add-communities", "prefixes = [\"10.42.1.0/26\"]\nadd-communities");
    let setup = Setup::new(OWN).neighbor(neighbor).announce(OURS).announce("10.42.2.0/26").extra(&long);
    let mut daemon = Software::RouteReflector.start(&ours, &setup)?;
    let mut peer = router.start(&theirs, &Setup::new(OTHER).neighbor(Neighbor::new(ours.v4(), OWN)))?;
    has_prefixes(&net, peer.as_mut(), &[OURS, "10.42.2.0/26"])?;
    reload(&ours, daemon.as_mut(), |config| config.replacen("export = \"accept\"", "export = \"long\"", 1))?;
    has_prefixes(&net, peer.as_mut(), &["10.42.2.0/26"])?;
    daemon.command(&["announce", "10.42.3.0/26"])?;
    has_prefixes(&net, peer.as_mut(), &["10.42.2.0/26", "10.42.3.0/26"])?;
    reload(&ours, daemon.as_mut(), |config| config.replacen("export = \"long\"", "export = \"accept\"", 1))?;
    has_prefixes(&net, peer.as_mut(), &[OURS, "10.42.2.0/26", "10.42.3.0/26"])?;
    ensure(flaps(daemon.as_mut())? == 0, || "the session was lost")
}
