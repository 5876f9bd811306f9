//! What lies between ASes: which numbers are on paths, what ASes are to each other, how fast their links are.
//!
//! Who takes AS numbers off paths, or puts others in their place, takes away by what a router knows its own routes. Where
//! a route can come back to the AS that it left, it would live for ever; so there nobody does it but the spines of racks,
//! whose own numbers stay on every way round.

use bgp_core::Asn;
use bgp_core::wire::capability::Role;
use bgp_rib::Policy;
use bgp_rib::filter::Edit;
use bgp_router::{LocalAs, PrivateNumbers};

use super::{Features, Topology, is_external, policy};
use crate::random::Random;
use crate::spec::{Border, RouterSpec, SessionSpec, SideSpec};

/// What the spines of racks are numbered from, where theirs are public.
const SPINES: u32 = 3000;

/// What is added to an AS number of a graph to make it a private one.
const PRIVATE: u32 = 100;

/// What the two ends of a session may be.
const ROLES: [[Role; 2]; 5] = [
    [Role::Provider, Role::Customer],
    [Role::Customer, Role::Provider],
    [Role::Peer, Role::Peer],
    [Role::RouteServer, Role::RouteServerClient],
    [Role::RouteServerClient, Role::RouteServer],
];

/// Bits in a second.
const SPEEDS: [u64; 4] = [1_000_000_000, 10_000_000_000, 25_000_000_000, 1_000];

pub(super) fn draw(
    topology: Topology,
    routers: &mut [RouterSpec],
    sessions: &mut [SessionSpec],
    features: Features,
    random: &mut Random,
) {
    if features.as_numbers {
        renumber(topology, routers, random);
    }
    let all = sessions.to_vec();
    for (place, session) in sessions.iter_mut().enumerate() {
        if is_external(session, routers) {
            session.border = border(has_way_back(routers, &all), session.ends, features, random);
        }
        for (end, side) in session.sides.iter_mut().enumerate() {
            treat(side, (routers, &all), (place, end), features, random);
        }
    }
}

/// Spines have public numbers, racks private ones, some all the same; in a graph some are private.
fn renumber(topology: Topology, routers: &mut [RouterSpec], random: &mut Random) {
    let (one_for_all_racks, bits) = (random.one_in(2), random.draw());
    for router in routers {
        let Asn(number) = &mut router.asn;
        *number = match (topology, *number) {
            (Topology::AsPerRack, spine @ 65_000..) => SPINES + spine - 65_000,
            (Topology::AsPerRack, _) if one_for_all_racks => 64_600,
            (Topology::Graph, number) if bits >> (number % 64) & 1 == 1 => number + PRIVATE,
            (_, number) => number,
        };
    }
}

fn is_spine(router: &RouterSpec) -> bool {
    (SPINES..SPINES + 100).contains(&router.asn.0)
}

/// Whether a route that leaves an AS, or a confederation, may come back to it over sessions that are not the same.
fn has_way_back(routers: &[RouterSpec], sessions: &[SessionSpec]) -> bool {
    let mut island: Vec<usize> = (0..routers.len()).collect();
    let (between, inside): (Vec<_>, Vec<_>) = sessions.iter().partition(|s| is_external(s, routers));
    inside.into_iter().chain(between.iter().copied()).any(|session| {
        let [a, b] = session.ends.map(|end| island.get(end).copied().unwrap_or_default());
        island.iter_mut().filter(|at| **at == b).for_each(|at| *at = a);
        a == b && is_external(session, routers)
    })
}

fn border(has_way_back: bool, ends: [usize; 2], features: Features, random: &mut Random) -> Border {
    let roles = random.pick(ROLES[0], &ROLES[1..]);
    let told = random.pick([true, true], &[[true, true], [true, false], [false, true], [false, false]]);
    let role = |end: usize| {
        let is_told = features.roles && told.get(end) == Some(&true);
        roles.get(end).copied().filter(|_| is_told)
    };
    let mut local_as = |number: usize| {
        let local = LocalAs {
            asn: Asn(4_200_000_000 + number as u32),
            prepends_received: random.one_in(2),
            replaces: random.one_in(2),
            dual: false,
        };
        (features.as_numbers && random.one_in(4) && !has_way_back).then_some(local)
    };
    Border { local_as: ends.map(&mut local_as), roles: [role(0), role(1)] }
}

/// How one end treats what goes over the border.
pub(super) fn treat(
    side: &mut SideSpec,
    (routers, sessions): (&[RouterSpec], &[SessionSpec]),
    (place, end): (usize, usize),
    features: Features,
    random: &mut Random,
) {
    let Some(session) = sessions.get(place) else { return };
    let external = is_external(session, routers);
    let me = session.ends.get(end).and_then(|number| routers.get(*number));
    let hides = external && (me.is_some_and(is_spine) || !has_way_back(routers, sessions));
    // Who prefers its own route where that comes back takes it away by that.
    if features.as_numbers && !sets_local_pref(&side.import) && random.one_in(2) {
        side.allow_own = 1 + random.below(2) as u8;
    }
    if features.as_numbers && external {
        side.overrides = hides && random.one_in(2);
        let private = random.pick(PrivateNumbers::Keep, &[PrivateNumbers::Remove, PrivateNumbers::Replace]);
        side.private = if hides { private } else { PrivateNumbers::Keep };
        side.enforce_first_as = random.one_in(2);
        if random.one_in(4) {
            let edit = Edit::Prepend { asn: None, times: 1 + random.below(2) as u8 };
            side.export = policy::with_first(&side.export, edit);
        }
    }
    if features.bandwidth && random.one_in(2) {
        let speed = Some(random.pick(SPEEDS[0], &SPEEDS[1..]));
        side.import = policy::with_first(&side.import, Edit::LinkBandwidth(speed));
    }
}

fn sets_local_pref(policy: &Policy) -> bool {
    let terms = policy.filter().into_iter().flat_map(|filter| filter.terms());
    terms.flat_map(|term| &term.edits).any(|edit| matches!(edit, Edit::LocalPref(_)))
}
