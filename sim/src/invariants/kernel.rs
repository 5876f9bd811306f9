//! What is in the kernels once nothing happens any more.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bgp_core::Prefix;
use bgp_rib::FibNextHop;

use super::failure;
use crate::network::Network;
use crate::observe::Verdict;

/// Compares every kernel with what its router told it last. What a router left that died is gone by now.
pub(super) fn check(network: &Network) -> Verdict {
    for number in 0..network.spec().routers.len() {
        let (Some(_), Some(wanted)) = (network.router(number), network.fib(number)) else { continue };
        let Some(kernel) = network.kernel(number) else { continue };
        let reached = |next_hops: &Vec<FibNextHop>| -> BTreeSet<IpAddr> {
            next_hops.iter().filter_map(|hop| Some(kernel.resolve(hop.gateway)?.gateway)).collect()
        };
        let wanted = wanted.iter().map(|(prefix, next_hops)| (*prefix, reached(next_hops)));
        let expected: BTreeMap<Prefix, BTreeSet<IpAddr>> =
            wanted.filter(|(_, gateways)| !gateways.is_empty()).collect();
        let found = kernel.our_gateways();
        if found != expected {
            let what = format!("router {number}: expected {expected:?}, the kernel has {found:?}");
            return Err(failure("kernel", what));
        }
    }
    Ok(())
}
