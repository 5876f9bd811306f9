//! Whether mistakes are found: each one that can be planted is made in runs of networks that are likely to show it, until
//! the check that is there for it does.
//!
//! Only a build with `--cfg planted_faults` can make them; see [`bgp_rib::fault`].

pub mod page;
mod scenes;

use bgp_rib::fault::Fault;

use crate::generate::{Features, Topology, generate_with};
use crate::spec::Spec;

/// What every speaker has.
const PLAIN: Features = Features {
    add_path: false,
    restart: false,
    import: false,
    export: false,
    next_hops: false,
    tracking: false,
    keep_received: false,
    configure: false,
    drain: false,
    best_external: false,
    as_numbers: false,
    roles: false,
    relax: false,
    bandwidth: false,
};

const FILTERS: Features = Features { import: true, export: true, ..PLAIN };
const RESTART: Features = Features { restart: true, ..PLAIN };
const ADD_PATH: Features = Features { add_path: true, ..PLAIN };
const AS_NUMBERS: Features = Features { as_numbers: true, ..PLAIN };
const ROLES: Features = Features { roles: true, ..PLAIN };
const BANDWIDTH: Features = Features { bandwidth: true, ..PLAIN };
const TRACKING: Features = Features { tracking: true, ..PLAIN };

/// Where a mistake shows best.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In networks of this shape, with some of these features; now and then with all features anywhere.
    Drawn(Topology, Features),
    /// In a network made for it.
    Scene(fn(u64) -> Spec),
}

impl Place {
    fn spec(self, seed: u64) -> Spec {
        match self {
            Place::Scene(scene) => scene(seed),
            Place::Drawn(topology, features) => {
                let anywhere =
                    (seed % 4 == 3).then(|| Topology::ALL.get(seed as usize / 4 % Topology::ALL.len()));
                match anywhere.flatten() {
                    Some(topology) => generate_with(*topology, seed, Features::ALL),
                    None => generate_with(topology, seed, features),
                }
            }
        }
    }
}

/// The place, and the checks that see the mistake itself: what others may say of its consequences does not count.
fn hunt_for(fault: Fault) -> (Place, &'static [&'static str]) {
    use Fault as F;
    use Place::{Drawn, Scene};
    use Topology as T;
    match fault {
        F::WithdrawalLostOnDetach => (Drawn(T::Reflector, PLAIN), &["agreement", "sent"]),
        F::TombstoneDroppedEarly | F::CursorSkipsEntry | F::WalkEndsEarly | F::DestinationReusedEarly => {
            (Scene(scenes::slow_reader), &["agreement", "sent"])
        }
        F::WakeupLost => (Scene(scenes::slow_reader_of_news), &["agreement", "sent"]),
        F::SentBackToSource | F::AudienceLeavesOneOut | F::WithdrawalToNewSourceLost => {
            (Drawn(T::Reflector, PLAIN), &["agreement", "sent"])
        }
        // Who is sent an empty list, or a path that begins with another AS, does not take the route.
        F::ClusterListNotPrepended => (Drawn(T::Reflectors, PLAIN), &["sent", "paths"]),
        F::AsPathNotPrepended => (Drawn(T::Graph, PLAIN), &["sent", "paths"]),
        F::OwnAsNotChecked => (Drawn(T::Graph, PLAIN), &["loop"]),
        F::OwnOriginatorNotChecked => (Scene(scenes::back_to_the_originator), &["loop"]),
        F::OwnClusterNotChecked => (Drawn(T::Reflectors, PLAIN), &["loop"]),
        F::OwnNextHopTaken => (Scene(scenes::next_hop_of_the_reader), &["paths"]),
        F::RewriteKeptForOtherClient => (Scene(scenes::one_next_hop), &["sent"]),
        F::MedComparedAcrossAses => (Scene(scenes::two_neighbours_with_med), &["rank"]),
        F::ReflectedBetweenNonClients => (Drawn(T::Hierarchy, PLAIN), &["sent"]),
        F::NoExportIgnored => (Drawn(T::Graph, FILTERS), &["sent"]),
        F::NextHopNotOurs => (Drawn(T::Graph, PLAIN), &["sent"]),
        F::RefusedRouteKeepsOld => (Drawn(T::Graph, FILTERS), &["paths"]),
        F::NextHopChangeMissed => (Drawn(T::Reflectors, TRACKING), &["paths", "rank"]),
        F::FibNotToldOfMultipath => (Drawn(T::Reflectors, TRACKING), &["fib"]),
        F::DirtyBitClearedEarly => (Drawn(T::Reflector, PLAIN), &["agreement", "sent"]),
        F::WithdrawRemovesOtherPath => (Scene(scenes::several_paths), &["unannounced", "paths"]),
        F::PathIdReusedEarly => (Drawn(T::Reflectors, ADD_PATH), &["agreement", "sent"]),
        F::StaleKeptAfterEndOfRib => (Scene(scenes::restart_without_a_route), &["stale"]),
        F::StaleKeptPastRestartTime => (Scene(scenes::restart_without_a_route), &["dead"]),
        F::StaleDroppedAtOnce => (Drawn(T::Reflector, RESTART), &["lost"]),
        F::EndOfRibTooEarly => (Drawn(T::Reflector, RESTART), &["early end"]),
        F::EndOfRibLost => (Drawn(T::Reflector, RESTART), &["end of rib"]),
        F::StaleMarkNotCleared => (Drawn(T::Reflector, RESTART), &["paths"]),
        F::LongLivedNotDepreferenced => (Scene(scenes::long_lived_routes), &["rank"]),
        F::LongLivedSentToAll => (Scene(scenes::long_lived_routes), &["long-lived"]),
        F::VerdictCachedAcrossPrefixes => (Drawn(T::Graph, FILTERS), &["sent"]),
        F::KeptRoutesNotFilteredAgain => (Scene(scenes::new_filters), &["paths"]),
        F::GroupKeyForgetsExport => (Drawn(T::Reflector, FILTERS), &["sent"]),
        F::RegroupWithoutWithdrawals => (Scene(scenes::new_filters), &["agreement", "sent"]),
        F::RefreshEndsWithoutSweep => (Scene(scenes::less_and_again), &["stale"]),
        F::DrainNotTold => (Scene(scenes::drained), &["sent"]),
        F::PeersAsNotOverridden | F::PrivateAsToldOutside => (Drawn(T::AsPerRack, AS_NUMBERS), &["sent"]),
        F::OwnAsAllowedOnceMore => (Drawn(T::AsPerRack, AS_NUMBERS), &["loop", "paths"]),
        F::FormerAsNotPrepended => (Drawn(T::Graph, AS_NUMBERS), &["paths"]),
        F::MemberAsNotPrepended => (Drawn(T::Confederation, PLAIN), &["sent"]),
        // Outside the path is malformed: the route is not taken.
        F::MembersToldOutside => (Drawn(T::Confederation, PLAIN), &["sent", "paths"]),
        F::LeakTaken => (Drawn(T::Graph, ROLES), &["paths"]),
        F::OnlyToCustomerSentUp => (Drawn(T::Graph, ROLES), &["sent"]),
        F::OnlyToCustomerNotMarked => (Drawn(T::Graph, ROLES), &["sent", "paths"]),
        F::LoadSharedAcrossAses => (Drawn(T::Graph, PLAIN), &["fib"]),
        F::BandwidthForgotten => (Drawn(T::Mesh, BANDWIDTH), &["fib"]),
    }
}

/// The network of a seed in which a mistake is looked for.
#[must_use]
pub fn spec(fault: Fault, seed: u64) -> Spec {
    hunt_for(fault).0.spec(seed)
}

/// The checks that see a mistake itself.
#[must_use]
pub fn checks(fault: Fault) -> &'static [&'static str] {
    hunt_for(fault).1
}

/// What became of a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hunted {
    /// This check found it, in the run with this number, from 1 on.
    Found(&'static str, u64),
    /// The check says the same without the mistake.
    FalseAlarm(&'static str, u64),
    /// Nothing did; what other checks said, if any did.
    Missed(Option<&'static str>),
}

/// Makes a mistake in one run after another until it is found, in `most` runs at most.
#[cfg(planted_faults)]
#[must_use]
pub fn hunt(fault: Fault, most: u64) -> Hunted {
    use crate::check::check;

    let mut other = None;
    for seed in 0..most {
        let spec = spec(fault, seed);
        bgp_rib::fault::plant(Some(fault));
        let outcome = check(&spec);
        bgp_rib::fault::plant(None);
        match outcome {
            Err(failure) if !checks(fault).contains(&failure.check) => other = Some(failure.check),
            Err(failure) if check(&spec).is_ok() => return Hunted::Found(failure.check, seed + 1),
            Err(failure) => return Hunted::FalseAlarm(failure.check, seed + 1),
            Ok(_) => {}
        }
    }
    Hunted::Missed(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;

    #[test]
    fn nothing_is_found_where_no_mistake_is_planted() {
        for fault in Fault::ALL {
            let (place, checks) = hunt_for(*fault);
            assert!(!checks.is_empty());
            if let Place::Scene(scene) = place {
                assert_eq!(check(&scene(0)).err(), None, "{fault:?}");
            }
        }
    }
}
