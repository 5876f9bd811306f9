//! Who peers with whom.

use bgp_core::Asn;

use super::{Topology, plain_router, plain_session, plain_side};
use crate::random::Random;
use crate::spec::{RouterSpec, SessionSpec, SideSpec};

#[derive(Default)]
struct Shape {
    routers: Vec<RouterSpec>,
    sessions: Vec<SessionSpec>,
}

impl Shape {
    fn router(&mut self, asn: u32, cluster: Option<u32>) -> usize {
        self.routers.push(plain_router(asn, cluster));
        self.routers.len() - 1
    }

    fn routers(&mut self, count: usize, asn: u32) -> Vec<usize> {
        (0..count).map(|_| self.router(asn, None)).collect()
    }

    fn peer(&mut self, a: usize, b: usize) {
        self.sessions.push(plain_session([a, b], [plain_side(), plain_side()]));
    }

    /// `b` is a client of `a`.
    fn client(&mut self, a: usize, b: usize) {
        let sides = [SideSpec { client: true, ..plain_side() }, plain_side()];
        self.sessions.push(plain_session([a, b], sides));
    }

    fn mesh(&mut self, members: &[usize]) {
        for (place, a) in members.iter().enumerate() {
            members.iter().skip(place + 1).for_each(|b| self.peer(*a, *b));
        }
    }
}

impl Shape {
    /// `last` peers with one or two of the first `count` routers.
    fn link(&mut self, count: usize, last: usize, random: &mut Random) {
        let links = if random.one_in(3) { 2 } else { 1 };
        let mut others: Vec<usize> = (0..links.min(count)).map(|_| random.below(count)).collect();
        others.dedup();
        others.into_iter().for_each(|other| self.peer(other, last));
    }
}

pub(super) fn draw(topology: Topology, random: &mut Random) -> (Vec<RouterSpec>, Vec<SessionSpec>) {
    let mut shape = Shape::default();
    match topology {
        Topology::Mesh => {
            let members = shape.routers(2 + random.below(5), 64512);
            shape.mesh(&members);
        }
        Topology::Reflector => {
            let reflector = shape.router(64512, Some(1));
            let speakers = shape.routers(2 + random.below(6), 64512);
            speakers.iter().for_each(|speaker| shape.client(reflector, *speaker));
            others(&mut shape, reflector, random);
        }
        Topology::Reflectors => reflectors(&mut shape, random),
        Topology::Hierarchy => hierarchy(&mut shape, random),
        Topology::AsPerRack => racks(&mut shape, random),
        Topology::Graph => graph(&mut shape, random),
        Topology::Confederation => confederation(&mut shape, random),
    }
    (shape.routers, shape.sessions)
}

/// A reflector sometimes has a peer that is no client, and one of another AS.
fn others(shape: &mut Shape, reflector: usize, random: &mut Random) {
    if random.one_in(3) {
        let peer = shape.router(64512, None);
        shape.peer(reflector, peer);
    }
    if random.one_in(3) {
        let peer = shape.router(65001, None);
        shape.peer(peer, reflector);
    }
}

fn reflectors(shape: &mut Shape, random: &mut Random) {
    let same = random.one_in(2);
    let count = 2 + usize::from(random.one_in(4));
    let reflectors: Vec<usize> = (0..count)
        .map(|number| shape.router(64512, Some(if same { 1 } else { 1 + number as u32 })))
        .collect();
    shape.mesh(&reflectors);
    for speaker in shape.routers(2 + random.below(4), 64512) {
        reflectors.iter().for_each(|reflector| shape.client(*reflector, speaker));
    }
    others(shape, 0, random);
}

fn hierarchy(shape: &mut Shape, random: &mut Random) {
    let top: Vec<usize> = (0..1 + random.below(2)).map(|n| shape.router(64512, Some(1 + n as u32))).collect();
    shape.mesh(&top);
    for branch in 0..1 + random.below(2) {
        let middle = shape.router(64512, Some(10 + branch as u32));
        top.iter().for_each(|reflector| shape.client(*reflector, middle));
        let leaves = shape.routers(1 + random.below(2), 64512);
        leaves.iter().for_each(|leaf| shape.client(middle, *leaf));
    }
    others(shape, 0, random);
}

fn racks(shape: &mut Shape, random: &mut Random) {
    let spines: Vec<usize> = (0..1 + random.below(2)).map(|n| shape.router(65000 + n as u32, None)).collect();
    for rack in 0..1 + random.below(3) {
        let asn = 64600 + rack as u32;
        let tor = shape.router(asn, Some(1 + rack as u32));
        spines.iter().for_each(|spine| shape.peer(*spine, tor));
        let speakers = shape.routers(random.below(3), asn);
        speakers.iter().for_each(|speaker| shape.client(tor, *speaker));
    }
}

/// A tree of ASes with some more sessions; the routers of one AS all peer with each other.
fn graph(shape: &mut Shape, random: &mut Random) {
    let mut ases: Vec<Vec<usize>> = Vec::new();
    for number in 0..2 + random.below(4) {
        let count = 1 + usize::from(random.one_in(3));
        let members = shape.routers(count, 64500 + number as u32);
        shape.mesh(&members);
        ases.push(members);
    }
    for place in 1..ases.len() {
        let links = 1 + random.below(2);
        for _ in 0..links {
            let other = random.below(place);
            let [a, b] = [place, other].map(|at| {
                let members = ases.get(at).map(Vec::as_slice).unwrap_or_default();
                members.get(random.below(members.len())).copied().unwrap_or_default()
            });
            let known = |s: &SessionSpec| s.ends == [a, b] || s.ends == [b, a];
            if !shape.sessions.iter().any(known) {
                shape.peer(a, b);
            }
        }
    }
}

/// The routers of a member AS all peer with each other, or are clients of one; members, and ASes outside, have one or two
/// sessions with some router that was there before.
fn confederation(shape: &mut Shape, random: &mut Random) {
    for number in 0..2 + random.below(2) as u32 {
        let before = shape.routers.len();
        let reflects = random.one_in(3);
        let first = shape.router(64601 + number, reflects.then_some(1 + number));
        let others = shape.routers(random.below(3), 64601 + number);
        if reflects {
            others.iter().for_each(|other| shape.client(first, *other));
        } else {
            shape.mesh(&[&[first], others.as_slice()].concat());
        }
        shape.link(before, first, random);
    }
    let inside = shape.routers.len();
    shape.routers.iter_mut().for_each(|router| router.confederation = Some(Asn(3500)));
    for number in 0..1 + random.below(2) as u32 {
        let outside = shape.router(65001 + number, None);
        shape.link(inside, outside, random);
    }
}
