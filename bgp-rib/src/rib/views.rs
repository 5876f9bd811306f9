//! What others may see of the RIB: routes, counts, memory.

use std::net::IpAddr;

use bgp_core::{Family, Prefix, V4, V6};

use super::Rib;
use crate::decision::{Decision, Rule};
use crate::family::RibFamily;
use crate::next_hop::NextHops;
use crate::out::{Group, Lag, SentPath};
use crate::path::Path;
use crate::peer::{PeerId, PeerInfo, Peers};
use crate::table::DestId;

/// A destination that has paths.
#[derive(Clone, Copy)]
pub struct RouteView<'a> {
    /// Its number, from which a walk goes on: see [`RouteView::cursor`].
    pub dest: DestId,
    /// The destination.
    pub prefix: Prefix,
    /// Its paths, best first, ineligible ones last.
    pub paths: &'a [Path],
    decision: Decision<'a>,
    peers: &'a Peers,
    multipath: usize,
}

/// A path and what the decision process made of it.
#[derive(Clone, Copy, Debug)]
pub struct PathView<'a> {
    /// The path.
    pub path: &'a Path,
    /// Who announced it.
    pub source: &'a PeerInfo,
    /// Whether it was chosen.
    pub best: bool,
    /// Whether it is the chosen one or shares the load with it.
    pub in_use: bool,
    /// What it lost by; `None` for the chosen one.
    pub rule: Option<Rule>,
}

impl<'a> RouteView<'a> {
    /// Where a walk goes on after this destination.
    #[must_use]
    pub fn cursor(&self) -> DestId {
        self.dest.next()
    }

    /// The path that was chosen, if any is eligible.
    #[must_use]
    pub fn best(&self) -> Option<&'a Path> {
        self.paths.first().filter(|path| path.is_eligible())
    }

    /// All paths, best first, each with what decided.
    pub fn candidates(&self) -> impl Iterator<Item = PathView<'a>> {
        let RouteView { paths, decision, peers, multipath, .. } = *self;
        let in_use: Vec<&Path> = decision.multipath(paths, multipath.max(1)).collect();
        paths.iter().enumerate().filter_map(move |(place, path)| {
            Some(PathView {
                path,
                source: peers.source(path.source())?,
                best: place == 0 && path.is_eligible(),
                in_use: in_use.iter().any(|other| other.is_from(path.source(), path.path_id)),
                rule: decision.explain(paths, place),
            })
        })
    }
}

/// What a peer has announced and been sent in one family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerCounts {
    /// The paths that it announced and that were accepted, stale ones too.
    pub accepted: usize,
    /// Those of them that it has still to announce again (RFC 4724 section 4.2, RFC 7313 section 4).
    pub stale: usize,
    /// The bytes of the attributes of all of them, shared or not.
    pub attribute_bytes: usize,
    /// The routes that it has been sent, or is about to be.
    pub advertised: usize,
    /// Whether it has announced all it has (RFC 4724 section 2).
    pub end_of_rib: bool,
}

/// Where memory goes, in bytes; attribute sets are counted by their store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// The tables of both families.
    pub tables: usize,
    /// What the update groups remember of what was sent, and what peers have still to take.
    pub groups: usize,
    /// Of that, the messages that peers have still to take.
    pub queued: usize,
}

impl Rib {
    /// The peers and ourselves.
    #[must_use]
    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    /// The next hops that are tracked.
    #[must_use]
    pub fn next_hops(&self) -> &NextHops {
        &self.next_hops
    }

    /// The update groups, oldest first.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter()
    }

    /// The counts of a peer whose session is up, or has ended but left routes that are kept.
    #[must_use]
    pub fn peer_counts(&self, peer: PeerId, family: Family) -> Option<PeerCounts> {
        self.peers.source(peer).filter(|info| info.id == peer)?;
        let held = self.families.held(peer.slot, family)?;
        Some(PeerCounts {
            accepted: held.paths,
            stale: held.stale,
            attribute_bytes: held.attribute_bytes,
            advertised: self.groups.of(peer).map_or(0, |group| group.advertised(peer, family)),
            end_of_rib: self.groups.end_of_rib(peer).contains(family),
        })
    }

    /// Whether the peer holds, or is about to be sent, a route to a destination.
    #[must_use]
    pub fn advertises(&self, peer: PeerId, route: &RouteView<'_>) -> bool {
        let family = route.prefix.family();
        self.groups.of(peer).is_some_and(|group| group.has_sent(peer, family, route.dest))
    }

    /// The paths to a destination that the peer holds, or is about to be sent, by path id.
    pub fn sent_paths<'a>(
        &'a self,
        peer: PeerId,
        route: &RouteView<'_>,
    ) -> impl Iterator<Item = SentPath<'a>> + use<'a> {
        let (family, dest) = (route.prefix.family(), route.dest);
        self.groups.of(peer).into_iter().flat_map(move |group| group.sent_paths(peer, family, dest))
    }

    /// Appends the UPDATEs for the routes of a family that the peer holds, or is about to be sent, as they go out to it: of up
    /// to `max` destinations from `from` on ([`DestId::FIRST`] begins). Returns where to go on; `None` at the end, or if
    /// the peer's session is not up.
    #[must_use]
    pub fn write_sent(
        &self,
        peer: PeerId,
        family: Family,
        from: DestId,
        max: usize,
        out: &mut Vec<u8>,
    ) -> Option<DestId> {
        let (group, context) = (self.groups.of(peer)?, self.config.export);
        match family {
            Family::IPV4_UNICAST => {
                group.write_sent::<V4>((&self.families.v4.table, context), peer, from, max, out)
            }
            Family::IPV6_UNICAST => {
                group.write_sent::<V6>((&self.families.v6.table, context), peer, from, max, out)
            }
            _ => None,
        }
    }

    /// How far a peer is behind in taking what it is to be sent.
    #[must_use]
    pub fn lag(&self, peer: PeerId) -> Option<Lag> {
        Some(self.groups.of(peer)?.lag(peer))
    }

    /// How many destinations have a path.
    #[must_use]
    pub fn route_count(&self, family: Family) -> usize {
        match family {
            Family::IPV4_UNICAST => self.families.v4.table.destinations(),
            Family::IPV6_UNICAST => self.families.v6.table.destinations(),
            _ => 0,
        }
    }

    /// How many paths there are.
    #[must_use]
    pub fn path_count(&self, family: Family) -> usize {
        match family {
            Family::IPV4_UNICAST => self.families.v4.table.path_count(),
            Family::IPV6_UNICAST => self.families.v6.table.path_count(),
            _ => 0,
        }
    }

    /// Paths and destinations, those too that are only held because somebody has not been told yet that they are gone: what
    /// memory is in proportion to, cheaper to ask for than [`Rib::memory`].
    #[must_use]
    pub fn size(&self) -> usize {
        let (v4, v6) = (&self.families.v4.table, &self.families.v6.table);
        v4.path_count() + v4.numbers_in_use() + v6.path_count() + v6.numbers_in_use()
    }

    /// Where memory goes.
    #[must_use]
    pub fn memory(&self) -> MemoryUse {
        MemoryUse {
            tables: self.families.v4.table.memory() + self.families.v6.table.memory(),
            groups: self.groups.iter().map(Group::memory).sum(),
            queued: self.groups.iter().map(Group::queued_bytes).sum(),
        }
    }

    /// The paths to just this destination, if there are some.
    #[must_use]
    pub fn route(&self, prefix: Prefix) -> Option<RouteView<'_>> {
        match prefix {
            Prefix::V4(prefix) => self.view::<V4>(self.families.v4.table.lookup(&prefix)?),
            Prefix::V6(prefix) => self.view::<V6>(self.families.v6.table.lookup(&prefix)?),
        }
    }

    /// The routes to `prefix` and to all that covers it, longest first.
    pub fn covering(&self, prefix: Prefix) -> impl Iterator<Item = RouteView<'_>> {
        let lengths = (0..=prefix.len()).rev();
        lengths.filter_map(move |len| self.route(Prefix::new(prefix.address(), len)?))
    }

    /// The route that packets to `address` take: the longest prefix with a chosen path.
    #[must_use]
    pub fn longest_match(&self, address: IpAddr) -> Option<RouteView<'_>> {
        let len = if address.is_ipv4() { 32 } else { 128 };
        self.covering(Prefix::new(address, len)?).find(|route| route.best().is_some())
    }

    /// The first route of a family from `from` on, by number: a walk begins at [`DestId::FIRST`] and goes on at
    /// [`RouteView::cursor`]. It may rest for as long as it likes; what stays in the table meanwhile is seen once.
    #[must_use]
    pub fn next_route(&self, family: Family, from: DestId) -> Option<RouteView<'_>> {
        match family {
            Family::IPV4_UNICAST => self.next_view::<V4>(from),
            Family::IPV6_UNICAST => self.next_view::<V6>(from),
            _ => None,
        }
    }

    fn next_view<F: RibFamily>(&self, from: DestId) -> Option<RouteView<'_>> {
        let table = &F::rib(&self.families).table;
        let after = |dest: &DestId| table.next_dest(dest.next());
        std::iter::successors(table.next_dest(from), after).find_map(|dest| self.view::<F>(dest))
    }

    pub(super) fn view<F: RibFamily>(&self, dest: DestId) -> Option<RouteView<'_>> {
        let table = &F::rib(&self.families).table;
        let paths = Some(table.paths(dest)).filter(|paths| !paths.is_empty())?;
        Some(RouteView {
            dest,
            prefix: table.prefix(dest)?.into(),
            paths,
            decision: Decision::new(self.config.decision, &self.peers),
            peers: &self.peers,
            multipath: self.config.multipath,
        })
    }
}
