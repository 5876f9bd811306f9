//! A spec as a Rust test, ready to paste.

use std::fmt::{Display, Write};
use std::time::Duration;

use bgp_core::wire::{Community, Origin};
use bgp_core::{Family, FamilySet};
use bgp_rib::filter::{Change, Edit, Match, PrefixRange, Term};
use bgp_rib::{Advertise, DecisionConfig, Filter, NextHopRule, Policy};

use crate::generate::plain_side;
use crate::spec::{Border, Event, RouterSpec, SessionSpec, SideSpec, Spec};

/// The test, with what it needs of imports: it fails as long as the spec does.
#[must_use]
pub fn print(name: &str, spec: &Spec) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write_test(&mut out, name, spec);
    out
}

/// What a test needs; not all of it for every one.
const IMPORTS: &str = "\
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
";

fn write_test(out: &mut String, name: &str, spec: &Spec) -> std::fmt::Result {
    writeln!(out, "{IMPORTS}\n#[test]\n#[rustfmt::skip]\nfn {name}() {{\n    let spec = Spec {{")?;
    writeln!(out, "        seed: {},", spec.seed)?;
    writeln!(out, "        routers: vec![")?;
    for router in &spec.routers {
        writeln!(out, "            {},", show_router(router))?;
    }
    writeln!(out, "        ],\n        sessions: vec![")?;
    for session in &spec.sessions {
        writeln!(out, "            {},", show_session(session))?;
    }
    let link = &spec.link;
    writeln!(out, "        ],")?;
    writeln!(
        out,
        "        link: LinkSpec {{ delay: {}, piece: {}, window: {} }},",
        time(link.delay),
        link.piece,
        link.window
    )?;
    writeln!(out, "        events: vec![")?;
    for (at, event) in &spec.events {
        writeln!(out, "            ({}, {}),", time(*at), show_event(event))?;
    }
    writeln!(out, "        ],\n    }};\n    assert_eq!(check(&spec).err(), None);\n}}")
}

fn time(time: Duration) -> String {
    let nanos = time.as_nanos();
    match nanos {
        0 => "Duration::ZERO".to_owned(),
        _ if nanos.is_multiple_of(1_000_000_000) => format!("Duration::from_secs({})", nanos / 1_000_000_000),
        _ if nanos.is_multiple_of(1_000_000) => format!("Duration::from_millis({})", nanos / 1_000_000),
        _ if nanos.is_multiple_of(1000) => format!("Duration::from_micros({})", nanos / 1000),
        _ => format!("Duration::from_nanos({nanos})"),
    }
}

/// What is the same again when it is parsed.
fn parsed(value: &impl Display) -> String {
    format!("\"{value}\".parse().unwrap()")
}

fn show_router(router: &RouterSpec) -> String {
    let plain = format!("plain_router({}, {:?})", router.asn.0, router.cluster.map(|cluster| cluster.0));
    let mut fields = Vec::new();
    if router.confederation.is_some() {
        fields.push(format!("confederation: {:?}", router.confederation));
    }
    if router.decision != DecisionConfig::default() {
        fields.push(format!("decision: {:?}", router.decision));
    }
    if router.multipath != 1 {
        fields.push(format!("multipath: {}", router.multipath));
    }
    if router.tracks_next_hops {
        fields.push("tracks_next_hops: true".to_owned());
    }
    updated("RouterSpec", fields, &plain)
}

/// A struct that differs from `plain` in these fields.
fn updated(name: &str, fields: Vec<String>, plain: &str) -> String {
    if fields.is_empty() {
        return plain.to_owned();
    }
    format!("{name} {{ {}, ..{plain} }}", fields.join(", "))
}

fn show_session(session: &SessionSpec) -> String {
    let [a, b] = session.sides.each_ref().map(show_side);
    let plain = format!("plain_session({:?}, [{a}, {b}])", session.ends);
    let fields = (session.border != Border::default()).then(|| show_border(&session.border));
    updated("SessionSpec", fields.into_iter().collect(), &plain)
}

fn show_border(border: &Border) -> String {
    let [a, b] = border.roles.map(|role| option(role.map(|role| format!("Role::{role:?}"))));
    format!("border: Border {{ local_as: {:?}, roles: [{a}, {b}] }}", border.local_as)
}

fn show_side(side: &SideSpec) -> String {
    let plain = plain_side();
    let mut fields = Vec::new();
    let mut field = |differs: bool, name: &str, value: String| {
        if differs {
            fields.push(format!("{name}: {value}"));
        }
    };
    field(side.client, "client", "true".to_owned());
    field(side.passive, "passive", "true".to_owned());
    field(side.extended_message, "extended_message", "true".to_owned());
    field(side.import != plain.import, "import", show_policy(&side.import));
    field(side.export != plain.export, "export", show_policy(&side.export));
    field(side.advertise != plain.advertise, "advertise", show_advertise(side.advertise));
    field(side.add_path != plain.add_path, "add_path", format!("{:?}", side.add_path));
    field(side.next_hop != plain.next_hop, "next_hop", show_next_hop(side.next_hop));
    field(side.restart_time.is_some(), "restart_time", format!("{:?}", side.restart_time));
    field(side.long_lived.is_some(), "long_lived", format!("{:?}", side.long_lived));
    field(side.keep_received, "keep_received", "true".to_owned());
    field(side.allow_own != 0, "allow_own", side.allow_own.to_string());
    field(side.overrides, "overrides", "true".to_owned());
    field(side.private != plain.private, "private", format!("PrivateNumbers::{:?}", side.private));
    field(side.enforce_first_as, "enforce_first_as", "true".to_owned());
    updated("SideSpec", fields, "plain_side()")
}

fn show_advertise(advertise: Advertise) -> String {
    match advertise {
        Advertise::Count(count) => format!("Advertise::Count({count}.try_into().unwrap())"),
        other => format!("Advertise::{other:?}"),
    }
}

fn show_next_hop(rule: NextHopRule) -> String {
    match rule {
        NextHopRule::Set { v4, v6 } => {
            let [v4, v6] = [option(v4.as_ref().map(parsed)), option(v6.as_ref().map(parsed))];
            format!("NextHopRule::Set {{ v4: {v4}, v6: {v6} }}")
        }
        other => format!("NextHopRule::{other:?}"),
    }
}

fn option(value: Option<String>) -> String {
    value.map_or("None".to_owned(), |value| format!("Some({value})"))
}

fn list<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    format!("vec![{}]", items.iter().map(show).collect::<Vec<String>>().join(", "))
}

fn show_policy(policy: &Policy) -> String {
    match policy {
        Policy::Accept => "Policy::Accept".to_owned(),
        Policy::Reject => "Policy::Reject".to_owned(),
        Policy::Filter(filter) => format!("Policy::Filter(Arc::new({}))", show_filter(filter)),
    }
}

fn show_filter(filter: &Filter) -> String {
    let terms = list(filter.terms(), show_term);
    format!("Filter::new({:?}, {terms}, Action::{:?}).unwrap()", filter.name(), filter.otherwise())
}

fn show_term(term: &Term) -> String {
    let action = option(term.action.map(|action| format!("Action::{action:?}")));
    format!(
        "Term {{ name: {:?}.to_owned(), matches: {}, edits: {}, action: {action} }}",
        term.name,
        list(&term.matches, show_match),
        list(&term.edits, show_edit),
    )
}

fn show_match(matches: &Match) -> String {
    match matches {
        Match::Prefix(ranges) => format!("Match::Prefix({}.into())", list(ranges.ranges(), show_range)),
        Match::Family(families) => format!("Match::Family({})", show_families(*families)),
        Match::Community(patterns) => format!("Match::Community({})", list(patterns, parsed)),
        Match::NextHop(prefixes) => format!("Match::NextHop({})", list(prefixes, parsed)),
        Match::Origin(origins) => format!("Match::Origin({})", list(origins, show_origin)),
        Match::Source(kinds) => {
            format!("Match::Source({})", list(kinds, |kind| format!("SourceKind::{kind:?}")))
        }
        // Specs have none of these.
        _ => format!("{matches:?}"),
    }
}

fn show_range(range: &PrefixRange) -> String {
    format!("PrefixRange {{ prefix: {}, ge: {}, le: {} }}", parsed(&range.prefix), range.ge, range.le)
}

fn show_families(families: FamilySet) -> String {
    let with = |family: Family| format!(".with(Family {{ afi: {}, safi: {} }})", family.afi, family.safi);
    format!("FamilySet::EMPTY{}", families.iter().map(with).collect::<String>())
}

fn show_origin(origin: &Origin) -> String {
    format!("Origin::{origin:?}")
}

fn show_communities(communities: &[Community]) -> String {
    list(communities, |community| format!("Community(0x{:08x})", community.0))
}

fn show_edit(edit: &Edit) -> String {
    match edit {
        Edit::LocalPref(value) => format!("Edit::LocalPref({value})"),
        Edit::Med(value) => format!("Edit::Med({value:?})"),
        Edit::LinkBandwidth(bits) => format!("Edit::LinkBandwidth({bits:?})"),
        Edit::Prepend { asn, times } => format!("Edit::Prepend {{ asn: {asn:?}, times: {times} }}"),
        Edit::Communities(Change::Add(list)) => {
            format!("Edit::Communities(Change::Add({}))", show_communities(list))
        }
        Edit::Communities(Change::Remove(patterns)) => {
            format!("Edit::Communities(Change::Remove({}))", list(patterns, parsed))
        }
        // Specs have none of these.
        _ => format!("{edit:?}"),
    }
}

fn show_event(event: &Event) -> String {
    match event {
        Event::Announce(r, p) => format!("Event::Announce({r}, {})", parsed(p)),
        Event::Withdraw(r, p) => format!("Event::Withdraw({r}, {})", parsed(p)),
        Event::Reset(s) => format!("Event::Reset({s})"),
        Event::Cut(s, t) => format!("Event::Cut({s}, {})", time(*t)),
        Event::HalfOpen(s, end, t) => format!("Event::HalfOpen({s}, {end}, {})", time(*t)),
        Event::Stall(s, end, t) => format!("Event::Stall({s}, {end}, {})", time(*t)),
        Event::Crash(r, t) => format!("Event::Crash({r}, {})", time(*t)),
        Event::Restart(r, t) => format!("Event::Restart({r}, {})", time(*t)),
        Event::Shutdown(s, end, t) => format!("Event::Shutdown({s}, {end}, {})", time(*t)),
        Event::Refresh(s, end) => format!("Event::Refresh({s}, {end})"),
        Event::RefreshOut(s, end) => format!("Event::RefreshOut({s}, {end})"),
        Event::Configure(s, end, side) => {
            format!("Event::Configure({s}, {end}, Box::new({}))", show_side(side))
        }
        Event::Drain(r, draining) => format!("Event::Drain({r}, {draining})"),
        Event::NextHop(r, other, metric) => format!("Event::NextHop({r}, {other}, {metric:?})"),
        Event::Freeze(r, t) => format!("Event::Freeze({r}, {})", time(*t)),
        Event::Garbage(s, end, seed) => format!("Event::Garbage({s}, {end}, {seed})"),
    }
}
