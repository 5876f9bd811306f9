//! Which paths to a destination a group wants to send, and the path ids that they go out with.

use std::collections::VecDeque;

use bgp_core::{AddressFamily, PathId};

use super::export::{Advertise, LoadSharing};
use super::exporter::Exporter;
use super::records::{Slot, Slots};
use crate::attributes::Attrs;
use crate::decision::Decision;
use crate::fault::{Fault, planted};
use crate::path::Path;
use crate::peer::{PeerId, Peers};

/// The one path that is looked at where only one goes out: the best, or the best that may go to these peers.
pub(super) fn one<'a>(exporter: &Exporter, peers: &Peers, paths: &'a [Path]) -> Option<&'a Path> {
    let mut eligible = paths.iter().take_while(|path| path.is_eligible());
    match exporter.key().advertise {
        Advertise::BestExternal => eligible.find(|path| exporter.may_pass(peers, path.source())),
        _ => eligible.next(),
    }
}

/// A path that is to go out.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) attrs: Attrs,
    pub(super) source: PeerId,
    pub(super) received: PathId,
    /// The id it goes out with.
    pub(super) id: PathId,
}

/// No path goes out with this id.
const NO_ID: PathId = PathId(0);

/// The paths that are to go out to one destination, with ADD-PATH; its buffers are used again and again.
#[derive(Debug, Default)]
pub(super) struct Choice {
    wanted: VecDeque<Wanted>,
    /// Where in `wanted` each path is, by source and identifier: there may be many.
    places: Vec<(u32, PathId, usize)>,
    /// The ids that paths have, in rising order.
    used: Vec<PathId>,
}

impl Choice {
    /// Those of `paths` that are to go out, best first.
    pub(super) fn choose<F: AddressFamily>(
        &mut self,
        exporter: &mut Exporter,
        peers: &Peers,
        sharing: LoadSharing,
        prefix: F::Prefix,
        paths: &[Path],
    ) {
        let decision = Decision::new(sharing.decision, peers);
        let eligible = || paths.iter().take_while(|path| path.is_eligible());
        let mut most = usize::MAX;
        let candidates: &mut dyn Iterator<Item = &Path> = match exporter.key().advertise {
            Advertise::Best | Advertise::BestExternal => &mut one(exporter, peers, paths).into_iter(),
            Advertise::Ecmp => &mut decision.multipath(paths, sharing.max),
            Advertise::Count(count) => {
                most = count.get().into();
                &mut eligible()
            }
            Advertise::All => &mut eligible(),
        };
        let going = candidates.filter_map(|path| {
            let attrs = exporter.outgoing::<F>(peers, prefix, path)?.into_owned();
            Some(Wanted { attrs, source: path.source(), received: path.path_id, id: NO_ID })
        });
        self.wanted.clear();
        self.wanted.extend(going.take(most));
    }

    /// Gives each path its id: a path that is sent keeps its own, the others get the smallest ones that no path keeps.
    pub(super) fn assign(&mut self, sent: Slots<'_>) {
        self.used.clear();
        self.places.clear();
        let places = self.wanted.iter().enumerate();
        self.places.extend(places.map(|(place, wanted)| (wanted.source.slot, wanted.received, place)));
        self.places.sort_unstable();
        for (out, slot) in sent {
            let Slot::Sent(record) = slot else { continue };
            let path = (record.source.slot, out.received);
            let found = self.places.binary_search_by_key(&path, |(slot, received, _)| (*slot, *received));
            let place = found.ok().and_then(|found| self.places.get(found)).map(|(.., place)| *place);
            let wanted = place.and_then(|place| self.wanted.get_mut(place));
            if let Some(wanted) = wanted.filter(|wanted| wanted.id == NO_ID) {
                wanted.id = out.id;
                self.used.push(out.id);
            }
        }
        // They are in rising order.
        let mut kept = self.used.iter().peekable();
        let mut next = PathId(1);
        for wanted in self.wanted.iter_mut().filter(|wanted| wanted.id == NO_ID) {
            while !planted(Fault::PathIdReusedEarly) && kept.next_if_eq(&&next).is_some() {
                next.0 += 1;
            }
            wanted.id = next;
            next.0 += 1;
        }
        self.used.clear();
        self.used.extend(self.wanted.iter().map(|wanted| wanted.id));
        self.used.sort_unstable();
    }

    /// Whether a path is to go out with this id.
    pub(super) fn uses(&self, id: PathId) -> bool {
        self.used.binary_search(&id).is_ok()
    }

    /// Hands over the next path, best first.
    pub(super) fn next(&mut self) -> Option<Wanted> {
        self.wanted.pop_front()
    }
}
