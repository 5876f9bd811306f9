//! The way out of one group: which routes pass, and how they are written.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use bgp_core::wire::encode;
use bgp_core::{AddressFamily, Family, PathId};

use super::export::{ExportContext, GroupKey, communities_allow, exportable};
use super::journal::CHUNK;
use super::rewrite::{Rewrite, Rewriter};
use super::slots::Outbound;
use crate::attributes::Attrs;
use crate::filter::Policy;
use crate::path::Path;
use crate::peer::{PeerId, Peers};
use crate::table::Table;

/// What a group has written, and what it could not send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportCounters {
    /// UPDATE messages written; each counts once however many peers it goes to.
    pub messages: u64,
    /// Attribute sets rewritten for those messages.
    pub rewrites: u64,
    /// Routes held back because our own address of the family, needed as next hop, is not known.
    pub no_next_hop: u64,
    /// Routes held back because their attributes do not fit into a message (RFC 8654 section 4).
    pub too_long: u64,
}

/// Marker, length, type, and the two length fields of an UPDATE (RFC 4271 section 4.3).
const UPDATE_OVERHEAD: usize = 19 + 2 + 2;
/// The longest MP_REACH_NLRI without destinations: header, family, one next hop, reserved (RFC 4760 section 3).
const MP_OVERHEAD: usize = 4 + 3 + 1 + 16 + 1;

/// The octets of a message that attributes and destinations cannot have.
fn overhead<F: AddressFamily>() -> usize {
    if F::FAMILY == Family::IPV4_UNICAST { UPDATE_OVERHEAD } else { UPDATE_OVERHEAD + MP_OVERHEAD }
}

/// Decides and writes; its buffers are used again and again.
#[derive(Debug)]
pub(crate) struct Exporter {
    key: GroupKey,
    context: ExportContext,
    rewriter: Rewriter,
    block: Vec<u8>,
    next_hop: IpAddr,
    messages: Vec<u8>,
    /// The last decision: destinations of one attribute set come in runs.
    last: Option<(Family, Attrs, PeerId, bool)>,
    pub(crate) counters: ExportCounters,
}

impl Exporter {
    pub(crate) fn new(key: GroupKey, context: ExportContext) -> Exporter {
        Exporter {
            key,
            context,
            rewriter: Rewriter::default(),
            block: Vec::new(),
            next_hop: Ipv4Addr::UNSPECIFIED.into(),
            messages: Vec::new(),
            last: None,
            counters: ExportCounters::default(),
        }
    }

    pub(crate) fn key(&self) -> &GroupKey {
        &self.key
    }

    /// Whether several paths to a destination go out.
    pub(crate) fn is_add_path<F: AddressFamily>(&self) -> bool {
        self.key.add_path.contains(F::FAMILY)
    }

    /// Whether routes of this source may go to the group's peers, by what both are to us.
    pub(crate) fn may_pass(&self, peers: &Peers, source: PeerId) -> bool {
        let reflect = self.context.cluster_id.is_some();
        peers.source(source).is_some_and(|source| exportable(source.kind, self.key.kind, reflect))
    }

    /// The longest destination on the wire, in octets.
    fn longest<F: AddressFamily>(&self) -> usize {
        let path_id = if self.is_add_path::<F>() { size_of::<PathId>() } else { 0 };
        path_id + 1 + usize::from(F::MAX_LEN / 8)
    }

    /// The attributes with which a path goes out to this group, before they are written for it; `None` if it does not.
    pub(crate) fn outgoing<'a, F: AddressFamily>(
        &mut self,
        peers: &Peers,
        _prefix: F::Prefix,
        path: &'a Path,
    ) -> Option<Cow<'a, Attrs>> {
        self.allows::<F>(peers, path).then_some(Cow::Borrowed(&path.attrs))
    }

    fn allows<F: AddressFamily>(&mut self, peers: &Peers, path: &Path) -> bool {
        if let Some((family, attrs, source, verdict)) = &self.last
            && (*family, attrs, *source) == (F::FAMILY, &path.attrs, path.source)
        {
            return *verdict;
        }
        let verdict = self.decide::<F>(peers, path);
        self.last = Some((F::FAMILY, path.attrs.clone(), path.source, verdict));
        verdict
    }

    /// Forgets the last decision: peers may have changed since.
    pub(crate) fn forget_last(&mut self) {
        self.last = None;
    }

    fn decide<F: AddressFamily>(&mut self, peers: &Peers, path: &Path) -> bool {
        let Some(source) = peers.source(path.source) else { return false };
        if self.key.export == Policy::Reject
            || !self.may_pass(peers, path.source)
            || !communities_allow(path.attrs.block(), self.key.kind)
        {
            return false;
        }
        if self.key.next_hop(F::FAMILY, source.kind, path.attrs.next_hop()).is_none() {
            self.counters.no_next_hop += 1;
            return false;
        }
        let fits = self.fits::<F>(peers, path);
        self.counters.too_long += u64::from(!fits);
        fits
    }

    fn fits<F: AddressFamily>(&mut self, peers: &Peers, path: &Path) -> bool {
        let room = self.room::<F>().saturating_sub(self.longest::<F>());
        // AS_PATH may be there twice for a two-octet peer; all else that is added is short.
        let at_most = path.attrs.block().len() * 2 + 64;
        at_most <= room || (self.prepare::<F>(peers, &path.attrs, path.source) && self.block.len() <= room)
    }

    /// The octets of a message for attributes and destinations.
    fn room<F: AddressFamily>(&self) -> usize {
        (self.key.max_message_len as usize).saturating_sub(overhead::<F>())
    }

    /// Rewrites the attributes of the announcements that follow; `false` if the source is gone: then the change that
    /// takes its routes back is on its way.
    pub(crate) fn prepare<F: AddressFamily>(&mut self, peers: &Peers, attrs: &Attrs, source: PeerId) -> bool {
        let Some(source) = peers.source(source) else { return false };
        let Some(next_hop) = self.key.next_hop(F::FAMILY, source.kind, attrs.next_hop()) else {
            return false;
        };
        let rule = Rewrite {
            target: self.key.kind,
            source: source.kind,
            originator: source.router_id,
            cluster_id: self.context.cluster_id,
            local_as: self.context.local_as,
            next_hop: match next_hop {
                IpAddr::V4(address) => Some(address),
                IpAddr::V6(_) => None,
            },
            four_octet_as: self.key.four_octet_as,
        };
        self.block.clear();
        self.rewriter.rewrite(&rule, attrs.block(), &mut self.block);
        self.next_hop = next_hop;
        true
    }

    /// How many destinations surely fit into one chunk of announcements.
    pub(crate) fn announcements_per_chunk<F: AddressFamily>(&self) -> usize {
        self.per_chunk::<F>(self.block.len())
    }

    /// How many destinations surely fit into one chunk of withdrawals.
    pub(crate) fn withdrawals_per_chunk<F: AddressFamily>(&self) -> usize {
        self.per_chunk::<F>(0)
    }

    fn per_chunk<F: AddressFamily>(&self, attributes: usize) -> usize {
        let per_message = self.room::<F>().saturating_sub(attributes) / self.longest::<F>();
        let messages = CHUNK / (self.key.max_message_len as usize).max(1);
        (per_message * messages).max(1)
    }

    /// The messages that announce `paths` with the attributes prepared.
    pub(crate) fn announce<F: AddressFamily>(&mut self, table: &Table<F>, paths: &[Outbound]) -> &[u8] {
        self.messages.clear();
        let prefixes = nlri(table, paths, self.is_add_path::<F>());
        let max_len = self.key.max_message_len as usize;
        let written =
            encode::announce::<F>(&mut self.messages, max_len, &self.block, self.next_hop, prefixes);
        self.counters.messages += written.unwrap_or(0) as u64;
        &self.messages
    }

    /// The messages that withdraw `paths`.
    pub(crate) fn withdraw<F: AddressFamily>(&mut self, table: &Table<F>, paths: &[Outbound]) -> &[u8] {
        self.messages.clear();
        let prefixes = nlri(table, paths, self.is_add_path::<F>());
        let max_len = self.key.max_message_len as usize;
        let written = encode::withdraw::<F>(&mut self.messages, max_len, prefixes);
        self.counters.messages += written as u64;
        &self.messages
    }
}

/// What stands for `paths` on the wire.
fn nlri<F: AddressFamily>(
    table: &Table<F>,
    paths: &[Outbound],
    add_path: bool,
) -> impl Iterator<Item = (Option<PathId>, F::Prefix)> {
    paths.iter().filter_map(move |out| Some((add_path.then_some(out.id), table.prefix(out.dest)?)))
}
