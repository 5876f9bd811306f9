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
        if self.too_much(peer, limits).is_some() {
            self.drop_stale(now, peer.slot);
        }
        if let Some(notification) = self.too_much(peer, limits) {
            self.down(now, peer, None);
            self.outputs.push_back(CoreOutput::Peer(ToPeer::Reset(peer, notification)));
        }
    }

    /// What to say to a peer that holds more than `limits`.
    fn too_much(&self, peer: PeerId, limits: Limits) -> Option<Notification> {
        let families = [Family::IPV4_UNICAST, Family::IPV6_UNICAST];
        let held = families.map(|family| self.rib.peer_counts(peer, family).unwrap_or_default());
        if let Some(max) = limits.prefixes
            && let Some((family, _)) = families.iter().zip(held).find(|(_, c)| c.accepted > max as usize)
        {
            // RFC 4486 section 4: the family and the limit.
            let mut data = family.afi.to_be_bytes().to_vec();
            data.push(family.safi);
            data.extend(max.to_be_bytes());
            return Some(Notification::with_data(Notification::CEASE, cease::MAX_PREFIXES, data));
        }
        let bytes: usize = held.iter().map(|counts| counts.attribute_bytes).sum();
        let is_over = limits.bytes.is_some_and(|max| u64::try_from(bytes).is_ok_and(|bytes| bytes > max));
        let text = "the attributes of your routes take more octets than allowed";
        is_over.then(|| Notification::cease(cease::OUT_OF_RESOURCES, text))
    }
}
