//! The dry run: what separates the kernel from what is desired.

use std::collections::BTreeMap;
use std::fmt;

use ipnetwork::IpNetwork;

use crate::config::FibConfig;
use crate::error::FibError;
use crate::follow::{Owner, classify, own_forwarding};
use crate::forwarding::{Forwarding, Way};
use crate::kernel::{Dumped, Kernel};
use crate::message::{self, AF_INET, AF_INET6, KernelRoute, Nexthops};
use crate::objects::way_of;

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

/// The kernel's side.
pub(crate) struct KernelSide {
    ours: BTreeMap<IpNetwork, Forwarding>,
    foreign: BTreeMap<IpNetwork, u8>,
    dumped: Dumped,
}

impl KernelSide {
    /// Reads it.
    pub(crate) fn read(kernel: &mut Kernel, config: &FibConfig) -> Result<Self, FibError> {
        let (objects, dumped) = kernel.nexthops()?.unwrap_or((Nexthops::new(), Dumped::Whole));
        let mut side = Self { ours: BTreeMap::new(), foreign: BTreeMap::new(), dumped };
        for family in [AF_INET, AF_INET6] {
            kernel.ask_routes(family, config.table)?;
            loop {
                let part = kernel.some_routes(|body| {
                    let route = message::parse_route(body).filter(|route| route.table == config.table);
                    route.into_iter().for_each(|route| side.take(route, config, &objects));
                })?;
                if let Some(dumped) = part {
                    side.dumped = side.dumped.and(dumped);
                    break;
                }
            }
        }
        Ok(side)
    }

    fn take(&mut self, route: KernelRoute, config: &FibConfig, objects: &Nexthops) {
        match classify(config, &route) {
            Owner::Ours => {
                let prefix = route.prefix;
                let mut forwarding = own_forwarding(route);
                if let Some(object) = forwarding.object {
                    let way = way_of(object.get(), |id| objects.get(&id).map(|object| &object.nexthop));
                    forwarding.way = way.unwrap_or(Way::Other);
                }
                let one = self.ours.entry(prefix);
                one.and_modify(|there| *there = Forwarding::other()).or_insert(forwarding);
            }
            Owner::InTheWay => drop(self.foreign.insert(route.prefix, route.protocol)),
            Owner::Foreign => {}
        }
    }

    /// Whether nobody disturbed the reading.
    pub(crate) fn is_whole(&self) -> bool {
        self.dumped == Dumped::Whole
    }

    /// The differences, in the order of prefixes.
    pub(crate) fn compare(
        mut self,
        desired: impl Iterator<Item = (IpNetwork, Option<Forwarding>)>,
    ) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (prefix, desired) in desired {
            let kind = self.compare_one(prefix, desired);
            differences.extend(kind.map(|kind| Difference { prefix, kind }));
        }
        let extra = |(prefix, kernel)| Difference { prefix, kind: DifferenceKind::Extra { kernel } };
        differences.extend(self.ours.into_iter().map(extra));
        differences.sort_by_key(|difference| difference.prefix);
        differences
    }

    fn compare_one(&mut self, prefix: IpNetwork, desired: Option<Forwarding>) -> Option<DifferenceKind> {
        match (desired, self.ours.remove(&prefix)) {
            (Some(desired), Some(kernel)) if desired == kernel => None,
            (desired, Some(kernel)) => Some(DifferenceKind::Wrong { desired, kernel }),
            (desired, None) if let Some(protocol) = self.foreign.get(&prefix) => {
                Some(DifferenceKind::Conflict { desired, protocol: *protocol })
            }
            (Some(desired), None) => Some(DifferenceKind::Missing { desired }),
            (None, None) => Some(DifferenceKind::Unresolved),
        }
    }
}
