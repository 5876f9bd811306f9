//! Peers that are configured by their link and have not been found: who waits for them sees them, with the reason.

use super::control::PeerState;
use super::rows;
use super::scrape::peer_metrics;
use super::status::PeerStatus;
use super::supervisor::Supervisor;
use crate::api::schema::{PeerAddress, PeerDetail, PeerRef, PeerRow};
use crate::config::{PeerConfig, Selector};
use crate::metrics::PeerMetrics;

/// A peer without a neighbour.
pub(super) struct Sought {
    pub(super) address: PeerAddress,
    state: PeerState,
}

impl Sought {
    fn new(config: &PeerConfig, reason: impl FnOnce() -> String) -> Option<Sought> {
        let address = match config.selector {
            Selector::OnLink(address, interface) => PeerAddress::on(interface.as_str(), Some(address)),
            Selector::Interface(interface) => PeerAddress::on(interface.as_str(), None),
            Selector::Address(_) | Selector::Range(_) => return None,
        };
        Some(Sought { address, state: (config.clone(), PeerStatus::absent(reason()), Vec::new()) })
    }

    pub(super) fn enabled(&self) -> bool {
        self.state.0.enabled
    }

    pub(super) fn reason(&self) -> Option<String> {
        self.state.1.last_error.clone()
    }

    pub(super) fn row(&self) -> PeerRow {
        let (config, status, counts) = &self.state;
        let row = rows::peer_row(config, status, counts);
        PeerRow { address: self.address.clone(), since: None, since_seconds: 0, ..row }
    }

    pub(super) fn detail(&self) -> PeerDetail {
        let (config, status, _) = &self.state;
        rows::peer_detail(self.row(), config, status)
    }

    pub(super) fn metrics(&self) -> PeerMetrics {
        let metrics = peer_metrics(&self.state, std::time::Duration::ZERO);
        PeerMetrics { address: self.address.clone(), last_change: None, ..metrics }
    }
}

impl Supervisor {
    /// All of them, in the order of the configuration.
    pub(super) fn sought(&self) -> impl Iterator<Item = Sought> {
        self.config.peers.iter().filter_map(|entry| {
            let interface = entry.selector.interface()?;
            let is_found = self.peers.has_one_of(entry.selector);
            if is_found { None } else { Sought::new(entry, || self.neighbors.absence(interface)) }
        })
    }

    /// The one that is meant.
    pub(super) fn find_sought(&self, peer: &PeerRef) -> Option<Sought> {
        self.sought().find(|sought| peer.is(&sought.address, sought.state.0.name.as_deref()))
    }
}
