//! A reflector with BIRD and two nodes, a pod behind each node, and pings between the pods: what soak and strain happen to.

use crate::{Error, Flood, Neighbor, Net, Node, Peer, Result, Setup, Software, ensure};
use std::net::IpAddr;

/// Prefixes that the two speakers announce, and the pod in each.
pub(crate) const PODS: [(&str, &str); 2] = [("10.42.1.0/26", "10.42.1.2"), ("10.42.2.0/26", "10.42.2.2")];
/// Where routes with foreign next hops lead. No packet goes there: it need not exist.
const NOWHERE: &str = "10.9.0.250";
/// For which its helpers keep a router's routes, in seconds.
const RESTART_TIME: u16 = 120;

/// A router on its node, which can be started again.
pub(crate) struct Member {
    pub(crate) node: Node,
    software: Software,
    setup: Setup,
    peer: Option<Box<dyn Peer>>,
}

pub(crate) struct Rig {
    pub(crate) net: Net,
    pub(crate) reflector: Member,
    pub(crate) bird: Member,
    pub(crate) speakers: [Member; 2],
    /// Clients of the reflector, with nothing on them yet. They have no graceful restart: their routes go when they go.
    pub(crate) feed: Node,
    pub(crate) enemy: Node,
    pub(crate) pings: Flood,
}

impl Member {
    fn new(node: Node, software: Software, setup: Setup) -> Result<Member> {
        let mut member = Member { node, software, setup, peer: None };
        member.start()?;
        Ok(member)
    }

    /// Starts it, for the first time or again; what still runs is killed.
    pub(crate) fn start(&mut self) -> Result<()> {
        self.peer = None;
        self.peer = Some(self.software.start(&self.node, &self.setup)?);
        Ok(())
    }

    /// [`Member::start`] with more tables in its configuration, now and from now on.
    pub(crate) fn start_with(&mut self, extra: &str) -> Result<()> {
        self.setup = self.setup.clone().extra(extra);
        self.start()
    }

    /// The router.
    pub(crate) fn peer(&mut self) -> Result<&mut dyn Peer> {
        match self.peer.as_deref_mut() {
            Some(peer) => Ok(peer),
            None => Err(Error::NotSo(format!("nothing runs in {}", self.node.namespace()))),
        }
    }

    fn is_established(&mut self, neighbor: IpAddr) -> Result<bool> {
        self.peer()?.is_established(neighbor)
    }
}

impl Rig {
    /// Everything runs, all sessions are up, and a ping is answered.
    pub(crate) fn start(asn: u32) -> Result<Rig> {
        let net = Net::new()?;
        let (rr, bird, feed, enemy) =
            (net.node("rr")?, net.node("bird")?, net.node("feed")?, net.node("enemy")?);
        let nodes = [net.node("n1")?, net.node("n2")?];
        let client = |node: &Node| Neighbor::new(node.v4(), asn).client();
        let setup = [&bird]
            .into_iter()
            .chain(&nodes)
            .fold(Setup::new(asn), |setup, node| setup.neighbor(client(node).restart(RESTART_TIME)));
        let setup = [&feed, &enemy]
            .into_iter()
            .fold(setup, |setup, node| setup.neighbor(client(node).extra("passive = true\n")));
        let with = Neighbor::new(rr.v4(), asn).restart(RESTART_TIME);
        let reflector = Member::new(rr, Software::RouteReflector, setup)?;
        let nowhere = [("0.0.0.0/0".to_owned(), NOWHERE.to_owned())];
        let member = Setup::new(asn).neighbor(with);
        let bird = Member::new(bird, Software::Bird, member.clone().igp(nowhere))?;
        let [first, second] = nodes;
        let [pod, other] = PODS;
        let namespace = first.pod(pod.1)?;
        second.pod(other.1)?;
        let speakers = [(first, pod), (second, other)].map(|(node, (prefix, _))| {
            node.ip_batch(&format!("route add default via {NOWHERE} proto static\n"))?;
            Member::new(node, Software::Speaker, member.clone().announce(prefix))
        });
        let [first, second] = speakers;
        let speakers = [first?, second?];
        let [first, _] = &speakers;
        let pings = Flood::start(&first.node, &namespace, other.1)?;
        let mut rig = Rig { net, reflector, bird, speakers, feed, enemy, pings };
        rig.is_whole()?;
        Ok(rig)
    }

    /// Waits until all sessions are up and a ping is answered.
    pub(crate) fn is_whole(&mut self) -> Result<()> {
        self.net.clone().eventually_within(std::time::Duration::from_secs(60), "everything is up", || {
            let up = self.sessions()?;
            ensure(up == Rig::SESSIONS, || format!("{up} sessions of {}", Rig::SESSIONS))?;
            self.pings.traffic().map(drop)
        })
    }

    /// The sessions that are watched: BIRD's, and the speakers'.
    pub(crate) const SESSIONS: usize = 3;

    /// Of the sessions that are watched, those that are up.
    pub(crate) fn sessions(&mut self) -> Result<usize> {
        let up = usize::from(self.reflector.is_established(self.bird.node.v4())?);
        Ok(up + self.speakers_sessions()?)
    }

    /// Of the speakers' sessions, those that are up by their own word.
    pub(crate) fn speakers_sessions(&mut self) -> Result<usize> {
        let (rr, mut up) = (self.reflector.node.v4(), 0);
        for speaker in &mut self.speakers {
            up += usize::from(speaker.is_established(rr)?);
        }
        Ok(up)
    }

    /// How often one of them has ended.
    pub(crate) fn flaps(&mut self) -> Result<u64> {
        let [first, second] = &self.speakers;
        let innocent = [self.bird.node.v4(), first.node.v4(), second.node.v4()];
        crate::told::flaps_of(self.reflector.peer()?, &innocent)
    }

    /// Whether BIRD and both kernels hold so many routes of the feed's. For use inside [`Net::eventually`].
    pub(crate) fn agrees(&mut self, routes: usize) -> Result<()> {
        let held = crate::replay::bird_count(self.bird.peer()?)?;
        ensure(held == routes + PODS.len(), || format!("BIRD holds {held} routes of {routes}"))?;
        for speaker in &self.speakers {
            let held = crate::replay::kernel_routes(&speaker.node, &mut |_, _| ())?;
            // The other speaker's pods, besides.
            ensure(held == routes + 1, || format!("a kernel holds {held} routes of {routes}"))?;
        }
        Ok(())
    }
}
