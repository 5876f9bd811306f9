//! The sources of the routes that a group has sent, each under a small number.

use std::collections::BTreeMap;

use bgp_core::RouterId;

use crate::peer::{PeerId, Peers, SourceKind};

/// What is written of a source into its routes. A slot may go to another router between two flushes: then routes that
/// are the same otherwise go out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) kind: SourceKind,
    pub(crate) router_id: RouterId,
}

impl Written {
    /// Of what has the slot of `source` now.
    pub(crate) fn of(peers: &Peers, source: PeerId) -> Option<Written> {
        peers.source(source).map(|info| Written { kind: info.kind, router_id: info.router_id })
    }
}

/// A place among the sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SourceId(u32);

#[derive(Clone, Copy, Debug)]
struct Source {
    peer: PeerId,
    /// Its routes; a source without any gives its place to another.
    sent: usize,
    written: Option<Written>,
}

#[derive(Debug, Default)]
pub(super) struct Sources {
    places: Vec<Source>,
    free: Vec<SourceId>,
    by_peer: BTreeMap<PeerId, SourceId>,
    /// The one that was named last: routes of one source come in runs.
    last: SourceId,
}

impl Sources {
    fn get(&self, id: SourceId) -> Option<&Source> {
        self.places.get(id.0 as usize)
    }

    fn get_mut(&mut self, id: SourceId) -> Option<&mut Source> {
        self.places.get_mut(id.0 as usize)
    }

    /// Who it is.
    pub(super) fn peer(&self, id: SourceId) -> PeerId {
        self.get(id).map_or(PeerId::LOCAL, |source| source.peer)
    }

    /// What was written of a source that has routes.
    pub(super) fn written(&self, peer: PeerId) -> Option<Written> {
        self.get(*self.by_peer.get(&peer)?)?.written
    }

    /// The routes of all sessions of this slot.
    pub(super) fn sent_from(&self, slot: u32) -> usize {
        let sessions = PeerId { slot, generation: 0 }..=PeerId { slot, generation: u32::MAX };
        let sources = self.by_peer.range(sessions).filter_map(|(_, id)| self.get(*id));
        sources.map(|source| source.sent).sum()
    }

    /// Counts one more route of a source.
    #[inline]
    pub(super) fn count_in(&mut self, peer: PeerId, written: Option<Written>) -> SourceId {
        let is_it = |source: &Source| source.peer == peer && source.sent > 0;
        let id = match self.get(self.last) {
            Some(source) if is_it(source) => self.last,
            _ => self.place_of(peer, written),
        };
        self.last = id;
        if let Some(source) = self.get_mut(id) {
            source.sent += 1;
        }
        id
    }

    fn place_of(&mut self, peer: PeerId, written: Option<Written>) -> SourceId {
        if let Some(id) = self.by_peer.get(&peer) {
            return *id;
        }
        let new = Source { peer, sent: 0, written };
        let free = self.free.pop();
        let id = free.unwrap_or(SourceId(u32::try_from(self.places.len()).unwrap_or(u32::MAX)));
        match self.get_mut(id) {
            Some(place) => *place = new,
            None => self.places.push(new),
        }
        self.by_peer.insert(peer, id);
        id
    }

    /// Counts one route out.
    #[inline]
    pub(super) fn count_out(&mut self, id: SourceId) {
        let Some(source) = self.get_mut(id) else { return };
        source.sent = source.sent.saturating_sub(1);
        if source.sent == 0 {
            let peer = source.peer;
            self.by_peer.remove(&peer);
            self.free.push(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_keeps_its_place_while_it_has_routes() {
        let mut sources = Sources::default();
        let peers = [1, 2, 3].map(|slot| PeerId { slot, generation: 1 });
        let ids = peers.map(|peer| sources.count_in(peer, None));
        assert_eq!(ids.map(|id| sources.peer(id)), peers);
        assert_eq!(sources.count_in(peers[0], None), ids[0]);
        sources.count_out(ids[0]);
        assert_eq!(sources.sent_from(1), 1);
        sources.count_out(ids[0]);
        assert_eq!(sources.sent_from(1), 0);
        let later = PeerId { slot: 1, generation: 2 };
        assert_eq!(sources.count_in(later, None), ids[0], "the place is used again");
        assert_eq!((sources.peer(ids[0]), sources.places.len()), (later, 3));
    }
}
