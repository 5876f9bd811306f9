//! A spec that is printed as a test is the same spec again.

#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use bgp_core::wire::capability::Role;
use bgp_core::wire::{Community, Origin};
use bgp_core::{Asn, Family, FamilySet};
use bgp_rib::filter::{Action, Change, Edit, Match, PrefixRange, Term};
use bgp_rib::{Advertise, DecisionConfig, Filter, NextHopRule, Policy, SourceKind};
use bgp_router::{LocalAs, PrivateNumbers};
use sim::generate::{plain_router, plain_session, plain_side};
use sim::print::print;
use sim::spec::{Border, Event, LinkSpec, RouterSpec, SessionSpec, SideSpec, Spec};

#[path = "printed/example.rs"]
mod example;

fn filter() -> Filter {
    let prefix = "10.244.0.0/16".parse().unwrap();
    let term = Term {
        name: "0".to_owned(),
        matches: vec![
            Match::Prefix(vec![PrefixRange { prefix, ge: 24, le: 26 }].into()),
            Match::Family(FamilySet::EMPTY.with(Family::IPV4_UNICAST)),
            Match::Community(vec!["64512:1".parse().unwrap(), "no-export".parse().unwrap()]),
            Match::NextHop(vec![prefix]),
            Match::Origin(vec![Origin::Igp]),
            Match::Source(vec![SourceKind::Local]),
        ],
        edits: vec![
            Edit::LocalPref(50),
            Edit::Med(Some(1)),
            Edit::LinkBandwidth(Some(8)),
            Edit::Prepend { asn: None, times: 2 },
            Edit::Communities(Change::Add(vec![Community(1)])),
            Edit::Communities(Change::Remove(vec!["64512:*".parse().unwrap()])),
        ],
        action: Some(Action::Accept),
    };
    Filter::new("f", vec![term], Action::Reject).unwrap()
}

/// Has all that a spec can have.
fn spec() -> Spec {
    let second = Duration::from_secs(1);
    let prefix = "10.244.0.0/26".parse().unwrap();
    let side = SideSpec {
        client: true,
        extended_message: true,
        import: Policy::Filter(Arc::new(filter())),
        advertise: Advertise::Count(2.try_into().unwrap()),
        add_path: [false, true],
        next_hop: NextHopRule::Set { v4: "10.0.0.9".parse().ok(), v6: None },
        restart_time: Some(5),
        long_lived: Some(10),
        keep_received: true,
        allow_own: 1,
        overrides: true,
        private: PrivateNumbers::Replace,
        enforce_first_as: true,
        ..plain_side()
    };
    let other = SideSpec { passive: true, export: Policy::Reject, ..plain_side() };
    let decision = DecisionConfig { always_compare_med: true, ..DecisionConfig::default() };
    let confederation = Some(Asn(3500));
    let tracking = RouterSpec {
        decision,
        confederation,
        multipath: 2,
        tracks_next_hops: true,
        ..plain_router(64513, None)
    };
    let former = LocalAs { asn: Asn(9), prepends_received: true, replaces: false, dual: false };
    let border = Border { local_as: [Some(former), None], roles: [Some(Role::Peer), None] };
    let events = [
        Event::Announce(0, prefix),
        Event::Withdraw(0, prefix),
        Event::Reset(0),
        Event::Cut(0, second),
        Event::HalfOpen(0, 1, second),
        Event::Stall(0, 1, second),
        Event::Crash(0, second),
        Event::Restart(0, second),
        Event::Shutdown(0, 1, second),
        Event::Refresh(0, 1),
        Event::RefreshOut(0, 1),
        Event::Configure(0, 1, Box::new(other.clone())),
        Event::Drain(0, true),
        Event::NextHop(1, 0, Some(3)),
        Event::Freeze(0, second),
        Event::Garbage(0, 1, 7),
    ];
    Spec {
        seed: 7,
        routers: vec![plain_router(64512, Some(1)), tracking],
        sessions: vec![SessionSpec { border, ..plain_session([0, 1], [side, other]) }],
        link: LinkSpec { delay: Duration::from_micros(1500), piece: 10, window: 1000 },
        events: (0..).map(|n| Duration::from_millis(500) * n).zip(events).collect(),
    }
}

#[test]
fn what_is_printed_compiles_and_is_the_spec_again() {
    let expected = include_str!("printed/example.rs");
    assert_eq!(print("example", &spec()), expected);
}
