//! Routes that come again: asked for (RFC 2918), marked by the peer (RFC 7313), or judged again from where they are kept.

use bgp_core::fsm::State;
use bgp_core::wire::RouteRefresh;
use bgp_core::wire::notification::cease;
use bgp_core::{FamilySet, Instant};

use super::{Notification, Peer, PeerOutput};
use crate::adj_rib_in::AdjRibIn;
use crate::message::{Batch, ToCore};

impl Peer {
    /// Asks the peer for all its routes of `families` again (RFC 2918); `false` if the session cannot.
    pub fn request_refresh(&mut self, now: Instant, families: FamilySet) -> bool {
        let (Some(established), Some(negotiated)) = (&self.established, self.session.negotiated()) else {
            return false;
        };
        let id = established.connection;
        let connection = self.connections.iter_mut().find(|c| c.id == id);
        let (Some(connection), true) = (connection, negotiated.route_refresh) else { return false };
        for family in families.intersection(negotiated.families).iter() {
            let mut message = Vec::new();
            RouteRefresh { family, subtype: RouteRefresh::REQUEST }.encode(&mut message);
            connection.queue.push_control(message.into());
        }
        self.session.queued(now);
        true
    }

    /// The peer asks, or marks its answer. Markers mean nothing unless both sides offered them, and other subtypes never
    /// do (RFC 7313 section 5).
    pub(super) fn refresh(&mut self, refresh: RouteRefresh, batch: &mut Batch) {
        let RouteRefresh { family, subtype } = refresh;
        let (Some(established), Some(negotiated)) = (&mut self.established, self.session.negotiated()) else {
            return;
        };
        if !negotiated.families.contains(family) {
            return;
        }
        let id = established.id;
        let message = match subtype {
            RouteRefresh::REQUEST => ToCore::Refresh(id, family),
            RouteRefresh::BEGIN if negotiated.enhanced_refresh => {
                established.importer.refresh_begins(family);
                ToCore::RefreshBegins(id, family)
            }
            RouteRefresh::END if negotiated.enhanced_refresh => {
                established.importer.refresh_ends(family, batch);
                ToCore::RefreshEnds(id, family)
            }
            _ => return,
        };
        self.flush_batch(batch);
        self.outputs.push_back(PeerOutput::Core(message));
    }

    /// The routes of the session as they came, with what became of each, if they are kept.
    #[must_use]
    pub fn adj_rib_in(&self) -> Option<&AdjRibIn> {
        self.established.as_ref().and_then(|established| established.importer.adj_rib_in())
    }

    /// What changes for the core by judging kept routes again, a step at a time: nothing is made before it is asked for.
    pub(super) fn judge_again(&mut self) -> Option<PeerOutput> {
        let established = self.established.as_mut()?;
        let id = established.id;
        let mut batches = std::iter::from_fn(|| established.importer.judge_again());
        batches.find(|batch| !batch.is_empty()).map(|batch| PeerOutput::Core(ToCore::Routes(id, batch)))
    }

    /// Ends a session whose kept routes take more than the peer may make us hold (RFC 4486 subcode 8).
    pub(super) fn check_octets(&mut self, now: Instant) {
        let Some(max) = self.settings.limits.bytes else { return };
        let held = self.adj_rib_in().map_or(0, AdjRibIn::octets);
        if held > max && self.session.state() == State::Established {
            let text = format!("the routes received take more than {max} octets");
            self.session.reset(now, Notification::cease(cease::OUT_OF_RESOURCES, &text));
        }
    }
}
