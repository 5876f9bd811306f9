//! The way out of one group: which routes pass, and how they are written.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use bgp_core::wire::{Community, encode};
use bgp_core::{AddressFamily, Family, PathId};

use super::explain::ExportCheck;
use super::export::{ExportContext, GroupKey, TargetKind, communities_allow, exportable};
use super::journal::CHUNK;
use super::rewrite::{Rewrite, Rewriter};
use super::slots::Outbound;
use super::sources::Written;
use crate::attributes::Attrs;
use crate::fault::{Fault, planted};
use crate::filter::{Change, Direction, Edit, Edits, FilterRun, Route, Verdict};
use crate::path::Path;
use crate::peer::{PeerId, Peers, SourceKind};
use crate::roles;
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

/// Whole UPDATEs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Messages<'a> {
    pub(crate) bytes: &'a [u8],
    /// How many they are.
    pub(crate) count: u32,
}

/// Marker, length, type, and the two length fields of an UPDATE (RFC 4271 section 4.3).
const UPDATE_OVERHEAD: usize = 19 + 2 + 2;
/// The longest MP_REACH_NLRI without destinations: header, family, one next hop, reserved (RFC 4760 section 3).
const MP_OVERHEAD: usize = 4 + 3 + 1 + 16 + 1;

/// The octets of a message that attributes and destinations cannot have, in a family that may have MP_REACH_NLRI.
fn overhead(has_mp: bool) -> usize {
    if has_mp { UPDATE_OVERHEAD + MP_OVERHEAD } else { UPDATE_OVERHEAD }
}

/// What we change of routes whatever the filter says, each under a bit of [`Edits::own`].
#[derive(Debug)]
struct OwnEdits {
    /// Before we go (RFC 8326): eBGP peers see GRACEFUL_SHUTDOWN, iBGP peers prefer others at once.
    draining: Vec<Edit>,
    /// For long-lived stale routes: LLGR_STALE, which must not get lost either (RFC 9494 sections 4.2 and 4.3).
    long_lived: Vec<Edit>,
}

impl OwnEdits {
    const DRAINING: u8 = 1;
    const LONG_LIVED: u8 = 2;

    fn new(target: TargetKind) -> OwnEdits {
        let add = |community| Edit::Communities(Change::Add(vec![community]));
        let mut draining = vec![add(Community::GRACEFUL_SHUTDOWN)];
        if target != TargetKind::External {
            draining.push(Edit::LocalPref(0));
        }
        OwnEdits { draining, long_lived: vec![add(Community::LLGR_STALE)] }
    }

    fn of(&self, bits: u8) -> impl Iterator<Item = &Edit> {
        let chosen = |bit: u8, edits| if bits & bit != 0 { edits } else { &[] as &[Edit] };
        chosen(Self::DRAINING, self.draining.as_slice())
            .iter()
            .chain(chosen(Self::LONG_LIVED, &self.long_lived))
    }
}

/// A decision, and all that it depends on beside the group and the peers.
#[derive(Debug)]
struct Decided {
    family: Family,
    attrs: Attrs,
    source: PeerId,
    /// As [`Path::is_least_preferred`] says.
    long_lived: bool,
    /// What the filter said, if it looks at the destination.
    by_prefix: Option<Verdict>,
    /// The attributes that go out; `None`: the path does not.
    outcome: Option<Attrs>,
}

impl Decided {
    fn holds_for(&self, family: Family, path: &Path, by_prefix: Option<Verdict>) -> bool {
        let own = (self.family, &self.attrs, self.source, self.long_lived, self.by_prefix);
        own == (family, &path.attrs, path.source(), path.is_least_preferred(), by_prefix)
    }
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
    own_edits: OwnEdits,
    /// The sets edited in this flush.
    edited: FilterRun,
    looks_at_prefix: bool,
    /// The last decision: destinations of one attribute set come in runs.
    last: Option<Decided>,
    pub(crate) counters: ExportCounters,
}

impl Exporter {
    pub(crate) fn new(key: GroupKey, context: ExportContext) -> Exporter {
        Exporter {
            own_edits: OwnEdits::new(key.kind),
            edited: FilterRun::new(Direction::Export, key.own_as(context.local_as)),
            looks_at_prefix: key.export.looks_at_prefix() && !planted(Fault::VerdictCachedAcrossPrefixes),
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
        prefix: F::Prefix,
        path: &'a Path,
    ) -> Option<Cow<'a, Attrs>> {
        let source = if self.looks_at_prefix { peers.source(path.source()) } else { None };
        let by_prefix = source.map(|source| self.judge::<F>(source.kind, prefix, path));
        if !self.last.as_ref().is_some_and(|last| last.holds_for(F::FAMILY, path, by_prefix)) {
            let decided = self.decide::<F>(peers, prefix, path, by_prefix);
            self.count(decided.as_ref().err());
            self.last = Some(Decided {
                family: F::FAMILY,
                attrs: path.attrs.clone(),
                source: path.source(),
                long_lived: path.is_least_preferred(),
                by_prefix,
                outcome: decided.ok(),
            });
        }
        let outcome = self.last.as_ref()?.outcome.as_ref()?;
        Some(if *outcome == path.attrs { Cow::Borrowed(&path.attrs) } else { Cow::Owned(outcome.clone()) })
    }

    /// Forgets the last decision and the edited sets: peers may have changed since.
    pub(crate) fn forget_last(&mut self) {
        self.last = None;
        self.edited.clear();
    }

    fn count(&mut self, failed: Option<&ExportCheck>) {
        self.counters.no_next_hop += u64::from(failed == Some(&ExportCheck::NextHop));
        self.counters.too_long += u64::from(failed == Some(&ExportCheck::Length));
    }

    fn judge<F: AddressFamily>(&self, source: SourceKind, prefix: F::Prefix, path: &Path) -> Verdict {
        self.key.export.evaluate(&Route { prefix: prefix.into(), attrs: &path.attrs, source })
    }

    /// The attributes with which a path goes out, or the first check that it fails. Their order is that of
    /// [`ExportCheck`].
    pub(crate) fn decide<F: AddressFamily>(
        &mut self,
        peers: &Peers,
        prefix: F::Prefix,
        path: &Path,
        by_prefix: Option<Verdict>,
    ) -> Result<Attrs, ExportCheck> {
        let pass = |passes: bool, check| if passes { Ok(()) } else { Err(check) };
        let written = Written::of(peers, path.source()).ok_or(ExportCheck::Source)?;
        let source = written.kind;
        pass(self.may_pass(peers, path.source()), ExportCheck::Reflection)?;
        pass(communities_allow(path.attrs.block(), self.key.kind), ExportCheck::Communities)?;
        pass(roles::may_leave(self.key.role, path.attrs.block()), ExportCheck::OnlyToCustomer)?;
        let long_lived = path.is_least_preferred();
        let knows = self.key.long_lived.contains(F::FAMILY) || planted(Fault::LongLivedSentToAll);
        pass(!long_lived || knows, ExportCheck::LongLived)?;
        let verdict = by_prefix.unwrap_or_else(|| self.judge::<F>(source, prefix, path));
        pass(verdict.accept, ExportCheck::Policy)?;
        let attrs = self.edit(&path.attrs, verdict, long_lived).ok_or(ExportCheck::Length)?;
        let next_hop = self.key.next_hop_of(F::FAMILY, source, &attrs);
        pass(next_hop.is_some(), ExportCheck::NextHop)?;
        pass(self.fits::<F>(&attrs, written), ExportCheck::Length)?;
        Ok(attrs)
    }

    /// The set as the filter and we ourselves change it; `None` if an attribute grows over its bound.
    fn edit(&mut self, attrs: &Attrs, verdict: Verdict, long_lived: bool) -> Option<Attrs> {
        let Exporter { key, own_edits, edited, .. } = self;
        let own = if key.draining { OwnEdits::DRAINING } else { 0 }
            | if long_lived { OwnEdits::LONG_LIVED } else { 0 };
        let edits = Edits { terms: verdict.edits, own };
        edited.edited_by(attrs, edits, || {
            let of_filter = key.export.filter().into_iter().flat_map(|filter| filter.edits_of(edits.terms));
            of_filter.chain(own_edits.of(own))
        })
    }

    fn fits<F: AddressFamily>(&mut self, attrs: &Attrs, source: Written) -> bool {
        let room = self.room::<F>().saturating_sub(self.longest::<F>());
        // AS_PATH may be there twice for a two-octet peer; all else that is added is short.
        let at_most = attrs.block().len() * 2 + 64;
        at_most <= room || (self.prepare::<F>(attrs, source) && self.block.len() <= room)
    }

    /// What [`Exporter::prepare`] has written, and the next hop with it.
    pub(crate) fn prepared(&self) -> (&[u8], IpAddr) {
        (&self.block, self.next_hop)
    }

    /// The octets of a message for attributes and destinations.
    fn room<F: AddressFamily>(&self) -> usize {
        let has_mp = F::FAMILY != Family::IPV4_UNICAST || self.key.extended_next_hop;
        (self.key.max_message_len as usize).saturating_sub(overhead(has_mp))
    }

    /// Rewrites the attributes of the announcements that follow; `false` if there is no next hop for them.
    pub(crate) fn prepare<F: AddressFamily>(&mut self, attrs: &Attrs, source: Written) -> bool {
        let Some(next_hop) = self.key.next_hop_of(F::FAMILY, source.kind, attrs) else { return false };
        let rule = Rewrite {
            target: self.key.kind,
            source: source.kind,
            originator: source.router_id,
            cluster_id: self.context.cluster_id,
            local_as: self.context.local_as,
            as_rules: self.key.as_rules,
            next_hop: match next_hop {
                IpAddr::V4(address) => Some(address),
                IpAddr::V6(_) => None,
            },
            four_octet_as: self.key.four_octet_as,
            only_to_customer: roles::marks_leaving(self.key.role),
            keeps_med: attrs.marks().keeps_med(),
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
    pub(crate) fn announce<F: AddressFamily>(
        &mut self,
        table: &Table<F>,
        paths: &[Outbound],
    ) -> Messages<'_> {
        self.messages.clear();
        let prefixes = nlri(table, paths, self.is_add_path::<F>());
        let max_len = self.key.max_message_len as usize;
        let written =
            encode::announce::<F>(&mut self.messages, max_len, &self.block, self.next_hop, prefixes);
        self.written(written.unwrap_or(0))
    }

    /// The messages that withdraw `paths`.
    pub(crate) fn withdraw<F: AddressFamily>(
        &mut self,
        table: &Table<F>,
        paths: &[Outbound],
    ) -> Messages<'_> {
        self.messages.clear();
        let prefixes = nlri(table, paths, self.is_add_path::<F>());
        let max_len = self.key.max_message_len as usize;
        let written = encode::withdraw::<F>(&mut self.messages, max_len, prefixes);
        self.written(written)
    }

    fn written(&mut self, count: usize) -> Messages<'_> {
        self.counters.messages += count as u64;
        Messages { bytes: &self.messages, count: u32::try_from(count).unwrap_or(u32::MAX) }
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
