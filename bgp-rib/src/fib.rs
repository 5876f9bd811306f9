//! What the kernel's FIB is to be told.

use std::net::IpAddr;
use std::num::{NonZeroU8, NonZeroU32};

use bgp_core::{AddressFamily, Prefix, link_local};

use crate::decision::Decision;
use crate::dirty::DirtySet;
use crate::next_hop::{NextHopState, NextHops};
use crate::path::Path;
use crate::peer::PeerId;
use crate::table::{CHUNK, DestId, Table};
use crate::weights::weigh;

/// A route for the FIB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FibChange {
    /// The destination.
    pub prefix: Prefix,
    /// Where to; more than one shares the load. Empty: the route is to go.
    pub next_hops: Vec<FibNextHop>,
}

/// One of the next hops that a route for the FIB has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FibNextHop {
    /// Who to send to, of the route's own family or IPv6 (RFC 8950).
    pub gateway: IpAddr,
    /// The index of the interface that a link-local gateway is on.
    pub link: Option<u32>,
    /// Its share of the traffic relative to the others.
    pub weight: NonZeroU8,
}

impl FibNextHop {
    /// The next hop of a route, with the link that goes along with it ([`link_local`]); its weight is 1.
    #[must_use]
    pub fn new(next_hop: IpAddr) -> FibNextHop {
        let (gateway, link) = link_local::split(next_hop);
        FibNextHop { gateway, link: link.map(NonZeroU32::get), weight: NonZeroU8::MIN }
    }
}

/// The consumer that follows the chosen routes of one family. Routes of our own are not for the FIB: who originates
/// them knows where they lead.
#[derive(Debug, Default)]
pub(crate) struct Fib {
    dirty: DirtySet,
    /// The destinations of which a route was told. Each is held in the table.
    told: Bits,
    /// Those of them whose route stands although no path is eligible: the state of a next hop is still asked for. To
    /// take the route out and put another in a moment later would lose packets.
    waiting: Bits,
}

/// A bit for each destination, by number.
#[derive(Debug, Default)]
struct Bits(Vec<u64>);

/// Words of [`Bits`] that are one chunk of the table.
const WORDS: usize = CHUNK / 64;

impl Bits {
    /// Sets a bit so; how it was before.
    fn set(&mut self, id: DestId, on: bool) -> bool {
        let (word, bit) = (id.index() / 64, 1_u64 << (id.index() % 64));
        if self.0.len() <= word && on {
            self.0.resize(word + 1, 0);
        }
        let Some(word) = self.0.get_mut(word) else { return false };
        let before = *word & bit != 0;
        *word = if on { *word | bit } else { *word & !bit };
        before
    }

    fn contains(&self, id: DestId) -> bool {
        self.0.get(id.index() / 64).is_some_and(|word| word & (1 << (id.index() % 64)) != 0)
    }

    /// Clears the bits of a chunk of the table, and names those that were set.
    fn take_chunk(&mut self, chunk: usize) -> impl Iterator<Item = DestId> {
        let words = self.0.iter_mut().enumerate().skip(chunk * WORDS).take(WORDS);
        words.flat_map(|(place, word)| {
            let taken = std::mem::take(word);
            let set = (0..64).filter(move |bit| taken & (1 << bit) != 0);
            set.map(move |bit| DestId::from_index(place * 64 + bit))
        })
    }
}

impl Fib {
    pub(crate) fn mark(&mut self, id: DestId) {
        self.dirty.mark(id);
    }

    pub(crate) fn is_dirty(&self, id: DestId) -> bool {
        self.dirty.contains(id)
    }

    pub(crate) fn has_changes(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Appends changes to `out` until it holds `max` or none is left. A route may be told again unchanged.
    pub(crate) fn take<F: AddressFamily>(
        &mut self,
        table: &mut Table<F>,
        decision: Decision<'_>,
        multipath: usize,
        hops: &NextHops,
        max: usize,
        out: &mut Vec<FibChange>,
    ) {
        while out.len() < max {
            let Some(id) = self.dirty.pop() else { return };
            let Some(prefix) = table.prefix(id) else { continue };
            let next_hops: Vec<FibNextHop> = match table.best(id) {
                Some(best) if best.source() != PeerId::LOCAL => {
                    let shared = || {
                        let paths = decision.multipath(table.paths(id), multipath);
                        paths.map(|path| (FibNextHop::new(hops.gateway(path.attrs.next_hop())), &path.attrs))
                    };
                    let mut next_hops = gateways(shared().map(|(next_hop, _)| next_hop));
                    if next_hops.len() > 1 {
                        weigh(&mut next_hops, shared());
                    }
                    next_hops
                }
                _ => Vec::new(),
            };
            let is_route = !next_hops.is_empty();
            let is_pending = !is_route && self.told.contains(id) && is_pending(table.paths(id), hops);
            self.waiting.set(id, is_pending);
            if is_pending {
                continue;
            }
            let was_route = self.told.set(id, is_route);
            match (was_route, is_route) {
                (false, true) => table.hold(id),
                (true, false) => table.release(id),
                (true, true) => {}
                (false, false) => continue,
            }
            out.push(FibChange { prefix: prefix.into(), next_hops });
        }
    }

    /// The state of a next hop is known, the paths through which are in these chunks of the table: routes that waited for
    /// it are looked at again.
    pub(crate) fn answered(&mut self, chunks: impl Iterator<Item = usize>) {
        for chunk in chunks {
            for id in self.waiting.take_chunk(chunk) {
                self.dirty.mark(id);
            }
        }
    }
}

/// Whether none of these paths can be used only because nobody has said yet whether the next hop of one can be reached.
fn is_pending(paths: &[Path], hops: &NextHops) -> bool {
    let is_unknown = |hop: IpAddr| hops.state(hop) == Some(NextHopState::Unknown);
    paths.iter().all(|path| !path.is_eligible())
        && paths.iter().filter_map(Path::tracked_next_hop).any(is_unknown)
}

/// Each once, the best path's first: several next hops may be reached by the same route.
fn gateways(all: impl Iterator<Item = FibNextHop>) -> Vec<FibNextHop> {
    let mut gateways = Vec::new();
    for gateway in all {
        if !gateways.contains(&gateway) {
            gateways.push(gateway);
        }
    }
    gateways
}
