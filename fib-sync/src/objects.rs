//! Nexthop objects: groups of hops that routes name instead of hops of their own.
//!
//! No I/O. One group for each target with many routes, always a group, even of one member: so any change of
//! its hops is one message that replaces it. Members are objects of one hop, shared by groups. All have our
//! protocol, and ids of a range that follows from protocol, table and metric: others' objects are not touched.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::config::FibConfig;
use crate::forwarding::{Hop, Way};
use crate::message::{Nexthop, Nexthops};

/// Bits of an id that number the objects of one range.
const INDEX_BITS: u32 = 16;

/// What a group of ours shall do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Hops(Vec<Hop>),
    /// No hop is left: until its routes are gone, it drops their packets.
    Blackhole {
        v6: bool,
    },
}

/// One message for the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    New { id: u32, nexthop: Nexthop },
    Replace { id: u32, nexthop: Nexthop },
    Delete(u32),
}

/// Errors in a row after which objects are given up.
const MAX_STRIKES: u32 = 3;

pub(crate) struct Objects {
    protocol: u8,
    base: u32,
    /// Ours, as the kernel has them.
    kernel: BTreeMap<u32, Nexthop>,
    /// Groups of targets, as they shall be.
    groups: BTreeMap<u32, Content>,
    dirty: bool,
    /// There may be objects that nothing needs.
    untidy: bool,
    strikes: u32,
}

impl Objects {
    pub(crate) fn new(config: &FibConfig) -> Self {
        let mixed = (config.table ^ config.metric.rotate_left(16)).wrapping_mul(0x9e37_79b1);
        Self {
            protocol: config.protocol,
            base: u32::from(config.protocol) << 24 | (mixed >> 24) << INDEX_BITS,
            kernel: BTreeMap::new(),
            groups: BTreeMap::new(),
            dirty: false,
            untidy: false,
            strikes: 0,
        }
    }

    /// By its id: whoever replaces an object changes its protocol along.
    pub(crate) fn is_ours(&self, id: u32) -> bool {
        id >> INDEX_BITS == self.base >> INDEX_BITS
    }

    // ---- the kernel's word ----

    /// All objects, of everybody.
    pub(crate) fn read(&mut self, all: &Nexthops) {
        let ours = all.values().filter(|object| self.is_ours(object.id));
        self.kernel = ours.map(|object| (object.id, object.nexthop.clone())).collect();
        (self.dirty, self.untidy) = (true, true);
    }

    /// The kernel drops objects over a link that goes down or loses its carrier, and groups without members with
    /// their routes, all without a word.
    pub(crate) fn uses(&self, interface: u32) -> bool {
        self.kernel.values().any(|object| matches!(object, Nexthop::Hop(hop) if hop.interface == interface))
    }

    /// Whether a group loses its last member with a link.
    pub(crate) fn depends_on(&self, interface: u32) -> bool {
        self.kernel.values().any(|object| {
            let Nexthop::Group(members) = object else { return false };
            members.iter().all(|(id, _)| {
                matches!(self.kernel.get(id), Some(Nexthop::Hop(hop)) if hop.interface == interface)
            })
        })
    }

    /// What the kernel does with packets of routes that name an object of ours.
    pub(crate) fn way(&self, id: u32) -> Option<Way> {
        way_of(id, |id| self.kernel.get(&id))
    }

    // ---- what shall be ----

    /// A new group; none when the ids are used up, or the kernel has no objects.
    pub(crate) fn assign(&mut self, content: Content) -> Option<u32> {
        let id = self.unused(&BTreeSet::new())?;
        self.set(id, content);
        Some(id)
    }

    /// Groups of an earlier run that have these hops.
    pub(crate) fn adoptable<'a>(&'a self, hops: &'a [Hop]) -> impl Iterator<Item = u32> + 'a {
        let groups = self.kernel.iter().filter(|(_, object)| matches!(object, Nexthop::Group(_)));
        let free = groups.map(|(id, _)| *id).filter(|id| !self.groups.contains_key(id));
        free.filter(move |id| self.way(*id).is_some_and(|way| way.hops() == hops))
    }

    pub(crate) fn content(&self, id: u32) -> Option<&Content> {
        self.groups.get(&id)
    }

    pub(crate) fn set(&mut self, id: u32, content: Content) {
        if self.groups.get(&id) != Some(&content) {
            self.groups.insert(id, content);
            self.dirty = true;
        }
    }

    /// The group is not needed once no route names it.
    pub(crate) fn free(&mut self, id: u32) {
        self.groups.remove(&id);
        self.untidy = true;
    }

    fn unused(&self, taken: &BTreeSet<u32>) -> Option<u32> {
        if self.given_up() {
            return None;
        }
        (self.base + 1..self.base + (1 << INDEX_BITS))
            .find(|id| !self.kernel.contains_key(id) && !self.groups.contains_key(id) && !taken.contains(id))
    }

    /// What must be sent before routes are: new members, and groups that differ.
    pub(crate) fn requests(&mut self) -> Vec<Request> {
        if !std::mem::take(&mut self.dirty) {
            return Vec::new();
        }
        let mut requests = Vec::new();
        let mut known: HashMap<Nexthop, u32> = HashMap::new();
        known.extend(
            self.kernel.iter().filter(|(_, object)| is_member(object)).map(|(id, o)| (o.clone(), *id)),
        );
        let mut taken = BTreeSet::new();
        for (group, content) in &self.groups {
            let mut members = Vec::new();
            for (nexthop, weight) in content.members() {
                let id = known.get(&nexthop).copied().or_else(|| {
                    let id = self.unused(&taken)?;
                    taken.insert(id);
                    known.insert(nexthop.clone(), id);
                    requests.push(Request::New { id, nexthop });
                    Some(id)
                });
                members.extend(id.map(|id| (id, weight)));
            }
            members.sort_unstable();
            let nexthop = Nexthop::Group(members);
            match self.kernel.get(group) {
                Some(there) if *there == nexthop => {}
                None => requests.push(Request::New { id: *group, nexthop }),
                Some(Nexthop::Group(_)) => requests.push(Request::Replace { id: *group, nexthop }),
                // The kernel makes no group of a hop, nor the reverse.
                Some(_) => {
                    requests.push(Request::Delete(*group));
                    requests.push(Request::New { id: *group, nexthop });
                }
            }
        }
        requests
    }

    /// Objects of ours that nothing needs, groups first. `named`: those that routes name.
    pub(crate) fn garbage(&mut self, named: impl FnOnce() -> HashSet<u32>) -> Vec<Request> {
        if self.kernel.is_empty() || !std::mem::take(&mut self.untidy) {
            return Vec::new();
        }
        let named = named();
        let is_needed = |id: &u32| self.groups.contains_key(id) || named.contains(id);
        let groups = self.kernel.iter().filter(|(_, object)| !is_member(object));
        let (needed, unneeded): (Vec<_>, Vec<_>) = groups.partition(|(id, _)| is_needed(id));
        let members: BTreeSet<u32> = needed
            .into_iter()
            .filter_map(|(_, group)| match group {
                Nexthop::Group(members) => Some(members.iter().map(|(id, _)| *id)),
                _ => None,
            })
            .flatten()
            .collect();
        let singles = self.kernel.iter().filter(|(_, object)| is_member(object)).map(|(id, _)| id);
        let singles = singles.filter(|id| !members.contains(id) && !is_needed(id));
        unneeded.into_iter().map(|(id, _)| id).chain(singles).map(|id| Request::Delete(*id)).collect()
    }

    /// The kernel carried out a request.
    pub(crate) fn done(&mut self, request: Request) {
        self.strikes = 0;
        match request {
            Request::New { id, nexthop } | Request::Replace { id, nexthop } => {
                self.kernel.insert(id, nexthop);
                self.untidy = true;
            }
            Request::Delete(id) => {
                self.kernel.remove(&id);
            }
        }
    }

    /// Routes changed: perhaps none names some object any more.
    pub(crate) fn routes_changed(&mut self) {
        self.untidy = true;
    }

    /// The kernel refused a request. Returns whether objects are given up for it.
    pub(crate) fn strike(&mut self) -> bool {
        self.strikes += 1;
        self.dirty = true;
        self.strikes == MAX_STRIKES
    }

    /// This kernel has no nexthop objects.
    pub(crate) fn give_up(&mut self) {
        self.strikes = MAX_STRIKES;
    }

    pub(crate) fn given_up(&self) -> bool {
        self.strikes >= MAX_STRIKES
    }

    /// How many groups shall be there.
    pub(crate) fn groups(&self) -> usize {
        self.groups.len()
    }

    pub(crate) fn protocol(&self) -> u8 {
        self.protocol
    }
}

impl Content {
    /// For the hops of a group, or to drop what they carried.
    pub(crate) fn dropping(&self) -> Content {
        let v6 = match self {
            Content::Blackhole { v6 } => *v6,
            Content::Hops(hops) => {
                hops.iter().all(|hop| hop.gateway.is_some_and(|gateway| gateway.is_ipv6()))
            }
        };
        Content::Blackhole { v6 }
    }

    fn members(&self) -> Vec<(Nexthop, u16)> {
        match self {
            Content::Blackhole { v6 } => vec![(Nexthop::Blackhole { v6: *v6 }, 1)],
            Content::Hops(hops) => {
                hops.iter().map(|hop| (Nexthop::Hop(Hop { weight: 1, ..*hop }), hop.weight)).collect()
            }
        }
    }
}

fn is_member(object: &Nexthop) -> bool {
    matches!(object, Nexthop::Hop(_) | Nexthop::Blackhole { .. })
}

/// What the kernel does with packets of routes that name an object.
pub(crate) fn way_of<'a>(id: u32, get: impl Fn(u32) -> Option<&'a Nexthop>) -> Option<Way> {
    match get(id)? {
        Nexthop::Hop(hop) => Some(Way::via(vec![*hop])),
        Nexthop::Blackhole { .. } => Some(Way::Blackhole),
        Nexthop::Other => Some(Way::Other),
        Nexthop::Group(members) => {
            let mut hops = Vec::new();
            for (member, weight) in members {
                match get(*member)? {
                    Nexthop::Hop(hop) => hops.push(Hop { weight: *weight, ..*hop }),
                    Nexthop::Blackhole { .. } => return Some(Way::Blackhole),
                    Nexthop::Group(_) | Nexthop::Other => return Some(Way::Other),
                }
            }
            Some(Way::via(hops))
        }
    }
}
