//! Adj-RIB-In (RFC 4271 section 3.2): the routes of one session as they came, and what became of each.
//!
//! It is kept if the operator asks for it, and where the paths to a destination are counted ([`AddPath::max_paths`]).
//! What it says to be taken is what the core holds of the session: another import policy is a walk over it, and of more
//! paths to a destination than are taken those with the lowest identifiers pass, whatever the order they came in. If
//! one of them goes, the next takes its place.
//!
//! [`AddPath::max_paths`]: crate::AddPath::max_paths

use std::collections::BTreeMap;
use std::ops::{Bound, RangeInclusive};

use bgp_core::{AddressFamily, Family, FamilySet, PathId, Prefix, V4, V6};
use bgp_rib::Attrs;

use crate::import::{Changes, Judge, Refusal, Unicast};

/// Routes that are judged again in one step.
const STEP: usize = 4096;

type Key<F> = (<F as AddressFamily>::Prefix, PathId);

/// A route as it was received.
#[derive(Debug)]
struct Route {
    received: Attrs,
    /// The attributes that the core has it with, or why the core does not have it.
    taken: Result<Attrs, Refusal>,
    /// It was there when the answer to a ROUTE-REFRESH began, and has not come again since.
    stale: bool,
}

/// The routes of one family.
#[derive(Debug)]
pub(crate) struct Routes<F: AddressFamily> {
    by_key: BTreeMap<Key<F>, Route>,
    octets: u64,
    /// From where on routes wait to be judged again.
    again: Option<Bound<Key<F>>>,
}

/// A route as it was received, and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct ReceivedRoute<'a> {
    /// The destination.
    pub prefix: Prefix,
    /// The path identifier, 0 without ADD-PATH.
    pub path_id: PathId,
    /// The attributes as received.
    pub received: &'a Attrs,
    /// The attributes that it was taken with, or why it was not.
    pub taken: Result<&'a Attrs, Refusal>,
}

impl ReceivedRoute<'_> {
    /// Where [`AdjRibIn::iter`] goes on after this route.
    #[must_use]
    pub fn cursor(&self) -> (Prefix, PathId) {
        (self.prefix, self.path_id)
    }
}

/// The routes of one session as they came.
#[derive(Debug)]
pub struct AdjRibIn {
    pub(crate) v4: Routes<V4>,
    pub(crate) v6: Routes<V6>,
    /// The most paths to one destination that are taken.
    max_paths: Option<usize>,
    /// The families of which the peer may have announced routes that are not here.
    missing: FamilySet,
    /// Those of them of which the peer is sending all routes again.
    arriving: FamilySet,
}

impl AdjRibIn {
    /// An empty one. `missing`: the families of which the peer has already announced routes.
    pub(crate) fn new(max_paths: Option<u16>, missing: FamilySet) -> AdjRibIn {
        AdjRibIn {
            v4: Routes::default(),
            v6: Routes::default(),
            max_paths: max_paths.map(usize::from),
            missing,
            arriving: FamilySet::EMPTY,
        }
    }

    /// All routes behind `after`, the IPv4 ones first, in the order of prefix and path identifier. Take a bounded number
    /// and go on from [`ReceivedRoute::cursor`]: what comes or goes in between shifts nothing.
    pub fn iter(&self, after: Option<(Prefix, PathId)>) -> impl Iterator<Item = ReceivedRoute<'_>> {
        self.v4.iter(after).chain(self.v6.iter(after))
    }

    /// The paths to one destination.
    pub fn paths(&self, prefix: Prefix) -> impl Iterator<Item = ReceivedRoute<'_>> {
        self.v4.paths(prefix).chain(self.v6.paths(prefix))
    }

    /// Routes kept, IPv4 and IPv6.
    #[must_use]
    pub fn len(&self) -> [usize; 2] {
        [self.v4.by_key.len(), self.v6.by_key.len()]
    }

    /// Whether no route is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == [0, 0]
    }

    /// What the routes cost: the octets of the attributes of each, shared or not, and of its place here.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.v4.octets + self.v6.octets
    }

    /// The families of which the peer may have announced routes before they were kept.
    #[must_use]
    pub fn missing(&self) -> FamilySet {
        self.missing
    }

    /// A route was received.
    pub(crate) fn announce<F: Unicast>(
        &mut self,
        key: Key<F>,
        received: &Attrs,
        taken: Result<Attrs, Refusal>,
        judge: &mut Judge,
        out: &mut Changes<'_, F>,
    ) {
        let max = self.max_paths;
        F::routes_mut(self).announce(key, received, taken, max, judge, out);
    }

    /// A route was withdrawn.
    pub(crate) fn withdraw<F: Unicast>(&mut self, key: Key<F>, judge: &mut Judge, out: &mut Changes<'_, F>) {
        let max = self.max_paths;
        F::routes_mut(self).withdraw(key, max, judge, out);
    }

    /// The peer sends all routes of the family again (RFC 7313 section 4); within such an answer it says nothing new.
    pub(crate) fn refresh_begins<F: Unicast>(&mut self) {
        if !self.arriving.contains(F::FAMILY) {
            F::routes_mut(self).by_key.values_mut().for_each(|route| route.stale = true);
            self.arriving = self.arriving.with(F::FAMILY);
        }
    }

    /// It has sent them, or takes too long: those that have not come again are gone.
    pub(crate) fn refresh_ends<F: Unicast>(&mut self, judge: &mut Judge, out: &mut Changes<'_, F>) {
        let max = self.max_paths;
        let routes = F::routes_mut(self);
        let stale = routes.by_key.iter().filter(|(_, route)| route.stale).map(|(key, _)| *key);
        for key in stale.collect::<Vec<_>>() {
            routes.withdraw(key, max, judge, out);
        }
        self.arriving = self.arriving.without(F::FAMILY);
    }

    /// The peer says that it has sent all routes of the family again.
    pub(crate) fn is_complete(&mut self, family: Family) {
        if self.arriving.contains(family) {
            self.missing = self.missing.without(family);
        }
    }

    /// From now on so many paths to a destination are taken; returns whether that is another number. Judge again then.
    pub(crate) fn set_max_paths(&mut self, max_paths: Option<u16>) -> bool {
        let max_paths = max_paths.map(usize::from);
        std::mem::replace(&mut self.max_paths, max_paths) != max_paths
    }

    /// All routes are to be judged again, by [`AdjRibIn::judge_next`].
    pub(crate) fn judge_again(&mut self) {
        self.v4.again = Some(Bound::Unbounded);
        self.v6.again = Some(Bound::Unbounded);
    }

    /// Whether routes of the family wait to be judged again.
    pub(crate) fn is_judging<F: Unicast>(&self) -> bool {
        F::routes(self).again.is_some()
    }

    /// Judges the next routes of the family again; what changes is told.
    pub(crate) fn judge_next<F: Unicast>(&mut self, judge: &mut Judge, out: &mut Changes<'_, F>) {
        let max = self.max_paths;
        let routes = F::routes_mut(self);
        if let Some(from) = routes.again {
            routes.again = routes.judge_from(from, max, judge, out);
        }
    }
}

impl<F: AddressFamily> Default for Routes<F> {
    fn default() -> Routes<F> {
        Routes { by_key: BTreeMap::new(), octets: 0, again: None }
    }
}

/// All paths to one destination.
fn destination<P: Copy>(prefix: P) -> RangeInclusive<(P, PathId)> {
    (prefix, PathId(0))..=(prefix, PathId(u32::MAX))
}

impl<F: Unicast> Routes<F> {
    fn iter(&self, after: Option<(Prefix, PathId)>) -> impl Iterator<Item = ReceivedRoute<'_>> {
        let from = match after {
            None => Some(Bound::Unbounded),
            Some((prefix, path_id)) => match F::from_prefix(prefix) {
                Some(prefix) => Some(Bound::Excluded((prefix, path_id))),
                // A cursor in the other family: this one is still to come, or done.
                None => (prefix.family() < F::FAMILY).then_some(Bound::Unbounded),
            },
        };
        let routes = from.map(|from| self.by_key.range((from, Bound::Unbounded)));
        routes.into_iter().flatten().map(shown::<F>)
    }

    fn paths(&self, prefix: Prefix) -> impl Iterator<Item = ReceivedRoute<'_>> {
        let routes = F::from_prefix(prefix).map(|prefix| self.by_key.range(destination(prefix)));
        routes.into_iter().flatten().map(shown::<F>)
    }

    fn announce(
        &mut self,
        key: Key<F>,
        received: &Attrs,
        verdict: Result<Attrs, Refusal>,
        max: Option<usize>,
        judge: &mut Judge,
        out: &mut Changes<'_, F>,
    ) {
        // Where paths are counted, it has to find its place among them first.
        let taken = match max {
            Some(_) if verdict.is_ok() => Err(Refusal::MaxPaths),
            _ => verdict,
        };
        self.octets += cost::<F>(received);
        let route = Route { received: received.clone(), taken, stale: false };
        if let Some(old) = self.by_key.insert(key, route) {
            self.octets -= cost::<F>(&old.received);
        }
        self.count_paths(key.0, max, Some(key.1), judge, out);
        // Told whether it changed or not: the core may hold it as stale.
        if let Some(route) = self.by_key.get(&key) {
            out.put(key.0, key.1, route.taken.as_ref().map_err(|refusal| *refusal));
        }
    }

    fn withdraw(&mut self, key: Key<F>, max: Option<usize>, judge: &mut Judge, out: &mut Changes<'_, F>) {
        if let Some(old) = self.by_key.remove(&key) {
            self.octets -= cost::<F>(&old.received);
            self.count_paths(key.0, max, None, judge, out);
        }
        // Told in any case: the core may hold what was announced before routes were kept.
        out.withdraw(key.0, key.1);
    }

    /// Takes the first `max` paths to a destination that may be taken, and no more. What becomes of the others than
    /// `new` is told.
    fn count_paths(
        &mut self,
        prefix: F::Prefix,
        max: Option<usize>,
        new: Option<PathId>,
        judge: &mut Judge,
        out: &mut Changes<'_, F>,
    ) {
        let Some(max) = max else { return };
        let mut count = 0;
        for ((_, path_id), route) in self.by_key.range_mut(destination(prefix)) {
            let taken = match &route.taken {
                Ok(_) if count < max => {
                    count += 1;
                    continue;
                }
                Ok(_) => Err(Refusal::MaxPaths),
                Err(Refusal::MaxPaths) if count < max => judge.judge(prefix.into(), &route.received),
                // Only one path came or went, so none behind one that is over the limit is taken.
                Err(Refusal::MaxPaths) => return,
                Err(_) => continue,
            };
            count += usize::from(taken.is_ok());
            route.taken = taken;
            if new != Some(*path_id) {
                out.put(prefix, *path_id, route.taken.as_ref().map_err(|refusal| *refusal));
            }
        }
    }

    /// Judges all paths to the destinations from `from` on again, until there were enough of them; returns where to go
    /// on.
    fn judge_from(
        &mut self,
        from: Bound<Key<F>>,
        max: Option<usize>,
        judge: &mut Judge,
        out: &mut Changes<'_, F>,
    ) -> Option<Bound<Key<F>>> {
        let mut destination = None;
        let mut count = 0;
        let routes = self.by_key.range_mut((from, Bound::Unbounded));
        for (seen, ((prefix, path_id), route)) in routes.enumerate() {
            if destination != Some(*prefix) {
                if seen >= STEP {
                    return Some(Bound::Included((*prefix, *path_id)));
                }
                destination = Some(*prefix);
                count = 0;
            }
            let verdict = judge.judge((*prefix).into(), &route.received);
            let taken = match max {
                Some(max) if verdict.is_ok() && count >= max => Err(Refusal::MaxPaths),
                _ => verdict,
            };
            count += usize::from(taken.is_ok());
            if taken.as_ref().ok() != route.taken.as_ref().ok() {
                out.put(*prefix, *path_id, taken.as_ref().map_err(|refusal| *refusal));
            }
            route.taken = taken;
        }
        None
    }
}

/// What a route costs: see [`AdjRibIn::octets`].
fn cost<F: AddressFamily>(attrs: &Attrs) -> u64 {
    (attrs.block().len() + size_of::<(Key<F>, Route)>()) as u64
}

fn shown<'a, F: AddressFamily>(((prefix, path_id), route): (&Key<F>, &'a Route)) -> ReceivedRoute<'a> {
    ReceivedRoute {
        prefix: (*prefix).into(),
        path_id: *path_id,
        received: &route.received,
        taken: route.taken.as_ref().map_err(|refusal| *refusal),
    }
}
