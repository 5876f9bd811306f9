//! What a synchroniser tells its caller.

use std::time::Duration;

use ipnetwork::IpNetwork;

use crate::error::KernelError;
use crate::resolve::Resolution;
use crate::route::Gateway;

/// Something the caller may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Every change asked for so far is in the kernel, or was reported as refused or in conflict, or
    /// waits for a next hop to become reachable.
    InSync {
        /// Since the first of the changes.
        took: Duration,
    },
    /// A watched address resolves, first or differently.
    NextHop {
        /// What was given to [`FibSync::watch`](crate::FibSync::watch).
        gateway: Gateway,
        /// How the kernel reaches it.
        resolution: Resolution,
    },
    /// The kernel does not take a route. It is tried again when links or addresses change.
    Refused {
        /// Its destination.
        prefix: IpNetwork,
        /// Why.
        error: KernelError,
    },
    /// A foreign route with our table and metric is in the way. Ours is installed once it is gone.
    Conflict {
        /// The destination of both.
        prefix: IpNetwork,
        /// The metric of both.
        metric: u32,
        /// `rtm_protocol` of the foreign route.
        protocol: u8,
    },
    /// Someone else had changed or deleted routes of ours, which are right again.
    Repaired {
        /// How many.
        routes: usize,
    },
}
