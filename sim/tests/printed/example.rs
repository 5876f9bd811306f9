#![allow(unused_imports)]

use std::sync::Arc;
use std::time::Duration;

use bgp_core::wire::capability::Role;
use bgp_core::wire::{Community, Origin};
use bgp_core::{Asn, Family, FamilySet};
use bgp_rib::filter::{Action, Change, Edit, Match, PrefixRange, Term};
use bgp_rib::{Advertise, DecisionConfig, Filter, NextHopRule, Policy, SourceKind};
use bgp_router::{LocalAs, PrivateNumbers};
use sim::check::check;
use sim::generate::{plain_router, plain_session, plain_side};
use sim::spec::{Border, Event, LinkSpec, RouterSpec, SessionSpec, SideSpec, Spec};

#[test]
#[rustfmt::skip]
fn example() {
    let spec = Spec {
        seed: 7,
        routers: vec![
            plain_router(64512, Some(1)),
            RouterSpec { confederation: Some(Asn(3500)), decision: DecisionConfig { always_compare_med: true, deterministic_med: true, multipath_relax: false }, multipath: 2, tracks_next_hops: true, ..plain_router(64513, None) },
        ],
        sessions: vec![
            SessionSpec { border: Border { local_as: [Some(LocalAs { asn: Asn(9), prepends_received: true, replaces: false, dual: false }), None], roles: [Some(Role::Peer), None] }, ..plain_session([0, 1], [SideSpec { client: true, extended_message: true, import: Policy::Filter(Arc::new(Filter::new("f", vec![Term { name: "0".to_owned(), matches: vec![Match::Prefix(vec![PrefixRange { prefix: "10.244.0.0/16".parse().unwrap(), ge: 24, le: 26 }].into()), Match::Family(FamilySet::EMPTY.with(Family { afi: 1, safi: 1 })), Match::Community(vec!["64512:1".parse().unwrap(), "no-export".parse().unwrap()]), Match::NextHop(vec!["10.244.0.0/16".parse().unwrap()]), Match::Origin(vec![Origin::Igp]), Match::Source(vec![SourceKind::Local])], edits: vec![Edit::LocalPref(50), Edit::Med(Some(1)), Edit::LinkBandwidth(Some(8)), Edit::Prepend { asn: None, times: 2 }, Edit::Communities(Change::Add(vec![Community(0x00000001)])), Edit::Communities(Change::Remove(vec!["64512:*".parse().unwrap()]))], action: Some(Action::Accept) }], Action::Reject).unwrap())), advertise: Advertise::Count(2.try_into().unwrap()), add_path: [false, true], next_hop: NextHopRule::Set { v4: Some("10.0.0.9".parse().unwrap()), v6: None }, restart_time: Some(5), long_lived: Some(10), keep_received: true, allow_own: 1, overrides: true, private: PrivateNumbers::Replace, enforce_first_as: true, ..plain_side() }, SideSpec { passive: true, export: Policy::Reject, ..plain_side() }]) },
        ],
        link: LinkSpec { delay: Duration::from_micros(1500), piece: 10, window: 1000 },
        events: vec![
            (Duration::ZERO, Event::Announce(0, "10.244.0.0/26".parse().unwrap())),
            (Duration::from_millis(500), Event::Withdraw(0, "10.244.0.0/26".parse().unwrap())),
            (Duration::from_secs(1), Event::Reset(0)),
            (Duration::from_millis(1500), Event::Cut(0, Duration::from_secs(1))),
            (Duration::from_secs(2), Event::HalfOpen(0, 1, Duration::from_secs(1))),
            (Duration::from_millis(2500), Event::Stall(0, 1, Duration::from_secs(1))),
            (Duration::from_secs(3), Event::Crash(0, Duration::from_secs(1))),
            (Duration::from_millis(3500), Event::Restart(0, Duration::from_secs(1))),
            (Duration::from_secs(4), Event::Shutdown(0, 1, Duration::from_secs(1))),
            (Duration::from_millis(4500), Event::Refresh(0, 1)),
            (Duration::from_secs(5), Event::RefreshOut(0, 1)),
            (Duration::from_millis(5500), Event::Configure(0, 1, Box::new(SideSpec { passive: true, export: Policy::Reject, ..plain_side() }))),
            (Duration::from_secs(6), Event::Drain(0, true)),
            (Duration::from_millis(6500), Event::NextHop(1, 0, Some(3))),
            (Duration::from_secs(7), Event::Freeze(0, Duration::from_secs(1))),
            (Duration::from_millis(7500), Event::Garbage(0, 1, 7)),
        ],
    };
    assert_eq!(check(&spec).err(), None);
}
