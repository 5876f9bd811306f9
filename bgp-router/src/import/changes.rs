//! What importing does to the routes of one family, on its way into a batch.

use bgp_core::{AddressFamily, PathId, V4, V6};
use bgp_rib::Attrs;
use bgp_rib::fault::{Fault, planted};

use super::counters::ImportCounters;
use super::refusal::Refusal;
use crate::adj_rib_in::{AdjRibIn, Routes};
use crate::message::{Batch, RouteChange};

/// How far back a batch is searched for a set that it already has: a filter may make a few of one.
const RECENT: usize = 8;

/// A family that a batch has room for.
pub(crate) trait Unicast: AddressFamily {
    /// The place of the family's counters.
    const INDEX: usize;
    fn changes(batch: &mut Batch) -> (&mut Vec<Attrs>, &mut Vec<RouteChange<Self::Prefix>>);
    fn routes(kept: &AdjRibIn) -> &Routes<Self>;
    fn routes_mut(kept: &mut AdjRibIn) -> &mut Routes<Self>;
}

impl Unicast for V4 {
    const INDEX: usize = 0;
    fn changes(batch: &mut Batch) -> (&mut Vec<Attrs>, &mut Vec<RouteChange<Self::Prefix>>) {
        (&mut batch.attributes, &mut batch.v4)
    }
    fn routes(kept: &AdjRibIn) -> &Routes<V4> {
        &kept.v4
    }
    fn routes_mut(kept: &mut AdjRibIn) -> &mut Routes<V4> {
        &mut kept.v4
    }
}

impl Unicast for V6 {
    const INDEX: usize = 1;
    fn changes(batch: &mut Batch) -> (&mut Vec<Attrs>, &mut Vec<RouteChange<Self::Prefix>>) {
        (&mut batch.attributes, &mut batch.v6)
    }
    fn routes(kept: &AdjRibIn) -> &Routes<V6> {
        &kept.v6
    }
    fn routes_mut(kept: &mut AdjRibIn) -> &mut Routes<V6> {
        &mut kept.v6
    }
}

/// Writes changes into a batch, and counts what is refused.
pub(crate) struct Changes<'a, F: AddressFamily> {
    attributes: &'a mut Vec<Attrs>,
    changes: &'a mut Vec<RouteChange<F::Prefix>>,
    counters: &'a mut ImportCounters,
}

impl<'a, F: Unicast> Changes<'a, F> {
    pub(crate) fn new(batch: &'a mut Batch, counters: &'a mut ImportCounters) -> Changes<'a, F> {
        let (attributes, changes) = F::changes(batch);
        Changes { attributes, changes, counters }
    }

    /// The route is taken with these attributes, or else withdrawn and counted as refused.
    pub(crate) fn put(&mut self, prefix: F::Prefix, path_id: PathId, taken: Result<&Attrs, Refusal>) {
        match taken {
            Ok(attrs) => {
                let attributes = Some(self.index_of(attrs));
                self.changes.push(RouteChange { prefix, path_id, attributes });
            }
            Err(refusal) => {
                self.counters.count_refused(refusal);
                if !planted(Fault::RefusedRouteKeepsOld) {
                    self.withdraw(prefix, path_id);
                }
            }
        }
    }

    /// The route is gone.
    pub(crate) fn withdraw(&mut self, prefix: F::Prefix, path_id: PathId) {
        self.changes.push(RouteChange { prefix, path_id, attributes: None });
    }

    fn index_of(&mut self, attrs: &Attrs) -> u32 {
        let recent = self.attributes.len().saturating_sub(RECENT);
        let known = self.attributes.iter().skip(recent).rposition(|other| other == attrs);
        let index = known.map_or(self.attributes.len(), |place| recent + place);
        if known.is_none() {
            self.attributes.push(attrs.clone());
        }
        u32::try_from(index).unwrap_or(u32::MAX)
    }
}
