//! What may be simpler about a spec, one thing at a time.

use std::sync::Arc;
use std::time::Duration;

use bgp_rib::filter::Term;
use bgp_rib::{Advertise, DecisionConfig, Filter, NextHopRule, Policy};
use bgp_router::PrivateNumbers;

use crate::generate::plain_side;
use crate::spec::{Border, Event, LinkSpec, SideSpec, Spec};

fn with(spec: &Spec, change: impl FnOnce(&mut Spec)) -> Spec {
    let mut candidate = spec.clone();
    change(&mut candidate);
    candidate
}

/// Plainer sides, routers, and settings in events that configure anew.
pub(super) fn simpler_sides(spec: &Spec) -> Vec<Spec> {
    let mut candidates = vec![with(spec, |s| {
        let sides = s.sessions.iter_mut().flat_map(|session| &mut session.sides);
        sides.for_each(|side| *side = SideSpec { client: side.client, ..plain_side() });
    })];
    for (place, session) in spec.sessions.iter().enumerate() {
        for (end, side) in session.sides.iter().enumerate() {
            candidates.extend(simpler(side).into_iter().map(|side| {
                with(spec, |s| {
                    let session = s.sessions.get_mut(place);
                    if let Some(old) = session.and_then(|session| session.sides.get_mut(end)) {
                        *old = side;
                    }
                })
            }));
        }
    }
    for place in 0..spec.sessions.len() {
        candidates.extend(simpler_borders(spec, place));
    }
    for place in 0..spec.routers.len() {
        candidates.push(with(spec, |s| {
            if let Some(router) = s.routers.get_mut(place) {
                (router.decision, router.multipath) = (DecisionConfig::default(), 1);
            }
        }));
        candidates.push(with(spec, |s| {
            s.routers.get_mut(place).into_iter().for_each(|router| router.tracks_next_hops = false);
        }));
    }
    candidates.retain(|candidate| candidate != spec);
    candidates
}

/// Without a former AS, without roles.
fn simpler_borders(spec: &Spec, session: usize) -> [Spec; 3] {
    let of = |change: &dyn Fn(&mut Border)| {
        with(spec, |s| s.sessions.iter_mut().skip(session).take(1).for_each(|line| change(&mut line.border)))
    };
    [
        of(&|border| *border = Border::default()),
        of(&|border| border.local_as = [None; 2]),
        of(&|border| border.roles = [None; 2]),
    ]
}

/// The same with one thing less each.
fn simpler(side: &SideSpec) -> Vec<SideSpec> {
    let side = || side.clone();
    let mut candidates = vec![
        SideSpec { client: side().client, ..plain_side() },
        SideSpec { passive: false, ..side() },
        SideSpec { extended_message: false, ..side() },
        SideSpec { advertise: Advertise::Best, ..side() },
        SideSpec { add_path: [false; 2], advertise: Advertise::Best, ..side() },
        SideSpec { next_hop: NextHopRule::Auto, ..side() },
        SideSpec { restart_time: None, long_lived: None, ..side() },
        SideSpec { long_lived: None, ..side() },
        SideSpec { keep_received: false, ..side() },
        SideSpec { allow_own: 0, ..side() },
        SideSpec { overrides: false, ..side() },
        SideSpec { private: PrivateNumbers::Keep, ..side() },
        SideSpec { enforce_first_as: false, ..side() },
    ];
    candidates.extend(simpler_policy(&side().import).into_iter().map(|import| SideSpec { import, ..side() }));
    candidates.extend(simpler_policy(&side().export).into_iter().map(|export| SideSpec { export, ..side() }));
    candidates.retain(|candidate| *candidate != side());
    candidates
}

fn simpler_policy(policy: &Policy) -> Vec<Policy> {
    let Policy::Filter(filter) = policy else { return vec![Policy::Accept] };
    let mut candidates = vec![Policy::Accept];
    let mut add = |change: &dyn Fn(&mut Vec<Term>)| {
        let mut terms = filter.terms().to_vec();
        change(&mut terms);
        let smaller = Filter::new(filter.name(), terms, filter.otherwise());
        candidates.extend(smaller.ok().map(|filter| Policy::Filter(Arc::new(filter))));
    };
    for (place, term) in filter.terms().iter().enumerate() {
        add(&|terms| drop(terms.remove(place)));
        for at in 0..term.matches.len() {
            add(&|terms| terms.iter_mut().skip(place).take(1).for_each(|term| drop(term.matches.remove(at))));
        }
        for at in 0..term.edits.len() {
            add(&|terms| terms.iter_mut().skip(place).take(1).for_each(|term| drop(term.edits.remove(at))));
        }
    }
    candidates
}

/// Links that delay less, and take more at once.
pub(super) fn simpler_links(spec: &Spec) -> Vec<Spec> {
    let plain = LinkSpec { delay: Duration::from_millis(1), piece: 10_000, window: 65_536 };
    let link = || spec.link.clone();
    let links = [
        plain.clone(),
        LinkSpec { delay: plain.delay, ..link() },
        LinkSpec { piece: plain.piece, ..link() },
        LinkSpec { window: plain.window, ..link() },
    ];
    let links = links.into_iter().filter(|other| *other != spec.link);
    links.map(|link| Spec { link, ..spec.clone() }).collect()
}

/// Events that come earlier, last shorter, concern fewer prefixes, and configure less.
pub(super) fn simpler_events(spec: &Spec) -> Vec<Spec> {
    let mut candidates = vec![
        with(spec, |s| s.events.iter_mut().for_each(|(at, _)| *at = Duration::from_secs(at.as_secs()))),
        with(spec, |s| s.events.iter_mut().for_each(|(at, _)| *at /= 2)),
    ];
    for (place, (at, event)) in spec.events.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|before| spec.events.get(before));
        let earliest = before.map_or(Duration::ZERO, |(at, _)| *at);
        // Earlier, and all that follows with it.
        let gap = at.saturating_sub(earliest);
        for gap in [gap, gap / 2] {
            candidates.push(with(spec, |s| {
                s.events.iter_mut().skip(place).for_each(|(at, _)| *at = at.saturating_sub(gap));
            }));
        }
        candidates.extend(simpler_event(spec, event).into_iter().map(|event| {
            with(spec, |s| s.events.iter_mut().skip(place).take(1).for_each(|(_, old)| *old = event.clone()))
        }));
    }
    candidates.retain(|candidate| candidate != spec);
    candidates
}

fn simpler_event(spec: &Spec, event: &Event) -> Vec<Event> {
    let prefix = spec.events.iter().find_map(|(_, event)| match event {
        Event::Announce(_, prefix) => Some(*prefix),
        _ => None,
    });
    let second = Duration::from_secs(1);
    match event.clone() {
        Event::Announce(r, _) => prefix.map(|prefix| Event::Announce(r, prefix)).into_iter().collect(),
        Event::Withdraw(r, _) => prefix.map(|prefix| Event::Withdraw(r, prefix)).into_iter().collect(),
        Event::Cut(s, time) if time > second => {
            vec![Event::Reset(s), Event::Cut(s, second), Event::Cut(s, time / 2)]
        }
        Event::HalfOpen(s, end, time) if time > second => {
            vec![Event::Cut(s, time), Event::HalfOpen(s, end, time / 2)]
        }
        Event::Stall(s, end, time) if time > second => {
            vec![Event::Cut(s, time), Event::Stall(s, end, second), Event::Stall(s, end, time / 2)]
        }
        Event::Crash(r, time) if time > second => vec![Event::Crash(r, second), Event::Crash(r, time / 2)],
        Event::Restart(r, time) if time > second => {
            vec![Event::Restart(r, second), Event::Restart(r, time / 2)]
        }
        Event::Shutdown(s, end, time) if time > second => {
            vec![Event::Reset(s), Event::Shutdown(s, end, second), Event::Shutdown(s, end, time / 2)]
        }
        Event::Freeze(r, time) if time > second => vec![Event::Freeze(r, second), Event::Freeze(r, time / 2)],
        Event::Configure(s, end, side) => {
            simpler(&side).into_iter().map(|side| Event::Configure(s, end, Box::new(side))).collect()
        }
        Event::Garbage(s, _, _) => vec![Event::Reset(s)],
        _ => Vec::new(),
    }
}
