//! What follows from changes of routes within the RIB: next hops that routes lead to, and aggregates.
//!
//! It is looked at once per tick, before the groups flush, so that a burst of changes is one look.

use std::net::IpAddr;
use std::time::Duration;

use bgp_core::{Instant, Prefix, V4, V6, link_local};

use super::Rib;
use crate::dirty::DirtySet;
use crate::family::RibFamily;
use crate::next_hop::{NextHopId, NextHopSource, Via};
use crate::peer::PeerId;

/// So long after the first change, if no group flushes before.
const TICK: Duration = Duration::from_millis(5);

impl Rib {
    /// Begins to note changes, or ends it, as there is something that may follow from them.
    pub(super) fn watch_for_settling(&mut self) {
        let wanted = self.config.next_hops == NextHopSource::Tracked || !self.aggregates.is_empty();
        if self.families.v4.unsettled.is_some() != wanted {
            self.families.v4.unsettled = wanted.then(DirtySet::new);
            self.families.v6.unsettled = wanted.then(DirtySet::new);
        }
    }

    pub(super) fn settle_later(&mut self, now: Instant) {
        let noted = [&self.families.v4.unsettled, &self.families.v6.unsettled];
        if noted.into_iter().flatten().any(|noted| !noted.is_empty()) {
            self.settle_at.get_or_insert(now + TICK);
        }
    }

    /// Looks at all changes, those too that it makes itself. It comes to an end: next hops found by routes only depend
    /// on paths whose own next hops are reached without, and aggregates only on routes that are none.
    pub(super) fn settle(&mut self, now: Instant) {
        while self.settle_one::<V4>(now) || self.settle_one::<V6>(now) {}
        self.settle_at = None;
    }

    fn settle_one<F: RibFamily>(&mut self, now: Instant) -> bool {
        let rib = F::rib_mut(&mut self.families);
        let Some(dest) = rib.unsettled.as_mut().and_then(DirtySet::pop) else { return false };
        if let Some(prefix) = rib.table.prefix(dest) {
            let unreached: Vec<(IpAddr, NextHopId)> = self.next_hops.unreached_in(prefix.into()).collect();
            for (address, id) in unreached {
                if self.find_route_to(address, id) {
                    self.rank_again(now, id);
                }
            }
            self.note_contribution::<F>(now, dest, prefix.into());
        }
        true
    }

    /// Looks for a route to a next hop that the tracker cannot reach; whether it is another one than before.
    pub(super) fn find_route_to(&mut self, address: IpAddr, id: NextHopId) -> bool {
        let via = match address {
            // It is on its link or nowhere, however a default route covers it.
            _ if link_local::link(address).is_some() => None,
            IpAddr::V4(_) => self.route_to::<V4>(address),
            IpAddr::V6(_) => self.route_to::<V6>(address),
        };
        self.next_hops.reach_by(id, via)
    }

    /// The longest match whose own next hop the tracker reaches.
    fn route_to<F: RibFamily>(&self, address: IpAddr) -> Option<Via> {
        let table = &F::rib(&self.families).table;
        let prefixes = (0..=F::MAX_LEN).rev().filter_map(|len| Prefix::new(address, len));
        prefixes.filter_map(|prefix| table.lookup(&F::from_prefix(prefix)?)).find_map(|dest| {
            let direct = |path: &&crate::path::Path| path.source() != PeerId::LOCAL;
            table.paths(dest).iter().filter(direct).find_map(|path| {
                let next_hop = self.next_hops.id(path.tracked_next_hop()?)?;
                let metric = self.next_hops.direct_metric(next_hop)?;
                Some(Via { gateway: path.attrs.next_hop(), metric })
            })
        })
    }
}
