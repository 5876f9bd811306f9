//! The model against a kernel in memory: whatever is asked for and whoever interferes, told early or late,
//! both agree in the end.

use std::collections::BTreeMap;

use super::*;
use crate::forwarding::Way;
use crate::mirror::Told;

/// One (table, metric) of IPv4: at each prefix at most one route, ours (true) or a foreign one.
#[derive(Default)]
struct FakeKernel {
    routes: BTreeMap<IpNetwork, (bool, Forwarding)>,
}

impl FakeKernel {
    fn errno(&mut self, action: &Action, to: Option<&Forwarding>) -> Option<i32> {
        let there = self.routes.get(&action.prefix).map(|(ours, _)| *ours);
        match (action.change, there) {
            (Change::Add(_), Some(_)) => return Some(libc::EEXIST),
            (Change::Replace(_), None) => return Some(libc::ENOENT),
            (Change::Delete, None | Some(false)) => return Some(libc::ESRCH),
            (Change::Delete, Some(true)) => drop(self.routes.remove(&action.prefix)),
            (Change::Add(_) | Change::Replace(_), _) => {
                self.routes.insert(action.prefix, (true, to.unwrap().clone()));
            }
        }
        None
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

struct World {
    table: Table,
    resolver: Resolver,
    kernel: FakeKernel,
    desired: BTreeMap<IpNetwork, Target>,
    /// Told late, like the events of a socket that was not read yet.
    untold: Vec<(IpNetwork, Option<(bool, Forwarding)>)>,
    random: Random,
}

const TARGETS: [Target; 2] = [Target::Blackhole, Target::Via(Vec::new())];

impl World {
    fn new(seed: u64) -> Self {
        let mut table = Table::new();
        table.finish_adoption();
        Self {
            table,
            resolver: Resolver::default(),
            kernel: FakeKernel::default(),
            desired: BTreeMap::new(),
            untold: Vec::new(),
            random: Random(seed),
        }
    }

    fn prefix(&mut self) -> IpNetwork {
        IpNetwork::new([10, self.random.below(6) as u8, 0, 0].into(), 16).unwrap()
    }

    fn ask(&mut self) {
        let prefix = self.prefix();
        match self.random.below(3) {
            0 => {
                self.desired.remove(&prefix);
                self.table.remove(prefix, &mut self.resolver);
            }
            which => {
                let target = TARGETS[which as usize - 1].clone();
                self.table.set(prefix, &target, RouteOptions::default(), &mut self.resolver);
                self.desired.insert(prefix, target);
            }
        }
    }

    fn interfere(&mut self) {
        let prefix = self.prefix();
        let after = match self.random.below(4) {
            0 => None,
            1 => Some((false, Forwarding::from(Way::Blackhole))),
            2 => Some((true, Forwarding::from(Way::Blackhole))),
            _ => Some((true, Forwarding::other())),
        };
        match &after {
            None => drop(self.kernel.routes.remove(&prefix)),
            Some(route) => drop(self.kernel.routes.insert(prefix, route.clone())),
        }
        self.untold.push((prefix, after));
    }

    /// What [`crate::follow`] makes of events, and [`crate::FibSync`] of doubtful ones.
    fn tell(&mut self) {
        let mut doubtful = false;
        for (prefix, after) in std::mem::take(&mut self.untold) {
            let told = match after {
                None if self.table.occupied.contains_key(&prefix) => self.table.foreign_removed(prefix),
                None => self.table.ours_deleted(prefix),
                Some((true, forwarding)) => self.table.ours_changed(prefix, &forwarding, false),
                Some((false, _)) => self.table.foreign_added(prefix, 4, true),
            };
            doubtful |= told == Told::Doubtful;
        }
        self.table.events_read();
        if doubtful {
            self.dump();
        }
    }

    fn dump(&mut self) {
        self.table.begin_resync();
        for (prefix, (ours, forwarding)) in &self.kernel.routes {
            match ours {
                true => self.table.resync_ours(*prefix, forwarding),
                false => self.table.resync_foreign(*prefix, 4),
            }
        }
        assert_eq!(self.table.end_resync(), []);
    }

    /// Carries out one action; events may come only after it.
    fn act(&mut self) -> bool {
        let Some(finding) = self.table.next_finding() else { return false };
        if let Finding::Act(action) = finding {
            let to = match action.change {
                Change::Add(id) | Change::Replace(id) => self.table.forwarding(id).cloned(),
                Change::Delete => None,
            };
            let error =
                self.kernel.errno(&action, to.as_ref()).map(|errno| KernelError { errno, text: None });
            if self.table.ended(&action, error) == Ended::Contested {
                self.tell();
                self.dump();
            }
        }
        true
    }

    fn settle_and_check(&mut self) {
        self.tell();
        let mut actions = 0;
        while self.act() {
            actions += 1;
            assert!(actions < 1000, "the model goes round in circles");
        }
        for (prefix, (ours, forwarding)) in &self.kernel.routes {
            if *ours {
                assert!(self.desired.get(prefix) == Some(&Target::Blackhole), "{prefix} is extra");
                assert_eq!(*forwarding, Forwarding::from(Way::Blackhole), "{prefix}");
            }
        }
        for (prefix, target) in &self.desired {
            let missing = *target == Target::Blackhole && !self.kernel.routes.contains_key(prefix);
            assert!(!missing, "{prefix} is missing");
        }
        let ours = self.kernel.routes.values().filter(|(ours, _)| *ours).count();
        assert_eq!((self.table.present(), self.table.pending()), (ours, 0));
    }
}

#[test]
fn model_and_kernel_agree_after_any_history() {
    for seed in 1..=300 {
        let mut world = World::new(seed);
        for _ in 0..20 {
            for _ in 0..world.random.below(12) {
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
fn entries_that_say_nothing_are_forgotten() {
    let mut world = World::new(1);
    for _ in 0..500 {
        world.ask();
        world.interfere();
    }
    for prefix in world.desired.keys() {
        world.table.remove(*prefix, &mut world.resolver);
    }
    world.desired.clear();
    world.settle_and_check();
    assert!(world.table.entries.is_empty());
    assert_eq!(world.table.targets.forwardings.iter().count(), 0);
}

#[test]
fn a_refused_route_is_tried_again_only_when_something_changed() {
    let mut world = World::new(1);
    let prefix = world.prefix();
    world.table.set(prefix, &Target::Blackhole, RouteOptions::default(), &mut world.resolver);
    let Some(Finding::Act(action)) = world.table.next_finding() else { panic!("an action") };
    let refusal = KernelError { errno: libc::EINVAL, text: None };
    assert_eq!(world.table.ended(&action, Some(refusal)), Ended::Refused);
    assert_eq!(world.table.next_finding(), None);
    world.table.retry_refused();
    assert!(matches!(world.table.next_finding(), Some(Finding::Act(_))));
}
