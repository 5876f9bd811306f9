//! One path to a destination.

use std::net::IpAddr;
use std::time::Duration;

use bgp_core::{Instant, PathId};

use crate::attributes::Attrs;
use crate::fault::{Fault, planted};
use crate::next_hop::NextHopId;
use crate::peer::{PeerId, Source};

/// A path as one source announced it.
#[derive(Clone, Debug)]
pub struct Path {
    /// The attributes.
    pub attrs: Attrs,
    /// The identifier that the source gave it (RFC 7911), 0 without ADD-PATH.
    pub path_id: PathId,
    source: Source,
    metric: u32,
    /// Seconds, and the marks in the three highest bits: a path takes 24 bytes.
    received: u32,
}

/// Stands for a next hop that cannot be reached.
const INELIGIBLE: u32 = u32::MAX;

/// The mark of [`Path::is_stale`].
const STALE: u32 = 1 << 31;

/// The mark of [`Path::is_long_lived`].
const LONG_LIVED: u32 = 1 << 30;

/// The mark of a path whose next hop is tracked: the one that its attributes name.
const TRACKED: u32 = 1 << 29;

/// The bits of `received` that count seconds: 17 years.
const SECONDS: u32 = TRACKED - 1;

impl Path {
    /// A path whose next hop is taken to be reachable at metric 0.
    #[must_use]
    pub fn new(source: PeerId, path_id: PathId, attrs: Attrs, now: Instant) -> Path {
        let received = u32::try_from(now.since_origin().as_secs()).unwrap_or(SECONDS).min(SECONDS);
        Path { attrs, path_id, source: source.into(), metric: 0, received }
    }

    /// The same path with its next hop tracked under `id`, if that is not [`NextHopId::ASSUMED`]; `metric` is `None` if
    /// it cannot be reached.
    #[must_use]
    pub fn with_next_hop(mut self, id: NextHopId, metric: Option<u32>) -> Path {
        if id != NextHopId::ASSUMED {
            self.received |= TRACKED;
        }
        self.set_metric(metric);
        self
    }

    /// Who announced it.
    #[must_use]
    pub fn source(&self) -> PeerId {
        self.source.into()
    }

    /// The slot of who announced it.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.source().slot
    }

    /// Its next hop if that is tracked.
    pub(crate) fn tracked_next_hop(&self) -> Option<IpAddr> {
        (self.received & TRACKED != 0).then(|| self.attrs.next_hop())
    }

    /// Whether `other` would change nothing for anybody in this one's place. Whether it is stale does not count, nor
    /// which session of the source announced it.
    pub(crate) fn is_same(&self, other: &Path) -> bool {
        let marks = |path: &Path| path.received & (LONG_LIVED | TRACKED);
        let key = |path: &Path| (path.slot(), path.path_id, path.metric, marks(path));
        self.attrs == other.attrs && key(self) == key(other)
    }

    /// Whether the source has still to say that it has the path: the session that announced it is gone (RFC 4724
    /// section 4.2), or the source has begun to send everything again (RFC 7313 section 4).
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.received & STALE != 0
    }

    /// Whether the path is kept although its source did not come back in its restart time: it is the last choice, and
    /// goes out with LLGR_STALE (RFC 9494 section 4.2). Such a path is stale too.
    #[must_use]
    pub fn is_long_lived(&self) -> bool {
        self.received & LONG_LIVED != 0
    }

    /// Whether every path that is not so is better (RFC 9494 section 4.4): it is long-lived, here or, as its
    /// LLGR_STALE says, at somebody before us.
    #[must_use]
    pub fn is_least_preferred(&self) -> bool {
        (self.is_long_lived() || self.attrs.is_llgr_stale()) && !planted(Fault::LongLivedNotDepreferenced)
    }

    /// Marks it as [`Path::is_stale`].
    pub fn mark_stale(&mut self) {
        self.received |= STALE;
    }

    /// Marks it as [`Path::is_long_lived`].
    pub fn mark_long_lived(&mut self) {
        self.received |= STALE | LONG_LIVED;
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
        Instant::from_origin(Duration::from_secs((self.received & SECONDS).into()))
    }

    /// Whether it is the path that this source gave this identifier, in whichever of its sessions.
    #[must_use]
    pub fn is_from(&self, source: PeerId, path_id: PathId) -> bool {
        self.slot() == source.slot && self.path_id == path_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AttributeStore;
    use crate::testing::path;

    #[test]
    fn marks_take_no_room_and_leave_the_time_alone() {
        assert_eq!(size_of::<Path>(), 24);
        let store = AttributeStore::new(1);
        let of = path(&store, 5, 1, bgp_core::wire::Summary::default());
        let now = Instant::from_origin(Duration::from_secs(SECONDS.into()));
        let mut late = Path::new(of.source(), of.path_id, of.attrs, now + Duration::from_secs(9));
        assert_eq!((late.is_stale(), late.is_long_lived(), late.received()), (false, false, now));
        late.mark_stale();
        assert_eq!((late.is_stale(), late.is_long_lived(), late.received()), (true, false, now));
        late.mark_long_lived();
        assert_eq!((late.is_stale(), late.is_long_lived(), late.received()), (true, true, now));
    }
}
