//! Whether next hops can be reached, and at what cost: an input, supplied before the decision process needs it.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use bgp_core::{Family, Prefix};
use foldhash::quality::FixedState;
use hashbrown::HashMap;

use crate::chunks::ChunkSet;
use crate::table::DestId;

/// Where the state of next hops comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NextHopSource {
    /// Every next hop is taken to be reachable at metric 0: a route reflector off the data path.
    #[default]
    Assume,
    /// Someone watches the next hops in use and reports their state; until then they are ineligible.
    Tracked,
}

/// What is known of a next hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NextHopState {
    /// Not yet reported.
    #[default]
    Unknown,
    /// There is a route to it.
    Reachable {
        /// The interior cost of that route (RFC 4271 section 9.1.2.2 e).
        metric: u32,
    },
    /// There is no route to it.
    Unreachable,
}

impl NextHopState {
    /// The cost, if it can be reached.
    #[must_use]
    pub fn metric(self) -> Option<u32> {
        match self {
            NextHopState::Reachable { metric } => Some(metric),
            NextHopState::Unknown | NextHopState::Unreachable => None,
        }
    }
}

/// What the one who tracks next hops is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Report the state of this address now and whenever it changes.
    Start(IpAddr),
    /// No path uses this address any more.
    Stop(IpAddr),
}

/// A next hop in use; paths carry it instead of the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHopId(u32);

impl NextHopId {
    /// Stands for every next hop that nobody tracks.
    pub const ASSUMED: NextHopId = NextHopId(u32::MAX);

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a next hop is reached by that the tracker cannot reach: a route of our own tables, whose next hop it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Via {
    /// That route's next hop.
    pub(crate) gateway: IpAddr,
    /// Its interior cost.
    pub(crate) metric: u32,
}

/// The next hops that paths use. There are at most as many as there are paths.
///
/// One that the tracker cannot reach may be reached by a route (RFC 4271 section 9.1.2.1, recursive lookup), one step
/// deep: that route's own next hop must be one that the tracker reaches. So no next hop ever depends on itself.
pub struct NextHops {
    source: NextHopSource,
    index: HashMap<IpAddr, NextHopId, FixedState>,
    entries: Vec<Entry>,
    free: Vec<NextHopId>,
    /// Those that the tracker cannot reach.
    unreached: BTreeMap<IpAddr, NextHopId>,
    /// Entries whose watching may have to change; each at most once.
    to_tell: VecDeque<NextHopId>,
}

struct Entry {
    address: IpAddr,
    /// What the tracker said last.
    state: NextHopState,
    /// What it is reached by if not by what the tracker said.
    via: Option<Via>,
    users: u32,
    /// What the tracker was last told.
    watched: bool,
    queued: bool,
    /// Where in the tables the paths are that use it.
    v4: ChunkSet,
    v6: ChunkSet,
}

impl Entry {
    fn new(address: IpAddr) -> Entry {
        Entry {
            address,
            state: NextHopState::Unknown,
            via: None,
            users: 0,
            watched: false,
            queued: false,
            v4: ChunkSet::default(),
            v6: ChunkSet::default(),
        }
    }
}

impl Entry {
    fn metric(&self) -> Option<u32> {
        self.state.metric().or(self.via.map(|via| via.metric))
    }
}

impl NextHops {
    /// No next hop is in use yet. Peers choose the addresses: keep `seed` secret.
    #[must_use]
    pub fn new(source: NextHopSource, seed: u64) -> NextHops {
        NextHops {
            source,
            index: HashMap::with_hasher(FixedState::with_seed(seed)),
            entries: Vec::new(),
            free: Vec::new(),
            unreached: BTreeMap::new(),
            to_tell: VecDeque::new(),
        }
    }

    /// A path starts to use `address`: its id, and its cost if it can be reached.
    pub fn acquire(&mut self, address: IpAddr) -> (NextHopId, Option<u32>) {
        if self.source == NextHopSource::Assume {
            return (NextHopId::ASSUMED, Some(0));
        }
        let id = match self.index.get(&address) {
            Some(id) => *id,
            None => self.add(address),
        };
        let Some(entry) = self.entries.get_mut(id.index()) else { return (id, None) };
        entry.users += 1;
        let metric = entry.metric();
        if entry.users == 1 {
            self.tell_later(id);
        }
        (id, metric)
    }

    fn add(&mut self, address: IpAddr) -> NextHopId {
        let entry = Entry::new(address);
        let id = match self.free.pop() {
            Some(id) => id,
            None => NextHopId(u32::try_from(self.entries.len()).unwrap_or(u32::MAX)),
        };
        match self.entries.get_mut(id.index()) {
            Some(place) => *place = entry,
            None => self.entries.push(entry),
        }
        self.index.insert(address, id);
        id
    }

    /// A path stops to use it.
    pub fn release(&mut self, id: NextHopId) {
        let Some(entry) = self.entries.get_mut(id.index()) else { return };
        entry.users = entry.users.saturating_sub(1);
        if entry.users == 0 {
            self.tell_later(id);
        }
    }

    /// Notes that a path to `dest` uses it.
    pub(crate) fn note_use(&mut self, id: NextHopId, family: Family, dest: DestId) {
        if let Some(entry) = self.entries.get_mut(id.index()) {
            match family {
                Family::IPV4_UNICAST => entry.v4.insert(dest),
                _ => entry.v6.insert(dest),
            }
        }
    }

    /// Where in the table of a family its paths are.
    pub(crate) fn chunks(&self, id: NextHopId, family: Family) -> impl Iterator<Item = usize> {
        let set = self.entries.get(id.index()).map(|entry| match family {
            Family::IPV4_UNICAST => &entry.v4,
            _ => &entry.v6,
        });
        set.into_iter().flat_map(ChunkSet::iter)
    }

    fn tell_later(&mut self, id: NextHopId) {
        if let Some(entry) = self.entries.get_mut(id.index()).filter(|entry| !entry.queued) {
            entry.queued = true;
            self.to_tell.push_back(id);
        }
    }

    /// What the tracker is to be told next. A next hop dropped and taken up again in between costs nothing.
    pub fn poll_watch(&mut self) -> Option<Watch> {
        loop {
            let id = self.to_tell.pop_front()?;
            let Some(entry) = self.entries.get_mut(id.index()) else { continue };
            entry.queued = false;
            let (address, wanted, told) = (entry.address, entry.users > 0, entry.watched);
            entry.watched = wanted;
            if !wanted {
                self.index.remove(&address);
                self.unreached.remove(&address);
                self.free.push(id);
            }
            match (wanted, told) {
                (true, false) => return Some(Watch::Start(address)),
                (false, true) => return Some(Watch::Stop(address)),
                (true, true) | (false, false) => {}
            }
        }
    }

    /// Takes a report; whether a next hop in use can be reached otherwise than before.
    pub fn set(&mut self, address: IpAddr, state: NextHopState) -> bool {
        let Some(id) = self.id(address) else { return false };
        let Some(entry) = self.entries.get_mut(id.index()) else { return false };
        let before = entry.metric();
        entry.state = state;
        let mut was_by_route = false;
        if state == NextHopState::Unreachable {
            self.unreached.insert(address, id);
        } else {
            was_by_route = entry.via.take().is_some();
            self.unreached.remove(&address);
        }
        // Packets go elsewhere, even if that costs the same.
        was_by_route || entry.metric() != before
    }

    /// The id of a next hop that is tracked.
    pub(crate) fn id(&self, address: IpAddr) -> Option<NextHopId> {
        self.index.get(&address).copied()
    }

    /// The address of a next hop that is tracked.
    pub(crate) fn address(&self, id: NextHopId) -> Option<IpAddr> {
        self.entries.get(id.index()).map(|entry| entry.address)
    }

    /// The next hops inside `prefix` that the tracker cannot reach.
    pub(crate) fn unreached_in(&self, prefix: Prefix) -> impl Iterator<Item = (IpAddr, NextHopId)> {
        let inside = move |address: &IpAddr| is_inside(*address, prefix);
        let from = self.unreached.range(prefix.address()..);
        from.map(|(address, id)| (*address, *id)).take_while(move |(address, _)| inside(address))
    }

    /// Notes what such a next hop is reached by; whether that is new.
    pub(crate) fn reach_by(&mut self, id: NextHopId, via: Option<Via>) -> bool {
        let Some(entry) = self.entries.get_mut(id.index()) else { return false };
        std::mem::replace(&mut entry.via, via) != via
    }

    /// The cost of a next hop that the tracker itself can reach.
    pub(crate) fn direct_metric(&self, id: NextHopId) -> Option<u32> {
        self.entries.get(id.index())?.state.metric()
    }

    /// The cost of a next hop, if it can be reached at all.
    pub(crate) fn metric(&self, id: NextHopId) -> Option<u32> {
        self.entries.get(id.index())?.metric()
    }

    /// Where packets go that are for the next hop `address`: to itself, or to the next hop of the route to it.
    #[must_use]
    pub fn gateway(&self, address: IpAddr) -> IpAddr {
        let entry = self.index.get(&address).and_then(|id| self.entries.get(id.index()));
        entry.and_then(|entry| entry.via).map_or(address, |via| via.gateway)
    }

    /// Whether [`NextHops::poll_watch`] may have something to tell.
    #[must_use]
    pub fn has_watches(&self) -> bool {
        !self.to_tell.is_empty()
    }

    /// Whether the state of every next hop in use is known.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.entries.iter().all(|entry| entry.users == 0 || entry.state != NextHopState::Unknown)
    }

    /// What is known of `address`; `None` if no path uses it or nobody tracks next hops.
    #[must_use]
    pub fn state(&self, address: IpAddr) -> Option<NextHopState> {
        let id = self.index.get(&address)?;
        Some(self.entries.get(id.index())?.state)
    }

    /// How many next hops are tracked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no next hop is tracked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }
}

fn is_inside(address: IpAddr, prefix: Prefix) -> bool {
    let len = if address.is_ipv4() { 32 } else { 128 };
    Prefix::new(address, len).is_some_and(|host| prefix.covers(&host))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: NextHopState = NextHopState::Reachable { metric: 5 };

    fn address() -> IpAddr {
        "10.0.0.1".parse().unwrap()
    }

    fn tracked() -> NextHops {
        NextHops::new(NextHopSource::Tracked, 1)
    }

    #[test]
    fn an_assumed_next_hop_is_reachable_and_never_watched() {
        let mut hops = NextHops::new(NextHopSource::Assume, 1);
        assert_eq!(hops.acquire(address()), (NextHopId::ASSUMED, Some(0)));
        hops.release(NextHopId::ASSUMED);
        assert_eq!(hops.poll_watch(), None);
        assert!(hops.is_empty());
    }

    #[test]
    fn the_first_use_starts_a_watch_and_the_last_stops_it() {
        let mut hops = tracked();
        let (id, metric) = hops.acquire(address());
        assert_eq!(metric, None);
        assert_eq!(hops.acquire(address()).0, id);
        assert_eq!(hops.poll_watch(), Some(Watch::Start(address())));
        hops.release(id);
        assert_eq!(hops.poll_watch(), None);
        hops.release(id);
        assert_eq!(hops.poll_watch(), Some(Watch::Stop(address())));
        assert!(hops.is_empty());
        assert!(!hops.set(address(), UP));
        assert_eq!(hops.acquire("::1".parse().unwrap()), (id, None));
    }

    #[test]
    fn a_next_hop_used_again_before_anyone_looked_stays_watched() {
        let mut hops = tracked();
        let (id, _) = hops.acquire(address());
        assert_eq!(hops.poll_watch(), Some(Watch::Start(address())));
        assert!(hops.set(address(), UP));
        hops.release(id);
        assert_eq!(hops.acquire(address()), (id, Some(5)));
        assert_eq!(hops.poll_watch(), None);
        assert_eq!(hops.state(address()), Some(UP));
    }

    #[test]
    fn next_hops_are_settled_once_all_in_use_are_reported() {
        let mut hops = tracked();
        assert!(hops.is_settled() && !hops.has_watches());
        let (id, _) = hops.acquire(address());
        assert!(!hops.is_settled() && hops.has_watches());
        hops.set(address(), NextHopState::Unreachable);
        assert!(hops.is_settled());
        let (other, _) = hops.acquire("::1".parse().unwrap());
        hops.release(other);
        hops.release(id);
        assert!(hops.is_settled());
    }

    #[test]
    fn a_report_that_changes_nothing_is_told_apart() {
        let mut hops = tracked();
        hops.acquire(address());
        assert!(!hops.set(address(), NextHopState::Unreachable));
        assert!(hops.set(address(), UP));
        assert!(!hops.set(address(), UP));
        assert!(hops.set(address(), NextHopState::Unreachable));
    }
}
