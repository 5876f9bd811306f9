//! Reflectors that share a cluster id although they don't share all their clients.
//!
//! ```text
//!       cluster 1            cluster 1
//!     ┌───────────┐        ┌───────────┐
//!     │ reflector ├────────┤ we        │  refuse n1's routes: our cluster has reflected them (RFC 4456 section 8)
//!     └─────┬─────┘        └─────┬─────┘
//!           n1                   n2        so n2 never hears of n1
//! ```
//! A client of both is heard anyway. So the originator of a route that came back tells: if it is no client of ours, our
//! clients lose its routes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bgp_core::fsm::State;
use bgp_core::{ClusterId, RouterId};
use tracing::warn;

use super::status::PeerStatus;
use super::supervisor::Supervisor;
use crate::api::schema::{Event, EventKind};
use crate::config::PeerConfig;
use crate::net::shown;

/// How often peers are looked at, if there is something to see.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);
/// So many former clients are remembered besides those of now.
const FORMER_CLIENTS: usize = 10_000;

/// Whether there is something to see: who is a client and what was refused has changed. Asking a thousand peers that only
/// keep alive would be most of what they cost.
#[derive(Clone, Debug, Default)]
pub(super) struct Changed(Arc<AtomicBool>);

impl Changed {
    /// There is.
    pub(super) fn note(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether there was since the last time.
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

/// What is known of other reflectors with our cluster id.
#[derive(Debug, Default)]
pub(super) struct Clusters {
    /// Everyone who has been a client since the start: one that is away for a moment is lost to nobody.
    clients: BTreeSet<RouterId>,
    /// By the reflector that sends what we refuse.
    alarms: BTreeMap<IpAddr, Alarm>,
}

#[derive(Debug)]
struct Alarm {
    lost: BTreeSet<RouterId>,
    text: String,
}

impl Clusters {
    /// What an operator should look at, a sentence for each reflector.
    pub(super) fn alarms(&self) -> impl Iterator<Item = &str> {
        self.alarms.values().map(|alarm| alarm.text.as_str())
    }

    /// Looks at all peers; returns what is new.
    fn look(&mut self, cluster: ClusterId, peers: &[(PeerConfig, PeerStatus)]) -> Vec<String> {
        let clients =
            peers.iter().filter(|(config, status)| config.client && status.state == State::Established);
        let ids: Vec<RouterId> =
            clients.filter_map(|(_, status)| Some(status.negotiated.as_ref()?.peer_router_id)).collect();
        if self.clients.len() > ids.len() + FORMER_CLIENTS {
            self.clients.clear();
        }
        self.clients.extend(ids);
        let mut new = Vec::new();
        let mut alarms = BTreeMap::new();
        for (_, status) in peers {
            let looped = status.looped_originators.iter().copied();
            let lost: BTreeSet<RouterId> = looped.filter(|id| !self.clients.contains(id)).collect();
            let Some(first) = lost.first() else { continue };
            let text = sentence(cluster, status.address, *first, lost.len());
            if self.alarms.get(&status.address).is_none_or(|alarm| alarm.lost != lost) {
                new.push(text.clone());
            }
            alarms.insert(status.address, Alarm { lost, text });
        }
        self.alarms = alarms;
        new
    }
}

fn sentence(cluster: ClusterId, reflector: IpAddr, first: RouterId, count: usize) -> String {
    let more = if count > 1 { format!(" (and of {} more)", count - 1) } else { String::new() };
    format!(
        "the reflector {} has our cluster id {cluster}, but {first}{more} is not our client: we refuse its \
         routes from there, and our clients lose them; give the reflectors different cluster ids, or have all clients \
         peer with both",
        shown(reflector)
    )
}

impl Supervisor {
    /// Not while we restart: clients may come later than the other reflector.
    pub(super) async fn look_at_clusters(&mut self) {
        let Some(cluster) = self.identity.cluster_id.filter(|_| !self.peers.is_restarting()) else { return };
        if !self.peers.clusters_changed().take() {
            return;
        }
        for message in self.clusters.look(cluster, &self.peers.statuses().await) {
            warn!("{message}");
            self.control.events().publish(Event::now(EventKind::Alarm { message }));
        }
    }
}
