//! The options of a session, with each router that has the same at its end.

use interop::{
    Announcement, Neighbor, Net, Node, Peer, Result, Setup, Software, ensure, flaps, messages, reload,
};
use std::net::IpAddr;
use std::time::Duration;

const OWN: u32 = 64512;
const OTHER: u32 = 65001;

interop::feature_tests! {
    "gtsm": has_a_session_only_from_so_near [all];
    "timers": has_a_session_with_our_timers_and_connects_to_us [all];
    "roles": is_a_provider_whose_routes_are_marked [bird frr openbgpd];
    "roles": is_refused_if_its_role_does_not_suit_ours [bird frr openbgpd];
    "first-as": cannot_pretend_to_be_another_as [exabgp];
    "max-prefix-restart": stays_away_for_a_while_after_it_announced_too_much [all];
}

fn established(net: &Net, peer: &mut dyn Peer, neighbor: IpAddr) -> Result<()> {
    let what = format!("{} has a session with {neighbor}", peer.name());
    net.eventually(&what, || ensure(peer.is_established(neighbor)?, || "not established"))
}

/// What turns TTL security on at the other end, and has it send with 255.
fn ttl_security(router: Software) -> &'static str {
    match router {
        Software::Bird => "ttl security on;",
        Software::Frr => "ttl-security hops 1",
        Software::GoBgp => "  [neighbors.ttl-security.config]\n    enabled = true\n    ttl-min = 255",
        Software::OpenBgpd => "ttl-security yes",
        _ => "outgoing-ttl 255;\nincoming-ttl 255;",
    }
}

fn has_a_session_only_from_so_near(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (ours, theirs) = (net.node("ours")?, net.node("theirs")?);
    let near = Neighbor::new(theirs.v4(), OTHER).extra("ttl-security = 1\n");
    let mut daemon = Software::RouteReflector.start(&ours, &Setup::new(OWN).neighbor(near))?;
    let up = Setup::new(OTHER).neighbor(Neighbor::new(ours.v4(), OWN).native(ttl_security(router)));
    let mut peer = router.start(&theirs, &up)?;
    established(&net, daemon.as_mut(), theirs.v4())?;
    established(&net, peer.as_mut(), ours.v4())
}

fn has_a_session_with_our_timers_and_connects_to_us(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (ours, theirs) = (net.node("ours")?, net.node("theirs")?);
    let keys = "passive = true\nhold-time = 9\nkeepalive-time = 1\nextended-message = false\n";
    let mut daemon = Software::RouteReflector
        .start(&ours, &Setup::new(OWN).neighbor(Neighbor::new(theirs.v4(), OTHER).extra(keys)))?;
    let _peer = router.start(&theirs, &Setup::new(OTHER).neighbor(Neighbor::new(ours.v4(), OWN)))?;
    established(&net, daemon.as_mut(), theirs.v4())?;
    let shown = daemon.command(&["peer", &theirs.v4().to_string()])?;
    let has = |name: &str, value: &str| shown.lines().any(|l| l.starts_with(name) && l.ends_with(value));
    ensure(has("hold time", " 9 s") && has("keepalive", " 1 s"), || shown.clone())?;
    // A third of the hold time would be three seconds: six of them in fifteen.
    let sent = |daemon: &mut dyn Peer| messages(daemon, theirs.v4(), "sent", "keepalive");
    let before = sent(daemon.as_mut())?;
    net.eventually("a KEEPALIVE goes out every second", || {
        ensure(sent(daemon.as_mut())? >= before + 6, || "fewer than six")
    })
}

/// The other router says that it is our provider.
fn provider(router: Software) -> &'static str {
    match router {
        Software::Bird => "local role provider;",
        Software::OpenBgpd => "announce policy provider",
        _ => "local-role provider",
    }
}

fn is_a_provider_whose_routes_are_marked(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (ours, above, beside) = (net.node("ours")?, net.node("above")?, net.node("beside")?);
    let customer = Neighbor::new(above.v4(), OTHER).extra("role = \"customer\"\nstrict-role = true\n");
    let equal = Neighbor::new(beside.v4(), OTHER + 1).extra("role = \"peer\"\n");
    let setup = Setup::new(OWN).neighbor(customer).neighbor(equal).announce("10.42.1.0/26");
    let mut daemon = Software::RouteReflector.start(&ours, &setup)?;
    let up = Setup::new(OTHER)
        .neighbor(Neighbor::new(ours.v4(), OWN).native(provider(router)))
        .announce(Announcement::new("10.50.1.0/24"));
    let mut peer = router.start(&above, &up)?;
    let equal = Setup::new(OTHER + 1).neighbor(Neighbor::new(ours.v4(), OWN).extra("role = \"peer\"\n"));
    let mut third = Software::RouteReflector.start(&beside, &equal)?;
    net.eventually("the provider's route is there with its mark", || {
        let shown = daemon.command(&["--json", "routes", "10.50.1.0/24"])?;
        ensure(shown.contains("ONLY_TO_CUSTOMER 0000fde9"), || shown)
    })?;
    net.eventually("what we announce goes to all", || {
        ensure(peer.routes()?.iter().any(|route| route.prefix == "10.42.1.0/26"), || "not above")?;
        ensure(third.routes()?.iter().any(|route| route.prefix == "10.42.1.0/26"), || "not beside")
    })?;
    ensure(third.routes()?.len() == 1, || "the provider's route went to a peer")?;
    let why = daemon.command(&["explain", "10.50.1.0/24", "--to", &beside.v4().to_string()]);
    ensure(why.is_err(), || "it would be sent")
}

fn is_refused_if_its_role_does_not_suit_ours(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (ours, theirs) = (net.node("ours")?, net.node("theirs")?);
    let also = Neighbor::new(theirs.v4(), OTHER).extra("role = \"provider\"\n");
    let mut daemon = Software::RouteReflector.start(&ours, &Setup::new(OWN).neighbor(also))?;
    let up = Setup::new(OTHER).neighbor(Neighbor::new(ours.v4(), OWN).native(provider(router)));
    let _peer = router.start(&theirs, &up)?;
    net.eventually("the roles do not fit", || {
        let shown = daemon.command(&["peer", &theirs.v4().to_string()])?.to_lowercase();
        ensure(shown.contains("role mismatch"), || shown)
    })
}

fn cannot_pretend_to_be_another_as(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (ours, theirs) = (net.node("ours")?, net.node("theirs")?);
    let mut daemon = Software::RouteReflector
        .start(&ours, &Setup::new(OWN).neighbor(Neighbor::new(theirs.v4(), OTHER)))?;
    let up = Setup::new(OTHER)
        .neighbor(Neighbor::new(ours.v4(), OWN))
        .announce(Announcement::new("10.50.1.0/24").as_path(&[OTHER, 7]))
        .announce(Announcement::new("10.50.2.0/24").as_path(&[7, OTHER]));
    let _peer = router.start(&theirs, &up)?;
    let prefixes = |daemon: &mut dyn Peer| -> Result<Vec<String>> {
        Ok(daemon.routes()?.into_iter().map(|route| route.prefix).collect())
    };
    net.eventually("the good route is there", || {
        let seen = prefixes(daemon.as_mut())?;
        ensure(seen == ["10.50.1.0/24"], || format!("{seen:?}"))
    })?;
    let lax = |config: &str| {
        config.replacen("import = \"accept\"", "import = \"accept\"\nenforce-first-as = false", 1)
    };
    reload(&ours, daemon.as_mut(), lax)?;
    net.eventually("the other one too, once that is asked no more", || {
        let seen = prefixes(daemon.as_mut())?;
        ensure(seen.len() == 2, || format!("{seen:?}"))
    })
}

fn stays_away_for_a_while_after_it_announced_too_much(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (ours, theirs) = (net.node("ours")?, net.node("theirs")?);
    let limited = Neighbor::new(theirs.v4(), OTHER)
        .max_prefix(2)
        .extra("max-prefix-warning = 50\nmax-prefix-restart = 3600\n");
    let mut daemon = Software::RouteReflector.start(&ours, &Setup::new(OWN).neighbor(limited))?;
    let up = Setup::new(OTHER).neighbor(Neighbor::new(ours.v4(), OWN));
    let up = ["10.50.1.0/24", "10.50.2.0/24", "10.50.3.0/24"].into_iter().fold(up, Setup::announce);
    let _peer = router.start(&theirs, &up)?;
    let address = theirs.v4().to_string();
    net.eventually("the limit is reached", || {
        let shown = daemon.command(&["peer", &address])?.to_lowercase();
        ensure(shown.contains("maximum number of prefixes"), || shown)
    })?;
    ensure(daemon.log().contains("many prefixes"), || "no warning in the log")?;
    interop::holds_for(Duration::from_secs(4), || {
        let shown = daemon.command(&["peer", &address])?;
        ensure(shown.contains("idle"), || shown)
    })?;
    reload(&ours, daemon.as_mut(), |config| config.replacen("max-prefix = 2", "max-prefix = 3", 1))?;
    established(&net, daemon.as_mut(), theirs.v4())
}

/// Both ends get the new key while the session is up, one after the other.
fn goes_on(of: impl Fn(&Node) -> Neighbor) -> Result<()> {
    let net = Net::new()?;
    let (ours, theirs) = (net.node("ours")?, net.node("theirs")?);
    let setup = Setup::new(OWN).neighbor(of(&theirs).password("before"));
    let mut passive = Software::RouteReflector.start(&ours, &setup)?;
    let active = Neighbor::new(ours.v4(), OWN).password("before");
    let mut active = Software::Speaker.start(&theirs, &Setup::new(OWN).neighbor(active))?;
    established(&net, passive.as_mut(), theirs.v4())?;
    established(&net, active.as_mut(), ours.v4())?;
    let key = |config: &str| config.replacen("\"before\"", "\"after\"", 1);
    reload(&ours, passive.as_mut(), key)?;
    reload(&theirs, active.as_mut(), key)?;
    active.command(&["announce", "10.42.9.0/26"])?;
    net.eventually("a route comes over the session with the new key", || {
        ensure(passive.routes()?.iter().any(|route| route.prefix == "10.42.9.0/26"), || "not there")
    })?;
    ensure(flaps(passive.as_mut())? + flaps(active.as_mut())? == 0, || "the session was lost")?;
    // The next session has the new key too.
    active.command(&["peer", &ours.v4().to_string(), "reset"])?;
    net.eventually("the session was lost", || ensure(flaps(active.as_mut())? == 1, || "not yet"))?;
    established(&net, active.as_mut(), ours.v4())
}

#[test]
fn a_session_goes_on_with_another_key_on_both_ends() -> Result<()> {
    goes_on(|theirs| Neighbor::new(theirs.v4(), OWN).extra("passive = true\n"))
}

#[test]
fn the_member_of_a_range_goes_on_with_another_key_on_both_ends() -> Result<()> {
    goes_on(|_| Neighbor::range("10.9.0.0/24", OWN))
}

#[test]
fn a_session_comes_from_the_address_that_is_asked_for() -> Result<()> {
    let net = Net::new()?;
    let (ours, theirs) = (net.node("ours")?, net.node("theirs")?);
    let source = IpAddr::from([10, 9, 7, 1]);
    ours.ip_batch("address add 10.9.7.1/32 dev lo\n")?;
    theirs.ip_batch(&format!("route add 10.9.7.1/32 via {}\n", ours.v4()))?;
    let from = Neighbor::new(theirs.v4(), OWN).extra("source-address = \"10.9.7.1\"\n");
    let mut active = Software::Speaker.start(&ours, &Setup::new(OWN).neighbor(from))?;
    let to = Neighbor::new(source, OWN).extra("passive = true\n");
    let mut passive = Software::RouteReflector.start(&theirs, &Setup::new(OWN).neighbor(to))?;
    established(&net, active.as_mut(), theirs.v4())?;
    established(&net, passive.as_mut(), source)
}
