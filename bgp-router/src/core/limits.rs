//! How much a peer may make us hold.

use bgp_core::wire::Notification;
use bgp_core::wire::notification::cease;
use bgp_core::{Family, Instant};
use bgp_rib::PeerId;

use super::Core;
use crate::config::Limits;
use crate::message::{CoreOutput, ToPeer};

impl Core {
    /// Ends the session of a peer that makes us hold more than it may. Nothing of it stays. But what it has announced
    /// only before its restart, or before it began to send all again, goes first: other path ids or other prefixes after
    /// a restart are no fault.
    pub(super) fn enforce_limits(&mut self, now: Instant, peer: PeerId) {
        let Some(limits) = self.session(peer).map(|session| session.limits) else { return };
        if let Some(warn_at) = limits.warn_at {
            self.warn(peer, warn_at);
        }
        if self.too_much(peer, limits).is_some() {
            self.drop_stale(now, peer.slot);
        }
        if let Some(notification) = self.too_much(peer, limits) {
            self.down(now, peer, None);
            self.outputs.push_back(CoreOutput::Peer(ToPeer::Reset(peer, notification)));
        }
    }

    fn warn(&mut self, peer: PeerId, warn_at: u32) {
        for family in [Family::IPV4_UNICAST, Family::IPV6_UNICAST] {
            let count = self.rib.peer_counts(peer, family).unwrap_or_default().accepted;
            let Some(session) = self.session(peer).filter(|session| !session.many.contains(family)) else {
                continue;
            };
            if count >= warn_at as usize {
                session.many = session.many.with(family);
                self.outputs.push_back(CoreOutput::Peer(ToPeer::Many(peer, family, count)));
            }
        }
    }

    /// What to say to a peer that holds more than `limits`.
    fn too_much(&self, peer: PeerId, limits: Limits) -> Option<Notification> {
        let families = [Family::IPV4_UNICAST, Family::IPV6_UNICAST];
        let held = families.map(|family| self.rib.peer_counts(peer, family).unwrap_or_default());
        if let Some(max) = limits.prefixes
            && let Some((family, _)) = families.iter().zip(held).find(|(_, c)| c.accepted > max as usize)
        {
            return Some(Limits::too_many(*family, max));
        }
        let bytes: usize = held.iter().map(|counts| counts.attribute_bytes).sum();
        let is_over = limits.bytes.is_some_and(|max| u64::try_from(bytes).is_ok_and(|bytes| bytes > max));
        let text = "the attributes of your routes take more octets than allowed";
        is_over.then(|| Notification::cease(cease::OUT_OF_RESOURCES, text))
    }
}
