//! One path to a destination.

use std::time::Duration;

use bgp_core::{Instant, PathId};

use crate::attributes::Attrs;
use crate::next_hop::NextHopId;
use crate::peer::PeerId;

/// A path as one source announced it.
#[derive(Clone, Debug)]
pub struct Path {
    /// The attributes.
    pub attrs: Attrs,
    /// Who announced it.
    pub source: PeerId,
    /// The identifier that the source gave it (RFC 7911), 0 without ADD-PATH.
    pub path_id: PathId,
    next_hop: NextHopId,
    metric: u32,
    received: u32,
}

/// Stands for a next hop that cannot be reached.
const INELIGIBLE: u32 = u32::MAX;

impl Path {
    /// A path whose next hop is taken to be reachable at metric 0.
    #[must_use]
    pub fn new(source: PeerId, path_id: PathId, attrs: Attrs, now: Instant) -> Path {
        let received = u32::try_from(now.since_origin().as_secs()).unwrap_or(u32::MAX);
        Path { attrs, source, path_id, next_hop: NextHopId::ASSUMED, metric: 0, received }
    }

    /// The same path with a next hop that is tracked; `metric` is `None` if it cannot be reached.
    #[must_use]
    pub fn with_next_hop(mut self, id: NextHopId, metric: Option<u32>) -> Path {
        self.next_hop = id;
        self.set_metric(metric);
        self
    }

    pub(crate) fn next_hop_id(&self) -> NextHopId {
        self.next_hop
    }

    /// Whether `other` would change nothing in this one's place.
    pub(crate) fn is_same(&self, other: &Path) -> bool {
        let key = |path: &Path| (path.source, path.path_id, path.next_hop, path.metric);
        self.attrs == other.attrs && key(self) == key(other)
    }

    pub(crate) fn set_metric(&mut self, metric: Option<u32>) {
        self.metric = metric.map_or(INELIGIBLE, |metric| metric.min(INELIGIBLE - 1));
    }

    /// Whether the path may be chosen: its next hop can be reached (RFC 4271 section 9.1.2.1).
    #[must_use]
    pub fn is_eligible(&self) -> bool {
        self.metric != INELIGIBLE
    }

    /// The interior cost of its next hop; `None` if that cannot be reached.
    #[must_use]
    pub fn igp_metric(&self) -> Option<u32> {
        self.is_eligible().then_some(self.metric)
    }

    /// When it was received, to the second.
    #[must_use]
    pub fn received(&self) -> Instant {
        Instant::from_origin(Duration::from_secs(self.received.into()))
    }

    /// Whether it is the path that this source gave this identifier.
    #[must_use]
    pub fn is_from(&self, source: PeerId, path_id: PathId) -> bool {
        self.source == source && self.path_id == path_id
    }
}
