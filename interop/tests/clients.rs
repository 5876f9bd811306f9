//! Each router as a client of the route reflector.

use interop::{
    Announcement, Neighbor, Net, Node, Peer, Result, SeenRoute, Setup, Software, ensure, expect_routes,
};
use std::time::Duration;

const AS: u32 = 64512;

interop::feature_tests! {
    "reflection": sees_the_other_clients_routes_reflected [all];
    "ipv6-session": sees_ipv6_routes_over_an_ipv6_session [all];
    "md5": is_accepted_from_a_range_with_a_key [all];
    "md5": stays_down_with_a_wrong_key [all];
    "death": loses_the_routes_of_a_client_that_died [all];
    "max-prefix": is_dropped_when_it_announces_too_much [all];
    "shutdown-text": is_told_why_the_session_ends [bird frr gobgp openbgpd];
}

/// The reflector in the middle and two nodes for clients.
fn nodes(net: &Net) -> Result<[Node; 3]> {
    Ok([net.node("rr")?, net.node("a")?, net.node("b")?])
}

fn reflector(rr: &Node, clients: impl IntoIterator<Item = Neighbor>) -> Result<Box<dyn Peer>> {
    let setup = clients.into_iter().fold(Setup::new(AS), |setup, client| setup.neighbor(client.client()));
    Software::RouteReflector.start(rr, &setup)
}

fn client(rr: &Node, announcements: &[Announcement]) -> Setup {
    let setup = Setup::new(AS).neighbor(Neighbor::new(rr.v4(), AS));
    announcements.iter().cloned().fold(setup, Setup::announce)
}

fn plain(prefix: &str) -> Announcement {
    Announcement::new(prefix).med(1)
}

fn established(net: &Net, peer: &mut dyn Peer, neighbor: std::net::IpAddr) -> Result<()> {
    let what = format!("{} has a session with {neighbor}", peer.name());
    net.eventually(&what, || ensure(peer.is_established(neighbor)?, || "not established"))
}

fn sees_the_other_clients_routes_reflected(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, b] = nodes(&net)?;
    let mut middle = reflector(&rr, [Neighbor::new(a.v4(), AS), Neighbor::new(b.v4(), AS)])?;
    // OpenBGPD announces no prefix with another AS's path.
    let path: &[u32] = if router == Software::OpenBgpd { &[] } else { &[65001, 4_200_000_001] };
    let rich = |prefix| Announcement::new(prefix).as_path(path).med(7).community(64512, 9).large(64512, 1, 2);
    let (of_a, of_b) =
        ([rich("10.42.1.0/26"), rich("fd00:42:1::/64")], [plain("10.42.2.0/26"), plain("fd00:42:2::/64")]);
    let mut peer_a = router.start(&a, &client(&rr, &of_a))?;
    let mut peer_b = router.start(&b, &client(&rr, &of_b))?;

    let seen_a = [of_a[0].seen_internally(a.v4()), of_a[1].seen_internally(a.v6())];
    let seen_b = [of_b[0].seen_internally(b.v4()), of_b[1].seen_internally(b.v6())];
    expect_routes(&net, middle.as_mut(), &[seen_a.clone(), seen_b.clone()].concat())?;
    expect_routes(&net, peer_b.as_mut(), &seen_a.map(|route| route.reflected(a.v4(), rr.v4())))?;
    expect_routes(&net, peer_a.as_mut(), &seen_b.map(|route| route.reflected(b.v4(), rr.v4())))
}

fn sees_ipv6_routes_over_an_ipv6_session(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, b] = nodes(&net)?;
    let _middle = reflector(&rr, [Neighbor::new(a.v6(), AS), Neighbor::new(b.v6(), AS)])?;
    let of_a = plain("fd00:42:1::/64");
    let up = Setup::new(AS).neighbor(Neighbor::new(rr.v6(), AS));
    let _peer_a = router.start(&a, &up.clone().announce(of_a.clone()))?;
    let mut peer_b = router.start(&b, &up)?;
    expect_routes(&net, peer_b.as_mut(), &[of_a.seen_internally(a.v6()).reflected(a.v4(), rr.v4())])
}

fn is_accepted_from_a_range_with_a_key(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, b] = nodes(&net)?;
    let _middle = reflector(&rr, [Neighbor::range("10.9.0.0/24", AS).password("secret")])?;
    let of_a = plain("10.42.1.0/26");
    let up = Setup::new(AS).neighbor(Neighbor::new(rr.v4(), AS).password("secret"));
    let _peer_a = router.start(&a, &up.clone().announce(of_a.clone()))?;
    let mut peer_b = router.start(&b, &up)?;
    expect_routes(&net, peer_b.as_mut(), &[of_a.seen_internally(a.v4()).reflected(a.v4(), rr.v4())])
}

fn stays_down_with_a_wrong_key(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, b] = nodes(&net)?;
    let clients =
        [Neighbor::new(a.v4(), AS).password("secret"), Neighbor::new(b.v4(), AS).password("secret")];
    let mut middle = reflector(&rr, clients)?;
    let with_key = |key| Setup::new(AS).neighbor(Neighbor::new(rr.v4(), AS).password(key));
    let mut wrong = router.start(&a, &with_key("another"))?;
    let mut right = router.start(&b, &with_key("secret"))?;
    established(&net, right.as_mut(), rr.v4())?;
    // The right one took so long; the wrong one gets three more attempts.
    interop::holds_for(Duration::from_secs(3), || {
        ensure(!wrong.is_established(rr.v4())?, || "established with a wrong key")?;
        ensure(!middle.is_established(a.v4())?, || "the reflector took a wrong key")
    })
}

fn loses_the_routes_of_a_client_that_died(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, b] = nodes(&net)?;
    let _middle = reflector(&rr, [Neighbor::new(a.v4(), AS), Neighbor::new(b.v4(), AS)])?;
    let (of_a, of_b) = ([plain("10.42.1.0/26"), plain("fd00:42:1::/64")], [plain("10.42.2.0/26")]);
    let mut peer_a = router.start(&a, &client(&rr, &of_a))?;
    let mut peer_b = router.start(&b, &client(&rr, &of_b))?;
    let reflected = |seen: SeenRoute| seen.reflected(a.v4(), rr.v4());
    let seen = [reflected(of_a[0].seen_internally(a.v4())), reflected(of_a[1].seen_internally(a.v6()))];
    expect_routes(&net, peer_b.as_mut(), &seen)?;
    peer_a.kill();
    expect_routes(&net, peer_b.as_mut(), &[])?;
    ensure(peer_b.is_established(rr.v4())?, || "the other client's session fell too")
}

fn is_dropped_when_it_announces_too_much(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, b] = nodes(&net)?;
    let mut middle = reflector(&rr, [Neighbor::new(a.v4(), AS).max_prefix(2), Neighbor::new(b.v4(), AS)])?;
    let within = [plain("10.42.1.0/26"), plain("10.42.1.64/26")];
    let beyond = [plain("10.42.2.0/26"), plain("10.42.2.64/26"), plain("10.42.2.128/26")];
    let mut peer_b = router.start(&b, &client(&rr, &within))?;
    established(&net, peer_b.as_mut(), rr.v4())?;
    let _peer_a = router.start(&a, &client(&rr, &beyond))?;
    net.eventually("the limit is reached", || {
        let shown = middle.command(&["peer", &a.v4().to_string()])?.to_lowercase();
        ensure(shown.contains("maximum number of prefixes"), || shown)
    })?;
    expect_routes(&net, peer_b.as_mut(), &[])?;
    ensure(peer_b.is_established(rr.v4())?, || "the other client's session fell too")
}

fn is_told_why_the_session_ends(router: Software) -> Result<()> {
    let net = Net::new()?;
    let [rr, a, _] = nodes(&net)?;
    let mut middle = reflector(&rr, [Neighbor::new(a.v4(), AS)])?;
    let mut peer = router.start(&a, &client(&rr, &[]))?;
    established(&net, peer.as_mut(), rr.v4())?;
    middle.command(&["peer", &a.v4().to_string(), "down", "--reason", "new line card"])?;
    let shown: &[&str] = match router {
        Software::Bird => &["show", "protocols", "all"],
        Software::Frr => &["show", "bgp", "neighbors"],
        Software::OpenBgpd => &["show", "neighbor", "10.9.0.1"],
        _ => &["neighbor", "10.9.0.1"],
    };
    net.eventually("the router knows the reason", || {
        let said = peer.command(shown)? + &peer.log();
        ensure(said.contains("new line card"), || said)
    })?;
    middle.command(&["peer", &a.v4().to_string(), "up"])?;
    established(&net, peer.as_mut(), rr.v4())?;
    middle.stop(Duration::from_secs(10))
}
