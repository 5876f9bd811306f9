//! Tells who looks on which best paths change. Costs nothing while nobody does.

use bgp_core::{Prefix, V4, V6};

use super::{PathView, Rib, RouteView};
use crate::dirty::DirtySet;
use crate::family::RibFamily;

/// A destination whose best path changed.
#[derive(Clone, Copy)]
pub struct BestChange<'a> {
    /// The destination.
    pub prefix: Prefix,
    /// Its route and the path that is the best now; `None`: it has none any more.
    pub best: Option<(RouteView<'a>, PathView<'a>)>,
}

impl Rib {
    /// Begins to note changes of best paths for [`Rib::take_best_changes`], or ends it and forgets those noted.
    pub fn follow_best(&mut self, follow: bool) {
        if self.follows_best() != follow {
            self.families.v4.followed = follow.then(DirtySet::new);
            self.families.v6.followed = follow.then(DirtySet::new);
            self.reclaim();
        }
    }

    /// Whether changes of best paths are noted.
    #[must_use]
    pub fn follows_best(&self) -> bool {
        self.families.v4.followed.is_some()
    }

    /// Whether [`Rib::take_best_changes`] has something to give.
    #[must_use]
    pub fn has_best_changes(&self) -> bool {
        let noted = [&self.families.v4.followed, &self.families.v6.followed];
        noted.into_iter().flatten().any(|noted| !noted.is_empty())
    }

    /// Gives up to `max` destinations whose best path changed to `on`, in no order of time, but each in its turn, IPv4
    /// before IPv6. One that changed often since the last look is told once, as it is now. What is not taken waits;
    /// there is never more of it than there are destinations.
    pub fn take_best_changes(&mut self, max: usize, mut on: impl FnMut(BestChange<'_>)) {
        let taken = self.take_best_of::<V4>(max, &mut on);
        self.take_best_of::<V6>(max - taken, &mut on);
        self.reclaim();
    }

    fn take_best_of<F: RibFamily>(&mut self, max: usize, on: &mut impl FnMut(BestChange<'_>)) -> usize {
        for taken in 0..max {
            let noted = F::rib_mut(&mut self.families).followed.as_mut();
            let Some(dest) = noted.and_then(DirtySet::pop) else { return taken };
            let Some(prefix) = F::rib(&self.families).table.prefix(dest) else { continue };
            let best = self.view::<F>(dest).and_then(|route| {
                let best = route.candidates().find(|path| path.best)?;
                Some((route, best))
            });
            on(BestChange { prefix: prefix.into(), best });
        }
        max
    }
}

#[cfg(test)]
mod tests {
    use bgp_core::{Asn, ClusterId, Family, Instant, PeerKind, RouterId};

    use super::*;
    use crate::rib::RibConfig;
    use crate::{AttributeStore, ExportContext, Summary};

    fn rib() -> Rib {
        let export = ExportContext {
            local_as: Asn(64512),
            router_id: RouterId(5000),
            cluster_id: Some(ClusterId(5000)),
        };
        Rib::new(RibConfig::new(export, 1))
    }

    fn announce(rib: &mut Rib, store: &AttributeStore, prefix: &str) {
        let next_hop = "192.0.2.1".parse().unwrap();
        let attrs = store.insert(PeerKind::Internal, next_hop, &[], Summary::default());
        rib.announce_local(Instant::ZERO, prefix.parse().unwrap(), attrs);
    }

    fn taken(rib: &mut Rib, max: usize) -> Vec<(String, bool)> {
        let mut taken = Vec::new();
        rib.take_best_changes(max, |change| {
            assert!(change.best.is_none_or(|(route, best)| route.prefix == change.prefix && best.best));
            taken.push((change.prefix.to_string(), change.best.is_some()));
        });
        taken
    }

    fn told(list: &[(&str, bool)]) -> Vec<(String, bool)> {
        list.iter().map(|(prefix, there)| ((*prefix).to_owned(), *there)).collect()
    }

    #[test]
    fn a_follower_is_told_what_changed_since_it_began() {
        let (mut rib, store) = (rib(), AttributeStore::new(1));
        announce(&mut rib, &store, "10.0.0.0/24");
        assert!(!rib.has_best_changes());
        rib.follow_best(true);
        announce(&mut rib, &store, "10.0.1.0/24");
        announce(&mut rib, &store, "fd00::/64");
        announce(&mut rib, &store, "10.0.2.0/24");
        rib.withdraw_local(Instant::ZERO, "10.0.0.0/24".parse().unwrap());
        rib.withdraw_local(Instant::ZERO, "10.0.2.0/24".parse().unwrap());
        assert_eq!(taken(&mut rib, 2), told(&[("10.0.0.0/24", false), ("10.0.1.0/24", true)]));
        assert!(rib.has_best_changes());
        assert_eq!(taken(&mut rib, 9), told(&[("10.0.2.0/24", false), ("fd00::/64", true)]));
        assert_eq!(taken(&mut rib, 9), []);
    }

    #[test]
    fn what_a_follower_has_not_seen_is_freed_when_it_goes() {
        let (mut rib, store) = (rib(), AttributeStore::new(1));
        rib.follow_best(true);
        announce(&mut rib, &store, "10.0.0.0/24");
        rib.withdraw_local(Instant::ZERO, "10.0.0.0/24".parse().unwrap());
        rib.handle_timeout(rib.next_timeout().unwrap());
        assert!(rib.families.v4.table.has_vacant(), "its prefix is still to be told");
        rib.follow_best(false);
        assert!(!rib.families.v4.table.has_vacant() && rib.route_count(Family::IPV4_UNICAST) == 0);
        announce(&mut rib, &store, "10.0.0.0/24");
        assert!(!rib.has_best_changes());
    }
}
