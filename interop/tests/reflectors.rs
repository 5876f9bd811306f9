//! Each router as the reflector of the node speaker, which puts the routes into its kernel.

use interop::{
    Announcement, KernelRoute, Neighbor, Net, Node, Peer, Result, SeenRoute, Setup, Software, ensure,
    expect_routes,
};

const AS: u32 = 64512;

interop::feature_tests! {
    "reflector": fills_the_kernel_of_a_node [bird frr gobgp openbgpd];
    "reflector-ipv6-md5": fills_the_kernel_over_an_ipv6_session_with_a_key [all];
    "run-time": learns_prefixes_announced_and_withdrawn_at_run_time [all];
}

/// The routes of the kernel that are not connected ones: `kind prefix gateways`.
fn installed(node: &Node) -> Result<Vec<String>> {
    let ours = |route: &KernelRoute| route.protocol != "kernel";
    let text = |route: KernelRoute| format!("{} {} {}", route.kind, route.prefix, route.gateways.join(","));
    let mut routes: Vec<String> = node.routes()?.into_iter().filter(ours).map(text).collect();
    routes.sort();
    Ok(routes)
}

fn expect_kernel(net: &Net, node: &Node, expected: &[&str]) -> Result<()> {
    net.eventually("the kernel has the routes", || {
        let seen = installed(node)?.into_iter().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
        ensure(seen == expected, || format!("expected {expected:#?}\nthe kernel has {seen:#?}"))
    })
}

fn speaker(node: &Node, neighbor: Neighbor, prefixes: &[&str]) -> Result<Box<dyn Peer>> {
    let setup =
        prefixes.iter().fold(Setup::new(AS).neighbor(neighbor), |setup, prefix| setup.announce(*prefix));
    Software::Speaker.start(node, &setup)
}

fn fills_the_kernel_of_a_node(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (rr, a, b) = (net.node("rr")?, net.node("a")?, net.node("b")?);
    let setup = Setup::new(AS)
        .neighbor(Neighbor::new(a.v4(), AS).client())
        .neighbor(Neighbor::new(b.v4(), AS).client());
    let mut reflector = router.start(&rr, &setup)?;
    let up = Neighbor::new(rr.v4(), AS);
    let mut speaker_a = speaker(&a, up.clone(), &["10.42.1.0/26", "fd00:42:1::/64"])?;
    let _speaker_b = speaker(&b, up, &["10.42.2.0/26", "fd00:42:2::/64"])?;

    let seen_by_reflector = [
        SeenRoute::internal("10.42.1.0/26", a.v4()),
        SeenRoute::internal("10.42.2.0/26", b.v4()),
        SeenRoute::internal("fd00:42:1::/64", a.v6()),
        SeenRoute::internal("fd00:42:2::/64", b.v6()),
    ];
    expect_routes(&net, reflector.as_mut(), &seen_by_reflector)?;
    let own = ["blackhole 10.42.1.0/26", "blackhole fd00:42:1::/64"];
    let learned = ["unicast 10.42.2.0/26 10.9.0.3", "unicast fd00:42:2::/64 fd00:9::3"];
    expect_kernel(&net, &a, &[own, learned].concat())?;
    expect_kernel(
        &net,
        &b,
        &[
            "blackhole 10.42.2.0/26",
            "blackhole fd00:42:2::/64",
            "unicast 10.42.1.0/26 10.9.0.2",
            "unicast fd00:42:1::/64 fd00:9::2",
        ],
    )?;

    // The kernel keeps the routes of a speaker that died; its neighbours' kernels lose them.
    speaker_a.kill();
    expect_kernel(&net, &b, &["blackhole 10.42.2.0/26", "blackhole fd00:42:2::/64"])?;
    expect_kernel(&net, &a, &[own, learned].concat())
}

fn fills_the_kernel_over_an_ipv6_session_with_a_key(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (rr, a) = (net.node("rr")?, net.node("a")?);
    let down = Neighbor::new(a.v6(), AS).client().password("secret");
    let far = Announcement::new("fd00:42:9::/64").med(1);
    let _reflector = router.start(&rr, &Setup::new(AS).neighbor(down).announce(far))?;
    let _speaker = speaker(&a, Neighbor::new(rr.v6(), AS).password("secret"), &[])?;
    expect_kernel(&net, &a, &["unicast fd00:42:9::/64 fd00:9::1"])
}

fn learns_prefixes_announced_and_withdrawn_at_run_time(router: Software) -> Result<()> {
    let net = Net::new()?;
    let (rr, a) = (net.node("rr")?, net.node("a")?);
    let mut reflector = router.start(&rr, &Setup::new(AS).neighbor(Neighbor::new(a.v4(), AS).client()))?;
    let mut speaker = speaker(&a, Neighbor::new(rr.v4(), AS), &["10.42.1.0/26"])?;
    let (first, second) =
        (SeenRoute::internal("10.42.1.0/26", a.v4()), SeenRoute::internal("10.42.7.0/26", a.v4()));
    expect_routes(&net, reflector.as_mut(), std::slice::from_ref(&first))?;
    speaker.command(&["announce", "10.42.7.0/26"])?;
    expect_routes(&net, reflector.as_mut(), &[first.clone(), second])?;
    expect_kernel(&net, &a, &["blackhole 10.42.1.0/26", "blackhole 10.42.7.0/26"])?;
    speaker.command(&["withdraw", "10.42.7.0/26"])?;
    expect_routes(&net, reflector.as_mut(), &[first])?;
    expect_kernel(&net, &a, &["blackhole 10.42.1.0/26"])
}
