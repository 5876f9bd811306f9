//! The dry run: what separates the kernel from what is desired.

use std::collections::BTreeMap;
use std::fmt;

use ipnetwork::IpNetwork;

use crate::forwarding::Forwarding;
use crate::message::KernelRoute;

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

/// Collects the kernel's side while it is dumped.
#[derive(Default)]
pub(crate) struct KernelSide {
    ours: BTreeMap<IpNetwork, Forwarding>,
    foreign: BTreeMap<IpNetwork, u8>,
}

impl KernelSide {
    pub(crate) fn ours(&mut self, prefix: IpNetwork, forwarding: Forwarding) {
        self.ours.entry(prefix).and_modify(|there| *there = Forwarding::other()).or_insert(forwarding);
    }

    pub(crate) fn foreign(&mut self, route: &KernelRoute) {
        self.foreign.insert(route.prefix, route.protocol);
    }

    /// The differences, in the order of prefixes.
    pub(crate) fn compare<'a>(
        mut self,
        desired: impl Iterator<Item = (IpNetwork, Option<&'a Forwarding>)>,
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

    fn compare_one(&mut self, prefix: IpNetwork, desired: Option<&Forwarding>) -> Option<DifferenceKind> {
        match (desired, self.ours.remove(&prefix)) {
            (Some(desired), Some(kernel)) if *desired == kernel => None,
            (desired, Some(kernel)) => Some(DifferenceKind::Wrong { desired: desired.cloned(), kernel }),
            (desired, None) if let Some(protocol) = self.foreign.get(&prefix) => {
                Some(DifferenceKind::Conflict { desired: desired.cloned(), protocol: *protocol })
            }
            (Some(desired), None) => Some(DifferenceKind::Missing { desired: desired.clone() }),
            (None, None) => Some(DifferenceKind::Unresolved),
        }
    }
}
