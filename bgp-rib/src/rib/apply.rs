//! What peers, and we ourselves, announce and withdraw.

use bgp_core::{Family, Instant, PathId, Prefix, V4, V6};

use super::Rib;
use crate::attributes::Attrs;
use crate::decision::Decision;
use crate::family::RibFamily;
use crate::next_hop::NextHopId;
use crate::path::Path;
use crate::peer::PeerId;
use crate::table::Located;

/// So many routes are looked up before the first of them is changed: far more than memory can be asked for at a time.
const WINDOW: usize = 256;

/// One route in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteChange<P> {
    /// The destination.
    pub prefix: P,
    /// The path identifier, 0 without ADD-PATH.
    pub path_id: PathId,
    /// The index of its attributes among those of the batch; `None` withdraws.
    pub attributes: Option<u32>,
}

impl Rib {
    /// A peer announces and withdraws routes, in this order. What its import policy refuses must be withdrawn instead.
    pub fn apply<F: RibFamily>(
        &mut self,
        now: Instant,
        peer: PeerId,
        changes: &[RouteChange<F::Prefix>],
        attributes: &[Attrs],
    ) {
        if !self.may_update(peer, F::FAMILY) {
            return;
        }
        let Rib { config, peers, families, next_hops, groups, .. } = self;
        let decision = Decision::new(config.decision, peers);
        let rib = F::rib_mut(families);
        let mut places = [Located::default(); WINDOW];
        for window in changes.chunks(WINDOW) {
            for (place, change) in places.iter_mut().zip(window) {
                *place = rib.table.locate(&change.prefix);
            }
            for (at, change) in places.iter().zip(window) {
                let RouteChange { prefix, path_id, attributes: index } = *change;
                let changed = match index.and_then(|index| attributes.get(index as usize)) {
                    Some(attrs) => {
                        let (next_hop, metric) = next_hops.acquire(attrs.next_hop());
                        let path = Path::new(peer, path_id, attrs.clone(), now);
                        let path = path.with_next_hop(next_hop, metric);
                        rib.announce(*at, prefix, (path, next_hop), decision, next_hops)
                    }
                    None => rib.withdraw(*at, &prefix, peer, path_id, decision, next_hops),
                };
                if let Some((dest, change)) = changed {
                    groups.mark(now, F::FAMILY, dest, change);
                }
            }
        }
        self.settle_later(now);
        if changes.iter().any(|change| change.attributes.is_none()) {
            self.tidy_later(now);
        }
    }

    /// A peer announces a path: see [`Rib::apply`].
    pub fn announce<F: RibFamily>(
        &mut self,
        now: Instant,
        peer: PeerId,
        prefix: F::Prefix,
        path_id: PathId,
        attrs: Attrs,
    ) {
        self.apply::<F>(now, peer, &[RouteChange { prefix, path_id, attributes: Some(0) }], &[attrs]);
    }

    /// A peer withdraws a path: see [`Rib::apply`].
    pub fn withdraw<F: RibFamily>(&mut self, now: Instant, peer: PeerId, prefix: F::Prefix, path_id: PathId) {
        self.apply::<F>(now, peer, &[RouteChange { prefix, path_id, attributes: None }], &[]);
    }

    /// We originate a route.
    pub fn announce_local(&mut self, now: Instant, prefix: Prefix, attrs: Attrs) {
        self.put_local(now, prefix, Path::new(PeerId::LOCAL, PathId::default(), attrs, now));
    }

    /// We originate it no more.
    pub fn withdraw_local(&mut self, now: Instant, prefix: Prefix) {
        self.take_out_local(now, prefix, PathId::default());
    }

    /// Adds a path of our own.
    pub(super) fn put_local(&mut self, now: Instant, prefix: Prefix, path: Path) {
        match prefix {
            Prefix::V4(prefix) => self.change_local::<V4>(now, prefix, path.path_id, Some(path)),
            Prefix::V6(prefix) => self.change_local::<V6>(now, prefix, path.path_id, Some(path)),
        }
    }

    /// Removes a path of our own.
    pub(super) fn take_out_local(&mut self, now: Instant, prefix: Prefix, path_id: PathId) {
        match prefix {
            Prefix::V4(prefix) => self.change_local::<V4>(now, prefix, path_id, None),
            Prefix::V6(prefix) => self.change_local::<V6>(now, prefix, path_id, None),
        }
        self.tidy_later(now);
    }

    fn change_local<F: RibFamily>(
        &mut self,
        now: Instant,
        prefix: F::Prefix,
        path_id: PathId,
        path: Option<Path>,
    ) {
        let Rib { config, peers, families, next_hops, groups, .. } = self;
        let decision = Decision::new(config.decision, peers);
        let rib = F::rib_mut(families);
        let at = rib.table.locate(&prefix);
        let changed = match path {
            Some(path) => rib.announce(at, prefix, (path, NextHopId::ASSUMED), decision, next_hops),
            None => rib.withdraw(at, &prefix, PeerId::LOCAL, path_id, decision, next_hops),
        };
        if let Some((dest, change)) = changed {
            groups.mark(now, F::FAMILY, dest, change);
        }
        self.settle_later(now);
    }

    pub(super) fn may_update(&self, peer: PeerId, family: Family) -> bool {
        self.peers.get(peer).is_some_and(|info| info.families.contains(family))
    }
}
