//! The harness itself, shown with the other routers alone: each as reflector for the two others.

use interop::{Announcement, Neighbor, Net, Result, Setup, Software, expect_routes};

const AS: u32 = 64512;

/// `reflector` between a client of each other kind: both clients see each other's routes, reflected.
fn reflects_between(reflector: Software, clients: [Software; 2]) -> Result<()> {
    let net = Net::new()?;
    let (middle, a, b) = (net.node("rr")?, net.node("a")?, net.node("b")?);
    let client = |address| Neighbor::new(address, AS).client().password("secret");
    let setup = Setup::new(AS).neighbor(client(a.v4())).neighbor(client(b.v4()));
    let mut reflector = reflector.start(&middle, &setup)?;

    let up = Setup::new(AS).neighbor(Neighbor::new(middle.v4(), AS).password("secret"));
    let rich = |prefix| {
        Announcement::new(prefix)
            .as_path(&[65001, 4_200_000_001])
            .med(7)
            .community(64512, 9)
            .large(64512, 1, 2)
    };
    let from_a = [rich("10.42.1.0/26"), Announcement::new("fd00:42:1::/64").med(2)];
    let from_b = [
        Announcement::new("10.42.2.0/26").med(4),
        Announcement::new("fd00:42:2::/64").med(3).community(64512, 8),
    ];
    let with = |announcements: &[Announcement; 2]| {
        announcements.iter().fold(up.clone(), |setup, a| setup.announce(a.clone()))
    };
    let mut peer_a = clients[0].start(&a, &with(&from_a))?;
    let mut peer_b = clients[1].start(&b, &with(&from_b))?;

    let seen_a = [from_a[0].seen_internally(a.v4()), from_a[1].seen_internally(a.v6())];
    let seen_b = [from_b[0].seen_internally(b.v4()), from_b[1].seen_internally(b.v6())];
    expect_routes(&net, reflector.as_mut(), &[seen_a.clone(), seen_b.clone()].concat())?;
    expect_routes(&net, peer_b.as_mut(), &seen_a.map(|route| route.reflected(a.v4(), middle.v4())))?;
    expect_routes(&net, peer_a.as_mut(), &seen_b.map(|route| route.reflected(b.v4(), middle.v4())))?;

    peer_a.kill();
    expect_routes(&net, peer_b.as_mut(), &[])
}

#[test]
fn bird_reflects_between_frr_and_gobgp() -> Result<()> {
    reflects_between(Software::Bird, [Software::Frr, Software::GoBgp])
}

#[test]
fn frr_reflects_between_bird_and_gobgp() -> Result<()> {
    reflects_between(Software::Frr, [Software::Bird, Software::GoBgp])
}

#[test]
fn gobgp_reflects_between_bird_and_frr() -> Result<()> {
    reflects_between(Software::GoBgp, [Software::Bird, Software::Frr])
}
