//! Why a path goes out to a peer, or does not.

use std::fmt;
use std::net::IpAddr;

use bgp_core::{AddressFamily, PathId, Prefix, V4, V6};

use super::choice::{self, Choice};
use super::export::{ExportContext, GroupKey, LoadSharing};
use super::exporter::Exporter;
use super::sources::Written;
use crate::filter::{Route, TermOutcome};
use crate::path::Path;
use crate::peer::{PeerId, Peers};

/// What a path has to pass on its way out to a peer, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExportCheck {
    /// The family was negotiated.
    Family,
    /// No aggregate goes out in the destination's place.
    Aggregate,
    /// The peer did not announce the path itself.
    SplitHorizon,
    /// Who announced it is still there.
    Source,
    /// It is not from an iBGP peer to another one, or we reflect it (RFC 4456 section 6).
    Reflection,
    /// NO_ADVERTISE, NO_EXPORT and NO_EXPORT_SUBCONFED allow it (RFC 1997).
    Communities,
    /// It is not only for customers, or the peer is one (RFC 9234 section 5).
    OnlyToCustomer,
    /// It is not long-lived stale, or the peer knows what that is (RFC 9494 section 4.3).
    LongLived,
    /// The export policy accepts it.
    Policy,
    /// The next hop that it would go out with is known.
    NextHop,
    /// Its attributes fit into a message.
    Length,
    /// It is the one path, or one of those, that the peer is to be sent ([`Advertise`](super::Advertise)).
    Chosen,
}

impl ExportCheck {
    /// All, in order.
    pub const ALL: [ExportCheck; 12] = [
        ExportCheck::Family,
        ExportCheck::Aggregate,
        ExportCheck::SplitHorizon,
        ExportCheck::Source,
        ExportCheck::Reflection,
        ExportCheck::Communities,
        ExportCheck::OnlyToCustomer,
        ExportCheck::LongLived,
        ExportCheck::Policy,
        ExportCheck::NextHop,
        ExportCheck::Length,
        ExportCheck::Chosen,
    ];

    /// Its name in a few words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ExportCheck::Family => "family negotiated",
            ExportCheck::Aggregate => "no aggregate in its place",
            ExportCheck::SplitHorizon => "not from this peer",
            ExportCheck::Source => "source present",
            ExportCheck::Reflection => "may pass between these kinds of peers",
            ExportCheck::Communities => "well-known communities",
            ExportCheck::OnlyToCustomer => "only to customers",
            ExportCheck::LongLived => "long-lived stale",
            ExportCheck::Policy => "export policy",
            ExportCheck::NextHop => "next hop known",
            ExportCheck::Length => "fits into a message",
            ExportCheck::Chosen => "among the paths that are sent",
        }
    }
}

impl fmt::Display for ExportCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a peer is sent of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentRoute {
    /// The attributes as they go out, but for MP_REACH_NLRI. AS numbers are as wide as in the peer's session.
    pub block: Vec<u8>,
    /// The next hop.
    pub next_hop: IpAddr,
}

/// How one path fares on its way to one peer.
#[derive(Clone, Debug)]
pub struct PathExport {
    /// Who announced it.
    pub source: PeerId,
    /// The identifier that the source gave it.
    pub path_id: PathId,
    /// The first check that it fails; the later ones were not asked.
    pub blocker: Option<ExportCheck>,
    /// What the terms of the export filter made of it, if there is one and it was asked.
    pub terms: Vec<TermOutcome>,
    /// What goes out, if nothing is in the way.
    pub sent: Option<SentRoute>,
}

impl PathExport {
    /// The checks that were asked, in order, and whether the path passed.
    pub fn checks(&self) -> impl Iterator<Item = (ExportCheck, bool)> {
        let asked = |check: &ExportCheck| self.blocker.is_none_or(|blocker| *check <= blocker);
        ExportCheck::ALL.into_iter().filter(asked).map(|check| (check, self.blocker != Some(check)))
    }
}

/// Who is asked about, and all that decides what it is sent.
#[derive(Clone, Copy)]
pub struct ExportView<'a> {
    /// What the peer's group is made from.
    pub key: &'a GroupKey,
    /// What we are.
    pub context: ExportContext,
    /// Which paths share the load.
    pub sharing: LoadSharing,
    /// The sources of the routes.
    pub peers: &'a Peers,
    /// The peer.
    pub to: PeerId,
}

impl ExportView<'_> {
    /// How the paths to a destination that may be chosen fare, best first. `paths` are all of them, ranked;
    /// `suppressed`: an aggregate goes out in their place.
    #[must_use]
    pub fn explain(&self, prefix: Prefix, paths: &[Path], suppressed: bool) -> Vec<PathExport> {
        match prefix {
            Prefix::V4(prefix) => self.explain_in::<V4>(prefix, paths, suppressed),
            Prefix::V6(prefix) => self.explain_in::<V6>(prefix, paths, suppressed),
        }
    }

    fn explain_in<F: AddressFamily>(
        &self,
        prefix: F::Prefix,
        paths: &[Path],
        suppressed: bool,
    ) -> Vec<PathExport> {
        let mut exporter = Exporter::new(self.key.clone(), self.context);
        let chosen = self.chosen::<F>(&mut exporter, prefix, paths);
        let eligible = paths.iter().take_while(|path| path.is_eligible());
        let explain = |path: &Path| {
            let first = if !self.key.families.contains(F::FAMILY) {
                Err(ExportCheck::Family)
            } else if suppressed {
                Err(ExportCheck::Aggregate)
            } else if path.slot() == self.to.slot {
                Err(ExportCheck::SplitHorizon)
            } else {
                Ok(())
            };
            let last = chosen.iter().any(|(source, id)| path.is_from(*source, *id));
            self.path::<F>(&mut exporter, prefix, path, first, last)
        };
        eligible.map(explain).collect()
    }

    /// The paths that the group sends, to peers that did not announce them.
    fn chosen<F: AddressFamily>(
        &self,
        exporter: &mut Exporter,
        prefix: F::Prefix,
        paths: &[Path],
    ) -> Vec<(PeerId, PathId)> {
        if !exporter.is_add_path::<F>() {
            let one = choice::one(exporter, self.peers, paths);
            return one.map(|path| (path.source(), path.path_id)).into_iter().collect();
        }
        let mut choice = Choice::default();
        choice.choose::<F>(exporter, self.peers, self.sharing, prefix, paths);
        std::iter::from_fn(|| choice.next()).map(|wanted| (wanted.source, wanted.received)).collect()
    }

    fn path<F: AddressFamily>(
        &self,
        exporter: &mut Exporter,
        prefix: F::Prefix,
        path: &Path,
        first: Result<(), ExportCheck>,
        chosen: bool,
    ) -> PathExport {
        let decided = first.and_then(|()| exporter.decide::<F>(self.peers, prefix, path, None));
        let decided = decided.and_then(|attrs| if chosen { Ok(attrs) } else { Err(ExportCheck::Chosen) });
        let blocker = decided.as_ref().err().copied();
        let asked = blocker.is_none_or(|blocker| blocker >= ExportCheck::Policy);
        let terms = match (self.key.export.filter(), self.peers.source(path.source())) {
            (Some(filter), Some(source)) if asked => {
                filter.explain(&Route { prefix: prefix.into(), attrs: &path.attrs, source: source.kind })
            }
            _ => Vec::new(),
        };
        let written = Written::of(self.peers, path.source());
        let prepared =
            decided.is_ok_and(|attrs| written.is_some_and(|source| exporter.prepare::<F>(&attrs, source)));
        let sent = prepared.then(|| {
            let (block, next_hop) = exporter.prepared();
            SentRoute { block: block.to_vec(), next_hop }
        });
        PathExport { source: path.source(), path_id: path.path_id, blocker, terms, sent }
    }
}
