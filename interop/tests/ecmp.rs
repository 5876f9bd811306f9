//! A service on two nodes, known to a third by two reflectors: with ADD-PATH both next hops are in its kernel, and one of either
//! goes without a packet lost.
//!
//! ```text
//!          rr1    rr2          each a cluster of its own, with ADD-PATH to n
//!         / | \  / | \
//!        n  x  y   (sessions with all three)
//!        n ──► 10.50.0.1 … 10.50.0.8 on x and on y
//! ```

#![cfg(test)]

use interop::{Flood, Monitor, Neighbor, Net, Node, Peer, Result, Setup, Software, ensure};
use std::net::IpAddr;

interop::feature_tests! {
    "ecmp-reflectors": gives_a_kernel_both_next_hops_beside_another_reflector [bird frr gobgp openbgpd];
}

const AS: u32 = 64512;
const SERVICE: &str = "10.50.0.0/24";
/// Of the service: enough that each next hop has some, whatever the kernel's hash.
const ADDRESSES: u8 = 8;

struct Service {
    net: Net,
    n: Node,
    x: Node,
    y: Node,
    reflectors: [Box<dyn Peer>; 2],
    /// The first one's address.
    first: IpAddr,
    /// The speakers of n, x and y.
    speakers: [Box<dyn Peer>; 3],
}

impl Service {
    fn start(reflector: Software) -> Result<Service> {
        let net = Net::new()?;
        let [rr1, rr2, n, x, y] = ["rr1", "rr2", "n", "x", "y"].map(|name| net.node(name));
        let (rr1, rr2, n, x, y) = (rr1?, rr2?, n?, x?, y?);
        let client = |node: &Node| Neighbor::new(node.v4(), AS).client();
        let setup =
            || Setup::new(AS).neighbor(client(&n).add_path()).neighbor(client(&x)).neighbor(client(&y));
        let reflectors = [reflector.start(&rr1, &setup())?, reflector.start(&rr2, &setup())?];
        let both = |of: fn(Neighbor) -> Neighbor| {
            let up = |rr: &Node| of(Neighbor::new(rr.v4(), AS));
            Setup::new(AS).neighbor(up(&rr1)).neighbor(up(&rr2))
        };
        let node = |node: &Node| -> Result<Box<dyn Peer>> {
            let mut speaker = Software::Speaker.start(node, &both(|up| up))?;
            speaker.command(&["announce", SERVICE])?;
            Ok(speaker)
        };
        let uses = Software::Speaker.start(&n, &both(Neighbor::add_path))?;
        for node in [&x, &y] {
            let addresses: String =
                (1..=ADDRESSES).map(|host| format!("address add 10.50.0.{host}/32 dev lo\n")).collect();
            node.ip_batch(&addresses)?;
        }
        let speakers = [uses, node(&x)?, node(&y)?];
        Ok(Service { net, n, x, y, reflectors, first: rr1.v4(), speakers })
    }

    /// Waits until n's kernel goes by these.
    fn goes_by(&self, expected: &[&Node]) -> Result<()> {
        let expected: Vec<String> = expected.iter().map(|node| node.v4().to_string()).collect();
        self.net.eventually(&format!("the service is at {expected:?}"), || {
            let found = self.n.routes()?.into_iter().find(|route| route.prefix == SERVICE);
            let seen = found.map(|route| route.gateways).unwrap_or_default();
            ensure(seen == expected, || format!("it is at {seen:?}"))
        })
    }

    fn floods(&self) -> Result<Vec<Flood>> {
        let to = |host| Flood::start(&self.n, self.n.namespace(), &format!("10.50.0.{host}"));
        let floods: Vec<Flood> = (1..=ADDRESSES).map(to).collect::<Result<_>>()?;
        self.net.eventually("every address answers", || {
            floods.iter().try_for_each(|flood| flood.traffic().map(drop))
        })?;
        Ok(floods)
    }
}

fn nothing_is_lost(floods: &[Flood]) -> Result<()> {
    for flood in floods {
        let traffic = flood.traffic()?;
        ensure(traffic.lost == 0, || format!("{traffic:?}"))?;
    }
    Ok(())
}

fn gives_a_kernel_both_next_hops_beside_another_reflector(reflector: Software) -> Result<()> {
    let mut service = Service::start(reflector)?;
    let (x, y) = (service.x.clone(), service.y.clone());
    service.goes_by(&[&x, &y])?;
    let floods = service.floods()?;
    let monitor = Monitor::start(&service.n)?;

    service.speakers[2].command(&["withdraw", SERVICE])?;
    service.goes_by(&[&x])?;
    service.speakers[2].command(&["announce", SERVICE])?;
    service.goes_by(&[&x, &y])?;
    nothing_is_lost(&floods)?;

    // The other reflector has told the same of both.
    service.reflectors[0].kill();
    let Service { net, speakers: [n, ..], first, .. } = &mut service;
    net.eventually("the session with it is gone", || ensure(!n.is_established(*first)?, || "it is up"))?;
    service.goes_by(&[&x, &y])?;

    // The node goes on forwarding what was sent to it.
    service.speakers[2].kill();
    service.goes_by(&[&x])?;
    nothing_is_lost(&floods)?;
    ensure(service.reflectors[1].is_established(x.v4())?, || "the other reflector's session fell")?;
    let deleted = monitor.deleted("bgp");
    ensure(deleted.is_empty(), || format!("{deleted:?}"))
}

#[test]
fn our_reflectors_give_a_kernel_both_next_hops() -> Result<()> {
    gives_a_kernel_both_next_hops_beside_another_reflector(Software::RouteReflector)
}
