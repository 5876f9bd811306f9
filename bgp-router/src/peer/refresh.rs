//! Routes that come again: asked for (RFC 2918), marked by the peer (RFC 7313), or judged again from where they are kept.

use std::time::Duration;

use bgp_core::fsm::State;
use bgp_core::wire::RouteRefresh;
use bgp_core::wire::notification::cease;
use bgp_core::{Family, FamilySet, Instant};

use super::{Notification, Peer, PeerOutput};
use crate::adj_rib_in::AdjRibIn;
use crate::config::{Limits, PeerSettings};
use crate::message::{Batch, ToCore};

/// How long old routes wait to come again: as long as after a restart of the peer.
fn stale_time(settings: &PeerSettings) -> Duration {
    settings.restart.unwrap_or_default().stale_time
}

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
            self.refreshes_sent += 1;
        }
        self.session.queued(now);
        true
    }

    /// The peer asks, or marks its answer. Other subtypes mean nothing (RFC 7313 section 5).
    pub(super) fn refresh(&mut self, now: Instant, refresh: RouteRefresh, batch: &mut Batch) {
        let RouteRefresh { family, subtype } = refresh;
        let (Some(established), Some(negotiated)) = (&mut self.established, self.session.negotiated()) else {
            return;
        };
        if !negotiated.families.contains(family) {
            return;
        }
        let id = established.id;
        // Markers count if both sides offered them, and behind the End-of-RIB if one is due (RFC 7313 section 4).
        let is_complete = !negotiated.peer_sends_end_of_rib() || established.complete.contains(family);
        match subtype {
            RouteRefresh::REQUEST => {
                self.flush_batch(batch);
                self.outputs.push_back(PeerOutput::Core(ToCore::Refresh(id, family)));
            }
            RouteRefresh::BEGIN if negotiated.enhanced_refresh && is_complete => {
                established.importer.refresh_begins(family);
                // Within an answer it neither marks again, which would cost the peer nothing, nor gives more time.
                if established.answers.iter().all(|(begun, _)| *begun != family) {
                    established.answers.push((family, now + stale_time(&self.settings)));
                    self.flush_batch(batch);
                    self.outputs.push_back(PeerOutput::Core(ToCore::RefreshBegins(id, family)));
                }
            }
            RouteRefresh::END if established.answers.iter().any(|(begun, _)| *begun == family) => {
                established.importer.answer_is_complete(family);
                self.end_answer(family, batch);
            }
            _ => {}
        }
    }

    /// What has not come again goes.
    fn end_answer(&mut self, family: Family, batch: &mut Batch) {
        let Some(established) = &mut self.established else { return };
        let id = established.id;
        established.answers.retain(|(other, _)| *other != family);
        established.importer.refresh_ends(family, batch);
        self.flush_batch(batch);
        self.outputs.push_back(PeerOutput::Core(ToCore::RefreshEnds(id, family)));
    }

    /// When the answer that has taken longest is given up.
    pub(super) fn answer_due(&self) -> Option<Instant> {
        self.established.iter().flat_map(|e| &e.answers).map(|(_, due)| *due).min()
    }

    /// Ends the answers that have taken too long: a peer that marks no end would keep its old routes for ever.
    pub(super) fn end_answers_due(&mut self, now: Instant) {
        let answers = self.established.iter().flat_map(|e| &e.answers);
        let due: Vec<Family> = answers.filter(|(_, due)| *due <= now).map(|(family, _)| *family).collect();
        for family in due {
            self.end_answer(family, &mut Batch::default());
        }
    }

    /// The routes of the session as they came, with what became of each, if they are kept.
    #[must_use]
    pub fn adj_rib_in(&self) -> Option<&AdjRibIn> {
        self.established.as_ref().and_then(|established| established.importer.adj_rib_in())
    }

    /// Whether kept routes are judged again, so that [`Peer::poll`] may give some.
    #[must_use]
    pub fn is_judging(&self) -> bool {
        self.established.as_ref().is_some_and(|established| established.importer.is_judging())
    }

    /// What changes for the core by judging kept routes again, a step at a time: nothing is made before it is asked for.
    pub(super) fn judge_again(&mut self) -> Option<PeerOutput> {
        let established = self.established.as_mut()?;
        let id = established.id;
        let mut batches = std::iter::from_fn(|| established.importer.judge_again());
        batches.find(|batch| !batch.is_empty()).map(|batch| PeerOutput::Core(ToCore::Routes(id, batch)))
    }

    /// Ends a session whose kept routes are more than the peer may make us hold, refused ones too (RFC 4486 subcodes 1
    /// and 8).
    pub(super) fn check_kept(&mut self, now: Instant) {
        let Some(kept) = self.adj_rib_in().filter(|_| self.session.state() == State::Established) else {
            return;
        };
        let Limits { prefixes, bytes, .. } = self.settings.limits;
        let counts = [Family::IPV4_UNICAST, Family::IPV6_UNICAST].into_iter().zip(kept.len());
        let mut too_many = counts.filter_map(|(family, count)| {
            prefixes.filter(|max| count > *max as usize).map(|max| Limits::too_many(family, max))
        });
        let too_large = bytes.filter(|max| kept.octets() > *max).map(|max| {
            let text = format!("the routes received take more than {max} octets");
            Notification::cease(cease::OUT_OF_RESOURCES, &text)
        });
        if let Some(notification) = too_many.next().or(too_large) {
            self.reset_for_good(now, notification);
        }
    }
}
