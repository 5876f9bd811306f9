//! Whether mistakes are found: each one that can be planted is made in runs of the networks most likely to show it, until
//! a check catches it.
//!
//! Only a build with `--cfg planted_faults` can make them; see [`bgp_rib::fault`].

use bgp_rib::fault::Fault;

use crate::generate::{Features, Topology};

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
};

const FILTERS: Features = Features { import: true, export: true, ..PLAIN };
const RESTART: Features = Features { restart: true, ..PLAIN };
const ADD_PATH: Features = Features { add_path: true, ..PLAIN };
const TRACKING: Features = Features { tracking: true, ..PLAIN };
const RECONFIGURED: Features =
    Features { import: true, export: true, keep_received: true, configure: true, ..PLAIN };

/// Where a mistake shows best.
#[must_use]
pub fn best_place(fault: Fault) -> (Topology, Features) {
    use Fault as F;
    use Topology as T;
    match fault {
        F::SentBackToSource | F::AudienceLeavesOneOut => (T::Reflector, PLAIN),
        F::ClusterListNotPrepended | F::OwnClusterNotChecked | F::OwnOriginatorNotChecked => {
            (T::Reflectors, PLAIN)
        }
        F::ReflectedBetweenNonClients => (T::Hierarchy, PLAIN),
        F::AsPathNotPrepended | F::OwnAsNotChecked | F::NextHopNotOurs => (T::Graph, PLAIN),
        F::MedComparedAcrossAses | F::NoExportIgnored | F::VerdictCachedAcrossPrefixes => (T::Graph, FILTERS),
        F::GroupKeyForgetsExport => (T::Reflector, FILTERS),
        F::RefusedRouteKeepsOld => (T::Graph, FILTERS),
        F::NextHopChangeMissed | F::FibNotToldOfMultipath => (T::Reflectors, TRACKING),
        F::WithdrawRemovesOtherPath | F::PathIdReusedEarly => (T::Reflectors, ADD_PATH),
        F::StaleKeptAfterEndOfRib
        | F::StaleKeptPastRestartTime
        | F::StaleDroppedAtOnce
        | F::EndOfRibTooEarly
        | F::EndOfRibLost
        | F::StaleMarkNotCleared
        | F::LongLivedNotDepreferenced
        | F::LongLivedSentToAll => (T::Reflector, RESTART),
        F::KeptRoutesNotFilteredAgain | F::RegroupWithoutWithdrawals => (T::Reflector, RECONFIGURED),
        F::WithdrawalLostOnDetach
        | F::TombstoneDroppedEarly
        | F::CursorSkipsEntry
        | F::WithdrawalToNewSourceLost
        | F::DirtyBitClearedEarly
        | F::WakeupLost
        | F::DestinationReusedEarly => (T::Reflector, PLAIN),
    }
}

/// A mistake that was found.
#[cfg(planted_faults)]
#[derive(Clone, Debug)]
pub struct Caught {
    /// The check that did.
    pub check: &'static str,
    /// How many runs it took.
    pub runs: u64,
}

/// Makes a mistake in one run after another until it is found, in `most` runs at most: mostly where it shows best, now
/// and then with all features anywhere.
#[cfg(planted_faults)]
#[must_use]
pub fn hunt(fault: Fault, most: u64) -> Option<Caught> {
    use crate::generate::generate_with;

    let (topology, features) = best_place(fault);
    (0..most).find_map(|seed| {
        let anywhere = (seed % 4 == 3).then(|| Topology::ALL.get(seed as usize / 4 % Topology::ALL.len()));
        let spec = match anywhere.flatten() {
            Some(topology) => generate_with(*topology, seed, Features::ALL),
            None => generate_with(topology, seed, features),
        };
        bgp_rib::fault::plant(Some(fault));
        let outcome = crate::check::check(&spec);
        bgp_rib::fault::plant(None);
        outcome.err().map(|failure| Caught { check: failure.check, runs: seed + 1 })
    })
}

/// The rows of a table in Markdown: what is wrong, which check finds it, after how many runs.
#[cfg(planted_faults)]
#[must_use]
pub fn table(rows: &[(Fault, Option<Caught>)]) -> String {
    let mut text = String::from("| planted mistake | found by | runs |\n|---|---|---|\n");
    for (fault, caught) in rows {
        let (check, runs) = match caught {
            Some(caught) => (format!("`{}`", caught.check), caught.runs.to_string()),
            None => ("**nothing**".to_owned(), String::new()),
        };
        text.push_str(&format!("| {} | {check} | {runs} |\n", fault.text()));
    }
    text
}
