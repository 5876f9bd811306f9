//! Why a peer is sent a route, or is not.

use bgp_core::Prefix;

use super::Rib;
use crate::out::{ExportView, LoadSharing, PathExport};
use crate::peer::PeerId;

/// How the paths to a destination fare on their way to one peer.
#[derive(Clone, Debug)]
pub struct ExportExplanation {
    /// The destination.
    pub prefix: Prefix,
    /// `accept`, `reject`, or the name of the export filter.
    pub policy: String,
    /// Whether the peer holds, or is about to be sent, a route to the destination.
    pub advertised: bool,
    /// The paths that may be chosen, best first.
    pub paths: Vec<PathExport>,
}

impl Rib {
    /// How the paths to just this destination fare on their way to the peer; `None` if there are none, or the peer's
    /// session is not up.
    #[must_use]
    pub fn explain_export(&self, peer: PeerId, prefix: Prefix) -> Option<ExportExplanation> {
        let key = self.groups.of(peer)?.key();
        let route = self.route(prefix)?;
        let Rib { config, peers, aggregates, .. } = self;
        let sharing = LoadSharing { decision: config.decision, max: config.multipath };
        let view = ExportView { key, context: config.export, sharing, peers, to: peer };
        Some(ExportExplanation {
            prefix,
            policy: key.export.to_string(),
            advertised: self.advertises(peer, &route),
            paths: view.explain(prefix, route.paths, aggregates.suppresses(prefix)),
        })
    }
}
