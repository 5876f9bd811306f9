//! The model against a kernel in memory: whatever is asked for and whoever interferes, told early or late,
//! both agree in the end.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::*;
use crate::forwarding::{Hop, Way};
use crate::links::KernelLink;
use crate::message::{KernelNexthop, KernelRoute, Nexthop};
use crate::mirror::Told;
use crate::objects::{Request, way_of};
use crate::route::{NextHop, RouteOptions, Target};
use crate::route_table::RouteTable;

/// One (table, metric) of IPv4: at each prefix at most one route, ours (true) or a foreign one. And objects of ours.
#[derive(Default)]
struct FakeKernel {
    routes: BTreeMap<IpNetwork, (bool, Forwarding)>,
    objects: BTreeMap<u32, Nexthop>,
    no_carrier: bool,
}

/// The link that may lose its carrier.
const SHAKY: u32 = 2;

impl FakeKernel {
    fn errno(&mut self, prefix: IpNetwork, change: Change, to: Option<&Forwarding>) -> Option<i32> {
        let there = self.routes.get(&prefix).map(|(ours, _)| *ours);
        if to.and_then(|to| to.object).is_some_and(|id| !self.objects.contains_key(&id.get())) {
            return Some(libc::EINVAL);
        }
        match (change, there) {
            (Change::Add(_), Some(_)) => return Some(libc::EEXIST),
            (Change::Replace(_), None) => return Some(libc::ENOENT),
            (Change::Delete, None | Some(false)) => return Some(libc::ESRCH),
            (Change::Delete, Some(true)) => drop(self.routes.remove(&prefix)),
            (Change::Add(_) | Change::Replace(_), _) => {
                self.routes.insert(prefix, (true, to.unwrap().clone()));
            }
        }
        None
    }

    fn object(&mut self, request: &Request) -> Option<i32> {
        let is_dead = |nexthop: &Nexthop| match nexthop {
            Nexthop::Hop(hop) => self.no_carrier && hop.interface == SHAKY,
            Nexthop::Group(members) => {
                members.is_empty() || members.iter().any(|(id, _)| !self.objects.contains_key(id))
            }
            _ => false,
        };
        match request {
            Request::New { nexthop, .. } | Request::Replace { nexthop, .. } if is_dead(nexthop) => {
                return Some(libc::EINVAL);
            }
            Request::New { id, .. } if self.objects.contains_key(id) => return Some(libc::EEXIST),
            Request::New { id, nexthop } | Request::Replace { id, nexthop } => {
                self.objects.insert(*id, nexthop.clone());
            }
            Request::Delete(id) => self.delete_object(*id),
        }
        None
    }

    /// With all that depends on it, without a word.
    fn delete_object(&mut self, gone: u32) {
        self.objects.remove(&gone);
        self.routes.retain(|_, (_, to)| to.object.is_none_or(|id| id.get() != gone));
        let mut empty = Vec::new();
        for (id, object) in &mut self.objects {
            let Nexthop::Group(members) = object else { continue };
            members.retain(|(member, _)| *member != gone);
            empty.extend(members.is_empty().then_some(*id));
        }
        empty.into_iter().for_each(|id| self.delete_object(id));
    }

    fn lose_carrier(&mut self) {
        self.no_carrier = true;
        let over = |object: &Nexthop| matches!(object, Nexthop::Hop(hop) if hop.interface == SHAKY);
        let gone: Vec<u32> = self.objects.iter().filter(|(_, o)| over(o)).map(|(id, _)| *id).collect();
        gone.into_iter().for_each(|id| self.delete_object(id));
    }

    fn way(&self, to: &Forwarding) -> Option<Way> {
        match to.object {
            None => Some(to.way.clone()),
            Some(id) => way_of(id.get(), |id| self.objects.get(&id)),
        }
    }
}

/// Reproducible choices (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Told late, like the events of a socket that was not read yet.
enum Untold {
    Route(IpNetwork, Option<(bool, Forwarding)>),
    ObjectDeleted,
    Carrier(bool),
}

struct World {
    table: Table<RouteTable>,
    resolver: Resolver,
    kernel: FakeKernel,
    desired: BTreeMap<IpNetwork, Target>,
    untold: Vec<Untold>,
    random: Random,
}

fn targets() -> [Target; 4] {
    let via = |gateways: &[&str]| {
        Target::Via(gateways.iter().map(|gateway| NextHop::new(gateway.parse().unwrap())).collect())
    };
    [Target::Blackhole, via(&[]), via(&["10.0.2.2"]), via(&["10.0.1.2", "10.0.2.2"])]
}

fn link(index: u32, running: bool) -> KernelLink {
    KernelLink { index, name: format!("eth{index}"), up: true, running }
}

fn resolver() -> Resolver {
    let mut resolver = Resolver::default();
    for index in [1, SHAKY] {
        resolver.link_changed(link(index, true));
        let connected = KernelRoute {
            prefix: IpNetwork::new([10, 0, index as u8, 0].into(), 24).unwrap(),
            table: 254,
            protocol: 2,
            metric: 0,
            tos: 0,
            way: Way::via(vec![Hop { gateway: None, interface: index, weight: 1, onlink: false }]),
            options: RouteOptions::default(),
            object: None,
            embellished: false,
        };
        let _ = resolver.route_added(connected, false);
    }
    resolver
}

/// Routes of a target beyond which it has a group here.
const LIMIT: u32 = 2;

impl World {
    fn new(seed: u64) -> Self {
        let config = FibConfig { nexthop_objects: Some(LIMIT), ..FibConfig::default() };
        let resolver = resolver();
        let mut table = Table::new(&config, RouteTable::default());
        table.finish_adoption(&resolver);
        Self {
            table,
            resolver,
            kernel: FakeKernel::default(),
            desired: BTreeMap::new(),
            untold: Vec::new(),
            random: Random(seed),
        }
    }

    fn prefix(&mut self) -> IpNetwork {
        IpNetwork::new([10, 100 + self.random.below(8) as u8, 0, 0].into(), 16).unwrap()
    }

    fn ask(&mut self) {
        let prefix = self.prefix();
        match self.random.below(6) {
            0 => self.remove(prefix),
            which => {
                let which = usize::try_from(which.saturating_sub(2)).unwrap();
                self.set(prefix, targets()[which.min(3)].clone());
            }
        }
    }

    fn set(&mut self, prefix: IpNetwork, target: Target) {
        self.desired.insert(prefix, target.clone());
        let options = RouteOptions::default();
        let id = self.table.targets.acquire(target, options, &mut self.resolver).unwrap();
        let (number, before) = self.table.routes.set(prefix, TargetId(id));
        self.table.changed(number);
        before.into_iter().for_each(|before| self.table.targets.release(before.0, &mut self.resolver));
    }

    fn remove(&mut self, prefix: IpNetwork) {
        self.desired.remove(&prefix);
        if let Some((number, target)) = self.table.routes.remove(prefix) {
            self.table.changed(number);
            self.table.targets.release(target.0, &mut self.resolver);
        }
    }

    fn interfere(&mut self) {
        let prefix = self.prefix();
        let after = match self.random.below(6) {
            0 => None,
            1 => Some((false, Way::Blackhole.into())),
            2 => Some((true, Way::Blackhole.into())),
            3 => Some((true, Forwarding::other())),
            4 => return self.delete_some_object(),
            _ => return self.change_carrier(),
        };
        match &after {
            None => drop(self.kernel.routes.remove(&prefix)),
            Some(route) => drop(self.kernel.routes.insert(prefix, route.clone())),
        }
        self.untold.push(Untold::Route(prefix, after));
    }

    fn delete_some_object(&mut self) {
        let ids: Vec<u32> = self.kernel.objects.keys().copied().collect();
        if !ids.is_empty() {
            self.kernel.delete_object(ids[self.random.below(ids.len() as u64) as usize]);
            self.untold.push(Untold::ObjectDeleted);
        }
    }

    fn change_carrier(&mut self) {
        match self.kernel.no_carrier {
            true => self.kernel.no_carrier = false,
            false => self.kernel.lose_carrier(),
        }
        self.untold.push(Untold::Carrier(!self.kernel.no_carrier));
    }

    /// What [`crate::follow`] makes of events, and [`crate::FibSync`] of doubtful ones.
    fn tell(&mut self) {
        let mut doubtful = false;
        for untold in std::mem::take(&mut self.untold) {
            let (prefix, after) = match untold {
                Untold::Route(prefix, after) => (prefix, after),
                Untold::ObjectDeleted => {
                    doubtful = true;
                    continue;
                }
                Untold::Carrier(running) => {
                    self.resolver.link_changed(link(SHAKY, running));
                    doubtful |= self.table.targets.objects.depends_on(SHAKY);
                    self.read_objects();
                    continue;
                }
            };
            let told = match after {
                None if self.table.occupied.contains_key(&prefix) => self.table.foreign_removed(prefix),
                None => self.table.ours_deleted(prefix),
                Some((true, forwarding)) => self.table.ours_changed(prefix, forwarding, false),
                Some((false, _)) => self.table.foreign_added(prefix, 4, true),
            };
            doubtful |= told == Told::Doubtful;
        }
        self.table.events_read();
        if doubtful {
            self.dump();
        }
    }

    fn read_objects(&mut self) {
        let object = |(id, nexthop): (&u32, &Nexthop)| {
            (*id, KernelNexthop { id: *id, protocol: 186, nexthop: nexthop.clone() })
        };
        let all: HashMap<u32, KernelNexthop> = self.kernel.objects.iter().map(object).collect();
        self.table.targets.objects.read(&all);
    }

    fn dump(&mut self) {
        self.read_objects();
        self.resolver.link_changed(link(SHAKY, !self.kernel.no_carrier));
        self.table.begin_resync();
        for (prefix, (ours, forwarding)) in &self.kernel.routes {
            match ours {
                true => {
                    let (id, _) = self.table.targets.forwardings.acquire(forwarding.clone()).unwrap();
                    self.table.resync_ours(*prefix, None, id);
                    self.table.targets.forwardings.release(id);
                }
                false => self.table.resync_foreign(*prefix, 4),
            }
        }
        let mut next = Some(0);
        while let Some(from) = next {
            next = self.table.settle_resync(from);
        }
        assert_eq!(self.table.end_resync(), []);
    }

    /// Carries out one action; events may come only after it. Returns whether there was anything to do.
    fn act(&mut self) -> bool {
        let changes = self.resolver.take_changes();
        self.table.next_hops_changed(&changes, &self.resolver);
        self.table.counts_changed(&self.resolver);
        while self.table.walk_on() {}
        let mut requests = self.table.targets.objects.requests();
        if requests.is_empty() && self.table.pending() == 0 {
            requests = self.table.targets.garbage();
        }
        for request in &requests {
            if self.kernel.object(request).is_some() {
                self.tell();
                self.dump();
                return true;
            }
            self.table.targets.objects.done(request.clone());
        }
        let Some(finding) = self.table.next_finding() else { return !requests.is_empty() };
        if let Finding::Act(action) = finding {
            let to = match action.change {
                Change::Add(id) | Change::Replace(id) => self.table.targets.forwardings.get(id).cloned(),
                Change::Delete => None,
            };
            let prefix = self.table.routes.prefix(action.number).unwrap();
            let ended = match self.kernel.errno(prefix, action.change, to.as_ref()) {
                None => self.table.ended_well(action),
                Some(errno) => self.table.ended_badly(action, KernelError { errno, text: None }),
            };
            if ended == Ended::Contested {
                self.tell();
                self.dump();
            }
        }
        true
    }

    /// How a target ends up.
    fn expected(&self, target: &Target) -> Option<Way> {
        let is_usable = |gateway: IpAddr| gateway.to_string() == "10.0.1.2" || !self.kernel.no_carrier;
        let hop = |next_hop: &NextHop| {
            let interface = if next_hop.gateway.to_string() == "10.0.1.2" { 1 } else { SHAKY };
            Hop { gateway: Some(next_hop.gateway), interface, weight: 1, onlink: false }
        };
        match target {
            Target::Blackhole => Some(Way::Blackhole),
            target => {
                let usable = target.next_hops().iter().filter(|next_hop| is_usable(next_hop.gateway));
                Some(Way::via(usable.map(hop).collect())).filter(|way| !way.hops().is_empty())
            }
        }
    }

    fn settle_and_check(&mut self) {
        self.tell();
        let mut actions = 0;
        while self.act() {
            actions += 1;
            assert!(actions < 1000, "the model goes round in circles");
        }
        for (prefix, (ours, _)) in &self.kernel.routes {
            assert!(!ours || self.desired.contains_key(prefix), "{prefix} is extra");
        }
        let mut named = BTreeSet::new();
        for (prefix, target) in &self.desired {
            let there = self.kernel.routes.get(prefix);
            if there.is_some_and(|(ours, _)| !ours) {
                continue;
            }
            let way = there.map(|(_, to)| self.kernel.way(to).expect("its object"));
            assert_eq!(way, self.expected(target), "{prefix}");
            let object = there.and_then(|(_, to)| to.object);
            let users = self.desired.values().filter(|other| *other == target).count() as u32;
            let is_via = matches!(way, Some(Way::Via(_)));
            assert!(object.is_some() || !is_via || users <= LIMIT, "{prefix} of {users} has no group");
            assert!(object.is_none() || users >= LIMIT / 2, "{prefix} of {users} has a group");
            named.extend(object.map(|id| id.get()));
        }
        let groups = self.kernel.objects.iter().filter(|(_, o)| matches!(o, Nexthop::Group(_)));
        assert!(groups.count() <= 2 && named.iter().all(|id| self.kernel.objects.contains_key(id)));
        let ours = self.kernel.routes.values().filter(|(ours, _)| *ours).count();
        assert_eq!((self.table.present(), self.table.pending()), (ours, 0));
    }
}

#[test]
fn model_and_kernel_agree_after_any_history() {
    for seed in 1..=300 {
        let mut world = World::new(seed);
        for _ in 0..20 {
            for _ in 0..world.random.below(16) {
                match world.random.below(5) {
                    0 | 1 => world.ask(),
                    2 => world.interfere(),
                    3 => world.tell(),
                    _ => drop(world.act()),
                }
            }
            world.settle_and_check();
        }
    }
}

#[test]
fn numbers_that_say_nothing_are_given_back_and_objects_are_cleaned_up() {
    let mut world = World::new(1);
    for _ in 0..500 {
        world.ask();
        world.interfere();
    }
    for prefix in world.desired.keys().copied().collect::<Vec<_>>() {
        world.remove(prefix);
    }
    world.settle_and_check();
    assert_eq!((world.table.routes.end(), world.table.slots.end()), (0, 0));
    assert_eq!(world.table.targets.forwardings.iter().count(), 0);
    assert_eq!(world.kernel.objects.len(), 0);
}

#[test]
fn a_refused_route_is_tried_again_only_when_something_changed() {
    let mut world = World::new(1);
    let prefix = world.prefix();
    world.set(prefix, Target::Blackhole);
    let Some(Finding::Act(action)) = world.table.next_finding() else { panic!("an action") };
    let refusal = KernelError { errno: libc::EINVAL, text: None };
    assert_eq!(world.table.ended_badly(action, refusal), Ended::Refused);
    assert_eq!(world.table.next_finding(), None);
    world.table.retry_refused();
    while world.table.walk_on() {}
    assert!(matches!(world.table.next_finding(), Some(Finding::Act(_))));
}
