//! `/readyz`: whether the daemon does its whole job, and what is missing for that.
//!
//! A daemon that answers has its configuration and its listener. Beside these it needs its peers: those configured one by
//! one, not the members of ranges. Shortly after the start all of them must be up and have been sent all routes,
//! so that a node is not used before it can be reached; later one is enough, so that a peer that is down elsewhere
//! does not take the node down.

use std::time::Duration;

use bgp_core::fsm::State;
use bgp_rib::PeerId;

use super::sought::Sought;
use super::supervisor::Supervisor;
use crate::api::ControlError;
use crate::api::schema::{PeerAddress, Readiness};

/// So long after the start a daemon is ready only with all its peers; afterwards one is enough.
const STARTING: Duration = Duration::from_secs(90);

/// How far a configured peer is.
#[derive(Debug)]
struct Progress {
    address: PeerAddress,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Not established, with the reason as far as it is known.
    Down(Option<String>),
    /// Established, and still being sent the routes that were there.
    Sending,
    /// Has been sent its End-of-RIB, or is about to: nothing is before it.
    Complete,
}

impl Supervisor {
    pub(super) async fn readiness(&self) -> Result<Readiness, ControlError> {
        let mut missing = missing_of(&self.progress().await?, self.clock.now().since_origin() < STARTING);
        missing.extend(self.missing.iter().flat_map(|missing| missing.borrow().clone()));
        missing
            .extend(self.draining.as_ref().map(|_| "the daemon is draining: it is about to go".to_owned()));
        Ok(Readiness { ready: missing.is_empty(), missing })
    }

    async fn progress(&self) -> Result<Vec<Progress>, ControlError> {
        let mut statuses = self.peers.statuses().await;
        statuses.retain(|(config, _)| config.selector.is_one() && config.enabled);
        let ids: Vec<PeerId> = statuses.iter().map(|(_, status)| status.id).collect();
        let sending: Vec<bool> = self
            .ask_core(move |core, _| {
                let is_sending = |id| core.rib().lag(id).is_none_or(|lag| lag.walking);
                ids.into_iter().map(is_sending).collect()
            })
            .await?;
        let stage = |(status, sending): (&super::PeerStatus, bool)| match (status.state, sending) {
            (State::Established, false) => Stage::Complete,
            (State::Established, true) => Stage::Sending,
            _ => Stage::Down(status.last_error.clone()),
        };
        let peers = statuses.iter().map(|(_, status)| status).zip(sending);
        let found = peers.map(|(status, sending)| Progress {
            address: status.address.into(),
            stage: stage((status, sending)),
        });
        let sought = self.sought().filter(Sought::enabled);
        let sought = sought.map(|s| Progress { stage: Stage::Down(s.reason()), address: s.address });
        Ok(found.chain(sought).collect())
    }
}

/// A sentence for each peer that the daemon has still to wait for.
fn missing_of(peers: &[Progress], starting: bool) -> Vec<String> {
    let is_up = |peer: &Progress| !matches!(peer.stage, Stage::Down(_));
    if !starting && peers.iter().any(is_up) {
        return Vec::new();
    }
    peers.iter().filter_map(Progress::missing).collect()
}

impl Progress {
    fn missing(&self) -> Option<String> {
        let address = &self.address;
        match &self.stage {
            Stage::Down(Some(reason)) => Some(format!("peer {address} is not established: {reason}")),
            Stage::Down(None) => Some(format!("peer {address} is not established")),
            Stage::Sending => Some(format!("peer {address} has not been sent all routes")),
            Stage::Complete => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn peer(last: u8, stage: Stage) -> Progress {
        Progress { address: IpAddr::from([10, 0, 0, last]).into(), stage }
    }

    #[test]
    fn without_configured_peers_nothing_is_missing() {
        assert_eq!(missing_of(&[], true), [""; 0]);
        assert_eq!(missing_of(&[], false), [""; 0]);
    }

    #[test]
    fn shortly_after_the_start_all_peers_are_needed() {
        let refused = Stage::Down(Some("connection refused".to_owned()));
        let peers =
            [peer(1, Stage::Complete), peer(2, Stage::Sending), peer(3, refused), peer(4, Stage::Down(None))];
        let expected = [
            "peer 10.0.0.2 has not been sent all routes",
            "peer 10.0.0.3 is not established: connection refused",
            "peer 10.0.0.4 is not established",
        ];
        assert_eq!(missing_of(&peers, true), expected);
        assert_eq!(missing_of(&peers[..1], true), [""; 0]);
    }

    #[test]
    fn later_one_peer_is_enough() {
        assert_eq!(missing_of(&[peer(1, Stage::Sending), peer(2, Stage::Down(None))], false), [""; 0]);
        assert_eq!(missing_of(&[peer(2, Stage::Down(None))], false), ["peer 10.0.0.2 is not established"]);
    }
}
