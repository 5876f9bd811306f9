//! The dry run: what separates the kernel from what is desired.

use std::collections::BTreeMap;
use std::fmt;

use ipnetwork::IpNetwork;

use crate::config::FibConfig;
use crate::desired::DesiredRoutes;
use crate::error::FibError;
use crate::follow::{Owner, classify, own_forwarding};
use crate::forwarding::{Forwarding, Way};
use crate::kernel::{Dumped, Kernel};
use crate::message::{self, AF_INET, AF_INET6, KernelRoute, Nexthops};
use crate::objects::way_of;
use crate::table::Table;

/// What is desired at a prefix, and what came of it so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// How it is to be forwarded; `None`: none of its next hops is reachable.
    pub forwarding: Option<Forwarding>,
    /// The kernel did not take it. It is tried again when links or addresses change.
    pub refused: bool,
}

/// One prefix at which the kernel is not as desired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The destination.
    pub prefix: IpNetwork,
    /// In what it differs.
    pub kind: DifferenceKind,
}

/// In what a prefix differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DifferenceKind {
    /// Desired, and not in the kernel.
    Missing {
        /// How it would be forwarded.
        desired: Forwarding,
    },
    /// Desired, and none of its next hops is reachable, so it is not installed.
    Unresolved,
    /// In the kernel, forwarded in another way than desired.
    Wrong {
        /// What is desired; `None`: no next hop is reachable, the route should not be there.
        desired: Option<Forwarding>,
        /// What the kernel does.
        kernel: Forwarding,
    },
    /// In the kernel as ours, and not desired.
    Extra {
        /// What the kernel does.
        kernel: Forwarding,
    },
    /// Desired, and a foreign route of the same metric is in the way.
    Conflict {
        /// How it would be forwarded.
        desired: Option<Forwarding>,
        /// `rtm_protocol` of the foreign route.
        protocol: u8,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.prefix;
        match &self.kind {
            DifferenceKind::Missing { desired } => write!(f, "{prefix} missing: {desired}"),
            DifferenceKind::Unresolved => write!(f, "{prefix} unresolved: no next hop is reachable"),
            DifferenceKind::Wrong { desired: Some(desired), kernel } => {
                write!(f, "{prefix} wrong: {kernel} instead of {desired}")
            }
            DifferenceKind::Wrong { desired: None, kernel } => {
                write!(f, "{prefix} wrong: {kernel}, no next hop is reachable")
            }
            DifferenceKind::Extra { kernel } => write!(f, "{prefix} extra: {kernel}"),
            DifferenceKind::Conflict { protocol, .. } => {
                write!(
                    f,
                    "{prefix} conflict: a route of protocol {protocol} with the same metric is in the way"
                )
            }
        }
    }
}

/// Compares the kernel's routes with the desired ones while they are read: a bit for each route is kept.
pub(crate) struct Comparison<'a, D> {
    config: &'a FibConfig,
    table: &'a Table<D>,
    objects: Nexthops,
    /// Numbers whose routes were found.
    found: Vec<u64>,
    foreign: BTreeMap<IpNetwork, u8>,
    differences: BTreeMap<IpNetwork, DifferenceKind>,
}

impl<'a, D: DesiredRoutes> Comparison<'a, D> {
    /// The differences in the order of prefixes, and whether nobody disturbed the reading.
    pub(crate) fn run(
        kernel: &mut Kernel,
        config: &'a FibConfig,
        table: &'a Table<D>,
    ) -> Result<(Vec<Difference>, Dumped), FibError> {
        let (objects, mut dumped) = kernel.nexthops()?.unwrap_or((Nexthops::new(), Dumped::Whole));
        let found = vec![0; (table.routes.end() as usize).div_ceil(64)];
        let (foreign, differences) = (BTreeMap::new(), BTreeMap::new());
        let mut comparison = Self { config, table, objects, found, foreign, differences };
        for family in [AF_INET, AF_INET6] {
            kernel.ask_routes(family, config.table)?;
            dumped = dumped.and(loop {
                let part = kernel.some_routes(|body| {
                    let route = message::parse_route(body).filter(|route| route.table == config.table);
                    route.into_iter().for_each(|route| comparison.take(route));
                })?;
                if let Some(dumped) = part {
                    break dumped;
                }
            });
        }
        Ok((comparison.finish(), dumped))
    }

    fn take(&mut self, route: KernelRoute) {
        let prefix = route.prefix;
        match classify(self.config, &route) {
            Owner::Ours => {
                let number = self.table.routes.number(prefix);
                let mut forwarding = own_forwarding(route);
                let bit = number.map(|number| ((number / 64) as usize, 1_u64 << (number % 64)));
                if let Some((word, bit)) = bit.and_then(|(word, bit)| Some((self.found.get_mut(word)?, bit)))
                {
                    if *word & bit != 0 {
                        forwarding = Forwarding::other();
                    }
                    *word |= bit;
                }
                if let Some(object) = forwarding.object {
                    let way = way_of(object.get(), |id| self.objects.get(&id).map(|object| &object.nexthop));
                    forwarding.way = way.unwrap_or(Way::Other);
                }
                let desired = number.filter(|number| self.table.routes.target(*number).is_some());
                let kind = match desired.map(|number| self.table.shown(number)) {
                    None => DifferenceKind::Extra { kernel: forwarding },
                    Some(Some(desired)) if desired == forwarding => return,
                    Some(desired) => DifferenceKind::Wrong { desired, kernel: forwarding },
                };
                self.differences.insert(prefix, kind);
            }
            Owner::InTheWay => drop(self.foreign.insert(prefix, route.protocol)),
            Owner::Foreign => {}
        }
    }

    /// Desired routes that were not found.
    fn finish(mut self) -> Vec<Difference> {
        for number in 0..self.table.routes.end() {
            let word = self.found.get((number / 64) as usize).copied().unwrap_or_default();
            let desired = self.table.routes.target(number).and_then(|_| self.table.routes.prefix(number));
            let Some(prefix) = desired.filter(|_| word & 1 << (number % 64) == 0) else { continue };
            let kind = match (self.table.shown(number), self.foreign.get(&prefix)) {
                (desired, Some(protocol)) => DifferenceKind::Conflict { desired, protocol: *protocol },
                (Some(desired), None) => DifferenceKind::Missing { desired },
                (None, None) => DifferenceKind::Unresolved,
            };
            self.differences.insert(prefix, kind);
        }
        self.differences.into_iter().map(|(prefix, kind)| Difference { prefix, kind }).collect()
    }
}
