//! Paths that outlive the session they came with (RFC 4724, RFC 9494), or are in doubt while their source announces
//! everything again (RFC 7313). When each of this happens is the caller's business.

use bgp_core::{Family, FamilySet, Instant, V4, V6};

use super::Rib;
use crate::decision::Decision;
use crate::family::RibFamily;
use crate::fault::{Fault, planted};
use crate::path::Path;
use crate::peer::{PeerId, PeerInfo};

impl Rib {
    /// A session ended, and the peer may come back: in the families of `keep` its paths stay, as stale ones. Of those
    /// that the session before it left, and that were not announced again, only long-lived ones stay once more, in the
    /// families for which this session agreed on such (RFC 4724 section 4.2, RFC 9494 section 4.2).
    pub fn peer_lost(&mut self, now: Instant, peer: PeerId, keep: FamilySet, long_lived: FamilySet) {
        if peer == PeerId::LOCAL || self.peers.source(peer).is_none_or(|info| info.id != peer) {
            return;
        }
        let Rib { families, peers, groups, .. } = self;
        groups.leave(peer, &mut super::tables_mut(families, peers));
        self.lose_in::<V4>(now, peer, keep, long_lived);
        self.lose_in::<V6>(now, peer, keep, long_lived);
        self.peers.lose(peer);
        self.forget_without_paths(peer.slot);
        self.tidy_later(now);
    }

    fn lose_in<F: RibFamily>(&mut self, now: Instant, peer: PeerId, keep: FamilySet, long_lived: FamilySet) {
        let kept = keep.contains(F::FAMILY) && !planted(Fault::StaleDroppedAtOnce);
        let stays = |path: &Path| path.is_long_lived() && long_lived.contains(F::FAMILY);
        let is_older = |path: &Path| path.source() != peer && !stays(path);
        self.remove_paths::<F>(now, peer.slot, |path| !kept || is_older(path));
        F::rib_mut(&mut self.families).mark_stale(peer.slot);
    }

    fn remove_paths<F: RibFamily>(&mut self, now: Instant, slot: u32, unwanted: impl Fn(&Path) -> bool) {
        let Rib { config, peers, families, next_hops, groups, .. } = self;
        let decision = Decision::new(config.decision, peers);
        F::rib_mut(families).remove_source(slot, unwanted, decision, next_hops, |dest, change| {
            if planted(Fault::WithdrawalLostOnDetach) {
                return;
            }
            groups.mark(now, F::FAMILY, dest, change);
        });
        self.settle_later(now);
    }

    /// Nobody asks who a peer was that is gone and left nothing.
    fn forget_without_paths(&mut self, slot: u32) {
        if let Some(lost) = self.peers.lost(slot).map(|info| info.id)
            && self.families.stale(slot).is_empty()
        {
            self.peers.remove(lost);
        }
    }

    /// Takes away what the peer that has this slot now may not take over: everything if it is another router, else what
    /// it can neither announce again nor withdraw.
    pub(super) fn admit_again(&mut self, now: Instant, new: &PeerInfo) {
        let slot = new.id.slot;
        let identity = |info: &PeerInfo| (info.kind, info.address, info.router_id, info.asn);
        if let Some(old) = self.peers.lost(slot).filter(|old| identity(old) != identity(new)) {
            self.peer_down(now, old.id);
        }
        let given_up = self.stale_families(slot).iter().filter(|family| !new.families.contains(*family));
        given_up.for_each(|family| self.sweep_stale(now, slot, family));
    }

    /// The families in which stale paths of the peer in this slot are held.
    #[must_use]
    pub fn stale_families(&self, slot: u32) -> FamilySet {
        self.families.stale(slot)
    }

    /// A peer begins to announce all of a family again: what does not come is swept with [`Rib::sweep_stale`].
    pub fn mark_stale(&mut self, peer: PeerId, family: Family) {
        if self.may_update(peer, family) {
            match family {
                Family::IPV4_UNICAST => self.families.v4.mark_stale(peer.slot),
                Family::IPV6_UNICAST => self.families.v6.mark_stale(peer.slot),
                _ => {}
            }
        }
    }

    /// Removes the paths of the peer in this slot that are still stale: it has announced all it has, or took too long.
    pub fn sweep_stale(&mut self, now: Instant, slot: u32, family: Family) {
        if !self.stale_families(slot).contains(family) {
            return;
        }
        match family {
            Family::IPV4_UNICAST => self.remove_paths::<V4>(now, slot, Path::is_stale),
            Family::IPV6_UNICAST => self.remove_paths::<V6>(now, slot, Path::is_stale),
            _ => return,
        }
        self.forget_without_paths(slot);
        self.tidy_later(now);
    }

    /// The peer did not come back in its restart time: its stale paths become the last choice, and those with NO_LLGR go
    /// (RFC 9494 section 4.2).
    pub fn begin_long_lived(&mut self, now: Instant, slot: u32, family: Family) {
        match family {
            Family::IPV4_UNICAST => self.begin_long_lived_in::<V4>(now, slot),
            Family::IPV6_UNICAST => self.begin_long_lived_in::<V6>(now, slot),
            _ => return,
        }
        self.forget_without_paths(slot);
        self.tidy_later(now);
    }

    fn begin_long_lived_in<F: RibFamily>(&mut self, now: Instant, slot: u32) {
        let Rib { config, peers, families, next_hops, groups, .. } = self;
        let decision = Decision::new(config.decision, peers);
        F::rib_mut(families).begin_long_lived(slot, decision, next_hops, |dest, change| {
            groups.mark(now, F::FAMILY, dest, change);
        });
        self.settle_later(now);
    }
}
