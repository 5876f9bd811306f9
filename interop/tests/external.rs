//! Each router as an eBGP peer.

use interop::{
    Announcement, Neighbor, Net, Policy, Result, SeenRoute, Setup, Software, ensure, expect_routes,
};
use std::time::Duration;

const OWN: u32 = 64512;
const OTHER: u32 = 4_200_000_001;

interop::feature_tests! {
    "ebgp": exchanges_routes_where_the_keys_say_so [all];
    "rfc8212": exchanges_nothing_without_the_keys [all];
}

fn theirs() -> [Announcement; 2] {
    ["10.50.1.0/24", "fd00:50:1::/64"].map(|prefix| Announcement::new(prefix).med(1).community(65000, 5))
}

fn exchanges_routes_where_the_keys_say_so(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (inside, outside) = (net.node("inside")?, net.node("outside")?);
    let ours = Setup::new(OWN)
        .neighbor(Neighbor::new(outside.v4(), OTHER).policy(Policy::Accept).password("secret"))
        .announce("10.42.1.0/26")
        .announce("fd00:42:1::/64");
    let mut reflector = Software::RouteReflector.start(&inside, &ours)?;
    // OpenBGPD 7.7 sends as its own address of the other family the first one of the first interface: `::1` of lo, unless a
    // global one stands before it.
    outside.ip_batch(&format!("address add {}/128 dev lo nodad\n", outside.v6()))?;
    let neighbor = Neighbor::new(inside.v4(), OWN).password("secret");
    let setup = theirs().into_iter().fold(Setup::new(OTHER).neighbor(neighbor), Setup::announce);
    let mut peer = router.start(&outside, &setup)?;

    // LOCAL_PREF has no place on an eBGP session; BIRD and OpenBGPD show their own default.
    let local_pref = [Software::Bird, Software::OpenBgpd].contains(&router).then_some(100);
    let own_path = OWN.to_string();
    let seen = [
        SeenRoute { local_pref, ..SeenRoute::external("10.42.1.0/26", inside.v4(), &own_path) },
        SeenRoute { local_pref, ..SeenRoute::external("fd00:42:1::/64", inside.v6(), &own_path) },
    ];
    expect_routes(&net, peer.as_mut(), &seen)?;
    let [v4, v6] = theirs();
    let external = |announcement: Announcement, next_hop| {
        let route = announcement.as_path(&[OTHER]).seen_internally(next_hop);
        // BIRD sends no MED over eBGP but one that an export filter sets.
        let med = route.med.filter(|_| router != Software::Bird);
        SeenRoute { local_pref: None, med, ..route }
    };
    expect_routes(&net, reflector.as_mut(), &[external(v4, outside.v4()), external(v6, outside.v6())])
}

fn exchanges_nothing_without_the_keys(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (inside, outside) = (net.node("inside")?, net.node("outside")?);
    let closed = Neighbor::new(outside.v4(), OTHER).policy(Policy::Unset);
    let mut reflector = Software::RouteReflector
        .start(&inside, &Setup::new(OWN).neighbor(closed).announce("10.42.1.0/26"))?;
    let setup = theirs()
        .into_iter()
        .fold(Setup::new(OTHER).neighbor(Neighbor::new(inside.v4(), OWN)), Setup::announce);
    let mut peer = router.start(&outside, &setup)?;
    net.eventually("the session is up", || ensure(peer.is_established(inside.v4())?, || "not established"))?;
    interop::holds_for(Duration::from_secs(3), || {
        ensure(peer.routes()?.is_empty(), || "a route was exported")?;
        ensure(reflector.routes()?.is_empty(), || "a route was imported")
    })
}
