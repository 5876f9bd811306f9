//! The privileges of the process: those that it needs stay, all others go, also for programs that it starts.

use std::collections::BTreeSet;

use caps::{CapSet, CapsHashSet};

use super::Capability;

fn of_kernel(capability: &Capability) -> caps::Capability {
    match capability {
        Capability::NetAdmin => caps::Capability::CAP_NET_ADMIN,
        Capability::NetRaw => caps::Capability::CAP_NET_RAW,
        Capability::NetBindService => caps::Capability::CAP_NET_BIND_SERVICE,
    }
}

/// Keeps of the privileges that the process has these. Those that are left, for the log.
pub(super) fn keep(needed: &BTreeSet<Capability>) -> Result<String, String> {
    let refused = |error| format!("capabilities cannot be given up: {error}");
    let held = caps::read(None, CapSet::Permitted).map_err(refused)?;
    let kept: Vec<&Capability> = needed.iter().filter(|it| held.contains(&of_kernel(it))).collect();
    let set: CapsHashSet = kept.iter().map(|it| of_kernel(it)).collect();
    // No program gets back what is not in this set, whosever it is. To change it takes a privilege itself.
    if caps::has_cap(None, CapSet::Effective, caps::Capability::CAP_SETPCAP).map_err(refused)? {
        for capability in caps::read(None, CapSet::Bounding).map_err(refused)?.difference(&set) {
            caps::drop(None, CapSet::Bounding, *capability).map_err(refused)?;
        }
    }
    let inherited = caps::read(None, CapSet::Inheritable).map_err(refused)?;
    let inherited: CapsHashSet = inherited.intersection(&set).copied().collect();
    // What `nft` has where we are not root.
    let ambient = caps::read(None, CapSet::Ambient).map_err(refused)?;
    let ambient: CapsHashSet = ambient.intersection(&inherited).copied().collect();
    caps::set(None, CapSet::Effective, &set).map_err(refused)?;
    caps::set(None, CapSet::Permitted, &set).map_err(refused)?;
    caps::set(None, CapSet::Inheritable, &inherited).map_err(refused)?;
    caps::set(None, CapSet::Ambient, &ambient).map_err(refused)?;
    let names: Vec<String> = kept.iter().map(ToString::to_string).collect();
    Ok(if names.is_empty() { "none".to_owned() } else { names.join(", ") })
}
