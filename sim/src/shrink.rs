//! A failing spec made smaller, as long as it fails in the same way: fewer events, routers and sessions, plainer sides and
//! links, earlier times.

mod steps;

use std::time::Duration;

use self::steps::{simpler_events, simpler_links, simpler_sides};
use crate::spec::{Event, Spec};

/// Makes a spec smaller for as long as `fails` says that it still fails; asks at most `runs` times.
pub fn shrink(spec: &Spec, runs: usize, fails: &mut dyn FnMut(&Spec) -> bool) -> Spec {
    let mut search = Search { best: spec.clone(), runs, fails };
    loop {
        let before = search.best.clone();
        search.fewer_events();
        search.fewer_routers();
        search.fewer_sessions();
        search.try_each(simpler_sides);
        search.try_each(simpler_links);
        search.try_each(simpler_events);
        if search.best == before || search.runs == 0 {
            return search.best;
        }
    }
}

struct Search<'a> {
    best: Spec,
    runs: usize,
    fails: &'a mut dyn FnMut(&Spec) -> bool,
}

impl Search<'_> {
    /// Takes the candidate if it fails too.
    fn accept(&mut self, candidate: Spec) -> bool {
        if self.runs == 0 || candidate == self.best {
            return false;
        }
        self.runs -= 1;
        let fails = (self.fails)(&candidate);
        if fails {
            self.best = candidate;
        }
        fails
    }

    /// Takes events out, first many at once, then one by one.
    fn fewer_events(&mut self) {
        let mut len = self.best.events.len().div_ceil(2);
        while len > 0 {
            let mut from = 0;
            while from < self.best.events.len() {
                let mut candidate = self.best.clone();
                let to = (from + len).min(candidate.events.len());
                candidate.events.drain(from..to);
                if !self.accept(candidate) {
                    from += len;
                }
            }
            len /= 2;
        }
    }

    fn fewer_routers(&mut self) {
        for number in (0..self.best.routers.len()).rev() {
            let candidate = without_router(&self.best, number);
            self.accept(candidate);
        }
    }

    fn fewer_sessions(&mut self) {
        for session in (0..self.best.sessions.len()).rev() {
            let candidate = without_session(&self.best, session);
            self.accept(candidate);
        }
    }

    /// Tries each of the candidates that `list` has for the best spec; after a success those that it has for that one
    /// from the same place on.
    fn try_each(&mut self, list: impl Fn(&Spec) -> Vec<Spec>) {
        let mut candidates = list(&self.best);
        let mut place = 0;
        while let Some(candidate) = candidates.get(place).cloned().filter(|_| self.runs > 0) {
            if self.accept(candidate) {
                candidates = list(&self.best);
            } else {
                place += 1;
            }
        }
    }
}

/// The number that takes the place of `number` when `gone` is taken out; `None` for that one itself.
fn renumbered(number: usize, gone: usize) -> Option<usize> {
    (number != gone).then(|| if number > gone { number - 1 } else { number })
}

fn without_router(spec: &Spec, gone: usize) -> Spec {
    let mut candidate = spec.clone();
    let at_router = |session: &usize| spec.sessions.get(*session).is_some_and(|s| s.ends.contains(&gone));
    for session in (0..spec.sessions.len()).filter(at_router).rev() {
        candidate = without_session(&candidate, session);
    }
    if gone < candidate.routers.len() {
        candidate.routers.remove(gone);
    }
    for session in &mut candidate.sessions {
        session.ends.iter_mut().for_each(|end| *end = renumbered(*end, gone).unwrap_or_default());
    }
    candidate.events = renumber_events(&candidate.events, |number| renumbered(number, gone), Some);
    candidate
}

fn without_session(spec: &Spec, gone: usize) -> Spec {
    let mut candidate = spec.clone();
    if gone < candidate.sessions.len() {
        candidate.sessions.remove(gone);
    }
    candidate.events = renumber_events(&candidate.events, Some, |session| renumbered(session, gone));
    candidate
}

/// The events with other numbers; those whose router or session is gone are left out.
fn renumber_events(
    events: &[(Duration, Event)],
    router: impl Fn(usize) -> Option<usize>,
    session: impl Fn(usize) -> Option<usize>,
) -> Vec<(Duration, Event)> {
    let renumber = |event: &Event| {
        Some(match event.clone() {
            Event::Announce(r, prefix) => Event::Announce(router(r)?, prefix),
            Event::Withdraw(r, prefix) => Event::Withdraw(router(r)?, prefix),
            Event::Reset(s) => Event::Reset(session(s)?),
            Event::Cut(s, time) => Event::Cut(session(s)?, time),
            Event::HalfOpen(s, end, time) => Event::HalfOpen(session(s)?, end, time),
            Event::Stall(s, end, time) => Event::Stall(session(s)?, end, time),
            Event::Crash(r, time) => Event::Crash(router(r)?, time),
            Event::Restart(r, time) => Event::Restart(router(r)?, time),
            Event::Shutdown(s, end, time) => Event::Shutdown(session(s)?, end, time),
            Event::Refresh(s, end) => Event::Refresh(session(s)?, end),
            Event::RefreshOut(s, end) => Event::RefreshOut(session(s)?, end),
            Event::Configure(s, end, side) => Event::Configure(session(s)?, end, side),
            Event::Drain(r, draining) => Event::Drain(router(r)?, draining),
            Event::NextHop(r, other, metric) => Event::NextHop(router(r)?, router(other)?, metric),
            Event::Freeze(r, time) => Event::Freeze(router(r)?, time),
            Event::Garbage(s, end, seed) => Event::Garbage(session(s)?, end, seed),
        })
    };
    events.iter().filter_map(|(at, event)| Some((*at, renumber(event)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{Topology, generate};

    #[test]
    fn what_fails_for_one_event_ends_with_that_event_alone() {
        let spec = (0..)
            .map(|seed| generate(Topology::Reflectors, seed))
            .find(|spec| spec.events.iter().any(|(_, event)| matches!(event, Event::Crash(..))))
            .unwrap();
        let mut fails = |spec: &Spec| spec.events.iter().any(|(_, event)| matches!(event, Event::Crash(..)));
        let small = shrink(&spec, 1000, &mut fails);
        assert_eq!(small.events.len(), 1);
        assert_eq!((small.routers.len(), small.sessions.len()), (1, 0));
        assert_eq!(small.events[0].0, Duration::ZERO);
    }

    #[test]
    fn the_bound_on_runs_is_kept() {
        let mut runs = 0;
        shrink(&generate(Topology::Graph, 1), 17, &mut |_| {
            runs += 1;
            runs % 2 == 0
        });
        assert_eq!(runs, 17);
    }
}
