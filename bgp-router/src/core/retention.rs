//! What becomes of routes whose session has ended, or whose peer sends everything again.

use bgp_core::{Family, Instant};
use bgp_rib::PeerId;
use bgp_rib::fault::{Fault, planted};

use super::Core;
use crate::message::Retention;
use crate::restart::Due;

impl Core {
    pub(super) fn down(&mut self, now: Instant, peer: PeerId, retention: Option<&Retention>) {
        if self.session(peer).is_none() {
            // Said again of a session that has ended, nothing is to be kept of it any longer.
            if retention.is_none() && !self.sessions.contains_key(&peer.slot) {
                self.drop_stale(now, peer.slot);
            }
            return;
        }
        self.sessions.remove(&peer.slot);
        self.propagation.forget(peer);
        let kept = self.restarts.lost(now, peer.slot, retention);
        let agreed = retention.into_iter().flat_map(|kept| &kept.long_lived).map(|(family, _)| *family);
        self.rib.peer_lost(now, peer, kept.families, agreed.collect());
        kept.long_lived.iter().for_each(|family| self.rib.begin_long_lived(now, peer.slot, family));
        self.restarts.retain(peer.slot, self.rib.stale_families(peer.slot));
        self.check_awaited(now);
    }

    pub(super) fn end_of_rib(&mut self, now: Instant, peer: PeerId, family: Family) {
        if self.session(peer).is_none() {
            return;
        }
        self.rib.end_of_rib_received(peer, family);
        if self.restarts.end_of_rib(peer.slot, family) && !planted(Fault::StaleKeptAfterEndOfRib) {
            self.rib.sweep_stale(now, peer.slot, family);
        }
        self.check_awaited(now);
    }

    /// A refresh that is marked before the End-of-RIB that is due is not heeded (RFC 7313 section 4). Nor is one within
    /// another: what has come since that began has just come, and to mark again and again costs the peer nothing.
    pub(super) fn refresh_begins(&mut self, peer: PeerId, family: Family) {
        let Some(sends_end_of_rib) = self.session(peer).map(|session| session.sends_end_of_rib) else {
            return;
        };
        let Some(counts) = self.rib.peer_counts(peer, family) else { return };
        let is_complete = counts.end_of_rib || !sends_end_of_rib;
        if is_complete && self.restarts.refresh_begins(peer.slot, family) {
            self.rib.mark_stale(peer, family);
        }
    }

    /// What the timers of peers that went, or send all again, ask for.
    pub(super) fn act_on_restarts(&mut self, now: Instant) {
        for (slot, family, due) in self.restarts.take_due(now) {
            if planted(Fault::StaleKeptPastRestartTime) {
                continue;
            }
            match due {
                Due::Sweep => self.rib.sweep_stale(now, slot, family),
                Due::LongLived => self.rib.begin_long_lived(now, slot, family),
            }
        }
    }

    /// The peer in this slot is gone for good: it is not waited for. A session that it left behind ends, and nothing that
    /// was kept for it stays.
    pub fn forget(&mut self, now: Instant, slot: u32) {
        if let Some(id) = self.sessions.get(&slot).map(|session| session.id) {
            self.down(now, id, None);
        }
        self.drop_stale(now, slot);
        self.await_no_more(slot);
        self.check_awaited(now);
    }

    /// The routes of a peer that it has not announced again go now.
    pub(super) fn drop_stale(&mut self, now: Instant, slot: u32) {
        self.restarts.forget(slot);
        let left = self.rib.stale_families(slot);
        left.iter().for_each(|family| self.rib.sweep_stale(now, slot, family));
    }
}
