//! The model on networks small enough to work out by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use bgp_core::wire::Community;
use bgp_core::{Asn, ClusterId, Prefix};
use bgp_rib::filter::{Action, Change, Edit, Filter, Term};
use bgp_rib::{DecisionConfig, Policy};

use super::world::Agreed;
use super::*;
use crate::generate::plain_side as side;
use crate::spec::{Border, SideSpec};

fn prefix() -> Prefix {
    "10.244.0.0/26".parse().unwrap()
}

fn client() -> SideSpec {
    SideSpec { client: true, ..side() }
}

fn router(place: usize, asn: u32, reflects: bool) -> RouterInputs {
    RouterInputs {
        asn: Asn(asn),
        confederation: None,
        id: bgp_core::RouterId(0x0a00_0001 + place as u32),
        cluster: reflects.then_some(ClusterId(place as u32 + 1)),
        decider: Decider { decision: DecisionConfig::default(), multipath: 1 },
        v4: v4_address(place),
        v6: v6_address(place),
        local: BTreeSet::new(),
        metrics: None,
        draining: false,
    }
}

/// Routers by AS and whether they reflect; sessions by their ends and how these treat each other.
fn world(routers: &[(u32, bool)], sessions: &[(usize, usize, SideSpec, SideSpec)]) -> World {
    World {
        routers: routers.iter().enumerate().map(|(place, (asn, r))| router(place, *asn, *r)).collect(),
        sessions: sessions
            .iter()
            .map(|(a, b, at_a, at_b)| SessionInputs {
                ends: [*a, *b],
                sides: [at_a.clone(), at_b.clone()],
                border: Border::default(),
                up: Some([Agreed::default(); 2]),
            })
            .collect(),
    }
}

fn originate(world: &mut World, router: usize) {
    world.routers[router].local.insert(prefix());
}

/// What the network holds if every router does what the model says.
fn state_of(world: &World, tables: &[Tables]) -> State {
    let mut state = State::default();
    let held = |tables: &Tables| RouterState { tables: tables.clone(), fib: None };
    state.routers = tables.iter().map(held).collect();
    for (session, inputs) in world.sessions.iter().enumerate() {
        for end in 0..2 {
            let mut sent = BTreeMap::new();
            for (prefix, paths) in &tables[inputs.ends[end]] {
                for (id, path) in advertised(world, session, end, prefix, paths).into_iter().enumerate() {
                    sent.insert((*prefix, id as u32), path.route);
                }
            }
            state.sent.insert((session, end), sent);
        }
    }
    state
}

fn solved(world: &World) -> Vec<Tables> {
    match rounds(world) {
        Solution::Solved(tables) => tables,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_rounds_come_to_passes_every_check() {
    let mut world = world(
        &[(64512, true), (64512, false), (64512, false), (65000, false)],
        &[(0, 1, client(), side()), (0, 2, client(), side()), (2, 3, side(), side())],
    );
    originate(&mut world, 1);
    originate(&mut world, 3);
    let tables = solved(&world);
    let state = state_of(&world, &tables);
    assert_eq!(check(&world, &state), []);
    assert_eq!(ghosts(&world, &state), []);
    let held = &tables[2][&prefix()];
    assert_eq!(held[0].route.clusters, [ClusterId(1)]);
    assert_eq!(held[0].route.originator, Some(world.routers[1].id));
    assert_eq!(held[1].route.as_path, AsPath::sequence(&[65000]));
}

#[test]
fn a_path_too_much_or_too_few_is_found() {
    let mut world = world(&[(1, false), (2, false)], &[(0, 1, side(), side())]);
    originate(&mut world, 0);
    let mut state = state_of(&world, &solved(&world));
    state.routers[1].tables.clear();
    assert_eq!(check(&world, &state)[0].check, "paths");
    let mut state = state_of(&world, &solved(&world));
    world.routers[0].local.clear();
    let found: Vec<_> = check(&world, &state).iter().map(|f| (f.check, f.router)).collect();
    assert_eq!(found, [("paths", 0)]);
    state.routers[0].tables.clear();
    let found: Vec<_> = check(&world, &state).iter().map(|f| (f.check, f.router)).collect();
    assert_eq!(found, [("sent", 0)], "the other end holds what was never withdrawn");
}

#[test]
fn routes_that_only_keep_each_other_alive_are_ghosts() {
    // Two AS that do not look for themselves in AS_PATH could do this.
    let mut world = world(
        &[(1, false), (2, false), (3, false)],
        &[(0, 1, side(), side()), (1, 2, side(), side()), (2, 0, side(), side())],
    );
    originate(&mut world, 0);
    let mut state = state_of(&world, &solved(&world));
    assert_eq!(ghosts(&world, &state), []);
    state.routers[0].tables.clear();
    world.routers[0].local.clear();
    let found: BTreeSet<usize> = ghosts(&world, &state).iter().map(|f| f.router).collect();
    assert_eq!(found, BTreeSet::from([1, 2]));
}

#[test]
fn a_route_to_another_as_loses_what_is_internal() {
    let add = Edit::Communities(Change::Add(vec![Community(0x0001_0002)]));
    let filter = |edits: Vec<Edit>| {
        let term = Term { name: "1".into(), matches: Vec::new(), edits, action: Some(Action::Accept) };
        Policy::Filter(Arc::new(Filter::new("f", vec![term], Action::Reject).unwrap()))
    };
    let import = SideSpec { import: filter(vec![Edit::LocalPref(200), Edit::Med(Some(7)), add]), ..side() };
    let mut world = world(
        &[(1, false), (2, false), (2, false), (3, false)],
        &[(0, 1, side(), import), (1, 2, side(), side()), (2, 3, side(), side())],
    );
    originate(&mut world, 0);
    let tables = solved(&world);
    let inside = &tables[2][&prefix()][0].route;
    assert_eq!((inside.local_pref, inside.med, inside.next_hop), (Some(200), Some(7), v4_address(0)));
    let outside = &tables[3][&prefix()][0].route;
    assert_eq!((outside.local_pref, outside.med, outside.next_hop), (None, None, v4_address(2)));
    assert_eq!(outside.as_path, AsPath::sequence(&[2, 1]));
    assert!(outside.has(0x0001_0002));
}

#[test]
fn med_is_compared_within_a_neighbouring_as_only() {
    let path = |session, asn: u32, med, id: u8| Held {
        origin: Origin::Session(session, 0),
        route: Route {
            as_path: AsPath::sequence(&[asn]),
            med: Some(med),
            originator: Some(bgp_core::RouterId(id.into())),
            ..Route::originated(IpAddr::from([10, 9, 9, id]))
        },
        staleness: Staleness::Fresh,
        metric: Some(0),
    };
    let sessions = [(0, 1, side(), side()), (0, 2, side(), side()), (0, 3, side(), side())];
    let world = world(&[(9, false), (1, false), (1, false), (2, false)], &sessions);
    // The first beats the second by its id, the third beats the first by MED, the second the third by its id.
    let paths = [path(0, 1, 10, 1), path(1, 2, 0, 2), path(2, 1, 5, 3)];
    let order: Vec<Origin> = ranked(&world, 0, &paths).iter().map(|p| p.origin).collect();
    assert_eq!(order, [Origin::Session(1, 0), Origin::Session(2, 0), Origin::Session(0, 0)]);
}

#[test]
fn a_disagreement_without_end_is_told_from_one_with_two_ends() {
    // Each prefers the way through the other: whoever comes first has its way, and both at once never settle.
    let prefer = |asn| {
        let term = Term {
            name: "1".into(),
            matches: vec![bgp_rib::filter::Match::NextHop(vec![Prefix::new(v4_address(asn), 32).unwrap()])],
            edits: vec![Edit::LocalPref(200)],
            action: None,
        };
        Policy::Filter(Arc::new(Filter::new("f", vec![term], Action::Accept).unwrap()))
    };
    let at = |other| SideSpec { import: prefer(other), ..side() };
    let mut world = world(
        &[(1, false), (2, false), (3, false)],
        &[(0, 1, side(), side()), (0, 2, side(), side()), (1, 2, at(2), at(1))],
    );
    originate(&mut world, 0);
    assert!(matches!(rounds(&world), Solution::Oscillates | Solution::Ambiguous));
}

#[test]
fn two_ends_are_found_where_it_matters_who_starts_late() {
    // Two spines, 0 and 1, and two racks, 2 and 3. For routes of 0 the rack 3 prefers the way through 1, which prefers the way
    // through 3 by MULTI_EXIT_DISC. Whoever is first has its way: 3, if all begin together; 1, if 3 starts again.
    let always = |edit| {
        let term = Term { name: "0".into(), matches: vec![], edits: vec![edit], action: None };
        let filter = Filter::new("f", vec![term], Action::Accept).unwrap();
        SideSpec { import: Policy::Filter(Arc::new(filter)), ..side() }
    };
    let (med, low) = (always(Edit::Med(Some(10))), always(Edit::LocalPref(50)));
    let sessions = [(0, 2, side(), side()), (1, 2, med, side()), (0, 3, side(), low), (1, 3, side(), side())];
    let mut world = world(&[(1, false), (2, false), (3, false), (4, false)], &sessions);
    world.routers[1].decider.decision.always_compare_med = true;
    originate(&mut world, 0);
    assert_eq!(rounds(&world), Solution::Ambiguous);
    world.routers[1].decider.decision.always_compare_med = false;
    assert!(matches!(rounds(&world), Solution::Solved(_)));
}

#[test]
fn messages_are_read_wherever_they_are_cut() {
    let mut tap = Tap::default();
    let message = |kind: u8, body: &[u8]| {
        let mut octets = vec![0xff; 16];
        octets.extend((19 + body.len() as u16).to_be_bytes());
        octets.push(kind);
        octets.extend_from_slice(body);
        octets
    };
    let open = |mode: u8| {
        let capabilities = [69, 4, 0, 1, 1, mode];
        let mut body = vec![4, 0, 1, 0, 90, 10, 0, 0, 1, 8, 2, 6];
        body.extend(capabilities);
        message(1, &body)
    };
    tap.read(1, 0, &open(2));
    tap.read(1, 1, &open(1));
    let [from_first, from_second] = tap.agreed(1).unwrap();
    assert_eq!((from_first.add_path, from_second.add_path), ([true, false], [false, false]));

    let attributes = [0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0, 7, 0x40, 3, 4, 10, 0, 0, 1];
    let mut body = vec![0, 0, 0, attributes.len() as u8];
    body.extend(attributes);
    body.extend([0, 0, 0, 5, 24, 10, 1, 2]);
    let update = message(2, &body);
    let messages: Vec<_> = update.chunks(7).flat_map(|piece| tap.read(1, 0, piece)).collect();
    let dest = ("10.1.2.0/24".parse().unwrap(), 5);
    assert_eq!(messages, [Message::Update(vec![dest], Vec::new())]);
    let route = &tap.received(1, 0).unwrap().routes[&dest];
    assert_eq!((&route.as_path, route.next_hop), (&AsPath::sequence(&[7]), [10, 0, 0, 1].into()));

    tap.read(1, 0, &message(2, &[0, 8, 0, 0, 0, 5, 24, 10, 1, 2, 0, 0]));
    assert!(tap.received(1, 0).unwrap().routes.is_empty());
    assert_eq!(tap.read(1, 0, &message(2, &[0, 0, 0, 0])), [Message::EndOfRib(0)]);
    tap.read(1, 0, &message(9, &[]));
    assert!(tap.received(1, 0).unwrap().garbled);
}
