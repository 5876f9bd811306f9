//! What stations ask of the supervisor, which alone can reach the peers.

use bgp_core::Family;
use bgp_rib::PeerId;
use tokio::sync::oneshot;

use crate::runtime::Commands;

/// The counts of a peer, for statistics.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) rejected: u64,
    pub(crate) as_loops: u64,
    pub(crate) originator_loops: u64,
    pub(crate) cluster_loops: u64,
    pub(crate) treated_as_withdraw: u64,
    /// By family: received, accepted, advertised.
    pub(crate) routes: Vec<(Family, [u64; 3])>,
}

/// The counts of all sessions, and of Loc-RIB by family.
pub(crate) type Sums = (Vec<(PeerId, Numbers)>, Vec<(Family, u64)>);

/// A question.
#[derive(Debug)]
pub(crate) enum Ask {
    /// How to reach each peer.
    Peers(oneshot::Sender<Vec<Commands>>),
    /// The counts of all sessions, and of Loc-RIB by family.
    Numbers(oneshot::Sender<Sums>),
}
